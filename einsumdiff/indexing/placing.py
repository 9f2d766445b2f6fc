"""Operations that put entries into other places: joining, repeating, padding, regrouping axes.

    concatenate((x, z))[i + n] = z[i]        reshape(A, -1)[i*n + j] = A[i, j]

Each is a definition whose left side is affine, or an affine access; no matrix of zeros and ones is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from einsumdiff.canonical import collect
from einsumdiff.errors import RankFault, ShapeFault, Span, Unsupported, ValueFault
from einsumdiff.indexing.asked import Asked
from einsumdiff.indexing.expression import Arguments, Layout, Node, Operate, ShapeOf, Solver
from einsumdiff.indexing.operations import axes_in_words, integer
from einsumdiff.indexing.shapes import Shape
from einsumdiff.language.rows import Form as FormRow
from einsumdiff.nodes import Form, Label, Product, Sum, Term, bare, constant_form
from einsumdiff.program import Builder, Value, read
from einsumdiff.sizes import AnySize, nonnegative, quotient

Part = tuple[tuple[Form, ...], Value]
"""Where the entries of a value go: a form for each axis of the result, over the axes of the value."""


def placed(parts: Sequence[Part], shape: Shape, builder: Builder) -> Value:
    """The array of that shape that the parts write; where nothing is written it is 0."""
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


# ---------------------------------------------------------------------------------------------- joining


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
        parts: list[Part] = []
        start: AnySize = 0
        for one in values:
            forms = forms_of(one)
            parts.append(((*forms[:axis], forms[axis].plus(start), *forms[axis + 1 :]), one))
            start = start + one.axes[axis].size
        return placed(parts, result, builder)

    return Placing(asked.span, asked.named(nodes), rank, shape, value)


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
        return _same(asked, nodes[0])
    asked.one_rank(nodes)
    return _stacked(asked, nodes, 0)


asarray = array


def _same(asked: Asked, node: Node) -> Layout:
    return Placing(asked.span, {"x": node}, node.rank, lambda s, solver: s[0], lambda v, s, b, solver: v[0])


def hstack(asked: Asked) -> Layout:
    nodes = asked.arrays("arrays")
    rank = asked.one_rank(nodes)
    return _stacked(asked, nodes, 0) if rank == 0 else _joined(asked, nodes, 0 if rank == 1 else 1)


def vstack(asked: Asked) -> Layout:
    nodes = asked.arrays("arrays")
    if any(node.rank == 0 for node in nodes):
        raise RankFault("vstack of numbers", asked.span, "write array([[a], [b]])")
    if any(node.rank > 1 for node in nodes):
        nodes = [_as_row(asked, node) if node.rank == 1 else node for node in nodes]
    rank = asked.one_rank(nodes)
    return _stacked(asked, nodes, 0) if rank == 1 else _joined(asked, nodes, 0)


def _as_row(asked: Asked, node: Node) -> Node:
    """A vector as a matrix of one row."""
    arguments = Arguments(asked.span, "reshape", asked.span, {"a": node}, {}, {})
    found = Operate(node.span, FormRow("reshape", (), (), asked.span), arguments)
    found.meaning = _regrouped(Asked(arguments, asked.need), node, [1, -1], False)
    found.rank = 2
    return found


def column_stack(asked: Asked) -> Layout:
    nodes = asked.arrays("arrays")
    return _stacked(asked, nodes, 1) if asked.one_rank(nodes) == 1 else _joined(asked, nodes, 1)


# ------------------------------------------------------------------------------------- repeating, padding


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
    if len(reps) != 1:
        raise Unsupported(
            "repeat takes one number for all entries here", asked.span_of("repeats"), "repeat(x, 2)"
        )
    axis = 0 if asked.static("axis") is None else asked.axis(asked.static("axis"), node, "axis")
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


def pad(asked: Asked) -> Layout:
    node = asked.operand("array")
    if asked.static("mode") != "constant":
        raise Unsupported(
            f"pad with mode {asked.static('mode')!r} is not known", asked.span_of("mode"), 'mode="constant"'
        )
    widths = _widths(asked, node)
    filling = asked.static("constant_values")
    if not isinstance(filling, int | float):
        raise ValueFault("constant_values is a number", asked.span_of("constant_values"), "constant_values=0")

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        return tuple(size + a + b for size, (a, b) in zip(shapes[0], widths, strict=True))

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        if filling:
            x = builder.add([x, Value((), (Product(-filling),))])
        forms = tuple(form.plus(a) for form, (a, _) in zip(forms_of(x), widths, strict=True))
        found = placed([(forms, x)], result, builder)
        return builder.add([found, Value((), (Product(filling),))]) if filling else found

    return Placing(asked.span, {"x": node}, node.rank, shape, value)


def _widths(asked: Asked, node: Node) -> list[tuple[int, int]]:
    """`2`, `(1, 2)` for every axis, or a pair for each."""
    typed = asked.static("pad_width")
    rows = typed if isinstance(typed, tuple) else (typed, typed)
    if all(integer(width) for width in rows):
        rows = (rows if len(rows) == 2 else (rows[0], rows[0]),) * node.rank
    elif len(rows) == 1:
        rows = rows * node.rank
    found = []
    for row in rows:
        pair = row if isinstance(row, tuple) else (row, row)
        if len(pair) != 2 or not all(integer(w) and isinstance(w, int) and w >= 0 for w in pair):
            raise ValueFault(
                "pad_width is made of whole numbers", asked.span_of("pad_width"), "pad(x, (1, 2))"
            )
        found.append((int(pair[0]), int(pair[1])))
    if len(found) != node.rank:
        raise RankFault(
            f"pad_width has {len(found)} pairs, and {node.span.source} {axes_in_words(node.rank)}",
            asked.span_of("pad_width"),
            "a pair for each axis",
        )
    return found


def roll(asked: Asked) -> Layout:
    node, typed = asked.operand("a"), asked.static("axis")
    shifts = asked.whole(asked.static("shift"), "shift")
    if typed is None:
        if node.rank > 1:
            raise Unsupported("roll of the flat array", asked.span, "name an axis: roll(x, 1, axis=0)")
        typed = 0
    axes = [asked.axis(axis, node, "axis") for axis in asked.whole(typed, "axis")]
    if len(shifts) == 1:
        shifts = shifts * len(axes)
    if len(shifts) != len(axes):
        raise ValueFault("a shift for each axis", asked.span, "roll(A, (1, 2), axis=(0, 1))")

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (found,) = values
        for axis, shift in zip(axes, shifts, strict=True):
            found = _rolled(found, axis, shift, builder, asked.span)
        return found

    return Placing(asked.span, {"x": node}, node.rank, lambda shapes, solver: shapes[0], value)


def _rolled(x: Value, axis: int, shift: int, builder: Builder, span: Span) -> Value:
    size = x.axes[axis].size
    if isinstance(size, int):
        shift = shift % size if size else 0
    if shift == 0:
        return x
    near, far = (shift, size - shift) if shift > 0 else (size + shift, -shift)
    # the last `near` entries come first, then the other `far`
    if not (nonnegative(near) and nonnegative(far)):
        raise ShapeFault(
            f"a shift by {shift} may be more than the size {size}", span, "give the size as a number"
        )
    parts: list[Part] = []
    for count, start, to in ((near, far, 0), (far, 0, near)):
        label = Label(count)
        own = form_of(label)
        axes = (*x.axes[:axis], label, *x.axes[axis + 1 :])
        taken = x.substitute({x.axes[axis]: own.plus(start)})
        forms = tuple(form_of(n) for n in axes)
        parts.append(((*forms[:axis], own.plus(to), *forms[axis + 1 :]), Value(axes, taken)))
    return placed(parts, x.shape, builder)


# -------------------------------------------------------------------------------------- regrouping axes


def reshape(asked: Asked) -> Layout:
    node = asked.operand("a")
    if asked.static("order") not in ("C", "F"):
        raise ValueFault("order is 'C' or 'F'", asked.span_of("order"), 'order="C"')
    sizes = asked.static("shape")
    if isinstance(sizes, tuple) and len(sizes) == 1 and isinstance(sizes[0], tuple | ShapeOf):
        (sizes,) = sizes
    wanted = asked.sizes_of(sizes, "shape", unknown=True)
    return _regrouped(asked, node, wanted, asked.static("order") == "F")


def ravel(asked: Asked) -> Layout:
    return _regrouped(asked, asked.operand("a"), [-1], asked.static("order") == "F")


def vec(asked: Asked) -> Layout:
    """The columns one after the other, as in the Matrix Cookbook."""
    return _regrouped(asked, asked.operand("a"), [-1], True)


def flat(asked: Asked, node: Node) -> Node:
    """The node with its axes made one."""
    if node.rank == 1:
        return node
    arguments = Arguments(asked.span, "ravel", asked.span, {"a": node}, {"order": "C"}, {})
    found = Operate(asked.span, FormRow("ravel", (), (), asked.span), arguments)
    found.meaning = ravel(Asked(arguments, asked.need))
    found.rank = 1
    return found


def _regrouped(asked: Asked, node: Node, wanted: Sequence[Node | int], fortran: bool) -> Layout:
    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        sizes = [n if isinstance(n, int) else solver.resolve(solver.size_of(n)) for n in wanted]
        (old,) = shapes
        if -1 in sizes:
            rest = _volume([size for size in sizes if size != -1])
            missing = quotient(_volume(old), rest)
            if missing is None:
                raise ShapeFault(
                    f"{solver.show(old)} does not split into parts of {solver.show([rest])[1:-1]}",
                    asked.span,
                    "give the sizes as numbers, or names of them in a declaration",
                )
            sizes = [missing if size == -1 else size for size in sizes]
        if _volume(sizes) != _volume(old) and not _unified(old, sizes, solver):
            raise ShapeFault(
                f"{node.span.source} is {solver.show(old)}, which does not regroup to {solver.show(sizes)}",
                asked.span,
                "the products of the sizes must be the same: declare the shapes so that they are",
            )
        return tuple(sizes)

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        return regroup(values[0], result, fortran, builder)

    return Placing(asked.span, {"x": node}, len(wanted), shape, value)


def _unified(old: Sequence[AnySize], new: Sequence[AnySize], solver: Solver) -> bool:
    """Where one axis of unknown size is regrouped, it gets the size that fits."""
    return len(old) == 1 and solver.unify(old[0], _volume(new))


def _volume(sizes: Sequence[AnySize]) -> AnySize:
    total: AnySize = 1
    for size in sizes:
        total = total * size
    return total


def regroup(x: Value, shape: Shape, fortran: bool, builder: Builder) -> Value:
    """The entries in the same order in axes of other sizes; `fortran`: the first axis runs fastest."""
    if fortran:
        turned = regroup(x.transpose(range(len(x.axes))[::-1]), shape[::-1], False, builder)
        return turned.transpose(range(len(shape))[::-1])
    if 0 in shape:
        return Value(tuple(Label(size) for size in shape), ())
    axes: list[Label] = []
    forms: dict[Label, Form] = {}
    merged: list[tuple[list[Label], Label]] = []
    for old, new in groups(x.axes, shape):
        labels = [Label(size) for size in new]
        axes += labels
        if not old or not new:  # axes of size 1
            continue
        source = old[0] if len(old) == 1 else Label(_volume([n.size for n in old]))
        if len(old) != 1:
            merged.append((old, source))
        if source.size != 1:
            forms[source] = _flat(labels)
    if merged:
        kept: list[Label] = []
        for label in x.axes:
            source = next((s for old, s in merged if label in old), label)
            if source not in kept:
                kept.append(source)
        by_source = {s: old for old, s in merged}
        place = tuple(_flat(by_source[n]) if n in by_source else form_of(n) for n in kept)
        whole = placed([(place, x)], tuple(n.size for n in kept), builder)
        x = whole.relabel(kept)
    found = x.substitute(forms)
    return Value(tuple(axes), found)


def _flat(labels: Sequence[Label]) -> Form:
    """The place in the flat array: `i*n + j`."""
    total, stride = constant_form(0), _volume([n.size for n in labels])
    for label in labels:
        step = quotient(stride, label.size)
        assert step is not None
        stride = step
        total = total + form_of(label).times(step)
    return total


def groups(old: Sequence[Label], new: Sequence[AnySize]) -> list[tuple[list[Label], list[AnySize]]]:
    """Runs of old axes and of new sizes with equal products, as short as they can be told apart."""
    found: list[tuple[list[Label], list[AnySize]]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        a, b = old[i : i + 1], new[j : j + 1]
        i, j = i + 1, j + 1
        while (p := _volume([n.size for n in a])) != (q := _volume(b)) or not (a and b):
            if j < len(new) and (i >= len(old) or not a or (b and quotient(p, q) is not None) or _less(q, p)):
                b = (*b, new[j])
                j += 1
            elif i < len(old):
                a = (*a, old[i])
                i += 1
            else:
                break
        found.append((list(a), list(b)))
    return found


def _less(a: AnySize, b: AnySize) -> bool:
    return isinstance(a, int) and isinstance(b, int) and a < b
