"""Weighted products of a matrix with itself are products of one array with its own transpose."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample
from test_rules_elementwise import FUNCTIONS, call, samples

from einsumdiff import derive

SHAPES = {"X": (7, 3), "w": (3,), "y": (7,), "s": (7,), "B": (3, 5), "W": (3, 2)}

SQUARED = [
    ("sum(log(1 + exp(X @ w)))", "w"),
    ("sum(log(1 + exp(-y*(X @ w))))", "w"),
    ("sum(exp(X @ w))", "w"),
    ("sum(exp(X @ w)/sqrt(1 + s**2))", "w"),
    ("sum(s**2*(X @ w)**2)", "w"),
    ("sum(abs(s)*(X @ w - y)**2)", "w"),
    ("sum((s > 0)*(X @ w)**2)", "w"),
    ("sum(exp(s)*(w @ B)[0]**2*(X @ w)**2)", "s"),
]
NOT = [
    ("sum(s*(X @ w)**2)", "w"),  # of either sign
    ("sum((X @ w)**3)", "w"),
    ("sum(sin(X @ w))", "w"),
    ("sum((X @ w)**2)", "w"),  # no weight: it is one as it stands
]


def arrays(program):
    words = program.replace("exp", "").replace("sqrt", "").replace("abs", "").replace("sum", "")
    shapes = {name: shape for name, shape in SHAPES.items() if name in words.replace("sin", "")}
    return shapes, sample(shapes, seed=3)


@pytest.mark.parametrize(("program", "wrt"), [*SQUARED, *NOT])
def test_the_numbers_are_those_of_differences(program, wrt):
    shapes, given = arrays(program)
    first = derive(program, wrt=wrt, shapes=shapes)
    second = derive(program, wrt=wrt, order=2, shapes=shapes)
    given = {name: given[name] for name in first.inputs}
    assert_close(second(**given), numerical_jacobian(first, given, wrt), 1e-8)
    single = {name: one.astype(np.float32) for name, one in given.items()}
    assert second(**single).dtype == np.float32


@pytest.mark.parametrize(("program", "wrt"), SQUARED[:-1])
def test_one_array_meets_its_own_transpose(program, wrt):
    d = derive(program, wrt=wrt, order=2, shapes=arrays(program)[0])
    given = {name: arrays(program)[1][name] for name in d.inputs}
    lines = [line for line in d.source().splitlines() if ".T @ " in line]
    left, right = (side.strip("( )") for side in lines[-1].partition("=")[2].split("*")[-1].split(".T @"))
    assert left == right and left.startswith("t")
    assert ("np.sqrt" in d.source()) == ("sum(s**2" not in program)  # s is a root of its square
    np.testing.assert_array_equal(d(**given), d(**given).T)
    empty = {
        name: np.zeros((0, *one.shape[1:])) if one.shape[:1] == (7,) else one for name, one in given.items()
    }
    free = derive(program, wrt=wrt, order=2)
    assert not free(**empty).any()


@pytest.mark.parametrize(("program", "wrt"), NOT)
def test_what_may_be_negative_is_left_alone(program, wrt):
    assert "np.sqrt" not in derive(program, wrt=wrt, order=2, shapes=arrays(program)[0]).source()


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name) for row in FUNCTIONS if "nonnegative" in row.options]
)
def test_a_row_that_says_nonnegative_is_so(row):
    for arguments in samples(row, 200):
        assert np.all(np.asarray(call(row, arguments)) >= 0)
