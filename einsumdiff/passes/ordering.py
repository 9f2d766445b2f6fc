"""Results are computed as soon as what they are made of is there, so that this is dead earlier, and goes.

    b = f(a); c = g(b); result = a @ b   ->   b = f(a); result = a @ b; del a; c = g(b); del b

Lowering writes results one after the other, at the end: till then the gradient of a network in all of its
weights would hold every array of the way forward. Whether the new order takes less memory is for the account
to say, once what is dead is written over (`reuse`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from einsumdiff import plan
from einsumdiff.accounts import taken
from einsumdiff.costs import volume
from einsumdiff.passes.reuse import LARGE, shared_memory, touched


def earlier(
    statements: Sequence[plan.Statement], returns: Collection[str], sizes: Mapping[str, int]
) -> list[plan.Statement] | None:
    """The statements in the order in which results come as soon as they can; None where no less memory is
    taken, once what is dead has gone."""
    soon = _soon(statements, returns)
    if soon is None:
        return None
    before, after = (taken(let_go(order, returns, sizes), sizes)[0] for order in (statements, soon))
    return soon if after + LARGE <= before else None


def _soon(statements: Sequence[plan.Statement], returns: Collection[str]) -> list[plan.Statement] | None:
    """The statements, each that assigns a whole result right behind the last that it needs.

    It needs what makes, or writes into, a variable that it reads, or one that may share its memory.
    """
    shared = shared_memory(statements)
    made: dict[str, int] = {}  # by which statement each variable has got its last entries
    behind: dict[int, list[plan.Statement]] = {}
    moved = set()
    once = _assigned_once(statements)
    for k, one in enumerate(statements):
        if isinstance(one, plan.Assign) and one.name in returns and one.name in once:
            read = plan.reads(one.value)
            read = read.union(*(shared.get(name, set()) for name in read))
            needed = max((made.get(name, -1) for name in read), default=-1)
            if 0 <= needed < k - 1 and needed not in moved:
                behind.setdefault(needed, []).append(one)
                moved.add(k)
        for name in _changed(one):
            made[name] = k
    if not moved:
        return None
    found = []
    for k, one in enumerate(statements):
        if k not in moved:
            found.append(one)
        found += behind.get(k, [])
    return found


def let_go(
    statements: Sequence[plan.Statement], returns: Collection[str], sizes: Mapping[str, int]
) -> list[plan.Statement]:
    """The statements, and large arrays deleted behind the last statement that reads them.

    Not where another variable may be in the same memory, which would keep it.
    """
    alike = shared_memory(statements)
    shared = {name for name, others in alike.items() if others} | set().union(*alike.values(), set())
    last: dict[str, int] = {}
    large = set()
    for k, one in enumerate(statements):
        for name in touched(one):
            last[name] = k
        if isinstance(one, plan.Assign) and volume([n for n in one.axes if n], sizes) >= LARGE:
            large.add(one.name)
        if isinstance(one, plan.Into) and one.name != one.buffer:
            shared |= {one.name, one.buffer}
        if isinstance(one, plan.Drop):
            shared.add(one.name)
    found = []
    ends: dict[int, list[str]] = {}
    for name in large - shared - set(returns):
        ends.setdefault(last.get(name, len(statements)), []).append(name)
    for k, one in enumerate(statements):
        found.append(one)
        if k < len(statements) - 1:
            found += [plan.Drop(name) for name in sorted(ends.get(k, []))]
    return found


def _changed(one: plan.Statement) -> set[str]:
    """The variables that get entries."""
    match one:
        case plan.Loop(_, _, body) | plan.Buffer(_, _, body):
            return set().union(*map(_changed, body))
        case plan.Assign(name) | plan.Zeros(name) | plan.Write(name):
            return {name}
        case _:
            return set()


def _assigned_once(statements: Sequence[plan.Statement]) -> set[str]:
    """The variables that one statement makes, and none writes into."""
    often: dict[str, int] = {}
    for one in statements:
        for name in _changed(one):
            often[name] = often.get(name, 0) + 1
    return {name for name, count in often.items() if count == 1}
