"""Derivatives contracted with vectors or with themselves, as terms: none of them builds the derivative.

Products with vectors cost a few evaluations of the program: A. Griewank and A. Walther, Evaluating
Derivatives (2008), section 4. The diagonal and the trace of a Hessian are read off its terms, by the
delta that ties the two axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from einsumdiff.canonical import collect
from einsumdiff.differentiate import Jacobian, directional, entry_term, weighted, whole
from einsumdiff.errors import ValueFault
from einsumdiff.nodes import Array, Definition, Entry, Factor, Input, Product, Sum, Term, product
from einsumdiff.program import Builder, Program
from einsumdiff.sizes import AnySize, names
from einsumdiff.solve import join
from einsumdiff.terms import simplified


@dataclass(frozen=True, slots=True)
class Part:
    """One array that comes out: its key where there may be several, its name, its terms and their shape."""

    key: str | tuple[str, ...] | None
    name: str
    terms: tuple[Term, ...]
    shape: tuple[AnySize, ...]


@dataclass(frozen=True, slots=True)
class Contraction:
    """What is computed, of which program; `vectors` gives the further input for each wrt or output."""

    program: Program
    parts: tuple[Part, ...]
    vectors: Mapping[str, Input]


def along(program: Program, before: Sequence[Jacobian] | None, wrt: Sequence[Array]) -> Contraction:
    """The sum over the wrt of `d(output)/d(wrt) @ d<wrt>`; of each derivative in `before` where there are."""
    program, vectors = _with_vectors(program, wrt)
    of = [whole(program)] if before is None else before
    found = directional(program, of, {x: vectors[x.name] for x in wrt})
    if before is None:
        found = [_opened(terms) for terms in found]
    return Contraction(program, _parts(program, of, found), vectors)


def _opened(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The terms of a generated array in place of a copy of it: nothing else reads it."""
    if len(terms) != 1 or len(terms[0].product.factors) != 1:
        return terms
    (only,), one = terms[0].product.factors, terms[0].product
    if not isinstance(only, Entry) or only.forms != terms[0].axes or one != Product(1, (only,)):
        return terms
    array, labels = only.array, [form.label for form in only.forms if form.coefficients]
    covered = [label.size for label in labels if label is not None] == [s for s in array.shape if s != 1]
    if not covered or len(set(labels)) < len(labels) or not isinstance(array, Definition) or array.named:
        return terms
    return array.body.terms if isinstance(array.body, Sum) else terms


def applied(program: Program, jacobians: Sequence[Jacobian]) -> Contraction:
    """The same from the terms of the derivatives: there is no program to go back to."""
    wrt = list(dict.fromkeys(one.wrt[-1] for one in jacobians))
    program, vectors = _with_vectors(program, wrt)
    of: dict[tuple[Array, ...], Jacobian] = {}
    terms: dict[tuple[Array, ...], list[Term]] = {}
    for one in jacobians:
        key, kept = one.wrt[:-1], _kept(one)
        of.setdefault(key, replace(one, wrt=key, terms=(), shape=tuple(one.shape[k] for k in kept)))
        terms.setdefault(key, []).extend(_times(one, one.axes[-1], vectors[one.wrt[-1].name], kept))
    found = [_simplified(program, terms[key]) for key in of]
    return Contraction(program, _parts(program, list(of.values()), found), vectors)


def weighed(program: Program, jacobians: Sequence[Jacobian], text_only: bool) -> Contraction:
    """`d<output> @ d(output)/d(wrt)` for each wrt: the gradient of the output weighted by an array.

    With `text_only` from the terms of the derivatives, as above.
    """
    output, wrt = program.output, [one.wrt[0] for one in jacobians]
    program, vectors = _with_vectors(program, [output])
    vector = vectors[output.name]
    if text_only:
        found = [_simplified(program, _times(one, one.axes[0], vector, one.axes[1])) for one in jacobians]
    else:
        found = weighted(program, vector, wrt)
    parts = [
        Part(x.name, _free(f"d{x.name}", program), terms, x.shape)
        for x, terms in zip(wrt, found, strict=True)
    ]
    return Contraction(program, tuple(parts), vectors)


def diagonals(program: Program, seconds: Sequence[Jacobian]) -> Contraction:
    """The diagonals of second derivatives, over the axes of the output and of the wrt."""
    program = replace(program, builder=program.builder.copy())
    parts = []
    for one in seconds:
        x, kept = one.wrt[-1], _kept(one)
        terms = (_narrowed(t, program.builder) for term in one.terms for t in _tied(term, one, kept))
        shape = tuple(one.shape[k] for k in kept)
        name = _free(f"diagonal_{one.output.name}_{x.name}", program)
        parts.append(Part(x.name, name, _simplified(program, terms), shape))
    return Contraction(program, tuple(parts), {})


def laplacian(program: Program, seconds: Sequence[Jacobian]) -> Contraction:
    """The sum of the traces of second derivatives, for every entry of the output."""
    program = replace(program, builder=program.builder.copy())
    output = program.output
    kept = range(len(output.shape))
    tied = (t for one in seconds for term in one.terms for t in _tied(term, one, kept))
    terms = (_narrowed(t, program.builder) for t in tied)
    name = _free(f"laplacian_{output.name}", program)
    part = Part(None, name, _simplified(program, terms), seconds[0].shape[: len(kept)])
    return Contraction(program, (part,), {})


