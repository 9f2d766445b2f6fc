"""The calculus on terms: compose two derivatives, normalise a pattern, fold a sum of terms.

A derivative dz/dy is a list of terms whose axes are those of z followed by those of y; the labels of
the axes are the pattern, the product is the core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from einsumdiff.canonical import collect, colours, form_key
from einsumdiff.centred import vanishes
from einsumdiff.cutting import MOST_FACTORS
from einsumdiff.nodes import (
    Entry,
    Factor,
    Form,
    Guard,
    Label,
    Mask,
    Product,
    Sum,
    Term,
    bare,
    constant_form,
    decide,
    factor_labels,
    multiply_numbers,
    product,
    substitute_factor,
)
from einsumdiff.program import Builder, Value
from einsumdiff.sizes import AnySize, assumed
from einsumdiff.solve import join

MOST_LAZY = 8
"""So many outer products with one pattern stay unmultiplied; more are added into one array."""


def identity(shape: Sequence[AnySize]) -> Term:
    """dy/dy: every axis tied to itself."""
    forms = tuple(constant_form(0) if size == 1 else bare(Label(size)) for size in shape)
    return Term(forms + forms, Product(1))


def compose(outer: Term, split: int, inner: Term, shape: Sequence[AnySize]) -> list[Term]:
    """The chain rule, dz/dy and dy/dx to dz/dx, summed over the axes of y.

    `outer.axes[split:]` and `inner.axes[:len(shape)]` are the axes of y, of that shape. An axis that one
    side bears as a bare label over its whole range is substituted; the others are equations to solve.
    No term is zero; there is never more than one.
    """
    inner = inner.fresh()
    rank = len(shape)
    values: dict[Label, Form] = {}
    equalities = []
    for f, g, size in zip(outer.axes[split:], inner.axes[:rank], shape, strict=True):
        if values:
            f, g = f.substitute(values), g.substitute(values)
        for side, other in ((f, g), (g, f)):
            label = side.label
            if label is not None and label.size == size and label not in other.labels:
                one = {label: other}
                for old, value in values.items():
                    values[old] = value.substitute(one)
                values[label] = other
                break
        else:
            if f != g:
                equalities.append(f - g)
    axes = outer.axes[:split] + inner.axes[rank:]
    factors: Iterable[Factor] = outer.product.factors + inner.product.factors
    if values:
        axes = tuple(form.substitute(values) for form in axes)
        factors = [substitute_factor(f, values) for f in factors]
        equalities = [form.substitute(values) for form in equalities]
    running = (*outer.labels, *outer.product.bound, *inner.labels, *inner.product.bound)
    labels = [label for label in running if label not in values]
    coefficient = multiply_numbers(outer.product.coefficient, inner.product.coefficient)
    return join(axes, coefficient, factors, equalities, labels)


# ----------------------------------------------------------------------------------- normalising patterns


def known_labels(axes: Iterable[Form]) -> set[Label]:
    """The labels that the places of the axes determine, each place once.

    An axis with one unknown label gives it; so do several in mixed radix, each coefficient larger than
    the span of the smaller ones.
    """
    known: set[Label] = set()
    forms = [form for form in axes if form.coefficients]
    found = True
    while found:
        found = False
        for form in forms:
            unknown = [(label, c) for label, c in form.coefficients if label not in known]
            if unknown and (len(unknown) == 1 or _mixed_radix(unknown)):
                known.update(label for label, _ in unknown)
                found = True
    return known


def _mixed_radix(terms: list[tuple[Label, AnySize]]) -> bool:
    if strides(terms) is not None:
        return True
    spans = []
    for label, c in terms:
        if not isinstance(label.size, int) or not isinstance(c, int):
            return False
        spans.append((abs(c), abs(c) * (label.size - 1)))
    covered = 0
    for step, span in sorted(spans):
        if step <= covered:
            return False
        covered += span
    return True


def strides(terms: Sequence[tuple[Label, AnySize]]) -> list[Label] | None:
    """The labels of a form that counts through all of their places, the slowest first: `i*n + j`, j < n."""
    rest, found = list(terms), []
    step: AnySize = 1
    while rest:
        pair = next((p for p in rest if p[1] == step), None)
        if pair is None:
            return None
        rest.remove(pair)
        found.append(pair[0])
        step = step * pair[0].size
    return found[::-1]


def injective(axes: Sequence[Form]) -> bool:
    """Does every assignment of labels write to a place of its own?"""
    return {label for form in axes for label in form.labels} <= known_labels(axes)


def normalise(term: Term, shape: Sequence[AnySize], builder: Builder) -> Term:
    """A pattern that adds several products into one place becomes one that does not.

    (i + k | i + m) core p[i,k,m]   ->   (P | P + d + 1 - K) core q[P,d],  q[i + k, m - k + K - 1] += p

    Without this every composition of convolutions would gain a label. A new form may leave its axis
    at the corners of the band, where q is zero: guards say so.
    """
    if injective(term.axes):
        return term
    known: set[Label] = set()
    replaced: list[tuple[Form, Form]] = []  # (form in the old labels, the same in the new ones)
    axes: list[Form] = []
    inner: list[Form] = []
    guards: list[Guard] = []
    for form, size in zip(term.axes, shape, strict=True):
        unknown = [(label, c) for label, c in form.coefficients if label not in known]
        if len(unknown) <= 1:
            known.update(label for label, _ in unknown)
            axes.append(form)
            continue
        rest = Form(tuple(unknown), 0)
        offset = form - rest
        candidates = [(rest, offset)]
        candidates += [(rest - old, offset + new) for old, new in replaced]
        (rest, offset), low, span = min(
            ((c, *_range(c[0])) for c in candidates), key=lambda item: assumed(item[2], {})
        )
        if not rest.coefficients:
            axes.append(offset.plus(rest.constant))
            continue
        label = Label(span)
        replaced.append(
            (Form(tuple(unknown), 0), bare(label).plus(low) + (offset - (form - Form(tuple(unknown), 0))))
        )
        inner.append(rest.plus(-low))
        outside = bare(label).plus(low) + offset
        axes.append(outside)
        for side in (outside, outside.times(-1).plus(size - 1)):
            if decide(side, ">=") is not True:
                guards.append(Guard(side, ">="))
    kept = [label for label in term.labels if label in known and any(label in a.labels for a in axes)]
    forms = (*(bare(label) for label in kept), *inner)
    labels = [*kept, *(a for a in dict.fromkeys(n for f in axes for n in f.labels) if a not in known)]
    array = builder.define_body(Sum((Term(forms, term.product).fresh(),)), tuple(n.size for n in labels))
    core = product(1, [Entry(array, tuple(bare(label) for label in labels)), *guards])
    return Term(tuple(axes), core)


def _range(form: Form) -> tuple[AnySize, AnySize]:
    bounds = form.bounds()
    assert bounds is not None, f"the sign of a coefficient of {form} is not known"
    low, high = bounds
    return low, high - low + 1


# ------------------------------------------------------------------------------------------------ folding


def simplified(term: Term, builder: Builder) -> list[Term]:
    """The term with the identities for products applied to its core; none where that is sure to be 0."""
    if vanishes(term.product):
        return []
    core = builder.rewritten(Value((), (term.product,)))
    return [Term(term.axes, one) for one in core.products]


def fold(terms: Iterable[Term], shape: Sequence[AnySize], builder: Builder, consumers: int) -> list[Term]:
    """The same sum with one term a pattern, ready to be composed with `consumers` others.

    Products with one pattern add up in one definition over the labels of the core, so a sum of paths is
    never multiplied out. Outer products, larger than what they are made of, stay unmultiplied.
    """
    terms = list(terms)
    if len(terms) == 1 and _single(terms[0]):
        return terms
    simple = [s for t in terms for s in simplified(t, builder)]
    folded = []
    for group in _by_pattern(collect([normalise(t, shape, builder) for t in simple])):
        lazy = [t for t in group if _outer(t.product)]
        if len(lazy) > MOST_LAZY:
            lazy = []
        solid = [t for t in group if t not in lazy]
        folded += [Term(t.axes, contracted(t.product, builder)) for t in lazy]
        if len(solid) > 1 or (solid and _worth_a_name(solid[0].product, consumers)):
            folded.append(_in_bounds(_added(solid, builder), shape))
        else:
            folded += solid
    return folded


def _single(term: Term) -> bool:
    """Is the core one entry, or nothing but a number, in a pattern that adds nothing up?"""
    one = term.product
    if one.bound or len(one.factors) > 1 or one.coefficient == 0:
        return False
    plain = all(isinstance(f, Entry) and f.power == 1 for f in one.factors)
    return plain and injective(term.axes)


def _by_pattern(terms: Sequence[Term]) -> list[Sequence[Term]]:
    """Terms with one pattern together."""
    if len(terms) == 1:
        return [terms]
    groups: dict[object, list[Term]] = {}
    for term in terms:
        colour = colours(term.axes, Product(1))
        sizes = tuple(label.size for label in colour)
        groups.setdefault((tuple(form_key(f, colour) for f in term.axes), sizes), []).append(term)
    return list(groups.values())


def _worth_a_name(one: Product, consumers: int) -> bool:
    size = len(one.entries)
    return size > MOST_FACTORS or (consumers > 1 and (size > 1 or bool(one.bound)))


def _added(group: list[Term], builder: Builder) -> Term:
    """One term whose core is a definition: the sum of the group's products."""
    first = group[0]
    order = tuple(colours(first.axes, Product(1)))
    terms = []
    for term in group:
        own = colours(term.axes, Product(1))
        values = {old: bare(new) for old, new in zip(own, order, strict=True)}
        terms.append(term.product if term is first else term.product.substitute(values))
    masks = _common_masks(terms)
    borne = {label for p in terms for f in p.factors if f not in masks for label in factor_labels(f)}
    labels = tuple(label for label in order if label in borne)
    axes = tuple(bare(label) for label in labels)
    body = []
    for p in terms:
        factors = [f for f in p.factors if f not in masks]
        body.append(Term(axes, product(p.coefficient, factors, p.bound)).fresh())
    array = builder.define_body(Sum(tuple(collect(body))), tuple(label.size for label in labels))
    return Term(first.axes, product(1, [*masks, Entry(array, axes)]))


