"""A pass over the values of statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.plan import Expr


class Rewriter:
    """Changes the values of statements; what it leaves in `before` comes ahead of the statement.

    The value of a statement that stands at an end of an axis is left alone: nothing of it may be evaluated
    where the axis is empty.
    """

    def __init__(self) -> None:
        self.before: list[plan.Statement] = []

    def statements(self, old: Sequence[plan.Statement]) -> list[plan.Statement]:
        found: list[plan.Statement] = []
        for one in old:
            new = self.statement(one)
            found += [*self.before, new]
            self.before = []
        return found

    def statement(self, one: plan.Statement) -> plan.Statement:
        match one:
            case plan.Assign(at_an_end=False) | plan.Write(at_an_end=False) | plan.Into():
                value = self.changed(one.value)
                return one if value is one.value else replace(one, value=value)
            case plan.Buffer():
                return replace(one, body=tuple(self.statements(one.body)))
        return one

    def changed(self, value: Expr) -> Expr:
        """What is computed instead."""
        raise NotImplementedError
