"""What stands in generated source, and how often: nothing is computed twice to save a name."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive
from einsumdiff.language.table import Function, load_table

SHAPES = {"X": (7, 3), "w": (3,), "A": (3, 3), "x": (3,)}
SHARED = [
    ("sum(log(1 + exp(X @ w)))", "w", "X @ w"),
    ("sum(sigmoid(X @ w)**2)", "w", "X @ w"),
    ("sum(sigmoid(exp(x)))", "x", "np.exp(x)"),
    ("sum(logcosh(A @ x)*w)", "x", "A @ x"),
]


def given_for(program):
    shapes = {name: SHAPES[name] for name in SHAPES if name in program.replace("exp", "")}
    return shapes, sample(shapes, seed=4)


@pytest.mark.parametrize(("program", "wrt", "part"), SHARED)
@pytest.mark.parametrize("value", [False, True])
def test_the_argument_of_a_function_that_mentions_it_twice_is_computed_once(program, wrt, part, value):
    shapes, _ = given_for(program)
    text = derive(program, wrt=wrt, shapes=shapes).source(value=value)
    assert text.count(part) == 1, text


@pytest.mark.parametrize(("program", "wrt", "part"), SHARED)
def test_its_numbers_are_those_of_differences(program, wrt, part):
    shapes, given = given_for(program)
    first = derive(program, wrt=wrt, shapes=shapes)
    value = first.compile(value=True)
    assert_close(first(**given), numerical_jacobian(lambda **a: value(**a)[0], given, wrt), 1e-7)
    second = derive(program, wrt=wrt, order=2, shapes=shapes)
    assert_close(second(**given), numerical_jacobian(lambda **a: first(**a), given, wrt), 1e-7)


@pytest.mark.parametrize(("program", "wrt", "part"), SHARED)
def test_float32_stays_float32(program, wrt, part):
    shapes, given = given_for(program)
    single = {name: one.astype(np.float32) for name, one in given.items()}
    assert derive(program, wrt=wrt, shapes=shapes)(**single).dtype == np.float32


def test_a_spelling_knows_which_parameters_it_repeats():
    table = load_table()
    repeated = {
        name: [p.name for p in row.parameters if row.spelling.repeats(p.name)]
        for name, row in ((n, table[n]) for n in ("sigmoid", "logcosh", "exp", "less"))
        if isinstance(row, Function)
    }
    assert repeated == {"sigmoid": ["x"], "logcosh": ["x"], "exp": [], "less": []}
