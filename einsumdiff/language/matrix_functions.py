"""The functions of matrix notation: what each takes, what it gives, and its name in the NumPy notation.

Functions of scalars and operations on square matrices come from the table; for the rest, `FUNCTIONS` says
what they mean. Where MATLAB, Julia and NumPy mean different things by one name, it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from einsumdiff.errors import NameFault, RankFault, Span, Unsupported, ValueFault, nearest
from einsumdiff.language import tree
from einsumdiff.language.matrix_kinds import (
    COLUMN,
    MATRIX,
    ROW,
    SCALAR,
    VECTORS,
    Typed,
    applied,
    identity,
    ones,
    opened,
    together,
)
from einsumdiff.language.rows import Definition, Function, Operation
from einsumdiff.language.table import load_table
from einsumdiff.language.tree import Tree


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose arguments are read; text among them is None."""

    node: tree.Apply
    args: Sequence[Typed | None]

    @property
    def span(self) -> Span:
        return self.node.span

    def one(self, *kinds: str) -> Typed:
        """The only argument, which is of one of these kinds."""
        self.count(1)
        return self.arg(0, *kinds)

    def count(self, least: int, most: int | None = None) -> None:
        most = least if most is None else most
        if not least <= len(self.args) <= most or self.node.keywords:
            many = f"{least}" if least == most else f"{least} to {most}"
            raise ValueFault(
                f"{self.node.function} takes {many} argument{'s' * (most != 1)} in matrix notation",
                self.span,
                "give them in order, without names",
            )

    def arg(self, place: int, *kinds: str) -> Typed:
        one = self.args[place]
        if one is None:
            raise ValueFault(
                f"{self.node.function} does not take text there", self.node.args[place].span, "write an array"
            )
        if kinds and one.kind not in kinds:
            raise RankFault(
                f"{self.node.function} takes {' or '.join(kinds)}, and {one.source} is {one.kind}",
                one.span,
                _REMEDY.get(one.kind, "")
                if MATRIX in kinds
                else f"declare it, or reduce {one.operand} first",
            )
        return one

    def whole(self, place: int, *values: int) -> int:
        """A number that is written out."""
        node = self.node.args[place]
        if not isinstance(node, tree.Number) or node.value not in values:
            raise ValueFault(
                f"{node.span.source} is not {' or '.join(map(str, values))}",
                node.span,
                f"{self.node.function} takes {' or '.join(map(str, values))} there, counted from 1",
            )
        return int(node.value)

    def gives(self, kind: str, function: str, /, *args: Tree, **keywords: Tree) -> Typed:
        return Typed(
            tree.Apply(function, args, tuple(keywords.items()), self.span, self.node.name_span),
            kind,
            self.span,
        )

    def refuse(self, message: str, hint: str) -> NoReturn:
        raise Unsupported(message, self.span, hint)


_REMEDY = {
    COLUMN: "a matrix has an upper-case name, or is declared: a: (n, n)",
    ROW: "a matrix has an upper-case name, or is declared: a: (n, n)",
    SCALAR: "declare it as a matrix: a: (n, n)",
}
Meaning = Callable[[Call], Typed]


def call(node: tree.Apply, args: Sequence[Typed | None]) -> Typed:
    """The call in the NumPy notation, and what it gives."""
    asked = Call(node, args)
    meaning = FUNCTIONS.get(node.function)
    row = load_table().get(node.function)
    scalar = isinstance(row, Function) or (isinstance(row, Definition) and row.cases[0].axes is None)
    if node.prefix == "each" and not (scalar or node.function in PAIRS):
        raise Unsupported(
            f"{node.function} is no function of scalars, and the dot applies it to each entry",
            node.name_span,
            f"write {node.function}(...)",
        )
    if meaning is not None:
        return meaning(asked)
    if scalar:
        return _elementwise(asked, node.function)
    if isinstance(row, Operation):
        return _operation(asked, row)
    if row is None:
        near = nearest(node.function, [*load_table(), *load_table().aliases, *FUNCTIONS])
        mean = f"did you mean {' or '.join(near)}? " if near else ""
        raise NameFault(
            f"{node.function} is no function that is known",
            node.name_span,
            f"{mean}a product is written with *, entries are not read in matrix notation, and a function is "
            "added by register",
        )
    raise Unsupported(
        f"{node.function} has no meaning in matrix notation",
        node.name_span,
        "leave notation= out and write NumPy: @ is the matrix product there, .T the transpose",
    )


def _elementwise(asked: Call, function: str) -> Typed:
    """A function of scalars, entry by entry."""
    parts = [asked.arg(place) for place in range(len(asked.args))]
    for name, value in asked.node.keywords:
        number = value.operand if isinstance(value, tree.Unary) and value.op == "-" else value
        if not isinstance(number, tree.Number | tree.Constant):
            asked.refuse(f"{name} is no number", "give it by its place")
    nodes, kind = together(parts, asked.span)
    return asked.gives(kind, function, *nodes, **dict(asked.node.keywords))


