"""The statements of a plan as loops that numba compiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from einsumdiff import plan
from einsumdiff.plan import Expr, Plan
from einsumdiff.targets.numba.arrays import Arrays
from einsumdiff.targets.numba.blocks import Block


class Loops(Arrays):
    """Writes the body of a function."""

    def __init__(self, what: Plan, taken: set[str], parallel: frozenset[int]) -> None:
        super().__init__(taken, what.indices, parallel)
        self.numbers |= {p.name for p in what.parameters if not p.shape}
        self.uses = _uses(what)
        self.statements(what.statements)

    @property
    def body(self) -> Block:
        return self.blocks[0]

    def statements(self, statements: Sequence[plan.Statement]) -> None:
        waiting = list(statements)
        while waiting:
            group = _joint(waiting)
            if len(group) > 1:
                self._together(group)
            else:
                self._statement(waiting[0])
            del waiting[: max(1, len(group))]

    def _statement(self, one: plan.Statement) -> None:
        match one:
            case plan.Assign(name, plan.Load(other, labels), axes, False, _) if labels == tuple(axes):
                self.line(f"{name} = {other}")
                for kind in (self.numbers, self.booleans):
                    kind.update([name] if other in kind else [])
            case plan.Assign(name, value, axes, _, _):
                self.assign(name, value, axes)
            case plan.Zeros(name, shape):
                self.line(f"{name} = np.zeros({self.shape(shape)}, {self.kind})")
            case plan.Write():
                self._written(one)
            case plan.Loop(name, size, body):
                self._looped(name, f"for {name} in range({self.size(size)}):", body)
            case plan.Buffer() | plan.Copy() | plan.Store() | plan.Operator():
                raise AssertionError("options that go with jit= make no such statement")
            case plan.Into() | plan.Drop() | plan.Keep() | plan.Blocked():
                raise AssertionError("options that go with jit= make no such statement")
            case _:
                assert_never(one)

    def _looped(self, counter: str, header: str, body: Sequence[plan.Statement]) -> None:
        self.counters.add(counter)
        outside = self.floor, self.loop
        self.floor = self.loop = len(self.blocks)
        self.deep += 1
        with self.inside(header):
            self.statements(body)
        self.deep -= 1
        self.floor, self.loop = outside

    def _written(self, write: plan.Write) -> None:
        value = self.prepared(write.value, write.labels)

        def entry() -> None:
            places = [self.place(form) for form in write.forms]
            if write.apart:
                text = self.scalar(value).text
                target = self.indexed(write.name, [place.text for place in places]).text
                self.line(f"{target} {'=' if write.first else '+='} {text}")
                return
            named = [self.named(place, "p").text for place in places]
            tests = [f"0 <= {p} < {self.size(size)}" for p, size in zip(named, write.shape, strict=True)]
            with self.inside(f"if {' and '.join(tests)}:"):
                text = self.scalar(value).text
                self.line(f"{self.indexed(write.name, named).text} += {text}")

        # places that meet are added to by one thread
        self.nest(write.labels, entry, self.cost(value, write.labels) if write.apart else None)

    # -- several statements in one loop -----------------------------------------------------------------

    def _together(self, group: Sequence[plan.Assign]) -> None:
        """Arrays of one shape in one loop; what nobody else reads is a number in it, and no array."""
        labels = tuple(label for label in group[0].axes if label is not None)
        values: list[Expr] = []
        for one in group:
            new = {old: label for old, label in zip(one.axes, labels, strict=True) if old is not None}
            values.append(self.prepared(plan.relabelled(one.value, new), labels))
        inner: dict[str, int] = {}
        for value in values:
            _count(value, inner)
        stored = {one.name for one in group if self.uses.get(one.name, 0) > inner.get(one.name, 0)}
        for one, value in zip(group, values, strict=True):
            boolean = self.boolean(value)
            if boolean:
                self.booleans.add(one.name)
            if one.name in stored:
                self.empty(one.name, labels, "np.bool_" if boolean else None)

        def entry() -> None:
            for one, value in zip(group, values, strict=True):
                text = self.scalar(value)
                if one.name in inner:
                    text = self.named(text)
                if one.name in stored:
                    self.line(f"{self.target(one.name, labels)} = {text.text}")
                self.current[one.name] = labels, text

        cost = sum((self.cost(value, ()) for value in values), start=0 * self.cost(values[0], labels))
        self.nest(labels, entry, self.cost(plan.Literal(1), labels) + cost)
        self.current.clear()


def _joint(statements: Sequence[plan.Statement]) -> list[plan.Assign]:
    """The first of the statements that may be computed in one loop: entry by entry, over one shape."""
    found: list[plan.Assign] = []
    own: set[str] = set()
    for one in statements:
        if not isinstance(one, plan.Assign) or not one.axes or None in one.axes:
            break
        if not _elementwise(one.value) or (isinstance(one.value, plan.Load) and not one.own):
            break
        if found and _sizes(one) != _sizes(found[0]):
            break
        if own & _read_apart(one.value, one.axes):
            break
        found.append(one)
        own.add(one.name)
    return found


def _sizes(one: plan.Assign) -> list[object]:
    return [label.size for label in one.axes if label is not None]


def _elementwise(value: Expr) -> bool:
    match value:
        case (
            plan.Contract()
            | plan.Fold()
            | plan.Scatter()
            | plan.Others()
            | plan.Running()
            | plan.RunningAt()
            | plan.RunningOthers()
            | plan.Perform()
            | plan.Solve()
        ):
            return False
    return all(map(_elementwise, plan.parts(value)))


def _read_apart(value: Expr, axes: Sequence[object]) -> set[str]:
    """The arrays that are read at other entries than the one that is written."""
    match value:
        case plan.Load(name, labels):
            return {name} if labels != tuple(axes) else set()
        case plan.View() | plan.Take():
            return plan.reads(value)
    return {name for part in plan.parts(value) for name in _read_apart(part, axes)}


def _count(value: Expr, found: dict[str, int]) -> None:
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, plan.Load | plan.View):
            found[one.name] = found.get(one.name, 0) + 1
        stack += plan.parts(one)


def _uses(what: Plan) -> dict[str, int]:
    """How often each variable is read."""
    found = dict.fromkeys(what.returns, 1)
    stack = list(what.statements)
    while stack:
        one = stack.pop()
        if isinstance(one, plan.Assign | plan.Write):
            _count(one.value, found)
        if isinstance(one, plan.Write):
            found[one.name] = found.get(one.name, 0) + 1
        if isinstance(one, plan.Loop):
            stack += one.body
    return found
