"""What the project exists for: each expression with its derivative in NumPy, in every variable."""

import math

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive

I = np.eye


def every_slope(program, value, shapes, *, domain="real", seed=0, given=None):
    """Derive in each variable, alone and all at once; compare with the slope; give all the results."""
    arrays = sample(shapes, domain, seed)
    given = shapes if given is None else given
    together = derive(program, wrt=list(shapes), shapes=given)(**arrays)
    assert set(together) == set(shapes)
    results = {}
    for name in shapes:
        results[name] = derive(program, wrt=name, shapes=given)(**arrays)
        assert_close(results[name], numerical_jacobian(value, arrays, name), 1e-7)
        assert_close(together[name], results[name], 1e-12)
    return arrays, results


def test_linear_map_summed():
    arrays, slopes = every_slope(
        "y = sum(W*X + b)",
        lambda W, X, b: (W * X + b).sum(),
        {"W": (2, 3), "X": (2, 3), "b": (3,)},
    )
    assert_close(slopes["W"], arrays["X"])
    assert_close(slopes["X"], arrays["W"])
    assert_close(slopes["b"], np.full(3, 2.0))


def test_linear_map_summed_without_any_shape_prints_its_index_form():
    d = derive("y = sum(W*X + b)", wrt="W")
    assert str(d).splitlines()[0] == "dy/dW[i,j] = X[i,j]"
    arrays = sample({"W": (2, 3), "X": (2, 3), "b": (3,)})
    assert_close(d(**arrays), arrays["X"])


def test_matrix_product_in_indices():
    arrays, slopes = every_slope("Z[i,j] = X[i,k]*Y[k,j]", lambda X, Y: X @ Y, {"X": (2, 3), "Y": (3, 5)})
    assert_close(slopes["X"], np.einsum("nj,im->ijmn", arrays["Y"], I(2)))
    assert_close(slopes["Y"], np.einsum("im,jn->ijmn", arrays["X"], I(5)))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_logarithm(shape):
    arrays, slopes = every_slope("log(x)", lambda x: np.log(x), {"x": shape}, domain="positive")
    n = math.prod(shape)
    assert_close(slopes["x"].reshape(n, n), np.diag(1 / arrays["x"].reshape(n)))


def test_valid_convolution():
    def conv(X, W):
        return np.einsum("ijmn,mn->ij", np.lib.stride_tricks.sliding_window_view(X, W.shape), W)

    arrays, slopes = every_slope("Z[i,j] = X[i+m, j+n]*W[m,n]", conv, {"X": (5, 7), "W": (2, 3)})
    assert_close(slopes["W"], np.lib.stride_tricks.sliding_window_view(arrays["X"], (2, 3)))
    assert slopes["X"].shape == (4, 5, 5, 7)


def test_strided_convolution():
    def conv(X, W):
        return np.einsum("ijmn,mn->ij", np.lib.stride_tricks.sliding_window_view(X, W.shape)[:, ::2], W)

    every_slope("Z[i,j] = X[i+m, 2*j+n]*W[m,n]", conv, {"X": (5, 7), "W": (2, 3)})
    every_slope("Z[i,j] = X[i+m, 2*j+n]*W[m,n]", conv, {"X": (5, 8), "W": (2, 3)})


def test_exponential_of_a_tensor_has_a_jacobian_of_six_axes():
    arrays, slopes = every_slope("exp(x)", lambda x: np.exp(x), {"x": (2, 3, 4)})
    assert slopes["x"].shape == (2, 3, 4, 2, 3, 4)
    assert_close(slopes["x"].reshape(24, 24), np.diag(np.exp(arrays["x"]).reshape(24)))


def test_batched_matrix_product():
    arrays, slopes = every_slope("matmul(a, b)", lambda a, b: a @ b, {"a": (4, 3, 2), "b": (4, 2, 3)})
    assert slopes["a"].shape == (4, 3, 3, 4, 3, 2)
    assert_close(slopes["a"], np.einsum("bnj,bc,im->bijcmn", arrays["b"], I(4), I(3)))


