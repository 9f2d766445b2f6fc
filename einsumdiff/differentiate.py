"""Derivatives of programs: local partials, joined by eliminating definitions.

Eliminating from the output is reverse mode, from the wrt forward mode; both compose the same terms and
differ in cost only. Sources: A. Griewank and A. Walther, Evaluating Derivatives (2008), chapters 3 and
10, for elimination; S. Laue, M. Mitterreiter and J. Giesen, Computing Higher Order Derivatives of
Matrix and Tensor Expressions (2018), for index notation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from einsumdiff.canonical import collect
from einsumdiff.nodes import (
    Array,
    Definition,
    Entry,
    Input,
    Label,
    Mask,
    Product,
    Term,
    bare,
    constant_form,
)
from einsumdiff.partials import of_term, partials
from einsumdiff.program import Builder, Program, live
from einsumdiff.sizes import AnySize, assumed
from einsumdiff.subspace import directions
from einsumdiff.terms import compose, fold, identity, simplified


@dataclass(frozen=True, slots=True)
class Jacobian:
    """A derivative of the program's output, as terms.

    `wrt` has one array for each order. The axes of the terms, of sizes `shape`, are those of the output
    followed by those of each wrt in order. No terms: the derivative is zero.

    `tied` leaves axes of a wrt out, those of a batch: for (number of the wrt, axis) the axis of the output
    that it is tied to.
    """

    output: Definition
    wrt: tuple[Array, ...]
    terms: tuple[Term, ...]
    shape: tuple[AnySize, ...]
    tied: Mapping[tuple[int, int], int] = field(default_factory=dict)

    @property
    def ranks(self) -> tuple[int, ...]:
        """How many axes are the output's, then how many each wrt adds."""
        own = [
            sum((n, k) not in self.tied for k in range(len(array.shape))) for n, array in enumerate(self.wrt)
        ]
        return len(self.output.shape), *own

    @property
    def axes(self) -> tuple[tuple[int, ...], ...]:
        """For the output and for each wrt, where its axes are among those of the terms."""
        rank = len(self.output.shape)
        found, at = [tuple(range(rank))], rank
        for n, array in enumerate(self.wrt):
            own = []
            for k in range(len(array.shape)):
                place = self.tied.get((n, k), at)
                own.append(place)
                at += place == at
            found.append(tuple(own))
        return tuple(found)


def differentiate(program: Program, wrt: Sequence[Array], mode: str = "auto") -> list[Jacobian]:
    """The first derivatives of the output, one for each wrt, sharing definitions."""
    output = program.output
    whole = Jacobian(output, (), (identity(output.shape),), output.shape)
    seeds: dict[Array, list[Term]] = {output: [identity(output.shape)]}
    return _accumulate(program, whole, seeds, wrt, mode)


def further(program: Program, jacobian: Jacobian, wrt: Sequence[Array], mode: str = "auto") -> list[Jacobian]:
    """The derivatives of a derivative: its axes count as output axes."""
    return _accumulate(program, jacobian, _seeds(jacobian), wrt, mode)


def directional(
    program: Program, before: Sequence[Jacobian], along: Mapping[Array, Array]
) -> list[tuple[Term, ...]]:
    """The derivative of each of some derivatives along a direction in every wrt at once.

    The axes of the terms are those of what is derived: nothing with axes of a wrt is formed. One sweep
    serves all of them.
    """
    seeds = [_seeds(one) for one in before]
    graph = _Graph([array for one in seeds for array in one], list(along), program.builder)
    uses = _uses(graph, [a for one in seeds for a, terms in one.items() for _ in terms])
    starts = {x: _along(x, direction) for x, direction in along.items()}
    tangents, _ = _tangents(graph, uses, starts, ())
    found = []
    for one, seed in zip(before, seeds, strict=True):
        terms, _ = _joined(seed, len(one.shape), tangents)
        found.append(tuple(collect(s for t in terms for s in simplified(t, program.builder))))
    return found


