"""NumPy's basic indexing: slices, numbers, None and `...`, as affine accesses.

    x[1:]  ->  x[i + 1]        x[::-1]  ->  x[n - 1 - i]        A[0]  ->  A[0, i]

Where a size is no number, a slice must be in bounds for every size: `x[1:]` is, `x[:3]` is not, as NumPy
would cut it short where x is shorter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from einsumdiff.errors import IndexFault, RankFault, ValueFault
from einsumdiff.indexing.asked import Asked
from einsumdiff.indexing.expression import Cut, Layout, Node, Operate, Solver, Static, is_size
from einsumdiff.indexing.gathering import Gather
from einsumdiff.indexing.operations import axes_in_words
from einsumdiff.indexing.shapes import Shape
from einsumdiff.language.rows import Form as FormRow
from einsumdiff.nodes import Form, Label, bare, constant_form
from einsumdiff.program import Builder, Value
from einsumdiff.sizes import AnySize, nonnegative


@dataclass(frozen=True, slots=True)
class Places:
    """`count` places of an axis from `start` on; `count` is None where a number takes the axis away."""

    start: AnySize
    count: AnySize | None
    step: int

    def resolved(self, solver: Solver) -> Places:
        count = None if self.count is None else solver.resolve(self.count)
        return Places(solver.resolve(self.start), count, self.step)

    def form(self, label: Label | None) -> Form:
        """The place that a label of the result's axis stands for."""
        if label is None or label.size == 1:
            return constant_form(self.start)
        return bare(label).times(self.step).plus(self.start)


def subscripted(asked: Asked) -> Layout:
    """`x[1:, None]`, `x[..., ::-1]`, `A[0]`."""
    node, items = asked.operand("x"), asked.static("items")
    assert isinstance(items, tuple)
    plain = sum(isinstance(item, Cut) for item in items)
    if sum(item is Ellipsis for item in items) > 1:
        raise ValueFault("... stands twice in this bracket", asked.span, "write it once")
    if node.rank < plain and not asked.need(node, plain):
        raise RankFault(
            f"{node.span.source} has {axes_in_words(node.rank)}, and {plain} stand in the bracket",
            asked.span,
            "declare its shape, or write fewer",
        )
    if Ellipsis not in items:
        items = (*items, Ellipsis)
    rest = max(node.rank, plain) - plain
    whole = Cut(None, None, None, False, asked.span)
    spread: list[Static] = []
    for item in items:
        spread += [whole] * rest if item is Ellipsis else [item]
    picks = {k: item.start for k, item in enumerate(spread) if isinstance(item, Cut) and _picks(item)}
    if not picks:
        return Slicing(asked, node, spread)
    sliced = Operate(asked.span, FormRow("subscripted", (), (), asked.span), asked.arguments)
    sliced.meaning = Slicing(asked, node, [whole if k in picks else item for k, item in enumerate(spread)])
    sliced.rank = sliced.meaning.rank
    return Gather(asked.span, sliced, *_placed(spread, picks))


def _picks(cut: Cut) -> bool:
    """Whether an item is an index array, and no size."""
    return cut.single and isinstance(cut.start, Node) and not is_size(cut.start)


def _placed(items: Sequence[Static], picks: Mapping[int, Static]) -> tuple[dict[int, Node], int]:
    """The index arrays by the axis of what the slices leave, and where their axes go.

    As in NumPy: where the first of them stands if they stand together, numbers counting among them,
    else in front.
    """
    single = [isinstance(item, Cut) and item.single for item in items]
    advanced = [k for k, one in enumerate(single) if one]
    kept = [k for k, one in enumerate(single) if not one or k in picks]
    together = advanced[-1] - advanced[0] == len(advanced) - 1
    at = sum(k < advanced[0] for k in kept) if together else 0
    return {kept.index(k): node for k, node in picks.items() if isinstance(node, Node)}, at


