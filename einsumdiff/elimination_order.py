"""In which order definitions are eliminated, found before anything is composed.

An edge is known by its pattern alone: which labels its axes bear. Composing two patterns is a matter of
equal labels, and costs what a product of arrays with these axes costs. The order is greedy: always the
definition whose elimination costs least, H. M. Markowitz's rule (1957) with costs in place of counts; see
A. Griewank and A. Walther, Evaluating Derivatives (2008), section 10.2.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from einsumdiff.costs import Cost, Volume, added, measured, pair
from einsumdiff.elimination import Edges
from einsumdiff.nodes import Array, Definition, Label, Term
from einsumdiff.terms import MOST_LAZY, free_parts, larger

Labels = frozenset[Label]


class Pattern(NamedTuple):
    """The labels that each axis of a term bears, and those of its parts: an outer product has several."""

    axes: tuple[Labels, ...]
    parts: tuple[Labels, ...]
    key: object
    """Equal for patterns that are one but for the names of their labels."""


Vertex = Array | None

MOST_FILL = 4
"""An order is given up that composes so many times more often than there are edges."""

WORTH = 0.9
"""Another way than reverse mode is taken where it costs less than this part of it."""
WORTH_ASSUMED = 0.6
"""The same where a size is assumed, as for multiplying out."""


def cheapest(
    edges: Edges, definitions: Sequence[Definition], sizes: Mapping[str, int], worth: float
) -> tuple[str, list[Definition] | None]:
    """The sweep to take, and an order that costs less than `worth` times its cost, if there is one.

    Forward mode has to gain as much over reverse mode.
    """
    if not edges.several_paths():
        return "reverse", None  # one product, whose order of contraction is found when it is lowered
    back = along(edges, reversed(definitions), sizes)
    forth = along(edges, definitions, sizes)
    sweep, least = ("forward", forth) if forth < worth * back else ("reverse", back)
    return sweep, _greedily(edges, definitions, sizes, worth * least) if len(definitions) > 1 else None


def along(edges: Edges, order: Iterable[Definition], sizes: Mapping[str, int]) -> float:
    """What this order costs."""
    shadow = _Shadow(edges, sizes)
    return sum(shadow.eliminate(definition) for definition in order)


def greedy(edges: Edges, definitions: Sequence[Definition], sizes: Mapping[str, int]) -> list[Definition]:
    """Always the definition that costs least, of equals the last."""
    found = _greedily(edges, definitions, sizes, None)
    assert found is not None
    return found


def _greedily(
    edges: Edges, definitions: Sequence[Definition], sizes: Mapping[str, int], less: float | None
) -> list[Definition] | None:
    """The same; None if it costs `less` or more, or composes too often."""
    shadow, total = _Shadow(edges, sizes), 0.0
    place = {definition: -k for k, definition in enumerate(definitions)}
    weights = {definition: shadow.weight(definition) for definition in definitions}
    queue = [(weight, place[definition], definition) for definition, weight in weights.items()]
    heapq.heapify(queue)
    order: list[Definition] = []
    most = MOST_FILL * shadow.count
    while queue:
        weight, _, definition = heapq.heappop(queue)
        if weights.get(definition) != weight:
            continue  # an entry from before its neighbours changed
        del weights[definition]
        near = shadow.near(definition)
        total += shadow.eliminate(definition)
        order.append(definition)
        if less is not None and (total >= less or shadow.composed > most):
            return None
        for other in near:
            if isinstance(other, Definition) and other in weights:
                again = shadow.weight(other)
                if again != weights[other]:
                    weights[other] = again
                    heapq.heappush(queue, (again, place[other], other))
    return order


class _Shadow:
    """The edges as patterns."""

    def __init__(self, edges: Edges, sizes: Mapping[str, int]) -> None:
        self.volume: Volume = measured(sizes)
        self.out: dict[Vertex, dict[Array, dict[object, Pattern]]] = {}
        self.into: dict[Array, dict[Vertex, None]] = {}
        self.ranks: dict[Vertex, int] = {}
        self.count = self.composed = 0
        self.known: dict[tuple[object, ...], float] = {}  # what composing two patterns costs
        self.twice: dict[tuple[Vertex, Array], float] = {}  # what adding up the paths of an edge costs
        for above, below in edges.out.items():
            self.ranks[above] = len(edges.shape_of(above))
            for array, terms in below.items():
                self.ranks[array] = len(array.shape)
                for term in terms:
                    self.count += 1
                    self.add(above, array, _pattern(term, self.volume))

    def add(self, above: Vertex, below: Array, one: Pattern) -> None:
        known = self.out.setdefault(above, {}).setdefault(below, {})
        key = one.key, min(len(known), MOST_LAZY) if len(one.parts) > 1 else -1
        if key in known:
            cost = added(_all(one.axes), self.volume).weight
            self.twice[above, below] = self.twice.get((above, below), 0.0) + cost
        known.setdefault(key, one)
        self.into.setdefault(below, {})[above] = None

    def near(self, middle: Array) -> list[Vertex]:
        return [*self.into.get(middle, ()), *self.out.get(middle, ())]

    def weight(self, middle: Definition) -> float:
        """What its elimination costs."""
        total, rank = 0.0, len(middle.shape)  # it may have no edge, where its slope is zero
        for above in self.into.get(middle, ()):
            split = self.ranks[above]
            for a in self.out[above][middle].values():
                for inner in self.out.get(middle, {}).values():
                    for b in inner.values():
                        pair_ = a.key, split, b.key, rank
                        if pair_ not in self.known:
                            self.known[pair_] = _composed(a, split, b, rank, self.volume)[1].weight
                        total += self.known[pair_]
        return total

    def compositions(self, middle: Definition) -> list[tuple[Vertex, Array, Pattern, float]]:
        """Every composition that eliminates a definition, and its cost."""
        found: list[tuple[Vertex, Array, Pattern, float]] = []
        for above in self.into.get(middle, ()):
            split = self.ranks[above]
            for below, inner in self.out.get(middle, {}).items():
                for a in self.out[above][middle].values():
                    for b in inner.values():
                        one, cost = _composed(a, split, b, self.ranks[middle], self.volume)
                        found.append((above, below, one, cost.weight))
        return found

    def eliminate(self, middle: Definition) -> float:
        total = 0.0
        found = self.compositions(middle)
        for above in self.into.pop(middle, {}):
            self.out[above].pop(middle)
            total += self.twice.pop((above, middle), 0.0)
        for below in self.out.pop(middle, {}):
            self.into[below].pop(middle)
            total += self.twice.pop((middle, below), 0.0)
        for above, below, one, cost in found:
            total += cost
            self.composed += 1
            self.add(above, below, one)
        return total


def _pattern(term: Term, volume: Volume) -> Pattern:
    axes = tuple(frozenset(form.labels) for form in term.axes)
    parts = free_parts(term.product)
    return _pattern_of(axes, parts if larger(parts, volume) else [_all(parts)])


def _all(parts: Iterable[Labels]) -> Labels:
    return frozenset().union(*parts)


def _pattern_of(axes: tuple[Labels, ...], parts: Iterable[Labels]) -> Pattern:
    places: dict[Label, int] = {}
    for labels in axes:
        for label in sorted(labels, key=lambda n: n.serial) if len(labels) > 1 else labels:
            places.setdefault(label, len(places))
    found = tuple(frozenset(n for n in part if n in places) for part in parts)
    sides = (tuple(tuple(sorted(map(places.__getitem__, one))) for one in side) for side in (axes, found))
    return Pattern(axes, found, (*sides, tuple(label.size for label in places)))


def _composed(outer: Pattern, split: int, inner: Pattern, rank: int, volume: Volume) -> tuple[Pattern, Cost]:
    """The chain rule on patterns. An axis with one label takes the labels of the other side.

    Parts are multiplied that have a label in common which is summed; the others stay apart.
    """
    values: dict[Label, Labels] = {}

    def now(labels: Labels) -> Labels:
        return _all(values.get(n) or frozenset((n,)) for n in labels)

    for f, g in zip(outer.axes[split:], inner.axes[:rank], strict=True):
        f, g = now(f), now(g)
        for side, other in ((f, g), (g, f)):
            if len(side) == 1 and other and not side & other:
                (label,) = side
                for old, value in values.items():
                    if label in value:
                        values[old] = (value - side) | other
                values[label] = other
                break
    axes = tuple(now(labels) for labels in (*outer.axes[:split], *inner.axes[rank:]))
    kept, total = _all(axes), Cost()
    parts: list[Labels] = []
    for part in (now(part) for part in (*outer.parts, *inner.parts)):
        for other in [one for one in parts if one & part - kept]:
            parts.remove(other)
            total += pair(part, other, (part | other) & kept, volume)
            part |= other
        parts.append(part)
    apart = [part & kept for part in parts if part & kept]
    if apart and not larger(apart, volume):
        first, *others = apart
        for part in others:
            total += pair(first, part, first | part, volume)
            first |= part
        apart = [first]
    return _pattern_of(axes, apart), total
