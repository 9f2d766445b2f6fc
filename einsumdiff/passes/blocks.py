"""Long chains over large arrays are computed for some rows after the other.

    C = A - B; D = 1 + C**2; C /= D   ->   for start in range(0, m, 64): the same of A[rows] and B[rows]

What is read only on the way never leaves the cache, where whole arrays would go through the main memory for
each step. A run of statements is taken together where every entry that it makes depends on no other row of
what it has made, and sums over all rows are added up block by block: an error no larger than that of a sum
one after the other, which a block is far shorter than. What needs nothing of the run goes before it, products
of matrices among them, which BLAS does by blocks of its own.

Done only where the sizes are given. They choose how many rows a block has; any other shapes are right too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.accounts import moved, taken
from einsumdiff.costs import number, volume
from einsumdiff.nodes import Label, bare
from einsumdiff.passes.kinds import FLOAT, Kinds, in_place
from einsumdiff.passes.reuse import shared_memory, shares, touched
from einsumdiff.plan import Axes, Expr
from einsumdiff.sizes import AnySize, given, symbol

LARGE = 2**22
"""From so many numbers on: 32 MB, as much as a cache that all cores share holds."""

BLOCK = 2**16
"""About so many numbers of an array make a block, 512 kB: fewer cost more in calls than the cache gives back."""

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
    """The statements, with `Blocked` for runs of them that gain by it. `named` makes a name of a word, `fresh`
    one of a temporary array.

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
            run = _Run(size, sizes, kinds, shared)
            end = run.take_from(statements, k)
            live = {name for name in run.inside if last.get(name, -1) >= end}
            new = run.statements(live, names, statements[k:end])
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


class _Unfit(Exception):
    """It cannot be computed for some rows alone."""


class _Names:
    """Names of rows, the same for one array in all runs."""

    def __init__(self, named: Callable[[str], str], fresh: Callable[[], str]) -> None:
        self.named, self.fresh = named, fresh
        self.found: dict[str, str] = {}

    def of(self, word: str) -> str:
        if word not in self.found:
            self.found[word] = self.named(word)
        return self.found[word]


