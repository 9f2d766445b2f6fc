"""What entries read: inputs, named constants, and (in `definitions`) what a body defines."""

from __future__ import annotations

import itertools

from einsumdiff.properties import kind
from einsumdiff.sizes import AnySize

_serials = itertools.count()


class Array:
    """What an entry reads: an input, a definition or a named constant. Compared by identity.

    `symmetric` is known of the last two axes, or not; `zeros` is `lower`, `upper` or `diagonal` where the
    other entries are known to be 0. `declared` tells that something declared stands behind its value. `alike`
    are the orders of its axes in which it is the same array, `opposed` those in which it is the negative one,
    or none where that is not known: comparisons find them (`meaning.py`). `one_hot`: see `is_one_hot`.
    """

    __slots__ = ("alike", "declared", "name", "one_hot", "opposed", "serial", "shape", "symmetric", "zeros")

    def __init__(self, name: str, shape: tuple[AnySize, ...]) -> None:
        self.name, self.shape, self.serial = name, shape, next(_serials)
        self.symmetric, self.zeros, self.declared, self.one_hot = False, "", False, False
        self.alike: tuple[tuple[int, ...], ...] = ()
        self.opposed: tuple[tuple[int, ...], ...] = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, {self.shape})"


class Input(Array):
    """A parameter of the program.

    `properties` are the words that were declared of it. Formulas rely on them unless the derivative is in
    this input: then `meaning` says how its entries vary, and nothing is simplified by them, as that would
    change the function beside the arrays that have the property.
    """

    __slots__ = ("meaning", "properties")

    def __init__(
        self,
        name: str,
        shape: tuple[AnySize, ...],
        properties: tuple[str, ...] = (),
        meaning: str | None = None,
    ) -> None:
        super().__init__(name, shape)
        self.properties, self.meaning = properties, meaning
        if properties and meaning is None:
            what = kind(properties)
            self.symmetric = what in ("symmetric", "diagonal")
            self.zeros = "" if what == "symmetric" else what
            self.declared = True


class Constant(Array):
    """A named number: `pi`, `e`, `inf`."""

    __slots__ = ()


def is_one_hot(array: Array) -> bool:
    """Is it an array of zeros and ones, with a single one along the last axis?"""
    return array.one_hot
