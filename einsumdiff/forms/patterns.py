"""What the terms of a derivative store, with numbers, and where that goes.

Generated source carries the text of this module along: it imports numpy, and scipy where a sparse array
is made, and nothing of the library but the error, which stands in one line below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from einsumdiff.errors import Unsupported

# -- from here on the text is part of generated source --

Array = np.ndarray[Any, Any]
Form = tuple[int, ...]
"""An affine form of labels, by number: the constant, then the coefficient of each label."""


class Core:
    """`array[axes(labels)] += the product of the factors`, for all values of the labels.

    Parameters
    ----------
    sizes : what the labels run over; a label is its position here.
    axes : the form of each axis.
    factors : arrays, each with its labels, which broadcast against each other and are not multiplied.
    guards : forms that must be 0, positive or 0, or not 0: `(form, "==")`, `">="`, `"!="`; elsewhere the
        product is not added, and the places may be out of bounds.
    places : labels that stand for whole numbers in an array: `{label: (array, its labels)}`.
    scale : a number that the factors are multiplied with.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        axes: Sequence[Form],
        factors: Iterable[tuple[Any, tuple[int, ...]]] = (),
        guards: Sequence[tuple[Form, str]] = (),
        places: Mapping[int, tuple[Any, tuple[int, ...]]] | None = None,
        scale: Any = 1,
    ) -> None:
        self.sizes, self.axes = tuple(sizes), tuple(axes)
        self.factors = [(np.asarray(array), tuple(labels)) for array, labels in factors]
        self.guards, self.places = tuple(guards), dict(places or {})
        self.scale = scale[()] if isinstance(scale, np.ndarray) else scale
        self.running = tuple(k for k in range(len(self.sizes)) if k not in self.places)

    @property
    def strided(self) -> bool:
        """Are all values of all labels there, in bounds, in steps?"""
        return not self.guards and not self.places

    def borne(self, axes: Iterable[int]) -> list[int]:
        """The labels in the forms of these axes."""
        return sorted({n for axis in axes for n, c in enumerate(self.axes[axis][1:]) if c})

    def alone(self, axes: Iterable[int]) -> list[int]:
        """The labels that are the only one of an axis: the place there tells them."""
        found = [self.borne([axis]) for axis in axes]
        return [labels[0] for labels in found if len(labels) == 1]

    def apart(self, axes: Iterable[int]) -> bool:
        """Do these axes tell every label, so that no place is written twice?"""
        return set(self.alone(axes)) >= set(self.running)

    def label(self, axis: int, size: int) -> int | None:
        """The label that is that axis, over its whole length; -1 for an axis of size 1 without one."""
        start, *steps = self.axes[axis]
        borne = [k for k, c in enumerate(steps) if c]
        if start == 0 and not borne and size == 1:
            return -1
        bare = start == 0 and len(borne) == 1 and steps[borne[0]] == 1
        return borne[0] if bare and self.sizes[borne[0]] == size else None

    def spread(self, array: Any, labels: Sequence[int]) -> Array:
        """The array with an axis for each label that runs, of size 1 where it lacks it."""
        order = sorted(labels)
        moved = np.asarray(array).transpose([labels.index(k) for k in order])
        sizes = iter(moved.shape)
        return moved.reshape([next(sizes) if k in order else 1 for k in self.running])

    def values(self, form: Form) -> Array:
        """The values of a form over the labels that run."""
        total: Any = np.full((1,) * len(self.running), form[0], np.intp)
        for label, step in enumerate(form[1:]):
            if step:
                array, labels = self.places.get(label, (np.arange(self.sizes[label]), (label,)))
                total = total + step * self.spread(array, labels)
        found: Array = total
        return found

    def where(self) -> Array | None:
        """Where the guards hold, over the labels that run; None where there are none."""
        tests = {"==": np.equal, ">=": np.greater_equal, "!=": np.not_equal}
        found: Any = None
        for form, op in self.guards:
            test = tests[op](self.values(form), 0)
            found = test if found is None else found & test
        shape = [self.sizes[k] for k in self.running]
        return None if found is None else np.broadcast_to(found, shape)

    def data(self, dtype: Any) -> Array:
        """The products, one after the other, those whose guards hold."""
        total: Any = np.full((1,) * len(self.running), self.scale, dtype)
        for array, labels in self.factors:
            total = total * self.spread(array, labels)
        kept, shape = self.where(), [self.sizes[k] for k in self.running]
        whole = np.broadcast_to(total, shape).astype(dtype, copy=False)
        return whole.ravel() if kept is None else whole[kept]

    def coordinates(self, form: Form, kind: Any) -> Array:
        """The values of the form that belong to `data`."""
        kept, shape = self.where(), [self.sizes[k] for k in self.running]
        whole = np.broadcast_to(self.values(form).astype(kind), shape)
        return whole.ravel() if kept is None else whole[kept]

    def flat(self, axes: Sequence[int], shape: Sequence[int]) -> Form:
        """The form of the place in the flattened array of these axes."""
        total = [0] * (len(self.sizes) + 1)
        step = 1
        for axis, size in zip(reversed(axes), reversed(shape), strict=True):
            total = [t + step * c for t, c in zip(total, self.axes[axis], strict=True)]
            step *= size
        return tuple(total)

    def view(self, array: Array, axes: Sequence[int]) -> Array:
        """The places in an array that has these axes (and others behind), an axis for every label."""
        assert self.strided
        forms = [self.axes[axis] for axis in axes]
        rest = array.ndim - len(forms)
        shape = (*self.sizes, *array.shape[len(forms) :])
        if 0 in shape or 0 in array.shape:
            return np.zeros(shape, array.dtype)
        strides = [
            sum(form[k + 1] * by for form, by in zip(forms, array.strides[: len(forms)], strict=True))
            for k in range(len(self.sizes))
        ]
        corner = array[tuple(slice(form[0], None) for form in forms)] if forms else array
        strides += array.strides[array.ndim - rest :]
        return np.lib.stride_tricks.as_strided(corner, shape, strides)


