"""What other libraries got wrong, or had to settle: rows B1 to B17 of the ancestors' tests, as sentences."""

import os
import subprocess
import sys
import types
from itertools import pairwise

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, read

I = np.eye


def run_alone(code, *flags, **environment):
    """The standard output of a Python process of its own."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def function_in(source, namespace=None):
    """The function that a generated source text defines (the last one)."""
    namespace = {} if namespace is None else namespace
    exec(compile(source, "<generated>", "exec"), namespace)
    functions = [value for value in namespace.values() if isinstance(value, types.FunctionType)]
    assert functions, f"no function in\n{source}"
    return functions[-1]


# B1: the output does not depend on wrt


def test_an_independent_wrt_gives_a_zero_of_the_right_shape_and_says_so():
    d = derive("z = sum(b*b)\ny = W @ x", wrt="b", output="y")
    result = d(**sample({"W": (2, 3), "x": (3,), "b": (5,)}))
    assert_close(result, np.zeros((2, 5)))
    assert "does not depend" in str(d)


def test_a_wrt_that_is_nowhere_is_an_error_that_names_it():
    with pytest.raises(EinsumDiffError, match="V") as caught:
        derive("y = W @ x", wrt="V")
    assert caught.value.kind == "name"


def test_the_second_derivative_of_a_linear_function_is_a_typed_zero():
    result = derive("y = A @ x", wrt="x", order=2)(**sample({"A": (2, 3), "x": (3,)}))
    assert_close(result, np.zeros((2, 3, 3)))
    assert result.dtype == np.float64


# B2: unknown functions


def test_an_unknown_function_is_refused_by_name_with_the_way_to_add_it():
    with pytest.raises(EinsumDiffError, match="frobnicate") as caught:
        derive("y = frobnicate(x)", wrt="x")
    assert caught.value.kind == "name"
    assert "register" in str(caught.value) or "rules" in str(caught.value)
    assert "^" * len("frobnicate") in str(caught.value)


def test_a_misspelt_function_is_refused_with_the_nearest_names():
    with pytest.raises(EinsumDiffError, match="softmax"):
        derive("y = sofmax(x)", wrt="x")


# B3: products with zeros


@pytest.mark.parametrize(
    "x, slope",
    [
        ([2.0, 0.0, -3.0], [0.0, -6.0, 0.0]),
        ([0.0, 0.0, -3.0], [0.0, 0.0, 0.0]),
        ([2.0, 5.0, -3.0], [-15.0, -6.0, 10.0]),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    ],
    ids=["one zero", "two zeros", "no zero", "all zeros"],
)
@pytest.mark.parametrize("program", ["prod(x)", "y = prod[i](x[i])"])
def test_the_slope_of_a_product_needs_no_division_by_its_factors(program, x, slope):
    assert_close(derive(program, wrt="x")(x=np.array(x)), np.array(slope), 1e-15)


def test_the_hessian_of_a_product_survives_zeros():
    x = np.array([2.0, 0.0, 0.0, -3.0])
    hessian = np.zeros((4, 4))
    hessian[1, 2] = hessian[2, 1] = -6.0
    assert_close(derive("prod(x)", wrt="x", order=2)(x=x), hessian, 1e-15)


def test_a_product_along_an_axis_is_differentiated_where_a_factor_is_zero():
    X = np.array([[2.0, 0.0, -3.0], [5.0, 7.0, -1.0]])
    expected = np.zeros((2, 2, 3))
    expected[0, 0] = [0, -6, 0]
    expected[1, 1] = [-7, -5, 35]
    assert_close(derive("prod(X, axis=1)", wrt="X")(X=X), expected, 1e-15)


# B4: kinks and ties, under the policy of the language


@pytest.mark.parametrize(
    "program, x, slope",
    [
        ("max(x)", [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
        ("max(x)", [3.0, 1.0, 2.0], [1.0, 0.0, 0.0]),
        ("min(x)", [1.0, 1.0, 1.0], [1 / 3, 1 / 3, 1 / 3]),
        ("min(x)", [-1.0, 2.0, -1.0], [0.5, 0.0, 0.5]),
        ("sum(abs(x))", [-2.0, 0.0, 3.0], [-1.0, 0.0, 1.0]),
        ("sum(relu(x))", [-2.0, 0.0, 3.0], [0.0, 0.0, 1.0]),
        ("sum(maximum(x, 0))", [-2.0, 0.0, 3.0], [0.0, 0.5, 1.0]),
        ("sum(minimum(x, 1))", [-2.0, 1.0, 3.0], [1.0, 0.5, 0.0]),
        ("sum(sign(x))", [-2.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
        ("sum(floor(x))", [-2.0, 0.5, 3.0], [0.0, 0.0, 0.0]),
        ("sum(where(x > 0, x*x, -x))", [-2.0, 0.0, 3.0], [-1.0, -1.0, 6.0]),
    ],
)
def test_kinks_and_ties_follow_the_policy(program, x, slope):
    assert_close(derive(program, wrt="x")(x=np.array(x)), np.array(slope), 1e-15)


@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin"])
def test_the_two_parts_of_a_tie_sum_to_one(name):
    both = derive(f"sum({name}(x, y))", wrt=["x", "y"])(
        x=np.array([1.0, 2.0, -1.0]), y=np.array([1.0, -2.0, 3.0])
    )
    assert_close(both["x"] + both["y"], np.ones(3), 1e-15)
    assert_close(both["x"][0], 0.5, 1e-15)


def test_clip_shares_a_tie_with_its_bound():
    x = np.array([-2.0, -1.0, 0.5, 1.0, 3.0])
    assert_close(derive("sum(clip(x, -1, 1))", wrt="x")(x=x), np.array([0.0, 0.5, 1.0, 0.5, 0.0]), 1e-15)


def test_the_slope_of_sqrt_at_zero_is_infinite_and_never_a_silent_number():
    with np.errstate(divide="ignore"):
        slope = derive("sum(sqrt(x))", wrt="x")(x=np.array([0.0, 4.0]))
    np.testing.assert_array_equal(slope, [np.inf, 0.25])


def test_the_slope_of_the_norm_at_zero_is_not_a_number_as_in_jax():
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = derive("norm(x)", wrt="x")(x=np.zeros(3))
    assert np.all(np.isnan(slope))


def test_the_parts_of_a_tie_along_an_axis_add_up_to_one():
    X = np.array([[1.0, 1.0, 0.0], [2.0, -5.0, 2.0]])
    expected = np.zeros((2, 2, 3))
    expected[0, 0] = [0.5, 0.5, 0]
    expected[1, 1] = [0.5, 0, 0.5]
    assert_close(derive("max(X, axis=1)", wrt="X")(X=X), expected, 1e-15)


# B5: deltas are written through views


@pytest.mark.parametrize(
    "program, order, shape, expected",
    [
        ("x**2", 1, (3,), lambda x: np.einsum("i,ij->ij", 2 * x, I(3))),
        ("x**3", 2, (3,), lambda x: np.einsum("i,ij,ik->ijk", 6 * x, I(3), I(3))),
        ("exp(x)", 1, (2, 3), lambda x: np.einsum("ij,im,jn->ijmn", np.exp(x), I(2), I(3))),
        ("exp(x)", 2, (2, 3), lambda x: np.einsum("ij,im,jn,ip,jq->ijmnpq", np.exp(x), *[I(2), I(3)] * 2)),
        ("diag(x*x)", 1, (3,), lambda x: np.einsum("i,ij,im->ijm", 2 * x, I(3), I(3))),
        ("x.T", 1, (2, 3), lambda x: np.einsum("in,jm->ijmn", I(3), I(2))),
    ],
)
def test_deltas_are_written_through_views_and_equal_their_product(program, order, shape, expected):
    d = derive(program, wrt="x", order=order, shapes={"x": shape})
    x = sample({"x": shape})["x"]
    assert_close(d(x=x), expected(x), 1e-12)
    assert "eye(" not in d.source()
    assert "for " not in "".join(line for line in d.source().split('"""')[::2])


