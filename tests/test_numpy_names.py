"""Names of NumPy that say little of their own, in text and in functions: real, linspace, rollaxis, astype."""

import re

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive

SHAPES = {"s": (), "r": (), "x": (3,), "A": (3, 5), "T": (2, 3, 5)}

SAME = """
rollaxis(T, 2)  rollaxis(T, 0, 3)  rollaxis(T, -1, -2)  rollaxis(T, 1, start=1)  rollaxis(A, 1)
atleast_3d(s)  atleast_3d(x)  atleast_3d(A)  atleast_3d(T)
linspace(s, r, 5)  linspace(s, 3, 1)  linspace(0, s)  linspace(s, r, num=2)  linspace(r, s, 0)
real(x)  imag(x)  real_if_close(x)  angle(A)  nan_to_num(T)
""".strip()
PROGRAMS = [one for line in SAME.splitlines() for one in line.split("  ")]

every_program = pytest.mark.parametrize("text", PROGRAMS)


def used(text):
    return {name: shape for name, shape in SHAPES.items() if re.search(rf"(?<!\.)\b{name}\b", text)}


def numpys(text, names):
    """The text as a Python function of NumPy."""
    body = re.sub(r"\b(?=[a-z]\w+\()", "np.", text)
    return eval(f"lambda {', '.join(names)}: {body}", {"np": np})


@every_program
def test_value_and_derivative_are_numpys_in_text_and_in_a_function(text):
    shapes = used(text)
    arrays, f = sample(shapes, seed=1), numpys(text, shapes)
    for wrt in shapes:
        d = derive(text, wrt, shapes=shapes)
        value, slope = d.compile(value=True)(**arrays)
        assert_close(value, f(**arrays), 1e-14)
        assert_close(slope, numerical_jacobian(f, arrays, wrt), 1e-9)
        assert derive(f, wrt, shapes=shapes) == d


@every_program
def test_the_second_derivative_of_squares_is_right(text):
    shapes = used(text)
    wrt = next(iter(shapes))
    program = f"y = sum({text}**2)"
    found = derive(program, wrt, shapes=shapes, order=2)(**(arrays := sample(shapes, seed=2)))
    expected = numerical_jacobian(derive(program, wrt, shapes=shapes), arrays, wrt)
    assert_close(found, expected, 1e-9)


@pytest.mark.parametrize("text", ["rollaxis(A, 1)", "atleast_3d(A)", "atleast_3d(x)", "nan_to_num(x)"])
def test_sizes_may_be_names(text):
    arrays = sample(used(text), seed=3)
    for wrt in arrays:
        found = derive(text, wrt)(**arrays)
        assert_close(found, derive(text, wrt, shapes=used(text))(**arrays), 1e-15)


def test_nan_to_num_has_slope_0_where_it_replaces():
    x = np.array([np.nan, np.inf, -np.inf, 1.5])
    assert_close(np.diagonal(derive("nan_to_num(x)", "x")(x=x)), [0.0, 0.0, 0.0, 1.0])


AS_FLOAT = [lambda x: np.sin(x.astype(float))]
if hasattr(np, "astype"):  # from NumPy 2.1 on
    AS_FLOAT.append(lambda x: np.sin(np.astype(x, np.float64)))


@pytest.mark.parametrize("function", AS_FLOAT)
def test_astype_to_a_floating_type_changes_nothing_in_a_function(function):
    assert derive(function, "x", shapes={"x": 3}) == derive("sin(x)", "x", shapes={"x": 3})


def test_the_parts_of_a_real_array_are_attributes_in_a_function():
    d = derive(lambda x: np.sin(x.real) + x.imag, "x", shapes={"x": 3})
    assert d == derive("sin(x)", "x", shapes={"x": 3})


@pytest.mark.parametrize(
    "text, message",
    [
        ("linspace(x, 1, 5)", "linspace is between two numbers"),
        ("linspace(s, 1, 2.5)", "num is a whole number"),
        ("rollaxis(A, 0, 5)", "start is a whole number up to 2"),
        ("nan_to_num(x, 1.0)", "at most 1 argument"),
    ],
)
def test_what_has_no_meaning_is_refused(text, message):
    with pytest.raises(EinsumDiffError, match=message):
        derive(text, next(iter(used(text))), shapes=used(text))
