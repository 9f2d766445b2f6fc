"""What the rows of the table state about derivatives, as values with open labels.

`instantiate` is the meaning of a scalar expression of a rule, `1 - tanh(x)**2` with `x` bound;
`instantiate_operation` that of a stated derivative in indices, `-inv(A)[..., i, m]*inv(A)[..., n, j]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from einsumdiff.errors import Unsupported
from einsumdiff.indexing.cases import RuleNames, RuleReader, rules_of
from einsumdiff.indexing.einstein import Places
from einsumdiff.indexing.expression import Index, Node, Parameter
from einsumdiff.indexing.resolve import ELLIPSIS
from einsumdiff.indexing.scalars import instantiate
from einsumdiff.indexing.values import Operand, Scope, value
from einsumdiff.language import tree
from einsumdiff.language.rows import Operation, Stated
from einsumdiff.language.table import load_table
from einsumdiff.nodes import Definition, Entry, Form, Label, Operate, bare, constant_form
from einsumdiff.program import Builder, Value, read

__all__ = ["instantiate", "instantiate_operation"]


@dataclass(slots=True)
class _Read:
    """A stated derivative, read once: its expression, its letters, and the operations in it."""

    body: Node
    letters: dict[str, Index]
    operations: dict[str, Operation] = field(default_factory=dict)


class _StatedReader(RuleReader):
    """Reads `inv(A)[..., i, m]` as an access of a parameter that is called `inv`."""

    operations: dict[str, Operation]

    def read(self, node: tree.Tree, indexed: bool) -> Node:
        if isinstance(node, tree.Apply):
            row = load_table().get(node.function)
            if isinstance(row, Operation):
                self.operations[row.name] = row
                return Parameter(node.span, row.name)
        return RuleReader.read(self, node, indexed)


_stated: dict[int, tuple[Stated, _Read]] = {}


def _read(row: Operation, stated: Stated) -> _Read:
    found = _stated.get(id(stated))
    if found is None:
        assert stated.value is not None
        letters = dict(rules_of(row)[0].letters)
        reader = _StatedReader(RuleNames(lambda name: Parameter(name.span, name.name), letters))
        reader.operations = {}
        body = reader.read(stated.value, True)
        left = (
            [*letters.values()]
            if not stated.items
            else [index for name, index in letters.items() if name in {*_names(row), *_own(stated), ELLIPSIS}]
        )
        Places().bind(body, left)
        found = _stated.setdefault(id(stated), (stated, _Read(body, letters, reader.operations)))
    return found[1]


def _own(stated: Stated) -> list[str]:
    return [item.name for item in stated.items if isinstance(item, tree.Name)]


def _names(row: Operation) -> list[str]:
    return [item.name for item in row.axes if isinstance(item, tree.Name)]


def instantiate_operation(
    definition: Definition, body: Operate, k: int, builder: Builder
) -> tuple[Value, tuple[Form, ...]]:
    """The stated derivative of an operation in its operand `k`.

    Returns
    -------
    The derivative, with the labels of the operation's axes open, and those of the operand's axes, which
    are the forms that come second.

    Raises
    ------
    Unsupported, where the rule says `unknown`.
    """
    row = load_table()[body.operation]
    assert isinstance(row, Operation)
    parameter = row.parameters[k]
    stated = row.partials[parameter.name]
    if stated.value is None:
        raise Unsupported(f"the derivative of {row.name} in {parameter.name} is not known")
    rule = _read(row, stated)
    pattern = rules_of(row)[0]
    leading = len(body.axes) - len([index for index in pattern.axes if index.name != ELLIPSIS])
    scope = Scope(builder)
    batch, own = body.axes[:leading], body.axes[leading:]
    scope.labels[rule.letters[ELLIPSIS]] = batch
    for index, label in zip([i for i in pattern.axes if i.name != ELLIPSIS], own, strict=True):
        scope.labels[rule.letters[index.name]] = (label,)
    for entry, letters in zip(body.operands, pattern.patterns.values(), strict=True):
        # letters that are summed get labels of their own there; here they only tell the size
        plain = [index for index in letters if index.name != ELLIPSIS]
        for index, size in zip(reversed(plain), reversed(entry.array.shape), strict=False):
            scope.labels.setdefault(rule.letters[index.name], (Label(size),))
    entry = body.operands[k]
    new: list[Label] = []
    for name, form in zip(_own(stated), entry.forms[len(entry.forms) - len(stated.items) :], strict=True):
        (old,) = form.labels
        new.append(old.fresh())
        scope.labels[rule.letters[name]] = (new[-1],)
    for one, place in zip(body.operands, pattern.patterns, strict=True):
        count = len(one.forms)
        scope.operands[place] = Operand(read(one.array), _places(pattern.patterns[place], count))
    for name, other in rule.operations.items():
        array = definition if name == row.name else _applied(other, body, builder)
        scope.operands[name] = Operand(read(array), _places(rules_of(other)[0].axes, len(array.shape)))
    forms = [*entry.forms[: len(entry.forms) - len(new)], *map(bare, new)]
    forms = [
        constant_form(0) if size == 1 else form for size, form in zip(entry.array.shape, forms, strict=True)
    ]
    return value(rule.body, scope), tuple(forms)


def _places(pattern: tuple[Index, ...], count: int) -> tuple[tuple[int, int], ...]:
    """For each axis, the item of the brackets that it belongs to, and which axis of that item it is."""
    leading = count - sum(index.name != ELLIPSIS for index in pattern)
    found: list[tuple[int, int]] = []
    for place, index in enumerate(pattern):
        found += [(place, n) for n in range(leading)] if index.name == ELLIPSIS else [(place, 0)]
    return tuple(found)


def _applied(row: Operation, body: Operate, builder: Builder) -> Definition:
    """Another operation of the same operands: `inv(A)` in the derivative of `det(A)`."""
    pattern = rules_of(row)[0]
    operand = body.operands[0]
    letters = next(iter(pattern.patterns.values()))
    labels = [Label(size) for size in operand.array.shape]
    leading = len(labels) - sum(index.name != ELLIPSIS for index in letters)
    named = dict(zip([i for i in letters if i.name != ELLIPSIS], labels[leading:], strict=True))
    axes: list[Label] = []
    for index in pattern.axes:
        axes += labels[:leading] if index.name == ELLIPSIS else [named[index].fresh()]
    entry = Entry(operand.array, tuple(bare(label) for label in labels))
    new = Operate(row.name, tuple(axes), (entry,), tuple(labels[leading:]))
    return builder.define_body(new, tuple(label.size for label in axes))
