"""Sums of smaller arrays that are multiplied out wherever they are read, and never formed: Gram forms.

    v[i,k,j] = X[i,k] - X[j,k];  D[i,j] = sum[k](v[i,k,j]**2)
    ->   D[i,j] = sum[k](X[i,k]**2) + sum[k](X[j,k]**2) - 2*sum[k](X[i,k]*X[j,k])

An *outer* sum has more labels than any of its terms. Where it stands in a product once, multiplying out
errs by the rounding of its terms, as if these had been given that inexactly. A square errs by the rounding
of the squares of its terms, and that may be much more than its own: of a distance of 1 at an offset of 1e6
four digits are left. So squares are multiplied out only for a user who says `compile(expand=True)`, and then

- of a difference, both sides are taken from the mean of the first: what is left is an error of about
  1e-16 of the square of the largest distance, wherever the points lie;
- what is read, at any remove, by a root, a logarithm, a quotient, a comparison, a maximum, or by any other
  function that is not smooth on all numbers, is formed as it stands: a distance of 0 may come out as -1e-16.

It is for all readers of a sum or for none, and where the cost of all that is computed says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from einsumdiff.canonical import collect, is_symmetric
from einsumdiff.cutting import MOST_FACTORS, plain
from einsumdiff.distribute import (
    MOST_TERMS,
    WORTH,
    WORTH_ASSUMED,
    MultipliedOut,
    Result,
    assumes,
    terms_cost,
)
from einsumdiff.language.table import Function, load_table
from einsumdiff.nodes import (
    Array,
    Body,
    Call,
    Definition,
    Entry,
    Extent,
    Factor,
    Label,
    Mask,
    OneHot,
    Operate,
    Product,
    Reduce,
    Sum,
    Term,
    bare,
    body_arrays,
    factor_labels,
    multiply_numbers,
    product,
)
from einsumdiff.program import live

MOST_PRODUCTS = 16
"""A product that would become a sum of more is left as it is."""

Readers = Mapping[Array, Sequence[Product | None]]
"""The products that read an array; None for a reader that is no product of entries, or a caller."""


class _Refused(Exception):
    """The sum has to be formed."""


@dataclass(frozen=True, slots=True)
class _Computed:
    """All that a call computes: results, and the output where its value is asked for."""

    results: tuple[tuple[Term, ...], ...]
    output: Definition | None

    @property
    def definitions(self) -> tuple[Definition, ...]:
        roots: list[Array] = [] if self.output is None else [self.output]
        return live([*roots, *(f.array for terms in self.results for t in terms for f in _reads(t))])

    @property
    def sums(self) -> list[Sequence[Term]]:
        return [*(d.body.terms for d in self.definitions if isinstance(d.body, Sum)), *self.results]

    @property
    def readers(self) -> Readers:
        found: dict[Array, list[Product | None]] = {} if self.output is None else {self.output: [None]}
        for definition in self.definitions:
            if not isinstance(definition.body, Sum):
                for array in body_arrays(definition.body):
                    found.setdefault(array, []).append(None)
        for term in (t for terms in self.sums for t in terms):
            for f in _reads(term):
                is_entry = isinstance(f, Entry) and plain(term.product)
                found.setdefault(f.array, []).append(term.product if is_entry else None)
        return found

    def weight(self, sizes: Mapping[str, int]) -> float:
        return sum(terms_cost(terms, sizes).weight for terms in self.sums)


def without_outer_sums(
    results: Sequence[Result], output: Definition | None, sizes: Mapping[str, int]
) -> tuple[list[MultipliedOut], Definition | None]:
    """The results and the output, if it is wanted, with outer sums multiplied out where that costs less."""
    now = _Computed(tuple(tuple(terms) for terms, _ in results), output)
    asked: set[Array] = set()
    while True:
        first = next((d for d in now.definitions if d not in asked and _is_outer(d, d.body)), None)
        if first is None:
            break
        asked.add(first)
        try:
            other = _Attempt(first, now.readers).made(now)
        except _Refused:
            continue
        guessed = any(assumes(terms, sizes) for terms in other.sums)
        if other.weight(sizes) < (WORTH_ASSUMED if guessed else WORTH) * now.weight(sizes):
            now = other
    shapes = [shape for _, shape in results]
    return [MultipliedOut(terms, s) for terms, s in zip(now.results, shapes, strict=True)], now.output


def _reads(term: Term) -> list[Entry | Mask]:
    return [f for f in term.product.factors if isinstance(f, Entry | Mask)]


def _is_outer(definition: Definition, body: Body) -> bool:
    """A sum of products of entries, each of which has fewer labels than the sum."""
    if not isinstance(body, Sum) or not 0 < len(body.terms) <= MOST_TERMS or definition.opaque:
        return False
    for axes, one in body.terms:
        labels = [form.label for form in axes]
        if len(set(labels)) < len(labels) or not plain(one) or one.bound:
            return False
        if any(n is None or n.size != size for n, size in zip(labels, definition.shape, strict=True)):
            return False
        if any(set(labels) <= set(factor_labels(f)) for f in one.entries):
            return False
    return bool(definition.shape)


@dataclass(slots=True)
class _Attempt:
    """Everything that is computed, with one outer sum multiplied out where it is read.

    What becomes an outer sum by that, and what is only scaled by its one reader, goes on to its readers.
    """

    first: Definition
    readers: Readers
    instead: dict[Array, tuple[Term, ...]] = field(default_factory=dict)
    """The sums that are multiplied out, by their terms."""
    new: dict[Array, Definition] = field(default_factory=dict)
    squared: set[Array] = field(default_factory=set)
    """Where a square is multiplied out that is not 0 where it should be."""

    def made(self, now: _Computed) -> _Computed:
        """Raises _Refused where the sum has to be formed."""
        if None in self.readers[self.first]:
            raise _Refused
        assert isinstance(self.first.body, Sum)
        self.instead[self.first] = _centred(self.first.body.terms)
        for definition in now.definitions:
            if any(a in self.new or a in self.instead for a in body_arrays(definition.body)):
                self._replace(definition)
        results = tuple(self._terms(terms)[0] for terms in now.results)
        output = now.output
        return _Computed(results, self.new.get(output, output) if output is not None else None)

    def _replace(self, definition: Definition) -> None:
        body, squares = self._body(definition.body)
        if squares:
            self.squared.add(definition)
        if isinstance(body, Sum) and self._goes_on(definition, body):
            self.instead[definition] = body.terms
            return
        new = Definition(definition.name, definition.shape, body, definition.named, definition.opaque)
        new.symmetric = definition.symmetric or is_symmetric(body, definition.shape)
        new.zeros, new.declared = definition.zeros, definition.declared
        self.new[definition] = new
        if squares:
            self.squared.add(new)

    def _goes_on(self, definition: Definition, body: Sum) -> bool:
        readers = self.readers[definition]
        if definition.opaque or None in readers:
            return False
        entries = [f for one in readers if one is not None for f in one.entries if f.array is definition]
        if any(f.power != 1 for f in entries):
            return False
        if len(entries) == 1 and all(isinstance(f, Entry) and bool(f.forms) for f in entries):
            (reader,) = readers
            assert reader is not None
            if not reader.bound and len(reader.entries) == 1:
                return len(body.terms) <= MOST_TERMS and all(_whole(t, definition) for t in body.terms)
        return _is_outer(definition, body)

    # -- bodies ---------------------------------------------------------------------------------------

    def _body(self, body: Body) -> tuple[Body, bool]:
        """The body that reads the new arrays, and whether its value has the error of a square."""
        match body:
            case Sum(terms):
                new, squares = self._terms(terms)
                return Sum(new), squares
            case Call(function, _, operands):
                row = load_table()[function]
                for k, o in enumerate(operands):
                    if isinstance(o, Entry) and o.array in self.squared and not _smooth(row, k):
                        raise _Refused
                read = tuple(self._entry(o) if isinstance(o, Entry) else o for o in operands)
                return replace(body, operands=read), False
            case Reduce(op, _, _, entry):
                if entry.array in self.squared and op != "logsumexp":
                    raise _Refused
                return replace(body, entry=self._entry(entry)), False
            case OneHot(_, entry):
                if entry.array in self.squared:
                    raise _Refused
                return replace(body, entry=self._entry(entry)), False
            case Operate(operands=entries):
                if any(e.array in self.squared for e in entries):
                    raise _Refused
                return replace(body, operands=tuple(map(self._entry, entries))), False

    def _entry(self, entry: Entry) -> Entry:
        if entry.array in self.instead:
            raise _Refused
        return entry._replace(array=self.new.get(entry.array, entry.array))

    def _terms(self, terms: Iterable[Term]) -> tuple[tuple[Term, ...], bool]:
        found: list[Term] = []
        squares = False
        for term in terms:
            made, square = self._term(term)
            found += made
            squares = squares or square
        return tuple(collect(found)), squares

    def _term(self, term: Term) -> tuple[list[Term], bool]:
        rest: list[Factor] = []
        sums: list[Entry] = []
        squares = False
        for f in term.product.factors:
            if isinstance(f, Mask):
                if f.array in self.squared or f.array in self.instead:
                    raise _Refused
                rest.append(f._replace(array=self.new.get(f.array, f.array)))
            elif isinstance(f, Entry):
                if f.array in self.squared:
                    if not isinstance(f.power, int) or f.power < 1:
                        raise _Refused
                    squares = True
                if f.array in self.instead:
                    if f.power not in (1, 2):
                        raise _Refused
                    sums += [f] * int(f.power)
                else:
                    rest.append(f._replace(array=self.new.get(f.array, f.array)))
            else:
                rest.append(f)
        if not sums:
            return [Term(term.axes, term.product._replace(factors=tuple(rest)))], squares
        if not plain(term.product):
            raise _Refused
        made = list(itertools.islice(self._multiplied(term, rest, sums), MOST_PRODUCTS + 1))
        if len(made) > MOST_PRODUCTS or any(len(t.product.entries) > MOST_FACTORS for t in made):
            raise _Refused
        return made, squares or len(sums) > 1

    def _multiplied(self, term: Term, rest: Sequence[Factor], sums: Sequence[Entry]) -> Iterator[Term]:
        for chosen in itertools.product(*(self.instead[f.array] for f in sums)):
            coefficient, factors, bound = term.product.coefficient, list(rest), list(term.product.bound)
            for inner, entry in zip(chosen, sums, strict=True):
                own = inner.fresh()
                values = {a.label: form for a, form in zip(own.axes, entry.forms, strict=True) if a.label}
                one = own.product.substitute(values)
                coefficient = multiply_numbers(coefficient, one.coefficient)
                factors += one.factors
                bound += one.bound
            yield Term(term.axes, product(coefficient, factors, bound)).fresh()


def _smooth(row: object, k: int) -> bool:
    """Is the function smooth in its parameter, whatever number that is?"""
    return isinstance(row, Function) and not row.boolean and row.domains[k].name == "real"


def _whole(term: Term, definition: Definition) -> bool:
    labels = [form.label for form in term.axes]
    return len(set(labels)) == len(labels) and all(
        n is not None and n.size == size for n, size in zip(labels, definition.shape, strict=True)
    )


# ---------------------------------------------------------------------------------------------- differences


def _centred(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """A difference of two arrays with the mean of the first, over what the second lacks, taken from both.

    X[i,k] - Y[j,k]   ->   (X[i,k] - c[k]) - (Y[j,k] - c[k]),   c[k] = sum[i](X[i,k])/m
    """
    if len(terms) != 2:
        return terms
    one, other = (
        terms[0],
        terms[1].substitute(
            {b.label: a for a, b in zip(terms[0].axes, terms[1].axes, strict=True) if b.label}
        ),
    )
    sides = [one.product, other.product]
    if multiply_numbers(sides[0].coefficient, -1) != sides[1].coefficient:
        return terms
    entries = [f for side in sides for f in side.factors if isinstance(f, Entry) and _plainly_read(f)]
    if len(entries) != 2 or any(len(side.factors) != 1 for side in sides):
        return terms
    common = [n for n in _labels(entries[0]) if n in _labels(entries[1])]
    mean = _mean(entries[0], common)
    new: dict[tuple[Array, tuple[int, ...]], Definition] = {}
    found = []
    for term, entry in zip((one, other), entries, strict=True):
        places = tuple(_labels(entry).index(n) for n in common)
        key = entry.array, places
        if key not in new:
            new[key] = _less(entry.array, mean, places)
        found.append(Term(term.axes, Product(term.product.coefficient, (entry._replace(array=new[key]),))))
    return tuple(found)


def _labels(entry: Entry) -> list[Label]:
    return [form.label for form in entry.forms if form.label is not None]


def _plainly_read(entry: Entry) -> bool:
    """All of the array, by one label for each of its axes."""
    labels = _labels(entry)
    sizes = tuple(n.size for n in labels)
    return entry.power == 1 and sizes == entry.array.shape and len(set(labels)) == len(labels)


def _mean(entry: Entry, common: Sequence[Label]) -> Definition:
    """Over all labels of the entry but these."""
    over = [n for n in _labels(entry) if n not in common]
    factors: list[Factor] = [entry, *(Extent(n.size, -1) for n in over)]
    term = Term(tuple(map(bare, common)), product(1, factors, over)).fresh()
    return Definition("", tuple(n.size for n in common), Sum((term,)))


def _less(array: Array, mean: Definition, places: Sequence[int]) -> Definition:
    """The array with the mean, which has these of its axes, taken from it."""
    axes = tuple(bare(Label(size)) for size in array.shape)
    read = Entry(mean, tuple(axes[k] for k in places))
    terms = Term(axes, Product(1, (Entry(array, axes),))), Term(axes, Product(-1, (read,)))
    return Definition("", array.shape, Sum(tuple(t.fresh() for t in terms)))
