"""Sums along one axis of a large array of floats, by what is faster than NumPy's own adding of rows.

    X.sum(axis=0)   ->   ones @ X                     where the array stays in the cache
    X.sum(axis=1)   ->   np.einsum("ij->i", X)        rows that are short

NumPy calls a loop for each row: 15 nanoseconds, in which BLAS reads a hundred numbers. Every number stays
what it is: times one it is itself, infinities and nan too. What changes is the order of the additions, and
with it the bound of the rounding error, n times that of one addition. Along rows NumPy adds by pairs, whose
bound grows as the logarithm of n, so long rows stay its own, and so does the sum of all entries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.costs import number, volume
from einsumdiff.nodes import Label
from einsumdiff.passes.kinds import FLOAT, Kind, Kinds
from einsumdiff.passes.rewriter import Rewriter
from einsumdiff.plan import Expr
from einsumdiff.sizes import AnySize, given

LARGE = 2**12
"""From so many numbers on a microsecond for an array of ones is made up for."""
CACHED = 2**21
"""Up to so many numbers, 16 MB, a product with ones is ahead; einsum reads what comes from memory faster."""
NARROW = 16
"""Rows of at most so many numbers: einsum takes 5 nanoseconds for each, a product with ones 1 or 2."""
WIDE = 512
"""Rows of more numbers are added one to another as fast by a product with ones, wherever they are."""
LONGEST = 1024
"""Longer rows are added up by pairs."""
FEW = 32
"""So few rows are added as fast by NumPy."""


def totalled(
    statements: Sequence[plan.Statement], kinds: Kinds, sizes: Mapping[str, int], fresh: Callable[[], str]
) -> list[plan.Statement]:
    """The statements with such sums; `fresh` names the arrays of ones, one for each size and type."""
    return _Totals(kinds, sizes, fresh).statements(statements)


class _Totals(Rewriter):
    def __init__(self, kinds: Kinds, sizes: Mapping[str, int], fresh: Callable[[], str]) -> None:
        super().__init__()
        self.kinds, self.sizes, self.fresh = kinds, sizes, fresh
        self.ones: dict[tuple[AnySize, Kind], str] = {}

    def statement(self, one: plan.Statement) -> plan.Statement:
        new = super().statement(one)
        match one:
            case plan.Assign(name, value):
                kind = self.kinds.of(value)
                self.kinds.known[name] = FLOAT if kind is not None and not kind else kind
            case plan.Into(name, buffer):
                self.kinds.known[name] = self.kinds.known.get(buffer)
            case plan.Zeros(name):
                self.kinds.known[name] = FLOAT
        return new

    def changed(self, value: Expr) -> Expr:
        value = plan.rebuilt(value, self.changed)
        return self._total(value) if isinstance(value, plan.Fold) and value.op == "sum" else value

    def _total(self, value: plan.Fold) -> Expr:
        base = value.base
        gone = [n for n in base.axes if n not in value.axes]
        kind = self.kinds.of(base)
        if len(gone) != 1 or not value.axes or kind is None or not self.kinds.floating(kind):
            return value
        if not all(isinstance(n.size, int) or given(n.size, self.sizes) for n in base.axes):
            return value
        match self._way(gone[0], base, volume(value.axes, self.sizes)):
            case "ones":
                return self._times_ones(value, gone[0], kind)
            case "einsum":
                return replace(value, op="total")
        return value

    def _way(self, label: Label, base: Expr, rest: float) -> str:
        """By what a sum along a label is fastest; the rest of the array has so many places."""
        count = number(label.size, self.sizes)
        entries = count * rest
        if entries < LARGE or isinstance(base, plan.View):
            return ""
        if label is base.axes[-1]:
            if count > LONGEST:
                return ""
            return "ones" if count <= NARROW and entries <= CACHED else "einsum"
        if label is base.axes[0] and count >= FEW:
            return "ones" if entries <= CACHED or not NARROW / 2 < rest <= WIDE else "einsum"
        return ""

    def _times_ones(self, value: plan.Fold, label: Label, kind: Kind) -> Expr:
        """The sum as a product. An expression gets a name, whose type the ones take, and loses it again."""
        base, named = value.base, None
        if not isinstance(base, plan.Load):
            named = self.fresh()
            self.before.append(plan.Assign(named, base, base.axes))
            base = plan.Load(named, base.axes)
        name = self.ones.get((label.size, kind))
        if name is None:
            name = self.ones[label.size, kind] = self.fresh()
            self.before.append(plan.Assign(name, plan.Ones(base.name, (label,)), (label,)))
        product = plan.Contract(plan.Load(name, (label,)), base, value.axes)
        if named is None:
            return product
        total = self.fresh()
        self.before += [plan.Assign(total, product, value.axes), plan.Drop(named)]
        return plan.Load(total, value.axes)
