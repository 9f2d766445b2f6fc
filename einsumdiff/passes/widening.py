"""What is written into an array must fit its type: the array takes that of all arguments where it may not.

t = M.T.copy(); t[i, i] += x   ->   t = M.T.astype(dtype); t[i, i] += x        where x may be wider than M
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.passes.kinds import FLOAT, Kinds
from einsumdiff.plan import Expr


def widened(statements: Sequence[plan.Statement], kinds: Kinds) -> list[plan.Statement]:
    """The statements, with arrays that are written into of a type that holds all of it."""
    into: dict[str, list[Expr]] = {}
    for name, value in _written(statements):
        into.setdefault(name, []).append(value)
    if not into:
        return list(statements)
    found: list[plan.Statement] = []
    for one in statements:
        if isinstance(one, plan.Assign):
            number = not one.value.axes and not plan.reads(one.value)  # the target makes it of that type
            kind = FLOAT if number else kinds.of(one.value)
            if one.name in into and not number and not _holds(kinds, kind, into[one.name]):
                one, kind = replace(one, value=plan.Cast(one.value, one.value.axes)), FLOAT
            kinds.known[one.name] = kind
        elif isinstance(one, plan.Zeros):
            kinds.known[one.name] = FLOAT
        found.append(one)
    return found


def _holds(kinds: Kinds, kind: int | None, values: Sequence[Expr]) -> bool:
    """Is the type of an array sure to be that of the array and all of these?"""
    others = [kinds.of(value) for value in values]
    sure = [one for one in others if one is not None]
    return kind is not None and len(sure) == len(others) and kinds.joined([kind, *sure]) == kind


def _written(statements: Sequence[plan.Statement]) -> Iterator[tuple[str, Expr]]:
    for one in statements:
        if isinstance(one, plan.Write):
            yield one.name, one.value
        elif isinstance(one, plan.Loop):
            yield from _written(one.body)
