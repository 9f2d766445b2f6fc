"""The statements of a program in order: which names they read, assign and declare."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from einsumdiff.errors import IndexFault, NameFault, Unsupported
from einsumdiff.indexing.calls import check_constant, method, unknown_function
from einsumdiff.indexing.einstein import Places
from einsumdiff.indexing.expression import Index, Line
from einsumdiff.indexing.resolve import Reader
from einsumdiff.indexing.results import part_of, parted, several
from einsumdiff.indexing.scope import Scope
from einsumdiff.language import tree
from einsumdiff.language.table import load_table

MODULE_NAMES = {
    "special": "scipy.special",
    "sps": "scipy.special",
    "linalg": "np.linalg",
    "torch": "np",
}
"""What people import modules as; without the import line they look like arrays with methods."""


class Statements(Scope):
    """What the program says, line by line; `add` every statement, then `finish`."""

    def __init__(self, shapes: Mapping[str, object]) -> None:
        super().__init__(shapes)
        self.lines: list[Line] = []
        self.notes: list[str] = []
        self._pending: list[tree.Assign] = []

    # -- first: what names there are

    def add(self, statement: tree.Statement) -> None:
        """Take note of a statement's names; it is read by `finish`."""
        if isinstance(statement, tree.Declare):
            self._declare(statement)
            return
        self._pending.append(statement)
        for target in statement.targets:
            base = target.base if isinstance(target, tree.Subscript) else target
            assert isinstance(base, tree.Name)
            self._arrays.add(base.name)
            self.words[base.name] = None
            if isinstance(target, tree.Subscript):
                self._scan(target.items, True)
        self._scan((statement.value,), False)

    # -- then: what each line means

    def finish(self) -> None:
        """Read the statements that were added."""
        self._read_given()
        for statement in self._pending:
            for name in {_target_name(target) for target in statement.targets} & self.properties.keys():
                raise Unsupported(
                    f"{name} is computed, and is declared {' '.join(self.properties[name])}",
                    statement.span,
                    "declare this of inputs: what follows for the rest is found",
                )
        assigned = {_target_name(target) for s in self._pending for target in s.targets}
        self._no_size_is_an_array(assigned)
        for statement in self._pending:
            self._functions(statement.value, assigned)
        for statement in self._pending:
            self._assign(statement)

    def _functions(self, value: tree.Tree, assigned: Set[str]) -> None:
        """Every function that is called is one; said before its arguments are taken for arrays."""
        table = load_table()
        for node in tree.walk(value):
            if isinstance(node, tree.Name) and node.prefix:
                check_constant(node)
            if not isinstance(node, tree.Apply):
                continue
            if table.get(node.function) is None:
                array = node.function in assigned or node.function in self._declared
                raise unknown_function(node, array)
            self._two_readings(node)
            first = node.args[0] if node.args else None
            if not isinstance(first, tree.Name) or node.name_span.start < first.span.start:
                continue
            array = first.name in assigned or first.name in self._declared
            if first.name in MODULE_NAMES and not array:
                raise NameFault(
                    f"{first.name} is no module that is known here",
                    first.span,
                    f"write {MODULE_NAMES[first.name]}.{node.function}(...), or keep its import line",
                )

    def _two_readings(self, node: tree.Apply) -> None:
        """Say that `max(x, 0)` has an axis, as in NumPy: Python's own max is of its arguments."""
        if node.function in ("max", "min") and len(node.args) > 1 and not node.prefix and not method(node):
            x, axis = (arg.span.source for arg in node.args[:2])
            self.notes.append(
                f"{node.function}({x}, {axis}) is over axis {axis}, as in NumPy; "
                f"entry by entry write {node.function}imum({x}, {axis})"
            )

    def _assign(self, statement: tree.Assign) -> None:
        if len(statement.targets) > 1:
            self._unpack(statement)
            return
        line = self._line = Line(statement.span)
        self._items = self._plain_items(statement)
        self._scope = [{}]
        target = statement.targets[0] if statement.targets else None
        items = target.items if isinstance(target, tree.Subscript) else ()
        line.indexed = isinstance(target, tree.Subscript) or self._is_indexed(statement.value)
        left = self._left(target, items) if isinstance(target, tree.Subscript) else []
        line.value = Reader(self).read(statement.value, line.indexed)
        if line.indexed:
            places = Places()
            if target is None:
                left = places.free(line.value)
            places.bind(line.value, left)
            line.left = tuple(left)
            if target is None and left:
                axes = ", ".join(index.name for index in left)
                self.notes.append(f"the axes are {axes}, in alphabetical order, as np.einsum has it")
        self.lines.append(line)
        if target is None:
            return
        name = _target_name(target)
        if name in self.inputs:
            raise NameFault(
                f"{name} is an input, as it is used before it is assigned",
                target.base.span if isinstance(target, tree.Subscript) else target.span,
                f"give the new value another name: {self._other_name(name)}",
            )
        variable = self._variable(tree.Name(name, target.span))
        variable.line, line.target = line, variable
        self.current[name] = variable

    def _unpack(self, statement: tree.Assign) -> None:
        """`m, n = X.shape`; functions with several values are not known yet."""
        value = statement.value
        if isinstance(value, tree.Attribute) and value.name == "shape":
            for axis, target in enumerate(statement.targets):
                item = tree.Number(axis, value.span)
                size = tree.Subscript(value, (item,), value.span)
                self._assign(tree.Assign((target,), size, statement.span))
            return
        if isinstance(value, tree.Sequence) and len(value.items) == len(statement.targets):
            for target, one in zip(statement.targets, value.items, strict=True):
                self._assign(tree.Assign((target,), one, statement.span))
            return
        gives = several(value)
        if isinstance(value, tree.Apply) and len(gives) == len(statement.targets):
            for target, name in zip(statement.targets, gives, strict=True):
                self._assign(tree.Assign((target,), replace(value, function=name), statement.span))
            return
        if isinstance(value, tree.Apply) and value.function not in load_table():
            raise unknown_function(value)
        if isinstance(value, tree.Apply) and parted(value):
            for k, target in enumerate(statement.targets):
                one = part_of(value, k, len(statement.targets))
                self._assign(tree.Assign((target,), one, statement.span))
            return
        function = value.function if isinstance(value, tree.Apply) else value.span.source
        raise Unsupported(
            f"{function} does not give {len(statement.targets)} values", value.span, "assign one name"
        )

    def _left(self, target: tree.Subscript, items: tuple[tree.Tree, ...]) -> list[Index]:
        """The letters of a left side."""
        left: list[Index] = []
        for item in items:
            if not isinstance(item, tree.Name) or self.letter(item) is None:
                if isinstance(item, tree.Name):
                    raise IndexFault(
                        f"{item.name} also stands outside of brackets, so it is an array and no index",
                        item.span,
                        "use another letter; an index has no value outside of brackets",
                    )
                raise IndexFault(
                    f"{item.span.source} on the left side is no letter",
                    item.span,
                    "write plain letters on the left, and shift the accesses on the right",
                )
            index = self.letter(item)
            assert index is not None
            if index in left:
                name = _target_name(target)
                other = next(c for c in "jklmnpq" if c != item.name and c not in self.words)
                indices = ",".join(i.name for i in [*left, Index(other)])
                raise IndexFault(
                    f"{item.name} is twice on the left side",
                    item.span,
                    f"write {name}[{indices}] = ...*delta[{item.name},{other}]",
                )
            left.append(index)
        return left

    def _plain_items(self, statement: tree.Assign) -> set[str]:
        """Size names that stand alone in brackets somewhere in the statement: there they are letters."""
        if not self._sizes:
            return set()
        parts = [part for node in (*statement.targets, statement.value) for part in tree.walk(node)]
        items = [item for part in parts if isinstance(part, tree.Subscript) for item in part.items]
        letters = [letter for part in parts if isinstance(part, tree.Over) for letter in part.letters]
        return {item.name for item in [*items, *letters] if isinstance(item, tree.Name)} & set(self._sizes)

    def _is_indexed(self, value: tree.Tree) -> bool:
        """Whether there is a letter anywhere."""
        for part in tree.walk(value):
            if isinstance(part, tree.Over):
                return True
            if isinstance(part, tree.Subscript):
                for item in part.items:
                    if any(
                        isinstance(one, tree.Name) and self._may_be_letter(one.name)
                        for one in tree.walk(item)
                    ):
                        return True
        return False

    def _other_name(self, name: str) -> str:
        return next(n for n in (f"{name}{k}" for k in range(1, 1000)) if n not in self.words)


def _target_name(target: tree.Name | tree.Subscript) -> str:
    base = target.base if isinstance(target, tree.Subscript) else target
    assert isinstance(base, tree.Name)
    return base.name
