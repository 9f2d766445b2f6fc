"""`jit="numba"`: the loops have the numbers, the kinds and the shapes of the NumPy function.

Compiling takes seconds, so few programs are compiled; what the loops of all others mean is seen by running
them as the Python that they are.
"""

import re

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample
from oracle import program, run
from test_dtypes import PROGRAMS, declared, drawn

import einsumdiff.function
from einsumdiff import derive
from einsumdiff.errors import EinsumDiffError, NameFault, Unsupported, ValueFault

numba = pytest.importorskip("numba")

SIZES = {"m": 3, "n": 5, "p": 2, "q": 7}
SHAPES = {
    "x": "n",
    "y": "n",
    "z": "m",
    "w": "p",
    "A": "m n",
    "B": "n p",
    "C": "m p",
    "S": "n n",
    "T": "q m n",
    "U": "q n p",
    "a": "",
    "places": "q",
}
PLACES = np.array([4, 0, 0, -1, 2, 4, -5])

COMPILED = [
    ("L = sum(tanh(A @ B)**2)", "B", 1),  # chains around products by BLAS
    ("L = sum(log(1 + exp(-z*(A @ x))))", "x", 1),
    ("softmax(A, axis=1)", "A", 1),  # log-sum-exp; writes on diagonals
    ("L = log(sum(exp(x)))", "x", 2),
    ("r[i] = x[i]**2*x[i+1] - exp(x[i+1])*y[i]", "x", 1),  # bands
    ("r[i] = w[k]*x[i+k]", "x", 1),  # a loop of the plan
    ("r[t,i,k] = T[t,i,j]*tanh(U[t,j,k])", "T", 1),  # a batch of products
    ("L = sum[i,j](exp(-(x[i] - y[j])**2)*a)", "x", 1),  # what is summed as it is made
    ("L = sum(where(x > y, x**3, sin(x)*y))", "x", 1),
    ("cumsum(x*y)*prod(x)", "x", 1),
    ("cumprod(x)", "x", 1),
    ("sum(A, axis=0)*maximum(x, y) + max(A)*min(x)", "A", 1),
    ("gelu(x)*(y % 0.7) + sinc(x)*(y // 0.3)", "x", 1),
    ("L = sum[t](x[places[t]]**2*T[t,i,j]*A[i,j])", "x", 1),  # gathers and scatters
    ("L = x @ inv(S + 9*eye(n)) @ y", "S", 1),
    ("r[t,i] = sum[j](T[t,i,j]*tanh(x[j]))/(1 + a**2)", "x", 1),
]


def text_and_arrays(body):
    """The program with the shapes of the names that it uses, and arrays for them."""
    used = [name for name in SHAPES if re.search(rf"\b{name}\b", body)]
    lines = [f"{name}: ({', '.join(SHAPES[name].split())}{',' * bool(SHAPES[name])})" for name in used]
    shapes = {name: tuple(SIZES[size] for size in SHAPES[name].split()) for name in used if name != "places"}
    arrays = sample(shapes)
    return "\n".join([*lines, body]), arrays | ({"places": PLACES} if "places" in used else {})


def both(text, arrays, wrt, order=1, **options):
    """Value and derivative, by the loops and by the NumPy function."""
    d = derive(text, wrt=wrt, order=order)
    given = {name: arrays[name] for name in d.inputs}
    return (
        d.compile(value=True, jit="numba", **options)(**given),
        d.compile(value=True, **options)(**given),
    )


def assert_alike(found, expected, tol):
    """Same type, kind and shape, and equal to rounding."""
    for one, other in zip(found, expected, strict=True):
        assert type(one) is type(other)
        assert one.dtype == other.dtype
        assert_close(one, other, tol)


@pytest.fixture
def interpreted(monkeypatch):
    """The loops as Python."""
    monkeypatch.setattr(numba, "njit", lambda **_: lambda function: function)
    monkeypatch.setattr(numba, "prange", range)


@pytest.mark.parametrize(("body", "wrt", "order"), COMPILED)
def test_the_loops_are_the_numpy_function_and_the_slope(body, wrt, order):
    text, arrays = text_and_arrays(body)
    found, expected = both(text, arrays, wrt, order)
    assert_alike(found, expected, 1e-12)

    assert_close(found[0], run(built := program(text), arrays), 1e-12)
    lower = derive(text, wrt=wrt)

    def value(**given):
        return run(built, given) if order == 1 else lower(**given)

    assert_close(found[1], numerical_jacobian(value, arrays, wrt), 1e-7)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("body", PROGRAMS)
