"""What statements are made of: a pass that looks for what is not there need not be run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from einsumdiff.plan.expressions import Apply, Expr, parts
from einsumdiff.plan.statements import Assign, Buffer, Into, Keep, Loop, Operator, Statement, Store, Write


def values(statements: Sequence[Statement]) -> Iterator[Expr]:
    """The expressions of statements and of those within them."""
    for one in statements:
        match one:
            case Assign() | Write() | Into() | Keep():
                yield one.value
            case Buffer() | Loop():
                yield from values(one.body)
            case Store(kept=kept):
                for core in kept:
                    yield from (*core.factors, core.scale, *(index for _, index in core.places))
            case Operator(before=before, products=products):
                yield from values(before)
                for times in products:
                    yield from values(times.body)


def everything(statements: Sequence[Statement]) -> Iterator[Expr]:
    """The expressions and all of their parts."""
    for value in values(statements):
        stack = [value]
        while stack:
            one = stack.pop()
            yield one
            stack += parts(one)


def contents(statements: Sequence[Statement]) -> frozenset[type | str]:
    """The classes of the expressions that there are, and the names of their functions."""
    found: set[type | str] = set()
    for one in everything(statements):
        found.add(type(one))
        if isinstance(one, Apply):
            found.add(one.function)
    return frozenset(found)
