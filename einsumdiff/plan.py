"""The plan: what a generated function does, for any target.

Expressions carry labelled axes; how axes are laid out in memory, transposed or broadcast is the
target's business. Statements are straight-line, but for loops over the few labels of a pattern that
overlaps itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import Any

from einsumdiff.errors import Unsupported
from einsumdiff.nodes import Form, Input, Label, Number, bare
from einsumdiff.sizes import AnySize, symbol

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
    """`op` (`sum prod max min logsumexp`) over the labels that `axes` lacks."""

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


def parts(value: Expr) -> tuple[Expr, ...]:
    match value:
        case Add(terms, _):
            return tuple(part for _, part in terms)
        case Multiply(a, b, _) | Divide(a, b, _) | Contract(a, b, _) | Solve(a, b, _, _, _):
            return a, b
        case Take(a, _, b, _) | Scatter(a, _, b, _):
            return a, b
        case Running(base=base) | RunningAt(base=base) | RunningOthers(base=base):
            return (base,)
        case Hot(index, _, _, _):
            return (index,)
        case Power(base, _, _) | Fold(_, base, _) | Others(base, _, _) | Cast(base, _) | Whole(base, _):
            return (base,)
        case Softmax(base, _, _):
            return (base,)
        case Apply(_, operands, _) | Perform(_, operands, _):
            return operands
        case Select(conditions, inner, _, _):
            return (*(c for c, _ in conditions), inner)
        case Choose(condition, _, otherwise, _):
            return condition, otherwise
        case _:
            return ()


def taken(value: Expr, label: Label, index: Expr) -> Expr:
    """The expression read along a label at the places of an index array; itself where it lacks the label."""
    if label not in value.axes:
        return value
    k = value.axes.index(label)
    axes = (*value.axes[:k], *index.axes, *value.axes[k + 1 :])
    return Take(value, label, index, tuple(dict.fromkeys(axes)))


def rebuilt(value: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with its parts changed; they keep their axes. Itself where none is another one."""
    before = parts(value)
    after = [change(part) for part in before]
    if all(map(operator.is_, before, after)):
        return value
    rest = iter(after)  # parts are in the order of the fields
    new: dict[str, Any] = {}
    for one in fields(value):
        old = getattr(value, one.name)
        if type(old) in KINDS:
            new[one.name] = next(rest)
        elif isinstance(old, tuple) and one.name == "operands":
            new[one.name] = tuple(next(rest) for _ in old)
        elif isinstance(value, Add) and one.name == "terms":
            new[one.name] = tuple((sign, next(rest)) for sign, _ in old)
        elif isinstance(value, Select) and one.name == "conditions":
            new[one.name] = tuple((next(rest), holds) for _, holds in old)
    changed: Expr = replace(value, **new)
    return changed


def reads(value: Expr) -> set[str]:
    """The names of the variables that an expression reads."""
    found, stack = set(), [value]
    while stack:
        one = stack.pop()
        if isinstance(one, Load | View):
            found.add(one.name)
        stack += parts(one)
    return found


