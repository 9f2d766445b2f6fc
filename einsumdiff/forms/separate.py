"""A term as what a compressed result keeps: a pattern, and factors that are not multiplied.

Entries that share a summed label are one factor, and so is an entry with another that bears all of its
labels; what is left is an outer product, kept as its factors. An indicator of places `[k[i] == j]` is no
factor: `j` is read off `k`, and `i` is a label of the pattern, summed where entries meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from einsumdiff.nodes import (
    Entry,
    Extent,
    Factor,
    Form,
    Guard,
    Label,
    Mask,
    Product,
    Term,
    constant_form,
    factor_labels,
    is_one_hot,
)
from einsumdiff.sizes import AnySize


@dataclass(frozen=True, slots=True)
class Separated:
    """`array[axes] += scale * the product of the factors` wherever the guards hold.

    `places` has the indicator for each label that is read off an index array.
    """

    labels: tuple[Label, ...]
    axes: tuple[Form, ...]
    guards: tuple[Guard, ...]
    places: Mapping[Label, Entry]
    scale: Product
    factors: tuple[Product, ...]


def separated(term: Term, shape: Sequence[AnySize]) -> Separated:
    """The pattern and the factors of a term of an array of that shape."""
    bound = set(term.product.bound)
    places = _places(term)
    for hot in places.values():
        bound -= set(factor_labels(hot))
    rest: list[Factor] = [f for f in term.product.factors if f not in places.values()]
    guards = [f for f in rest if isinstance(f, Guard) and not bound & set(f.form.labels)]
    proved = all(
        form.within(size)
        for f in rest
        if isinstance(f, Entry | Mask)
        for form, size in zip(f.forms, f.array.shape, strict=True)
    )
    if proved:
        rest = [f for f in rest if f not in guards]
    for form, size in zip(term.axes, shape, strict=True):
        if not form.within(size):
            guards += [Guard(form, ">="), Guard(constant_form(size - 1) - form, ">=")]
    running = [label for hot in places.values() for label in factor_labels(hot)]
    labels = tuple(dict.fromkeys((*term.labels, *running)))
    scale, factors = _factors(term.product, rest, bound)
    return Separated(labels, term.axes, tuple(dict.fromkeys(guards)), places, scale, factors)


def _places(term: Term) -> dict[Label, Entry]:
    """The labels of the axes that indicators tie to index arrays."""
    found: dict[Label, Entry] = {}
    for f in term.product.factors:
        if not isinstance(f, Entry) or not is_one_hot(f.array):
            continue
        place, own = f.forms[-1].label, {n for form in f.forms[:-1] for n in form.labels}
        read = {n for hot in found.values() for n in factor_labels(hot)}
        whole = place is not None and place.size == f.array.shape[-1] and place in term.labels
        inside = all(form.within(size) for form, size in zip(f.forms, f.array.shape, strict=True))
        if whole and inside and place is not None and place not in own | read and not own & set(found):
            found[place] = f
    return found


def _factors(one: Product, rest: Sequence[Factor], bound: set[Label]) -> tuple[Product, tuple[Product, ...]]:
    """What has no labels, and the factors that have."""
    extents = tuple(f for f in rest if isinstance(f, Extent))
    others = [f for f in rest if not isinstance(f, Extent)]
    if any(not isinstance(f, Entry) for f in others):
        summed = tuple(n for n in one.bound if n in bound)
        return Product(one.coefficient, extents), (Product(1, tuple(others), summed),)
    parts: list[list[Factor]] = []
    for f in others:
        met = [part for part in parts if bound & _labels(part) & _labels([f])]
        parts = [part for part in parts if part not in met] + [[*(g for part in met for g in part), f]]
    scalars = [f for part in parts if not _labels(part) - bound for f in part]
    parts = [part for part in parts if _labels(part) - bound]
    parts.sort(key=lambda part: len(_labels(part) - bound))
    kept: list[list[Factor]] = []
    for k, part in enumerate(parts):
        larger = next((p for p in parts[k + 1 :] if _labels(part) - bound <= _labels(p)), None)
        if larger is None:
            kept.append(part)
        else:
            larger[:0] = part
    return (
        Product(one.coefficient, (*extents, *scalars), _summed(one, scalars, bound)),
        tuple(Product(1, tuple(part), _summed(one, part, bound)) for part in kept),
    )


def _labels(part: Sequence[Factor]) -> set[Label]:
    return {label for f in part for label in factor_labels(f)}


def _summed(one: Product, part: Sequence[Factor], bound: set[Label]) -> tuple[Label, ...]:
    own = _labels(part)
    return tuple(n for n in one.bound if n in bound and n in own)
