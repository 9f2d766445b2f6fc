"""What entries cost when they are computed again instead of being kept in an array."""

from __future__ import annotations

from fractions import Fraction

from einsumdiff import plan
from einsumdiff.plan import Expr
from einsumdiff.sizes import AnySize
from einsumdiff.targets.numba.scalars import CHEAP

MOST_REPEATED = 3
"""So many cheap operations are computed again rather than kept in an array."""


def _own(value: Expr) -> float:
    """About how many multiplications the outermost operation takes."""
    match value:
        case plan.Load() | plan.Literal() | plan.Named():
            return 0
        case plan.View():
            return 0 if value.proved else 1
        case plan.Add(terms, _):
            return max(1, len(terms) - 1)
        case plan.Apply(name):
            return 1 if name in CHEAP else 10
        case plan.Power(_, power, _):
            return 1 if isinstance(power, int) or power == Fraction(1, 2) else 10
        case plan.Fold() | plan.Contract():
            return 100
        case _:
            return 1


def repeatable(value: Expr, most: int = MOST_REPEATED) -> bool:
    """Is it cheaper to compute an entry again than to keep it? It takes so many multiplications at most."""
    left: float = most
    stack = [value]
    while stack and left >= 0:
        one = stack.pop()
        left -= _own(one)
        stack += plan.parts(one)
    return left >= 0


def work(value: Expr) -> AnySize:
    """About how many multiplications all entries take, as a polynomial of sizes."""
    total: AnySize = 0
    stack = [value]
    while stack:
        one = stack.pop()
        stack += plan.parts(one)
        labels = dict.fromkeys(n for part in (one, *plan.parts(one)) for n in part.axes)
        often: AnySize = 1
        for label in labels:
            often = often * label.size
        own = _own(one)
        total = total + often * int(1 if own == 100 else own)
    return total
