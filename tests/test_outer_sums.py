"""Squares of outer sums, multiplied out where a user says so: Gram forms of distances."""

import re
import tracemalloc

import numpy as np
import pytest
from acceptance.cookbook import ROWS as COOKBOOK
from acceptance.test_expressions import ROWS as EXPRESSIONS
from hypothesis import HealthCheck, given, settings
from numeric import assert_close, numerical_jacobian
from test_random_programs import cases, derived, used

from einsumdiff import derive, outer_sums
from einsumdiff.errors import ValueFault
from einsumdiff.evaluate import evaluate_terms
from einsumdiff.forms.options import Options

KERNEL = "X: (m, d); D[i,j] = sum[k]((X[i,k] - X[j,k])**2); L = sum(exp(-D/2))"
CROSS = "X: (m, d); Y: (n, d); D[i,j] = sum[k]((X[i,k] - Y[j,k])**2); L = sum(A*exp(-D/3))"
SIZES = {"m": 3, "n": 5, "d": 2, "p": 7}


def drawn(d, **sizes):
    random = np.random.default_rng(0)
    sizes = SIZES | sizes
    return {
        one.name: random.standard_normal(tuple(sizes[str(size)] for size in one.shape))
        for one in d._program.inputs
    }


@pytest.mark.parametrize(
    "text, wrt",
    [
        (KERNEL, "X"),
        (CROSS, "X"),
        (CROSS, "Y"),
        (CROSS, "A"),
        ("X: (m, d); D = sum((X[:, None] - X[None])**2, axis=2); L = sum(exp(-D/2))", "X"),
        ("X: (m, d); Y: (n, d); D = sum((X[:, None] - Y)**2, axis=2); L = sum(D*tanh(D))", "Y"),
        ("X: (m, d); s: (); D = sum((X[:, None] - X)**2, axis=2); K = exp(-D/s); L = a @ K @ a", "X"),
        ("X: (m, d); s: (); D = sum((X[:, None] - X)**2, axis=2); K = exp(-D/s); L = a @ K @ a", "s"),
        ("X: (m, d); D = sum((X[:, None] - X[None])**2, axis=2); L = sum(logsumexp(-D, axis=1))", "X"),
        ("X: (m, d); Y: (m, d); D = sum((X[:, None] + 3*Y[None])**2, axis=2); L = sum(cos(D))", "Y"),
        ("X: (m, d); Y: (n, d); D = sum((X[:, None] - Y)**2*B, axis=2); L = sum(exp(-D)); B: (d,)", "X"),
        ("x: (m,); y: (n,); L = sum(exp(-(x[:, None] - y)**2))", "x"),
    ],
)
def test_gram_forms_are_the_slope_of_the_function(text, wrt):
    d = derive(text, wrt=wrt)
    arrays = drawn(d)
    arrays |= {"s": np.array(1.7)} if "s" in arrays else {}
    slope = numerical_jacobian(d._value_alone(), arrays, wrt)
    assert_close(d.compile()(**arrays), slope, 1e-8)
    assert_close(d.compile(expand=True)(**arrays), slope, 1e-8)
    value, derivative = d.compile(expand=True, value=True)(**arrays)
    assert_close(value, d._value_alone()(**arrays), 1e-12)
    assert_close(derivative, slope, 1e-8)
    sizes = {name: n for name, n in SIZES.items() if name in d._sizes}
    (jacobian,) = d._jacobians
    values = {one: arrays[one.name] for one in d._program.inputs}
    slow = evaluate_terms(jacobian.terms, jacobian.shape, values, sizes)
    assert_close(d.compile(expand=True)(**arrays), slow, 1e-12)


def test_a_second_derivative_is_the_slope_of_the_first():
    first, second = derive(CROSS, wrt="X"), derive(CROSS, wrt="X", order=2)
    arrays = drawn(first)
    slope = numerical_jacobian(first.compile(), arrays, "X")
    for expand in (False, True):
        assert_close(second.compile(expand=expand)(**arrays), slope, 1e-7)


