"""The shape of an expression whose sizes are all numbers, before the sizes of the program are found.

How many axes `squeeze(x)` leaves is a question of sizes, and ranks come first.
"""

from __future__ import annotations

from collections.abc import Iterable

from einsumdiff.indexing.expression import (
    Access,
    AxisSize,
    Node,
    Operate,
    Over,
    Reference,
    Variable,
    bases,
    children,
)
from einsumdiff.indexing.shapes import Sizes, shown
from einsumdiff.indexing.sizing import Sizing
from einsumdiff.nesting import Steps, run


def known_sizes(node: Node) -> tuple[int, ...] | None:
    """The shape; None where a size is no number, or is found only from the rest of the program."""
    sizing = Sizing(Sizes(), lambda shape: shown(tuple(shape)), True)
    if not run(_sized(node, sizing, set())):
        return None
    sizes = [sizing.resolve(size) for size in sizing.of(node)]
    numbers = tuple(size for size in sizes if isinstance(size, int))
    return numbers if len(numbers) == len(sizes) else None


def _sized(node: Node, sizing: Sizing, seen: set[Variable]) -> Steps[bool]:
    """Give the variables that a node reads their shapes; False where one has none yet."""
    match node:
        case Reference(variable=variable):
            return variable in seen or _variable(variable, sizing, seen)
        case Access() | Over():  # entries in letters, whose ranges are found later
            return False
        case AxisSize(base=base):
            return _sized(base, sizing, seen)
        case Operate():
            return _all_sized((*node.arguments.operands.values(), *bases(node)), sizing, seen)
        case _:
            return _all_sized(children(node), sizing, seen)


def _all_sized(nodes: Iterable[Node], sizing: Sizing, seen: set[Variable]) -> Steps[bool]:
    for node in nodes:
        if not (yield _sized(node, sizing, seen)):
            return False
    return True


def _variable(variable: Variable, sizing: Sizing, seen: set[Variable]) -> Steps[bool]:
    seen.add(variable)
    if variable.line is None:
        if variable.declared is None:
            return False
        sizing.variable(variable)
        return True
    if variable.line.indexed or not (yield _sized(variable.line.value, sizing, seen)):
        return False
    sizing.line(variable.line)
    return True
