"""Large arrays that nobody reads any more are written over, and so are those that have no name.

    t = exp(x - y); z = t*w   ->   t = x - y; t = exp(t), over t; z = t*w, over t

NumPy itself writes a large result of an operator over an operand that has no name (`a*b + c`); what it
cannot know is that a variable is dead, and functions never do. So an expression is taken apart only there.
Sound because an array is written over only where

- this function has made it, and nothing that is read or returned later may share its memory;
- whatever reads it in the same statement has been evaluated, or is an operand of the operation itself;
- it has the result's shape, and its type whatever the types of the arguments are (`kinds`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.accounts import taken, written_over
from einsumdiff.costs import places, volume
from einsumdiff.passes.kinds import FLOAT, Kinds, in_place
from einsumdiff.passes.templates import opened
from einsumdiff.plan import Axes, Expr

LARGE = 8192
"""From so many numbers on an array is written over: 64 kB, which is more than the cache next to a core."""


def reused(
    statements: Sequence[plan.Statement],
    returns: Sequence[str],
    kinds: Kinds,
    sizes: Mapping[str, int],
    fresh: Callable[[], str],
    all_of_them: bool = False,
) -> list[plan.Statement]:
    """The statements, with `Into` for what is written over. `fresh` names new variables.

    An expression that is taken apart holds its variables to the end: they stay as they were where arrays
    would take more memory, or as much, made as often. `all_of_them`: small arrays too, in any case.
    """
    if all_of_them:
        return _Reuse(statements, returns, kinds, sizes, fresh, 0).run()
    if not _promising(statements, returns, sizes):
        return list(statements)
    new = _Reuse(statements, returns, kinds, sizes, fresh, LARGE).run()
    if not any(isinstance(one, plan.Into) for one in new):
        return list(statements)
    before, after = taken(statements, sizes), taken(new, sizes)
    return new if after[0] <= before[0] and after < before else list(statements)


def _promising(
    statements: Sequence[plan.Statement], returns: Collection[str], sizes: Mapping[str, int]
) -> bool:
    """Is there a large variable that dies, or something large made of what is as large?"""
    for one in statements:
        if isinstance(one, plan.Assign | plan.Zeros) and one.name not in returns:
            shape = one.shape if isinstance(one, plan.Zeros) else [n.size for n in one.axes if n is not None]
            if places(shape, sizes) >= LARGE:
                return True
    return any(
        len(one.axes) > 0
        and any(len(part.axes) == len(one.axes) for part in plan.parts(one))
        and volume(one.axes, sizes) >= LARGE
        for one in plan.everything(statements)
    )


class _Reuse:
    def __init__(
        self,
        statements: Sequence[plan.Statement],
        returns: Sequence[str],
        kinds: Kinds,
        sizes: Mapping[str, int],
        fresh: Callable[[], str],
        least: float,
    ) -> None:
        self.least = least
        self.kinds, self.sizes, self.fresh = kinds, sizes, fresh
        self.statements = [self._with_operations(one) for one in statements]
        self.shared = shared_memory(self.statements)
        self.read: dict[Expr, Counter[str]] = {}
        self.last = self._last_reads(returns)
        self.place = 0  # of the statement that is rewritten
        self.target: str | None = None  # the variable that it assigns
        self.names: set[str] = set()  # new ones
        self.own: dict[str, tuple[object, ...]] = {}  # arrays of this function, and their shapes
        self.age: dict[str, int] = {}  # of two the one that was made before is written over
        self.made = 0
        self.ends: dict[int, list[str]] = {}
        for name, place in self.last.items():
            self.ends.setdefault(place, []).append(name)
        self.free: dict[object, dict[str, None]] = {}  # arrays that were dead, by shape and kind
        self.pending: Counter[str] = Counter()  # the reads of the statement that are still to be evaluated
        self.found: list[plan.Statement] = []

    def _last_reads(self, returns: Sequence[str]) -> dict[str, int]:
        """For each variable the last statement that reads it, or what may share its memory."""
        end = len(self.statements)
        last = dict.fromkeys(returns, end)
        for k in range(end - 1, -1, -1):
            for name in touched(self.statements[k]):
                last.setdefault(name, k)
        for name, others in self.shared.items():
            for other in others:
                last[other] = max(last.get(other, 0), last.get(name, 0))
        return last

    def run(self) -> list[plan.Statement]:
        for place, one in enumerate(self.statements):
            self.place = place
            for name in self.ends.get(place, ()):
                self._freed(name)
            match one:
                case plan.Assign(name, plan.Choose(otherwise=otherwise), axes):
                    self.found.append(one)  # it is written over by itself
                    self.kinds.known[name] = self.kinds.of(otherwise)
                    self._owned(name, tuple(n.size for n in axes if n is not None))
                case plan.Assign():
                    self._assigned(one)
                case plan.Write(value=value, labels=labels) if not one.at_an_end:
                    self.target, self.pending = None, self._reads(value).copy()
                    self.found.append(replace(one, value=self.value(value, None, labels)))
                case plan.Zeros(name, shape):
                    self.found.append(one)
                    self.kinds.known[name] = FLOAT
                    self._owned(name, shape)
                case _:
                    self.found.append(one)
        return self._dropped()

    def _dropped(self) -> list[plan.Statement]:
        """The statements; what got a name only to be written over goes with the last that reads it.

        It does where nothing else is in its memory by then, and something is still to come.
        """
        last = {name: k for k, one in enumerate(self.found) for name in touched(one) & self.names}
        ends: dict[int, list[str]] = {}
        for name, k in last.items():
            one = self.found[k]
            if k < len(self.found) - 1 and not (
                isinstance(one, plan.Into) and one.buffer == name != one.name
            ):
                ends.setdefault(k, []).append(name)
        return [
            step
            for k, one in enumerate(self.found)
            for step in (one, *(plan.Drop(name) for name in ends.get(k, ())))
        ]

    def _assigned(self, one: plan.Assign) -> None:
        self.target, self.pending = one.name, self._reads(one.value).copy()
        axes = tuple(n for n in one.axes if n is not None)
        whole = len(axes) == len(one.axes) and set(axes) == set(one.value.axes)
        kind = self.kinds.of(one.value)
        if whole and not isinstance(one.value, plan.Load | plan.View):
            self._named(self.value(one.value, one.name, axes), one)
        else:
            self.found.append(replace(one, value=self.inside(one.value)))
        self.kinds.known[one.name] = FLOAT if kind is not None and not kind else kind
        if whole and (one.own or not shares(one.value)):
            self._owned(one.name, tuple(n.size for n in axes))

    def _named(self, value: Expr, one: plan.Assign) -> None:
        """The value has the name of the statement from here on; it may be in the memory of a variable."""
        if not isinstance(value, plan.Load):
            self.found.append(self._placed(replace(one, value=value)))
        elif value.name != one.name:
            last = self.found[-1]
            if isinstance(last, plan.Into) and last.name == value.name and last.axes == one.axes:
                self.found[-1] = replace(last, name=one.name)
            else:
                self.found.append(plan.Assign(one.name, value, one.axes))
            del self.own[value.name]

    def _placed(self, one: plan.Assign) -> plan.Statement:
        """The statement; an operation on variables goes into an array of that shape that is dead already."""
        axes = tuple(n for n in one.axes if n is not None)
        simple = all(
            isinstance(part, plan.Load | plan.View) or not part.axes for part in plan.parts(one.value)
        )
        if simple and _at_once(one.value) and self._takes(one.value):
            kind, shape = self.kinds.of(one.value), tuple(n.size for n in axes)
            free = self.free.get((shape, kind), {})
            for name in free.keys() - self.own.keys():  # written over by now
                del free[name]
            names = {*free, one.name} & self.own.keys()
            for name in sorted(names, key=self.age.__getitem__):
                alike = self.own[name] == shape and self.kinds.known[name] == kind
                if alike and self._dead(name) and not self.pending[name]:
                    del self.own[name]
                    return plan.Into(one.name, name, one.value, axes)
        return one

    def _owned(self, name: str, shape: tuple[object, ...]) -> None:
        """The variable is an array of this function's own from here on."""
        if name not in self.own:
            self.made += 1
            self.age[name] = self.made
        self.own[name] = shape
        if self._dead(name):
            self._freed(name)

    def _freed(self, name: str) -> None:
        """Nobody reads it after this statement."""
        if name in self.own:
            self.free.setdefault((self.own[name], self.kinds.known[name]), {})[name] = None

    # -- expressions ----------------------------------------------------------------------------------

    def inside(self, one: Expr) -> Expr:
        """The expression with its operands rewritten."""
        return plan.rebuilt(one, lambda part: self.value(part, None, part.axes)) if plan.parts(one) else one

    def value(self, one: Expr, name: str | None, axes: Axes) -> Expr:
        """The expression rewritten: itself, or the variable that now holds it.

        Its array is called `name`, laid out as `axes`, where it gets a name of its own.
        """
        if not self._takes(one):
            return self.inside(one)
        old, new = plan.parts(one), list[Expr]()
        for k, part in enumerate(old):
            spine = name if name not in self.own and self._fits(part, one) else None
            layout = axes if spine is not None else part.axes
            done = self.value(part, spine, layout)
            if self._fits(done, one) and self._overwritten(old[k + 1 :], done):
                done = self._variable(done, spine, layout)
            new.append(done)
        one = _with(one, new)
        over = self._over(one, name)
        if over is None:
            return one
        k, held = over, new[over]
        if not isinstance(held, plan.Load):
            spine = name if name not in self.own else None
            held = self._variable(held, spine, axes if spine is not None else held.axes)
            one = _with(one, [held if n == k else part for n, part in enumerate(new)])
        return self._written(one, k, held)

    def _written(self, one: Expr, k: int, held: plan.Load) -> plan.Load:
        """The operation is written over its k-th operand, a sum term by term."""
        if not isinstance(one, plan.Add) or _at_once(one):
            self._emit(plan.Into(held.name, held.name, one, held.axes))
            return held
        sign, _ = one.terms[k]
        rest = [term for n, term in enumerate(one.terms) if n != k]
        if sign < 0:  # a term to take it off, or else its negative
            first = next((n for n, (other, _) in enumerate(rest) if other > 0), None)
            terms = ((-1, held),) if first is None else (rest.pop(first), (-1, held))
            self._emit(plan.Into(held.name, held.name, plan.Add(terms, one.axes), held.axes))
        for term in rest:
            step = plan.Add(((1, held), term), one.axes)
            self._emit(plan.Into(held.name, held.name, step, held.axes))
        return held

    def _variable(self, one: Expr, name: str | None, axes: Axes) -> plan.Load:
        """A variable for an expression: of that name, or a new one."""
        if name is None:
            name = self.fresh()
            self.names.add(name)
        self._emit(self._placed(plan.Assign(name, one, axes)))
        self.kinds.known[name] = self.kinds.of(one)
        self._owned(name, tuple(n.size for n in axes))
        return plan.Load(name, axes)

    def _emit(self, one: plan.Assign | plan.Into | plan.Statement) -> None:
        assert isinstance(one, plan.Assign | plan.Into)
        self.pending -= self._reads(one.value)
        self.pending.update(self._among({one.name}))  # by what is made of it
        self.found.append(one)

    def _with_operations(self, one: plan.Statement) -> plan.Statement:
        if not isinstance(one, plan.Assign | plan.Write):
            return one
        value = self._opened(one.value)
        return one if value is one.value else replace(one, value=value)

    def _opened(self, one: Expr) -> Expr:
        """The expression with functions of the table as the operations of their templates."""
        if plan.parts(one):
            one = plan.rebuilt(one, self._opened)
        steps = opened(one) if isinstance(one, plan.Apply) and self._large(one.axes) else None
        return one if steps is None else steps

    # -- what may be written over -----------------------------------------------------------------------

    def _large(self, axes: Axes) -> bool:
        return bool(axes) and volume(axes, self.sizes) >= self.least

    def _takes(self, one: Expr) -> bool:
        """Is it a large operation on entries that can be written into any array of its type?"""
        match one:
            case plan.Add() | plan.Multiply() | plan.Divide() | plan.Power():
                pass
            case plan.Apply(function, _, _) if in_place(function) is not None:
                pass
            case _:
                return False
        if not self._large(one.axes):
            return False
        kind = self.kinds.of(one)
        return kind is not None and self.kinds.floating(kind)

    def _fits(self, part: Expr, one: Expr) -> bool:
        """Is it an array without a name, of the shape and type of the result?"""
        if isinstance(part, plan.Load | plan.View) or set(part.axes) != set(one.axes) or shares(part):
            return False
        return self.kinds.of(part) == self.kinds.of(one)

    def _dead(self, name: str) -> bool:
        return name == self.target or self.last.get(name, -1) <= self.place

    def _over(self, one: Expr, name: str | None) -> int | None:
        """The operand that is written over: a variable, or what NumPy itself would not write over."""
        parts = plan.parts(one)
        order = sorted(range(len(parts)), key=lambda k: getattr(parts[k], "name", None) != name)
        for k in order:
            if self._over_variable(one, k):
                return k
        without = [k for k, part in enumerate(parts) if self._fits(part, one)]
        return None if any(written_over(one, k) for k in without) else next(iter(without), None)

    def _over_variable(self, one: Expr, k: int) -> bool:
        """May the operation be written over its k-th operand, a variable?"""
        part, *others = (plan.parts(one)[k], *(p for n, p in enumerate(plan.parts(one)) if n != k))
        if not isinstance(part, plan.Load) or part.name not in self.own or not self._dead(part.name):
            return False
        if set(part.axes) != set(one.axes) or self.kinds.known[part.name] != self.kinds.of(one):
            return False
        if any(part.name in self._among(shares(other)) for other in others) and any(
            not isinstance(other, plan.Load) or (other.name, other.axes) != (part.name, part.axes)
            for other in others
            if part.name in self._among(shares(other))
        ):
            return False  # the same memory in another layout
        within = self._reads(one)[part.name]
        if within > 1 and not _at_once(one):
            return False  # a later step would read what an earlier one has written
        return self.pending[part.name] == within

    def _overwritten(self, later: Sequence[Expr], one: Expr) -> bool:
        """Would operands that come later write over what this one reads, if it were evaluated before?"""
        read = {n for n in self._reads(one) if n in self.own and self._dead(n)}
        return any(self._takes(part) and read & set(self._reads(part)) for part in later)

    # -- what is read -----------------------------------------------------------------------------------

    def _reads(self, one: Expr) -> Counter[str]:
        """How often an expression reads each variable, or one that may share its memory."""
        found = self.read.get(one)
        if found is None:
            found = self.read[one] = Counter()
            stack = [one]
            while stack:
                part = stack.pop()
                if isinstance(part, plan.Load | plan.View):
                    found.update(self._among({part.name}))
                stack += plan.parts(part)
        return found

    def _among(self, names: set[str]) -> set[str]:
        return names.union(*(self.shared.get(name, set()) for name in names))


