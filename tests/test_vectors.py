"""jvp, vjp and hvp are the derivative times a vector, and never build it."""

import pickle
import threading
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, hvp, jvp, read, register, vjp

SHAPES = {"x": (3,), "W": (2, 3), "b": (2,), "A": (5, 2), "T": (5, 7), "U": (5, 2), "V": (7, 2), "w": (2,)}
PROGRAMS = [
    ("y = W @ tanh(x)", "x"),
    ("y = sum(tanh(W @ x + b)**2)", "W"),
    ("y = softmax(W @ x)", "x"),
    ("L = sum((T - U @ V.T)**2)", "U"),
    ("Z[i] = x[i+k]*w[k]", "x"),
    ("h = tanh(W @ x); y = A @ h", "W"),
    ("h = tanh(W @ x); y = sum(A @ h)**2", "h"),
    ("y = max(W*x, axis=1)", "x"),
    ("y[i,j] = x[i]*x[j]", "x"),
]


@pytest.mark.parametrize(("program", "wrt"), PROGRAMS)
def test_products_are_the_derivative_times_a_vector(program, wrt):
    d = derive(program, wrt)
    arrays = sample({name: SHAPES[name] for name in d.inputs})
    slope = d(**arrays)
    rank = len(d._jacobian.wrt[0].shape)
    random = np.random.default_rng(3)
    v = random.standard_normal(slope.shape[slope.ndim - rank :])
    u = random.standard_normal(slope.shape[: slope.ndim - rank])
    expected = np.tensordot(slope, v, rank)
    assert_close(d.jvp(**arrays, **{f"d{wrt}": v}), expected, 1e-12)
    assert_close(d.jvp.compile()(*arrays.values(), v), expected, 1e-12)
    assert_close(d.vjp(**arrays, **{f"d{d.output}": u}), np.tensordot(u, slope, u.ndim), 1e-12)
    second = derive(d, wrt=wrt)
    curved = np.tensordot(second(**arrays), v, rank)
    assert_close(second.jvp(**arrays, **{f"d{wrt}": v}), curved, 1e-11)
    if not u.ndim:
        assert_close(d.hvp(**arrays, **{f"d{wrt}": v}), curved, 1e-11)
        assert_close(second.hvp(**arrays, **{f"d{wrt}": v}), curved, 1e-11)


@pytest.mark.parametrize(("program", "wrt"), PROGRAMS)
def test_of_a_derivative_that_was_read_they_are_the_same(program, wrt):
    d = derive(program, wrt)
    again = read(str(d))
    arrays = sample({name: SHAPES[name] for name in d.inputs})
    shape = SHAPES.get(wrt, (2,))
    v = sample({"v": shape}, seed=5)["v"]
    u = sample({"u": d(**arrays).shape[: -len(shape)]}, seed=6)["u"]
    assert_close(again.jvp(**arrays, **{f"d{wrt}": v}), d.jvp(**arrays, **{f"d{wrt}": v}), 1e-12)
    assert_close(again.vjp(**arrays, **{f"d{d.output}": u}), d.vjp(**arrays, **{f"d{d.output}": u}), 1e-12)
    if not u.ndim:
        expected = d.hvp(**arrays, **{f"d{wrt}": v})
        assert_close(again.hvp(**arrays, **{f"d{wrt}": v}), expected, 1e-11)
        assert_close(read(str(derive(d, wrt))).hvp(**arrays, **{f"d{wrt}": v}), expected, 1e-11)


def net(W, V, b, x):
    return np.sum(np.tanh(V @ np.tanh(W @ x + b)) ** 2)


NET = "L = sum(tanh(V @ tanh(W @ x + b))**2)"
NET_SHAPES = {"W": (5, 3), "V": (2, 5), "b": (5,), "x": (3,)}
VECTORS = sample({f"d{name}": shape for name, shape in NET_SHAPES.items()}, seed=7)
WRT = ["W", "V", "b"]


