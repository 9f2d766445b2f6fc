"""Index notation: `dZ[i,j]/dX[m,n] = delta[i,m]*Y[n,j]`, and whole programs line by line.

What is printed parses back (`einsumdiff.read`). Definitions come first, a line each, then a line for
each derivative, then the shapes, with what was assumed of them after a `#`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from einsumdiff.arguments import shape_text
from einsumdiff.differentiate import Jacobian, term_arrays
from einsumdiff.language.rows import Function
from einsumdiff.language.table import load_table
from einsumdiff.nodes import Array, Definition, Form, Label, Product, Sum, body_arrays
from einsumdiff.program import Program, live
from einsumdiff.sizes import names
from einsumdiff.views.letters import (
    DEFINITIONS,
    INDICES,
    WRT,
    bodies_letters,
    choose,
    in_place,
    place_axes,
    wanted_letters,
)
from einsumdiff.views.text import SUM, brackets, form_text
from einsumdiff.views.writer import Writer


class _Page:
    """The text of some definitions and derivatives: names, letters and lines, chosen once."""

    def __init__(
        self, program: Program, roots: Iterable[Array], jacobians: Sequence[Jacobian], explicit: bool = False
    ) -> None:
        self.program = program
        self.definitions = live(roots)
        products = [t.product for jac in jacobians for t in jac.terms]
        wrt = [array for jac in jacobians for array in jac.wrt]
        self.inline = in_place(self.definitions, products, () if jacobians else (program.output,))
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
        """A name for every definition that gets a line; of two with one name the earlier is renamed."""
        found: dict[Array, str] = {}
        used = set(taken) | letters
        seen: set[str] = {array.name for array in self.program.inputs}
        for definition in reversed(self.definitions):
            if definition.named and definition.name not in seen:
                seen.add(definition.name)
                found[definition] = definition.name
        for definition in self.definitions:
            if definition not in self.inline and definition not in found:
                hint = definition.name if definition.named else None
                if hint:
                    k = next(k for k in range(1, len(used) + 2) if f"{hint}{k}" not in used)
                    found[definition] = f"{hint}{k}"
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
            used = set(self.taken)
            places = place_axes(wanted_letters(definition), definition.shape, INDICES, used)
            body = definition.body
            self.writer.begin(places, body.terms if isinstance(body, Sum) else ())
            text = self.writer.body(definition, places, used)
            texts.append(f"{self.names[definition]}{brackets(places)} = {text.within(SUM)}")
            if not _says_its_shape(definition):
                declared.append(definition)
        return texts, declared

    def partial(self, jacobian: Jacobian) -> str:
        """`dy[i]/dx[m] = ...`."""
        used = set(self.taken)
        places = self.places(jacobian, used)
        self.writer.begin(places, jacobian.terms)
        text = self.writer.terms(jacobian.terms, places, jacobian.shape, used)
        return f"{_left(jacobian, places)} = {text.within(SUM)}"

    def places(self, jacobian: Jacobian, used: set[str]) -> tuple[Form, ...]:
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
    if isinstance(output.body, Sum) or any(isinstance(a, Definition) for a in _reads(output)):
        return set()
    return {output} if bare in in_place(replaced, [Product(1)]) else set()


def _reads(definition: Definition) -> tuple[Array, ...]:
    return body_arrays(definition.body)


def _says_its_shape(definition: Definition) -> bool:
    """Whether the right side gives every index on the left its range."""
    if not isinstance(definition.body, Sum) or not definition.shape:
        return all(size != 1 for size in definition.shape)
    said = [False] * len(definition.shape)
    for term in definition.body.terms:
        given: set[Label | None] = set()
        for f in term.product.entries:
            for form, size in zip(f.forms, f.array.shape, strict=True):
                if form.label is None and form.coefficients:
                    return False  # a shifted access may make a range shorter
                if form.label is not None and form.label.size == size:
                    given.add(form.label)
        for k, (form, size) in enumerate(zip(term.axes, definition.shape, strict=True)):
            said[k] |= form.label in given and form.label is not None and form.label.size == size
    return all(said)


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
    return [form_text(form) for form in page.places(jacobian, set(page.taken))]


def program_text(program: Program, explicit: bool = True) -> str:
    """The program as understood: the shapes of its inputs, then the definitions, sums written out."""
    page = _Page(program, [program.output], [], explicit)
    lines, declared, _ = page.written([])
    shapes = [f"{array.name}: {shape_text(array.shape)}" for array in program.inputs]
    shapes += [f"{page.names[array]}: {shape_text(array.shape)}" for array in declared]
    return "\n".join([*([f"{'; '.join(shapes)}"] if shapes else []), *lines])


def formula_text(program: Program, jacobians: Sequence[Jacobian]) -> str:
    """Shared definitions and derivatives, a line for each, without shapes."""
    lines, _, partials = _page(program, jacobians).written(jacobians)
    return "\n".join([*lines, *partials])


def derivative_text(program: Program, jacobians: Sequence[Jacobian]) -> str:
    """Derivatives of one program: shared definitions, a line for each, shapes and assumptions."""
    page = _page(program, jacobians)
    lines, declared, partials = page.written(jacobians)
    lines += partials
    output = jacobians[0].output
    shapes = {array.name: shape_text(array.shape) for array in program.inputs}
    for definition in declared:
        shapes[page.names[definition]] = shape_text(definition.shape)
    if output.shape:
        shapes.setdefault(output.name, shape_text(output.shape))
    said = "; ".join(f"{name}: {text}" for name, text in shapes.items())
    notes = list(program.notes)
    for jac in jacobians:
        if not jac.terms:
            notes.append(f"{output.name} does not depend on {' and '.join(_zero_in(program, jac))}")
    if said or notes:
        lines.append(
            "  # ".join(part for part in (said, "; ".join(notes)) if part)
            if said
            else f"# {'; '.join(notes)}"
        )
    return "\n".join(lines)


def _zero_in(program: Program, jacobian: Jacobian) -> list[str]:
    """The wrt that make a derivative vanish: the output itself lacks them, or its derivative does."""
    lacking = [array.name for array in dict.fromkeys(jacobian.wrt) if not _depends(jacobian.output, array)]
    return lacking or [f"{array.name} to this order" for array in jacobian.wrt[-1:]]


def _depends(output: Definition, array: Array) -> bool:
    return output is array or any(array in body_arrays(d.body) for d in live([output]))
