"""Norms of every order, and diagonals with NumPy's offsets and axes: values and both derivatives."""

import numpy as np
import pytest
import scipy.linalg
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, read

SPACE = {"np": np, "norm": np.linalg.norm, "inf": np.inf, "sum": np.sum}
SPACE |= {name: getattr(np, name) for name in "trace diagonal diag vecdot".split()}


def holds(text, wrt, shapes):
    """Value, first derivative and Hessian are those of NumPy's function, and what is printed is read back."""
    arrays = sample(shapes, "nonzero", seed=3)
    f = eval(f"lambda {', '.join(shapes)}: {text}", SPACE)
    d = derive(f"y = {text}", wrt, shapes=shapes)
    value, slope = d.compile(value=True)(*(arrays[name] for name in d.inputs))
    assert_close(value, f(**arrays), 1e-12)
    assert_close(slope, numerical_jacobian(f, arrays, wrt), 1e-8)
    assert_close(derive(d, wrt=wrt)(**arrays), numerical_jacobian(d, arrays, wrt), 1e-7)
    assert read(str(d)) == d


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [(0, 1), (2, 0), (-1, -2)])
@pytest.mark.parametrize("order", ["1", "-1", "2", "-2", "inf", "-inf", "'fro'", "'nuc'"])
def test_a_pair_of_axes_makes_the_norm_of_a_matrix(order, axis, keepdims):
    holds(f"norm(T, {order}, axis={axis}, keepdims={keepdims})", "T", {"T": (2, 3, 2)})


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("shape", [(3, 2), (1, 3), (3, 1), (1, 1)])
@pytest.mark.parametrize("order", ["1", "-1", "2", "-2", "inf", "-inf", "'fro'", "'nuc'"])
def test_a_matrix_without_an_axis_has_the_norm_of_a_matrix(order, shape, keepdims):
    holds(f"norm(A, {order}, keepdims={keepdims})", "A", {"A": shape})


@pytest.mark.parametrize("order", ["-1", "-2.5", "1", "3", "inf", "-inf"])
def test_vector_norms_have_any_order(order):
    holds(f"norm(A, {order}, axis=0) + A", "A", {"A": (3, 2)})
    holds(f"norm(a, {order})*a", "a", {"a": (3,)})


@pytest.mark.parametrize(
    "text",
    [
        "np.linalg.vector_norm(T)",
        "np.linalg.vector_norm(T, axis=(0, 2), ord=3)",
        "np.linalg.vector_norm(T, axis=1, keepdims=True, ord=1)",
        "np.linalg.matrix_norm(T)",
        "np.linalg.matrix_norm(T, ord='nuc')",
        "np.linalg.matrix_norm(T, ord=1, keepdims=True)",
    ],
)
def test_the_norms_of_the_array_standard(text):
    holds(text, "T", {"T": (2, 3, 2)})


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("trace(A, 1)", (3, 3)),
        ("trace(A, offset=-1)**2", (3, 5)),
        ("trace(A, 1)", (3, 2)),
        ("trace(A, 7) + sum(A**2)", (3, 5)),
        ("trace(A @ A, -1)", (3, 3)),
        ("trace(A, 1, 1, 2)", (2, 3, 5)),
        ("trace(A, axis1=-1, axis2=0)", (3, 2, 3)),
        ("np.linalg.trace(A)", (3, 3, 3)),
        ("np.linalg.trace(A, offset=1)**2", (2, 3, 3)),
        ("diagonal(A, 1)**2", (3, 5)),
        ("diagonal(A, -1)**2", (3, 5)),
        ("diagonal(A, -1, 2, 0)", (2, 5, 3)),
        ("diagonal(A, axis1=-2, axis2=-1)", (2, 3, 3)),
        ("diagonal(A, 5)", (3, 5)),
        ("np.linalg.diagonal(A)", (3, 3, 3)),
        ("np.linalg.diagonal(A, offset=-1)", (2, 3, 2)),
        ("diag(A, 2)", (3, 5)),
        ("diag(A, k=-1)", (2, 1)),
        ("diag(A)", (3, 3)),
        ("diag(A)**2", (3,)),
        ("diag(A, -2)**2", (3,)),
        ("diag(A, 1) @ diag(A, k=-1)", (3,)),
    ],
)
def test_diagonals_are_numpys(text, shape):
    holds(text, "A", {"A": shape})


def test_diagonals_of_sizes_without_numbers():
    A = sample({"A": (3, 5)})["A"]
    expected = np.zeros((3, 5))
    expected[[0, 1, 2], [1, 2, 3]] = 1
    assert_close(derive("A: (m, n); trace(A, 1)", wrt="A")(A=A), expected)
    d = derive("A: (n, n); y = diagonal(A, 1)", wrt="A")
    assert d(A=np.eye(4)).shape == (3, 4, 4)
    assert derive("v: (n,); y = diag(v, -1)", wrt="v")(v=np.ones(3)).shape == (4, 4, 3)


def test_a_product_along_the_last_axis_broadcasts():
    holds("np.linalg.vecdot(A, b)", "A", {"A": (2, 3), "b": (3,)})
    holds("vecdot(A, b)", "b", {"A": (2, 3), "b": (3,)})


