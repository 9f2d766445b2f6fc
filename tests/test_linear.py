"""Linear algebra: NumPy's and SciPy's values, both derivatives, batches, singular matrices, printing."""

import re

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample
from oracle import program, run
from scipy import linalg

from einsumdiff import EinsumDiffError, derive, read

SHAPES = {"A": (3, 3), "B": (5, 2), "C": (2, 5), "T": (2, 3, 3), "b": (3,), "D": (3, 2), "P": (3, 3)}
SHAPES |= {"x": (3,), "X": (2, 3)}


def half(A):
    return (A + np.swapaxes(A, -1, -2)) / 2


SPACE = {
    name: getattr(np.linalg, name)
    for name in "inv det pinv solve multi_dot matrix_power slogdet norm".split()
}
SPACE |= {name: getattr(np, name) for name in "kron cross tril triu sum log abs eye inf trace".split()}
SPACE |= {
    "logdet": lambda A: np.linalg.slogdet(A)[1],
    "cholesky": lambda A: np.linalg.cholesky(half(A)),
    "eigvalsh": lambda A: np.linalg.eigvalsh(half(A)),
    "svdvals": lambda A: np.linalg.svd(A, compute_uv=False),
    "expm": linalg.expm,
}

EXPRESSIONS = """
inv(A) | inv(T) | det(A) | det(T) | logdet(A) | logdet(T) | slogdet(A)[1]
log(det(P @ P.T + eye(3))) @P | pinv(B)
pinv(C) | solve(A, b) | solve(A, b) @b | solve(A, D) | solve(A, D) @D | solve(T, A) | sum(solve(A, b)**2)
solve(A, P) @P | cholesky(P @ P.T + eye(3)) @P | eigvalsh(A) | eigvalsh(T) | svdvals(A) | svdvals(B)
svdvals(C) | expm(A) | expm(T) | matrix_power(A, 3) | matrix_power(A, -2) | matrix_power(A, 0)
matrix_power(T, 5)
kron(A, B) | kron(A, B) @B | kron(x, b) @x | kron(x, B) @x | cross(x, b) @x | cross(X, b) @X | cross(X, b) @b
cross(D, D + 1, axis=0) | cross(T, A) @A | cross(T, X[:, :, None], axis=1) @X
multi_dot([A, D, C]) @D | multi_dot([x, A, b]) | tril(A) | triu(A, 1)*A | tril(B, -1) | triu(T) | triu(C, -2)
norm(B, 'nuc') | norm(B, 2) | norm(C, 1) | norm(C, inf) | norm(A, -2) | abs(det(A))
sum(inv(A) @ b) | trace(inv(A))
"""
CASES = [case.strip() for line in EXPRESSIONS.strip().splitlines() for case in line.split("|")]


@pytest.mark.parametrize("case", CASES)
def test_value_slope_and_curvature(case):
    expression, _, wrt = case.rpartition(" @") if re.search(r" @\w$", case) else (case, "", "")
    names = [n for n in SHAPES if n in re.findall(r"[A-Za-z_]+", expression.replace(".T", ""))]
    wrt = wrt or names[0]
    arrays = sample({name: SHAPES[name] for name in names}, seed=4)
    f = eval(f"lambda {', '.join(names)}: {expression}", SPACE)
    d = derive(f"y = {expression}", wrt, shapes={name: SHAPES[name] for name in names})
    value, slope = d.compile(value=True)(*(arrays[name] for name in d.inputs))
    assert_close(value, f(**arrays), 1e-12)
    assert_close(slope, numerical_jacobian(f, arrays, wrt), 1e-8)
    second = derive(d, wrt=wrt)
    assert_close(second(**arrays), numerical_jacobian(d, arrays, wrt), 1e-7)
    assert d(**{name: array.astype(np.float32) for name, array in arrays.items()}).dtype == np.float32
    assert read(str(d)) == d


SINGULAR = [
    np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.5, -1.0, 2.0]]),  # of rank 2
    np.outer([1.0, -2.0, 0.5], [3.0, 1.0, 2.0]),  # of rank 1
    np.zeros((3, 3)),
    np.zeros((1, 1)),
]


@pytest.mark.parametrize("A", SINGULAR)
@pytest.mark.parametrize("expression", ["det(A)", "det(A)**2 + det(2*A + eye(n))"])
def test_the_determinant_has_its_derivatives_at_singular_matrices(expression, A):
    space = dict(SPACE, n=len(A))
    f = eval(f"lambda A: {expression}", space)
    d = derive(f"A: (n, n); y = {expression}", wrt="A")
    with np.errstate(all="raise"):
        slope = d(A=A)
    assert_close(slope, numerical_jacobian(f, {"A": A}, "A"), 1e-9)
    second = derive(d, wrt="A")
    assert_close(second(A=A), numerical_jacobian(d, {"A": A}, "A"), 1e-8)


