"""Expressions as values in index form: the last step, when all sizes are known.

One function serves programs and rules: `value`. In indexed notation a value has rank 0 and its letters are
open labels; in whole-array notation it has axes and broadcasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from einsumdiff.indexing.cases import rules_of
from einsumdiff.indexing.expression import (
    Access,
    Affine,
    Axis,
    AxisSize,
    Call,
    Count,
    Delta,
    Index,
    Layout,
    Meaning,
    Named,
    Node,
    Number,
    Operate,
    Over,
    Parameter,
    Power,
    Product,
    RankOf,
    Reference,
    SizeName,
    Sum,
    walk,
)
from einsumdiff.indexing.names import ELLIPSIS
from einsumdiff.indexing.scalars import add, divide, elementwise, power
from einsumdiff.language.rows import Definition as DefinitionRow
from einsumdiff.language.rows import Operation, option
from einsumdiff.language.table import load_table
from einsumdiff.nesting import Steps, run
from einsumdiff.nodes import Array, Definition, Entry, Form, Label, bare, constant_form
from einsumdiff.nodes import Operate as OperateBody
from einsumdiff.nodes import Product as FactorProduct
from einsumdiff.program import MOST_TERMS, Builder, Value, at, extent, indicator, number, read
from einsumdiff.sizes import AnySize, smaller, symbol


@dataclass(slots=True)
class Operand:
    """An argument of an operation: its value, and which letter of the row each axis has."""

    value: Value
    places: tuple[tuple[int, int], ...]
    rest: Index | None = None


@dataclass(slots=True)
class Scope:
    """What letters and parameters stand for where an expression is. One serves a statement: a reduction
    gives its letters labels of its own, until `leave`.
    """

    builder: Builder
    labels: dict[Index, tuple[Label, ...]] = field(default_factory=dict)
    operands: dict[str, Operand] = field(default_factory=dict)

    def enter(self, indices: Iterable[Index]) -> tuple[dict[Index, tuple[Label, ...]], tuple[Label, ...]]:
        """New labels for the letters of a reduction; what the letters stood for, and the labels."""
        outer = {index: self.labels[index] for index in indices}
        fresh = {index: tuple(label.fresh() for label in labels) for index, labels in outer.items()}
        self.labels.update(fresh)
        return outer, tuple(label for labels in fresh.values() for label in labels)

    def leave(self, outer: dict[Index, tuple[Label, ...]]) -> None:
        """The letters stand again for what they stood for."""
        self.labels.update(outer)

    def form(self, affine: Affine) -> Form:
        """An item in brackets; a label of size 1 is 0."""
        total = constant_form(affine.constant)
        for index, c in affine.terms:
            (label,) = self.labels[index]
            if label.size != 1:
                total = bare(label) if affine.index is index else total + bare(label).times(c)
        return total


def value(node: Node, scope: Scope) -> Value:
    """The value of an expression."""
    return run(_value(node, scope))


def _value(node: Node, scope: Scope) -> Steps[Value]:
    return _summed(node, scope) if node.summed else _term(node, scope)


def _summed(node: Node, scope: Scope) -> Steps[Value]:
    outer, labels = scope.enter(node.summed)
    whole = yield _term(node, scope)
    scope.leave(outer)
    return scope.builder.sum(whole, labels)


def _term(node: Node, scope: Scope) -> Steps[Value]:
    """The value, without the sum that the Einstein rule places over it."""
    builder = scope.builder
    match node:
        case Number(value=constant):
            return number(constant)
        case Named(name=name):
            return builder.constant(name)
        case SizeName(name=name):
            return _extent(symbol(name))
        case AxisSize(shape=shape):
            return _extent(shape[0])
        case RankOf(base=base):
            return number(base.rank)
        case Count(index=index):
            size: AnySize = 1
            for label in scope.labels[index]:
                size = size * label.size
            return _extent(size)
        case Reference(variable=variable):
            assert variable.array is not None, variable.name
            return read(variable.array)
        case Parameter(name=name):
            return scope.operands[name].value
        case Access(items=items) if isinstance(node.base, Parameter):
            return _of_parameter(node.base, items, scope)
        case Access(items=items) if isinstance(node.base, Reference):
            assert node.base.variable.array is not None
            return at(node.base.variable.array, [scope.form(item) for item in items])
        case Delta(left=left, right=right, op=op):
            return indicator(scope.form(left) - scope.form(right), op)
        case Operate():
            return _operation(node, scope)
        case Sum() | Product() | Power() | Call() | Access() | Over():
            return _of_parts(node, scope)
    raise AssertionError(node)


def _of_parts(node: Sum | Product | Power | Call | Access | Over, scope: Scope) -> Steps[Value]:
    """The value of what has parts that may be nested."""
    builder = scope.builder
    match node:
        case Sum(terms=terms):
            values: list[Value] = []
            for sign, term in terms:
                one = yield _value(term, scope)
                values.append(one if sign == 1 else builder.scale(one, -1))
            return add(values, builder)
        case Product(factors=factors):
            (first, _), *rest = factors
            total: Value = yield _value(first, scope)
            for factor, exponent in rest:
                other = yield _value(factor, scope)
                total = builder.multiply(total, other) if exponent == 1 else divide(total, other, builder)
            return total
        case Power():
            base = yield _value(node.base, scope)
            exponent = yield _value(node.exponent, scope)
            return power(base, exponent, builder)
        case Call(row=row, args=args):
            given: list[Value] = []
            for arg in args:
                given.append(_shared((yield _value(arg, scope)), row, builder))
            return elementwise(row.name, given, builder)
        case Access():
            forms = [scope.form(item) for item in node.items]
            return _at(_short((yield _value(node.base, scope)), builder), forms)
        case Over():
            return (yield _reduced(node, scope))


def _reduced(node: Over, scope: Scope) -> Steps[Value]:
    builder = scope.builder
    outer, labels = scope.enter(node.indices)
    whole: Value = yield _value(node.body, scope)
    scope.leave(outer)
    if node.op == "sum":
        return builder.sum(whole, labels)
    labels = tuple(label for label in labels if label.size != 1)
    if node.op != "prod":
        return builder.reduce(node.op, whole, labels) if labels else whole
    for label in labels:  # the derivative of a product is stated for one label
        whole = builder.reduce(node.op, whole, (label,))
    return whole


def _extent(size: AnySize) -> Value:
    return number(size) if isinstance(size, int) else extent(size)


def _shared(operand: Value, row: object, builder: Builder) -> Value:
    """The operand of a scalar `def`, which may read it twice: a definition if it is more than an entry."""
    return as_entry(operand, builder) if isinstance(row, DefinitionRow) else operand


def as_entry(operand: Value, builder: Builder) -> Value:
    """The same value as one entry or number, so that reading it twice computes it once."""
    if operand.number is not None or (len(operand.products) == 1 and not operand.products[0].factors):
        return operand
    return Value(operand.axes, (FactorProduct(1, (builder.entry(operand),)),))


def _short(operand: Value, builder: Builder) -> Value:
    """A long sum as a definition: nested operations would each go through all of its terms."""
    return as_entry(operand, builder) if len(operand.products) > MOST_TERMS else operand


def _of_parameter(base: Parameter, items: tuple[Affine, ...], scope: Scope) -> Value:
    operand = scope.operands[base.name]
    forms = []
    for place, n in operand.places:
        if place < 0:
            assert operand.rest is not None
            forms.append(bare(scope.labels[operand.rest][n]))
            continue
        item = items[place]
        labels = scope.labels[item.terms[0][0]] if item.terms else ()
        forms.append(scope.form(item) if len(labels) <= 1 else bare(labels[n]))
    return _at(operand.value, forms)


def _at(whole: Value, forms: Iterable[Form]) -> Value:
    values = {label: form for label, form in zip(whole.axes, forms, strict=True) if label.size != 1}
    return Value((), whole.substitute(values) if values else whole.products)


# ------------------------------------------------------------------------------------------- operations


def _operation(node: Operate, scope: Scope) -> Steps[Value]:
    meaning = node.meaning
    assert meaning is not None
    if isinstance(meaning, Layout):
        operands: list[Value] = []
        for operand in meaning.operands.values():
            operands.append(_short((yield _value(operand, scope)), scope.builder))
        return meaning.value(operands, node.shape, scope.builder)
    if isinstance(node.row, Operation):
        return (yield _stated(node, node.row, meaning, scope))
    labels: dict[Axis, Label] = {
        axis: Label(size, axis[0].name if axis[0].typed else None) for axis, size in node.sizes.items()
    }
    groups: dict[Index, list[Label]] = {}
    for (index, n), label in sorted(labels.items(), key=lambda item: item[0][1]):
        assert n == len(groups.get(index, ()))
        groups.setdefault(index, []).append(label)
    inner = Scope(scope.builder, {index: tuple(group) for index, group in groups.items()})
    for index in _unused(meaning):
        inner.labels.setdefault(index, ())
    for name, (operand, _) in meaning.operands.items():
        reads = meaning.reads.get(name, 0)
        if reads:
            whole = _short((yield _value(operand, scope)), scope.builder)
            inner.operands[name] = Operand(
                as_entry(whole, scope.builder) if reads > 1 else whole, meaning.patterns[name], meaning.rest
            )
    found = yield _value(meaning.body, inner)
    return Value(tuple(labels[axis] for axis in meaning.axes), found.products)


def _unused(meaning: Meaning) -> list[Index]:
    """Letters that stand for no axis here: `...` of a matrix, `k` of a number."""
    found: list[Index] = []
    for node in walk(meaning.body):
        match node:
            case Access(items=items):
                found += [index for item in items for index, _ in item.terms]
            case Over(indices=indices):
                found += indices
            case Count(index=index):
                found.append(index)
        found += node.summed
    return found


def operated(name: str, values: Sequence[Value], builder: Builder) -> Value:
    """An operation with a stated rule, of whole arrays."""
    row = load_table()[name]
    assert isinstance(row, Operation)
    array = operation_of(row, [builder.define(one) for one in values], builder)
    return read(array)


def operation_of(row: Operation, arrays: Sequence[Array], builder: Builder) -> Definition:
    """The definition that holds an operation of these arrays."""
    rule = rules_of(row)[0]
    entries: list[Entry] = []
    bound: list[Label] = []
    sizes: dict[str, AnySize] = {}
    batch: list[Label] = []
    for array, pattern in zip(arrays, rule.patterns.values(), strict=True):
        own = [index.name for index in pattern if index.name != ELLIPSIS]
        leading = len(array.shape) - len(own)
        if not batch:
            batch = [Label(size) for size in array.shape[:leading]]
        labels = [Label(size) for size in array.shape[leading:]]
        sizes.update(zip(own, array.shape[leading:], strict=True))
        bound += labels
        entries.append(Entry(array, tuple(bare(label) for label in (*batch, *labels))))
    matrix = [index.name for index in next(iter(rule.patterns.values()))][-2:]
    if option(row, "again") is not None:
        new = [index.name for index in rule.axes if index.name not in (*matrix, ELLIPSIS)]
        sizes.update({name: sizes[own] for own, name in zip(matrix, new, strict=True)})
    axes = list(batch)
    for index in rule.axes:
        if index.name != ELLIPSIS:
            size = sizes.get(index.name)
            if size is None:
                least = option(row, "least") == index.name
                size = smaller(sizes[matrix[0]], sizes[matrix[1]]) if least else sizes[matrix[0]]
            assert size is not None
            axes.append(Label(size))
    body = OperateBody(row.name, tuple(axes), tuple(entries), tuple(bound), keeps_symmetry=_keeps(row))
    return builder.define_body(body, tuple(label.size for label in axes))


def _keeps(row: Operation) -> bool:
    """Whether the operation of a symmetric matrix is one."""
    return option(row, "keeps") == "symmetric"


def _stated(node: Operate, row: Operation, meaning: Meaning, scope: Scope) -> Steps[Value]:
    """An operation with a stated rule, over all of its operands' axes."""
    builder = scope.builder
    labels = {axis: Label(size) for axis, size in node.sizes.items()}
    entries, bound = [], []
    for operand, axes in meaning.operands.values():
        whole = yield _value(operand, scope)
        array = builder.define(whole)
        forms = []
        for axis in axes:
            label = labels[axis]
            if axis[0].name != "...":
                label = Label(label.size)
                bound.append(label)
            forms.append(bare(label))
        entries.append(Entry(array, tuple(forms)))
    axes_of_result = tuple(labels[axis] for axis in meaning.axes)
    body = OperateBody(row.name, axes_of_result, tuple(entries), tuple(bound), keeps_symmetry=_keeps(row))
    array = builder.define_body(body, tuple(label.size for label in axes_of_result))
    forms = [constant_form(0) if label.size == 1 else bare(label) for label in axes_of_result]
    found = at(array, forms)
    return Value(axes_of_result, found.products)
