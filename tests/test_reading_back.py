"""What is printed is read back as the same derivative: programs that once were not."""

import numpy as np
import pytest
from numeric import assert_close, sample

from einsumdiff import EinsumDiffError, derive, read

PQ = {"x": ("p",), "w": ("q",), "X": ("p", "q")}

PROGRAMS = [
    # entries by number, and axes of size 1
    ("where(s[0] > t[0], s[0], t[0])", "s", None),
    ("where(s > t, s, t)", "s", {"s": (1,), "t": (1,)}),
    ("s[0]*t[0]**2*exp(s[0])", "s", {"s": (1,), "t": (1,)}),
    ("y = max(s)*s[-1]", "s", None),
    # sizes that are called like letters of the printer
    ("prod(x)", "x", PQ),
    ("prod(x)*q*p", "x", PQ),
    ("y[i] = x[i+k]*w[k]", "w", PQ),
    ("y[i] = x[i+k]*w[k]", "x", PQ),
    ("y[i,j] = X[i+k,j]*w[k]*p", "X", {"X": ("p", "q"), "w": (3,)}),
    ("y[i] = exp(x[i+k])*w[k]/q", "x", PQ),
    ("mean(X, axis=0)*w", "X", {"X": ("p", "q"), "w": ("q",)}),
    ("x[::-1]*p", "x", PQ),
    ("y[i] = x[i]*x[i+1]*p", "x", PQ),
    # an input that is called delta
    ("delta*x", "x", None),
    ("delta*x", "delta", None),
    ("sum(where(abs(x) < delta, x**2/2, delta*(abs(x) - delta/2)))", "x", {"delta": ()}),
    ("where(x < delta, x**2, delta*x)", "x", {"delta": ()}),
    ("delta: (n,)\ny[i,j] = delta[i]*x[i]*delta[i,j]", "x", None),
    # ranges that only the shapes of inlined functions said
    ("y[j] = sum[i](x[i+2]*exp(x[i+j]))", "x", None),
    ("sum[i,j](x[i+2]*exp(x[i+j]))", "x", None),
    ("sum[i,j](x[i+k]*exp(x[i+j])*w[j]*w[k])", "x", None),
    # nothing depends on the wrt
    ("h = 3*x; y = sum(z)", "h", None),
    ("h = X @ x; y = z*2", "h", None),
    # products of products of sums
    ("x2 = x.sum(); x3 = x2*x; y = x3 @ x3", "x", None),
    ("x2 = x.sum(); x3 = x2**2*x; y = x3 @ x3", "x", None),
    ("h = sum(x**2); g = h*x; y = sum(g)**2*h", "x", None),
]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("program", "wrt", "shapes"), PROGRAMS)
def test_a_printed_derivative_is_read_back(program, wrt, shapes, order):
    used = {name: shape for name, shape in (shapes or {}).items() if name in program}
    d = derive(program, wrt=wrt, shapes=used, order=order)
    assert read(str(d)) == d, str(d)


@pytest.mark.parametrize(
    ("program", "wrt"),
    [
        ("delta: (n,)\ny[i,j] = delta[i]*x[i]**2*delta[i,j]", "x"),
        ("delta: ()\nsum(where(abs(x) < delta, x**2/2, delta*(abs(x) - delta/2)))", "x"),
        ("y[j] = sum[i](x[i+2]*exp(x[i+j]))", "x"),
    ],
)
def test_their_values_are_right(program, wrt):
    d = derive(program, wrt=wrt)
    assert d.check() < 1e-7
    given = {name: np.random.default_rng(1).uniform(0.2, 1, 5) for name in d.inputs}
    if "delta: ()" in program:
        given["delta"] = np.asarray(0.6)
    np.testing.assert_allclose(read(str(d))(**given), d(**given))


def test_a_matrix_cannot_be_called_delta():
    with pytest.raises(EinsumDiffError, match="Kronecker"):
        derive("delta: (m, n)\ny = sum(delta**2)", wrt="delta")


def test_different_powers_of_a_sum_are_different():
    one = derive("s = sum(x); y = s**2*sum(x)", wrt="x")
    assert one == derive("sum(x)**3", wrt="x")
    assert one != derive("sum(x)**2*sum(x**2)", wrt="x")


def test_several_that_were_read_are_one_function_too():
    d = derive("h = tanh(W @ x); y = sum(h**2*c)", ["W", "x", "c", "h"], shapes={"c": "m"})
    again = read(str(d))
    arrays = sample({"W": (2, 3), "x": (3,), "c": (2,)})
    expected = d(**arrays)
    for name, one in again(**arrays).items():
        assert_close(one, expected[name], 1e-12)
        assert_close(again[name](**arrays), expected[name], 1e-12)
    assert again == d
    second = derive(d["x"], "x")(**arrays)
    assert_close(derive(again["x"], "x")(**arrays), second, 1e-12)
    without = derive("h = tanh(W @ x); y = sum(h**2*c)", ["W", "x", "c"], shapes={"c": "m"})
    assert read(str(without)).source().count("np.tanh") == 1
    for text in ("h = tanh(W @ x); y = sum(h**2*c)", "h = W @ x; y = sum(exp(h)*c)"):
        for names in (["c", "h"], ["h", "c"]):
            d = derive(text, names, shapes={"c": "m"})
            again = read(str(d))
            for name in names:
                expected = derive(derive(text, name, shapes={"c": "m"}), "h")(**arrays)
                assert_close(derive(again[name], "h")(**arrays), expected, 1e-12)


def test_shapes_that_are_not_said_do_not_meet():
    d = read("dy/dW[i,j] = X[i,j]; dy/db[i] = 2*b[i]")
    assert d["b"](b=np.ones(5)).tolist() == [2.0] * 5


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("names", ["vw", "wz", "st", "rg"])
def test_no_definition_is_called_as_a_size_is(names, order):
    shapes = {"A": tuple(names), "x": names[1]}
    d = derive("y = sum(log(1 + tanh(A @ x)**2)*exp(A @ x))", wrt="x", order=order, shapes=shapes)
    assert read(str(d)) == d
