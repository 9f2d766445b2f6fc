"""A formula that a user typed for a derivative, as a program.

It may name the inputs of the derivative, and those definitions of the program and of the printed derivative
that have names: those that it names are put before it, in order. Sizes that are called like its letters are
renamed. All errors point into the formula.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

from einsumdiff import meaning
from einsumdiff.arguments import shape_text
from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import (
    EinsumDiffError,
    IndexFault,
    NameFault,
    RankFault,
    ShapeFault,
    Span,
    SyntaxFault,
    ValueFault,
    nearest,
)
from einsumdiff.indicators import Guarded
from einsumdiff.language import tree
from einsumdiff.language.rows import NamedNumber
from einsumdiff.language.table import load_table
from einsumdiff.nodes import Array, Definition, Input, Sum, Term, bare, constant_form
from einsumdiff.program import Program
from einsumdiff.program import read as value_of
from einsumdiff.sizes import AnySize, names, substitute, symbol
from einsumdiff.views.index import derivative_text, program_text

MOST_AXES = 4
"""Up to so many axes every order of them is tried, to see a transpose."""


class Formula:
    """What was typed, among what it may name."""

    def __init__(self, program: Program, jacobian: Jacobian, text: object) -> None:
        from einsumdiff.language.parse import parse_formula

        if not isinstance(text, str):
            raise ValueFault(f"a formula is text, not {type(text).__name__}", None, 'd.same("2*x[i]")')
        self.text, self.whole, self.jacobian = text, program, jacobian
        printed = parse_formula(derivative_text(program, [jacobian]))
        self.printed = printed.partials[0]
        typed = parse_formula(text)
        self.own = [s for s in typed.statements if isinstance(s, tree.Assign)]
        self.items, self.value = self._asked(typed, program)
        known = {one.name for one in program.inputs}
        self.before = self._needed(_assigned(parse_formula(program_text(program)).statements, known), printed)
        self.declared = [
            s
            for s in (*typed.statements, *printed.statements)
            if isinstance(s, tree.Declare) and s.name.name not in known | {jacobian.output.name}
        ]
        names_ = {n.name for s in self._statements() for n in _names(s.value)} | known
        defined = {_target(t) for s in (*self.before, *self.own) for t in s.targets}
        letters = {n for s in self._statements() for n in _letters(s)} | set(self.letters)
        self.indices = letters - known - defined
        self._unknown(known | defined | self.indices)
        # a size that is called like a letter is another thing: it gets another name
        every = {n for one in program.inputs for size in one.shape for n in names(size)}
        every |= {n for size in jacobian.shape for n in names(size)}
        self.sizes: dict[str, AnySize] = {}
        for name in every & self.indices:
            new = f"{name}_"
            while new in names_ | every:
                new += "_"
            self.sizes[name] = symbol(new)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The inputs of the derivative, sizes as the formula calls them."""
        return tuple(
            Input(one.name, tuple(self.size(size) for size in one.shape)) for one in self.whole.inputs
        )

    @property
    def letters(self) -> list[str]:
        """The letters of the axes."""
        return [item.name for item in self.items or self.axes if isinstance(item, tree.Name)]

    @property
    def left(self) -> str:
        """The left side, in the letters of the formula."""
        order = len(self.jacobian.wrt)
        left = f"d{order if order > 1 else ''}{self.jacobian.output.name}"
        items = self.items or self.axes
        for k, places in enumerate(self.jacobian.axes):
            left += f"/d{self.jacobian.wrt[k - 1].name}" if k else ""
            part = [items[place] for place in places]
            left += f"[{','.join(one.span.source for one in part)}]" if part else ""
        return left

    @property
    def vectorised(self) -> bool:
        """Whether it is written without letters, in whole arrays."""
        return not self._indexed(self.value)

    def missing_letters(self) -> list[str]:
        """Letters of the left side that the right side lacks."""
        if self.vectorised and self._shape():
            return []
        used = {node.name for node in tree.walk(self.value) if isinstance(node, tree.Name)}
        return [letter for letter in self.letters if letter not in used]

    def size(self, size: AnySize) -> AnySize:
        return substitute(size, self.sizes) if self.sizes else size

    def program(self) -> Program:
        """The formula as a program, whose output is the derivative that it says."""
        expected = tuple(self.size(size) for size in self.jacobian.shape)
        if not self.vectorised or not expected or not self._shape():
            return self._lettered()
        found = self._build(())
        shape = found.output.shape
        if shape == expected:
            return found
        for order in permutations(range(len(shape))) if len(shape) <= MOST_AXES else ():
            if tuple(shape[k] for k in order) == expected:
                raise ShapeFault(
                    f"this is the transpose: it has shape {shape_text(shape)}, "
                    f"{self.left} has {shape_text(expected)}",
                    self.value.span,
                    f"write ({self.value.span.source}).T"
                    if len(shape) == 2
                    else f"write transpose({self.value.span.source}, {order})",
                )
        kind = ShapeFault if len(shape) == len(expected) else RankFault
        raise kind(
            f"it has shape {shape_text(shape)}, {self.left} has {shape_text(expected)}",
            self.value.span,
            "the axes are those of the output, then those of each wrt; or index the formula: "
            f"{self.left} = ...",
        )

    def _lettered(self) -> Program:
        """The formula in index notation; one free letter is the one axis, whatever it is called."""
        items = self.items or self.axes
        try:
            return self._build(items)
        except (ShapeFault, IndexFault) as error:
            fault = error
        if self.items is None and len(items) == 1 and isinstance(fault, IndexFault):
            for node in dict.fromkeys(n.name for n in _names(self.value) if n.name in self.indices):
                own = (tree.Name(node, Span(0, len(node), node)),)
                try:
                    found = self._build(own)
                except EinsumDiffError:
                    continue
                self.items = own
                return found
        raise self._other_letters(fault, items) from None

    # -- reading --------------------------------------------------------------------------------------

    def _asked(self, typed: tree.Formula, program: Program) -> tuple[tuple[tree.Tree, ...] | None, tree.Tree]:
        """The items of the left side, None where there is none, and the right side."""
        mine = called(self.jacobian)
        wrt = mine[1:]
        if typed.partials:
            said = [(p.output.name, *(name.name for name, _ in p.wrt)) for p in typed.partials]
            if mine not in said:
                raise NameFault(
                    f"this is the derivative of {said[0][0]} in {' and '.join(said[0][1:])}",
                    typed.partials[0].span,
                    f"asked is that of {mine[0]} in {' and '.join(wrt)}: leave the left side out, "
                    f"or write {self.printed.span.source} = ...",
                )
            one = typed.partials[said.index(mine)]
            return self._counted(self._untied(one), one.span), one.value
        if not self.own:
            raise SyntaxFault("there is no formula here", None, f"write  {self.printed.span.source} = ...")
        last = self.own.pop()
        if len(last.targets) > 1:
            raise SyntaxFault("this gives several values", last.span, "give the formula a line of its own")
        if last.targets and isinstance(last.targets[0], tree.Subscript):
            return self._counted(last.targets[0].items, last.targets[0].span), last.value
        return None, last.value

    def _counted(self, items: tuple[tree.Tree, ...], span: Span) -> tuple[tree.Tree, ...] | None:
        """The items, which are as many as there are axes; none are for a formula in whole arrays."""
        rank = len(self.jacobian.shape)
        if items and len(items) != rank:
            raise RankFault(
                f"the derivative has {rank} axes, the left side {len(items)}",
                span,
                f"it is printed as {self.printed.span.source}",
            )
        return items or None

    @property
    def axes(self) -> tuple[tree.Tree, ...]:
        return self._untied(self.printed)

    def _untied(self, one: tree.Partial) -> tuple[tree.Tree, ...]:
        """The items of a left side, the axes of a batch once."""
        tied = self.jacobian.tied
        own = (
            item for n, (_, part) in enumerate(one.wrt) for k, item in enumerate(part) if (n, k) not in tied
        )
        return (*one.axes, *own)

    def _needed(self, defined: list[tree.Assign], printed: tree.Formula) -> list[tree.Assign]:
        """The definitions that the formula names, those that they name, in order.

        The lines of the printed derivative come first: the program's are left out where the names meet.
        """
        lines = [s for s in printed.statements if isinstance(s, tree.Assign)]
        taken = {_target(t) for s in lines for t in s.targets}
        lines = [s for s in defined if _target(s.targets[0]) not in taken] + lines
        wanted = {n.name for s in (*self.own, self.value) for n in _names(s)}
        kept: list[tree.Assign] = []
        grown = True
        while grown:
            grown = False
            for one in lines:
                if one not in kept and _target(one.targets[0]) in wanted:
                    kept.append(one)
                    wanted |= {n.name for n in _names(one.value)}
                    grown = True
        found = {_target(s.targets[0]) for s in kept}
        ordered: list[tree.Assign] = []
        while len(ordered) < len(kept):  # a line comes after those that it reads
            done = {_target(s.targets[0]) for s in ordered}
            ordered += [
                s
                for s in kept
                if s not in ordered
                and {n.name for n in _names(s.value)} & found <= done | {_target(s.targets[0])}
            ][:1]
        return ordered

    def _statements(self) -> list[tree.Assign]:
        return [*self.before, *self.own, tree.Assign((), self.value, self.value.span)]

    def _unknown(self, known: set[str]) -> None:
        """A name that the derivative does not know is no input of the formula."""
        table = load_table()
        sizes = {n for one in self.whole.inputs for size in one.shape for n in names(size)}
        known = known | sizes | set(self.whole.builder.constants) | {"delta"}
        for statement in (*self.own, tree.Assign((), self.value, self.value.span)):
            for node in _names(statement.value):
                if node.name not in known and not isinstance(table.get(node.name), NamedNumber):
                    near = nearest(node.name, known)
                    listed = sorted({one.name for one in self.whole.inputs} | set(self.whole.arrays))
                    raise NameFault(
                        f"{node.name} is not known here",
                        node.span,
                        f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(listed)}",
                    )

    def _indexed(self, value: tree.Tree) -> bool:
        return any(
            isinstance(node, tree.Over)
            or (
                isinstance(node, tree.Subscript)
                and any(n.name in self.indices for item in node.items for n in _names(item))
            )
            for node in tree.walk(value)
        )

    # -- building -------------------------------------------------------------------------------------

    def _shape(self) -> tuple[AnySize, ...]:
        """The shape of a formula without letters."""
        return self._build(()).output.shape

    def _build(self, items: Sequence[tree.Tree]) -> Program:
        from einsumdiff.indexing.index import build

        name = f"d{self.jacobian.output.name}"
        while re.search(rf"\b{name}\b", f"{self.text} {self.whole.text}"):
            name += "_"
        span = self.value.span
        target = tree.Name(name, span)
        declared = [self._declare(one.name, one.shape) for one in self.whole.inputs]
        left: tree.Name | tree.Subscript = target
        if items:
            left = tree.Subscript(target, tuple(items), span)
            declared.append(self._declare(name, self.jacobian.shape))
        declared += [replace(d, sizes=tuple(self._resized(s) for s in d.sizes)) for d in self.declared]
        found = build(
            [*declared, *self.before, *self.own, tree.Assign((left,), self.value, span)],
            text=self.text,
            output=name,
            wrt=(name,),
            ties=self.whole.builder.ties,
        )
        read = {one.name: one for one in found.inputs}  # all are known: a size may be that of any
        return replace(found, inputs=tuple(read.get(one.name, one) for one in self.inputs))

    def _declare(self, name: str, shape: Sequence[AnySize]) -> tree.Declare:
        from einsumdiff.language.parse import parse

        sizes = shape_text(tuple(self.size(size) for size in shape))
        declared = parse(f"{name}: {sizes}")[0]
        assert isinstance(declared, tree.Declare)
        return declared

    def _resized(self, size: tree.Tree) -> tree.Tree:
        match size:
            case tree.Name(name, span):
                return tree.Name(str(self.sizes.get(name, name)), span)
            case tree.Unary():
                return replace(size, operand=self._resized(size.operand))
            case tree.Binary():
                return replace(size, left=self._resized(size.left), right=self._resized(size.right))
            case _:
                return size

    def _other_letters(self, error: EinsumDiffError, items: tuple[tree.Tree, ...]) -> EinsumDiffError:
        """The error, or that the formula is right with its letters in another order."""
        for order in permutations(range(len(items))) if 1 < len(items) <= MOST_AXES else ():
            turned = tuple(items[k] for k in order)
            if turned == items:
                continue
            try:
                found = self._build(turned)
            except EinsumDiffError:
                continue
            terms = terms_of(found, self.inputs)
            if meaning.same(self.whole.inputs, self.jacobian.terms, self.inputs, terms):
                asked = self.letters
                return type(error)(
                    f"this is the transpose: its axes are {', '.join(asked[k] for k in order)}, "
                    f"those of {self.left} are {', '.join(asked)}",
                    self.value.span,
                    "exchange the letters, or write the left side with letters of your own",
                )
        if self.items is None and error.hint and error.hint.endswith("the left side"):
            return IndexFault(error.message, error.span, f"{error.hint}, which is {self.left}")
        return error


