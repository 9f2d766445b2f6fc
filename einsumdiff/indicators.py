"""Conditions on indices that were written as deltas, back in the form of guards.

    where(delta[i,j], 0, x)           ->  [i - j != 0] * x
    prod[j](where(delta[i,j], 1, x))  ->  prod[j] of x where i != j

This is how such conditions are printed; reading goes the other way. Sound because a delta is 1 exactly
where its two sides agree, and 1 is what a product ignores.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from einsumdiff.meaning import Copied, Copier
from einsumdiff.nodes import (
    Body,
    Definition,
    Entry,
    Factor,
    Form,
    Guard,
    Label,
    Mask,
    Product,
    Reduce,
    Sum,
    Term,
    bare,
    product,
)
from einsumdiff.sizes import AnySize
from einsumdiff.solve import solve


class Guarded(Copier):
    """Copies a program with conditions on indices as guards."""

    def _define(self, definition: Definition) -> Copied:
        body = definition.body
        while isinstance(body, Reduce) and body.op == "prod":
            rewritten = _guarded_product(body)
            if rewritten is None:
                break
            body = rewritten
        if body is not definition.body:
            definition = Definition(definition.name, definition.shape, body, definition.named)
        return super()._define(definition)

    def body(self, body: Body) -> Body:
        if isinstance(body, Sum):
            return Sum(tuple(new for term in body.terms for new in self.terms(term)))
        return super().body(body)

    def terms(self, term: Term) -> list[Term]:
        """The term with its masks over deltas as guards."""
        factors: list[Factor] = []
        changed = False
        for f in term.product.factors:
            guard = _guard(f, f.forms) if isinstance(f, Mask) else None
            if guard is not None:
                factors.append(guard)
                changed = True
            else:
                factors.append(f)
        if not changed:
            return [self.term(term)]
        new = Term(term.axes, product(term.product.coefficient, factors, term.product.bound))
        return [self.term(one) for one in solve(new)]


def _equality(array: object, forms: Sequence[Form]) -> Form | None:
    """The form that is 0 where a definition that is just one delta is 1."""
    if not isinstance(array, Definition) or not isinstance(array.body, Sum) or len(array.body.terms) != 1:
        return None
    axes, one = array.body.terms[0]
    if one.factors or one.coefficient != 1:
        return None
    values: dict[Label, Form] = {}
    rest: list[tuple[Form, Form]] = []
    for axis, form, size in zip(axes, forms, array.shape, strict=True):
        label = axis.label
        if label is not None and label not in values and label.size == size:
            values[label] = form
        elif axis.coefficients or size != 1:
            rest.append((axis, form))
    if len(rest) != 1 or any(label not in values for label in rest[0][0].labels):
        return None
    return rest[0][0].substitute(values) - rest[0][1]


def _guarded_product(body: Reduce) -> Reduce | None:
    """`prod(where(delta, 1, x))` as a product with a guard; several conditions nest."""
    inner = body.entry.array
    if not isinstance(inner, Definition) or not isinstance(inner.body, Sum) or body.entry.power != 1:
        return None
    if not all(_spans(term.axes, inner.shape) for term in inner.body.terms):
        return None
    axes = [form.labels[0] for form in inner.body.terms[0].axes]
    access = dict(zip(axes, body.entry.forms, strict=True))
    kept: list[Term] = []
    conditions: dict[Mask, None] = {}
    ones: list[list[Mask]] = []
    for term in inner.body.terms:
        new = {form.labels[0]: bare(axis) for form, axis in zip(term.axes, axes, strict=True)}
        rest = tuple(f for f in term.product.factors if not isinstance(f, Mask))
        masks = [
            Mask(f.array, tuple(form.substitute(new) for form in f.forms), f.holds)
            for f in term.product.factors
            if isinstance(f, Mask)
        ]
        if not rest and term.product.coefficient == 1 and masks:
            ones.append(masks)
        else:
            kept.append(Term(term.axes, Product(term.product.coefficient, rest, term.product.bound)))
            if conditions and set(conditions) != set(masks):
                return None
            conditions = dict.fromkeys(masks)
    # The first condition fails; or it holds and the second one fails; and so on.
    if not kept or not conditions or sorted(map(len, ones)) != list(range(1, len(conditions) + 1)):
        return None
    if any(sum(m not in conditions for m in masks) != 1 or not _among(masks, conditions) for masks in ones):
        return None
    guards = list(body.guards)
    for mask in conditions:
        guard = _guard(mask, [f.substitute(access) for f in mask.forms])
        if guard is None:
            return None
        guards.append(guard)
    return Reduce(body.op, body.axes, body.bound, _entry(kept, access, axes), tuple(guards))


def _spans(axes: Sequence[Form], shape: Sequence[AnySize]) -> bool:
    """Whether a term writes every place of an array of that shape: it is no diagonal and no part of it."""
    labels = [form.label for form in axes]
    return len(set(labels)) == len(labels) and all(
        label is not None and label.size == size for label, size in zip(labels, shape, strict=True)
    )


def _guard(mask: Mask, forms: Sequence[Form]) -> Guard | None:
    """The condition of a mask, if it is one on indices."""
    form = _equality(mask.array, forms)
    if form is not None:
        return Guard(form, "==" if mask.holds else "!=")
    form = _order(mask.array, forms)
    if form is not None:
        return Guard(form if mask.holds else form.times(-1).plus(-1), ">=")
    return None


def _order(array: object, forms: Sequence[Form]) -> Form | None:
    """The form that is 0 or more where a definition that is just this indicator is 1."""
    if not isinstance(array, Definition) or not isinstance(array.body, Sum) or len(array.body.terms) != 1:
        return None
    axes, one = array.body.terms[0]
    labels = [axis.label for axis in axes]
    if None in labels or len(set(labels)) < len(labels) or one.coefficient != 1 or len(one.factors) != 1:
        return None
    (only,) = one.factors
    if not isinstance(only, Guard) or only.op != ">=" or one.bound:
        return None
    return only.form.substitute({axis.labels[0]: form for axis, form in zip(axes, forms, strict=True)})


def _among(masks: Sequence[Mask], conditions: Container[Mask]) -> bool:
    """Whether each is one of the conditions, or its opposite."""
    return all(
        Mask(mask.array, mask.forms, holds) in conditions or mask in conditions
        for mask in masks
        for holds in (not mask.holds,)
    )


def _entry(terms: Sequence[Term], access: dict[Label, Form], axes: Sequence[Label]) -> Entry:
    """The sum of the terms as one entry: what it is of, where it is one, else a new definition."""
    if len(terms) == 1:
        one = terms[0].product
        here = {form.labels[0]: access[axis] for form, axis in zip(terms[0].axes, axes, strict=True)}
        if len(one.factors) == 1 and not one.bound and one.coefficient == 1:
            only = one.factors[0]
            if isinstance(only, Entry) and only.power == 1:
                return Entry(only.array, tuple(form.substitute(here) for form in only.forms))
    borne: dict[int, None] = {}  # in order of appearance, as a sum in brackets has its axes
    for t in terms:
        places = {form.labels[0]: k for k, form in enumerate(t.axes)}
        borne.update((places[label], None) for label in t.product.labels if label in places)
    shape = tuple(axes[k].size for k in borne)
    body = Sum(tuple(Term(tuple(t.axes[k] for k in borne), t.product) for t in terms))
    return Entry(Definition("", shape, body), tuple(access[axes[k]] for k in borne))
