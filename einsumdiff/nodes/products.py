"""Products of factors, summed over labels: `product` builds them, and simplifies what it can see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from einsumdiff.nodes.arrays import Array, Input, is_one_hot
from einsumdiff.nodes.factors import (
    Entry,
    Extent,
    Factor,
    Guard,
    Mask,
    decide,
    factor_labels,
    substitute_factor,
)
from einsumdiff.nodes.labels import Form, Label, bare
from einsumdiff.nodes.numbers import Number, multiply_numbers, power_of_number
from einsumdiff.sizes import AnySize, as_fraction


class Product(NamedTuple):
    """`coefficient * factors`, summed over the `bound` labels, each of which some factor bears.

    Build it with `product`, which merges powers and folds constants.
    """

    coefficient: Number
    factors: tuple[Factor, ...] = ()
    bound: tuple[Label, ...] = ()

    @property
    def labels(self) -> tuple[Label, ...]:
        """All labels that the factors bear, in order of appearance."""
        return tuple(dict.fromkeys([label for f in self.factors for label in factor_labels(f)]))

    @property
    def free(self) -> tuple[Label, ...]:
        bound = set(self.bound)
        return tuple([label for label in self.labels if label not in bound]) if bound else self.labels

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple([f for f in self.factors if isinstance(f, Entry)])

    def substitute(self, values: Mapping[Label, Form]) -> Product:
        """The product with free labels replaced; its bound labels become fresh ones."""
        if not values:
            return self.relabelled({}) if self.bound else self
        full = dict(values)
        bound = []
        for label in self.bound:
            assert label not in values, f"{label} is bound"
            renamed = label.fresh()
            bound.append(renamed)
            full[label] = bare(renamed)
        return product(self.coefficient, [substitute_factor(f, full) for f in self.factors], bound)

    def relabelled(self, free: Mapping[Label, Form]) -> Product:
        """The product in other labels, one for each, that it does not bear; the bound ones are fresh."""
        bound = [label.fresh() for label in self.bound]
        full = {**free, **{old: bare(new) for old, new in zip(self.bound, bound, strict=True)}}
        factors = tuple([substitute_factor(f, full) for f in self.factors])
        return Product(self.coefficient, factors, tuple(bound))

    def times(self, number: Number) -> Product:
        return Product(multiply_numbers(self.coefficient, number), self.factors, self.bound)


ZERO = Product(0)
ONE = Product(1)


def product(coefficient: Number, factors: Iterable[Factor], bound: Iterable[Label] = ()) -> Product:
    """The product of the factors, summed over `bound`.

    Equal entries merge into a power, equal sizes into one, a guard that is decided goes or makes the
    product zero; a bound label that no factor bears multiplies by its size.
    """
    merged: dict[tuple[object, ...], Factor] = {}
    for factor in factors:
        match factor:
            case Entry():
                array, forms, power = factor
                key: tuple[object, ...] = (array, forms)
                if array.symmetric:
                    key = (array, forms[:-2], frozenset(forms[-2:]))
                elif array.alike:
                    key = (array, _ways(array, forms))
                old = merged.get(key)
                if isinstance(old, Entry):
                    forms, power = old.forms, as_fraction(old.power + power)
                    if is_one_hot(array):
                        power = 1
                    factor = Entry(array, forms, power)
                if power == 0:
                    merged.pop(key, None)
                else:
                    merged[key] = factor
            case Guard(form, op):
                holds = decide(form, op)
                if holds is False:
                    return ZERO
                if holds is None:
                    merged[(form, op)] = factor
            case Mask(array, forms, holds):
                place = _ways(array, forms) if array.alike else forms
                if (array, place, not holds, "mask") in merged:
                    return ZERO
                merged.setdefault((array, place, holds, "mask"), factor)
            case Extent(size, power):
                coefficient = _merge_extent(merged, coefficient, size, power)
    if not _beside_zeros(merged):
        return ZERO
    kept = []
    bound = list(bound)
    if bound:
        _drop_summed_places(merged, bound)
        borne = {label for f in merged.values() for label in factor_labels(f)}
        for label in bound:
            if label in borne:
                kept.append(label)
            else:
                coefficient = _merge_extent(merged, coefficient, label.size, 1)
    if coefficient == 0 and not isinstance(coefficient, float):
        return ZERO
    return Product(coefficient, tuple(merged.values()), tuple(kept))


def _ways(array: Array, forms: tuple[Form, ...]) -> frozenset[tuple[Form, ...]]:
    """All ways to write one entry of an array that is the same in several orders of its axes."""
    return frozenset(tuple(forms[k] for k in order) for order in array.alike)


def _drop_summed_places(merged: dict[tuple[object, ...], Factor], bound: list[Label]) -> None:
    """`sum[j] [k[i] == j]` is 1 where nothing else bears j, as k holds places."""
    for key, factor in list(merged.items()):
        if isinstance(factor, Entry) and is_one_hot(factor.array):
            place = factor.forms[-1].label
            if place in bound and place is not None and place.size == factor.array.shape[-1]:
                others = (f for f in merged.values() if f is not factor)
                if not any(place in factor_labels(f) for f in others):
                    del merged[key]
                    bound.remove(place)


def _beside_zeros(merged: dict[tuple[object, ...], Factor]) -> bool:
    """Whether the entries of triangular arrays can all be beside their zeros; guards that say so go.

    [j - i - 1 >= 0]*L[i,j]   ->   0
    [i - j >= 0]*L[i,j]       ->   L[i,j]
    """
    inside = [
        f.forms[-2] - f.forms[-1] if f.array.zeros == "lower" else f.forms[-1] - f.forms[-2]
        for f in merged.values()
        if isinstance(f, Entry) and f.array.zeros in ("lower", "upper") and f.power > 0
    ]
    for k, one in enumerate(inside):
        if any(decide(one + other, ">=") is False for other in inside[k:]):
            return False
        for key, guard in list(merged.items()):
            if not isinstance(guard, Guard) or guard.op == "!=":
                continue
            if decide(guard.form + one, ">=") is False:
                return False
            if guard.op == "==":
                if decide(one - guard.form, ">=") is False:
                    return False
            elif decide(guard.form - one, ">=") and _harmless(merged.values()):
                del merged[key]
    return True


def _harmless(factors: Iterable[Factor]) -> bool:
    """Whether zero times the factors is zero where no guard keeps them from being read.

    Not so for what may be out of bounds there, or infinite: a computed entry, or one below the line.
    """
    return all(
        isinstance(f.array, Input)
        and f.power > 0
        and all(form.within(size) for form, size in zip(f.forms, f.array.shape, strict=True))
        for f in factors
        if isinstance(f, Entry)
    )


def _merge_extent(
    merged: dict[tuple[object, ...], Factor], coefficient: Number, size: AnySize, power: int | Fraction
) -> Number:
    if isinstance(size, int):
        folded = power_of_number(size, power)
        if folded is not None:
            return multiply_numbers(coefficient, folded)
    old = merged.get((size,))
    if isinstance(old, Extent):
        power = as_fraction(old.power + power)
    if power == 0:
        merged.pop((size,), None)
    else:
        merged[(size,)] = Extent(size, power)
    return coefficient


def counted(one: Product) -> Form | None:
    """The affine form that a product without numbers counts: `sum[k] [form - k >= 0]` is `form + 1`."""
    guards = [f for f in one.factors if isinstance(f, Guard)]
    if len(guards) != 1 or len(one.bound) != 1 or any(isinstance(f, Entry | Mask) for f in one.factors):
        return None
    (form, op), (k,) = guards[0], one.bound
    count = form + bare(k).plus(1)
    if op != ">=" or dict(form.coefficients).get(k) != -1 or not count.within(k.size + 1):
        return None
    return count


def multiply(a: Product, b: Product) -> Product:
    """`a*b`; the bound labels of `b` become fresh where they meet labels of `a`."""
    if b.bound and (set(b.bound) & set(a.labels)):
        b = b.substitute({})
    if a.bound and (set(a.bound) & set(b.labels)):
        a = a.substitute({})
    return product(multiply_numbers(a.coefficient, b.coefficient), a.factors + b.factors, a.bound + b.bound)