def test_every_operation_means_in_loops_what_it_means_in_numpy(body, kind, order, interpreted):
    text, wrt = declared(body)
    with np.errstate(all="ignore"):
        found, expected = both(text, drawn(kind), wrt, order)
    assert_alike(found, expected, 1e-12 if kind is np.float64 else 2e-4)


@pytest.mark.parametrize(
    "body",
    [
        *(body for body, _, order in COMPILED if order == 1),
        "cumsum(x[::-1])*cumprod(x)*x",
        "tril(S) @ x",
        "x[1:]*cumsum(x)[:-1] + roll(x, 1)[1:]",
        "r[t,j] = sum[i,k](T[t,i,j]*U[t,j,k]*C[i,k])*x[j]",
        "L = sum((A - C @ B.T)**2)",
        "logsumexp(A*x, axis=0)*x",
        "r[i] = prod[j](x[i] - y[j])",
        "L = sum(prod(A*x, axis=1)**2)",
        "std(A*x, axis=1)",
        "einsum('tij,tjk,ik->tj', T, U, C)*x",
        "L = sum[i,j](sqrt(sum[t](T[t,i,j]**2)*x[j]**2))",
        "tile(x, 2)*concatenate([x, y])",
        "x @ solve(S + 9*eye(n), y)",
        "trace(inv(S + 9*eye(n)))*x",
        "kron(x, w)",
        "x[places]*x[places][::-1]",
    ],
)
def test_products_sums_and_places_mean_in_loops_what_they_mean_in_numpy(body, interpreted):
    text, arrays = text_and_arrays(body)
    for wrt in [name for name in arrays if name != "places"]:
        assert_alike(*both(text, arrays, wrt), 1e-12)


# -- arguments and results ----------------------------------------------------------------------------


def test_kinds_are_numpys():
    d = derive("a: (); b: (n,); x: (n,)\ny = a*x**2*exp(x) + sum(b)", wrt="x")
    plain, loops = d.compile(value=True), d.compile(value=True, jit="numba")
    x = np.array([0.5, -1, 2], np.float32)
    for a, b in ((np.float32(1.5), x), (1.5, x), (2, x), (np.float64(1.5), x)):
        for one, other in zip(loops(a=a, b=b, x=x), plain(a=a, b=b, x=x), strict=True):
            assert one.dtype == other.dtype
            assert_close(one, other, 1e-6)


def test_what_does_not_depend_on_a_wide_array_stays_narrow(interpreted):
    d = derive("b: (n,); x: (n,)\nL = sum(x**2) + sum(b)", wrt="x")
    x, b = np.ones(3, np.float32), np.ones(3)
    for function in (d.compile(value=True), d.compile(value=True, jit="numba")):
        value, slope = function(b=b, x=x)
        assert (value.dtype, slope.dtype) == (np.float64, np.float32)


def test_whole_numbers_become_floating_point_ones_as_where_arguments_are_checked(interpreted):
    d = derive("b: (n,); x: (n,)\ny = b*x**2/2", wrt="x")
    x = np.array([1, 2, 3], np.float32)
    for kind in (bool, np.int8, np.int64):
        b = np.ones(3, kind)
        assert_alike([d.compile(jit="numba")(b=b, x=x)], [d(b=b, x=x)], 1e-6)


@pytest.mark.parametrize("kind", [np.float16, np.longdouble])
def test_kinds_that_the_loops_are_not_for_are_refused(kind, interpreted):
    if np.dtype(kind) == float:
        return  # there a long double is a double
    with pytest.raises(TypeError, match="compile without jit="):
        derive("x: (n,)\ny = x**2", wrt="x").compile(jit="numba")(np.ones(3, kind))


def test_arrays_of_any_layout():
    text, arrays = text_and_arrays("L = sum(tanh(A @ B)*C)")
    d = derive(text, wrt="A")
    loops = d.compile(jit="numba")
    expected = d(**arrays)
    wide = np.repeat(arrays["B"], 2, axis=1)[:, ::2]
    fixed = arrays["C"].copy()
    fixed.flags.writeable = False
    given = {"A": np.asfortranarray(arrays["A"]), "B": wide, "C": fixed}
    assert_close(loops(**given), expected, 1e-12)
    assert_close(loops(**given | {"C": arrays["C"][::-1][::-1]}), expected, 1e-12)


@pytest.mark.parametrize("m", [0, 1, 2])
@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("body", ["sum(tanh(A @ x))", "A*x", "prod(A, axis=0)", "A @ x", "cumsum(A, axis=0)"])
def test_small_and_empty_arrays(body, m, n, interpreted):
    arrays = {"A": np.full((m, n), 0.5), "x": np.arange(1.0, n + 1)}
    d = derive(f"A: (m, n); x: (n,)\n{body}", wrt="A")
    given = {name: arrays[name] for name in d.inputs}
    assert_alike([d.compile(jit="numba")(**given)], [d(**given)], 1e-12)


