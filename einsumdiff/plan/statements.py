"""Statements, straight-line but for loops over the few labels of a pattern that overlaps itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from einsumdiff.errors import Unsupported
from einsumdiff.nodes import Form, Input, Label
from einsumdiff.plan.expressions import (
    Axes,
    Expr,
    Load,
    Multiply,
    signed,
)
from einsumdiff.sizes import AnySize, Size, symbol


@dataclass(frozen=True, slots=True)
class Assign:
    """`name = value`, laid out as `axes`; an axis that the value lacks repeats it. An axis of size 1 is
    None. `own`: the array must not share memory with another; `shown`: if it does, it is read-only. Where one
    of the sizes `ends` is 0, what it reads may not be there, and nobody reads the array."""

    name: str
    value: Expr
    axes: tuple[Label | None, ...]
    own: bool = False
    shown: bool = False
    ends: tuple[AnySize, ...] = ()

    @property
    def at_an_end(self) -> bool:
        return bool(self.ends)


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

    @property
    def at_an_end(self) -> bool:
        """Whether it writes at a number along an axis that may be empty: what it reads may not be there then,
        so nothing of its value is evaluated before."""
        return self.apart and bool(ends(self.forms, self.shape))


def ends(forms: Sequence[Form], shape: Sequence[AnySize]) -> tuple[AnySize, ...]:
    """The sizes of the axes that may be empty, and in which a number is the place."""
    at = (size for form, size in zip(forms, shape, strict=True) if not form.coefficients)
    return tuple(dict.fromkeys(size for size in at if isinstance(size, Size)))


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
class Made:
    """An array of that shape with no values yet. Its type is that to which these arguments promote, without
    any the target's floats; or that of `rows`, the variable that holds its rows in a block, which are copied
    into it. `kept`: it is one of the workspace."""

    name: str
    shape: tuple[AnySize, ...]
    like: tuple[str, ...] = ()
    rows: str | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Blocked:
    """The body for one block of rows after the other, `step` rows each but the last.

    In the body each variable of `parts` is the rows of an array, a view, and the size `rows` is how many they
    are; nothing in it is read outside but the arrays of `made`, which it fills, and the numbers `sums`, which
    are 0 before and are added to. `start` and `rows` name the first row and the slice, `store` the part of a
    workspace for blocks of that many rows.
    """

    size: AnySize
    step: int
    start: str
    rows: str
    store: str
    made: tuple[Made, ...]
    sums: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """The variable is not there any more, and its memory neither."""

    name: str


Statement = Assign | Into | Keep | Drop | Zeros | Write | Loop | Store | Operator | Copy | Buffer | Blocked


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
