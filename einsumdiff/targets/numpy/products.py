"""Text of contractions, reductions and solutions of equations: `@` on views, einsum for what is left."""

from __future__ import annotations

from einsumdiff import plan
from einsumdiff.costs import Stored, number, with_itself
from einsumdiff.costs import volume as entries
from einsumdiff.costs import volume as volume_of
from einsumdiff.nodes import Label
from einsumdiff.plan import Expr
from einsumdiff.sizes import names
from einsumdiff.targets.numpy.text import ATOM, MATMUL, POWER, Axes, Text, tuple_of
from einsumdiff.targets.numpy.views import Operands, ordered, volume

WIDE = 2**19
"""Of so many numbers on, a matrix is multiplied faster with the thin one on its left: BLAS reads it once.

    X @ W   ->   (W.T @ X.T).T        1.1 to 2 times as fast in OpenBLAS, X.T @ W up to 3 times

Smaller ones stay in the cache, and have loops of their own, which are faster as they stand."""
SMALL = 2**15
"""Up to so many multiplications the method is called: half a microsecond less for `A.dot(b)` than `A @ b`."""
THIN = 5
"""A thin matrix has so many times fewer columns than the wide one has rows, and columns."""


class Products(Operands):
    def contracted(self, value: plan.Contract, want: Axes, out: str = "") -> Text:
        """`out`: the array that the result is written into, where NumPy can."""
        left, right = value.left, value.right
        shared = [n for n in left.axes if n in right.axes]
        summed = tuple(n for n in shared if n not in value.axes)
        batch = tuple(n for n in shared if n in value.axes)
        rows = tuple(n for n in left.axes if n not in right.axes)
        columns = tuple(n for n in right.axes if n not in left.axes)
        thin = self._thin(value)
        if thin is not None:
            turned = thin in columns
        else:
            turned = _comes_first(columns, rows, want) or (
                not batch and len(summed) == 1 and len(columns) == 1 and not rows and right.axes[0] in columns
            )
        if turned:
            left, right, rows, columns = right, left, columns, rows
        matrix = len(summed) == 1 and len(rows) <= 1 and len(columns) <= 1
        if matrix and (not batch or (len(rows) == 1 and len(columns) == 1)):
            a = self.arranged(self.emit(left, batch + rows + summed), batch + rows + summed)
            b = self.arranged(self.emit(right, batch + summed + columns), batch + summed + columns)
            if out:
                call = f"np.matmul({a.text}, {b.text}, out={out})"
                return Text(call, batch + rows + columns)
            if not batch and self._small(value):
                return Text(f"{a.within(ATOM)}.dot({b.text})", rows + columns)
            return Text(f"{a.within(MATMUL)} @ {b.within(POWER)}", batch + rows + columns, MATMUL)
        if not batch and not rows and not columns:
            a = self.emit(left, summed)
            b = self.arranged(self.emit(right, a.axes), a.axes)
            return Text(f"np.vdot({a.text}, {b.text})", ())
        if isinstance(left, plan.Load) and isinstance(right, plan.Load):
            first, second = (Stored(one.name, one.axes) for one in (left, right))
            if with_itself(first, second, frozenset(value.axes)):
                return self._with_itself(left, right, rows, columns, summed)
        if not batch:
            a, b = self.emit(left, rows + summed), self.emit(right, summed + columns)
            return self._tensor_product(a, b, summed, self._small(value))
        a, b = self.emit(left, ()), self.emit(right, ())
        axes = ordered(batch + rows + columns, want)
        found = self.einsum([a, b], axes)
        return Text(f"{found.text[:-1]}, out={out})", axes) if out else found

    def _tensor_product(self, a: Text, b: Text, summed: Axes, small: bool) -> Text:
        """The sum over all common axes as a product of matrices, whose axes may be groups of axes.

        `np.tensordot` does the same, but takes microseconds to find it, and transposes before it reshapes,
        which copies. So an axis in the middle of a stack of matrices stays where it is.
        """
        for stack, other in ((a, b), (b, a)):
            columns = tuple(n for n in other.axes if n not in summed)
            if len(stack.axes) > 2 and len(columns) < 2 and stack.axes[-2:-1] == summed:
                matrix = self.arranged(other, columns + summed)
                axes = stack.axes[:-2] + columns + stack.axes[-1:]
                return Text(f"{matrix.within(MATMUL)} @ {stack.within(POWER)}", axes, MATMUL)
        free = [tuple(n for n in side.axes if n not in summed) for side in (a, b)]
        if self._is_thin(free[1], free[0], summed):
            a, b = b, a
        orders = [tuple(n for n in side.axes if n in summed) for side in (a, b)]
        inner = max(orders, key=lambda order: sum(_splits(side, order) * len(side.axes) for side in (a, b)))
        left, rows = self._grouped(a, inner, True)
        right, columns = self._grouped(b, inner, False)
        if small:
            text = Text(f"{left.within(ATOM)}.dot({right.text})", rows + columns)
        else:
            text = Text(f"{left.within(MATMUL)} @ {right.within(POWER)}", rows + columns, MATMUL)
        if len(rows) <= 1 and len(columns) <= 1:
            return text
        shape = self.shape([n.size for n in text.axes])
        return Text(f"{text.within(ATOM)}.reshape({shape})", text.axes)

    def _grouped(self, text: Text, inner: Axes, last: bool) -> tuple[Text, Axes]:
        """The array as a matrix, or a vector, with the axes `inner` as the last one or as the first; and
        its other axes."""
        free = tuple(n for n in text.axes if n not in inner)
        turned = text.axes != free + inner and text.axes != inner + free
        text = self.arranged(text, free + inner if last else inner + free) if turned else text
        groups = (free, inner) if text.axes == free + inner else (inner, free)
        if len(text.axes) > sum(map(bool, groups)):
            shape = self.shape([volume([n.size for n in group]) for group in groups if group])
            text = Text(f"{text.within(ATOM)}.reshape({shape})", text.axes)
        if free and last is not (groups[1] is inner):
            text = Text(f"{text.within(ATOM)}.T", text.axes)
        return text, free

    def _with_itself(
        self, left: plan.Load, right: plan.Load, rows: Axes, columns: Axes, summed: Axes
    ) -> Text:
        """As a matrix with its own transpose: that BLAS computes one half of."""
        self.helpers.add("_gram")
        a = self.emit(left, left.axes)
        places = tuple_of(str(left.axes.index(n)) for n in rows + summed)
        matrix = self.shape([volume([n.size for n in group]) for group in (rows, summed)])
        shape = self.shape([n.size for n in rows + columns])
        return Text(f"_gram({a.text}, {places}, {matrix}).reshape({shape})", rows + columns)

    def _small(self, value: plan.Contract) -> bool:
        """Is it known to take about as long as a call?"""
        labels = {*value.left.axes, *value.right.axes}
        given = {name for n in labels for name in names(n.size)}
        return bool(given) and given <= set(self.known) and volume_of(labels, self.known) <= SMALL

    def _thin(self, value: plan.Contract) -> Label | None:
        """The label of the result that a thin matrix has, in its product with a wide one."""
        if len(value.left.axes) != 2 or len(value.right.axes) != 2 or len(value.axes) != 2:
            return None
        labels = {*value.left.axes, *value.right.axes}
        if len(labels) != 3:
            return None
        (summed,) = labels - set(value.axes)
        one, other = sorted(value.axes, key=lambda n: number(n.size, self.known))
        return one if self._is_thin((one,), (other,), (summed,)) else None

    def _is_thin(self, small: Axes, large: Axes, inner: Axes) -> bool:
        """Is a matrix of these groups of axes, `small` by `inner`, thin, and that of the others wide?"""
        groups = (small, large, inner)
        if not all(set(names(n.size)) <= set(self.known) for group in groups for n in group):
            return False
        few, *sides = (entries(group, self.known) for group in groups)
        return few > 1 and sides[0] * sides[1] >= WIDE and THIN * few <= min(sides)

    def laid_out(self, value: Expr, want: Axes) -> Axes:
        """The order of axes in which a value of two axes is best computed: as its thin products are."""
        stack = [value] if len(want) == 2 else []
        while stack:
            one = stack.pop()
            if isinstance(one, plan.Contract):
                thin = self._thin(one)
                if thin is not None and set(one.axes) == set(want):
                    return tuple(sorted(want, key=lambda n: n is not thin))
            elif isinstance(one, plan.Add | plan.Multiply | plan.Divide | plan.Power | plan.Apply):
                stack += plan.parts(one)
        return want

    def solved(self, value: plan.Solve) -> Text:
        matrix = self.arranged(self.emit(value.matrix, value.matrix.axes), value.matrix.axes)
        a = f"{matrix.within(ATOM)}.mT" if value.transposed else matrix.text
        batch = tuple(n for n in value.axes if n in value.right.axes and n in value.matrix.axes)
        columns = tuple(n for n in value.axes if n in value.right.axes and n not in batch)
        order = (*batch, value.label, *columns)
        right = self.arranged(self.emit(value.right, order), order)
        if batch and not columns:  # a right side of two axes would be a matrix to NumPy
            return Text(f"np.linalg.solve({a}, {right.within(ATOM)}[..., None])[..., 0]", value.axes)
        return Text(f"np.linalg.solve({a}, {right.text})", value.axes)

    def folded(self, op: str, base: Expr, axes: Axes, want: Axes, out: str = "") -> Text:
        inner = self.emit(base, want)
        kept = tuple(label for label in inner.axes if label in axes)
        where = places(inner.axes, kept)
        if op == "logsumexp":
            self.helpers.add("_logsumexp")
            return Text(f"_logsumexp({inner.text}, axis={where})", kept)
        if op == "total":
            found = self.einsum([inner], kept)
            return Text(f"{found.text[:-1]}, out={out})", kept) if out else found
        text = f"{inner.within(ATOM)}.{op}"  # the method: `np.sum` takes a microsecond more
        last = f", out={out}" if out else ""
        return Text(f"{text}(axis={where}{last})" if kept else f"{text}()", kept)


def _splits(text: Text, inner: Axes) -> bool:
    """Are these axes, in this order, the first or the last ones?"""
    free = tuple(n for n in text.axes if n not in inner)
    return text.axes in (free + inner, inner + free)


def places(axes: Axes, kept: Axes) -> int | tuple[int, ...]:
    """The axes that are reduced, as NumPy takes them."""
    gone = [k for k, label in enumerate(axes) if label not in kept]
    return gone[0] if len(gone) == 1 else tuple(gone)


def _comes_first(columns: Axes, rows: Axes, want: Axes) -> bool:
    """Whether the columns are wanted before the rows."""
    places = [want.index(n) for n in columns if n in want], [want.index(n) for n in rows if n in want]
    return bool(places[0] and places[1]) and max(places[0]) < min(places[1])