def test_axes_of_size_1():
    d = derive("X: (m, 1); Y: (1, n)\nr = exp(X)*Y", wrt="X")
    X, Y = sample({"X": (3, 1), "Y": (1, 5)}).values()
    assert_alike(d.compile(value=True, jit="numba")(X, Y), d.compile(value=True)(X, Y), 1e-12)


def test_nan_and_inf_are_numpys():
    text = "x: (n,)\ny = max(x)*x + exp(x)/x + where(x > 0, log(x), 0) + logsumexp(x)"
    d = derive(text, wrt="x")
    plain, loops = d.compile(value=True), d.compile(value=True, jit="numba")
    for given in ([0, 1, -1], [np.nan, 1, 2], [np.inf, 0, 1], [-np.inf, -np.inf, -np.inf], [800, -800, 1]):
        x = np.array(given, float)
        with np.errstate(all="ignore"):
            expected = plain(x)
        for one, other in zip(loops(x), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


def test_several_derivatives_are_a_dictionary(interpreted):
    arrays = sample({"x": (5,), "y": (5,)})
    d = derive("x: (n,); y: (n,)\nL = sum(sin(x)*y)", wrt=["x", "y"])
    value, slopes = d.compile(value=True, jit="numba")(**arrays)
    assert_close(value, np.sum(np.sin(arrays["x"]) * arrays["y"]), 1e-12)
    assert list(slopes) == ["x", "y"]
    assert_close(slopes["x"], np.cos(arrays["x"]) * arrays["y"], 1e-12)


def test_an_argument_is_never_returned(interpreted):
    x = np.ones(3)
    found = derive("x: (n,); y: (n,)\nL = sum(x*y)", wrt="y").compile(copy=False, jit="numba")(x, x)
    assert not np.shares_memory(found, x)


EDGES = "0 -0 1e-300 -1e-9 1e-4 0.3 -0.62 0.63 20 700 -700 709.78 709.79 -745 -745.2 -746 nan inf -inf"


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("function", ["exp", "tanh"])
def test_functions_of_its_own_are_exact_to_rounding(function, kind):
    x = np.array([*map(float, EDGES.split()), *np.linspace(-40, 40, 1001)]).astype(kind)
    found = derive(f"a: (); x: (n,)\nr = a*{function}(x)", wrt="a").compile(jit="numba")(a=kind(1), x=x)
    with np.errstate(all="ignore"):
        expected = getattr(np, function)(x)
    assert found.dtype == kind
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(kind).eps, atol=2 * np.finfo(kind).tiny)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


# -- threads ------------------------------------------------------------------------------------------

LARGE = "x: (n,); y: (n,)\nL = sum(exp(-(x**2))*sin(y)/(1 + x**2))"


