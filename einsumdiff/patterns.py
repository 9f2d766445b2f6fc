"""Where one term of a derivative may differ from zero, and how its core comes apart: facts, read off it.

Every fact is a claim about the numbers that the term writes, at any sizes and inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from einsumdiff.nodes import (
    Definition,
    Entry,
    Factor,
    Form,
    Guard,
    Label,
    OneHot,
    Term,
    factor_labels,
    is_one_hot,
)
from einsumdiff.sizes import AnySize, nonnegative, smaller

Axes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """`low <= place[axis] - sum(c*place[a] for a, c in of) <= high` wherever the term is not zero.

    None is no bound. Where `toeplitz`, the entries do not change when the place on the one axis of `of`
    moves by 1 and that on `axis` by its coefficient.
    """

    axis: int
    of: tuple[tuple[int, AnySize], ...]
    low: AnySize | None
    high: AnySize | None
    toeplitz: bool = False

    @property
    def kind(self) -> str:
        """`banded`, `triangular` or `selection`."""
        if not self.of:
            return "selection"
        if self.low is None or self.high is None:
            return "triangular"
        return "selection" if self.low == self.high and [c for _, c in self.of] != [1] else "banded"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The place on `axis` is a number in an index array, which the places on the axes `by` tell."""

    axis: int
    by: Axes
    array: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """The structure of one term.

    Parameters
    ----------
    kind : `diagonal` (every axis is equal to another), `block-diagonal` (some are), `banded`,
        `triangular`, `selection`, `Kronecker`, `low-rank` or `dense`: the first word to say.
    pairs : groups of axes whose places are equal; `equal` says the same as relations. Where `alike`, the
        entries do not change with these places.
    relations : other ties between places.
    gathered : axes whose places an index array tells.
    groups : the term is a product of one factor for each group of axes.
    rank : its rank as a matrix, all axes but those of the last wrt by those, is at most that; of a
        gradient: 1 where it is an outer product over the groups. None where nothing is known.
    """

    kind: str
    pairs: tuple[Axes, ...]
    relations: tuple[Relation, ...] = ()
    gathered: tuple[Gathered, ...] = ()
    groups: tuple[Axes, ...] = ()
    rank: AnySize | None = None
    equal: tuple[Relation, ...] = ()
    alike: bool = False

    @property
    def ties(self) -> tuple[Relation, ...]:
        """All relations, those of equal axes too."""
        return self.equal + self.relations


def pattern(term: Term, shape: Sequence[AnySize], split: int) -> Pattern:
    """The pattern of a term whose axes before `split` count as rows."""
    pairs = _pairs(term)
    relations = _relations(term, shape, {axis for group in pairs for axis in group[1:]})
    gathered = _gathered(term)
    groups = _groups(term)
    rank = _rank(term, split, groups)
    kind = _kind(term, pairs, relations, gathered, groups, rank, split)
    equal = tuple(
        Relation(b, ((group[0], 1),), 0, 0, _toeplitz(term, shape, b, [(group[0], 1)]))
        for group in pairs
        for b in group[1:]
    )
    tied = {label for group in pairs for label in term.axes[group[0]].labels}
    others = [form for k, form in enumerate(term.axes) if not any(k in group for group in pairs)]
    seen = {label for f in term.product.factors for label in factor_labels(f)}
    seen.update(label for form in others for label in form.labels)
    return Pattern(kind, pairs, relations, gathered, groups, rank, equal, not tied & seen)


def _kind(
    term: Term,
    pairs: tuple[Axes, ...],
    relations: tuple[Relation, ...],
    gathered: tuple[Gathered, ...],
    groups: tuple[Axes, ...],
    rank: AnySize | None,
    split: int,
) -> str:
    if gathered:
        return "selection"
    kinds = {relation.kind for relation in relations}
    for kind in ("banded", "triangular", "selection"):
        if kind in kinds:
            return kind
    if pairs:
        tied = {axis for group in pairs for axis in group}
        whole = all(axis in tied or not form.labels for axis, form in enumerate(term.axes))
        return "diagonal" if whole else "block-diagonal"
    if len(groups) > 1 and all(group[0] < split <= group[-1] for group in groups):
        return "Kronecker"
    return "low-rank" if rank == 1 else "dense"


