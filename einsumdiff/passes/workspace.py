"""Arrays that a call needs on its way are kept for the next call.

Every operation on whole arrays that can be written into an array gets a variable, and that the same array in
every call with arguments of these shapes and types. What is returned is made anew, and so is what shares
memory with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.passes.kinds import in_place
from einsumdiff.passes.reuse import shares
from einsumdiff.passes.templates import opened
from einsumdiff.plan import Axes, Expr


def kept(
    statements: Sequence[plan.Statement], returns: Collection[str], fresh: Callable[[], str]
) -> list[plan.Statement]:
    """The statements, with `Keep` for what is written into an array of the workspace."""
    outside = set(returns)
    for one in reversed(statements):  # in whose memory a result ends
        if isinstance(one, plan.Into) and one.name in outside:
            outside.add(one.buffer)
        elif isinstance(one, plan.Assign) and not one.own and one.name in outside:
            outside |= shares(one.value)
    return _Keeping(outside, fresh).statements(statements)


class _Keeping:
    def __init__(self, outside: Collection[str], fresh: Callable[[], str]) -> None:
        self.outside, self.fresh = outside, fresh
        self.found: list[plan.Statement] = []

    def statements(self, old: Sequence[plan.Statement]) -> list[plan.Statement]:
        around, self.found = self.found, []
        for one in old:
            match one:
                case plan.Drop():
                    pass
                case plan.Assign(name, value, axes) if (
                    name not in self.outside and axes == value.axes and _writable(value)
                ):
                    self._keep(name, value, value.axes)
                case plan.Assign(value=value) | plan.Into(value=value):
                    self.found.append(replace(one, value=self.inside(value)))
                case plan.Write(value=value) if not one.at_an_end:
                    self.found.append(replace(one, value=self.value(value)))
                case plan.Buffer(name, _, body):
                    self.outside = {*self.outside, name}
                    self.found.append(replace(one, body=tuple(self.statements(body))))
                case plan.Blocked(made=made, body=body):
                    ours = tuple(replace(n, kept=n.name not in self.outside) for n in made)
                    self.found.append(replace(one, made=ours, body=tuple(self.statements(body))))
                case _:
                    self.found.append(one)
        found, self.found = self.found, around
        return found

    def inside(self, one: Expr) -> Expr:
        """The expression over variables of the workspace, itself not one."""
        steps = opened(one) if isinstance(one, plan.Apply) and one.axes else None
        one = one if steps is None else steps
        if isinstance(one, plan.Add) and len(one.terms) > 2 and one.axes:  # one after the other
            *first, last = one.terms
            sums = plan.Add(tuple(first), plan.union([part for _, part in first]))
            one = plan.Add(((1, sums), last), one.axes)
        if isinstance(one, plan.Add) and len(one.terms) == 2 and max(sign for sign, _ in one.terms) < 0:
            one = plan.Add(((-1, plan.Add(tuple((1, part) for _, part in one.terms), one.axes)),), one.axes)
        return plan.rebuilt(one, self.value) if plan.parts(one) else one

    def value(self, one: Expr) -> Expr:
        steps = opened(one) if isinstance(one, plan.Apply) and one.axes else None
        one = one if steps is None else steps
        return self._keep(self.fresh(), one, one.axes) if _writable(one) else self.inside(one)

    def _keep(self, name: str, one: Expr, axes: Axes) -> plan.Load:
        value = self.inside(one)
        self.found.append(plan.Keep(name, value, axes))
        return plan.Load(name, axes)


def _writable(one: Expr) -> bool:
    """Is it an array that NumPy can write into another?"""
    match one:
        case plan.Add() | plan.Multiply() | plan.Divide() | plan.Power() | plan.Contract():
            return bool(one.axes) and not shares(one)
        case plan.Ones():
            return True
        case plan.Fold(op, _, _):
            return bool(one.axes) and op != "logsumexp"
        case plan.Apply(function, _, _):
            return bool(one.axes) and (in_place(function) is not None or opened(one) is not None)
        case _:
            return False
