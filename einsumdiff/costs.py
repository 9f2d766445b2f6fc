"""The cost model: what a step of a contraction, a product and a sum of products cost.

A step counts its flops and the bytes that it moves, a flop as much as a byte: a matrix product is bound by
the first, anything elementwise by the second. Sizes that nobody gives are assumed to be `sizes.assumed`,
all alike, so that a choice that rests on one size being smaller than another is made only where they are
given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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
    total = 1.0
    for label in labels:
        total *= number(label.size, sizes or {})
    return total


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


def pair(left: Labels, right: Labels, result: Labels, sizes: Sizes) -> Cost:
    """Two operands multiplied, and summed over the labels that the result lacks.

    A matrix product of m x k and k x n has 2*m*k*n flops.
    """
    joint = left | right
    a, b, c, places = (volume(labels, sizes) for labels in (left, right, result, joint))
    return multiplied(a, b, c, places, result != joint)


def multiplied(left: float, right: float, result: float, joint: float, sums: bool) -> Cost:
    """The same by the volumes of the operands, the result, and all places together."""
    return Cost(joint * (2 if sums else 1), NUMBER * (left + right + result))


def folded(base: Labels, result: Labels, sizes: Sizes) -> Cost:
    """One operand summed over the labels that the result lacks."""
    places = volume(base, sizes)
    return Cost(places, NUMBER * (places + volume(result, sizes)))


def added(result: Labels, sizes: Sizes) -> Cost:
    """One more array added to another."""
    places = volume(result, sizes)
    return Cost(places, 3 * NUMBER * places)