def _narrowed(term: Term, builder: Builder) -> Term:
    """An entry that takes a diagonal of a generated array reads an array of that diagonal instead.

    A[i,i],  A[i,j] = B[i,k]*C[k,j]   ->   a[i],  a[i] = B[i,k]*C[k,i]
    """
    factors = [_diagonal(f, builder) for f in term.product.factors]
    if all(new is old for new, old in zip(factors, term.product.factors, strict=True)):
        return term
    one = term.product
    return Term(term.axes, product(one.coefficient, factors, one.bound))


def _diagonal(factor: Factor, builder: Builder) -> Factor:
    if not isinstance(factor, Entry):
        return factor
    array, forms, power = factor
    if not isinstance(array, Definition) or array.named or not isinstance(array.body, Sum):
        return factor
    first = [forms.index(form) if form.coefficients else k for k, form in enumerate(forms)]
    kept = [k for k, at in enumerate(first) if at == k]
    apart = [(k, at) for k, at in enumerate(first) if at != k]
    fits = all(array.shape[k] == array.shape[at] for k, at in apart)
    if not apart or not fits:
        return factor
    terms = []
    for t in array.body.terms:
        t = t.fresh()
        equalities = [t.axes[k] - t.axes[at] for k, at in apart]
        axes = tuple(t.axes[k] for k in kept)
        core = t.product
        terms += join(axes, core.coefficient, core.factors, equalities, (*t.labels, *core.bound))
    body = Sum(tuple(collect(_narrowed(t, builder) for t in terms)))
    narrow = builder.define_body(body, tuple(array.shape[k] for k in kept))
    return Entry(narrow, tuple(forms[k] for k in kept), power)


def _kept(one: Jacobian) -> list[int]:
    """The places of all axes but those of the last wrt."""
    before = {place for places in one.axes[:-1] for place in places}
    return [place for place in range(len(one.shape)) if place in before]


def _tied(term: Term, second: Jacobian, kept: Iterable[int]) -> list[Term]:
    """The term where the axes of the last two wrt are equal; an axis that is not kept is summed."""
    pairs = zip(second.axes[-2], second.axes[-1], strict=True)
    equalities = [term.axes[a] - term.axes[b] for a, b in pairs if a != b]
    axes = tuple(term.axes[k] for k in kept)
    one = term.product
    return join(axes, one.coefficient, one.factors, equalities, (*term.labels, *one.bound))


def _times(one: Jacobian, over: Sequence[int], vector: Array, kept: Sequence[int]) -> Iterator[Term]:
    """The terms times an array whose axes are those at the places `over`; what is not kept is summed."""
    for term in one.terms:
        entry, core = entry_term(vector), term.product
        equalities = [term.axes[k] - form for k, form in zip(over, entry.axes, strict=True)]
        factors = (*core.factors, *entry.product.factors)
        labels = (*term.labels, *core.bound, *entry.labels)
        yield from join(tuple(term.axes[k] for k in kept), core.coefficient, factors, equalities, labels)


def _simplified(program: Program, terms: Iterable[Term]) -> tuple[Term, ...]:
    return tuple(collect(s for t in terms for s in simplified(t.fresh(), program.builder)))


def _parts(
    program: Program, before: Sequence[Jacobian], found: Sequence[tuple[Term, ...]]
) -> tuple[Part, ...]:
    parts = []
    for one, terms in zip(before, found, strict=True):
        own = tuple(x.name for x in one.wrt)
        name = "_".join([f"d{one.output.name}", *(f"d{name}" for name in own)])
        key = own[0] if len(own) == 1 else own or None
        parts.append(Part(key, _free(name, program), terms, one.shape))
    return tuple(parts)


def _with_vectors(program: Program, of: Sequence[Array]) -> tuple[Program, dict[str, Input]]:
    """The program, with a builder of its own, and an input `d<name>` of the shape of each of these arrays."""
    program = replace(program, builder=program.builder.copy())
    vectors = {}
    for x in of:
        vectors[x.name] = one = Input(_free(f"d{x.name}", program), x.shape)
        arrays = {**program.arrays, one.name: one}
        program = replace(program, inputs=(*program.inputs, one), arrays=arrays)
    return program, vectors


def _free(name: str, program: Program) -> str:
    """The name, or with underscores if the program uses it."""
    sizes = (name for one in program.inputs for size in one.shape for name in names(size))
    used = {*program.builder.taken, *program.arrays, *(one.name for one in program.inputs), *sizes}
    while name in used:
        name += "_"
    return name


def scalar(program: Program, batch: Sequence[str], what: str, otherwise: Callable[[], str]) -> None:
    """Raise ValueFault unless the output is a number, for each element of a batch."""
    if any(str(size) not in batch for size in program.output.shape):
        raise ValueFault(f"{what} is of a scalar, and {program.output.name} has axes", None, otherwise())
