"""Patterns matched against products: what the letters of the left side of an identity stand for.

A pattern sees through definitions, so an expression that is spread over several statements is found as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import permutations
from typing import TypeGuard

from einsumdiff.canonical import term_key
from einsumdiff.language import tree
from einsumdiff.language.rows import Operation
from einsumdiff.language.table import load_table
from einsumdiff.nodes import (
    Array,
    Call,
    Definition,
    Entry,
    Extent,
    Factor,
    Form,
    Label,
    Operand,
    Operate,
    Product,
    Sum,
    Term,
    bare,
    multiply,
    product,
)
from einsumdiff.program import Value, number

Products = tuple[Product, ...]


@dataclass(slots=True)
class Match:
    """What the letters of a pattern stand for. A variable under `sum[k]` has the labels of k open.

    `arrays` are those that an operation is of, each with the places along its leading axes; `places` are
    of the letters in the brackets of an operation, `adjugate(A)[i, j]`.
    """

    variables: dict[str, Products] = field(default_factory=dict)
    letters: dict[str, tuple[Label, ...]] = field(default_factory=dict)
    arrays: dict[str, tuple[Array, tuple[Form, ...]]] = field(default_factory=dict)
    places: dict[str, Form] = field(default_factory=dict)

    def copy(self) -> Match:
        return Match(dict(self.variables), dict(self.letters), dict(self.arrays), dict(self.places))


def match(pattern: tree.Tree, products: Products, found: Match) -> Match | None:
    match pattern:
        case tree.Name(name=name):
            return _bind(name, products, found)
        case tree.Subscript(base=tree.Name(name=name)):
            return _bind(name, products, found)
        case tree.Subscript(base=tree.Apply() as call, items=items):
            return _match_operation(call, items, products, found)
        case tree.Apply() if is_operation(pattern):
            return _match_operation(pattern, (), products, found)
        case tree.Number(value=value):
            constant = Value((), products).number
            return found if constant is not None and constant == value else None
        case tree.Unary(op="-", operand=operand):
            return match(operand, tuple(p.times(-1) for p in _plain(products)), found)
        case tree.Apply():
            entry = _single(products)
            if entry is None or not seen_through(entry.array):
                return None
            body = entry.array.body
            if not isinstance(body, Call) or body.function != pattern.function:
                return None
            values = dict(zip(body.axes, entry.forms, strict=True))
            operands = tuple(
                Entry(o.array, tuple(f.substitute(values) for f in o.forms)) if isinstance(o, Entry) else o
                for o in body.operands
            )
            return match_operands(pattern, operands, found)
        case tree.Over(op="sum", letters=(letter,), body=inner):
            return _match_sum(letter.name, inner, products, found)
        case tree.Binary(op="+" | "-"):
            return _match_terms(list(_terms(pattern, 1)), products, found)
        case tree.Binary(op="*", left=tree.Name(name=name), right=inner):
            return _match_scaled(name, inner, products, found)
    raise AssertionError(f"no pattern of this kind: {pattern.span.source}")


def _bind(name: str, products: Products, found: Match) -> Match | None:
    old = found.variables.get(name)
    if old is None:
        found.variables[name] = _plain(products)
        return found
    return found if _same(old, _plain(products)) else None


def _same(a: Products, b: Products) -> bool:
    labels = tuple(dict.fromkeys(label for p in (*a, *b) for label in p.free))
    axes = tuple(bare(label) for label in labels)
    keys = [{(term_key(Term(axes, p)), p.coefficient) for p in products} for products in (a, b)]
    return keys[0] == keys[1]


def match_operands(pattern: tree.Apply, operands: tuple[Operand, ...], found: Match) -> Match | None:
    for argument, operand in zip(pattern.args, operands, strict=False):
        part = (Product(1, (operand,)),) if isinstance(operand, Entry) else number(operand).products
        matched = match(argument, part, found)
        if matched is None:
            return None
        found = matched
    return found


def _match_operation(
    call: tree.Apply, items: tuple[tree.Tree, ...], products: Products, found: Match
) -> Match | None:
    """`det(A)`, `adjugate(A)[i, j]`: an entry of an operation of one array, whatever leads its axes."""
    entry = _single(products)
    if entry is None or not seen_through(entry.array) or not isinstance(entry.array.body, Operate):
        return None
    body = entry.array.body
    if body.operation != call.function or len(body.operands) != 1:
        return None
    (name,) = (argument.name for argument in call.args if isinstance(argument, tree.Name))
    lead = len(entry.forms) - len(items)
    of = body.operands[0].array, entry.forms[:lead]
    if found.arrays.setdefault(name, of) != of:
        return None
    for item, form in zip(items, entry.forms[lead:], strict=True):
        assert isinstance(item, tree.Name)
        if found.places.setdefault(item.name, form) != form:
            return None
    return found


def is_operation(pattern: tree.Tree) -> bool:
    return isinstance(pattern, tree.Apply) and isinstance(load_table().get(pattern.function), Operation)


def _match_sum(letter: str, inner: tree.Tree, products: Products, found: Match) -> Match | None:
    entry = _single(products)
    unfolded = _unfold(entry) if entry is not None else products
    if unfolded is None or len(unfolded) != 1 or not unfolded[0].bound:
        return None
    one = unfolded[0]
    found.letters[letter] = one.bound
    return match(inner, (Product(one.coefficient, one.factors),), found)


def _match_scaled(name: str, inner: tree.Tree, products: Products, found: Match) -> Match | None:
    """`c*...`: c is what is known to be positive, a number and sizes, `2/n`; it is not 1.

    A sum may hold it in every term, `2*exp(x) + 2*exp(y)`, and a definition may hold more of it.
    """
    scale = Product(1)
    inside: Products | None = products
    while inside:
        first, products = inside[0], inside
        if not first.coefficient > 0 or any(p.coefficient != first.coefficient for p in products):
            return None
        sizes = tuple(
            f for f in first.factors if isinstance(f, Extent) and all(f in p.factors for p in products)
        )
        scale = multiply(scale, Product(first.coefficient, sizes))
        products = tuple(Product(1, tuple(f for f in p.factors if f not in sizes), p.bound) for p in products)
        entry = _single(products)
        inside = _unfold(entry) if entry is not None else None
    if scale == Product(1):
        return None
    found.variables[name] = (scale,)
    return match(inner, products, found)


def _match_terms(parts: list[tuple[tree.Tree, int]], products: Products, found: Match) -> Match | None:
    entry = _single(products)
    if entry is not None:
        products = _unfold(entry) or products
    if len(products) != len(parts):
        return None
    for order in permutations(products):
        trial: Match | None = found.copy()
        for (part, sign), one in zip(parts, order, strict=True):
            if trial is not None:
                trial = match(part, (one.times(sign),), trial)
        if trial is not None:
            return trial
    return None


def _terms(pattern: tree.Tree, sign: int) -> Iterator[tuple[tree.Tree, int]]:
    match pattern:
        case tree.Binary(op="+" | "-" as op, left=left, right=right):
            yield from _terms(left, sign)
            yield from _terms(right, sign if op == "+" else -sign)
        case _:
            yield pattern, sign


def match_quotient(pattern: tree.Tree, one: Product) -> Iterator[tuple[Match, Product, int]]:
    """Matches of `above/below` with factors of a product: what matched, what is left (whose bound labels
    are open), the power.

    `1/below` also matches `below**-2`, as the square of the identity.
    """
    assert isinstance(pattern, tree.Binary)
    above, below = pattern.left, pattern.right
    for factor in one.factors:
        if not isinstance(factor, Entry) or factor.power >= 0 or isinstance(factor.power, Fraction):
            continue
        matched = match(below, (Product(1, (Entry(factor.array, factor.forms),)),), Match())
        if matched is None:
            continue
        others = tuple(f for f in one.factors if f is not factor)
        if isinstance(above, tree.Number) and above.value == 1:
            yield matched, product(one.coefficient, others), int(-factor.power)
            continue
        left = factor.power + 1
        for numerator in others:
            trial = _match_numerator(above, numerator, matched)
            if trial is not None:
                rest: tuple[Factor, ...] = tuple(f for f in others if f is not numerator)
                rest += (Entry(factor.array, factor.forms, left),) if left else ()
                yield trial, product(one.coefficient, rest), 1


def _match_numerator(above: tree.Tree, factor: Factor, below: Match) -> Match | None:
    """Match the numerator, whose variables the denominator has bound; an index i of it is free.

    `exp(x[i])` over `sum[k](exp(x[k]))`: with the labels of k given the values that they have here,
    both must be the same.
    """
    if not isinstance(factor, Entry) or factor.power != 1:
        return None
    if below.arrays:
        return match(above, (Product(1, (factor,)),), below.copy())
    trial = match(above, (Product(1, (factor,)),), Match())
    if trial is None:
        return None
    result = below.copy()
    indexed = {part.base.name: part.items for part in _subscripts(above) if isinstance(part.base, tree.Name)}
    for name, here in trial.variables.items():
        there = below.variables.get(name)
        if there is None:
            return None
        bound = [label for letter in below.letters.values() for label in letter]
        values = _unify(there, here, bound)
        if values is None or not _same(tuple(p.substitute(values) for p in there), here):
            return None
        for item in indexed.get(name, ()):
            assert isinstance(item, tree.Name)
            result.variables[f"{name}[{item.name}]"] = here
    return result


def _subscripts(pattern: tree.Tree) -> Iterator[tree.Subscript]:
    match pattern:
        case tree.Subscript():
            yield pattern
        case tree.Apply():
            for argument in pattern.args:
                yield from _subscripts(argument)
        case tree.Unary():
            yield from _subscripts(pattern.operand)
        case _:
            return


def _unify(there: Products, here: Products, labels: list[Label]) -> dict[Label, Form] | None:
    """Forms for the labels that make `there` into `here`, read off the first entries that agree."""
    if len(there) != len(here):
        return None
    values: dict[Label, Form] = {}
    for p, q in zip(there, here, strict=True):
        for e, f in zip(p.factors, q.factors, strict=False):
            if isinstance(e, Entry) and isinstance(f, Entry) and e.array is f.array:
                for old, new in zip(e.forms, f.forms, strict=True):
                    if old.label in labels and old.label is not None:
                        values.setdefault(old.label, new)
    return values if len(values) == len(labels) else None


def _single(products: Products) -> Entry | None:
    """The entry that the products are, if they are no more than one."""
    if len(products) != 1:
        return None
    one = products[0]
    if one.coefficient != 1 or len(one.factors) != 1 or one.bound:
        return None
    only = one.factors[0]
    return only if isinstance(only, Entry) and only.power == 1 else None


def _plain(products: Products) -> Products:
    """The products with a definition that is but a multiple of something seen through."""
    if len(products) == 1 and len(products[0].factors) == 1 and not products[0].bound:
        only = products[0].factors[0]
        inner = _unfold(only) if isinstance(only, Entry) else None
        if inner is not None and len(inner) == 1 and len(inner[0].factors) == 1 and not inner[0].bound:
            return (inner[0].times(products[0].coefficient),)
    return products


def _unfold(entry: Entry) -> Products | None:
    """The products that a plain entry of a sum stands for, over the labels of its forms."""
    array = entry.array
    if entry.power != 1 or not seen_through(array) or not isinstance(array.body, Sum):
        return None
    products = []
    for term in array.body.terms:
        values = {}
        for axis, form in zip(term.axes, entry.forms, strict=True):
            label = axis.label
            if label is None and axis == form:
                continue
            if label is None or label in values:
                return None
            values[label] = form
        products.append(term.product.substitute(values))
    return tuple(products)


def seen_through(array: Array) -> TypeGuard[Definition]:
    """A definition that is a wrt is an input to whoever reads it."""
    return isinstance(array, Definition) and not array.opaque
