"""Axes merged and split, the entries in the same order: reshape, ravel, vec, and what works on flat arrays.

A.reshape(-1)[i*n + j] = A[i, j]        x.reshape(m, n)[i, j] = x[i*n + j]
"""

from __future__ import annotations

from collections.abc import Sequence

from einsumdiff.errors import ShapeFault, ValueFault
from einsumdiff.indexing.asked import Asked, letters, product
from einsumdiff.indexing.expression import Arguments, Layout, Meaning, Node, Operate, ShapeOf, Solver
from einsumdiff.indexing.placing import Placing, form_of, placed, same
from einsumdiff.indexing.shapes import Shape
from einsumdiff.language.rows import Form as FormRow
from einsumdiff.nodes import Form, Label, constant_form
from einsumdiff.program import Builder, Value
from einsumdiff.sizes import AnySize, quotient


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


def atleast_1d(asked: Asked) -> Layout:
    node = asked.operand("a")
    return _regrouped(asked, node, [1], False) if node.rank == 0 else same(asked, node)


def atleast_2d(asked: Asked) -> Layout:
    node = asked.operand("a")
    return _regrouped(asked, node, [1, -1], False) if node.rank < 2 else same(asked, node)


def outer(asked: Asked) -> Layout | Meaning:
    """Every entry of a times every entry of b, both as vectors."""
    a, b = asked.operand("a"), asked.operand("b")
    if a.rank == b.rank == 1:
        i, j = letters(2)
        return product(asked.span, [("a", a, [i]), ("b", b, [j])], [i, j])

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        return tuple(volume(one) for one in shapes)

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        x, y = (regroup(one, (volume(one.shape),), False, builder) for one in values)
        column = Value((*x.axes, Label(1)), x.products)
        return builder.multiply(column, y)

    return Placing(asked.span, {"a": a, "b": b}, 2, shape, value)


def vdot(asked: Asked) -> Meaning:
    """The sum of the products of all entries, in the order of the flat arrays."""
    a, b = asked.operand("a"), asked.operand("b")
    if a.rank != b.rank:
        a, b = flat(asked, a), flat(asked, b)
    axes = letters(a.rank)
    return product(asked.span, [("a", a, axes), ("b", b, axes)], [])


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
            rest = volume([size for size in sizes if size != -1])
            missing = quotient(volume(old), rest)
            if missing is None:
                raise ShapeFault(
                    f"{solver.show(old)} does not split into parts of {solver.show([rest])[1:-1]}",
                    asked.span,
                    "give the sizes as numbers, or names of them in a declaration",
                )
            sizes = [missing if size == -1 else size for size in sizes]
        if volume(sizes) != volume(old) and not _unified(old, sizes, solver):
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
    return len(old) == 1 and solver.unify(old[0], volume(new))


def volume(sizes: Sequence[AnySize]) -> AnySize:
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
        source = old[0] if len(old) == 1 else Label(volume([n.size for n in old]))
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
    total = constant_form(0)
    stride: AnySize = 1
    for label in reversed(labels):
        total, stride = total + form_of(label).times(stride), label.size * stride
    return total


def groups(old: Sequence[Label], new: Sequence[AnySize]) -> list[tuple[list[Label], list[AnySize]]]:
    """Runs of old axes and of new sizes with equal products, as short as they can be told apart."""
    found: list[tuple[list[Label], list[AnySize]]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        a, b = old[i : i + 1], new[j : j + 1]
        i, j = i + 1, j + 1
        while (p := volume([n.size for n in a])) != (q := volume(b)) or not (a and b):
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
