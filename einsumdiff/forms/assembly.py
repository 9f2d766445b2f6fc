"""A sparse matrix of blocks that is made again and again with other numbers in the same places.

Where a number goes follows from sizes and index arrays alone, so it is found once; another matrix costs its
numbers and one sum over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from einsumdiff.forms.compressed import Compressed

Blocks = Sequence[Sequence[Compressed]]


class Assembly:
    """The places of the blocks in rows and columns, for blocks of the same patterns and sizes."""

    def __init__(self, blocks: Blocks) -> None:
        heights = [prod(row[0].rows) for row in blocks]
        widths = [prod(block.columns) for block in blocks[0]]
        self.shape = sum(heights), sum(widths)
        places = [np.zeros(0, np.int64)]
        for i, row in enumerate(blocks):
            for k, block in enumerate(row):
                first = sum(heights[:i]) * self.shape[1] + sum(widths[:k])
                places += [first + self._places(core, block) for core in block.cores]
        used, self.position = np.unique(np.concatenate(places), return_inverse=True)
        kind = np.int32 if max(*self.shape, used.size) <= np.iinfo(np.int32).max else np.int64
        width = max(self.shape[1], 1)
        self.indices = (used % width).astype(kind)
        self.starts = np.searchsorted(used, np.arange(self.shape[0] + 1) * width).astype(kind)

    def _places(self, core: Any, block: Compressed) -> np.ndarray[Any, Any]:
        """The place of each number of a core in the whole matrix, flattened, if the block begins at 0."""
        every, split = range(len(block.shape)), block.split
        row = core.flat(every[:split], block.rows)
        column = core.flat(every[split:], block.columns)
        form = tuple(self.shape[1] * a + b for a, b in zip(row, column, strict=True))
        found: np.ndarray[Any, Any] = core.coordinates(form, np.int64)
        return found

    def matrix(self, blocks: Blocks) -> Any:
        """The blocks as one `scipy.sparse.csr_array`, sorted, every place once."""
        from scipy.sparse import csr_array

        cores = [(core, block.dtype) for row in blocks for block in row for core in block.cores]
        numbers = np.concatenate([np.zeros(0), *(core.data(dtype) for core, dtype in cores)])
        data = np.bincount(self.position, numbers, self.indices.size)
        kind = np.result_type(*(block.dtype for row in blocks for block in row))
        structure = self.indices.copy(), self.starts.copy()  # who gets it may change it
        return csr_array((data.astype(kind, copy=False), *structure), shape=self.shape)