def whole(program: Program) -> Jacobian:
    """The output as a derivative of order 0: every axis tied to itself."""
    output = program.output
    return Jacobian(output, (), (entry_term(output),), output.shape)


def weighted(program: Program, weights: Array, wrt: Sequence[Array]) -> list[tuple[Term, ...]]:
    """The derivatives of `sum(weights*output)`, whose axes are those of each wrt."""
    output = program.output
    seed = entry_term(weights)
    graph = _Graph([output], wrt, program.builder)
    found, _ = _reverse(graph, (), {output: [seed]}, wrt)
    meant = ((s for t in _meant(found[x], 0, x) for s in simplified(t, program.builder)) for x in wrt)
    return [tuple(collect(terms)) for terms in meant]


def entry_term(array: Array) -> Term:
    """The array as one term over its own axes."""
    axes = tuple(constant_form(0) if size == 1 else bare(Label(size)) for size in array.shape)
    return Term(axes, Product(1, (Entry(array, axes),)))


def _seeds(jacobian: Jacobian) -> dict[Array, list[Term]]:
    """How a derivative depends on each array that its terms read."""
    seeds: dict[Array, list[Term]] = {}
    for term in jacobian.terms:
        for array, seed in of_term(term, lambda array: True):
            seeds.setdefault(array, []).append(seed)
    return seeds


def term_arrays(terms: Iterable[Term]) -> list[Array]:
    """The arrays that the terms read, each once, in order."""
    found = {f.array: None for t in terms for f in t.product.factors if isinstance(f, Entry | Mask)}
    return list(found)


class _Graph:
    """The definitions between the seeds and the wrt, with their local partials."""

    def __init__(self, roots: Iterable[Array], wrt: Sequence[Array], builder: Builder) -> None:
        self.builder = builder
        self.order: list[Definition] = []
        relevant: set[Array] = set(wrt)
        for definition in live(roots):
            if not relevant.isdisjoint(definition.reads):
                relevant.add(definition)
                self.order.append(definition)
        self.relevant = relevant
        self._partials: dict[Definition, list[tuple[Array, Term]]] = {}

    def partials(self, definition: Definition) -> list[tuple[Array, Term]]:
        found = self._partials.get(definition)
        if found is None:
            found = list(partials(definition, self.builder, self.relevant.__contains__))
            self._partials[definition] = found
        return found


def _accumulate(
    program: Program, base: Jacobian, seeds: dict[Array, list[Term]], wrt: Sequence[Array], mode: str
) -> list[Jacobian]:
    graph = _Graph(seeds, wrt, program.builder)
    if mode == "reverse" or (mode == "auto" and not base.shape):
        found = _reverse(graph, base.shape, seeds, wrt)[0]
    elif mode == "forward":
        found = _forward(graph, base.shape, seeds, wrt)[0]
    else:
        backward, cost = _reverse(graph, base.shape, seeds, wrt)
        forward, other = _forward(graph, base.shape, seeds, wrt)
        found = forward if other < cost else backward
    jacobians = []
    for x in wrt:
        meant = _meant(found[x], len(base.shape), x)
        terms = collect(s for t in meant for s in simplified(t, program.builder))
        shape = base.shape + x.shape
        jacobians.append(Jacobian(base.output, (*base.wrt, x), tuple(terms), shape, base.tied))
    return jacobians


def _meant(terms: list[Term], split: int, x: Array) -> list[Term]:
    """A derivative by all entries of x as the one along the directions in which x varies."""
    if not isinstance(x, Input) or x.meaning in (None, "free"):
        return terms
    return [s for t in terms for way in directions(x) for s in compose(t, split, way, x.shape)]


def _along(x: Array, direction: Array) -> list[Term]:
    """How x moves along a direction: as it is, or as the directions in which x varies tell."""
    if not isinstance(x, Input) or x.meaning in (None, "free"):
        return [entry_term(direction)]
    rank, entry = len(x.shape), entry_term(direction)
    return [s for way in directions(x) for s in compose(way, rank, entry, x.shape)]


