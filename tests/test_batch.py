"""batch=: a size that is independent in every element; the wrt's copy of its axis is left out."""

import pickle

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, read

ROWS = [
    ("y[b,i] = A[i,j]*x[b,j]", "x", "m", {"x": "m n"}, 1),
    ("y = tanh(X @ W.T)", "X", "m", {"X": "m n"}, 1),
    ("y = tanh(X @ W.T)", "W", "m", {"X": "m n"}, 1),
    ("y = sum(tanh(X @ W.T)**2, axis=1)", "X", "m", {"X": "m n"}, 2),
    ("y = u @ v", "u", "m", {"u": "m n k", "v": "m k p"}, 1),
    ("y = u @ v", "u", ("m", "n"), {"u": "m n k", "v": "m k p"}, 1),
    ("y = softmax(x)", "x", "m", {"x": "m n"}, 2),
    ("y = x**3*2", "x", "m", {"x": "m n"}, 2),
]
SIZES = {"m": 2, "n": 3, "k": 5, "p": 7}


@pytest.mark.parametrize(("program", "wrt", "batch", "shapes", "order"), ROWS)
def test_the_result_is_the_diagonal_of_the_whole(program, wrt, batch, shapes, order):
    whole = derive(program, wrt, shapes=shapes, order=order)
    d = derive(program, wrt, shapes=shapes, order=order, batch=batch)
    sizes = dict(SIZES)
    inputs = {}
    for one in whole._program.inputs:
        inputs[one.name] = tuple(sizes.setdefault(str(size), 4) for size in one.shape)
    arrays = sample(inputs)
    full, found = whole(**arrays), d(**arrays)
    names = [str(size) for size in whole._jacobian.shape]
    rank = len(whole._program.output.shape)
    batches = (batch,) if isinstance(batch, str) else batch
    letters = [chr(ord("a") + k) for k in range(full.ndim)]
    kept = list(range(full.ndim))
    for name in batches:
        first = names.index(name)
        for k in range(rank, full.ndim):
            if names[k] == name:
                letters[k] = letters[first]
                kept.remove(k)
    signature = f"{''.join(letters)}->{''.join(letters[k] for k in kept)}"
    assert_close(found, np.einsum(signature, full), 1e-13)
    assert d.check() < 1e-8
    assert read(str(d)) == d
    assert pickle.loads(pickle.dumps(d)) == d
    if len(kept) < full.ndim:
        assert d != whole


def test_the_data_axis_of_array_libraries():
    x = np.arange(24.0).reshape(2, 3, 4)
    d = derive("x: (b, 3, 4); y = x**2 + sum(x, axis=(1, 2), keepdims=True)", wrt="x", batch="b")
    assert d(x=x).shape == (2, 3, 4, 3, 4)


@pytest.mark.parametrize(
    ("program", "shapes", "message"),
    [
        (
            "y = x**2*sum(x)",
            {"x": "b 3"},
            "of b are not independent: a term couples m with i\n  dy[i,j]/dx[m,n] = x[i,j]**2\n",
        ),
        ("y = x[::-1]", {"x": "b"}, "the elements of b are not independent"),
        ("y = sum(x)", {"x": "b"}, "y has no axis of size b"),
        ("y = x", {"x": "n"}, "y has no axis of size b"),
    ],
)
def test_what_is_no_batch_is_refused(program, shapes, message):
    with pytest.raises(EinsumDiffError) as caught:
        derive(program, wrt="x", shapes=shapes, batch="b")
    assert message in str(caught.value)


LAYER = "m = mean(x, axis=1, keepdims=True); v = var(x, axis=1, keepdims=True); y = (x - m)/sqrt(v + 0.1)*g"
BATCH = "m = mean(x, axis=0); v = var(x, axis=0); y = (x - m)/sqrt(v + 0.1)*g"


def layer_norm(x, g):
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return (x - mean) / np.sqrt(var + 0.1) * g


def test_layer_norm_is_independent_in_the_batch_and_batch_norm_is_not():
    arrays = sample({"x": (2, 3), "g": (3,)})
    for order in (1, 2):
        d = derive(LAYER, "x", shapes={"x": "b n", "g": "n"}, batch="b", order=order)
        if order == 1:
            full = numerical_jacobian(layer_norm, arrays, "x")
            assert_close(d(**arrays), np.einsum("bibj->bij", full), 1e-8)
        else:
            first = derive(LAYER, "x", shapes={"x": "b n", "g": "n"})
            full = numerical_jacobian(first, arrays, "x")
            assert_close(d(**arrays), np.einsum("bibjbk->bijk", full), 1e-7)
    with pytest.raises(EinsumDiffError) as caught:
        derive(BATCH, "x", shapes={"x": "b n", "g": "n"}, batch="b")
    said = str(caught.value)
    assert "the elements of b are not independent: a term couples n with i" in said
    assert "dy[i,j]/dx[n,p] = " in said


