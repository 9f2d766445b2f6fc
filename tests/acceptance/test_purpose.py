"""What the library exists for: the expressions for which people have looked for such a tool."""

import numpy as np
import pytest
import scipy.special
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive

RANDOM = sample({"W": (2, 3), "X": (2, 3), "b": (3,), "A": (2, 3), "B": (3, 5)})


@pytest.mark.parametrize(
    "wrt, expected",
    [
        ("W", lambda W, X, b: X),
        ("X", lambda W, X, b: W),
        ("b", lambda W, X, b: np.full(3, 2.0)),
    ],
)
def test_a_sum_of_products_plus_a_vector_in_each_variable(wrt, expected):
    arrays = {name: RANDOM[name] for name in ("W", "X", "b")}
    d = derive("y = sum(W*X + b)", wrt=wrt)
    assert_close(d(**arrays), expected(**arrays))


def test_a_sum_of_products_plus_a_number():
    d = derive("y = sum(W*X + b)", wrt="b", shapes={"b": ()})
    assert_close(d(W=RANDOM["W"], X=RANDOM["X"], b=7.0), 6.0)


def test_all_variables_at_once_give_a_mapping():
    arrays = {name: RANDOM[name] for name in ("W", "X", "b")}
    d = derive("y = sum(W*X + b)", wrt=["W", "X", "b"])
    result = d(**arrays)
    assert set(result) == {"W", "X", "b"}
    assert_close(result["W"], arrays["X"])
    assert_close(result["X"], arrays["W"])
    assert_close(result["b"], np.full(3, 2.0))
    assert_close(d["W"](**arrays), arrays["X"])


def test_a_matrix_product_in_each_variable():
    X, Y = RANDOM["A"], RANDOM["B"]
    assert_close(derive("Z[i,j] = X[i,k]*Y[k,j]", wrt="X")(X=X, Y=Y), np.einsum("im,nj->ijmn", np.eye(2), Y))
    assert_close(derive("Z[i,j] = X[i,k]*Y[k,j]", wrt="Y")(X=X, Y=Y), np.einsum("im,jn->ijmn", X, np.eye(5)))


def test_the_logarithm():
    x = np.array([0.1, 1.0, 20.0])
    assert_close(derive("log(x)", wrt="x")(x=x), np.diag(1 / x))


def test_a_valid_convolution_in_kernel_and_input():
    arrays = sample({"X": (5, 7), "W": (2, 3)})
    X, W = arrays["X"], arrays["W"]
    program = "Z[i,j] = X[i+m, j+n]*W[m,n]"
    windows = np.lib.stride_tricks.sliding_window_view(X, W.shape)
    assert_close(derive(program, wrt="W")(**arrays), windows)
    in_input = np.zeros((4, 5, 5, 7))
    for i, j in np.ndindex(4, 5):
        in_input[i, j, i : i + 2, j : j + 3] = W
    assert_close(derive(program, wrt="X")(**arrays), in_input)
    value, _ = derive(program, wrt="X").compile(value=True)(**arrays)
    assert_close(value, np.einsum("ijmn,mn->ij", windows, W))


def test_a_strided_convolution_in_kernel_and_input():
    arrays = sample({"X": (7, 8), "W": (2, 3)})
    X, W = arrays["X"], arrays["W"]
    program = "Z[i,j] = X[i+m, 2*j+n]*W[m,n]"
    assert_close(
        derive(program, wrt="W")(**arrays), np.lib.stride_tricks.sliding_window_view(X, (2, 3))[:, ::2]
    )
    in_input = np.zeros((6, 3, 7, 8))
    for i, j in np.ndindex(6, 3):
        in_input[i, j, i : i + 2, 2 * j : 2 * j + 3] = W
    assert_close(derive(program, wrt="X")(**arrays), in_input)


def test_the_exponential_of_three_axes():
    x = sample({"x": (2, 3, 4)})["x"]
    identities = np.einsum("ai,bj,ck->abcijk", np.eye(2), np.eye(3), np.eye(4))
    d = derive("exp(x)", wrt="x", shapes={"x": (2, 3, 4)})
    assert_close(d(x=x), np.exp(x)[..., None, None, None] * identities)


