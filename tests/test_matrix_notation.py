"""notation="matrix": what is typed means what it means in MATLAB, and is derived like any other program."""

import inspect
import pickle

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, read

SHAPES = {
    "A": (3, 3),
    "B": (3, 3),
    "X": (5, 3),
    "w": (3,),
    "x": (3,),
    "y": (3,),
    "v": (3,),
    "c": (),
    "z": (5,),
}
inv = np.linalg.inv

# the expressions of matrixcalculus.org's documentation and of DiffMatic's kind, with the same in NumPy
CASES = [
    ("x'*A*x", "x", lambda A, x: x @ A @ x),
    ("x'*A*x + c*sin(y)'*x", "x", lambda x, A, c, y: x @ A @ x + c * np.sin(y) @ x),
    ("norm2(X*x-z)^2", "x", lambda X, x, z: np.sum((X @ x - z) ** 2)),
    ("sum(log(exp(-z.*(X*w))+vector(1)))", "w", lambda z, X, w: np.sum(np.log(np.exp(-z * (X @ w)) + 1))),
    ("A*exp(x)", "x", lambda A, x: A @ np.exp(x)),
    ("(y.*v)'*x", "y", lambda y, v, x: (y * v) @ x),
    ("tr(A*X'*X*B)", "X", lambda A, X, B: np.trace(A @ X.T @ X @ B)),
    ("x*y'", "x", lambda x, y: np.outer(x, y)),
    ("X*vector(1)", "X", lambda X: X.sum(1)),
    ("vector(1)'*x", "x", lambda x: x.sum()),
    ("inv(A + 2*eye)*x", "A", lambda A, x: inv(A + 2 * np.eye(3)) @ x),
    ("A^3", "A", lambda A: A @ A @ A),
    ("A^-1*x", "A", lambda A, x: inv(A) @ x),
    ("A\\x", "A", lambda A, x: np.linalg.solve(A, x)),
    ("logdet(A)", "A", lambda A: np.linalg.slogdet(A)[1]),
    ("A.^2./exp(B)", "A", lambda A, B: A**2 / np.exp(B)),
    ("x.^3", "x", lambda x: x**3),
    ("sin(tr(A))", "A", lambda A: np.sin(np.trace(A))),
    ("norm1(x)", "x", lambda x: np.abs(x).sum()),
    ("2*x - y/3", "y", lambda x, y: 2 * x - y / 3),
    ("diag(x)*A", "x", lambda x, A: np.diag(x) @ A),
    ("sum(A.*matrix(1))", "A", lambda A: A.sum()),
    ("X.*z", "z", lambda X, z: X * z[:, None]),
    ("X.*w'", "w", lambda X, w: X * w),
    ("r = X*x - z; r'*r % comment", "x", lambda X, x, z: np.sum((X @ x - z) ** 2)),
    ("x'*x*x", "x", lambda x: (x @ x) * x),
    ("x*x'*x", "x", lambda x: (x @ x) * x),
]


@pytest.mark.parametrize(("text", "wrt", "f"), CASES, ids=[case[0] for case in CASES])
def test_it_is_derived_to_both_orders(text, wrt, f):
    names = list(inspect.signature(f).parameters)
    arrays = sample({name: SHAPES[name] for name in names}, seed=3)
    shapes = {name: SHAPES[name] for name in names}
    d = derive(text, wrt, notation="matrix", shapes=shapes)
    assert_close(d(**arrays), numerical_jacobian(f, arrays, wrt), 1e-8)
    second = derive(text, wrt, notation="matrix", shapes=shapes, order=2)
    assert_close(second(**arrays), numerical_jacobian(d, arrays, wrt), 1e-7)
    assert read(str(d)) == d
    assert pickle.loads(pickle.dumps(d)) == d


def test_names_and_declarations_say_what_is_a_scalar_a_vector_a_matrix():
    d = derive("c: ()\nr = A*x - b % the residual\nc*(r'*r)", wrt="x", notation="matrix")
    assert str(d).splitlines()[:2] == ["r[i] = A[i,j]*x[j] - b[i]", "dy/dx[i] = 2*c*A[j,i]*r[j]"]
    assert d == derive("c: (); r = A @ x - b; y = c*(r @ r)", wrt="x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x*y", "x is a column and y is a column: they have no product"),
        ("x + y'", "x is a column and y' is a row"),
        ("A@x", "the matrix product is *"),
        ("x**2", "* is not expected here"),
        ("A^0.5*x", "the power of a matrix is a whole number"),
        ("x^2", "^ is of matrices and scalars"),
        ("x*vector(1)'", "the size of vector(1)' does not follow"),
        ("vector(1)", "the size of vector(1) does not follow from anything"),
        ("foo(x)", "foo is no function that is known"),
        ("A/B*x", "a division by a matrix"),
        ("x'*", "the program ends too early"),
        ("roll(x, 1)", "roll has no meaning in matrix notation"),
    ],
)
def test_what_means_nothing_is_refused_with_a_caret(text, message):
    with pytest.raises(EinsumDiffError) as caught:
        derive(text, "x", notation="matrix")
    assert message in str(caught.value) and "^" in str(caught.value)
