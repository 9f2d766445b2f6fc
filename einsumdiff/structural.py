"""The Python side of `form` rows: operations whose indices depend on their arguments.

Each function has the name of its row and answers with the meaning in indices, for operands whose ranks
are known. What the arguments say that is no array is in `statics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from einsumdiff import tree
from einsumdiff.errors import RankFault, Span, Unsupported, ValueFault
from einsumdiff.expression import (
    Access,
    Affine,
    Arguments,
    Axis,
    AxisSize,
    Delta,
    Index,
    Meaning,
    Node,
    Number,
    Operate,
    Parameter,
    Product,
    ShapeOf,
)
from einsumdiff.operations import Need, axes_in_words, chosen_axes, integer, meaning, one_axis
from einsumdiff.resolve import Reader, gathers
from einsumdiff.rows import Form
from einsumdiff.table import load_table

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

    def at_least(self, node: Node, rank: int) -> None:
        if node.rank < rank and not self.need(node, rank):
            raise RankFault(
                f"{self.arguments.name} needs {axes_in_words(rank)}, and {node.span.source} has {node.rank or 'none'}",
                self.span,
                "declare its shape",
            )


def of_form(node: Operate, need: Need) -> Meaning:
    """What a `form` row means."""
    assert isinstance(node.row, Form)
    form: Callable[[Asked], Meaning] = globals()[node.row.name]
    return form(Asked(node.arguments, need))


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
    scalars: dict[str, tuple[Node, tuple[Axis, ...]]] = {n: (node, ()) for n, node in (operands or {}).items()}
    return Meaning(
        scalars, tuple(axes), body, dict.fromkeys(scalars, ()), given=dict(zip(axes, shape, strict=True)),
        reads=dict.fromkeys(scalars, 1),
    )


def _shape(asked: Asked, name: str) -> list[Node | int]:
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


# ------------------------------------------------------------------------------------- moving axes about


def _moved(asked: Asked, order: Sequence[int]) -> Meaning:
    node = asked.operand("x")
    own = letters(node.rank)
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
    if sorted(order) != list(range(node.rank)):
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
    i, j = (asked.axis(asked.static(name), node, name) for name in ("axis1", "axis2"))
    order = list(range(node.rank))
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
        raise Unsupported(
            "which axes have size 1 must be said", asked.span, f"name them: squeeze({node.span.source}, axis=0)"
        )
    gone = chosen_axes(asked.arguments, "axis", node, asked.need)
    own = letters(node.rank)
    kept = [own[k] for k in range(node.rank) if k not in gone]
    found = product(asked.span, [("x", node, own)], kept, {own[k]: 1 for k in gone})
    found.body.summed = tuple(own[k] for k in gone if k < len(own))
    return found


def broadcast_to(asked: Asked) -> Meaning:
    node = asked.operand("x")
    shape = _shape(asked, "shape")
    if len(shape) < node.rank:
        raise RankFault(
            f"{node.span.source} has {axes_in_words(node.rank)}, the shape {len(shape)}",
            asked.span_of("shape"),
            "a shape has at least as many axes as the array",
        )
    axes = letters(len(shape))
    own = axes[len(shape) - node.rank :]
    return product(asked.span, [("x", node, own)], axes, dict(zip(axes, shape, strict=True)), axes)


def subscripted(asked: Asked) -> Meaning:
    """`x[:, None]`, `x[..., None]`: the items are ":", None or Ellipsis."""
    node, items = asked.operand("x"), asked.static("items")
    assert isinstance(items, tuple)
    plain = sum(item == ":" for item in items)
    asked.at_least(node, plain)
    if Ellipsis not in items:
        items = (*items, Ellipsis)
    rank = max(node.rank, plain)
    own = letters(rank)
    rest = iter(own)
    axes: list[Index] = []
    new: dict[Index, Node | int] = {}
    for item in items:
        if item is None:
            axes.append(Index("1"))
            new[axes[-1]] = 1
        else:
            axes += [next(rest) for _ in range(1 if item == ":" else rank - plain)]
    return product(asked.span, [("x", node, own)], axes, new)


def brackets(reader: Reader, node: tree.Subscript) -> Node:
    """NumPy indexing with `:`, `None` and `...`."""
    items: list[object] = []
    for item in node.items:
        match item:
            case tree.Constant(value=None):
                items.append(None)
            case tree.Constant(value=value) if value is Ellipsis and Ellipsis not in items:
                items.append(Ellipsis)
            case tree.Slice(start=None, stop=None, step=None):
                items.append(":")
            case tree.Slice(span=span):
                raise Unsupported(
                    f"the slice {span.source} is not known yet", span, "say it in indices: y[i] = x[i + 1]"
                )
            case tree.Name() | tree.Subscript() | tree.Sequence():
                raise gathers(item)
            case _:
                raise Unsupported(
                    f"{item.span.source} in brackets is not known yet",
                    item.span,
                    "say it in indices: y[j] = A[0,j] reads a row; None, : and ... are known here",
                )
    arguments = Arguments(
        node.span, node.span.source, node.span, {"x": reader.read(node.base, False)}, {"items": tuple(items)}, {}
    )
    return Operate(node.span, Form("subscripted", (), (), node.span), arguments)


# ------------------------------------------------------------------------------------------ new arrays


def zeros(asked: Asked) -> Meaning:
    return filled(_shape(asked, "shape"), Number(asked.span, 0))


def ones(asked: Asked) -> Meaning:
    return filled(_shape(asked, "shape"), Number(asked.span, 1))


def full(asked: Asked) -> Meaning:
    value = asked.operand("fill_value")
    if value.rank:
        raise RankFault("full repeats a number", value.span, "broadcast_to repeats an array")
    return filled(_shape(asked, "shape"), Parameter(asked.span, "fill_value"), {"fill_value": value})


def _like(asked: Asked, body: Node) -> Meaning:
    node = asked.operand("x")
    return filled([AxisSize(asked.span, node, axis) for axis in range(node.rank)], body)


def zeros_like(asked: Asked) -> Meaning:
    return _like(asked, Number(asked.span, 0))


def ones_like(asked: Asked) -> Meaning:
    return _like(asked, Number(asked.span, 1))


def eye(asked: Asked) -> Meaning:
    rows = _shape(asked, "N")
    columns = rows if asked.static("M") is None else _shape(asked, "M")
    if len(rows) != 1 or len(columns) != 1:
        raise ValueFault("eye takes a size", asked.span, "eye(n)")
    found = filled([*rows, *columns], Number(asked.span, 1))
    i, j = (Affine(((index, 1),), 0, asked.span) for index, _ in found.axes)
    found.body = Delta(asked.span, i, j)
    return found


# ------------------------------------------------------------------------------------------- contractions


def tensordot(asked: Asked) -> Meaning:
    a, b, value = asked.operand("a"), asked.operand("b"), asked.static("axes")
    if isinstance(value, tuple):
        if len(value) != 2:
            raise ValueFault("axes is a number or a pair", asked.span_of("axes"), "axes=([0], [1])")
        first, second = (
            [asked.axis(axis, node, "axes") for axis in asked.whole(part, "axes")]
            for node, part in zip((a, b), value, strict=True)
        )
    else:
        (count,) = asked.whole(value, "axes")
        asked.at_least(a, count)
        asked.at_least(b, count)
        first, second = list(range(max(a.rank, count) - count, max(a.rank, count))), list(range(count))
    if len(first) != len(second):
        raise ValueFault(
            f"{len(first)} axes of {a.span.source} meet {len(second)} of {b.span.source}",
            asked.span_of("axes"),
            "name as many of both",
        )
    left = list(letters(a.rank))
    right = [Index(f"{index.name}_") for index in letters(b.rank)]
    for i, j in zip(first, second, strict=True):
        if i < len(left) and j < len(right):
            right[j] = left[i]
    kept = [left[k] for k in range(a.rank) if k not in first]
    kept += [right[k] for k in range(b.rank) if k not in second]
    return product(asked.span, [("a", a, left), ("b", b, right)], kept)


def einsum(asked: Asked) -> Meaning:
    subscripts, span = asked.static("subscripts"), asked.span_of("subscripts")
    if not isinstance(subscripts, str):
        raise Unsupported("einsum takes its signature as text", span, 'einsum("ij,jk->ik", A, B)')
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    parts = inputs.split(",")
    operands = list(asked.arguments.operands.items())
    if len(parts) != len(operands):
        raise ValueFault(
            f"the signature has {len(parts)} {'operand' if len(parts) == 1 else 'operands'}, "
            f"{len(operands)} {'is' if len(operands) == 1 else 'are'} given",
            span,
            "separate the letters of operands by commas",
        )
    known: dict[str, Index] = {}
    before, after = [], []
    leading = 0
    for part, (_, node) in zip(parts, operands, strict=True):
        head, dots, tail = part.partition("...")
        _check_letters(head + tail, span)
        plain = len(head) + len(tail)
        if not dots:
            _exactly(node, plain, part, asked)
        else:
            asked.at_least(node, plain)
        before.append(head)
        after.append(tail if dots else None)
        leading = max(leading, node.rank - plain if dots else 0)
    dotted = letters(leading)
    if not arrow:
        joined = inputs.replace("...", "").replace(",", "")
        output = "..." * ("..." in inputs) + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))

    def of(names: str) -> list[Index]:
        return [known.setdefault(name, Index(name, span, typed=True)) for name in names]

    placed = []
    for head, tail, (name, node) in zip(before, after, operands, strict=True):
        indices = of(head)
        if tail is not None:
            indices += dotted[leading - (node.rank - len(head) - len(tail)) :] if node.rank > len(head) + len(tail) else ()
            indices += of(tail)
        placed.append((name, node, indices))
    head, dots, tail = output.partition("...")
    for name in head + tail:
        if name not in known:
            raise ValueFault(f"{name} is in no operand of the signature", span, "the output has letters of the operands")
        if output.count(name) > 1:
            raise ValueFault(f"{name} is twice in the output", span, "write a diagonal with delta[i,j]")
    if leading and not dots:
        raise ValueFault("the output lacks the ...", span, "write ... where the leading axes go")
    return product(asked.span, placed, [*of(head), *(dotted if dots else ()), *of(tail)], None, dotted)


def _check_letters(names: str, span: Span) -> None:
    for name in names:
        if not name.isalpha():
            raise ValueFault(f"{name!r} is no letter of a signature", span, 'einsum("ij,jk->ik", A, B)')


def _exactly(node: Node, rank: int, part: str, asked: Asked) -> None:
    if node.rank != rank and not asked.need.exact(node, rank):
        raise RankFault(
            f"{node.span.source} has {axes_in_words(node.rank)}, and {part!r} names {len(part)}",
            node.span,
            "one letter for each axis",
        )


# ------------------------------------------------------------------------------------------------ norms


def norm(asked: Asked) -> Meaning:
    """Vector norms; of a matrix only the Frobenius norm."""
    node, order = asked.operand("x"), asked.static("ord")
    flat = asked.static("axis") is None
    count = node.rank if flat else len(chosen_axes(asked.arguments, "axis", node, asked.need))
    if order == "fro" and count < 2:
        asked.at_least(node, 2)
    if order not in (None, "fro") and count != 1:
        raise Unsupported(
            f"ord={order} of a matrix is not known yet", asked.span, "ord='fro' is known; axis= makes vector norms"
        )
    if isinstance(order, str) and order != "fro":
        raise Unsupported(f"ord={order!r} is not known", asked.span_of("ord"), "ord=1, 2, inf, 'fro'")
    names = {None: "norm_2", "fro": "norm_2", 1: "norm_1", 2: "norm_2", float("inf"): "norm_inf", 0: ""}
    name = names.get(order, "norm_p") if isinstance(order, int | float | str | None) else "norm_p"
    if not name or (isinstance(order, float | int) and order < 0):
        raise Unsupported(f"ord={order} is not known", asked.span_of("ord"), "ord=1, 2, inf, 'fro'")
    arguments = asked.arguments
    row = load_table()[name]
    assert not isinstance(row, Form)
    operands = {"x": node}
    if name == "norm_p":
        operands["p"] = order if isinstance(order, Node) else Number(asked.span, order)  # type: ignore[arg-type]
    new = Arguments(
        arguments.span, arguments.name, arguments.name_span, operands, arguments.statics, arguments.spans
    )
    return meaning(Operate(asked.span, row, new), asked.need)  # type: ignore[arg-type]
