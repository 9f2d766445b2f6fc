"""Arguments of functions that hold arrays: dataclasses, dictionaries and lists, and gradients like them."""

import pickle
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, NameFault, derive, value_and_grad


@dataclass
class Affine:
    W: np.ndarray
    b: np.ndarray
    kind: str = "tanh"

    def __call__(self, x):
        return getattr(np, self.kind)(self.W @ x + self.b)


@dataclass(frozen=True, slots=True)
class Net:
    layers: list[Affine]
    scale: float = 1.0
    extra: dict = field(default_factory=dict)

    def __post_init__(self):
        assert all(isinstance(layer.W, np.ndarray) for layer in self.layers)


def loss(net: Net, x, target):
    for layer in net.layers:
        x = layer(x)
    return np.mean((net.scale * x - target) ** 2) + sum(np.sum(one**2) for one in net.extra.values())


def example():
    arrays = sample({"W0": (3, 2), "b0": (3,), "W1": (5, 3), "b1": (5,), "q": (2,)}, seed=7)
    layers = [Affine(arrays["W0"], arrays["b0"]), Affine(arrays["W1"], arrays["b1"], "sin")]
    return Net(layers, 0.7, {"q": arrays["q"]})


X, TARGET = sample({"x": (2,), "t": (5,)}, seed=8).values()


def slope(change):
    """The numerical derivative of the loss in what `change` puts into a new example."""

    def function(v):
        net = change(v)
        return loss(net, X, TARGET)

    return function


def replaced(path, value):
    net = example()
    match path.split("."):
        case ["scale"]:
            return Net(net.layers, float(value), net.extra)
        case ["extra", key]:
            return Net(net.layers, net.scale, {key: value})
        case ["layers", k, name]:
            setattr(net.layers[int(k)], name, value)
    return net


PATHS = {
    "layers.0.W": lambda net: net.layers[0].W,
    "layers.0.b": lambda net: net.layers[0].b,
    "layers.1.W": lambda net: net.layers[1].W,
    "layers.1.b": lambda net: net.layers[1].b,
    "scale": lambda net: net.scale,
    "extra.q": lambda net: net.extra["q"],
}


def numerical(path):
    point = np.asarray(PATHS[path](example()))
    return numerical_jacobian(slope(lambda v: replaced(path, v)), {"v": point}, "v")


def test_gradients_come_back_in_the_shape_of_the_argument():
    d = derive(loss, "net", shapes={"net": example(), "x": 2, "target": 5})
    found = d(example(), X, TARGET)
    assert isinstance(found, Net) and isinstance(found.layers[0], Affine) and found.layers[1].kind == "sin"
    for path, get in PATHS.items():
        assert_close(get(found), numerical(path), 1e-7)
    assert d.inputs[:3] == ("net_layers_0_W", "net_layers_0_b", "net_layers_1_W")
    assert d.check(net=example(), x=X, target=TARGET) < 1e-7
    again = pickle.loads(pickle.dumps(d))
    assert again == d
    assert_close(again(example(), X, TARGET).layers[0].W, found.layers[0].W)
    assert_close(d["net.scale"](example(), X, TARGET), found.scale)


@pytest.mark.parametrize("path", PATHS)
def test_one_array_of_an_argument(path):
    d = derive(loss, f"net.{path}", shapes={"net": example(), "x": 2, "target": 5})
    assert_close(d(net=example(), x=X, target=TARGET), numerical(path), 1e-7)
    assert pickle.loads(pickle.dumps(d)) == d


def test_several_of_them():
    shapes = {"net": example(), "x": 2, "target": 5}
    found = derive(loss, ["net.layers.0", "x", "net.scale"], shapes=shapes)(example(), X, TARGET)
    assert list(found) == ["net.layers.0", "x", "net.scale"]
    assert isinstance(found["net.layers.0"], Affine)
    assert_close(found["net.layers.0"].b, numerical("layers.0.b"), 1e-7)
    assert_close(found["net.scale"], numerical("scale"), 1e-7)


def test_value_and_gradient_of_a_model():
    value, found = value_and_grad(loss, "net", shapes={"net": example(), "x": 2, "target": 5})(
        example(), X, TARGET
    )
    assert_close(value, loss(example(), X, TARGET))
    assert_close(found.layers[1].W, numerical("layers.1.W"), 1e-7)


def test_mixed_derivatives_of_a_model():
    first = derive(loss, "net.layers.0.b", shapes={"net": example(), "x": 2, "target": 5})
    mixed = derive(first, "net.scale")
    expected = numerical_jacobian(lambda v: first(replaced("scale", v), X, TARGET), {"v": np.array(0.7)}, "v")
    assert_close(mixed(example(), X, TARGET), expected, 1e-7)


