"""`d.check()`: what it says of right derivatives, and that it finds wrong ones where they are wrong."""

import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from einsumdiff import derive, register
from einsumdiff.check import CheckResult, check
from einsumdiff.evaluate import evaluate_terms
from einsumdiff.exact import exact
from einsumdiff.nodes import Product, Term

EXACT = "exact modulo a prime, complex step"
COMPLEX = "complex step"
CENTRAL = "central differences"

METHODS = [
    ("y = sum((A @ x - b)**2)", "x", {}, EXACT),
    ("y = sum((A @ x - b)**2)", "A", {"order": 2}, EXACT),
    ("y = sum(x**3)/n", "x", {"order": 3, "shapes": {"x": "n"}}, EXACT),
    ("y = 1/(x @ A @ x)", "x", {"order": 2}, EXACT),
    ("Z = X @ Y", "X", {}, EXACT),
    ("y = inv(A)", "A", {"order": 2}, EXACT),
    ("y = a @ solve(A, b)", "A", {}, EXACT),
    ("y = det(A)", "A", {}, EXACT),
    ("y = prod(x)", "x", {"order": 2}, EXACT),
    ("y = var(x)", "x", {}, EXACT),
    ("y = pi*x[1:]*x[:-1]", "x", {}, EXACT),
    ("p: (k,)\ny = take(x, p)**2", "x", {}, EXACT),
    ("Z[i] = X[i+k]*w[k]", "X", {}, EXACT),
    ("r = A @ x; y = sum(r**3)", "r", {}, EXACT),
    ("y = sum(x*y0)\nx: (n,)", "x", {}, EXACT),
    ("y = 0.25*x**2", "x", {}, EXACT),
    ("y = 0.1*x**2", "x", {}, COMPLEX),
    ("y = sum(tanh(W @ x))", "W", {}, COMPLEX),
    ("y = sqrt(x @ x)", "x", {"order": 2}, COMPLEX),
    ("y = sum(log(x))", "x", {}, COMPLEX),
    ("y = exp(-x**2)", "x", {"order": 3}, COMPLEX),
    ("y = sum(relu(W @ x))", "W", {}, CENTRAL),
    ("y = abs(x)", "x", {}, CENTRAL),
    ("y = max(X, axis=1)", "X", {}, CENTRAL),
    ("y = where(x > 0, x**2, exp(x))", "x", {}, CENTRAL),
    ("y = floor(x)*x", "x", {}, CENTRAL),
    ("y = norm(x)", "x", {}, None),
    ("y = cholesky(A)", "A", {}, CENTRAL),
    ("y = eigvalsh(A)", "A", {}, CENTRAL),
    ("y = logdet(A)", "A", {"order": 2}, None),
    ("y = softmax(x)", "x", {"order": 2}, None),
]


@pytest.mark.parametrize("program, wrt, options, method", METHODS)
def test_a_right_derivative_passes_and_says_how(program, wrt, options, method):
    found = derive(program, wrt, **options).check()
    assert found.passed and 0 <= found < 1e-7
    if method is not None:
        assert found.method == method
    if "complex step" in found.method:
        assert found < 1e-13
    assert found.exact is (True if method == EXACT else None)
    assert len(found.worst) == len(derive(program, wrt, **options).shape)
    assert "agrees with" in str(found) and f"{float(found):.1e}" in str(found)


def damaged(d, change):
    """The derivative with other terms."""
    return type(d)(d._program, replace(d._jacobian, terms=tuple(change(d._jacobian.terms))), d.asked)


def scaled(by):
    return lambda terms: [Term(t.axes, t.product.times(by)) for t in terms]


def first_scaled(by):
    return lambda terms: [Term(terms[0].axes, terms[0].product.times(by)), *terms[1:]]


def transposed(terms):
    """The last two axes exchanged."""
    return [Term((*t.axes[:-2], t.axes[-1], t.axes[-2]), t.product) for t in terms]


def without_last(terms):
    return terms[:-1]


def without_a_factor(terms):
    """One entry of the first term is read to the first power."""
    one = terms[0].product
    factors = tuple(f._replace(power=1) if getattr(f, "power", 1) != 1 else f for f in one.factors)
    assert factors != one.factors
    return [Term(terms[0].axes, Product(one.coefficient, factors, one.bound)), *terms[1:]]


