"""What several statements compute is computed once.

    result1 = (T - U @ V.T) @ V;  result2 = (T - U @ V.T).T @ U   ->   t1 = T - U @ V.T; ...

What is inside of loops and operators stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace

from einsumdiff import plan
from einsumdiff.passes.rewriter import Rewriter
from einsumdiff.plan import Expr
from einsumdiff.plan.equal import Keys

LEAVES = (plan.Load, plan.View, plan.Literal, plan.Named, plan.Condition, plan.Place)
"""What is there already, or costs no more than to be read."""


def shared(statements: Sequence[plan.Statement], fresh: Callable[[], str]) -> list[plan.Statement]:
    """The statements, with variables of their own for what is computed twice; `fresh` names them."""
    keys = Keys()
    often = _counted(statements, keys) if _perhaps(statements) else None
    if not often:
        return list(statements)
    return _Sharing(keys, often, _written(statements), fresh).statements(statements)


_WORDS = {kind: [one.name for one in fields(kind) if one.type == "str"] for kind in plan.KINDS}
"""The names in a class of expressions."""


def _perhaps(statements: Sequence[plan.Statement]) -> bool:
    """Are there two expressions of the same operations on the same variables, whatever their labels?

    Most plans have none, and equal arrays need not be looked for.
    """
    marks: dict[Expr, int] = {}
    seen: set[int] = set()
    for one in reversed(list(plan.everything(statements))):  # parts first
        own = [marks[part] for part in plan.parts(one)]
        words = [getattr(one, name) for name in _WORDS[type(one)]]
        number = one.value if isinstance(one, plan.Literal) else None
        marks[one] = mark = hash((type(one), number, *words, *sorted(own)))
        if worth(one):
            if mark in seen:
                return True
            seen.add(mark)
    return False


def worth(value: Expr) -> bool:
    """Does it cost more than to read the result?"""
    match value:
        case plan.Cast() | plan.Whole() | plan.Hot():
            return False
        case plan.Add(((_, only),)):
            return worth(only)
        case plan.Multiply(a, b):
            known = isinstance(a, LEAVES) and isinstance(b, LEAVES)
            return bool(value.axes) and not (known and not (a.axes and b.axes))
        case plan.Add() | plan.Divide():
            return bool(value.axes)
    return not isinstance(value, LEAVES)


def _values(statements: Iterable[plan.Statement]) -> Iterator[Expr]:
    for one in statements:
        if isinstance(one, plan.Assign | plan.Write) and not one.at_an_end:
            yield one.value
        elif isinstance(one, plan.Buffer):
            yield from _values(one.body)


def _counted(statements: Sequence[plan.Statement], keys: Keys) -> set[int]:
    """The numbers of what is computed twice, and not only as a part of something larger that is."""
    seen: set[int] = set()
    twice: set[int] = set()
    for value in _values(statements):
        stack = [value]
        while stack:
            one = stack.pop()
            number, _ = keys.of(one)
            if number not in seen:
                seen.add(number)
                stack += plan.parts(one)
            elif worth(one):
                twice.add(number)
            else:
                stack += plan.parts(one)
    return twice


def _written(statements: Iterable[plan.Statement]) -> set[str]:
    """The variables that are written into, or that are a buffer."""
    found: set[str] = set()
    for one in statements:
        match one:
            case plan.Write(name) | plan.Zeros(name) | plan.Copy(name):
                found.add(name)
            case plan.Buffer(name, _, body):
                found |= {name} | _written(body)
            case plan.Loop(_, _, body):
                found |= _written(body)
    return found


class _Sharing(Rewriter):
    def __init__(self, keys: Keys, often: set[int], written: set[str], fresh: Callable[[], str]) -> None:
        super().__init__()
        self.keys, self.often, self.written, self.fresh = keys, often, written, fresh
        self.names: dict[int, tuple[str, tuple[int, ...]]] = {}
        """The variable that holds an expression, and where in it the labels of `Keys.of` are."""

    def statement(self, one: plan.Statement) -> plan.Statement:
        if isinstance(one, plan.Assign) and not one.at_an_end:
            number, order = self.keys.of(one.value)
            own = number in self.often and number not in self.names and set(one.axes) == set(order)
            if own and one.name not in self.written:
                self.names[number] = one.name, tuple(one.axes.index(label) for label in order)
                return replace(one, value=plan.rebuilt(one.value, self.changed))
        return super().statement(one)

    def changed(self, value: Expr) -> Expr:
        number, order = self.keys.of(value)
        if number not in self.often:
            return plan.rebuilt(value, self.changed)
        if number not in self.names:
            made = plan.rebuilt(value, self.changed)
            name = self.fresh()
            self.before.append(plan.Assign(name, made, value.axes))
            self.names[number] = name, tuple(value.axes.index(label) for label in order)
        name, positions = self.names[number]
        axes = dict(zip(positions, order, strict=True))
        return plan.Load(name, tuple(axes[k] for k in range(len(axes))))
