"""Pairs of factors that several products may begin with: made once, they count once.

    R[i,j,k]*B[j,q]*C[k,q]  and  R[i,j,k]*A[i,q]*C[k,q]:   R with C serves both, B with C only the first

The order of each contraction is found alone, and whatever pairs it might begin with are noted. Where two
products note the same one, orders are found again, with such pairs at half their price, and for nothing once
one is made. Whether that gained anything is for the whole plan to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from einsumdiff import plan
from einsumdiff.contract import Path, along, steps
from einsumdiff.costs import Labels, measured, pair
from einsumdiff.plan import Expr
from einsumdiff.plan.equal import Keys

PRICE = 0.5
"""The part of its cost that a pair counts which another product wants as well."""

MOST = 12
"""Pairs are not looked for in products of more factors."""


@dataclass(frozen=True, slots=True)
class _Product:
    """What a product costs in its own order, the pairs that it might begin with and those that it did."""

    cost: float
    possible: Mapping[int, float]
    begun: frozenset[int]


@dataclass(slots=True)
class Pairs:
    """Pairs by their `Keys`. `wanted` says how many products may begin with one, found before."""

    keys: Keys = field(default_factory=Keys)
    wanted: Counter[int] = field(default_factory=Counter)
    made: set[int] = field(default_factory=set)
    products: list[_Product] = field(default_factory=list)

    def again(self) -> Pairs | None:
        """For the same products once more; None where no order could change."""
        wanted = Counter(number for one in self.products for number in one.possible)
        for one in self.products:
            for number, weight in one.possible.items():
                if wanted[number] > 1 and number not in one.begun and weight * PRICE < one.cost:
                    return Pairs(self.keys, wanted)
        return None

    def possible(self, factors: Sequence[Expr], kept: Labels) -> dict[tuple[int, int], int]:
        """The numbers of the pairs of factors with a label in common."""
        found: dict[tuple[int, int], int] = {}
        if not 2 < len(factors) <= MOST:
            return found
        for a, b in combinations(range(len(factors)), 2):
            left, right = factors[a], factors[b]
            if not set(left.axes) & set(right.axes):
                continue
            beyond = kept.union(*(one.axes for k, one in enumerate(factors) if k not in (a, b)))
            axes = tuple(label for label in plan.union([left, right]) if label in beyond)
            found[a, b] = self.keys.of(plan.Contract(left, right, axes))[0]
        return found

    def prices(self, possible: Mapping[tuple[int, int], int]) -> dict[tuple[int, int], float]:
        """The part of its cost that each pair counts, where that is not all of it."""
        return {
            at: 0.0 if number in self.made else PRICE
            for at, number in possible.items()
            if number in self.made or self.wanted[number] > 1
        }

    def chosen(
        self,
        path: Path,
        factors: Sequence[Labels],
        kept: Labels,
        possible: Mapping[tuple[int, int], int],
        sizes: Mapping[str, int],
    ) -> None:
        """Note the order that a product was given."""
        if not possible:
            return
        begun: set[int] = set()

        def joined(left: Path, right: Path) -> Path:
            if isinstance(left, int) and isinstance(right, int):
                number = possible.get((min(left, right), max(left, right)))
                begun.update([] if number is None else [number])
            return left, right

        leaves: list[Path] = list(range(len(factors)))
        along(path, leaves.__getitem__, joined)
        self.made |= begun
        places = measured(sizes)
        total = sum(pair(*step, places).weight for step in steps(path, factors, kept))
        weights = {}
        for (a, b), number in possible.items():
            beyond = kept.union(*(one for k, one in enumerate(factors) if k not in (a, b)))
            joint = (factors[a] | factors[b]) & beyond
            weights[number] = pair(factors[a], factors[b], joint, places).weight
        self.products.append(_Product(total, weights, frozenset(begun)))
