"""Linear algebra that is products of what there is: solve, powers, kron, cross, triangles.

`solve` is a product with the inverse, so that a value and its derivatives share one factorisation.
"""

from __future__ import annotations

from collections.abc import Sequence

from einsumdiff.errors import RankFault, ShapeFault, ValueFault
from einsumdiff.indexing.asked import Asked
from einsumdiff.indexing.expression import Layout, Node, Solver
from einsumdiff.indexing.operations import axes_in_words
from einsumdiff.indexing.placing import Placing, form_of, placed
from einsumdiff.indexing.shapes import Shape
from einsumdiff.indexing.values import operated
from einsumdiff.nodes import Form, Guard, Label, Product, constant_form, product
from einsumdiff.program import Builder, Value, broadcast, of_product, read
from einsumdiff.sizes import AnySize


def _leading(asked: Asked, shapes: Sequence[Shape], solver: Solver) -> Shape:
    """The axes in front of the operations' own, which broadcast."""
    rank = max(len(shape) for shape in shapes)
    result: list[AnySize] = [1] * rank
    for shape in shapes:
        for k, size in enumerate(shape, start=rank - len(shape)):
            if result[k] == 1:
                result[k] = size
            elif size != 1 and not solver.unify(result[k], size):
                shown = " and ".join(solver.show(one) for one in shapes)
                raise ShapeFault(f"the leading axes {shown} do not fit", asked.span, "declare them alike")
    return tuple(result)


def _square(asked: Asked, node: Node, shape: Shape, solver: Solver) -> AnySize:
    if not solver.unify(shape[-1], shape[-2]):
        raise ShapeFault(
            f"{node.span.source} is {solver.show(shape)}, and {asked.arguments.name} needs a square matrix",
            asked.span,
            "declare its last two sizes alike",
        )
    return solver.resolve(shape[-1])


def contracted(a: Value, b: Value, rows: int, columns: int, builder: Builder) -> Value:
    """The product of matrices, or of vectors, which have no rows or columns of their own."""
    inner = Label(a.axes[-1].size)
    own_a = a.axes[len(a.axes) - 1 - rows : -1]
    lead_a = a.axes[: len(a.axes) - 1 - rows]
    lead_b = b.axes[: len(b.axes) - 1 - columns]
    own_b = b.axes[len(b.axes) - columns :]
    left = a.relabel((*a.axes[:-1], inner)).products
    place = len(lead_b)
    right = b.relabel((*b.axes[:place], inner, *b.axes[place + 1 :])).products
    axes, (x, y) = broadcast([Value(lead_a, left), Value(lead_b, right)])
    both = builder.multiply(Value((), x), Value((), y))
    summed = builder.sum(both, [] if inner.size == 1 else [inner])
    return Value((*axes, *own_a, *own_b), summed.products)


def solve(asked: Asked) -> Layout:
    a, b = asked.operand("a"), asked.operand("b")
    asked.at_least(a, 2)
    if b.rank == 0:
        raise RankFault("solve takes a vector or a matrix on the right", b.span, "solve(A, b)")
    columns = 0 if b.rank == 1 else 1

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        x, y = shapes
        size = _square(asked, a, x, solver)
        if not solver.unify(size, y[-1 - columns]):
            raise ShapeFault(
                f"{a.span.source} is {solver.show(x)} and {b.span.source} is {solver.show(y)}",
                asked.span,
                "the right side has as many rows as the matrix",
            )
        lead = _leading(asked, [x[:-2], y[: len(y) - 1 - columns]], solver)
        return *lead, size, *y[len(y) - columns :]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        inverse = operated("inv", [values[0]], builder)
        return contracted(inverse, values[1], 1, columns, builder)

    return Placing(
        asked.span, {"a": a, "b": b}, max(a.rank, 2) - 1 + columns if b.rank <= 2 else b.rank, shape, value
    )


def scipy_linalg_cholesky(asked: Asked) -> Layout:
    """The upper factor, unless the lower one is asked for."""
    node, lower = asked.operand("a"), asked.static("lower")
    asked.at_least(node, 2)

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        size = _square(asked, node, shapes[0], solver)
        return *shapes[0][:-2], size, size

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        found = operated("cholesky", values, builder)
        rank = len(found.axes)
        return found if lower else found.transpose([*range(rank - 2), rank - 1, rank - 2])

    return Placing(asked.span, {"a": node}, max(node.rank, 2), shape, value)


def multi_dot(asked: Asked) -> Layout:
    nodes = asked.arrays("arrays")
    if len(nodes) < 2:
        raise ValueFault("multi_dot takes two arrays or more", asked.span, "multi_dot([A, B, C])")
    for k, node in enumerate(nodes):
        ends = k in (0, len(nodes) - 1)
        if node.rank > 2 or node.rank < (1 if ends else 2):
            raise RankFault(
                f"{node.span.source} has {axes_in_words(node.rank)}",
                node.span,
                "matrices, and vectors at the ends",
            )
    first, last = nodes[0].rank == 2, nodes[-1].rank == 2

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        for k in range(len(nodes) - 1):
            if not solver.unify(shapes[k][-1], shapes[k + 1][0]):
                raise ShapeFault(
                    f"{nodes[k].span.source} is {solver.show(shapes[k])} and {nodes[k + 1].span.source} is "
                    f"{solver.show(shapes[k + 1])}: they do not fit",
                    asked.span,
                    "the last size of each is the first of the next",
                )
        return *shapes[0][:-1], *shapes[-1][1:]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        found = values[0]
        for k, other in enumerate(values[1:], start=1):
            found = contracted(found, other, int(first), int(k < len(values) - 1 or last), builder)
        return found

    return Placing(asked.span, asked.named(nodes), first + last, shape, value)


