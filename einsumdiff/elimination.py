"""Elimination: the edges into a definition are joined with those out of it, and it is gone.

From the output back that is reverse mode, from the wrt on forward mode, in any other order cross-country
elimination. All three compose the same terms: what differs is which sums of paths are formed, and so the
cost. Source: A. Griewank and A. Walther, Evaluating Derivatives (2008), chapters 3, 9 and 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from einsumdiff.nodes import Array, Definition, Input, Term
from einsumdiff.partials import partials
from einsumdiff.program import Builder, live
from einsumdiff.sizes import AnySize
from einsumdiff.terms import compose, fold, identity

Seeds = Mapping[Array, Sequence[Term]]
"""How what is derived depends on each array that it reads."""

Found = dict[Array, list[Term]]
"""The derivative in each wrt."""


class Graph:
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


# ------------------------------------------------------------------------------------------------- reverse


def reverse(graph: Graph, shape: tuple[AnySize, ...], seeds: Seeds, wrt: Sequence[Array]) -> Found:
    """d(output)/d(definition) for every definition from the output back.

    A wrt that is a definition is an input for its own derivative only: the others go on through it.
    """
    adjoints = {array: list(terms) for array, terms in seeds.items() if array in graph.relevant}
    found: Found = {}
    split = len(shape)
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
                into += compose(term, split, partial, definition.shape)
    return {x: found.get(x) or adjoints.get(x, []) for x in wrt}


# ------------------------------------------------------------------------------------------------- forward


def forward(graph: Graph, shape: tuple[AnySize, ...], seeds: Seeds, wrt: Sequence[Array]) -> Found:
    """d(definition)/d(wrt) for every definition up to the seeds, for each wrt on its own."""
    uses = used(graph, [array for array, terms in seeds.items() for _ in terms])
    found: Found = {}
    for x in wrt:
        swept = tangents(graph, uses, {x: [identity(x.shape)]}, x.shape)
        found[x] = joined(seeds, len(shape), swept)
    return found


def used(graph: Graph, read: Iterable[Array]) -> dict[Array, int]:
    """How often the derivative of each array is read: by the seeds, and by each definition that reads it."""
    uses: dict[Array, int] = {}
    for array in (*read, *(array for d in graph.order for array, _ in graph.partials(d))):
        uses[array] = uses.get(array, 0) + 1
    return uses


def tangents(
    graph: Graph,
    uses: Mapping[Array, int],
    starts: Mapping[Array, Sequence[Term]],
    own: tuple[AnySize, ...],
) -> dict[Array, list[Term]]:
    """The derivative of every definition where those of the wrt are `starts`, whose last axes are `own`.

    A wrt that is a definition is an input for its own derivative only: what starts elsewhere goes on
    through it.
    """
    found: dict[Array, list[Term]] = {x: list(start) for x, start in starts.items()}
    for definition in graph.order:
        if len(starts) == 1 and definition in starts:
            continue
        terms: list[Term] = list(found.get(definition, ()))
        for array, partial in graph.partials(definition):
            for tangent in found.get(array, ()):
                terms += compose(partial, len(definition.shape), tangent, array.shape)
        if terms:
            shape = definition.shape + own
            found[definition] = fold(terms, shape, graph.builder, uses.get(definition, 0))
    return found


def joined(seeds: Seeds, rank: int, swept: Mapping[Array, Sequence[Term]]) -> list[Term]:
    """The seeds composed with the derivatives of what they read; `rank` axes stay."""
    return [
        term
        for array, outer in seeds.items()
        for seed in outer
        for tangent in swept.get(array, ())
        for term in compose(seed, rank, tangent, array.shape)
    ]


# ------------------------------------------------------------------------------------------- cross-country


class Edges:
    """The terms on every edge of the graph: what is derived, definitions, and the wrt they lead to.

    `None` is what is derived. A wrt that is a definition has a leaf of its own, tied to it by an
    identity: the derivative in it ends there, the others go on through it.
    """

    def __init__(self, graph: Graph, shape: tuple[AnySize, ...], seeds: Seeds, wrt: Sequence[Array]) -> None:
        self.shape = shape
        inner = set(graph.order)
        self.leaves: dict[Array, Array] = {x: Input(x.name, x.shape) if x in inner else x for x in wrt}
        self.out: dict[Array | None, dict[Array, list[Term]]] = {None: {}}
        self.into: dict[Array, dict[Array | None, None]] = {}
        for array, terms in seeds.items():
            if array in graph.relevant:
                self.add(None, array, terms)
        for definition in graph.order:
            for array, partial in graph.partials(definition):
                self.add(definition, array, [partial])
            if definition in self.leaves:
                self.add(definition, self.leaves[definition], [identity(definition.shape)])

    def add(self, above: Array | None, below: Array, terms: Iterable[Term]) -> None:
        terms = list(terms)
        if terms:
            self.out.setdefault(above, {}).setdefault(below, []).extend(terms)
            self.into.setdefault(below, {})[above] = None

    def several_paths(self) -> bool:
        """Does anything have two edges out of it? If not, each derivative is a product along one path."""
        return any(sum(map(len, below.values())) > 1 for below in self.out.values())

    def shape_of(self, one: Array | None) -> tuple[AnySize, ...]:
        return self.shape if one is None else one.shape

    def remove(self, middle: Array) -> tuple[dict[Array | None, list[Term]], dict[Array, list[Term]]]:
        """The edges into a definition and those out of it, taken away."""
        above = {one: self.out[one].pop(middle) for one in self.into.pop(middle, {})}
        below = self.out.pop(middle, {})
        for array in below:
            self.into[array].pop(middle)
        return above, below


def cross_country(edges: Edges, order: Iterable[Definition], builder: Builder) -> Found:
    """The definitions eliminated in any order.

    Before a definition goes, the paths between two ends add up, on both sides of it, so that what is
    composed is one term for each pattern.
    """
    for definition in order:
        above, below = edges.remove(definition)
        readers = sum(map(len, above.values()))
        before = {
            array: fold(terms, definition.shape + array.shape, builder, readers)
            for array, terms in below.items()
        }
        count = sum(map(len, before.values()))
        for one, terms in above.items():
            own = edges.shape_of(one)
            after = fold(terms, own + definition.shape, builder, count)
            for array, inner in before.items():
                composed = (
                    t for a in after for b in inner for t in compose(a, len(own), b, definition.shape)
                )
                edges.add(one, array, composed)
    return {x: edges.out[None].get(leaf, []) for x, leaf in edges.leaves.items()}