def test_large_arrays_run_in_parallel_with_the_same_result():
    d = derive(LARGE, wrt="x")
    loops = d.compile(value=True, jit="numba")
    arrays = sample({"x": (40_003,), "y": (40_003,)})
    assert_alike(loops(**arrays), d.compile(value=True)(**arrays), 1e-12)
    compiled = loops.__globals__["_compiled"]
    given = (*arrays.values(), 40_003)
    for one, other in zip(
        compiled(np.float64, True)(*given), compiled(np.float64, False)(*given), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert compiled.cache_info().currsize == 2


def test_the_sum_over_rows_of_a_large_matrix_is_made_of_blocks():
    d = derive("A: (m, n); x: (n,)\nL = sum(tanh(A*x))", wrt="x")
    arrays = sample({"A": (9_001, 7), "x": (7,)})
    assert_alike([d.compile(jit="numba")(**arrays)], [d(**arrays)], 1e-12)
    assert "blocks1 = min(64, 1 + m//256)" in d.source(jit="numba")


def test_what_is_always_small_has_one_thread():
    assert "prange" not in derive("x: (4,)\ny = exp(x)", wrt="x").source(jit="numba")
    assert "prange" in derive("x: (n,)\ny = exp(x)", wrt="x").source(jit="numba")


# -- the text -----------------------------------------------------------------------------------------


def lines(text, wrt, **options):
    return [line.strip() for line in derive(text, wrt=wrt).source(jit="numba", **options).splitlines()]


def test_a_chain_of_definitions_is_one_loop_without_arrays():
    text = "x: (n,); y: (n,)\ns = x/(1 + x**2)\nt = s*y + s**2\nr = t**2*s"
    found = [line for line in lines(text, "x", value=True) if "np.empty" in line or line.startswith("for ")]
    assert [line for line in found if "np.empty" in line and not line.startswith("r ")] == [
        line for line in found if line.startswith("t") and "np.empty" in line
    ]
    assert not any(line.startswith(("s =", "t =")) and "np.empty" in line for line in found)


def test_matrix_products_are_blas_and_a_matrix_that_is_only_summed_is_no_array():
    assert any("np.dot(" in line for line in lines("A: (m, n); B: (n, p)\nL = sum(tanh(A @ B))", "A"))
    text = "a: (); x: (m,); y: (n,); w: (n,)\nr[i] = a*sum[j](exp(x[i]*y[j])*w[j])"
    assert not any("(m, n)" in line for line in lines(text, "a"))


def test_what_lacks_the_label_of_the_outer_loop_is_computed_once():
    text = "A: (m, n); x: (n,)\nr = A*exp(x)"
    found = lines(text, "A", value=True)
    assert sum("_exp(x[" in line for line in found) == 1
    (line,) = (line for line in found if "_exp(x[" in line)
    assert line.startswith("t1[")


def test_the_text_is_the_same_each_time():
    for body, wrt, order in COMPILED:
        text, _ = text_and_arrays(body)
        first = derive(text, wrt=wrt, order=order).source(jit="numba", value=True)
        assert first == derive(text, wrt=wrt, order=order).source(jit="numba", value=True)


# -- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x: (n,)\ny = digamma(x)", "digamma"),
        ("x: (n,)\ny = besselj(0, x)", "besselj"),
        ("A: (n, n)\ny = cholesky(A)", "cholesky"),
    ],
)
def test_what_has_no_loop_is_refused_before_any_work(text, what):
    with pytest.raises(Unsupported, match=f"{what}.*\ncompile it without jit="):
        derive(text, wrt=text[0]).compile(value=True, jit="numba")


@pytest.mark.parametrize(
    "options",
    [{"form": "sparse"}, {"form": "compressed"}, {"form": "operator"}, {"out": True}],
)
def test_other_forms_and_buffers_are_refused(options):
    with pytest.raises(ValueFault, match="leave jit= out"):
        derive("x: (n,)\ny = exp(x)", wrt="x").compile(jit="numba", **options)


def test_another_jit_is_refused():
    with pytest.raises(ValueFault, match='write jit="numba"'):
        derive("x: (n,)\ny = exp(x)", wrt="x").source(jit="nubma")


def test_an_input_with_a_name_of_the_source_is_refused():
    with pytest.raises(NameFault, match="numba is an input"):
        derive("numba: (n,)\ny = exp(numba)", wrt="numba").source(jit="numba")


def test_without_numba_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(einsumdiff.function, "find_spec", lambda name: None)
    d = derive("x: (n,)\ny = exp(x)", wrt="x")
    with pytest.raises(EinsumDiffError, match=r'pip install "einsumdiff\[numba\]"'):
        d.compile(jit="numba")
    assert "numba.njit" in d.source(jit="numba")


def test_loops_never_read_beyond_an_array(interpreted):
    d = derive("A: (m, n); x: (n,)\nL = sum(A @ x)", wrt="x")
    with pytest.raises(ValueError, match=r"x has shape \(4,\), expected \(5,\)"):
        d.compile(value=True, jit="numba")(np.ones((3, 5)), np.ones(4))
    gathered = derive("x: (n,); k: (m,)\nr = x[k]**2", wrt="x").compile(jit="numba")
    x = np.ones(3)
    assert gathered(x, np.array([0, -3])).shape == (2, 3)
    for places in ([3], [-4]):
        with pytest.raises(IndexError, match="k holds a place out of an axis of size 3"):
            gathered(x, np.array(places))
    with pytest.raises(ValueError, match="k is no array of places"):
        gathered(x, np.ones(2))


def test_the_largest_of_nothing_is_an_error(interpreted):
    with pytest.raises(ValueError, match="max over nothing"):
        derive("x: (n,)\ny = max(x)", wrt="x").compile(jit="numba")(np.ones(0))


def test_what_is_written_into_a_copy_keeps_its_digits():
    """The diagonal of a narrower matrix takes wider numbers."""
    d = derive("M: (n, n); x: (n,); z: (n,); y = M.T @ z + x*z", wrt="z")
    random = np.random.default_rng(2)
    x, z = random.standard_normal(3), random.standard_normal(3).astype(np.float32)
    M = random.standard_normal((3, 3)).astype(np.float32)
    given = {"M": M, "x": x, "z": z}
    found = d.compile(jit="numba")(**{name: given[name] for name in d.inputs})
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, M.T + np.diag(x), rtol=1e-14)