def relabelled(value: Expr, new: dict[Label, Label]) -> Expr:
    """The expression in other labels; those that it sums stay, as nothing else bears them."""

    def axes(old: tuple[Label, ...]) -> tuple[Label, ...]:
        return tuple(new.get(label, label) for label in old)

    forms = {old: bare(label) for old, label in new.items()}
    match value:
        case Load(name, labels):
            return Load(name, axes(labels))
        case View(name, old, shape, labels, proved):
            return View(name, tuple(f.substitute(forms) for f in old), shape, axes(labels), proved)
        case Add(terms, labels):
            return Add(tuple((s, relabelled(t, new)) for s, t in terms), axes(labels))
        case Multiply(a, b, labels):
            return Multiply(relabelled(a, new), relabelled(b, new), axes(labels))
        case Divide(a, b, labels):
            return Divide(relabelled(a, new), relabelled(b, new), axes(labels))
        case Contract(a, b, labels):
            return Contract(relabelled(a, new), relabelled(b, new), axes(labels))
        case Power(base, power, labels):
            return Power(relabelled(base, new), power, axes(labels))
        case Fold(op, base, labels):
            return Fold(op, relabelled(base, new), axes(labels))
        case Softmax(base, over, labels):
            return Softmax(relabelled(base, new), axes(over), axes(labels))
        case Others(base, label, labels):
            return Others(relabelled(base, new), new.get(label, label), axes(labels))
        case Running(op, base, label, place, reverse, apart, labels):
            moved = new.get(place, place)
            return Running(op, relabelled(base, new), label, moved, reverse, apart, axes(labels))
        case RunningAt(base, label, form, reverse, labels):
            return RunningAt(relabelled(base, new), label, form.substitute(forms), reverse, axes(labels))
        case RunningOthers(base, label, place, other, labels):
            ends = new.get(place, place), new.get(other, other)
            return RunningOthers(relabelled(base, new), label, *ends, axes(labels))
        case Cast(base, labels):
            return Cast(relabelled(base, new), axes(labels))
        case Whole(base, labels):
            return Whole(relabelled(base, new), axes(labels))
        case Apply(f, operands, labels):
            return Apply(f, tuple(relabelled(o, new) for o in operands), axes(labels))
        case Perform(f, operands, labels):
            return Perform(f, tuple(relabelled(o, new) for o in operands), axes(labels))
        case Solve(matrix, right, label, transposed, labels):
            return Solve(relabelled(matrix, new), relabelled(right, new), label, transposed, axes(labels))
        case Take(a, label, index, labels):
            return Take(relabelled(a, new), label, relabelled(index, new), axes(labels))
        case Scatter(a, label, index, labels):
            return Scatter(relabelled(a, new), new.get(label, label), relabelled(index, new), axes(labels))
        case Hot(index, form, size, labels):
            return Hot(relabelled(index, new), form.substitute(forms), size, axes(labels))
        case Place(form, labels):
            return Place(form.substitute(forms), axes(labels))
        case Condition(form, op, labels):
            return Condition(form.substitute(forms), op, axes(labels))
        case Select(conditions, inner, otherwise, labels):
            tests = tuple((relabelled(c, new), holds) for c, holds in conditions)
            return Select(tests, relabelled(inner, new), otherwise, axes(labels))
        case Choose(condition, number, rest, labels):
            return Choose(relabelled(condition, new), number, relabelled(rest, new), axes(labels))
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Assign:
    """`name = value`, laid out as `axes`; an axis that the value lacks repeats it. An axis of size 1 is
    None. `own`: the array must not share memory with another; `shown`: if it does, it is read-only."""

    name: str
    value: Expr
    axes: tuple[Label | None, ...]
    own: bool = False
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Zeros:
    name: str
    shape: tuple[AnySize, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """`name[forms] += value`, or `=` with `first`. `apart`: no two places are the same, and all are
    proved in bounds; else places out of bounds have the value 0, and equal places add up."""

    name: str
    forms: tuple[Form, ...]
    shape: tuple[AnySize, ...]
    value: Expr
    labels: Axes
    first: bool
    apart: bool

    @property
    def outer(self) -> tuple[int, Multiply] | None:
        """The sign and the product, where it is one of two smaller arrays that is multiplied in its place."""
        sign, value = signed(self.value)
        if not (self.first and self.apart and isinstance(value, Multiply)):
            return None
        sides = (len(value.left.axes), len(value.right.axes))
        smaller = min(sides) > 0 and max(sides) < len(value.axes) == len(self.labels)
        return (sign, value) if smaller else None


@dataclass(frozen=True, slots=True)
class Loop:
    """The body for `name` from 0 to `size`; inside, `name` is a size."""

    name: str
    size: AnySize
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A term with its numbers: `array[forms] += scale * the product of the factors` where the guards hold,
    over all values of the labels; those in `places` are read off index arrays."""

    labels: Axes
    forms: tuple[Form, ...]
    scale: Expr
    factors: tuple[Load, ...]
    guards: tuple[tuple[Form, str], ...]
    places: tuple[tuple[Label, Expr], ...]


@dataclass(frozen=True, slots=True)
class Store:
    """`name` is the object of that form (`sparse` or `compressed`) made of the terms. The axes from `split`
    on are the columns of a matrix; `as_matrix` asks for one."""

    name: str
    form: str
    shape: tuple[AnySize, ...]
    split: int
    kept: tuple[Kept, ...]
    as_matrix: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """A product with a vector: `vector`, of that shape, is read from a flat array, the result is flat.

    Where the last axis of the vector is `columns`, it is that of a matrix, and of the result too.
    """

    name: str
    vector: str
    shape: tuple[AnySize, ...]
    rows: tuple[AnySize, ...]
    columns: str | None
    body: tuple[Statement, ...]
    result: str


@dataclass(frozen=True, slots=True)
class Operator:
    """`name` is the linear operator made of products with vectors: matvec, rmatvec, matmat, rmatmat.

    `before` is what does not depend on the vectors; what is computed twice there is computed once.
    """

    name: str
    before: tuple[Assign, ...]
    rows: tuple[AnySize, ...]
    columns: tuple[AnySize, ...]
    products: tuple[Times, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """`name` is a copy of itself from here on, so that nobody else changes it."""

    name: str


@dataclass(frozen=True, slots=True)
class Buffer:
    """`name` is the buffer that is given (that of the key, where there are several), into which the
    statements write all of their places.

    Where the variable `out_is_zero` holds, the places that they do not write are 0 already.
    """

    name: str
    key: str | tuple[str, ...] | None
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Into:
    """`name = value`, written over the variable `buffer`, which nobody reads any more but `value` itself.

    The value is an operation on entries, of the buffer's type and shape, and its operands are read before
    it is written; `axes` are the buffer's, in the labels of the value.
    """

    name: str
    buffer: str
    value: Expr
    axes: Axes


@dataclass(frozen=True, slots=True)
class Keep:
    """`name = value`, written into an array of the workspace, the same in every call; laid out as `axes`."""

    name: str
    value: Expr
    axes: Axes


@dataclass(frozen=True, slots=True)
class Drop:
    """The variable is not there any more, and its memory neither."""

    name: str


Statement = Assign | Into | Keep | Drop | Zeros | Write | Loop | Store | Operator | Copy | Buffer


@dataclass(frozen=True, slots=True)
class Source:
    """A size name is `(the size of that axis - less)//by`, where both hold names with sources before it."""

    array: Input
    axis: int
    less: AnySize = 0
    by: AnySize = 1

    @property
    def plain(self) -> bool:
        return self.less == 0 and self.by == 1


@dataclass(frozen=True, slots=True)
class Plan:
    """A function of `parameters` that runs the statements and returns the variables `returns`.

    With `keys` the last of them are returned as a dictionary with these keys.
    `indices` are the parameters that hold places of axes, and no numbers.
    `sources` tells for each size name the axis that it is read from.
    `shapes` are those of the program's definitions, to be named in messages.
    `sizes` are what the names of sizes will be about, where that was said.
    """

    name: str
    parameters: tuple[Input, ...]
    statements: tuple[Statement, ...]
    returns: tuple[str, ...]
    sources: dict[str, Source]
    keys: tuple[str | tuple[str, ...], ...] = ()
    indices: frozenset[str] = frozenset()
    shapes: Mapping[str, tuple[AnySize, ...]] = field(default_factory=dict)
    keywords: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)

    def sourceless(self, size: str) -> Unsupported:
        """That no parameter has an axis of that size, and how to give it a number."""
        hint = f"give it a number, or give an input an axis of size {size}"
        for name, shape in self.shapes.items():
            if symbol(size) in shape:
                sizes = ["5" if one == symbol(size) else f'"{one}"' for one in shape]
                said = f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"
                hint = f'give it a number where {name} gets its shape: shapes={{"{name}": {said}}}'
                break
        return Unsupported(f"the size {size} is that of no axis of an input", hint=hint)
