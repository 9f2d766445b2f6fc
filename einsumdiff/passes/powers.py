"""Whole powers of arrays are products: NumPy computes a third power as it does any, in 70 times the time.

    y = exp(x)**3   ->   t = exp(x); y = t*t*t;        y = x**6   ->   y = (x*x*x)**2

By squares, as JAX does; k - 1 multiplications, of which many are one, err by (k - 1)/2 units of the last
place at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.plan import Expr

LARGEST = 32
"""A larger power is NumPy's own: it would be exact to fewer digits."""


def multiplied(statements: Sequence[plan.Statement], fresh: Callable[[], str]) -> list[plan.Statement]:
    """The statements with powers as products; `fresh` names variables for what is raised."""
    return _Powers(fresh).statements(statements)


class _Powers:
    def __init__(self, fresh: Callable[[], str]) -> None:
        self.fresh = fresh
        self.before: list[plan.Statement] = []

    def statements(self, old: Sequence[plan.Statement]) -> list[plan.Statement]:
        found: list[plan.Statement] = []
        for one in old:
            if isinstance(one, plan.Assign) or (isinstance(one, plan.Write) and not one.at_an_end):
                value = self.changed(one.value)
                one = one if value is one.value else replace(one, value=value)
            elif isinstance(one, plan.Buffer | plan.Loop):
                one = replace(one, body=tuple(self.statements(one.body)))
            found += [*self.before, one]
            self.before = []
        return found

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
