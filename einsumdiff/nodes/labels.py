"""Labels, and affine forms of them: what stands in the brackets of an entry and along the axes of a term.

Labels are compared by identity, forms by value.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from einsumdiff.sizes import AnySize, Size, nonnegative

_serials = itertools.count()


class Label:
    """An index: it runs over `range(size)`. `name` is the letter that a person gave it, if any."""

    __slots__ = ("name", "serial", "size")

    def __init__(self, size: AnySize, name: str | None = None) -> None:
        self.size, self.name, self.serial = size, name, next(_serials)

    def __repr__(self) -> str:
        return f"{self.name or '_'}{self.serial}:{self.size}"

    def fresh(self) -> Label:
        """Another label of the same size and letter."""
        return Label(self.size, self.name)


class Form:
    """An affine form: `sum(coefficient*label) + constant` with whole numbers (or sizes).

    Attributes
    ----------
    labels : all of them, in order.
    label : of a bare form (`i`), else None.
    """

    __slots__ = ("_hash", "coefficients", "constant", "label", "labels")
    coefficients: tuple[tuple[Label, AnySize], ...]  # in the order of the labels' serials, none zero
    labels: tuple[Label, ...]
    label: Label | None

    def __init__(self, coefficients: tuple[tuple[Label, AnySize], ...], constant: AnySize = 0) -> None:
        self.coefficients, self.constant = coefficients, constant
        self._hash = hash((coefficients, constant))
        self.label = None
        if not coefficients:
            self.labels = ()
        elif len(coefficients) == 1:
            ((label, c),) = coefficients
            self.labels = (label,)
            if c == 1 and constant == 0:
                self.label = label
        else:
            self.labels = tuple([label for label, _ in coefficients])

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Form)
            and self.coefficients == other.coefficients
            and self.constant == other.constant
        )

    def __reduce__(self) -> tuple[type[Form], tuple[object, ...]]:
        return Form, (self.coefficients, self.constant)

    def __repr__(self) -> str:
        return " + ".join([f"{c}*{label!r}" for label, c in self.coefficients] + [str(self.constant)])

    def __add__(self, other: Form) -> Form:
        terms = dict(self.coefficients)
        for label, c in other.coefficients:
            terms[label] = terms.get(label, 0) + c
        return _form(terms, self.constant + other.constant)

    def __neg__(self) -> Form:
        return self.times(-1)

    def __sub__(self, other: Form) -> Form:
        return self + other.times(-1)

    def times(self, number: AnySize) -> Form:
        return _form({label: c * number for label, c in self.coefficients}, self.constant * number)

    def plus(self, number: AnySize) -> Form:
        return Form(self.coefficients, self.constant + number)

    def substitute(self, values: Mapping[Label, Form]) -> Form:
        """The form with labels replaced by forms; itself where none of its labels is."""
        if self.label is not None:
            return values.get(self.label, self)
        if values.keys().isdisjoint(self.labels):
            return self
        total = constant_form(self.constant)
        for label, c in self.coefficients:
            total = total + values.get(label, bare(label)).times(c)
        return total

    def bounds(self) -> tuple[AnySize, AnySize] | None:
        """The least and the greatest value over the labels' ranges; None if a sign is not known."""
        low = high = self.constant
        for label, c in self.coefficients:
            span = c * (label.size - 1)
            if nonnegative(c):
                high = high + span
            elif nonnegative(-c):
                low = low + span
            else:
                return None
        return low, high

    def within(self, size: AnySize, facts: tuple[AnySize, ...] = ()) -> bool:
        """Is `0 <= form < size` proved, given that its labels have values?"""
        label = self.label
        if label is not None and label.size == size:
            return True
        bounds = self.bounds()
        if bounds is None:
            return False
        facts = facts + tuple(one.size - 1 for one, _ in self.coefficients if isinstance(one.size, Size))
        return nonnegative(bounds[0], facts) and nonnegative(size - 1 - bounds[1], facts)


def _form(terms: dict[Label, AnySize], constant: AnySize) -> Form:
    kept = [(label, c) for label, c in terms.items() if c != 0]
    kept.sort(key=lambda item: item[0].serial)
    return Form(tuple(kept), constant)


def bare(label: Label) -> Form:
    """The form that is that label."""
    return Form(((label, 1),), 0)


def constant_form(constant: AnySize) -> Form:
    """The form without labels."""
    return Form((), constant)
