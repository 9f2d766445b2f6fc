"""A logsumexp that is read once, to be taken away below an exponential, stands there itself.

    y = logsumexp(z); p = exp(z - y)   ->   p = exp(z - logsumexp(z))

That is softmax, which a target computes with one exponential and no logarithm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.plan import Expr


def softened(statements: Sequence[plan.Statement], returns: Sequence[str]) -> list[plan.Statement]:
    """The statements without variables for such a logsumexp; those that are returned stay.

    Straight-line statements only: loops, buffers and forms read in ways of their own.
    """
    plain = [one for one in statements if isinstance(one, plan.Assign | plan.Write)]
    if len(plain) + sum(isinstance(one, plan.Zeros) for one in statements) < len(statements):
        return list(statements)
    folds = {
        one.name: one
        for one in plain
        if isinstance(one, plan.Assign) and isinstance(one.value, plan.Fold) and one.value.op == "logsumexp"
    }
    if not folds:
        return list(statements)
    read = Counter(name for one in plain for name in _readings(one.value))
    written = Counter(one.name for one in plain)
    gone: set[str] = set()

    def inside(value: Expr) -> Expr:
        match value:
            case plan.Apply("exp", (plan.Add(((1, plan.Load() as base), (-1, plan.Load() as other)), axes),)):
                given = folds.get(other.name)
                match given:
                    case plan.Assign(name, plan.Fold(_, plan.Load(of)) as fold, labels) if (
                        of == base.name
                        and read[name] == 1
                        and name not in returns
                        and max(written[name], written[of]) <= 1
                    ):
                        gone.add(name)
                        new = {n: m for n, m in zip(labels, other.axes, strict=True) if n is not None}
                        own = plan.relabelled(fold, new)
                        return replace(value, operands=(plan.Add(((1, base), (-1, own)), axes),))
        return plan.rebuilt(value, inside)

    found = [
        replace(one, value=inside(one.value)) if isinstance(one, plan.Assign | plan.Write) else one
        for one in statements
    ]
    return [one for one in found if not (isinstance(one, plan.Assign) and one.name in gone)]


def is_softmax(value: Expr) -> bool:
    """Is it `exp(x - logsumexp(x))`?"""
    match value:
        case plan.Apply("exp", (plan.Add(((1, plan.Load(name, axes)), (-1, fold))),)):
            match fold:
                case plan.Fold("logsumexp", plan.Load(other, its), kept) if name == other:
                    return all(n == m if m in kept else n not in kept for n, m in zip(axes, its, strict=True))
    return False


def _readings(value: Expr) -> Iterator[str]:
    """The names of the variables that an expression reads, each as often as it stands there."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, plan.Load | plan.View):
            yield one.name
        stack += plan.parts(one)
