"""Index notation: `dZ[i,j]/dX[m,n] = delta[i,m]*Y[n,j]`, and whole programs line by line.

What is printed parses back (`einsumdiff.read`). Definitions come first, a line each, then a line for
each derivative, then the shapes, with what was assumed of them after a `#`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence, Set

from einsumdiff.arguments import shape_text
from einsumdiff.differentiate import Jacobian, term_arrays
from einsumdiff.language import tree
from einsumdiff.language.rows import Function
from einsumdiff.language.table import load_table
from einsumdiff.nodes import (
    Array,
    Call,
    Definition,
    Form,
    Input,
    Product,
    Reduce,
    Sum,
)
from einsumdiff.program import Program, live
from einsumdiff.properties import MEANINGS, kind
from einsumdiff.sizes import names
from einsumdiff.views.letters import (
    DEFINITIONS,
    INDICES,
    WRT,
    Used,
    bodies_letters,
    choose,
    in_place,
    place_axes,
    wanted_letters,
)
from einsumdiff.views.ranges import said
from einsumdiff.views.text import SUM, brackets, form_text
from einsumdiff.views.writer import Writer


class _Page:
    """The text of some definitions and derivatives: names, letters and lines, chosen once."""

    def __init__(
        self,
        program: Program,
        roots: Collection[Array],
        jacobians: Sequence[Jacobian],
        explicit: bool = False,
    ) -> None:
        self.program = program
        self.definitions = live(roots)
        products = [t.product for jac in jacobians for t in jac.terms]
        wrt = [array for jac in jacobians for array in jac.wrt]
        self.inline = in_place(self.definitions, products, () if jacobians else roots)
        self.inline |= _tiny_output(program, self.definitions, wrt, jacobians)
        taken = {array.name for array in (*program.inputs, *self.definitions) if array.name}
        taken |= {jac.output.name for jac in jacobians} | {array.name for array in wrt}
        taken |= {*program.arrays, *program.builder.constants} | _typed_sizes(program)
        self.names = self._name(taken, set(bodies_letters(self.definitions)))
        self.explicit = explicit
        self.use(taken | set(self.names.values()))

    def use(self, taken: set[str]) -> None:
        """Begin to write; none of these names will be a letter."""
        self.taken = taken
        self.writer = Writer(self.names, self.inline, _operator, self.explicit)

    def written(self, jacobians: Sequence[Jacobian]) -> tuple[list[str], list[Definition], list[str]]:
        """The lines of the definitions, those whose shapes must be said, the lines of the derivatives.

        A size that the text uses as a number is no letter in it: where one was, all is written again.
        """
        lines, declared = self.lines()
        partials = [self.partial(jac) for jac in jacobians]
        numbers = self.writer.numbers - self.taken
        if numbers:
            self.use(self.taken | numbers)
            lines, declared = self.lines()
            partials = [self.partial(jac) for jac in jacobians]
        return lines, declared, partials

    def _name(self, taken: set[str], letters: set[str]) -> dict[Array, str]:
        """A name for every definition that gets a line; of two with one name the earlier is renamed.

        None is called as a size is: what is read back would be both.
        """
        found: dict[Array, str] = {}
        sizes = {name for one in self.program.inputs for size in one.shape for name in names(size)}
        used = Used(taken | letters | sizes)
        seen: set[str] = {array.name for array in self.program.inputs}
        for definition in reversed(self.definitions):
            if definition.named and definition.name not in seen:
                seen.add(definition.name)
                found[definition] = definition.name
        for definition in self.definitions:
            if definition not in self.inline and definition not in found:
                hint = definition.name if definition.named else None
                if hint:
                    found[definition] = next(used.numbered(hint))
                    used.add(found[definition])
                else:
                    found[definition] = choose(None, DEFINITIONS, used)
        return found

    def lines(self) -> tuple[list[str], list[Definition]]:
        """A line for every definition that does not stand in place; and those whose shapes must be said."""
        texts, declared = [], []
        for definition in self.definitions:
            if definition in self.inline:
                continue
            used = Used(self.taken)
            places = place_axes(wanted_letters(definition), definition.shape, INDICES, used)
            body = definition.body
            self.writer.begin(places, body.terms if isinstance(body, Sum) else ())
            text = self.writer.body(definition, places, used)
            texts.append(f"{self.names[definition]}{brackets(places)} = {text.within(SUM)}")
            if not _says_its_shape(definition, self.inline):
                declared.append(definition)
        return texts, declared

    def partial(self, jacobian: Jacobian) -> str:
        """`dy[i]/dx[m] = ...`."""
        used = Used(self.taken)
        places = self.places(jacobian, used)
        self.writer.begin(places, jacobian.terms)
        text = self.writer.terms(jacobian.terms, places, jacobian.shape, used)
        return f"{_left(jacobian, places)} = {text.within(SUM)}"

    def places(self, jacobian: Jacobian, used: Used) -> tuple[Form, ...]:
        """Letters for the axes: the user's for those of the output, the next free ones for the others."""
        output = jacobian.output
        rank = len(output.shape)
        own = place_axes(wanted_letters(output), output.shape, INDICES, used)
        pool = WRT if rank else INDICES
        return own + place_axes([None] * (len(jacobian.shape) - rank), jacobian.shape[rank:], pool, used)


