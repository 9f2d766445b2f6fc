"""Whole powers of arrays are products: NumPy computes a third power as it does any, in 70 times the time.

    y = exp(x)**3   ->   t = exp(x); y = t*t*t;        y = x**6   ->   y = (x*x*x)**2

By squares, as JAX does; k - 1 multiplications, of which many are one, err by (k - 1)/2 units of the last
place at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from einsumdiff import plan
from einsumdiff.passes.rewriter import Rewriter
from einsumdiff.plan import Expr

LARGEST = 32
"""A larger power is NumPy's own: it would be exact to fewer digits."""


def multiplied(statements: Sequence[plan.Statement], fresh: Callable[[], str]) -> list[plan.Statement]:
    """The statements with powers as products; `fresh` names variables for what is raised."""
    return _Powers(fresh).statements(statements)


class _Powers(Rewriter):
    def __init__(self, fresh: Callable[[], str]) -> None:
        super().__init__()
        self.fresh = fresh

    def changed(self, value: Expr) -> Expr:
        value = plan.rebuilt(value, self.changed)
        if not isinstance(value, plan.Power) or not value.axes or value.power.denominator != 1:
            return value
        if not 2 < value.power <= LARGEST:
            return value
        power, base = int(value.power), value.base
        if power & (power - 1) and not isinstance(base, plan.Load):
            name = self.fresh()
            self.before.append(plan.Assign(name, base, base.axes))
            base = plan.Load(name, base.axes)
        return _raised(base, power)


def _raised(base: Expr, power: int) -> Expr:
    if power == 1:
        return base
    if power == 3:
        return plan.Multiply(plan.Multiply(base, base, base.axes), base, base.axes)
    if power % 2:
        return plan.Multiply(_raised(base, power - 1), base, base.axes)
    return plan.Power(_raised(base, power // 2), 2, base.axes)
