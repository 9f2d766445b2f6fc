"""The trace and the diagonal of a Hessian, contracted before anything is computed."""

import pickle
import tracemalloc

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, read

SHAPES = {
    "x": (5,),
    "W": (2, 5),
    "V": (3, 2),
    "A": (5, 5),
    "X": (2, 3),
    "Y": (3, 2),
    "w": (3,),
    "c": (),
    "T": (7, 5),
    "u": (7,),
}
ROWS = [
    ("f = sum(sin(x)*x)", "x"),
    ("f = x @ A @ x", "x"),
    ("f = sum(tanh(W @ x)**3)", "x"),
    ("f = sum(tanh(W @ x)**3)", "W"),
    ("f = sum(sin(V @ tanh(W @ x)))", "x"),
    ("f = sum(sin(V @ tanh(W @ x)))", "W"),
    ("f = exp(-x @ x)", "x"),
    ("f = logsumexp(x)", "x"),
    ("c: (); f = sum(x)**3*c", "x"),
    ("f = sin(x**2)", "x"),
    ("f = softmax(x)", "x"),
    ("f = V @ tanh(W @ x)", "x"),
    ("f = X @ Y @ X", "X"),
    ("f = trace(X @ Y @ X @ Y)", "X"),
    ("f = sum(X**2, axis=0)*X", "X"),
    ("f = x[::-1]*x", "x"),
    ("f[i] = x[i+k]**2*w[k]*x[i+k]", "x"),
    ("f[i] = x[i+1]*x[i]**3", "x"),
    ("f = sum(convolve(x, x))", "x"),
    ("f = norm(x)", "x"),
    ("f = prod(x)*sum(x**2)", "x"),
    ("c: (); f = log(det(A @ A.T + c**2*eye(5)))", "A"),
    ("f = sum(cumsum(x)**3)", "x"),
    ("c: (); f = c**4*sum(x)", "c"),
    ("f = sum(where(x > 0, x**3, sin(x)))", "x"),
    ("f = outer(u, x)*sum(exp(T @ x))", "x"),
]


def numbers(program, wrt):
    """Derivative, arrays, and the diagonal of the numerical derivative of its first derivative."""
    d = derive(program, wrt)
    arrays = sample({name: SHAPES[name] for name in d.inputs})
    hessian = numerical_jacobian(d, arrays, wrt)
    rank = np.ndim(arrays[wrt])
    size = int(np.prod(np.shape(arrays[wrt])))
    output = hessian.shape[: hessian.ndim - 2 * rank]
    square = hessian.reshape(*output, size, size)
    diagonal = np.diagonal(square, axis1=-2, axis2=-1).reshape((*output, *np.shape(arrays[wrt])))
    return d, arrays, diagonal


@pytest.mark.parametrize(("program", "wrt"), ROWS)
def test_the_diagonal_and_its_sum_are_those_of_the_numerical_hessian(program, wrt):
    d, arrays, diagonal = numbers(program, wrt)
    axes = tuple(range(diagonal.ndim - np.ndim(arrays[wrt]), diagonal.ndim))
    trace = diagonal.sum(axis=axes)
    for one in (d, derive(program, wrt, order=2), read(str(d)), read(str(derive(d, wrt)))):
        assert_close(one.hessian_diagonal(**arrays), diagonal, 1e-7)
        assert_close(one.laplacian(**arrays), trace, 1e-7)
    assert d.laplacian.shape == tuple(
        str(s) if not isinstance(s, int) else s for s in d._program.output.shape
    )


def test_an_elementwise_function_has_an_elementwise_laplacian():
    d = derive("f = sum(sin(x)*x)", "x")
    n = 100_000  # n*n numbers would not fit into any memory
    x = np.linspace(-1, 1, n)
    tracemalloc.start()
    found, diagonal = d.laplacian(x=x), d.hessian_diagonal(x=x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * n * 8
    assert_close(diagonal, 2 * np.cos(x) - x * np.sin(x), 1e-13)
    assert_close(found, np.sum(2 * np.cos(x) - x * np.sin(x)), 1e-12)
    assert str(d.hessian_diagonal).splitlines()[0] == "diagonal_f_x[i] = 2*cos(x[i]) - x[i]*sin(x[i])"
    assert "einsum" not in d.laplacian.source()


def test_the_diagonal_of_a_factorisation_is_one_row():
    d = derive("L = sum((T - U @ V.T)**2)", "U")
    assert str(d.hessian_diagonal).splitlines()[0] == "diagonal_L_U[i,j] = 2*sum[k](V[k,j]**2)"
    assert str(d.laplacian).splitlines()[0] == "laplacian_L = 2*m*sum[i,j](V[i,j]**2)"


def test_a_product_of_which_the_diagonal_is_read_is_never_formed():
    d = derive("f = sum(sin(V @ tanh(W @ x)))", "W")
    source = d.laplacian.source()
    assert "V**2" in source
    assert "ii->" not in source
    arrays = {"V": np.ones((2, 3000)), "W": np.zeros((3000, 5)), "x": np.ones(5)}
    d.laplacian.compile()
    tracemalloc.start()
    d.laplacian(**arrays)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 3000 * 8


def test_several_wrt_add_up_in_the_laplacian_and_stay_apart_in_the_diagonal():
    text = "f = sum(sin(V @ tanh(W @ x)))"
    arrays = sample({name: SHAPES[name] for name in "VWx"})
    expected = {name: numbers(text, name)[2] for name in "WVx"}
    for d in (derive(text, ["W", "V", "x"]), derive(text, ["W", "V", "x"], order=2)):
        found = d.hessian_diagonal(**arrays)
        assert list(found) == ["W", "V", "x"]
        for name in "WVx":
            assert_close(found[name], expected[name], 1e-7)
        assert_close(d.laplacian(**arrays), sum(one.sum() for one in expected.values()), 1e-7)


def test_of_a_batch_they_are_of_each_element():
    text = "f = sum(tanh(X @ W)**3, axis=1)"
    shapes = {"X": "b k", "W": "k p"}
    whole, d = derive(text, "X", shapes=shapes), derive(text, "X", shapes=shapes, batch="b")
    arrays = sample({"X": (2, 3), "W": (3, 5)})
    full = derive(text, "X", shapes=shapes, order=2)(**arrays)  # b, c, i, d, j
    assert_close(d.hessian_diagonal(**arrays), np.einsum("bbibi->bi", full), 1e-12)
    assert_close(d.laplacian(**arrays), np.einsum("bcici->b", full), 1e-12)
    assert_close(whole.laplacian(**arrays), np.einsum("bcici->b", full), 1e-12)
    second = derive(text, "X", shapes=shapes, batch="b", order=2)
    assert_close(second.laplacian(**arrays), np.einsum("bcici->b", full), 1e-12)


def test_they_pickle():
    d = derive("f = sum(sin(x)*x)", "x")
    x = np.array([0.5, -1.0])
    assert pickle.loads(pickle.dumps(d.laplacian))(x=x) == d.laplacian(x=x)


def test_what_has_no_trace_is_refused():
    with pytest.raises(EinsumDiffError, match="a Laplacian is of second derivatives in one name"):
        _ = derive("sum(x**4)", "x", order=3).laplacian
    with pytest.raises(EinsumDiffError, match="this diagonal is of second derivatives"):
        _ = derive(derive("y = sum(x*w)", "x"), "w").hessian_diagonal