def _left(jacobian: Jacobian, places: Sequence[Form]) -> str:
    order, (own, *axes) = len(jacobian.wrt), jacobian.axes
    left = f"d{order if order > 1 else ''}{jacobian.output.name}{brackets([places[k] for k in own])}"
    for array, positions in zip(jacobian.wrt, axes, strict=True):
        left += f"/d{array.name}{brackets([places[k] for k in positions])}"
    return left


def _typed_sizes(program: Program) -> set[str]:
    """The names of sizes that stand in the program's text."""
    words = set(re.findall(r"\w+", program.text))
    return {name for one in program.inputs for size in one.shape for name in names(size) if name in words}


def _operator(function: str) -> str:
    """The sign by which a function is written, or nothing."""
    row = load_table().get(function)
    return row.operator if isinstance(row, Function) else ""


def _tiny_output(
    program: Program, definitions: Sequence[Definition], wrt: Sequence[Array], jacobians: Sequence[Jacobian]
) -> set[Array]:
    """The output stands in place where it is as short as `exp(x[i])`: its name would say less."""
    if not jacobians or program.output in wrt or program.output not in definitions:
        return set()
    output = program.output
    bare = Definition("", output.shape, output.body)
    replaced = [bare if d is output else d for d in definitions]
    if isinstance(output.body, Sum) or any(isinstance(a, Definition) for a in output.reads):
        return set()
    return {output} if bare in in_place(replaced, [Product(1)]) else set()


def _says_its_shape(definition: Definition, inline: Set[Array]) -> bool:
    """Whether the right side gives every index on the left its range."""
    return all(said(definition, inline))


def _page(program: Program, jacobians: Sequence[Jacobian]) -> _Page:
    roots: dict[Array, None] = {}
    for jac in jacobians:
        roots.update(dict.fromkeys(term_arrays(jac.terms)))
        roots.update(dict.fromkeys(a for a in jac.wrt if isinstance(a, Definition)))
    return _Page(program, roots, jacobians)


def axis_letters(program: Program, jacobian: Jacobian) -> list[str]:
    """The letters on the left side of the printed derivative."""
    page = _page(program, [jacobian])
    page.written([jacobian])
    return [form_text(form) for form in page.places(jacobian, Used(page.taken))]


def program_text(program: Program, explicit: bool = True, outputs: Sequence[Definition] | None = None) -> str:
    """The program as understood: the shapes of its inputs, then the definitions, sums written out.

    `outputs`: other definitions over its inputs than its own output.
    """
    page = _Page(program, [program.output] if outputs is None else outputs, [], explicit)
    lines, declared, _ = page.written([])
    shapes = [f"{array.name}: {_declaration(program, array)}" for array in program.inputs]
    shapes += [f"{page.names[array]}: {shape_text(array.shape)}" for array in declared]
    return "\n".join([*([f"{'; '.join(shapes)}"] if shapes else []), *lines])


def _declaration(program: Program, array: Input) -> str:
    """`(n, n) symmetric`."""
    return " ".join([shape_text(array.shape), *array.properties])


def formula_text(program: Program, jacobians: Sequence[Jacobian]) -> str:
    """Shared definitions and derivatives, a line for each, without shapes; and what is assumed of inputs."""
    lines, _, partials = _page(program, jacobians).written(jacobians)
    said = [f"{one.name} is {' '.join(one.properties)}" for one in program.inputs if one.properties]
    assumed = [f"assumed, not checked: {'; '.join(said)}", *_meanings(jacobians)] if said else []
    return "\n".join([*lines, *partials, *assumed])


