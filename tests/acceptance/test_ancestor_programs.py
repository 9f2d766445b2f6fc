"""The programs that XDiff.jl and XGrad.jl test (P1 to P21), as a user of this library types them.

Each by every input: against the slope of a plain NumPy function, and against the formula where one is known.
"""

# ruff: noqa: E501

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample
from numpy import exp, log, ones, outer, sqrt, tanh

from einsumdiff import derive

Function = Callable[..., object]


@dataclass(frozen=True)
class Program:
    number: str
    text: str
    shapes: dict[str, tuple[int, ...]]
    value: Function
    slopes: dict[str, Function] = field(default_factory=dict)
    domain: str = "real"

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return sample(self.shapes, self.domain, seed=int("".join(filter(str.isdigit, self.number))))


def sigmoid(x):
    return 1 / (1 + exp(-x))


def softplus(x):
    return log(1 + exp(x))


def network_slope(w1, w2, w3, x1):
    a = w1 @ x1
    b = w2 @ softplus(a)
    s = sigmoid(w3 @ softplus(b))
    return np.einsum("o,oq,q,qp,p,n->pn", s * (1 - s), w3, sigmoid(b), w2, sigmoid(a), x1)


AUTOENCODER = {"We1": (5, 7), "We2": (3, 5), "Wd": (7, 3), "b1": (5,), "b2": (3,), "x": (7,)}


def decoded(We1, We2, Wd, b1, b2, x):
    return sigmoid(Wd @ sigmoid(We2 @ sigmoid(We1 @ x + b1) + b2))


def decoder_slope(weight, We1, We2, Wd, b1, b2, x):
    h = sigmoid(We2 @ sigmoid(We1 @ x + b1) + b2)
    r = sigmoid(Wd @ h)
    return outer(weight(r, x) * r * (1 - r), h)


ENCODER = "r = sigmoid(Wd @ sigmoid(We2 @ sigmoid(We1 @ x + b1) + b2))\n"

VAE = """
# encode: a mean and the logarithm of a variance
he1 = tanh(We1 @ x + be1[:, None])
mu = We3 @ he1 + be3[:, None]
log_sigma2 = We4 @ he1 + be4[:, None]
# a sample of the latent variable
z = mu + sqrt(exp(log_sigma2))*eps
# decode
hd = tanh(Wd1 @ z + bd1[:, None])
x_rec = sigmoid(Wd2 @ hd + bd2[:, None])
# the evidence lower bound
rec_loss = sum(x*log(1e-10 + x_rec) + (1 - x)*log(1e-10 + 1 - x_rec), axis=0)
kl = -0.5*sum(1 + log_sigma2 - mu**2 - exp(log_sigma2), axis=0)
cost = mean(kl - rec_loss)
"""


def vae(We1, We3, We4, Wd1, Wd2, be1, be3, be4, bd1, bd2, x, eps):
    he1 = tanh(We1 @ x + be1[:, None])
    mu = We3 @ he1 + be3[:, None]
    log_sigma2 = We4 @ he1 + be4[:, None]
    z = mu + sqrt(exp(log_sigma2)) * eps
    x_rec = sigmoid(Wd2 @ tanh(Wd1 @ z + bd1[:, None]) + bd2[:, None])
    rec_loss = (x * log(1e-10 + x_rec) + (1 - x) * log(1e-10 + 1 - x_rec)).sum(axis=0)
    kl = -0.5 * (1 + log_sigma2 - mu**2 - exp(log_sigma2)).sum(axis=0)
    return np.mean(kl - rec_loss)


VAE_SHAPES = {
    "We1": (5, 7),
    "We3": (2, 5),
    "We4": (2, 5),
    "Wd1": (3, 2),
    "Wd2": (7, 3),
    "be1": (5,),
    "be3": (2,),
    "be4": (2,),
    "bd1": (3,),
    "bd2": (7,),
    "x": (7, 4),
    "eps": (2, 4),
}

RNN = {"Whh": (3, 3), "Wxh": (3, 5), "Why": (2, 3), "h0": (3,), "x": (5,), "y": (2,)}


def rnn(Whh, Wxh, Why, h0, x, y):
    return ((Why @ tanh(Whh @ h0 + Wxh @ x) - y) ** 2).sum()


def rnn_slope(Whh, Wxh, Why, h0, x, y):
    t = tanh(Whh @ h0 + Wxh @ x)
    return outer(2 * (Why @ t - y) @ Why * (1 - t**2), x)


AFFINE = {"W": (2, 3), "x": (3, 5), "b": (2,), "y": (2,)}


def residual(W, x, b, y):
    return W @ x + b[:, None] - y[:, None]


def transposed_slope(a, b):
    return b.sum(axis=1)[:, None] + b.sum(axis=0)[None, :]


