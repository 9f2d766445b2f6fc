"""Diagonals of a matrix, read and made: `trace`, `diagonal`, `diag`, with NumPy's offsets and axes.

The main diagonal is one letter on two axes; any other is an affine access, `A[i, i + k]`.
"""

from __future__ import annotations

from einsumdiff.errors import RankFault, ShapeFault
from einsumdiff.indexing.asked import Asked, entry, letters, product
from einsumdiff.indexing.expression import Affine, Delta, Index, Layout, Meaning, Node, Product, Solver
from einsumdiff.indexing.operations import axes_in_words
from einsumdiff.indexing.placing import Placing, form_of, placed
from einsumdiff.indexing.shapes import Shape
from einsumdiff.nodes import Form, Guard, Label
from einsumdiff.nodes import product as factors
from einsumdiff.program import Builder, Value
from einsumdiff.sizes import AnySize, smaller


def trace(asked: Asked) -> Meaning | Layout:
    return _trace(asked, asked.static("axis1"), asked.static("axis2"))


def numpy_linalg_trace(asked: Asked) -> Meaning | Layout:
    """Of the last two axes, where `np.trace` takes the first two."""
    return _trace(asked, -2, -1)


def diagonal(asked: Asked) -> Meaning | Layout:
    return _diagonal(asked, "a", asked.static("axis1"), asked.static("axis2"), _offset(asked, "offset"))


def numpy_linalg_diagonal(asked: Asked) -> Meaning | Layout:
    """Of the last two axes, where `np.diagonal` takes the first two."""
    return _diagonal(asked, "a", -2, -1, _offset(asked, "offset"))


def diag(asked: Asked) -> Meaning | Layout:
    """The diagonal of a matrix, or the matrix with a diagonal."""
    node, k = asked.operand("v"), _offset(asked, "k")
    if node.rank == 0:
        asked.at_least(node, 1)
    if node.rank > 2:
        raise RankFault(
            f"{node.span.source} has {axes_in_words(node.rank)}, and diag takes a vector or a matrix",
            asked.span,
            "diagonal(A, axis1=-2, axis2=-1) takes more axes",
        )
    if node.rank == 2:
        return _diagonal(asked, "v", 0, 1, k)
    return _matrix(asked, node) if k == 0 else _shifted_matrix(asked, node, k)


def _offset(asked: Asked, name: str) -> int:
    (offset,) = asked.whole(asked.static(name), name)
    return offset


def _pair(asked: Asked, node: Node, axis1: object, axis2: object) -> tuple[int, int]:
    asked.at_least(node, 2)
    first, second = asked.axis(axis1, node, "axis1"), asked.axis(axis2, node, "axis2")
    if first == second:
        raise RankFault("a diagonal goes along two axes", asked.span_of("axis2"), "axis1=0, axis2=1")
    return first, second


def _main(asked: Asked, name: str, first: int, second: int, kept: bool) -> Meaning:
    """One letter on both axes, the last of the result if it is kept."""
    node = asked.operand(name)
    own = list(letters(max(node.rank, first + 1, second + 1)))
    own[second] = own[first]
    rest = [letter for k, letter in enumerate(own) if k not in (first, second)]
    return product(asked.span, [(name, node, own)], [*rest, *([own[first]] if kept else [])])


def _trace(asked: Asked, axis1: object, axis2: object) -> Meaning | Layout:
    node, offset = asked.operand("a"), _offset(asked, "offset")
    first, second = _pair(asked, node, axis1, axis2)
    if offset == 0:
        return _main(asked, "a", first, second, kept=False)

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        return tuple(size for k, size in enumerate(shapes[0]) if k not in (first, second))

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        i, j = x.axes[first], x.axes[second]
        guard = Guard(form_of(j) - form_of(i).plus(offset), "==")
        kept = tuple(factors(p.coefficient, (*p.factors, guard), p.bound) for p in x.products)
        return builder.sum(Value(x.axes, tuple(p for p in kept if p.coefficient != 0)), [i, j])

    return Placing(asked.span, {"a": node}, max(node.rank, 2) - 2, shape, value)


def _diagonal(asked: Asked, name: str, axis1: object, axis2: object, offset: int) -> Meaning | Layout:
    node = asked.operand(name)
    first, second = _pair(asked, node, axis1, axis2)
    if offset == 0:
        return _main(asked, name, first, second, kept=True)
    down, right = max(-offset, 0), max(offset, 0)

    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        rows, columns = shapes[0][first] - down, shapes[0][second] - right
        size = smaller(rows, columns)
        if size is None:
            raise ShapeFault(
                f"how long the diagonal {offset} of {node.span.source} is, which is "
                f"{solver.show(shapes[0])}, is not known",
                asked.span,
                "declare its sizes alike, or as numbers",
            )
        if isinstance(size, int):
            size = max(size, 0)
        return *(n for k, n in enumerate(shapes[0]) if k not in (first, second)), size

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        place = Label(result[-1])
        at = {x.axes[first]: form_of(place).plus(down), x.axes[second]: form_of(place).plus(right)}
        at = {label: form for label, form in at.items() if label.size != 1}
        rest = tuple(label for k, label in enumerate(x.axes) if k not in (first, second))
        return Value((*rest, place), x.substitute(at) if place.size != 0 else ())

    return Placing(asked.span, {name: node}, max(node.rank, 2) - 1, shape, value)


def _matrix(asked: Asked, node: Node) -> Meaning:
    """`v[i]*delta[i,j]`."""
    i, j = letters(2)
    places = tuple(Affine(((letter, 1),), 0, asked.span) for letter in (i, j))
    body = Product(
        asked.span, ((entry("v", [i], asked.span), 1), (Delta(asked.span, places[0], places[1]), 1))
    )
    axis, other = _axis(i), _axis(j)
    return Meaning(
        {"v": (node, (axis,))},
        (axis, other),
        body,
        {"v": ((0, 0),)},
        equal=((axis, other),),
        reads={"v": 1},
    )


def _axis(letter: Index) -> tuple[Index, int]:
    return letter, 0


def _shifted_matrix(asked: Asked, node: Node, k: int) -> Layout:
    def shape(shapes: list[Shape], solver: Solver) -> Shape:
        size: AnySize = shapes[0][0] + abs(k)
        return size, size

    def value(values: list[Value], result: Shape, builder: Builder, solver: Solver) -> Value:
        (x,) = values
        i: Form = form_of(x.axes[0])
        return placed([((i.plus(max(-k, 0)), i.plus(max(k, 0))), x)], result, builder)

    return Placing(asked.span, {"v": node}, 2, shape, value)
