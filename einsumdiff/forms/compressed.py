"""A derivative as the cores of its terms and where they go: the zeros are never built.

Generated source carries the text along, see `patterns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from einsumdiff.errors import Unsupported
from einsumdiff.forms.patterns import Array, Core, constants_added, dense, sparse
from einsumdiff.forms.solving import System

# -- from here on the text is part of generated source --


class Compressed:
    """A sum of cores, as an array of that shape that is never built.

    As a matrix, the axes before `split` are its rows and those from there on its columns, flattened.

    Parameters
    ----------
    made : a function and its arguments. It returns the shape, `split`, the cores and the kind of the
        numbers, and is called when the first of them is asked for: who makes many of these objects pays
        for the numbers alone.
    """

    __slots__ = ("__weakref__", "_made", "cores", "dtype", "shape", "split")
    shape: tuple[int, ...]
    split: int
    cores: tuple[Core, ...]
    dtype: np.dtype[Any]

    def __init__(self, made: tuple[Any, ...]) -> None:
        self._made = made

    def __getattr__(self, name: str) -> Any:
        """What has not been made yet."""
        if name not in ("shape", "split", "cores", "dtype"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        made = self._made
        if made:  # else another thread was faster
            function, *given = made
            shape, split, cores, dtype = function(*given)
            self.shape, self.split = tuple(shape), split
            cores = () if 0 in self.shape else constants_added(cores)  # no entries, no terms
            self.cores, self.dtype = tuple(cores), np.dtype(dtype)
            self._made = ()
        return object.__getattribute__(self, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return Compressed, ((_parts, self.shape, self.split, self.cores, self.dtype),)

    @property
    def rows(self) -> tuple[int, ...]:
        return self.shape[: self.split]

    @property
    def columns(self) -> tuple[int, ...]:
        return self.shape[self.split :]

    @property
    def stored(self) -> int:
        """How many numbers it keeps."""
        arrays = {
            (
                array.__array_interface__["data"][0],
                frozenset(zip(array.shape, array.strides, strict=True)),
            ): array.size
            for core in self.cores
            for array, _ in core.factors
        }
        return sum(arrays.values())

    def __repr__(self) -> str:
        size = int(np.prod(self.shape, dtype=np.intp))
        return f"<Compressed {self.shape}: {self.stored} numbers of {size}>"

    def dense(self) -> Array:
        """The array itself."""
        return dense(self.shape, self.cores, self.dtype)

    def sparse(self, as_matrix: bool = False) -> Any:
        """A `scipy.sparse.coo_array` of that shape, or a CSR matrix of the rows and columns."""
        return sparse(self.shape, self.split, self.cores, self.dtype, as_matrix)

    def operator(self) -> Any:
        """A `scipy.sparse.linalg.LinearOperator` of the rows and columns."""
        from scipy.sparse.linalg import LinearOperator

        size = prod(self.rows), prod(self.columns)
        turned = self.T
        return LinearOperator(
            size,
            lambda v: self @ v.reshape(-1),
            lambda v: turned @ v.reshape(-1),
            matmat=lambda V: self @ V,
            dtype=self.dtype,
            rmatmat=lambda V: turned @ V,
        )

    @property
    def T(self) -> Compressed:
        """Rows and columns exchanged."""
        order = [*range(self.split, len(self.shape)), *range(self.split)]
        cores = [
            Core(c.sizes, [c.axes[k] for k in order], c.factors, c.guards, c.places, c.scale)
            for c in self.cores
        ]
        return Compressed((_parts, [self.shape[k] for k in order], len(self.columns), cores, self.dtype))

    def __matmul__(self, v: Any) -> Array:
        """The product with an array that has the axes of the columns, or with a flat vector or matrix."""
        V, end = self._side(v, self.columns, "columns")
        kind = np.result_type(self.dtype, V.dtype)
        result = np.zeros((*self.rows, V.shape[-1]), kind)
        for core in self.cores:
            self._add_product(core, V, result)
        return result.reshape(self.rows if end is None else (prod(self.rows), *end))

    def diag(self) -> Array:
        """The entries whose row is their column, in the shape of the rows."""
        self._square()
        cores = [self._tied(core) for core in self.cores]
        return dense(self.rows, [core for core in cores if core is not None], self.dtype)

    def trace(self) -> Any:
        """The sum of the entries whose row is their column."""
        return self.diag().sum()

    def solve(self, b: Any) -> Array:
        """x for which `self @ x` is b: an array with the axes of the rows, or a flat vector or matrix.

        Raises Unsupported where its structure makes that no cheaper than for a dense matrix.
        """
        B, end = self._side(b, self.rows, "rows")
        kind = np.result_type(self.dtype, B.dtype)
        system = System(self.shape, self.split, self.cores, kind)
        x = system.solve(B)
        if system.updated:
            flat = B.reshape(-1, B.shape[-1])
            x = x.reshape(flat.shape)
            for _ in range(2):
                rest = flat - self @ x
                x = x + system.solve(rest.reshape(B.shape)).reshape(flat.shape)
            if not np.linalg.norm(rest) <= np.finfo(kind).eps ** 0.5 * np.linalg.norm(flat):
                raise np.linalg.LinAlgError(
                    "without its outer products the matrix is nearly singular: use np.linalg.solve on dense()"
                )
        return x.reshape(self.columns if end is None else (prod(self.columns), *end))

    # -- how ----------------------------------------------------------------------------------------------

    def _side(self, given: Any, axes: tuple[int, ...], what: str) -> tuple[Array, tuple[int, ...] | None]:
        """The array with these axes and one more; and the shape behind the flat axis, if it came flat."""
        array, size = np.asarray(given), prod(axes)
        if array.shape == axes and len(axes) != 1:
            return array.reshape(*axes, 1), None
        if array.ndim in (1, 2) and array.shape[0] == size:
            return array.reshape(*axes, array.size // size if size else prod(array.shape[1:])), array.shape[
                1:
            ]
        raise ValueError(f"an array of shape {array.shape} does not fit the {what}, which are {axes}")

    def _add_product(self, core: Core, V: Array, result: Array) -> None:
        """`result += core @ V`."""
        rows, columns = range(self.split), range(self.split, len(self.shape))
        if 0 in core.sizes:
            return
        if not core.strided:
            data = core.data(self.dtype)[:, None]
            read, written = (
                tuple(core.coordinates(core.axes[k], np.intp) for k in part) for part in (columns, rows)
            )
            moved = data * (V[read] if read else V)
            np.add.at(result, written, moved if written else moved.sum(axis=0))
            return
        last = len(core.sizes)  # the number of the axis of V that is none of the derivative
        across, down = core.borne(columns), core.borne(rows)
        operands: list[Any] = [part for array, labels in core.factors for part in (array, list(labels))]
        bearing = {n for _, labels in core.factors for n in labels} | set(across)
        # along a label that it does not bear, the view repeats
        view = Core(core.sizes, [core.axes[k] for k in columns]).view(V, range(len(columns)))
        read_ = view[tuple(slice(None) if n in across else 0 for n in range(last))]
        kept = [n for n in down if n in bearing]
        repeats = prod([core.sizes[n] for n in range(last) if n not in bearing and n not in down])
        value = np.einsum(*operands, read_, [*across, last], [*kept, last], optimize="greedy")
        value = repeats * core.scale * value
        spread = value.reshape([core.sizes[n] if n in kept else 1 for n in down] + [V.shape[-1]])
        target = Core(
            [size if n in down else 1 for n, size in enumerate(core.sizes)], [core.axes[k] for k in rows]
        )
        if set(core.alone(rows)) >= set(down):
            place = target.view(result, range(len(rows)))
            place[tuple(slice(None) if n in down else 0 for n in range(last))] += spread
        else:
            where = tuple(target.coordinates(form, np.intp) for form in target.axes)
            whole = np.broadcast_to(spread, [*(core.sizes[n] for n in down), V.shape[-1]])
            np.add.at(result, where, whole.reshape(-1, V.shape[-1]))

    def _square(self) -> None:
        if self.rows != self.columns:
            raise Unsupported(f"a diagonal is of a square matrix, and this is {self.rows} by {self.columns}")

    def _tied(self, core: Core) -> Core | None:
        """The core where row and column are equal, with the axes of the rows."""
        pairs = list(zip(core.axes[: self.split], core.axes[self.split :], strict=True))
        guards = list(core.guards)
        merged = list(range(len(core.sizes)))
        for (row, column), size in zip(pairs, self.rows, strict=True):
            forms = [(f[0], *_merged(f[1:], merged)) for f in (row, column)]
            if forms[0] == forms[1]:
                continue
            bare = [_bare(form, core.sizes, size) for form in forms]
            if not core.places and bare[0] is not None and bare[1] is not None:
                merged = [bare[0] if n == bare[1] else n for n in merged]
            else:
                guards.append((tuple(a - b for a, b in zip(row, column, strict=True)), "=="))
        live = sorted(set(merged))
        number = {n: live.index(merged[n]) for n in range(len(merged))}

        def form(old: Sequence[int]) -> tuple[int, ...]:
            steps = _merged(old[1:], merged)
            return (old[0], *(steps[n] for n in live))

        factors = []
        for array, labels in core.factors:
            kept = tuple(dict.fromkeys(number[n] for n in labels))
            factors.append((np.einsum(array, [number[n] for n in labels], list(kept)), kept))
        axes = [form(row) for row, _ in pairs]
        places = {number[n]: (a, tuple(number[m] for m in of)) for n, (a, of) in core.places.items()}
        sizes = [core.sizes[n] for n in live]
        tests = [(form(old), op) for old, op in guards]
        return Core(sizes, axes, factors, tests, places, core.scale)


def _parts(*parts: Any) -> tuple[Any, ...]:
    """What a compressed object is made of, as it is."""
    return parts


def _merged(steps: Sequence[int], merged: Sequence[int]) -> list[int]:
    """The coefficients when labels are one: they add up at the one that stays."""
    total = [0] * len(steps)
    for n, c in enumerate(steps):
        total[merged[n]] += c
    return total


def _bare(form: Sequence[int], sizes: Sequence[int], size: int) -> int | None:
    borne = [n for n, c in enumerate(form[1:]) if c]
    whole = form[0] == 0 and len(borne) == 1 and form[borne[0] + 1] == 1
    return borne[0] if whole and sizes[borne[0]] == size else None
