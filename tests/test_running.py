"""Cumulative, sliding and averaging operations: NumPy's values, both derivatives, also at zeros."""

import re

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, read

SHAPES = {"x": (5,), "w": (3,), "A": (2, 3), "T": (2, 3, 5), "v": (2, 3), "u": (3,)}
NAMES = "cumsum cumprod diff gradient trapezoid average convolve correlate sin sum"
SPACE = {name: getattr(np, name) for name in NAMES.split()}
SPACE["normalize"] = lambda x, axis=-1: x / np.sqrt(np.sum(x**2, axis=axis, keepdims=True))

EXPRESSIONS = [
    ("cumsum(x)", "x"),
    ("cumsum(A, axis=0)", "A"),
    ("cumsum(A)", "A"),
    ("T.cumsum(axis=1)", "T"),
    ("sum(cumsum(x)**2)", "x"),
    ("cumsum(x)[::-1]*x", "x"),
    ("cumsum(x[::-1])[::-1]*x**2", "x"),
    ("cumsum(x)[1:]*x[:-1]", "x"),
    ("cumsum(x)[:-2]*x[2:]", "x"),
    ("sum(w*cumsum(x)[2:]**2)", "x"),
    ("cumsum(cumsum(x))", "x"),
    ("sum(cumsum(cumsum(x))**2)", "x"),
    ("sum(cumsum(A)**3)", "A"),
    ("sum(cumsum(A, axis=0)[::-1]*v)", "A"),
    ("cumsum(cumsum(A, axis=0), axis=1)*v", "A"),
    ("cumsum(T, axis=1)[:, ::-1]*T", "T"),
    ("diff(cumsum(x))*x[1:]", "x"),
    ("cumprod(x)", "x"),
    ("cumprod(A, axis=0)", "A"),
    ("cumprod(T, axis=-2)", "T"),
    ("sum(sin(cumprod(x)))", "x"),
    ("diff(x)", "x"),
    ("diff(x, 2)", "x"),
    ("diff(A, axis=0)", "A"),
    ("diff(x, n=7)", "x"),
    ("diff(x, prepend=0)", "x"),
    ("diff(x, 2, prepend=1.5, append=x)", "x"),
    ("diff(A, prepend=v, axis=0)", "A"),
    ("diff(A, prepend=v, axis=0)", "v"),
    ("gradient(x)", "x"),
    ("gradient(x, 0.5)", "x"),
    ("gradient(T, axis=1)", "T"),
    ("gradient(A, axis=0)", "A"),
    ("trapezoid(x)", "x"),
    ("trapezoid(x, dx=0.1)", "x"),
    ("trapezoid(A, u)", "A"),
    ("trapezoid(A, u)", "u"),
    ("trapezoid(A, v, axis=0)", "v"),
    ("trapezoid(T, axis=-2)", "T"),
    ("average(x)", "x"),
    ("average(A, axis=0)", "A"),
    ("average(A, weights=v)", "A"),
    ("average(A, weights=v)", "v"),
    ("average(A, axis=1, weights=u)", "u"),
    ("average(T, axis=1, keepdims=True)", "T"),
    ("normalize(x)", "x"),
    ("normalize(A, axis=0)", "A"),
    ("normalize(T, axis=1)", "T"),
    ("convolve(x, w)", "w"),
    ("correlate(x, w)", "w"),
]
EXPRESSIONS += [
    (f"{name}({a}, {b}, mode='{mode}')", a)
    for name in ("convolve", "correlate")
    for a, b in (("x", "w"), ("w", "x"))
    for mode in ("full", "same", "valid")
]


@pytest.mark.parametrize(("expression", "wrt"), EXPRESSIONS)
def test_it_is_numpys_with_both_derivatives(expression, wrt):
    names = [name for name in SHAPES if name in re.findall(r"[A-Za-z_]+", expression)]
    arrays = sample({name: SHAPES[name] for name in names})
    f = eval(f"lambda {', '.join(names)}: {expression}", SPACE)
    for text, g in ((expression, f), (f"sin({expression})", lambda **a: np.sin(f(**a)))):
        d = derive(f"y = {text}", wrt, shapes={name: SHAPES[name] for name in names})
        second = derive(d, wrt=wrt)
        points = [arrays]
        if "cumprod" in text:
            points.append({name: array.copy() for name, array in arrays.items()})
            points[1][wrt].flat[[1, 3]] = 0
        for point in points:
            value, slope = d.compile(value=True)(*(point[name] for name in d.inputs))
            assert_close(value, g(**point), 1e-13)
            assert_close(slope, numerical_jacobian(g, point, wrt), 1e-9)
            assert_close(second(**point), numerical_jacobian(d, point, wrt), 1e-8)
        assert d(**{name: array.astype(np.float32) for name, array in arrays.items()}).dtype == np.float32
        assert read(str(d)) == d


def test_a_cumulative_sum_is_never_a_product_with_a_triangle_of_ones():
    gradient = derive("y = sum(cumsum(x)**2)", wrt="x").source()
    assert "np.cumsum(x, axis=0)" in gradient and "reverse=True" in gradient
    body = gradient.split('"""')[-1]
    assert "arange" not in body and "tri" not in body
    large = derive("y = sum(w*cumsum(x))", wrt="x")
    assert large(w=np.ones(100_000), x=np.ones(100_000))[0] == 100_000


RUNNING = [
    "sum(cumsum(x)[::-1]*x)",
    "sum(cumsum(x[::-1])[::-1]*x**2)",
    "sum(w*cumsum(x)[1:]**2)",
    "sum(cumsum(cumsum(x))**2)",
    "sum(cumsum(x)[:-1]*x[1:])",
    "sum(log(cumsum(exp(x[::-1]))[::-1]))",
    "sum(diff(cumsum(x))**2)",
]


@pytest.mark.parametrize("text", RUNNING)
def test_a_gradient_through_a_cumulative_sum_takes_linear_time_and_memory(text):
    d = derive(text, wrt="x")
    assert d.check() < 1e-9
    assert (
        d.check(**sample(dict.fromkeys(d.inputs, (5,)) | {"w": (4,)} if "w" in d.inputs else {"x": (5,)}))
        < 1e-9
    )
    large = 200_000
    arrays = {"x": np.ones(large)} | ({"w": np.ones(large - 1)} if "w" in d.inputs else {})
    assert d(**arrays).shape == (large,)


def test_symbolic_sizes():
    for text in ("cumsum(x)", "diff(x)", "convolve(x, w)"):
        assert derive(text, wrt="x").check() < 1e-9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("convolve(x, w, mode='same')", "which of x and w is longer is not known"),
        ("convolve(A, w)", "convolve is of vectors"),
        ("convolve(x, w, mode='half')", "there is no mode 'half'"),
        ("diff(x, -1)", "n is a whole number"),
        ("A: (2, 3); w: (4,); y = average(A, axis=1, weights=w)", "its weights do not fit: (2, 3) and (4)"),
        ("average(A, weights=w)", "weights have 1 axis"),
    ],
)
def test_what_does_not_fit_is_refused(text, message):
    with pytest.raises(EinsumDiffError) as caught:
        derive(text, wrt="A" if "A" in text else "x")
    assert message in str(caught.value)