def moved(arrays, t):
    return {name: one + t * VECTORS[f"d{name}"] if name in WRT else one for name, one in arrays.items()}


def test_several_wrt_move_together():
    arrays = sample(NET_SHAPES)
    d = derive(NET, WRT)
    vectors = {f"d{name}": VECTORS[f"d{name}"] for name in WRT}
    assert d.jvp.inputs == (*d.inputs, "dW", "dV", "db")
    slope = numerical_jacobian(lambda t: net(**moved(arrays, t)), {"t": 0.0}, "t")
    assert_close(d.jvp(**arrays, **vectors), slope, 1e-9)
    gradient = d.vjp(**arrays, dL=2.5)
    for name in WRT:
        assert_close(gradient[name], 2.5 * numerical_jacobian(net, arrays, name), 1e-8)
    curved = {
        name: numerical_jacobian(lambda t, name=name: d(**moved(arrays, t))[name], {"t": 0.0}, "t")
        for name in WRT
    }
    for h in (d.hvp, derive(NET, WRT, order=2).hvp, derive(NET, WRT, order=2).jvp):
        found = h(**arrays, **vectors)
        assert list(found) == WRT
        for name in WRT:
            assert_close(found[name], curved[name], 1e-8)


def test_of_a_derivative_with_axes_each_product_is_by_its_other_name():
    text = "y = tanh(W @ x)*b"
    arrays = sample({"W": (2, 3), "x": (3,), "b": (2,)})
    v = sample({"dx": (3,), "db": (2,)}, seed=4)
    d = derive(text, ["x", "b"], order=2)
    whole = d(**arrays)
    found = d.jvp(**arrays, **v)
    for name in ("x", "b"):
        expected = whole[name, "x"] @ v["dx"] + whole[name, "b"] @ v["db"]
        assert_close(found[name], expected, 1e-12)


def test_of_several_that_were_read_they_are_the_same():
    arrays = sample(NET_SHAPES)
    vectors = {f"d{name}": VECTORS[f"d{name}"] for name in WRT}
    first, second = derive(NET, WRT), derive(NET, WRT, order=2)
    assert_close(read(str(first)).jvp(**arrays, **vectors), first.jvp(**arrays, **vectors), 1e-12)
    expected = first.hvp(**arrays, **vectors)
    back = first.vjp(**arrays, dL=2.0)
    for name in WRT:
        assert_close(read(str(first)).vjp(**arrays, dL=2.0)[name], back[name], 1e-12)
        for one in (read(str(first)).hvp, read(str(second)).hvp):
            assert_close(one(**arrays, **vectors)[name], expected[name], 1e-11)


def test_a_wrt_that_is_a_definition_moves_too():
    text = "h = tanh(W @ x); y = sum(h**3)*x"
    d = derive(text, ["h", "x"])
    arrays = sample({"W": (2, 3), "x": (3,)})
    v = sample({"dh": (2,), "dx": (3,)}, seed=4)
    whole = d(**arrays)
    assert_close(d.jvp(**arrays, **v), whole["h"] @ v["dh"] + whole["x"] @ v["dx"], 1e-12)
    weights = sample({"dy": (3,)}, seed=5)["dy"]
    back = d.vjp(**arrays, dy=weights)
    for name in ("h", "x"):
        assert_close(back[name], weights @ whole[name], 1e-12)
    scalar = "h = tanh(W @ x); y = sum(h**3)*sum(x**2)"
    h = derive(scalar, ["h", "x"], order=2)
    found, blocks = derive(scalar, ["h", "x"]).hvp(**arrays, **v), h(**arrays)
    for name in ("h", "x"):
        assert_close(found[name], blocks[name, "h"] @ v["dh"] + blocks[name, "x"] @ v["dx"], 1e-12)


