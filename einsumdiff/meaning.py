"""When two derivatives are the same: equal up to the names of labels, sizes and definitions.

Both are copied into one fresh `Builder`, which makes equal bodies one definition; then their terms are
compared by key. A definition may differ by a factor, and by the order of its axes: up to rank 4, every order
is tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from typing import NamedTuple

from einsumdiff.canonical import Key, body_key, collect, term_key
from einsumdiff.nodes import (
    Array,
    Body,
    Call,
    Constant,
    Definition,
    Entry,
    Extent,
    Factor,
    Form,
    Guard,
    Input,
    Label,
    Mask,
    Number,
    OneHot,
    Operate,
    Product,
    Reduce,
    Sum,
    Term,
    bare,
    constant_form,
    multiply_numbers,
    power_of_number,
    product,
)
from einsumdiff.program import live
from einsumdiff.sizes import AnySize, as_fraction, names, substitute, symbol
from einsumdiff.unfolding import Unfolding, atoms, shifted

MOST_AXES = 4


class Copied(NamedTuple):
    """A copy: `array` with its axes in `order`, times `scale`, is the old one."""

    array: Array
    order: tuple[int, ...] | None = None
    scale: Number = 1


class Copier:
    """Copies arrays: inputs by name, definitions with their bodies, sizes renamed."""

    def __init__(
        self,
        inputs: Mapping[str, Array],
        sizes: Mapping[str, AnySize] | None = None,
        replaced: Mapping[Array, Array] | None = None,
    ) -> None:
        self.inputs, self.sizes = inputs, sizes or {}
        self.arrays: dict[Array, Copied] = {old: Copied(new) for old, new in (replaced or {}).items()}

    def size(self, size: AnySize) -> AnySize:
        return substitute(size, self.sizes) if self.sizes else size

    def definitions(self, roots: Iterable[Array]) -> None:
        """Copy all that the roots need."""
        for definition in live(roots):
            if definition not in self.arrays:
                self.arrays[definition] = self._define(definition)

    def _define(self, definition: Definition) -> Copied:
        shape = tuple(self.size(size) for size in definition.shape)
        return Copied(Definition(definition.name, shape, self.body(definition.body), definition.named))

    def body(self, body: Body) -> Body:
        env: dict[Label, Form] = {}
        match body:
            case Sum(terms):
                return Sum(tuple(self.term(term) for term in terms))
            case Call(function, axes, operands):
                return Call(
                    function,
                    self._labels(axes, env),
                    tuple(self._operand(o, env) if isinstance(o, Entry) else o for o in operands),
                )
            case Reduce(op, axes, bound, entry, guards):
                new_axes, new_bound = self._labels(axes, env), self._labels(bound, env)
                new_guards = tuple(Guard(_signed(self._form(g.form, env), g.op), g.op) for g in guards)
                return Reduce(op, new_axes, new_bound, self._operand(entry, env), new_guards)
            case OneHot(axes, entry):
                return OneHot(self._labels(axes, env), self._operand(entry, env))
            case Operate(operation, axes, entries, bound, parameters, keeps):
                new_axes, new_bound = self._labels(axes, env), self._labels(bound, env)
                read = tuple(self._operand(e, env) for e in entries)
                return Operate(operation, new_axes, read, new_bound, parameters, keeps)

    def term(self, term: Term) -> Term:
        env: dict[Label, Form] = {}
        self._labels(term.labels, env)
        bound = self._labels(term.product.bound, env)
        self._labels([b for b in term.product.labels if b not in env], env)
        coefficient = term.product.coefficient
        factors = []
        for f in term.product.factors:
            factor, scale = self._factor(f, env)
            factors.append(factor)
            coefficient = multiply_numbers(coefficient, scale)
        axes = tuple(self._form(form, env) for form in term.axes)
        return Term(axes, Product(coefficient, tuple(factors), bound))

    def _labels(self, labels: Iterable[Label], env: dict[Label, Form]) -> tuple[Label, ...]:
        new: list[Label] = []
        for label in labels:
            env[label] = bare(Label(self.size(label.size), label.name))
            new += env[label].labels
        return tuple(new)

    def _form(self, form: Form, env: Mapping[Label, Form]) -> Form:
        form = form.substitute(env)
        if not self.sizes:
            return form
        pairs = tuple((label, self.size(c)) for label, c in form.coefficients)
        return Form(pairs, self.size(form.constant))

    def _factor(self, factor: Factor, env: Mapping[Label, Form]) -> tuple[Factor, Number]:
        """The factor, and what it takes out of a definition's scale."""
        match factor:
            case Entry(array, _, power):
                scale = power_of_number(self.array(array).scale, power)
                if scale is None:
                    return self._operand(factor, env), 1
                return self._entry(factor, env), scale
            case Mask(array, forms, holds):
                read = self._entry(Entry(array, forms), env)  # a condition holds at any scale
                return Mask(read.array, read.forms, holds), 1
            case Guard(form, op):
                return Guard(_signed(self._form(form, env), op), op), 1
            case Extent(size, power):
                return Extent(self.size(size), power), 1

    def _entry(self, entry: Entry, env: Mapping[Label, Form]) -> Entry:
        array, order, _ = self.array(entry.array)
        forms = tuple(self._form(form, env) for form in entry.forms)
        return Entry(array, forms if order is None else tuple(forms[k] for k in order), entry.power)

    def _operand(self, entry: Entry, env: Mapping[Label, Form]) -> Entry:
        """The entry with its scale, in a definition of its own where that is not 1."""
        read, scale = self._entry(entry, env), self.array(entry.array).scale
        if scale == 1:
            return read
        shape = read.array.shape
        labels = tuple(Label(size) for size in shape)
        axes = tuple(constant_form(0) if label.size == 1 else bare(label) for label in labels)
        body = Sum((Term(axes, Product(scale, (Entry(read.array, axes),))),))
        return Entry(self._known(body, shape), read.forms, read.power)

    def _known(self, body: Body, shape: tuple[AnySize, ...]) -> Definition:
        return Definition("", shape, body)

    def array(self, array: Array) -> Copied:
        if array not in self.arrays:
            if isinstance(array, Input | Constant):
                return Copied(self.inputs[array.name])
            self.definitions([array])
        return self.arrays[array]


