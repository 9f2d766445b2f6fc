"""Norms: those of vectors by rows of the table, those of matrices over a pair of axes."""

from __future__ import annotations

from collections.abc import Mapping

from einsumdiff.errors import RankFault, ShapeFault, Unsupported
from einsumdiff.indexing.asked import Asked
from einsumdiff.indexing.expression import (
    Arguments,
    Layout,
    Meaning,
    Node,
    Number,
    Operate,
    Solver,
    Static,
)
from einsumdiff.indexing.operations import axes_in_words, chosen_axes, meaning
from einsumdiff.indexing.placing import Placing
from einsumdiff.indexing.shapes import Shape, tall_or_wide
from einsumdiff.indexing.values import operated
from einsumdiff.language.rows import Definition
from einsumdiff.language.table import load_table
from einsumdiff.nodes import Label
from einsumdiff.program import Builder, Value
from einsumdiff.sizes import smaller

INFINITY = float("inf")

VECTOR_NORMS: dict[object, str] = {
    None: "norm_2",
    2: "norm_2",
    1: "norm_1",
    INFINITY: "norm_inf",
    -INFINITY: "norm_minus_inf",
}
"""The row of a vector norm; any other number is `norm_p`."""

OF_SINGULAR_VALUES: dict[object, str] = {2: "max", -2: "min"}
"""What a norm of a matrix takes of its singular values."""

OF_SUMS: dict[object, tuple[str, bool]] = {
    1: ("max", True),
    -1: ("min", True),
    INFINITY: ("max", False),
    -INFINITY: ("min", False),
}
"""What a norm of a matrix takes of the sums of the sizes of its entries, and whether those are of columns."""


def norm(asked: Asked) -> Meaning | Layout:
    """One axis makes a vector norm, two make that of a matrix; without an order it is the root of squares."""
    node, order = asked.operand("x"), asked.static("ord")
    matrix_only = order in ("fro", "nuc")
    if asked.static("axis") is None:
        if matrix_only:
            asked.at_least(node, 2)
        if order is None or node.rank == 1:
            return _of_vectors(asked, order)
        if node.rank != 2:
            raise Unsupported(
                f"norm with an order is of a vector or a matrix, and {node.span.source} has "
                f"{axes_in_words(node.rank)}",
                asked.span_of("ord"),
                "name one axis, or a pair of them: norm(x, 1, axis=(0, 1))",
            )
        return _of_matrices(asked, order, (0, 1))
    axes = chosen_axes(asked.arguments, "axis", node, asked.need)
    if len(axes) == 1 and not matrix_only:
        return _of_vectors(asked, order)
    typed = asked.whole(asked.static("axis"), "axis")
    if order is None or (order == "fro" and len(axes) == 2):
        return _of_vectors(asked, None)
    if len(axes) != 2:
        raise Unsupported(
            f"a norm of order {order} is not over {axes_in_words(len(axes))}",
            asked.span_of("axis"),
            "name a pair of axes: axis=(0, 1)",
        )
    first, second = (asked.axis(axis, node, "axis") for axis in typed)
    return _of_matrices(asked, order, (first, second))


def vector_norm(asked: Asked) -> Meaning:
    """Over all axes together, where no axis is named."""
    return _of_vectors(asked, asked.static("ord"))


def matrix_norm(asked: Asked) -> Meaning | Layout:
    """Over the last two axes."""
    node = asked.operand("x")
    asked.at_least(node, 2)
    rank = max(node.rank, 2)
    return _of_matrices(asked, asked.static("ord"), (rank - 2, rank - 1))


def _unknown(asked: Asked, order: object, of: str, known: str) -> Unsupported:
    return Unsupported(f"ord={order!r} of {of} is not known", asked.span_of("ord"), known)


def _of_vectors(asked: Asked, order: object) -> Meaning:
    if not isinstance(order, int | float | None | Node) or isinstance(order, bool) or order == 0:
        raise _unknown(asked, order, "a vector", "ord=1, 2, another number than 0, inf or -inf are known")
    name = "norm_p" if isinstance(order, Node) else VECTOR_NORMS.get(order, "norm_p")
    operands = {"x": asked.operand("x")}
    if name == "norm_p":
        operands["p"] = order if isinstance(order, Node) else Number(asked.span, order or 2)
    return by_row(asked, name, operands, asked.arguments.statics)


def by_row(asked: Asked, name: str, operands: dict[str, Node], statics: Mapping[str, Static]) -> Meaning:
    """What another row says of these operands."""
    row = load_table()[name]
    assert isinstance(row, Definition)
    old = asked.arguments
    new = Arguments(old.span, old.name, old.name_span, operands, dict(statics), old.spans)
    return meaning(Operate(asked.span, row, new), asked.need)


def _of_matrices(asked: Asked, order: object, axes: tuple[int, int]) -> Meaning | Layout:
    """Over the pair of axes, of which the first counts rows."""
    node, keepdims = asked.operand("x"), bool(asked.static("keepdims"))
    if order in (None, "fro"):
        return by_row(asked, "norm_2", {"x": node}, {"axis": axes, "keepdims": keepdims})
    known = isinstance(order, int | float | str) and not isinstance(order, bool)
    if not known or (order not in (*OF_SUMS, *OF_SINGULAR_VALUES, "nuc")):
        raise _unknown(asked, order, "a matrix", "1, -1, 2, -2, inf, -inf, 'fro' and 'nuc' are known")
    row, column = axes

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        (whole,) = shapes
        if len(whole) < 2:
            raise RankFault("the norm of a matrix needs two axes", asked.span, "declare its shape")
        sizes = whole[row], whole[column]
        if order in OF_SINGULAR_VALUES and smaller(*sizes) is None:
            raise ShapeFault(
                f"which of the sizes {solver.show(sizes)[1:-1]} is smaller is not known",
                asked.span,
                tall_or_wide(node.span.source),
            )
        if keepdims:
            return tuple(1 if k in axes else size for k, size in enumerate(whole))
        return tuple(size for k, size in enumerate(whole) if k not in axes)

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        if order in OF_SUMS:
            op, of_columns = OF_SUMS[order]
            summed, other = (row, column) if of_columns else (column, row)
            sizes = builder.sum(builder.call("abs", [x]), [x.axes[summed]])
            found = _reduced(op, sizes, x.axes[other], builder)
        else:
            rest = [label for k, label in enumerate(x.axes) if k not in axes]
            matrices = Value((*rest, x.axes[row], x.axes[column]), x.products)
            if order == "nuc":
                found = operated("nuclear_norm", [matrices], builder)
            else:
                singular = operated("svdvals", [matrices], builder)
                found = _reduced(OF_SINGULAR_VALUES[order], singular, singular.axes[-1], builder)
        kept = iter(found.axes)
        axes_of_result = tuple(
            Label(1) if k in axes else next(kept) for k in range(len(x.axes)) if keepdims or k not in axes
        )
        return Value(axes_of_result, found.products)

    rank = max(node.rank, 2)
    return Placing(asked.span, {"x": node}, rank if keepdims else rank - 2, shape, value)


def _reduced(op: str, value: Value, label: Label, builder: Builder) -> Value:
    if op == "sum":
        return builder.sum(value, [label])
    if label.size == 1:
        return Value(tuple(axis for axis in value.axes if axis is not label), value.products)
    return builder.reduce(op, value, [label])
