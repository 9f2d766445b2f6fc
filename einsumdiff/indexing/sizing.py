"""The size of every axis: what is combined elementwise or contracted has one size.

Goes through the program once, in order. An axis of size 1 repeats where it is known to be 1. After a
statement's arrays have sizes, its letters get their ranges (`ranges`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from einsumdiff.errors import RankFault, ShapeFault
from einsumdiff.indexing.expression import (
    Access,
    Axis,
    AxisSize,
    Call,
    Layout,
    Line,
    Node,
    Number,
    Operate,
    Power,
    Product,
    RankOf,
    Reference,
    SizeName,
    Sum,
    Variable,
    bases,
    children,
    walk,
)
from einsumdiff.indexing.ranges import Ranges, size_of_index
from einsumdiff.indexing.shapes import Shape, Sizes, tall_or_wide
from einsumdiff.nesting import Steps, Waiting, run
from einsumdiff.sizes import AnySize, smaller, symbol


class Sizing:
    """The pass.

    Parameters
    ----------
    sizes : the unknowns.
    show : a shape as it is printed in messages.
    numpy : whether the program is written so, and what to write instead is too.
    """

    def __init__(self, sizes: Sizes, show: Callable[[Iterable[AnySize]], str], numpy: bool) -> None:
        self.sizes, self._shown, self._numpy = sizes, show, numpy
        self._found: dict[int, tuple[Node, Shape]] = {}  # by id; the node is kept, and so is its id

    def show(self, shape: Iterable[AnySize]) -> str:
        """A shape for messages."""
        return self._shown(shape)

    def unify(self, a: AnySize, b: AnySize) -> bool:
        """Make two sizes one; False where they are apart."""
        return self.sizes.unify(a, b)

    def resolve(self, size: AnySize) -> AnySize:
        """What is known of a size by now."""
        return self.sizes.resolve(size)

    def unknown(self) -> AnySize:
        """A size that is to be found."""
        return self.sizes.unknown()

    def variable(self, variable: Variable) -> None:
        """An input's shape: declared, or unknown sizes."""
        if variable.declared is not None:
            variable.shape = variable.declared
        else:
            variable.shape = tuple(self.sizes.unknown() for _ in range(variable.rank))

    def line(self, line: Line) -> None:
        """A statement, and the shape of what it assigns."""
        shape = self.of(line.value)
        if line.indexed:
            Ranges(self.sizes, self.show, line).find()
            shape = tuple(size_of_index(index) for index in line.left or ())
        target = line.target
        if target is None:
            return
        target.shape = shape
        if target.declared is not None and not line.indexed:
            for size, declared in zip(shape, target.declared, strict=True):
                if not self.sizes.unify(size, declared):
                    raise ShapeFault(
                        f"{target.name} is {target.source} as {self.show(target.declared)}, "
                        f"and this is {self.show(shape)}",
                        line.span,
                        "change the declaration, or the expression",
                    )
            target.shape = target.declared

    # -- whole arrays

    def of(self, node: Node) -> Shape:
        """The shape of a node, which is found once."""
        return run(self._of(node))

    def _of(self, node: Node) -> Steps[Shape]:
        if id(node) in self._found:
            return self._found[id(node)][1]
        return self._find(node)

    def _find(self, node: Node) -> Steps[Shape]:
        match node:
            case Reference(variable=variable):
                node.shape = variable.shape
            case AxisSize(base=base, axis=axis):
                node.shape = ((yield self._axis_size(node, base, axis)),)
                self._found[id(node)] = node, ()
                return ()
            case RankOf(base=base):
                yield self._of(base)
            case Access(base=base):
                yield self._of(base)
            case Operate():
                node.shape = yield self._operation(node)
            case _:
                shapes: list[Shape] = []
                for part in children(node):
                    shapes.append((yield self._of(part)))
                if any(shapes):
                    node.shape = self._broadcast(node, shapes)
        self._found[id(node)] = node, node.shape
        return node.shape

    def _axis_size(self, node: AxisSize, base: Node, axis: int | None) -> Steps[AnySize]:
        shape: Shape = yield self._of(base)
        if axis is None:
            total: AnySize = 1
            for size in shape:
                total = total * size
            return total
        if not -len(shape) <= axis < len(shape):
            raise RankFault(
                f"{base.span.source} has {len(shape) or 'no'} {'axis' if len(shape) == 1 else 'axes'}",
                node.span,
                f"axes go from {-len(shape)} to {len(shape) - 1}" if shape else "a number has no axes",
            )
        return shape[axis]

    def _broadcast(self, node: Node, shapes: list[Shape]) -> Shape:
        """The common shape; axes are aligned from the last."""
        rank = max(len(shape) for shape in shapes)
        result: list[AnySize] = [1] * rank
        for shape in shapes:
            for k in range(1, len(shape) + 1):
                size, old = self.sizes.resolve(shape[-k]), self.sizes.resolve(result[-k])
                if old == 1:
                    result[-k] = size
                elif size != 1 and not self.sizes.unify(old, size):
                    raise self._clash(node, shapes)
        return tuple(result)

    def _clash(self, node: Node, shapes: list[Shape]) -> ShapeFault:
        parts = children(node)
        one, other = self._culprits(list(zip(parts, shapes, strict=True)))
        (a, x), (b, y) = one, other
        does = self._verb(node, b)
        together = f"cannot be {does}" if not isinstance(node, Call) else f"do not fit in {node.row.name}"
        hint = "declare them alike"
        if not self._numpy:
            pass
        elif len(x) == 1 and len(y) == 1:
            hint += f", or write {_source(a)}[:, None] for every pair"
        elif len(x) != len(y):
            low, high = ((a, x), (b, y)) if len(x) < len(y) else ((b, y), (a, x))
            first = self.sizes.resolve(high[1][0])
            if len(low[1]) == 1 and len(high[1]) == 2 and self.sizes.resolve(low[1][0]) == first:
                hint = f"write {_source(low[0])}[:, None] to go along the first axis"
        origins = "".join(
            f"; {n.span.source} is {n.variable.source}"
            for n in (a, b)
            if isinstance(n, Reference) and n.variable.source
        )
        return ShapeFault(
            f"{a.span.source} and {b.span.source} {together}: {a.span.source} is {self.show(x)}, "
            f"{b.span.source} is {self.show(y)}{origins}",
            a.span.to(b.span) if isinstance(node, Sum | Product) else node.span,
            hint,
        )

    def _culprits(self, parts: list[tuple[Node, Shape]]) -> tuple[tuple[Node, Shape], tuple[Node, Shape]]:
        """The first pair that does not fit."""
        for k, (b, y) in enumerate(parts):
            for a, x in parts[:k]:
                for s, t in zip(reversed(x), reversed(y), strict=False):
                    s, t = self.sizes.resolve(s), self.sizes.resolve(t)
                    if s != 1 and t != 1 and s != t and not self.sizes.unify(s, t):
                        return (a, x), (b, y)
        return parts[0], parts[-1]

    @staticmethod
    def _verb(node: Node, second: Node) -> str:
        if isinstance(node, Sum):
            return "added" if next(sign for sign, term in node.terms if term is second) == 1 else "subtracted"
        if isinstance(node, Product):
            return "multiplied" if next(p for f, p in node.factors if f is second) == 1 else "divided"
        return "raised to that power" if isinstance(node, Power) else "combined"

    def _operation(self, node: Operate) -> Steps[Shape]:
        meaning = node.meaning
        assert meaning is not None
        if isinstance(meaning, Layout):
            for base in bases(node):  # of which the layout asks sizes
                for part in walk(base):
                    if isinstance(part, AxisSize | RankOf):
                        yield self._of(part.base)
            shapes: list[Shape] = []
            for one in meaning.operands.values():
                shapes.append(tuple(map(self.sizes.resolve, (yield self._of(one)))))
            return meaning.shape(shapes, self)
        sizes: dict[Axis, AnySize] = {}
        origin: dict[Axis, tuple[Node, int]] = {}
        for axis, given in meaning.given.items():
            sizes[axis] = given if isinstance(given, int) else (yield self._size_of(given))
        for operand, axes in meaning.operands.values():
            shape = yield self._of(operand)
            for k, (axis, size) in enumerate(zip(axes, shape, strict=True)):
                size = self.sizes.resolve(size)
                if axis not in sizes:
                    sizes[axis], origin[axis] = size, (operand, k)
                    continue
                old = self.sizes.resolve(sizes[axis])
                if axis[0] in meaning.stretch and axis not in meaning.given and old == 1:
                    sizes[axis], origin[axis] = size, (operand, k)
                elif not (axis[0] in meaning.stretch and size == 1) and not self.sizes.unify(old, size):
                    raise self._misfit(node, origin.get(axis), (operand, k), old)
        for a, b in meaning.equal:
            if a in sizes and b in sizes:
                if not self.sizes.unify(sizes[a], sizes[b]):
                    raise self._misfit(node, origin.get(a), origin[b], sizes[a])
            elif a in sizes or b in sizes:
                sizes.setdefault(a, sizes.get(b, 0))
                sizes.setdefault(b, sizes[a])
        if meaning.least is not None:
            own, i, j = meaning.least
            least = smaller(self.sizes.resolve(sizes[i]), self.sizes.resolve(sizes[j]))
            if least is None:
                raise ShapeFault(
                    f"which of the sizes {self.show([sizes[i], sizes[j]])[1:-1]} is smaller is not known",
                    node.span,
                    tall_or_wide(next(iter(node.arguments.operands.values())).span.source),
                )
            sizes[own] = least
        node.sizes = sizes
        return tuple(sizes[axis] for axis in meaning.axes)

    def _misfit(
        self, node: Operate, first: tuple[Node, int] | None, second: tuple[Node, int], size: AnySize
    ) -> ShapeFault:
        b, j = second
        if first is None:
            return ShapeFault(
                f"axis {j} of {b.span.source} is {self.show([b.shape[j]])[1:-1]}, "
                f"not {self.show([size])[1:-1]}",
                node.span,
                f"{b.span.source} is {self.show(b.shape)}",
            )
        a, k = first
        sizes = self.show([a.shape[k], b.shape[j]])[1:-1].split(", ")
        shapes = f"{a.span.source} is {self.show(a.shape)}, {b.span.source} is {self.show(b.shape)}"
        if a is b:
            return ShapeFault(
                f"axes {k} and {j} of {a.span.source} must have one size, and have {sizes[0]} and {sizes[1]}",
                node.span,
                f"{a.span.source} is {self.show(a.shape)}",
            )
        origins = "".join(
            f"; {n.span.source} is {n.variable.source}"
            for n in (a, b)
            if isinstance(n, Reference) and n.variable.source
        )
        return ShapeFault(
            f"{a.span.source} and {b.span.source} do not fit: {shapes}{origins}",
            node.span,
            f"axis {k} of {a.span.source} ({sizes[0]}) meets axis {j} of {b.span.source} ({sizes[1]})",
        )

    # -- sizes as arguments

    def size_of(self, node: Node) -> AnySize:
        """The size that a scalar expression of sizes is."""
        return run(self._size_of(node))

    def _size_of(self, node: Node) -> Waiting[AnySize]:
        total: AnySize
        match node:
            case Number(value=int() as value) if value >= 0:
                return value
            case SizeName(name=name):
                return symbol(name)
            case AxisSize(base=base, axis=axis):
                total = yield self._axis_size(node, base, axis)
                return total
            case RankOf(base=base):
                return base.rank
            case Sum(terms=terms):
                total = 0
                for sign, term in terms:
                    total = total + sign * (yield self._size_of(term))
                return total
            case Product(factors=factors) if all(power == 1 for _, power in factors):
                total = 1
                for factor, _ in factors:
                    total = total * (yield self._size_of(factor))
                return total
            case Call(row=row, args=(a, Number(value=int() as divisor))) if row.name == "floor_divide":
                total = yield self._size_of(a)
                return total // divisor
            case Reference(variable=variable) if variable.line is not None and not variable.rank:
                total = yield self._size_of(variable.line.value)
                return total
        raise ShapeFault(
            f"{node.span.source} is no size",
            node.span,
            f"a size is a number, a name of a declared shape (x: ({node.span.source},)) or x.shape[0]",
        )


def _source(node: Node) -> str:
    source = node.span.source
    return source if isinstance(node, Reference | Access | Operate) else f"({source})"