def matrix_power(asked: Asked) -> Layout:
    node, n = asked.operand("a"), asked.static("n")
    asked.at_least(node, 2)
    if not isinstance(n, int) or isinstance(n, bool):
        raise ValueFault("the power of a matrix is a whole number", asked.span_of("n"), "matrix_power(A, 3)")
    power: int = n

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        size = _square(asked, node, shapes[0], solver)
        return *shapes[0][:-2], size, size

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        if power == 0:
            axes = tuple(Label(size) for size in result)
            form = form_of(axes[-1]) - form_of(axes[-2])
            return Value(axes, of_product(product(1, [Guard(form, "==")])).products)
        if power < 0:
            x = operated("inv", [x], builder)
        whole: Value | None = None
        square = x
        left = abs(power)
        while True:  # by squares, which are defined once
            if left % 2:
                whole = square if whole is None else contracted(whole, square, 1, 1, builder)
            left //= 2
            if not left:
                assert whole is not None
                return whole
            square = _defined(contracted(square, square, 1, 1, builder), builder)

    return Placing(asked.span, {"a": node}, max(node.rank, 2), shape, value)


def _defined(value: Value, builder: Builder) -> Value:
    return read(builder.define(value))


def kron(asked: Asked) -> Layout:
    a, b = asked.operand("a"), asked.operand("b")
    rank = max(a.rank, b.rank)

    def padded(shape: Shape) -> Shape:
        return (*[1] * (rank - len(shape)), *shape)

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        return tuple(m * n for m, n in zip(padded(shapes[0]), padded(shapes[1]), strict=True))

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        x, y = ([*(Label(1) for _ in range(rank - len(v.axes))), *v.axes] for v in values)
        forms = tuple(form_of(i).times(k.size) + form_of(k) for i, k in zip(x, y, strict=True))
        both = builder.multiply(Value((), values[0].products), Value((), values[1].products))
        return placed([(forms, Value((*x, *y), both.products))], result, builder)

    return Placing(asked.span, {"a": a, "b": b}, rank, shape, value)


def cross(asked: Asked) -> Layout:
    """Of vectors of three along an axis, the last where none is named."""
    a, b = asked.operand("a"), asked.operand("b")
    places = []
    for node in (a, b):
        asked.at_least(node, 1)
        places.append(asked.axis(asked.static("axis"), node, "axis"))
    rank = max(a.rank, b.rank)
    place = asked.axis_of(asked.static("axis"), rank)

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        for node, one, k in zip((a, b), shapes, places, strict=True):
            if not solver.unify(one[k], 3):
                raise ShapeFault(
                    f"{node.span.source} is {solver.show(one)}: cross is of vectors of 3",
                    asked.span,
                    "declare its last size as 3"
                    if k == len(one) - 1
                    else f"declare its size as 3 along axis {k}",
                )
        rest = [(*one[:k], *one[k + 1 :]) for one, k in zip(shapes, places, strict=True)]
        lead = _leading(asked, rest, solver)
        return *lead[:place], 3, *lead[place:]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        x, y = (v.axes[k] for v, k in zip(values, places, strict=True))
        rest = [
            Value((*v.axes[:k], *v.axes[k + 1 :]), v.products) for v, k in zip(values, places, strict=True)
        ]
        lead, (left, right) = broadcast(rest)
        parts = []
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            plus = _times(left, x, j, right, y, k, builder)
            minus = _times(left, x, k, right, y, j, builder)
            both = builder.add([plus, builder.scale(minus, -1)])
            forms: list[Form] = [form_of(n) for n in lead]
            forms.insert(place, constant_form(i))
            parts.append((tuple(forms), Value(lead, both.products)))
        return placed(parts, result, builder)

    return Placing(asked.span, {"a": a, "b": b}, rank, shape, value)


def _times(
    x: Sequence[Product], i: Label, j: int, y: Sequence[Product], k: Label, n: int, builder: Builder
) -> Value:
    left = Value((), tuple(p.substitute({i: constant_form(j)}) for p in x))
    right = Value((), tuple(p.substitute({k: constant_form(n)}) for p in y))
    return builder.multiply(left, right)


def tril(asked: Asked) -> Layout:
    return _triangle(asked, lower=True)


def triu(asked: Asked) -> Layout:
    return _triangle(asked, lower=False)


def _triangle(asked: Asked, lower: bool) -> Layout:
    node, k = asked.operand("m"), asked.static("k")
    asked.at_least(node, 2)
    if not isinstance(k, int) or isinstance(k, bool):
        raise ValueFault("k is a whole number", asked.span_of("k"), "tril(A, -1)")
    offset: int = k

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        difference = (form_of(x.axes[-2]) - form_of(x.axes[-1])).plus(offset)
        guard = Guard(difference if lower else difference.times(-1), ">=")
        return Value(x.axes, tuple(product(p.coefficient, (*p.factors, guard), p.bound) for p in x.products))

    return Placing(asked.span, {"m": node}, max(node.rank, 2), lambda shapes, solver: shapes[0], value)
