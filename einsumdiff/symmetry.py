"""Which axes of a derivative may be exchanged: proved on its terms, never assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, combinations

from einsumdiff.canonical import colours, form_key
from einsumdiff.meaning import same
from einsumdiff.nodes import Array, Definition, Entry, Form, Input, Mask, Product, Term
from einsumdiff.sizes import AnySize

Axes = tuple[int, ...]
Exchange = tuple[Axes, Axes]

MOST_AXES = 6
"""Of an array with more axes only whole blocks of them are exchanged."""


def symmetric_axes(
    terms: Sequence[Term], shape: Sequence[AnySize], ranks: Sequence[int] = ()
) -> tuple[Exchange, ...]:
    """The exchanges of axes that leave the sum of the terms as it is.

    Tried are two blocks of axes of the same shape, where `ranks` says how many axes each block has (those
    of the output, then of each wrt), and two single axes of one size. An exchange that is not found is
    not proved; it may hold all the same.
    """
    stops = list(accumulate(ranks))
    blocks = [tuple(range(stop - rank, stop)) for stop, rank in zip(stops, ranks, strict=True) if rank]
    candidates: list[Exchange] = list(combinations(blocks, 2))
    if len(shape) <= MOST_AXES:
        candidates += [((a,), (b,)) for a, b in combinations(range(len(shape)), 2)]
    found = []
    for one, other in dict.fromkeys(candidates):
        if [shape[a] for a in one] == [shape[a] for a in other] and _holds(terms, one, other, len(shape)):
            found.append((one, other))
    return tuple(found)


def _holds(terms: Sequence[Term], one: Axes, other: Axes, rank: int) -> bool:
    order = list(range(rank))
    for a, b in zip(one, other, strict=True):
        order[a], order[b] = b, a
    exchanged = [Term(tuple(term.axes[k] for k in order), term.product) for term in terms]
    if Counter(map(_places, terms)) != Counter(map(_places, exchanged)):
        return False
    inputs = _inputs(terms)
    return same(inputs, terms, inputs, exchanged)


def _places(term: Term) -> object:
    axes: tuple[Form, ...] = term.axes
    colour = colours(axes, Product(1))
    return tuple(form_key(form, colour) for form in axes)


def _inputs(terms: Sequence[Term]) -> list[Input]:
    """The inputs that the terms are made of."""
    seen: dict[Array, None] = {}
    stack = [f.array for t in terms for f in t.product.factors if isinstance(f, Entry | Mask)]
    while stack:
        array = stack.pop()
        if array not in seen:
            seen[array] = None
            if isinstance(array, Definition):
                stack.extend(array.reads)
    return [array for array in seen if isinstance(array, Input)]
