"""Where a long product is cut into definitions: along the tree of its cheapest order of contraction.

    sum(A1 @ A2 @ ... @ A40)   ->   v[i] = A1[k,j]*A2[j,l]*...*A12[m,i];  sum[i,j](v[i]*A13[i,l]*...)

While a program is read, factors come one after the other, and the first dozen makes a piece: a product of
matrices. Whether vectors suffice is known when all of it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from einsumdiff.contract import along, order
from einsumdiff.nodes import (
    Array,
    Definition,
    Entry,
    Extent,
    Factor,
    Label,
    Product,
    Sum,
    Term,
    bare,
    factor_labels,
    is_one_hot,
    product,
)
from einsumdiff.sizes import AnySize

MOST_FACTORS = 12
"""A contraction of more entries than this is cut, so that long chains stay linear."""

Define = Callable[[Sum, tuple[AnySize, ...]], Definition]


def recut(one: Product, pieces: Container[Array], define: Define) -> Product:
    """The product with other pieces, where it has some of `pieces`; `define` makes the definition of one."""
    whole = put_together(one, lambda entry: entry.array in pieces and is_piece(entry))
    return one if whole is None else _cut(whole, define)


def cut(one: Product, define: Define) -> Product:
    """The product in pieces, where it is too long."""
    return _cut(one, define) if len(one.entries) > MOST_FACTORS and plain(one) else one


def _cut(whole: Product, define: Define) -> Product:
    extents = [f for f in whole.factors if isinstance(f, Extent)]
    factors = [f for f in whole.factors if not isinstance(f, Extent)]
    bound, free = set(whole.bound), frozenset(whole.free)
    every: dict[Label, int] = {}
    for f in factors:
        for label in set(factor_labels(f)):
            every[label] = every.get(label, 0) + 1

    def piece(group: list[Factor]) -> Entry:
        own: dict[Label, int] = {}
        for f in group:
            for label in dict.fromkeys(factor_labels(f)):
                own[label] = own.get(label, 0) + 1
        inner = [label for label in own if label in bound and own[label] == every[label]]
        axes = [label for label in own if label not in inner]
        for label in axes:
            every[label] -= own[label] - 1
        forms = tuple(bare(label) for label in axes)
        body = Sum((Term(forms, product(1, group, inner)).fresh(),))
        return Entry(define(body, tuple(label.size for label in axes)), forms)

    def joined(left: list[Factor], right: list[Factor]) -> list[Factor]:
        sides = [left, right]
        while len(sides[0]) + len(sides[1]) > MOST_FACTORS:
            longer = max((0, 1), key=lambda k: len(sides[k]))
            sides[longer] = [piece(sides[longer])]
        return sides[0] + sides[1]

    sets = [frozenset(factor_labels(f)) for f in factors]
    leaves: list[list[Factor]] = [[f] for f in factors]
    rest = along(order(sets, free), leaves.__getitem__, joined)
    left = {label for f in rest for label in factor_labels(f)}
    return product(whole.coefficient, [*extents, *rest], [label for label in whole.bound if label in left])


def put_in(one: Product, entry: Entry, inner: Term) -> Product:
    """The product with a term of the definition that `entry` reads in its place."""
    inner = inner.fresh()
    values = {axis.label: form for axis, form in zip(inner.axes, entry.forms, strict=True) if axis.label}
    body = inner.product.substitute(values)
    rest = [f for f in one.factors if f is not entry]
    return product(body.coefficient, [*body.factors, *rest], [*one.bound, *body.bound]).times(one.coefficient)


def put_together(one: Product, among: Callable[[Entry], bool]) -> Product | None:
    """The product with all of those pieces put in; None where it has none, or more in it than entries."""
    found = None
    while plain(one):
        entry = next((f for f in one.entries if among(f)), None)
        if entry is None:
            return found
        assert isinstance(entry.array, Definition) and isinstance(entry.array.body, Sum)
        (term,) = entry.array.body.terms
        one = found = put_in(one, entry, term)
    return None


def plain(one: Product) -> bool:
    """A product of entries and sizes alone."""
    return all(
        isinstance(f, Extent) or (isinstance(f, Entry) and not is_one_hot(f.array)) for f in one.factors
    )


def is_piece(entry: Entry) -> bool:
    """A product without a name of the user's, that is read as it stands."""
    array = entry.array
    if not isinstance(array, Definition) or array.named or entry.power != 1:
        return False
    if not isinstance(array.body, Sum) or len(array.body.terms) != 1:
        return False
    for forms in (entry.forms, array.body.terms[0].axes):
        labels = [form.label for form, size in zip(forms, array.shape, strict=True) if size != 1]
        if None in labels or len(set(labels)) < len(labels):
            return False
    return True