def _pairs(term: Term) -> tuple[Axes, ...]:
    places: dict[Form, list[int]] = {}
    for axis, form in enumerate(term.axes):
        if form.coefficients:
            places.setdefault(form, []).append(axis)
    return tuple(tuple(axes) for axes in places.values() if len(axes) > 1)


# ------------------------------------------------------------------------------------------- relations


def _relations(term: Term, shape: Sequence[AnySize], copies: set[int]) -> tuple[Relation, ...]:
    """What ties the axes, but for those that copy another one."""
    anchors: dict[Label, int] = {}
    for axis, form in enumerate(term.axes):
        if form.label is not None:
            anchors.setdefault(form.label, axis)
    found: list[Relation] = []
    for axis, form in enumerate(term.axes):
        if axis in copies:
            continue
        of = [(anchors[label], c) for label, c in form.coefficients if anchors.get(label, axis) != axis]
        rest = form - _at(term, of)
        if not of and not form.label:
            other = next(
                (a for a in range(axis) if form.labels and not (form - term.axes[a]).coefficients), None
            )
            if other is not None:
                of, rest = [(other, 1)], form - term.axes[other]
        bounds = rest.bounds()
        if bounds is None or (not of and _whole(bounds, shape[axis])):
            continue
        found.append(_forward(Relation(axis, tuple(of), *bounds, _toeplitz(term, shape, axis, of))))
    for factor in term.product.factors:
        if isinstance(factor, Guard):
            found += _guarded(factor, term, anchors)
    return tuple(found)


def _forward(one: Relation) -> Relation:
    """Of two axes at a distance the later one is said by the earlier, so that terms can be compared."""
    if len(one.of) != 1 or one.of[0][1] != 1 or one.of[0][0] < one.axis:
        return one
    low = None if one.high is None else -one.high
    high = None if one.low is None else -one.low
    return Relation(one.of[0][0], ((one.axis, 1),), low, high, one.toeplitz)


def _at(term: Term, of: Iterable[tuple[int, AnySize]]) -> Form:
    total = Form((), 0)
    for axis, c in of:
        total = total + term.axes[axis].times(c)
    return total


def _whole(bounds: tuple[AnySize, AnySize], size: AnySize) -> bool:
    return nonnegative(-bounds[0]) and nonnegative(bounds[1] - (size - 1))


def _guarded(guard: Guard, term: Term, anchors: dict[Label, int]) -> list[Relation]:
    """`[a - b + 2 >= 0]` says that b is at most a + 2."""
    if guard.op == "!=" or not guard.form.labels or any(label not in anchors for label in guard.form.labels):
        return []
    pairs = [(anchors[label], c) for label, c in guard.form.coefficients]
    unit = [(axis, c) for axis, c in pairs if c in (1, -1)]
    if not unit:
        return []
    axis, sign = max(unit, key=lambda pair: pair[0])
    positive = sign == 1
    of = tuple((a, -c if positive else c) for a, c in pairs if a != axis)
    bound = -guard.form.constant if positive else guard.form.constant
    if guard.op == "==":
        return [Relation(axis, of, bound, bound)]
    return [Relation(axis, of, bound, None) if positive else Relation(axis, of, None, bound)]


def _toeplitz(term: Term, shape: Sequence[AnySize], axis: int, of: Sequence[tuple[int, AnySize]]) -> bool:
    """Is nothing else to be seen of the one axis that this axis follows?

    A guard that only keeps the axis in bounds leaves nothing out.
    """
    if len(of) != 1:
        return False
    anchor = of[0][0]
    label = term.axes[anchor].label
    if label is None or label.size != shape[anchor]:
        return False
    if any(label in form.labels for k, form in enumerate(term.axes) if k not in (axis, anchor)):
        return False
    form = term.axes[axis]
    bounds = (Guard(form, ">="), Guard(form.times(-1).plus(shape[axis] - 1), ">="))
    return not any(label in factor_labels(f) for f in term.product.factors if f not in bounds)