def test_the_value_comes_along():
    arrays = sample(NET_SHAPES)
    value, product = derive(NET, "W").jvp.compile(value=True)(*(arrays[n] for n in "VWxb"), VECTORS["dW"])
    assert_close(value, net(**arrays), 1e-12)
    slope = numerical_jacobian(
        lambda t: net(**{**arrays, "W": arrays["W"] + t * VECTORS["dW"]}), {"t": 0.0}, "t"
    )
    assert_close(product, slope, 1e-9)
    assert derive(NET, "W").hvp.source(value=True).splitlines()[3].startswith("def value_and_dL_dW_hvp(")


# ------------------------------------------------------------------------------------ what it costs


class Counted(np.ndarray):
    """An array that counts the multiplications and function calls that are done with it."""

    flops = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        plain = [np.asarray(one) for one in inputs]
        result = getattr(ufunc, method)(*plain, **kwargs)
        inner = plain[0].shape[-1] if ufunc is np.matmul else 1
        Counted.flops += (
            max(np.size(result), *(one.size for one in plain)) if inner == 1 else result.size * inner
        )
        return np.asarray(result).view(Counted)

    def __array_function__(self, func, types, args, kwargs):
        plain = [np.asarray(one) if isinstance(one, np.ndarray) else one for one in args]
        result = func(*plain, **kwargs)
        Counted.flops += sum(one.size for one in plain if isinstance(one, np.ndarray))
        return result.view(Counted) if isinstance(result, np.ndarray) else result


def flops(function, arrays):
    Counted.flops = 0
    function(*(np.asarray(one).view(Counted) for one in arrays))
    return Counted.flops


DEEP = "L = sum((A @ tanh(B @ tanh(C @ X)) - Y)**2)"
DEEP_SHAPES = {"A": (11, 23), "B": (23, 29), "C": (29, 31), "X": (31, 37), "Y": (11, 37)}


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
@pytest.mark.parametrize("wrt", [["A", "B", "C"], "C", ["X"]])
def test_products_cost_a_few_evaluations(wrt, mode):
    d = derive(DEEP, wrt, mode=mode)
    arrays = sample(DEEP_SHAPES)
    ordered = [arrays[name] for name in d.inputs]
    names = [wrt] if isinstance(wrt, str) else wrt
    vectors = [arrays[name] for name in names]
    once = flops(
        lambda *a: np.sum((a[0] @ np.tanh(a[1] @ np.tanh(a[2] @ a[3])) - a[4]) ** 2), arrays.values()
    )
    assert once > 11 * 23 * 37 + 23 * 29 * 37 + 29 * 31 * 37
    assert flops(d.jvp.compile(), [*ordered, *vectors]) < 4 * once
    assert flops(d.vjp.compile(), [*ordered, np.float64(1.0)]) < 5 * once
    assert flops(d.hvp.compile(), [*ordered, *vectors]) < 10 * once


def test_an_hvp_of_a_net_holds_nothing_as_large_as_a_jacobian():
    d = derive(DEEP, ["A", "B", "C"])
    size = 60
    arrays = sample(dict.fromkeys(DEEP_SHAPES, (size, size)))
    function = d.hvp.compile()
    given = [*(arrays[name] for name in d.inputs), arrays["A"], arrays["B"], arrays["C"]]
    function(*given)
    tracemalloc.start()
    function(*given)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30 * size * size * 8  # a Jacobian of a layer has size**4 numbers, 3,600 times as many


def test_a_product_is_made_once():
    d = derive(DEEP, "C")
    assert d.hvp is d.hvp
    assert d.hvp.compile() is d.hvp.compile()


def test_products_form_nothing_as_large_as_the_derivative():
    d = derive("L = sum((T - U @ V.T)**2)", wrt="U")
    assert "2*(dU @ (V.T @ V))" in d.hvp.source()
    assert str(derive("y = A @ x", wrt="A").vjp).splitlines()[0] == "dA[i,j] = dy[i]*x[j]"


# -------------------------------------------------------------------------- settings and arguments


