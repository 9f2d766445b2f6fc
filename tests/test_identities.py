"""Identities of rules/identities.rules: the value and both derivatives of the formula as it is typed.

At moderate numbers the formula typed is right as it stands; at large ones the numbers are moved by a
shift, under which the exact result moves in a known way.
"""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import derive

E = np.exp
MATRIX = np.random.default_rng(3).standard_normal((3, 5))
CUBE = np.random.default_rng(4).standard_normal((2, 3, 5))

# the program and the same in NumPy; the value moves by as much as all arrays do
LOGARITHMS = {
    "log(mean(exp(X)))": lambda X: np.log(np.mean(E(X))),
    "log(mean(exp(X), axis=0))": lambda X: np.log(np.mean(E(X), axis=0)),
    "log(mean(exp(X), axis=(0, 2)))": lambda X: np.log(np.mean(E(X), axis=(0, 2))),
    "log(2*sum(exp(X), axis=1))": lambda X: np.log(2 * np.sum(E(X), axis=1)),
    "log(sum(exp(X), axis=1)/3)": lambda X: np.log(np.sum(E(X), axis=1) / 3),
    "log(sum(2*exp(X), axis=-1)*3)": lambda X: np.log(np.sum(2 * E(X), axis=-1) * 3),
    "h = exp(X); s = sum(h, axis=1); log(2*s)": lambda X: np.log(2 * np.sum(E(X), axis=1)),
    "log(exp(X) + exp(2*X - Y))": lambda X, Y: np.log(E(X) + E(2 * X - Y)),
    "log(X.size*sum(exp(X)))": lambda X: np.log(15 * np.sum(E(X))),
    "log(mean(mean(exp(X), axis=0)))": lambda X: np.log(np.mean(E(X))),
    "Z[j] = log(sum[i](exp(X[i,j]))/2)": lambda X: np.log(np.sum(E(X), axis=0) / 2),
    "log(2*exp(X))": lambda X: np.log(2) + X,
    "log((exp(X) + exp(Y))/2)": lambda X, Y: np.log((E(X) + E(Y)) / 2),
    "log(exp(X) + exp(Y) + exp(2*X - Y))": lambda X, Y: np.log(E(X) + E(Y) + E(2 * X - Y)),
    "log(exp(X[0,0]) + sum(exp(X), axis=1))": lambda X: np.log(E(X.flat[0]) + np.sum(E(X), axis=1)),
    "log(sum(exp(X)) + exp(X))": lambda X: np.log(np.sum(E(X)) + E(X)),
    "h = exp(X); g = exp(Y); log(h + g)": lambda X, Y: np.log(E(X) + E(Y)),
}
OTHERS = {
    "log(1 + sum(exp(X), axis=1))": lambda X: np.log(1 + np.sum(E(X), axis=1)),
    "log(sum(exp(X)) + 1)": lambda X: np.log(1 + np.sum(E(X))),
    "log1p(sum(exp(X), axis=0))": lambda X: np.log1p(np.sum(E(X), axis=0)),
    "1 - sigmoid(X)": lambda X: 1 / (1 + E(X)),
    "P = exp(X); sum(P*log2(P))": lambda X: np.sum(E(X) * X) / np.log(2),
    "P = exp(X); P*log10(P)": lambda X: E(X) * X / np.log(10),
    "log(1 - sigmoid(X))": lambda X: np.log(1 - 1 / (1 + E(-X))),
    "log1p(-sigmoid(X))": lambda X: np.log1p(-1 / (1 + E(-X))),
    "log(cosh(X - Y))": lambda X, Y: np.log(np.cosh(X - Y)),
    "h = cosh(X); sum(log(h)*Y, axis=0)": lambda X, Y: np.sum(np.log(np.cosh(X)) * Y, axis=0),
    "P = exp(X); sum(P*log(P), axis=1)": lambda X: np.sum(E(X) * X, axis=1),
    "P = sigmoid(X); -sum(2*P*log(P)*Y, axis=0)": lambda X, Y: (
        -np.sum(2 / (1 + E(-X)) * np.log(1 / (1 + E(-X))) * Y, axis=0)
    ),
    # these are none: a factor of either sign, or one that varies along the sum
    "log(Y[0,0]*Y[0,0]*sum(exp(X)))": lambda X, Y: np.log(Y.flat[0] ** 2 * np.sum(E(X))),
    "log(sum(Y**2*exp(X)))": lambda X, Y: np.log(np.sum(Y**2 * E(X))),
    "log(2*(3*exp(X) + exp(Y)))": lambda X, Y: np.log(6 * E(X) + 2 * E(Y)),
    "log(2*exp(X) + 3)": lambda X: np.log(2 * E(X) + 3),
    "log(5*exp(X) - exp(X - 1))": lambda X: np.log(5 * E(X) - E(X - 1)),
    "log(-2*sum(-exp(X)))": lambda X: np.log(-2 * np.sum(-E(X))),
}


def arrays(program):
    X = CUBE if "(0, 2)" in program else MATRIX
    given = {"X": X, "Y": np.cos(3 * X)} if "Y" in program else {"X": X}
    return given, {name: one.shape for name, one in given.items()}


@pytest.mark.parametrize("program", [*LOGARITHMS, *OTHERS])
def test_the_formula_as_typed(program):
    function = (LOGARITHMS | OTHERS)[program]
    given, shapes = arrays(program)
    d = derive(program, wrt="X", shapes=shapes)
    value, slope = d.compile(value=True)(**given)
    assert_close(value, function(**given))
    assert_close(slope, numerical_jacobian(function, given, "X"))
    second = derive(program, wrt="X", order=2, shapes=shapes)
    assert_close(second(**given), numerical_jacobian(d, given, "X"))


@pytest.mark.parametrize("program", LOGARITHMS)
@pytest.mark.parametrize("shift", [800.0, -800.0])
def test_large_numbers_move_the_value_and_not_the_slope(program, shift):
    given, shapes = arrays(program)
    d = derive(program, wrt="X", shapes=shapes)
    value, slope = d.compile(value=True)(**given)
    far, same = d.compile(value=True)(**{name: one + shift for name, one in given.items()})
    assert_close(far - shift, value)
    assert_close(same, slope)