# fmt: off
PROGRAMS = [
    Program("P1", "mean(x)", {"x": (3,)}, lambda x: x.mean(), {"x": lambda x: ones(3) / 3}),
    Program("P2", "mean(x)", {"x": (3, 5)}, lambda x: x.mean(), {"x": lambda x: ones((3, 5)) / 15}),
    Program("P3", "mean(x, 0)", {"x": (3, 5)}, lambda x: x.mean(0),
            {"x": lambda x: np.einsum("jn,m->jmn", np.eye(5), ones(3)) / 3}),
    Program("P4", "z = sum(sum(x, axis=0) + 2)", {"x": (3, 5)}, lambda x: x.sum() + 10,
            {"x": lambda x: ones((3, 5))}),
    Program("P5", "z = sum(sum(x, axis=1) + 2)", {"x": (3, 5)}, lambda x: x.sum() + 6,
            {"x": lambda x: ones((3, 5))}),
    Program("P6", "sum(1/(1 + exp(-w3 @ log(1 + exp(w2 @ log(1 + exp(w1 @ x1)))))))",
            {"w1": (5, 7), "w2": (3, 5), "w3": (2, 3), "x1": (7,)},
            lambda w1, w2, w3, x1: sigmoid(w3 @ softplus(w2 @ softplus(w1 @ x1))).sum(), {"w1": network_slope}),
    Program("P7", ENCODER + "cost = sum((r - x)**2)", AUTOENCODER,
            lambda **a: ((decoded(**a) - a["x"]) ** 2).sum(),
            {"Wd": lambda **a: decoder_slope(lambda r, x: 2 * (r - x), **a)}),
    Program("P8", ENCODER + "cost = sum(r - x**2)", AUTOENCODER,
            lambda **a: (decoded(**a) - a["x"] ** 2).sum(),
            {"Wd": lambda **a: decoder_slope(lambda r, x: 1, **a)}),
    Program("P9", "sum(Wd @ We @ x - x)", {"We": (2, 5), "Wd": (5, 2), "x": (5, 3)},
            lambda We, Wd, x: (Wd @ We @ x - x).sum(),
            {"We": lambda We, Wd, x: outer(Wd.sum(axis=0), x.sum(axis=1)),
             "x": lambda We, Wd, x: (Wd @ We).sum(axis=0)[:, None] - ones((5, 3))}),
    Program("P10", "sum(abs2(sum(w*x) + b - y))", {"w": (3,), "b": (), "x": (3,), "y": ()},
            lambda w, b, x, y: (w @ x + b - y) ** 2,
            {"w": lambda w, b, x, y: 2 * (w @ x + b - y) * x, "b": lambda w, b, x, y: 2 * (w @ x + b - y),
             "x": lambda w, b, x, y: 2 * (w @ x + b - y) * w, "y": lambda w, b, x, y: -2 * (w @ x + b - y)}),
    Program("P11", "sum(abs2(y - (W @ x + b)))", {"W": (1, 5), "b": (), "x": (5, 7), "y": (1, 7)},
            lambda W, b, x, y: ((y - W @ x - b) ** 2).sum(),
            {"W": lambda W, b, x, y: -2 * (y - W @ x - b) @ x.T}),
    Program("P12", "log(sum(x))", {"x": (2,)}, lambda x: log(x.sum()), {"x": lambda x: ones(2) / x.sum()}, "positive"),
    Program("P13", "sum((W @ x + b[:, None] - y[:, None])**2)", AFFINE,
            lambda **a: (residual(**a) ** 2).sum(),
            {"b": lambda **a: 2 * residual(**a).sum(axis=1), "W": lambda **a: 2 * residual(**a) @ a["x"].T,
             "y": lambda **a: -2 * residual(**a).sum(axis=1)}),
    Program("P14", "x = u + v\ny = sum(x, axis=1)\nz = sum(1.0*y)", {"u": (3, 5), "v": (3, 5)},
            lambda u, v: (u + v).sum(), {"u": lambda u, v: ones((3, 5)), "v": lambda u, v: ones((3, 5))}),
    Program("P15", VAE, VAE_SHAPES, vae, {}, "small"),
    Program("P16", "h = tanh(Whh @ h0 + Wxh @ x)\nyhat = Why @ h\ncost = sum((yhat - y)**2)", RNN, rnn,
            {"Wxh": rnn_slope}),
    Program("P17", "sum(a.T @ b + a @ b.T)", {"a": (5, 5), "b": (5, 5)}, lambda a, b: (a.T @ b + a @ b.T).sum(),
            {"a": transposed_slope, "b": lambda a, b: transposed_slope(b, a)}),
    Program("P18", "x[0]", {"x": (3,)}, lambda x: x[0], {"x": lambda x: np.array([1.0, 0.0, 0.0])}),
    Program("P21a", "sum((relu(W2 @ relu(W1 @ x)) - y)**2)", {"W1": (3, 5), "W2": (2, 3), "x": (5, 7), "y": (2, 7)},
            lambda W1, W2, x, y: ((np.maximum(W2 @ np.maximum(W1 @ x, 0), 0) - y) ** 2).sum()),
    Program("P21b", "sum(sigmoid(W3 @ sigmoid(W2 @ sigmoid(W1 @ x + b1[:, None]) + b2[:, None]) + b3[:, None]))",
            {"W1": (3, 5), "W2": (2, 3), "W3": (4, 2), "b1": (3,), "b2": (2,), "b3": (4,), "x": (5, 7)},
            lambda W1, W2, W3, b1, b2, b3, x: sigmoid(
                W3 @ sigmoid(W2 @ sigmoid(W1 @ x + b1[:, None]) + b2[:, None]) + b3[:, None]).sum()),
]
# fmt: on

