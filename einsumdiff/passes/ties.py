"""A comparison and a share of its ties, as one array that is filled where there is a tie.

    (x > y).astype(dtype) + 0.5*(x == y).astype(dtype)   ->   t = (x > y).astype(dtype);  t[x == y] = 0.5
    (x > y).astype(dtype) + (x == y).astype(dtype)       ->   (x >= y).astype(dtype)

It is the slope of `maximum` and its kind. What cannot be compared (nan) is 0 either way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import isfinite

from einsumdiff import plan
from einsumdiff.nodes import Number, multiply_numbers
from einsumdiff.passes.rewriter import Rewriter
from einsumdiff.plan import Axes, Expr
from einsumdiff.plan.equal import Keys

OR_EQUAL = {"greater": "greater_equal", "less": "less_equal"}
"""Strict comparisons, and what holds where they do and at a tie."""


def filled(statements: Sequence[plan.Statement], fresh: Callable[[], str]) -> list[plan.Statement]:
    """The statements, with sums of comparisons as arrays that are filled; `fresh` names new variables."""
    return _Filling(fresh).statements(statements)


@dataclass(frozen=True, slots=True)
class _Test:
    """A number times a comparison; `between` are the keys of what it compares."""

    number: Number
    function: str
    cast: plan.Cast
    operands: tuple[Expr, ...]
    between: tuple[tuple[int, Axes], ...]


class _Filling(Rewriter):
    def __init__(self, fresh: Callable[[], str]) -> None:
        super().__init__()
        self.fresh = fresh
        self.keys = Keys()
        self.compared: dict[str, plan.Apply] = {}
        """Variables that hold a comparison, in the order of its axes."""

    def statement(self, one: plan.Statement) -> plan.Statement:
        if not isinstance(one, plan.Assign) or one.at_an_end:
            return super().statement(one)
        value = plan.rebuilt(one.value, self.changed)
        value = self.added(value) if isinstance(value, plan.Add) else value
        if isinstance(value, plan.Choose) and None in one.axes:
            value = self.named(value)
        if isinstance(one.value, plan.Apply) and one.value.axes == one.axes:
            self.compared[one.name] = one.value
        return one if value is one.value else replace(one, value=value)

    def changed(self, value: Expr) -> Expr:
        value = plan.rebuilt(value, self.changed)
        value = self.added(value) if isinstance(value, plan.Add) else value
        return self.named(value) if isinstance(value, plan.Choose) else value

    def named(self, value: plan.Choose) -> Expr:
        """In a variable of its own, which can be filled."""
        name = self.fresh()
        self.before.append(plan.Assign(name, value, value.axes))
        return plan.Load(name, value.axes)

    def added(self, value: plan.Add) -> Expr:
        """The sum with each strict comparison and the share of its ties as one."""
        terms = list(value.terms)
        found = [(k, self.test(sign, part)) for k, (sign, part) in enumerate(terms)]
        tests = {k: test for k, test in found if test is not None}
        for a, b in combinations(tests, 2):
            for k, other in ((a, b), (b, a)):
                joined = _joined(tests[k], tests[other])
                if joined is None:
                    continue
                if len(terms) == 2:
                    return joined
                inner = self.named(joined) if isinstance(joined, plan.Choose) else joined
                rest = [term for n, term in enumerate(terms) if n not in (a, b)]
                return self.added(plan.Add(((1, inner), *rest), value.axes))
        return value

    def test(self, sign: int, value: Expr) -> _Test | None:
        number: Number = sign
        if isinstance(value, plan.Multiply):
            for factor, other in ((value.left, value.right), (value.right, value.left)):
                if isinstance(factor, plan.Literal) and factor.power == 1 and isinstance(other, plan.Cast):
                    if not isinstance(factor.value, int | float):
                        return None
                    number, value = multiply_numbers(number, factor.value), other
                    break
        if not isinstance(value, plan.Cast) or not value.axes or not isfinite(number):
            return None  # a number times 0 is not always 0
        compared: Expr | None = value.base
        if isinstance(compared, plan.Load):
            known = self.compared.get(compared.name)
            new = {} if known is None else dict(zip(known.axes, compared.axes, strict=True))
            compared = None if known is None else plan.relabelled(known, new)
        if not isinstance(compared, plan.Apply) or compared.function not in (*OR_EQUAL, "equal"):
            return None
        between = tuple(self.keys.of(part) for part in compared.operands)
        return _Test(number, compared.function, value, compared.operands, between)


def _joined(strict: _Test, tie: _Test) -> Expr | None:
    """What is a number where a strict comparison holds, and another one at a tie."""
    if tie.function != "equal" or strict.function not in OR_EQUAL or strict.between != tie.between:
        return None
    axes = strict.cast.axes
    if set(tie.cast.axes) != set(axes):
        return None
    if strict.number == tie.number:
        held: Expr = plan.Cast(plan.Apply(OR_EQUAL[strict.function], strict.operands, axes), axes)
    else:
        held = strict.cast
    scale = multiply_numbers(strict.number, -1 if strict.number < 0 else 1)
    if scale != 1 or isinstance(scale, float):
        held = plan.Multiply(plan.Literal(scale), held, axes)
    if strict.number < 0:
        held = plan.Add(((-1, held),), axes)
    return held if strict.number == tie.number else plan.Choose(tie.cast.base, tie.number, held, axes)