class Slicing(Layout):
    """Every item is a Cut of the next axis, or None for a new axis."""

    def __init__(self, asked: Asked, node: Node, items: Sequence[Static]) -> None:
        single = sum(isinstance(item, Cut) and item.single for item in items)
        super().__init__(asked.span, {"x": node}, len(items) - single)
        self.items = items
        self.cuts = [item for item in items if isinstance(item, Cut)]
        self.places: list[Places] = []
        self.solver: Solver | None = None

    def shape(self, shapes: list[Shape], solver: Solver) -> Shape:
        self.solver = solver
        (x,) = shapes
        self.places = [places(cut, size, solver) for cut, size in zip(self.cuts, x, strict=True)]
        rest = iter(self.places)
        counts = [1 if item is None else next(rest).count for item in self.items]
        return tuple(count for count in counts if count is not None)

    def value(self, values: list[Value], shape: Shape, builder: Builder) -> Value:
        assert self.solver is not None
        (x,) = values
        axes = [Label(size) for size in shape]
        new = iter(axes)
        forms = list(self._forms(x.axes, new))
        read = {old: form for old, form in zip(x.axes, forms, strict=True) if old.size != 1}
        return Value(tuple(axes), x.substitute(read) if read else x.products)

    def _forms(self, old: Sequence[Label], new: Iterator[Label]) -> Iterator[Form]:
        """For each axis of x, where it is read."""
        assert self.solver is not None
        rest = iter(zip(self.cuts, self.places, old, strict=True))
        for item in self.items:
            if item is None:
                next(new)
                continue
            cut, place, axis = next(rest)
            place = place.resolved(self.solver)
            form = place.form(None if cut.single else next(new))
            if not form.within(axis.size):
                raise _out_of_bounds(cut, axis.size, cut.single)
            yield form


def places(cut: Cut, size: AnySize, solver: Solver) -> Places:
    """Where a cut of an axis of that size begins, how many places it has, and its step."""
    start, stop = (_bound(part, cut, solver) for part in (cut.start, cut.stop))
    if cut.single:
        assert start is not None
        return Places(size + start if _from_the_end(start) else start, None, 1)
    step = _bound(cut.step, cut, solver)
    step = 1 if step is None else step
    if not isinstance(step, int) or step == 0:
        raise ValueFault("a step is a whole number, and not 0", cut.span, "x[::2] takes every second entry")
    if isinstance(size, int) and all(part is None or isinstance(part, int) for part in (start, stop)):
        whole = range(*slice(start, stop, step).indices(size))
        return Places(whole.start, len(whole), step)
    first: AnySize = 0 if step > 0 else size - 1
    last: AnySize = size if step > 0 else -1
    begin = first if start is None else size + start if _from_the_end(start) else start
    end = last if stop is None else size + stop if _from_the_end(stop) else stop
    if step > 0 and isinstance(end, int) and isinstance(begin, int) and end < begin:
        end = begin
    span = end - begin if step > 0 else begin - end
    return Places(begin, (span + (abs(step) - 1)) // abs(step), step)


def _bound(part: Static, cut: Cut, solver: Solver) -> AnySize | None:
    match part:
        case None:
            return None
        case int():
            return int(part)
        case Node():
            return solver.size_of(part)
    raise IndexFault(f"{cut.span.source} is no whole number", cut.span, "brackets hold whole numbers: x[1:3]")


def _from_the_end(bound: AnySize) -> bool:
    return nonnegative(-bound) and bound != 0


def _out_of_bounds(cut: Cut, size: AnySize, single: bool) -> IndexFault:
    known = isinstance(size, int)
    what = "is" if known else "may be"
    return IndexFault(
        f"{cut.span.source} {what} out of bounds of an axis of size {size}",
        cut.span,
        "counting starts at 0" if known else "give the size as a number, in shapes= or a declaration",
    )


def flip(asked: Asked) -> Layout:
    """`x[::-1]` along the axes that are named, all of them if none is."""
    return _flipped(asked, asked.static("axis"))


def fliplr(asked: Asked) -> Layout:
    return _flipped(asked, 1)


def flipud(asked: Asked) -> Layout:
    return _flipped(asked, 0)


def _flipped(asked: Asked, typed: object) -> Layout:
    node = asked.operand("m")
    named = (
        range(node.rank)
        if typed is None
        else [asked.axis(a, node, "axis") for a in asked.whole(typed, "axis")]
    )
    rank = max([node.rank, *(axis + 1 for axis in named)])
    items = [Cut(None, None, -1 if axis in named else None, False, asked.span) for axis in range(rank)]
    return Slicing(asked, node, items)