def test_a_kernel_never_makes_the_array_of_differences():
    d = derive(KERNEL, wrt="X")
    m, k = 300, 20
    arrays = {"X": np.random.default_rng(0).standard_normal((m, k))}
    peaks = []
    for expand in (False, True):
        function = d.compile(expand=expand)
        function(**arrays)
        tracemalloc.start()
        function(**arrays)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] > 8 * m * m * k
    assert peaks[1] < 4 * 8 * m * m
    source = d.source(expand=True)
    assert re.search(r"(\w+) @ \1\.T", source), "a product with its own transpose, for syrk"
    assert source.count("np.exp(") == 1


def test_what_a_kernel_and_its_transpose_have_in_common_is_computed_once():
    assert derive(KERNEL, wrt="X").source(expand=True).count(" @ ") == 2


def test_nothing_is_multiplied_out_unasked():
    d = derive(KERNEL, wrt="X")
    assert " @ " not in d.source()
    known = d.source(sizes={"m": 1000, "d": 5})
    assert re.findall(r"(\w+) @", known) == re.findall(r"(\w+) = np\.ones", known), "ones only, for a sum"


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_the_place_of_the_points_takes_no_digits(offset):
    """Multiplied out as it stands, at an offset of 1e6 four digits would be left."""
    d = derive(CROSS, wrt="X")
    arrays = drawn(d)
    arrays |= {name: np.round(arrays[name], 6) + offset for name in "XY"}
    assert_close(d.compile(expand=True)(**arrays), d.compile()(**arrays), 1e-13)


def test_the_loss_of_digits_is_that_of_the_largest_distance():
    d = derive(KERNEL, wrt="X")
    random = np.random.default_rng(0)
    for spread in (1e1, 1e2, 1e3):
        X = random.standard_normal((20, 2))
        X[10:] += spread
        error = np.abs(d.compile(expand=True)(X) - d.compile()(X)).max()
        assert error < 1e-15 * spread**2 * 20


@pytest.mark.parametrize(
    "of",
    [
        "sqrt(D)",
        "log(1 + D)",
        "1/(1 + D)",
        "D**1.5",
        "abs(D - 1)",
        "relu(1 - D)",
        "where(D < 1, D, 0)",
        "maximum(D, 1)",
        "sqrt(D/2)",
        "max(D, axis=1)",
        "prod(D, axis=1)",
        "exp(-sqrt(2*D + 1))",
    ],
)
def test_what_needs_the_sign_of_a_distance_forms_it(of):
    text = f"X: (m, d); Y: (n, d); D = sum((X[:, None] - Y)**2, axis=2); L = sum({of})"
    d = derive(text, wrt="X")
    assert d.source(expand=True) == d.source()


@pytest.mark.parametrize(
    "text",
    [
        "X: (m, d); Y: (n, d); L = sum(exp(X[:, None] - Y))",
        "X: (m, d); Y: (n, d); D = sum((X[:, None] - Y)**4, axis=2); L = sum(exp(-D))",
        "X: (m, d); Y: (n, d); D = sum(1/(X[:, None] - Y)**2, axis=2); L = sum(exp(-D))",
        "T: (m, n); U: (m, p); V: (n, p); L = sum(exp((T - U @ V.T)**2))",
    ],
)
def test_only_squares_of_outer_sums_are_multiplied_out(text):
    d = derive(text, wrt=next(iter(derive(text, wrt="X" if "X" in text else "U").inputs)))
    assert d.source(expand=True) == d.source()


@pytest.fixture
def everywhere(monkeypatch):
    """All outer sums are multiplied out, whatever it costs."""
    monkeypatch.setattr(outer_sums, "WORTH", float("inf"))
    monkeypatch.setattr(outer_sums, "WORTH_ASSUMED", float("inf"))


@pytest.mark.parametrize("row", EXPRESSIONS, ids=lambda row: row.number)
def test_an_expression_has_the_same_derivative_either_way(row, everywhere):
    d = derive(row.program, wrt=row.wrt, order=row.order, shapes=row.sizes)
    arrays = {name: row.arrays[name] for name in d.inputs}
    assert_close(d.compile(expand=True)(**arrays), d.compile()(**arrays), 1e-10)


