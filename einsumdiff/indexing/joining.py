"""Arrays put together, and taken apart: concatenate, stack, array([...]), append, split and their kin.

concatenate((x, z))[i + n] = z[i]        stack((x, z))[1, i] = z[i]
"""

from __future__ import annotations

from collections.abc import Sequence

from einsumdiff.errors import RankFault, ShapeFault, Unsupported, ValueFault
from einsumdiff.indexing.asked import Asked
from einsumdiff.indexing.expression import Arguments, Layout, Node, Operate, Solver
from einsumdiff.indexing.placing import Part, Placing, form_of, forms_of, placed, same
from einsumdiff.indexing.regrouping import flat
from einsumdiff.indexing.shapes import Shape
from einsumdiff.language.rows import Form as FormRow
from einsumdiff.nodes import Label, constant_form
from einsumdiff.program import Builder, Value
from einsumdiff.sizes import AnySize, nonnegative, quotient


def concatenate(asked: Asked) -> Layout:
    nodes = asked.arrays("arrays")
    if asked.static("axis") is None:
        return _joined(asked, [flat(asked, node) for node in nodes], 0)
    rank = asked.one_rank(nodes)
    return _joined(asked, nodes, asked.axis_of(asked.static("axis"), max(rank, 1)))


def _joined(asked: Asked, nodes: Sequence[Node], axis: int) -> Layout:
    rank = max(node.rank for node in nodes)

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        first, total = shapes[0], shapes[0][axis]
        for node, other in zip(nodes[1:], shapes[1:], strict=True):
            for k, (a, b) in enumerate(zip(first, other, strict=True)):
                if k != axis and not solver.unify(a, b):
                    raise ShapeFault(
                        f"{nodes[0].span.source} is {solver.show(first)} and {node.span.source} is "
                        f"{solver.show(other)}: they cannot be joined along axis {axis}",
                        asked.span,
                        "all other axes must have the same sizes",
                    )
            total = total + other[axis]
        return *first[:axis], total, *first[axis + 1 :]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        return joined(values, axis, builder)

    return Placing(asked.span, asked.named(nodes), rank, shape, value)


def joined(values: Sequence[Value], axis: int, builder: Builder) -> Value:
    """The values one behind the other along the axis."""
    if len(values) == 1:
        return values[0]
    parts: list[Part] = []
    start: AnySize = 0
    for one in values:
        forms = forms_of(one)
        parts.append(((*forms[:axis], forms[axis].plus(start), *forms[axis + 1 :]), one))
        start = start + one.axes[axis].size
    shape = values[0].shape
    return placed(parts, (*shape[:axis], start, *shape[axis + 1 :]), builder)


def stack(asked: Asked) -> Layout:
    nodes = asked.arrays("arrays")
    rank = asked.one_rank(nodes)
    return _stacked(asked, nodes, asked.axis_of(asked.static("axis"), rank + 1))


def _stacked(asked: Asked, nodes: Sequence[Node], axis: int) -> Layout:
    rank = nodes[0].rank if nodes else 0

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        for node, other in zip(nodes[1:], shapes[1:], strict=True):
            if not all(solver.unify(a, b) for a, b in zip(shapes[0], other, strict=True)):
                raise ShapeFault(
                    f"{nodes[0].span.source} is {solver.show(shapes[0])} and {node.span.source} is "
                    f"{solver.show(other)}: they cannot be stacked",
                    asked.span,
                    "what is stacked has one shape",
                )
        first = shapes[0] if shapes else ()
        return *first[:axis], len(nodes), *first[axis:]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        parts: list[Part] = []
        for k, one in enumerate(values):
            forms = forms_of(one)
            parts.append(((*forms[:axis], constant_form(k), *forms[axis:]), one))
        return placed(parts, result, builder)

    return Placing(asked.span, asked.named(nodes), rank + 1, shape, value)


def array(asked: Asked) -> Layout:
    """`array([a, b])` stacks; `array(x)` is x."""
    nodes = asked.arrays("object")
    if "object" in asked.arguments.operands:
        return same(asked, nodes[0])
    asked.one_rank(nodes)
    return _stacked(asked, nodes, 0)


asarray = array


def hstack(asked: Asked) -> Layout:
    nodes = asked.arrays("arrays")
    rank = asked.one_rank(nodes)
    return _stacked(asked, nodes, 0) if rank == 0 else _joined(asked, nodes, 0 if rank == 1 else 1)


def vstack(asked: Asked) -> Layout:
    """Joined along the first axis; a vector is a row."""
    nodes = asked.arrays("arrays")
    rank = max((node.rank for node in nodes), default=0)
    if rank == 0:
        raise RankFault("vstack of numbers", asked.span, "write array([[a], [b]])")
    if rank == 1:
        asked.one_rank(nodes)
        return _stacked(asked, nodes, 0)
    return _joined(asked, [_lifted(asked, node, 0) if node.rank == 1 else node for node in nodes], 0)