@pytest.mark.parametrize(
    "x, y", [((2,), (2, 2)), ((20, 1), (10, 20, 30)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((), (2, 3))]
)
def test_broadcasting_sum(x, y):
    shape = np.broadcast_shapes(x, y)
    for name in "xy":
        d = derive("x + y", wrt=name, shapes={"x": x, "y": y})
        arrays = sample({"x": x, "y": y})
        result = d(**arrays)
        # every output entry moves with exactly the one entry that broadcasting reads
        own = {"x": x, "y": y}[name]
        size = math.prod(own)
        numbered = np.broadcast_to(np.arange(size).reshape(own), shape)
        expected = (numbered[..., None] == np.arange(size)).astype(float).reshape(shape + own)
        assert_close(result, expected)


def test_four_index_contraction_under_a_scalar_loss():
    program = "C[j0,j1,j2,j3] = A[d0,j0,d1,j1]*B[j2,d1,d0,j3]\nloss = sum(tanh(C)**2)"

    def loss(A, B):
        return (np.tanh(np.einsum("axby,zbaw->xyzw", A, B)) ** 2).sum()

    every_slope(program, loss, {"A": (2, 3, 5, 2), "B": (3, 5, 2, 7)}, domain="small")


def log_softmax(z):
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("shape", [(5,), (3, 5)])
def test_log_softmax(shape):
    arrays, slopes = every_slope("log_softmax(z)", log_softmax, {"z": shape})
    if shape == (5,):
        assert_close(slopes["z"], I(5) - np.exp(log_softmax(arrays["z"])))


def test_cross_entropy_of_a_linear_model():
    arrays, slopes = every_slope(
        "L = -mean(sum(Y*log_softmax(X @ W + b), axis=1))",
        lambda X, W, b, Y: -(Y * log_softmax(X @ W + b)).sum(axis=1).mean(),
        {"X": (7, 3), "W": (3, 5), "b": (5,), "Y": (7, 5)},
    )
    X, W, b, Y = (arrays[name] for name in "XWbY")
    residual = (np.exp(log_softmax(X @ W + b)) * Y.sum(axis=1, keepdims=True) - Y) / 7
    assert_close(slopes["W"], X.T @ residual)
    assert_close(slopes["b"], residual.sum(axis=0))


@pytest.mark.parametrize(
    "program",
    [
        "L = mean(logsumexp(X @ W + b, axis=1) - sum(Y*(X @ W + b), axis=1))",
        "Z = X @ W + b\nP = exp(Z)/sum(exp(Z), axis=1, keepdims=True)\nL = -sum(Y*log(P))/P.shape[0]",
    ],
    ids=["logsumexp", "written out"],
)
def test_cross_entropy_in_other_words(program):
    arrays = sample({"X": (5, 3), "W": (3, 7), "b": (7,)})
    X, W, b = arrays.values()
    Y = np.eye(7)[[0, 3, 1, 1, 6]]
    d = derive(program, wrt=["W", "b"], shapes={"X": "n p", "W": "p k", "b": "k", "Y": "n k"})
    result = d(**arrays, Y=Y)
    residual = (np.exp(log_softmax(X @ W + b)) - Y) / 5
    assert_close(result["W"], X.T @ residual)
    assert_close(result["b"], residual.sum(axis=0))


def test_sigmoid_written_out_in_five_statements():
    program = "a = W @ x\nb = -a\nc = exp(b)\nd = 1 + c\ns = 1/d"
    arrays, slopes = every_slope(program, lambda W, x: 1 / (1 + np.exp(-(W @ x))), {"W": (2, 3), "x": (3,)})
    s = 1 / (1 + np.exp(-(arrays["W"] @ arrays["x"])))
    assert_close(slopes["x"], (s * (1 - s))[:, None] * arrays["W"])


# Written out by hand, and far out


def values_and_slopes(program, wrt, **arrays):
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    function = derive(program, wrt=wrt, shapes=shapes).compile(value=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        return function(**arrays)


FAR = [
    np.array([1e3, -1e3, 0.0]),
    np.array([1e3, 1e3 + 1, 1e3 - 2]),
    np.array([-1e3, -1e3 + 1, -1e3 - 2]),
    np.array([0.5, -2.0, 1.0]),
]


@pytest.mark.parametrize("z", FAR, ids=str)
@pytest.mark.parametrize("program", ["log(sum(exp(z)))", "s = sum(exp(z))\nlog(s)", "logsumexp(z)"])
def test_log_sum_exp_survives_large_inputs(program, z):
    value, slope = values_and_slopes(program, "z", z=z)
    assert_close(value, z.max() + np.log(np.exp(z - z.max()).sum()), 1e-14)
    assert_close(slope, np.exp(log_softmax(z)), 1e-12)


@pytest.mark.parametrize("t", FAR, ids=str)
@pytest.mark.parametrize(
    "program", ["log(1 + exp(-t))", "log(exp(-t) + 1)", "log1p(exp(-t))", "softplus(-t)"]
)
def test_softplus_survives_large_inputs(program, t):
    value, slope = values_and_slopes(program, "t", t=t)
    assert_close(value, np.logaddexp(0, -t), 1e-14)
    assert_close(slope, np.diag([-math.exp(-np.logaddexp(0, each)) for each in t]), 1e-12)


@pytest.mark.parametrize("x", FAR, ids=str)
@pytest.mark.parametrize("program", ["exp(x)/sum(exp(x))", "e = exp(x)\ny = e/sum(e)", "softmax(x)"])
def test_softmax_survives_large_inputs(program, x):
    value, slope = values_and_slopes(program, "x", x=x)
    s = np.exp(log_softmax(x))
    assert_close(value, s, 1e-12)
    assert_close(slope, np.diag(s) - np.outer(s, s), 1e-12)


@pytest.mark.parametrize("t", FAR, ids=str)
@pytest.mark.parametrize("program", ["1/(1 + exp(-t))", "exp(t)/(1 + exp(t))", "sigmoid(t)"])
def test_sigmoid_survives_large_inputs(program, t):
    value, slope = values_and_slopes(program, "t", t=t)
    s = np.array([math.exp(-np.logaddexp(0, -each)) for each in t])
    far = np.array([math.exp(-np.logaddexp(0, each)) for each in t])
    assert_close(value, s, 1e-12)
    assert_close(slope, np.diag(s * far), 1e-12)


@pytest.mark.parametrize("program", ["log(sum(exp(Z), axis=1))", "exp(Z)/sum(exp(Z), axis=1, keepdims=True)"])
def test_forms_along_an_axis_survive_large_inputs(program):
    Z = np.array([[1e3, -1e3, 0.0], [-1e3, -999.0, -998.0]])
    value, slope = values_and_slopes(program, "Z", Z=Z)
    s = np.exp(log_softmax(Z))
    if program.startswith("log"):
        assert_close(value, np.logaddexp.reduce(Z, axis=1), 1e-14)
        assert_close(slope, np.einsum("im,in->imn", I(2), s), 1e-12)
    else:
        assert_close(value, s, 1e-12)
        within = np.einsum("ij,jn->ijn", s, I(3)) - np.einsum("ij,in->ijn", s, s)
        assert_close(slope, np.einsum("im,ijn->ijmn", I(2), within), 1e-12)
