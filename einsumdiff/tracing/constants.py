"""Arrays of numbers that stand in a function, as program text.

What has a formula gets it (`full((2, 3), 0.5)`, `eye(3)`, `2*arange(5)`); another one is spelled out, if
few of its entries are not 0. A large one is data, and data are an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from einsumdiff.errors import Unsupported, ValueFault
from einsumdiff.language.rows import Form, option
from einsumdiff.language.table import load_table
from einsumdiff.tracing.graph import ATOM, PRODUCT, SIGN, SUM, Literal, Step

if TYPE_CHECKING:
    import numpy as np

MOST = 32
"""Entries that are spelled out."""


def number(value: float) -> Step:
    """A number as text that gives exactly that number back."""
    if value != value:
        text = "nan"
    elif value in (float("inf"), -float("inf")):
        text = "1e999" if value > 0 else "-1e999"
    else:
        text = repr(value)
    return Step((text,), SIGN if text.startswith("-") else ATOM, plain=True, whole=isinstance(value, int))


def scalar(value: object) -> Step | None:
    """A number of Python or NumPy; None where the value is none."""
    import numpy as np

    if isinstance(value, bool | np.bool_):
        return Step(("1" if value else "0",), ATOM, plain=True, boolean=True)
    if isinstance(value, int | np.integer):
        return number(int(value))
    if isinstance(value, float | np.floating):
        return number(float(value))
    if isinstance(value, complex | np.complexfloating):
        raise ValueFault(f"{value} is complex, derivatives are of real arrays", None, "write real numbers")
    return None


def array(value: np.ndarray[Any, Any]) -> Step:
    """An array of numbers."""
    import numpy as np

    if value.dtype.kind == "c":
        raise ValueFault(
            "an array here is complex, derivatives are of real arrays", None, "write real numbers"
        )
    if value.dtype.kind not in "fiub":
        raise ValueFault(f"an array of {value.dtype} here is not of numbers", None, "write numbers")
    if value.ndim == 0:
        found = scalar(value.item())
        assert found is not None
        return found
    if value.dtype.kind == "b":
        zero = number(0)
        return Step(((array(value.astype(int)), 1), " != ", (zero, 1)), 0, boolean=True)
    if not np.all(np.isfinite(value)) and value.size and not np.all(value == value.flat[0]):
        raise ValueFault(
            "an array with nan or inf stands in the function", None, "pass it as an argument of the function"
        )
    return _filled(value) or _eye(value) or _range(value) or _spelled(value)


def _filled(value: np.ndarray[Any, Any]) -> Step | None:
    import numpy as np

    if value.size and not np.all(value == value.flat[0]):
        return None
    shape = f"({', '.join(map(str, value.shape))}{',' if value.ndim == 1 else ''})"
    every = value.flat[0].item() if value.size else 0
    if every == 0:
        return Step((f"zeros({shape})",), ATOM)
    return Step((f"full({shape}, ", (number(every), 0), ")"), ATOM)


def _eye(value: np.ndarray[Any, Any]) -> Step | None:
    import numpy as np

    if value.ndim != 2 or not np.array_equal(value, value[0, 0] * np.eye(*value.shape)):
        return None
    rows, columns = value.shape
    eye = f"eye({rows})" if rows == columns else f"eye({rows}, {columns})"
    return Step((eye,), ATOM) if value[0, 0] == 1 else _scaled(value[0, 0].item(), eye)


def _range(value: np.ndarray[Any, Any]) -> Step | None:
    """`start + step*arange(n)`, where that is exact."""
    import numpy as np

    row = load_table().get("arange")
    if value.ndim != 1 or row is None or (isinstance(row, Form) and option(row, "planned") is not None):
        return None
    start, step = value[0].item(), (value[1] - value[0]).item()
    if not np.array_equal(start + step * np.arange(value.size), value):
        return None
    text = f"arange({value.size})"
    multiple = Step((text,), ATOM) if step == 1 else _scaled(step, text)
    return multiple if start == 0 else Step(((number(start), SUM), " + ", (multiple, PRODUCT)), SUM)


def _scaled(factor: float, text: str) -> Step:
    return Step(((number(factor), SIGN), f"*{text}"), PRODUCT)


def _spelled(value: np.ndarray[Any, Any]) -> Step:
    import numpy as np

    places = [tuple(int(k) for k in place) for place in np.argwhere(value)]
    if len(places) > MOST:
        shape = "x".join(map(str, value.shape))
        raise Unsupported(
            f"an array of {shape} numbers stands in the function",
            None,
            "pass it as an argument of the function, so that the derivative is for any such array",
        )
    entries = []
    for place in places:
        text = repr(value[place].item())
        entries.append((place, f"({text})" if text.startswith("-") else text))
    return Step((Literal(value.shape, tuple(entries)),), ATOM)
