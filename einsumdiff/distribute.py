"""Whether a product is multiplied out over a sum that it reads, decided by cost.

    (T[i,k] - U[i,l]*V[k,l])*V[k,j]   ->   T[i,k]*V[k,j] - U[i,l]*V[k,l]*V[k,j]

The left side forms the difference, an array of m by n; the right side multiplies V with itself, and for a
thin V that is less. The same choice lets a definition that is a single product be contracted together with
what it is read by: `P = A @ B; P @ x` never multiplies two matrices.

The value is the same, the rounding is not: the error stays of the order of eps*|T||V| + eps*|U||V||V|,
which a difference that is formed first has too, but a difference that is exactly zero is zero no longer.
Where a power, a function, a mask or a guard is in between, nothing is multiplied out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from einsumdiff.canonical import collect
from einsumdiff.contract import cost
from einsumdiff.costs import Cost, Stored, added, measured
from einsumdiff.cutting import MOST_FACTORS, plain, put_in
from einsumdiff.nodes import (
    Array,
    Definition,
    Entry,
    Extent,
    Factor,
    Mask,
    Sum,
    Term,
    factor_labels,
)
from einsumdiff.program import live
from einsumdiff.sizes import AnySize, names

WORTH = 0.9
"""Multiplied out is what costs less than this part of the cost of forming the sum."""
WORTH_ASSUMED = 0.6
"""The same where a size is assumed: a wrong guess may cost much more than a right one gains."""
MOST_TERMS = 8
"""A sum of more terms is never multiplied out."""

Result = tuple[Sequence[Term], tuple[AnySize, ...]]


@dataclass(frozen=True, slots=True)
class MultipliedOut:
    """A result in other terms, of the same value."""

    terms: tuple[Term, ...]
    shape: tuple[AnySize, ...]


def multiplied_out(
    results: Sequence[Result], kept: Iterable[Array], sizes: Mapping[str, int]
) -> list[MultipliedOut]:
    """The results with every sum multiplied out where that costs less; `kept` are computed anyhow.

    A sum is multiplied out in all products that read it or in none: formed for one it serves all.
    """
    out = [list(terms) for terms, _ in results]
    kept = list(kept)
    inside: dict[Array, int] = {}  # how many definitions, or callers, read an array
    for definition in live([*kept, *(a for terms in out for t in terms for a in _arrays(t))]):
        for array in definition.reads:
            inside[array] = inside.get(array, 0) + 1
    for array in kept:
        inside[array] = inside.get(array, 0) + 1
    queue: list[tuple[int, int, Definition]] = []
    seen: set[Array] = set()

    def ask(arrays: Iterable[Array]) -> None:
        for array in arrays:
            if isinstance(array, Definition) and array not in seen and _may_be(array):
                seen.add(array)
                heapq.heappush(queue, (-array.serial, len(seen), array))

    ask(a for terms in out for t in terms for a in _arrays(t))
    while queue:
        # the last definition first: what reads it has been decided
        definition = heapq.heappop(queue)[2]
        if inside.get(definition):
            continue
        readers = [[t for t in terms if definition in _arrays(t)] for terms in out]
        if not all(_reads_once(definition, t) for terms in readers for t in terms):
            continue
        instead = [collect(n for t in terms for n in _expanded(definition, t)) for terms in readers]
        if any(len(t.product.entries) > MOST_FACTORS for terms in instead for t in terms):
            continue
        assert isinstance(definition.body, Sum)
        before = terms_cost(definition.body.terms, sizes).weight
        before += sum(terms_cost(terms, sizes).weight for terms in readers)
        guessed = any(assumes(terms, sizes) for terms in instead)
        worth = WORTH_ASSUMED if guessed else WORTH
        if sum(terms_cost(terms, sizes).weight for terms in instead) >= worth * before:
            continue
        for k, terms in enumerate(readers):
            gone = {id(t) for t in terms}
            out[k] = collect([*(t for t in out[k] if id(t) not in gone), *instead[k]]) if gone else out[k]
        for array in definition.reads:
            inside[array] -= 1
        ask(definition.reads)
    return [MultipliedOut(tuple(terms), shape) for terms, (_, shape) in zip(out, results, strict=True)]


def _arrays(term: Term) -> set[Array]:
    return {f.array for f in term.product.factors if isinstance(f, Entry | Mask)}


def _may_be(definition: Definition) -> bool:
    """A sum of products of entries, one of which sums something or is larger than what it is made of."""
    if not isinstance(definition.body, Sum) or not 0 < len(definition.body.terms) <= MOST_TERMS:
        return False
    gains = False
    for axes, one in definition.body.terms:
        labels = [form.label for form in axes]
        if None in labels or len(set(labels)) < len(labels) or not plain(one):
            return False
        if any(n is None or n.size != size for n, size in zip(labels, definition.shape, strict=True)):
            return False
        gains = gains or bool(one.bound) or not any(set(labels) <= set(factor_labels(f)) for f in one.entries)
    return gains


def _reads_once(definition: Definition, term: Term) -> bool:
    """Is it read as it stands, in a product that sums over some of its labels, with nothing in between?"""
    found = [f for f in term.product.entries if f.array is definition]
    if len(found) != 1 or found[0].power != 1 or not plain(term.product):
        return False
    labels = [form.label for form in found[0].forms]
    if None in labels or len(set(labels)) < len(labels):
        return False
    if any(n is None or n.size != size for n, size in zip(labels, definition.shape, strict=True)):
        return False
    return bool(set(labels) & set(term.product.bound))


def _expanded(definition: Definition, term: Term) -> list[Term]:
    """The term with the body of the definition in place of its entry, a term for each of its terms."""
    assert isinstance(definition.body, Sum)
    (entry,) = (f for f in term.product.entries if f.array is definition)
    return [Term(term.axes, put_in(term.product, entry, inner)).fresh() for inner in definition.body.terms]


def assumes(terms: Sequence[Term], sizes: Mapping[str, int]) -> bool:
    """Whether a label has a size that is not given."""
    labels = {label for t in terms for label in (*t.labels, *t.product.labels)}
    return any(name not in sizes for label in labels for name in names(label.size))


def terms_cost(terms: Sequence[Term], sizes: Mapping[str, int]) -> Cost:
    """Of the products and of adding them up."""
    total = Cost()
    for k, (axes, one) in enumerate(terms):
        borne = [(f, frozenset(factor_labels(f))) for f in one.factors if not isinstance(f, Extent)]
        borne = [(f, labels) for f, labels in borne if labels]
        lying = [stored(f) for f, _ in borne]
        total += cost([labels for _, labels in borne], frozenset(one.bound), sizes, lying)
        if k:
            total += added(frozenset(n for form in axes for n in form.labels), measured(sizes))
    return total


def stored(factor: Factor) -> Stored | None:
    """The array that a factor reads as it lies."""
    if not isinstance(factor, Entry) or factor.power != 1:
        return None
    labels = tuple(form.label for form in factor.forms if form.label is not None)
    return Stored(factor.array, labels) if len(set(labels)) == len(factor.forms) else None
