"""Expressions over labelled axes: how these lie in memory is the business of a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from typing import Any

from einsumdiff.nodes import Form, Label, Number
from einsumdiff.sizes import AnySize

Axes = tuple[Label, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """A variable, whose axes are these."""

    name: str
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """`name[forms]`, an axis for every label. `proved`: no place is out of bounds; else places that are
    are read somewhere in bounds, for a condition around it to throw away."""

    name: str
    forms: tuple[Form, ...]
    shape: tuple[AnySize, ...]
    axes: Axes
    proved: bool


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A number, or a size to a power; without axes."""

    value: Number | AnySize
    power: int | Fraction = 1
    axes: Axes = ()


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A named constant of the table: `pi`."""

    name: str
    axes: Axes = ()


@dataclass(frozen=True, slots=True, eq=False)
class Ones:
    """Ones, of the type of the variable `like`."""

    like: str
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Add:
    """A sum of expressions, each with its sign."""

    terms: tuple[tuple[int, Expr], ...]
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Multiply:
    """`left*right`, elementwise."""

    left: Expr
    right: Expr
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Divide:
    """`left/right`, elementwise."""

    left: Expr
    right: Expr
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """`base**power`, the power positive."""

    base: Expr
    power: int | Fraction
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Contract:
    """The product of two, summed over the labels that both have and `axes` lacks."""

    left: Expr
    right: Expr
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """`op` (`sum prod max min logsumexp`) over the labels that `axes` lacks.

    `total` is a sum of floats in any order, where `sum` keeps the rounding error of pairs.
    """

    op: str
    base: Expr
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Softmax:
    """`exp(base)` over its own sum along the labels: `exp(base - logsumexp(base))` with one exponential."""

    base: Expr
    labels: Axes
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Others:
    """Along `label`: the product of all other entries. Its axis stays, under the label `axes` has."""

    base: Expr
    label: Label
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """`op` (`sum` or `prod`) of all entries along `label` up to each place, which has the label `place`.

    `reverse`: from each place on; `apart`: without the entry at the place itself.
    """

    op: str
    base: Expr
    label: Label
    place: Label
    reverse: bool
    apart: bool
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class RunningAt:
    """The sum of all entries along `label` up to the place (from there on, with `reverse`).

    A place may be before the first entry or behind the last.
    """

    base: Expr
    label: Label
    place: Form
    reverse: bool
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class RunningOthers:
    """Along `label`: the product of all entries up to `place` but the one at `other`."""

    base: Expr
    label: Label
    place: Label
    other: Label
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Apply:
    """A function of the table, elementwise."""

    function: str
    operands: tuple[Expr, ...]
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Perform:
    """An operation of the table on whole arrays, in the order of their axes."""

    operation: str
    operands: tuple[Expr, ...]
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Solve:
    """The inverse of a matrix, contracted with `right` along `label`, without the inverse.

    The last two axes of `matrix` are its own, of equations and of unknowns, unless it is `transposed`;
    `right` has all axes that come before them, or none. `axes`: those, the unknowns', and what is left
    of `right`, one axis at most.
    """

    matrix: Expr
    right: Expr
    label: Label
    transposed: bool
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """`form op 0` as a boolean array over the labels of the form."""

    form: Form
    op: str
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Select:
    """`value` where all conditions hold (each with the truth value that is wanted), else `otherwise`."""

    conditions: tuple[tuple[Expr, bool], ...]
    value: Expr
    otherwise: int
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Choose:
    """`value` where the condition holds, which has the same axes, else `otherwise`, an array of its own."""

    condition: Expr
    value: Number
    otherwise: Expr
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """`base` read along `label` at the places in `index`, whose labels take the label's place."""

    base: Expr
    label: Label
    index: Expr
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """Zeros along `label`, with the values added at the places in `index`, whose labels go."""

    value: Expr
    label: Label
    index: Expr
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Hot:
    """`[index == form]` as an array of zeros and ones; the places are those of an axis of that size.

    A negative place counts from the end of it.
    """

    index: Expr
    form: Form
    size: AnySize
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The values of an affine form."""

    form: Form
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """Whole numbers for places."""

    base: Expr
    axes: Axes


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """A boolean as a number."""

    base: Expr
    axes: Axes


Expr = (
    Load
    | View
    | Literal
    | Named
    | Ones
    | Add
    | Multiply
    | Divide
    | Power
    | Contract
    | Fold
    | Softmax
    | Others
    | Running
    | RunningAt
    | RunningOthers
    | Apply
    | Perform
    | Solve
    | Condition
    | Select
    | Choose
    | Take
    | Scatter
    | Hot
    | Place
    | Whole
    | Cast
)


KINDS = frozenset(Expr.__args__)
"""The classes of expressions."""


def union(parts: Sequence[Expr]) -> tuple[Label, ...]:
    """The labels of the parts, those of the largest first so that it need not be transposed."""
    largest = max(parts, key=lambda part: len(part.axes), default=None)
    first = largest.axes if largest is not None else ()
    return tuple(dict.fromkeys([*first, *(label for part in parts for label in part.axes)]))


def signed(value: Expr) -> tuple[int, Expr]:
    """A sign taken off an expression."""
    if isinstance(value, Add) and len(value.terms) == 1:
        return value.terms[0]
    return 1, value


Parts = Callable[[Any], tuple[Expr, ...]]


def _none(value: Expr) -> tuple[Expr, ...]:
    return ()


def _base(value: Any) -> tuple[Expr, ...]:
    return (value.base,)


_TWO: Parts = attrgetter("left", "right")
_PARTS: dict[type, Parts] = {
    Add: lambda one: tuple([part for _, part in one.terms]),
    Multiply: _TWO,
    Divide: _TWO,
    Contract: _TWO,
    Solve: attrgetter("matrix", "right"),
    Take: attrgetter("base", "index"),
    Scatter: attrgetter("value", "index"),
    Choose: attrgetter("condition", "otherwise"),
    Hot: lambda one: (one.index,),
    Apply: attrgetter("operands"),
    Perform: attrgetter("operands"),
    Select: lambda one: (*[condition for condition, _ in one.conditions], one.value),
    Load: _none,
    View: _none,
    Literal: _none,
    Named: _none,
    Ones: _none,
    Condition: _none,
    Place: _none,
    **dict.fromkeys((Power, Fold, Others, Cast, Whole, Softmax, Running, RunningAt, RunningOthers), _base),
}


def parts(value: Expr) -> tuple[Expr, ...]:
    """The expressions that one is made of, in the order of its fields."""
    return _PARTS[type(value)](value)
