"""In which passes the terms of an array are written into zeros.

    J[i,i+1] += 2*u[i];  J[i,i] += c;  J[i,i+1] += -4   ->   J[i,i+1] = 2*u[i] - 4;  J[i,i] = c

Terms of one pattern are one pass. The pass with the most places comes first, as it need not read the zeros
that it writes over, and so does any other that has no place in common with those before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from einsumdiff.canonical import colours, form_key
from einsumdiff.costs import volume
from einsumdiff.nodes import Form, Label, Product, Term, bare
from einsumdiff.solve import join

MOST_COMPARED = 30
"""So many passes are compared with each other; those behind add to what is there."""
MOST_SOLVED = 6
"""So many are compared by solving equations."""


@dataclass(frozen=True, slots=True)
class Pass:
    """`array[axes] = the sum of the products` for all values of the labels, or `+=` without `first`."""

    axes: tuple[Form, ...]
    labels: tuple[Label, ...]
    products: tuple[Product, ...]
    first: bool


def passes(terms: Sequence[Term], sizes: Mapping[str, int]) -> list[Pass]:
    """The terms, of each of which no two places are the same, by their patterns; into an array of zeros."""
    patterns: dict[object, list[Term]] = {}
    for term in terms:
        colour = colours(term.axes, Product(1))
        kind = tuple(form_key(form, colour) for form in term.axes), tuple(label.size for label in colour)
        patterns.setdefault(kind, []).append(term)
    found: list[Pass] = []
    for group in sorted(patterns.values(), key=lambda group: -volume(group[0].labels, sizes)):
        axes, labels = group[0].axes, tuple(colours(group[0].axes, Product(1)))
        products = [term.product for term in group[:1]]
        for term in group[1:]:
            own = colours(term.axes, Product(1))
            products.append(term.product.substitute({a: bare(b) for a, b in zip(own, labels, strict=True)}))
        few = len(found) < MOST_SOLVED
        alone = len(found) < MOST_COMPARED and all(_apart(axes, one.axes, few) for one in found)
        found.append(Pass(axes, labels, tuple(products), alone))
    return found


def _apart(left: Sequence[Form], right: Sequence[Form], thorough: bool) -> bool:
    """Is it proved that the two patterns have no place in common?

    By axes that are a label in one of them, which two bands have; `thorough` solves all of the equations.
    """
    values: dict[Label, Form] = {}
    for f, g in zip(left, right, strict=True):
        if g.label is not None:
            values.setdefault(g.label, f)
    for f, g in zip(left, right, strict=True):
        if all(label in values for label in g.labels):
            difference = f - g.substitute(values)
            if not difference.coefficients and isinstance(difference.constant, int) and difference.constant:
                return True
    if not thorough:
        return False
    other = Term(tuple(right), Product(1)).fresh().axes
    labels = dict.fromkeys(label for form in (*left, *other) for label in form.labels)
    return not join((), 1, [], [f - g for f, g in zip(left, other, strict=True)], labels)
