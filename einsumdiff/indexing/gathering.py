"""Arrays of places: gathers (`x[k]`, `take`), one-hot rows, and `arange`.

    x[k[i]]  ->  sum[j](x[j]*[k[i] == j])

The indicator is a definition of its own kind (`nodes.OneHot`): forms stay affine, the calculus needs no
rule for gathers, and lowering makes a gather or a scatter of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from einsumdiff.errors import IndexFault, RankFault, Span, Unsupported, ValueFault
from einsumdiff.indexing.asked import Asked, shape_of
from einsumdiff.indexing.expression import Layout, Node, Solver
from einsumdiff.indexing.known_places import Known, known, pieces, reads
from einsumdiff.indexing.operations import integer
from einsumdiff.indexing.placing import Part, form_of, placed
from einsumdiff.indexing.scalars import affine
from einsumdiff.indexing.shapes import Shape
from einsumdiff.nodes import (
    Entry,
    Extent,
    Factor,
    Guard,
    Input,
    Label,
    OneHot,
    Product,
    bare,
    constant_form,
    product,
)
from einsumdiff.program import Builder, Value, broadcast, extent, of_product
from einsumdiff.sizes import AnySize


def one_hot(asked: Asked) -> Layout:
    """`one_hot(k, n)[..., j]` is 1 where `k[...]` is j."""
    count = asked.static("num_classes")
    sizes = [] if count is None else shape_of(asked, "num_classes")
    if len(sizes) > 1:
        raise RankFault("one_hot takes one number of classes", asked.span_of("num_classes"), "one_hot(k, 10)")
    return _OneHot(asked.span, asked.operand("x"), sizes[0] if sizes else None)


class _OneHot(Layout):
    def __init__(self, span: Span, index: Node, count: Node | int | None) -> None:
        super().__init__(span, {"x": index}, index.rank + 1)
        self.count = count

    def shape(self, shapes: list[Shape], solver: Solver) -> Shape:
        if self.count is None:
            return *shapes[0], solver.unknown()
        return *shapes[0], self.count if isinstance(self.count, int) else solver.size_of(self.count)

    def value(self, values: list[Value], shape: Shape, builder: Builder) -> Value:
        (index,) = values
        place = Label(shape[-1])
        return Value((*index.axes, place), (product(1, [hot(index, place, builder, self.span)]),))


def hot(index: Value, place: Label, builder: Builder, span: Span, typed: str = "...") -> Factor:
    """`[index == place]`, over the axes of the index and the place; a delta where the index is affine."""
    form = affine(index.products)
    if form is not None:
        if not form.within(place.size):
            raise IndexFault(
                f"{span.source} may be out of bounds of an axis of size {place.size}",
                span,
                "declare the shapes, so that it is known to fit",
            )
        return Guard(form - bare(place), "==")
    entry = builder.entry(index)
    if not isinstance(entry.array, Input):
        raise Unsupported(
            "an index is computed here, and may be no whole number",
            span,
            f"pass an array that holds these numbers, as an input of its own: places = {typed} "
            "before the call, and [places] here",
        )
    # the indicator is of the whole index array, so that all who read it read one
    axes = tuple(Label(size) for size in (*entry.array.shape, place.size))
    own = tuple(constant_form(0) if label.size == 1 else bare(label) for label in axes[:-1])
    array = builder.define_body(OneHot(axes, Entry(entry.array, own)), tuple(label.size for label in axes))
    last = constant_form(0) if place.size == 1 else bare(place)
    return Entry(array, (*entry.forms, last))


def take(asked: Asked) -> Layout:
    """`take(x, k, axis=0)`: along that axis the places in k."""
    node, index = asked.operand("a"), asked.operand("indices")
    axis = asked.static("axis")
    if axis is None and node.rank > 1:
        raise Unsupported(
            "take without an axis is of the flat array", asked.span, "name one: take(x, k, axis=0)"
        )
    k = asked.axis(0 if axis is None else axis, node, "axis")
    return Gather(asked.span, node, {k: index}, k)


class Gather(Layout):
    """Some axes of x are read at the places in index arrays, which broadcast.

    Parameters
    ----------
    picks : by axis of x, the index array.
    at : where the axes of the index arrays stand among those of the result.
    """

    def __init__(self, span: Span, x: Node, picks: Mapping[int, Node], at: int) -> None:
        self.picks, self.at = picks, at
        self.common = max(node.rank for node in picks.values())
        operands = {"x": x, **{f"index{axis}": node for axis, node in picks.items()}}
        super().__init__(span, operands, max(x.rank - len(picks), 0) + self.common)

    def shape(self, shapes: list[Shape], solver: Solver) -> Shape:
        x, *indices = shapes
        common: list[AnySize] = [1] * self.common
        for shape in indices:
            for k, size in enumerate(shape, start=self.common - len(shape)):
                if common[k] == 1:
                    common[k] = size
                elif size != 1 and not solver.unify(common[k], size):
                    shown = " and ".join(solver.show(one) for one in indices)
                    raise RankFault(
                        f"the index arrays do not fit: they are {shown}", self.span, "declare them alike"
                    )
        kept = [size for axis, size in enumerate(x) if axis not in self.picks]
        return *kept[: self.at], *common, *kept[self.at :]

    def value(self, values: list[Value], shape: Shape, builder: Builder) -> Value:
        x, *indices = values
        common, aligned = broadcast(indices)
        found = Value((), x.products)
        fixed: dict[Label, Known] = {}  # by the axis of x that is read
        summed: list[Label] = []
        for axis, index, products in zip(self.picks, indices, aligned, strict=True):
            place = x.axes[axis]
            own = common[len(common) - len(index.axes) :]
            axes = tuple(new if old.size != 1 else old for old, new in zip(index.axes, own, strict=True))
            if _counts(products, place):
                if place.size == 1:  # read at 0, the only place there is
                    continue
            else:
                numbers = known(Value(axes, products), place.size, self.picks[axis].span)
                if numbers is not None:
                    fixed[place] = numbers
                    continue
            factor = hot(Value(common, products), place, builder, self.span, self.picks[axis].span.source)
            found = builder.multiply(found, of_product(product(1, [factor])))
            if place.size != 1:  # else no product bears it
                summed.append(place)
        found = builder.sum(found, summed)
        kept = [label for axis, label in enumerate(x.axes) if axis not in self.picks]
        axes = (*kept[: self.at], *common, *kept[self.at :])
        if not fixed:
            return Value(axes, found.products)
        return _read_at(fixed, found.products, axes, common, builder)


def _counts(products: Sequence[Product], place: Label) -> bool:
    """Whether the places are an affine form of counts that is in bounds: `arange(n)`."""
    form = affine(products)
    return form is not None and bool(form.coefficients) and form.within(place.size)


def _read_at(
    fixed: Mapping[Label, Known],
    products: tuple[Product, ...],
    axes: tuple[Label, ...],
    common: Sequence[Label],
    builder: Builder,
) -> Value:
    """The products at places that are known, as pieces of equal steps one after the other."""
    labels = [label for label in common if any(label in one.labels for one in fixed.values())]
    if not labels:
        forms = {place: constant_form(one.places[()]) for place, one in fixed.items()}
        return Value(axes, Value((), products).substitute(forms))
    parts: list[Part] = []
    whole = labels[-1].size if len(labels) == 1 else None
    for piece in pieces(list(fixed.values()), labels, [place.size for place in fixed]):
        read_at = {place: reads(one, labels, piece) for place, one in fixed.items()}
        written = dict(zip(labels, piece.forms(), strict=True))
        at = Value((), products).substitute({**read_at, **written})
        if piece.count == whole and piece.count > 1:
            return Value(tuple(piece.run if label in written else label for label in axes), at)
        places = tuple(written.get(label, form_of(label)) for label in axes)
        own = [label for label in axes if label not in written]
        parts.append((places, Value((*own, *[piece.run] * (piece.count > 1)), at)))
    return placed(parts, tuple(label.size for label in axes), builder)


def arange(asked: Asked) -> Layout:
    """`arange(n)`: 0, 1, ... n - 1; `arange(start, stop, step)` counts from start in steps, up or down."""
    given = [asked.static(name) for name in ("start", "stop")]
    bounds = [one for one in given if one is not None]
    step = asked.static("step")
    for name, one in zip(("start", "stop", "step"), (*given, step), strict=True):
        if isinstance(one, float):
            raise ValueFault(
                f"arange counts in whole numbers here, and {one} is none",
                asked.span_of(name),
                "write linspace(start, stop, n), or a multiple: 0.25*arange(4)",
            )
    if not integer(step) or not isinstance(step, int) or step == 0:
        raise ValueFault("a step is a whole number, and not 0", asked.span_of("step"), "arange(0, n, 2)")
    sizes = [one for one in bounds if isinstance(one, Node) or (integer(one) and isinstance(one, int))]
    if len(sizes) != len(bounds):
        raise RankFault("arange takes sizes", asked.span, "arange(n), or arange(1, n)")
    return _Arange(asked.span, sizes, step)


def _counted(axis: Label, builder: Builder) -> Value:
    """0, 1, 2, ... along the axis."""
    below = axis.fresh()
    count = product(1, [Guard(bare(axis) - bare(below).plus(1), ">=")], [below])
    found = builder.define(Value((axis,), (count,)))
    return Value((axis,), (Product(1, (Entry(found, (bare(axis),)),)),))


class _Arange(Layout):
    """`arange(n)[i]` is how many k there are below i."""

    def __init__(self, span: Span, bounds: Sequence[Node | int], step: int) -> None:
        super().__init__(span, {}, 1)
        self.bounds, self.step = bounds, step
        self.start: AnySize = 0
        self.solver: Solver | None = None

    def shape(self, shapes: list[Shape], solver: Solver) -> Shape:
        sizes = [size if isinstance(size, int) else solver.size_of(size) for size in self.bounds]
        self.start, self.solver = (sizes[0] if len(sizes) == 2 else 0), solver
        way = sizes[-1] - self.start if self.step > 0 else self.start - sizes[-1]
        count = (way + (abs(self.step) - 1)) // abs(self.step)
        return (max(count, 0) if isinstance(count, int) else count,)

    def value(self, values: list[Value], shape: Shape, builder: Builder) -> Value:
        assert self.solver is not None
        start = self.solver.resolve(self.start)
        axis = Label(shape[0])
        products = [one.times(self.step) for one in _counted(axis, builder).products]
        if start != 0:
            products.append(Product(start) if isinstance(start, int) else product(1, [Extent(start)]))
        return Value((axis,), tuple(products))


def linspace(asked: Asked) -> Layout:
    """From start to stop in equal steps, both ends included."""
    ends, count = {name: asked.operand(name) for name in ("start", "stop")}, asked.static("num")
    for node in ends.values():
        if node.rank:
            raise RankFault("linspace is between two numbers", node.span, "start + outer(t, stop - start)")
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ValueFault("num is a whole number here", asked.span_of("num"), "linspace(a, b, 50)")
    return _Linspace(asked.span, ends, count)


class _Linspace(Layout):
    """`start + i*(stop - start)/(count - 1)`."""

    def __init__(self, span: Span, ends: dict[str, Node], count: int) -> None:
        super().__init__(span, ends, 1)
        self.count = count

    def shape(self, shapes: list[Shape], solver: Solver) -> Shape:
        return (self.count,)

    def value(self, values: list[Value], shape: Shape, builder: Builder) -> Value:
        start, stop = values
        axis = Label(self.count)
        if self.count < 2:
            return Value((axis,), start.products if self.count else ())
        step = builder.multiply(builder.add([stop, builder.scale(start, -1)]), extent(self.count - 1, -1))
        return builder.add([start, builder.multiply(step, _counted(axis, builder))])