# B6: more letters than the alphabet has


def chain(sizes, seed=0):
    random = np.random.default_rng(seed)
    return {f"A{n}": random.standard_normal(pair) / 2 for n, pair in enumerate(pairwise(sizes))}


@pytest.mark.parametrize("notation", ["@", "indices"])
def test_a_chain_of_sixty_matrices_needs_more_letters_than_there_are(notation):
    arrays = chain([(2, 3, 4)[n % 3] for n in range(61)])
    if notation == "@":
        program = "Z = " + " @ ".join(arrays)
    else:
        program = "Z[i0,i60] = " + "*".join(f"A{n}[i{n},i{n + 1}]" for n in range(60))
    d = derive(program, wrt="A30", shapes={name: array.shape for name, array in arrays.items()})
    factors = list(arrays.values())
    left, right = np.linalg.multi_dot(factors[:30]), np.linalg.multi_dot(factors[31:])
    result = d(**arrays)
    assert np.max(np.abs(result)) > 0
    np.testing.assert_allclose(result, np.einsum("im,nj->ijmn", left, right), rtol=1e-9, atol=0)


# B7: an axis of size 1


def test_an_axis_that_is_one_only_when_called_does_not_broadcast():
    d = derive("y = x + z", wrt="x", shapes={"x": "n", "z": "n"})
    assert_close(d(x=np.ones(3), z=np.ones(3)), I(3))
    with pytest.raises(EinsumDiffError, match="z") as caught:
        d(x=np.ones(3), z=np.ones(1))
    assert caught.value.kind == "shape"


