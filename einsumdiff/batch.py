"""Batches: a size that is independent in every element, so that the wrt's copy of its axis is left out.

    y[b,i] = A[i,j]*x[b,j]:   dy[b,i]/dx[c,j] = delta[b,c]*A[i,j]   ->   dy[b,i]/dx[b,j] = A[i,j]

It is checked on the terms: each must tie the two axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import Unsupported, ValueFault
from einsumdiff.nodes import Term
from einsumdiff.sizes import symbol

Shown = Callable[[Jacobian], tuple[str, list[str]]]


def batched(jacobian: Jacobian, names: Sequence[str], shown: Shown) -> Jacobian:
    """The derivative without the axes of its last wrt that have one of these sizes.

    Parameters
    ----------
    shown : a derivative as text and the letters of its axes, for messages.

    Raises
    ------
    ValueFault : where the output has no axis of that size.
    Unsupported : where a term couples two elements; the term is shown.
    """
    for name in names:
        size = symbol(name)
        outputs = [k for k, one in enumerate(jacobian.output.shape) if one == size]
        if not outputs:
            raise ValueFault(
                f"{jacobian.output.name} has no axis of size {name}, which batch= names",
                None,
                f'name a size of the output, and give it a name: shapes={{"x": ("{name}", 3)}}',
            )
        number = len(jacobian.wrt) - 1
        for axis, one in enumerate(jacobian.wrt[-1].shape):
            if one == size:
                jacobian = _tied(jacobian, (number, axis), outputs, name, shown)
    return jacobian


def _tied(
    jacobian: Jacobian, axis: tuple[int, int], outputs: Sequence[int], name: str, shown: Shown
) -> Jacobian:
    """The derivative without one axis, which every term ties to one of the output's."""
    place = jacobian.axes[1 + axis[0]][axis[1]]
    used = {at for (n, _), at in jacobian.tied.items() if n == axis[0]}
    free = [k for k in outputs if k not in used] or list(outputs)
    chosen = next((k for k in free if all(t.axes[k] == t.axes[place] for t in jacobian.terms)), None)
    if chosen is None:
        couples = [t for t in jacobian.terms if not any(t.axes[k] == t.axes[place] for k in free)]
        one = couples[0] if couples else jacobian.terms[0]
        text, letters = shown(replace(jacobian, terms=(one,)))
        own = " or ".join(letters[k] for k in free)
        couple = f"a term couples {letters[place]} with {own}"
        raise Unsupported(
            f"the elements of {name} are not independent: {couple}\n  {text}",
            None,
            f"derive without batch={name!r}, or remove what couples them",
        )
    return tie(jacobian, axis, chosen)


def tie(jacobian: Jacobian, axis: tuple[int, int], to: int) -> Jacobian:
    """The derivative without an axis (number of the wrt, axis) that equals one of the output."""
    place = jacobian.axes[1 + axis[0]][axis[1]]
    terms = tuple(Term(t.axes[:place] + t.axes[place + 1 :], t.product) for t in jacobian.terms)
    shape = jacobian.shape[:place] + jacobian.shape[place + 1 :]
    return replace(jacobian, terms=terms, shape=shape, tied={**jacobian.tied, axis: to})
