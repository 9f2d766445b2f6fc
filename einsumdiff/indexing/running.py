"""Operations along an axis that join neighbours: cumsum, cumprod, diff, convolve, correlate, average.

    cumsum(x)[i] = sum[k] [k <= i]*x[k]        convolve(x, w)[i + k] += x[i]*w[k]

The triangle of ones is a guard, which lowering makes a cumulative sum of; it is never an array.
"""

from __future__ import annotations

from einsumdiff.errors import RankFault, ShapeFault, ValueFault
from einsumdiff.indexing.asked import Asked
from einsumdiff.indexing.expression import Layout, Node, Solver
from einsumdiff.indexing.operations import axes_in_words, chosen_axes
from einsumdiff.indexing.placing import Placing, flat, form_of, placed
from einsumdiff.indexing.shapes import Shape
from einsumdiff.nodes import Entry, Guard, Label, Reduce, bare, product
from einsumdiff.program import Builder, Value, at, read
from einsumdiff.sizes import AnySize, nonnegative


def _along(asked: Asked, name: str) -> tuple[Node, int]:
    """The operand and the axis, the flat array where none is named."""
    node = asked.operand(name)
    if asked.static("axis") is None:
        return flat(asked, node), 0
    return node, asked.axis(asked.static("axis"), node, "axis")


def _keep_shape(shapes: list[Shape], solver: Solver) -> Shape:
    return shapes[0]


