"""Is a formula of one's own the derivative? Right ones, students' errors, and what cannot be compared."""

import numpy as np
import pytest

from einsumdiff import EinsumDiffError, derive
from einsumdiff.errors import IndexFault, NameFault, RankFault, ShapeFault, SyntaxFault, ValueFault

SQUARES = ("r = A @ x - b; y = sum(r**2)", "x", {})
FORM = ("y = r @ A @ x", "A", {})
SQUARE_FORM = ("y = r @ A @ x", "A", {"shapes": {"A": "n n", "r": "n", "x": "n"}})
QUADRATIC = ("y = x @ A @ x", "x", {})
MEAN = ("y = mean(x)", "x", {})
LOGDET = ("y = logdet(A)", "A", {})
INVERSE = ("y = a @ inv(X) @ b", "X", {})
SOFTMAX = ("s = softmax(x)\ny = s", "x", {})
CROSS = ("y = -sum(t*log(softmax(x)))", "x", {})
LOGISTIC = ("y = sum(log(1 + exp(A @ x)))", "x", {})
CURVATURE = ("y = sum(log(1 + exp(A @ x)))", "x", {"order": 2})
PRODUCT = ("Z = X @ Y", "X", {})
FACTORS = ("L = sum((M - U @ V.T)**2)", "U", {})
NORM = ("y = sqrt(sum(x**2))", "x", {})
SCALAR = ("y = a**2", "a", {"shapes": {"a": ""}})
HELD = ("r = A @ x; y = sum(exp(r))", "r", {})
CUBE = ("y = sum(x**3)", "x", {"order": 3})
TRACE = ("y = trace(A @ X)", "X", {})
CONVOLUTION = ("Z[i] = x[i+k]*w[k]", "w", {})

RIGHT = [
    (SQUARES, "2*A[j,i]*r[j]"),
    (SQUARES, "2*A[i,j]*r[i]"),
    (SQUARES, "dy/dx[j] = 2*A[i,j]*r[i]"),
    (SQUARES, "dy/dx[k] = 2*A[i,k]*(A[i,j]*x[j] - b[i])"),
    (SQUARES, "2*A.T @ (A @ x - b)"),
    (SQUARES, "2*(A.T @ A @ x - A.T @ b)"),
    (SQUARES, "dy/dx = 2*A.T @ r"),
    (SQUARES, "g = 2*r @ A"),
    (SQUARES, "r[i] = b[i] - A[i,j]*x[j]; dy/dx[j] = -2*A[i,j]*r[i]"),
    (SQUARES, "e = A @ x - b\n2*A.T @ e"),
    (FORM, "r[i]*x[j]"),
    (FORM, "dy/dA[m,n] = x[n]*r[m]"),
    (FORM, "outer(r, x)"),
    (FORM, "r[:, None]*x"),
    (QUADRATIC, "(A + A.T) @ x"),
    (QUADRATIC, "A[i,j]*x[j] + A[j,i]*x[j]"),
    (MEAN, "1/n"),
    (MEAN, "ones(n)/n"),
    (LOGDET, "inv(A).T"),
    (LOGDET, "inv(A)[j,i]"),
    (INVERSE, "-outer(inv(X).T @ a, inv(X) @ b)"),
    (INVERSE, "-inv(X)[k,i]*a[k]*inv(X)[j,l]*b[l]"),
    (INVERSE, "-outer(solve(X.T, a), solve(X, b))"),
    (SOFTMAX, "delta[i,m]*s[i] - s[i]*s[m]"),
    (SOFTMAX, "dy[a]/dx[c] = s[a]*(delta[a,c] - s[c])"),
    (SOFTMAX, "diag(s) - outer(s, s)"),
    (CROSS, "softmax(x)*sum(t) - t"),
    (LOGISTIC, "A.T @ sigmoid(A @ x)"),
    (LOGISTIC, "A.T @ (1/(1 + exp(-A @ x)))"),
    (CURVATURE, "A.T @ diag(sigmoid(A @ x)*(1 - sigmoid(A @ x))) @ A"),
    (PRODUCT, "dZ[i,j]/dX[m,n] = delta[i,m]*Y[n,j]"),
    (FACTORS, "2*(U @ V.T - M) @ V"),
    (NORM, "x/sqrt(x @ x)"),
    (NORM, "x/norm(x)"),
    (SCALAR, "2*a"),
    (HELD, "exp(r)"),
    (HELD, "exp(A @ x)"),
    (CUBE, "6*delta[i,j]*delta[j,k]"),
    (TRACE, "A.T"),
    (CONVOLUTION, "x[i+m]"),
]

