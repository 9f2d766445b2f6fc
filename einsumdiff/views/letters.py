"""Names for what has none: letters for indices, names for definitions, and which of these stand in place."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from fractions import Fraction

from einsumdiff.nodes import (
    Array,
    Body,
    Call,
    Definition,
    Entry,
    Form,
    Label,
    Mask,
    OneHot,
    Operate,
    Product,
    Reduce,
    Sum,
    bare,
    body_axes,
    constant_form,
    factor_labels,
)
from einsumdiff.sizes import AnySize

INDICES = "ijklmnpqrstuvwabcfgh"
WRT = "mnpqrstuvwabcfghijkl"
DEFINITIONS = "vwzutsrghabcfpq"

SHORT = 48
"""A definition that is used once stands in place up to about this many characters."""
TINY = 16
"""One that is used more often, up to this many."""


class Used:
    """Names that are taken: those of a page, which its statements share, and those of one statement.

    A copy costs what the statement has taken, however long the page is.
    """

    __slots__ = ("_numbers", "_own", "_page")

    def __init__(self, page: Set[str] = frozenset(), own: Iterable[str] = ()) -> None:
        self._page, self._own = page, set(own)
        self._numbers: dict[str, int] = {}  # for each hint the first number that may be free

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._page

    def add(self, name: str) -> None:
        self._own.add(name)

    def add_all(self, other: Used) -> None:
        """What another statement of the same page has taken."""
        self._own |= other._own

    def copy(self) -> Used:
        return Used(self._page, self._own)

    def numbered(self, hint: str) -> Iterator[str]:
        """`v1, v2, ...` without those that are taken."""
        k = self._numbers.get(hint, 1)
        while f"{hint}{k}" in self:
            k += 1
        self._numbers[hint] = k
        yield from (name for n in itertools.count(k) if (name := f"{hint}{n}") not in self)


def choose(wanted: str | None, pool: str, used: Used, may: Callable[[str], bool] = lambda name: True) -> str:
    """The wanted letter if it is free, else the first free one of the pool, then `i1, i2, ...`.

    `may`: what else has to hold of it.
    """
    if wanted is None or wanted in used or not may(wanted):
        free = (letter for letter in pool if letter not in used)
        wanted = next(name for name in itertools.chain(free, used.numbered(pool[0])) if may(name))
    used.add(wanted)
    return wanted


def place_axes(
    wanted: Iterable[str | None], shape: Sequence[AnySize], pool: str, used: Used
) -> tuple[Form, ...]:
    """A letter for each axis of an array that is written out: a bare form of a named label."""
    return tuple(
        bare(Label(size, choose(name, pool, used))) for name, size in zip(wanted, shape, strict=True)
    )


def wanted_letters(definition: Definition) -> list[str | None]:
    """The letters that the user gave to the axes of a definition."""
    forms = body_axes(definition.body) or (constant_form(0),) * len(definition.shape)
    names: list[str | None] = []
    for form in forms:
        label = form.label
        name = label.name if label is not None else None
        names.append(name if name not in names else None)
    return names


def bodies_letters(definitions: Iterable[Definition]) -> Iterator[str]:
    """All letters that a person gave in the bodies of definitions."""
    for definition in definitions:
        match definition.body:
            case Sum(terms):
                for term in terms:
                    for label in (*term.labels, *term.product.bound):
                        if label.name:
                            yield label.name
            case Call(_, axes, _):
                yield from (label.name for label in axes if label.name)
            case OneHot(axes, _):
                yield from (label.name for label in axes if label.name)
            case Reduce(_, axes, bound, _, _) | Operate(_, axes, _, bound, _):
                yield from (label.name for label in (*axes, *bound) if label.name)


# ------------------------------------------------------------------------------- what stands in place


def _repeats(body: Body) -> bool:
    """Whether the value repeats along an axis that no factor bears, or the left side is not plain."""
    if not isinstance(body, Sum):
        return False
    borne: set[Label] = set()
    for term in body.terms:
        for f in term.product.factors:
            borne.update(factor_labels(f))
    return any(
        (form.label is None and bool(form.coefficients)) or any(b not in borne for b in form.labels)
        for term in body.terms
        for form in term.axes
    )


def _everywhere(entry: Entry | Mask) -> bool:
    """Whether an entry reads each place of its array once: bare labels, all different."""
    labels = [form.label for form, size in zip(entry.forms, entry.array.shape, strict=True) if size != 1]
    sizes = [size for size in entry.array.shape if size != 1]
    if len(set(labels)) < len(labels):
        return False
    return all(label is not None and label.size == size for label, size in zip(labels, sizes, strict=True))


def _uses(definitions: Sequence[Definition], products: Iterable[Product]) -> dict[Array, list[str]]:
    """How each array is read: `factor`, `power`, `operand`, `copy`, or `whole` where no text in its
    place would be the same array: all of it, or on a diagonal or a part of its axes."""
    found: dict[Array, list[str]] = {}

    def add(entry: Entry | Mask, kind: str) -> None:
        found.setdefault(entry.array, []).append(kind if _everywhere(entry) else "whole")

    def of_product(product: Product) -> None:
        only = len(product.factors) == 1
        bound = set(product.bound)
        for f in product.factors:
            if isinstance(f, Entry):
                kind = "power" if f.power != 1 else "copy" if only else "factor"
                if kind == "factor" and any(label in bound for label in factor_labels(f)):
                    others = {b for other in product.factors if other is not f for b in factor_labels(other)}
                    alone = [b for b in factor_labels(f) if b in bound and b not in others]
                    kind = "summed" if alone else kind
                add(f, kind)
            elif isinstance(f, Mask):
                add(f, "operand")

    for product in products:
        of_product(product)
    for definition in definitions:
        match definition.body:
            case Sum(terms):
                for term in terms:
                    of_product(term.product)
            case Call(_, _, operands):
                for o in operands:
                    if isinstance(o, Entry):
                        add(o, "operand")
            case Reduce(entry=entry) | OneHot(entry=entry):
                add(entry, "operand")
            case Operate(operands=entries):
                for entry in entries:
                    add(entry, "whole")
    return found


def in_place(
    definitions: Sequence[Definition], products: Sequence[Product], kept: Iterable[Array] = ()
) -> set[Array]:
    """The definitions that are written where they are read, instead of on a line of their own.

    A definition that the user named keeps its line, and so do the arrays in `kept`. A single product
    stands in place only inside a function: anywhere else it would merge with the product around it
    when the text is read again. So would a sum of which the product takes nothing but its sum.
    """
    kept = set(kept)
    uses = _uses(definitions, products)
    cost: dict[Array, int] = {}
    found = _twins(definitions, uses)
    for definition in definitions:
        length = _length(definition.body, cost)
        ways = uses.get(definition, [])
        limit = SHORT if len(ways) == 1 else TINY
        if isinstance(definition.body, OneHot) and definition not in kept:
            found.add(definition)
            cost[definition] = length
            continue
        if definition.named or definition in kept or length > limit or "whole" in ways:
            continue
        if _repeats(definition.body) or (isinstance(definition.body, Operate) and len(ways) != 1):
            continue
        if isinstance(definition.body, Sum):
            many = len(definition.body.terms) > 1
            if not definition.body.terms or "copy" in ways or "summed" in ways:
                continue
            if not many and any(way != "operand" for way in ways):
                continue
        found.add(definition)
        cost[definition] = length
    return found


def _twins(definitions: Sequence[Definition], uses: dict[Array, list[str]]) -> set[Array]:
    """Definitions that another one of the same name only copies: they stand in that one's line."""
    found: set[Array] = set()
    for definition in definitions:
        body = definition.body
        if isinstance(body, Sum) and len(body.terms) == 1 and len(body.terms[0].product.factors) == 1:
            only = body.terms[0].product.factors[0]
            if not isinstance(only, Entry) or not isinstance(only.array, Definition):
                continue
            named_alike = only.array.name == definition.name and only.forms == body.terms[0].axes
            if named_alike and uses.get(only.array) == ["copy"]:
                found.add(only.array)
    return found


