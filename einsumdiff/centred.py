"""Sums of what has its mean taken off: they are zero, and need not be computed.

    v[i] = x[i] - sum[k](x[k])/n;  sum[j](v[j])*w[i]   ->   0

The derivative of a mean, of a variance or of a normalised layer has such terms, which are rounding errors of
0 as numbers.
"""

from __future__ import annotations

from einsumdiff.canonical import collect
from einsumdiff.nodes import (
    Array,
    Definition,
    Entry,
    Factor,
    Product,
    Sum,
    Term,
    bare,
    factor_labels,
    multiply_numbers,
    product,
)

MOST_TERMS = 8
"""A definition of more terms is not summed: who derives would pay for what is seldom there."""

DEEPEST = 3
"""Through so many definitions it is seen: `w[j] = v[j]/(y*n)` is centred as v is."""


def vanishes(one: Product, depth: int = DEEPEST) -> bool:
    """Has the product a factor that is summed over an axis alone, and adds up to nothing there?"""
    for label in one.bound:
        bearing = [factor for factor in one.factors if label in factor_labels(factor)]
        if len(bearing) != 1 or not isinstance(bearing[0], Entry) or bearing[0].power != 1:
            continue
        array, forms, _ = bearing[0]
        axes = [k for k, form in enumerate(forms) if label in form.labels]
        whole = len(axes) == 1 and forms[axes[0]] == bare(label) and label.size == array.shape[axes[0]]
        if whole and depth and _centred(array, axes[0], depth - 1):
            return True
    return False


def _centred(array: Array, axis: int, depth: int) -> bool:
    """Do the entries along the axis add up to nothing, wherever one stands on the others?

    A definition that is a wrt is an input to whoever reads it.
    """
    if not isinstance(array, Definition) or array.opaque or not isinstance(array.body, Sum):
        return False
    if len(array.body.terms) > MOST_TERMS:
        return False
    left = []
    for term in array.body.terms:
        axes, core = term.fresh()
        label = axes[axis].label
        others = axes[:axis] + axes[axis + 1 :]
        if label is None or label.size != array.shape[axis] or any(label in f.labels for f in others):
            return False
        whole = product(core.coefficient, core.factors, (*core.bound, label))
        if not vanishes(whole, depth):
            left.append(Term(others, _inlined(whole)))
    return not collect(left)


def _inlined(one: Product) -> Product:
    """The product with numbers that have a name, `m = sum(x)/n`, as what they are."""
    factors: list[Factor] = []
    bound, coefficient = list(one.bound), one.coefficient
    for factor in one.factors:
        inner = _number(factor) if isinstance(factor, Entry) else None
        if inner is None:
            factors.append(factor)
        else:
            factors += inner.factors
            bound += inner.bound
            coefficient = multiply_numbers(coefficient, inner.coefficient)
    return product(coefficient, factors, bound)


def _number(entry: Entry) -> Product | None:
    """What an entry stands for, if it is of a definition of one product, whose axes are all plain."""
    array = entry.array
    if entry.power != 1 or not isinstance(array, Definition) or array.opaque:
        return None
    if not isinstance(array.body, Sum) or len(array.body.terms) != 1:
        return None
    axes, core = array.body.terms[0].fresh()
    values = {}
    for axis, form, size in zip(axes, entry.forms, array.shape, strict=True):
        label = axis.label
        if axis == form and label is None:
            continue
        if label is None or label.size != size or label in values or axis != bare(label):
            return None
        values[label] = form
    return core.substitute(values)