def _operation(asked: Call, row: Operation) -> Typed:
    """`inv`, `det`, `expm`: an operation on one square matrix, whose row says how many axes it gives."""
    one = asked.one(MATRIX)
    rank = sum(isinstance(item, tree.Name) for item in row.axes)
    if rank > 2:
        asked.refuse(
            f"{row.name} gives {rank} axes, and matrix notation has at most two", "leave notation= out"
        )
    return asked.gives((SCALAR, COLUMN, MATRIX)[rank], asked.node.function, one.node)


# --------------------------------------------------------------------------------------- size by context


def _filled(sizes: int) -> Meaning:
    """`vector(1)`, `matrix(1)`: the number everywhere."""

    def meaning(asked: Call) -> Typed:
        value = asked.one(SCALAR)
        found = ones([opened(asked.span, k) for k in range(sizes)], asked.span)
        if value.node == tree.Number(1, value.span):
            return found
        return Typed(tree.Binary("*", value.node, found.node, asked.span), found.kind, asked.span)

    return meaning


def _eye(asked: Call) -> Typed:
    """`eye`, `eye(n)`, `eye(m, n)`."""
    asked.count(0, 2)
    sizes = [asked.arg(place, SCALAR).node for place in range(len(asked.args))]
    if not sizes:
        return identity(opened(asked.span), asked.span)
    return asked.gives(MATRIX, "eye", *sizes)


def _constant(function: str) -> Meaning:
    """`zeros(m, n)`, `ones(n, 1)`: a size of 1 makes a column or a row."""

    def meaning(asked: Call) -> Typed:
        if len(asked.args) == 1:
            asked.refuse(
                f"{function}(n) is a matrix in MATLAB and a vector in Julia",
                f"write {function}(n, n) or {function}(n, 1)",
            )
        asked.count(2)
        sizes = [asked.arg(place, SCALAR).node for place in range(2)]
        kept = [size for size in sizes if not (isinstance(size, tree.Number) and size.value == 1)]
        kind = {0: SCALAR, 2: MATRIX}.get(len(kept), COLUMN if kept == sizes[:1] else ROW)
        return asked.gives(kind, function, tree.Sequence(tuple(kept), asked.span))

    return meaning


# -------------------------------------------------------------------------------------------- reductions


def _reduced(function: str, **keywords: int) -> Meaning:
    """`mean(x)`; of a matrix along one dimension only, as MATLAB and Julia differ without it."""

    def meaning(asked: Call) -> Typed:
        if len(asked.args) == 1 and not asked.node.keywords:
            one = asked.one()
            if one.kind == MATRIX and function != "sum":
                asked.refuse(
                    f"{asked.node.function} of a matrix goes along its columns in MATLAB, over all in Julia",
                    f"write {asked.node.function}(vec({one.source})) for all entries",
                )
            extra: dict[str, Tree] = {k: tree.Number(v, asked.span) for k, v in keywords.items()}
            return asked.gives(SCALAR, function, one.node, **extra)
        return along(asked, function, keywords)

    return meaning


def along(asked: Call, function: str, keywords: Mapping[str, int]) -> Typed:
    """`sum(A, 1)`, `sum(A, dims=1)`: down the columns, a row; `2`: along the rows, a column."""
    node = asked.node
    if [name for name, _ in node.keywords] == ["dims"] and len(node.args) == 1:
        place = tree.Apply(node.function, (*node.args, node.keywords[0][1]), (), node.span, node.name_span)
        asked = Call(place, asked.args)
    elif len(node.args) != 2 or node.keywords or keywords:
        asked.count(1)
    one = asked.arg(0, MATRIX)
    dimension = asked.whole(1, 1, 2)
    axis = tree.Number(dimension - 1, asked.node.args[1].span)
    return asked.gives(ROW if dimension == 1 else COLUMN, function, one.node, axis=axis)


def _extreme(function: str, pair: str) -> Meaning:
    """`max(x)` of a vector's entries, `max(x, y)` entry by entry."""

    def meaning(asked: Call) -> Typed:
        if len(asked.args) == 2:
            return _elementwise(asked, pair)
        if asked.node.prefix == "each":
            asked.count(2)
        asked.count(1, 2)
        return _reduced(function)(asked)

    return meaning


PAIRS = ("max", "min", "maximum", "minimum")


def _norm1(asked: Call) -> Typed:
    one = asked.one()
    return asked.gives(SCALAR, "sum", applied("abs", asked.span, one.node))


def _norm2(asked: Call) -> Typed:
    """Euclid's, of a matrix Frobenius's."""
    one = asked.one()
    if one.kind == SCALAR:
        return asked.gives(SCALAR, "abs", one.node)
    return asked.gives(SCALAR, "norm", one.node)


