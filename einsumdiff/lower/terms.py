"""Sums of products as expressions, and terms written into zeros."""

from __future__ import annotations

from collections.abc import Sequence

from einsumdiff import plan
from einsumdiff.apart import common_part, without
from einsumdiff.nodes import (
    Entry,
    Extent,
    Label,
    Mask,
    Product,
    Term,
    bare,
    constant_form,
    multiply_numbers,
    substitute_factor,
)
from einsumdiff.plan import Expr
from einsumdiff.products import Products
from einsumdiff.sizes import AnySize, assumed, symbol
from einsumdiff.terms import injective, known_labels
from einsumdiff.writing import passes

MOST_ADDED = 50
"""A sum of more summands is written in several statements."""


class Terms:
    """Statements so far, names that are taken, and products as expressions."""

    def __init__(self, products: Products, taken: set[str]) -> None:
        self.products, self.taken = products, taken
        self.statements: list[plan.Statement] = []
        self.small: dict[str, int] = {}
        self.last: dict[str, int] = {}  # the number of the last generated name for each hint

    def fresh(self, hint: str) -> str:
        k = self.last.get(hint, 0) + 1
        while (name := f"{hint}{k}") in self.taken:
            k += 1
        self.last[hint] = k
        self.taken.add(name)
        return name

    # -- sums of products ---------------------------------------------------------------------------------

    def sum_of(self, terms: Sequence[Term], axes: Sequence[Label | None]) -> Expr:
        """Terms with plain axes, added up in these labels; what scales all of them scales the sum."""
        scale = _common_scale(terms)
        if scale is not None:
            inner = self.sum_of([_without_scale(term) for term in terms], axes)
            return self.products.scaled(inner, scale)
        products = []
        for term in terms:
            values = {
                form.label: bare(label)
                for form, label in zip(term.axes, axes, strict=True)
                if form.label is not None and label is not None
            }
            products.append(term.product.relabelled(values))
        return self._sum(products)

    def _sum(self, products: Sequence[Product]) -> Expr:
        parts: list[tuple[int, Expr]] = []
        common = common_part(products) if len(products) <= MOST_ADDED else None
        if common is not None:
            numbers, part = common
            sign, inner = plan.signed(self._sum([without(products[k], part) for k in numbers]))
            outer = self.products.product(part)
            parts.append((sign, plan.Multiply(inner, outer, plan.union([inner, outer]))))
            products = [one for k, one in enumerate(products) if k not in numbers]
        parts += [plan.signed(self.products.product(one)) for one in products]
        if len(parts) == 1 and parts[0][0] == 1:
            return parts[0][1]
        parts.sort(key=lambda part: part[0] < 0)
        while len(parts) > MOST_ADDED:
            parts = [self._added(parts[k : k + MOST_ADDED]) for k in range(0, len(parts), MOST_ADDED)]
        return plan.Add(tuple(parts), plan.union([value for _, value in parts]))

    def _added(self, parts: Sequence[tuple[int, Expr]]) -> tuple[int, Expr]:
        """Some of very many summands, in a variable of their own: a line has to end somewhere."""
        value = plan.Add(tuple(parts), plan.union([part for _, part in parts]))
        name = self.fresh("t")
        self.statements.append(plan.Assign(name, value, value.axes))
        return 1, plan.Load(name, value.axes)

    # -- writing ------------------------------------------------------------------------------------------

    def write_terms(
        self, name: str, terms: Sequence[Term], shape: tuple[AnySize, ...], own: bool = True
    ) -> None:
        whole: list[Term] = []
        others: list[Term] = []
        for term in terms:
            (whole if plain(term, shape) else others).append(term)
        if whole:
            axes = tuple(Label(size) if size != 1 else None for size in shape)
            own = own or bool(others)  # it is written into
            self.statements.append(plan.Assign(name, self.sum_of(whole, axes), axes, own, shown=not own))
        else:
            self.statements.append(plan.Zeros(name, shape))
        apart: list[Term] = []
        meeting: list[Term] = []
        for term in others:
            (apart if _within(term, shape) and injective(term.axes) else meeting).append(term)
        for one in passes(apart, self.products.assumed):
            labels = tuple(map(bare, one.labels))
            value = self.sum_of([Term(labels, each) for each in one.products], one.labels)
            first = one.first and not whole
            self.statements.append(plan.Write(name, one.axes, shape, value, one.labels, first, True))
        for term in meeting:
            self.statements += self._write(name, term, shape)

    def _write(self, name: str, term: Term, shape: tuple[AnySize, ...]) -> list[plan.Statement]:
        """A term with places outside, or several values for one place."""
        looped = self._loop_label(term) if _within(term, shape) else None
        if looped is not None:
            variable = self.fresh("k")
            fixed = {looped: constant_form(symbol(variable))}
            inner = Term(
                tuple(form.substitute(fixed) for form in term.axes),
                Product(
                    term.product.coefficient,
                    tuple(substitute_factor(f, fixed) for f in term.product.factors),
                    term.product.bound,
                ),
            )
            body = self._write_proved(name, inner, shape, _reads_within(term.product))
            return [plan.Loop(variable, looped.size, tuple(body))]
        value = self.products.product(term.product)
        return [plan.Write(name, term.axes, shape, value, term.labels, False, False)]

    def _write_proved(
        self, name: str, term: Term, shape: tuple[AnySize, ...], trusted: bool
    ) -> list[plan.Statement]:
        """Inside a loop: the forms were proved before the loop's label became a number.

        `trusted`: those of the accesses too, and none of them needs its guard.
        """
        if not injective(term.axes):
            looped = self._loop_label(term)
            if looped is not None:
                variable = self.fresh("k")
                fixed = {looped: constant_form(symbol(variable))}
                factors = tuple(substitute_factor(f, fixed) for f in term.product.factors)
                axes = tuple(form.substitute(fixed) for form in term.axes)
                inner = Term(axes, Product(term.product.coefficient, factors, term.product.bound))
                statements = self._write_proved(name, inner, shape, trusted)
                return [plan.Loop(variable, looped.size, tuple(statements))]
        value = self.products.product(term.product, trusted)
        return [plan.Write(name, term.axes, shape, value, term.labels, False, True)]

    def _loop_label(self, term: Term) -> Label | None:
        """The smallest label that its place does not determine; a size that is subtracted is small."""
        unknown = [n for n in term.labels if n not in known_labels(term.axes)]
        return min(unknown, key=lambda n: assumed(n.size, self.small), default=None)


