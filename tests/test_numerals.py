"""Whole numbers beside floats are written as floats; what holds whole numbers stays whole."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive


def test_a_number_beside_the_wrt_is_a_float():
    d = derive("sum(maximum(x, 0)**2*w)", wrt="x")
    body = d.source().rpartition('"""')[2]
    assert "np.maximum(x, 0.0)" in body and "x > 0.0" in body and "x == 0.0" in body
    for dtype in (np.float64, np.float32):
        given = {"x": np.array([1, 0, -2], dtype), "w": np.array([1, 2, 3], dtype)}
        assert d(**given).dtype == dtype
    assert d(x=np.ones(3, np.float32), w=np.ones(3, int)).dtype == derive("sum(x**2*w)", wrt="x")(
        x=np.ones(3, np.float32), w=np.ones(3, int)
    ).dtype  # fmt: skip


def test_what_may_be_whole_is_left_whole():
    d = derive("sum(maximum(n, 2)*x)", wrt="x")
    assert "np.maximum(n, 2)" in d.source()
    whole = d(n=np.array([1, 3]), x=np.array([0.5, 2], np.float32))
    np.testing.assert_array_equal(whole, [2, 3])


@pytest.mark.parametrize(
    "program",
    ["sum(maximum(x, 1)*where(x < 0, x**2, w))", "sum(fmin(x*w, 0)**2 + (x >= 1)*x)", "clip(x, -1, 1)*x"],
)
def test_slopes_are_those_of_differences(program):
    given = {name: 2 * one for name, one in sample({"x": (7,), "w": (7,)}, seed=2).items()}
    d = derive(program, wrt="x")
    given = {name: given[name] for name in d.inputs}
    value = d.compile(value=True)
    assert_close(d(**given), numerical_jacobian(lambda **a: value(**a)[0], given, "x"), 1e-8)
