"""The Python side of `form` rows that contract: `tensordot` and `einsum`."""

from __future__ import annotations

from einsumdiff.errors import RankFault, Span, Unsupported, ValueFault
from einsumdiff.indexing.asked import Asked, letters, product
from einsumdiff.indexing.expression import Index, Meaning, Node
from einsumdiff.indexing.operations import axes_in_words


def tensordot(asked: Asked) -> Meaning:
    a, b, value = asked.operand("a"), asked.operand("b"), asked.static("axes")
    if isinstance(value, tuple):
        if len(value) != 2:
            raise ValueFault("axes is a number or a pair", asked.span_of("axes"), "axes=([0], [1])")
        first, second = (
            [asked.axis(axis, node, "axes") for axis in asked.whole(part, "axes")]
            for node, part in zip((a, b), value, strict=True)
        )
    else:
        (count,) = asked.whole(value, "axes")
        asked.at_least(a, count)
        asked.at_least(b, count)
        first, second = list(range(max(a.rank, count) - count, max(a.rank, count))), list(range(count))
    if len(first) != len(second):
        raise ValueFault(
            f"{len(first)} axes of {a.span.source} meet {len(second)} of {b.span.source}",
            asked.span_of("axes"),
            "name as many of both",
        )
    left = list(letters(a.rank))
    right = [Index(f"{index.name}_") for index in letters(b.rank)]
    for i, j in zip(first, second, strict=True):
        if i < len(left) and j < len(right):
            right[j] = left[i]
    kept = [left[k] for k in range(a.rank) if k not in first]
    kept += [right[k] for k in range(b.rank) if k not in second]
    return product(asked.span, [("a", a, left), ("b", b, right)], kept)


def einsum(asked: Asked) -> Meaning:
    subscripts, span = asked.static("subscripts"), asked.span_of("subscripts")
    if not isinstance(subscripts, str):
        raise Unsupported("einsum takes its signature as text", span, 'einsum("ij,jk->ik", A, B)')
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    parts = inputs.split(",")
    operands = list(asked.arguments.operands.items())
    if len(parts) != len(operands):
        raise ValueFault(
            f"the signature has {len(parts)} {'operand' if len(parts) == 1 else 'operands'}, "
            f"{len(operands)} {'is' if len(operands) == 1 else 'are'} given",
            span,
            "separate the letters of operands by commas",
        )
    known: dict[str, Index] = {}
    before, after = [], []
    leading = 0
    for part, (_, node) in zip(parts, operands, strict=True):
        head, dots, tail = part.partition("...")
        _check_letters(head + tail, span)
        plain = len(head) + len(tail)
        if not dots:
            _exactly(node, plain, part, asked)
        else:
            asked.at_least(node, plain)
        before.append(head)
        after.append(tail if dots else None)
        leading = max(leading, node.rank - plain if dots else 0)
    dotted = letters(leading)
    if not arrow:
        joined = inputs.replace("...", "").replace(",", "")
        output = "..." * ("..." in inputs) + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))

    def of(names: str) -> list[Index]:
        return [known.setdefault(name, Index(name, span, typed=True)) for name in names]

    placed = []
    for first, last, (name, node) in zip(before, after, operands, strict=True):
        indices = of(first)
        if last is not None:
            own = node.rank - len(first) - len(last)
            indices += [*dotted[leading - max(own, 0) :], *of(last)]
        placed.append((name, node, indices))
    head, dots, tail = output.partition("...")
    for name in head + tail:
        if name not in known:
            raise ValueFault(
                f"{name} is in no operand of the signature", span, "the output has letters of the operands"
            )
        if output.count(name) > 1:
            raise ValueFault(f"{name} is twice in the output", span, "write a diagonal with delta[i,j]")
    if leading and not dots:
        raise ValueFault("the output lacks the ...", span, "write ... where the leading axes go")
    return product(asked.span, placed, [*of(head), *(dotted if dots else ()), *of(tail)], None, dotted)


def _check_letters(names: str, span: Span) -> None:
    for name in names:
        if not name.isalpha():
            raise ValueFault(f"{name!r} is no letter of a signature", span, 'einsum("ij,jk->ik", A, B)')


def _exactly(node: Node, rank: int, part: str, asked: Asked) -> None:
    if node.rank != rank and not asked.need.exact(node, rank):
        raise RankFault(
            f"{node.span.source} has {axes_in_words(node.rank)}, and {part!r} names {len(part)}",
            node.span,
            "one letter for each axis",
        )
