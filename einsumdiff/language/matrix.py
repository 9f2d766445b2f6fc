"""`notation="matrix"`: MATLAB's spelling, turned into the syntax tree of the NumPy notation.

    x'*A*x      ->  x @ A @ x          x*y'   ->  outer(x, y)
    norm2(r)^2  ->  norm(r)**2         A^3    ->  matrix_power(A, 3)

A vector is a column, and `'` makes it a row; both are arrays of one axis. What `*` means follows from the
kinds of its two sides. Spans stay those of the text, so that what is wrong is shown where it was typed.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from einsumdiff import data
from einsumdiff.errors import (
    NameFault,
    RankFault,
    ShapeFault,
    Span,
    SyntaxFault,
    Unsupported,
    ValueFault,
)
from einsumdiff.language import tree
from einsumdiff.language.rows import Definition, Function, NamedNumber, Operation
from einsumdiff.language.table import load_table
from einsumdiff.language.tree import Tree

if TYPE_CHECKING:
    import lark

SCALAR, COLUMN, ROW, MATRIX = "a scalar", "a column", "a row", "a matrix"
RANKS = {0: SCALAR, 1: COLUMN, 2: MATRIX}


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression and what it is.

    `fills`: `vector(1)` or `matrix(1)`, a number in every entry whose size the context gives.
    `unit`: a number times the identity, `eye`, of the context's size.
    """

    node: Tree
    kind: str
    fills: bool = False
    unit: bool = False

    @property
    def span(self) -> Span:
        return self.node.span


def parse_matrix(text: str, shapes: Mapping[str, object] | None = None) -> tuple[tree.Statement, ...]:
    """The statements of a program in matrix notation.

    Raises SyntaxFault, RankFault, ShapeFault, NameFault, ValueFault or Unsupported, with a caret.

    >>> [statement.span.source for statement in parse_matrix("r = A*x - b; r'*r")]
    ['r = A*x - b', "r'*r"]
    """
    import lark

    try:
        whole = _parser().parse(text)
    except lark.exceptions.UnexpectedCharacters as error:
        raise _unreadable(text, error.pos_in_stream or 0) from None
    except lark.exceptions.UnexpectedToken as error:
        at = error.token.start_pos
        if error.token.type == "$END" or at is None:
            raise SyntaxFault(
                "the program ends too early", Span(max(len(text) - 1, 0), len(text), text), "complete it"
            ) from None
        span = Span(at, error.token.end_pos or at + 1, text)
        raise SyntaxFault(
            f"{span.source} is not expected here", span, _HINTS.get(span.source, WRITE)
        ) from None
    return _Translator(text, shapes or {}).program(whole)


WRITE = "matrix notation has + - * / \\ .* ./ .^ ^ ' and functions"
_HINTS = {
    "@": "the matrix product is *",
    "**": "a power is ^, of each entry .^",
    "[": "entries are not read here",
}


def _unreadable(text: str, at: int) -> SyntaxFault:
    span = Span(at, at + 1, text)
    return SyntaxFault(f"{span.source} is not read in matrix notation", span, _HINTS.get(span.source, WRITE))


@functools.cache
def _parser() -> Any:
    import lark

    return lark.Lark(data.grammar("matrix"), parser="lalr", lexer="basic", propagate_positions=True)


