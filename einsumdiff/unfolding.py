"""One way to write a term, of the many that mean the same: for comparison only.

How a derivative is cut into definitions, and whether a range is said by a guard or by a label, is no part
of its meaning.
"""

from __future__ import annotations

from einsumdiff.nodes import (
    Definition,
    Entry,
    Extent,
    Factor,
    Guard,
    Label,
    Product,
    Sum,
    Term,
    bare,
    multiply_numbers,
    product,
    substitute_factor,
)
from einsumdiff.sizes import Size, nonnegative

MOST_FACTORS = 24
MOST_POWER = 4
"""A power of a sum is a product over as many labels: beyond this it stays a power."""


def unfold(term: Term) -> list[Term]:
    """The term without definitions that hold one product, or all of the term.

    v[i] = a[i,k]*b[k]:  c[i]*v[i]  ->  c[i]*a[i,k]*b[k]

    How a derivative is cut into definitions is no part of its meaning. Products over sums stay, and a
    product that would have more than `MOST_FACTORS` factors does.
    """
    found: list[Term] = []
    stack = [term]
    while stack:
        one = stack.pop()
        for k, factor in enumerate(one.product.factors):
            terms = _plain_terms(factor)
            power = factor.power if isinstance(factor, Entry) else 1
            alone = len(one.product.factors) == 1 and power == 1
            if terms is None or (len(terms) > 1 and not alone):
                continue
            if len(one.product.factors) + max(len(t.product.factors) for t in terms) > MOST_FACTORS:
                continue
            assert isinstance(factor, Entry)
            left = (factor._replace(power=power - 1),) if power != 1 else ()
            rest = (*one.product.factors[:k], *left, *one.product.factors[k + 1 :])
            for inner in reversed(terms):
                access = {
                    axis.labels[0]: form
                    for axis, form in zip(inner.axes, factor.forms, strict=True)
                    if axis.coefficients
                }
                part = inner.product.substitute(access)
                outer = Product(one.product.coefficient, rest)
                whole = product(
                    multiply_numbers(outer.coefficient, part.coefficient),
                    (*rest, *part.factors),
                    (*one.product.bound, *part.bound),
                )
                stack.append(Term(one.axes, whole))
            break
        else:
            found.append(one)
    return found


def _plain_terms(factor: Factor) -> tuple[Term, ...] | None:
    """The terms of the definition that a factor reads, if each has an axis of its own for every label."""
    if not isinstance(factor, Entry) or not isinstance(factor.array, Definition):
        return None
    if not isinstance(factor.power, int) or not 1 <= factor.power <= MOST_POWER:
        return None
    body, shape = factor.array.body, factor.array.shape
    if not isinstance(body, Sum) or not body.terms:
        return None
    for term in body.terms:
        labels = [form.label for form, size in zip(term.axes, shape, strict=True) if size != 1]
        if None in labels or len(set(labels)) < len(labels):
            return None
        if any(
            b is not None and b.size != s for b, s in zip(labels, [s for s in shape if s != 1], strict=True)
        ):
            return None
    return body.terms


def shifted(term: Term) -> Term:
    """The term with the ranges of labels in place of guards of one label.

    x[i-2]*[i - 2 >= 0] at i < n  ->  x[i] at i+2, i < n-2
    """
    for guard in term.product.factors:
        if not isinstance(guard, Guard) or guard.op != ">=" or len(guard.form.coefficients) != 1:
            continue
        ((label, c),) = guard.form.coefficients
        start, size = (-guard.form.constant, label.size) if c == 1 else (0, guard.form.constant + 1)
        if c not in (1, -1) or not nonnegative(start) or not nonnegative(label.size - size):
            continue
        new = Label(size - start, label.name)
        values = {label: bare(new).plus(start)}
        factors = [substitute_factor(f, values) for f in term.product.factors if f is not guard]
        bound = [new if b is label else b for b in term.product.bound]
        axes = tuple(form.substitute(values) for form in term.axes)
        return shifted(Term(axes, product(term.product.coefficient, factors, bound)))
    return term


def atoms(factor: Factor) -> list[Factor]:
    """A product of sizes as its factors: `(m*n)**-1` as `m**-1 * n**-1`."""
    if not isinstance(factor, Extent) or isinstance(factor.size, int) or len(factor.size.terms) != 1:
        return [factor]
    monomial, c = factor.size.terms[0]
    return [Extent(c, factor.power), *(Extent(Size((((atom,), 1),)), factor.power) for atom in monomial)]
