"""The order in which the factors of a product are contracted.

Two factors at a time, each step weighed by `costs`. Exact for a few factors, by dynamic programming over
subsets, and for a longer chain, by the same over its connected parts; greedy for what is left. Source:
R. Pfeifer, J. Haegeman and F. Verstraete, Faster identification of optimal contraction sequences (2014).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import combinations
from math import prod
from typing import TypeVar

from einsumdiff.costs import Cost, Labels, Stored, folded, measured, number, stored_pair, volume
from einsumdiff.nodes import Label
from einsumdiff.sizes import AnySize

T = TypeVar("T")
MOST_EXACT = 6
MOST_PARTS = 150
"""More factors are still ordered exactly where so few sets of them are connected: a chain of 12 has 78."""
MOST_KNOWN = 10_000
"""So many orders are remembered: each layer of a network has the products of the one before it."""
ONCE = 0.5
"""The weight of a step that is taken once for many calls: `A @ (B @ v)` must not multiply A with B."""

Path = int | tuple["Path", "Path"]
Stores = Sequence[Stored | None]

_known: dict[Hashable, Path] = {}


def order(
    factors: Sequence[Labels],
    kept: Labels,
    moving: Sequence[bool] | None = None,
    sizes: Mapping[str, int] | None = None,
    shared: Mapping[tuple[int, int], float] | None = None,
    stored: Stores | None = None,
) -> Path:
    """A tree of pairs over the positions of the factors, of least cost.

    `moving` tells the factors that change from call to call: what is made of the others alone is made once,
    and counts half. `sizes`: what names of sizes are assumed to be. `shared`: the part of its cost that a
    pair of factors counts, where other products want it too. `stored`: the factors that lie in memory.
    """
    assert factors
    sizes = sizes or {}
    if len(factors) < 3:
        return 0 if len(factors) == 1 else (0, 1)
    if len(factors) <= MOST_EXACT:
        subsets: Sequence[int] | None = range(1, 1 << len(factors))
    else:
        groups = together(factors)
        if len(groups) > 1:
            return _outer(groups, factors, kept, moving, sizes, shared or {}, stored)
        subsets = _connected(factors)
    if subsets is None:
        return _greedy(factors, kept, sizes)
    key = _pattern(factors, kept, moving, sizes, shared or {}, stored or ())
    found = _known.get(key)
    if found is not None:
        return found
    changing = -1 if moving is None else sum(1 << k for k, one in enumerate(moving) if one)
    parts = {1 << a | 1 << b: part for (a, b), part in (shared or {}).items()}
    lying = {1 << k: one for k, one in enumerate(stored or ()) if one is not None}

    places = measured(sizes)

    def weigh(a: int, b: int, left: Labels, right: Labels, result: Labels) -> float:
        step = stored_pair(left, right, result, places, lying.get(a), lying.get(b)).weight
        return step * parts.get(a | b, 1.0) * (1.0 if (a | b) & changing else ONCE)

    if len(_known) >= MOST_KNOWN:
        _known.clear()
    found = _known[key] = _exact(factors, kept, subsets, weigh)
    return found


def _pattern(
    factors: Sequence[Labels],
    kept: Labels,
    moving: Sequence[bool] | None,
    sizes: Mapping[str, int],
    shared: Mapping[tuple[int, int], float],
    stored: Stores,
) -> Hashable:
    """All that the order depends on: labels and arrays by their numbers, sizes by what they count as."""
    labels: dict[Label, int] = {}
    for factor in factors:
        for label in sorted(factor, key=lambda one: one.serial):
            labels.setdefault(label, len(labels))
    kinds: dict[AnySize, int] = {}
    arrays: dict[object, int] = {}
    lying = [
        None
        if one is None
        else (arrays.setdefault(one.array, len(arrays)), tuple([labels.get(n) for n in one.axes]))
        for one in stored
    ]
    return (
        tuple([frozenset([labels[n] for n in factor]) for factor in factors]),
        frozenset([k for label, k in labels.items() if label in kept]),
        tuple([(kinds.setdefault(n.size, len(kinds)), number(n.size, sizes)) for n in labels]),
        None if moving is None else tuple(moving),
        frozenset(shared.items()),
        tuple(lying),
    )


def together(factors: Sequence[Labels]) -> list[list[int]]:
    """The positions of the factors in groups that have no label in common."""
    groups: list[tuple[set[Label], list[int]]] = []
    for k, labels in enumerate(factors):
        near = [group for group in groups if group[0] & labels]
        if not near:
            groups.append((set(labels), [k]))
            continue
        for joint, own in near[1:]:
            near[0][0].update(joint)
            near[0][1].extend(own)
        near[0][0].update(labels)
        near[0][1].append(k)
        groups = [group for group in groups if not any(group is one for one in near[1:])]
    return [sorted(own) for _, own in groups]


def _outer(
    groups: Sequence[list[int]],
    factors: Sequence[Labels],
    kept: Labels,
    moving: Sequence[bool] | None,
    sizes: Mapping[str, int],
    shared: Mapping[tuple[int, int], float],
    stored: Stores | None,
) -> Path:
    """Each group in its own order, and then always the two that have the fewest places: what is large is
    written once."""
    done: list[tuple[float, int, Path]] = []
    for number_, group in enumerate(groups):
        at = {k: n for n, k in enumerate(group)}
        own = {(at[a], at[b]): part for (a, b), part in shared.items() if a in at and b in at}
        changing = [moving[k] for k in group] if moving is not None else None
        lying = [stored[k] for k in group] if stored is not None else None
        path = order([factors[k] for k in group], kept, changing, sizes, own, lying)
        result = frozenset(n for k in group for n in factors[k]) & kept
        leaves: list[Path] = list(group)
        moved = along(path, leaves.__getitem__, _both)
        done.append((volume(result, sizes), number_, moved))
    while len(done) > 1:
        done.sort(key=lambda one: one[:2])
        (places, first, left), (more, second, right), *rest = done
        pair_ = (left, right) if first < second else (right, left)
        done = [(places * more, min(first, second), pair_), *rest]
    return done[0][2]


def _both(left: Path, right: Path) -> Path:
    return left, right


def cost(
    factors: Sequence[Labels], bound: Labels, sizes: Mapping[str, int], stored: Stores | None = None
) -> Cost:
    """Of a product in the best order; labels that one factor alone bears are summed first."""
    total, places = Cost(), measured(sizes)
    ready = []
    lie = list(stored or [None] * len(factors))
    for k, labels in enumerate(factors):
        others = {n for j, other in enumerate(factors) if j != k for n in other}
        left = frozenset(n for n in labels if n not in bound or n in others)
        if left != labels:
            total += folded(labels, left, places)
            lie[k] = None
        ready.append(left)
    if len(ready) < 2:
        return total
    kept = frozenset(n for labels in ready for n in labels) - bound
    path = order(ready, kept, sizes=sizes, stored=lie)
    for (left, right, result), (a, b) in zip(steps(path, ready, kept), _pairs(path), strict=True):
        first, second = (lie[k] if isinstance(k, int) else None for k in (a, b))
        total += stored_pair(left, right, result, places, first, second)
    return total


def _pairs(path: Path) -> list[tuple[Path, Path]]:
    """The pairs of the tree, in the order of the steps."""
    found: list[tuple[Path, Path]] = []

    def joined(left: Path, right: Path) -> Path:
        found.append((left, right))
        return left, right

    along(path, lambda k: k, joined)
    return found


def steps(path: Path, factors: Sequence[Labels], kept: Labels) -> Iterator[tuple[Labels, Labels, Labels]]:
    """The labels of the operands and of the result of each pair."""
    bearers: dict[Label, int] = {}
    for labels in (*factors, kept):
        for label in labels:
            bearers[label] = bearers.get(label, 0) + 1
    found: list[tuple[Labels, Labels, Labels]] = []

    def joined(left: Labels, right: Labels) -> Labels:
        result = frozenset(n for n in left | right if bearers[n] > (n in left) + (n in right))
        for label in left & right:
            bearers[label] -= 1
        found.append((left, right, result))
        return result

    along(path, lambda k: factors[k], joined)
    yield from found


def _connected(factors: Sequence[Labels]) -> list[int] | None:
    """The sets of factors that hang together by labels, the smaller first; None where there are too many,
    or where not all of them do."""
    if len(factors) > MOST_PARTS:
        return None
    near = [sum(1 << j for j, b in enumerate(factors) if j != k and a & b) for k, a in enumerate(factors)]
    found = {1 << k for k in range(len(factors))}
    latest = sorted(found)
    every = [*latest]
    while latest:
        larger: set[int] = set()
        for subset in latest:
            around = 0
            for k, others in enumerate(near):
                if subset >> k & 1:
                    around |= others
            larger.update(subset | 1 << k for k in range(len(factors)) if (around & ~subset) >> k & 1)
        latest = sorted(larger)
        every += latest
        if len(every) > MOST_PARTS:
            return None
    return every if every[-1] == (1 << len(factors)) - 1 else None


def _exact(
    factors: Sequence[Labels],
    kept: Labels,
    subsets: Sequence[int],
    weigh: Callable[[int, int, Labels, Labels, Labels], float],
) -> Path:
    everything = (1 << len(factors)) - 1
    union: dict[int, Labels] = {0: frozenset()}

    def of(subset: int) -> Labels:
        if subset not in union:
            low = subset & -subset
            union[subset] = of(subset ^ low) | factors[low.bit_length() - 1]
        return union[subset]

    left_over = {subset: of(subset) & (of(everything ^ subset) | kept) for subset in subsets}
    best: dict[int, tuple[float, float, Path]] = {1 << k: (0.0, 0.0, k) for k in range(len(factors))}
    dense = len(subsets) == everything
    for subset in subsets:
        if subset in best:
            continue
        low = subset & -subset
        found: tuple[float, float, Path] | None = None
        guessed = _guessed(left_over[subset])
        for part in _parts(subset) if dense else subsets:
            other = subset ^ part
            if part & ~subset or not part & low or other not in best or part not in best:
                continue  # each split once
            step = weigh(part, other, left_over[part], left_over[other], left_over[subset])
            total = best[part][0] + best[other][0] + step
            worse = best[part][1] + best[other][1] + guessed + (not _run(part) or not _run(other)) / 8
            if found is None or (total, worse) < found[:2]:
                found = total, worse, (best[part][2], best[other][2])
        assert found is not None
        best[subset] = found
    return best[everything][2]


def _guessed(labels: Labels) -> int:
    """How many sizes an array has; of ways of one cost the one is taken whose arrays have the fewest.

    `M[i,j]*V[j,k]*V[j,l]` may make m*n*k numbers or n*k*k. Where nothing is known of the sizes these are
    equal. The result has two axes of size k, so k is more likely the small one.
    """
    return len({label.size for label in labels})


def _run(subset: int) -> bool:
    """Do the factors follow one another? Then what they make has its axes in the order of the result."""
    return (subset & -subset) + subset & subset == 0


def _parts(subset: int) -> Iterator[int]:
    """All proper parts of a set, the largest first."""
    part = (subset - 1) & subset
    while part:
        yield part
        part = (part - 1) & subset


def _greedy(factors: Sequence[Labels], kept: Labels, assumed: Mapping[str, int]) -> Path:
    """Always the pair whose result grows the least over its operands, the cheaper one of equals.

    Factors without a common label are multiplied where one of them has none at all, or nothing is shared.
    """
    live: dict[int, tuple[Path, Labels]] = {k: (k, labels) for k, labels in enumerate(factors)}
    bearers: dict[Label, set[int]] = {}  # the factors that bear a label; those kept are borne for ever
    for k, labels in live.items():
        for label in labels[1]:
            bearers.setdefault(label, {-1} if label in kept else set()).add(k)
    length = {label: number(label.size, assumed) for label in bearers}

    def places(labels: Labels) -> float:
        return prod(length[label] for label in labels)

    def joined(a: int, b: int) -> Labels:
        return frozenset(n for n in live[a][1] | live[b][1] if bearers[n] - {a, b})

    size = {k: places(labels) for k, (_, labels) in live.items()}
    joins = dict.fromkeys(live, 0)  # how often a factor was joined: what is in the heap of it before is old
    heap: list[tuple[tuple[float, float], int, int, int, int]] = []

    def offer(pairs: Iterable[tuple[int, int]]) -> None:
        """Only a pair that has one of the two that were joined last weighs other than before."""
        for a, b in pairs:
            key = (places(joined(a, b)) - size[a] - size[b], places(live[a][1] | live[b][1]))
            heappush(heap, (key, a, b, joins[a], joins[b]))

    near = {(a, b) for ks in bearers.values() for a, b in combinations(sorted(ks - {-1}), 2)}
    alone = {k for k in live if not live[k][1]}
    near.update((min(a, b), max(a, b)) for a in alone for b in live if a != b)
    offer(near)
    while len(live) > 1:
        while heap and not (heap[0][3] == joins.get(heap[0][1]) and heap[0][4] == joins.get(heap[0][2])):
            heappop(heap)
        a, b = heap[0][1:3] if heap else tuple(live)[:2]  # the heap is empty: nothing is shared any more
        result = joined(a, b)
        (left, _), (right, others) = live[a], live.pop(b)
        for label in live[a][1] | others:
            bearers[label] -= {b} if label in result else {a, b}
            if label in result:
                bearers[label].add(a)
        live[a], size[a] = ((left, right), result), places(result)
        joins[a] += 1
        del joins[b]
        alone -= {a, b}
        if not result:
            alone.add(a)
        around = live.keys() if not result else alone.union(*(bearers[label] for label in result))
        offer((min(a, k), max(a, k)) for k in around - {a, -1})
    return next(iter(live.values()))[0]


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
