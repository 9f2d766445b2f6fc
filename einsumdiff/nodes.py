"""The index form: labels, affine forms, factors, products, terms, and the bodies of definitions.

A **term** is the one object of the calculus: a tuple of affine forms, one for each axis of an array,
and a product over labels. It means

    array[forms(labels)] += product(labels)      for every value of every label,

so a bare label writes an axis, the same label twice a diagonal, `i + k` a band. A definition is a sum
of terms; a derivative is a sum of terms whose axes are those of the output followed by those of the
wrt. Kronecker's deltas are equal labels, never arrays.

Labels are compared by identity: two terms never share a bound label. What is equal up to the names of
labels has the same `term_key` (in `canonical`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from einsumdiff.properties import kind
from einsumdiff.sizes import AnySize, Size, as_fraction, nonnegative

Number = int | Fraction | float

_serials = itertools.count()


class Label:
    """An index: it runs over `range(size)`. `name` is the letter that a person gave it, if any."""

    __slots__ = ("name", "serial", "size")

    def __init__(self, size: AnySize, name: str | None = None) -> None:
        self.size, self.name, self.serial = size, name, next(_serials)

    def __repr__(self) -> str:
        return f"{self.name or '_'}{self.serial}:{self.size}"

    def fresh(self) -> Label:
        """Another label of the same size and letter."""
        return Label(self.size, self.name)


class Form:
    """An affine form: `sum(coefficient*label) + constant` with whole numbers (or sizes).

    Attributes
    ----------
    labels : all of them, in order.
    label : of a bare form (`i`), else None.
    """

    __slots__ = ("_hash", "coefficients", "constant", "label", "labels")
    coefficients: tuple[tuple[Label, AnySize], ...]  # in the order of the labels' serials, none zero
    labels: tuple[Label, ...]
    label: Label | None

    def __init__(self, coefficients: tuple[tuple[Label, AnySize], ...], constant: AnySize = 0) -> None:
        self.coefficients, self.constant = coefficients, constant
        self._hash = hash((coefficients, constant))
        self.label = None
        if not coefficients:
            self.labels = ()
        elif len(coefficients) == 1:
            ((label, c),) = coefficients
            self.labels = (label,)
            if c == 1 and constant == 0:
                self.label = label
        else:
            self.labels = tuple([label for label, _ in coefficients])

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Form)
            and self.coefficients == other.coefficients
            and self.constant == other.constant
        )

    def __reduce__(self) -> tuple[type[Form], tuple[object, ...]]:
        return Form, (self.coefficients, self.constant)

    def __repr__(self) -> str:
        return " + ".join([f"{c}*{label!r}" for label, c in self.coefficients] + [str(self.constant)])

    def __add__(self, other: Form) -> Form:
        terms = dict(self.coefficients)
        for label, c in other.coefficients:
            terms[label] = terms.get(label, 0) + c
        return _form(terms, self.constant + other.constant)

    def __neg__(self) -> Form:
        return self.times(-1)

    def __sub__(self, other: Form) -> Form:
        return self + other.times(-1)

    def times(self, number: AnySize) -> Form:
        return _form({label: c * number for label, c in self.coefficients}, self.constant * number)

    def plus(self, number: AnySize) -> Form:
        return Form(self.coefficients, self.constant + number)

    def substitute(self, values: Mapping[Label, Form]) -> Form:
        """The form with labels replaced by forms; itself where none of its labels is."""
        if self.label is not None:
            return values.get(self.label, self)
        if values.keys().isdisjoint(self.labels):
            return self
        total = constant_form(self.constant)
        for label, c in self.coefficients:
            total = total + values.get(label, bare(label)).times(c)
        return total

    def bounds(self) -> tuple[AnySize, AnySize] | None:
        """The least and the greatest value over the labels' ranges; None if a sign is not known."""
        low = high = self.constant
        for label, c in self.coefficients:
            span = c * (label.size - 1)
            if nonnegative(c):
                high = high + span
            elif nonnegative(-c):
                low = low + span
            else:
                return None
        return low, high

    def within(self, size: AnySize, facts: tuple[AnySize, ...] = ()) -> bool:
        """Is `0 <= form < size` proved, given that its labels have values?"""
        label = self.label
        if label is not None and label.size == size:
            return True
        bounds = self.bounds()
        if bounds is None:
            return False
        facts = facts + tuple(one.size - 1 for one, _ in self.coefficients if isinstance(one.size, Size))
        return nonnegative(bounds[0], facts) and nonnegative(size - 1 - bounds[1], facts)