def test_shapes_by_name_for_a_dataclass_and_for_a_dictionary():
    def of_dataclass(m: Affine, x):
        return np.sum(m(x) ** 2)

    def of_dictionary(m, x):
        return np.sum(np.tanh(m["W"] @ x + m["b"]) ** 2)

    def of_attributes(m, x):
        return np.sum(np.tanh(m.W @ x + m.b) ** 2)

    shapes = {"m": {"W": ("a", "b"), "b": ("a",)}, "x": ("b",)}
    layer = example().layers[0]
    text = derive("sum(tanh(m_W @ x + m_b)**2)", "m_W", shapes={"m_W": "a b", "m_b": "a", "x": "b"})
    for f in (of_dataclass, of_dictionary, of_attributes):
        assert derive(f, "m.W", shapes=shapes) == text
        found = derive(f, "m", shapes=shapes)(m=layer, x=X)
        assert isinstance(found, Affine)
        flat = derive(f, "m", shapes=shapes)(m={"W": layer.W, "b": layer.b}, x=X)
        assert isinstance(flat, dict) and np.array_equal(flat["W"], found.W)
        plain = derive(f, "m", shapes=shapes)(m_W=layer.W, m_b=layer.b, x=X)
        assert np.array_equal(plain["b"], found.b)


class Pair(NamedTuple):
    W: np.ndarray
    b: np.ndarray


def test_named_tuples_tuples_and_lists():
    arrays = sample({"W": (2, 3), "b": (2,)})
    pair = Pair(**arrays)
    x = np.array([0.3, -1.0, 2.0])

    def named(p, x):
        W, b = p
        return np.sum((p.W @ x + b) ** 2) + np.sum(W)

    d = derive(named, "p", shapes={"p": pair, "x": 3})
    found = d(pair, x)
    assert isinstance(found, Pair) and d.inputs == ("p_W", "p_b", "x")
    for name in arrays:
        expected = numerical_jacobian(
            lambda v, name=name: named(pair._replace(**{name: v}), x), {"v": arrays[name]}, "v"
        )
        assert_close(getattr(found, name), expected, 1e-7)
        assert_close(derive(named, f"p.{name}", shapes={"p": pair, "x": 3})(pair, x), expected, 1e-7)
    for kind in (tuple, list):
        both = kind(pair)
        unnamed = derive(
            lambda p, x: np.sum((p[0] @ x + p[1]) ** 2) + np.sum(p[0]), "p", shapes={"p": both, "x": 3}
        )
        again = unnamed(both, x)
        assert isinstance(again, kind)
        assert_close(again[0], found.W)


def test_what_an_argument_holds_must_be_said():
    def f(m, x):
        return np.sum(m.W @ x)

    with pytest.raises(NameFault, match="m is one array here"):
        derive(f, "m.W")
    with pytest.raises(NameFault, match=r"no \.W") as caught:
        derive(f, "m")
    assert "a dictionary of shapes" in caught.value.hint


def test_second_derivatives_are_blocks_by_input():
    shapes = {"m": {"W": "a b", "b": "a"}, "x": "b"}
    h = derive(lambda m, x: np.sum(np.tanh(m.W @ x + m.b) ** 2), "m", order=2, shapes=shapes)
    m = {"W": np.ones((2, 3)), "b": np.ones(2)}
    assert {names: block.shape for names, block in h(m, np.ones(3)).items()} == {
        ("m_W", "m_W"): (2, 3, 2, 3),
        ("m_W", "m_b"): (2, 3, 2),
        ("m_b", "m_W"): (2, 2, 3),
        ("m_b", "m_b"): (2, 2),
    }


def test_names_of_leaves_do_not_clash():
    def f(m, m_W, n):
        return np.sum(m["W"] * m_W) + np.sum(m["a b"] @ n)

    shapes = {"m": {"W": "k", "a b": "m_W1 k"}, "m_W": "k", "n": "k"}
    d = derive(f, "m", shapes=shapes)
    m = {"W": np.ones(2), "a b": np.ones((3, 2))}
    found = d(m, np.array([2.0, 3.0]), np.array([4.0, 5.0]))
    assert_close(found["W"], [2.0, 3.0])
    assert_close(found["a b"], np.tile([4.0, 5.0], (3, 1)))
    assert len(set(d.inputs)) == 4


@pytest.mark.parametrize(
    "given, message",
    [
        ({"m": {"W": np.ones((2, 3))}, "x": np.ones(3)}, "m.b is missing"),
        ({"m": {"W": np.ones((2, 3)), "b": np.ones(2), "c": 1}, "x": np.ones(3)}, "no part 'c'"),
        ({"m": {"W": np.ones((2, 3)), "b": np.ones(2), "kind": "sin"}, "x": np.ones(3)}, "made with 'tanh'"),
        ({"m": None, "x": np.ones(3)}, "m.W is missing"),
        ({"x": np.ones(3)}, "missing"),
        ({"m": {"W": np.ones((2, 4)), "b": np.ones(2), "kind": "tanh"}, "x": np.ones(3)}, "size 4"),
        ({"q": 1}, "q is no argument"),
    ],
    ids=["missing", "extra", "other", "none", "nothing", "size", "unknown"],
)
def test_wrong_arguments(given, message):
    shapes = {"m": Affine(np.ones((2, 3)), np.ones(2)), "x": 3}
    d = derive(lambda m, x: np.sum(m(x)), "m", shapes=shapes)
    if message.startswith(("m.b", "no part")):
        given["m"].setdefault("kind", "tanh")
    with pytest.raises(EinsumDiffError, match=message):
        d(**given)


def test_an_argument_that_holds_no_array_is_said():
    @dataclass
    class Model:
        W: object

    with pytest.raises(EinsumDiffError, match=r'm holds no array\nsay what it holds: shapes=\{"m": '):
        derive(lambda m, x: np.sum(m.W @ x), "m", shapes={"m": Model("a b"), "x": "b"})
