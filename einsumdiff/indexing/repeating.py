"""Entries repeated, moved round, and bordered: tile, repeat, roll, rot90, pad.

tile(x, 2)[k*n + i] = x[i]        pad(x, 1)[i + 1] = x[i]
"""

from __future__ import annotations

from collections.abc import Sequence

from einsumdiff.errors import RankFault, ShapeFault, Span, Unsupported, ValueFault
from einsumdiff.indexing.asked import Asked
from einsumdiff.indexing.expression import Layout, Node, Solver
from einsumdiff.indexing.operations import axes_in_words, integer
from einsumdiff.indexing.placing import Part, Placing, form_of, forms_of, placed
from einsumdiff.indexing.regrouping import flat, regroup, volume
from einsumdiff.indexing.shapes import Shape
from einsumdiff.nodes import Label, Product, bare, constant_form
from einsumdiff.program import Builder, Value
from einsumdiff.sizes import AnySize, nonnegative


def tile(asked: Asked) -> Layout:
    node = asked.operand("A")
    reps = asked.sizes("reps")
    rank = max(node.rank, len(reps))
    return _repeated(asked, node, [1] * (rank - len(reps)) + reps, False)


def repeat(asked: Asked) -> Layout:
    node = asked.operand("a")
    if asked.static("axis") is None:
        node = flat(asked, node)
    reps = asked.sizes("repeats")
    axis = 0 if asked.static("axis") is None else asked.axis(asked.static("axis"), node, "axis")
    if len(reps) != 1:
        return _repeated_each(asked, node, asked.whole(tuple(reps), "repeats"), axis)
    rank = max(node.rank, axis + 1)
    return _repeated(asked, node, [reps[0] if k == axis else 1 for k in range(rank)], True)


def _repeated(asked: Asked, node: Node, reps: Sequence[Node | int], inner: bool) -> Layout:
    """Axis k holds its entries `reps[k]` times: each by itself if `inner`, else all of them in turn."""
    new = len(reps) - node.rank

    def counts(solver: Solver) -> list[AnySize]:
        return [solver.resolve(n if isinstance(n, int) else solver.size_of(n)) for n in reps]

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        sizes = (*[1] * new, *shapes[0])
        return tuple(size * n for size, n in zip(sizes, counts(solver), strict=True))

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        axes = [Label(1) for _ in range(new)] + list(x.axes)
        forms = []
        for label, n in zip(axes, counts(solver), strict=True):
            copy = form_of(Label(n))
            old = form_of(label)
            forms.append(old.times(n) + copy if inner else copy.times(label.size) + old)
        return placed([(tuple(forms), x)], result, builder)

    return Placing(asked.span, {"x": node}, len(reps), shape, value)


def _repeated_each(asked: Asked, node: Node, counts: Sequence[int], axis: int) -> Layout:
    """Entry k along the axis is there `counts[k]` times."""

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        (x,) = shapes
        if not solver.unify(x[axis], len(counts)):
            raise ShapeFault(
                f"{len(counts)} numbers of times are given, and axis {axis} of {node.span.source} has size "
                f"{solver.show([x[axis]])[1:-1]}",
                asked.span_of("repeats"),
                "one number for every entry, or one for all",
            )
        return *x[:axis], sum(counts), *x[axis + 1 :]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        old = x.axes[axis]
        parts: list[Part] = []
        for k, count in enumerate(counts):
            own = form_of(Label(count)).plus(sum(counts[:k]))
            products = x.products if old.size == 1 else x.substitute({old: constant_form(k)})
            forms = forms_of(x)
            if count:
                parts.append(((*forms[:axis], own, *forms[axis + 1 :]), Value(x.axes, products)))
        return placed(parts, result, builder)

    return Placing(asked.span, {"x": node}, node.rank, shape, value)


# ---------------------------------------------------------------------------------------------------- pad