WRONG = [
    # what was asked, the wrong formula, what it is times the right one, words that are said
    (SQUARES, "A.T @ r", "1/2", "yours is 1/2 times ours"),
    (SQUARES, "A[i,j]*r[i]", "1/2", "yours is 1/2 times ours"),
    (SQUARES, "4*A.T @ r", "2", "yours is 2 times ours"),
    (SQUARES, "-2*A.T @ r", "-1", "yours has the opposite sign"),
    (SQUARES, "2*A.T @ (A @ x + b)", None, "no: dy/dx[i] at i=0"),
    (SQUARES, "2*A.T @ A @ x", None, "no: dy/dx[i] at i=0"),
    (SQUARES, "r = b - A @ x; 2*A.T @ r", "-1", "yours has the opposite sign"),
    (SQUARE_FORM, "outer(x, r)", None, "yours is the transpose"),
    (SQUARE_FORM, "dy/dA[i,j] = x[i]*r[j]", None, "yours is the transpose"),
    (QUADRATIC, "2*A @ x", None, "no: dy/dx[i] at i=0"),
    (QUADRATIC, "A @ x", None, "no: dy/dx[i] at i=0"),
    (MEAN, "1", "n", "yours is n times ours"),
    (MEAN, "1/2", "1/2*n", "yours is 1/2*n times ours"),
    (MEAN, "1/3", "1/3*n", "yours is 1/3*n times ours"),
    (LOGDET, "inv(A)", None, "yours is the transpose"),
    (INVERSE, "outer(inv(X).T @ a, inv(X) @ b)", "-1", "yours has the opposite sign"),
    (INVERSE, "-outer(inv(X) @ b, inv(X).T @ a)", None, "yours is the transpose"),
    (SOFTMAX, "diag(s)", None, "no: dy[i]/dx[m] at i=0, m=0"),
    (SOFTMAX, "dy[i]/dx[m] = s[i]*s[m] - delta[i,m]*s[i]", "-1", "opposite sign"),
    (CROSS, "softmax(x) - t", None, "no: dy/dx[i] at i=0"),
    (LOGISTIC, "A.T @ sigmoid(-A @ x)", None, "no: dy/dx[i] at i=0"),
    (CURVATURE, "A.T @ diag(sigmoid(A @ x)) @ A", None, "at i=0, j=0"),
    (FACTORS, "(U @ V.T - M) @ V", "1/2", "yours is 1/2 times ours"),
    (FACTORS, "2*(M - U @ V.T) @ V", "-1", "yours has the opposite sign"),
    (NORM, "x/(x @ x)", None, "no: dy/dx[i] at i=0"),
    (SCALAR, "a", "1/2", "no: dy/da is"),
    (HELD, "A.T @ exp(r)", ShapeFault, "it has shape (n,), dy/dr[i] has (m,)"),
    (CUBE, "6*x[i]*delta[i,j]*delta[j,k]", None, "at i=0, j=0, k=0"),
    (CUBE, "3*delta[i,j]*delta[j,k]", "1/2", "yours is 1/2 times ours"),
    (TRACE, "A", ShapeFault, "this is the transpose"),
    (CONVOLUTION, "x[i+m+1]", IndexFault, "out of bounds"),
]

REFUSED = [
    # what was asked, the formula, the error, what is under the caret, words of the message
    (SQUARES, "2*A @ r", ShapeFault, "2*A @ r", "do not fit"),
    (SQUARES, "2*A[k,i]*r[j]", IndexFault, "A[k,i]", "which is dy/dx[i]"),
    (SQUARES, "2*A.T @ q", NameFault, "q", "q is not known here"),
    (SQUARES, "2*A[i,j]*resid[i]", NameFault, "resid", "known are"),
    (SQUARES, "2*sum(r)", IndexFault, "2*sum(r)", "i of dy/dx[i] is nowhere in the formula"),
    (SQUARES, "r", ShapeFault, "r", "it has shape (m,), dy/dx[i] has (n,)"),
    (SQUARES, "A", RankFault, "A", "it has shape (m, n)"),
    (SQUARES, "dy/db[i] = 2*r[i]", NameFault, "dy/db[i]", "derivative of y in b"),
    (SQUARES, "dy/dx[i,j] = A[i,j]", RankFault, "dy/dx[i,j]", "has 1 axes, the left side 2"),
    (SQUARES, "2*(A.T @ r", SyntaxFault, "(", "never closed"),
    (SQUARES, "x: (n,)", SyntaxFault, None, "there is no formula"),
    (FORM, "r[j]*x[i]", ShapeFault, "r[j]*x[i]", "this is the transpose: its axes are j, i"),
    (FORM, "outer(x, r)", ShapeFault, "outer(x, r)", "write (outer(x, r)).T"),
    (SOFTMAX, "s[i]*(1 - s[i])", IndexFault, "s[i]*(1 - s[i])", "m of dy[i]/dx[m] is nowhere"),
    (SOFTMAX, "s*(1 - s)", RankFault, "s*(1 - s)", "dy[i]/dx[m] has (n, n)"),
    (PRODUCT, "Y.T", RankFault, "Y.T", "dZ[i,j]/dX[m,n] has"),
]


