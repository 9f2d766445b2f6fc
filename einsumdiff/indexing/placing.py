"""Operations that put entries into other places: what joining, repeating and regrouping are made of.

    concatenate((x, z))[i + n] = z[i]        reshape(A, -1)[i*n + j] = A[i, j]

Each is a definition whose left side is affine, or an affine access; no matrix of zeros and ones is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from einsumdiff.canonical import collect
from einsumdiff.errors import Span
from einsumdiff.indexing.asked import Asked
from einsumdiff.indexing.expression import Layout, Node, Solver
from einsumdiff.indexing.shapes import Shape
from einsumdiff.nodes import Form, Label, Sum, Term, bare, constant_form
from einsumdiff.program import Builder, Value, read

Part = tuple[tuple[Form, ...], Value]
"""Where the entries of a value go: a form for each axis of the result, over the axes of the value."""


def placed(parts: Sequence[Part], shape: Shape, builder: Builder) -> Value:
    """The array of that shape that the parts write; where nothing is written it is 0."""
    if 0 in shape:
        parts = []
    terms = [Term(forms, one).fresh() for forms, value in parts for one in value.products]
    return read(builder.define_body(Sum(tuple(collect(terms))), shape))


def form_of(label: Label) -> Form:
    """A label of an axis as a place: an axis of size 1 is accessed at 0."""
    return constant_form(0) if label.size == 1 else bare(label)


def forms_of(value: Value) -> tuple[Form, ...]:
    return tuple(form_of(label) for label in value.axes)


class Placing(Layout):
    """A layout whose shape and value are functions; sizes that the value needs are resolved again."""

    def __init__(
        self,
        span: Span,
        operands: dict[str, Node],
        rank: int,
        shape: Callable[[list[Shape], Solver], Shape],
        value: Callable[[list[Value], Shape, Builder, Solver], Value],
    ) -> None:
        super().__init__(span, operands, rank)
        self._shape, self._value = shape, value
        self.solver: Solver | None = None

    def shape(self, shapes: list[Shape], solver: Solver) -> Shape:
        self.solver = solver
        return self._shape(shapes, solver)

    def value(self, values: list[Value], shape: Shape, builder: Builder) -> Value:
        assert self.solver is not None
        return self._value(values, shape, builder, self.solver)


def same(asked: Asked, node: Node) -> Layout:
    """The array itself."""
    return Placing(asked.span, {"x": node}, node.rank, lambda s, solver: s[0], lambda v, s, b, solver: v[0])


def copy(asked: Asked) -> Layout:
    return same(asked, asked.operand("a"))


conj = float64 = copy
