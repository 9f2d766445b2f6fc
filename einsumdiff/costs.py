"""The cost model: what a step of a contraction, a product and a sum of products cost.

A product of an array with itself counts half, as BLAS computes one triangle of it, and an array of which
BLAS needs a copy, because what is summed does not lie together, counts that too.

A step counts its flops and the bytes that it moves, a flop as much as a byte: a matrix product is bound by
the first, anything elementwise by the second. Sizes that nobody gives are assumed to be `sizes.assumed`,
all alike, so that a choice that rests on one size being smaller than another is made only where they are
given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import NamedTuple

from einsumdiff.nodes import Label
from einsumdiff.sizes import AnySize, assumed, evaluate, given

Sizes = Mapping[str, int]
Labels = frozenset[Label]

NUMBER = 8
"""The bytes of a number."""


def number(size: AnySize, sizes: Sizes) -> float:
    """What a size counts as: what it is, where that is known."""
    if isinstance(size, int):
        return float(max(0, size))
    if sizes and given(size, sizes):
        return float(max(0, evaluate(size, sizes)))
    return assumed(size, sizes)


def volume(labels: Iterable[Label], sizes: Sizes | None = None) -> float:
    """The number of places, by these sizes, or else by assumed ones."""
    return places([label.size for label in labels], sizes or {})


def places(shape: Iterable[AnySize], sizes: Sizes) -> float:
    """Those of an array of that shape."""
    total = 1.0
    for size in shape:
        total *= number(size, sizes)
    return total


Volume = Callable[[Labels], float]


def measured(sizes: Sizes) -> Volume:
    """`volume` at these sizes, found once for each set of labels."""

    @cache
    def known(labels: Labels) -> float:
        return volume(labels, sizes)

    return known


@dataclass(frozen=True, slots=True)
class Cost:
    """Floating-point operations, and the bytes that are read and written."""

    flops: float = 0.0
    bytes: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.bytes + other.bytes)

    @property
    def weight(self) -> float:
        """One number to compare by."""
        return self.flops + self.bytes


def pair(left: Labels, right: Labels, result: Labels, volume: Volume) -> Cost:
    """Two operands multiplied, and summed over the labels that the result lacks.

    A matrix product of m x k and k x n has 2*m*k*n flops.
    """
    joint = left | right
    places = volume(joint)
    moved = volume(left) + volume(right) + volume(result)
    return Cost(places * (1 if result == joint else 2), NUMBER * moved)


class Stored(NamedTuple):
    """An array that is there, by what it is and by its axes in the order of its memory."""

    array: object
    axes: tuple[Label, ...]


def stored_pair(
    left: Labels,
    right: Labels,
    result: Labels,
    volume: Volume,
    first: Stored | None = None,
    second: Stored | None = None,
) -> Cost:
    """The same, where one is known to be stored: whether BLAS has to be given a copy of it, and whether it is
    multiplied with itself, of which BLAS computes one half."""
    total = pair(left, right, result, volume)
    if first is not None and second is not None and with_itself(first, second, result):
        again = _copy(first, left, right, result, volume)
        return Cost(total.flops / 2, total.bytes + again)
    for one in (first, second):
        if one is not None:
            total += Cost(0.0, _copy(one, left, right, result, volume))
    return total


def with_itself(first: Stored, second: Stored, result: Labels) -> bool:
    """One array twice, `A[i,k]*A[j,k] -> [i,j]`: each axis is summed with itself, or in the result twice."""
    if first.array != second.array or not set(first.axes) - result:
        return False
    axes = list(zip(first.axes, second.axes, strict=True))
    apart = {n for a, b in axes if a is not b for n in (a, b)}
    summed = [a for a, b in axes if a is b]
    return len(apart) == 2 * (len(axes) - len(summed)) and apart <= result and result.isdisjoint(summed)


def _copy(one: Stored, left: Labels, right: Labels, result: Labels, volume: Volume) -> float:
    """The bytes of a copy in which what is summed lies together, and so does the rest.

    A stack of matrices, of which the rows are summed, is multiplied as it is.
    """
    if left & right & result or left | right == result:
        return 0.0
    groups = [*groupby(one.axes, lambda n: n in result)]
    stack = one.axes[-2:-1] and one.axes[-2] not in result and set(one.axes) - {one.axes[-2]} <= result
    if len(groups) <= 2 or (stack and len((left | right) - set(one.axes)) <= 1):
        return 0.0
    return 2 * NUMBER * volume(frozenset(one.axes))


def folded(base: Labels, result: Labels, volume: Volume) -> Cost:
    """One operand summed over the labels that the result lacks."""
    places = volume(base)
    return Cost(places, NUMBER * (places + volume(result)))


def added(result: Labels, volume: Volume) -> Cost:
    """One more array added to another."""
    places = volume(result)
    return Cost(places, 3 * NUMBER * places)
