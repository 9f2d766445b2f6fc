"""Arrays made in nested loops.

A chain of operations is one loop over the labels of its result, and a reduction sums the chain below it.
What stays an array: definitions (they have a name as they are read often), operands of matrix products,
which BLAS multiplies, and what would be computed again and again in an inner loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.nodes import Label
from einsumdiff.plan import Expr
from einsumdiff.sizes import AnySize
from einsumdiff.targets.numba.effort import repeatable, work
from einsumdiff.targets.numba.entries import Entries

Maker = Callable[[str, Expr], None]

SERIAL = "for {} in range({}):"
PARALLEL = "for {} in numba.prange({}):"


class Nests(Entries):
    """Writes loops; those with a number in `parallel` run in parallel, `works` has the work of each."""

    def __init__(self, taken: set[str], indices: frozenset[str], parallel: frozenset[int]) -> None:
        super().__init__(taken, indices)
        self.parallel = parallel
        self.works: list[AnySize] = []
        self.deep = 0  # loops of the plan around these
        self.read_at: dict[tuple[str, AnySize], None] = {}  # index arrays, and the size of what they index

    # -- loops ------------------------------------------------------------------------------------------

    def nest(self, labels: Sequence[Label], entry: Callable[[], None], cost: AnySize | None) -> None:
        """Loops over the labels. The outermost may be parallel, unless the cost is None."""
        if not labels:
            entry()
            return
        with self.looping(labels[0], self.header(cost)):
            self.within(labels[1:], entry)

    def within(self, labels: Sequence[Label], entry: Callable[[], None]) -> None:
        if not labels:
            entry()
            return
        with self.looping(labels[0]):
            self.within(labels[1:], entry)

    def header(self, cost: AnySize | None) -> str:
        if cost is None or self.deep:
            return SERIAL
        self.works.append(cost)
        return PARALLEL if len(self.works) - 1 in self.parallel else SERIAL

    def shape(self, sizes: Sequence[AnySize]) -> str:
        texts = [self.size(size) for size in sizes]
        return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"

    def empty(self, name: str, labels: Sequence[Label | None], kind: str | None = None) -> None:
        sizes = [1 if label is None else label.size for label in labels]
        self.line(f"{name} = np.empty({self.shape(sizes)}, {kind or self.kind})")

    def target(self, name: str, labels: Sequence[Label | None]) -> str:
        """The entry of an array at the places of the open loops."""
        return self.indexed(name, ["0" if label is None else self.at[label] for label in labels]).text

    # -- arrays -----------------------------------------------------------------------------------------

    def assign(self, name: str, value: Expr, axes: Sequence[Label | None]) -> None:
        """An array of those axes, None for one of size 1; without axes a number."""
        labels = tuple(label for label in axes if label is not None)
        value = self.reduced(value)
        if isinstance(value, plan.Contract | plan.Fold) and set(axes) == set(value.axes):
            value = replace(value, axes=labels)
        made = self.making(value)
        if made is not None and tuple(axes) == value.axes:
            made(name, value)
            return
        value = self.prepared(self.kept(value) if made is not None else value, labels)
        if not axes:
            self.numbers.add(name)
            self.line(f"{name} = {self.scalar(value).text}")
            return
        boolean = self.boolean(value)
        if boolean:
            self.booleans.add(name)
        self.empty(name, axes, "np.bool_" if boolean else None)

        def entry() -> None:
            text = self.scalar(value).text
            self.line(f"{self.target(name, axes)} = {text}")

        self.nest(labels, entry, self.cost(value, labels))

    def kept(self, value: Expr, axes: Sequence[Label] | None = None) -> plan.Load:
        """The value in an array, or a number, of its own."""
        name, axes = self.fresh("t"), value.axes if axes is None else tuple(axes)
        self.assign(name, value, axes)
        return plan.Load(name, axes)

    @staticmethod
    def cost(value: Expr, labels: Sequence[Label]) -> AnySize:
        """About how many operations a nest takes."""
        places: AnySize = 1
        for label in labels:
            places = places * label.size
        return places + work(value)

    # -- what is an array of its own --------------------------------------------------------------------

    def prepared(self, value: Expr, order: Sequence[Label]) -> Expr:
        """The value, with arrays for what is not to be computed in loops of that order.

        A part that lacks the label of an outer loop would be computed again for each of its places.
        """
        value = self.reduced(value)
        wanted = tuple(label for label in order if label in value.axes)
        wanted = wanted if len(wanted) == len(value.axes) else value.axes
        if self.making(value) is not None and not _in_place(value, order):
            return self.kept(value, wanted)
        match value:
            case plan.Load() | plan.Literal() | plan.Named() | plan.Condition() | plan.Place() | plan.View():
                return value
            case plan.Fold(op, base, axes):
                inner = (*order[: len(axes)], *(label for label in base.axes if label not in axes))
                return plan.Fold(op, self.prepared(base, inner), axes)
            case plan.Take(base, label, index, axes):
                taken = base if isinstance(base, plan.Load | plan.View) else self.kept(base)
                return plan.Take(taken, label, self.indexing(index, label.size), axes)
            case plan.Hot(index, form, size, axes):
                return plan.Hot(self.indexing(index, size), form, size, axes)
        if value.axes and set(value.axes) != set(order[: len(value.axes)]) and not repeatable(value):
            return self.kept(value, wanted)
        return plan.rebuilt(value, lambda part: self.prepared(part, order))

    def indexing(self, index: Expr, size: AnySize) -> Expr:
        """Places along an axis of that size; those that an argument holds are checked before the loops."""
        if isinstance(index, plan.Load | plan.View):
            self.read_at[index.name, size] = None
        return index

    def reduced(self, value: Expr) -> Expr:
        """The value in terms of what loops know: plain reductions."""
        raise NotImplementedError

    def making(self, value: Expr) -> Maker | None:
        """What makes an array of that value, with the axes of the value; None for what is elementwise."""
        raise NotImplementedError


def _in_place(value: Expr, order: Sequence[Label]) -> bool:
    """Whether a reduction is computed inside of the loops around it, once for each entry."""
    if not isinstance(value, plan.Fold) or not value.axes:
        return False
    leading = set(value.axes) == set(order[: len(value.axes)])
    return leading and value.base.axes[0] in value.axes