def _magnitude(number: Number) -> float:
    return abs(float(number))


def _scaled(body: Sum, scale: Number) -> Sum:
    """The body divided by the scale."""
    if scale == 1 or scale == 0:
        return body
    inverse = 1 / scale if isinstance(scale, float) else as_fraction(Fraction(1) / scale)
    return Sum(tuple(Term(term.axes, term.product.times(inverse)) for term in body.terms))


class Normaliser(Copier):
    """Copies arrays so that equal ones become one: what `known` holds is shared by those to be compared."""

    def __init__(
        self,
        known: dict[object, Definition],
        inputs: Mapping[str, Array],
        sizes: Mapping[str, AnySize],
    ) -> None:
        super().__init__(inputs, sizes)
        self.known, self.unfolding = known, Unfolding()

    def _define(self, definition: Definition) -> Copied:
        body = self.body(definition.body)
        shape = tuple(self.size(size) for size in definition.shape)
        scale: Number = 1
        if isinstance(body, Sum) and body.terms:
            copied = _copy_of(body, shape)
            if copied is not None:
                return copied
            scale = min((term.product.coefficient for term in body.terms), key=_magnitude)
            body = _scaled(body, scale)
        first: tuple[Key, object] | None = None
        rank = len(shape)
        # the axes of an operation and of an indicator each mean something else, whatever order is tried
        turns = rank <= MOST_AXES and not isinstance(body, Operate | OneHot)
        for sign in (1, -1) if isinstance(body, Sum) else (1,):
            for order in permutations(range(rank)) if turns else [tuple(range(rank))]:
                turned = _turn(_scaled(body, sign) if isinstance(body, Sum) else body, order)
                turned_shape = tuple(shape[k] for k in order)
                key = (body_key(turned, turned_shape), turned_shape)
                first = key if first is None else first
                found = self.known.get(key)
                if found is not None:
                    return _positive(Copied(found, order, multiply_numbers(scale, sign)))
        new = Definition(definition.name, shape, body, definition.named)
        assert first is not None
        self.known[first] = new
        if turns:
            _find_symmetries(new)
        return _positive(Copied(new, None, scale))

    def body(self, body: Body) -> Body:
        return Sum(tuple(self.terms(body.terms))) if isinstance(body, Sum) else super().body(body)

    def terms(self, terms: Iterable[Term]) -> list[Term]:
        """The terms with all that may be unfolded, like ones added."""
        return collect(self.term(one) for term in terms for one in self.unfolding.unfold(term))

    def term(self, term: Term) -> Term:
        axes, one = shifted(super().term(term))
        # built anew, as entries of what is one array now merge
        factors = [part for f in one.factors for part in atoms(f)]
        return Term(axes, product(one.coefficient, factors, one.bound))

    def _known(self, body: Body, shape: tuple[AnySize, ...]) -> Definition:
        key = body_key(body, shape), shape
        if key not in self.known:
            self.known[key] = Definition("", shape, body)
            _find_symmetries(self.known[key])
        return self.known[key]