def test_log_of_the_determinant_is_not_silently_constant():
    """SymPy 1.14 gives 0 for it."""
    A = np.array([[2.0, 1.0], [0.5, 3.0]])
    assert_close(derive("log(det(A))", wrt="A")(A=A), np.linalg.inv(A).T, 1e-12)
    assert_close(derive("logdet(A)", wrt="A")(A=A), np.linalg.inv(A).T, 1e-12)
    assert str(derive("y = logdet(A)", wrt="A")).splitlines()[0] == "dy/dA[i,j] = inv(A)[j,i]"


LOGARITHMS = [
    ("log(det(P))", {"P": (3, 3)}),
    ("log(abs(det(A)))", {"A": (3, 3)}),
    ("log(abs(det(T)))", {"T": (2, 3, 3)}),
    ("log(det(P))**2", {"P": (3, 3)}),
    ("log(det(B.T @ B))", {"B": (5, 2)}),
    ("1/det(A)", {"A": (3, 3)}),
]


@pytest.mark.parametrize(("text", "shapes"), LOGARITHMS, ids=[row[0] for row in LOGARITHMS])
def test_the_adjugate_over_the_determinant_is_the_inverse(text, shapes):
    arrays = sample(shapes, seed=4)
    (wrt,) = shapes
    if wrt == "P":
        arrays["P"] = arrays["P"] @ arrays["P"].T + np.eye(3)
    f = eval(f"lambda {wrt}: {text}", SPACE)
    d = derive(f"y = {text}", wrt, shapes=shapes)
    assert "adjugate" not in str(d)
    assert_close(d(**arrays), numerical_jacobian(f, arrays, wrt), 1e-8)
    assert_close(derive(d, wrt=wrt)(**arrays), numerical_jacobian(d, arrays, wrt), 1e-7)
    assert read(str(d)) == d


def test_a_logarithm_of_a_tiny_determinant_has_its_derivative():
    A = 1e-150 * np.array([[2.0, 1.0], [0.5, 3.0]])  # its determinant is below the least float
    for text in ("log(det(A))", "log(abs(det(A)))", "logdet(A)"):
        assert_close(derive(text, wrt="A")(A=A) * 1e-150, np.linalg.inv(A).T * 1e-150, 1e-12)


def test_several_values():
    d = derive("sign, ld = slogdet(A); y = sign*ld**2", wrt="A")
    A = np.array([[2.0, 1.0], [5.0, 1.0]])
    assert_close(d(A=A), -2 * np.log(3) * np.linalg.inv(A).T, 1e-12)
    assert derive("w, V = eigh(A); y = sum(V @ diag(exp(w)) @ V.T)", wrt="A").check() < 1e-7


def test_solve_and_its_derivative_share_one_factorisation():
    source = derive("y = sum(solve(A, b)**2)", wrt="A").source()
    assert source.count("np.linalg.") == 1


SYSTEMS = [
    ("y = solve(A, b) @ x", "x", "np.linalg.solve(A, b)"),
    ("y = solve(A, b) @ x", "b", "np.linalg.solve(A.mT, x)"),
    ("y = sum(solve(A, D)*E)", "E", "np.linalg.solve(A, D)"),
    ("y = sum(solve(T, b)*X)", "X", "np.linalg.solve(T, b)"),
    ("y = sum(solve(T, D)*U)", "U", "np.linalg.solve(T, D)"),
    ("y = sum(solve(T, U)*V)", "V", "np.linalg.solve(T, U)"),
    ("y[p,i] = inv(T)[p,i,k]*X[p,k]*b[i]", "b", "np.linalg.solve(T, X[..., None])[..., 0]"),
    ("y[p,i] = inv(T)[p,k,i]*X[p,k]*b[i]", "b", "np.linalg.solve(T.mT, X[..., None])[..., 0]"),
    ("y[i,j] = inv(A)[k,i]*D[k,j]*b[i]", "b", "np.linalg.solve(A.mT, D)"),
    ("y = inv(A @ A.T + eye(3)) @ b @ x", "x", "np.linalg.solve("),
]


@pytest.mark.parametrize(("text", "wrt", "system"), SYSTEMS, ids=[f"{row[0]} in {row[1]}" for row in SYSTEMS])
def test_an_inverse_that_is_read_once_is_a_system(text, wrt, system):
    shapes = SHAPES | {"E": (3, 2), "U": (2, 3, 2), "V": (2, 3, 2)}
    names = [name for name in shapes if name in re.findall(r"[A-Za-z]+", text.replace(".T", ""))]
    arrays = sample({name: shapes[name] for name in names}, seed=5)
    d = derive(text, wrt, shapes={name: shapes[name] for name in names})
    assert system in d.source()
    assert "inv(" not in d.source().split('"""')[2]
    value, slope = d.compile(value=True)(*(arrays[name] for name in d.inputs))
    meant = program(text, shapes={name: shapes[name] for name in names})  # evaluated entry by entry
    assert_close(value, run(meant, arrays), 1e-11)

    def f(**values):
        return run(meant, values)

    assert_close(slope, numerical_jacobian(f, arrays, wrt), 1e-8)


