"""How many numbers a compressed derivative keeps at given sizes."""

from collections.abc import Mapping

from einsumdiff import Derivative
from einsumdiff.sizes import evaluate


def stored(derivative: Derivative, sizes: Mapping[str, int]) -> int:
    """By the formula that `d.structure` gives."""
    return evaluate(derivative.structure.stored, sizes)