Width = tuple[AnySize, AnySize]
MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(asked: Asked) -> Layout:
    node, mode = asked.operand("array"), asked.static("mode")
    if mode not in MODES:
        raise Unsupported(
            f"pad with mode {mode!r} is not known", asked.span_of("mode"), f"the modes are {', '.join(MODES)}"
        )
    typed = _widths(asked, node)
    filling = asked.static("constant_values")
    if not isinstance(filling, int | float):
        raise ValueFault("constant_values is a number", asked.span_of("constant_values"), "constant_values=0")

    def widths(solver: Solver) -> list[Width]:
        def size(width: Node | int) -> AnySize:
            return width if isinstance(width, int) else solver.resolve(solver.size_of(width))

        return [(size(a), size(b)) for a, b in typed]

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        return tuple(size + a + b for size, (a, b) in zip(shapes[0], widths(solver), strict=True))

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        if mode != "constant":
            for axis, width in enumerate(widths(solver)):
                x = _bordered(x, axis, width, str(mode), builder, asked.span)
            return x
        if filling:
            x = builder.add([x, Value((), (Product(-filling),))])
        forms = tuple(form.plus(a) for form, (a, _) in zip(forms_of(x), widths(solver), strict=True))
        found = placed([(forms, x)], result, builder)
        return builder.add([found, Value((), (Product(filling),))]) if filling else found

    return Placing(asked.span, {"x": node}, node.rank, shape, value)


def _bordered(x: Value, axis: int, width: Width, mode: str, builder: Builder, span: Span) -> Value:
    """The array with a border of its own entries along the axis."""
    old = x.axes[axis]
    size, (before, after) = old.size, width
    if before == after == 0:
        return x
    most = {"reflect": size - 1, "symmetric": size, "wrap": size}.get(mode)
    for count in width:
        enough = nonnegative(size - 1) if most is None else nonnegative(most - count)
        if not enough:
            raise ShapeFault(
                f"a border of {count} may be wider than mode {mode!r} has entries for: the size is {size}",
                span,
                "give the size as a number, or pad less",
            )
    low, high, inner = (Label(n) for n in (before, after, size))
    i, j = form_of(low), form_of(high)
    left, right = {
        "edge": (constant_form(0), constant_form(size - 1)),
        "reflect": (i.times(-1).plus(before), j.times(-1).plus(size - 2)),
        "symmetric": (i.times(-1).plus(before - 1), j.times(-1).plus(size - 1)),
        "wrap": (i.plus(size - before), j),
    }[mode]
    parts: list[Part] = []
    for label, start, read in ((low, 0, left), (inner, before, form_of(inner)), (high, before + size, right)):
        if label.size == 0:
            continue
        axes = (*x.axes[:axis], label, *x.axes[axis + 1 :])
        forms = tuple(form_of(n) for n in axes)
        products = x.products if old.size == 1 else x.substitute({old: read})
        place = form_of(label).plus(start)
        parts.append(((*forms[:axis], place, *forms[axis + 1 :]), Value(axes, products)))
    shape = (*x.shape[:axis], before + size + after, *x.shape[axis + 1 :])
    return placed(parts, shape, builder)


def _widths(asked: Asked, node: Node) -> list[tuple[Node | int, Node | int]]:
    """`2`, `(1, 2)` for every axis, or a pair for each."""
    typed = asked.static("pad_width")
    rows = typed if isinstance(typed, tuple) else (typed, typed)
    if not any(isinstance(width, tuple) for width in rows):
        rows = (rows if len(rows) == 2 else (rows[0], rows[0]),) * node.rank
    elif len(rows) == 1:
        rows = rows * node.rank
    found = []
    for row in rows:
        pair = row if isinstance(row, tuple) else (row, row)
        if len(pair) == 1:
            pair = pair * 2
        sizes = [w for w in pair if isinstance(w, Node) or (integer(w) and isinstance(w, int) and w >= 0)]
        if len(sizes) != 2 or len(pair) != 2:
            raise ValueFault("pad_width is made of sizes", asked.span_of("pad_width"), "pad(x, (1, 2))")
        found.append((sizes[0], sizes[1]))
    if len(found) != node.rank:
        raise RankFault(
            f"pad_width has {len(found)} pairs, and {node.span.source} {axes_in_words(node.rank)}",
            asked.span_of("pad_width"),
            "a pair for each axis",
        )
    return found