@pytest.mark.parametrize(
    "f",
    [
        lambda T: np.linalg.trace(T),
        lambda T: np.linalg.diagonal(T, offset=1),
        lambda T: np.trace(T, 1, axis1=1, axis2=2),
        lambda T: np.diag(np.linalg.norm(T, "nuc", axis=(1, 2)), -1),
        lambda T: np.linalg.matrix_norm(T, ord=1) * np.linalg.vector_norm(T, axis=(0, 2)),
    ],
)
def test_functions_of_numpy_are_traced(f):
    T = sample({"T": (3, 3, 3)}, "nonzero")["T"]
    value, slope = derive(f, wrt="T", shapes={"T": (3, 3, 3)}).compile(value=True)(T)
    assert_close(value, f(T), 1e-12)
    assert_close(slope, numerical_jacobian(f, {"T": T}, "T"), 1e-8)


@pytest.mark.parametrize("text", ["scipy.linalg.cholesky(P)", "scipy.linalg.cholesky(P, lower=True)"])
def test_scipys_cholesky_is_the_upper_factor(text):
    A = sample({"A": (3, 3)})["A"]

    def f(A):
        return eval(text, {"scipy": scipy, "P": A @ A.T + np.eye(3)})

    value, slope = derive(f"P = A @ A.T + eye(3); y = {text}", "A", shapes={"A": (3, 3)}).compile(value=True)(
        A
    )
    assert_close(value, f(A), 1e-12)
    assert_close(slope, numerical_jacobian(f, {"A": A}, "A"), 1e-8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("norm(A, 3)", "ord=3 of a matrix is not known"),
        ("norm(a, 0)", "ord=0 of a vector is not known"),
        ("norm(A, 'foo')", "ord='foo' of a matrix is not known"),
        ("A: (2, 3, 5); y = norm(A, 1)", "norm with an order is of a vector or a matrix"),
        ("A: (2, 3, 5); y = norm(A, 'nuc', axis=0)", "a norm of order nuc is not over 1 axis"),
        ("A: (m, n); y = norm(A, 2)", "smaller is not known"),
        ("A: (m, n); y = norm(A, 2)", "declare a tall one A: (n + k, n), a wide one A: (m, m + k), or give"),
        ("A: (m, n); y = svdvals(A)", 'shapes={"A": (5, 3)}'),
        ("A: (m, n); y = svdvals(2*A)", "declare inputs so that it is n + k by n"),
        ("A: (m, n); y = diagonal(A, 1)", "how long the diagonal 1 of A is"),
        ("diagonal(A, 0, 1, 1)", "a diagonal goes along two axes"),
        ("A: (2, 3); y = diag(A, 0.5)", "k must be whole numbers"),
        ("A: (2, 3, 5); y = diag(A)", "diag takes a vector or a matrix"),
        ("A: (2, 3); y = trace(A)", "must have one size"),
    ],
)
def test_what_has_no_such_norm_or_diagonal_is_refused(text, message):
    with pytest.raises(EinsumDiffError) as caught:
        derive(text, wrt=text[5] if text.startswith("norm(") else "A")
    assert message in str(caught.value)


@pytest.mark.parametrize(("m", "n"), [(5, 3), (3, 5), (4, 4)])
def test_the_nuclear_norm_of_any_shape(m, n):
    """One derivative for tall and wide matrices, right where singular values meet."""
    d = derive("A: (m, n); y = norm(A, 'nuc')", "A")
    second = derive(d, wrt="A")
    random = np.random.default_rng(m)
    U, _, V = np.linalg.svd(random.standard_normal((m, n)), full_matrices=False)
    for A in (random.standard_normal((m, n)), U @ V * 2, -(U * ([3.0, 3.0, 1.0, 1.0][: min(m, n)])) @ V):
        given = {"A": A}
        assert_close(d(A), numerical_jacobian(lambda A: np.linalg.norm(A, "nuc"), given, "A"), 1e-8)
        assert_close(second(A), numerical_jacobian(d, given, "A"), 1e-8)
    assert "U @ V" in d.source()
    with pytest.raises(EinsumDiffError, match="is not known, which is that of order 3 of nuclear_norm"):
        derive(second, wrt="A")


@pytest.mark.parametrize(("shape", "size"), [("A: (n + k, n)", (5, 3)), ("A: (m, m + k)", (3, 5))])
@pytest.mark.parametrize("text", ["svdvals(A)", "norm(A, 2)"])
def test_singular_values_of_a_matrix_that_is_declared_tall_or_wide(text, shape, size):
    d = derive(f"{shape}; y = {text}", "A")
    A = np.random.default_rng(3).standard_normal(size)

    def f(A):
        found = np.linalg.svd(A, compute_uv=False)
        return found if "svd" in text else found[0]

    assert_close(d(A), numerical_jacobian(f, {"A": A}, "A"), 1e-8)
    assert_close(derive(d, wrt="A")(A), numerical_jacobian(d, {"A": A}, "A"), 1e-7)