def _common_scale(terms: Sequence[Term]) -> Product | None:
    """The number and the sizes that two terms or more have in common, where they have the same ones."""
    if len(terms) < 2:
        return None
    scales = [
        (multiply_numbers(t.product.coefficient, -1 if t.product.coefficient < 0 else 1), _extents(t.product))
        for t in terms
    ]
    number, extents = scales[0]
    if (number == 1 and not extents) or isinstance(number, float) or any(one != scales[0] for one in scales):
        return None
    if any(not t.product.entries for t in terms):
        return None
    return Product(number, tuple(f for f in terms[0].product.factors if f in extents))


def _extents(one: Product) -> set[Extent]:
    return {f for f in one.factors if isinstance(f, Extent)}


def _without_scale(term: Term) -> Term:
    one = term.product
    factors = tuple(f for f in one.factors if not isinstance(f, Extent))
    return Term(term.axes, Product(-1 if one.coefficient < 0 else 1, factors, one.bound))


def _within(term: Term, shape: Sequence[AnySize]) -> bool:
    """Whether every place is proved to be in bounds."""
    return all(form.within(size) for form, size in zip(term.axes, shape, strict=True))


def _reads_within(one: Product) -> bool:
    """Whether every access is proved to be in bounds, guards or not."""
    return all(
        form.within(size)
        for f in one.factors
        if isinstance(f, Entry | Mask)
        for form, size in zip(f.forms, f.array.shape, strict=True)
    )


def plain(term: Term, shape: Sequence[AnySize]) -> bool:
    """Does every axis have a bare label of its own, over its whole range?"""
    labels = [form.label for form, size in zip(term.axes, shape, strict=True) if size != 1]
    sizes = [size for size in shape if size != 1]
    if len(set(labels)) < len(labels):
        return False
    return all(label is not None and label.size == size for label, size in zip(labels, sizes, strict=True))