def _gathered(term: Term) -> tuple[Gathered, ...]:
    anchors: dict[Label | None, int] = {}
    for axis, form in enumerate(term.axes):
        if form.label is not None:
            anchors.setdefault(form.label, axis)
    found = []
    for factor in term.product.factors:
        if isinstance(factor, Entry) and is_one_hot(factor.array):
            assert isinstance(factor.array, Definition) and isinstance(factor.array.body, OneHot)
            place = factor.forms[-1].label
            by = [form.label for form in factor.forms[:-1]]
            if place in anchors and all(label in anchors for label in by):
                axes = tuple(anchors[label] for label in by)
                found.append(Gathered(anchors[place], axes, factor.array.body.entry.array.name))
    return tuple(found)


# ---------------------------------------------------------------------------------------- factorisations


def components(term: Term) -> list[list[Factor]]:
    """The factors, those together that a summed label joins."""
    bound = set(term.product.bound)
    found: list[list[Factor]] = []
    for factor in term.product.factors:
        summed = bound & set(factor_labels(factor))
        joined = [part for part in found if summed & {b for f in part for b in factor_labels(f)}]
        found = [part for part in found if part not in joined]
        found.append([f for part in joined for f in part] + [factor])
    return found


def _groups(term: Term) -> tuple[Axes, ...]:
    """The axes, those together that share a label or a factor; an axis with one place is in none."""
    groups: list[set[Label]] = []
    tied = [set(form.labels) for form in term.axes]
    tied += [{b for f in part for b in factor_labels(f)} for part in components(term)]
    for labels in tied:
        if labels:
            met = [group for group in groups if group & labels]
            groups = [group for group in groups if group not in met] + [labels.union(*met)]
    axes = [
        tuple(axis for axis, form in enumerate(term.axes) if group & set(form.labels)) for group in groups
    ]
    return tuple(sorted(group for group in axes if group))


def _rank(term: Term, split: int, groups: tuple[Axes, ...]) -> AnySize | None:
    """The number of places of the summed labels between what bears rows and what bears columns."""
    rows = {label for form in term.axes[:split] for label in form.labels}
    columns = {label for form in term.axes[split:] for label in form.labels}
    if split == 0:
        return 1 if len(groups) > 1 else None
    if not rows or not columns or rows & columns:
        return None
    sides: tuple[set[Label], set[Label]] = (set(), set())
    for factor in term.product.factors:
        labels = set(factor_labels(factor))
        if labels & rows and labels & columns:
            return None
        sides[bool(labels & rows)].update(labels)
    rank: AnySize = 1
    for label in term.product.bound:
        if label in sides[0] and label in sides[1]:
            rank = rank * label.size
    return rank


def joined(
    patterns: Sequence[Pattern], shape: Sequence[AnySize]
) -> tuple[tuple[Axes, ...], tuple[Relation, ...]]:
    """The pairs and the other relations that hold for a sum of terms."""
    common = [set(group) for group in patterns[0].pairs]
    for one in patterns[1:]:
        common = [a & set(b) for a in common for b in one.pairs]
    pairs = tuple(sorted(tuple(sorted(group)) for group in common if len(group) > 1))
    copies = {(axis, group[0]) for group in pairs for axis in group[1:]}
    tables = [{(r.axis, r.of): r for r in one.ties} for one in patterns]
    relations = []
    for (axis, of), first in tables[0].items():
        if len(of) == 1 and of[0][1] == 1 and (axis, of[0][0]) in copies:
            continue
        if not all((axis, of) in table for table in tables):
            continue
        these = [table[axis, of] for table in tables]
        low, high = first.low, first.high
        for other in these[1:]:
            low = None if low is None or other.low is None else smaller(low, other.low)
            high = None if high is None or other.high is None else _larger(high, other.high)
        covers = not of and low is not None and high is not None and _whole((low, high), shape[axis])
        if not covers and (low is not None or high is not None):
            toeplitz = all(one.toeplitz for one in these)
            relations.append(Relation(axis, of, low, high, toeplitz))
    return pairs, tuple(relations)


def _larger(a: AnySize, b: AnySize) -> AnySize | None:
    least = smaller(a, b)
    return None if least is None else b if least == a else a
