"""Text of contractions, reductions and solutions of equations: `@` on views, einsum for what is left."""

from __future__ import annotations

from einsumdiff import plan
from einsumdiff.plan import Expr
from einsumdiff.targets.numpy.text import ATOM, MATMUL, POWER, Axes, Text
from einsumdiff.targets.numpy.views import Operands, ordered, volume


class Products(Operands):
    def contracted(self, value: plan.Contract, want: Axes) -> Text:
        left, right = value.left, value.right
        shared = [n for n in left.axes if n in right.axes]
        summed = tuple(n for n in shared if n not in value.axes)
        batch = tuple(n for n in shared if n in value.axes)
        rows = tuple(n for n in left.axes if n not in right.axes)
        columns = tuple(n for n in right.axes if n not in left.axes)
        if _comes_first(columns, rows, want) or (
            not batch and len(summed) == 1 and len(columns) == 1 and not rows and right.axes[0] in columns
        ):
            left, right, rows, columns = right, left, columns, rows
        matrix = len(summed) == 1 and len(rows) <= 1 and len(columns) <= 1
        if matrix and (not batch or (len(rows) == 1 and len(columns) == 1)):
            a = self.arranged(self.emit(left, batch + rows + summed), batch + rows + summed)
            b = self.arranged(self.emit(right, batch + summed + columns), batch + summed + columns)
            return Text(f"{a.within(MATMUL)} @ {b.within(POWER)}", batch + rows + columns, MATMUL)
        if not batch and not rows and not columns:
            a = self.emit(left, summed)
            b = self.arranged(self.emit(right, a.axes), a.axes)
            return Text(f"np.vdot({a.text}, {b.text})", ())
        if not batch:
            a, b = self.emit(left, rows + summed), self.emit(right, summed + columns)
            rows = tuple(n for n in a.axes if n in rows)
            columns = tuple(n for n in b.axes if n in columns)
            summed = tuple(n for n in a.axes if n in summed)
            text = f"{self.grouped(a, rows, summed, MATMUL)} @ {self.grouped(b, summed, columns, POWER)}"
            if len(rows) <= 1 and len(columns) <= 1:
                return Text(text, rows + columns, MATMUL)
            return Text(f"({text}).reshape({self.shape([n.size for n in rows + columns])})", rows + columns)
        a, b = self.emit(left, ()), self.emit(right, ())
        axes = ordered(batch + rows + columns, want)
        return self.einsum([a, b], axes)

    def grouped(self, text: Text, first: Axes, last: Axes, level: int) -> str:
        """The array with these groups of axes as one axis each; none for an empty group."""
        ordered_ = self.arranged(text, first + last)
        if max(len(first), len(last)) <= 1:
            return ordered_.within(level)
        shape = self.shape([volume([n.size for n in group]) for group in (first, last) if group])
        return f"{ordered_.within(ATOM)}.reshape({shape})"

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

    def softmax(self, base: Expr, kept: Axes) -> Text:
        """`exp(x - logsumexp(x))`, with one exponential for both."""
        self.helpers |= {"_logsumexp", "_softmax"}
        inner = self.emit(base, base.axes)
        return Text(f"_softmax({inner.text}, axis={_places(inner.axes, kept)})", inner.axes)

    def folded(self, op: str, base: Expr, axes: Axes, want: Axes) -> Text:
        inner = self.emit(base, want)
        kept = tuple(label for label in inner.axes if label in axes)
        where = _places(inner.axes, kept)
        if op == "logsumexp":
            self.helpers.add("_logsumexp")
            return Text(f"_logsumexp({inner.text}, axis={where})", kept)
        text = f"{inner.within(ATOM)}.{op}"  # the method: `np.sum` takes a microsecond more
        return Text(f"{text}(axis={where})" if kept else f"{text}()", kept)


def _places(axes: Axes, kept: Axes) -> int | tuple[int, ...]:
    """The axes that are reduced, as NumPy takes them."""
    gone = [k for k, label in enumerate(axes) if label not in kept]
    return gone[0] if len(gone) == 1 else tuple(gone)


def _comes_first(columns: Axes, rows: Axes, want: Axes) -> bool:
    """Whether the columns are wanted before the rows."""
    places = [want.index(n) for n in columns if n in want], [want.index(n) for n in rows if n in want]
    return bool(places[0] and places[1]) and max(places[0]) < min(places[1])
