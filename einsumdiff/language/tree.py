"""The syntax tree: what was typed, with the place of every part, and no meaning yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

from einsumdiff.errors import Span

OPEN = "?open"
"""How a Name begins that is a size nobody typed, which the context gives: that of `vector(1)`."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number; `2` and `1/3` of rule files are exact, a float is as typed."""

    value: int | Fraction | float
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    """A name; `prefix` is the module before it where one was typed, `numpy` for `np.`."""

    name: str
    span: Span
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class String:
    """`'fro'`, `"ij,jk->ik"`."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Constant:
    """`None` (also `newaxis`), `True`, `False` or `...`."""

    value: object  # None, True, False or Ellipsis
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x`, `+x`, `~x`; in matrix notation, until it is translated, also `x'`."""

    op: str
    operand: Tree
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    r"""`left op right` with op one of `+ - * / // % ** @ < <= > >= == != & |`.

    In matrix notation, until `matrix` has translated it, also one of `.* ./ .^ ^ \`.
    """

    op: str
    left: Tree
    right: Tree
    span: Span


@dataclass(frozen=True, slots=True)
class Sequence:
    """`(a, b)` or `[a, b]`."""

    items: tuple[Tree, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Slice:
    """`start:stop:step` inside brackets."""

    start: Tree | None
    stop: Tree | None
    step: Tree | None
    span: Span


@dataclass(frozen=True, slots=True)
class Subscript:
    """`base[items]`: indexed notation or NumPy indexing, which `index` decides."""

    base: Tree
    items: tuple[Tree, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Attribute:
    """`base.T`, `base.mT`, `base.shape`, `base.size`, `base.ndim`."""

    base: Tree
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Apply:
    """`function(args, keyword=value)`; a method `x.sum(0)` has `x` as its first argument."""

    function: str
    args: tuple[Tree, ...]
    keywords: tuple[tuple[str, Tree], ...]
    span: Span
    name_span: Span  # the function's name alone, for carets
    prefix: str = ""  # "scipy.special" where it was typed: it changes a few defaults


@dataclass(frozen=True, slots=True)
class Over:
    """`sum[j](body)`, `prod[j,k](body)`, `max[j](body)`, `min[j](body)`: an explicit reduction."""

    op: str
    letters: tuple[Name, ...]
    body: Tree
    span: Span


Atom = Number | Name | String | Constant
Tree = Atom | Unary | Binary | Sequence | Slice | Subscript | Attribute | Apply | Over


@dataclass(frozen=True, slots=True)
class Assign:
    """`targets = value`. One target, or several for tuple unpacking (`sign, ld = slogdet(A)`).

    A target is a Name (`y = ...`) or a Subscript of a Name (`Z[i,j] = ...`). `y += e` arrives as
    `y = y + e`. A bare expression has no targets.
    """

    targets: tuple[Name | Subscript, ...]
    value: Tree
    span: Span


@dataclass(frozen=True, slots=True)
class Declare:
    """`W: (m, n)`, `S: (n, n) symmetric`: sizes are trees (numbers, names, arithmetic on them)."""

    name: Name
    sizes: tuple[Tree, ...]
    properties: tuple[str, ...]
    span: Span


Statement = Assign | Declare


@dataclass(frozen=True, slots=True)
class Partial:
    """`d2y[i]/dx[m]/dW[n,k] = value`, a line of a derivative in index notation (`parse_formula`).

    `axes` are the items in the brackets after the output's name, `wrt` the names after each `/d` with
    theirs; no brackets means no items.
    """

    output: Name
    axes: tuple[Tree, ...]
    wrt: tuple[tuple[Name, tuple[Tree, ...]], ...]
    value: Tree
    span: Span  # of the left side


@dataclass(frozen=True, slots=True)
class Formula:
    """What a printed derivative says: shared definitions, then a line for each derivative."""

    statements: tuple[Statement, ...]
    partials: tuple[Partial, ...]


def children(node: Tree) -> tuple[Tree, ...]:
    """The nodes right below, in the order of the text."""
    match node:
        case Number() | Name() | String() | Constant():
            return ()
        case Unary():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case Sequence():
            return node.items
        case Slice():
            return tuple(part for part in (node.start, node.stop, node.step) if part is not None)
        case Subscript():
            return (node.base, *node.items)
        case Attribute():
            return (node.base,)
        case Apply():
            return (*node.args, *(value for _, value in node.keywords))
        case Over():
            return (*node.letters, node.body)
        case _:
            assert_never(node)


def walk(node: Tree) -> Iterator[Tree]:
    """`node` and all nodes below it, in the order of the text; deep trees do not recurse."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        stack.extend(reversed(children(top)))
