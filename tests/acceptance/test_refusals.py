"""What is not supported is refused: the fault by name, a caret under it, and what to write instead.

Never a wrong number, never a silent zero. At the end what SymPy gets silently wrong, with the right answers.
"""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample
from numpy.linalg import det, inv

from einsumdiff import EinsumDiffError, derive

# what is plausible, the name to differentiate by, what stands above the carets, a word of the message
REFUSED = [
    # functions without a derivative, or without one here
    ("sort(x)", "x", "sort", "sort"),
    ("x*argmax(x)", "x", "argmax", "argmax"),
    ("sum(x, axis=argmin(y))", "x", "argmin", "argmin"),
    ("np.fft.fft(x)", "x", "fft", "fft"),
    ("Q, R = np.linalg.qr(A)\ny = Q", "A", "qr", "qr"),
    ("qr(A)", "A", "qr", "qr"),
    ("eig(A)", "A", "eig", "eig"),
    ("median(x)", "x", "median", "median"),
    ("percentile(x, 50)", "x", "percentile", "percentile"),
    ("np.random.randn(3)*x", "x", "randn", "randn"),
    ("float(x)", "x", "float", "float"),
    ("x.astype(int)*x", "x", "astype", "astype"),
    ("np.apply_along_axis(f, 0, x)", "x", "apply_along_axis", "apply_along_axis"),
    ("print(x)", "x", "print", "print"),
    # what Python has and formulas have not
    ("x[0] = 1\ny = x*x", "x", "0", "left side"),
    ("y = 2*x\ny[1] = 0", "x", "1", "left side"),
    ("y = x\nwhile y > 0:\n    y = y - 1", "x", "while", "while"),
    ("if x > 0:\n    y = x\nelse:\n    y = -x", "x", "if", "if"),
    ("y = 0\nfor t in x:\n    y += t*t", "x", "for", "for"),
    ("x if x > 0 else -x", "x", "if", "if"),
    ("f = lambda t: t*t\ny = f(x)", "x", "lambda", "lambda"),
    ("def f(x):\n    def g(t):\n        return t*t\n    return g(x)", "x", "def", "def"),
    ("class A: pass", "x", "class", "class"),
    ("[t*t for t in x]", "x", "for", "for"),
    ("sum(t*t for t in x)", "x", "for", "for"),
    ("x and y", "x", "and", "and"),
    ("y = x; del x", "x", "del", "del"),
    ("assert x > 0", "x", "assert", "assert"),
    ("global x", "x", "global", "global"),
    ("x.encode()", "x", "encode", "encode"),
    ('"abc".upper()', "x", "upper", "upper"),
    ('"a" + x', "x", '"a"', "text"),
    ("x.shape = (3,)", "x", "x.shape", "assigned"),
    ("x.real", "x", "x.real", "real"),
    ("1j*x", "x", "1j", "complex"),
    ("0 < x < 1", "x", "0 < x < 1", "chained"),
    # signatures
    ("exp(x, out=x)", "x", None, "out"),
    ("sum(x, where=x > 0)", "x", None, "where"),
    ("sum(x, dim=0)", "x", None, "dim"),
    ("dot(x, y, z)", "x", "z", "2 arguments"),
    ("max(0, x)", "x", "x", "axis"),
    ("where(x > 0)", "x", None, "where"),
    ("sum(x, axis=0.5)", "x", "0.5", "axis"),
    ("matrix_power(A, 0.5)", "A", None, "matrix_power"),
    ("norm(x, ord=0)", "x", None, "ord"),
    # shapes and sizes
    ("A: (2, 3); x: (2,)\ny = A*x", "A", "A*x", "multiplied"),
    ("A: (m, n); x: (m,)\ny = A @ x", "A", "A @ x", "A is (m, n)"),
    ("W: (n/2, n)\ny = W @ x", "x", "n/2", "no size"),
    ("x: (n,)\ny = x[:n/2]", "x", "n/2", "no size"),
    ("x: (3,)\ny = x[5]", "x", "5", "out of bounds"),
    ("x @ 3", "x", "x @ 3", "matmul"),
    ("x[1.5]", "x", "1.5", "whole number"),
    ("sum(x[x > 0])", "x", "x[x > 0]", ""),
    # indices
    ('einsum("i->iii", x)', "x", '"i->iii"', "twice in the output"),
    ('einsum("ij,jk->iik", A, B)', "A", '"ij,jk->iik"', "twice in the output"),
    ('einsum("i,i->z", x, x)', "x", '"i,i->z"', "z"),
    ("y[i,i] = x[i]", "x", "i", "twice on the left side"),
    ("y[i] = i*x[i]", "x", "i", "outside of brackets"),
    ("y[i] = x[i*i]", "x", "i*i", "affine"),
    ("y[i] = x[i-1]", "x", "i-1", "out of bounds"),
    ("y = x[k]", "x", "x[k]", "once"),
    ("y[i] = sum(x[i])", "x", "x[i]", "whole arrays"),
    ("y = (a[i]*b[i])*(c[i]*d[i])", "a", None, "sum[i]"),
    # other languages
    ("x ^ 2", "x", "^", "^"),
    ("A' * x", "x", "'", "'"),
    ("A \\ x", "x", "\\", "\\"),
    ("A .* B", "A", ".*", ".*"),
    ("2x", "x", "2x", "operator"),
]