def _cost(term: Term) -> float:
    """The number of multiplications that writing the term out takes, by assumed sizes."""
    cost = 1.0
    for label in (*term.labels, *term.product.bound):
        cost *= assumed(label.size, {})
    return cost


def _reverse(
    graph: _Graph, shape: tuple[AnySize, ...], seeds: dict[Array, list[Term]], wrt: Sequence[Array]
) -> tuple[dict[Array, list[Term]], float]:
    """d(output)/d(definition) for every definition from the output back.

    A wrt that is a definition is an input for its own derivative only: the others go on through it.
    """
    adjoints = {array: list(terms) for array, terms in seeds.items() if array in graph.relevant}
    found: dict[Array, list[Term]] = {}
    split, cost = len(shape), 0.0
    for definition in reversed(graph.order):
        if definition not in adjoints:
            continue
        local = graph.partials(definition)
        terms = fold(adjoints.pop(definition), shape + definition.shape, graph.builder, len(local))
        if definition in wrt:
            found[definition] = terms
        for array, partial in local:
            into = adjoints.setdefault(array, [])
            for term in terms:
                joined = compose(term, split, partial, definition.shape)
                cost += sum(map(_cost, joined))
                into += joined
    return {x: found.get(x) or adjoints.get(x, []) for x in wrt}, cost


def _forward(
    graph: _Graph, shape: tuple[AnySize, ...], seeds: dict[Array, list[Term]], wrt: Sequence[Array]
) -> tuple[dict[Array, list[Term]], float]:
    """d(definition)/d(wrt) for every definition up to the seeds, for each wrt on its own."""
    cost = 0.0
    uses = _uses(graph, [array for array, terms in seeds.items() for _ in terms])
    found: dict[Array, list[Term]] = {}
    for x in wrt:
        tangents, swept = _tangents(graph, uses, {x: [identity(x.shape)]}, x.shape)
        found[x], joined = _joined(seeds, len(shape), tangents)
        cost += swept + joined
    return found, cost


def _uses(graph: _Graph, read: Iterable[Array]) -> dict[Array, int]:
    """How often the derivative of each array is read: by the seeds, and by each definition that reads it."""
    uses: dict[Array, int] = {}
    for array in (*read, *(array for d in graph.order for array, _ in graph.partials(d))):
        uses[array] = uses.get(array, 0) + 1
    return uses


def _tangents(
    graph: _Graph,
    uses: Mapping[Array, int],
    starts: Mapping[Array, Sequence[Term]],
    own: tuple[AnySize, ...],
) -> tuple[dict[Array, list[Term]], float]:
    """The derivative of every definition where those of the wrt are `starts`, whose last axes are `own`.

    A wrt that is a definition is an input for its own derivative only: what starts elsewhere goes on
    through it.
    """
    cost = 0.0
    tangents: dict[Array, list[Term]] = {x: list(start) for x, start in starts.items()}
    for definition in graph.order:
        if len(starts) == 1 and definition in starts:
            continue
        terms: list[Term] = list(tangents.get(definition, ()))
        for array, partial in graph.partials(definition):
            for tangent in tangents.get(array, ()):
                joined = compose(partial, len(definition.shape), tangent, array.shape)
                cost += sum(map(_cost, joined))
                terms += joined
        if terms:
            shape = definition.shape + own
            tangents[definition] = fold(terms, shape, graph.builder, uses.get(definition, 0))
    return tangents, cost


def _joined(
    seeds: Mapping[Array, Sequence[Term]], rank: int, tangents: Mapping[Array, Sequence[Term]]
) -> tuple[list[Term], float]:
    """The seeds composed with the derivatives of what they read; `rank` axes stay."""
    cost = 0.0
    found: list[Term] = []
    for array, outer in seeds.items():
        for seed in outer:
            for tangent in tangents.get(array, ()):
                joined = compose(seed, rank, tangent, array.shape)
                cost += sum(map(_cost, joined))
                found += joined
    return found, cost