class _Run:
    """Statements in the order of a plan, as those before a loop, in it and after it.

    In the loop `rows` is the label of the rows, and an array that is there before it has its own name: where
    the label is an axis, that of its rows is meant.
    """

    def __init__(
        self, size: AnySize, sizes: Mapping[str, int], kinds: Kinds, shared: Mapping[str, set[str]]
    ) -> None:
        self.size, self.sizes, self.kinds, self.shared = size, sizes, kinds, shared
        self.rows = Label(symbol("rows"))
        self.before: list[plan.Assign] = []
        self.body: list[plan.Assign | plan.Into] = []
        self.after: list[plan.Statement] = []
        self.inside: dict[str, Axes] = {}  # what the loop makes, and its axes outside of it
        self.inside_of: dict[str, str] = {}  # of these those that are in the memory of an array before it
        self.totals: dict[str, None] = {}  # what is known only after it
        self.sums: list[str] = []
        self.by_rows_read: dict[str, None] = {}
        self.whole: set[str] = set()  # what is read as a whole within it
        self.changed: set[str] = set()  # arrays from before it that it writes over
        self.made = 0

    # -- which statements -------------------------------------------------------------------------------

    def take_from(self, statements: Sequence[plan.Statement], start: int) -> int:
        """Take as many as fit from that place on; the place of the first that does not."""
        for k in range(start, len(statements)):
            if not self._take(statements[k]):
                return k
        return len(statements)

    def _take(self, one: plan.Statement) -> bool:
        try:
            match one:
                case plan.Drop():
                    self.after.append(one)
                case plan.Into():
                    self._over(one)
                case plan.Assign(axes=()):
                    self._attempt(one, self._total)
                case plan.Assign():
                    axes = tuple(n for n in one.axes if n is not None)
                    fits = (
                        len(axes) == len(one.axes) and axes[0].size == self.size and _large(axes, self.sizes)
                    )
                    self._attempt(one, self._assigned if fits or self._of_rows(one) else self._ahead)
                case _:
                    return False
        except _Unfit:
            return False
        return True

    def _attempt(self, one: plan.Assign, how: Callable[[plan.Assign], None]) -> None:
        """That way, or else ahead of the loop."""
        seen = one.name in self.inside or one.name in self.by_rows_read or one.name in self.whole
        if one.shown or seen:
            raise _Unfit
        try:
            with self._all_or_nothing():
                how(one)
        except _Unfit:
            self._ahead(one)

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """What was noted of something that does not fit is forgotten."""
        lists, sets = (self.before, self.body, self.sums), (self.by_rows_read, self.totals, self.whole)
        lengths, old = [len(one) for one in lists], [one.copy() for one in sets]
        try:
            yield
        except _Unfit:
            for one, length in zip(lists, lengths, strict=True):
                del one[length:]
            self.by_rows_read, self.totals, self.whole = old
            raise

    def _of_rows(self, one: plan.Assign) -> bool:
        """Does it read rows that the loop makes?"""
        return not self._apart(one.value)

    def _apart(self, value: Expr) -> bool:
        """Is it the same before the loop as in its place?"""
        names = plan.reads(value)
        return not (names & self.inside.keys() or names & self.totals.keys() or names & self.changed)

    def _ahead(self, one: plan.Assign) -> None:
        if not self._apart(one.value) or shares(one.value):
            raise _Unfit
        self.before.append(one)

    def _assigned(self, one: plan.Assign) -> None:
        axes = tuple(n for n in one.axes if n is not None)
        if len(axes) < len(one.axes) or axes[0].size != self.size or set(axes) != set(one.value.axes):
            raise _Unfit
        if shares(one.value) and not one.own and not isinstance(one.value, plan.Apply):
            raise _Unfit  # another name for what is there
        value = self._by_rows(self._in_rows(one.value, axes[0]))
        self.body.append(plan.Assign(one.name, value, (self.rows, *axes[1:]), one.own))
        self.inside[one.name] = axes

    def _over(self, one: plan.Into) -> None:
        if one.axes[0].size != self.size or (one.name != one.buffer and one.name in self.inside):
            raise _Unfit
        value = self._by_rows(self._in_rows(one.value, one.axes[0]))
        buffer = one.buffer
        if buffer not in self.inside:
            together = self.shared.get(buffer) or any(buffer in names for names in self.shared.values())
            if together or buffer in self.whole or buffer in self.totals:
                raise _Unfit
            self.changed.add(buffer)
            self.by_rows_read[buffer] = None
        self.body.append(plan.Into(one.name, buffer, value, (self.rows, *one.axes[1:])))
        within = buffer if buffer in self.changed else self.inside_of.get(buffer)
        if one.name == buffer and buffer in self.changed:
            return
        self.inside[one.name] = one.axes
        if within is not None:
            self.inside_of[one.name] = within

    # -- expressions of one block -------------------------------------------------------------------------

    def _in_rows(self, value: Expr, label: Label) -> Expr:
        return plan.relabelled(value, {label: self.rows})

    def _by_rows(self, one: Expr) -> Expr:
        """The expression of a block, in the label of the rows."""
        if isinstance(one, plan.Load):
            return self._loaded(one, one.axes)
        if isinstance(one, plan.View):
            return self._viewed(one)
        if isinstance(one, plan.Literal | plan.Named):
            return one
        of_rows = self.rows in one.axes and self._row_wise(one)
        number = not one.axes and _arithmetic(one) and not any(part.axes for part in plan.parts(one))
        return plan.rebuilt(one, self._by_rows) if of_rows or number else self._hoisted(one)

    def _loaded(self, one: plan.Load, axes: Axes) -> Expr:
        if self.rows not in axes:
            if not self._apart(one):
                raise _Unfit
            self.whole.add(one.name)
        elif axes[0] is not self.rows or self.rows in axes[1:] or one.name in self.totals:
            raise _Unfit
        elif one.name not in self.inside:
            self.by_rows_read[one.name] = None
        return one

    def _viewed(self, one: plan.View) -> Expr:
        first, *others = one.forms
        if self.rows in one.axes:
            first_is_rows = first == bare(self.rows) and one.shape[0] == self.size
            elsewhere = any(self.rows in form.labels for form in others)
            simple = all(len(form.coefficients) <= 1 for form in others)
            if not first_is_rows or elsewhere or not simple or not one.proved or one.name in self.changed:
                raise _Unfit
            one = replace(one, shape=(self.rows.size, *one.shape[1:]))
        self._loaded(plan.Load(one.name, one.axes), one.axes)
        return one

    def _row_wise(self, one: Expr) -> bool:
        """Does an entry depend on those of its row alone, and is it no product of matrices?"""
        match one:
            case plan.Fold() | plan.Select() | plan.Choose() | plan.Cast():
                return True
            case plan.Softmax(_, labels, _):
                return self.rows not in labels
            case plan.Contract(left, right, _):
                both = self.rows in left.axes and self.rows in right.axes
                return both and {*left.axes, *right.axes} in (set(left.axes), set(right.axes))
            case _:
                return _arithmetic(one)

    def _hoisted(self, one: Expr) -> Expr:
        """A variable for it, made ahead of the loop."""
        if not self._apart(one) or shares(one):
            raise _Unfit
        axes = tuple(sorted(one.axes, key=lambda n: n is not self.rows))
        label = Label(self.size)
        outside = tuple(label if n is self.rows else n for n in axes)
        name = self._placeholder()
        self.before.append(plan.Assign(name, plan.relabelled(one, {self.rows: label}), outside))
        if self.rows in axes:
            self.by_rows_read[name] = None
        return plan.Load(name, axes)

    def _placeholder(self) -> str:
        """A name that is none yet."""
        self.made += 1
        return f"?{self.made}"

    # -- sums over all rows -------------------------------------------------------------------------------

    def _total(self, one: plan.Assign) -> None:
        if self._apart(one.value):
            raise _Unfit  # it is computed ahead
        value = self._of_totals(one.value)
        if isinstance(value, plan.Load) and self.sums and value.name == self.sums[-1] == self.body[-1].name:
            self.sums[-1], self.body[-1] = one.name, self._adding(one.name, self._added(self.body[-1]))
        else:
            self.after.append(plan.Assign(one.name, value, ()))
        self.totals[one.name] = None

    def _of_totals(self, one: Expr) -> Expr:
        """A number as one of sums that the loop makes."""
        match one:
            case plan.Literal() | plan.Named():
                return one
            case plan.Load() if one.name not in self.totals and self._apart(one):
                return one
            case plan.Fold("sum", _, ()) | plan.Contract(_, _, ()) if not self._apart(one):
                return self._summed(one)
        if self._apart(one):
            return self._hoisted(one)
        if not _arithmetic(one) or any(part.axes for part in plan.parts(one)):
            raise _Unfit
        return plan.rebuilt(one, self._of_totals)

    def _summed(self, one: plan.Fold | plan.Contract) -> Expr:
        """The variable to which the sum over each block is added."""
        labels = dict.fromkeys(n for part in plan.parts(one) for n in part.axes)
        for label in labels:
            if label.size != self.size:
                continue
            value = self._in_rows(one, label)
            sides = plan.parts(value)
            if any(set(part.axes) != set(sides[0].axes) for part in sides):
                continue
            try:
                with self._all_or_nothing():
                    value = plan.rebuilt(value, self._by_rows)
            except _Unfit:
                continue
            name = self._placeholder()
            self.sums.append(name)
            self.totals[name] = None
            self.body.append(self._adding(name, value))
            return plan.Load(name, ())
        raise _Unfit

    def _adding(self, name: str, value: Expr) -> plan.Into:
        return plan.Into(name, name, plan.Add(((1, plan.Load(name, ())), (1, value)), ()), ())

    def _added(self, one: plan.Assign | plan.Into) -> Expr:
        _, value = plan.parts(one.value)
        return value

    # -- the statements -----------------------------------------------------------------------------------

    def statements(
        self, live: set[str], names: _Names, old: Sequence[plan.Statement]
    ) -> list[plan.Statement] | None:
        """The loop and what is around it; None where it does not pay. `live`: what is read after it."""
        largest = max((one.axes for one in old if isinstance(one, plan.Into)), key=self._places, default=())
        for one in old:
            if isinstance(one, plan.Assign):
                largest = max(largest, tuple(n for n in one.axes if n is not None), key=self._places)
        if not self.body or not largest:
            return None
        entries = self._places(largest)
        step = max(1, int(BLOCK // max(1.0, entries / max(1.0, number(self.size, self.sizes)))))
        leaving = [name for name in self.inside if name in live and name not in self.inside_of]
        like = {name: self._like(name) for name in leaving}
        saved = moved(old, self.sizes) - moved([*self.before, *self.after], self.sizes)
        saved -= entries * (len(self.by_rows_read) + len(leaving))
        if saved < PASSES * entries:
            return None
        rows = names.of("rows")
        new = {f"?{k + 1}": names.fresh() for k in range(self.made) if self._is_there(f"?{k + 1}")}
        parts = {name: new.get(name, name) for name in (*self.by_rows_read, *leaving)}
        part = {name: names.of(f"{outside}_rows") for name, outside in parts.items()}
        copied = {name for name in leaving if like[name] is None}
        made = [
            plan.Made(name, shape, like[name] or (), part[name] if name in copied else None)
            for name in leaving
            for shape in [tuple(n.size for n in self.inside[name])]
        ]
        writing = _Renaming(self.rows, Label(symbol(rows)), new, part, copied, self.inside_of)
        after: list[plan.Statement] = [
            plan.Assign(name, plan.Load(self.inside_of[name], axes), axes)
            for name, axes in self.inside.items()
            if name in live and name in self.inside_of
        ]
        for one in self.after:
            if isinstance(one, plan.Assign):
                after.append(writing.outside(one))
            elif isinstance(one, plan.Drop) and (one.name not in self.inside or one.name in leaving):
                after.append(one)
        loop = plan.Blocked(
            self.size,
            step,
            names.of("start"),
            rows,
            names.of("block"),
            tuple(made),
            tuple(new.get(name, name) for name in self.sums),
            tuple((part[name], outside) for name, outside in parts.items() if name not in copied),
            tuple(writing.inside(one) for one in self.body),
        )
        return [*(writing.outside(one) for one in self.before), loop, *after]

    def _places(self, axes: Axes) -> float:
        return volume(axes, self.sizes) if axes else 0.0

    def _is_there(self, name: str) -> bool:
        return name in self.sums or any(one.name == name for one in self.before)

    def _like(self, name: str) -> tuple[str, ...] | None:
        """The arguments that tell the type of an array, none for the target's floats; None where only its
        values tell."""
        kind = self.kinds.known.get(name)
        if kind is None or kind == FLOAT:
            return None if kind is None else ()
        return self.kinds.arguments(kind)


class _Renaming:
    """The statements of a run in names that nothing else has."""

    def __init__(
        self,
        rows: Label,
        label: Label,
        new: Mapping[str, str],
        part: Mapping[str, str],
        copied: Collection[str],
        inside_of: Mapping[str, str],
    ) -> None:
        self.rows, self.label, self.new = rows, label, new
        self.part, self.copied, self.inside_of = part, copied, inside_of

    def outside(self, one: plan.Assign) -> plan.Assign:
        return replace(one, name=self.new.get(one.name, one.name), value=self._value(one.value))

    def inside(self, one: plan.Assign | plan.Into) -> plan.Statement:
        value = plan.relabelled(self._value(one.value), {self.rows: self.label})
        axes = tuple(self.label if n is self.rows else n for n in one.axes if n is not None)
        if not axes:
            name = self.new.get(one.name, one.name)
            return plan.Into(name, name, value, ())
        target = self.part.get(self.inside_of.get(one.name, one.name))
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
            name = self.inside_of.get(one.name, one.name)
            rows = self.rows in one.axes and name in self.part
            return replace(one, name=self.part[name] if rows else self.new.get(one.name, one.name))
        return plan.rebuilt(one, self._value) if plan.parts(one) else one


def _arithmetic(one: Expr) -> bool:
    """Is it an operation on entries?"""
    return isinstance(one, plan.Add | plan.Multiply | plan.Divide | plan.Power | plan.Apply)


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