def _form(terms: dict[Label, AnySize], constant: AnySize) -> Form:
    kept = [(label, c) for label, c in terms.items() if c != 0]
    kept.sort(key=lambda item: item[0].serial)
    return Form(tuple(kept), constant)


def bare(label: Label) -> Form:
    """The form that is that label."""
    return Form(((label, 1),), 0)


def constant_form(constant: AnySize) -> Form:
    """The form without labels."""
    return Form((), constant)


# --------------------------------------------------------------------------------------------- arrays


class Array:
    """What an entry reads: an input, a definition or a named constant. Compared by identity.

    `symmetric` is known of the last two axes, or not; `zeros` is `lower`, `upper` or `diagonal` where the
    other entries are known to be 0. `declared` tells that something declared stands behind its value. `alike`
    are the orders of its axes in which it is the same array, `opposed` those in which it is the negative one,
    or none where that is not known: comparisons find them (`meaning.py`).
    """

    __slots__ = ("alike", "declared", "name", "opposed", "serial", "shape", "symmetric", "zeros")

    def __init__(self, name: str, shape: tuple[AnySize, ...]) -> None:
        self.name, self.shape, self.serial = name, shape, next(_serials)
        self.symmetric, self.zeros, self.declared = False, "", False
        self.alike: tuple[tuple[int, ...], ...] = ()
        self.opposed: tuple[tuple[int, ...], ...] = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, {self.shape})"


class Input(Array):
    """A parameter of the program.

    `properties` are the words that were declared of it. Formulas rely on them unless the derivative is in
    this input: then `meaning` says how its entries vary, and nothing is simplified by them, as that would
    change the function beside the arrays that have the property.
    """

    __slots__ = ("meaning", "properties")

    def __init__(
        self,
        name: str,
        shape: tuple[AnySize, ...],
        properties: tuple[str, ...] = (),
        meaning: str | None = None,
    ) -> None:
        super().__init__(name, shape)
        self.properties, self.meaning = properties, meaning
        if properties and meaning is None:
            what = kind(properties)
            self.symmetric = what in ("symmetric", "diagonal")
            self.zeros = "" if what == "symmetric" else what
            self.declared = True


class Constant(Array):
    """A named number: `pi`, `e`, `inf`."""

    __slots__ = ()


class Definition(Array):
    """An array defined by a body. Order of `serial` is an order of evaluation.

    `named` tells whether the user gave the name; a generated definition may be printed in place. One
    that is `opaque` is a wrt: what it is made of is no business of those who read it. `reads` are the
    arrays in its body, each once.
    """

    __slots__ = ("body", "named", "opaque", "reads")
    body: Body
    reads: tuple[Array, ...]
    named: bool
    opaque: bool

    def __init__(
        self, name: str, shape: tuple[AnySize, ...], body: Body, named: bool = False, opaque: bool = False
    ) -> None:
        super().__init__(name, shape)
        self.body, self.named, self.opaque, self.reads = body, named, opaque, body_arrays(body)


# --------------------------------------------------------------------------------- factors and products


class Entry(NamedTuple):
    """`array[forms] ** power`."""

    array: Array
    forms: tuple[Form, ...]
    power: int | Fraction = 1


class Guard(NamedTuple):
    """The indicator `[form op 0]`, 1 where it holds and 0 elsewhere; op is `==`, `>=` or `!=`.

    Where a guard does not hold the other factors are not read: their accesses may be out of bounds.
    """

    form: Form
    op: str


class Mask(NamedTuple):
    """A strongly zero factor: where `array[forms]` is not `holds`, the product is 0 whatever the rest is."""

    array: Array
    forms: tuple[Form, ...]
    holds: bool = True


class Extent(NamedTuple):
    """`size ** power`: the number of elements along an axis, as a factor."""

    size: AnySize
    power: int | Fraction = 1


Factor = Entry | Guard | Mask | Extent


def factor_labels(factor: Factor) -> tuple[Label, ...]:
    """The labels that a factor bears, with repetition, in order."""
    match factor:
        case Entry() | Mask():
            forms = factor.forms
            return forms[0].labels if len(forms) == 1 else tuple([n for form in forms for n in form.labels])
        case Guard():
            return factor.form.labels
        case Extent():
            return ()


