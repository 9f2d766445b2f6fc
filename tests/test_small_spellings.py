"""Spellings that pasted code has: squeeze without an axis, arange with a step, nan, fields of results."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import EinsumDiffError, derive, read

RANDOM = np.random.default_rng(11)
x = RANDOM.standard_normal(5)
X = RANDOM.standard_normal((2, 1, 3))
M = RANDOM.standard_normal((3, 3)) + 2 * np.eye(3)
S = M + M.T

SQUEEZED = [
    ("y = squeeze(X)**2", {"X": X}, lambda X: np.squeeze(X) ** 2),
    ("y = X.squeeze()**3", {"X": X}, lambda X: X.squeeze() ** 3),
    ("y = exp(squeeze(sum(X, axis=0, keepdims=True)))", {"X": X}, lambda X: np.exp(np.sum(X, axis=(0, 1)))),
    ("h = 2*X[:1]; y = squeeze(h)**2", {"X": X}, lambda X: np.squeeze(2 * X[:1]) ** 2),
    (
        "y = squeeze(X*squeeze(Y)[:, None, None])**2",
        {"X": X, "Y": X[:, :, :1]},
        lambda X, Y: np.squeeze(X * Y) ** 2,
    ),
    (
        "y = squeeze(reshape(X, (1, Y.shape[0], -1)))**2",
        {"X": X, "Y": X[:, :, :1]},
        lambda X, Y: X.reshape(2, -1) ** 2,
    ),
    ("y = squeeze(X)**2 + sum(X)", {"X": X[:, 0]}, lambda X: X**2 + np.sum(X)),
]


@pytest.mark.parametrize(("text", "arrays", "f"), SQUEEZED, ids=[case[0] for case in SQUEEZED])
def test_squeeze_takes_away_every_axis_of_size_1(text, arrays, f):
    d = derive(text, "X", shapes={name: array.shape for name, array in arrays.items()})
    assert_close(d(**arrays), numerical_jacobian(f, arrays, "X"), 1e-9)
    second = derive(d, wrt="X")
    assert_close(second(**arrays), numerical_jacobian(lambda **given: d(**given), arrays, "X"), 1e-8)


@pytest.mark.parametrize("shape", [None, ("m", 1, "n"), ("m", "n")])
def test_squeeze_of_unknown_sizes_says_what_to_write(shape):
    with pytest.raises(EinsumDiffError, match=r"name them, squeeze\(X, axis=0\), or give all sizes"):
        derive("squeeze(X)", "X", shapes=shape and {"X": shape})


COUNTED = [
    ("arange(1, 10, 2)*x", lambda x: np.arange(1, 10, 2) * x),
    ("arange(5, 0, -1)*x", lambda x: np.arange(5, 0, -1) * x),
    ("arange(-2, 3)*x", lambda x: np.arange(-2, 3) * x),
    ("arange(-n, 0)*x", lambda x: np.arange(-5, 0) * x),
    ("arange(n, 0, -1)*x", lambda x: np.arange(5, 0, -1) * x),
    ("arange(0, n, 2)*x[::2]", lambda x: np.arange(0, 5, 2) * x[::2]),
    ("arange(n - 1, -1, -2)*x[::2]", lambda x: np.arange(4, -1, -2) * x[::2]),
    ("arange(1, n, step=3)*x[1::3]", lambda x: np.arange(1, 5, step=3) * x[1::3]),
    ("arange(5, 3, 1) @ x[:0] + x[0]", lambda x: x[0]),
    ("x[arange(n - 1, -1, -1)]*x", lambda x: x[::-1] * x),
]


@pytest.mark.parametrize(("text", "f"), COUNTED, ids=[case[0] for case in COUNTED])
def test_arange_counts_in_steps(text, f):
    d = derive(f"y = ({text})**2", "x", shapes={"x": "n" if "n" in text.replace("arange", "") else 5})
    value, slope = d.compile(value=True)(x)
    assert_close(value, f(x) ** 2, 1e-15)
    assert_close(slope, numerical_jacobian(lambda x: f(x) ** 2, {"x": x}, "x"), 1e-9)
    assert_close(read(str(d))(x), slope, 1e-15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arange(0., 1., 0.25)*x", r"0\.25\*arange\(4\)"),
        ("arange(0, 5, 0)*x", "a step is a whole number, and not 0"),
        ("arange(0, 5, n)*x", "a step is a whole number, and not 0"),
    ],
)
def test_arange_of_others_is_refused(text, message):
    with pytest.raises(EinsumDiffError, match=message):
        derive(text, "x", shapes={"x": "n"})


RESULTS = [
    ("slogdet(A).logabsdet", lambda A: np.linalg.slogdet(A).logabsdet, M),
    ("slogdet(A)[1]**2", lambda A: np.linalg.slogdet(A)[1] ** 2, M),
    ("np.linalg.slogdet(A).sign*sum(A**2)", lambda A: np.linalg.slogdet(A).sign * np.sum(A**2), -M),
    ("sum(eigh(A).eigenvalues**3)", lambda A: np.sum(np.linalg.eigh((A + A.T) / 2).eigenvalues ** 3), S),
    ("eigh(A).eigenvectors[:, 0]**2", lambda A: np.linalg.eigh((A + A.T) / 2).eigenvectors[:, 0] ** 2, S),
]


@pytest.mark.parametrize(("text", "f", "A"), RESULTS, ids=[case[0] for case in RESULTS])
def test_results_have_numpys_names(text, f, A):
    arrays = {"A": A}
    expected = numerical_jacobian(f, arrays, "A")
    for d in (derive(text, "A"), derive(f, "A", shapes={"A": A})):
        assert_close(d(A=A), expected, 1e-8)
    d = derive(text, "A")
    second = numerical_jacobian(lambda **given: d(**given), arrays, "A")
    assert_close(derive(d, wrt="A")(A=A), second, 1e-7)


def test_a_name_that_no_result_has_is_refused():
    with pytest.raises(EinsumDiffError, match=r"slogdet has no \.eigenvalues") as caught:
        derive("slogdet(A).eigenvalues", "A")
    assert "known are .sign .logabsdet" in str(caught.value)
    with pytest.raises(EinsumDiffError, match=r"no \.sign"):
        derive("exp(A).sign", "A")


def test_nan_is_a_number_that_no_algebra_takes_away():
    d = derive("y = where(x > 0, x**2, nan)", "x", shapes={"x": 5})
    value, slope = d.compile(value=True)(x)
    assert np.array_equal(np.isnan(value), x <= 0)
    assert_close(value[x > 0], x[x > 0] ** 2, 1e-15)
    assert_close(slope, np.diag(np.where(x > 0, 2 * x, 0)), 1e-15)
    assert_close(derive(lambda x: np.where(x > 0, x**2, np.nan), "x", shapes={"x": 5})(x=x), slope, 1e-15)
    for text in ("x*np.nan", "x*(nan - nan)", "x*nan/nan"):
        assert np.all(np.isnan(np.diag(derive(text, "x", shapes={"x": 5})(x=x))))
    assert_close(derive("nan: (5,); y = nan**2", "nan")(nan=x), np.diag(2 * x), 1e-15)


@pytest.mark.parametrize("number", ["inf", "-inf", "1e999", "-1e999", "nan"])
def test_what_is_not_chosen_takes_no_part(number):
    """0 times infinity would be nan: an infinite branch of `where` is chosen, never multiplied."""
    far = float(number.replace("1e999", "inf"))
    for program in (f"y = where(x > 0, x**2, {number})", lambda x: np.where(x > 0, x**2, far)):
        d = derive(program, "x", shapes={"x": 5})
        value, slope = d.compile(value=True)(x)
        assert np.array_equal(value[x <= 0], np.full(np.sum(x <= 0), far), equal_nan=True)
        assert_close(value[x > 0], x[x > 0] ** 2, 1e-15)
        assert_close(slope, np.diag(np.where(x > 0, 2 * x, 0)), 1e-15)
        assert_close(read(str(d))(x), slope, 1e-15)


def test_masked_scores_have_the_softmax_of_what_is_left():
    mask = np.tril(np.ones((3, 3)))

    def f(A):
        e = np.exp(np.where(mask > 0, A, -np.inf))
        return e / np.sum(e, axis=1, keepdims=True)

    d = derive("mask: (3, 3); y = softmax(where(mask > 0, A, -1e999), axis=1)", "A", shapes={"A": (3, 3)})
    assert_close(d(mask=mask, A=M), numerical_jacobian(f, {"A": M}, "A"), 1e-9)
    assert_close(derive(f, "A", shapes={"A": (3, 3)})(A=M), numerical_jacobian(f, {"A": M}, "A"), 1e-9)
