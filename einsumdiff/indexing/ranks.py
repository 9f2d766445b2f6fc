"""How many axes everything has, over the whole program, before any size is known.

A declared or indexed input has its rank; another has the least that its operations need, or what its name
says: an upper-case first letter is a matrix, a lower-case one a vector. Where an operation needs more than
there is, the inputs below it are raised and the program is gone through again.
"""

from __future__ import annotations

from collections.abc import Sequence

from einsumdiff.errors import RankFault
from einsumdiff.indexing.expression import (
    Access,
    Layout,
    Line,
    Node,
    Operate,
    Reference,
    Variable,
    bases,
    children,
)
from einsumdiff.indexing.operations import axes_in_words, meaning
from einsumdiff.indexing.structural import of_form
from einsumdiff.language.rows import Definition, Form, option
from einsumdiff.nesting import Steps, run


def by_name(name: str) -> int:
    """The rank that a name suggests."""
    first = next((c for c in name if c.isalpha()), "a")
    return 2 if first.isupper() else 1


class Ranks:
    """The pass. It is what `operations.Need` asks for."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self.raised = False

    def run(self) -> None:
        """Find the rank of every node, and the meaning of every operation."""
        while True:
            self.raised = False
            for line in self.lines:
                self._line(line)
            if not self.raised:
                return

    def _line(self, line: Line) -> None:
        rank = self.of(line.value)
        for node in line.scalars:
            self._scalar(node)
        if line.left is not None:
            rank = len(line.left)
        if line.target is not None:
            line.target.rank = rank
            declared = line.target.declared
            if declared is not None and len(declared) != rank and not self.raised:
                raise RankFault(
                    f"{line.target.name} has {axes_in_words(rank)}, and is {line.target.source} with "
                    f"{len(declared) or 'none'}",
                    line.span,
                    "change the declaration, or the expression",
                )

    def _scalar(self, node: Node) -> None:
        if node.rank == 0 or self.raised:
            return
        source = node.span.source
        letters = ",".join("ijklpqrs"[: node.rank])
        simple = isinstance(node, Reference) or (isinstance(node, Operate) and source.endswith(")"))
        name = source if simple else f"({source})"
        raise RankFault(
            f"{source} has {axes_in_words(node.rank)}, and indexed notation needs an entry of it",
            node.span,
            f"write {name}[{letters}]",
        )

    def of(self, node: Node) -> int:
        """The rank of a node, from its parts."""
        return run(self._of(node))

    def _of(self, node: Node) -> Steps[int]:
        match node:
            case Reference(variable=variable):
                node.rank = self._variable(variable)
            case Access(base=base, items=items):
                rank = yield self._of(base)
                if rank != len(items) and not self.exact(base, len(items)):
                    why = ""
                    if isinstance(base, Reference) and base.variable.line is None:
                        why = f" ({base.variable.source})" if base.variable.source else ""
                    raise RankFault(
                        f"{base.span.source} has {axes_in_words(rank)}{why}, and {node.span.source} has "
                        f"{len(items)} {'index' if len(items) == 1 else 'indices'}",
                        node.span,
                        "one index for each axis",
                    )
                node.rank = 0
            case Operate():
                for operand in node.arguments.operands.values():
                    yield self._of(operand)
                for base in bases(node):
                    yield self._of(base)
                found = of_form(node, self) if isinstance(node.row, Form) else meaning(node, self)
                node.meaning = found
                node.rank = found.rank if isinstance(found, Layout) else len(found.axes)
            case _:
                for base in bases(node):
                    yield self._of(base)
                rank = 0
                for part in children(node):
                    rank = max(rank, (yield self._of(part)))
                node.rank = rank
        return node.rank

    def _variable(self, variable: Variable) -> int:
        if variable.line is None:
            variable.rank = (
                len(variable.declared)
                if variable.declared is not None
                else variable.exact
                if variable.exact is not None
                else max(variable.least, by_name(variable.name))
            )
        return variable.rank

    # -- what operations ask for

    def __call__(self, node: Node, least: int) -> bool:
        """Raise inputs below the node so that it has at least that rank."""
        raised = [self._raise(variable, least) for variable in self._below(node)]
        return any(raised)

    def exact(self, node: Node, rank: int) -> bool:
        """Settle an input's rank."""
        if not isinstance(node, Reference) or node.variable.line is not None:
            return node.rank < rank and self(node, rank)
        variable = node.variable
        if variable.declared is not None or variable.exact is not None:
            return self.raised and variable.exact == rank
        variable.exact = rank
        node.rank, self.raised = rank, True
        return True

    def _raise(self, variable: Variable, least: int) -> bool:
        if variable.declared is not None or variable.exact is not None:
            return False
        if variable.least < least:
            variable.least = least
            self.raised = True
        return True

    def _below(self, node: Node) -> list[Variable]:
        """The inputs whose rank makes that of the node, through elementwise operations."""
        found: dict[Variable, None] = {}
        stack = [node]
        seen: set[int] = set()
        while stack:
            one = stack.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            match one:
                case Reference(variable=variable) if variable.line is None:
                    found[variable] = None
                case Reference(variable=variable):
                    if variable.line is not None and variable.line.left is None:
                        stack.append(variable.line.value)
                case Operate(row=Definition() as row) if option(row, "along") is not None:
                    stack.append(next(iter(one.arguments.operands.values())))
                case Access() | Operate():
                    pass
                case _:
                    stack.extend(reversed(children(one)))
        return list(found)
