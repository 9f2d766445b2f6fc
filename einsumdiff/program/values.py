"""Expressions under construction: sums of products over labelled axes, and how their axes are aligned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from einsumdiff.nodes import (
    Array,
    Entry,
    Extent,
    Form,
    Guard,
    Label,
    Number,
    Product,
    bare,
    constant_form,
    product,
)
from einsumdiff.sizes import AnySize


@dataclass(frozen=True, slots=True)
class Value:
    """`sum(products)` as an array over `axes`, in that order.

    The products' free labels are among the axes, or are *open*: letters of indexed notation that the
    caller will bind later. An axis that no product bears repeats the value. An axis of size 1 is a
    label of size 1 that no product bears: entries access such an axis at the constant 0.
    """

    axes: tuple[Label, ...]
    products: tuple[Product, ...]

    @property
    def shape(self) -> tuple[AnySize, ...]:
        return tuple(label.size for label in self.axes)

    @property
    def number(self) -> Number | None:
        """The number that the value is, if it is a rank 0 constant."""
        if self.axes or len(self.products) > 1:
            return None
        if not self.products:
            return 0
        only = self.products[0]
        return None if only.factors else only.coefficient

    def substitute(self, values: Mapping[Label, Form]) -> tuple[Product, ...]:
        """The products with free labels (axes or open ones) replaced."""
        return tuple(p.substitute(values) for p in self.products)

    def relabel(self, axes: Sequence[Label]) -> Value:
        """The same array with other labels for its axes, of the same sizes."""
        if tuple(axes) == self.axes:
            return self
        values = {old: bare(new) for old, new in zip(self.axes, axes, strict=True) if old is not new}
        return Value(tuple(axes), self.substitute(values))

    def transpose(self, order: Sequence[int]) -> Value:
        return Value(tuple(self.axes[k] for k in order), self.products)

    def open(self) -> tuple[Label, ...]:
        """Free labels of the products that are no axes, in order of appearance."""
        return tuple(
            dict.fromkeys(label for p in self.products for label in p.free if label not in self.axes)
        )


def number(value: Number) -> Value:
    """A constant of rank 0."""
    return Value((), (Product(value),) if value != 0 or isinstance(value, float) else ())


def extent(size: AnySize, power: int | Fraction = 1) -> Value:
    """A size as a number of rank 0."""
    return Value((), (product(1, [Extent(size, power)]),))


def indicator(form: Form, op: str) -> Value:
    """`[form op 0]` with its labels open; with `==` this is Kronecker's delta."""
    return of_product(product(1, [Guard(form, op)]))


def of_product(one: Product, axes: Sequence[Label] = ()) -> Value:
    return Value(tuple(axes), () if one.coefficient == 0 and not one.factors else (one,))


def at(array: Array, forms: Sequence[Form]) -> Value:
    """`array[forms]`, rank 0, the forms' labels open."""
    return Value((), (Product(1, (Entry(array, tuple(forms)),)),))


def read(array: Array) -> Value:
    """The whole array, its axes labelled afresh."""
    axes = tuple(Label(size) for size in array.shape)
    forms = tuple(constant_form(0) if label.size == 1 else bare(label) for label in axes)
    return Value(axes, (Product(1, (Entry(array, forms),)),))


def broadcast(values: Sequence[Value]) -> tuple[tuple[Label, ...], list[tuple[Product, ...]]]:
    """NumPy's broadcasting: common axes and the products of every value in them.

    Axes are aligned from the last; an axis of size 1 meets one of any size. The sizes must fit.
    """
    if len(values) == 1:
        return values[0].axes, [values[0].products]
    rank = max(len(value.axes) for value in values)
    axes: list[Label] = []
    for k in range(-rank, 0):
        candidates = [value.axes[k] for value in values if len(value.axes) >= -k]
        axes.append(next((label for label in candidates if label.size != 1), candidates[0]))
    aligned = []
    for value in values:
        own = axes[rank - len(value.axes) :]
        renamed = {}
        for old, new in zip(value.axes, own, strict=True):
            assert old.size in (1, new.size), f"sizes {old.size} and {new.size} do not fit"
            if old is not new and old.size != 1:
                renamed[old] = bare(new)
        aligned.append(value.substitute(renamed) if renamed else value.products)
    return tuple(axes), aligned
