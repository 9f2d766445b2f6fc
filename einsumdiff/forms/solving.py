"""Systems of linear equations whose matrix is kept compressed.

Diagonals are divided by, blocks solved side by side, the factors of a Kronecker product one after the
other, and outer products added by Woodbury's formula. Source: W. Hager, Updating the inverse of a
matrix (1989). Generated source carries the text along, see `patterns`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from einsumdiff.errors import Unsupported
from einsumdiff.forms.patterns import Array, Core, dense

# -- from here on the text is part of generated source --


class System:
    """The equations `sum of the cores @ x = b`; the axes from `split` on are those of x.

    Raises Unsupported where no structure makes it cheaper than the dense matrix.
    """

    def __init__(self, shape: Sequence[int], split: int, cores: Sequence[Core], dtype: Any) -> None:
        self.shape, self.split, self.dtype = tuple(shape), split, dtype
        self.cores = list(cores)
        self.updated = False  # whether Woodbury's formula was used, which may lose digits
        self.rows = [k for k in range(split) if shape[k] != 1]
        self.columns = [k for k in range(split, len(shape)) if shape[k] != 1]
        self.size = prod(shape[k] for k in self.rows)
        if self.size != prod(shape[k] for k in self.columns):
            raise Unsupported(
                f"solve is of a square matrix, and this is {self.size} by "
                f"{prod(shape[k] for k in self.columns)}: use np.linalg.lstsq on dense()"
            )
        if not cores:
            raise Unsupported("the derivative is zero, and has no inverse")
        for core in cores:
            labels = [core.label(axis, shape[axis]) for axis in (*self.rows, *self.columns)]
            halves = labels[: len(self.rows)], labels[len(self.rows) :]
            if not core.strided or None in labels or any(len(set(half)) < len(half) for half in halves):
                raise Unsupported(
                    "solve knows diagonals, blocks, Kronecker and outer products, and here entries are "
                    "shifted, guarded or read at places: use scipy.sparse.linalg.spsolve on sparse(True)"
                )

    def ties(self, cores: Iterable[Core]) -> set[tuple[int, int]]:
        """The pairs of a row's and a column's axis that are equal in all of the cores."""
        found = [
            {(r, c) for r in self.rows for c in self.columns if self.of(core, r) == self.of(core, c)}
            for core in cores
        ]
        return set.intersection(*found)

    def of(self, core: Core, axis: int) -> int:
        label = core.label(axis, self.shape[axis])
        assert label is not None
        return label

    def solve(self, b: Array) -> Array:
        """The solution for b, which has the axes of the rows and one for several right sides."""
        low = [core for core in self.cores if self.outer(core)]
        rest = [core for core in self.cores if core not in low]
        self.updated = bool(low and rest and self.ties(rest) > self.ties(self.cores))
        if self.updated:
            return self.woodbury(rest, low, b)
        return self.apart(self.cores, b)

    def apart(self, cores: Sequence[Core], b: Array) -> Array:
        """By the parts of the axes that have nothing to do with each other."""
        b = b.reshape([self.shape[k] for k in self.rows] + [b.shape[-1]])
        parts = self.parts(cores)
        names: list[int] = [*self.rows, -1]
        for part in parts:
            rows, columns = ([k for k in axes if k in part] for axes in (self.rows, self.columns))
            own = cores if len(parts) == 1 else [self.part(cores[0], part, part is parts[0])]
            b, names = self.blocks(own, rows, columns, b, names)
        if not parts:  # a number
            b = b / sum((core.data(self.dtype).sum() for core in cores), np.zeros((), self.dtype))
        order = [names.index(k) for k in (*self.columns, -1)]
        return b.transpose(order)

    def parts(self, cores: Sequence[Core]) -> list[set[int]]:
        """The axes of a single core, those together whose labels are one or meet in a factor."""
        every = [*self.rows, *self.columns]
        if len(cores) > 1:
            return [set(every)] if every else []
        core = cores[0]
        groups: list[set[int]] = [{self.of(core, axis)} for axis in every]
        groups += [set(labels) for _, labels in core.factors]
        joined: list[set[int]] = []
        for group in groups:
            met = [one for one in joined if one & group]
            joined = [one for one in joined if one not in met] + [group.union(*met)]
        found = [{axis for axis in every if self.of(core, axis) in group} for group in joined]
        return [one for one in found if one]

    def part(self, core: Core, axes: set[int], first: bool) -> Core:
        """The factors of a core that these axes bear; what has no axis belongs to the first part."""
        own = {self.of(core, axis) for axis in axes}
        every = {self.of(core, axis) for axis in (*self.rows, *self.columns)}
        factors = [(a, n) for a, n in core.factors if set(n) & own or (first and not set(n) & every)]
        return Core(core.sizes, core.axes, factors, scale=core.scale if first else 1)

    def blocks(
        self, cores: Sequence[Core], rows: list[int], columns: list[int], b: Array, names: list[int]
    ) -> tuple[Array, list[int]]:
        """Solve along some axes of b: `names` has the axis of the matrix that each of its axes is."""
        ties = sorted(pair for pair in self.ties(cores) if pair[0] in rows)
        borne = [
            any(self.of(core, r) in labels for core in cores for _, labels in core.factors) for r, _ in ties
        ]
        batch = [pair for pair, bears in zip(ties, borne, strict=True) if bears]
        alone = [pair for pair, bears in zip(ties, borne, strict=True) if not bears]
        left = [k for k in rows if k not in {r for r, _ in ties}]
        right = [k for k in columns if k not in {c for _, c in ties}]
        count = prod(self.shape[k] for k in left)
        if count != prod(self.shape[k] for k in right):
            raise np.linalg.LinAlgError("Singular matrix: its parts are not square")
        if count == self.size and count > 1:
            raise Unsupported(
                "the derivative is dense, and nothing makes solve cheaper: use np.linalg.solve on dense(), "
                "or scipy.sparse.linalg.cg or gmres on operator()"
            )
        axes = [r for r, _ in batch] + left + right
        shape = [self.shape[k] for k in axes]
        matrix = dense(shape, [self.reduced(core, axes) for core in cores], self.dtype)
        matrix = matrix.reshape(*(self.shape[r] for r, _ in batch), count, count)
        order = [*(r for r, _ in batch), *left]
        others = [k for k in names if k not in order]
        moved = b.transpose([names.index(k) for k in (*order, *others)])
        side = moved.reshape(*(self.shape[r] for r, _ in batch), count, -1)
        if count == 1:
            if not matrix.all():
                raise np.linalg.LinAlgError("Singular matrix: there are zeros on the diagonal")
            solved = side / matrix
        else:
            solved = np.linalg.solve(matrix, side)
        kept = moved.shape[len(order) :]
        solved = solved.reshape(*(self.shape[r] for r, _ in batch), *(self.shape[k] for k in right), *kept)
        renamed = dict(alone)
        return solved, [*(c for _, c in batch), *right, *(renamed.get(k, k) for k in others)]

    def reduced(self, core: Core, axes: Sequence[int]) -> Core:
        """The core of an array that has only these axes; labels that are in none of them are summed."""
        kept = {self.of(core, axis) for axis in axes}
        borne = {n for _, labels in core.factors for n in labels}
        sizes = [size if k in kept | borne else 1 for k, size in enumerate(core.sizes)]
        return Core(sizes, [core.axes[axis] for axis in axes], core.factors, scale=core.scale)

    # -- outer products -----------------------------------------------------------------------------------

    def outer(self, core: Core) -> bool:
        """Is it a column times a row?"""
        rows, columns = ({self.of(core, k) for k in axes} for axes in (self.rows, self.columns))
        return not rows & columns and not any(
            set(labels) & rows and set(labels) & columns for _, labels in core.factors
        )

    def woodbury(self, rest: Sequence[Core], low: Sequence[Core], b: Array) -> Array:
        """`(M + U @ W.T) @ x = b` for M that is easy to solve: by a system as large as U has columns."""
        U = np.stack([self.side(core, self.rows) for core in low], axis=-1)
        W = np.stack([self.side(core, self.columns, core.scale) for core in low], axis=-1)
        many = b.shape[-1]
        both = np.concatenate([b.reshape(self.size, many), U], axis=1)
        try:
            solved = self.apart(rest, both)
        except np.linalg.LinAlgError:
            raise np.linalg.LinAlgError(
                "Singular matrix without its outer products: use np.linalg.solve on dense()"
            ) from None
        shape = solved.shape[:-1]
        solved = solved.reshape(self.size, -1)
        x, MU = solved[:, :many], solved[:, many:]
        x = x - MU @ np.linalg.solve(np.eye(len(low), dtype=self.dtype) + W.T @ MU, W.T @ x)
        found: Array = x.reshape(*shape, many)
        return found

    def side(self, core: Core, axes: Sequence[int], scale: Any = 1) -> Array:
        """The factors of an outer product on one side, flattened; those of neither go with the scale."""
        own = {self.of(core, k) for k in axes}
        every = {self.of(core, k) for k in (*self.rows, *self.columns)}
        alone = axes is self.columns
        factors = [(a, n) for a, n in core.factors if set(n) & own or (alone and not set(n) & every)]
        part = Core(core.sizes, core.axes, factors, scale=scale)
        return dense([self.shape[k] for k in axes], [self.reduced(part, axes)], self.dtype).ravel()
