"""Which guards make a cumulative sum: `[i - k >= 0]` over a summed label is a running total, no triangle."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from einsumdiff import plan
from einsumdiff.nodes import Form, Guard, Label, Mask
from einsumdiff.plan import Expr

Triangle = tuple[Label, Label, bool, bool]
"""The label that is summed, the other one, and whether the sum is from there on, and without it."""


def triangle(guard: Guard, bound: Sequence[Label], barred: Container[Label]) -> list[Triangle]:
    """How `[a - b >= 0]` or `[a - b - 1 >= 0]` may be read, for labels of one size."""
    if guard.op != ">=" or len(guard.form.coefficients) != 2 or guard.form.constant not in (0, -1):
        return []
    (a, c), (b, d) = guard.form.coefficients
    if (c, d) == (-1, 1):
        a, b = b, a
    elif (c, d) != (1, -1):
        return []
    if a.size != b.size or a in barred or b in barred:
        return []
    apart = guard.form.constant == -1
    ways = [(b, a, False, apart), (a, b, True, apart)]
    return [way for way in ways if way[0] in bound]


def stairs(
    conditions: Sequence[Guard | Mask], bound: Sequence[Label]
) -> Iterator[tuple[Guard, tuple[Label, int]]]:
    """Guards `[place - k >= 0]` or `[k - place >= 0]` with a summed label k, and the sign of that."""
    for guard in conditions:
        if isinstance(guard, Guard) and guard.op == ">=" and len(guard.form.coefficients) > 1:
            for label, c in sorted(guard.form.coefficients, key=lambda item: item[1] != -1):
                if label in bound and isinstance(c, int) and abs(c) == 1:
                    yield guard, (label, c)


def running_sum(base: Expr, label: Label, place: Form, reverse: bool) -> Expr:
    """The sums of `base` along `label` up to each place, or from there on."""
    for apart in (False, True):
        own = place.plus(0 if not apart else -1 if reverse else 1).label
        if own is not None and own.size == label.size:
            axes = tuple(own if n is label else n for n in base.axes)
            return plan.Running("sum", base, label, own, reverse, apart, axes)
    k = base.axes.index(label)
    axes = (*base.axes[:k], *place.labels, *base.axes[k + 1 :])
    return plan.RunningAt(base, label, place, reverse, axes)


def but(form: Form, label: Label) -> Form:
    """The form without that label."""
    return Form(tuple(item for item in form.coefficients if item[0] is not label), form.constant)