def terms_of(program: Program, inputs: Sequence[Input]) -> tuple[Term, ...]:
    """The terms of the program's output, conditions on indices as guards."""
    table: dict[str, Array] = {one.name: one for one in inputs}
    copier = Guarded({**program.builder.constants, **table}, {})
    output = copier.array(program.output).array
    if isinstance(output, Definition) and isinstance(output.body, Sum):
        return output.body.terms
    whole = value_of(output)
    axes = tuple(constant_form(0) if axis.size == 1 else bare(axis) for axis in whole.axes)
    return tuple(Term(axes, one) for one in whole.products)


def called(jacobian: Jacobian) -> tuple[str, ...]:
    return (jacobian.output.name, *(array.name for array in jacobian.wrt))


# -- trees --------------------------------------------------------------------------------------------


def _assigned(statements: Sequence[tree.Statement], known: set[str]) -> list[tree.Assign]:
    return [
        s
        for s in statements
        if isinstance(s, tree.Assign) and s.targets and not {_target(t) for t in s.targets} & known
    ]


def _target(target: tree.Name | tree.Subscript) -> str:
    name = target if isinstance(target, tree.Name) else target.base
    assert isinstance(name, tree.Name)
    return name.name


def _names(node: tree.Tree | tree.Assign) -> list[tree.Name]:
    """Every name in it, letters too."""
    top = node.value if isinstance(node, tree.Assign) else node
    return [one for one in tree.walk(top) if isinstance(one, tree.Name)]


def _letters(statement: tree.Assign) -> set[str]:
    """Names in brackets, which are letters where they are nothing else."""
    found: set[str] = set()
    for part in (*statement.targets, statement.value):
        for node in tree.walk(part):
            if isinstance(node, tree.Subscript):
                found |= {name.name for item in node.items for name in _names(item)}
            elif isinstance(node, tree.Over):
                found |= {letter.name for letter in node.letters}
    return found
