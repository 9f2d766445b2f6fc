"""Every identity of The Matrix Cookbook, section 2: its numbers, in two notations, and how few it keeps."""

import pytest
from acceptance.cookbook import ROWS, SIZES, Row
from numeric import assert_close, numerical_jacobian
from stored import stored

from einsumdiff import derive

LARGE = {"m": 30, "n": 50, "p": 70, "q": 20}
"""Sizes at which an outer product that was multiplied out, or a dense delta, shows in the count."""

every_row = pytest.mark.parametrize("row", ROWS, ids=[f"{one.number} {one.program}" for one in ROWS])
either_notation = pytest.mark.parametrize("notation", ["program", "indexed"])


def derived(row: Row, notation: str):
    return derive(getattr(row, notation), wrt=row.wrt, shapes=row.shapes, order=row.order)


def test_all_identities_are_here():
    assert len(ROWS) == len({row.number for row in ROWS}) == 83


@every_row
def test_the_formula_is_the_slope_of_the_value(row):
    """The table itself."""
    slope = numerical_jacobian(row.value, row.arrays, row.wrt)
    assert_close(row.formula(**row.arrays), slope, 1e-7)


@every_row
@either_notation
def test_the_derivative_is_the_formula_and_the_slope(row, notation):
    result = derived(row, notation)(**row.arrays)
    assert_close(result, row.formula(**row.arrays), 1e-9)
    assert_close(result, numerical_jacobian(row.value, row.arrays, row.wrt), 1e-7)


@every_row
@either_notation
@pytest.mark.parametrize("sizes", [SIZES, LARGE], ids=["small", "large"])
def test_the_derivative_keeps_no_more_numbers_than_it_must(row, notation, sizes):
    assert stored(derived(row, notation), sizes) <= eval(row.stored, {}, sizes)


@pytest.mark.parametrize(
    "program, wrt, shapes, count",
    [
        ("x + 1", "x", {"x": "n"}, "0"),
        ("exp(x)", "x", {"x": "n"}, "n"),
        ("a*b*x", "x", {"a": "", "b": "", "x": "n"}, "1"),
        ("A @ X @ B", "X", {"A": "m n", "X": "n p", "B": "p q"}, "m*n + p*q"),
        ("A @ X @ A.T", "X", {"A": "m n", "X": "n n"}, "m*n"),
        ("softmax(x)", "x", {"x": "n"}, "n"),
        ("sum(exp(A @ X))", "X", {"A": "m n", "X": "n p"}, "n*p"),
        ("X*x", "X", {"X": "m n", "x": "n"}, "n"),
        ("exp(X*x)", "X", {"X": "m n", "x": "n"}, "m*n"),
        ("y[i] = x[i+k]*w[k]", "w", {"x": "n", "w": "q"}, "n"),
    ],
)
def test_the_count_itself_is_right_where_it_is_known(program, wrt, shapes, count):
    assert stored(derive(program, wrt=wrt, shapes=shapes), LARGE) == eval(count, {}, LARGE)