def test_ties_and_own_functions_are_those_of_the_derivative():
    arrays = {"x": np.array([1.0, 2.0, 2.0])}
    for ties, expected in (("split", 1.5), ("first", 1.0), ("zero", 0.0)):
        d = derive("y = max(x)", "x", ties=ties)
        assert d.jvp(**arrays, dx=np.array([5.0, 1.0, 2.0])) == expected
    rules = register(
        "fn swash(x)  numpy swash  on real\n   d/dx = sigmoid(x) + x*sigmoid(x)*(1 - sigmoid(x))",
        swash=lambda x: x / (1 + np.exp(-x)),
    )
    d = derive("y = sum(swash(x)**2)", "x", rules=rules)
    x = np.array([0.5, -1.5])

    def swashed(x):
        return np.sum((x / (1 + np.exp(-x))) ** 2)

    slope = numerical_jacobian(swashed, {"x": x}, "x")
    assert_close(d.jvp(x=x, dx=[1.0, 2.0]), slope @ [1.0, 2.0], 1e-9)
    assert "swash" in str(d.hvp)
    curved = numerical_jacobian(lambda x: d(x=x), {"x": x}, "x")
    assert_close(d.hvp(x=x, dx=[1.0, 2.0]), curved @ [1.0, 2.0], 1e-8)
    assert_close(d.laplacian(x=x), np.trace(curved), 1e-8)


def test_products_pickle_and_run_in_threads():
    d = derive(NET, WRT)
    arrays = sample(NET_SHAPES)
    vectors = {f"d{name}": VECTORS[f"d{name}"] for name in WRT}
    expected = d.hvp(**arrays, **vectors)
    again = pickle.loads(pickle.dumps(d.hvp))
    assert str(again) == str(d.hvp)
    assert again.source() == d.hvp.source()
    fresh = derive(NET, WRT)
    found = []

    def run():
        found.append(fresh.hvp(**arrays, **vectors))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for one in (again(**arrays, **vectors), *found):
        for name in WRT:
            assert_close(one[name], expected[name], 1e-13)
    assert len(found) == 8


@dataclass
class Model:
    W: np.ndarray
    b: np.ndarray


def model_net(m, x):
    return np.sum(np.tanh(m.W @ x + m.b) ** 3)


def test_vectors_have_the_shape_of_an_argument_that_holds_arrays():
    m = Model(**sample({"W": (2, 3), "b": (2,)}))
    v = Model(**sample({"W": (2, 3), "b": (2,)}, seed=2))
    x = sample({"x": (3,)})["x"]
    d = derive(model_net, "m", shapes={"m": {"W": "a b", "b": "a"}, "x": "b"})

    def at(t):
        return Model(m.W + t * v.W, m.b + t * v.b)

    slope = numerical_jacobian(lambda t: model_net(at(t), x), {"t": 0.0}, "t")
    assert_close(d.jvp(m, x, v), slope, 1e-9)
    assert_close(d.jvp(m, x, dm=v), slope, 1e-9)
    assert_close(d.jvp(m=m, x=x, dm_W=v.W, dm_b=v.b), slope, 1e-9)
    gradient = d.vjp(m, x, dy=3.0)
    assert isinstance(gradient, Model)
    assert_close(gradient.W, 3 * d(m, x).W, 1e-12)
    curved = d.hvp(m, x, v)
    assert isinstance(curved, Model)
    for name in ("W", "b"):
        numeric = numerical_jacobian(lambda t, name=name: getattr(d(at(t), x), name), {"t": 0.0}, "t")
        assert_close(getattr(curved, name), numeric, 1e-8)
    diagonal = d.hessian_diagonal(m, x)
    h = derive(model_net, "m.b", order=2, shapes={"m": {"W": "a b", "b": "a"}, "x": "b"})
    assert_close(diagonal.b, np.diagonal(h(m, x)), 1e-12)
    again = pickle.loads(pickle.dumps(d.jvp))
    assert_close(again(m, x, v), slope, 1e-9)