def test_a_batched_matrix_product_has_a_jacobian_of_six_axes():
    arrays = sample({"x": (4, 3, 2), "y": (4, 2, 3)})
    shapes = {"x": (4, 3, 2), "y": (4, 2, 3)}
    in_x = derive("matmul(x, y)", wrt="x", shapes=shapes)(**arrays)
    assert in_x.shape == (4, 3, 3, 4, 3, 2)
    assert_close(in_x, np.einsum("bnj,bc,im->bijcmn", arrays["y"], np.eye(4), np.eye(3)))
    in_y = derive("matmul(x, y)", wrt="y", shapes=shapes)(**arrays)
    assert_close(in_y, np.einsum("bim,bc,jn->bijcmn", arrays["x"], np.eye(4), np.eye(3)))


def test_a_vector_is_added_to_each_row():
    arrays = sample({"x": (2,), "y": (2, 2)})
    shapes = {"x": (2,), "y": (2, 2)}
    assert_close(
        derive("x + y", wrt="x", shapes=shapes)(**arrays), np.einsum("i,jm->ijm", np.ones(2), np.eye(2))
    )
    assert_close(
        derive("x + y", wrt="y", shapes=shapes)(**arrays), np.einsum("im,jn->ijmn", np.eye(2), np.eye(2))
    )


def test_a_column_is_added_to_a_stack_of_matrices():
    shapes = {"x": (20, 1), "y": (10, 20, 30)}
    arrays = sample(shapes)
    in_x = derive("x + y", wrt="x", shapes=shapes)(**arrays)
    expected = np.broadcast_to(np.eye(20)[None, :, None, :, None], (10, 20, 30, 20, 1))
    np.testing.assert_array_equal(in_x, expected)
    in_y = derive("x + y", wrt="y", shapes=shapes)(**arrays)
    assert in_y.shape == (10, 20, 30, 10, 20, 30)
    matrix = in_y.reshape(6000, 6000)
    assert np.count_nonzero(matrix) == 6000
    assert (matrix.diagonal() == 1).all()


def test_a_tensor_contraction_under_a_scalar_loss():
    arrays = sample({"A": (2, 3, 5, 7), "B": (4, 5, 2, 3)})
    A, B = arrays["A"], arrays["B"]
    d = derive("C[j0,j1,j2,j3] = A[d0,j0,d1,j1]*B[j2,d1,d0,j3]\nL = sum(C**2)/2", wrt="A")
    C = np.einsum("ajbk,lban->jkln", A, B)
    assert_close(d(**arrays), np.einsum("jkln,lban->ajbk", C, B))


def test_log_softmax():
    x = np.array([0.3, -2.0, 1.1, 4.0])
    assert_close(derive("log_softmax(x)", wrt="x")(x=x), np.eye(4) - scipy.special.softmax(x))
    X = sample({"X": (3, 5)})["X"]
    s = scipy.special.softmax(X, axis=1)
    expected = np.einsum("im,jn->ijmn", np.eye(3), np.eye(5)) - np.einsum("im,in->imn", np.eye(3), s)[:, None]
    assert_close(derive("log_softmax(X)", wrt="X")(X=X), expected)


@pytest.mark.parametrize(
    "program",
    [
        "L = -mean(sum(Y*log_softmax(X @ W + b), axis=1))",
        "L = mean(logsumexp(X @ W + b, axis=1) - sum(Y*(X @ W + b), axis=1))",
        "Z = X @ W + b\nP = exp(Z)/sum(exp(Z), axis=1, keepdims=True)\nL = -sum(Y*log(P))/P.shape[0]",
    ],
    ids=["log_softmax", "logsumexp", "written out"],
)
def test_cross_entropy(program):
    arrays = sample({"X": (5, 3), "W": (3, 4), "b": (4,)})
    X, W, b = arrays.values()
    Y = np.eye(4)[[0, 3, 1, 1, 2]]
    d = derive(program, wrt=["W", "b"], shapes={"X": "n p", "W": "p k", "b": "k", "Y": "n k"})
    result = d(**arrays, Y=Y)
    residual = (scipy.special.softmax(X @ W + b, axis=1) - Y) / 5
    assert_close(result["W"], X.T @ residual)
    assert_close(result["b"], residual.sum(axis=0))


