"""Structure operations upon structure operations: values and both derivatives against NumPy's, at random."""

import random

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import EinsumDiffError, derive

NAMES = """
concatenate stack tile repeat pad roll reshape ravel cumsum cumprod diff sin sum rot90 convolve correlate
gradient append outer"""
SPACE = {name: getattr(np, name) for name in NAMES.split()}

STEPS = [
    "concatenate((@, @**2))",
    "cumsum(@)",
    "cumprod(@)",
    "diff(@)",
    "@[::-1]",
    "@[1:]",
    "@[:-1]",
    "@[::2]",
    "roll(@, 1)",
    "roll(@, -2)",
    "pad(@, (1, 2))",
    "pad(@, 1, mode='edge')",
    "pad(@, 1, mode='reflect')",
    "tile(@, 2)",
    "repeat(@, 2)",
    "sin(@)",
    "convolve(@, @, 'same')",
    "correlate(@, @[:2], 'valid')",
    "convolve(@, [1.0, -1.0])",
    "gradient(@)",
    "append(@, 1.5)",
    "ravel(outer(@, @[:2]))",
    "ravel(stack((@, 2*@), axis=1))",
    "reshape(stack((@, @[::-1])), (-1,))",
    "sum(tile(@, (2, 1)), axis=0)",
    "cumsum(stack((@, @*2)), axis=0)[1]",
    "ravel(reshape(tile(@, 2), (2, -1)), order='F')",
    "rot90(stack((@, @)))[0]",
]
WHOLE = ["@", "(@)*sum(x**2)", "sum((@)**2)"]


def program(seed):
    """Two or three operations, one upon the other."""
    choose = random.Random(seed)
    text = "x"
    for _ in range(choose.choice([2, 2, 3])):
        text = choose.choice(STEPS).replace("@", text)
        if len(text) > 120:
            break
    return choose.choice(WHOLE).replace("@", text)


@pytest.mark.parametrize("size", [4, "n"])
@pytest.mark.parametrize("seed", range(40))
def test_operations_compose(seed, size):
    text = program(seed)
    x = np.random.default_rng(seed).uniform(0.3, 1.2, 4) * [1, -1, -1, 1]
    try:
        f = eval(f"lambda x: {text}", SPACE)
        expected = f(x)
    except (IndexError, ValueError):  # too short for NumPy
        return
    try:
        d = derive(f"y = {text}", "x", shapes={"x": size})
    except EinsumDiffError as error:
        assert size == "n", text
        assert "number" in str(error)
        return
    value, slope = d.compile(value=True)(x)
    assert_close(value, expected, 1e-12)
    assert_close(slope, numerical_jacobian(f, {"x": x}, "x"), 1e-7)
    assert d(x=x.astype(np.float32)).dtype == np.float32
    if expected.size <= 10:
        second = derive(d, wrt="x")
        assert_close(second(x=x), numerical_jacobian(d, {"x": x}, "x"), 1e-6)
