"""Derivatives of programs: local partials, joined by eliminating definitions.

Eliminating from the output is reverse mode, from the wrt forward mode; both compose the same terms and
differ in cost only. Sources: A. Griewank and A. Walther, Evaluating Derivatives (2008), chapters 3 and
10, for elimination; S. Laue, M. Mitterreiter and J. Giesen, Computing Higher Order Derivatives of
Matrix and Tensor Expressions (2018), for index notation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from einsumdiff.canonical import collect
from einsumdiff.costs import number
from einsumdiff.elimination import (
    Edges,
    Found,
    Graph,
    cross_country,
    forward,
    joined,
    reverse,
    tangents,
    used,
)
from einsumdiff.elimination_order import WORTH, WORTH_ASSUMED, cheapest, greedy
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
from einsumdiff.partials import of_term
from einsumdiff.program import Program
from einsumdiff.sizes import AnySize, names
from einsumdiff.stored import stored
from einsumdiff.subspace import directions
from einsumdiff.terms import compose, identity, simplified


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


@dataclass(frozen=True, slots=True)
class Elimination:
    """In which order definitions are eliminated.

    `auto` takes the cheaper one of the sweeps, by the patterns of the partials at these sizes; and
    cross-country elimination where that promises to cost less and does so by `measure`, the cost of
    derivatives as they are computed. Without a measure it is a sweep.
    """

    mode: str = "auto"
    sizes: Mapping[str, int] = field(default_factory=dict)
    measure: Callable[[Sequence[Jacobian]], float] | None = None


AUTO = Elimination()
MOST_DEFINITIONS = 40
"""Of a higher derivative through more definitions two are not compared: to plan them takes too long."""
SWEEPS = {"reverse": reverse, "forward": forward}


def differentiate(program: Program, wrt: Sequence[Array], elimination: Elimination = AUTO) -> list[Jacobian]:
    """The first derivatives of the output, one for each wrt, sharing definitions."""
    output = program.output
    whole = Jacobian(output, (), (identity(output.shape),), output.shape)
    seeds: dict[Array, list[Term]] = {output: [identity(output.shape)]}
    return _accumulate(program, whole, seeds, wrt, elimination)


def further(
    program: Program, jacobian: Jacobian, wrt: Sequence[Array], elimination: Elimination = AUTO
) -> list[Jacobian]:
    """The derivatives of a derivative: its axes count as output axes."""
    return _accumulate(program, jacobian, _seeds(jacobian), wrt, elimination)


def directional(
    program: Program, before: Sequence[Jacobian], moved: Mapping[Array, Array]
) -> list[tuple[Term, ...]]:
    """The derivative of each of some derivatives along a direction in every wrt at once.

    The axes of the terms are those of what is derived: nothing with axes of a wrt is formed. One sweep
    serves all of them.
    """
    seeds = [_seeds(one) for one in before]
    graph = Graph([array for one in seeds for array in one], list(moved), program.builder)
    uses = used(graph, [a for one in seeds for a, terms in one.items() for _ in terms])
    starts = {x: _along(x, direction) for x, direction in moved.items()}
    swept = tangents(graph, uses, starts, ())
    found = []
    for one, seed in zip(before, seeds, strict=True):
        terms = joined(seed, len(one.shape), swept)
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
    graph = Graph([output], wrt, program.builder)
    found = reverse(graph, (), {output: [seed]}, wrt)
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


def _accumulate(
    program: Program,
    base: Jacobian,
    seeds: dict[Array, list[Term]],
    wrt: Sequence[Array],
    elimination: Elimination,
) -> list[Jacobian]:
    graph = Graph(seeds, wrt, program.builder)
    mode, sizes, measure = elimination.mode, elimination.sizes, elimination.measure
    if mode == "auto" and not base.shape:
        mode = "reverse"  # no adjoint is larger than what it belongs to
    if mode in SWEEPS:
        return _finished(program, base, wrt, SWEEPS[mode](graph, base.shape, seeds, wrt))
    edges = Edges(graph, base.shape, seeds, wrt)
    if mode == "cross-country":
        order = greedy(edges, graph.order, sizes)
        return _finished(program, base, wrt, cross_country(edges, order, graph.builder))
    guessed = any(name not in sizes for array in graph.relevant for n in array.shape for name in names(n))
    worth = WORTH_ASSUMED if guessed else WORTH
    sweep, promising = cheapest(edges, graph.order, sizes, worth)
    found = _finished(program, base, wrt, SWEEPS[sweep](graph, base.shape, seeds, wrt))
    if promising is None or measure is None or (base.wrt and len(promising) > MOST_DEFINITIONS):
        return found
    other = _finished(program, base, wrt, cross_country(edges, promising, graph.builder))
    if _kept(other, sizes) > _kept(found, sizes):  # what adds up paths may give up structure
        return found
    return other if measure(other) < worth * measure(found) else found


def _kept(jacobians: Sequence[Jacobian], sizes: Mapping[str, int]) -> float:
    """How many numbers the compressed derivatives keep."""

    def weigh(size: AnySize) -> float:
        return number(size, sizes)

    return sum(weigh(stored(one.terms, weigh)) for one in jacobians)


def _finished(program: Program, base: Jacobian, wrt: Sequence[Array], found: Found) -> list[Jacobian]:
    """The derivatives in each wrt, like terms added."""
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
