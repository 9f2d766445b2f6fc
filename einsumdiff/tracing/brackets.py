"""What stands in brackets after an array: NumPy's indexing as program text."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from einsumdiff.errors import Unsupported, ValueFault
from einsumdiff.tracing import constants
from einsumdiff.tracing.graph import UNION, Step

Part = str | tuple[Step, int]

MOST = 256
"""Places that are written out, as in `indexing.known_places`."""


def items(given: object, traced: Callable[[object], Step | None]) -> list[Part]:
    """The items with commas between them.

    Parameters
    ----------
    traced : the step of an array that records, None for other values.
    """
    listed = given if isinstance(given, tuple) else (given,)
    gathered = sum(not _is_plain(one) for one in listed)
    parts: list[Part] = []
    for k, one in enumerate(listed):
        parts += [", "] * (k > 0) + _item(one, gathered > 1, traced)
    return parts


def picks(given: object) -> bool:
    """Whether all items are whole numbers, so that NumPy copies the number where no axis is left."""
    import numpy as np

    listed = given if isinstance(given, tuple) else (given,)
    return all(isinstance(one, int | np.integer) for one in listed)


def _item(one: Any, several: bool, traced: Callable[[object], Step | None]) -> list[Part]:
    import numpy as np

    if one is None or one is Ellipsis:
        return ["None" if one is None else "..."]
    if isinstance(one, slice):
        parts: list[Part] = []
        for k, end in enumerate((one.start, one.stop, one.step)):
            if k < 2 or end is not None:
                parts += [":"] * (k > 0) + ([] if end is None else [(_end(end, traced), UNION)])
        return parts
    step = traced(one)
    if isinstance(one, bool | np.bool_) or (step is not None and step.boolean):
        raise _no_mask()
    if step is not None:
        return [(step, UNION)]
    if isinstance(one, int | np.integer):
        return [str(int(one))]
    if isinstance(one, str):
        raise ValueFault(
            f"what is read here by the name {one!r} is an array so far, not a mapping",
            None,
            f'give the mapping as an example: shapes={{"p": {{"{one}": ...}}}}',
        )
    places = np.asarray(one)
    if places.dtype.kind == "b":
        raise _no_mask()
    if places.dtype.kind not in "iu" and places.size:
        raise ValueFault(f"an index is a whole number, and this is {one!r}")
    strided = None if several else _as_slice(places)
    if strided is None and places.size > MOST:
        raise Unsupported(
            f"{places.size} places stand in the function",
            None,
            "pass them as an argument: x[k] with k an array of whole numbers",
        )
    return [str(places.tolist()) if strided is None else strided]


def _end(end: object, traced: Callable[[object], Step | None]) -> Step:
    step = traced(end) or constants.scalar(end)
    if step is None:
        raise ValueFault(f"a slice ends at a whole number, and this is {end!r}")
    return step


def _is_plain(item: object) -> bool:
    import numpy as np

    return item is None or item is Ellipsis or isinstance(item, slice | int | np.integer)


def _no_mask() -> Unsupported:
    return Unsupported(
        "the size of what a mask selects is not known while the function is traced",
        None,
        "write np.where(mask, x, 0), and divide by np.sum(mask) for a mean",
    )


def _as_slice(places: Any) -> str | None:
    """`0:5:2` for `[0, 2, 4]`: places at equal steps upwards; None for others."""
    if places.ndim != 1 or not places.size or places[0] < 0:
        return None
    steps = {int(b) - int(a) for a, b in pairwise(places)} or {1}
    if len(steps) > 1 or min(steps) <= 0:
        return None
    (step,) = steps
    stop = int(places[-1]) + 1
    return f"{int(places[0])}:{stop}" + (f":{step}" if step > 1 else "")