@pytest.mark.parametrize("asked, formula", RIGHT)
def test_a_right_formula_is_the_same(asked, formula):
    program, wrt, options = asked
    verdict = derive(program, wrt, **options).same(formula)
    assert verdict and verdict.same and verdict.entry is None
    assert str(verdict).startswith("yes: ") and verdict.how in ("canonical form", "numbers")


@pytest.mark.parametrize("asked, formula, factor, said", WRONG)
def test_a_wrong_formula_is_told_what_it_is(asked, formula, factor, said):
    program, wrt, options = asked
    d = derive(program, wrt, **options)
    if isinstance(factor, type):
        with pytest.raises(factor) as caught:
            d.same(formula)
        assert said in str(caught.value)
        return
    verdict = d.same(formula)
    assert not verdict and said in str(verdict)
    assert verdict.factor == factor
    assert len(verdict.entry) == len(d.shape)
    assert abs(verdict.ours - verdict.theirs) > 1e-7 * max(abs(verdict.ours), abs(verdict.theirs))
    if factor is not None and "n" not in factor:
        over, _, under = factor.partition("/")
        assert np.isclose(verdict.theirs, verdict.ours * float(over) / float(under or 1))


@pytest.mark.parametrize("asked, formula, kind, under, said", REFUSED)
def test_a_formula_that_is_none_gets_a_caret_in_it(asked, formula, kind, under, said):
    program, wrt, options = asked
    with pytest.raises(kind) as caught:
        derive(program, wrt, **options).same(formula)
    assert said in str(caught.value)
    assert caught.value.hint
    if under is not None:
        assert caught.value.span.source == under
        assert caught.value.span.text == formula


@pytest.mark.parametrize("asked", [SQUARES, FORM, QUADRATIC, LOGDET, SOFTMAX, CURVATURE, PRODUCT, HELD, CUBE])
def test_what_is_printed_is_the_same(asked):
    program, wrt, options = asked
    d = derive(program, wrt, **options)
    assert d.same(str(d)).how == "canonical form"


def test_several_derivatives_are_compared_line_by_line():
    d = derive("y = sum((A @ x - b)**2)", ["x", "b"])
    r = "r[i] = A[i,j]*x[j] - b[i]; "
    assert d.same(r + "dy/dx[j] = 2*A[i,j]*r[i]; dy/db[i] = -2*r[i]")
    verdict = d.same(r + "dy/dx[j] = 2*A[i,j]*r[i]; dy/db[i] = 2*r[i]")
    assert not verdict and verdict.factor == "-1" and "dy/db[i]" in str(verdict)
    with pytest.raises(ValueFault, match="does not say which"):
        d.same("2*A.T @ (A @ x - b)")
    with pytest.raises(NameFault, match="no derivative of y in A"):
        d.same("dy/dA[i,j] = 2*x[j]")


def test_a_formula_is_compared_in_the_names_of_a_python_function():
    d = derive(lambda x, y: np.sum((x - y) ** 2), "x")
    assert d.same("2*(x - y)")
    assert not d.same("2*(y - x)")


def test_a_formula_is_text():
    with pytest.raises(EinsumDiffError, match="a formula is text, not int"):
        derive("y = x @ x", "x").same(2)


def test_sizes_that_happen_to_fit_are_no_proof():
    """1/2 is 1/n where n is 2, and a transpose is the matrix where it is 1 by 1."""
    d = derive("y = mean(x)", "x")
    for n in range(1, 10):
        assert not d.same(f"1/{n}")


def test_the_axes_of_a_batch_are_there_once():
    d = derive("exp(X)", wrt="X", batch="m")
    assert d.same("delta[j,m]*exp(X[i,j])")
    assert d.same("dy[b,j]/dX[b,n] = delta[j,n]*exp(X[b,j])")
    wrong = d.same("dy[b,j]/dX[b,n] = 2*delta[j,n]*exp(X[b,j])")
    assert not wrong and wrong.factor == "2"


def test_what_is_declared_of_inputs_holds_for_formulas():
    d = derive("S: (n, n) symmetric; x @ S @ x", wrt="x")
    assert d.same("S[i,j]*x[j] + S[j,i]*x[j]") and d.same("2*S.T @ x") and not d.same("S @ x")
    projected = derive("S: (n, n) symmetric; x @ S @ y", wrt="S", structured="projected")
    assert projected.same("(x[i]*y[j] + x[j]*y[i])/2") and not projected.same("x[i]*y[j]")


def test_no_verdict_rests_on_the_inverse_of_a_singular_matrix():
    d = derive("y = logdet(X.T @ X)", "X")
    assert d.same("2*X @ inv(X.T @ X)")
    assert d.same("2*solve(X.T @ X, X.T).T")
    assert d.same("X @ inv(X.T @ X)").factor == "1/2"
    assert d.same("2*pinv(X).T").how == "numbers"
