"""One way to write a term, of the many that mean the same: for comparison only.

How a derivative is cut into definitions, and whether a range is said by a guard or by a label, is no part
of its meaning.
"""

from __future__ import annotations

from einsumdiff.nodes import (
    Array,
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

MOST_FACTORS = 100
MOST_POWER = 4
"""A power of a sum is a product over as many labels: beyond this it stays a power."""


class Unfolding:
    """Terms without definitions that hold one product, or all of the term.

    v[i] = a[i,k]*b[k]:  c[i]*v[i]  ->  c[i]*a[i,k]*b[k]

    How a derivative is cut into definitions is no part of its meaning. Products over sums stay. Where all
    would be more than `MOST_FACTORS` factors the definitions of the most factors do: which these are must
    not depend on the order in which a product was written.
    """

    def __init__(self) -> None:
        self.sizes: dict[Array, int] = {}

    def unfold(self, term: Term) -> list[Term]:
        found: list[Term] = []
        stack = [term]
        while stack:
            one = stack.pop()
            factor, terms = self._next(one.product)
            if factor is None:
                found.append(one)
                continue
            left = (factor._replace(power=factor.power - 1),) if factor.power != 1 else ()
            rest = (*(f for f in one.product.factors if f is not factor), *left)
            for inner in reversed(terms):
                access = {
                    axis.labels[0]: form
                    for axis, form in zip(inner.axes, factor.forms, strict=True)
                    if axis.coefficients
                }
                part = inner.product.substitute(access)
                whole = product(
                    multiply_numbers(one.product.coefficient, part.coefficient),
                    (*rest, *part.factors),
                    (*one.product.bound, *part.bound),
                )
                stack.append(Term(one.axes, whole))
        return found

    def _next(self, one: Product) -> tuple[Entry | None, tuple[Term, ...]]:
        """The definition to go next, with its terms: after those that read it, as their powers of it add."""
        if len(one.factors) == 1:
            (only,) = one.factors
            terms = _plain_terms(only)
            if terms is not None and isinstance(only, Entry) and (only.power == 1 or len(terms) == 1):
                return only, terms
            return None, ()
        plain = [f for f in one.entries if _one_product(f) is not None]
        sizes = {f: self._size(f) for f in plain}
        total = len(one.factors) + sum(size - 1 for size in sizes.values())
        while total > MOST_FACTORS and sizes:
            most = max(sizes.values())
            total -= (most - 1) * sum(size == most for size in sizes.values())
            sizes = {f: size for f, size in sizes.items() if size < most}
        last = max(sizes, key=lambda f: f.array.serial, default=None)
        return last, (_plain_terms(last) or ()) if last is not None else ()

    def _size(self, entry: Entry) -> int:
        """How many factors an entry of one product is when all is unfolded; or more than there may be."""
        stack = [entry.array]
        while stack:
            if stack[-1] in self.sizes:
                stack.pop()
                continue
            read = _one_product(Entry(stack[-1], ())) or ()
            inner = [f for f in read if isinstance(f, Entry) and _one_product(f) is not None]
            missing = [f.array for f in inner if f.array not in self.sizes]
            if missing:
                stack += missing
            else:
                size = len(read) + sum(self._power(f) * self.sizes[f.array] - 1 for f in inner)
                self.sizes[stack.pop()] = min(size, MOST_FACTORS + 1)
        return self._power(entry) * self.sizes[entry.array]

    @staticmethod
    def _power(entry: Entry) -> int:
        assert isinstance(entry.power, int)
        return entry.power


def _one_product(entry: Entry) -> tuple[Factor, ...] | None:
    """The factors of the one product that a definition holds."""
    terms = _plain_terms(entry)
    return terms[0].product.factors if terms is not None and len(terms) == 1 else None


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
