"""The statements of a program in order: which names are inputs, definitions, sizes and letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from math import isnan

from einsumdiff.errors import IndexFault, NameFault, ShapeFault, Span, Unsupported
from einsumdiff.indexing.calls import check_constant, method, unknown_function
from einsumdiff.indexing.einstein import Places
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
from einsumdiff.indexing.resolve import Reader
from einsumdiff.indexing.results import part_of, parted, several
from einsumdiff.indexing.shapes import check_given, declared_size, given_properties, given_shape
from einsumdiff.indexing.shapes import declared as in_words
from einsumdiff.language import tree
from einsumdiff.language.rows import NamedNumber
from einsumdiff.language.table import is_array_too, load_table
from einsumdiff.properties import PROPERTIES
from einsumdiff.sizes import AnySize, names, symbol

MODULE_NAMES = {
    "special": "scipy.special",
    "sps": "scipy.special",
    "linalg": "np.linalg",
    "torch": "np",
}
"""What people import modules as; without the import line they look like arrays with methods."""


class Statements:
    """What the program says, line by line; `add` every statement, then `finish`.

    Attributes
    ----------
    inputs : by name, in order of appearance.
    current : what each name means after the lines so far.
    words : every name that is typed anywhere.
    """

    def __init__(self, shapes: Mapping[str, object]) -> None:
        self.given = dict(shapes)
        self.lines: list[Line] = []
        self.inputs: dict[str, Variable] = {}
        self.current: dict[str, Variable] = {}
        self.words: dict[str, None] = {}
        self.notes: list[str] = []
        self.properties: dict[str, tuple[str, ...]] = {}
        self.open_sizes: list[SizeName] = []  # that the context has to give
        self._pending: list[tree.Assign] = []
        self._declared: dict[str, tuple[tuple[AnySize, ...], str, Span | None]] = {}
        self._sizes: dict[str, str] = {}  # size names, with where they come from
        self._arrays: set[str] = set()  # names that stand outside of brackets, or before them
        self._line = Line(Span(0, 0, ""))
        self._items: set[str] = set()  # size names that are letters in the statement at hand
        self._scope: list[dict[str, Index]] = []

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

    def _declare(self, statement: tree.Declare) -> None:
        name = statement.name.name
        for word in statement.properties:
            if word not in PROPERTIES:
                raise Unsupported(
                    f"the property {word} is not known", statement.span, f"known is {', '.join(PROPERTIES)}"
                )
        shape = tuple(declared_size(size) for size in statement.sizes)
        for size in shape:
            if isinstance(size, int) and size < 0:
                raise NameFault(f"{size} is no size", statement.span, "a size is 0 or more")
        _is_square(name, shape, statement.properties, statement.span)
        old = self._declared.get(name)
        if old is not None and old[0] != shape:
            raise NameFault(f"{name} is declared twice", statement.span, "keep one declaration")
        self._declared[name] = shape, f"declared in line {statement.span.line}", statement.span
        if statement.properties:
            self.properties[name] = statement.properties
        self.words[name] = None
        for size in shape:
            for one in names(size):
                self._sizes.setdefault(str(one), f"declared in line {statement.span.line}")
                self.words[one] = None

    def _scan(self, nodes: Iterable[tree.Tree], inside: bool) -> None:
        """Which names stand outside of brackets."""
        stack = [(node, inside) for node in nodes]
        while stack:
            node, inside = stack.pop()
            match node:
                case tree.Name(name=name) if not name.startswith(tree.OPEN):
                    self.words[name] = None
                    if not inside:
                        self._arrays.add(name)
                case tree.Subscript(base=base, items=items):
                    stack.append((base, False) if not _is_delta(base) else (base, True))
                    stack += [(item, True) for item in items]
                case tree.Over(letters=letters, body=body):
                    stack += [(letter, True) for letter in letters]
                    stack.append((body, False))
                case tree.Apply() | tree.Attribute():
                    stack += [(part, False) for part in tree.children(node)]
                case _:
                    stack += [(part, inside) for part in tree.children(node)]

    # -- then: what each line means

    def finish(self) -> None:
        """Read the statements that were added."""
        check_given(self.given, [*self.words])
        for name, given in self.given.items():
            shape, source = given_shape(name, given)
            _, properties = given_properties(given)
            _is_square(name, shape, properties, None)
            if properties:
                own = self.properties.get(name, ())
                self.properties[name] = tuple(dict.fromkeys([*own, *properties]))
            if name in self._declared:
                old, place, span = self._declared[name]
                if len(old) != len(shape) or any(_clash(a, b) for a, b in zip(old, shape, strict=True)):
                    raise ShapeFault(
                        f"{name} is {in_words(old)}, {place}, and {in_words(shape)}, {source}",
                        span,
                        "keep one of them",
                    )
            else:
                self._declared[name] = shape, source, None
                for size in shape:
                    for one in names(size):
                        self._sizes.setdefault(str(one), "in shapes=")
                        self.words[one] = None
        for statement in self._pending:
            for name in {_target_name(target) for target in statement.targets} & self.properties.keys():
                raise Unsupported(
                    f"{name} is computed, and is declared {' '.join(self.properties[name])}",
                    statement.span,
                    "declare this of inputs: what follows for the rest is found",
                )
        assigned = {_target_name(target) for s in self._pending for target in s.targets}
        for name in self._sizes:
            if name in self._declared or name in assigned:
                span = next((e[2] for n, e in self._declared.items() if name in map(str, e[0])), None)
                raise NameFault(f"{name} is both a size and an array", span, "give one of them another name")
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

    # -- what names mean, for the reader

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
                variable.exact, variable.exact_span = 0, name.span
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

    def fresh(self) -> Index:
        index = Index("")
        self._line.indices.append(index)
        return index

    def leave(self, letters: Iterable[tree.Name]) -> None:
        self._scope.pop()

    def keep(self, node: Access | Delta) -> None:
        self._line.accesses.append(node)
        if isinstance(node, Access) and isinstance(node.base, Reference):
            variable = node.base.variable
            if variable.line is None and variable.declared is None and variable.exact is None:
                variable.exact, variable.exact_span = len(node.items), node.span

    def scalar(self, node: Node) -> None:
        self._line.scalars.append(node)


def _is_square(name: str, shape: tuple[AnySize, ...], properties: tuple[str, ...], span: Span | None) -> None:
    """What has a property has two last axes of one size."""
    if properties and (len(shape) < 2 or shape[-1] != shape[-2]):
        raise ShapeFault(
            f"{name} is declared {properties[0]} and not square",
            span,
            f"write {name}: (n, n) {properties[0]}",
        )


def _clash(declared: AnySize, given: AnySize) -> bool:
    """Whether a size cannot be both; a number given for a declared name is one of its values."""
    return declared != given and isinstance(given, int) <= isinstance(declared, int)


def _is_delta(base: tree.Tree) -> bool:
    return isinstance(base, tree.Name) and base.name == "delta"


def _target_name(target: tree.Name | tree.Subscript) -> str:
    base = target.base if isinstance(target, tree.Subscript) else target
    assert isinstance(base, tree.Name)
    return base.name