@pytest.mark.parametrize("program", ["z: (1,)\ny = x*z", "y = x*z"], ids=["declared", "given"])
def test_an_axis_that_is_declared_to_be_one_broadcasts(program):
    shapes = {"x": "n", "z": (1,)} if "declared" not in program and ":" not in program else {"x": "n"}
    d = derive(program, wrt="z", shapes=shapes)
    x = np.array([2.0, -3.0, 5.0])
    assert_close(d(x=x, z=np.array([7.0])), x[:, None])


# B8: printing is deterministic


def test_the_same_text_comes_out_under_every_hash_seed():
    code = (
        "from einsumdiff import derive\n"
        "for p, w in ('sum(log_softmax(X @ W + b)*Y)', 'W'), ('x @ A @ x + x @ x', 'x'), ('A.T @ A', 'A'):\n"
        "    d = derive(p, wrt=w)\n"
        "    print(d, d.source(), d.program, d.structure)\n"
    )
    outputs = {run_alone(code, PYTHONHASHSEED=seed) for seed in ("0", "1", "77")}
    assert len(outputs) == 1
    assert len(outputs.pop()) > 200


# B9: printing parses back, and equality is by meaning


@pytest.mark.parametrize(
    "program, wrt",
    [
        ("y = sum(W*X + b)", "W"),
        ("y = W @ x + b", "W"),
        ("Z[i,j] = X[i,k]*Y[k,j]", "Y"),
        ("x @ A @ x", "x"),
        ("softmax(x)", "x"),
        ("sum(exp(x)*exp(x))", "x"),
        ("Z[i,j] = X[i+m, j+n]*K[m,n]", "X"),
        ("-mean(sum(Y*log_softmax(X @ W + b), axis=1))", "W"),
    ],
)
@pytest.mark.parametrize("order", [1, 2])
def test_what_is_printed_parses_back_to_the_same_derivative(program, wrt, order):
    d = derive(program, wrt=wrt, order=order)
    assert read(str(d)) == d


@pytest.mark.parametrize(
    "one, other",
    [
        ("Z[i,j] = X[i,k]*Y[k,j]", "Z[a,b] = X[a,c]*Y[c,b]"),
        ("Z[i,j] = X[i,k]*Y[k,j]", "Z = X @ Y"),
        ("Z[i,j] = X[i,k]*Y[k,j]", "Z[i,j] = Y[k,j]*X[i,k]"),
        ('Z = einsum("ik,kj->ij", X, Y)', "Z = X.dot(Y)"),
        ("Z[i,j] = X[i,k]*Y[k,j]", "Z[j,i] = X[j,m]*Y[m,i]"),
    ],
)
def test_programs_that_differ_by_letters_have_equal_derivatives(one, other):
    assert derive(one, wrt="X") == derive(other, wrt="X")


def test_programs_that_differ_by_meaning_have_different_derivatives():
    assert derive("Z = X @ Y", wrt="X", shapes={"X": "n n", "Y": "n n"}) != derive(
        "Z = X @ Y.T", wrt="X", shapes={"X": "n n", "Y": "n n"}
    )


