"""Text of contractions, reductions and solutions of equations: `@` on views, einsum for what is left."""

from __future__ import annotations

from einsumdiff import plan
from einsumdiff.plan import Expr
from einsumdiff.targets.numpy.text import ATOM, MATMUL, POWER, Axes, Text
from einsumdiff.targets.numpy.views import Operands, ordered


class Products(Operands):
    def contracted(self, value: plan.Contract, want: Axes, out: str = "") -> Text:
        """`out`: the array that the result is written into, where NumPy can."""
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
            if out:
                call = f"np.matmul({a.text}, {b.text}, out={out})"
                return Text(call, batch + rows + columns)
            return Text(f"{a.within(MATMUL)} @ {b.within(POWER)}", batch + rows + columns, MATMUL)
        if not batch and not rows and not columns:
            a = self.emit(left, summed)
            b = self.arranged(self.emit(right, a.axes), a.axes)
            return Text(f"np.vdot({a.text}, {b.text})", ())
        if not batch:
            a, b = self.emit(left, rows + summed), self.emit(right, summed + columns)
            places = ([a.axes.index(n) for n in summed], [b.axes.index(n) for n in summed])
            axes = tuple(n for n in a.axes if n in rows) + tuple(n for n in b.axes if n in columns)
            return Text(f"np.tensordot({a.text}, {b.text}, axes={places})", axes)
        a, b = self.emit(left, ()), self.emit(right, ())
        axes = ordered(batch + rows + columns, want)
        found = self.einsum([a, b], axes)
        return Text(f"{found.text[:-1]}, out={out})", axes) if out else found

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
        gone = [k for k, label in enumerate(inner.axes) if label not in axes]
        kept = tuple(label for label in inner.axes if label in axes)
        where = gone[0] if len(gone) == 1 else tuple(gone)
        if op == "logsumexp":
            self.helpers.add("_logsumexp")
            return Text(f"_logsumexp({inner.text}, axis={where})", kept)
        if not kept:
            return Text(f"np.{op}({inner.text})", ())
        last = f", out={out}" if out else ""
        return Text(f"np.{op}({inner.text}, axis={where}{last})", kept)


def _comes_first(columns: Axes, rows: Axes, want: Axes) -> bool:
    """Whether the columns are wanted before the rows."""
    places = [want.index(n) for n in columns if n in want], [want.index(n) for n in rows if n in want]
    return bool(places[0] and places[1]) and max(places[0]) < min(places[1])
