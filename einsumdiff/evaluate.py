"""The oracle: the meaning of the index form, entry by entry, slow and obvious.

Nothing here is clever, so that what is clever elsewhere can be held against it. It runs on complex
numbers where NumPy's functions do, so its derivatives can be taken by the complex step.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from einsumdiff.language.table import Function, NamedNumber, Operation, Table, load_table
from einsumdiff.nodes import (
    Array,
    Call,
    Constant,
    Definition,
    Entry,
    Extent,
    Form,
    Guard,
    Label,
    Mask,
    OneHot,
    Operand,
    Operate,
    Product,
    Reduce,
    Sum,
    Term,
)
from einsumdiff.program import live
from einsumdiff.sizes import AnySize
from einsumdiff.sizes import evaluate as size_of
from einsumdiff.targets.numpy.helpers import HELPERS

Places = dict[Label, int]
Arrays = Mapping[Array, Any]

HOLDS: dict[str, Callable[[int], bool]] = {
    "==": lambda value: value == 0,
    ">=": lambda value: value >= 0,
    "!=": lambda value: value != 0,
}


def evaluate(wanted: Iterable[Array], values: Arrays, sizes: Mapping[str, int]) -> dict[Array, Any]:
    """NumPy arrays for the wanted ones and all definitions that they need.

    Parameters
    ----------
    wanted : arrays of a program.
    values : an array (or number) for every input that is read.
    sizes : a whole number for every size name.
    """
    found = dict(values)
    for definition in live(wanted):
        found[definition] = Oracle(found, sizes).definition(definition)
    return found


def evaluate_terms(
    terms: Sequence[Term], shape: Sequence[AnySize], values: Arrays, sizes: Mapping[str, int]
) -> Any:
    """The array of that shape that the terms write; what they read is evaluated first."""
    read = [f.array for t in terms for f in t.product.factors if isinstance(f, Entry | Mask)]
    return Oracle(evaluate(read, values, sizes), sizes).terms(terms, shape)


class Oracle:
    """Evaluates definitions and terms in floating point; a subclass may do so in another ring."""

    def __init__(self, values: Arrays, sizes: Mapping[str, int]) -> None:
        import numpy as np

        self.np, self.values, self.sizes = np, values, sizes

    def number(self, value: Any) -> Any:
        """A coefficient or a size as a number of the ring."""
        return float(value)

    def power(self, base: Any, power: Any) -> Any:
        """A number of the ring to a fixed power."""
        return _power(base, power)

    def places(self, labels: Iterable[Label]) -> Iterator[Places]:
        labels = tuple(labels)
        ranges = [range(max(0, size_of(label.size, self.sizes))) for label in labels]
        for chosen in itertools.product(*ranges):
            yield dict(zip(labels, chosen, strict=True))

    def form(self, form: Form, places: Places) -> int:
        total = size_of(form.constant, self.sizes)
        for label, coefficient in form.coefficients:
            total += size_of(coefficient, self.sizes) * places[label]
        return total

    def read(self, array: Array, forms: Sequence[Form], places: Places) -> Any:
        if isinstance(array, Constant):
            row = load_table()[array.name]
            assert isinstance(row, NamedNumber)
            return row.value
        values = self.np.asarray(self.values[array])
        index = tuple(self.form(form, places) for form in forms)
        assert all(0 <= i < size for i, size in zip(index, values.shape, strict=True)), (
            f"{array.name}{list(index)} is out of bounds of {values.shape}"
        )
        return values[index]

    def holds(self, guards: Iterable[Guard], places: Places) -> bool:
        return all(HOLDS[guard.op](self.form(guard.form, places)) for guard in guards)

    def product(self, product: Product, places: Places) -> Any:
        """The product at one place of its free labels, summed over its bound ones."""
        total: Any = self.number(0)
        guards = [f for f in product.factors if isinstance(f, Guard)]
        masks = [f for f in product.factors if isinstance(f, Mask)]
        for inner in self.places(product.bound):
            here = places | inner
            if not self.holds(guards, here):
                continue
            if any(bool(self.read(m.array, m.forms, here)) != m.holds for m in masks):
                continue
            number: Any = self.number(product.coefficient)
            for factor in product.factors:
                match factor:
                    case Entry(array, forms, power):
                        number = number * self.power(self.read(array, forms, here), power)
                    case Extent(size, power):
                        number = number * self.power(self.number(size_of(size, self.sizes)), power)
            total = total + number
        return total

    def terms(self, terms: Sequence[Term], shape: Sequence[AnySize]) -> Any:
        found: dict[tuple[int, ...], Any] = {}
        whole = tuple(size_of(size, self.sizes) for size in shape)
        for term in terms:
            labels = term.labels
            guards = [
                f
                for f in term.product.factors
                if isinstance(f, Guard) and not set(f.form.labels) & set(term.product.bound)
            ]
            for places in self.places(labels):
                if not self.holds(guards, places):
                    continue
                index = tuple(self.form(form, places) for form in term.axes)
                assert all(0 <= i < size for i, size in zip(index, whole, strict=True)), (index, whole)
                found[index] = found.get(index, self.number(0)) + self.product(term.product, places)
        return self.array(whole, found)

    def array(self, shape: tuple[int, ...], found: Mapping[tuple[int, ...], Any]) -> Any:
        kind = complex if any(isinstance(value, complex) for value in found.values()) else float
        array = self.np.zeros(shape, dtype=kind)
        for index, value in found.items():
            array[index] = value
        return array

    def definition(self, definition: Definition) -> Any:
        body = definition.body
        shape = tuple(size_of(size, self.sizes) for size in definition.shape)
        match body:
            case Sum(terms):
                return self.terms(terms, definition.shape)
            case Call(function, axes, operands):
                f = scalar_function(function)
                return self.array(
                    shape,
                    {
                        tuple(places.values()): f(*(self.operand(o, places) for o in operands))
                        for places in self.places(axes)
                    },
                )
            case Reduce(axes=axes):
                return self.array(shape, {tuple(p.values()): self.reduce(body, p) for p in self.places(axes)})
            case OneHot(axes, entry):
                return self.array(
                    shape,
                    {
                        tuple(p.values()): self.number(self.place(entry, p) % shape[-1] == p[axes[-1]])
                        for p in self.places(axes)
                    },
                )
            case Operate():
                return self.operate(body)

    def place(self, entry: Entry, places: Places) -> Any:
        """The whole number that an entry of an index array is."""
        return self.read(entry.array, entry.forms, places)

    def operand(self, operand: Operand, places: Places) -> Any:
        if isinstance(operand, Entry):
            return self.read(operand.array, operand.forms, places)
        return self.number(operand)

    def reduce(self, body: Reduce, places: Places) -> Any:
        values = [
            self.operand(body.entry, places | inner)
            for inner in self.places(body.bound)
            if self.holds(body.guards, places | inner)
        ]
        match body.op:
            case "prod":
                return functools.reduce(lambda a, b: a * b, values, self.number(1))
            case "max":
                return max(values, key=lambda value: value.real)
            case "min":
                return min(values, key=lambda value: value.real)
            case "logsumexp":
                top = max(value.real for value in values)
                if not math.isfinite(top):
                    return top
                return top + self.np.log(sum(self.np.exp(value - top) for value in values))
        raise AssertionError(body.op)

    def operate(self, body: Operate) -> Any:
        """The operation through NumPy, on whole arrays with the batch axes first."""
        row = load_table()[body.operation]
        assert isinstance(row, Operation)
        names = tuple(parameter.name for parameter in row.parameters)
        space = _modules(row.spelling.scipy)
        if row.spelling.text.startswith("_"):
            exec(HELPERS[row.spelling.text.split("(")[0]], space)
        space.update(load_table().names)
        for name, entry in zip(names, body.operands, strict=False):
            space[name] = self.np.asarray(self.values[entry.array])
        arguments = tuple(space_name for space_name in names[: len(body.operands)])
        return eval(row.spelling.spell(names, arguments), space)


def _power(base: Any, power: Any) -> Any:
    if power == 1:
        return base
    return base ** (int(power) if power == int(power) else float(power))


def _modules(scipy: bool) -> dict[str, Any]:
    import numpy as np

    space: dict[str, Any] = {"np": np}
    if scipy:
        from scipy import linalg, special

        space["special"], space["linalg"] = special, linalg
    return space


def scalar_function(name: str) -> Callable[..., Any]:
    """The function of a row of the table, on NumPy scalars, by the row's own spelling."""
    return load_table().made(_scalar_functions)(name)


def _scalar_functions(table: Table) -> Callable[[str], Callable[..., Any]]:
    return functools.cache(lambda name: _scalar_function(table, name))


def _scalar_function(table: Table, name: str) -> Callable[..., Any]:
    row = table[name]
    assert isinstance(row, Function)
    parameters = tuple(parameter.name for parameter in row.parameters)
    spelled = row.spelling.spell(parameters, parameters)
    space = _modules(row.spelling.scipy) | dict(table.names)
    function = eval(f"lambda {', '.join(parameters)}: {spelled}", space)
    if row.boolean:
        return lambda *values: float(function(*values))

    def call(*values: Any) -> Any:
        return function(*(space["np"].asarray(value)[()] for value in values))

    return call
