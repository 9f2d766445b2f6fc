"""Whole powers of arrays are computed by multiplications."""

import re

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import derive

BASES = {
    "x": lambda x: x,
    "sin(x)": np.sin,
    "(A @ x)": lambda x: A @ x,
    "x[1:]": lambda x: x[1:],
    "abs(x)": np.abs,
}
A = np.array([[0.5, -1.2, 0.7, 0.1, -0.4], [1.5, 0.2, 0.9, 0.3, 0.8], [-0.6, 0.4, 1.1, -1.3, 0.2]])
X = np.array([0.7, -1.3, 0.9, 1.6, -0.8])


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("power", [3, 4, 5, 6, 7, 8, 9, 15, 31, 32, 33, -3, -4, -7])
def test_values_and_slopes_of_powers(base, power):
    given = {"A": A, "x": X} if "A" in base else {"x": X}
    d = derive(f"y = {base}**{power}", wrt="x")
    value, slope = d.compile(value=True)(**given)
    with np.errstate(all="ignore"):
        assert_close(value, BASES[base](X) ** float(power), tol=1e-13)
    if abs(power) < 10:
        numerical = numerical_jacobian(lambda x: BASES[base](x) ** float(power), {"x": X}, "x")
        assert_close(slope, numerical, tol=1e-7)


def test_second_derivatives_of_powers():
    for power in (3, 4, 5, 6, 7):
        d = derive(f"y = sum((A @ x)**{power})", wrt="x", order=2)
        expected = (A.T * (power * (power - 1) * (A @ X) ** float(power - 2))) @ A
        assert_close(d(A=A, x=X), expected, tol=1e-12)


def test_no_power_but_squares_is_left_to_numpy():
    for program in ("y = x**3", "y = sum(exp(x)**7)", "y = sum(1/x**5)", "y = (A @ x)**32"):
        source = derive(program, wrt="x").source(value=True)
        code = re.sub(r'""".*?"""', "", source, flags=re.S)
        assert set(re.findall(r"\*\*=? ?(\d+)", code)) <= {"2"}, code
    source = derive("y = sum(x**40)", wrt="x").source(value=True)
    assert "x**40" in source and "x**39" in source


def test_what_is_raised_is_computed_once():
    source = derive("y = sin(x)**3", wrt="x", mode="forward").source(value=True)
    assert len(re.findall(r"np\.sin\(", source)) == 1


def test_numbers_are_raised_as_they_are():
    d = derive("y = c**3", wrt="c", shapes={"c": ()})
    value, slope = d.compile(value=True)(-1.7)
    assert value == (-1.7) ** 3 and slope == pytest.approx(3 * 1.7**2)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, np.int8])
def test_types_stay(kind):
    x = np.array([2, -3, 1, 0]).astype(kind)
    value, slope = derive("y = x**3*w", wrt="w").compile(value=True)(x, np.ones(4, kind))
    assert value.dtype == (x**3 * np.ones(4, kind)).dtype
    np.testing.assert_array_equal(value, x**3)
    np.testing.assert_array_equal(np.diag(slope), x**3)


def test_where_powers_overflow_and_at_zero():
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e200, -1e200, 1e-200, -1e-200])
    with np.errstate(all="ignore"):
        for power in (3, 4, 5, 6):
            value = derive(f"y = x**{power}", wrt="x").compile(value=True)(x)[0]
            np.testing.assert_array_equal(value, x**power)
            np.testing.assert_array_equal(np.signbit(value[:4]), np.signbit((x**power)[:4]))


def test_arrays_without_entries():
    d = derive("y = sum(sin(x)**5)", wrt="x")
    assert d.compile(value=True)(np.zeros(0))[0] == 0
    assert d(np.zeros(0)).shape == (0,)


def test_arguments_stay_and_workspaces_are_used_again():
    d = derive("y = sum(exp(x)**5*x**3)", wrt="x")
    for options in ({}, {"workspace": True}, {"sizes": {"n": 100_000}}):
        function, x = d.compile(**options), X.copy()
        first = function(x)
        assert_close(first, np.exp(X) ** 5 * (5 * X**3 + 3 * X**2), tol=1e-13)
        np.testing.assert_array_equal(function(x), first)
        np.testing.assert_array_equal(x, X)
