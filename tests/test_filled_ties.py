"""The slope of a maximum is one comparison, filled at ties; its numbers are those of the two comparisons."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive

EDGES = np.array([-np.inf, -2.0, -0.0, 0.0, 1.0, 3.0, np.inf, np.nan])
X, Y = (one.copy() for one in np.meshgrid(EDGES, EDGES))
SHARES = {"split": 0.5, "first": 1.0, "zero": 0.0}


def slope(x, y, share, more=np.greater):
    """One place at a time: 1, the share, or 0 where one is no number."""
    found = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        a, b = x[place], y[place]
        found[place] = 1.0 if more(a, b) else share if a == b else 0.0
    return found


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("ties", SHARES)
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_edges_are_those_of_the_two_comparisons(name, ties, dtype):
    x, y = X.astype(dtype), Y.astype(dtype)
    d = derive(f"sum(w*{name}(X, Y))", wrt="X", shapes={"X": "m n", "Y": "m n", "w": ()}, ties=ties)
    more = np.greater if name == "maximum" else np.less
    expected = slope(x, y, SHARES[ties], more)
    for options in ({}, {"out": True}, {"copy": False}):
        out = {"out": np.full(x.shape, 7, dtype)} if options.get("out") else {}
        found = d.compile(**options)(X=x, Y=y, w=dtype(1), **out)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)
    number = d(X=x, Y=y, w=dtype(-2))
    np.testing.assert_array_equal(number, -2 * expected)


@pytest.mark.parametrize("ties", SHARES)
def test_what_is_compared_may_be_any_array(ties):
    """Whole numbers, numbers, arrays that are repeated, sums of several shares."""
    y = np.array([[1, 0], [2, 2], [-1, 3]])
    x = np.array([[1.0, 2.0], [2.0, 0.0], [-2.0, 3.0]])
    d = derive("sum(maximum(X, Y))", wrt="X", ties=ties)
    np.testing.assert_array_equal(d(X=x, Y=y), slope(x, y, SHARES[ties]))
    d = derive("sum(maximum(X, 2)**2)", wrt="X", ties=ties)
    np.testing.assert_array_equal(d(X=x), 2 * x * slope(x, np.full(x.shape, 2), SHARES[ties]))
    d = derive("sum(maximum(X, b))", wrt="X", ties=ties)
    b = np.array([2.0, 0.0])
    np.testing.assert_array_equal(d(X=x, b=b), slope(x, np.broadcast_to(b, x.shape), SHARES[ties]))
    d = derive("sum(maximum(a[:, None], b))", wrt=("a", "b"), ties=ties)
    a = np.array([0.0, 2.0, 5.0])
    grid = slope(*np.broadcast_arrays(a[:, None], b), SHARES[ties])
    other = slope(*np.broadcast_arrays(b, a[:, None]), {"split": 0.5, "first": 0.0, "zero": 0.0}[ties])
    found = d(a=a, b=b)
    np.testing.assert_array_equal(found["a"], grid.sum(axis=1))
    np.testing.assert_array_equal(found["b"], other.sum(axis=0))
    d = derive("sum(maximum(X, Y) + 3*minimum(X, Y))", wrt="X", ties=ties)
    low = slope(x, y, SHARES[ties], np.less)
    np.testing.assert_array_equal(d(X=x, Y=y), slope(x, y, SHARES[ties]) + 3 * low)


@pytest.mark.parametrize(
    "program",
    [
        "sum(maximum(X, Y)*X)",
        "sum(fmax(X, Y)**2) + sum(maximum(Y, X))",
        "sum(clip(X, -0.5, Y))",
        "sum((X > Y)*X + 0.5*(X == Y)*X**2)",
        "sum(((X > Y) + 0.25*(X == Y) - 3*(X < Y))*X)",
        "sum((2*(X < Y) - 0.5*(X == Y))*X**2)",
        "sum(minimum(X @ Y.T, 0.1) @ X)",
        "y = maximum(X, Y); sum(y*(X > Y))",
    ],
)
def test_slopes_beside_ties_are_those_of_differences(program):
    given = sample({"X": (2, 3), "Y": (2, 3)}, seed=9)
    d = derive(program, wrt="X", shapes={"X": "m n", "Y": "m n"})
    value = d.compile(value=True)
    expected = numerical_jacobian(lambda **a: value(**a)[0], given, "X")
    for form in ("dense", "compressed"):
        found = d.compile(form=form)(**given)
        assert_close(found.dense() if form == "compressed" else found, expected, 1e-8)
    empty = {name: np.zeros((0, 3)) for name in given}
    assert d(**empty).shape == (0, 3)


def test_one_comparison_is_filled():
    d = derive("sum(maximum(X, Y)**2)", wrt="X")
    assert "[X == Y] = 0.5" in d.source() and d.source().count("astype") == 1
    assert ">= Y" in derive("sum(maximum(X, Y)**2)", wrt="X", ties="first").source()
    assert "==" not in derive("sum(maximum(X, Y)**2)", wrt="X", ties="zero").source().rpartition('"""')[2]


def test_a_scalar_is_no_array_to_fill():
    d = derive("maximum(x, y)**2", wrt="x", shapes={"x": (), "y": ()})
    for x, y, expected in ((3.0, 1.0, 6.0), (1.0, 1.0, 1.0), (0.0, 1.0, 0.0)):
        assert d(x=x, y=y) == expected


def test_memory_is_what_is_said():
    import tracemalloc

    d = derive("sum(maximum(X, Y)**2)", wrt="X", shapes={"X": "n", "Y": "n"})
    f, given = d.compile(), {name: np.random.default_rng(0).standard_normal(200_000) for name in "XY"}
    f(**given)
    tracemalloc.start()
    f(**given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 1.1 * d.cost(n=200_000).memory