def cumsum(asked: Asked) -> Layout:
    node, axis = _along(asked, "a")

    def value(values: list[Value], shape: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        before = x.axes[axis]
        if before.size == 1:
            return x
        place, own = before.fresh(), before.fresh()
        guard = Guard(bare(place) - bare(own), ">=")
        moved = x.substitute({before: bare(own)})
        products = [product(p.coefficient, (*p.factors, guard), (*p.bound, own)) for p in moved]
        found = Value((*x.axes[:axis], place, *x.axes[axis + 1 :]), tuple(products))
        return read(builder.define(found))  # so that cumsum(x)[1:] reads a part of it

    return Placing(asked.span, {"x": node}, node.rank, _keep_shape, value)


def cumprod(asked: Asked) -> Layout:
    node, axis = _along(asked, "a")

    def value(values: list[Value], shape: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        if x.axes[axis].size == 1:
            return x
        array = builder.define(x)
        axes = [Label(size) for size in array.shape]
        place, own = axes[axis], axes[axis].fresh()
        forms = [form_of(own if label is place else label) for label in axes]
        borne = tuple(label for label in axes if label.size != 1)
        guard = Guard(bare(place) - bare(own), ">=")
        body = Reduce("prod", borne, (own,), Entry(array, tuple(forms)), (guard,))
        found = builder.define_body(body, tuple(label.size for label in borne))
        return Value(tuple(axes), at(found, [bare(label) for label in borne]).products)

    return Placing(asked.span, {"x": node}, node.rank, _keep_shape, value)


def diff(asked: Asked) -> Layout:
    node, order = asked.operand("a"), asked.static("n")
    axis = asked.axis(asked.static("axis"), node, "axis")
    if not isinstance(order, int) or isinstance(order, bool) or order < 0:
        raise ValueFault("n is a whole number from 0 on", asked.span_of("n"), "diff(x, 2)")
    count = order

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        (x,) = shapes
        size = x[axis] - count
        if isinstance(size, int) and size < 0:
            size = 0
        return *x[:axis], size, *x[axis + 1 :]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        for step in range(count):
            old = x.axes[axis]
            if isinstance(old.size, int) and old.size < 1:
                return Value(tuple(Label(size) for size in result), ())
            new = Label(old.size - 1)
            if step == count - 1 and new.size == 0:
                return Value(tuple(Label(size) for size in result), ())
            axes = (*x.axes[:axis], new, *x.axes[axis + 1 :])
            later, here = (Value(axes, x.substitute({old: form_of(new).plus(k)})) for k in (1, 0))
            x = builder.add([later, builder.scale(here, -1)])
        return x

    return Placing(asked.span, {"x": node}, node.rank, shape, value)


def average(asked: Asked) -> Layout:
    """The mean, weighted where weights are given: of the shape of a, or along the one axis."""
    node = asked.operand("a")
    weights = asked.arguments.operands.get("weights")
    axes = chosen_axes(asked.arguments, "axis", node, asked.need)
    keep = bool(asked.static("keepdims"))
    if weights is not None and weights.rank != node.rank and (weights.rank != 1 or len(axes) != 1):
        raise RankFault(
            f"weights have {axes_in_words(weights.rank)}, and {node.span.source} {axes_in_words(node.rank)}",
            asked.span,
            "weights have the shape of the array, or one axis along the axis that is named",
        )
    alike = weights is not None and weights.rank == node.rank

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        x = shapes[0]
        own = [] if weights is None else list(zip(shapes[1], x if alike else [x[axes[0]]], strict=True))
        if not all(solver.unify(a, b) for a, b in own):
            shown = f"{solver.show(x)} and {solver.show(shapes[1])}"
            raise ShapeFault(
                f"the array and its weights do not fit: {shown}", asked.span, "declare them alike"
            )
        return tuple(1 if k in axes else size for k, size in enumerate(x) if keep or k not in axes)

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        x, *rest = values
        gone = [x.axes[k] for k in axes]
        w = Value((), (product(1, []),))
        if rest:
            w = rest[0].relabel(x.axes if alike else gone)
        w = Value((), w.products)
        above = builder.sum(builder.multiply(Value((), x.products), w), gone)
        below = builder.power(builder.sum(w, gone), -1)
        found = builder.multiply(above, below)
        kept = [Label(1) if k in axes else n for k, n in enumerate(x.axes) if keep or k not in axes]
        return Value(tuple(kept), found.products)

    operands = {"x": node} if weights is None else {"x": node, "weights": weights}
    return Placing(asked.span, operands, node.rank if keep else node.rank - len(axes), shape, value)


# ------------------------------------------------------------------------------------------- convolution


def convolve(asked: Asked) -> Layout:
    return _slid(asked, flips=True)


def correlate(asked: Asked) -> Layout:
    return _slid(asked, flips=False)


def _slid(asked: Asked, flips: bool) -> Layout:
    """`full[p] = sum a[i]*v[k]` at p = i + k, or at i - k + len(v) - 1; the modes take a part of it."""
    a, v, mode = asked.operand("a"), asked.operand("v"), asked.static("mode")
    for node in (a, v):
        if node.rank != 1:
            raise RankFault(
                f"{asked.arguments.name} is of vectors, and {node.span.source} has "
                f"{axes_in_words(node.rank)}",
                node.span,
                "say it in indices: Z[i,j] = X[i+p, j+q]*W[p,q]",
            )
    if mode not in ("full", "same", "valid"):
        raise ValueFault(f"there is no mode {mode!r}", asked.span_of("mode"), "full, same or valid")

    def bounds(sizes: tuple[AnySize, AnySize]) -> tuple[AnySize, AnySize]:
        """Where the mode's part begins in the full result, and its size."""
        m, n = sizes
        if mode == "full":
            return 0, m + n - 1
        if nonnegative(m - n):
            start, count = (n - 1, m - n + 1) if mode == "valid" else ((n - 1) // 2, m)
        elif nonnegative(n - m):
            start, count = (m - 1, n - m + 1) if mode == "valid" else ((m - 1) // 2, n)
            if not flips:  # NumPy exchanges the two, and turns the result round
                start = m + n - 1 - start - count
        else:
            raise ShapeFault(
                f"which of {a.span.source} and {v.span.source} is longer is not known",
                asked.span,
                'give their sizes as numbers, or write mode="full" and a slice',
            )
        return start, count

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        (m,), (n,) = shapes
        return (bounds((m, n))[1],)

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        x, w = values
        (i,), (k,) = x.axes, w.axes
        place = form_of(i) + form_of(k) if flips else form_of(i) - form_of(k).plus(1 - k.size)
        both = builder.multiply(Value((), x.products), Value((), w.products))
        whole = placed([((place,), Value((i, k), both.products))], (i.size + k.size - 1,), builder)
        start, count = bounds((i.size, k.size))
        if mode == "full":
            return whole
        new = Label(count)
        if whole.axes[0].size == 1:
            return whole
        return Value((new,), whole.substitute({whole.axes[0]: form_of(new).plus(start)}))

    return Placing(asked.span, {"a": a, "v": v}, 1, shape, value)
