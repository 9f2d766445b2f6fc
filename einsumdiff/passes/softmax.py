"""One exponential where two would do the same.

    exp(z - logsumexp(z))   ->   e = exp(z - max(z));  e/sum(e)

A softmax is derived and printed in the form on the left, whose rules are simple. To compute the one on the
right takes half of the exponentials, and no logarithm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.nodes import Label
from einsumdiff.plan import Expr
from einsumdiff.plan.equal import Keys


def softmaxes(statements: Sequence[plan.Statement]) -> list[plan.Statement]:
    """The statements with softmaxes in place of exponentials of differences to a logsumexp.

    A logsumexp that is a variable stays where anything else reads it: its exponentials are there then.
    """
    return _Softmaxes(statements).statements(statements)


class _Softmaxes:
    def __init__(self, statements: Sequence[plan.Statement]) -> None:
        self.keys = Keys()
        self.folds = {
            one.name: one
            for one in statements
            if isinstance(one, plan.Assign)
            and isinstance(one.value, plan.Fold)
            and one.value.op == "logsumexp"
            and not (one.own or one.shown)
            and None not in one.axes
        }
        reads: Counter[str] = Counter()
        ours: Counter[str] = Counter()
        for one in plan.everything(statements):
            if isinstance(one, plan.Load | plan.View):
                reads[one.name] += 1
            if (found := self._total(one)) is not None and isinstance(found[1], plan.Load):
                ours[found[1].name] += 1
        self.gone = {name for name in self.folds if 0 < reads[name] == ours[name]}

    def statements(self, old: Sequence[plan.Statement]) -> list[plan.Statement]:
        found: list[plan.Statement] = []
        for one in old:
            match one:
                case plan.Assign(name) if name in self.gone:
                    continue
                case plan.Assign() | plan.Write():
                    one = replace(one, value=self._changed(one.value))
                case plan.Buffer() | plan.Loop():
                    one = replace(one, body=tuple(self.statements(one.body)))
                case plan.Operator():
                    products = [replace(p, body=tuple(self.statements(p.body))) for p in one.products]
                    before = [replace(p, value=self._changed(p.value)) for p in one.before]
                    one = replace(one, before=tuple(before), products=tuple(products))
            found.append(one)
        return found

    def _changed(self, value: Expr) -> Expr:
        total = self._total(value)
        if total is None or (isinstance(total[1], plan.Load) and total[1].name not in self.gone):
            return plan.rebuilt(value, self._changed)
        whole, _, over = total
        return plan.Softmax(self._changed(whole), over, value.axes)

    def _total(self, value: Expr) -> tuple[Expr, Expr, tuple[Label, ...]] | None:
        """What `exp(z - logsumexp(z))` is the softmax of, its logsumexp, and along which labels."""
        match value:
            case plan.Apply("exp", (plan.Add(((1, whole), (-1, fold)), _),), axes):
                pass
            case _:
                return None
        inner = fold
        if isinstance(fold, plan.Load) and fold.name in self.folds:
            one = self.folds[fold.name]
            names = zip(one.axes, fold.axes, strict=True)
            inner = plan.relabelled(one.value, {old: new for old, new in names if old is not None})
        if not isinstance(inner, plan.Fold) or inner.op != "logsumexp" or set(whole.axes) != set(axes):
            return None
        number, order = self.keys.of(whole)
        same, other = self.keys.of(inner.base)
        labels = dict(zip(other, order, strict=False))
        if number != same or any(labels[label] is not label for label in inner.axes):
            return None
        return whole, fold, tuple(labels[label] for label in other if label not in inner.axes)
