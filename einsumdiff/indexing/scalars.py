"""Scalar rows of the table as values, and the operators of the language.

`instantiate` is the meaning of a rule's expression over scalars, `1 - tanh(x)**2` with `x` bound. The
operators here serve programs too, where the values have axes: they broadcast as NumPy does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from einsumdiff.errors import Unsupported, ValueFault
from einsumdiff.language import tree
from einsumdiff.language.table import Definition as Meaning
from einsumdiff.language.table import Function, load_table
from einsumdiff.nodes import (
    Call,
    Definition,
    Entry,
    Extent,
    Form,
    Guard,
    Number,
    Product,
    Sum,
    add_numbers,
    constant_form,
    counted,
    product,
)
from einsumdiff.program import Builder, Value, broadcast, number, of_product
from einsumdiff.sizes import as_fraction

if TYPE_CHECKING:
    from einsumdiff.language.tree import Tree


def instantiate(node: Tree, bindings: Mapping[str, Value], builder: Builder) -> Value:
    """The value of a rule's expression, with its names bound.

    Parameters
    ----------
    node : numbers, names, operators, comparisons and calls of scalar rows.
    bindings : a value for each name that is not a constant of the table.
    builder : where definitions go.
    """
    match node:
        case tree.Name(name):
            bound = bindings.get(name)
            return builder.constant(name) if bound is None else bound
        case tree.Number(value):
            return number(value)
        case tree.Binary(op, left, right):
            return binary(
                op, instantiate(left, bindings, builder), instantiate(right, bindings, builder), builder
            )
        case tree.Unary(op, operand):
            return unary(op, instantiate(operand, bindings, builder), builder)
        case tree.Apply(function, args):
            return elementwise(function, [instantiate(one, bindings, builder) for one in args], builder)
        case tree.Constant(bool() as truth):
            return number(int(truth))
    raise AssertionError(f"not a scalar expression: {node.span.source}")


# ------------------------------------------------------------------------------------------- operators


def add(values: Sequence[Value], builder: Builder) -> Value:
    """The elementwise sum; numbers are added up."""
    total: Number = 0
    kept = []
    for value in values:
        constant = value.number
        if constant is None:
            kept.append(value)
        else:
            total = add_numbers(total, constant)
    if not kept:
        return number(total)
    if total != 0 or (isinstance(total, float) and total != 0):
        kept.append(number(total))
    return kept[0] if len(kept) == 1 else builder.add(kept)


def divide(a: Value, b: Value, builder: Builder) -> Value:
    """`a/b`; exact for whole numbers and fractions."""
    if b.number == 0:
        raise ValueFault("a division by zero", hint="no number is its value")
    x, y = a.number, b.number
    if x is not None and y is not None and y != 0:
        if isinstance(x, float) or isinstance(y, float):
            return number(float(x) / float(y))
        return number(as_fraction(Fraction(x) / Fraction(y)))
    return builder.multiply(a, builder.power(b, -1))


def exact(value: Value) -> int | Fraction | None:
    """The exact number that the value is: `0.5` is one half; None where it is not a number."""
    constant = value.number
    if isinstance(constant, float):
        if constant in (float("inf"), -float("inf")) or constant != constant:
            return None
        return as_fraction(Fraction(repr(constant)))
    return constant


LOGICAL = ("&", "|", "~")

MOST_BITS = 1000
"""A power of whole numbers is folded up to so many bits: the largest float has 1024."""


def power(base: Value, exponent: Value, builder: Builder) -> Value:
    """`base**exponent`: a power of the algebra for an exact exponent, else the row `power`."""
    constant = exact(exponent)
    if constant is None:
        return elementwise("power", [base, exponent], builder)
    whole = base.number
    if whole == 0 and constant < 0:
        raise ValueFault("a division by zero", hint="0 has no negative power")
    if isinstance(whole, int) and abs(whole) > 1 and whole.bit_length() * abs(float(constant)) > MOST_BITS:
        raise ValueFault(f"{whole}**{constant} is too large", hint="write it as a float, 1e300 at most")
    if isinstance(whole, int) and isinstance(constant, int):
        return number(as_fraction(Fraction(whole) ** constant))
    return builder.power(base, constant)


def _subtract(a: Value, b: Value, builder: Builder) -> Value:
    return add([a, builder.scale(b, -1)], builder)


ARITHMETIC: Mapping[str, Callable[[Value, Value, Builder], Value]] = {
    "+": lambda a, b, builder: add([a, b], builder),
    "-": _subtract,
    "*": lambda a, b, builder: builder.multiply(a, b),
    "/": divide,
    "**": power,
}


def binary(op: str, a: Value, b: Value, builder: Builder) -> Value:
    """`a op b`, elementwise: arithmetic, or the row that has the operator (`<`, `%`)."""
    known = ARITHMETIC.get(op)
    if known is not None:
        return known(a, b, builder)
    return elementwise(load_table().operators[op], [a, b], builder)


def _logical(op: str, value: Value) -> None:
    """`& | ~` are for comparisons: of numbers they would be something else, with derivative 0."""
    only = value.products[0].factors if len(value.products) == 1 else ()
    entry = only[0] if len(only) == 1 else None
    array = entry.array if isinstance(entry, Entry) else None
    body = array.body if isinstance(array, Definition) else None
    row = load_table()[body.function] if isinstance(body, Call) else None
    if not isinstance(row, Function) or not row.boolean:
        raise Unsupported(f"{op} is for comparisons", hint="write (x > 0) & (z > 0), or x != 0 for x")


def unary(op: str, a: Value, builder: Builder) -> Value:
    """`op a`."""
    if op == "+":
        return a
    if op == "-":
        return builder.scale(a, -1)
    return elementwise(load_table().operators[op], [a], builder)


# ------------------------------------------------------------------------------------------------ rows


def elementwise(name: str, values: Sequence[Value], builder: Builder) -> Value:
    """A scalar row (`fn`, or `def` without axes) applied to values that broadcast."""
    row = load_table()[name]
    match row:
        case Function():
            if row.operator in LOGICAL:
                for value in values:
                    _logical(row.operator, value)
            if len(values) < len(row.parameters):
                values = [*values, *_defaults(row, len(values), builder)]
            if row.mask:
                return _choose(values, builder)
            if row.operator in COMPARED and (found := _of_places(row.operator, values)) is not None:
                return found
            return builder.call(row.name, values)
        case Meaning(cases=(case, *_)) if case.axes is None:
            if len(values) < len(case.parameters):
                values = [*values, *_defaults(row, len(values), builder)]
            names = [parameter.name for parameter in case.parameters]
            return instantiate(case.value, dict(zip(names, values, strict=True)), builder)
    raise AssertionError(f"{name} is not a function of scalars")


COMPARED: dict[str, Callable[[Form], tuple[Form, str]]] = {
    ">=": lambda form: (form, ">="),
    ">": lambda form: (form.plus(-1), ">="),
    "<=": lambda form: (form.times(-1), ">="),
    "<": lambda form: (form.times(-1).plus(-1), ">="),
    "==": lambda form: (form, "=="),
    "!=": lambda form: (form, "!="),
}
"""`left op right` as a condition on the form `left - right`."""


def _of_places(op: str, values: Sequence[Value]) -> Value | None:
    """A comparison of what counts places is a condition on indices: `arange(n)[i] >= arange(n)[j]`."""
    axes, (left, right) = broadcast(values)
    a, b = affine(left), affine(right)
    if a is None or b is None or not (a - b).coefficients:
        return None
    return of_product(product(1, [Guard(*COMPARED[op](a - b))]), axes)


def is_scalar(name: str) -> bool:
    """Whether the row of that name is applied elementwise."""
    row = load_table().get(name)
    return isinstance(row, Function) or (isinstance(row, Meaning) and row.cases[0].axes is None)


def _defaults(row: Function | Meaning, given: int, builder: Builder) -> list[Value]:
    parameters = row.parameters if isinstance(row, Function) else row.cases[0].parameters
    found = []
    for parameter in parameters[given:]:
        assert parameter.default is not None, f"{row.name} lacks {parameter.name}"
        found.append(instantiate(parameter.default, {}, builder))
    return found


def _choose(values: Sequence[Value], builder: Builder) -> Value:
    condition, a, b = values
    known = condition.number
    if known is not None:
        axes = builder.add([a, b, condition]).axes  # the shape that broadcasting gives
        chosen = a if known else b
        return chosen if chosen.axes == axes else builder.add([chosen, Value(axes, ())])
    return builder.masked(condition, a, b)


def affine(products: Sequence[Product]) -> Form | None:
    """The affine form that a sum of counts, sizes and whole numbers is: `arange(n) + 1`."""
    total = constant_form(0)
    for one in products:
        part = _affine_product(one)
        if part is None or not isinstance(one.coefficient, int):
            return None
        total = total + part.times(one.coefficient)
    return total


def _affine_product(one: Product) -> Form | None:
    count = counted(one)
    if count is not None:
        return count
    match one.factors:
        case ():
            return constant_form(1)
        case (Extent(size, 1),):
            return constant_form(size)
        case (Entry(Definition(body=Sum(terms)), forms, 1),):
            products = []
            for term in terms:
                if any(axis.label is None for axis in term.axes):
                    return None
                read = {axis.labels[0]: form for axis, form in zip(term.axes, forms, strict=True)}
                products.append(term.product.substitute(read))
            return affine(products)
    return None
