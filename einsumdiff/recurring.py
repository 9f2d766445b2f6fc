"""A connected part that products have twice is a definition that they read.

    C[k,l]*B[l,i]*w[k]*C[k,m]*B[m,j]   ->   J[k,i] = C[k,l]*B[l,i];  J[k,i]*w[k]*J[k,j]

A second derivative `J.T @ diag(w) @ J` comes as one product, cut along the order of its contraction: that
multiplies a chain forward, and its transpose onto it factor by factor. Two parts are the same up to the
names of labels if they have the same factors in the same places, and a label that is summed within one is
borne by nothing outside of it. They are grown from two entries of one array, label by label, so that the
work is bounded by the number of factors and of such pairs. What is found in one product is looked for in
all others, the largest part first. Whether it gains is for the cost of all together to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from einsumdiff.canonical import body_key, term_key
from einsumdiff.contract import cost, together
from einsumdiff.cutting import cut, is_piece, plain, put_together
from einsumdiff.distribute import stored
from einsumdiff.nodes import (
    Array,
    Definition,
    Entry,
    Factor,
    Label,
    Mask,
    Product,
    Sum,
    Term,
    bare,
    factor_labels,
    product,
)
from einsumdiff.program import live
from einsumdiff.sizes import AnySize, names

WORTH = 0.9
"""Another way is taken where it costs less than this part."""
WORTH_ASSUMED = 0.75
"""The same where a size is assumed."""
MOST_FACTORS = 128
"""In a product of more factors nothing is looked for."""
MOST_ALIKE = 4
"""Of so many entries of one array any two may begin a part."""

Matching = dict[Label, Label]


def recurring(
    results: Sequence[Sequence[Term]], kept: Iterable[Array], sizes: Mapping[str, int]
) -> list[list[Term]]:
    """The results, reading what recurs in their products, where that costs less.

    `kept` are computed in any case.
    """
    before = [list(terms) for terms in results]
    known = _Wholes()
    wholes = [[known.of(term) for term in terms] for terms in before]
    parts = _parts([one.product for terms in wholes for one in terms if one is not None])
    if not parts:
        return before
    reading = _Reading()
    for part in parts:
        reading.define(part)
    after = [
        [old if new is None else reading.term(old, new) for old, new in zip(terms, whole, strict=True)]
        for terms, whole in zip(before, wholes, strict=True)
    ]
    kept = list(kept)
    guessed = any(name not in sizes for part in parts for n in part.product.labels for name in names(n.size))
    worth = WORTH_ASSUMED if guessed else WORTH
    return after if _weight(after, kept, sizes) < worth * _weight(before, kept, sizes) else before


class _Wholes:
    """Terms with the anonymous products that they read put in."""

    def __init__(self) -> None:
        self.counts: dict[Array, Counter[Array] | None] = {}

    def of(self, term: Term) -> Term | None:
        """The term as one product; None where no array would be there twice."""
        often = self._often(term.product)
        if often is None or not any(count > 1 and array.shape for array, count in often.items()):
            return None
        return Term(term.axes, put_together(term.product, is_piece) or term.product)

    def _often(self, one: Product) -> Counter[Array] | None:
        """How often the whole reads each array; None where it has too many factors, or others than entries.

        What a definition counts is found once: a chain of them may be as long as the program.
        """
        waiting = self._unknown(one)
        while waiting:
            definition = waiting[-1]
            assert isinstance(definition.body, Sum)
            inner = definition.body.terms[0].product
            missing = self._unknown(inner)
            if missing:
                waiting += missing
                continue
            self.counts[definition] = self._total(inner)
            waiting.pop()
        return self._total(one)

    def _unknown(self, one: Product) -> list[Definition]:
        """The pieces that it reads, of which the counts are not known yet."""
        entries = one.entries if plain(one) else ()
        read = [entry.array for entry in entries if entry.array not in self.counts and is_piece(entry)]
        return [array for array in read if isinstance(array, Definition)]

    def _total(self, one: Product) -> Counter[Array] | None:
        if not plain(one):
            return None
        found: Counter[Array] = Counter()
        for entry in one.entries:
            if not is_piece(entry):
                found[entry.array] += 1
                continue
            inner = self.counts[entry.array]
            if inner is None:
                return None
            found += inner
        return found if found.total() <= MOST_FACTORS else None


# ----------------------------------------------------------------------------------------------- matching


@dataclass(slots=True)
class _Factors:
    """The entries of a product, and where its labels are."""

    entries: list[Entry]
    bound: frozenset[Label]
    bearers: dict[Label, list[int]] = field(default_factory=dict)
    alike: dict[tuple[Array, object], list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, one: Product) -> _Factors:
        found = cls(list(one.entries), frozenset(one.bound))
        for k, entry in enumerate(found.entries):
            found.alike.setdefault((entry.array, entry.power), []).append(k)
            for label in dict.fromkeys(factor_labels(entry)):
                found.bearers.setdefault(label, []).append(k)
        return found

    def labels(self, k: int) -> tuple[Label, ...]:
        return factor_labels(self.entries[k])


class _Match:
    """Factors of one product with those of another that they are the same as.

    `to` maps the factors, `new` the labels. With `apart` both are one product, of which no factor is on both
    sides.
    """

    def __init__(self, ours: _Factors, theirs: _Factors, apart: bool) -> None:
        self.ours, self.theirs, self.apart = ours, theirs, apart
        self.to: dict[int, int] = {}
        self.taken: set[int] = set()
        self.new: Matching = {}
        self.reached: set[Label] = set()

    def free(self, k: int) -> bool:
        return k not in self.to and not (self.apart and k in self.taken)

    def add(self, k: int, other: int) -> bool:
        """Take the two for the same, if they fit what is known of the labels."""
        if other in self.taken or (self.apart and (other in self.to or k == other)):
            return False
        (array, forms, power), (array_, forms_, power_) = self.ours.entries[k], self.theirs.entries[other]
        if array is not array_ or power != power_:
            return False
        found: Matching = {}
        for form, form_ in zip(forms, forms_, strict=True):
            label, label_ = form.label, form_.label
            if label is None or label_ is None:
                if form.coefficients or form != form_:
                    return False
                continue
            known = self.new.get(label, found.get(label))
            if known is None:
                if label.size != label_.size or label_ in self.reached or label_ in found.values():
                    return False
                found[label] = label_
            elif known is not label_:
                return False
        self.to[k] = other
        self.taken.add(other)
        self.new.update(found)
        self.reached.update(found.values())
        return True

    def join(self, k: int) -> bool:
        """Find a factor of theirs that is the same as this one, next to those that are found already."""
        known = next((n for n in self.ours.labels(k) if n in self.new), None)
        near = self.theirs.bearers[self.new[known]] if known is not None else []
        return any(self.add(k, other) for other in near)

    def summed(self, label: Label) -> bool:
        """Is a label summed among the factors that are found, in both?"""
        there = self.new.get(label)
        if there is None or label not in self.ours.bound or there not in self.theirs.bound:
            return False
        inside = all(k in self.to for k in self.ours.bearers[label])
        return inside and all(k in self.taken for k in self.theirs.bearers[there])

    def cross(self, label: Label) -> bool:
        """Take in all factors that bear a summed label, or none of them."""
        before = dict(self.to), set(self.taken), dict(self.new), set(self.reached)
        if label in self.ours.bound and self.new[label] is not label:
            near = [k for k in self.ours.bearers[label] if k not in self.to]
            if near and all(map(self.join, near)) and self.summed(label):
                return True
        self.to, self.taken, self.new, self.reached = before
        return False

    def scale(self, label: Label) -> bool:
        """Take in a factor whose labels all are there."""
        for k in self.ours.bearers[label]:
            if self.free(k) and all(n in self.new for n in self.ours.labels(k)) and self.join(k):
                return True
        return False


def _twins(factors: _Factors, seed: tuple[int, int]) -> _Match | None:
    """The largest two parts that are the same, and have these two in the same place."""
    found = _Match(factors, factors, apart=True)
    if not found.add(*seed):
        return None
    waiting = list(found.new)
    while waiting:
        label = waiting.pop()
        known = len(found.new)
        found.cross(label)
        waiting += list(found.new)[known:]
    waiting = list(found.new)
    while waiting:
        if not found.scale(waiting[-1]):
            waiting.pop()
    return found if any(map(found.summed, found.new)) else None


def _every_twin(one: Product) -> Iterator[_Match]:
    """Parts that a product has twice, the largest first, none within another."""
    factors = _Factors.of(one)
    found: list[_Match] = []
    seen: set[tuple[int, int]] = set()
    for alike in sorted(factors.alike.values(), key=len):
        for seed in combinations(alike[:MOST_ALIKE], 2):
            if seed in seen or seed[::-1] in seen:
                continue
            match = _twins(factors, seed)
            if match is not None:
                seen.update(match.to.items())
                found.append(match)
    gone: set[int] = set()
    for match in sorted(found, key=lambda match: -len(match.to)):
        own = {*match.to, *match.taken}
        if not own & gone:
            gone |= own
            yield match


def _part(match: _Match) -> Term:
    """What is found, as the body of a definition."""
    labels = dict.fromkeys(n for k in match.to for n in match.ours.labels(k))
    inner = [n for n in labels if match.summed(n)]
    axes = tuple(bare(n) for n in labels if n not in inner)
    return Term(axes, product(1, [match.ours.entries[k] for k in match.to], inner)).fresh()


def _parts(products: Sequence[Product]) -> list[Term]:
    """The parts that products have twice, and those that these have, the smaller first."""
    found: dict[object, Term] = {}
    waiting = list(products)
    while waiting:
        for match in _every_twin(waiting.pop()):
            part = _part(match)
            key = term_key(part)
            if key not in found:
                found[key] = part
                waiting.append(part.product)
    return sorted(found.values(), key=lambda part: len(part.product.factors))


# ------------------------------------------------------------------------------------------------ reading


class _Reading:
    """Definitions of parts, and products that read them."""

    def __init__(self) -> None:
        self.parts: list[tuple[Term, _Factors, Definition]] = []  # the smaller first
        self.known: dict[object, Definition] = {}

    def definition(self, body: Sum, shape: tuple[AnySize, ...]) -> Definition:
        key = body_key(body, shape)
        if key not in self.known:
            self.known[key] = Definition("", shape, body)
        return self.known[key]

    def define(self, part: Term) -> None:
        body = Term(part.axes, self.product(part.product)).fresh()
        shape = tuple(n.size for form in part.axes for n in form.labels)
        definition = self.definition(Sum((body,)), shape)
        self.parts.append((part, _Factors.of(part.product), definition))

    def term(self, old: Term, whole: Term) -> Term:
        """The whole of a term, reading the parts; the term itself where it has none of them."""
        new = self.product(whole.product)
        read = {definition for _, _, definition in self.parts}
        return Term(old.axes, new) if any(e.array in read for e in new.entries) else old

    def product(self, one: Product) -> Product:
        for part, factors, definition in reversed(self.parts):
            while (found := _read(one, part, factors, definition)) is not None:
                one = found
        return cut(one, self.definition)


def _read(one: Product, part: Term, factors: _Factors, definition: Definition) -> Product | None:
    """The product with an entry of the definition in place of its body; None where that is not in it."""
    match = _occurrence(factors, _Factors.of(one))
    if match is None:
        return None
    axes = tuple(bare(match.new[n]) for form in part.axes for n in form.labels)
    gone = {match.new[n] for n in match.new if match.summed(n)}
    entries = [e for k, e in enumerate(one.entries) if k not in match.taken]
    rest: list[Factor] = [f for f in one.factors if not isinstance(f, Entry)]
    bound = [n for n in one.bound if n not in gone]
    return product(one.coefficient, [*rest, *entries, Entry(definition, axes)], bound)


def _occurrence(part: _Factors, factors: _Factors) -> _Match | None:
    """Where all of a part is in a product, what it sums being summed there too."""
    rare = min(part.alike, key=lambda key: len(factors.alike.get(key, ())))
    for other in factors.alike.get(rare, [])[:MOST_ALIKE]:
        match = _Match(part, factors, apart=False)
        if not match.add(part.alike[rare][0], other):
            continue
        waiting = list(match.new)
        while waiting:
            label = waiting.pop()
            known = len(match.new)
            if not all(match.join(k) for k in part.bearers[label] if k not in match.to):
                break
            waiting += list(match.new)[known:]
        whole = len(match.to) == len(part.entries)
        if whole and all(match.summed(n) for n in part.bound):
            return match
    return None


# -------------------------------------------------------------------------------------------------- costs


def _weight(results: Sequence[Sequence[Term]], kept: Sequence[Array], sizes: Mapping[str, int]) -> float:
    """Of all that is contracted; what factors without a common label make is there either way."""
    read = [
        f.array for terms in results for t in terms for f in t.product.factors if isinstance(f, Entry | Mask)
    ]
    products = [t.product for terms in results for t in terms]
    for definition in live([*kept, *read]):
        if isinstance(definition.body, Sum):
            products += [t.product for t in definition.body.terms]
    total = 0.0
    for one in products:
        factors = [frozenset(factor_labels(f)) for f in one.factors]
        lying = [stored(f) for f in one.factors]
        for group in together(factors):
            apart = [factors[k] for k in group], frozenset(one.bound), sizes, [lying[k] for k in group]
            total += cost(*apart).weight
    return total