# B10: symbolic sizes


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
@pytest.mark.parametrize(
    "program, wrt, value",
    [
        ("W @ x + b", "W", lambda W, x, b: W @ x + b),
        ("W @ x + b", "x", lambda W, x, b: W @ x + b),
        ("sum((W @ x - b)**2)", "W", lambda W, x, b: ((W @ x - b) ** 2).sum()),
        ("tanh(W @ x)*b", "x", lambda W, x, b: np.tanh(W @ x) * b),
        ("sum(outer(b, exp(x))*W)", "x", lambda W, x, b: (np.outer(b, np.exp(x)) * W).sum()),
    ],
)
@pytest.mark.parametrize("m", [1, 3])
def test_one_derivative_serves_every_size(program, wrt, value, n, m):
    d = derive(program, wrt=wrt)
    arrays = sample({"W": (m, n), "x": (n,), "b": (m,)}, seed=n)
    names = [name for name in arrays if name in d.inputs]
    result = d(**{name: arrays[name] for name in names})
    assert_close(result, numerical_jacobian(value, arrays, wrt) if arrays[wrt].size else result * 0, 1e-7)
    assert result.shape == np.shape(value(**arrays)) + arrays[wrt].shape


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_one_derivative_serves_every_size_that_has_an_entry(n):
    x = np.linspace(-1, 1, n)
    s = np.exp(x) / np.exp(x).sum()
    assert_close(derive("softmax(x)", wrt="x")(x=x), np.diag(s) - np.outer(s, s), 1e-12)
    assert_close(derive("mean(x**2)", wrt="x")(x=x), 2 * x / n, 1e-12)
    neighbours = np.eye(n - 1, n) * x[1:, None] + np.eye(n - 1, n, k=1) * x[:-1, None]
    assert_close(derive("y[i] = x[i]*x[i+1]", wrt="x")(x=x), neighbours, 1e-12)


def test_the_maximum_over_nothing_is_an_error_as_it_is_in_numpy():
    with pytest.raises((EinsumDiffError, ValueError)):
        derive("max(x)", wrt="x")(x=np.zeros(0))


# B11: names that collide


@pytest.mark.parametrize(
    "program, wrt, shapes, value",
    [
        ("y[m] = A[m,n]*x[n]", "A", {"A": (2, 3), "x": (3,)}, lambda A, x: A @ x),
        ("y[n] = A[n,m]*x[m]", "x", {"A": (2, 3), "x": (3,)}, lambda A, x: A @ x),
        ("h[i] = exp(h0[i])*h0[j]*w[j]", "h0", {"h0": (3,), "w": (3,)}, lambda h0, w: np.exp(h0) * (h0 @ w)),
        ("y = i @ j", "i", {"i": (2, 3), "j": (3,)}, lambda i, j: i @ j),
        ("y = m*tanh(n @ m)", "m", {"m": (3,), "n": (3, 3)}, lambda m, n: m * np.tanh(n @ m)),
        (
            "y[i] = sum[j](a[i,j]*sum[j](b[j]*x[j])*x[j])",
            "x",
            {"a": (2, 3), "b": (3,), "x": (3,)},
            lambda a, b, x: a @ x * (b @ x),
        ),
        (
            "u[i] = sum[j](A[i,j]*x[j])\nv[j] = sum[i](A[i,j]*u[i])\ny = sum[i](v[i]*x[i])",
            "x",
            {"A": (2, 3), "x": (3,)},
            lambda A, x: (A @ x) @ (A @ x),
        ),
        (
            "z[j] = tanh(sum[i](A[i,j]*b[i]))\ny = sum[i](z[i]*b2[i])",
            "b",
            {"A": (2, 3), "b": (2,), "b2": (3,)},
            lambda A, b, b2: np.tanh(b @ A) @ b2,
        ),
    ],
)
@pytest.mark.parametrize("order", [1, 2])
def test_letters_of_the_user_and_of_the_library_do_not_meet(program, wrt, shapes, value, order):
    arrays = sample(shapes)
    first = derive(program, wrt=wrt, shapes=shapes)
    assert_close(first(**arrays), numerical_jacobian(value, arrays, wrt), 1e-7)
    if order == 2:
        second = derive(program, wrt=wrt, shapes=shapes, order=2)
        assert_close(second(**arrays), numerical_jacobian(first, arrays, wrt), 1e-7)


@pytest.mark.parametrize("letter", "abcdefghijklmnopqrstuvz")
def test_any_letter_may_be_the_index(letter):
    x, w = np.array([1.5, -2.0, 0.5]), np.array([-1.0, 3.0])
    d = derive(f"y[{letter}] = x[{letter}]*tanh(x[{letter}])*sum(w)", wrt="x")
    assert_close(d(x=x, w=w), np.diag((np.tanh(x) + x * (1 - np.tanh(x) ** 2)) * 2), 1e-12)