class Product(NamedTuple):
    """`coefficient * factors`, summed over the `bound` labels, each of which some factor bears.

    Build it with `product`, which merges powers and folds constants.
    """

    coefficient: Number
    factors: tuple[Factor, ...] = ()
    bound: tuple[Label, ...] = ()

    @property
    def labels(self) -> tuple[Label, ...]:
        """All labels that the factors bear, in order of appearance."""
        return tuple(dict.fromkeys([label for f in self.factors for label in factor_labels(f)]))

    @property
    def free(self) -> tuple[Label, ...]:
        bound = set(self.bound)
        return tuple([label for label in self.labels if label not in bound]) if bound else self.labels

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple([f for f in self.factors if isinstance(f, Entry)])

    def substitute(self, values: Mapping[Label, Form]) -> Product:
        """The product with free labels replaced; its bound labels become fresh ones."""
        if not values:
            return self.relabelled({}) if self.bound else self
        full = dict(values)
        bound = []
        for label in self.bound:
            assert label not in values, f"{label} is bound"
            renamed = label.fresh()
            bound.append(renamed)
            full[label] = bare(renamed)
        return product(self.coefficient, [substitute_factor(f, full) for f in self.factors], bound)

    def relabelled(self, free: Mapping[Label, Form]) -> Product:
        """The product in other labels, one for each, that it does not bear; the bound ones are fresh."""
        bound = [label.fresh() for label in self.bound]
        full = {**free, **{old: bare(new) for old, new in zip(self.bound, bound, strict=True)}}
        factors = tuple([substitute_factor(f, full) for f in self.factors])
        return Product(self.coefficient, factors, tuple(bound))

    def times(self, number: Number) -> Product:
        return Product(multiply_numbers(self.coefficient, number), self.factors, self.bound)


def substitute_factor(factor: Factor, values: Mapping[Label, Form]) -> Factor:
    """The factor with labels replaced by forms."""
    match factor:
        case Entry():
            array, forms, power = factor
            return Entry(array, tuple([form.substitute(values) for form in forms]), power)
        case Mask():
            array, forms, holds = factor
            return Mask(array, tuple([form.substitute(values) for form in forms]), holds)
        case Guard(form, op):
            return Guard(form.substitute(values), op)
        case Extent():
            return factor


def multiply_numbers(a: Number, b: Number) -> Number:
    """The product; exact unless one of them is a float."""
    if isinstance(a, float) or isinstance(b, float):
        return float(a) * float(b)
    return as_fraction(a * b)


def add_numbers(a: Number, b: Number) -> Number:
    """The sum; exact unless one of them is a float."""
    if isinstance(a, float) or isinstance(b, float):
        return float(a) + float(b)
    return as_fraction(a + b)


def power_of_number(base: Number, power: int | Fraction) -> Number | None:
    """`base**power` where it is exact or a float; None where it is neither (`2**(1/2)`)."""
    if isinstance(base, float):
        if base == 0 and power < 0:
            return None
        if base < 0 and isinstance(power, Fraction):
            return None
        return float(base ** float(power))
    if isinstance(power, Fraction) or (base == 0 and power < 0):
        return None
    return as_fraction(Fraction(base) ** power)


ZERO = Product(0)
ONE = Product(1)


def product(coefficient: Number, factors: Iterable[Factor], bound: Iterable[Label] = ()) -> Product:
    """The product of the factors, summed over `bound`.

    Equal entries merge into a power, equal sizes into one, a guard that is decided goes or makes the
    product zero; a bound label that no factor bears multiplies by its size.
    """
    merged: dict[tuple[object, ...], Factor] = {}
    for factor in factors:
        match factor:
            case Entry():
                array, forms, power = factor
                key: tuple[object, ...] = (array, forms)
                if array.symmetric:
                    key = (array, forms[:-2], frozenset(forms[-2:]))
                elif array.alike:
                    key = (array, _ways(array, forms))
                old = merged.get(key)
                if isinstance(old, Entry):
                    forms, power = old.forms, as_fraction(old.power + power)
                    if is_one_hot(array):
                        power = 1
                    factor = Entry(array, forms, power)
                if power == 0:
                    merged.pop(key, None)
                else:
                    merged[key] = factor
            case Guard(form, op):
                holds = decide(form, op)
                if holds is False:
                    return ZERO
                if holds is None:
                    merged[(form, op)] = factor
            case Mask(array, forms, holds):
                place = _ways(array, forms) if array.alike else forms
                if (array, place, not holds, "mask") in merged:
                    return ZERO
                merged.setdefault((array, place, holds, "mask"), factor)
            case Extent(size, power):
                coefficient = _merge_extent(merged, coefficient, size, power)
    if not _beside_zeros(merged):
        return ZERO
    kept = []
    bound = list(bound)
    if bound:
        _drop_summed_places(merged, bound)
        borne = {label for f in merged.values() for label in factor_labels(f)}
        for label in bound:
            if label in borne:
                kept.append(label)
            else:
                coefficient = _merge_extent(merged, coefficient, label.size, 1)
    if coefficient == 0 and not isinstance(coefficient, float):
        return ZERO
    return Product(coefficient, tuple(merged.values()), tuple(kept))