def _norm(asked: Call) -> Typed:
    """Of a vector with any order; of a matrix only where MATLAB, Julia and NumPy agree."""
    asked.count(1, 2)
    one = asked.arg(0, COLUMN, ROW, MATRIX)
    order = asked.node.args[1:]
    if one.kind != MATRIX and order and isinstance(order[0], tree.String) and order[0].value == "fro":
        order = ()
    if order and asked.args[1] is not None:
        order = (asked.args[1].node,)
    if one.kind == MATRIX and not (order and isinstance(order[0], tree.String)):
        asked.refuse(
            f"norm({one.source}) of a matrix is spectral in MATLAB, over all entries in Julia",
            f"write norm2({one.source}), Frobenius's, or max(svdvals({one.source})), the spectral one",
        )
    return asked.gives(SCALAR, "norm", one.node, *order)


# ------------------------------------------------------------------------------------ shapes and products


def _of_vector(function: str, kind: str | None = None) -> Meaning:
    """A function of one vector; without a kind, its result stands as the vector does."""

    def meaning(asked: Call) -> Typed:
        one = asked.one(*VECTORS)
        return asked.gives(kind or one.kind, function, one.node)

    return meaning


def _of_matrix(function: str, kind: str) -> Meaning:
    return lambda asked: asked.gives(kind, function, asked.one(MATRIX).node)


def _diag(asked: Call) -> Typed:
    one = asked.one(COLUMN, ROW, MATRIX)
    return asked.gives(COLUMN if one.kind == MATRIX else MATRIX, "diag", one.node)


def _vec(asked: Call) -> Typed:
    one = asked.one(COLUMN, ROW, MATRIX)
    return asked.gives(COLUMN, "vec", one.node) if one.kind == MATRIX else Typed(one.node, COLUMN, asked.span)


def _transpose(asked: Call) -> Typed:
    one = asked.one()
    if one.kind == MATRIX:
        return Typed(tree.Attribute(one.node, "T", asked.span), MATRIX, asked.span)
    return Typed(one.node, {COLUMN: ROW, ROW: COLUMN}.get(one.kind, SCALAR), asked.span)


def _dot(asked: Call) -> Typed:
    asked.count(2)
    a, b = (asked.arg(place, *VECTORS) for place in range(2))
    return Typed(tree.Binary("@", a.node, b.node, asked.span), SCALAR, asked.span)


def _solve(asked: Call) -> Typed:
    asked.count(2)
    a, b = asked.arg(0, MATRIX), asked.arg(1, COLUMN, MATRIX)
    return asked.gives(b.kind, "solve", a.node, b.node)


def _alike(function: str, *kinds: str) -> Meaning:
    """A function of two that are of one kind, which its result has too."""

    def meaning(asked: Call) -> Typed:
        asked.count(2)
        a = asked.arg(0, *kinds)
        b = asked.arg(1, a.kind)
        return asked.gives(a.kind, function, a.node, b.node)

    return meaning


def _size(asked: Call) -> Typed:
    """`size(A, 1)`: how many rows."""
    asked.count(2)
    one = asked.arg(0, COLUMN, MATRIX)
    dimension = asked.whole(1, *((1, 2) if one.kind == MATRIX else (1,)))
    shape = tree.Attribute(one.node, "shape", asked.span)
    place = tree.Number(dimension - 1, asked.span)
    return Typed(tree.Subscript(shape, (place,), asked.span), SCALAR, asked.span)


def _entries(asked: Call) -> Typed:
    one = asked.one(*VECTORS, *([MATRIX] if asked.node.function == "numel" else []))
    return Typed(tree.Attribute(one.node, "size", asked.span), SCALAR, asked.span)


FUNCTIONS: Mapping[str, Meaning] = {
    "vector": _filled(1),
    "matrix": _filled(2),
    "eye": _eye,
    "zeros": _constant("zeros"),
    "ones": _constant("ones"),
    "sum": _reduced("sum"),
    "mean": _reduced("mean"),
    "prod": _reduced("prod"),
    # One less than the entries, as in MATLAB and Julia; NumPy divides by their number.
    "var": _reduced("var", ddof=1),
    "std": _reduced("std", ddof=1),
    "max": _extreme("max", "maximum"),
    "min": _extreme("min", "minimum"),
    "maximum": _extreme("max", "maximum"),
    "minimum": _extreme("min", "minimum"),
    "logsumexp": _of_vector("logsumexp", SCALAR),
    "norm1": _norm1,
    "norm2": _norm2,
    "norm": _norm,
    "tr": _of_matrix("trace", SCALAR),
    "trace": _of_matrix("trace", SCALAR),
    "tril": _of_matrix("tril", MATRIX),
    "triu": _of_matrix("triu", MATRIX),
    "diag": _diag,
    "diagm": _of_vector("diag", MATRIX),
    "vec": _vec,
    "transpose": _transpose,
    "dot": _dot,
    "solve": _solve,
    "kron": _alike("kron", COLUMN, ROW, MATRIX),
    "cross": _alike("cross", COLUMN, ROW),
    "softmax": _of_vector("softmax"),
    "log_softmax": _of_vector("log_softmax"),
    "cumsum": _of_vector("cumsum"),
    "cumprod": _of_vector("cumprod"),
    "size": _size,
    "length": _entries,
    "numel": _entries,
}
