"""A matrix and another that is read transposed, whose rows are a power of two apart: combined by panels.

    A + A.T   ->   for 64 rows at a time: A[k:k + 64] + (a copy of A[:, k:k + 64], with other rows).T

NumPy reads the second one along its columns. Their numbers are then a multiple of a page apart, all at one
place of the cache, which holds eight of them: each one is read from memory again for each row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from einsumdiff import plan
from einsumdiff.costs import NUMBER, number
from einsumdiff.plan import Axes, Expr
from einsumdiff.sizes import given

APART = 2048 // NUMBER
"""Rows of a multiple of so many numbers share half of the places of a cache, or fewer."""
ROWS = 64
"""The rows of a panel."""
LENGTH = ROWS + 8
"""The numbers of a row of the copy: no power of two apart."""


def crossing(parts: Sequence[Expr], axes: Axes, sizes: Mapping[str, int]) -> tuple[int, int] | None:
    """The places of the first two operands that are combined by panels, for a result laid out as `axes`."""
    if len(axes) != 2 or not all(isinstance(n.size, int) or given(n.size, sizes) for n in axes):
        return None
    rows, columns = (number(n.size, sizes) for n in axes)
    if rows < APART or columns < APART or rows % APART:
        return None
    straight, turned = axes, axes[::-1]
    places = [k for k, one in enumerate(parts) if isinstance(one, plan.Load)]
    first = {
        layout: next((k for k in places if parts[k].axes == layout), None) for layout in (straight, turned)
    }
    a, b = first[straight], first[turned]
    return None if a is None or b is None else (min(a, b), max(a, b))


def held(one: Expr, sizes: Mapping[str, int]) -> float:
    """The numbers that the copy of a panel has, if the operation is done by panels."""
    if not isinstance(one, plan.Add | plan.Multiply) or crossing(plan.parts(one), one.axes, sizes) is None:
        return 0.0
    return LENGTH * number(one.axes[1].size, sizes)