def constants_added(cores: Iterable[Core]) -> list[Core]:
    """The cores, those of one pattern that are numbers added up, and to an array over all of its labels.

    Each core is a pass over the places wherever it is used. An array that other cores have too stays.
    """
    groups: dict[Any, list[Core]] = {}
    for number, core in enumerate(cores):
        alike = (core.sizes, core.axes, core.guards, number if core.places else -1)
        groups.setdefault(alike, []).append(core)
    uses: dict[int, int] = {}
    for group in groups.values():
        for core in group:
            for array, _ in core.factors:
                uses[id(array)] = uses.get(id(array), 0) + 1
    found = []
    for group in groups.values():
        plain = [core for core in group if not core.factors]
        rest = [core for core in group if core.factors]
        if len(group) > 1 and plain:
            scale = sum(core.scale for core in plain)
            whole = next((c for c in rest if _is_whole(c) and uses[id(c.factors[0][0])] == 1), None)
            if whole is None:
                one = Core(plain[0].sizes, plain[0].axes, (), plain[0].guards, scale=scale)
            else:
                array, labels = whole.factors[0]
                one = Core(whole.sizes, whole.axes, [(whole.scale * array + scale, labels)], whole.guards)
            group = [one, *(core for core in rest if core is not whole)]
        found += group
    return found


def _is_whole(core: Core) -> bool:
    """Has it a single factor, over all of its labels?"""
    return len(core.factors) == 1 and set(core.factors[0][1]) == set(range(len(core.sizes)))


def dense(shape: Sequence[int], cores: Iterable[Core], dtype: Any) -> Array:
    """The array that the cores add up to."""
    result = np.zeros(tuple(shape), dtype)
    every = range(len(shape))
    for core in cores:
        if core.strided and core.apart(every):
            view = core.view(result, every)
            view += core.data(dtype).reshape(view.shape)
        else:
            where = tuple(core.coordinates(core.axes[axis], np.intp) for axis in every)
            np.add.at(result, where, core.data(dtype) if where else core.data(dtype).sum())
    return result


def sparse(
    shape: Sequence[int], split: int, cores: Sequence[Core], dtype: Any, as_matrix: bool = False
) -> Any:
    """The derivative as a `scipy.sparse.coo_array`; as a matrix, the axes from `split` on are its columns.

    Coordinates and data are made by broadcasting; entries of one place are summed.
    """
    from scipy.sparse import coo_array

    size = [prod(part) for part in (shape[:split], shape[split:])] if as_matrix else list(shape)
    cores = () if 0 in shape else cores  # what an end of an empty axis holds is not there
    kind = np.int32 if max([*size, 1]) <= np.iinfo(np.int32).max else np.int64
    every = range(len(shape))
    parts = [every[:split], every[split:]] if as_matrix else [[axis] for axis in every]
    forms = [[core.flat(axes, [shape[k] for k in axes]) for axes in parts] for core in cores]
    data = [core.data(dtype) for core in cores]
    places = [
        [core.coordinates(own[k], kind) for core, own in zip(cores, forms, strict=True)]
        for k in range(len(parts))
    ]
    single = len(cores) == 1 and cores[0].strided and cores[0].apart(every)
    none: Any = np.zeros(0, kind)
    coordinates = tuple(part[0] if len(cores) == 1 else np.concatenate([none, *part]) for part in places)
    values = data[0] if len(cores) == 1 else np.concatenate([np.zeros(0, dtype), *data])
    if any(np.may_share_memory(values, array) for core in cores for array, _ in core.factors):
        values = values.copy()  # a sparse array may be written into
    try:
        found = coo_array((values, coordinates), shape=tuple(size))
    except (TypeError, ValueError) as error:
        if len(size) == 2:
            raise
        raise Unsupported(
            f"this SciPy has no coo_array of {len(size)} axes: ask with as_matrix=True, or install SciPy 1.15"
        ) from error
    if as_matrix:
        return found.tocsr()
    if not single:
        found.sum_duplicates()
    return found