SQUARE = {"shapes": {"A": "n n", "x": "n", "r": "n"}}
DAMAGES = [
    ("y = sum((A @ x - b)**2)", "x", {}, scaled(2)),
    ("y = sum((A @ x - b)**2)", "x", {}, scaled(-1)),
    ("y = sum((A @ x - b)**2)", "x", {}, scaled(Fraction(999999, 1000000))),
    ("y = r @ A @ x", "A", SQUARE, transposed),
    ("y = logdet(A)", "A", {}, transposed),
    ("y = x @ A @ x", "x", {}, without_last),
    ("y = x @ A @ x + sum(x)", "x", {}, first_scaled(3)),
    ("s = softmax(x)\ny = s", "x", {}, without_last),
    ("s = softmax(x)\ny = s", "x", {}, first_scaled(-1)),
    ("y = sum(x**3)", "x", {}, without_a_factor),
    ("y = sum(x**4)", "x", {"order": 2}, without_a_factor),
    ("y = sum(x**3)", "x", {"order": 3}, scaled(Fraction(1, 2))),
    ("y = sum(tanh(W @ x))", "W", {}, scaled(Fraction(100001, 100000))),
    ("y = sum(relu(W @ x))", "W", {}, scaled(2)),
    ("y = max(X, axis=1)", "X", {}, scaled(-1)),
    ("y = inv(A)", "A", {}, transposed),
    ("y = cholesky(A)", "A", {}, scaled(Fraction(3, 2))),
    ("y = 1e-9*x @ x", "x", {}, scaled(2)),
    ("r = A @ x; y = sum(r**3)", "r", {}, scaled(2)),
]


@pytest.mark.parametrize("program, wrt, options, change", DAMAGES)
def test_a_damaged_derivative_is_found_at_its_worst_entry(program, wrt, options, change):
    right = derive(program, wrt, **options)
    wrong = damaged(right, change)
    found = wrong.check()
    assert not found.passed and found > 1e-7
    assert "differs from" in str(found)
    ours, expected = found.values
    assert ours != expected
    seen = {}

    def recorded(**arrays):
        seen.update(arrays)
        return wrong(**arrays)

    seen.clear()
    again = check(wrong._program, wrong._jacobian, recorded, {})
    apart = np.abs(wrong(**seen) - right(**seen))
    assert again.worst == found.worst
    assert apart[found.worst] == pytest.approx(apart.max(), rel=1e-3)
    assert right(**seen)[found.worst] == pytest.approx(expected, rel=1e-5, abs=1e-15)


@pytest.mark.parametrize("program, wrt, options, change", DAMAGES)
def test_the_exact_comparison_alone_finds_it_where_the_program_is_rational(program, wrt, options, change):
    right = derive(program, wrt, **options)
    sizes = dict(zip("mnpqk", (2, 3, 5, 7, 4), strict=True))
    decided = exact(right._program, right._jacobian, sizes)
    wrong = damaged(right, change)
    assert decided in (True, None)
    assert exact(wrong._program, wrong._jacobian, sizes) is (False if decided else None)


def test_one_wrong_entry_is_found():
    d = derive("y = sum(X**2*W)", "X")

    def wrong(**arrays):
        result = d(**arrays)
        result[1, 2] += 0.5
        return result

    found = check(d._program, d._jacobian, wrong, {})
    assert found.worst == (1, 2) and not found.passed
    assert found.values[0] - found.values[1] == pytest.approx(0.5)


def test_a_derivative_that_is_not_finite_does_not_pass():
    d = derive("y = sum(X**2)", "X")
    found = check(d._program, d._jacobian, lambda X: d(X=X) * np.nan, {})
    assert not found.passed and np.isnan(found)


def test_a_kink_among_given_arrays_is_said():
    d = derive("y = sum(relu(x))", "x")
    found = d.check(x=[1.0, 0.0, -2.0])
    assert found.kink and found.worst == (1,) and not found.passed
    assert "kink" in str(found)
    assert d.check(x=[1.0, 0.5, -2.0]).passed and not d.check(x=[1.0, 0.5, -2.0]).kink
    wrong = damaged(d, scaled(2))
    assert not wrong.check(x=[1.0, 0.5, -2.0]).kink and not wrong.check(x=[1.0, 0.5, -2.0]).passed