S106_TO_S110 = [
    ("det(X)", lambda X: np.linalg.det(X) * np.linalg.inv(X).T),
    ("log(abs(det(X)))", lambda X: np.linalg.inv(X).T),
    ("a @ inv(X) @ b", lambda X, a, b: -np.linalg.inv(X).T @ np.outer(a, b) @ np.linalg.inv(X).T),
    ("trace(A @ inv(X) @ B)", lambda X, A, B: -(np.linalg.inv(X) @ B @ A @ np.linalg.inv(X)).T),
]


@pytest.mark.parametrize(("text", "expected"), S106_TO_S110)
def test_textbook_derivatives(text, expected):
    arrays = sample({"X": (3, 3), "A": (3, 3), "B": (3, 3), "a": (3,), "b": (3,)})
    d = derive(f"y = {text}", wrt="X")
    own = {name: arrays[name] for name in d.inputs}
    assert_close(d(**own), expected(**own), 1e-11)


def test_the_trace_of_a_quotient_of_quadratic_forms():
    arrays = sample({"X": (4, 2), "C": (4, 4), "B": (4, 4)})
    C, B, X = half(arrays["C"]) + 4 * np.eye(4), half(arrays["B"]), arrays["X"]
    d = derive("y = trace(inv(X.T @ C @ X) @ (X.T @ B @ X))", wrt="X")
    Q = np.linalg.inv(X.T @ C @ X)
    assert_close(d(X=X, C=C, B=B), -2 * C @ X @ Q @ X.T @ B @ X @ Q + 2 * B @ X @ Q, 1e-11)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A: (2, 3); y = det(A)", "must have one size"),
        ("A: (2, 3); b: (2,); y = solve(A, b)", "solve needs a square matrix"),
        ("A: (2, 2); b: (3,); y = solve(A, b)", "the right side has as many rows"),
        ("A: (m, n); y = svdvals(A)", "smaller is not known"),
        ("matrix_power(A, 0.5)", "the power of a matrix is a whole number"),
        ("A: (2, 4); y = cross(A, A)", "cross is of vectors of 3"),
        ("A: (2, 2); y = second_adjugate(A)", "the derivative of second_adjugate is not known"),
        ("slogdet(A)", "slogdet gives 2 values"),
        ("tril(A, 0.5)", "k is a whole number"),
    ],
)
def test_what_does_not_fit_is_refused(text, message):
    with pytest.raises(EinsumDiffError) as caught:
        derive(text, wrt="A")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("right", "turned"),
    [
        ("dy/dA[i,j] = inv(A)[j,i]; A: (n, n)", "dy/dA[i,j] = inv(A)[i,j]; A: (n, n)"),
        ("dy/dA[i,j] = adjugate(A)[j,i]; A: (n, n)", "dy/dA[i,j] = adjugate(A)[i,j]; A: (n, n)"),
        (
            "dy/dA[i,j] = expm_slope(A)[0,0,i,j]; A: (3, 3)",
            "dy/dA[i,j] = expm_slope(A)[i,j,0,0]; A: (3, 3)",
        ),
        (
            "dy/dx[i] = one_hot(k, 3)[j,i]*b[j]; x: (3,); k: (3,); b: (3,)",
            "dy/dx[i] = one_hot(k, 3)[i,j]*b[j]; x: (3,); k: (3,); b: (3,)",
        ),
    ],
)
def test_a_transposed_matrix_is_another_derivative(right, turned):
    assert read(right) == read(right)
    assert read(right) != read(turned)


@pytest.mark.parametrize("text", ["svdvals(X)", "norm(A, 'nuc')", "eigvalsh(A)", "pinv(B)", "log(det(A))"])
def test_a_printed_hessian_is_read_back(text):
    (wrt,) = [name for name in "AXB" if name in text]
    d = derive(f"y = {text}", wrt, shapes={wrt: SHAPES[wrt]}, order=2)
    assert read(str(d)) == d


@pytest.mark.parametrize("name", ["det", "expm"])
def test_an_order_that_no_rule_states_is_refused_in_terms_of_what_was_typed(name):
    with pytest.raises(EinsumDiffError, match=f"is not known, which is that of order 3 of {name}") as caught:
        derive(f"{name}(A)", "A", order=3)
    assert "take a derivative of order 2 or lower" in str(caught.value)
