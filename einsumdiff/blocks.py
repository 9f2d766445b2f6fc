"""Derivatives as matrices: flattened in C order, the blocks of several wrt side by side in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import Unsupported

if TYPE_CHECKING:
    import numpy as np

Key = str | tuple[str, ...]


def one_matrix(jacobian: Jacobian, value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array with the axes of the last wrt as columns, all others as rows."""
    no_batch([jacobian])
    rank = value.ndim - len(jacobian.wrt[-1].shape)
    return value.reshape(prod(value.shape[:rank]), prod(value.shape[rank:]))


def block_matrix(
    jacobians: Mapping[Key, Jacobian], found: Mapping[Key, np.ndarray[Any, Any]]
) -> np.ndarray[Any, Any]:
    """The blocks of first derivatives side by side, those of a scalar's Hessian in rows and columns."""
    import numpy as np

    no_batch(list(jacobians.values()))
    output = next(iter(jacobians.values())).output
    order = len(next(iter(jacobians.values())).wrt)
    if order > 2 or (order == 2 and output.shape):
        raise Unsupported(
            "a matrix is of first derivatives, or of the second ones of a scalar",
            None,
            "take one of the blocks",
        )
    rows = {key: _row(jacobian) for key, jacobian in jacobians.items()}
    columns = {key: jacobian.wrt[-1].name for key, jacobian in jacobians.items()}
    flat = {key: one_matrix(jacobian, found[key]) for key, jacobian in jacobians.items()}
    down = _starts({rows[key]: flat[key].shape[0] for key in flat})
    across = _starts({columns[key]: flat[key].shape[1] for key in flat})
    whole = np.empty((down[None], across[None]), np.result_type(*flat.values()))
    for key, block in flat.items():
        i, j = down[rows[key]], across[columns[key]]
        whole[i : i + block.shape[0], j : j + block.shape[1]] = block
    return whole


def _row(jacobian: Jacobian) -> str:
    return jacobian.wrt[0].name if len(jacobian.wrt) > 1 else ""


def _starts(lengths: Mapping[str, int]) -> dict[str | None, int]:
    """Where each begins, and under None where the last ends."""
    found: dict[str | None, int] = {}
    at = 0
    for name, length in lengths.items():
        found[name] = at
        at += length
    return {**found, None: at}


def no_batch(jacobians: Sequence[Jacobian]) -> None:
    """Elements of a batch have a matrix each: as one it would multiply each of them with the same vector."""
    if any(one.tied for one in jacobians):
        raise Unsupported("a batch has no one matrix", None, "derive without batch=, or reshape d(...)")
