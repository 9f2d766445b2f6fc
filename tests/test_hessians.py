"""Hessians in several names: blocks, what vanishes, what is computed once, one matrix."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, hessian, jacobian, read

MODELS = {
    "factorisation": ("L = sum((T - U @ V.T)**2)", ["U", "V"], {"T": (5, 7), "U": (5, 2), "V": (7, 2)}),
    "masked": (
        "c: (); L = sum(M*(T - U @ V.T)**2) + c*sum(U**2)",
        ["V", "U"],
        {"M": (5, 7), "T": (5, 7), "U": (5, 2), "V": (7, 2), "c": ()},
    ),
    "net": (
        "L = sum((A @ tanh(B @ x + b))**2)",
        ["A", "b", "B", "x"],
        {"A": (2, 3), "B": (3, 5), "x": (5,), "b": (3,)},
    ),
    "products": (
        "L = sum(tanh(X @ u)*sin(Y @ v))",
        ["u", "v"],
        {"X": (7, 3), "u": (3,), "Y": (7, 2), "v": (2,)},
    ),
    "one": ("L = sum(tanh(X @ u)*(Y @ u)**2)", ["u"], {"X": (7, 3), "u": (3,), "Y": (7, 3)}),
    "bilinear": (
        "c: (); L = x @ A @ y + sum(x)**2*c",
        ["x", "y", "c"],
        {"x": (3,), "A": (3, 2), "y": (2,), "c": ()},
    ),
    "apart": ("L = sum(exp(u)) + sum(v**3)", ["u", "v"], {"u": (3,), "v": (2,)}),
    "logistic": ("c: (); L = sum(log1p(exp(X @ w + c)))", ["w", "c"], {"X": (7, 3), "w": (3,), "c": ()}),
}


@pytest.mark.parametrize("name", MODELS)
def test_blocks_are_the_slopes_of_the_gradients(name):
    text, wrt, shapes = MODELS[name]
    arrays = sample(shapes)
    h, g = hessian(text, wrt), derive(text, wrt)
    found = h(**arrays)
    assert list(found) == [(a, b) for a in wrt for b in wrt]
    for a in wrt:
        for b in wrt:
            expected = numerical_jacobian(lambda _a=a, **rest: g[_a](**rest), arrays, b)
            assert_close(found[a, b], expected, 1e-7)
            assert_close(h[a, b](**arrays), found[a, b], 1e-12)
            rank = np.ndim(arrays[a])
            order = [*range(rank, found[a, b].ndim), *range(rank)]
            assert_close(found[b, a], np.transpose(found[a, b], order), 1e-12)
    assert h.symmetric
    matrix = h.as_matrix(**arrays)
    size = sum(int(np.prod(shapes[n])) for n in wrt)
    assert matrix.shape == (size, size)
    rows = [
        np.concatenate([found[a, b].reshape(int(np.prod(shapes[a])), -1) for b in wrt], axis=1) for a in wrt
    ]
    assert np.array_equal(matrix, np.concatenate(rows))
    assert read(str(h)) == (h if len(wrt) > 1 else h["u", "u"])


@pytest.mark.parametrize("name", MODELS)
def test_blocks_are_those_of_jax_on_dictionaries(name):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    functions = {
        "factorisation": lambda p, T: jnp.sum((T - p["U"] @ p["V"].T) ** 2),
        "masked": lambda p, M, T, c: jnp.sum(M * (T - p["U"] @ p["V"].T) ** 2) + c * jnp.sum(p["U"] ** 2),
        "net": lambda p: jnp.sum((p["A"] @ jnp.tanh(p["B"] @ p["x"] + p["b"])) ** 2),
        "products": lambda p, X, Y: jnp.sum(jnp.tanh(X @ p["u"]) * jnp.sin(Y @ p["v"])),
        "one": lambda p, X, Y: jnp.sum(jnp.tanh(X @ p["u"]) * (Y @ p["u"]) ** 2),
        "bilinear": lambda p, A: p["x"] @ A @ p["y"] + jnp.sum(p["x"]) ** 2 * p["c"],
        "apart": lambda p: jnp.sum(jnp.exp(p["u"])) + jnp.sum(p["v"] ** 3),
        "logistic": lambda p, X: jnp.sum(jnp.log1p(jnp.exp(X @ p["w"] + p["c"]))),
    }
    text, wrt, shapes = MODELS[name]
    arrays = sample(shapes)
    point = {n: arrays[n] for n in wrt}
    rest = {n: one for n, one in arrays.items() if n not in wrt}
    expected = jax.hessian(functions[name])(point, **rest)
    found = hessian(text, wrt)(**arrays)
    for a in wrt:
        for b in wrt:
            assert_close(found[a, b], np.asarray(expected[a][b]), 1e-10)


def test_blocks_that_vanish_are_named():
    h = hessian("L = sum(exp(u)) + sum(v**3)*w", ["u", "v", "w"], shapes={"w": ()})
    assert h.zeros == (("u", "v"), ("u", "w"), ("v", "u"), ("w", "u"), ("w", "w"))
    assert h["u", "v"].structure.kind == "zero"
    assert jacobian("y = x*2", ["x", "y"]).zeros == ()


def test_a_product_that_two_blocks_have_is_computed_once():
    source = hessian("L = sum(tanh(X @ u)*sin(Y @ v))", ["u", "v"]).source()
    assert source.count(" @ ") == 5  # X @ u, Y @ v, and one for each of the three blocks
    assert ".T.copy()" in source.split("result2 = ")[1].splitlines()[0]


def test_two_terms_that_are_each_others_transpose_are_computed_once():
    d = derive("L = x @ A @ B @ x", "x", order=2)
    source = d.source()
    assert source.count(" @ ") == 1
    arrays = sample({"x": (3,), "A": (3, 5), "B": (5, 3)})
    product = arrays["A"] @ arrays["B"]
    assert_close(d(**arrays), product + product.T, 1e-13)
    third = derive("L = sum((A @ x)**2*(B @ x))", "x", order=3)
    slope = derive("L = sum((A @ x)**2*(B @ x))", "x", order=2)
    arrays = sample({"x": (3,), "A": (5, 3), "B": (5, 3)})
    assert_close(third(**arrays), numerical_jacobian(slope, arrays, "x"), 1e-8)


def test_a_symmetric_product_is_one_that_blas_computes_by_half():
    source = derive("L = sum((X @ w - y)**2)", "w", order=2).source()
    assert "X.T @ X" in source  # of one array and its transpose: NumPy calls syrk


@pytest.mark.parametrize("order", [2, 3])
def test_in_two_names_and_higher_orders_every_sequence_is_there(order):
    text, wrt, shapes = MODELS["bilinear"]
    arrays = sample(shapes)
    d = derive(text, wrt, order=order)
    assert len(d) == len(wrt) ** order
    for key, one in d(**arrays).items():
        step = derive(text, key[0])
        for name in key[1:]:
            step = derive(step, name)
        assert_close(one, step(**arrays), 1e-12)


def test_definitions_do_not_commute_and_are_derived_each():
    text = "h = tanh(x); y = sum(h**3*x)"
    d = derive(text, ["x", "h"], order=2)
    assert not d.symmetric
    x = sample({"x": (3,)})["x"]
    found = d(x=x)
    for a in ("x", "h"):
        for b in ("x", "h"):
            assert_close(found[a, b], derive(derive(text, a), b)(x=x), 1e-12)


def test_jacobians_in_several_names_are_one_matrix_too():
    d = jacobian("y = tanh(W @ x)*b", ["b", "W"])
    arrays = sample({"W": (2, 3), "x": (3,), "b": (2,)})
    found = d(**arrays)
    expected = np.concatenate([found["b"], found["W"].reshape(2, 6)], axis=1)
    assert_close(d.as_matrix(**arrays), expected, 1e-13)
    assert_close(d["W"].as_matrix(**arrays), found["W"].reshape(2, 6), 1e-13)
    assert not d.symmetric
    assert derive("x @ x", "x", order=2).symmetric


def test_the_matrix_of_a_function_of_a_dictionary():
    def f(m, x):
        return np.sum(np.tanh(m["W"] @ x) * m["b"])

    h = derive(f, "m", order=2, shapes={"m": {"W": "a b", "b": "a"}, "x": "b"})
    m, x = sample({"W": (2, 3), "b": (2,)}), sample({"x": (3,)})["x"]
    matrix = h.as_matrix(m, x)
    assert matrix.shape == (8, 8)
    assert_close(matrix, matrix.T, 1e-13)
    assert_close(matrix[:6, :6], h(m, x)["m_W", "m_W"].reshape(6, 6), 1e-13)
    assert_close(h["m.W", "m.b"](m, x).reshape(6, 2), matrix[:6, 6:], 1e-13)


def test_sizes_of_nothing_have_a_matrix():
    h = hessian("L = sum((T - U @ V.T)**2)", ["U", "V"])
    assert h.as_matrix(T=np.zeros((0, 3)), U=np.zeros((0, 2)), V=np.ones((3, 2))).shape == (6, 6)


def test_what_is_no_matrix_is_refused():
    d = derive("y = tanh(W @ x)", ["W", "x"], order=2)
    with pytest.raises(EinsumDiffError, match="a matrix is of first derivatives"):
        d.as_matrix(**sample({"W": (2, 3), "x": (3,)}))
    batch = derive("y = tanh(X)", "X", batch="m", shapes={"X": "m n"})
    with pytest.raises(EinsumDiffError, match="a batch has no one matrix"):
        batch.as_matrix(X=np.ones((2, 3)))
