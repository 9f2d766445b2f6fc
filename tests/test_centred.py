"""Sums of what has its mean taken off vanish from derivatives, and nothing else does."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive

CENTRED = [
    ("var(x)", "x", {"x": (5,)}, lambda x: np.var(x), "2*(x[i] - sum[j](x[j])/n)/n"),
    ("m = mean(x); sum((x - m)**2)", "x", {"x": (5,)}, lambda x: np.sum((x - x.mean()) ** 2), "2*v[i]"),
    ("std(x)", "x", {"x": (7,)}, lambda x: np.std(x), "= w[i]"),
    (
        "sum(c*var(X @ W, axis=0))",
        "W",
        {"c": (3,), "X": (7, 2), "W": (2, 3)},
        lambda c, X, W: np.sum(c * np.var(X @ W, axis=0)),
        "= w[k,j]*X[k,i]",
    ),
]


@pytest.mark.parametrize("program, wrt, shapes, function, said", CENTRED, ids=[one[0] for one in CENTRED])
def test_a_sum_of_centred_entries_is_not_computed(program, wrt, shapes, function, said):
    arrays = sample(shapes)
    d = derive(program, wrt=wrt)
    assert said in str(d).splitlines()[-2] + str(d).splitlines()[-1]
    assert_close(d(**arrays), numerical_jacobian(function, arrays, wrt), 1e-8)
    fixed = derive(program, wrt=wrt, shapes=shapes)
    assert_close(fixed(**arrays), d(**arrays), 1e-12)
    assert len(str(fixed)) < len(str(d)) + 20
    second = derive(program, wrt=wrt, order=2)
    assert_close(second(**arrays), numerical_jacobian(lambda **given: d(**given), arrays, wrt), 1e-7)


NOT_CENTRED = [
    ("v = x - sum(x)/n; sum(v**3)", {"x": (5,)}, lambda x: np.sum((x - x.mean()) ** 3)),
    ("v = x - 2*sum(x)/n; sum(v**2)", {"x": (5,)}, lambda x: np.sum((x - 2 * x.mean()) ** 2)),
    ("v = x - sum(x[1:])/n; sum(v**2)", {"x": (5,)}, lambda x: np.sum((x - x[1:].sum() / 5) ** 2)),
    ("v = x - sum(x)/n; sum(v[1:])**2", {"x": (5,)}, lambda x: np.sum((x - x.mean())[1:]) ** 2),
    ("v = x - sum(x*c)/n; sum(v)**2", {"x": (5,), "c": (5,)}, lambda x, c: np.sum(x - np.mean(x * c)) ** 2),
    ("v = x - mean(x); w = exp(v); sum(w*v)**2", {"x": (5,)}, lambda x: centred_exponential(x)),
    (
        "V = X - mean(X, axis=0); sum(sum(V, axis=1)**2)",
        {"X": (5, 3)},
        lambda X: np.sum(np.sum(X - X.mean(axis=0), axis=1) ** 2),
    ),
    (
        "V = S - mean(S, axis=0); trace(V)**2",
        {"S": (3, 3)},
        lambda S: np.trace(S - S.mean(axis=0)) ** 2,
    ),
]


def centred_exponential(x):
    v = x - x.mean()
    return np.sum(np.exp(v) * v) ** 2


@pytest.mark.parametrize("program, shapes, function", NOT_CENTRED, ids=[one[0] for one in NOT_CENTRED])
def test_a_sum_of_what_is_not_centred_stays(program, shapes, function):
    arrays = sample(shapes)
    wrt = next(iter(shapes))
    given = {"X": "m n", "S": "n n"}.get(wrt, "n")
    d = derive(program, wrt=wrt, shapes=dict.fromkeys(shapes, given))
    right = numerical_jacobian(function, arrays, wrt)
    assert_close(d(**arrays), right, 1e-8)
    assert np.all(np.abs(d(**arrays)) > 0)
    second = derive(d, wrt=wrt)
    assert_close(second(**arrays), numerical_jacobian(lambda **given: d(**given), arrays, wrt), 1e-7)


def test_a_definition_that_is_a_wrt_is_not_seen_through():
    d = derive("v = x - mean(x); sum(v)**2 + sum(v**2)", wrt="v")
    x = sample({"x": (5,)})["x"]
    v = x - x.mean()
    right = numerical_jacobian(lambda v: np.sum(v) ** 2 + np.sum(v**2), {"v": v}, "v")
    assert_close(d(x=x), right, 1e-8)


@pytest.mark.parametrize("n", [1, 2])
def test_few_entries(n):
    x = np.arange(1.0, n + 1)
    assert_close(derive("var(x)", wrt="x")(x), 2 * (x - x.mean()) / n)