def refused(*args, **kwargs):
    with pytest.raises(EinsumDiffError) as caught:
        derive(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize("program, wrt, place, word", REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_not_supported_is_refused_with_a_caret_and_a_way_out(program, wrt, place, word):
    error = refused(program, wrt=wrt)
    assert error.kind != "error"
    assert word in str(error)
    assert error.hint
    assert error.span is not None and "^" in str(error)
    if place is not None:
        assert error.span.source == place


@pytest.mark.parametrize("program", ["A^0.5", "A^x", "A^(-0.5)"])
def test_a_matrix_power_that_is_no_whole_number_is_refused(program):
    error = refused(program, wrt="A", notation="matrix")
    assert error.span is not None and error.hint


def test_a_matrix_to_the_power_of_a_half_is_elementwise_as_in_numpy():
    arrays = sample({"A": (2, 3)}, "positive")
    result = derive("A ** 0.5", wrt="A")(**arrays)
    assert_close(result, numerical_jacobian(lambda A: A**0.5, arrays, "A"), 1e-9)


def test_a_row_that_meets_columns_is_refused_when_called():
    d = derive("A*x", wrt="A")
    with pytest.raises(EinsumDiffError, match="size 2, expected n = 3"):
        d(A=np.ones((2, 3)), x=np.ones(2))


def test_a_mask_as_an_index_is_refused():
    """Its result has a shape that depends on values."""
    mask = np.array([True, False, True])
    for size in ("n", mask):
        with pytest.raises(EinsumDiffError, match="mask") as caught:
            derive("sum(x[mask])", wrt="x", shapes={"mask": size})(x=np.ones(3), mask=mask)
        assert caught.value.hint


@pytest.mark.parametrize("index", [np.array([0.0, 1.0]), np.array([0, 3]), np.array([-4, 0])])
def test_an_index_vector_is_whole_numbers_in_range(index):
    d = derive("sum(x[k])", wrt="x", shapes={"k": "p"})
    with pytest.raises(EinsumDiffError, match="k"):
        d(x=np.ones(3), k=index)


def test_the_derivative_in_an_index_vector_is_refused_and_no_zero():
    error = refused("sum(x[k])", wrt="k", shapes={"k": "p"})
    assert "k" in error.message and error.hint


@pytest.mark.parametrize("wrt", ["x", "w"])
def test_a_complex_array_is_refused_for_anything(wrt):
    d = derive("sum(x*w)", wrt=wrt, shapes={"x": "n", "w": "n"})
    with pytest.raises(EinsumDiffError, match="complex") as caught:
        d(x=np.ones(3) + 1j, w=np.ones(3))
    assert caught.value.hint


def test_an_unknown_keyword_of_derive_is_pythons_error():
    with pytest.raises(TypeError, match="regarding"):
        derive("x*x", regarding="x")


def test_the_derivative_by_what_is_no_array_is_refused():
    for name in ("n", "z", "i"):
        error = refused("x: (n,)\ny[i] = x[i]*w[i]", wrt=name)
        assert name in str(error) and error.hint


@pytest.mark.parametrize(
    "program", ["x*floor(y)", "sign(y)*x", "(y > 0)*x", "ones_like(y)*x", "y.shape[0]*x", "round(y)*x"]
)
def test_a_slope_that_is_zero_is_said_to_be_zero(program):
    """No silent zero: a slope of 0 that is right is written, and one of the unknown is refused."""
    d = derive(program, wrt="y", shapes={"x": (), "y": "n"})
    assert "= 0" in str(d)
    result = d(x=2.0, y=np.array([0.3, -1.7]))
    assert result.shape in ((2,), (2, 2)) and not result.any()


@pytest.mark.parametrize(
    "program, numpy",
    [
        ("import torch\ny = torch.std(x)", "std(x, ddof=1)"),
        ("import torch\ny = torch.var(x)", "var(x, ddof=1)"),
        ("y = jax.nn.gelu(x)", "gelu(x, approximate=True)"),
        ("import tensorflow as tf\ny = tf.nn.leaky_relu(x)", "leaky_relu(x, 0.2)"),
        ("from numpy.random import gamma\ny = gamma(x)", None),
        ("from scipy.stats import norm\ny = norm(x)", None),
    ],
)
def test_a_function_of_another_module_means_what_it_means_there_or_is_refused(program, numpy):
    """Other modules have other defaults, and other functions of the same name."""
    try:
        d = derive(program, wrt="x")
    except EinsumDiffError as error:
        assert error.span is not None and error.hint
    else:
        x = np.array([0.5, -1.25, 2.0])
        assert numpy is not None
        assert_close(d(x=x), derive(numpy, wrt="x")(x=x), 1e-12)


# ------------------------------------------------------------- what SymPy 1.14 gets silently wrong


def test_the_jacobian_of_softmax_has_its_second_term():
    x = sample({"x": (5,)})["x"]
    s = np.exp(x) / np.exp(x).sum()
    for program in ("softmax(x)", "exp(x)/sum(exp(x))", "y[i] = exp(x[i])/sum[k](exp(x[k]))"):
        result = derive(program, wrt="x")(x=x)
        assert_close(result, np.diag(s) - np.outer(s, s), 1e-12)
        value = lambda x: np.exp(x) / np.exp(x).sum()
        assert_close(result, numerical_jacobian(value, {"x": x}, "x"), 1e-9)


def test_the_logarithm_of_a_determinant_has_the_inverse_as_its_slope():
    X = np.array([[3.0, -1.0, 0.5], [0.25, 2.0, -0.5], [-1.0, 0.75, 4.0]])
    assert det(X) > 0
    for program in ("log(det(X))", "logdet(X)", "q = det(X); y = log(q)"):
        result = derive(program, wrt="X")(X=X)
        assert_close(result, inv(X).T, 1e-12)
        assert_close(result, numerical_jacobian(lambda X: np.log(det(X)), {"X": X}, "X"), 1e-9)
    hessian = derive("log(det(X))", wrt="X", order=2)(X=X)
    assert_close(hessian, -np.einsum("nk,lm->mnkl", inv(X), inv(X)), 1e-12)


def test_a_quadratic_form_is_differentiated_in_both_places():
    arrays = sample({"X": (5, 3), "v": (3,)})
    X, v = arrays.values()
    for program in ("v.T @ X.T @ X @ v", "v @ X.T @ X @ v", "y = v[i]*X[k,i]*X[k,j]*v[j]"):
        result = derive(program, wrt="v")(**arrays)
        assert_close(result, 2 * X.T @ X @ v, 1e-12)
        assert_close(result, numerical_jacobian(lambda X, v: v @ X.T @ X @ v, arrays, "v"), 1e-9)
        assert_close(derive(program, wrt="v", order=2)(**arrays), 2 * X.T @ X, 1e-12)
        assert_close(derive(program, wrt="X")(**arrays), 2 * np.outer(X @ v, v), 1e-12)