def _in_bounds(term: Term, shape: Sequence[AnySize]) -> Term:
    """The term with guards for the axes that it may leave: its own are in the definition now."""
    guards = [
        Guard(side, ">=")
        for form, size in zip(term.axes, shape, strict=True)
        if not form.within(size)
        for side in (form, form.times(-1).plus(size - 1))
    ]
    one = term.product
    return Term(term.axes, product(one.coefficient, [*guards, *one.factors], one.bound)) if guards else term


def _common_masks(products: list[Product]) -> list[Factor]:
    """Masks and guards over free labels that all products have: they stay outside the definition."""
    common: list[Factor] = []
    for factor in products[0].factors:
        free = not set(factor_labels(factor)) & set(products[0].bound)
        shared = isinstance(factor, Guard | Mask) and all(factor in p.factors for p in products[1:])
        if free and shared and not any(_protects(factor, p.factors) for p in products):
            common.append(factor)
    return common


def _protects(condition: Factor, factors: Iterable[Factor]) -> bool:
    """May it be what keeps an access among the factors in bounds? One of sizes alone may be for any."""
    if not isinstance(condition, Guard):
        return False
    labels = set(condition.form.labels)
    for f in factors:
        if isinstance(f, Entry | Mask):
            for form, size in zip(f.forms, f.array.shape, strict=True):
                if (not labels or labels & set(form.labels)) and not form.within(size):
                    return True
    return False