def _ways(array: Array, forms: tuple[Form, ...]) -> frozenset[tuple[Form, ...]]:
    """All ways to write one entry of an array that is the same in several orders of its axes."""
    return frozenset(tuple(forms[k] for k in order) for order in array.alike)


def _drop_summed_places(merged: dict[tuple[object, ...], Factor], bound: list[Label]) -> None:
    """`sum[j] [k[i] == j]` is 1 where nothing else bears j, as k holds places."""
    for key, factor in list(merged.items()):
        if isinstance(factor, Entry) and is_one_hot(factor.array):
            place = factor.forms[-1].label
            if place in bound and place is not None and place.size == factor.array.shape[-1]:
                others = (f for f in merged.values() if f is not factor)
                if not any(place in factor_labels(f) for f in others):
                    del merged[key]
                    bound.remove(place)


def _beside_zeros(merged: dict[tuple[object, ...], Factor]) -> bool:
    """Whether the entries of triangular arrays can all be beside their zeros; guards that say so go.

    [j - i - 1 >= 0]*L[i,j]   ->   0
    [i - j >= 0]*L[i,j]       ->   L[i,j]
    """
    inside = [
        f.forms[-2] - f.forms[-1] if f.array.zeros == "lower" else f.forms[-1] - f.forms[-2]
        for f in merged.values()
        if isinstance(f, Entry) and f.array.zeros in ("lower", "upper") and f.power > 0
    ]
    for k, one in enumerate(inside):
        if any(decide(one + other, ">=") is False for other in inside[k:]):
            return False
        for key, guard in list(merged.items()):
            if not isinstance(guard, Guard) or guard.op == "!=":
                continue
            if decide(guard.form + one, ">=") is False:
                return False
            if guard.op == "==":
                if decide(one - guard.form, ">=") is False:
                    return False
            elif decide(guard.form - one, ">=") and _harmless(merged.values()):
                del merged[key]
    return True


def _harmless(factors: Iterable[Factor]) -> bool:
    """Whether zero times the factors is zero where no guard keeps them from being read.

    Not so for what may be out of bounds there, or infinite: a computed entry, or one below the line.
    """
    return all(
        isinstance(f.array, Input)
        and f.power > 0
        and all(form.within(size) for form, size in zip(f.forms, f.array.shape, strict=True))
        for f in factors
        if isinstance(f, Entry)
    )


def is_one_hot(array: Array) -> bool:
    """Is it an array of zeros and ones, with a single one along the last axis?"""
    return isinstance(array, Definition) and isinstance(array.body, OneHot)


def whole_place(hot: Entry) -> Label | None:
    """The label that is the place in a one-hot entry, if it runs over the whole axis.

    In a part of the axis, a place from the end is another one, and some places are not there.
    """
    label = hot.forms[-1].label
    return label if label is not None and label.size == hot.array.shape[-1] else None


def _merge_extent(
    merged: dict[tuple[object, ...], Factor], coefficient: Number, size: AnySize, power: int | Fraction
) -> Number:
    if isinstance(size, int):
        folded = power_of_number(size, power)
        if folded is not None:
            return multiply_numbers(coefficient, folded)
    old = merged.get((size,))
    if isinstance(old, Extent):
        power = as_fraction(old.power + power)
    if power == 0:
        merged.pop((size,), None)
    else:
        merged[(size,)] = Extent(size, power)
    return coefficient


def decide(form: Form, op: str) -> bool | None:
    """Whether `form op 0` holds for all values of its labels (True), for none (False), or depends."""
    if not form.coefficients:
        c = form.constant
        if op == ">=":
            return True if nonnegative(c) else False if nonnegative(-c - 1) else None
        if c == 0:
            return op == "=="
        if nonnegative(c - 1) or nonnegative(-c - 1):
            return op == "!="
        return None
    bounds = form.bounds()
    if bounds is None:
        return None
    facts = tuple(one.size - 1 for one in form.labels if isinstance(one.size, Size))
    low, high = bounds
    if op == ">=":
        return True if nonnegative(low, facts) else False if nonnegative(-high - 1, facts) else None
    if nonnegative(low - 1, facts) or nonnegative(-high - 1, facts):
        return op == "!="
    return None