def test_a_batched_product_of_matrices():
    shapes = {"u": ("b", 2, 3), "v": ("b", 3, 7)}
    d = derive("y = u @ v", ["u", "v"], shapes=shapes, batch="b")
    arrays = sample({"u": (5, 2, 3), "v": (5, 3, 7)})
    found = d(**arrays)
    assert found["u"].shape == (5, 2, 7, 2, 3)
    assert found["v"].shape == (5, 2, 7, 3, 7)
    for name, letters in (("u", "bijbmn->bijmn"), ("v", "bijbmn->bijmn")):
        full = numerical_jacobian(lambda u, v: u @ v, arrays, name)
        assert_close(found[name], np.einsum(letters, full), 1e-9)
    assert pickle.loads(pickle.dumps(d)) == d


def test_a_function_in_a_batch_and_the_products_of_its_derivative():
    def f(x, W):
        return np.tanh(x @ W) ** 2

    arrays = sample({"x": (5, 3), "W": (3, 2)})
    vector = sample({"v": (5, 3)}, seed=2)["v"]
    weights = sample({"w": (5, 2)}, seed=3)["w"]
    d = derive(f, "x", shapes={"x": ("b", 3), "W": (3, 2)}, batch="b")
    full = numerical_jacobian(f, arrays, "x")
    assert_close(d(*arrays.values()), np.einsum("bibj->bij", full), 1e-8)
    assert_close(d.jvp(*arrays.values(), vector), np.tensordot(full, vector, 2), 1e-8)
    assert_close(d.vjp(*arrays.values(), weights), np.tensordot(weights, full, 2), 1e-8)
    second = derive(f, "x", shapes={"x": ("b", 3), "W": (3, 2)}, batch="b", order=2)
    slope = numerical_jacobian(lambda x: d(x, arrays["W"]), {"x": arrays["x"]}, "x")
    assert_close(second(*arrays.values()), np.einsum("bijbk->bijk", slope), 1e-7)
    assert_close(second.jvp(*arrays.values(), vector), np.tensordot(slope, vector, 2), 1e-7)


def test_losses_of_a_batch_have_an_hvp_each():
    text = "L = sum(tanh(x @ W)**2, axis=1)"
    arrays = sample({"x": (5, 3), "W": (3, 2)})
    v = sample({"v": (5, 3)}, seed=2)["v"]
    d = derive(text, "x", shapes={"x": "b n"}, batch="b")
    slope = numerical_jacobian(d, arrays, "x")
    assert_close(d.hvp(**arrays, dx=v), np.tensordot(slope, v, 2), 1e-7)
    again = read(str(d))
    assert_close(again.jvp(**arrays, dx=v), d.jvp(**arrays, dx=v), 1e-12)
    assert_close(again.vjp(**arrays, dL=v[:, 0]), d.vjp(**arrays, dL=v[:, 0]), 1e-12)


@pytest.mark.parametrize(
    ("program", "shape", "couples"),
    [
        ("y = cumsum(x, axis=0)", ("b", 3), "couples m with i"),
        ("y = outer(x, x)", ("b",), "couples m with i or j"),
        ("y = softmax(x, axis=0)", ("b", 3), "couples m with i"),
        ("y = x - max(x, axis=0)", ("b", 3), "couples m with i"),
        ("y = roll(x, 1, axis=0)", ("b", 3), "couples m with i"),
    ],
)
def test_an_error_names_the_letters_that_a_term_couples(program, shape, couples):
    with pytest.raises(EinsumDiffError, match=couples):
        derive(program, "x", shapes={"x": shape}, batch="b")


def test_a_batch_is_a_name():
    with pytest.raises(EinsumDiffError, match="give it a name: shapes="):
        derive("y = x**2", "x", shapes={"x": (5, 3)}, batch="b")


def test_batch_names_sizes():
    with pytest.raises(EinsumDiffError, match="batch= names sizes"):
        derive("y = x**2", wrt="x", batch=3)


def test_a_batch_has_no_one_matrix():
    d = derive("y = exp(X)@w", "X", shapes={"X": "b n"}, batch="b")
    X, w = np.arange(6.0).reshape(2, 3) / 7, np.array([1.0, -2.0, 3.0])
    for options in ({"form": "operator"}, {"form": "sparse", "as_matrix": True}):
        with pytest.raises(EinsumDiffError, match="a batch has no one matrix"):
            d.compile(**options)
    assert_close(d.compile(form="sparse")(X, w).todense(), d(X, w))
    assert_close(d.compile(form="compressed")(X, w).dense(), d(X, w))
