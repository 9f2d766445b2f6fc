"""Slopes by finite differences, and comparison entry by entry: what every derivative is held against."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, Any]

STENCIL = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
"""Central differences of sixth order: f'(x)*h = sum of weight*(f(x + step*h) - f(x - step*h))."""


def numerical_jacobian(f: Callable[..., Any], arrays: Arrays, wrt: str, step: float = 2e-3) -> np.ndarray:
    """The derivative of `f(**arrays)` in `arrays[wrt]`; axes: those of the output, then those of `wrt`.

    The function must be smooth within `3*step` of the point. At a step of 2e-3 the truncation error is
    about 5e-19 times the seventh derivative, rounding about 1e-13 times the value.
    """
    point = np.array(arrays[wrt], dtype=float)
    others = {name: value for name, value in arrays.items() if name != wrt}
    result = np.zeros(np.shape(f(**arrays)) + point.shape)
    for position in np.ndindex(point.shape):
        for steps, weight in STENCIL:
            for sign in (1, -1):
                moved = point.copy()
                moved[position] += sign * steps * step
                value = np.asarray(f(**others, **{wrt: moved}), dtype=float)
                result[(..., *position)] += sign * weight / step * value
    return result


def relative_error(actual: Any, expected: Any) -> float:
    """The largest difference of two entries, relative to the largest entry expected (at least 1e-3)."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    if expected.size == 0:
        return 0.0
    scale = max(float(np.max(np.abs(expected))), 1e-3)
    return float(np.max(np.abs(actual - expected))) / scale


def assert_close(actual: Any, expected: Any, tol: float = 1e-9) -> None:
    """Same shape, no nan, no inf, and every entry within `tol` of the largest one expected."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"the shape is {actual.shape}, expected is {expected.shape}"
    assert np.all(np.isfinite(actual)), f"not finite: {actual}"
    error = relative_error(actual, expected)
    assert error <= tol, f"off by {error:.1e}, more than {tol:.0e}:\n{actual}\nexpected\n{expected}"


def sample(
    shapes: Mapping[str, tuple[int, ...]], domain: str = "real", seed: int = 0
) -> dict[str, np.ndarray]:
    """Random arrays of these shapes, both signs unless the domain says otherwise, the same on every run.

    Domains: real; small, within 0.45 of 0; nonzero, 0.5 to 2 in size; positive, 0.5 to 2; unit, within
    0.9 of 0.
    """
    random = np.random.default_rng(seed)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        match domain:
            case "real":
                return random.standard_normal(shape)
            case "small":
                return random.uniform(-0.45, 0.45, shape)
            case "unit":
                return random.uniform(-0.9, 0.9, shape)
            case "positive":
                return random.uniform(0.5, 2, shape)
            case "nonzero":
                return random.uniform(0.5, 2, shape) * random.choice([-1.0, 1.0], shape)
        raise ValueError(f"no domain {domain!r}")

    return {name: draw(shape) for name, shape in shapes.items()}