every_program = pytest.mark.parametrize("program", PROGRAMS, ids=[p.number for p in PROGRAMS])


@every_program
def test_the_derivative_by_every_input_is_the_slope(program):
    derivatives = derive(program.text, wrt=list(program.shapes), shapes=program.shapes)
    arrays = program.arrays
    results = derivatives(**arrays)
    for name in program.shapes:
        slope = numerical_jacobian(program.value, arrays, name)
        assert_close(results[name], slope, 1e-7)
        if name in program.slopes:
            assert_close(program.slopes[name](**arrays), slope, 1e-7)
            assert_close(results[name], program.slopes[name](**arrays), 1e-10)


@every_program
def test_one_input_alone_gives_the_same(program):
    arrays = program.arrays
    together = derive(program.text, wrt=list(program.shapes), shapes=program.shapes)(**arrays)
    for name in program.shapes:
        alone = derive(program.text, wrt=name, shapes=program.shapes)(**arrays)
        assert_close(alone, together[name], 1e-13)


def test_the_regression_of_xdiff_has_the_numbers_that_it_should_have():
    """XDiff's test asks for 96, 32, 32 and -32."""
    d = derive("sum(abs2(sum(w*x) + b - y))", wrt=["w", "b", "x", "y"], shapes={"b": (), "y": ()})
    result = d(w=np.array([1.0, 1.0]), b=2.0, x=np.array([3.0, 3.0]), y=4.0)
    assert {name: one.tolist() for name, one in result.items()} == {
        "w": [24.0, 24.0],
        "b": 8.0,
        "x": [8.0, 8.0],
        "y": -8.0,
    }


def test_the_first_of_three_entries_has_the_slope_one_zero_zero():
    assert derive("x[0]", wrt="x")(x=np.array([2.0, 4.0, 6.0])).tolist() == [1.0, 0.0, 0.0]


def test_the_inner_state_of_an_rnn_may_be_the_output():
    """P16: the function returns the state and the cost; the cost is the one to differentiate."""
    program = "h = tanh(Whh @ h0 + Wxh @ x)\ncost = sum((Why @ h - y)**2)\nresult = 2*h"
    arrays = sample(RNN, seed=16)
    cost = derive(program, wrt="Wxh", shapes=RNN, output="cost")
    assert_close(cost(**arrays), rnn_slope(**arrays), 1e-10)
    state = derive(program, wrt="h0", shapes=RNN, output="h")
    t = tanh(arrays["Whh"] @ arrays["h0"] + arrays["Wxh"] @ arrays["x"])
    assert_close(state(**arrays), (1 - t**2)[:, None] * arrays["Whh"], 1e-12)


def test_calls_do_not_touch_each_others_results():
    """P19: XGrad's buffers are reused; here a second call leaves the first one's results alone."""
    shapes = {"W": (2, 3), "x": (3, 5), "b": (2,), "y": (2,)}
    d = derive("sum((W @ x + b[:, None] - y[:, None])**2)", wrt=["W", "b"], shapes=shapes)
    one, other = sample(shapes, seed=1), sample(shapes, seed=2)
    first = d(**one)
    kept = {name: array.copy() for name, array in first.items()}
    second, again = d(**other), d(**one)
    for name in kept:
        assert first[name].tolist() == kept[name].tolist() == again[name].tolist()
        assert second[name].tolist() != kept[name].tolist()


@dataclass
class Linear:
    W: np.ndarray
    b: np.ndarray


def loss(m, x, y):
    return np.sum((m.W @ x + m.b[:, None] - y[:, None]) ** 2)


def test_the_gradient_in_a_structure_has_its_fields():
    """P13 and P20: parameters are the fields of a dataclass; so are the gradients."""
    arrays = sample(AFFINE, seed=20)
    m, x, y = Linear(arrays["W"], arrays["b"]), arrays["x"], arrays["y"]
    d = derive(loss, wrt=["m", "x", "y"], shapes={"m": m, "x": x, "y": y})
    result = d(m=m, x=x, y=y)
    flat = derive("sum((W @ x + b[:, None] - y[:, None])**2)", wrt=["W", "b", "x", "y"], shapes=AFFINE)(
        **arrays
    )
    assert isinstance(result["m"], Linear)
    assert_close(result["m"].W, flat["W"], 1e-13)
    assert_close(result["m"].b, flat["b"], 1e-13)
    assert_close(result["x"], flat["x"], 1e-13)
    assert_close(result["y"], flat["y"], 1e-13)
