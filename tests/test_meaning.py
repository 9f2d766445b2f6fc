"""When are two derivatives the same? What is equal in value by the symmetry of a definition, by how a product
is cut into definitions or by an identity is; what differs in value never is."""

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from numeric import assert_close, numerical_jacobian
from test_random_programs import SHAPES, cases, derived, in_numpy, used

from einsumdiff import derive, read
from einsumdiff.symmetry import symmetric_axes
from einsumdiff.unfolding import MOST_FACTORS

LONG = (
    "mean(sin(sigmoid((outer(v, v) @ ((A @ B).T @ (u[..., None] * v + s)).T @ outer(v, v)"
    " @ ((u[..., None] * v + s) @ outer(v, v)).T @ ((v[..., None] * v + s) @ outer(v, u)).T"
    " @ (v[..., None] * v + s)) @ outer(v, z) @ B @ outer(v, v) @ outer(v, u) @ outer(u, v) @ outer(v, u))),"
    " axis=0)"
)
READ_BACK = [
    # logsumexp is printed as log(sum(exp)), and exp(log(z)) is z
    ("softmax(log(1 + (sin(u))**2))", "u"),
    ("softmax(log(1 + (x)**2)) @ softmax(sin(x))", "x"),
    ("logsumexp(log(1 + (z)**2))*s", "z"),
    ("softmax(softmax(log(1 + (x)**2)))", "x"),
    # functions, sums and conditions of what is symmetric are symmetric
    ("log(1 + ((x[..., None] * x + s).T)**2)", "s"),
    ("sin(exp(-(x[..., None] * x + s)**2)).T", "s"),
    ("sin(outer(u, u).T) @ softmax(A @ z)", "u"),
    ("where(outer(z, z).T > 0, outer(z, z).T, (S * T) * sigmoid(S))", "z"),
    ("where(outer(z, z).T > 0, outer(z, z).T, (S * T) * sigmoid(S))", "S"),
    # products of many factors, cut into definitions
    ("exp(-((S @ S @ outer(x, u) @ (A @ A.T) @ (u[..., None] * u + s)) @ sin(A))**2)", "s"),
    (LONG, "s"),
]


@pytest.mark.parametrize(
    ("text", "wrt", "order"),
    [(*case, order) for case in READ_BACK for order in (1, 2) if case[0] != LONG or order == 1],
)
def test_what_is_printed_is_read_back_with_its_values(text, wrt, order):
    values = used(text)
    d = derived(text, wrt, order=order)
    again = read(str(d))
    assert again == d and str(derived(text, wrt, order=order)) == str(d)
    lower = in_numpy(text) if order == 1 else lambda **moved: derived(text, wrt)(**moved)
    slope = numerical_jacobian(lower, values, wrt, step=1e-3)
    assert_close(d(**values), slope, tol=1e-7)
    assert_close(again(**values), d(**values), tol=1e-12)


SIZES = {"x": "n", "z": "n", "A": "n n", "B": "n n", "T": "n n n", "s": ""}

SAME = [
    ("y = sum[i,j](sin(x[i]*x[j])*A[i,j])", "y = sum[i,j](sin(x[j]*x[i])*A[i,j])"),
    ("y = sum[i,j](sin(x[i]*x[j] + s)*A[i,j])", "y = sum[i,j](sin(x[i]*x[j] + s)*A[j,i])"),
    ("y = sum[i,j](cos(sin(x[i]*x[j])**2 + s)*A[i,j])", "y = sum[i,j](cos(sin(x[i]*x[j])**2 + s)*A[j,i])"),
    ("y = sum[i,j](exp(-(x[i]*x[j] + s)**2)*A[i,j])", "y = sum[i,j](exp(-(x[i]*x[j] + s)**2)*A[j,i])"),
    ("y = (x @ z)*sum[i,j](sin(z[i]*z[j])*sin(z[j]*z[i])*A[i,j])", "(x @ z)*sum(sin(outer(z, z))**2*A)"),
    (
        "y = (x @ z)*sum[i,j](exp((z[i] - z[j])**2)*A[i,j])",
        "y = (x @ z)*sum[i,j](exp((z[i] - z[j])**2)*A[j,i])",
    ),
    ("y = sum[i,j,k](sin(x[i]*x[j]*x[k])*T[i,j,k])", "y = sum[i,j,k](sin(x[i]*x[j]*x[k])*T[k,i,j])"),
    ("y = sum[i,j,k](sin(x[i]*x[j]*z[k])*T[i,j,k])", "y = sum[i,j,k](sin(x[i]*x[j]*z[k])*T[j,i,k])"),
    (
        "y = sum[i,j](where(z[i]*z[j] > s, A[i,j], 0))*sum(x)",
        "y = sum[i,j](where(z[i]*z[j] > s, A[j,i], 0))*sum(x)",
    ),
    ("y = (x @ z)*sum[i,j](exp(z[i] - z[j])*A[i,j])", "y = (x @ z)*sum[i,j](exp(z[j] - z[i])*A[j,i])"),
    ("y = (x @ z)*sum[i,j](exp(z[i] - z[j])*A[i,j])", "y = (x @ z)*sum[i,j](exp(-z[j] + z[i])*A[i,j])"),
    ("y = (x @ z)*sum[i,j](exp(-z[j] + z[i])*A[i,j])", "y = (x @ z)*sum[i,j](exp(z[i] - z[j])*A[i,j])"),
    ("logsumexp(log(1 + x**2))*s", "log(sum(1 + x**2))*s"),
    ("softmax(log(2 + sin(x)))", "y[i] = exp(log(2 + sin(x[i])) - log(sum[k](2 + sin(x[k]))))"),
]