def _find_symmetries(array: Definition) -> None:
    """Note the orders of the axes in which an array is the same, and those in which it is its negative."""
    body, shape = array.body, array.shape
    if not 1 < len(shape) <= MOST_AXES:
        return
    key = body_key(body, shape)
    opposite = body_key(_scaled(body, -1), shape) if isinstance(body, Sum) else None
    orders = [order for order in permutations(range(len(shape))) if tuple(shape[k] for k in order) == shape]
    turned = {order: body_key(_turn(body, order), shape) for order in orders}
    opposed = tuple(order for order in orders if turned[order] == opposite)
    alike = tuple(order for order in orders if turned[order] == key)
    if len(alike) > 1 or opposed:
        array.alike, array.opposed = alike, opposed


def _positive(copied: Copied) -> Copied:
    """A negative multiple as a positive one, where an order of the axes turns the sign: a[i] - a[j]."""
    array, order, scale = copied
    if scale >= 0 or not array.opposed:
        return copied
    turned = array.opposed[0]
    return Copied(
        array, turned if order is None else tuple(order[k] for k in turned), multiply_numbers(scale, -1)
    )


def _copy_of(body: Sum, shape: tuple[AnySize, ...]) -> Copied | None:
    """The array of which the body is a multiple, perhaps transposed."""
    if len(body.terms) != 1:
        return None
    axes, one = body.terms[0]
    labels = [form.label for form in axes]
    if len(one.factors) != 1 or one.bound or None in labels or len(set(labels)) < len(labels):
        return None
    only = one.factors[0]
    if not isinstance(only, Entry) or only.power != 1 or len(only.forms) != len(axes):
        return None
    read = [form.label for form in only.forms]
    if set(read) != set(labels) or any(
        label is None or label.size != size for label, size in zip(labels, shape, strict=True)
    ):
        return None
    if any(label is None or label.size != size for label, size in zip(read, only.array.shape, strict=True)):
        return None
    return Copied(only.array, tuple(labels.index(label) for label in read), one.coefficient)


def _signed(form: Form, op: str) -> Form:
    """`==` and `!=` hold for a form and its negative alike: the one whose first coefficient is positive."""
    if op == ">=" or not form.coefficients:
        return form
    first = form.coefficients[0][1]
    return -form if isinstance(first, int) and first < 0 else form


def _turn(body: Body, order: Sequence[int]) -> Body:
    """The body with its axes in another order."""
    match body:
        case Sum(terms):
            return Sum(tuple(Term(tuple(term.axes[k] for k in order), term.product) for term in terms))
        case Call(function, axes, operands):
            return Call(function, tuple(axes[k] for k in order), operands)
        case Reduce(op, axes, bound, entry, guards):
            return Reduce(op, tuple(axes[k] for k in order), bound, entry, guards)
        case Operate() | OneHot():
            return body


def same(
    inputs: Sequence[Input], terms: Sequence[Term], others: Sequence[Input], other_terms: Sequence[Term]
) -> bool:
    """Whether two sums of terms are equal, the inputs being matched by name."""
    if len(inputs) != len(others):
        return False
    table = {one.name: one for one in inputs}
    if set(table) != {one.name for one in others}:
        return False
    ranks = {one.name: len(one.shape) for one in others}
    if any(len(one.shape) != ranks[one.name] for one in inputs):
        return False
    order = [table[one.name] for one in others]
    known: dict[object, Definition] = {}
    shared = _Shared()
    keys = []
    for group, these in ((order, terms), (others, other_terms)):
        sizes = rename_sizes(one.shape for one in group)
        copier = Normaliser(known, shared, sizes)
        shapes = {one.name: tuple(copier.size(size) for size in one.shape) for one in group}
        for name, shape in shapes.items():
            shared.setdefault(name, Array(name, shape))
        keys.append((shapes, _keys(copier, these)))
    return keys[0] == keys[1]


class _Shared(dict[str, Array]):
    """One array for each input and named constant."""

    def __missing__(self, name: str) -> Array:
        return self.setdefault(name, Array(name, ()))


def _keys(copier: Normaliser, terms: Sequence[Term]) -> dict[Key, Number]:
    return {term_key(term): term.product.coefficient for term in copier.terms(terms)}


def rename_sizes(shapes: Iterable[Iterable[AnySize]]) -> dict[str, AnySize]:
    """Names by order of appearance, so that it does not matter what sizes are called."""
    found: dict[str, AnySize] = {}
    for shape in shapes:
        for size in shape:
            for name in names(size):
                found.setdefault(name, symbol(f"s{len(found)}"))
    return found