@pytest.mark.parametrize("first, second, third", ["ijk", "mnp", "imn", "nim", "kij"])
def test_any_three_letters_may_be_the_indices(first, second, third):
    arrays = sample({"X": (2, 3), "Y": (3, 5)})
    d = derive(f"Z[{first},{third}] = X[{first},{second}]*Y[{second},{third}]", wrt="Y")
    assert_close(d(**arrays), np.einsum("im,jn->ijmn", arrays["X"], I(5)), 1e-12)


@pytest.mark.parametrize("name", ["i", "j", "m", "h", "dx", "out", "result"])
def test_the_wrt_may_be_called_like_an_index_or_a_generated_name(name):
    x = np.array([1.5, -2.0, 0.5])
    d = derive(f"y[k] = {name}[k]**2*x[k]", wrt=name)
    assert_close(d(**{name: x, "x": x}), np.diag(2 * x**2), 1e-12)
    d = derive(f"y[k] = {name}*x[k]", wrt=name)
    assert_close(d(**{name: 3.0, "x": x}), x, 1e-12)


# B12: deltas and sizes


def test_a_delta_over_two_different_sizes_is_refused():
    with pytest.raises(EinsumDiffError) as caught:
        derive("y[i,j] = delta[i,j]*x[i]*z[j]", wrt="x", shapes={"x": (2,), "z": (3,)})
    assert caught.value.kind in ("shape", "index")


def test_a_delta_of_one_index_is_its_size_when_summed_and_one_when_free():
    summed = derive("y = sum[i](delta[i,i]*t + z[i])", wrt="t", shapes={"t": (), "z": "n"})
    assert_close(summed(t=np.array(2.0), z=np.array([1.0, -2.0, 3.0])), 3.0)
    free = derive("y[i] = delta[i,i]*z[i]", wrt="z")
    assert_close(free(z=np.array([1.0, -2.0, 3.0])), I(3))


# B13: second derivatives


@pytest.mark.parametrize(
    "program, shapes, wrt",
    [
        ("sum(tanh(A @ x)**2)", {"A": (2, 3), "x": (3,)}, "x"),
        ("sum(exp(X @ X.T))", {"X": (2, 3)}, "X"),
        ("logsumexp(A @ x)*sum(x*x)", {"A": (5, 3), "x": (3,)}, "x"),
    ],
)
def test_the_hessian_is_symmetric_and_the_slope_of_the_gradient(program, shapes, wrt):
    arrays = {name: array / 2 for name, array in sample(shapes).items()}
    hessian = derive(program, wrt=wrt, shapes=shapes, order=2)(**arrays)
    gradient = derive(program, wrt=wrt, shapes=shapes)
    assert_close(hessian, numerical_jacobian(gradient, arrays, wrt), 1e-7)
    n = arrays[wrt].size
    np.testing.assert_allclose(hessian.reshape(n, n), hessian.reshape(n, n).T, rtol=1e-9, atol=1e-12)


def test_mixed_blocks_are_each_others_transposes():
    program = "sum(tanh(W @ x + b)**2)"
    arrays = sample({"W": (2, 3), "x": (3,), "b": (2,)})
    one = derive(derive(program, wrt="W"), wrt="b")(**arrays)
    other = derive(derive(program, wrt="b"), wrt="W")(**arrays)
    assert one.shape == (2, 3, 2)
    assert_close(one, np.moveaxis(other, 0, -1), 1e-12)
    assert_close(one, numerical_jacobian(derive(program, wrt="W"), arrays, "b"), 1e-7)


def test_the_hessian_of_a_separable_sum_prints_as_a_diagonal():
    d = derive("sum(exp(x))", wrt="x", order=2)
    assert "delta[" in str(d)
    assert "diagonal" in str(d.structure)


def test_a_product_of_two_scalars_has_no_second_derivative_in_one_of_them():
    shapes = {"x": (), "y": ()}
    there = derive(derive("x*y", wrt="x", shapes=shapes), wrt="x")
    across = derive(derive("x*y", wrt="x", shapes=shapes), wrt="y")
    assert_close(there(x=np.array(2.0), y=np.array(3.0)), 0.0)
    assert_close(across(x=np.array(2.0), y=np.array(3.0)), 1.0)


