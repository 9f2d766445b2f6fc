"""What a name means where it stands in a statement: a variable, a letter, a size, a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isnan

from einsumdiff.errors import IndexFault, NameFault, Span, Unsupported
from einsumdiff.indexing.declarations import Declarations
from einsumdiff.indexing.expression import (
    Access,
    AxisSize,
    Delta,
    Index,
    Line,
    Named,
    Node,
    Number,
    Reference,
    SizeName,
    Variable,
)
from einsumdiff.indexing.names import ELLIPSIS
from einsumdiff.language import tree
from einsumdiff.language.rows import NamedNumber
from einsumdiff.language.table import is_array_too, load_table
from einsumdiff.sizes import AnySize, symbol


class Scope(Declarations):
    """The `Names` of the statement at hand, for the reader of its expressions.

    Attributes
    ----------
    inputs : by name, in order of appearance.
    current : what each name means after the lines so far.
    open_sizes : sizes that the context has to give.
    """

    def __init__(self, shapes: Mapping[str, object]) -> None:
        super().__init__(shapes)
        self.inputs: dict[str, Variable] = {}
        self.current: dict[str, Variable] = {}
        self.open_sizes: list[SizeName] = []
        self._line = Line(Span(0, 0, ""))
        self._items: set[str] = set()  # size names that are letters in the statement at hand
        self._scope: list[dict[str, Index]] = []

    def value(self, name: tree.Name, indexed: bool) -> Node:
        if name.name.startswith(tree.OPEN):
            self.open_sizes.append(SizeName(name.span, name.name))
            return self.open_sizes[-1]
        for scope in reversed(self._scope):
            if name.name in scope:
                raise Unsupported(
                    f"{name.name} is an index, and its number has no meaning outside of brackets",
                    name.span,
                    f"pass an array that holds the numbers: k[{name.name}]",
                )
        variable = self.current.get(name.name)
        if variable is None:
            if name.name in self._sizes:
                return SizeName(name.span, str(name.name))
            row = load_table().get(name.name)
            if isinstance(row, NamedNumber) and name.name not in self._declared:
                if isnan(row.value):  # no letter of algebra: nan - nan is not 0
                    return Number(name.span, row.value)
                return Named(name.span, row.name)
            free = name.name in self._declared or is_array_too(name.name)
            if row is not None and not free:
                raise NameFault(
                    f"{name.name} is a function, and stands here without a call",
                    name.span,
                    f"call it, {name.name}(...), or declare it as an array: {name.name}: (n,)",
                )
            variable = self._variable(name)
            variable.rank = 0
            self.inputs[variable.name] = self.current[variable.name] = variable
        elif variable.line is not None and isinstance(variable.line.value, AxisSize | SizeName):
            return variable.line.value
        node = Reference(name.span, variable)
        if indexed:
            if variable.line is None and variable.declared is None and variable.exact is None:
                variable.exact = 0
            self.scalar(node)
        return node

    def letter(self, name: tree.Name) -> Index | None:
        for scope in reversed(self._scope):
            if name.name in scope:
                return scope[name.name]
        if name.name == ELLIPSIS:
            return None
        if name.name == "delta":
            return None if name.name in self._arrays or name.name in self._declared else Index("delta")
        if not self._may_be_letter(name.name):
            return None
        index = Index(str(name.name), name.span, typed=True)
        self._scope[0][name.name] = index
        self._line.indices.append(index)
        return index

    def kronecker(self, name: tree.Name, count: int) -> bool:
        declared = self._declared.get(name.name)
        if declared is not None:  # an array may be called so as well: they differ in the number of axes
            return count == 2 and len(declared[0]) != 2
        return name.name not in self._arrays

    def size(self, name: str) -> AnySize | None:
        return symbol(name) if name in self._sizes else None

    def over(self, letters: Iterable[tree.Name]) -> tuple[Index, ...]:
        own = {}
        for name in letters:
            if not self._may_be_letter(name.name):
                raise IndexFault(
                    f"{name.name} is an array of the program, and an index here",
                    name.span,
                    "use another letter",
                )
            own[name.name] = Index(str(name.name), name.span, typed=True)
        self._scope.append(own)
        self._line.indices += own.values()
        return tuple(own.values())

    def leave(self, letters: Iterable[tree.Name]) -> None:
        self._scope.pop()

    def fresh(self) -> Index:
        index = Index("")
        self._line.indices.append(index)
        return index

    def keep(self, node: Access | Delta) -> None:
        self._line.accesses.append(node)
        if isinstance(node, Access) and isinstance(node.base, Reference):
            variable = node.base.variable
            if variable.line is None and variable.declared is None and variable.exact is None:
                variable.exact = len(node.items)

    def scalar(self, node: Node) -> None:
        self._line.scalars.append(node)

    def _variable(self, name: tree.Name) -> Variable:
        variable = Variable(str(name.name), name.span)
        declared = self._declared.get(name.name)
        if declared is not None:
            variable.declared, variable.source = declared[0], declared[1]
        return variable

    def _may_be_letter(self, name: str) -> bool:
        if name in self._sizes:
            return name in self._items
        return name not in self._arrays and name not in self._declared
