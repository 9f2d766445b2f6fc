"""A wrt that is a definition: an input from its line on, through which no identity sees."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import NameFault, derive

NAMESPACE = {name: getattr(np, name) for name in ("exp", "log", "sin", "cos", "tanh", "sum", "sqrt")}
NAMESPACE["sigmoid"] = lambda x: 1 / (1 + np.exp(-x))


def after(lines, name, result):
    """The function of all arrays and of `name` that the program is behind the last line that assigns it."""
    split = max(k for k, line in enumerate(lines) if line.split("=")[0].strip() == name) + 1

    def run(**arrays):
        scope = dict(NAMESPACE, **arrays)
        held = scope.pop(name, None)
        for k, line in enumerate(lines):
            if k == split and held is not None:
                scope[name] = held
            exec(line, scope)
        return scope[result]

    return run


@pytest.mark.parametrize(
    "text",
    [
        "h = sum(exp(x)); y = log(h)*x",
        "h = sum(exp(x)); y = exp(x)/h",
        "h = -x; y = 1/(1 + exp(h))",
        "h = 1 + exp(-x); y = 1/h",
        "h = 1 + exp(x); y = log(h)*h",
        "h = exp(x); y = log(h)",
        "h = exp(x); y = exp(x)*h*h",
        "h = log(x*x); y = exp(h)",
        "h = sigmoid(-x); y = exp(x)*h",
        "h = x @ x; y = sqrt(h)",
        "h = sin(x); g = h*2; h = cos(h); y = h*g",
        "h = W @ x; h = tanh(h); h = V @ h; h = tanh(h); y = sum(h*h)",
    ],
)
def test_it_is_an_input_behind_its_line(text):
    lines = text.split("; ")
    random = np.random.default_rng(1)
    shapes = {"x": (3,), "W": (2, 3), "V": (5, 2)}
    arrays = {name: random.standard_normal(shape) for name, shape in shapes.items() if name in text}
    f = after(lines, "h", "y")
    held = {}
    exec("; ".join(lines), scope := dict(NAMESPACE, **arrays))
    held["h"] = scope["h"]
    expected = numerical_jacobian(f, {**arrays, **held}, "h")
    d = derive(text, wrt="h")
    assert_close(d(**arrays), expected, 1e-8)
    value, slope = d.compile(value=True)(**arrays)
    assert_close(value, scope["y"], 1e-12)
    assert_close(slope, expected, 1e-8)
    assert np.any(expected)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("h = tanh(W @ x); y = sum(h**2)", ["h", "W"]),
        ("h = tanh(W @ x); y = sum(h**2*sum(W))", ["W", "h"]),
        ("h = sin(x); g = exp(h); y = g*h*x", ["x", "h", "g"]),
    ],
)
def test_of_several_each_is_what_it_is_alone(text, names, order):
    several = derive(text, wrt=names, order=order)
    for key in several:
        chain = (key,) if isinstance(key, str) else key
        alone = derive(text, wrt=chain[0])
        for name in chain[1:]:
            alone = derive(alone, wrt=name)
        assert several[key] == alone
        assert several[key].check() < 1e-9


def test_an_identity_below_a_sum_closes_the_sum_last():
    """The quotient is rewritten with the sum's index open."""
    x, w = np.array([0.3, -0.7, 1.1]), np.array([2.0, -1.0, 0.5])
    for text in ("sum(w*exp(x))/sum(exp(x))", "sum(w*exp(x)/sum(exp(x)))"):
        d = derive(text, wrt="x")
        s = np.exp(x) / np.exp(x).sum()
        assert_close(d(w=w, x=x), s * (w - w @ s), 1e-14)
        assert np.all(np.isfinite(d(w=w, x=x + 1000)))


@pytest.mark.parametrize(
    ("text", "name", "notation"),
    [
        ("sum(x**2)", "y", "numpy"),
        ("x[i]*y[i]", "f", "numpy"),
        ("ij,j", "y", "numpy"),
        ("x'*x", "y", "matrix"),
    ],
)
def test_the_name_of_a_bare_expression_is_no_wrt(text, name, notation):
    """Nobody typed that name: it is a slip, and its derivative would be an identity."""
    with pytest.raises(NameFault, match=f"{name} is nowhere in the program"):
        derive(text, wrt=name, notation=notation)
    assert derive(f"{name}1 = 2*x", wrt=f"{name}1").shape == ("n", "n")
