"""Exponentials over their own sum are computed once, where nobody needs the logarithm of the sum.

    S = exp(X - logsumexp(X))   ->   t = exp(X - max(X)); S = t/sum(t)

Both are stable: no exponent is positive, and one of each sum is 0. But the left side takes two exponentials
of every entry. Where the largest entry is infinite, both are nan, the right side in all of its sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.nodes import Label
from einsumdiff.plan import Axes, Expr


def normalised(
    statements: Sequence[plan.Statement], returns: Iterable[str], fresh: Callable[[], str]
) -> list[plan.Statement]:
    """The statements, with a quotient for every such exponential; `fresh` names variables."""
    often = Counter(returns)
    often.update(_read(statements))
    found = _Quotients(often, fresh)
    new = found.statements(statements)
    return [one for one in new if not (isinstance(one, plan.Assign) and one.name in found.unread)]


def _read(statements: Iterable[plan.Statement]) -> Iterator[str]:
    """The variables that are read, each as often as it is."""
    for one in statements:
        stack: list[Expr] = []
        match one:
            case plan.Assign(_, value) | plan.Write(_, _, _, value):
                stack.append(value)
            case plan.Loop(_, _, body) | plan.Buffer(_, _, body):
                yield from _read(body)
            case plan.Store(kept=kept):
                stack += [part for core in kept for part in (*core.factors, core.scale)]
                stack += [index for core in kept for _, index in core.places]
            case plan.Operator(_, before, _, _, products):
                yield from _read(before)
                for times in products:
                    yield from _read(times.body)
        while stack:
            part = stack.pop()
            if isinstance(part, plan.Load | plan.View):
                yield part.name
            stack += plan.parts(part)


class _Quotients:
    def __init__(self, often: Counter[str], fresh: Callable[[], str]) -> None:
        self.often, self.fresh = often, fresh
        self.sums: dict[str, tuple[plan.Fold, Axes]] = {}
        """The variables that hold the logarithm of a sum and are read once, with the labels of their axes."""
        self.unread: set[str] = set()
        self.before: list[plan.Statement] = []

    def statements(self, old: Sequence[plan.Statement]) -> list[plan.Statement]:
        found: list[plan.Statement] = []
        for one in old:
            match one:
                case plan.Assign(name, value, axes):
                    if isinstance(value, plan.Fold) and value.op == "logsumexp" and self.often[name] == 1:
                        self.sums[name] = value, tuple(label for label in axes if label is not None)
                    one = replace(one, value=self.changed(value))
                case plan.Write(value=value):
                    one = replace(one, value=self.changed(value))
                case plan.Buffer(body=body):
                    one = replace(one, body=tuple(self.statements(body)))
            found += [*self.before, one]
            self.before = []
        return found

    def changed(self, value: Expr) -> Expr:
        match value:
            case plan.Apply("exp", (plan.Add(((1, plan.Load() as base), (-1, other))),), axes) if (
                axes == base.axes
            ):
                over = self._over(base, other)
                if over is not None:
                    return self._quotient(base, over)
        return plan.rebuilt(value, self.changed)

    def _over(self, base: plan.Load, other: Expr) -> set[Label] | None:
        """The labels of base over which `other` is the logarithm of the sum of its exponentials."""
        new: dict[Label, Label] = {}
        total = other
        if isinstance(other, plan.Load) and other.name in self.sums:
            total, axes = self.sums[other.name]
            if len(axes) != len(other.axes) or set(axes) != set(total.axes):
                return None
            new = dict(zip(axes, other.axes, strict=True))
        if not (
            isinstance(total, plan.Fold) and total.op == "logsumexp" and isinstance(total.base, plan.Load)
        ):
            return None
        if total.base.name != base.name:
            return None
        kept = [new.get(n, n) if n in total.axes else None for n in total.base.axes]
        if any(n is not None and n is not own for n, own in zip(kept, base.axes, strict=True)):
            return None
        if isinstance(other, plan.Load):
            self.unread.add(other.name)
        return {own for n, own in zip(kept, base.axes, strict=True) if n is None}

    def _quotient(self, base: plan.Load, over: set[Label]) -> Expr:
        rest = tuple(n for n in base.axes if n not in over)
        shifted = plan.Add(((1, base), (-1, plan.Fold("max", base, rest))), base.axes)
        name = self.fresh()
        self.before.append(plan.Assign(name, plan.Apply("exp", (shifted,), base.axes), base.axes))
        made = plan.Load(name, base.axes)
        return plan.Divide(made, plan.Fold("sum", made, rest), base.axes)