def _length(body: Body, cost: dict[Array, int]) -> int:
    """About how many characters the body takes; `cost` has those of what stands in place in it."""

    def of(array: Array, rank: int) -> int:
        return cost.get(array, len(array.name or "v") + 2 * rank + (rank > 0))

    match body:
        case Sum(terms):
            total = 0
            for term in terms:
                p = term.product
                total += 3 if total else 0
                total += 0 if p.coefficient in (1, -1) else len(str(p.coefficient)) + 1
                for f in p.factors:
                    match f:
                        case Entry(array, forms, power):
                            total += of(array, len(forms)) + 1
                            total += 0 if power == 1 else 6 if isinstance(power, Fraction) else 3
                        case Mask(array, forms):
                            total += of(array, len(forms)) + 10
                        case _:
                            total += 12
            return total
        case Call(function, _, operands):
            total = len(function) + 2
            for operand in operands:
                total += of(operand.array, len(operand.forms)) if isinstance(operand, Entry) else 3
            return total
        case Reduce(op, _, bound, entry, guards):
            return len(op) + 4 + 2 * len(bound) + of(entry.array, len(entry.forms)) + 12 * len(guards)
        case OneHot(_, entry):
            return 10 + of(entry.array, len(entry.forms))
        case Operate(operation=operation, operands=entries):
            return len(operation) + 2 + sum(of(entry.array, 0) for entry in entries)