# ----------------------------------------------------------------------------------------- moving round


def roll(asked: Asked) -> Layout:
    node, typed = asked.operand("a"), asked.static("axis")
    given = asked.static("shift")
    shifts = list(given) if isinstance(given, tuple) else [given]
    if not all(isinstance(n, Node) or integer(n) for n in shifts):
        raise ValueFault("a shift is a whole number or a size", asked.span_of("shift"), "roll(x, 1)")
    flat_ = typed is None and node.rank > 1
    axes = [0] if typed is None else [asked.axis(k, node, "axis") for k in asked.whole(typed, "axis")]
    if len(shifts) == 1:
        shifts = shifts * len(axes)
    if len(axes) == 1:
        axes = axes * len(shifts)
    if len(shifts) != len(axes):
        raise ValueFault("a shift for each axis", asked.span, "roll(A, (1, 2), axis=(0, 1))")

    def moves(solver: Solver) -> list[AnySize]:
        return [solver.resolve(solver.size_of(n)) if isinstance(n, Node) else int(str(n)) for n in shifts]

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        moves(solver)
        return shapes[0]

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        found = regroup(x, (volume(result),), False, builder) if flat_ else x
        total: dict[int, AnySize] = {}
        for axis, shift in zip(axes, moves(solver), strict=True):
            total[axis] = total.get(axis, 0) + shift
        for axis, shift in total.items():
            found = _rolled(found, axis, shift, builder, asked.span)
        return regroup(found, result, False, builder) if flat_ else found

    return Placing(asked.span, {"x": node}, node.rank, shape, value)


def _rolled(x: Value, axis: int, shift: AnySize, builder: Builder, span: Span) -> Value:
    size = x.axes[axis].size
    if isinstance(size, int) and isinstance(shift, int):
        shift = shift % size if size else 0
    if shift == 0 or size == 1:
        return x
    near, far = (shift, size - shift) if nonnegative(shift) else (size + shift, -shift)
    # the last `near` entries come first, then the other `far`
    if not (nonnegative(near) and nonnegative(far)):
        raise ShapeFault(
            f"a shift by {shift} may be more than the size {size}", span, "give the size as a number"
        )
    parts: list[Part] = []
    for count, start, to in ((near, far, 0), (far, 0, near)):
        if count == 0:
            continue
        label = Label(count)
        own = form_of(label)
        axes = (*x.axes[:axis], label, *x.axes[axis + 1 :])
        taken = x.substitute({x.axes[axis]: own.plus(start)})
        forms = tuple(form_of(n) for n in axes)
        parts.append(((*forms[:axis], own.plus(to), *forms[axis + 1 :]), Value(axes, taken)))
    return placed(parts, x.shape, builder)


def rot90(asked: Asked) -> Layout:
    node, turns = asked.operand("m"), asked.static("k")
    (times,) = asked.whole(turns, "k")
    axes = [asked.axis(axis, node, "axes") for axis in asked.whole(asked.static("axes"), "axes")]
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ValueFault("rot90 turns two axes", asked.span_of("axes"), "axes=(0, 1)")
    a, b = axes
    times %= 4
    order = list(range(max(node.rank, a + 1, b + 1)))
    if times % 2:
        order[a], order[b] = b, a

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        return tuple(shapes[0][k] for k in order)

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        turned = {1: [b], 2: [a, b], 3: [a]}.get(times, [])  # the axes of x that run backwards
        labels = [Label(label.size) for label in x.axes]
        forms = {
            old: bare(new).times(-1).plus(new.size - 1) if k in turned else bare(new)
            for k, (old, new) in enumerate(zip(x.axes, labels, strict=True))
            if old.size != 1
        }
        return Value(tuple(labels[k] for k in order), x.substitute(forms) if forms else x.products)

    return Placing(asked.span, {"x": node}, len(order), shape, value)
