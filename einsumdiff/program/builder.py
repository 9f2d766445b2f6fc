"""The algebra of values, and the definitions that it makes: those with equal bodies are one."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from einsumdiff.canonical import body_key, collect, is_symmetric
from einsumdiff.cutting import MOST_FACTORS, recut
from einsumdiff.nodes import (
    ONE,
    Array,
    Body,
    Call,
    Constant,
    Definition,
    Entry,
    Extent,
    Factor,
    Guard,
    Label,
    Mask,
    Number,
    Operand,
    Product,
    Reduce,
    Sum,
    Term,
    bare,
    body_arrays,
    constant_form,
    multiply,
    power_of_number,
    product,
    substitute_factor,
)
from einsumdiff.program.values import Value, at, broadcast, number, of_product
from einsumdiff.sizes import AnySize
from einsumdiff.solve import solve

MOST_TERMS = 64
"""A sum of more terms becomes a definition where it is multiplied by a number or is an operand: in
`a + 2*(b + 2*(...))` all of the terms would be multiplied at each level."""

Rewrite = Callable[["Builder", Body], "Value | None"]


@dataclass(slots=True)
class Builder:
    """Combines values; holds the definitions made so far, each body once.

    `rewrite`, where given, is asked for every new body of a call, reduction or product and may answer
    with an equal, better value over `body_axes(body)` (the identities of the rules).
    """

    known: dict[object, Definition] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)  # names that a generated definition must not have
    rewrite: Rewrite | None = None
    constants: dict[str, Constant] = field(default_factory=dict)
    pieces: set[Array] = field(default_factory=set)  # of long products that are not all there yet
    ties: str = "split"  # what max and its like do where the best is there twice: see partials.SHARES

    def copy(self) -> Builder:
        """Another builder that knows the same."""
        known, taken = dict(self.known), set(self.taken)
        return Builder(known, taken, self.rewrite, dict(self.constants), set(self.pieces), self.ties)

    def constant(self, name: str) -> Value:
        """`pi`, `e`, `inf`."""
        array = self.constants.setdefault(name, Constant(name, ()))
        return at(array, ())

    # -- definitions ----------------------------------------------------------------------------------

    def define_body(
        self, body: Body, shape: tuple[AnySize, ...], name: str | None = None, force: bool = False
    ) -> Definition:
        """The definition with that body: one that exists, or a new one.

        A `name` is the user's. With `force` the definition is new even if an equal one exists, and
        nothing will be merged into it, nor seen through it (a wrt that names a definition).
        """
        key = None if force else body_key(body, shape)
        found = self.known.get(key) if key is not None else None
        if found is None:
            if name is None:
                found = Definition("", shape, body)  # named when printed
            else:
                found = Definition(name, shape, body, named=True, opaque=force)
            if not force and any(array.declared for array in body_arrays(body)):
                found.declared, found.symmetric = True, is_symmetric(body, shape)
            if key is not None:
                self.known[key] = found
        elif name is not None and not found.named:
            found.name, found.named = name, True
        return found

    def define(
        self, value: Value, name: str | None = None, force: bool = False, complete: bool = True
    ) -> Array:
        """The value as an array over its axes (there must be no open labels).

        A value that is all of an existing array is that array, unless `force`. A product that is `complete`
        is cut anew, where it was cut.
        """
        assert not value.open(), f"open labels {value.open()}"
        axes = tuple(constant_form(0) if label.size == 1 else bare(label) for label in value.axes)
        products = [recut(p, self.pieces, self.define_body) if complete else p for p in value.products]
        terms = collect(t for p in products for t in solve(Term(axes, p)))
        if not force and len(terms) == 1:
            whole = self._whole(terms[0])
            if whole is not None and whole.shape == value.shape:
                if name is not None and isinstance(whole, Definition) and not whole.named:
                    whole.name, whole.named = name, True
                return whole
        return self.define_body(Sum(tuple(terms)), value.shape, name, force)

    @staticmethod
    def _whole(term: Term) -> Array | None:
        """The array that a term is a plain copy of."""
        one = term.product
        if one.coefficient != 1 or isinstance(one.coefficient, float) or one.bound or len(one.factors) != 1:
            return None
        only = one.factors[0]
        if not isinstance(only, Entry) or only.power != 1:
            return None
        turned = (*only.forms[:-2], *only.forms[:-3:-1])
        if term.axes != only.forms and not (only.array.symmetric and term.axes == turned):
            return None
        forms = only.forms[:-1] if only.array.zeros == "diagonal" else only.forms  # the last repeats
        labels = [form.label for form in forms if form.coefficients]
        if None in labels or len(set(labels)) < len(labels):
            return None
        for form, size in zip(only.forms, only.array.shape, strict=True):  # no entry is left out
            if size != (form.label.size if form.label is not None else 1):
                return None
        return only.array

    def entry(self, value: Value, complete: bool = True) -> Entry:
        """The value as one entry, over its axes and open labels; defined if it is more than that.

        A product that is not `complete` is the beginning of a longer one.
        """
        if len(value.products) == 1 and (only := _lone(value.products[0])) is not None:
            return only
        borne = {label for p in value.products for label in p.free}
        labels = tuple(label for label in value.axes if label in borne) + value.open()
        if len(value.products) == 1 and value.products[0].bound:  # a delta may leave a lone entry
            axes = tuple(bare(label) for label in labels)
            solved = solve(Term(axes, value.products[0]))
            if len(solved) == 1 and solved[0].axes == axes:
                only = _lone(solved[0].product)
                if only is not None:
                    return only
        array = self.define(Value(labels, value.products), complete=complete)
        if not complete:
            self.pieces.add(array)
        return Entry(array, tuple(bare(label) for label in labels))

    def factor(self, value: Value) -> Product:
        """The value as one product: itself, or the entry of a definition that holds the sum."""
        if not value.products:
            return Product(0)
        if len(value.products) == 1:
            one = value.products[0]
            if len(one.entries) <= MOST_FACTORS or not one.bound:
                return one
            return Product(1, (self.entry(value, complete=False),))
        return Product(1, (self.entry(value),))

    # -- algebra --------------------------------------------------------------------------------------

    def add(self, values: Sequence[Value]) -> Value:
        """The elementwise sum."""
        axes, products = broadcast(values)
        found = Value(axes, tuple(p for part in products for p in part))
        if not any(entry.array.declared for p in found.products for entry in p.entries):
            return found
        # what is declared makes terms equal, or opposite, that are not so as typed: A + A.T
        places = tuple(bare(label) for label in (*axes, *found.open()))
        return Value(axes, tuple(t.product for t in collect(Term(places, p) for p in found.products)))

    def scale(self, value: Value, factor: Number) -> Value:
        return Value(value.axes, tuple(p.times(factor) for p in value.products))

    def multiply(self, a: Value, b: Value) -> Value:
        """The elementwise product; sums of several products are defined, never multiplied out."""
        axes, (left, right) = broadcast([a, b])
        for one, other in ((left, right), (right, left)):
            if len(one) == 1 and not one[0].factors and not isinstance(one[0].coefficient, float):
                if len(other) > MOST_TERMS:
                    other = (Product(1, (self.entry(Value(axes, other)),)),)
                return Value(axes, tuple(p.times(one[0].coefficient) for p in other))
        x = self.factor(Value(axes, left))
        y = self.factor(Value(axes, right))
        return self.rewritten(Value(axes, of_product(multiply(x, y)).products))

    def power(self, base: Value, exponent: int | Fraction) -> Value:
        """`base**exponent`, elementwise, for an exact exponent."""
        if exponent == 0:
            return Value(base.axes, (ONE,))
        if exponent == 1:
            return base
        one = self.factor(base)
        whole = not isinstance(exponent, Fraction)
        simple = not one.bound and all(
            isinstance(f, Extent)
            or (isinstance(f, Entry) and (whole or len(one.factors) == 1) and (whole or f.power == 1))
            or (isinstance(f, Mask | Guard) and exponent > 0 and whole)
            for f in one.factors
        )
        coefficient = power_of_number(one.coefficient, exponent)
        if not simple or coefficient is None or (not whole and one.coefficient != 1 and one.factors):
            if not one.factors:  # 2**(1/2), 0**-1
                return self.call("power", [Value(base.axes, (one,)), number(exponent)])
            one, coefficient = Product(1, (self._defined(Value(base.axes, (one,))),)), 1
        factors: list[Factor] = []
        for f in one.factors:
            match f:
                case Entry(array, forms, power):
                    factors.append(Entry(array, forms, power * exponent))
                case Extent(size, power):
                    factors.append(Extent(size, power * exponent))
                case _:
                    factors.append(f)
        return self.rewritten(Value(base.axes, (product(coefficient, factors),)))

    def _defined(self, value: Value) -> Entry:
        labels = tuple(label for label in value.axes if any(label in p.free for p in value.products))
        labels += value.open()
        array = self.define(Value(labels, value.products))
        return Entry(array, tuple(bare(label) for label in labels))

    def sum(self, value: Value, over: Iterable[Label]) -> Value:
        """The sum over axes or open labels; a product without the label is multiplied by its size."""
        over = tuple(over)
        products = []
        for p in value.products:
            free = set(p.free)
            # fresh, because the caller may use the label again beside this sum
            summed = {label: bare(label.fresh()) for label in over if label in free}
            factors = [substitute_factor(f, summed) for f in p.factors] if summed else list(p.factors)
            factors += [Extent(label.size) for label in over if label not in free]
            bound = (*p.bound, *(form.labels[0] for form in summed.values()))
            products.append(product(p.coefficient, factors, bound))
        return Value(tuple(label for label in value.axes if label not in over), tuple(products))

    def call(self, function: str, values: Sequence[Value]) -> Value:
        """`function(values)`, elementwise with broadcasting."""
        axes, products = broadcast(values)
        operands: list[Operand] = []
        for part in products:
            constant = Value((), part).number
            operands.append(constant if constant is not None else self.entry(Value(axes, part)))
        labels = tuple(
            dict.fromkeys(
                label for e in operands if isinstance(e, Entry) for form in e.forms for label in form.labels
            )
        )
        return Value(axes, self.body_value(Call(function, labels, tuple(operands))).products)

    def body_value(self, body: Call | Reduce) -> Value:
        """The value of a body over its axes, which stay open; rewritten where an identity applies."""
        if self.rewrite is not None:
            better = self.rewrite(self, body)
            if better is not None:
                return better
        array = self.define_body(body, tuple(label.size for label in body.axes))
        return at(array, tuple(bare(label) for label in body.axes))

    def reduce(self, op: str, value: Value, over: Iterable[Label]) -> Value:
        """`op` (`prod max min logsumexp`) over axes or open labels, all of them borne or not.

        Identities see `logsumexp` as what it stands for, `log(sum(exp(x)))`, and make it one where none
        applies to a part: that is how it is printed, so a formula that is read back is the same again.
        """
        over = tuple(over)
        if op == "logsumexp" and self.rewrite is not None:
            return self.call("log", [self.sum(self.call("exp", [value]), over)])
        entry = self.entry(value)
        borne = {label for form in entry.forms for label in form.labels}
        missing = tuple(label for label in over if label not in borne)
        if missing:  # a copy along the axes that the value only repeats on
            labels = tuple(dict.fromkeys(label for form in entry.forms for label in form.labels)) + missing
            array = self.define_body(
                Sum((Term(tuple(bare(label) for label in labels), Product(1, (entry,))),)),
                tuple(label.size for label in labels),
            )
            entry = Entry(array, tuple(bare(label) for label in labels))
            borne = set(labels)
        kept = tuple(label for label in value.axes if label not in over)
        return Value(kept, self.reduced(op, entry, over).products)

    def reduced(self, op: str, entry: Entry, over: tuple[Label, ...]) -> Value:
        """`op` over labels that the entry bears; its other labels stay open."""
        labels = dict.fromkeys(label for form in entry.forms for label in form.labels)
        return self.body_value(Reduce(op, tuple(label for label in labels if label not in over), over, entry))

    def masked(self, condition: Value, a: Value, b: Value) -> Value:
        """`where(condition, a, b)`: masks on both, so that what is not chosen cannot harm (0*inf is 0).

        A branch that is a sum is defined, as in any product.
        """
        axes, (c, x, y) = broadcast([condition, a, b])
        entry = self.entry(Value(axes, c))
        decided = _decided(entry.array)
        if decided is not None:
            return Value(axes, x if decided else y)
        products = []
        for part, holds in ((x, True), (y, False)):
            chosen = self.factor(Value(axes, part))
            products.append(multiply(chosen, Product(1, (Mask(entry.array, entry.forms, holds),))))
        return Value(axes, tuple(p for p in products if p.factors))

    def rewritten(self, value: Value) -> Value:
        """The value after the identities for products (`exp(x)/sum(exp(x))`)."""
        if self.rewrite is None or len(value.products) != 1:
            return value
        better = self.rewrite(self, Sum((Term((), value.products[0]),)))  # its labels stay open
        return value if better is None else Value(value.axes, better.products)


_COMPARISONS: Mapping[str, Callable[[Number, Number], bool]] = {
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
}


def _decided(condition: Array) -> bool | None:
    """What a comparison of two numbers says: `2 == 0`, as it stands in the slope of `2**x`."""
    if not isinstance(condition, Definition) or not isinstance(condition.body, Call):
        return None
    compare = _COMPARISONS.get(condition.body.function)
    numbers = [one for one in condition.body.operands if not isinstance(one, Entry)]
    if compare is None or len(numbers) != 2:
        return None
    return compare(*numbers)


def _lone(one: Product) -> Entry | None:
    """The entry that a product is, if it is nothing else."""
    if len(one.factors) != 1 or one.bound or one.coefficient != 1 or isinstance(one.coefficient, float):
        return None
    only = one.factors[0]
    return only if isinstance(only, Entry) and only.power == 1 else None