def column_stack(asked: Asked) -> Layout:
    """Joined along the second axis; a vector is a column."""
    nodes = asked.arrays("arrays")
    if max((node.rank for node in nodes), default=0) < 2:
        asked.one_rank(nodes)
        return _stacked(asked, nodes, 1)
    return _joined(asked, [_lifted(asked, node, 1) if node.rank == 1 else node for node in nodes], 1)


def _lifted(asked: Asked, node: Node, axis: int) -> Node:
    """The vector with a new axis there."""

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        return (1, *shapes[0]) if axis == 0 else (*shapes[0], 1)

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        return Value((Label(1), *x.axes) if axis == 0 else (*x.axes, Label(1)), x.products)

    arguments = Arguments(node.span, node.span.source, node.span, {"x": node}, {}, {})
    found = Operate(node.span, FormRow("expand_dims", (), (), node.span), arguments)
    found.meaning = Placing(node.span, {"x": node}, 2, shape, value)
    found.rank = 2
    return found


def dstack(asked: Asked) -> Layout:
    """Joined along the third axis; what has fewer axes gets new ones, as in NumPy."""
    nodes = asked.arrays("arrays")
    rank = asked.one_rank(nodes)
    if rank > 2:
        return _joined(asked, nodes, 2)
    if rank < 2:
        raise Unsupported(
            "dstack of arrays with fewer than two axes", asked.span, "write stack(..., axis=-1)[None]"
        )
    return _stacked(asked, nodes, 2)


def append(asked: Asked) -> Layout:
    nodes = [asked.operand("arr"), asked.operand("values")]
    if asked.static("axis") is None:
        return _joined(asked, [flat(asked, node) for node in nodes], 0)
    return _joined(asked, nodes, asked.axis_of(asked.static("axis"), max(asked.one_rank(nodes), 1)))


# ------------------------------------------------------------------------------------------------ splitting


def split(asked: Asked) -> Layout:
    return _split(asked, asked.static("axis"))


def array_split(asked: Asked) -> Layout:
    return _split(asked, asked.static("axis"), uneven=True)


def hsplit(asked: Asked) -> Layout:
    return _split(asked, 1 if asked.operand("ary").rank > 1 else 0)


def vsplit(asked: Asked) -> Layout:
    return _split(asked, 0)


def _split(asked: Asked, typed: object, uneven: bool = False) -> Layout:
    """One of the parts: the reader says which (`part`), and how many are assigned (`parts`)."""
    node, part = asked.operand("ary"), asked.static("part")
    axis = asked.axis(typed, node, "axis")
    sections = asked.static("indices_or_sections")
    if not isinstance(part, int):
        name = asked.arguments.name
        raise Unsupported(
            f"{name} gives several arrays",
            asked.span,
            f"assign them, a, b = {asked.span.source}, or take one: {asked.span.source}[0]",
        )
    if isinstance(sections, tuple):
        cuts = list(asked.whole(sections, "indices_or_sections"))
        count = len(cuts) + 1
    else:
        (count,) = asked.whole(sections, "indices_or_sections")
        cuts = []
    if count < 1 or sorted(cuts) != cuts or any(cut < 0 for cut in cuts):
        raise ValueFault(
            "split takes a number of parts, or places in order",
            asked.span_of("indices_or_sections"),
            "split(x, 2), split(x, (2, 5))",
        )
    wanted = asked.static("parts")
    if (isinstance(wanted, int) and wanted != count) or not -count <= part < count:
        raise ValueFault(
            f"{asked.span.source} gives {count} arrays", asked.span, f"assign {count} names, or take one"
        )
    part %= count

    def bounds(size: AnySize) -> tuple[AnySize, AnySize]:
        if isinstance(sections, tuple):
            ends = [0, *cuts, size]
            if cuts and not nonnegative(size - cuts[-1]):
                raise ShapeFault(
                    f"the axis has size {size}, and is cut at {cuts[-1]}",
                    asked.span,
                    "cut within the axis; where its size is a name, give it as a number",
                )
            return ends[part], ends[part + 1] - ends[part]
        each = quotient(size, count)
        if each is None and uneven and isinstance(size, int):
            short, more = divmod(size, count)
            return part * short + min(part, more), short + (part < more)
        if each is None:
            raise ShapeFault(
                f"an axis of size {size} does not split into {count} equal parts",
                asked.span,
                f"give its size as a number, or as {count}*n in a declaration",
            )
        return each * part, each

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        (x,) = shapes
        return *x[:axis], bounds(solver.resolve(x[axis]))[1], *x[axis + 1 :]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        start, size = bounds(x.axes[axis].size)
        label = Label(size)
        axes = (*x.axes[:axis], label, *x.axes[axis + 1 :])
        old = x.axes[axis]
        return Value(axes, x.products if old.size == 1 else x.substitute({old: form_of(label).plus(start)}))

    return Placing(asked.span, {"x": node}, node.rank, shape, value)
