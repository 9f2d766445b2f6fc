"""The order in which the factors of a product are contracted.

Two factors at a time; the cost of a step is the product of the sizes of all labels that it runs over.
Exact for a few factors, by dynamic programming over subsets; greedy for more. Source: R. Pfeifer,
J. Haegeman and F. Verstraete, Faster identification of optimal contraction sequences (2014).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

from einsumdiff.nodes import Label
from einsumdiff.sizes import assumed

T = TypeVar("T")
MOST_EXACT = 6
ONCE = 0.5
"""The weight of a step that is taken once for many calls: `A @ (B @ v)` must not multiply A with B."""

Path = int | tuple["Path", "Path"]


def volume(labels: Iterable[Label], sizes: Mapping[str, int] | None = None) -> float:
    """The number of places, by these sizes, or else by assumed ones."""
    total = 1.0
    for label in labels:
        total *= assumed(label.size, sizes or {})
    return total


def order(
    factors: Sequence[frozenset[Label]],
    kept: frozenset[Label],
    moving: Sequence[bool] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Path:
    """A tree of pairs over the positions of the factors, of least cost.

    `moving` tells the factors that change from call to call: what is made of the others alone is made once,
    and counts half. `sizes`: what names of sizes are assumed to be.
    """
    assert factors
    if len(factors) == 1:
        return 0
    if moving is not None and len(factors) <= MOST_EXACT:
        return _exact(factors, kept, sum(1 << k for k, one in enumerate(moving) if one), sizes)
    return _exact(factors, kept) if len(factors) <= MOST_EXACT else _greedy(factors, kept)


def _exact(
    factors: Sequence[frozenset[Label]],
    kept: frozenset[Label],
    moving: int = -1,
    sizes: Mapping[str, int] | None = None,
) -> Path:
    count = len(factors)
    everything = (1 << count) - 1
    union: list[frozenset[Label]] = [frozenset()] * (everything + 1)
    for subset in range(1, everything + 1):
        low = subset & -subset
        union[subset] = union[subset ^ low] | factors[low.bit_length() - 1]
    outside = [union[everything ^ subset] | kept for subset in range(everything + 1)]
    best: dict[int, tuple[float, Path]] = {1 << k: (0.0, k) for k in range(count)}
    for subset in range(1, everything + 1):
        if subset in best:
            continue
        low = subset & -subset
        found: tuple[float, Path] | None = None
        part = (subset - 1) & subset
        while part:
            other = subset ^ part
            if part & low:  # each split once
                left, right = union[part] & outside[part], union[other] & outside[other]
                step = volume(left | right, sizes) * (1.0 if subset & moving else ONCE)
                cost = best[part][0] + best[other][0] + step
                if found is None or cost < found[0]:
                    found = cost, (best[part][1], best[other][1])
            part = (part - 1) & subset
        assert found is not None
        best[subset] = found
    return best[everything][1]


def _greedy(factors: Sequence[frozenset[Label]], kept: frozenset[Label]) -> Path:
    """Always the pair whose result grows the least over its operands, the cheaper one of equals."""
    live: list[tuple[Path, frozenset[Label]]] = list(enumerate(factors))
    bearers: dict[Label, int] = {}
    for labels in (*factors, kept):
        for label in labels:
            bearers[label] = bearers.get(label, 0) + 1
    while len(live) > 1:
        best: tuple[tuple[float, float], int, int, frozenset[Label]] | None = None
        sizes = [volume(labels) for _, labels in live]
        for a, b in combinations(range(len(live)), 2):
            left, right = live[a][1], live[b][1]
            if not left & right and left and right:
                continue
            joint = left | right
            result = frozenset(n for n in joint if bearers[n] > (n in left) + (n in right))
            key = (volume(result) - sizes[a] - sizes[b], volume(joint))
            if best is None or key < best[0]:
                best = key, a, b, result
        if best is None:  # nothing is shared any more
            best = (0.0, 0.0), 0, 1, live[0][1] | live[1][1]
        _, a, b, result = best
        for label in live[a][1] & live[b][1]:
            bearers[label] -= 1
        pair: Path = (live[a][0], live[b][0])
        live = [item for k, item in enumerate(live) if k not in (a, b)]
        live.insert(a, (pair, result))
    return live[0][0]


def along(path: Path, leaf: Callable[[int], T], pair: Callable[[T, T], T]) -> T:
    """Build from a tree of pairs, without recursion."""
    done: list[T] = []
    stack: list[tuple[Path, bool]] = [(path, False)]
    while stack:
        node, ready = stack.pop()
        if isinstance(node, int):
            done.append(leaf(node))
        elif ready:
            right, left = done.pop(), done.pop()
            done.append(pair(left, right))
        else:
            stack += [(node, True), (node[1], False), (node[0], False)]
    return done[0]
