"""What terms have in common, apart from the rest of them by labels, is multiplied with their sum."""

import re

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample
from test_recurring import meaning

from einsumdiff import derive

SHAPES = {"A": (2, 3), "B": (2, 3), "C": (3, 2), "x": (5,), "y": (7,), "u": (2,), "v": (3,), "s": ()}

PROGRAMS = [
    "Z[i,j,k] = A[i,j]*x[k] - 2*B[i,j]*x[k]",
    "Z[i,j,k,l] = A[i,j]*x[k]*y[l] + B[i,j]*x[k]*y[l] - u[i]*v[j]*x[k]*y[l]",
    "Z[i,j,k,l] = A[i,j]*x[k]*y[l] + B[i,j]*x[k] - s*C[j,i]*x[k]*y[l]",
    "Z[i,j,k,l] = A[i,j]*x[k]*y[l] + 3*A[i,j]*x[k] - u[i]*v[j]*y[l]",
    "Z[i,j,k] = A[i,m]*C[m,j]*x[k] + B[i,m]*C[m,j]*x[k] - s*u[i]*u[j]*x[k] + x[k]",
    "Z[i,j,k] = A[i,m]*v[m]*x[k]*y[j] - B[i,m]*v[m]*x[k]*y[j] + u[i]*y[j]*x[k]**2",
    "Z[i,k] = -s*u[i]*x[k] - 2*sum(v)*u[i]*x[k] - u[i]**2*x[k]",
    "Z[i,j,k] = A[i,j]*x[k] + where(A[i,j] > 0, 1, B[i,j])*x[k]",
]


CASES = [(program, wrt) for program in PROGRAMS for wrt in "ABxus" if wrt in re.findall(r"\w+", program)]


@pytest.mark.parametrize(("program", "wrt"), CASES)
def test_numbers_are_those_of_the_formula(program, wrt):
    shapes = {name: SHAPES[name] for name in re.findall(r"\w+", program) if name in SHAPES}
    given = sample(shapes, seed=6)
    d = derive(program, wrt=wrt, shapes=shapes)
    given = {name: given[name] for name in d.inputs}
    value, found = d.compile(value=True)(**given)
    f = d.compile(value=True)
    assert_close(found, numerical_jacobian(lambda **a: f(**a)[0], given, wrt), 1e-8)
    assert_close(found, meaning(d, given), 1e-12)
    assert value.shape == d.shape[: value.ndim]


def test_a_large_result_is_written_once():
    d = derive("L = sum((A @ x)**2)*sum((B @ x)**2)", wrt=("A", "B"), order=2)
    given = sample({"A": (2, 3), "B": (2, 3), "x": (3,)}, seed=1)
    first = derive("L = sum((A @ x)**2)*sum((B @ x)**2)", wrt=("A", "B"))
    for one in "AB":
        for other in "AB":
            expected = numerical_jacobian(lambda one=one, **a: first(**a)[one], given, other)
            assert_close(d(**given)[one, other], expected, 1e-8)
    net = derive(
        "sum(tanh(C @ tanh(B @ tanh(A @ x)))**2)", wrt="A", order=2, shapes=dict.fromkeys("ABC", "n n")
    )
    body = net.source().rpartition('"""')[2]
    assert body.count("[:, None, :, None]") == 1
    assert net.cost(n=50).flops < 6 * 50**4


def test_an_infinite_term_stays_one():
    d = derive("Z[i,k] = s*u[i]*x[k] + v[i]*x[k]", wrt="x", shapes={"u": "n", "v": "n", "x": "k", "s": ()})
    u, v, x = np.array([np.inf, 1.0]), np.array([1.0, 2.0]), np.ones(3)
    found = d(s=2.0, u=u, v=v, x=x)
    np.testing.assert_array_equal(np.einsum("ikk->ik", found), [[np.inf] * 3, [4.0] * 3])
