"""A product as an expression: entries read as views, conditions selected, the rest contracted in pairs."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite

from einsumdiff import plan
from einsumdiff.contract import along, order
from einsumdiff.costs import Stored, volume
from einsumdiff.cumulative import but, running_sum, stairs
from einsumdiff.language.table import Function, load_table
from einsumdiff.nodes import (
    Array,
    Call,
    Constant,
    Definition,
    Entry,
    Extent,
    Form,
    Guard,
    Input,
    Label,
    Mask,
    Number,
    OneHot,
    Product,
    counted,
    factor_labels,
    is_one_hot,
    whole_place,
)
from einsumdiff.pairs import Pairs
from einsumdiff.plan import Expr

_Side = tuple[Expr, int]  # an operand, and whether it stands above (1) or below (-1) the fraction bar


OUTER = 4
"""An outer product has so many times the places of what is scaled in its stead."""


@dataclass(slots=True)
class Products:
    """Reads arrays by the names of their variables, or in place: `inline` has an expression for some
    arrays, over the labels in `layout`."""

    names: dict[Array, str] = field(default_factory=dict)
    inline: dict[Array, Expr] = field(default_factory=dict)
    layout: dict[Array, tuple[Label, ...]] = field(default_factory=dict)
    moving: str | None = None  # the variable that changes from call to call, while the rest stays
    assumed: dict[str, int] = field(default_factory=dict)  # sizes, to weigh orders of contraction with
    pairs: Pairs = field(default_factory=Pairs)

    def product(self, one: Product, trusted: bool = False) -> Expr:
        """A product over its free labels; what it sums is contracted pair by pair."""
        factors, coefficient = list(one.factors), one.coefficient
        conditions: list[Guard | Mask] = [f for f in factors if isinstance(f, Guard | Mask)]
        hots = [f for f in factors if isinstance(f, Entry) and is_one_hot(f.array)]
        scalar: list[_Side] = []
        operands: list[_Side] = []
        for f in factors:
            match f:
                case Extent(size, power):
                    side = 1 if power > 0 else -1
                    scalar.append((plan.Literal(size, side * power), side))
                case Entry() if not is_one_hot(f.array):
                    value, power = self._powered(f, trusted, bool(conditions))
                    (operands if value.axes else scalar).append((value, power))
        bound: Sequence[Label] = one.bound
        if hots:
            operands, bound = self._placed(hots, operands, conditions, bound)
        if conditions:
            operands, conditions, bound = self._running(operands, conditions, bound)
        count = counted(one) if not operands else None
        if count is not None:
            operands = [(plan.Place(count, count.labels), 1)]
        elif conditions:
            if isinstance(coefficient, float) and not isfinite(coefficient):
                # where a condition does not hold, it times 0 would be nan
                scalar.append((plan.Literal(coefficient), 1))
                coefficient = 1
            operands = self._conditioned(conditions, operands, scalar, bound)
        value = self._contracted(operands, () if count is not None else bound)
        return self._scaled(value, coefficient, scalar)

    def _powered(self, entry: Entry, trusted: bool, guarded: bool) -> tuple[Expr, int]:
        """The base of an entry to a positive power, and on which side of the fraction it stands."""
        value = self.entry(entry, trusted=trusted, guarded=guarded)
        power = entry.power
        side = 1 if power > 0 else -1
        if abs(power) != 1:
            value = plan.Power(value, side * power, value.axes)
        return value, side

    def _conditioned(
        self,
        conditions: Sequence[Guard | Mask],
        operands: list[_Side],
        scalar: list[_Side],
        bound: Sequence[Label],
    ) -> list[_Side]:
        """Whatever shares a summed label with a condition, or has only its labels, is selected by it."""
        tests = self._tests(conditions)
        among = set(bound)
        labels = {n for f in conditions for n in factor_labels(f)}
        if labels & among:
            inside = [o for o in operands if set(o[0].axes) & labels or not set(o[0].axes) & among]
            outside = [o for o in operands if o not in inside]
        else:
            inside, outside = operands, []
        joint = set(plan.union([v for v, _ in inside])) | labels
        summed = [n for n in bound if n in joint and n not in labels]
        summed = [n for n in summed if not any(n in v.axes for v, _ in outside)]
        inner = self._contracted(inside, summed)
        inner = self._scaled(inner, 1, scalar)
        scalar.clear()
        chosen = plan.Select(tests, inner, 0, plan.union([inner, *(c for c, _ in tests)]))
        return [(chosen, 1), *outside]

    def _tests(self, conditions: Sequence[Guard | Mask]) -> tuple[tuple[Expr, bool], ...]:
        return tuple(
            (self.condition(f), True) if isinstance(f, Guard) else (self.mask(f), f.holds) for f in conditions
        )

    def _contracted(self, operands: list[_Side], bound: Sequence[Label]) -> Expr:
        if not operands:
            return plan.Literal(1)
        summed = set(bound)
        if len(operands) == 1:
            return _alone(*operands[0], summed)
        count: dict[Label, int] = {}
        for value, _ in operands:
            for label in value.axes:
                count[label] = count.get(label, 0) + 1
        ready: list[_Side] = []
        for value, side in operands:
            alone = [n for n in value.axes if n in summed and count[n] == 1]
            if (alone and len(operands) > 1) or (alone and side < 0):
                if side < 0:
                    value, side = plan.Divide(plan.Literal(1), value, value.axes), 1
                value = _summed(value, tuple(n for n in value.axes if n not in alone))
            ready.append((value, side))
        sets = [frozenset(value.axes) for value, _ in ready]
        final = frozenset(n for s in sets for n in s) - summed
        moving = None
        if self.moving is not None:
            moving = [self.moving in plan.reads(value) for value, _ in ready]
        possible = self.pairs.possible([value for value, _ in ready], final)
        stored = [Stored(v.name, v.axes) if isinstance(v, plan.Load) else None for v, _ in ready]
        path = order(sets, final, moving, self.assumed, self.pairs.prices(possible), stored)
        self.pairs.chosen(path, sets, final, possible, self.assumed)
        live_count: dict[Label, int] = {}
        for s in sets:
            for n in s:
                live_count[n] = live_count.get(n, 0) + 1

        def pair(a: _Side, b: _Side) -> _Side:
            done = [n for n in a[0].axes if n in b[0].axes and n in summed and live_count[n] == 2]
            for n in a[0].axes:
                if n in b[0].axes:
                    live_count[n] -= 1
            return self._pair(a, b, set(done))

        return _alone(*along(path, lambda k: ready[k], pair), summed)

    @staticmethod
    def _pair(a: _Side, b: _Side, done: set[Label]) -> _Side:
        (left, p), (right, q) = a, b
        if not done:
            axes = plan.union([left, right])
            if p == q:
                return plan.Multiply(left, right, axes), p
            return (plan.Divide(left, right, axes) if p > 0 else plan.Divide(right, left, axes)), 1
        if p < 0:
            left = plan.Divide(plan.Literal(1), left, left.axes)
        if q < 0:
            right = plan.Divide(plan.Literal(1), right, right.axes)
        solved = _solved(left, right, done) or _solved(right, left, done)
        if solved is not None:
            return solved, 1
        axes = tuple(n for n in plan.union([left, right]) if n not in done)
        return plan.Contract(left, right, axes), 1

    def scaled(self, value: Expr, scale: Product) -> Expr:
        """The value times a number and sizes."""
        scalars: list[_Side] = [
            (plan.Literal(f.size, f.power), 1) if f.power > 0 else (plan.Literal(f.size, -f.power), -1)
            for f in scale.factors
            if isinstance(f, Extent)
        ]
        return self._scaled(value, scale.coefficient, scalars)

    def _scaled(self, value: Expr, coefficient: Number, scalar: list[_Side]) -> Expr:
        """The value times a number and scalars; of an outer product, what is smaller than it is scaled."""
        if isinstance(value, plan.Multiply) and (coefficient != 1 or scalar):
            sides = [value.left, value.right]
            places = [volume(side.axes, self.assumed) for side in sides]
            k = places.index(min(places))
            if places[k] * OUTER <= volume(value.axes, self.assumed):
                sides[k] = self._scaled(sides[k], coefficient, scalar)
                return plan.Multiply(sides[0], sides[1], value.axes)
        above: list[Expr] = [s for s, side in scalar if side > 0]
        below: list[Expr] = [s for s, side in scalar if side < 0]
        if isinstance(coefficient, Fraction):
            if abs(coefficient.numerator) != 1:
                above.insert(0, plan.Literal(abs(coefficient.numerator)))
            below.insert(0, plan.Literal(coefficient.denominator))
        elif coefficient not in (1, -1) or isinstance(coefficient, float):
            above.insert(0, plan.Literal(abs(coefficient)))
        if not isinstance(value, plan.Literal) or value.value != 1:
            above.append(value)
        result: Expr | None = None
        for part in above:
            result = part if result is None else plan.Multiply(result, part, plan.union([result, part]))
        if result is None:
            result = plan.Literal(1)
        for part in below:
            result = plan.Divide(result, part, result.axes)
        if coefficient < 0:
            result = plan.Add(((-1, result),), result.axes)
        return result

    # -- places in index arrays ---------------------------------------------------------------------------

    def _placed(
        self,
        hots: Sequence[Entry],
        operands: list[_Side],
        conditions: Sequence[Guard | Mask],
        bound: Sequence[Label],
    ) -> tuple[list[_Side], tuple[Label, ...]]:
        """The operands and the labels to sum, with the indicators of places worked in.

        What is read at a place is gathered; where all that lie at a place are summed, they are scattered;
        otherwise the indicator is an array like any other.
        """
        barred = {n for f in conditions for n in factor_labels(f)}
        left: list[Entry] = []
        for hot in hots:
            place = whole_place(hot)
            others = {n for h in hots if h is not hot for n in factor_labels(h)}
            if place is None or place not in bound or place in barred | others:
                left.append(hot)
                continue
            index = self.places(hot)
            operands = [(plan.taken(v, place, index), side) for v, side in operands]
            bound = tuple(n for n in bound if n is not place)
        for hot in left:
            place, index = whole_place(hot), self.places(hot)
            others = {n for h in left if h is not hot for n in factor_labels(h)}
            inside = [(v, side) for v, side in operands if place not in v.axes]
            outside = [(v, side) for v, side in operands if place in v.axes]
            apart = barred | others | {n for v, _ in outside for n in v.axes}
            gone = set(index.axes)
            free = place is not None and place not in bound and place not in barred | others
            if place is None or not free or not gone <= set(bound) or gone & apart:
                operands = [*operands, (self._hot(hot.array, hot.forms), 1)]
                continue
            own = [n for n in bound if n not in gone and n not in apart]
            value = self._contracted(inside, own)
            axes = (place, *(n for n in value.axes if n not in gone))
            operands = [(plan.Scatter(value, place, index, axes), 1), *outside]
            bound = tuple(n for n in bound if n not in gone and n not in own)
        return operands, tuple(bound)

    def _running(
        self, operands: list[_Side], conditions: list[Guard | Mask], bound: Sequence[Label]
    ) -> tuple[list[_Side], list[Guard | Mask], Sequence[Label]]:
        """Guards such as `[i - k >= 0]` over a summed label make a cumulative sum, not a triangle.

        One after the other: the sum over k of what bears k is an array over i, for the next guard to use.
        A guard that shares its summed label with others comes last, and takes them as a factor.
        """
        found: list[_Side] | None = operands
        while found is not None:
            operands, found = found, None
            for shared in (False, True):
                for guard, (label, c) in stairs(conditions, bound):
                    others = [f for f in conditions if f is not guard]
                    meeting = [f for f in others if label in factor_labels(f)]
                    place = but(guard.form, label).times(-c)
                    inside = [o for o in operands if label in o[0].axes]
                    near = {n for value, _ in inside for n in value.axes}
                    near.update(n for f in meeting for n in factor_labels(f))
                    if shared is not bool(meeting) or not near or near & set(place.labels):
                        continue
                    outside = [o for o in operands if o not in inside]
                    others = [f for f in others if f not in meeting]
                    beyond = {label, *place.labels, *(n for f in others for n in factor_labels(f))}
                    beyond.update(n for value, _ in outside for n in value.axes)
                    beyond.update(n for f in meeting for n in factor_labels(f))
                    own = [n for n in bound if n not in beyond]
                    base = self._contracted(inside, own)
                    if meeting:
                        tests = self._tests(meeting)
                        base = plan.Select(tests, base, 0, plan.union([base, *(c for c, _ in tests)]))
                    found = [*outside, (running_sum(base, label, place, c > 0), 1)]
                    conditions = others
                    bound = tuple(n for n in bound if n is not label and n not in own)
                    break
                if found is not None:
                    break
        return operands, conditions, bound

    def places(self, hot: Entry) -> Expr:
        """The index array of an indicator, over the labels of the entry."""
        body = hot.array.body if isinstance(hot.array, Definition) else None
        assert isinstance(body, OneHot)
        values = dict(zip(body.axes, hot.forms, strict=True))
        forms = tuple(f.substitute(values) for f in body.entry.forms)
        index = self.entry(Entry(body.entry.array, forms))
        return index if isinstance(body.entry.array, Input) else plan.Whole(index, index.axes)

    def _hot(self, array: Array, forms: tuple[Form, ...]) -> Expr:
        index, place = self.places(Entry(array, forms)), forms[-1]
        return plan.Hot(index, place, array.shape[-1], plan.union([index, plan.Place(place, place.labels)]))

    # -- entries ------------------------------------------------------------------------------------------

    def entry(self, e: Entry, number: bool = True, trusted: bool = False, guarded: bool = False) -> Expr:
        """The base of an entry as an expression over its labels; with `number`, a boolean is cast."""
        array = e.array
        if isinstance(array, Constant):
            return plan.Named(array.name)
        value = self._view(array, e.forms, trusted, guarded)
        return plan.Cast(value, value.axes) if number and _boolean(array) else value

    def _view(self, array: Array, forms: tuple[Form, ...], trusted: bool, guarded: bool) -> Expr:
        if is_one_hot(array):
            return self._hot(array, forms)
        labels = [form.label for form in forms]
        distinct = None not in labels and len(set(labels)) == len(labels)
        whole = distinct and all(
            label is not None and label.size == size for label, size in zip(labels, array.shape, strict=True)
        )
        if whole:
            axes = tuple(label for label in labels if label is not None)
            inner = self.inline.get(array)
            if inner is not None:
                return plan.relabelled(inner, dict(zip(self.layout[array], axes, strict=True)))
            return plan.Load(self.names[array], axes)
        axes = tuple(dict.fromkeys(n for form in forms for n in form.labels))
        proved = trusted or all(form.within(size) for form, size in zip(forms, array.shape, strict=True))
        assert proved or guarded, f"{array.name}{list(forms)} may be out of bounds"
        return plan.View(self.names[array], forms, array.shape, axes, proved)

    def mask(self, mask: Mask) -> Expr:
        """The condition of a mask, as a boolean or a number."""
        return self._view(mask.array, mask.forms, False, True)

    @staticmethod
    def condition(guard: Guard) -> Expr:
        return plan.Condition(guard.form, guard.op, guard.form.labels)


def _boolean(array: Array) -> bool:
    if not isinstance(array, Definition) or not isinstance(array.body, Call):
        return False
    row = load_table()[array.body.function]
    return isinstance(row, Function) and row.boolean


def _alone(value: Expr, side: int, summed: Container[Label]) -> Expr:
    """One operand, summed over these labels; below the fraction bar it is inverted first."""
    if side < 0:
        value = plan.Divide(plan.Literal(1), value, value.axes)
    rest = tuple([n for n in value.axes if n not in summed])
    return value if len(rest) == len(value.axes) else _summed(value, rest)


def _summed(value: Expr, axes: tuple[Label, ...]) -> Expr:
    """The sum over all other axes; of the squares of all entries it is a product, which makes no array."""
    match value:
        case plan.Power(plan.Load() as base, 2) if not axes:
            return plan.Contract(base, base, ())
    return plan.Fold("sum", value, axes)


def _solved(inverse: Expr, right: Expr, done: set[Label]) -> plan.Solve | None:
    """`inv(A) @ b` as the solution of a system, where the inverse stands in place, read nowhere else."""
    if not isinstance(inverse, plan.Perform) or inverse.operation != "inv" or len(done) != 1:
        return None
    (label,) = done
    *batch, i, j = inverse.axes
    if label not in (i, j):
        return None
    other = i if label is j else j
    columns = [n for n in right.axes if n is not label and n not in batch]
    leading = [n for n in right.axes if n in batch]
    if other in right.axes or len(columns) > 1 or len(leading) not in (0, len(batch)):
        return None
    axes = (*batch, other, *columns)
    return plan.Solve(inverse.operands[0], right, label, label is i, axes)
