"""What a reader of expressions asks about names: the variables of a program, or the letters of a rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from einsumdiff.indexing.expression import Access, Delta, Index, Node
from einsumdiff.language import tree
from einsumdiff.sizes import AnySize

ELLIPSIS = "..."
"""The letter that `...` in brackets is: it stands for any number of axes."""


class Names(Protocol):
    """What a name means where an expression stands."""

    def value(self, name: tree.Name, indexed: bool) -> Node:
        """A name outside of brackets."""

    def letter(self, name: tree.Name) -> Index | None:
        """A name in brackets: its index, or None where it is no letter."""

    def kronecker(self, name: tree.Name, count: int) -> bool:
        """Whether `delta` with so many items is Kronecker's, and no array that is called so."""

    def size(self, name: str) -> AnySize | None:
        """The size of that name."""

    def over(self, names: Iterable[tree.Name]) -> tuple[Index, ...]:
        """Open a scope with letters of its own, until `leave`."""

    def leave(self, names: Iterable[tree.Name]) -> None:
        """Close the scope that `over` opened last."""

    def fresh(self) -> Index:
        """A letter of the statement that nobody typed."""

    def keep(self, node: Access | Delta) -> None:
        """An access or delta in letters was read."""

    def scalar(self, node: Node) -> None:
        """A whole-array expression stands where a scalar entry is needed."""


def first_letter(node: tree.Tree, names: Names) -> tree.Name | None:
    """The first letter in brackets anywhere below, or an explicit reduction's."""
    for part in tree.walk(node):
        if isinstance(part, tree.Over):
            return part.letters[0]
        if isinstance(part, tree.Subscript):
            for item in part.items:
                for inner in tree.walk(item):
                    if isinstance(inner, tree.Name) and names.letter(inner) is not None:
                        return inner
    return None
