"""`as_scipy`: every function against NumPy and differences, every method of SciPy with what it is given."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse
from numeric import assert_close, numerical_jacobian
from scipy.optimize import least_squares, minimize
from scipy.sparse.linalg import LinearOperator

from einsumdiff import derive
from einsumdiff.errors import EinsumDiffError, Unsupported, ValueFault
from einsumdiff.optimize import METHODS

RANDOM = np.random.default_rng(5)
T, U, V = (RANDOM.standard_normal(shape) for shape in [(5, 3), (5, 2), (3, 2)])
FACTORS = "L = sum((T - U @ V.T)**2) + 0.1*sum(U**2) + 0.1*sum(V**2)"
X, Y = RANDOM.standard_normal((7, 3)), np.where(RANDOM.standard_normal(7) > 0, 1.0, -1.0)
LOGISTIC = "sum(log(1 + exp(-Y*(X @ w + b)))) + 0.3*sum(w**2)"
TIMES = np.linspace(0.0, 2.0, 11)
DECAY = "r = a*exp(-k*t) + c - data"
DATA = 2.5 * np.exp(-1.3 * TIMES) + 0.5


def factors(x, T=T):
    U, V = x[:10].reshape(5, 2), x[10:].reshape(3, 2)
    return np.sum((T - U @ V.T) ** 2) + 0.1 * np.sum(U**2) + 0.1 * np.sum(V**2)


def problem(**options):
    return derive(FACTORS, wrt=["U", "V"]).as_scipy(T=T, U=U, V=V, **options)


def decay(**options):
    d = derive(DECAY, wrt=["a", "k", "c"], shapes={"a": (), "k": (), "c": (), "t": "n", "data": "n"})
    return d.as_scipy(a=1.0, k=1.0, c=0.0, t=TIMES, data=DATA, **options)


def test_functions_of_one_vector():
    one = problem()
    x = one.x0 + 0.1
    assert one.x0.shape == (16,)
    assert isinstance(one.fun(x), float)
    assert_close(one.fun(x), factors(x))
    gradient = numerical_jacobian(factors, {"x": x}, "x")
    assert_close(one.jac(x), gradient)
    value, slope = one.fun_and_jac(x)
    assert_close(value, one.fun(x), 1e-14)
    assert_close(slope, one.jac(x), 1e-14)
    hessian = numerical_jacobian(one.jac, {"x": x}, "x")
    assert_close(one.hess(x), hessian)
    p = np.cos(np.arange(16.0))
    assert_close(one.hessp(x, p), hessian @ p)


@pytest.mark.parametrize("wrt", ["U", "V"])
def test_one_name_of_two(wrt):
    one = derive(FACTORS, wrt=wrt).as_scipy(T, U, V)
    assert one.x0.size == {"U": 10, "V": 6}[wrt]
    assert_close(one.jac(one.x0), numerical_jacobian(one.fun, {"x": one.x0}, "x"))
    assert_close(one.hess(one.x0), numerical_jacobian(one.jac, {"x": one.x0}, "x"))
    assert one.unpack(one.x0)[wrt].shape == {"U": U, "V": V}[wrt].shape


def test_a_hessian_is_a_problem_too():
    one = derive(FACTORS, wrt="U", order=2).as_scipy(T, U, V)
    assert_close(one.jac(one.x0), numerical_jacobian(one.fun, {"x": one.x0}, "x"))


def test_pack_and_unpack():
    one = problem()
    x = one.pack(U=2 * U, V=V)
    assert_close(x, np.concatenate([2 * U.ravel(), V.ravel()]))
    found = one.unpack(x)
    assert list(found) == ["U", "V"]
    np.testing.assert_array_equal(found["U"], 2 * U)
    found["U"][...] = 0
    np.testing.assert_array_equal(one.unpack(x)["U"], 2 * U)
    np.testing.assert_array_equal(one.pack(2 * U, V), x)


SCALAR_METHODS = [name for name, method in METHODS.items() if not method.least_squares]


@pytest.mark.parametrize("method", SCALAR_METHODS)
def test_minimize(method):
    d = derive(LOGISTIC, wrt=["w", "b"], shapes={"X": "m n", "w": "n", "b": (), "Y": "m"})
    one = d.as_scipy(Y=Y, X=X, w=np.full(3, 0.1), b=0.2, method=method)
    slack = {"tol": 1e-6} if not METHODS[method].takes else {}
    found = minimize(**one.arguments, **slack)
    assert np.max(np.abs(one.jac(found.x))) < 2e-3


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
@pytest.mark.parametrize("form", ["dense", "operator"])
def test_least_squares(method, form):
    one = decay(method=method, form="dense" if method == "lm" else form)
    solver = {"tr_solver": "lsmr"} if form == "operator" and method != "lm" else {}
    found = least_squares(**one.arguments, **solver)
    assert_close(found.x, [2.5, 1.3, 0.5], 1e-6)
    assert_close([one.unpack(found.x)[name] for name in "akc"], [2.5, 1.3, 0.5], 1e-6)


def test_the_jacobian_of_residuals():
    one = decay(form="dense")
    assert one.fun(one.x0).shape == (11,)
    expected = numerical_jacobian(one.fun, {"x": one.x0}, "x")
    assert_close(one.jac(one.x0), expected)
    operator = decay(form="operator").jac(one.x0)
    assert isinstance(operator, LinearOperator)
    assert_close(operator @ np.eye(3), expected)
    assert_close(operator.T @ np.eye(11), expected.T)
    assert_close(operator.matmat(np.ones((3, 2))), expected @ np.ones((3, 2)))


def test_forms_of_the_hessian():
    x = problem().x0
    dense = problem(form="dense").hess(x)
    operator = problem(form="operator").hess(x)
    assert isinstance(operator, LinearOperator)
    assert_close(operator @ np.eye(16), dense)


def test_sparse_matrices():
    x = problem().x0
    sparse = problem(form="sparse").hess(x)
    assert scipy.sparse.issparse(sparse) and sparse.format == "csr"
    assert_close(sparse.toarray(), problem().hess(x))
    jacobian = decay(method="trf").jac(decay().x0)
    assert scipy.sparse.issparse(jacobian)
    assert_close(jacobian.toarray(), decay(form="dense").jac(decay().x0))


@dataclass
class Model:
    W: np.ndarray
    b: np.ndarray


def loss(model, X, Y):
    return np.sum((np.tanh(X @ model.W + model.b) - Y) ** 2)


def test_arguments_of_a_function_come_back_in_their_shape():
    model = Model(RANDOM.standard_normal((3, 2)), np.zeros(2))
    target = RANDOM.standard_normal((7, 2))
    d = derive(loss, "model", shapes={"model": model, "X": X, "Y": target})
    one = d.as_scipy(model, X, target, method="BFGS")
    assert one.x0.size == 8
    assert_close(one.jac(one.x0), numerical_jacobian(one.fun, {"x": one.x0}, "x"))
    found = minimize(**one.arguments)
    back = one.unpack(found.x)["model"]
    assert isinstance(back, Model) and back.W.shape == (3, 2)
    assert_close(one.pack(back), found.x)
    assert loss(back, X, target) < loss(model, X, target)


@pytest.mark.parametrize(
    "make, kind, says",
    [
        (lambda: problem(method="trust"), ValueFault, "there is no method 'trust'"),
        (lambda: problem(method="lm"), ValueFault, "lm is a method of least_squares, and L is a number"),
        (lambda: decay(method="BFGS"), ValueFault, "BFGS is a method of minimize, and r has axes"),
        (lambda: problem(form="banded"), ValueFault, "there is no form 'banded'"),
        (lambda: decay().hess(decay().x0), ValueFault, "hess is of a number, and r has axes"),
        (lambda: decay().hessp(decay().x0, decay().x0), ValueFault, "hessp is of a number"),
        (lambda: problem().fun(np.zeros(3)), ValueFault, r"the vector has shape \(3,\), expected \(16,\)"),
        (lambda: problem().pack(U=U), ValueFault, "V is missing"),
        (lambda: problem().pack(U=U, V=V, T=T), ValueFault, "T is not what the search is for"),
        (lambda: problem().pack(U=V, V=V), ValueFault, r"U has shape \(3, 2\), expected \(5, 2\)"),
        (lambda: derive(FACTORS, wrt="U").as_scipy(T=T, V=V), EinsumDiffError, "U is missing"),
        (lambda: derive(FACTORS, wrt="U").as_scipy(T=T, V=V, U=U, Q=1), EinsumDiffError, "Q is no input"),
        (lambda: derive("h = x**2; sum(h)", wrt="h").as_scipy(x=X), Unsupported, "h is defined by"),
        (lambda: derive("exp(x)", wrt="x", batch="n").as_scipy(x=[1.0]), Unsupported, "batch"),
    ],
)
def test_faults(make, kind, says):
    with pytest.raises(kind, match=says):
        make()


DECLARED = {
    "symmetric": (4 + 3 + 2 + 1, lambda Z: Z + Z.T),
    "psd": (4 + 3 + 2 + 1, lambda Z: Z @ Z.T + np.eye(4)),
    "diagonal": (4, lambda Z: np.diag(np.diag(Z))),
    "lower": (4 + 3 + 2 + 1, np.tril),
    "upper": (4 + 3 + 2 + 1, np.triu),
}


@pytest.mark.parametrize("form", ["dense", "sparse", "operator"])
@pytest.mark.parametrize("declared", DECLARED)
def test_the_entries_that_vary_of_a_declared_array_are_the_unknowns(declared, form):
    count, made = DECLARED[declared]
    random = np.random.default_rng(4)
    given = {"S": made(random.standard_normal((4, 4))), "x": random.standard_normal(4)}
    given["B"] = random.standard_normal((4, 4))
    one = derive(
        f"S: (n, n) {declared}; L = sum((S@B)**2) + sum(S**3) + sum((S@x)**3)",
        wrt=["x", "S"],
        structured="triangle",
    ).as_scipy(**given, form=form)
    assert one.x0.shape == (4 + count,)
    assert_close(one.pack(**{name: given[name] for name in ("x", "S")}), one.x0)
    assert_close(one.unpack(one.x0)["S"], given["S"])
    assert_close(one.jac(one.x0), numerical_jacobian(one.fun, {"x": one.x0}, "x"), 1e-7)
    hess = one.hess(one.x0)
    H = hess.toarray() if form == "sparse" else hess @ np.eye(4 + count)
    assert_close(H, numerical_jacobian(one.jac, {"x": one.x0}, "x"), 1e-7)
    p = random.standard_normal(4 + count)
    assert_close(one.hessp(one.x0, p), H @ p)
    residual = derive(f"S: (n, n) {declared}; r = S@x*x", wrt=["S", "x"], structured="triangle")
    one = residual.as_scipy(S=given["S"], x=given["x"], form=form)
    J = numerical_jacobian(one.fun, {"x": one.x0}, "x")
    assert_close(one.jac(one.x0) @ p, J @ p, 1e-7)
    assert_close(one.jac(one.x0).T @ p[:4], J.T @ p[:4], 1e-7)


def test_a_search_stays_within_the_declared_matrices():
    random = np.random.default_rng(5)
    target = random.standard_normal((3, 3))
    d = derive("S: (n, n) symmetric; L = sum((S - T)**2)", wrt="S", structured="triangle")
    for method in ("BFGS", "trust-ncg", "trust-exact"):
        one = d.as_scipy(S=np.zeros((3, 3)), T=target, method=method)
        found = minimize(**one.arguments, tol=1e-10)
        assert_close(one.unpack(found.x)["S"], (target + target.T) / 2, 1e-6)
    with pytest.raises(EinsumDiffError, match="S\\[0,1\\]"):
        one.pack(target)


@pytest.mark.parametrize("structured", ["free", "projected"])
def test_a_declared_array_is_searched_by_its_triangle(structured):
    d = derive("S: (n, n) symmetric; sum(S**2)", wrt="S", structured=structured)
    with pytest.raises(Unsupported, match='structured="triangle"'):
        d.as_scipy(S=np.eye(2))