def _components(one: Product) -> list[list[Factor]]:
    """The factors, grouped by the bound labels that join them."""
    groups: list[tuple[set[Label], list[Factor]]] = []
    bound = set(one.bound)
    for factor in one.factors:
        labels = set(factor_labels(factor)) & bound
        joined = [g for g in groups if g[0] & labels]
        for g in joined:
            groups.remove(g)
        groups.append((labels.union(*(g[0] for g in joined)), [*(f for g in joined for f in g[1]), factor]))
    return [factors for _, factors in groups]


def _outer(one: Product) -> bool:
    """Is the product larger than the sum of its parts and than twice the largest of them?"""
    return larger(free_parts(one), _volume)


def free_parts(one: Product) -> list[frozenset[Label]]:
    """What its components are arrays over, those that are numbers left out."""
    bound = set(one.bound)
    parts = (frozenset(n for f in part for n in factor_labels(f)) - bound for part in _components(one))
    return [part for part in parts if part]


def larger(parts: Sequence[frozenset[Label]], volume: Callable[[frozenset[Label]], float]) -> bool:
    """Is their outer product larger than all of them and than twice the largest of them?"""
    if len(parts) < 2:
        return False
    sizes = [volume(part) for part in parts]
    joint = volume(frozenset().union(*parts))
    return joint > sum(sizes) and joint > 2 * max(sizes)


def _volume(labels: Iterable[Label]) -> float:
    volume = 1.0
    for label in labels:
        volume *= assumed(label.size, {})
    return volume


def contracted(one: Product, builder: Builder) -> Product:
    """Every component that sums something becomes a definition of its own."""
    if not one.bound:
        return one
    bound = set(one.bound)
    factors: list[Factor] = []
    guards = [f for f in one.factors if isinstance(f, Guard)]
    for group in _components(one):
        group += [g for g in guards if g not in group and _protects(g, group)]
        borne = dict.fromkeys(n for f in group for n in factor_labels(f))
        inner = [label for label in borne if label in bound]
        if not inner:
            factors += group
            continue
        labels = [label for label in borne if label not in bound]
        axes = tuple(bare(label) for label in labels)
        body = Sum((Term(axes, product(1, group, inner)).fresh(),))
        array = builder.define_body(body, tuple(label.size for label in labels))
        factors.append(Entry(array, axes))
    return product(one.coefficient, factors)
