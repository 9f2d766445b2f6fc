"""Calls that give several arrays: they are assigned to several names, or one is taken by its number.

Either way each of the arrays is a call of its own: `slogdet(A)[1]` of what gives the second value, and
`split(x, 3)[0]` of the same row with the number of the part.
"""

from __future__ import annotations

from dataclasses import replace

from einsumdiff.language import tree
from einsumdiff.language.rows import Form, gives
from einsumdiff.language.table import load_table


def several(node: tree.Tree) -> tuple[str, ...]:
    """The functions that give the values of a call that has several: `slogdet`."""
    row = load_table().get(node.function) if isinstance(node, tree.Apply) else None
    return gives(row)


def parted(node: tree.Tree) -> bool:
    """Whether it is a call that gives as many arrays as its arguments say: `split(x, 3)`."""
    row = load_table().get(node.function) if isinstance(node, tree.Apply) else None
    return isinstance(row, Form) and "parts" in row.options


def part_of(node: tree.Apply, part: int, parts: int | None = None) -> tree.Apply:
    """The call for one of its arrays; `parts` is how many are assigned."""
    said = [("part", tree.Number(part, node.span))]
    if parts is not None:
        said.append(("parts", tree.Number(parts, node.span)))
    return replace(node, keywords=(*node.keywords, *said))
