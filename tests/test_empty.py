"""Axes of size 0 and 1: NumPy's meaning, without a warning, and no exception but our own."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import EinsumDiffError, derive

EMPTY = [
    ("mean(x)", {}, (0,), ()),
    ("x - mean(x)", {}, (0, 0), (0,)),
    ("sum((x - mean(x))**2)/n", {"x": "n"}, (0,), ()),
    ("x*sqrt(1/n)", {"x": "n"}, (0, 0), (0,)),
    ("c = exp(2)/n; y = c*x", {"x": "n"}, (0, 0), (0,)),
    ("c = 1/n; y = c*x - 1/n**0.5", {"x": "n"}, (0, 0), (0,)),
    ("where(x > 0, 1/n, 2/n)*x", {"x": "n"}, (0, 0), (0,)),
    ("var(x)", {}, (0,), ()),
    ("std(x)", {}, (0,), ()),
    ("x*a/n", {"x": "n", "a": ()}, (0, 0), (0,)),
    ("softmax(x, axis=0) + 0*1/n", {"x": ("m", "n")}, (3, 0, 3, 0), (3, 0)),
    ("x[::-1]*x", {}, (0, 0), (0,)),
    ("prod(x)", {}, (0,), ()),
    ("y[i,j] = delta[i,j]*x[i]", {}, (0, 0, 0), (0, 0)),
]


@pytest.mark.parametrize(("program", "shapes", "expected", "value_shape"), EMPTY)
def test_the_derivative_of_an_empty_array_is_empty(program, shapes, expected, value_shape):
    d = derive(program, wrt="x", shapes=shapes)
    arrays = {"x": np.zeros(expected[len(value_shape) :])}
    if "a" in shapes:
        arrays["a"] = 2.0
    assert d(**arrays).shape == expected
    value, slope = d._call(True, (), arrays)
    assert np.shape(value) == value_shape
    assert slope.shape == expected


def test_the_mean_of_nothing_is_not_a_number():
    d = derive("mean(x)", wrt="x")
    value, _ = d._call(True, (np.zeros(0),), {})
    assert np.isnan(value)


def test_a_slope_that_a_mean_of_nothing_scales_is_no_number():
    d = derive("mean(X, axis=1)*a", wrt="a", shapes={"X": "m n", "a": ()})
    assert np.all(np.isnan(d(np.zeros((3, 0)), 2.0)))


@pytest.mark.parametrize(
    ("program", "point", "expected"),
    [
        ("sum(x)/(n-1)", 2.0, np.inf),
        ("sum(x**2)/(n-1)", 2.0, np.inf),
        ("sum(x**2)/(n-1)", 0.0, np.nan),
        ("sum((x - mean(x))**2)/(n-1)", 2.0, np.nan),
        ("var(x, ddof=1)", 2.0, np.nan),
    ],
)
def test_one_entry_has_no_sample_variance(program, point, expected):
    d = derive(program, wrt="x", shapes={"x": "n"})
    np.testing.assert_array_equal(d(np.full(1, point)), np.full(1, expected))


@pytest.mark.parametrize("program", ["max(X, axis=1)", "softmax(X)", "min(X)", "logsumexp(X, axis=1)"])
def test_a_reduction_over_nothing_says_that_the_axis_is_empty(program):
    with pytest.raises(EinsumDiffError, match="size 0"):
        derive(program, wrt="X")(np.zeros((0, 0)))


@pytest.mark.parametrize(
    ("program", "shape"),
    [
        ("x[0]", (0,)),
        ("x[0]**2", (0,)),
        ("exp(x[-1])", (0,)),
        ("y[i] = X[i,0]*X[i,0]", (3, 0)),
    ],
)
def test_a_place_that_is_not_there_is_named(program, shape):
    wrt = "X" if "X" in program else "x"
    d = derive(program, wrt=wrt, shapes={wrt: ("m", "n")[: len(shape)]})
    with pytest.raises(EinsumDiffError, match="which has size 0"):
        d(np.ones(shape))


@pytest.mark.parametrize("options", [{}, {"workspace": True}, {"sizes": {"n": 300}}])
@pytest.mark.parametrize("y", ["T*T", "T*exp(T)"])
def test_the_end_of_an_axis_that_may_be_empty_is_read_only_where_it_is_there(y, options):
    d = derive(f"T = roll(A, 1, axis=0) + roll(A, 1, axis=0)\ny = {y}", wrt="A", shapes={"A": "n n"})
    function = d.compile(**options)
    for n in (0, 3, 0):
        A = np.linspace(-1, 1, n * n).reshape(n, n)
        slope = numerical_jacobian(d._value_alone(), {"A": A}, "A")
        assert_close(function(A=A), slope, 1e-8)


ENDS = [
    "T = roll(A, 1, axis=0) + roll(A, 1, axis=0)\ny = T*exp(T)",
    "y = roll(A, 1, axis=1)**2",
    "y = roll(A, (1, 1), axis=(0, 1))**2*A",
    "y = sum(roll(A, 1, axis=0)*A*A)",
]


@pytest.mark.parametrize("form", ["compressed", "sparse"])
@pytest.mark.parametrize("program", ENDS)
def test_what_is_stored_of_an_empty_array_is_nothing(program, form):
    """An end of an axis is read where it is there, in these forms as in the dense one."""
    d = derive(program, wrt="A", shapes={"A": "n n"})
    dense, function = d.compile(), d.compile(form=form)
    for n in (0, 3, 1, 0):
        A = np.linspace(-1, 1, n * n).reshape(n, n)
        slope = numerical_jacobian(d._value_alone(), {"A": A}, "A")
        assert_close(dense(A), slope, 1e-8)
        found = function(A)
        assert found.shape == slope.shape
        assert_close(found.dense() if form == "compressed" else found.todense(), slope, 1e-8)
        if form == "compressed":
            assert (found @ np.ones(A.shape)).shape == slope.shape[: slope.ndim - 2]
            assert found.T.dense().shape == slope.shape[slope.ndim - 2 :] + slope.shape[: slope.ndim - 2]
            assert_close(found.sparse(as_matrix=True).todense().reshape(slope.shape), slope, 1e-8)


def test_an_end_that_the_program_reads_is_missed_in_every_form():
    d = derive("x[0]*exp(x)", wrt="x", shapes={"x": "n"})
    for form in ("dense", "compressed", "sparse"):
        with pytest.raises(IndexError):
            d.compile(form=form)(np.zeros(0))
