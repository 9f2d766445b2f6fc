"""What the rows of the table state about derivatives, as values with open labels.

`instantiate` is the meaning of a scalar expression of a rule, `1 - tanh(x)**2` with `x` bound;
`instantiate_operation` that of a stated derivative in indices, `-inv(A)[..., i, m]*inv(A)[..., n, j]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from einsumdiff.errors import Unsupported
from einsumdiff.indexing.cases import RuleNames, RuleReader, rules_of
from einsumdiff.indexing.einstein import Places
from einsumdiff.indexing.expression import Access, Index, Node, Parameter, walk
from einsumdiff.indexing.names import ELLIPSIS
from einsumdiff.indexing.scalars import instantiate
from einsumdiff.indexing.values import Operand, Scope, operation_of, value
from einsumdiff.language import tree
from einsumdiff.language.rows import Operation, Stated
from einsumdiff.language.table import load_table
from einsumdiff.nesting import Steps
from einsumdiff.nodes import Array, Definition, Form, Label, Operate, bare, constant_form
from einsumdiff.program import Builder, Value, read

__all__ = ["instantiate", "instantiate_operation"]


@dataclass(slots=True)
class _Read:
    """A stated derivative, read once: its expression, its letters, and the operations in it by their text."""

    body: Node
    letters: dict[str, Index]
    operations: dict[str, tree.Apply] = field(default_factory=dict)


class _StatedReader(RuleReader):
    """Reads `inv(A)[..., i, m]` as an access of a parameter that is called `inv(A)`."""

    operations: dict[str, tree.Apply]

    def part(self, node: tree.Tree, indexed: bool) -> Steps[Node]:
        if isinstance(node, tree.Apply) and isinstance(load_table().get(node.function), Operation):
            self.operations[node.span.source] = node
            return Parameter(node.span, node.span.source)
        return RuleReader.part(self, node, indexed)


_stated: dict[int, tuple[Stated, _Read]] = {}


def _read(row: Operation, stated: Stated) -> _Read:
    found = _stated.get(id(stated))
    if found is None:
        assert stated.value is not None
        letters = dict(rules_of(row)[0].letters)
        reader = _StatedReader(RuleNames(lambda name: Parameter(name.span, name.name), letters))
        reader.operations = {}
        body = reader.read(stated.value, True)
        left = [letters.setdefault(name, Index(name)) for name in (*_names(row), *_own(stated), ELLIPSIS)]
        Places().bind(body, left)
        found = _stated.setdefault(id(stated), (stated, _Read(body, letters, reader.operations)))
    return found[1]


def _own(stated: Stated) -> list[str]:
    return [item.name for item in stated.items if isinstance(item, tree.Name)]


def _names(row: Operation) -> list[str]:
    return [item.name for item in row.axes if isinstance(item, tree.Name)]


def _unknown(row: Operation) -> Unsupported:
    """That a rule says `unknown`, in terms of the function that a user knows: `adjugate` is of `det`."""
    found, order = row, 1
    rows = [one for one in load_table().rows() if isinstance(one, Operation)]
    while above := next((one for one in rows if _is_slope(found, one)), None):
        found, order = above, order + 1
    if order == 1:
        return Unsupported(
            f"the derivative of {row.name} is not known", None, "take a derivative of lower order"
        )
    return Unsupported(
        f"the derivative of {row.name} is not known, which is that of order {order} of {found.name}",
        None,
        f"take a derivative of order {order - 1} or lower, and differences of it",
    )


def _is_slope(row: Operation, of: Operation) -> bool:
    """Whether the stated derivative of an operation is nothing but an entry of that one."""
    return row is not of and any(
        isinstance(stated.value, tree.Subscript)
        and isinstance(stated.value.base, tree.Apply)
        and stated.value.base.function == row.name
        for stated in of.partials.values()
    )


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
        raise _unknown(row)
    rule = _read(row, stated)
    pattern = rules_of(row)[0]
    own_axes = [index for index in pattern.axes if index.name != ELLIPSIS]
    leading = len(body.axes) - len(own_axes)
    scope = Scope(builder)
    scope.labels[rule.letters[ELLIPSIS]] = body.axes[:leading]
    for index, label in zip(own_axes, body.axes[leading:], strict=True):
        scope.labels[rule.letters[index.name]] = (label,)
    entry = body.operands[k]
    new: list[Label] = []
    for name, form in zip(_own(stated), entry.forms[len(entry.forms) - len(stated.items) :], strict=True):
        (old,) = form.labels
        new.append(old.fresh())
        scope.labels[rule.letters[name]] = (new[-1],)
    arrays = {place: one.array for one, place in zip(body.operands, pattern.patterns, strict=True)}
    for place, array in arrays.items():
        scope.operands[place] = Operand(read(array), _places(pattern.patterns[place], len(array.shape)))
    for text, call in rule.operations.items():
        array, other = _applied(call, arrays, definition, row, builder)
        scope.operands[text] = Operand(read(array), _places(rules_of(other)[0].axes, len(array.shape)))
    _size_letters(rule.body, scope)
    forms = [*entry.forms[: len(entry.forms) - len(new)], *map(bare, new)]
    forms = [
        constant_form(0) if size == 1 else form for size, form in zip(entry.array.shape, forms, strict=True)
    ]
    return value(rule.body, scope), tuple(forms)


def _size_letters(body: Node, scope: Scope) -> None:
    """A letter that is summed runs over the axis that it accesses."""
    for node in walk(body):
        if isinstance(node, Access) and isinstance(node.base, Parameter):
            operand = scope.operands[node.base.name]
            for (place, _), label in zip(operand.places, operand.value.axes, strict=True):
                index = node.items[place].index
                if index is not None and index.name != ELLIPSIS:
                    scope.labels.setdefault(index, (Label(label.size),))


def _places(pattern: tuple[Index, ...], count: int) -> tuple[tuple[int, int], ...]:
    """For each axis, the item of the brackets that it belongs to, and which axis of that item it is."""
    leading = count - sum(index.name != ELLIPSIS for index in pattern)
    found: list[tuple[int, int]] = []
    for place, index in enumerate(pattern):
        found += [(place, n) for n in range(leading)] if index.name == ELLIPSIS else [(place, 0)]
    return tuple(found)


def _applied(
    call: tree.Apply, arrays: Mapping[str, Array], definition: Definition, own: Operation, builder: Builder
) -> tuple[Array, Operation]:
    """An operation in a stated derivative, `inv(cholesky(A))`; the operation itself is there already."""
    row = load_table()[call.function]
    assert isinstance(row, Operation)
    operands: list[Array] = []
    for argument in call.args:
        if isinstance(argument, tree.Apply):
            operands.append(_applied(argument, arrays, definition, own, builder)[0])
        else:
            assert isinstance(argument, tree.Name)
            operands.append(arrays[argument.name])
    if row is own and operands == list(arrays.values()):
        return definition, row
    return operation_of(row, operands, builder), row
