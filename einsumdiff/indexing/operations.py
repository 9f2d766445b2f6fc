"""Rows with axes as meanings in indices, for the ranks of the arrays that they are called with.

    def matmul (A[..., i, k], x[k]) -> [..., i] = A[..., i, k]*x[k]

The first case whose brackets fit the ranks is meant. `...` stands for the leading axes, which broadcast
(`apart`: each array keeps its own). `reduce k` stands for the axes that `axis=` names, and the others are
kept; `along k` works along those axes and keeps all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from einsumdiff.errors import RankFault, ValueFault
from einsumdiff.indexing.cases import Rule, rules_of
from einsumdiff.indexing.expression import (
    Arguments,
    Axis,
    Index,
    Meaning,
    Node,
    Operate,
)
from einsumdiff.indexing.names import ELLIPSIS
from einsumdiff.language.rows import Definition, Operation, option


class Need(Protocol):
    """Asks for ranks of nodes that are not settled; answers whether there was a way."""

    def __call__(self, node: Node, least: int) -> bool:
        """Raise the rank of a node to at least that."""

    def exact(self, node: Node, rank: int) -> bool:
        """Make the rank of a node that."""


# ----------------------------------------------------------------------------------------------- axes


def integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def chosen_axes(arguments: Arguments, name: str, operand: Node, need: Need) -> tuple[int, ...]:
    """The axes of `operand` that the argument `name` (a number, a tuple or None for all) means, in order."""
    value = arguments.statics[name]
    axes = value if isinstance(value, tuple) else (value,)
    if value is None:
        return tuple(range(operand.rank))
    if not all(integer(axis) for axis in axes):
        raise ValueFault(
            f"{name} must be whole numbers, known when the text is read",
            arguments.spans.get(name, arguments.span),
            f"{name}=0",
        )
    found = []
    for axis in axes:
        assert isinstance(axis, int)
        found.append(one_axis(axis, operand, need, arguments, name))
    if len(set(found)) < len(found):
        raise ValueFault(
            f"an axis is named twice in {name}", arguments.spans.get(name, arguments.span), "name each once"
        )
    return tuple(sorted(found))


def one_axis(axis: int, operand: Node, need: Need, arguments: Arguments, name: str) -> int:
    """An axis counted from 0."""
    least = axis + 1 if axis >= 0 else -axis
    if operand.rank < least and not need(operand, least):
        raise RankFault(
            f"{operand.span.source} has {axes_in_words(operand.rank)}, and {name} is {axis}",
            arguments.spans.get(name, arguments.span),
            "declare its shape, or name another axis",
        )
    return axis if axis >= 0 else max(operand.rank, least) + axis


def axes_in_words(rank: int) -> str:
    """`no axes`, `1 axis`, `2 axes`."""
    return f"{rank or 'no'} {'axis' if rank == 1 else 'axes'}"


# ------------------------------------------------------------------------------------------- meanings


def meaning(node: Operate, need: Need) -> Meaning:
    """What a `def` or `op` row means for the ranks of its operands."""
    row, arguments = node.row, node.arguments
    assert isinstance(row, Definition | Operation)
    group = (option(row, "reduce") or option(row, "along")) if isinstance(row, Definition) else None
    rules = rules_of(row)
    if group:
        assert isinstance(row, Definition)
        return _grouped(row, rules[0], rules[0].letters[group], arguments, need)
    rule, operands = _fitting(rules, arguments, need)
    apart = isinstance(row, Definition) and option(row, "apart") is not None
    found = with_operands(rule, operands, apart)
    if option(row, "square") is not None:
        i, j = next(iter(rule.patterns.values()))[-2:]
        new = [index for index in rule.axes if index.name != ELLIPSIS and index not in (i, j)]
        found.equal = (*found.equal, ((i, 0), (j, 0)), *(((i, 0), (index, 0)) for index in new))
    if option(row, "again") is not None:
        own = next(iter(rule.patterns.values()))[-2:]
        new = [index for index in rule.axes if index.name != ELLIPSIS and index not in own]
        found.equal = (*found.equal, *(((a, 0), (b, 0)) for a, b in zip(own, new, strict=True)))
    if isinstance(row, Operation) and option(row, "least") is not None:
        i, j = next(iter(rule.patterns.values()))[-2:]
        found.least = (rule.letters[option(row, "least") or ""], 0), (i, 0), (j, 0)
    return found


def _fitting(rules: Sequence[Rule], arguments: Arguments, need: Need) -> tuple[Rule, dict[str, Node]]:
    """The first case that fits the ranks, and its operands; ranks that are open are raised for it."""
    nodes = list(arguments.operands.values())
    arrays = [tuple(rule.patterns.values()) for rule in rules]
    for rule, patterns in zip(rules, arrays, strict=True):
        if all(_fits(p, node.rank) for p, node in zip(patterns, nodes, strict=False)):
            return rule, dict(zip(rule.patterns, nodes, strict=False))
    for rule, patterns in zip(rules, arrays, strict=True):
        least = [sum(letter.name != ELLIPSIS for letter in pattern) for pattern in patterns]
        if all(n >= node.rank for n, node in zip(least, nodes, strict=False)):
            raised = [node.rank >= n or need(node, n) for n, node in zip(least, nodes, strict=False)]
            if all(raised):
                return rule, dict(zip(rule.patterns, nodes, strict=False))
    given = " and ".join(f"{node.span.source} with {axes_in_words(node.rank)}" for node in nodes)
    wanted = " or ".join(
        ", ".join(f"[{', '.join(letter.name for letter in pattern)}]" for pattern in patterns)
        for patterns in arrays
    )
    scalar = any(node.rank == 0 for node in nodes) and len(nodes) == 2
    raise RankFault(
        f"{arguments.name} does not take {given}",
        arguments.span,
        "a product with a number is written with *" if scalar else f"it takes {wanted}",
    )


def _fits(pattern: tuple[Index, ...], rank: int) -> bool:
    plain = sum(letter.name != ELLIPSIS for letter in pattern)
    return rank >= plain if plain < len(pattern) else rank == plain


def with_operands(rule: Rule, operands: Mapping[str, Node], apart: bool = False) -> Meaning:
    """The meaning of a case for operands whose ranks fit."""
    leading = {
        name: max(0, operands[name].rank - (len(pattern) - 1)) if rule.ellipsis in pattern else 0
        for name, pattern in rule.patterns.items()
    }
    count = sum(leading.values()) if apart else max(leading.values(), default=0)
    seen = 0
    placed: dict[str, tuple[Node, tuple[Axis, ...]]] = {}
    places: dict[str, tuple[tuple[int, int], ...]] = {}
    for name, pattern in rule.patterns.items():
        first = seen if apart else count - leading[name]
        seen += leading[name]
        at: list[tuple[int, int]] = []
        for k, letter in enumerate(pattern):
            if letter is rule.ellipsis:
                at += [(k, first + n) for n in range(leading[name])]
            else:
                at.append((k, 0))
        places[name] = tuple(at)
        placed[name] = operands[name], tuple((pattern[k], n) for k, n in at)
    axes: list[Axis] = []
    for letter in rule.axes:
        axes += [(letter, n) for n in range(count)] if letter is rule.ellipsis else [(letter, 0)]
    equal = tuple(((a, 0), (b, 0)) for a, b in rule.equal)
    return Meaning(
        placed, tuple(axes), rule.body, places, frozenset({rule.ellipsis}), {}, equal, None, rule.reads
    )


def _grouped(row: Definition, rule: Rule, letter: Index, arguments: Arguments, need: Need) -> Meaning:
    name = next(iter(rule.patterns))
    operand = arguments.operands[name]
    if arguments.prefix == "scipy.special" and "axis" not in arguments.spans:
        arguments.statics["axis"] = None
    chosen = chosen_axes(arguments, "axis", operand, need)
    reduces = option(row, "reduce") is not None
    keepdims = arguments.statics.get("keepdims", 0)
    if not isinstance(keepdims, int):
        raise ValueFault(
            "keepdims is True or False", arguments.spans.get("keepdims", arguments.span), "keepdims=True"
        )
    new = Index("1")
    rest, grouped, axes, at = 0, 0, [], []
    given: dict[Axis, Node | int] = {}
    for axis in range(operand.rank):
        if axis in chosen:
            at.append((0, grouped))
            if not reduces:
                axes.append((letter, grouped))
            elif keepdims:
                axes.append((new, grouped))
                given[new, grouped] = 1
            grouped += 1
        else:
            at.append((-1, rest))
            axes.append((rule.ellipsis, rest))
            rest += 1
    own = tuple((letter if k == 0 else rule.ellipsis, n) for k, n in at)
    scalars = {other: (node, ()) for other, node in arguments.operands.items() if other != name}
    for other, (node, _) in scalars.items():
        if node.rank:
            raise RankFault(f"{other} of {arguments.name} is a number", node.span, f"{other}=1")
    return Meaning(
        {name: (operand, own), **scalars},
        tuple(axes),
        rule.body,
        {name: tuple(at), **dict.fromkeys(scalars, ())},
        frozenset(),
        given,
        (),
        rule.ellipsis,
        rule.reads,
    )
