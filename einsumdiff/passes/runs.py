"""Runs of statements that can be computed for some rows after the other, and what goes before and after.

Every entry that a run makes depends on no other row of what it has made. Sums over all rows are added up
block by block. What needs nothing of the run goes before it, products of matrices among them, which BLAS does
by blocks of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.nodes import Label, bare
from einsumdiff.passes.reuse import shares
from einsumdiff.plan import Axes, Expr
from einsumdiff.sizes import AnySize, symbol


class _Unfit(Exception):
    """It cannot be computed for some rows alone."""


class Run:
    """Statements in the order of a plan, as those before a loop, in it and after it.

    In the loop `rows` is the label of the rows, and an array that is there before it has its own name: where
    the label is an axis, that of its rows is meant.
    """

    def __init__(
        self, size: AnySize, large: Callable[[Sequence[Label]], bool], shared: Mapping[str, set[str]]
    ) -> None:
        self.size, self.large, self.shared = size, large, shared
        self.rows = Label(symbol("rows"))
        self.before: list[plan.Assign] = []
        self.body: list[plan.Assign | plan.Into] = []
        self.after: list[plan.Assign | plan.Drop] = []
        self.inside: dict[str, Axes] = {}  # what the loop makes, and its axes outside of it
        self.inside_of: dict[str, str] = {}  # of these those that are in the memory of an array before it
        self.totals: dict[str, None] = {}  # what is known only after it
        self.sums: list[str] = []
        self.by_rows_read: dict[str, None] = {}
        self.whole: set[str] = set()  # what is read as a whole within it
        self.changed: set[str] = set()  # arrays from before it that it writes over
        self.placeholders: list[str] = []  # names that are none yet

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
                    with self._all_or_nothing():
                        self._over(one)
                case plan.Assign(axes=()):
                    self._attempt(one, self._total)
                case plan.Assign():
                    axes = tuple(n for n in one.axes if n is not None)
                    fits = len(axes) == len(one.axes) and axes[0].size == self.size and self.large(axes)
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
        before, body, sums = len(self.before), len(self.body), len(self.sums)
        read, totals, whole = dict(self.by_rows_read), dict(self.totals), set(self.whole)
        try:
            yield
        except _Unfit:
            del self.before[before:], self.body[body:], self.sums[sums:]
            self.by_rows_read, self.totals, self.whole = read, totals, whole
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
        if isinstance(value, plan.Load) and not isinstance(one.value, plan.Load):
            raise _Unfit  # all of it is made ahead
        self.body.append(plan.Assign(one.name, value, (self.rows, *axes[1:]), one.own))
        self.inside[one.name] = axes

    def _over(self, one: plan.Into) -> None:
        if one.axes[0].size != self.size or (one.name != one.buffer and one.name in self.inside):
            raise _Unfit
        value = self._by_rows(self._in_rows(one.value, one.axes[0]))
        if isinstance(value, plan.Load):
            raise _Unfit
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
        if of_rows or number:
            try:
                with self._all_or_nothing():
                    return plan.rebuilt(one, self._by_rows)
            except _Unfit:  # it reads columns: then it may be made ahead
                pass
        return self._hoisted(one)

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
        self.placeholders.append(f"?{len(self.placeholders) + 1}")
        return self.placeholders[-1]

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


def _arithmetic(one: Expr) -> bool:
    """Is it an operation on entries?"""
    return isinstance(one, plan.Add | plan.Multiply | plan.Divide | plan.Power | plan.Apply)