def test_vectors_of_dictionaries_and_single_leaves():
    shapes = {"m": {"W": "a b", "b": "a"}, "x": "b"}

    def f(m, x):
        return np.tanh(m["W"] @ x) * m["b"]

    arrays = sample({"W": (2, 3), "b": (2,)})
    x, v = sample({"x": (3,)})["x"], sample({"W": (2, 3), "b": (2,)}, seed=3)
    one = derive(f, "m.W", shapes=shapes)
    assert_close(one.jvp(arrays, x, v["W"]), np.tensordot(one(arrays, x), v["W"], 2), 1e-12)
    assert one.jvp.inputs[-1] == "dm_W"
    two = derive(f, ["m", "x"], shapes=shapes)
    t = numerical_jacobian(
        lambda t: f({n: a + t * v[n] for n, a in arrays.items()}, x + t * x), {"t": 0.0}, "t"
    )
    assert_close(two.jvp(arrays, x, v, x), t, 1e-9)
    back = two.vjp(arrays, x, dy=np.ones(2))
    assert set(back) == {"m", "x"} and set(back["m"]) == {"W", "b"}


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_guard_of_a_size_stays_with_what_it_keeps_in_bounds(n):
    d = derive("P = roll(softmax(z), -1)\ny = concatenate([P[1:], P[:1]])", wrt="z", shapes={"z": "n"})
    arrays = sample({"z": (n,), "u": (n,)})
    z, u = arrays["z"], arrays["u"]
    slope = numerical_jacobian(d._value_alone(), {"z": z}, "z")
    assert_close(d(z=z), slope, 1e-9)
    assert_close(d.vjp(z=z, dy=u), u @ slope, 1e-9)
    assert_close(d.jvp(z=z, dz=u), slope @ u, 1e-9)


def test_a_vector_gets_a_name_that_the_program_does_not_use():
    assert derive("y = x*dx", wrt="x").jvp.inputs == ("x", "dx", "dx_")
    assert derive("y = x**2", "x", shapes={"x": ("dx",)}).jvp.inputs == ("x", "dx_")


def test_short_names():
    arrays = sample({"x": (3,), "A": (3, 3)})
    assert_close(hvp("x @ A @ x", "x")(**arrays, dx=arrays["x"]), (arrays["A"] + arrays["A"].T) @ arrays["x"])
    assert_close(jvp("y = A @ x", "x")(**arrays, dx=arrays["x"]), arrays["A"] @ arrays["x"])
    assert_close(vjp("y = A @ x", "x")(**arrays, dy=arrays["x"]), arrays["x"] @ arrays["A"])


def test_what_has_no_product_is_refused():
    with pytest.raises(EinsumDiffError, match="h is a definition, and the text does not say"):
        _ = read(str(derive("h = tanh(W @ x); y = sum(h**3)*sum(x)", ["x", "h"]))).hvp
    with pytest.raises(EinsumDiffError, match="hvp is of a scalar"):
        _ = derive("tanh(x)", wrt="x").hvp
    with pytest.raises(EinsumDiffError, match="vjp is of a first derivative"):
        _ = derive("sum(tanh(x))", wrt="x", order=2).vjp
    with pytest.raises(EinsumDiffError, match="dx is missing"):
        derive("tanh(x)", wrt="x").jvp(x=np.zeros(2))
    with pytest.raises(EinsumDiffError, match="dx"):
        derive("tanh(x)", wrt="x").jvp(x=np.zeros(2), dx=np.zeros(3))
    with pytest.raises(
        EinsumDiffError, match="a Laplacian is of second derivatives in one name, and this is in x, A"
    ):
        _ = derive(derive("y = x @ A @ x", "x"), "A").laplacian
    with pytest.raises(EinsumDiffError, match="no value"):
        read(str(derive("tanh(x)", wrt="x"))).jvp.compile(value=True)
