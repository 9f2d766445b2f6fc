"""The derivative of a program on float32 arrays is float32, whatever the program does."""

import re
import sys

import numpy as np
import pytest

from einsumdiff import derive
from tests.numeric import assert_close, sample

SIZES = {"m": 3, "n": 5, "p": 2}
SHAPES = {"x": ("n",), "z": ("n",), "A": ("m", "n"), "B": ("m", "n"), "S": ("n", "n"), "a": ()}

PROGRAMS = [
    # constants of both kinds, and sizes among them
    "where(x > 0, 1, 0)*x",
    "where(x > 0, 1, 0) + x",
    "where(x > 0, 0.2, 1.5)*x**2",
    "where(x > 0, x**2, 3)",
    "where(x > 0, x, 0.2*x)",
    "where(n > 3, 1, 0)*x",
    "where(n > 3, x, 2*x)*x",
    "sum(where(x > 0, 1, 0))*x",
    "sum(where(A > 0, 1, 0), axis=0)*x**2",
    "sum(x)*x/3 + 2",
    "sqrt(n)*x**2",
    "x**2/sqrt(2*pi)",
    "x**2*sqrt(n)/sqrt(3)",
    "x**2*exp(2)",
    "x**2*sqrt(exp(n))",
    "x*log(n)*x/n",
    "x**2*cos(n)**2",
    "x**2*maximum(n, 2)",
    "x**2*(n > 2)",
    "x**2*(x > 0)",
    "sum(x > 0)*x**2",
    "sum(x > z)*x",
    "mean(x > 0)*x**3",
    "prod(x > 0)*x",
    "x**2*eye(n)[0]",
    "x @ eye(n) @ x",
    "ones(n)*x",
    "zeros(n)*x + x**2",
    "full(n, 2)*x**2",
    # elementwise, with kinks
    "relu(x)",
    "relu(x)**2",
    "abs(x)*x",
    "sign(x)*x",
    "maximum(x, z)",
    "maximum(x, 0)*x",
    "minimum(x, 0.5)*x",
    "fmax(x, z)*x",
    "clip(x, 0, 1)*x",
    "clip(x, -0.5, 0.5)",
    "leaky_relu(x)",
    "elu(x)*x",
    "gelu(x)",
    "silu(x)",
    "softplus(x)",
    "sigmoid(x)*x",
    "x**3 + 2*x",
    "abs(x)**1.5",
    "abs(x)**a",
    "2**x",
    "floor(x)*x",
    "x % 2",
    "x // 2*x",
    "sinc(x)",
    "arctan2(x, z)",
    "hypot(x, z)",
    "erf(x)*x",
    "logaddexp(x, z)",
    # reductions
    "max(x)",
    "max(x)**2",
    "max(A, axis=1)",
    "min(A)*x",
    "prod(x)",
    "prod(A, axis=0)",
    "mean(x**2)",
    "var(x)",
    "std(x)*x",
    "norm(x)",
    "norm(A)",
    "logsumexp(x)",
    "softmax(x)",
    "log_softmax(A)",
    "x/sum(abs(x))",
    # products and patterns
    "A @ x",
    "x @ S @ x",
    "x[:, None]*x",
    "outer(x, x)",
    "A.T @ (A @ x)",
    "diag(x)",
    "trace(S)*x",
    "delta[i,j]*x[i]",
    "y[i,j] = x[i]*delta[i,j+1]*x[j]",
    "y[i] = x[i]*x[i+1]",
    "y[i] = where(x[i] > x[i+1], x[i], 0)",
    "y[i] = z[k]*x[2*i+k]",
    "S[i,i]*x[i]",
    "x[::-1]*x",
    "x[1:]*x[:-1]",
    "concatenate([x, 2*x])**2",
    "x*arange(n)*x",
    "inv(S + 3*eye(n)) @ x",
]


def drawn(dtype):
    """The arrays of all shapes."""
    arrays = sample({name: tuple(SIZES[s] for s in shape) for name, shape in SHAPES.items()})
    arrays["a"] = np.asarray(1.5)
    return {name: array.astype(dtype) for name, array in arrays.items()}


def floats(function, given):
    """The result of a call, and the kinds of all floating-point variables that it had at its end."""
    kinds = {}

    def note(frame, event, argument):
        if event == "return" and frame.f_code.co_name == function.__name__:
            kinds.update({k: v.dtype for k, v in frame.f_locals.items() if hasattr(v, "dtype")})

    sys.setprofile(note)
    try:
        result = function(**given)
    finally:
        sys.setprofile(None)
    return result, {name: kind for name, kind in kinds.items() if kind.kind == "f"}


