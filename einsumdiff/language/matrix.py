"""`notation="matrix"`: MATLAB's spelling, turned into the syntax tree of the NumPy notation.

    x'*A*x      ->  x @ A @ x          x*y'   ->  outer(x, y)
    norm2(r)^2  ->  norm(r)**2         A^3    ->  matrix_power(A, 3)

A vector is a column, and `'` makes it a row; both are arrays of one axis. What `*` means follows from the
kinds of its two sides, which every function keeps or changes in a way that it states. Spans stay those of
the text, so that what is wrong is shown where it was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

from einsumdiff.errors import NameFault, RankFault, ShapeFault, Span, SyntaxFault, ValueFault
from einsumdiff.indexing.shapes import given_shape
from einsumdiff.language import tree
from einsumdiff.language.matrix_functions import FUNCTIONS, call
from einsumdiff.language.matrix_kinds import (
    COLUMN,
    MATRIX,
    RANKS,
    ROW,
    SCALAR,
    Typed,
    aligned,
    applied,
    identity,
    opened,
)
from einsumdiff.language.parse import parse_matrix_text
from einsumdiff.language.rows import NamedNumber
from einsumdiff.language.table import is_array_too, load_table
from einsumdiff.language.tree import Tree
from einsumdiff.nesting import Steps, run
from einsumdiff.sizes import names

ELEMENTWISE = {"+": "+", "-": "-", ".*": "*", "./": "/", ".^": "**", "&": "&", "|": "|"}
ELEMENTWISE |= {op: op for op in ("<", "<=", ">", ">=", "==", "!=")}

CONSTANTS: dict[str, Callable[[Span], Tree]] = {
    "Inf": lambda span: tree.Name("inf", span),
    "true": lambda span: tree.Constant(True, span),
    "false": lambda span: tree.Constant(False, span),
}


def parse_matrix(text: str, shapes: Mapping[str, object] | None = None) -> tuple[tree.Statement, ...]:
    """The statements of a program in matrix notation, in the NumPy notation.

    Raises SyntaxFault, NameFault, RankFault, ShapeFault, ValueFault or Unsupported, with a caret.

    >>> [statement.span.source for statement in parse_matrix("r = A*x - b; r'*r")]
    ['r = A*x - b', "r'*r"]
    """
    return _Translator(shapes or {}).program(parse_matrix_text(text))


class _Translator:
    """Translates statement by statement; knows what each name is."""

    def __init__(self, shapes: Mapping[str, object]) -> None:
        self.kinds: dict[str, str] = {}
        self.sizes: set[str] = set()
        for name, given in shapes.items():
            shape, _ = given_shape(name, given)
            self._declare(name, len(shape), None)
            self.sizes |= {one for size in shape for one in names(size)}

    def _declare(self, name: str, rank: int, span: Span | None) -> None:
        if rank not in RANKS:
            raise RankFault(
                f"{name} has {rank} axes, and matrix notation at most two", span, "leave notation= out"
            )
        self.kinds[name] = RANKS[rank]

    def program(self, statements: Sequence[tree.Statement]) -> tuple[tree.Statement, ...]:
        # A declaration holds wherever it stands, and is stronger than shapes=.
        for one in statements:
            if isinstance(one, tree.Declare):
                self._declare(one.name.name, len(one.sizes), one.span)
                parts = (part for size in one.sizes for part in tree.walk(size))
                self.sizes |= {part.name for part in parts if isinstance(part, tree.Name)}
        found: list[tree.Statement] = []
        for one in statements:
            if isinstance(one, tree.Declare):
                found.append(one)
                continue
            value = run(self.read(one.value))
            if len(one.targets) > 1:
                raise SyntaxFault("several names are assigned", one.span, "assign one name")
            for target in one.targets:
                assert isinstance(target, tree.Name)
                self.kinds[target.name] = value.kind
            found.append(tree.Assign(one.targets, value.node, one.span))
        return tuple(found)

    # -- expressions

    def read(self, node: Tree) -> Steps[Typed]:
        """The expression in the NumPy notation, and what it is."""
        match node:
            case tree.Number(span=span):
                return Typed(node, SCALAR, span)
            case tree.Constant(value=bool(), span=span):
                return Typed(node, SCALAR, span)
            case tree.Name():
                return self._name(node)
            case tree.Unary():
                return self._unary(node)
            case tree.Binary():
                return self._chain(node)
            case tree.Apply():
                return self._call(node)
            case tree.String(span=span):
                raise SyntaxFault("text is no number", span, "remove the quotes; a transpose is x'")
            case tree.Sequence(span=span):
                raise SyntaxFault("a list has no value here", span, "a program ends in one expression")
            case (
                tree.Constant(span=span)
                | tree.Slice(span=span)
                | tree.Subscript(span=span)
                | tree.Attribute(span=span)
                | tree.Over(span=span)
            ):
                raise SyntaxFault(f"{span.source} has no value here", span, "write a number or a name")
            case _:
                assert_never(node)

    def _name(self, node: tree.Name) -> Typed:
        name, span = node.name, node.span
        if name in self.kinds:
            return Typed(node, self.kinds[name], span)
        if name == "eye":
            return identity(opened(span), span)
        if name in CONSTANTS:
            return Typed(CONSTANTS[name](span), SCALAR, span)
        row = load_table().get(name)
        if name in self.sizes or isinstance(row, NamedNumber):
            return Typed(node, SCALAR, span)
        if name in FUNCTIONS or (row is not None and not is_array_too(name)):
            raise NameFault(
                f"{name} is a function, and stands here without a call",
                span,
                f"call it, {name}(...), or declare it as an array: {name}: (n,)",
            )
        first = next((c for c in name if c.isalpha()), "a")
        self.kinds[name] = MATRIX if first.isupper() else COLUMN
        return Typed(node, self.kinds[name], span)

    def _unary(self, node: tree.Unary) -> Steps[Typed]:
        inner: Typed = yield self.read(node.operand)
        match node.op:
            case "'":
                return transposed(inner, node.span)
            case "+":
                return inner.at(node.span)
        return Typed(tree.Unary(node.op, inner.node, node.span), inner.kind, node.span)

    def _chain(self, node: Tree) -> Steps[Typed]:
        """A chain of operators, without recursion on its left side."""
        steps = []
        while isinstance(node, tree.Binary):
            steps.append(node)
            node = node.left
        result: Typed = yield self.read(node)
        for step in reversed(steps):
            result = binary(step.op, result, (yield self.read(step.right)), step.span)
        return result

    def _call(self, node: tree.Apply) -> Steps[Typed]:
        # Text and keywords are the function's own affair; eye and the like take sizes.
        args: list[Typed | None] = []
        for arg in node.args:
            args.append(None if isinstance(arg, tree.String) else (yield self.read(arg)))
        if node.function not in FUNCTIONS and node.function in self.kinds:
            raise SyntaxFault(
                f"{node.function} is {self.kinds[node.function]} and no function",
                node.span,
                "a product is written with *; entries are not read in matrix notation",
            )
        return call(node, args)


# ------------------------------------------------------------------------------------------- operators


def transposed(one: Typed, span: Span) -> Typed:
    """A row of a column, and a column of a row, is the same array of one axis."""
    if one.kind == MATRIX:
        return Typed(tree.Attribute(one.node, "T", span), MATRIX, span)
    return Typed(one.node, {COLUMN: ROW, ROW: COLUMN}.get(one.kind, one.kind), span)


def binary(op: str, a: Typed, b: Typed, span: Span) -> Typed:
    match op:
        case "*":
            return _product(a, b, span)
        case "/":
            if b.kind != SCALAR:
                raise ShapeFault(
                    f"{b.source} is {b.kind}, and / divides by scalars",
                    span,
                    f"write ./ for each entry{', or a product with inv' if b.kind == MATRIX else ''}",
                )
            return Typed(tree.Binary("/", a.node, b.node, span), a.kind, span)
        case "\\":
            return _solved(a, b, span)
        case "^":
            return _power(a, b, span)
    left, right, kind = aligned([a, b], span)
    return Typed(tree.Binary(ELEMENTWISE[op], left, right, span), kind, span)


def _product(a: Typed, b: Typed, span: Span) -> Typed:
    """The matrix product; a scalar goes with everything."""
    if SCALAR in (a.kind, b.kind):
        return Typed(tree.Binary("*", a.node, b.node, span), b.kind if a.kind == SCALAR else a.kind, span)
    match a.kind, b.kind:
        case "a row", "a column":
            kind = SCALAR
        case "a row", "a matrix":
            kind = ROW
        case "a matrix", "a column" | "a matrix":
            kind = b.kind
        case "a column", "a row":
            return Typed(applied("outer", span, a.node, b.node), MATRIX, span)
        case _:
            raise _no_product(a, b, span)
    return Typed(tree.Binary("@", a.node, b.node, span), kind, span)


def _no_product(a: Typed, b: Typed, span: Span) -> ShapeFault:
    x, y = a.operand, b.operand
    hints = {
        (COLUMN, COLUMN): f"write {x}'*{y} for a scalar, {x}*{y}' for a matrix, {x}.*{y} for each entry",
        (ROW, ROW): f"write {x}*{y}' for a scalar, {x}'*{y} for a matrix, {x}.*{y} for each entry",
        (COLUMN, MATRIX): f"write {x}'*{y} for a row, or {x}.*{y} to scale the rows",
        (MATRIX, ROW): f"write {x}*{y}' for a column, or {x}.*{y} to scale the columns",
    }
    return ShapeFault(
        f"{a.source} is {a.kind} and {b.source} is {b.kind}: they have no product",
        span,
        f"{hints[a.kind, b.kind]}; a scalar is declared, c: ()",
    )


def _solved(a: Typed, b: Typed, span: Span) -> Typed:
    if a.kind == SCALAR:
        return Typed(tree.Binary("/", b.node, a.node, span), b.kind, span)
    if a.kind != MATRIX or b.kind not in (COLUMN, MATRIX):
        raise ShapeFault(
            f"{a.source} is {a.kind} and {b.source} is {b.kind}, and \\ solves A*x = b",
            span,
            "write A\\b with a matrix and a column or a matrix",
        )
    return Typed(applied("solve", span, a.node, b.node), b.kind, span)


def _power(a: Typed, b: Typed, span: Span) -> Typed:
    if b.source == "T" and a.kind != SCALAR:
        raise SyntaxFault("a transpose is `'`", span, f"write {a.operand}'")
    if a.kind == SCALAR and b.kind == SCALAR:
        return Typed(tree.Binary("**", a.node, b.node, span), SCALAR, span)
    if a.kind != MATRIX:
        raise ShapeFault(
            f"{(a if a.kind != SCALAR else b).source} is {a.kind if a.kind != SCALAR else b.kind}, "
            "and ^ is of matrices and scalars",
            span,
            f"write {a.operand}.^{b.operand} for each entry",
        )
    number = b.node.operand if isinstance(b.node, tree.Unary) else b.node
    if not isinstance(number, tree.Number) or not isinstance(number.value, int):
        raise ValueFault(
            "the power of a matrix is a whole number, given as such",
            span,
            f"write {a.operand}.^{b.operand} for each entry",
        )
    return Typed(applied("matrix_power", span, a.node, b.node), MATRIX, span)