SIGMOID = "a = -x\nb = exp(a)\nc = 1 + b\ns = 1/c\ny = 2*s"


def test_a_sigmoid_written_out_in_five_statements():
    x = np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    s = 1 / (1 + np.exp(-x))
    assert_close(derive(SIGMOID, wrt="x")(x=x), np.diag(2 * s * (1 - s)))
    assert_close(
        derive(SIGMOID, wrt="x", order=2)(x=x),
        np.einsum("i,ij,ik->ijk", 2 * s * (1 - s) * (1 - 2 * s), np.eye(5), np.eye(5)),
    )


# What overflows when it is computed as it is written: every array here has entries of 1e3 in size.

LARGE = {
    "both": np.array([1e3, -1e3, 0.0, 999.0, 1e3]),
    "high": np.array([1e3, 1e3 - 1, 998.5]),
    "low": np.array([-1e3, -1e3 - 1, -998.5]),
    "one": np.array([1e3]),
}


def log_sum_exp(z):
    return scipy.special.logsumexp(z), scipy.special.softmax(z)


def soft_plus(t):
    return np.logaddexp(0, -t), np.diag(-scipy.special.expit(-t))


def soft_max(x):
    s = scipy.special.softmax(x)
    return s, np.diag(s) - np.outer(s, s)


def sigmoid(x):
    s = scipy.special.expit(x)
    return s, np.diag(s * scipy.special.expit(-x))


@pytest.mark.parametrize("which", LARGE)
@pytest.mark.parametrize(
    "program, expected",
    [
        ("log(sum(exp(z)))", log_sum_exp),
        ("y = log(sum[i](exp(z[i])))", log_sum_exp),
        ("e = exp(z)\ns = sum(e)\ny = log(s)", log_sum_exp),
        ("logsumexp(z)", log_sum_exp),
        ("log(1 + exp(-z))", soft_plus),
        ("log(exp(-z) + 1)", soft_plus),
        ("log1p(exp(-z))", soft_plus),
        ("softplus(-z)", soft_plus),
        ("exp(z)/sum(exp(z))", soft_max),
        ("e = exp(z)\ny = e/sum(e)", soft_max),
        ("softmax(z)", soft_max),
        ("1/(1 + exp(-z))", sigmoid),
        ("sigmoid(z)", sigmoid),
    ],
)
def test_a_form_that_overflows_as_written_is_finite_and_right(program, expected, which):
    z = LARGE[which]
    value, derivative = derive(program, wrt="z").compile(value=True)(z=z)
    right_value, right_derivative = expected(z)
    assert_close(value, right_value, 1e-12)
    assert_close(derivative, right_derivative, 1e-12)


def test_the_expected_stable_derivatives_are_slopes():
    z = np.array([0.3, -1.2, 2.0])
    for f in (log_sum_exp, soft_plus, soft_max, sigmoid):
        slope = numerical_jacobian(lambda z, f=f: f(z)[0], {"z": z}, "z")
        assert_close(f(z)[1], slope, 1e-9)


@pytest.mark.parametrize("program", ["log(sum(exp(Z), axis=1))", "exp(Z)/sum(exp(Z), axis=1, keepdims=True)"])
def test_a_stable_form_along_an_axis_is_finite_and_right(program):
    Z = np.array([[1e3, -1e3, 0.0], [-1e3, -999.0, -998.0]])
    value, derivative = derive(program, wrt="Z").compile(value=True)(Z=Z)
    one = log_sum_exp if program.startswith("log") else soft_max
    assert_close(value, np.array([one(row)[0] for row in Z]), 1e-12)
    expected = np.zeros(derivative.shape)
    for i, row in enumerate(Z):
        expected[i, ..., i, :] = one(row)[1]
    assert_close(derivative, expected, 1e-12)