def test_where_the_program_has_no_value_a_complex_one_does_not_count():
    d = derive("y = log(x)", "x")
    assert np.isnan(d.check(x=[-1.0]))
    assert d.check().passed


def test_a_result_is_a_float_and_pickles():
    found = derive("y = x @ x", "x").check()
    assert isinstance(found, float) and found < 1e-7 and f"{found:.1e}" == f"{float(found):.1e}"
    again = pickle.loads(pickle.dumps(found))
    assert isinstance(again, CheckResult) and str(again) == str(found) and again.values == found.values
    assert "agrees with the complex step, and exactly modulo a prime" in repr(found)


def test_several_derivatives_give_the_worst():
    d = derive("y = sum((A @ x - b)**2)", ["A", "x", "b"])
    assert d.check().passed and d.check().method == EXACT
    names = ["A", "x", "b"]
    d._found["x"] = damaged(d["x"], scaled(2))
    assert d.check().wrt == ("x",) and not d.check().passed and d.inputs == tuple(names)


def test_functions_with_packed_arguments_are_checked():
    def loss(m, x):
        return np.sum(np.tanh(m["W"] @ x + m["b"]) ** 2)

    d = derive(loss, "m", shapes={"m": {"W": "a b", "b": "a"}})
    m = {"W": np.array([[0.3, -0.4, 0.2]]), "b": np.array([0.1])}
    assert d.check().passed
    assert d.check(m=m, x=[1.0, 2.0, 3.0]) < 1e-13


OWN = 'fn swash(x)  numpy "x/(1 + np.exp(-x))"  on real\n   d/dx = '


def test_a_wrong_rule_of_ones_own_is_found():
    right = register(OWN + "sigmoid(x) + x*sigmoid(x)*sigmoid(-x)")
    found = derive("y = sum(swash(W @ x))", "W", rules=right).check()
    assert found.passed and found.method == CENTRAL
    wrong = register(OWN + "sigmoid(x)")
    found = derive("y = sum(swash(W @ x))", "W", rules=wrong).check()
    assert not found.passed and found > 1e-2


def test_no_entries_have_no_error():
    found = derive("y = x**2", "x").check(x=np.zeros(0))
    assert found == 0 and found.worst is None and found.passed


@pytest.mark.parametrize(
    "text, wrt",
    [("y = a @ inv(X) @ b", "X"), ("y = det(X)*sum(X)", "X"), ("y = prod(a)*sum(a**3)/sum(b**2)", "a")],
)
def test_the_oracle_still_reads_terms_in_floating_point(text, wrt):
    d = derive(text, wrt)
    sizes = {name: 3 for one in d._program.inputs for name in map(str, one.shape)}
    random = np.random.default_rng(0)
    arrays = {one: random.integers(1, 9, [3] * len(one.shape)).astype(float) for one in d._program.inputs}
    slow = evaluate_terms(d._jacobian.terms, d._jacobian.shape, arrays, sizes)
    assert np.allclose(slow, d(**{one.name: value for one, value in arrays.items()}))
    assert exact(d._program, d._jacobian, sizes) is True


def test_declared_structure_and_batches_are_checked():
    found = derive("S: (n, n) symmetric\ny = x @ S @ x", "S").check()
    assert found.passed and found.exact is None
    found = derive("y = sum(tanh(X)**2, axis=1)", "X", batch="m").check()
    assert found.passed and found.method == COMPLEX


@pytest.mark.parametrize(
    "text", ["y = logdet(X.T @ X)", "y = trace(inv(X.T @ X) @ A)", "y = logdet(X @ X.T)"]
)
def test_sizes_are_found_at_which_a_matrix_is_not_singular(text):
    """At 2 by 3 the first one is the inverse of nothing but rounding."""
    d = derive(text, "X")
    assert d.check().passed
    assert d.same(str(d))
    first = str(d).splitlines()[0]
    wrong = damaged(d, scaled(2))
    assert not wrong.check().passed and not wrong.check().kink, first