def derivative_text(program: Program, jacobians: Sequence[Jacobian]) -> str:
    """Derivatives of one program: shared definitions, a line for each, shapes and assumptions."""
    page = _page(program, jacobians)
    lines, declared, partials = page.written(jacobians)
    lines += partials
    output = jacobians[0].output
    shapes = {array.name: _declaration(program, array) for array in program.inputs}
    for definition in declared:
        shapes[page.names[definition]] = shape_text(definition.shape)
    for jac in jacobians:
        for one in jac.wrt:
            if not jac.terms and isinstance(one, Definition):  # no right side says how many there are
                shapes.setdefault(page.names.get(one, one.name), shape_text(one.shape))
    if output.shape:
        shapes.setdefault(output.name, shape_text(output.shape))
    said = "; ".join(f"{name}: {text}" for name, text in shapes.items())
    notes = list(program.notes)
    for jac in jacobians:
        if not jac.terms:
            notes.append(_zero(program, jac))
    notes += _meanings(jacobians)
    notes += [note for note in _ties(program, jacobians) if note not in notes]
    if said or notes:
        lines.append(
            "  # ".join(part for part in (said, "; ".join(notes)) if part)
            if said
            else f"# {'; '.join(notes)}"
        )
    return "\n".join(lines)


def _meanings(jacobians: Sequence[Jacobian]) -> list[str]:
    """How the entries vary of a wrt with declared properties."""
    wrt = dict.fromkeys(array for jac in jacobians for array in jac.wrt)
    return [
        f"{MEANINGS[one.meaning].format(one.name, kind(one.properties))} ({one.meaning})"
        for one in wrt
        if isinstance(one, Input) and one.meaning is not None
    ]


def meaning_said(text: str) -> str:
    """How a wrt with properties varies, by the notes of a printed derivative."""
    for meaning, phrase in MEANINGS.items():
        if re.search("#.*" + phrase.format(r"\w+", r"\w+") + rf" \({meaning}\)", text):
            return meaning
    return "free"


POLICIES = {
    "split": "ties of {} share equally",
    "first": "of ties of {} the first has the slope",
    "zero": "ties of {} have slope 0",
}


def _ties(program: Program, jacobians: Sequence[Jacobian]) -> list[str]:
    """What is done at ties, where there may be some."""
    wrt: set[Array] = {array for jac in jacobians for array in jac.wrt}
    names_: dict[str, None] = {}
    for definition in live([jacobians[0].output]):
        if not wrt & {*definition.reads}:
            continue
        wrt.add(definition)
        match definition.body:
            case Reduce(op="max" | "min" as op):
                names_[str(op)] = None
            case Call(function=function) if _has_ties(function):
                names_[function] = None
    return [POLICIES[program.builder.ties].format(" and ".join(names_))] if names_ else []


def ties_said(text: str) -> tuple[str, tuple[str, ...]]:
    """The policy that a printed derivative was made under, with its notes on ties.

    >>> ties_said("dy/dx[i] = x[i]  # ties of max have slope 0")
    ('zero', ('ties of max have slope 0',))
    """
    for ties, phrase in POLICIES.items():
        note = re.search("#.*?(" + phrase.format(r"[\w ]+") + ")", text)
        if note:
            return ties, (note[1],)
    return "split", ()


def _has_ties(function: str) -> bool:
    """Whether the rule of a function says what is done at ties."""
    row = load_table()[function]
    stated = row.partials.values() if isinstance(row, Function) else ()
    parts = (part for one in stated if one is not None for part in tree.walk(one))
    return any(isinstance(part, tree.Name) and part.name == "first_share" for part in parts)


def _zero(program: Program, jacobian: Jacobian) -> str:
    """Why there are no terms."""
    output = jacobian.output
    for one in jacobian.wrt:
        if isinstance(one, Input) and one.properties and all(_depends(output, a) for a in jacobian.wrt):
            return f"{output.name} has slope 0 at every {kind(one.properties)} {one.name}"
    return f"{output.name} does not depend on {' and '.join(_zero_in(program, jacobian))}"


def _zero_in(program: Program, jacobian: Jacobian) -> list[str]:
    """The wrt that make a derivative vanish: the output itself lacks them, or its derivative does."""
    lacking = [array.name for array in dict.fromkeys(jacobian.wrt) if not _depends(jacobian.output, array)]
    return lacking or [f"{array.name} to this order" for array in jacobian.wrt[-1:]]


def _depends(output: Definition, array: Array) -> bool:
    return output is array or any(array in d.reads for d in live([output]))