def counted(one: Product) -> Form | None:
    """The affine form that a product without numbers counts: `sum[k] [form - k >= 0]` is `form + 1`."""
    guards = [f for f in one.factors if isinstance(f, Guard)]
    if len(guards) != 1 or len(one.bound) != 1 or any(isinstance(f, Entry | Mask) for f in one.factors):
        return None
    (form, op), (k,) = guards[0], one.bound
    count = form + bare(k).plus(1)
    if op != ">=" or dict(form.coefficients).get(k) != -1 or not count.within(k.size + 1):
        return None
    return count


def multiply(a: Product, b: Product) -> Product:
    """`a*b`; the bound labels of `b` become fresh where they meet labels of `a`."""
    if b.bound and (set(b.bound) & set(a.labels)):
        b = b.substitute({})
    if a.bound and (set(a.bound) & set(b.labels)):
        a = a.substitute({})
    return product(multiply_numbers(a.coefficient, b.coefficient), a.factors + b.factors, a.bound + b.bound)


class Term(NamedTuple):
    """`array[axes] += product`, over all values of the labels of `axes` (see the module's docstring).

    Every form in `axes` is within its axis wherever the guards of the product hold. The bound labels of
    the product are in no axis; its free labels are all in `axes`.
    """

    axes: tuple[Form, ...]
    product: Product

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels of the axes, in order of appearance."""
        return tuple(dict.fromkeys([label for form in self.axes for label in form.labels]))

    def substitute(self, values: Mapping[Label, Form]) -> Term:
        return Term(tuple([f.substitute(values) for f in self.axes]), self.product.substitute(values))

    def fresh(self) -> Term:
        """The same term in labels of its own."""
        values = {label: bare(label.fresh()) for form in self.axes for label in form.labels}
        axes = tuple([form.substitute(values) for form in self.axes])
        return Term(axes, self.product.relabelled(values))


# ---------------------------------------------------------------------------------------------- bodies


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A sum of terms; where no term writes, the value is 0."""

    terms: tuple[Term, ...]


Operand = Entry | int | Fraction | float


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """`array[axes] = function(operands)`, elementwise; the axes are bare and distinct labels.

    Operands are entries of power 1 whose labels are all among the axes, or numbers. `function` is a
    name in the table of rules.
    """

    function: str
    axes: tuple[Label, ...]
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reduce:
    """`array[axes] = op over bound of entry`, where the guards hold; op: `prod max min logsumexp`.

    Over nothing `prod` is 1; the others have at least one value (checked at call time).
    """

    op: str
    axes: tuple[Label, ...]
    bound: tuple[Label, ...]
    entry: Entry
    guards: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Operate:
    """`array[batch, axes] = operation(operands)`, an operation with a stated rule (`op` of the table).

    Each operand is an entry of power 1 with bare, distinct labels: the batch labels first, then those of
    the operation's own axes, which are `bound` (the operation reads all of them). `axes` are batch
    labels and then fresh labels for the operation's own result axes. One that `keeps_symmetry` gives a
    symmetric matrix for a symmetric one.
    """

    operation: str
    axes: tuple[Label, ...]
    operands: tuple[Entry, ...]
    bound: tuple[Label, ...]
    parameters: tuple[tuple[str, object], ...] = field(default=())
    keeps_symmetry: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class OneHot:
    """`array[axes] = [entry == place]`, 1 or 0, the place being the last of the axes.

    The entry holds whole numbers from 0 to below the size of the place, or negative ones that count from
    its end, and has the labels of the other axes. A gather is a sum over the place, `x[index[i]] = sum[j]
    x[j]*[index[i] == j]`, so that forms stay affine; its derivative scatters.
    """

    axes: tuple[Label, ...]
    entry: Entry


Body = Sum | Call | Reduce | Operate | OneHot


def body_arrays(body: Body) -> tuple[Array, ...]:
    """The arrays that a body reads, in order, each once."""
    found: dict[Array, None] = {}
    match body:
        case Sum(terms):
            for term in terms:
                for factor in term.product.factors:
                    if isinstance(factor, Entry | Mask):
                        found[factor.array] = None
        case Call(_, _, operands):
            for operand in operands:
                if isinstance(operand, Entry):
                    found[operand.array] = None
        case Reduce() | OneHot():
            found[body.entry.array] = None
        case Operate():
            for entry in body.operands:
                found[entry.array] = None
    return tuple(found)


def body_axes(body: Body) -> tuple[Form, ...]:
    """The left side: of a sum, that of its first term."""
    if isinstance(body, Sum):
        return body.terms[0].axes if body.terms else ()
    return tuple(bare(label) for label in body.axes)