class _Translator:
    """Translates statement by statement; knows what each name is."""

    def __init__(self, text: str, shapes: Mapping[str, object]) -> None:
        self.text = text
        self.kinds: dict[str, str] = {}
        for name, shape in shapes.items():
            rank = len(shape.replace(",", " ").split()) if isinstance(shape, str) else len(tuple(shape))  # type: ignore[arg-type]
            self._declare(name, rank, None)

    def _declare(self, name: str, rank: int, span: Span | None) -> None:
        if rank not in RANKS:
            raise RankFault(f"{name} has {rank} axes, and matrix notation at most two", span, "write NumPy")
        self.kinds[name] = RANKS[rank]

    def program(self, whole: lark.Tree[Any]) -> tuple[tree.Statement, ...]:
        declared = [one for one in whole.children if one.data == "declare"]
        found: list[tree.Statement] = [self._declaration(one) for one in declared]
        for one in whole.children:
            if one.data == "assign":
                name, value = one.children
                result = self.settled(self.read(value))
                target = tree.Name(str(name), self.at(name))
                self.kinds[str(name)] = result.kind
                found.append(tree.Assign((target,), result.node, self.at(one)))
            elif one.data == "bare":
                result = self.settled(self.read(one.children[0]))
                found.append(tree.Assign((), result.node, self.at(one)))
        return tuple(found)

    def _declaration(self, node: Any) -> tree.Declare:
        name, *sizes = node.children
        items: list[Tree] = []
        for size in sizes:
            if size is not None:
                (token,) = size.children
                span = self.at(token)
                number = token.type == "NUMBER"
                items.append(tree.Number(int(token), span) if number else tree.Name(str(token), span))
        self._declare(str(name), len(items), self.at(name))
        return tree.Declare(tree.Name(str(name), self.at(name)), tuple(items), (), self.at(node))

    def at(self, node: Any) -> Span:
        """The place of a token, or of a node of lark's."""
        start = getattr(node, "start_pos", None)
        if start is None:
            return Span(node.meta.start_pos, node.meta.end_pos, self.text)
        return Span(start, node.end_pos, self.text)

    # -- expressions

    def read(self, node: Any) -> Typed:
        span = self.at(node)
        match node.data:
            case "name":
                return self._name(str(node.children[0]), span)
            case "number":
                text = str(node.children[0])
                value = float(text) if any(c in text for c in ".eE") else int(text)
                return Typed(tree.Number(value, span), SCALAR)
            case "group":
                inner = self.read(node.children[0])
                return replace(inner, node=replace(inner.node, span=span))
            case "unary":
                op, operand = node.children
                inner = self.read(operand)
                return inner if op == "+" else replace(inner, node=tree.Unary("-", inner.node, span))
            case "transpose":
                return self._transposed(self.read(node.children[0]), span)
            case "binary":
                return self._chain(node)
            case "call":
                name, *arguments = (part for part in node.children if part is not None)
                return self._call(str(name), self.at(name), [self.read(one) for one in arguments], span)
        raise AssertionError(node.data)

    def _name(self, name: str, span: Span) -> Typed:
        if name == "eye" and name not in self.kinds:
            return Typed(tree.Number(1, span), MATRIX, unit=True)
        if name in self.kinds:
            return Typed(tree.Name(name, span), self.kinds[name])
        if isinstance(load_table().get(name), NamedNumber):
            return Typed(tree.Name(name, span), SCALAR)
        first = next((c for c in name if c.isalpha()), "a")
        return Typed(tree.Name(name, span), MATRIX if first.isupper() else COLUMN)

    def _transposed(self, inner: Typed, span: Span) -> Typed:
        if inner.kind == MATRIX and not inner.unit and not inner.fills:
            return Typed(tree.Attribute(inner.node, "T", span), MATRIX)
        kind = {COLUMN: ROW, ROW: COLUMN}.get(inner.kind, inner.kind)
        return replace(inner, node=replace(inner.node, span=span), kind=kind)

    def _chain(self, node: Any) -> Typed:
        """A chain of operators of one precedence, without recursion on its left side."""
        steps = []
        while node.data == "binary":
            left, op, right = node.children
            steps.append((str(op), right, self.at(node)))
            node = left
        result = self.read(node)
        for op, right, span in reversed(steps):
            result = self._binary(op, result, self.read(right), span)
        return result

    def _binary(self, op: str, a: Typed, b: Typed, span: Span) -> Typed:
        match op:
            case "*":
                return self._product(a, b, span)
            case "/":
                if b.kind != SCALAR:
                    raise Unsupported(
                        f"a division by {b.kind}", span, "write inv(A), A\\b, or ./ for each entry"
                    )
                return replace(a, node=tree.Binary("/", a.node, b.node, span))
            case "\\":
                if a.kind != MATRIX or b.kind not in (COLUMN, MATRIX):
                    raise ShapeFault(f"{a.kind} divides {b.kind} from the left", span, "write A\\b")
                return Typed(_apply("solve", span, self.settled(a).node, self.settled(b).node), b.kind)
            case "^":
                return self._power(a, b, span)
        return self._each({"+": "+", "-": "-", ".*": "*", "./": "/", ".^": "**"}[op], a, b, span)

    def _each(self, op: str, a: Typed, b: Typed, span: Span) -> Typed:
        """Entry by entry; a scalar goes with everything, a column or row with the rows of a matrix."""
        if a.unit or b.unit:
            return self._with_unit(op, a, b, span)
        if a.kind == b.kind or SCALAR in (a.kind, b.kind):
            kind = b.kind if a.kind == SCALAR else a.kind
            fills = (a.fills or a.kind == SCALAR) and (b.fills or b.kind == SCALAR) and (a.fills or b.fills)
            return Typed(tree.Binary(op, a.node, b.node, span), kind, fills)
        if MATRIX in (a.kind, b.kind):
            left, right = (_upright(one) if one.kind == COLUMN else one.node for one in (a, b))
            return Typed(tree.Binary(op, left, right, span), MATRIX)
        raise ShapeFault(
            f"{a.span.source} is {a.kind} and {b.span.source} is {b.kind}",
            span,
            f"transpose one of them: {b.span.source}'",
        )

    def _with_unit(self, op: str, a: Typed, b: Typed, span: Span) -> Typed:
        if a.unit and b.unit:
            return Typed(tree.Binary(op, a.node, b.node, span), MATRIX, unit=op in "+-*")
        unit, other = (a, b) if a.unit else (b, a)
        if other.kind == SCALAR and op in ("*", "/") and not (op == "/" and b.unit):
            return Typed(tree.Binary(op, a.node, b.node, span), MATRIX, unit=True)
        if other.kind != MATRIX or other.fills:
            raise ShapeFault(f"eye and {other.kind} do not tell a size", span, "write eye(n)")
        size = tree.Subscript(
            tree.Attribute(other.node, "shape", other.span), (tree.Number(0, span),), unit.span
        )
        whole = tree.Binary("*", unit.node, _apply("eye", unit.span, size), unit.span)
        left, right = (whole, b.node) if a.unit else (a.node, whole)
        return Typed(tree.Binary(op, left, right, span), MATRIX)

    def _product(self, a: Typed, b: Typed, span: Span) -> Typed:
        if a.unit and b.kind != SCALAR:
            return self._product(replace(a, kind=SCALAR, unit=False), b, span)
        if b.unit and a.kind != SCALAR:
            return self._product(a, replace(b, kind=SCALAR, unit=False), span)
        if SCALAR in (a.kind, b.kind):
            other = b if a.kind == SCALAR else a
            return replace(other, node=tree.Binary("*", a.node, b.node, span))
        if a.fills or b.fills:
            return self._summed(a, b, span)
        match a.kind, b.kind:
            case ("a row", "a column"):
                return Typed(tree.Binary("@", a.node, b.node, span), SCALAR)
            case ("a column", "a row"):
                return Typed(_apply("outer", span, a.node, b.node), MATRIX)
            case ("a matrix", "a column" | "a matrix"):
                return Typed(tree.Binary("@", a.node, b.node, span), b.kind)
            case ("a row", "a matrix"):
                return Typed(tree.Binary("@", a.node, b.node, span), ROW)
        raise self._no_product(a, b, span)

    def _no_product(self, a: Typed, b: Typed, span: Span) -> ShapeFault:
        x, y = a.span.source, b.span.source
        hint = f"write {x}'*{y}, or {x}.*{y} for each entry"
        return ShapeFault(f"{x} is {a.kind} and {y} is {b.kind}: they have no product", span, hint)

    def _summed(self, a: Typed, b: Typed, span: Span) -> Typed:
        """A product with a vector of one number is a sum: `vector(1)'*x`, `X*vector(1)`."""
        filled, other = (a, b) if a.fills else (b, a)
        axis: int | None
        match a.kind, b.kind:
            case ("a row", "a column") if not (a.fills and b.fills):
                axis, kind = None, SCALAR
            case ("a row", "a matrix") if a.fills and not b.fills:
                axis, kind = 0, ROW
            case ("a matrix", "a column") if b.fills and not a.fills:
                axis, kind = 1, COLUMN
            case (
                ("a row", "a column")
                | ("a column", "a row")
                | ("a row", "a matrix")
                | ("a matrix", "a column" | "a matrix")
            ):
                raise ShapeFault(
                    f"the size of {filled.span.source} does not follow from this product",
                    span,
                    "give it a name and a shape: u: (n,)",
                )
            case _:
                raise self._no_product(a, b, span)
        keywords = () if axis is None else (("axis", tree.Number(axis, span)),)
        total = tree.Apply("sum", (other.node,), keywords, span, span)
        return Typed(tree.Binary("*", filled.node, total, span), kind)

    def _power(self, a: Typed, b: Typed, span: Span) -> Typed:
        if a.kind == SCALAR and b.kind == SCALAR:
            return Typed(tree.Binary("**", a.node, b.node, span), SCALAR)
        if a.kind == MATRIX:
            n = b.node.operand if isinstance(b.node, tree.Unary) else b.node
            if not isinstance(n, tree.Number) or not isinstance(n.value, int):
                raise ValueFault(
                    "the power of a matrix is a whole number",
                    span,
                    f"write .^ for each entry: {a.span.source}.^p",
                )
            if a.unit:
                return replace(a, node=tree.Binary("**", a.node, b.node, span))
            return Typed(_apply("matrix_power", span, self.settled(a).node, b.node), MATRIX)
        raise ShapeFault(
            f"{a.span.source} is {a.kind}, and ^ is of matrices and scalars",
            span,
            f"write {a.span.source}.^p for each entry",
        )

    # -- functions

    def _call(self, name: str, at: Span, arguments: list[Typed], span: Span) -> Typed:
        if name in ("vector", "matrix") and len(arguments) == 1 and arguments[0].kind == SCALAR:
            kind = COLUMN if name == "vector" else MATRIX
            return Typed(replace(arguments[0].node, span=span), kind, fills=True)
        if name == "eye":
            return Typed(tree.Apply("eye", tuple(a.node for a in arguments), (), span, at), MATRIX)
        if name in ("norm1", "norm2") and len(arguments) == 1:
            inner = self.settled(arguments[0]).node
            if name == "norm1":
                return Typed(_apply("sum", span, _apply("abs", span, inner)), SCALAR)
            return Typed(_apply("norm", span, inner), SCALAR)
        if name == "diag" and len(arguments) == 1:
            given = self.settled(arguments[0])
            kind = COLUMN if given.kind == MATRIX else MATRIX
            return Typed(tree.Apply("diag", (given.node,), (), span, at), kind)
        if name == "transpose" and len(arguments) == 1:
            return self._transposed(arguments[0], span)
        row = load_table().get(name)
        nodes = tuple(a.node for a in arguments)
        call = tree.Apply(name, nodes, (), span, at)
        scalar = isinstance(row, Function) or (isinstance(row, Definition) and row.cases[0].axes is None)
        if scalar:
            result = arguments[0] if arguments else Typed(call, SCALAR)
            for other in arguments[1:]:
                result = self._each("+", result, other, span)
            return Typed(call, result.kind, result.fills)
        nodes = tuple(self.settled(a).node for a in arguments)
        call = tree.Apply(name, nodes, (), span, at)
        if isinstance(row, Operation):
            rank = sum(isinstance(item, tree.Name) for item in row.axes)
            return Typed(call, RANKS.get(rank, MATRIX))
        if name in _RESULTS:
            return Typed(call, _RESULTS[name])
        if row is None:
            near = load_table().nearest(name)
            hint = f"did you mean {' or '.join(near)}?" if near else "a function is added by register"
            raise NameFault(f"{name} is no function that is known", at, hint)
        raise Unsupported(
            f"{name} has no meaning in matrix notation", at, 'write the program with notation="numpy"'
        )

    def settled(self, one: Typed) -> Typed:
        """An expression that stands by itself: its size must be known."""
        if one.fills or one.unit:
            raise ShapeFault(
                f"the size of {one.span.source} does not follow from anything",
                one.span,
                "declare a vector instead",
            )
        return one


_RESULTS = dict.fromkeys(("sum", "mean", "tr", "trace", "max", "min", "prod", "norm", "var", "std"), SCALAR)
_RESULTS |= dict.fromkeys(("kron", "tril", "triu", "solve"), MATRIX)
_RESULTS |= {"vec": COLUMN, "softmax": COLUMN, "log_softmax": COLUMN, "logsumexp": SCALAR}


def _apply(function: str, span: Span, *arguments: Tree) -> tree.Apply:
    return tree.Apply(function, arguments, (), span, span)


def _upright(one: Typed) -> Tree:
    """A column beside a matrix: `x[:, None]`."""
    every = tree.Slice(None, None, None, one.span)
    return tree.Subscript(one.node, (every, tree.Constant(None, one.span)), one.span)