DIFFERENT = [
    ("y = sum[i,j](sin(x[i]*z[j] + s)*A[i,j])", "y = sum[i,j](sin(x[i]*z[j] + s)*A[j,i])"),
    ("y = sum[i,j](sin(x[i] - x[j] + s)*A[i,j])", "y = sum[i,j](sin(x[i] - x[j] + s)*A[j,i])"),
    ("y = sum[i,j](sin(x[i] - x[j])*A[i,j])", "y = sum[i,j](sin(x[i] - x[j])*A[j,i])"),
    ("y = sum[i,j](sin(x[i]*x[j] + x[i])*A[i,j])", "y = sum[i,j](sin(x[i]*x[j] + x[i])*A[j,i])"),
    ("y = sum[i,j,k](sin(x[i]*x[j]*z[k])*T[i,j,k])", "y = sum[i,j,k](sin(x[i]*x[j]*z[k])*T[k,j,i])"),
    ("y = sum[i,j,k](sin(x[i]*x[j]*z[k])*T[i,j,k])", "y = sum[i,j,k](sin(x[i]*x[j]*z[k])*T[i,k,j])"),
    ("y = sum[i,j,k](sin(x[i]*x[j] + s)*A[i,k]*B[j,k])", "y = sum[i,j,k](sin(x[i]*x[j] + s)*A[i,k]*B[k,j])"),
    (
        "y = sum[i,j](where(z[i] > B[j,j], A[i,j], 0))*sum(x)",
        "y = sum[i,j](where(z[i] > B[j,j], A[j,i], 0))*sum(x)",
    ),
    ("y = sum[i,j](sin(x[i]*x[j] + s)*sin(x[j]*x[i] + s)*A[i,j])", "sum(sin(outer(x, x) + s)*A)"),
    ("y = (x @ z)*sum[i,j]((z[i] - z[j])**3*A[i,j])", "y = (x @ z)*sum[i,j]((z[i] - z[j])**3*A[j,i])"),
    ("y = (x @ z)*sum[i,j](exp(z[i] - z[j])*A[i,j])", "y = (x @ z)*sum[i,j](exp(z[i] - z[j])*A[j,i])"),
    ("y = (x @ z)*sum[i,j](exp(-z[j] + z[i])*A[i,j])", "y = (x @ z)*sum[i,j](exp(z[i] - z[j])*A[j,i])"),
    ("logsumexp(log(1 + x**2))*s", "sum(log(1 + x**2))*s"),
    ("softmax(log(2 + sin(x)))", "softmax(2 + sin(x))"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_values_by_symmetry_or_identity_are_the_same(one, other):
    (a, b), arrays = pair(one, other)
    assert_close(a(**arrays), b(**arrays), tol=1e-12)
    assert a == b


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_values_are_not_the_same(one, other):
    (a, b), arrays = pair(one, other)
    assert np.abs(np.subtract(a(**arrays), b(**arrays))).max() > 1e-3
    assert a != b


def pair(one, other):
    """The derivatives of two programs of the same inputs, in x, and arrays for them."""
    random = np.random.default_rng(3)
    names = [name for name in SIZES if re.search(rf"\b{name}\b", one)]
    arrays = {
        name: random.uniform(0.3, 0.9, shape) * random.choice([-1, 1], shape)
        for name in names
        for shape in [(3,) * len(SIZES[name].split())]
    }
    shapes = {name: SIZES[name] for name in names}
    return [
        derive(text if text[0] == "y" else f"y = {text}", "x", shapes=shapes) for text in (one, other)
    ], arrays


def chain(order, factors):
    """`v` is a product of that many factors, read in a product whose factors stand in some order."""
    v = "*".join(f"A[i{k},i{k + 1}]" for k in range(factors))
    parts = ["v[i0]*v[i0]", "w[i0]*w[i0]", "sin(x[i0])"]
    product = "*".join(parts[k] for k in order)
    return f"v[i0] = {v}*x[i{factors}]; w[i0] = A[i0,j]*z[j]; y = {product}"


@pytest.mark.parametrize("factors", [3, 20, MOST_FACTORS])
def test_the_order_of_a_product_does_not_matter_however_long_it_is(factors):
    shapes = {"A": "n n", "x": "n", "z": "n"}
    first = derive(chain((0, 1, 2), factors), "z", shapes=shapes)
    for order in ((1, 0, 2), (2, 1, 0), (2, 0, 1)):
        assert derive(chain(order, factors), "z", shapes=shapes) == first
    assert derive(chain((0, 1, 2), factors - 1), "z", shapes=shapes) != first
    assert read(str(first)) == first


@settings(max_examples=60)
@given(cases())
@example(("sin(exp(-(x[..., None] * x + s)**2))", "s"))
@example(("sin(outer(x, x)).T", "x"))
@example(("outer(tanh(x), softmax(x))", "s"))
def test_exchanges_of_axes_that_are_found_hold_in_numbers(case):
    text, wrt = case
    values = used(text)
    if wrt not in values or len(SHAPES[wrt].split()) > 1:
        return
    d = derived(text, wrt)
    found = symmetric_axes(d._jacobian.terms, d.shape)
    numbers = d(**values)
    for (a,), (b,) in found:
        assert_close(np.swapaxes(numbers, a, b), numbers, tol=1e-12)


def test_a_function_of_a_symmetric_definition_is_symmetric():
    for text in ("sin(exp(-(x[..., None] * x + s)**2))", "log(1 + ((x[..., None] * x + s).T)**2)"):
        d = derived(text, "s")
        assert symmetric_axes(d._jacobian.terms, d.shape) == (((0,), (1,)),)
    d = derived("sin(x[..., None] * z + s)", "s")
    assert symmetric_axes(d._jacobian.terms, d.shape) == ()
