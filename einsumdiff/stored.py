"""How many numbers a compressed derivative keeps, as a formula of sizes, counted on its terms.

A compressed result keeps arrays, and says where they go. Arrays that are the same up to scale, sign and
transposition are kept once; a constant is no array, a scalar that depends on inputs is one number. The
terms of one pattern are kept either multiplied and added up, as one array over the labels of their axes, or
as they are: each product as its factors, where those that share summed indices, or all of whose labels
another factor bears, are multiplied into one. A scalar factor stands alone or is multiplied into another one.
The count is that of the best choice. An array of zeros and ones that gathers is kept as its index array.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, permutations, product
from math import prod

from einsumdiff.canonical import factor_key, form_key, term_key
from einsumdiff.nodes import (
    Array,
    Definition,
    Entry,
    Factor,
    Guard,
    Input,
    Label,
    Mask,
    Product,
    Term,
    bare,
    factor_labels,
    is_one_hot,
)
from einsumdiff.patterns import components
from einsumdiff.sizes import AnySize, assumed

Kept = dict[object, AnySize]
"""The arrays that a choice keeps, by what identifies them, and their numbers of elements."""

Weigh = Callable[[AnySize], float]

MOST_WAYS = 4096
"""So many choices are compared; of more, the best is taken pattern by pattern."""

MOST_ORDERS = 5
"""Arrays of more axes are not compared with their transposes."""


def elements(sizes: Iterable[AnySize]) -> AnySize:
    """The number of elements of an array of these sizes."""
    total: AnySize = 1
    for size in sizes:
        total = total * size
    return total


def stored(terms: Sequence[Term], weigh: Weigh = lambda size: assumed(size, {})) -> AnySize:
    """The number of numbers to keep: of the choice that weighs least."""
    patterns: dict[object, list[Term]] = defaultdict(list)
    for term in terms:
        patterns[_pattern_key(term)].append(term)
    choices = [list(islice(_ways(group, weigh), MOST_WAYS)) for group in patterns.values()]
    if prod(len(choice) for choice in choices) <= MOST_WAYS:
        best = min((_union(chosen) for chosen in product(*choices)), key=lambda kept: _weight(kept, weigh))
    else:
        best = {}
        for choice in choices:
            best = min((_union((best, kept)) for kept in choice), key=lambda kept: _weight(kept, weigh))
    total: AnySize = 0
    for size in best.values():
        total = total + size
    return total


def _union(kept: Iterable[Kept]) -> Kept:
    return {key: size for one in kept for key, size in one.items()}


def _weight(kept: Kept, weigh: Weigh) -> float:
    return sum(weigh(size) for size in kept.values())


def _pattern_key(term: Term) -> object:
    """Equal for terms that write to the same places."""
    number = {label: k for k, label in enumerate(term.labels)}
    guards = [f for f in term.product.factors if isinstance(f, Guard) and set(f.form.labels) <= set(number)]
    return (
        tuple(form_key(form, number) for form in term.axes),
        tuple(str(label.size) for label in term.labels),
        frozenset(factor_key(guard, number) for guard in guards),
    )


def _ways(terms: list[Term], weigh: Weigh) -> Iterator[Kept]:
    """The ways to keep the terms of one pattern: all of them as one array, or each as its factors."""
    if (len(terms) > 1 or len(_parts(terms[0])) > 1) and not any(_places(term) for term in terms):
        borne = [{k for k, label in enumerate(t.labels) if label in t.product.labels} for t in terms]
        spanned = [terms[0].labels[k] for k in sorted(set().union(*borne))]
        key = frozenset((term_key(term), term.product.coefficient) for term in terms)
        yield {key: elements(label.size for label in spanned)}
    for chosen in product(*(_factored(term, weigh) for term in terms)):
        yield _union(chosen)


def _factored(term: Term, weigh: Weigh) -> Iterator[Kept]:
    """The ways to keep one term as factors: its scalar apart, or multiplied into one of the others."""
    every = _parts(term)
    scalar = [factor for part in every if not _free(part, term) for factor in part]
    arrays = [part for part in every if _free(part, term)]
    kept = {_part_key(part, term): _part_size(part, term, weigh) for part in arrays}
    places = {("index", f.array.serial): elements(f.array.shape[:-1]) for f in _places(term)}
    if scalar or not arrays:
        yield places | kept | ({_part_key(scalar, term): 1} if scalar else {})
    for k in range(len(arrays)):
        yield places | {
            _part_key(part + scalar * (k == one), term): _part_size(part, term, weigh)
            for one, part in enumerate(arrays)
        }


def _places(term: Term) -> list[Entry]:
    """The arrays of zeros and ones over axes only: they say where numbers go."""
    hots = [f for f in term.product.factors if isinstance(f, Entry) and is_one_hot(f.array)]
    return [hot for hot in hots if not set(factor_labels(hot)) & set(term.product.bound)]


def _parts(term: Term) -> list[list[Factor]]:
    """The factors that depend on inputs, those together that are multiplied into one array."""
    places = _places(term)
    found = [
        part
        for part in components(term)
        if any(isinstance(f, Entry | Mask) and f not in places and _depends(f.array) for f in part)
    ]
    found.sort(key=lambda part: len(_free(part, term)))
    kept: list[list[Factor]] = []
    while found:
        part = found.pop(0)
        larger = [other for other in found if _free(part, term) and _free(part, term) <= _free(other, term)]
        if larger:
            larger[0].extend(part)
        else:
            kept.append(part)
    return kept


def _labels(part: Iterable[Factor]) -> set[Label]:
    return {label for factor in part for label in factor_labels(factor)}


def _free(part: Iterable[Factor], term: Term) -> set[Label]:
    return _labels(part) - set(term.product.bound)


def _depends(array: Array) -> bool:
    """Is it an input, or made of one?"""
    seen: set[Array] = set()
    stack = [array]
    while stack:
        one = stack.pop()
        if isinstance(one, Input):
            return True
        if isinstance(one, Definition) and one not in seen:
            seen.add(one)
            stack.extend(one.reads)
    return False


def _part_key(part: list[Factor], term: Term) -> object:
    """Equal for arrays that are equal up to scale, sign and transposition."""
    labels = _labels(part)
    core = Product(1, tuple(part), tuple(label for label in term.product.bound if label in labels))
    free = sorted(_free(part, term), key=lambda label: label.serial)
    orders = permutations(free) if len(free) <= MOST_ORDERS else [tuple(free)]
    return min(repr(term_key(Term(tuple(bare(label) for label in order), core))) for order in orders)


def _part_size(part: list[Factor], term: Term, weigh: Weigh) -> AnySize:
    """Its labels span so many elements; a single entry is never larger than its array."""
    size = elements(label.size for label in _free(part, term))
    if len(part) == 1 and isinstance(part[0], Entry | Mask):
        whole = elements(part[0].array.shape)
        return min(size, whole, key=weigh)
    return size
