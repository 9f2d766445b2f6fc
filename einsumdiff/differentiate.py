"""Derivatives of programs: local partials, joined by eliminating definitions.

Eliminating from the output is reverse mode, from the wrt forward mode; both compose the same terms and
differ in cost only. Sources: A. Griewank and A. Walther, Evaluating Derivatives (2008), chapters 3 and
10, for elimination; S. Laue, M. Mitterreiter and J. Giesen, Computing Higher Order Derivatives of
Matrix and Tensor Expressions (2018), for index notation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from einsumdiff.canonical import collect
from einsumdiff.nodes import Array, Definition, Entry, Input, Mask, Term, body_arrays
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
    """

    output: Definition
    wrt: tuple[Array, ...]
    terms: tuple[Term, ...]
    shape: tuple[AnySize, ...]

    @property
    def ranks(self) -> tuple[int, ...]:
        """The number of axes of the output, then of each wrt."""
        return len(self.output.shape), *(len(array.shape) for array in self.wrt)


def differentiate(program: Program, wrt: Sequence[Array], mode: str = "auto") -> list[Jacobian]:
    """The first derivatives of the output, one for each wrt, sharing definitions."""
    output = program.output
    whole = Jacobian(output, (), (identity(output.shape),), output.shape)
    seeds: dict[Array, list[Term]] = {output: [identity(output.shape)]}
    return _accumulate(program, whole, seeds, wrt, mode)


def further(program: Program, jacobian: Jacobian, wrt: Sequence[Array], mode: str = "auto") -> list[Jacobian]:
    """The derivatives of a derivative: its axes count as output axes."""
    seeds: dict[Array, list[Term]] = {}
    for term in jacobian.terms:
        for array, seed in of_term(term, lambda array: True):
            seeds.setdefault(array, []).append(seed)
    return _accumulate(program, jacobian, seeds, wrt, mode)


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
            if any(a in relevant for a in body_arrays(definition.body)):
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
        jacobians.append(Jacobian(base.output, (*base.wrt, x), tuple(terms), base.shape + x.shape))
    return jacobians


def _meant(terms: list[Term], split: int, x: Array) -> list[Term]:
    """A derivative by all entries of x as the one along the directions in which x varies."""
    if not isinstance(x, Input) or x.meaning in (None, "free"):
        return terms
    return [s for t in terms for along in directions(x) for s in compose(t, split, along, x.shape)]


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
    uses: dict[Array, int] = {array: len(terms) for array, terms in seeds.items()}
    for definition in graph.order:
        for array, _ in graph.partials(definition):
            uses[array] = uses.get(array, 0) + 1
    found: dict[Array, list[Term]] = {}
    for x in wrt:
        tangents: dict[Array, list[Term]] = {x: [identity(x.shape)]}
        for definition in graph.order:
            if definition is x:
                continue
            terms: list[Term] = []
            for array, partial in graph.partials(definition):
                for tangent in tangents.get(array, ()):
                    joined = compose(partial, len(definition.shape), tangent, array.shape)
                    cost += sum(map(_cost, joined))
                    terms += joined
            if terms:
                whole = definition.shape + x.shape
                tangents[definition] = fold(terms, whole, graph.builder, uses.get(definition, 0))
        result: list[Term] = []
        for array, outer in seeds.items():
            for seed in outer:
                for tangent in tangents.get(array, ()):
                    joined = compose(seed, len(shape), tangent, array.shape)
                    cost += sum(map(_cost, joined))
                    result += joined
        found[x] = result
    return found, cost
