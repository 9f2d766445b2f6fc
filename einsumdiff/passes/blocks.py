"""Long chains over large arrays are computed for some rows after the other.

    C = A - B; D = 1 + C**2; C /= D   ->   for start in range(0, m, 64): the same of A[rows] and B[rows]

What is read only on the way never leaves the cache, where whole arrays would go through the main memory for
each step. `runs` finds what can be taken together; sums over all rows are those of blocks, added one after
the other, which are so few that the error stays that of the sum of a block.

Done only where the sizes are given. They choose how many rows a block has; any other shapes are right too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.accounts import moved, taken
from einsumdiff.costs import number, volume
from einsumdiff.nodes import Label, bare
from einsumdiff.passes.kinds import FLOAT, Kinds, in_place
from einsumdiff.passes.reuse import shared_memory, touched
from einsumdiff.passes.runs import Run
from einsumdiff.plan import Expr
from einsumdiff.sizes import AnySize, given, symbol

LARGE = 3 * 2**20
"""From so many numbers on: 24 MB, of which two are more than the cache that all cores share."""

BLOCK = 2**16
"""About so many numbers of an array make a block, 512 kB: fewer cost more in calls than the cache saves."""

LONG_ROW = 2**18
"""A row of more numbers is not made a block."""

PASSES = 8
"""So many times fewer must the numbers of the largest array be read or written in all."""

MEMORY = 1.01
"""By so much may the arrays of a block add to the memory of a call, where that is needed elsewhere."""


def blocked(
    statements: Sequence[plan.Statement],
    returns: Sequence[str],
    kinds: Kinds,
    sizes: Mapping[str, int],
    named: Callable[[str], str],
    fresh: Callable[[], str],
) -> list[plan.Statement]:
    """The statements, with `Blocked` for runs of them that gain by it. `named` makes a name of a word, and
    `fresh` one of a temporary array.

    They stay as they were where what is made ahead of a loop would take more memory.
    """
    if not any(_started(one, sizes) for one in statements):
        return list(statements)
    shared, last = shared_memory(statements), dict.fromkeys(returns, len(statements))
    for k in range(len(statements) - 1, -1, -1):
        for name in touched(statements[k]):
            last.setdefault(name, k)
    names, found, k = _Names(named, fresh), list[plan.Statement](), 0
    while k < len(statements):
        new, end = None, k + 1
        size = _started(statements[k], sizes)
        if size is not None:
            run = Run(size, lambda axes: _large(axes, sizes), shared)
            end = run.take_from(statements, k)
            live = {name for name in run.inside if last.get(name, -1) >= end}
            step = _rows_of_a_block(run, live, statements[k:end], sizes)
            new = None if step is None else _Loop(run, live, kinds, names).statements(step)
        found += [statements[k]] if new is None else new
        k = k + 1 if new is None else end
    before, after = taken(statements, sizes)[0], taken(found, sizes)[0]
    return found if after <= MEMORY * before else list(statements)


def _started(one: plan.Statement, sizes: Mapping[str, int]) -> AnySize | None:
    """The number of rows of a large array that a run may start with."""
    if not isinstance(one, plan.Assign | plan.Into):
        return None
    axes = [n for n in one.axes if n is not None]
    return axes[0].size if axes and _large(axes, sizes) else None


def _large(axes: Sequence[Label], sizes: Mapping[str, int]) -> bool:
    """Is it a large array, of rows that are not too long?"""
    if not all(given(n.size, sizes) for n in axes):
        return False
    return volume(axes, sizes) >= LARGE and volume(axes[1:], sizes) <= LONG_ROW


def _rows_of_a_block(
    run: Run, live: Collection[str], old: Sequence[plan.Statement], sizes: Mapping[str, int]
) -> int | None:
    """How many rows a block has, by the largest array of the statements; None where blocks do not pay."""

    def places(one: plan.Statement) -> float:
        axes = one.axes if isinstance(one, plan.Assign | plan.Into) else ()
        return volume([n for n in axes if n is not None], sizes) if axes else 0.0

    if not run.body:
        return None
    entries = max(map(places, old))
    arrays = len(run.by_rows_read) + sum(name not in run.inside_of for name in live)
    saved = moved(old, sizes) - moved([*run.before, *run.after], sizes) - entries * arrays
    if saved < PASSES * entries:
        return None
    rows = max(1.0, number(run.size, sizes))
    return max(1, int(BLOCK // max(1.0, entries / rows)))


class _Names:
    """Names of rows, the same for one array in all runs."""

    def __init__(self, named: Callable[[str], str], fresh: Callable[[], str]) -> None:
        self.named, self.fresh = named, fresh
        self.found: dict[str, str] = {}

    def of(self, word: str) -> str:
        if word not in self.found:
            self.found[word] = self.named(word)
        return self.found[word]


class _Loop:
    """The statements of a run in names that nothing else has: before the loop, in it, and after it."""

    def __init__(self, run: Run, live: Collection[str], kinds: Kinds, names: _Names) -> None:
        self.run, self.live, self.names = run, live, names
        self.rows = Label(symbol(names.of("rows")))
        made = {*run.sums, *(one.name for one in run.before)}
        self.new = {name: names.fresh() for name in run.placeholders if name in made}
        leaving = [name for name in run.inside if name in live and name not in run.inside_of]
        like = {name: _like(name, kinds) for name in leaving}
        self.copied = {name for name in leaving if like[name] is None}
        self.part = {name: names.of(f"{self._new(name)}_rows") for name in (*run.by_rows_read, *leaving)}
        self.made = tuple(
            plan.Made(
                name,
                tuple(n.size for n in run.inside[name]),
                like[name] or (),
                self.part[name] if name in self.copied else None,
            )
            for name in leaving
        )

    def statements(self, step: int) -> list[plan.Statement]:
        run, names = self.run, self.names
        loop = plan.Blocked(
            run.size,
            step,
            names.of("start"),
            names.of("rows"),
            names.of("block"),
            self.made,
            tuple(map(self._new, run.sums)),
            tuple((part, self._new(name)) for name, part in self.part.items() if name not in self.copied),
            tuple(map(self._inside, run.body)),
        )
        return [*map(self._outside, run.before), loop, *self._after()]

    def _after(self) -> list[plan.Statement]:
        run, found = self.run, list[plan.Statement]()
        for name, axes in run.inside.items():
            if name in self.live and name in run.inside_of:
                found.append(plan.Assign(name, plan.Load(run.inside_of[name], axes), axes))
        for one in run.after:
            if isinstance(one, plan.Assign):
                found.append(self._outside(one))
            elif one.name not in run.inside or one.name in self.live:
                found.append(one)
        return found

    def _outside(self, one: plan.Assign) -> plan.Assign:
        return replace(one, name=self._new(one.name), value=self._value(one.value))

    def _inside(self, one: plan.Assign | plan.Into) -> plan.Statement:
        value = plan.relabelled(self._value(one.value), {self.run.rows: self.rows})
        axes = tuple(self.rows if n is self.run.rows else n for n in one.axes if n is not None)
        if not axes:
            return plan.Into(self._new(one.name), self._new(one.name), value, ())
        target = self.part.get(self.run.inside_of.get(one.name, one.name))
        if target is None or one.name in self.copied:
            name = target or one.name
            if isinstance(one, plan.Assign):
                return replace(one, name=name, value=value, axes=axes)
            return plan.Into(name, self.part.get(one.buffer, one.buffer), value, axes)
        if _one_call(value):
            return plan.Into(target, target, value, axes)
        shape = tuple(n.size for n in axes)
        return plan.Write(target, tuple(map(bare, axes)), shape, value, axes, first=True, apart=True)

    def _value(self, one: Expr) -> Expr:
        if isinstance(one, plan.Load | plan.View):
            name = self.run.inside_of.get(one.name, one.name)
            by_rows = self.run.rows in one.axes and name in self.part
            return replace(one, name=self.part[name] if by_rows else self._new(one.name))
        return plan.rebuilt(one, self._value) if plan.parts(one) else one

    def _new(self, name: str) -> str:
        return self.new.get(name, name)


def _like(name: str, kinds: Kinds) -> tuple[str, ...] | None:
    """The arguments that tell the type of an array, none for the target's floats; None where only its values
    tell."""
    kind = kinds.known.get(name)
    if kind is None or kind == FLOAT:
        return None if kind is None else ()
    return kinds.arguments(kind)


def _one_call(one: Expr) -> bool:
    """Is there a function of NumPy for it that writes into an array?"""
    match one:
        case plan.Add(terms, _):
            signs = [sign for sign, _ in terms]
            return signs == [-1] or (len(signs) == 2 and max(signs) > 0)
        case plan.Multiply() | plan.Divide() | plan.Power():
            return True
        case plan.Apply(function, _, _):
            return in_place(function) is not None
        case _:
            return False
