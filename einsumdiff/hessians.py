"""Second derivatives are symmetric: what differs by the order of the wrt only is derived and computed once.

    d2L/dV[k]/dU[i]   is   d2L/dU[i]/dV[k]   transposed

and in a block of one wrt two terms may be each other's transpose, `A[i,k]*B[j,k] + B[i,k]*A[j,k]`.
It holds for inputs (H. A. Schwarz); a wrt that is a definition is held fixed by its own derivative only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from itertools import product as tuples

from einsumdiff.canonical import term_key
from einsumdiff.differentiate import Elimination, Jacobian, differentiate, further
from einsumdiff.nodes import (
    Array,
    Guard,
    Input,
    Mask,
    Product,
    Term,
)
from einsumdiff.program import Builder, Program
from einsumdiff.sizes import AnySize
from einsumdiff.terms import contracted

Each = Callable[[Jacobian], Jacobian]


def repeated(
    program: Program,
    before: Jacobian | None,
    wrt: Sequence[Array],
    order: int,
    elimination: Elimination,
    each: Each,
) -> list[Jacobian]:
    """The derivatives in all sequences of `order` of the wrt, of the output or of one before.

    Parameters
    ----------
    each : what is done to every derivative as it is found.
    """
    commute = all(isinstance(x, Input) for x in wrt)
    found: dict[tuple[int, ...], Jacobian | None] = {(): before}
    for _ in range(order):
        longer: dict[tuple[int, ...], Jacobian | None] = {}
        for numbers, jacobian in found.items():
            first = numbers[-1] if commute and numbers else 0
            step = (
                differentiate(program, wrt[first:], elimination)
                if jacobian is None
                else further(program, jacobian, wrt[first:], elimination)
            )
            longer.update({(*numbers, first + k): each(one) for k, one in enumerate(step)})
        found = longer
    whole = []
    rank = len(before.wrt) if before is not None else 0
    for numbers in tuples(range(len(wrt)), repeat=order):
        ranked = sorted(range(order), key=numbers.__getitem__) if commute else list(range(order))
        jacobian = found[tuple(numbers[k] for k in ranked)]
        assert jacobian is not None
        back = [ranked.index(k) for k in range(order)]
        whole.append(transposed(jacobian, [*range(rank), *(rank + k for k in back)]))
    return whole


def transposed(jacobian: Jacobian, order: Sequence[int]) -> Jacobian:
    """The derivative with its wrt in another order: the n-th is the one of number `order[n]`."""
    if list(order) == list(range(len(jacobian.wrt))):
        return jacobian
    places = _places(jacobian, order)
    back = {old: new for new, old in enumerate(order)}
    return Jacobian(
        jacobian.output,
        tuple(jacobian.wrt[n] for n in order),
        tuple(_turned(term, places).fresh() for term in jacobian.terms),
        tuple(jacobian.shape[k] for k in places),
        {(back[n], axis): to for (n, axis), to in jacobian.tied.items()},
    )


def _places(jacobian: Jacobian, order: Sequence[int]) -> list[int]:
    """For every axis of the transposed derivative, where it is in this one."""
    own, *axes = jacobian.axes
    return [*own, *(k for n in order for axis, k in enumerate(axes[n]) if (n, axis) not in jacobian.tied)]


def _turned(term: Term, places: Sequence[int]) -> Term:
    return Term(tuple(term.axes[k] for k in places), term.product)


def symmetric(jacobians: Sequence[Jacobian]) -> bool:
    """Whether the order of the wrt makes no difference, and is of two or more."""
    arrays = {array for one in jacobians for array in one.wrt}
    inputs = all(isinstance(array, Input) for array in arrays)
    return (
        len(jacobians[0].wrt) > 1
        and len(jacobians) == len(arrays) ** len(jacobians[0].wrt)
        and (inputs or len(arrays) == 1)
    )


# ------------------------------------------------------------------------------------------- computing once

MOST_ORDERS = 3
"""Up to this order transposes are looked for."""


@dataclass(frozen=True, slots=True)
class Result:
    """What is written out: terms that may share definitions."""

    terms: tuple[Term, ...]
    shape: tuple[AnySize, ...]


def computed_once(jacobians: Sequence[Jacobian], builder: Builder) -> list[Result]:
    """The same arrays, where terms that are each other's transpose read one definition of what they sum.

    What is left of them is written twice: to write an outer product is as fast as to copy it.
    """
    terms = [list(one.terms) for one in jacobians]
    first: dict[object, tuple[int, int, list[int]]] = {}
    for a, one in enumerate(jacobians):
        if not 2 <= len(one.wrt) <= MOST_ORDERS:
            continue
        for n, term in enumerate(one.terms):
            if not _contracts(term.product):
                continue
            found = first.get((one.output, one.wrt, _key(term)))
            if found is not None:
                b, m, places = found
                if terms[b][m] is jacobians[b].terms[m]:
                    terms[b][m] = Term(terms[b][m].axes, contracted(terms[b][m].product, builder))
                terms[a][n] = _turned(terms[b][m], places).fresh()
                continue
            for order in permutations(range(len(one.wrt))):
                places = _places(one, order)
                key = (one.output, tuple(one.wrt[k] for k in order), _key(_turned(term, places)))
                first.setdefault(key, (a, n, places))
    return [Result(tuple(own), one.shape) for own, one in zip(terms, jacobians, strict=True)]


def _key(term: Term) -> object:
    return term_key(term), term.product.coefficient


def _contracts(core: Product) -> bool:
    """Does it sum something, of more than one factor, that no condition keeps within bounds?"""
    summed = bool(core.bound) and len(core.factors) > 1
    return summed and not any(isinstance(f, Guard | Mask) for f in core.factors)
