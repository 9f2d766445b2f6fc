"""How many numbers a compressed derivative keeps, counted on its terms.

A compressed result keeps arrays, and says where they go. Arrays that are the same up to scale, sign and
transposition are kept once; a constant is no array, a scalar that depends on inputs is one number. The
terms of one pattern are kept either multiplied and added up, as one array over the labels of their axes, or
as they are: each product as its factors, where those that share summed indices, or all of whose labels
another factor bears, are multiplied into one. A scalar factor stands alone or is multiplied into another one.
The count is that of the best choice.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import permutations, product
from math import prod

from einsumdiff import Derivative
from einsumdiff.canonical import form_key, term_key
from einsumdiff.nodes import Array, Definition, Entry, Input, Label, Mask, Product, Term, bare, body_arrays
from einsumdiff.sizes import evaluate

Kept = dict[object, int]
"""The arrays that a choice keeps, by what identifies them, and their numbers of elements."""


def stored(derivative: Derivative, sizes: Mapping[str, int]) -> int:
    """The number of numbers that the derivative keeps at these sizes."""
    patterns: dict[object, list[Term]] = defaultdict(list)
    for term in derivative._jacobian.terms:
        patterns[pattern_key(term)].append(term)
    choices = [list(ways(terms, sizes)) for terms in patterns.values()]
    return min(
        sum({key: size for kept in chosen for key, size in kept.items()}.values())
        for chosen in product(*choices)
    )


def pattern_key(term: Term) -> object:
    """Equal for terms that write to the same places."""
    number = {label: k for k, label in enumerate(term.labels)}
    guards = frozenset(str(f) for f in term.product.factors if not isinstance(f, Entry | Mask))
    return (
        tuple(form_key(form, number) for form in term.axes),
        tuple(str(label.size) for label in term.labels),
        guards if guards else None,
    )


def ways(terms: list[Term], sizes: Mapping[str, int]) -> Iterator[Kept]:
    """The ways to keep the terms of one pattern: each as its factors, or all of them as one array."""
    for chosen in product(*(factored(term, sizes) for term in terms)):
        yield {key: size for kept in chosen for key, size in kept.items()}
    if len(terms) > 1 or len(parts(terms[0])) > 1:
        borne = [{k for k, label in enumerate(t.labels) if label in t.product.labels} for t in terms]
        spanned = [terms[0].labels[k] for k in set().union(*borne)]
        key = frozenset((term_key(term), term.product.coefficient) for term in terms)
        yield {key: elements(spanned, sizes)}


def factored(term: Term, sizes: Mapping[str, int]) -> Iterator[Kept]:
    """The ways to keep one term as factors: its scalar apart, or multiplied into one of the others."""
    every = parts(term)
    scalar = [entry for part in every if not free(part, term) for entry in part]
    arrays = [part for part in every if free(part, term)]
    if scalar or not arrays:
        number = {part_key(scalar, term): 1} if scalar else {}
        yield number | {part_key(part, term): part_size(part, term, sizes) for part in arrays}
    for k in range(len(arrays)):
        yield {
            part_key(part + scalar * (k == one), term): part_size(part, term, sizes)
            for one, part in enumerate(arrays)
        }


def parts(term: Term) -> list[list[Entry]]:
    """The factors that depend on inputs, those together that are multiplied into one array."""
    bound = set(term.product.bound)
    found: list[list[Entry]] = []
    for entry in (f for f in term.product.factors if isinstance(f, Entry | Mask)):
        joined = [part for part in found if bound & labels([entry]) & labels(part)]
        found = [part for part in found if part not in joined] + [[e for p in joined for e in p] + [entry]]
    found = [part for part in found if any(depends(entry.array) for entry in part)]
    found.sort(key=lambda part: len(free(part, term)))
    kept: list[list[Entry]] = []
    while found:
        part = found.pop(0)
        larger = [other for other in found if free(part, term) and free(part, term) <= free(other, term)]
        if larger:
            larger[0].extend(part)
        else:
            kept.append(part)
    return kept


def labels(part: list[Entry]) -> set[Label]:
    return {label for entry in part for form in entry.forms for label in form.labels}


def free(part: list[Entry], term: Term) -> set[Label]:
    return labels(part) - set(term.product.bound)


def depends(array: Array) -> bool:
    """Is it an input, or made of one?"""
    if isinstance(array, Definition):
        return any(depends(one) for one in body_arrays(array.body))
    return isinstance(array, Input)


def part_key(part: list[Entry], term: Term) -> object:
    """Equal for arrays that are equal up to scale, sign and transposition."""
    core = Product(1, tuple(part), tuple(label for label in term.product.bound if label in labels(part)))
    return min(
        repr(term_key(Term(tuple(bare(label) for label in order), core)))
        for order in permutations(free(part, term))
    )


def part_size(part: list[Entry], term: Term, sizes: Mapping[str, int]) -> int:
    """Its labels span so many elements; a single entry is never larger than its array."""
    size = elements(free(part, term), sizes)
    if len(part) == 1:
        return min(size, prod(evaluate(one, sizes) for one in part[0].array.shape))
    return size


def elements(spanned: set[Label] | list[Label], sizes: Mapping[str, int]) -> int:
    return prod(evaluate(label.size, sizes) for label in spanned)
