"""Keys that are equal for terms and bodies that are equal up to the names of labels.

Labels of the axes are numbered by first occurrence, bound ones by colour refinement over (factor,
position), as in graph canonisation; of a class that stays tied one is singled out. Tied labels are
nearly always interchangeable; where they are not, two equal terms may keep different keys: a merge is
missed, never a false one made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from einsumdiff.nodes import (
    Body,
    Call,
    Entry,
    Extent,
    Factor,
    Form,
    Guard,
    Label,
    Mask,
    Number,
    OneHot,
    Operate,
    Product,
    Reduce,
    Sum,
    Term,
    add_numbers,
    factor_labels,
)
from einsumdiff.sizes import AnySize

Key = tuple[Any, ...]
Axis = TypeVar("Axis", Form, Label)
Colours = Mapping[Label, int]


def form_key(form: Form, colour: Colours) -> Key:
    """Kinds of forms are apart, so that keys of one kind compare with `<`."""
    terms = form.coefficients
    if not terms:
        return (1, form.constant) if isinstance(form.constant, int) else (2, str(form.constant))
    if len(terms) == 1 and form.constant == 0 and terms[0][1] == 1:
        return (0, colour[terms[0][0]])
    return (3, tuple(sorted((colour[label], str(c)) for label, c in terms)), str(form.constant))


def factor_key(factor: Factor, colour: Colours) -> Key:
    match factor:
        case Entry(array, forms, power):
            keys = [form_key(form, colour) for form in forms]
            if array.symmetric:
                keys[-2:] = sorted(keys[-2:])
            if array.alike:
                return (0, array.serial, _least(_orders(factor), keys), power)
            return (0, array.serial, tuple(keys), power)
        case Guard(form, op):
            return (1, op, form_key(form, colour))
        case Mask(array, forms, holds):
            keys = [form_key(form, colour) for form in forms]
            return (2, array.serial, _least(array.alike, keys) if array.alike else tuple(keys), holds)
        case Extent(size, power):
            return (3, str(size), power)


def _orders(factor: Entry | Mask) -> tuple[tuple[int, ...], ...]:
    """The orders of the axes in which the factor is the same, for an array of which they are known."""
    even = isinstance(factor, Entry) and factor.power % 2 == 0
    return factor.array.alike + factor.array.opposed if even else factor.array.alike


def _least(orders: Sequence[Sequence[int]], keys: Sequence[Key]) -> Key:
    """Of the orders of the axes the one whose keys are least."""
    return min(tuple([keys[k] for k in order]) for order in orders)


def _places(factor: Factor, label: Label) -> Key:
    """Where a factor bears a label: (axis, coefficient) pairs.

    The last two axes of a symmetric array count as one; of orders that are alike it is the least.
    """
    match factor:
        case Entry(array, forms, _) | Mask(array, forms, _) if array.alike:
            held = [
                (k, str(c)) for k, form in enumerate(forms) for one, c in form.coefficients if one is label
            ]
            return min(tuple(sorted((order.index(k), c) for k, c in held)) for order in _orders(factor))
        case Entry(array, forms, _) if array.symmetric:
            last = len(forms) - 2
            pairs = (
                (min(k, last), str(c))
                for k, f in enumerate(forms)
                for one, c in f.coefficients
                if one is label
            )
            return tuple(sorted(pairs))
        case Entry(_, forms, _) | Mask(_, forms, _):
            return tuple(
                (k, str(c)) for k, form in enumerate(forms) for one, c in form.coefficients if one is label
            )
        case Guard(form, _):
            return tuple((0, str(c)) for one, c in form.coefficients if one is label)
        case Extent():
            return ()


def colours(axes: Sequence[Form], product: Product) -> dict[Label, int]:
    """A number for every label: those of the axes by first occurrence, the bound ones after them.

    Of several in one form those come first that have an axis to themselves, then by their coefficients.
    """
    colour: dict[Label, int] = {}
    alone = {form.label for form in axes}
    for form in axes:
        labels = form.labels
        if len(labels) > 1:
            pairs = sorted(form.coefficients, key=lambda p: (p[0] not in alone, str(p[1]), str(p[0].size)))
            own = [label for label, _ in pairs if label in alone]
            own.sort(key=lambda label: next(k for k, f in enumerate(axes) if f.label is label))
            labels = (*own, *(label for label, _ in pairs if label not in alone))
        for label in labels:
            colour.setdefault(label, len(colour))
    if product.bound:
        _refine(colour, product)
    return colour


def _refine(colour: dict[Label, int], product: Product) -> None:
    bound, first = list(product.bound), len(colour)
    if len(bound) == 1:
        colour[bound[0]] = first
        return
    bearers: dict[Label, list[Factor]] = {label: [] for label in bound}
    for f in product.factors:
        for label in dict.fromkeys(factor_labels(f)):
            if label in bearers:
                bearers[label].append(f)
    _rank(colour, bound, first, {label: (str(label.size),) for label in bound})
    while True:
        count = 0
        while len(classes := {colour[label] for label in bound}) != count:
            count = len(classes)
            if count == len(bound):
                return
            keys = {id(f): factor_key(f, colour) for f in product.factors}
            signatures: dict[Label, Key] = {
                label: (
                    colour[label],
                    tuple(sorted((keys[id(f)], _places(f, label)) for f in bearers[label])),
                )
                for label in bound
            }
            _rank(colour, bound, first, signatures)
        seen: dict[int, Label] = {}
        tied = sorted({colour[b] for b in bound if seen.setdefault(colour[b], b) is not b})
        chosen = seen[tied[0]]
        _rank(colour, bound, first, {b: (colour[b], b is not chosen) for b in bound})


def _rank(colour: dict[Label, int], bound: list[Label], first: int, key: Mapping[Label, Key]) -> None:
    order = {k: first + n for n, k in enumerate(sorted(set(key.values())))}
    for label in bound:
        colour[label] = order[key[label]]


def term_key(term: Term) -> Key:
    """Equal for terms that are equal up to labels and coefficient."""
    axes, product = term
    colour = colours(axes, product)
    factors = [factor_key(f, colour) for f in product.factors]
    if len(factors) > 1:
        factors.sort()
    sizes = tuple(label.size for label in sorted(colour, key=colour.__getitem__))
    return tuple([form_key(form, colour) for form in axes]), sizes, tuple(factors)


def collect(terms: Iterable[Term]) -> list[Term]:
    """The terms with like ones added, in order of first appearance; zeros are gone."""
    terms = list(terms)
    if len(terms) < 2:
        return [t for t in terms if not _zero(t.product.coefficient)]
    merged: dict[Key, Term] = {}
    for term in terms:
        key = term_key(term)
        old = merged.get(key)
        if old is None:
            merged[key] = term
        else:
            c = add_numbers(old.product.coefficient, term.product.coefficient)
            merged[key] = Term(old.axes, Product(c, old.product.factors, old.product.bound))
    return [t for t in merged.values() if not _zero(t.product.coefficient)]


def _zero(coefficient: Number) -> bool:
    return coefficient == 0 and not isinstance(coefficient, float)


def body_key(body: Body, shape: tuple[AnySize, ...]) -> Key:
    """Equal for bodies that define equal arrays."""
    if isinstance(body, Sum):
        return ("sum", shape, frozenset((term_key(t), t.product.coefficient) for t in body.terms))
    colour = {label: k for k, label in enumerate(body.axes)}
    match body:
        case Call(function, _, operands):
            parts = tuple(
                factor_key(o, colour) if isinstance(o, Entry) else ("number", type(o).__name__, o)
                for o in operands
            )
            return ("call", function, shape, parts)
        case Reduce(op, _, bound, entry, guards):
            _number_bound(colour, bound, (entry, *guards))
            sizes = tuple(label.size for label in colour)
            guarded = tuple(sorted(factor_key(g, colour) for g in guards))
            return ("reduce", op, sizes, len(body.axes), factor_key(entry, colour), guarded)
        case OneHot(_, entry):
            sizes = tuple(label.size for label in colour)
            return ("one hot", sizes, factor_key(entry, colour))
        case Operate(operation, _, operated, bound, parameters, _):
            _number_bound(colour, bound, operated)
            sizes = tuple(label.size for label in colour)
            entries = tuple(factor_key(e, colour) for e in operated)
            return ("operate", operation, sizes, len(body.axes), entries, parameters)


def is_symmetric(body: Body, shape: tuple[AnySize, ...]) -> bool:
    """Whether the array of that body is found to be symmetric in its last two axes."""
    if len(shape) < 2 or shape[-1] != shape[-2]:
        return False
    match body:
        case Sum(terms):
            turned: Body = Sum(tuple(Term(_turned(term.axes), term.product) for term in terms))
        case Call(function, axes, operands):
            turned = Call(function, _turned(axes), operands)
        case Reduce(op, axes, bound, entry, guards):
            turned = Reduce(op, _turned(axes), bound, entry, guards)
        case Operate(operands=operands, keeps_symmetry=keeps):
            return keeps and operands[0].array.symmetric
        case OneHot():
            return False
    return body_key(turned, shape) == body_key(body, shape)


def _turned(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    *first, a, b = axes
    return (*first, b, a)


def _number_bound(colour: dict[Label, int], bound: Sequence[Label], factors: Iterable[Factor]) -> None:
    for factor in factors:
        for label in factor_labels(factor):
            colour.setdefault(label, len(colour))
    for label in bound:
        colour.setdefault(label, len(colour))
