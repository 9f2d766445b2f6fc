"""Operations along an axis that join neighbours: cumsum, cumprod, diff, convolve, correlate, average.

    cumsum(x)[i] = sum[k] [k <= i]*x[k]        convolve(x, w)[i + k] += x[i]*w[k]

The triangle of ones is a guard, which lowering makes a cumulative sum of; it is never an array.
"""

from __future__ import annotations

from fractions import Fraction

from einsumdiff.errors import RankFault, ShapeFault, Unsupported, ValueFault
from einsumdiff.indexing.asked import Asked
from einsumdiff.indexing.expression import Layout, Node, Solver
from einsumdiff.indexing.joining import joined
from einsumdiff.indexing.operations import axes_in_words, chosen_axes
from einsumdiff.indexing.placing import Placing, form_of, placed
from einsumdiff.indexing.regrouping import flat
from einsumdiff.indexing.shapes import Shape
from einsumdiff.nodes import Entry, Form, Guard, Label, Reduce, bare, constant_form, product
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
    nodes = {name: asked.arguments.operands.get(name) for name in ("prepend", "x", "append")} | {"x": node}
    operands = {name: one for name, one in nodes.items() if one is not None}
    if any(one.rank not in (0, node.rank) for one in operands.values()):
        raise RankFault(
            f"what is added before or behind is a number, or has {axes_in_words(node.rank)}",
            asked.span,
            "diff(x, prepend=0)",
        )
    which = list(operands).index("x")

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        x = shapes[which]
        size: AnySize = -count
        for one in shapes:
            size = size + (one[axis] if one else 1)
            if any(
                k != axis and not solver.unify(a, b) for k, (a, b) in enumerate(zip(x, one, strict=False))
            ):
                raise ShapeFault(
                    f"{solver.show(one)} cannot be joined with {solver.show(x)} along axis {axis}",
                    asked.span,
                    "all other axes must have the same sizes",
                )
        if isinstance(size, int) and size < 0:
            size = 0
        return *x[:axis], size, *x[axis + 1 :]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        whole = values[which].axes
        one = (*whole[:axis], Label(1), *whole[axis + 1 :])
        x = joined([v if v.axes else Value(one, v.products) for v in values], axis, builder)
        for step in range(count):
            old = x.axes[axis]
            if isinstance(old.size, int) and old.size < 1:
                return Value(tuple(Label(size) for size in result), ())
            new = Label(old.size - 1)
            if step == count - 1 and new.size == 0:
                return Value(tuple(Label(size) for size in result), ())
            later, here = (_part(x, axis, new, form_of(new).plus(k)) for k in (1, 0))
            x = builder.add([later, builder.scale(here, -1)])
        return x

    return Placing(asked.span, operands, node.rank, shape, value)


def _part(x: Value, axis: int, label: Label, form: Form) -> Value:
    """The entries at `form` along the axis, which gets that label."""
    old = x.axes[axis]
    products = x.products if old.size == 1 else x.substitute({old: form})
    return Value((*x.axes[:axis], label, *x.axes[axis + 1 :]), products)


def gradient(asked: Asked) -> Layout:
    """np.gradient: central differences, one-sided ones at both ends."""
    node, spacing = asked.operand("f"), asked.operand("spacing")
    typed = asked.static("axis")
    if typed is None and node.rank != 1:
        raise Unsupported(
            f"gradient gives an array for each of the {axes_in_words(node.rank)}",
            asked.span,
            "name an axis: gradient(A, axis=0)",
        )
    axis = 0 if typed is None else asked.axis(typed, node, "axis")
    if spacing.rank:
        raise Unsupported("gradient with places of its own", asked.span_of("spacing"), "give one distance")

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        x, h = values
        size = result[axis]
        if not nonnegative(size - 2):
            raise ShapeFault(
                f"gradient needs two entries, and the axis has size {size}",
                asked.span,
                "give its size as a number of 2 or more",
            )
        inner, single = Label(size - 2), Label(1)
        ends = constant_form(0), constant_form(size - 1)
        near = constant_form(1), constant_form(size - 2)
        first, second, last, before = (
            _part(x, axis, single, f) for f in (ends[0], near[0], ends[1], near[1])
        )
        steps = [
            builder.add([second, builder.scale(first, -1)]),
            builder.add([last, builder.scale(before, -1)]),
        ]
        if inner.size != 0:
            later, earlier = (_part(x, axis, inner, form_of(inner).plus(k)) for k in (2, 0))
            middle = builder.add([later, builder.scale(earlier, -1)])
            steps.insert(1, builder.scale(middle, Fraction(1, 2)))
        return builder.multiply(joined(steps, axis, builder), builder.power(h, -1))

    return Placing(asked.span, {"x": node, "spacing": spacing}, node.rank, _keep_shape, value)


def trapezoid(asked: Asked) -> Layout:
    """The integral by the trapezoidal rule, over places that are given or `dx` apart."""
    y, dx = asked.operand("y"), asked.operand("dx")
    places = asked.arguments.operands.get("x")
    axis = asked.axis(asked.static("axis"), y, "axis")
    if dx.rank or (places is not None and places.rank not in (1, y.rank)):
        raise RankFault("dx is a number, and x a vector or of the shape of y", asked.span, "trapezoid(y, x)")

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        x = shapes[0]
        own = shapes[1] if places is not None else ()
        meant = x if len(own) == len(x) else (x[axis],)
        if own and not all(solver.unify(a, b) for a, b in zip(own, meant, strict=True)):
            raise ShapeFault(
                f"y is {solver.show(x)}, and its places are {solver.show(own)}",
                asked.span,
                "a place for every entry along the axis",
            )
        return *x[:axis], *x[axis + 1 :]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        f, t = values
        size = f.axes[axis].size
        if size in (0, 1):
            return Value(tuple(Label(n) for n in result), ())
        new = Label(size - 1)
        later, here = (_part(f, axis, new, form_of(new).plus(k)) for k in (1, 0))
        width = t
        if places is not None:
            along = axis if len(t.axes) == len(f.axes) else 0
            if len(t.axes) == len(f.axes):
                t = t.relabel([t.axes[k] if k == axis else label for k, label in enumerate(f.axes)])
            after, before = (_part(t, along, new, form_of(new).plus(k)) for k in (1, 0))
            width = Value((), builder.add([after, builder.scale(before, -1)]).products)
        both = builder.add([later, here])
        found = builder.multiply(Value((), both.products), width)
        kept = tuple(label for k, label in enumerate(f.axes) if k != axis)
        total = builder.sum(Value((), found.products), [new] if new.size != 1 else [])
        return Value(kept, builder.scale(total, Fraction(1, 2)).products)

    return Placing(asked.span, {"y": y, "x": places or dx}, y.rank - 1, shape, value)


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
