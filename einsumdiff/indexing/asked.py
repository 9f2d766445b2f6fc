"""What the functions of `form` rows are asked with, and how they answer: products over indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from einsumdiff.errors import RankFault, Span, ValueFault
from einsumdiff.indexing.expression import (
    Access,
    Affine,
    Arguments,
    Axis,
    AxisSize,
    Index,
    Meaning,
    Node,
    Parameter,
    Product,
    ShapeOf,
)
from einsumdiff.indexing.operations import Need, axes_in_words, integer, one_axis

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class Asked:
    """A call of a `form` row: its arguments, and how to ask for a rank."""

    arguments: Arguments
    need: Need

    @property
    def span(self) -> Span:
        return self.arguments.span

    def operand(self, name: str) -> Node:
        return self.arguments.operands[name]

    def static(self, name: str) -> object:
        return self.arguments.statics[name]

    def span_of(self, name: str) -> Span:
        return self.arguments.spans.get(name, self.span)

    def axis(self, value: object, node: Node, name: str) -> int:
        """One axis of `node`, counted from 0."""
        if not integer(value):
            raise ValueFault(f"{name} must be a whole number", self.span_of(name), f"{name}=0")
        assert isinstance(value, int)
        return one_axis(value, node, self.need, self.arguments, name)

    def whole(self, value: object, name: str) -> tuple[int, ...]:
        """A number or a tuple of numbers as a tuple."""
        items = value if isinstance(value, tuple) else (value,)
        if not all(integer(item) for item in items):
            raise ValueFault(f"{name} must be whole numbers", self.span_of(name), f"{name}=0")
        return tuple(item for item in items if isinstance(item, int))

    def arrays(self, name: str) -> list[Node]:
        """The arrays of a parameter that takes several: a sequence of them, or one."""
        operands = self.arguments.operands
        if name in operands:
            return [operands[name]]
        return [operands[key] for key in operands if key.startswith(name)]

    @staticmethod
    def named(nodes: Sequence[Node]) -> dict[str, Node]:
        return {f"x{k}": node for k, node in enumerate(nodes)}

    def one_rank(self, nodes: Sequence[Node]) -> int:
        """The rank that all of them have."""
        rank = max((node.rank for node in nodes), default=0)
        for node in nodes:
            if node.rank < rank and not self.need(node, rank):
                other = next(one for one in nodes if one.rank == rank)
                raise RankFault(
                    f"{node.span.source} has {axes_in_words(node.rank)}, and {other.span.source} has {rank}",
                    self.span,
                    "declare their shapes alike",
                )
        return rank

    def axis_of(self, value: object, rank: int) -> int:
        """One of `rank` axes of the result, counted from 0."""
        if not integer(value):
            raise ValueFault("axis must be a whole number", self.span_of("axis"), "axis=0")
        assert isinstance(value, int)
        if not -rank <= value < rank:
            raise RankFault(
                f"axis is {value}, and there are {axes_in_words(rank)}", self.span_of("axis"), "axis=0"
            )
        return value % rank

    def sizes(self, name: str) -> list[Node | int]:
        """A whole number, a size, or a tuple of these."""
        return self.sizes_of(self.static(name), name)

    def sizes_of(self, value: object, name: str, unknown: bool = False) -> list[Node | int]:
        """The sizes in an argument; with `unknown` one of them may be -1."""
        if isinstance(value, ShapeOf):
            return [AxisSize(value.span, value.base, axis) for axis in range(value.base.rank)]
        items = value if isinstance(value, tuple) else (value,)
        missing = 0
        for item in items:
            missing += item == -1 and unknown
            known = isinstance(item, Node) or (integer(item) and isinstance(item, int) and item >= 0)
            if not known and not (unknown and item == -1 and missing == 1):
                raise ValueFault(f"{name} is made of sizes", self.span_of(name), "write (m, n) or (2, 3)")
        return [item for item in items if isinstance(item, Node | int)]

    def at_least(self, node: Node, rank: int) -> None:
        if node.rank < rank and not self.need(node, rank):
            raise RankFault(
                f"{self.arguments.name} needs {axes_in_words(rank)}, and {node.span.source} has "
                f"{node.rank or 'none'}",
                self.span,
                "declare its shape",
            )


# ---------------------------------------------------------------------------------------------- meanings


def letters(count: int) -> tuple[Index, ...]:
    return tuple(Index(LETTERS[k] if k < 26 else f"a{k}") for k in range(count))


def entry(name: str, indices: Sequence[Index], span: Span) -> Access:
    """`name[indices]`."""
    return Access(span, Parameter(span, name), tuple(Affine(((index, 1),), 0, span) for index in indices))


def product(
    span: Span,
    operands: Sequence[tuple[str, Node, Sequence[Index]]],
    axes: Sequence[Index],
    given: dict[Index, Node | int] | None = None,
    stretch: Sequence[Index] = (),
) -> Meaning:
    """The product of the operands over these indices; those that are not among `axes` are summed."""
    entries = [entry(name, indices, span) for name, _, indices in operands]
    body: Node = entries[0] if len(entries) == 1 else Product(span, tuple((one, 1) for one in entries))
    borne = dict.fromkeys(index for _, _, indices in operands for index in indices)
    body.summed = tuple(index for index in borne if index not in axes)
    return Meaning(
        {name: (node, tuple((index, 0) for index in indices)) for name, node, indices in operands},
        tuple((index, 0) for index in axes),
        body,
        {name: tuple((k, 0) for k in range(len(indices))) for name, _, indices in operands},
        frozenset(stretch),
        {(index, 0): size for index, size in (given or {}).items()},
        reads={name: 1 for name, _, _ in operands},
    )


def filled(shape: Sequence[Node | int], body: Node, operands: dict[str, Node] | None = None) -> Meaning:
    """An array of that shape, `body` everywhere."""
    axes: list[Axis] = [(index, 0) for index in letters(len(shape))]
    scalars: dict[str, tuple[Node, tuple[Axis, ...]]] = {
        n: (node, ()) for n, node in (operands or {}).items()
    }
    return Meaning(
        scalars,
        tuple(axes),
        body,
        dict.fromkeys(scalars, ()),
        given=dict(zip(axes, shape, strict=True)),
        reads=dict.fromkeys(scalars, 1),
    )


def shape_of(asked: Asked, name: str) -> list[Node | int]:
    """The sizes that a shape argument gives."""
    value = asked.static(name)
    if isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], tuple | ShapeOf):
        value = value[0]
    if isinstance(value, ShapeOf):
        return [AxisSize(value.span, value.base, axis) for axis in range(value.base.rank)]
    sizes = value if isinstance(value, tuple) else (value,)
    for size in sizes:
        if not isinstance(size, Node) and not (integer(size) and isinstance(size, int) and size >= 0):
            raise ValueFault("a shape is made of sizes", asked.span_of(name), "write (m, n) or (2, 3)")
    return [size for size in sizes if isinstance(size, Node | int)]
