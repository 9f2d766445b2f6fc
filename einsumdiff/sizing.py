"""The size of every axis: what is combined elementwise or contracted has one size.

Goes through the program once, in order. An axis of size 1 repeats where it is known to be 1. After a
statement's arrays have sizes, its letters get their ranges: a plain access gives an index the size of the
axis; one with affine accesses runs from 0 over all values for which every one of them is in bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from einsumdiff.errors import IndexFault, RankFault, ShapeFault, Span
from einsumdiff.expression import (
    Access,
    Affine,
    Axis,
    AxisSize,
    Call,
    Delta,
    Index,
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
    children,
)
from einsumdiff.shapes import Shape, Sizes, shown
from einsumdiff.sizes import AnySize, nonnegative, symbol

DONE = {"+": "added", "-": "subtracted", "*": "multiplied", "/": "divided", "**": "raised to a power"}


class Sizing:
    """The pass.

    Parameters
    ----------
    sizes : the unknowns.
    show : a shape as it is printed in messages.
    """

    def __init__(self, sizes: Sizes, show: Callable[[Iterable[AnySize]], str]) -> None:
        self.sizes, self.show = sizes, show

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
            Ranges(self, line).find()
            shape = tuple(_size(index) for index in line.left or ())
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
        """The shape of a node."""
        match node:
            case Reference(variable=variable):
                node.shape = variable.shape
            case AxisSize(base=base, axis=axis):
                node.shape = (self._axis_size(node, base, axis),)
                return ()
            case RankOf(base=base):
                self.of(base)
            case Access(base=base):
                self.of(base)
            case Operate():
                node.shape = self._operation(node)
            case _:
                shapes = [self.of(part) for part in children(node)]
                if any(shapes):
                    node.shape = self._broadcast(node, shapes)
        return node.shape

    def _axis_size(self, node: AxisSize, base: Node, axis: int | None) -> AnySize:
        shape = self.of(base)
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
        if len(x) == 1 and len(y) == 1:
            hint += f", or write {_source(a)}[:, None] for every pair"
        elif len(x) != len(y):
            low, high = ((a, x), (b, y)) if len(x) < len(y) else ((b, y), (a, x))
            if len(low[1]) == 1 and len(high[1]) == 2 and self.sizes.resolve(low[1][0]) == self.sizes.resolve(high[1][0]):
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

    def _operation(self, node: Operate) -> Shape:
        meaning = node.meaning
        assert meaning is not None
        sizes: dict[Axis, AnySize] = {}
        origin: dict[Axis, tuple[Node, int]] = {}
        for axis, given in meaning.given.items():
            sizes[axis] = given if isinstance(given, int) else self.size_of(given)
        for operand, axes in meaning.operands.values():
            shape = self.of(operand)
            for k, (axis, size) in enumerate(zip(axes, shape, strict=True)):
                size = self.sizes.resolve(size)
                if axis not in sizes:
                    sizes[axis], origin[axis] = size, (operand, k)
                    continue
                old = self.sizes.resolve(sizes[axis])
                if axis[0] in meaning.stretch and axis not in meaning.given and old == 1:
                    sizes[axis], origin[axis] = size, (operand, k)
                elif not (axis[0] in meaning.stretch and size == 1) and not self.sizes.unify(old, size):
                    raise self._misfit(node, axis, origin.get(axis), (operand, k), old)
        for a, b in meaning.equal:
            if a in sizes and b in sizes:
                if not self.sizes.unify(sizes[a], sizes[b]):
                    raise self._misfit(node, a, origin.get(a), origin[b], sizes[a])
            elif a in sizes or b in sizes:
                sizes.setdefault(a, sizes.get(b, 0))
                sizes.setdefault(b, sizes[a])
        node.sizes = sizes
        return tuple(sizes[axis] for axis in meaning.axes)

    def _misfit(
        self, node: Operate, axis: Axis, first: tuple[Node, int] | None, second: tuple[Node, int], size: AnySize
    ) -> ShapeFault:
        b, l = second
        if first is None:
            return ShapeFault(
                f"axis {l} of {b.span.source} is {self.show([b.shape[l]])[1:-1]}, not {self.show([size])[1:-1]}",
                node.span,
                f"{b.span.source} is {self.show(b.shape)}",
            )
        a, k = first
        sizes = self.show([a.shape[k], b.shape[l]])[1:-1].split(", ")
        shapes = f"{a.span.source} is {self.show(a.shape)}, {b.span.source} is {self.show(b.shape)}"
        if a is b:
            return ShapeFault(
                f"axes {k} and {l} of {a.span.source} must have one size, and have {sizes[0]} and {sizes[1]}",
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
            f"axis {k} of {a.span.source} ({sizes[0]}) meets axis {l} of {b.span.source} ({sizes[1]})",
        )

    # -- sizes as arguments

    def size_of(self, node: Node) -> AnySize:
        """The size that a scalar expression of sizes is."""
        match node:
            case Number(value=int() as value) if value >= 0:
                return value
            case SizeName(name=name):
                return symbol(name)
            case AxisSize(base=base, axis=axis):
                return self._axis_size(node, base, axis)
            case RankOf(base=base):
                return base.rank
            case Sum(terms=terms):
                total: AnySize = 0
                for sign, term in terms:
                    total = total + sign * self.size_of(term)
                return total
            case Product(factors=factors) if all(power == 1 for _, power in factors):
                total = 1
                for factor, _ in factors:
                    total = total * self.size_of(factor)
                return total
            case Call(row=row, args=(a, Number(value=int() as divisor))) if row.name == "floor_divide":
                return self.size_of(a) // divisor
            case Reference(variable=variable) if variable.line is not None and not variable.rank:
                return self.size_of(variable.line.value)
        raise ShapeFault(
            f"{node.span.source} is no size",
            node.span,
            f"a size is a number, a name of a declared shape (x: ({node.span.source},)) or x.shape[0]",
        )


def _source(node: Node) -> str:
    source = node.span.source
    return source if isinstance(node, Reference | Access | Operate) else f"({source})"


def _size(index: Index) -> AnySize:
    assert index.size is not None
    return index.size


# ---------------------------------------------------------------------------------------------- letters


class Ranges:
    """The ranges of the letters of one statement."""

    def __init__(self, sizing: Sizing, line: Line) -> None:
        self.sizing, self.sizes, self.line = sizing, sizing.sizes, line
        self.plain: dict[Index, tuple[AnySize, Span]] = {}
        self.bounds: dict[Index, list[tuple[AnySize, Span]]] = {}
        self.affine: list[tuple[Affine, AnySize, Access]] = []

    def find(self) -> None:
        """Give every letter its size, and check that accesses are in bounds."""
        self._collect()
        self._deltas()
        declared = self._declared()
        for index in self.line.indices:
            self._own(index, declared.get(index))
        waiting = [index for index in self.line.indices if index.size is None]
        while waiting:
            found = [index for index in waiting if self._from_sums(index)]
            if not found:
                break
            waiting = [index for index in waiting if index.size is None]
        for index in waiting:
            if index in declared:
                index.size = declared[index]
            else:
                self._undetermined(index)
        for form, size, access in self.affine:
            self._check(form, size, access)
        for index, size in declared.items():
            if not self.sizes.unify(_size(index), size):
                raise ShapeFault(
                    f"{index.name} runs over {self._name(_size(index))} here, and over {self._name(size)} in the "
                    "declared left side",
                    index.span or self.line.span,
                    "change the declaration, or the accesses",
                )

    def _name(self, size: AnySize) -> str:
        return self.sizing.show([size])[1:-1]

    def _collect(self) -> None:
        for access in self.line.accesses:
            if isinstance(access, Delta):
                continue
            for axis, (form, size) in enumerate(zip(access.items, access.base.shape, strict=True)):
                size = self.sizes.resolve(size)
                index = form.index
                if index is not None:
                    old = self.plain.get(index)
                    if old is None:
                        self.plain[index] = size, access.span
                    elif not self.sizes.unify(old[0], size):
                        raise ShapeFault(
                            f"{index.name} runs over {self._name(old[0])} in {old[1].source} and over "
                            f"{self._name(size)} in {access.span.source}",
                            access.span,
                            f"the shapes must agree along {index.name}",
                        )
                    continue
                if not form.terms:
                    self._constant(form, size, access, axis)
                    continue
                self.affine.append((form, size, access))
                self._in_bounds_at_zero(form, access)
                if len(form.terms) == 1:
                    (index, c), *_ = form.terms
                    if isinstance(c, int) and c > 0:
                        bound = (size - 1 - form.constant) // c + 1
                        self.bounds.setdefault(index, []).append((bound, access.span))
                    elif c == -1:
                        self.bounds.setdefault(index, []).append((form.constant + 1, access.span))

    def _constant(self, form: Affine, size: AnySize, access: Access, axis: int) -> None:
        """A number in brackets; a negative one counts from the end."""
        if isinstance(form.constant, int) and form.constant < 0:
            form.constant = size + form.constant
        if not nonnegative(form.constant) or (isinstance(size, int) and not nonnegative(size - 1 - form.constant)):
            raise IndexFault(
                f"{form.span.source} is out of bounds: axis {axis} of {access.base.span.source} has size "
                f"{self._name(size)}",
                form.span,
                "counting starts at 0",
            )

    def _in_bounds_at_zero(self, form: Affine, access: Access) -> None:
        low: AnySize = form.constant
        for _, c in form.terms:
            if not isinstance(c, int) or c < 0:
                return
        if isinstance(low, int) and low < 0:
            letter = form.terms[0][0].name
            raise IndexFault(
                f"{access.span.source} is out of bounds at {letter} = 0",
                form.span,
                f"shift every access by {-low}: {self._shifted(form.terms[0][0], -low)}",
            )

    def _shifted(self, index: Index, by: int) -> str:
        """The right side with `index + by` for the index."""
        text = self.line.value.span
        pieces, at = [], text.start
        seen = []
        for access in self.line.accesses:
            items = (access.left, access.right) if isinstance(access, Delta) else access.items
            seen += [item for item in items if any(one is index for one, _ in item.terms)]
        for item in sorted(seen, key=lambda item: item.span.start):
            shifted = Affine(item.terms, item.constant + by * dict(item.terms)[index], item.span)
            pieces += [text.text[at : item.span.start], spelled(shifted)]
            at = item.span.stop
        return "".join(pieces) + text.text[at : text.stop]

    def _deltas(self) -> None:
        """The two letters of a delta run over the same range."""
        for delta in self.line.accesses:
            if not isinstance(delta, Delta) or delta.op != "==":
                continue
            i, j = delta.left.index, delta.right.index
            if i is None or j is None:
                continue
            a, b = self.plain.get(i), self.plain.get(j)
            if a is not None and b is not None:
                if not self.sizes.unify(a[0], b[0]):
                    raise ShapeFault(
                        f"{i.name} runs over {self._name(a[0])} and {j.name} over {self._name(b[0])}",
                        delta.span,
                        "the two indices of a delta have one range",
                    )
            elif a is not None or b is not None:
                self.plain.setdefault(i, b or (0, delta.span))
                self.plain.setdefault(j, a or (0, delta.span))

    def _declared(self) -> dict[Index, AnySize]:
        target = self.line.target
        if target is None or target.declared is None or self.line.left is None:
            return {}
        return dict(zip(self.line.left, target.declared, strict=True))

    def _own(self, index: Index, declared: AnySize | None) -> None:
        """The range from plain accesses and from affine ones that bear no other letter."""
        plain, bounds = self.plain.get(index), self.bounds.get(index, [])
        if plain is None and not bounds:
            return
        if plain is not None and not bounds:
            if declared is not None and not self.sizes.unify(plain[0], declared):
                target = self.line.target
                assert target is not None
                raise ShapeFault(
                    f"{index.name} runs over {self._name(plain[0])} in {plain[1].source}, and {target.name} is "
                    f"{target.source} with {self._name(declared)}",
                    plain[1],
                    "change the declaration, or the accesses",
                )
            index.size = self.sizes.resolve(plain[0])
            return
        candidates = [*([plain] if plain else []), *bounds]
        least = candidates[0]
        for other in candidates[1:]:
            a, b = self.sizes.resolve(least[0]), self.sizes.resolve(other[0])
            if nonnegative(a - b):
                least = other
            elif not nonnegative(b - a):
                if declared is not None:
                    index.size = declared
                    return
                raise IndexFault(
                    f"the range of {index.name} is not determined: {least[1].source} allows {self._name(a)} values, "
                    f"{other[1].source} {self._name(b)}",
                    other[1],
                    "declare the shapes",
                )
        index.size = self.sizes.resolve(least[0])

    def _from_sums(self, index: Index) -> bool:
        """The range from accesses whose other letters are known: `X[i+m]` with m known."""
        best: AnySize | None = None
        for form, size, access in self.affine:
            terms = dict(form.terms)
            if index not in terms:
                continue
            others = [(one, c) for one, c in form.terms if one is not index]
            if any(one.size is None for one, _ in others):
                return False
            c = terms[index]
            if not isinstance(c, int) or c <= 0 or not all(isinstance(d, int) and d >= 0 for _, d in others):
                return False
            room = self.sizes.resolve(size) - 1 - form.constant
            for one, d in others:
                room = room - d * (_size(one) - 1)
            bound = room // c + 1
            if best is None or nonnegative(best - bound):
                best = bound
            elif not nonnegative(bound - best):
                raise IndexFault(
                    f"the range of {index.name} is not determined: it could be {self._name(best)} or "
                    f"{self._name(bound)}",
                    access.span,
                    "declare the shapes",
                )
        if best is None:
            return False
        index.size = best
        return True

    def _undetermined(self, index: Index) -> None:
        bearing = [a for f, _, a in self.affine if any(one is index for one, _ in f.terms)]
        if not bearing:
            name = self.line.target.name if self.line.target else "the left side"
            raise IndexFault(
                f"{index.name} is on the left side, and the right side does not bind it",
                index.span or self.line.span,
                f"declare the shape of {name}: the value then repeats along {index.name}",
            )
        letters = ",".join(one.name for one in self.line.left or ())
        target = self.line.target.name if self.line.target else "Z"
        raise IndexFault(
            f"the range of {index.name} is not determined by {bearing[0].span.source}",
            bearing[0].span,
            f"declare the shape of {target}[{letters}]" if index in (self.line.left or ()) else "declare the shapes, "
            f"or access something with {index.name} alone",
        )

    def _check(self, form: Affine, size: AnySize, access: Access) -> None:
        """Whether the access is in bounds for all values of its letters."""
        low = high = form.constant
        for index, c in form.terms:
            span = c * (self.sizes.resolve(_size(index)) - 1)
            if nonnegative(c):
                high = high + span
            else:
                low = low + span
        size = self.sizes.resolve(size)
        if not nonnegative(low):
            raise IndexFault(
                f"{access.span.source} can be out of bounds: {form.span.source} goes down to {self._name(low)}",
                form.span,
                "shift it, or declare the shapes",
            )
        facts = tuple(self.sizes.resolve(_size(index)) - 1 for index, _ in form.terms)
        if not nonnegative(size - 1 - high, facts):
            raise IndexFault(
                f"{access.span.source} can be out of bounds: {form.span.source} goes up to {self._name(high)}, and "
                f"the axis has size {self._name(size)}",
                form.span,
                "declare the shapes, so that it is known to fit",
            )


def spelled(form: Affine) -> str:
    """An affine form as it is typed: `2*i + j - 1`."""
    text = ""
    for index, c in form.terms:
        sign = "-" if isinstance(c, int) and c < 0 else "+"
        size = abs(c) if isinstance(c, int) else c
        text += (f"{sign}" if text or sign == "-" else "") + (index.name if size == 1 else f"{size}*{index.name}")
    if form.constant != 0 or not text:
        negative = isinstance(form.constant, int) and form.constant < 0
        text += (f"{form.constant}" if negative else f"+{form.constant}") if text else f"{form.constant}"
    return text


__all__ = ["Ranges", "Sizing", "shown", "spelled"]