def declared(text):
    """The program with the shapes of the names that it uses."""
    words = set(re.findall(r"\w+", text))
    shapes = {name: shape for name, shape in SHAPES.items() if name in words}
    lines = [f"{name}: ({', '.join(shape)}{',' * (len(shape) == 1)})" for name, shape in shapes.items()]
    return "\n".join([*lines, text]), next(name for name in ("x", "A", "S") if name in shapes)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("text", PROGRAMS)
def test_single_precision_stays_in_every_variable(text, order):
    program, wrt = declared(text)
    d = derive(program, wrt=wrt, order=order)
    arrays = drawn(np.float32)
    function = d.compile(value=True)
    (value, slope), kinds = floats(function, {name: arrays[name] for name in d.inputs})
    assert np.asarray(value).dtype == np.float32, d.source()
    assert slope.dtype == np.float32, d.source()
    assert set(kinds.values()) == {np.dtype(np.float32)}, d.source()
    double = {name: array.astype(float) for name, array in arrays.items() if name in d.inputs}
    expected = function(**double)[1]
    assert expected.dtype == np.float64
    np.testing.assert_allclose(slope, expected, rtol=2e-3, atol=2e-3)


def test_what_is_left_out_does_not_widen():
    d = derive("b: (n,)\ny = sum(x**2) + sum(b)", wrt="x")
    assert d(x=np.ones(3, np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    "text", ["f = sum(z) + sum(x[k])", "P = x[k]\nf = sum(z)", "P = A[k[0]]\nf = sum(z)", "f = sum(z*x[k])"]
)
def test_places_do_not_widen_where_the_derivative_reads_none(text):
    d = derive(f"A: (n, n); x: (n,); z: (p,); k: (p,)\n{text}", wrt="z")
    arrays = {
        "A": np.ones((3, 3), np.float32),
        "x": np.arange(3, dtype=np.float32),
        "z": np.ones(2, np.float32),
        "k": np.array([2, 0]),
    }
    given = {name: arrays[name] for name in d.inputs}
    value, slope = d.compile(value=True)(**given)
    assert value.dtype == slope.dtype == d(**given).dtype == np.float32
    assert_close(d(**given), [2, 0] if "z*" in text else [1, 1], 0)


def test_a_plain_number_does_not_widen():
    d = derive("a: ()\ny = a*x**2", wrt="x")
    x = np.ones(3, np.float32)
    assert d(x=x, a=2).dtype == np.float32
    assert d(x=x, a=0.5).dtype == np.float32
    assert d(x=x, a=np.float64(0.5)).dtype == np.float64


@pytest.mark.parametrize(
    ("kind", "expected"), [(bool, np.float32), (np.int8, np.float32), (np.int64, np.float64)]
)
def test_integers_and_booleans_widen_as_in_numpy(kind, expected):
    x, b = np.ones(3, np.float32), np.ones(3, kind)
    assert (x * b).dtype == expected
    assert derive("y = b*x**2", wrt="x")(x=x, b=b).dtype == expected


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float64])
def test_a_number_that_is_written_into_is_a_float(kind):
    d = derive("T = arctan2(M, 2 + (-diag(x))**2)\nf = sum(T)", wrt="M", shapes={"M": "n n", "x": "n"})
    x, M = np.array([1, 2, -3]), np.random.default_rng(3).standard_normal((3, 3))
    below = 2 + np.diag(x) ** 2
    found = d.compile()(M=M, x=x.astype(kind))
    np.testing.assert_allclose(found, below / (below**2 + M**2), rtol=1e-6)


@pytest.mark.parametrize("kind", [bool, np.int64, np.float32])
@pytest.mark.parametrize("form", ["dense", "compressed"])
def test_what_is_written_into_a_copy_keeps_its_digits(kind, form):
    d = derive("T = (M.T - diag(x))**3\nf = sum(T*N)", wrt="N", shapes={"M": "n n", "x": "n", "N": "n n"})
    random = np.random.default_rng(2)
    x, N = random.standard_normal(3), random.standard_normal((3, 3))
    M = random.uniform(-3, 3, (3, 3)).astype(kind)
    found = d.compile(form=form)(M=M, x=x, N=N)
    found = found.dense() if form == "compressed" else found
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, (M.T - np.diag(x)) ** 3, rtol=1e-13)


@pytest.mark.parametrize("number", ["1", "s", "n"])
@pytest.mark.parametrize("kind", [float, int])
def test_what_is_written_into_copies_of_a_number_keeps_its_digits(number, kind):
    shapes = {"x": "n", "s": "", "N": "n n"}
    d = derive(f"T = diag(x) - {number}\nf = sum(T**2*N) + s", wrt="N", shapes=shapes)
    arrays = {"x": np.array([0.3, -1.5, 2.25]), "s": np.asarray(kind(2)), "N": np.ones((3, 3))}
    expected = np.diag(arrays["x"]) - {"1": 1, "s": 2, "n": 3}[number]
    np.testing.assert_allclose(d.compile()(**arrays), expected**2, rtol=1e-13)
