"""The cases of `def` and `op` rows, read once: patterns of letters, and an expression in indices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from einsumdiff.errors import NameFault
from einsumdiff.indexing.einstein import Places, reads_of
from einsumdiff.indexing.expression import Access, Count, Delta, Index, Named, Node, Parameter, children
from einsumdiff.indexing.items import affine
from einsumdiff.indexing.names import ELLIPSIS
from einsumdiff.indexing.resolve import Reader
from einsumdiff.language import tree
from einsumdiff.language.rows import Case, Definition, NamedNumber, Operation
from einsumdiff.language.table import load_table
from einsumdiff.nesting import Steps
from einsumdiff.sizes import AnySize


@dataclass(slots=True)
class Rule:
    """A case of a row, read once: its patterns and its expression in indices."""

    patterns: dict[str, tuple[Index, ...]]
    axes: tuple[Index, ...]
    body: Node
    letters: dict[str, Index]
    reads: dict[str, int]
    equal: list[tuple[Index, Index]] = field(default_factory=list)

    @property
    def ellipsis(self) -> Index:
        return self.letters[ELLIPSIS]


_rules: dict[int, tuple[Definition | Operation, list[Rule]]] = {}


def rules_of(row: Definition | Operation) -> list[Rule]:
    """The cases of a row."""
    found = _rules.get(id(row))
    if found is None:
        if isinstance(row, Definition):
            rules = [_read(case) for case in row.cases if case.axes is not None]
        else:
            rules = [_read(Case(row.parameters, row.axes, tree.Number(0, row.span), row.span))]
        found = _rules.setdefault(id(row), (row, rules))
    return found[1]


def _read(case: Case) -> Rule:
    letters = {ELLIPSIS: Index(ELLIPSIS)}

    def own(name: tree.Name) -> Node:
        if any(p.name == name.name for p in case.parameters):
            return Parameter(name.span, name.name)
        raise NameFault(f"{name.name} is no parameter of this row", name.span, "name it in its brackets")

    reader = RuleReader(RuleNames(own, letters))
    patterns = {}
    for parameter in case.parameters:
        if parameter.name not in ("axis", "keepdims"):
            patterns[parameter.name] = tuple(_letter(item, letters) for item in parameter.pattern or ())
    assert case.axes is not None
    axes = tuple(_letter(item, letters) for item in case.axes)
    body = reader.read(case.value, True)
    Places().bind(body, [*axes, letters[ELLIPSIS]])
    rule = Rule(patterns, axes, body, letters, reads_of(body))
    stack = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, Delta) and node.left.index is not None and node.right.index is not None:
            rule.equal.append((node.left.index, node.right.index))
        stack.extend(children(node))
    return rule


def _letter(item: tree.Tree, letters: dict[str, Index]) -> Index:
    name = ELLIPSIS if isinstance(item, tree.Constant) else item.name if isinstance(item, tree.Name) else ""
    assert name, f"{item.span.source} in a row's brackets"
    return letters.setdefault(name, Index(name, item.span))


class RuleNames:
    """Names in a row: its parameters; every name in brackets is a letter."""

    def __init__(self, own: Callable[[tree.Name], Node], letters: dict[str, Index]) -> None:
        self.own, self.letters = own, letters

    def value(self, name: tree.Name, indexed: bool) -> Node:
        row = load_table().get(name.name)
        if isinstance(row, NamedNumber):
            return Named(name.span, row.name)
        return self.own(name)

    def letter(self, name: tree.Name) -> Index | None:
        return self.letters.setdefault(name.name, Index(name.name, name.span))

    def kronecker(self, name: tree.Name, count: int) -> bool:
        return True

    def size(self, name: str) -> AnySize | None:
        return None

    def over(self, names: Iterable[tree.Name]) -> tuple[Index, ...]:
        return tuple(self.letters.setdefault(n.name, Index(n.name, n.span)) for n in names)

    def fresh(self) -> Index:
        raise AssertionError("no rule gathers")

    def leave(self, names: Iterable[tree.Name]) -> None:
        pass

    def keep(self, node: Access | Delta) -> None:
        pass

    def scalar(self, node: Node) -> None:
        pass


class RuleReader(Reader):
    """Reads `len(k)` as how many values a letter has, and `step[i,j]` as 1 where i >= j."""

    def part(self, node: tree.Tree, indexed: bool) -> Steps[Node]:
        if isinstance(node, tree.Apply) and node.function == "len":
            (letter,) = node.args
            assert isinstance(letter, tree.Name) and isinstance(self.names, RuleNames)
            return Count(node.span, self.names.letters[letter.name])
        if isinstance(node, tree.Subscript) and isinstance(node.base, tree.Name) and node.base.name == "step":
            left, right = (affine(item, self.names) for item in node.items)
            return Delta(node.span, left, right, ">=")
        return Reader.part(self, node, indexed)
