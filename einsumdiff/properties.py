"""Declared properties of inputs: the words, what they say of the entries, and what they say of an array.

A property is a fact about the last two axes. Formulas rely on it for every array but those that the
derivative is in: there the entries vary, and `MEANINGS` names how.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

PROPERTIES = ("symmetric", "diagonal", "lower", "upper", "psd")
"""`psd` is symmetric with no negative eigenvalue, which no formula relies on: it is not checked."""

MEANINGS = {
    "free": "all entries of {} vary on their own, as if nothing were declared",
    "projected": "{} varies within the {} matrices only, the slope is projected onto them",
    "triangle": "the entries of {} that the declaration makes equal vary as one",
}
"""What a derivative in an array with a property is, in words.

Let G be the derivative by all entries. Of a symmetric array `projected` is (G + G.T)/2, the gradient in the
inner product of the matrices: S. Srinivasan and N. Panda, What is the gradient of a scalar function of a
symmetric matrix? (2020). `triangle` is G + G.T - diag(G), the slopes in the parameters of one triangle, each
written at both of its places: K. B. Petersen and M. S. Pedersen, The Matrix Cookbook (2012), section 2.8.
"""


def kind(properties: Sequence[str]) -> str:
    """What the words come to: `symmetric`, `lower`, `upper`, `diagonal` or nothing."""
    symmetric = "symmetric" in properties or "psd" in properties
    lower, upper = "lower" in properties, "upper" in properties
    if "diagonal" in properties or symmetric + lower + upper > 1:
        return "diagonal"
    return "symmetric" if symmetric else "lower" if lower else "upper" if upper else ""


def violation(name: str, array: np.ndarray[Any, Any], properties: Sequence[str]) -> tuple[str, str] | None:
    """The first entry, in C order, that contradicts the properties, in words, and what would agree.

    Entries are equal as `np.isclose` has it (within 1e-8 + 1e-5*abs(entry)), nan being equal to nan.
    """
    import numpy as np

    what = kind(properties)
    if what == "symmetric":
        expected = array.swapaxes(-1, -2)
    else:
        expected = _kept(array, what)
    wrong = np.argwhere(~np.isclose(array, expected, equal_nan=True))
    if not len(wrong):
        return None
    place = tuple(int(k) for k in wrong[0])
    said = f"{name} is declared {' '.join(properties)}, and {_entry(name, place)} is {float(array[place])!r}"
    if what == "symmetric":
        other = (*place[:-2], place[-1], place[-2])
        said += f", {_entry(name, other)} is {float(array[other])!r}"
    functions = {
        "symmetric": f"({name} + {name}.swapaxes(-1, -2))/2",
        "lower": f"np.tril({name})",
        "upper": f"np.triu({name})",
        "diagonal": f"{name}*np.eye({name}.shape[-1])",
    }
    return said, f"pass {functions[what]}, or do not declare it"


def _entry(name: str, place: Sequence[int]) -> str:
    return f"{name}[{','.join(map(str, place))}]"


def imposed(array: np.ndarray[Any, Any], properties: Sequence[str]) -> np.ndarray[Any, Any]:
    """An array that has the properties, made of a random one: the sample that a check draws."""
    import numpy as np

    what = kind(properties)
    if "psd" in properties:
        n = array.shape[-1]
        array = array @ array.swapaxes(-1, -2) / max(n, 1) + np.eye(n) / 2
    elif what == "symmetric":
        array = (array + array.swapaxes(-1, -2)) / 2
    return array if what in ("", "symmetric") else _kept(array, what)


def _kept(array: np.ndarray[Any, Any], what: str) -> np.ndarray[Any, Any]:
    """Zeros where the kind says so."""
    import numpy as np

    match what:
        case "lower":
            return np.tril(array)
        case "upper":
            return np.triu(array)
    return np.tril(np.triu(array))


def varied(slope: np.ndarray[Any, Any], properties: Sequence[str], meaning: str) -> np.ndarray[Any, Any]:
    """A numerical derivative by all entries of the last two axes as the derivative of that meaning."""
    what = kind(properties)
    if meaning == "free" or not what:
        return slope
    if what != "symmetric":
        return _kept(slope, what)
    both: np.ndarray[Any, Any] = slope + slope.swapaxes(-1, -2)
    return both / 2 if meaning == "projected" else both - _kept(slope, "diagonal")


def free_entries(shape: Sequence[int], properties: Sequence[str]) -> np.ndarray[Any, Any]:
    """The places in the flat array, in C order, of the entries that say what all others are.

    >>> free_entries((2, 2), ["symmetric"]).tolist(), free_entries((2, 2), ["diagonal"]).tolist()
    ([0, 2, 3], [0, 3])
    """
    import numpy as np

    what = kind(properties)
    free = _kept(np.ones(tuple(shape), bool), "lower" if what == "symmetric" else what)
    return np.flatnonzero(free)


def whole(array: np.ndarray[Any, Any], properties: Sequence[str]) -> np.ndarray[Any, Any]:
    """The array that has these `free_entries`; elsewhere it holds zeros."""
    if kind(properties) != "symmetric":
        return array
    mirrored: np.ndarray[Any, Any] = array + array.swapaxes(-1, -2) - _kept(array, "diagonal")
    return mirrored