def test_the_third_derivative_is_right_in_every_entry():
    arrays = sample({"a": (3,), "x": (3,)})
    a, x = arrays["a"], arrays["x"]
    third = derive("y = sin(a @ x)", wrt="x", order=3)(**arrays)
    assert_close(third, -np.cos(a @ x) * np.einsum("i,j,k->ijk", a, a, a), 1e-12)


# B14: generated text stands alone

EMITTED = [
    ("y = sum(W*X + b)", "W", {"W": (2, 3), "X": (2, 3), "b": ()}),
    ("y = tanh(W @ x + b)", "W", {"W": (2, 3), "x": (3,), "b": (2,)}),
    ("Z[i,j] = X[i,k]*Y[k,j]", "Y", {"X": (2, 3), "Y": (3, 5)}),
    ("Z[i,j] = X[i+m, j+n]*K[m,n]", "X", {"X": (5, 7), "K": (2, 3)}),
    ("log_softmax(x)", "x", {"x": (5,)}),
    ("mean(x**3/2)", "x", {"x": (3, 5)}),
    ("prod(x)", "x", {"x": (5,)}),
    ("max(X, axis=1)", "X", {"X": (3, 5)}),
    ("sum(sigmoid(X @ W))", "W", {"X": (5, 3), "W": (3, 2)}),
    ("x + 1", "x", {"x": (2, 3)}),
    ("softmax(X)", "X", {"X": (2, 3)}),
    ("Z[i,j] = X[i+m, j+n]*K[m,n]", "K", {"X": (5, 7), "K": (2, 3)}),
    ("y = norm(A @ x - b)/2 + mean(x)", "x", {"A": (5, 3), "x": (3,), "b": (5,)}),
    ("std(X, axis=1)", "X", {"X": (2, 5)}),
    ("where(x > 0, x, 0.1*x)*pi", "x", {"x": (5,)}),
]


@pytest.mark.parametrize("program, wrt, shapes", EMITTED, ids=[f"{p} by {w}" for p, w, _ in EMITTED])
@pytest.mark.parametrize("order", [1, 2])
def test_the_source_is_a_function_that_keeps_the_precision(program, wrt, shapes, order):
    d = derive(program, wrt=wrt, shapes=shapes, order=order)
    arrays = sample(shapes)
    function = function_in(d.source())
    double = function(**arrays)
    assert_close(double, d(**arrays), 1e-15)
    assert np.asarray(double).dtype == np.float64
    single = function(**{name: array.astype(np.float32) for name, array in arrays.items()})
    assert np.asarray(single).dtype == np.float32
    assert_close(single, double, 1e-4)
    assert function.__doc__ and f"d{wrt}" in function.__doc__


def test_the_source_needs_nothing_but_numpy():
    parts = []
    for number, (program, wrt, shapes) in enumerate(EMITTED):
        source = derive(program, wrt=wrt, shapes=shapes).source()
        parts.append(f"namespace = {{}}\nexec({source!r}, namespace)\nprint({number})")
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('einsumdiff', 'lark', 'sympy', 'scipy'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n" + "\n".join(parts)
    )
    assert run_alone(code, "-I").split() == [str(number) for number in range(len(EMITTED))]


# B15: the simplest form


def test_like_terms_merge():
    text = str(derive("y = x*x", wrt="x"))
    assert text.splitlines()[0] == "dy[i]/dx[m] = 2*delta[i,m]*x[i]"
    assert "+" not in text.splitlines()[0]


def test_no_idle_delta_is_left():
    assert str(derive('einsum("ii->i", A)', wrt="A")).count("delta[") == 2
    assert str(derive('einsum("ii->", A)', wrt="A")).count("delta[") == 1
    assert str(derive("sum(W*X)", wrt="W")).count("delta[") == 0


# B17: partials that shipped wrong elsewhere


@pytest.mark.parametrize(
    "name, slope",
    [
        ("tanh", lambda x: 1 - np.tanh(x) ** 2),
        ("arcsinh", lambda x: 1 / np.sqrt(1 + x**2)),
        ("asinh", lambda x: 1 / np.sqrt(1 + x**2)),
        ("arccos", lambda x: -1 / np.sqrt(1 - x**2)),
        ("abs", lambda x: np.sign(x)),
        ("abs2", lambda x: 2 * x),
    ],
)
def test_the_partial_is_the_right_one(name, slope):
    x = np.array([-0.75, -0.25, 0.5, 0.875])
    assert_close(derive(f"{name}(x)", wrt="x")(x=x), np.diag(slope(x)), 1e-15)
