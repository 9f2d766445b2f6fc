"""What the expressions of matrix notation are: a scalar, a column, a row or a matrix."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from einsumdiff.errors import ShapeFault, Span
from einsumdiff.language import tree
from einsumdiff.language.tree import Tree

SCALAR, COLUMN, ROW, MATRIX = "a scalar", "a column", "a row", "a matrix"
VECTORS = (COLUMN, ROW)
RANKS = {0: SCALAR, 1: COLUMN, 2: MATRIX}
"""What a declared array is."""


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression in the NumPy notation, what it is, and where it was typed in the other one.

    A row and a column have one axis, so the array of `x'` is that of `x`.
    """

    node: Tree
    kind: str
    span: Span

    def at(self, span: Span) -> Typed:
        return replace(self, span=span)

    @property
    def source(self) -> str:
        return self.span.source

    @property
    def operand(self) -> str:
        """The text, in brackets where an operator could tear it apart."""
        return self.source if re.fullmatch(r"[\w.]+'?|\w+\([^()]*\)'?", self.source) else f"({self.source})"


def aligned(parts: Sequence[Typed], span: Span) -> tuple[Tree, Tree, str]:
    """Two expressions that are combined entry by entry, and the kind of the result: see `together`."""
    (left, right), kind = together(parts, span)
    return left, right, kind


def together(parts: Sequence[Typed], span: Span) -> tuple[list[Tree], str]:
    """Expressions that are combined entry by entry, and the kind of the result.

    A scalar goes with everything; beside a matrix a column repeats along the rows, and a row along the
    columns. NumPy takes every array of one axis for a row, so a column gets another axis there.
    """
    kinds = {part.kind for part in parts} - {SCALAR}
    if MATRIX in kinds:
        return [upright(part) if part.kind == COLUMN else part.node for part in parts], MATRIX
    if len(kinds) > 1:
        a = next(part for part in parts if part.kind != SCALAR)
        b = next(part for part in parts if part.kind not in (SCALAR, a.kind))
        raise ShapeFault(
            f"{a.source} is {a.kind} and {b.source} is {b.kind}: they do not go entry by entry",
            span,
            f"transpose one of them: {b.operand}'; a matrix of all pairs is made by *",
        )
    return [part.node for part in parts], next(iter(kinds), SCALAR)


def upright(one: Typed) -> Tree:
    """A column beside a matrix: `x[:, None]`."""
    every = tree.Slice(None, None, None, one.span)
    return tree.Subscript(one.node, (every, tree.Constant(None, one.span)), one.span)


def opened(span: Span, which: int = 0) -> tree.Name:
    """A size that the context gives; its place in the text and `which` tell it from others."""
    return tree.Name(f"{tree.OPEN}{span.start}_{which}", span)


def ones(sizes: Sequence[Tree], span: Span) -> Typed:
    """An array of ones, a column or a matrix."""
    kind = COLUMN if len(sizes) == 1 else MATRIX
    return Typed(applied("ones", span, tree.Sequence(tuple(sizes), span)), kind, span)


def identity(size: Tree, span: Span) -> Typed:
    return Typed(applied("eye", span, size), MATRIX, span)


def applied(function: str, span: Span, *args: Tree, **keywords: Tree) -> tree.Apply:
    """A call that nobody typed so."""
    return tree.Apply(function, args, tuple(keywords.items()), span, span)
