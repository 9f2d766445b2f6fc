"""Places that follow from the program text: `x[[0, -1]]`, `x[2*arange(3)]`, `A[[0, 1], [2, 0]]`.

Each is an affine access, so that nothing is looked up where the program runs:

    x[[0, 2, 4, 1]]  ->  y[l] = x[2*l] for l < 3,  y[3] = x[1]

Places at equal steps are one piece. Of an axis whose size is no number only those can be read that every
size has, as in slices: the first and the last.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import Literal

from einsumdiff.errors import IndexFault, Span, Unsupported
from einsumdiff.nodes import (
    Call,
    Definition,
    Entry,
    Extent,
    Form,
    Guard,
    Label,
    Mask,
    Product,
    Sum,
    constant_form,
    counted,
    substitute_factor,
)
from einsumdiff.program import Value
from einsumdiff.sizes import AnySize, nonnegative

MOST = 256
"""Places that are written out; more are data, which are an input."""

WHOLE = {"floor_divide": operator.floordiv, "mod": operator.mod}
"""Functions of whole numbers that give whole numbers."""

At = Mapping[Label, Form]


@dataclass(frozen=True, slots=True)
class Known:
    """The places by number, for all values of the labels, whose sizes are numbers."""

    labels: tuple[Label, ...]
    places: dict[tuple[int, ...], AnySize]

    def at(self, values: Mapping[Label, int]) -> AnySize:
        return self.places[tuple(values[label] for label in self.labels)]


def known(index: Value, size: AnySize, span: Span) -> Known | None:
    """The places that an index array holds, counted from the start of an axis of that size.

    None where they depend on an input or on how many there are.
    """
    labels: list[Label] = []
    counts: list[int] = []
    for label in index.axes:
        if label.size != 1:
            if not isinstance(label.size, int):
                return None
            labels.append(label)
            counts.append(label.size)
    if prod(counts) > MOST:
        raise Unsupported(
            f"{span.source} reads {prod(counts)} places one by one",
            span,
            "pass an array that holds them, as an input: x[k]; places at equal steps are a slice: x[::2]",
        )
    places: dict[tuple[int, ...], AnySize] = {}
    for numbers in product(*map(range, counts)):
        at = {label: constant_form(number) for label, number in zip(labels, numbers, strict=True)}
        place = _whole(index.products, at)
        if place is None:
            return None
        places[numbers] = _counted_from_the_start(place, size, span)
    return Known(tuple(labels), places)


def _counted_from_the_start(place: AnySize, size: AnySize, span: Span) -> AnySize:
    found = place + size if nonnegative(-place - 1) else place
    if isinstance(found, int) and isinstance(size, int) and not 0 <= found < size:
        raise IndexFault(
            f"place {place} is out of bounds of an axis of size {size}",
            span,
            f"places are 0 to {size - 1}, or -1 to {-size} from the end" if size else "the axis is empty",
        )
    if not constant_form(found).within(size):
        raise IndexFault(
            f"place {place} may be out of bounds of an axis of size {size}",
            span,
            "give the size as a number, in shapes= or a declaration",
        )
    return found


def _whole(products: Sequence[Product], at: At) -> AnySize | None:
    """What a sum is for these values of its labels, if that is a whole number or a size."""
    total: AnySize = 0
    for one in products:
        part = _whole_product(one, at)
        if part is None:
            return None
        total = total + part
    return total


def _whole_product(one: Product, at: At) -> AnySize | None:
    if not isinstance(one.coefficient, int):
        return None
    if any(isinstance(f, Guard | Mask) for f in one.factors):  # a condition selects, it is no place
        count = counted(one)
        if count is None or any(not isinstance(f, Guard) for f in one.factors):
            return None
        form = count.substitute(at)
        return None if form.coefficients else form.constant * one.coefficient
    if one.bound:
        return None
    value: AnySize = one.coefficient
    for factor in one.factors:
        part = _whole_factor(substitute_factor(factor, at))
        power = factor.power if isinstance(factor, Entry | Extent) else None
        if part is None or not isinstance(power, int) or power < 0:
            return None
        for _ in range(power):
            value = value * part
    return value


def _whole_factor(factor: object) -> AnySize | None:
    match factor:
        case Extent(size, _):
            return size
        case Entry(Definition(body=Sum(terms)), forms, _):
            total: AnySize = 0
            for term in terms:
                at = written(term.axes, forms)
                part = _whole_product(term.product, at) if isinstance(at, dict) else 0
                if part is None or at is None:
                    return None
                total = total + part
            return total
        case Entry(Definition(body=Call(function, labels, operands)), forms, _) if function in WHOLE:
            at = dict(zip(labels, forms, strict=True))
            values = []
            for operand in operands:
                value = operand if isinstance(operand, int) else _whole_operand(operand, at)
                if not isinstance(value, int):
                    return None
                values.append(value)
            return None if values[1] == 0 else int(WHOLE[function](*values))
    return None


def _whole_operand(operand: object, at: At) -> AnySize | None:
    return _whole_factor(substitute_factor(operand, at)) if isinstance(operand, Entry) else None


def written(axes: Sequence[Form], forms: Sequence[Form]) -> dict[Label, Form] | Literal[False] | None:
    """The labels for which a term writes the place `forms`; False where it does not, None if in doubt."""
    found: dict[Label, Form] = {}
    for axis, form in zip(axes, forms, strict=True):
        if form.coefficients or len(axis.coefficients) > 1:
            return None
        if not axis.coefficients:
            there = form.constant - axis.constant
            if there == 0:
                continue
            return False if isinstance(there, int) else None
        ((label, c),) = axis.coefficients
        distance = form.constant - axis.constant
        if not isinstance(c, int) or not isinstance(distance, int) or not isinstance(label.size, int):
            return None
        value, rest = divmod(distance, c)
        place = constant_form(value)
        if rest or not 0 <= value < label.size or found.get(label, place) != place:
            return False
        found[label] = place
    return found


@dataclass(frozen=True, slots=True)
class Piece:
    """Places at equal steps: from these values of the labels on, `count` along the last of them."""

    start: tuple[int, ...]
    count: int
    run: Label  # counts along the last label; of size 1 if there is one place

    def forms(self) -> tuple[Form, ...]:
        """The values of the labels."""
        *first, last = map(constant_form, self.start)
        step = constant_form(0) if self.count == 1 else Form(((self.run, 1),), 0)
        return *first, last + step


def pieces(indices: Sequence[Known], labels: Sequence[Label], sizes: Sequence[AnySize]) -> list[Piece]:
    """All values of the labels, put together along the last where every index goes on in equal steps.

    Parameters
    ----------
    labels : of all index arrays together; at least one, all of sizes that are numbers.
    sizes : of the axes that are read.
    """
    counts = [label.size if isinstance(label.size, int) else 0 for label in labels]
    numbered = all(isinstance(size, int) for size in sizes)

    def step(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[AnySize, ...]:
        return tuple(place(index, b) - place(index, a) for index in indices)

    def place(index: Known, at: tuple[int, ...]) -> AnySize:
        return index.at(dict(zip(labels, at, strict=True)))

    found: list[Piece] = []
    for first in product(*map(range, counts[:-1])):
        row = [(*first, k) for k in range(counts[-1])]
        steps = [step(a, b) for a, b in pairwise(row)]
        k = 0
        while k < len(row):
            end = k + 1
            while numbered and end < len(row) and steps[end - 1] == steps[k]:
                end += 1
            if end - k == 2 and end < len(row):  # a step that comes once joins nothing
                end -= 1
            found.append(Piece(row[k], end - k, Label(end - k)))
            k = end
    return found


def reads(index: Known, labels: Sequence[Label], piece: Piece) -> Form:
    """Where an index array reads in a piece."""
    first = index.at(dict(zip(labels, piece.start, strict=True)))
    if piece.count == 1:
        return constant_form(first)
    second = index.at(dict(zip(labels, (*piece.start[:-1], piece.start[-1] + 1), strict=True)))
    return Form(((piece.run, second - first),) if second != first else (), first)
