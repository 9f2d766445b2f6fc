"""Ranges of indices in text: what is printed must give every letter the range that it has.

The language takes ranges from accesses: `x[k]` gives the whole axis, `x[k+1]` all k that are in bounds.
A term is brought into a form that says so; what then is left is said by a factor `ones(n)[k]`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence, Set
from typing import NamedTuple

from einsumdiff.nodes import (
    Array,
    Call,
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
)
from einsumdiff.sizes import AnySize, nonnegative, substitute


class Tie(NamedTuple):
    """`delta[place, form]`, where `place` is an index of that size."""

    size: AnySize
    form: Form


def cut_by(label: Label, ties: Iterable[Tie]) -> bool:
    """Whether some tie holds for no value of the label beyond its range: `j` in `delta[i, j+1]`."""
    for size, form in ties:
        terms = dict(form.coefficients)
        c = terms.pop(label, 0)
        if c == 0 or not all(nonnegative(other) for other in (c, *terms.values())):
            continue
        if nonnegative(c * label.size + form.constant - size):
            return True
    return False


def widened(term: Term, shape: Sequence[AnySize]) -> Term:
    """A label that stands for a part of an axis stands for all of it, where another axis cuts it.

    (i, i+1) with i < n-1 on axes of size n  ->  i < n: the second axis has no place for i = n-1
    """
    values: dict[Label, Form] = {}
    for k, (form, size) in enumerate(zip(term.axes, shape, strict=True)):
        label = form.label
        if label is None or label in values or label.size == size or not nonnegative(size - label.size):
            continue
        others = [Tie(s, f) for n, (f, s) in enumerate(zip(term.axes, shape, strict=True)) if n != k]
        if cut_by(label, others) and all(
            (access.label is label and length == size) or label not in access.labels
            for access, length in _accesses(term.product)
        ):
            values[label] = bare(Label(size, label.name))
    return term.substitute(values) if values else term


def _accesses(product: Product) -> list[tuple[Form, AnySize]]:
    return [
        access
        for f in product.factors
        if isinstance(f, Entry | Mask)
        for access in zip(f.forms, f.array.shape, strict=True)
    ]


def spelled_in_bounds(product: Product) -> Product:
    """An access that only a guard keeps in bounds goes through a delta instead.

    [i - k >= 0] * w[i-k]  ->  delta[i, k+p] * w[p]
    """
    guards = [f for f in product.factors if isinstance(f, Guard)]
    if not guards:
        return product
    factors: list[Factor] = []
    bound = list(product.bound)
    spoken: set[Form] = set()
    for f in product.factors:
        if not isinstance(f, Entry | Mask):
            continue
        forms = []
        for form, size in zip(f.forms, f.array.shape, strict=True):
            if form.within(size):
                forms.append(form)
                continue
            p = Label(size)
            bound.append(p)
            factors.append(Guard(form - bare(p), "=="))
            spoken |= {form, form.times(-1).plus(size - 1)}
            forms.append(bare(p))
        factors.append(f._replace(forms=tuple(forms)))
    if not spoken:
        return product
    kept = [f for f in product.factors if not isinstance(f, Entry | Mask)]
    kept = [f for f in kept if not (isinstance(f, Guard) and f.op == ">=" and f.form in spoken)]
    return Product(product.coefficient, (*factors, *kept), tuple(bound))


def compared(product: Product) -> set[Label]:
    """The labels in inequalities."""
    forms = [f.form for f in product.factors if isinstance(f, Guard) and f.op == ">="]
    return {label for form in forms for label in form.labels}


def agreeing(product: Product, declared: Container[Label]) -> Product:
    """Plain accesses that would give an index another range than it has go through a delta.

    a[j] * x[j] with j < n-1, a of size n-1, x of size n  ->  a[j] * delta[j+1, p+1] * x[p]

    `declared` are labels whose range is said elsewhere; so is that of labels in an inequality.
    """
    accesses = _accesses(product)
    if all(form.label is None or form.label.size == size for form, size in accesses):
        return product
    ordered = compared(product)
    own = {form.label for form, size in accesses if form.label is not None and form.label.size == size}
    first: dict[Label, AnySize] = {}  # of labels that count fewer entries than any array has
    factors: list[Factor] = []
    ties: list[Factor] = []
    bound = list(product.bound)
    for f in product.factors:
        if not isinstance(f, Entry | Mask):
            factors.append(f)
            continue
        forms = []
        for form, size in zip(f.forms, f.array.shape, strict=True):
            label = form.label
            said = label in own or label in declared or label in ordered
            if label is not None and label.size != size and (said or first.setdefault(label, size) != size):
                p = Label(size)
                bound.append(p)
                ties.append(Guard(form - bare(p), "=="))
                form = bare(p)
            forms.append(form)
        factors.append(f._replace(forms=tuple(forms)))
    return Product(product.coefficient, (*ties, *factors), tuple(bound)) if ties else product


def fitting(terms: Iterable[Term]) -> set[int]:
    """The axes whose index gets its range from a shifted access in some term: `x[i+1]`.

    A plain access says the range of its index itself, and so does an inequality.
    """
    found: set[int] = set()
    said: set[int] = set()
    for term in terms:
        known = compared(term.product)
        known |= {
            f.label for f, size in _accesses(term.product) if f.label is not None and f.label.size == size
        }
        said |= {k for k, form in enumerate(term.axes) if form.label in known}
        for access, size in _accesses(term.product):
            if access.label is None and len(access.coefficients) == 1:
                label = access.labels[0]
                if _room(access, size) == label.size:
                    found |= {k for k, form in enumerate(term.axes) if form.label is label}
    return found - said


class Accesses:
    """The accesses of a product that is written, in its letters."""

    def __init__(self) -> None:
        self._found: list[tuple[Form, AnySize]] = []
        self._inner: set[Label] = set()  # in what stands in place, which may shift them

    def within(self, forms: Sequence[Form]) -> None:
        self._inner.update(label for form in forms for label in form.labels)

    def add(self, forms: Sequence[Form], shape: Sequence[AnySize]) -> None:
        self._found += zip(forms, shape, strict=True)

    def plain(self) -> set[Label]:
        """The labels that have a plain access over the whole of an axis."""
        return {
            form.label for form, size in self._found if form.label is not None and form.label.size == size
        }

    def own(self, label: Label) -> bool:
        """Whether plain accesses give the letter the range that it has."""
        plain = [size for form, size in self._found if form.label is label]
        return bool(plain) and all(size == label.size for size in plain)

    def range_factor(self, label: Label, ties: Sequence[Tie]) -> tuple[AnySize, Form] | None:
        """The size and the index of the `ones(size)[index]` that gives a letter its range, if one must."""
        plain = [size for form, size in self._found if form.label is label]
        shifted = [(f, s) for f, s in self._found if f.label is None and label in f.labels]
        alone = [(f, s) for f, s in shifted if len(f.coefficients) == 1]
        if not shifted:
            if plain and all(size == label.size for size in plain):
                return None
            if not plain and label not in self._inner:
                return label.size, bare(label)
        elif plain and all(size == label.size for size in plain):
            return None
        elif not plain and not alone and label not in self._inner:
            return label.size, bare(label)
        else:
            bounds = [*plain, *(_room(f, s) for f, s in alone)]
            exact = any(size == label.size for size in bounds)
            if exact and all(size is not None and nonnegative(size - label.size) for size in bounds):
                return None
        if (plain or alone) and cut_by(label, ties):  # a tie alone gives no range
            return None
        return label.size + 1, bare(label).plus(1)


def _room(form: Form, size: AnySize) -> AnySize | None:
    """For how many values `c*k + b` is within an axis of that size."""
    ((_, c),) = form.coefficients
    if c == 1:
        return size - form.constant
    if isinstance(c, int) and c > 0:
        numerator = size - form.constant - 1
        return substitute(numerator, {}) // c + 1
    return None


def said(definition: Definition, inline: Set[Array]) -> list[bool]:
    """For each axis, whether a plain access in what is written gives its index the whole range.

    What stands in place is gone into. A shifted access may make a range shorter: it says nothing.
    """
    body, shape = definition.body, definition.shape
    if not shape:
        return []
    match body:
        case Sum(terms):
            found = [False] * len(shape)
            for term in terms:
                given = given_by(term.product.entries, inline)
                if given is None:
                    return [False] * len(shape)
                for k, (form, size) in enumerate(zip(term.axes, shape, strict=True)):
                    label = form.label
                    found[k] |= label is not None and label in given and label.size == size
            return found
        case Call(_, axes, operands):
            given = given_by([o for o in operands if isinstance(o, Entry)], inline)
            return [given is not None and label in given for label in axes]
        case Reduce(axes=axes, entry=entry):
            given = given_by([entry], inline)
            return [given is not None and label in given for label in axes]
        case _:
            return [size != 1 for size in shape]


def given_by(entries: Iterable[Entry], inline: Set[Array]) -> set[Label] | None:
    """The labels that plain accesses give their range; None where an access is shifted."""
    found: set[Label] = set()
    for f in entries:
        plain = [True] * len(f.forms)
        if f.array in inline and isinstance(f.array, Definition):
            plain = said(f.array, inline)
        for form, size, says in zip(f.forms, f.array.shape, plain, strict=True):
            if form.label is None and form.coefficients:
                return None
            if says and form.label is not None and form.label.size == size:
                found.add(form.label)
    return found
