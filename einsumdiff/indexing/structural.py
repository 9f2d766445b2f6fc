"""The Python side of `form` rows: operations whose indices depend on their arguments.

Each function has the name of its row and answers with the meaning in indices, for operands whose ranks
are known. Contractions (`einsum`, `tensordot`) and norms have a module of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from einsumdiff.errors import RankFault, Unsupported, ValueFault
from einsumdiff.indexing import (
    contractions,
    diagonals,
    gathering,
    joining,
    linear,
    norms,
    placing,
    regrouping,
    repeating,
    running,
    slicing,
)
from einsumdiff.indexing.asked import Asked, filled, letters, product, shape_of
from einsumdiff.indexing.expression import (
    Affine,
    AxisSize,
    Delta,
    Index,
    Layout,
    Meaning,
    Node,
    Number,
    Operate,
    Parameter,
)
from einsumdiff.indexing.known_sizes import known_sizes
from einsumdiff.indexing.operations import Need, axes_in_words, chosen_axes
from einsumdiff.language.rows import Form


def of_form(node: Operate, need: Need) -> Meaning | Layout:
    """What a `form` row means."""
    assert isinstance(node.row, Form)
    name = node.row.name
    modules = (
        contractions,
        diagonals,
        gathering,
        joining,
        linear,
        norms,
        placing,
        regrouping,
        repeating,
        running,
        slicing,
    )
    places: list[dict[str, Any]] = [globals(), *map(vars, modules)]
    form: Callable[[Asked], Meaning | Layout] = next(place[name] for place in places if name in place)
    return form(Asked(node.arguments, need))


# ------------------------------------------------------------------------------------- moving axes about


def _moved(asked: Asked, order: Sequence[int]) -> Meaning:
    node = asked.operand("x")
    own = letters(max(node.rank, len(order)))  # a rank that is asked for is there in the next round
    return product(asked.span, [("x", node, own)], [own[k] for k in order])


def transpose(asked: Asked) -> Meaning:
    node = asked.operand("x")
    value = asked.static("axes")
    if isinstance(value, tuple) and len(value) == 1 and (value[0] is None or isinstance(value[0], tuple)):
        value = value[0]
    if value is None or value == ():
        return _moved(asked, range(node.rank)[::-1])
    axes = asked.whole(value, "axes")
    asked.at_least(node, len(axes))
    order = [asked.axis(axis, node, "axes") for axis in axes]
    if sorted(order) != list(range(max(node.rank, len(axes)))):
        raise RankFault(
            f"axes {axes} do not name each of the {axes_in_words(node.rank)} of {node.span.source} once",
            asked.span_of("axes"),
            f"write all numbers from 0 to {node.rank - 1}",
        )
    return _moved(asked, order)


def matrix_transpose(asked: Asked) -> Meaning:
    node = asked.operand("x")
    asked.at_least(node, 2)
    order = list(range(max(node.rank, 2)))
    return _moved(asked, [*order[:-2], order[-1], order[-2]])


def swapaxes(asked: Asked) -> Meaning:
    node = asked.operand("x")
    typed = [asked.static(name) for name in ("axis1", "axis2")]
    least = max((k + 1 if k >= 0 else -k for k in typed if isinstance(k, int)), default=0)
    asked.at_least(node, least)
    i, j = (asked.axis(k, node, name) for k, name in zip(typed, ("axis1", "axis2"), strict=True))
    order = list(range(max(node.rank, least)))
    order[i], order[j] = order[j], order[i]
    return _moved(asked, order)


def moveaxis(asked: Asked) -> Meaning:
    node = asked.operand("x")
    source, target = (
        [asked.axis(axis, node, name) for axis in asked.whole(asked.static(name), name)]
        for name in ("source", "destination")
    )
    if len(set(source)) != len(source) or len(set(target)) != len(target) or len(source) != len(target):
        raise ValueFault(
            "source and destination must name as many axes, each once", asked.span, "moveaxis(x, 0, -1)"
        )
    order = [axis for axis in range(node.rank) if axis not in source]
    for place, axis in sorted(zip(target, source, strict=True)):
        order.insert(place, axis)
    return _moved(asked, order)


def rollaxis(asked: Asked) -> Meaning:
    """The axis is moved to stand before the one that is at `start`."""
    node = asked.operand("x")
    axis = asked.axis(asked.static("axis"), node, "axis")
    start = asked.static("start")
    rank = max(node.rank, axis + 1)
    if not isinstance(start, int) or isinstance(start, bool) or not -rank <= start <= rank:
        raise ValueFault(f"start is a whole number up to {rank}", asked.span_of("start"), "start=0")
    start += rank * (start < 0)
    order = [k for k in range(rank) if k != axis]
    order.insert(start - (axis < start), axis)
    return _moved(asked, order)


def atleast_3d(asked: Asked) -> Meaning:
    """A vector stands in the middle, a matrix in front."""
    node = asked.operand("x")
    own = letters(node.rank)
    new = [Index("1") for _ in range(3 - node.rank)]
    axes = [*new[1:], *own, *new[:1]]
    return product(asked.span, [("x", node, own)], axes, dict.fromkeys(new, 1))


def expand_dims(asked: Asked) -> Meaning:
    node = asked.operand("x")
    axes = asked.whole(asked.static("axis"), "axis")
    rank = node.rank + len(axes)
    places = [axis + rank if axis < 0 else axis for axis in axes]
    if any(not 0 <= place < rank for place in places) or len(set(places)) < len(places):
        raise RankFault(
            f"axis {asked.static('axis')} is not an axis of the result, which has {axes_in_words(rank)}",
            asked.span_of("axis"),
            f"axes go from {-rank} to {rank - 1}",
        )
    own = letters(node.rank)
    rest = iter(own)
    new = {place: Index("1") for place in places}
    axes_of_result = [new[k] if k in new else next(rest) for k in range(rank)]
    return product(asked.span, [("x", node, own)], axes_of_result, dict.fromkeys(new.values(), 1))


def squeeze(asked: Asked) -> Meaning:
    node = asked.operand("x")
    if asked.static("axis") is None:
        sizes = known_sizes(node)
        if sizes is None:
            raise Unsupported(
                f"which axes of {node.span.source} have size 1 is not known",
                asked.span,
                f"name them, squeeze({node.span.source}, axis=0), or give all sizes as numbers in shapes=",
            )
        gone = tuple(k for k, size in enumerate(sizes) if size == 1)
    else:
        gone = chosen_axes(asked.arguments, "axis", node, asked.need)
    own = letters(node.rank)
    kept = [own[k] for k in range(node.rank) if k not in gone]
    found = product(asked.span, [("x", node, own)], kept, {own[k]: 1 for k in gone})
    found.body.summed = tuple(own[k] for k in gone if k < len(own))
    return found


def broadcast_to(asked: Asked) -> Meaning:
    node = asked.operand("x")
    shape = shape_of(asked, "shape")
    if len(shape) < node.rank:
        raise RankFault(
            f"{node.span.source} has {axes_in_words(node.rank)}, the shape {len(shape)}",
            asked.span_of("shape"),
            "a shape has at least as many axes as the array",
        )
    axes = letters(len(shape))
    own = axes[len(shape) - node.rank :]
    return product(asked.span, [("x", node, own)], axes, dict(zip(axes, shape, strict=True)), axes)


# ------------------------------------------------------------------------------------------ new arrays


def zeros(asked: Asked) -> Meaning:
    return filled(shape_of(asked, "shape"), Number(asked.span, 0))


def ones(asked: Asked) -> Meaning:
    return filled(shape_of(asked, "shape"), Number(asked.span, 1))


def full(asked: Asked) -> Meaning:
    value = asked.operand("fill_value")
    if value.rank:
        raise RankFault("full repeats a number", value.span, "broadcast_to repeats an array")
    return filled(shape_of(asked, "shape"), Parameter(asked.span, "fill_value"), {"fill_value": value})


def _like(asked: Asked, body: Node) -> Meaning:
    node = asked.operand("x")
    return filled([AxisSize(asked.span, node, axis) for axis in range(node.rank)], body)


def zeros_like(asked: Asked) -> Meaning:
    return _like(asked, Number(asked.span, 0))


def ones_like(asked: Asked) -> Meaning:
    return _like(asked, Number(asked.span, 1))


def full_like(asked: Asked) -> Meaning:
    node, value = asked.operand("x"), asked.operand("fill_value")
    if value.rank:
        raise RankFault("full_like repeats a number", value.span, "broadcast_to repeats an array")
    sizes = [AxisSize(asked.span, node, axis) for axis in range(node.rank)]
    return filled(sizes, Parameter(asked.span, "fill_value"), {"fill_value": value})


def eye(asked: Asked) -> Meaning:
    rows = shape_of(asked, "N")
    columns = rows if asked.static("M") is None else shape_of(asked, "M")
    if len(rows) != 1 or len(columns) != 1:
        raise ValueFault("eye takes a size", asked.span, "eye(n)")
    found = filled([*rows, *columns], Number(asked.span, 1))
    i, j = (Affine(((index, 1),), 0, asked.span) for index, _ in found.axes)
    found.body = Delta(asked.span, i, j)
    return found