def _at_once(one: Expr) -> bool:
    """Is it one operation of NumPy? A sum of several terms is not, and neither are two that are taken off."""
    signs = [sign for sign, _ in one.terms] if isinstance(one, plan.Add) else []
    return len(signs) < 2 or (len(signs) == 2 and max(signs) > 0)


def shares(one: Expr) -> set[str]:
    """The variables whose memory the array of an expression may be in."""
    match one:
        case plan.Load(name, _) | plan.View(name, _, _, _, _):
            return {name}
        case plan.Add(((1, part),), _) | plan.Take(part, _, _, _) | plan.Cast(part, _) | plan.Whole(part, _):
            return shares(part)
        case plan.Apply(function, operands, _) if in_place(function) is None:
            return set().union(*map(shares, operands))  # a user's may return what it is given
        case plan.Perform(_, operands, _):
            return set().union(*map(shares, operands))
        case _:
            return set()


def shared_memory(statements: Sequence[plan.Statement]) -> dict[str, set[str]]:
    """For each variable all that were made before it whose memory it may be in."""
    found: dict[str, set[str]] = {}
    for one in statements:
        if isinstance(one, plan.Assign) and not one.own:
            names = shares(one.value)
            found[one.name] = names.union(*(found.get(name, set()) for name in names))
        elif isinstance(one, plan.Loop | plan.Buffer):
            found |= shared_memory(one.body)
    return found


def touched(one: plan.Statement) -> set[str]:
    """The variables that a statement reads or writes into."""
    match one:
        case plan.Assign(_, value, _):
            return plan.reads(value)
        case plan.Into(_, buffer, value, _):
            return {buffer} | plan.reads(value)
        case plan.Write(name, _, _, value, _):
            return {name} | plan.reads(value)
        case plan.Loop(_, _, body) | plan.Buffer(_, _, body):
            return set().union(*map(touched, body), *({b.name} for b in body if hasattr(b, "name")))
        case plan.Blocked(made=made, parts=parts, body=body):
            names = {name for pair in parts for name in pair} | {one.name for one in made}
            return names.union(*map(touched, body))
        case _:
            return set()


def _with(one: Expr, new: Sequence[Expr]) -> Expr:
    """The expression with other operands."""
    parts = iter(new)
    return plan.rebuilt(one, lambda _: next(parts))
