"""What a function needs of its arguments: the sizes, reductions, places and divisors in what it computes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from einsumdiff.arguments import Arguments, Emptiness, Place
from einsumdiff.nodes import (
    Array,
    Body,
    Call,
    Definition,
    Entry,
    Extent,
    Factor,
    Guard,
    Input,
    Label,
    Mask,
    OneHot,
    Operate,
    Product,
    Reduce,
    Sum,
    Term,
    factor_labels,
)
from einsumdiff.program import live
from einsumdiff.sizes import AnySize, Size, names, symbol


def arguments(
    inputs: tuple[Input, ...],
    wrt: Iterable[Array],
    terms: Iterable[Term],
    roots: Iterable[Array],
    shapes: Iterable[tuple[str, tuple[AnySize, ...]]],
    output: Array | None = None,
    origins: Mapping[str, str] | None = None,
) -> Arguments:
    """The checks for a function that computes these terms and definitions.

    Parameters
    ----------
    roots : definitions that are computed, with all that they need.
    shapes : the shapes of what is returned, with their names.
    output : what the program defines; the places that it reads must be there, if a term reads them or not.
    """
    terms = list(terms)
    needed = live([*roots, *(a for t in terms for a in _product_arrays(t.product))])
    read: dict[Array, None] = {a: None for t in terms for a in _product_arrays(t.product)}
    read.update((a, None) for a in roots)
    sizes: dict[AnySize, str] = {}
    for what, shape in shapes:
        for axis, size in enumerate(shape):
            sizes.setdefault(size, f"axis {axis} of {what}")
    for term in terms:
        _term_sizes(term, sizes)
    reductions = []
    indices: dict[tuple[str, AnySize], None] = {}
    for definition in needed:
        read.update((a, None) for a in definition.reads)
        for axis, size in enumerate(definition.shape):
            sizes.setdefault(size, f"axis {axis} of {definition.name}" if definition.name else "an axis")
        if isinstance(definition.body, OneHot) and isinstance(definition.body.entry.array, Input):
            indices[definition.body.entry.array.name, definition.shape[-1]] = None
        reduction = _body_sizes(definition.body, sizes)
        if reduction is not None:
            reductions.append(reduction)
    sized = dict.fromkeys(name for size in sizes for name in names(size))
    defined = dict.fromkeys([*needed, *(live([output]) if output is not None else [])])
    every = [*terms, *(t for d in defined if isinstance(d.body, Sum) for t in d.body.terms)]
    places = dict.fromkeys(
        [
            *(p for t in every for p in _product_places(t.product)),
            *(p for d in defined for p in _places(d.body)),
        ]
    )
    divisors = dict.fromkeys(size for t in every for f in t.product.factors for size in _divisor(f))
    names_read = frozenset(a.name for a in read if isinstance(a, Input))
    plain = {symbol(name) for name in sized}
    return Arguments(
        inputs,
        frozenset(a.name for a in wrt if isinstance(a, Input)),
        names_read,
        tuple(sized),
        tuple((s, what) for s, what in sizes.items() if not isinstance(s, int) and s not in plain),
        tuple(reductions),
        tuple(indices),
        tuple(places),
        tuple(divisors),
        origins or {},
    )


def _divisor(factor: Factor) -> Iterator[AnySize]:
    """The size that a factor divides by: `n`, or `n - 1` where that is a definition of its own."""
    match factor:
        case Extent(size, power) if power < 0:
            yield size
        case Entry(Definition(body=Sum(terms)), (), power) if power < 0:
            total: AnySize = 0
            for term in terms:
                part = term.product.coefficient
                if not isinstance(part, int) or term.product.bound:
                    return
                whole: AnySize = part
                for f in term.product.factors:
                    if not isinstance(f, Extent) or not isinstance(f.power, int) or f.power < 0:
                        return
                    for _ in range(f.power):
                        whole = whole * f.size
                total = total + whole
            yield total


def _product_places(product: Product) -> Iterator[Place]:
    """The places that a product reads by number; a condition may keep it from reading them."""
    if not any(isinstance(f, Guard | Mask) for f in product.factors):
        for entry in product.entries:
            yield from _entry_places(entry)


def _places(body: Body) -> Iterator[Place]:
    match body:
        case Call(_, _, operands) | Operate(_, _, operands, _, _):
            for operand in operands:
                if isinstance(operand, Entry):
                    yield from _entry_places(operand)
        case Reduce(_, _, _, entry, guards) if not guards:
            yield from _entry_places(entry)


def _entry_places(entry: Entry) -> Iterator[Place]:
    for axis, (form, size) in enumerate(zip(entry.forms, entry.array.shape, strict=True)):
        if not form.coefficients and isinstance(size, Size):
            yield Place(form.constant, entry.array.name, axis, size)


def _product_arrays(product: Product) -> list[Array]:
    return [f.array for f in product.factors if isinstance(f, Entry | Mask)]


def _label_sizes(labels: Iterable[Label], sizes: dict[AnySize, str]) -> None:
    for label in labels:
        if label.size not in sizes:
            sizes[label.size] = f"the range of {label.name}" if label.name else "a range"


def _term_sizes(term: Term, sizes: dict[AnySize, str]) -> None:
    for f in term.product.factors:
        _label_sizes(factor_labels(f), sizes)
        if isinstance(f, Extent):
            for name in names(f.size):
                sizes.setdefault(symbol(name), "")
    _label_sizes(term.labels, sizes)
    for form in term.axes:
        for name in names(form.constant):
            sizes.setdefault(symbol(name), "")


def _body_sizes(body: Body, sizes: dict[AnySize, str]) -> Emptiness | None:
    match body:
        case Sum(terms):
            for term in terms:
                _term_sizes(term, sizes)
        case Call(_, axes, _):
            _label_sizes(axes, sizes)
        case Reduce(op, axes, bound, _, _):
            _label_sizes((*axes, *bound), sizes)
            if op != "prod":
                return Emptiness(op, tuple(b.size for b in bound))
        case OneHot(axes, _):
            _label_sizes(axes, sizes)
        case Operate(_, axes, _, bound, _):
            _label_sizes((*axes, *bound), sizes)
    return None