@pytest.mark.parametrize("row", COOKBOOK, ids=lambda row: row.number)
def test_a_cookbook_identity_has_the_same_derivative_either_way(row, everywhere):
    d = derive(row.program, wrt=row.wrt, order=row.order, shapes=row.shapes)
    arrays = {name: row.arrays[name] for name in d.inputs}
    assert_close(d.compile(expand=True)(**arrays), d.compile()(**arrays), 1e-9)


@given(cases())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_programs_have_the_same_derivative_either_way(everywhere, case):
    text, wrt = case
    values = used(text)
    if wrt in values:
        d = derived(text, wrt)
        assert_close(d.compile(expand=True)(**values), d.compile()(**values), 1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "V[i,j,k] = X[i,k] - Y[j,k]; W[i,j,k] = 3*V[i,j,k]; L = sum[i,j](exp(-sum[k](W[i,j,k]**2)))",
        "V[i,j,k] = X[i,k] + 2*Y[j,k]; L = sum[i,j](sin(sum[k](V[i,j,k]*X[i,k])))",
        "V[i,j,k] = X[i,k] - Y[j,k]; U[i,j] = sum[k](V[i,j,k]**2*w[k]); L = sum[i,j](U[i,j]*exp(-U[i,j]))",
        "V[i,j,k] = X[i,k] - Y[j,k]; L = sum[i,j](exp(sum[k](V[i,j,k]*V[j,i,k])))",
        "V[i,j,k] = X[i,k] - X[j,k]; "
        "L = sum[i,k](exp(V[i,i,k] + X[i,k])) + sum[i,j](cos(sum[k](V[i,j,k]**2)))",
        "V[i,j,k] = X[i,k] - X[k,j]; L = sum[i,j](cos(sum[k](V[i,j,k]**2)))",
        "V[i,j,k] = X[i,k] - Y[j,k]; L = sum[i,j](exp(-sum[k](V[i,j,k]**2)))**2",
        "V[i,j,k,l] = X[i,k]*w[l] - Y[j,k]; L = sum[i,j](tanh(sum[k,l](V[i,j,k,l]**2)))",
    ],
)
@pytest.mark.parametrize("order", [1, 2])
def test_outer_sums_of_all_kinds_are_the_slope_of_the_function(text, order, everywhere):
    d = derive(text, wrt="X", order=order)
    sizes = [5 if text.count("X[k,j]") or "V[j,i" in text else 3, 5 if "V[j,i" in text else 2, 5, 7]
    sizes = dict(zip(d._sizes, sizes, strict=False))
    arrays = drawn(d, **sizes)
    before = derive(text, wrt="X").compile() if order == 2 else d._value_alone()
    slope = numerical_jacobian(before, arrays, "X")
    assert_close(d.compile()(**arrays), slope, 1e-7)
    assert_close(d.compile(expand=True)(**arrays), slope, 1e-7)


def test_a_formula_and_a_derivative_of_it_stay_as_printed():
    d = derive(KERNEL, wrt="X")
    before = str(d), d.source(), d.program
    d.compile(expand=True, value=True)
    assert before == (str(d), d.source(), d.program)


def test_the_source_is_the_same_in_every_process_and_order():
    one, other = derive(KERNEL, wrt="X"), derive(KERNEL, wrt="X")
    other.source()
    assert one.source(expand=True) == other.source(expand=True)


def test_no_points_have_no_kernel():
    d = derive(CROSS, wrt="Y")
    found = d.compile(expand=True)(X=np.ones((2, 3)), Y=np.zeros((0, 3)), A=np.zeros((2, 0)))
    assert found.shape == (0, 3)


def test_it_is_of_the_dense_form():
    with pytest.raises(ValueFault, match="expand= is of the dense form"):
        derive(KERNEL, wrt="X").compile(form="compressed", expand=True)
    assert Options(expand=True) != Options()
