"""The factors of a product: entries of arrays, indicators, and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from einsumdiff.nodes.arrays import Array
from einsumdiff.nodes.labels import Form, Label
from einsumdiff.sizes import AnySize, Size, nonnegative


class Entry(NamedTuple):
    """`array[forms] ** power`."""

    array: Array
    forms: tuple[Form, ...]
    power: int | Fraction = 1


class Guard(NamedTuple):
    """The indicator `[form op 0]`, 1 where it holds and 0 elsewhere; op is `==`, `>=` or `!=`.

    Where a guard does not hold the other factors are not read: their accesses may be out of bounds.
    """

    form: Form
    op: str


class Mask(NamedTuple):
    """A strongly zero factor: where `array[forms]` is not `holds`, the product is 0 whatever the rest is."""

    array: Array
    forms: tuple[Form, ...]
    holds: bool = True


class Extent(NamedTuple):
    """`size ** power`: the number of elements along an axis, as a factor."""

    size: AnySize
    power: int | Fraction = 1


Factor = Entry | Guard | Mask | Extent


def factor_labels(factor: Factor) -> tuple[Label, ...]:
    """The labels that a factor bears, with repetition, in order."""
    match factor:
        case Entry() | Mask():
            forms = factor.forms
            return forms[0].labels if len(forms) == 1 else tuple([n for form in forms for n in form.labels])
        case Guard():
            return factor.form.labels
        case Extent():
            return ()


def substitute_factor(factor: Factor, values: Mapping[Label, Form]) -> Factor:
    """The factor with labels replaced by forms."""
    match factor:
        case Entry():
            array, forms, power = factor
            return Entry(array, tuple([form.substitute(values) for form in forms]), power)
        case Mask():
            array, forms, holds = factor
            return Mask(array, tuple([form.substitute(values) for form in forms]), holds)
        case Guard(form, op):
            return Guard(form.substitute(values), op)
        case Extent():
            return factor


def decide(form: Form, op: str) -> bool | None:
    """Whether `form op 0` holds for all values of its labels (True), for none (False), or depends."""
    if not form.coefficients:
        c = form.constant
        if op == ">=":
            return True if nonnegative(c) else False if nonnegative(-c - 1) else None
        if c == 0:
            return op == "=="
        if nonnegative(c - 1) or nonnegative(-c - 1):
            return op == "!="
        return None
    bounds = form.bounds()
    if bounds is None:
        return None
    facts = tuple(one.size - 1 for one in form.labels if isinstance(one.size, Size))
    low, high = bounds
    if op == ">=":
        return True if nonnegative(low, facts) else False if nonnegative(-high - 1, facts) else None
    if nonnegative(low - 1, facts) or nonnegative(-high - 1, facts):
        return op == "!="
    return None


def whole_place(hot: Entry) -> Label | None:
    """The label that is the place in a one-hot entry, if it runs over the whole axis.

    In a part of the axis, a place from the end is another one, and some places are not there.
    """
    label = hot.forms[-1].label
    return label if label is not None and label.size == hot.array.shape[-1] else None
