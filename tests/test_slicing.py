"""NumPy's basic indexing: the value is NumPy's, the derivative its slope, and both are printed and read."""

import re

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, read

SHAPES = {"x": (7,), "A": (5, 3), "T": (2, 5, 3)}

EXPRESSIONS = [
    "x[1:] - x[:-1]",
    "x[::-1]*x",
    "x[1:-1]**3",
    "sin(x[:2])*x[0]",
    "exp(A[:2, 1:])",
    "x[::3]*x[0]",
    "x[-1]*x[2:]",
    "x[:0:-1]",
    "x[5:1:-2]**2",
    "x[-20:3]**2",
    "A[0]*A[-1]",
    "A[:, 0]",
    "A[1:, ::2]**2",
    "A[::-2, None, ...]",
    "A[None, 1]",
    "A[1, 2]*A",
    "A[..., -1]",
    "A[2:3]*A",
    "T[..., 1:, 0]",
    "T[:, -1] @ A.T",
    "T[1][2:, ::-1]**2",
]


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_slice_is_numpys_and_its_derivative_the_slope(expression, symbolic):
    names = [name for name in SHAPES if name in re.findall(r"\w+", expression)]
    arrays, name = sample({name: SHAPES[name] for name in names}), names[-1]
    f = eval(f"lambda {', '.join(names)}: {expression}", {"sin": np.sin, "exp": np.exp})
    letters = {2: "a", 3: "b", 5: "c", 7: "d"}
    shapes = {name: [letters[s] if symbolic else s for s in SHAPES[name]] for name in names}
    try:
        d = derive(f"y = {expression}", wrt=name, shapes=shapes)
    except EinsumDiffError as error:
        assert symbolic and "give the size as a number" in str(error)
        return
    value, slope = d.compile(value=True)(**arrays)
    assert_close(value, f(**arrays), 1e-14)
    assert_close(slope, numerical_jacobian(f, arrays, name), 1e-9)
    second = derive(d, wrt=name)
    assert_close(second(**arrays), numerical_jacobian(d, arrays, name), 1e-9)
    if f(**arrays).size:
        assert read(str(d)) == d


def test_a_slice_behind_the_end_is_empty():
    assert derive("x: (7,); y = x[10:]", wrt="x").shape == (0, 7)


def test_slices_of_a_symbolic_size_are_those_that_are_in_bounds_for_every_size():
    d = derive("y = x[1:] - x[:-1]", wrt="x")
    assert d.shape == ("n - 1", "n")
    for size in (1, 2, 5):
        assert_close(d(x=np.arange(float(size))), np.diff(np.eye(size), axis=0), 1e-15)
    for text in ("x[:3]", "x[-3:]", "x[2]", "x[-2]"):
        with pytest.raises(EinsumDiffError, match="may be out of bounds"):
            derive(text, wrt="x")


def test_names_of_sizes_bound_slices():
    d = derive("x: (n + k,); z: (k,); w: (n,); y = sum(x[:n]*w) + sum(x[-k:]*z)", wrt="x")
    arrays = sample({"x": (7,), "z": (2,), "w": (5,)})
    assert_close(d(**arrays), np.concatenate([arrays["w"], arrays["z"]]), 1e-15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x: (4,); y = x[4]", "4 is out of bounds of an axis of size 4"),
        ("x[::0]", "a step is a whole number, and not 0"),
        ("x: (4,); y = x[1, 2]", "x has 1 axis, and 2 stand in the bracket"),
        ("A[..., ..., 0]", "... stands twice"),
        ("x[1.5:]", "1.5: is no whole number"),
    ],
)
def test_what_is_no_slice_is_refused(text, message):
    with pytest.raises(EinsumDiffError) as caught:
        derive(text, wrt=text[0])
    assert message in str(caught.value)
