"""Is every word of a structure true? Each claim, held against the numbers of each term and of the whole."""

import numpy as np

from einsumdiff import Derivative
from einsumdiff.evaluate import evaluate_terms
from einsumdiff.sizes import Size, evaluate, names

NUMBERS = (3, 5, 2, 7, 4, 6)
"""Sizes, all different, for names in order."""


def sizes_of(d: Derivative) -> dict[str, int]:
    """A number for every size name; a kernel stays shorter than what it slides over."""
    found = {name: 0 for one in d._program.inputs for size in one.shape for name in names(size)}
    return {name: NUMBERS[k % len(NUMBERS)] for k, name in enumerate(found)}


def drawn(d: Derivative, sizes, integers=(), seed=0) -> dict[str, np.ndarray]:
    """Random arrays of both signs; of `integers`, `{name: bound}`, whole numbers below the bound."""
    random = np.random.default_rng(seed)
    arrays = {}
    for one in d._program.inputs:
        shape = [evaluate(size, sizes) for size in one.shape]
        if one.name in integers:
            bound = integers[one.name]
            arrays[one.name] = random.integers(0, sizes.get(bound, bound), shape)
        else:
            arrays[one.name] = random.uniform(0.3, 1.5, shape) * random.choice([-1, 1], shape)
    return arrays


def check_claims(d: Derivative, arrays, sizes) -> None:
    """All claims of the structure at these arrays."""
    s = d.structure
    dense = np.asarray(d(**arrays))
    values = {one: arrays[one.name] for one in d._program.inputs}
    parts = []
    for term, claimed in zip(d._jacobian.terms, s.terms, strict=True):
        part = np.asarray(evaluate_terms([term], s.shape, values, sizes), float)
        parts.append(part)
        check_ties(part, claimed.ties, sizes)
        check_gathered(part, claimed.gathered, arrays)
        check_kind(part, claimed, s.split, sizes)
    scale = max(1.0, np.abs(dense).max(initial=0))
    assert np.allclose(sum(parts, np.zeros(dense.shape)), dense, rtol=1e-9, atol=1e-9 * scale)
    check_ties(dense, s.relations, sizes)
    for group in s.pairs:
        for axis in group[1:]:
            assert not dense[places(dense, axis) != places(dense, group[0])].any()
    for one, other in s.symmetric:
        order = list(range(dense.ndim))
        for a, b in zip(one, other, strict=True):
            order[a], order[b] = b, a
        assert np.allclose(dense, dense.transpose(order), rtol=1e-9, atol=1e-9 * scale), (one, other)
    if s.kind == "zero":
        assert not dense.any()
    if s.split and s.rank is not None:
        rest = sum(
            (
                p
                for p, t in zip(parts, s.terms, strict=True)
                if not (" plus " in s.kind and t.kind == "diagonal")
            ),
            np.zeros(dense.shape),
        )
        assert matrix_rank(rest, s.split) <= at(s.rank, sizes)
    counted = s.count(**{name: sizes[name] for name in used(s)})
    assert counted.dense == dense.size
    assert counted.stored == at(s.stored, sizes)


def used(s) -> set[str]:
    return {name for size in (*s.shape, s.stored) for name in names(size)}


def at(size, sizes) -> int:
    return evaluate(size, sizes) if isinstance(size, Size) else size


def places(array, axis):
    """The place on an axis, for every entry."""
    return np.broadcast_to(
        np.arange(array.shape[axis]).reshape([-1 if k == axis else 1 for k in range(array.ndim)]), array.shape
    )


def check_ties(array, relations, sizes) -> None:
    for one in relations:
        value = places(array, one.axis).astype(int)
        for axis, c in one.of:
            value = value - at(c, sizes) * places(array, axis)
        outside = np.zeros(array.shape, bool)
        if one.low is not None:
            outside |= value < at(one.low, sizes)
        if one.high is not None:
            outside |= value > at(one.high, sizes)
        assert not array[outside].any(), one
        if one.toeplitz:
            ((anchor, c),) = one.of
            moved = np.moveaxis(array, (anchor, one.axis), (0, 1))
            step = at(c, sizes)
            assert step
            before, after = moved[:-1], moved[1:]
            first, second = (
                (slice(None, -step), slice(step, None))
                if step > 0
                else (slice(-step, None), slice(None, step))
            )
            assert np.allclose(before[:, first], after[:, second], rtol=1e-12, atol=1e-12), one


def check_gathered(array, gathered, arrays) -> None:
    for one in gathered:
        if one.array in arrays:
            index = np.moveaxis(arrays[one.array], np.argsort(np.argsort(one.by)), range(len(one.by)))
            by = sorted(one.by)
            shape = [array.shape[k] if k in by else 1 for k in range(array.ndim)]
            assert not array[
                places(array, one.axis) != np.broadcast_to(index.reshape(shape), array.shape)
            ].any()


def check_kind(array, claimed, split, sizes) -> None:
    scale = max(1e-3, np.abs(array).max(initial=0))
    for group in claimed.groups:
        if 0 < len(group) < array.ndim:
            assert matrix_rank(np.moveaxis(array, group, range(len(group))), len(group)) <= 1, group
    if claimed.kind == "Kronecker":
        assert len(claimed.groups) > 1
        assert all(group[0] < split <= group[-1] for group in claimed.groups)
    if claimed.kind == "diagonal":
        tied = {axis for group in claimed.pairs for axis in group}
        assert all(axis in tied or size == 1 for axis, size in enumerate(array.shape))
    if claimed.kind == "dense":
        assert not claimed.ties
    if claimed.alike and claimed.pairs:
        index = np.ix_(
            *([0] if any(k in g for g in claimed.pairs) else range(n) for k, n in enumerate(array.shape))
        )
        first = array[index]
        on = np.ones(array.shape, bool)
        for group in claimed.pairs:
            for axis in group[1:]:
                on &= places(array, axis) == places(array, group[0])
        if not claimed.relations:
            assert np.allclose(array[on], np.broadcast_to(first, array.shape)[on], atol=1e-12 * scale)
    if split and claimed.rank is not None:
        assert matrix_rank(array, split) <= at(claimed.rank, sizes)


def matrix_rank(array, split) -> int:
    rows = int(np.prod(array.shape[:split], dtype=int))
    columns = int(np.prod(array.shape[split:], dtype=int))
    matrix = array.reshape(rows, columns)
    return int(np.linalg.matrix_rank(matrix)) if matrix.any() else 0
