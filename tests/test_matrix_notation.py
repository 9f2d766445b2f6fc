"""notation="matrix": what is typed means what it means in MATLAB, and is derived like any other program.

Beside every text stands the same in NumPy, which knows nothing of the notation; each first derivative is
held against its differences, each second one against those of the first.
"""

import inspect
import pickle

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, cli, derive, gradient, hessian, read

SHAPES = {"A": (3, 3), "B": (3, 3), "C": (3, 2), "X": (5, 3), "Y": (2, 5), "a": (), "c": ()}
SHAPES |= dict.fromkeys("wxyv", (3,)) | {"z": (5,), "u": (2,), "M": (5, 5), "S": (2, 2)}
inv, det, norm = np.linalg.inv, np.linalg.det, np.linalg.norm


def logdet(A):
    return np.linalg.slogdet(A)[1]


# The valid inputs of matrixcalculus.org's documentation, among them rows S65 to S69 of the acceptance list.
MATRIXCALCULUS = [
    ("0.5*x'*A*x", "x", lambda x, A: 0.5 * x @ A @ x),
    ("x'*A*x + c*sin(y)'*x", "x", lambda x, A, c, y: x @ A @ x + c * np.sin(y) @ x),
    ("x'*A*x + c*sin(y)'*x", "y", lambda x, A, c, y: x @ A @ x + c * np.sin(y) @ x),
    ("X*exp(x)", "x", lambda X, x: X @ np.exp(x)),
    ("(y.*v)'*x", "y", lambda y, v, x: (y * v) @ x),
    ("a^c", "a", lambda a, c: a**c, "positive"),
    ("a^c", "c", lambda a, c: a**c, "positive"),
    ("norm1(X*x-z)", "x", lambda X, x, z: np.abs(X @ x - z).sum()),
    ("norm2(X*x-z)^2", "x", lambda X, x, z: np.sum((X @ x - z) ** 2)),
    ("norm2(X*x-z)^2", "X", lambda X, x, z: np.sum((X @ x - z) ** 2)),
    ("sum(log(exp(-z.*(X*w)) + vector(1)))", "w", lambda z, X, w: np.sum(np.log(np.exp(-z * (X @ w)) + 1))),
    ("sum(log(exp(-z.*(X*w)) + vector(1)))", "X", lambda z, X, w: np.sum(np.log(np.exp(-z * (X @ w)) + 1))),
    ("tr(S*Y*X*C)", "X", lambda S, Y, X, C: np.trace(S @ Y @ X @ C)),
    ("tr(A*X'*M*X*B)", "X", lambda A, X, M, B: np.trace(A @ X.T @ M @ X @ B)),
    ("log(det(inv(A)))", "A", lambda A: np.log(det(inv(A)))),
    ("log(det(inv(X'*X)))", "X", lambda X: np.log(det(inv(X.T @ X)))),
    ("logdet(A)", "A", lambda A: logdet(A)),
    ("inv(A)*x", "A", lambda A, x: inv(A) @ x),
    ("abs(x)'*sign(y) + cos(x)'*y", "x", lambda x, y: np.abs(x) @ np.sign(y) + np.cos(x) @ y),
    ("norm1(X)", "X", lambda X: np.abs(X).sum()),
    ("norm2(X)", "X", lambda X: norm(X)),
]

# What DiffMatic's tests derive (Julia): gradients, Jacobians and Hessians; `f.(x)` is its `f(x)`.
DIFFMATIC = [
    ("x'*x", "x", lambda x: x @ x),
    ("tr(x*x')", "x", lambda x: x @ x),
    ("(x .* v)'*x", "x", lambda x, v: (x * v) @ x),
    ("(x - y)'*x", "x", lambda x, y: (x - y) @ x),
    ("sin(tr(x*x'))", "x", lambda x: np.sin(x @ x)),
    ("sin(tr(A))", "A", lambda A: np.sin(np.trace(A))),
    ("abs(x'*x)", "x", lambda x: x @ x),
    ("x'*B'*A*A*x", "x", lambda x, B, A: x @ B.T @ A @ A @ x),
    ("(A'*B*x)'*A*x", "x", lambda A, B, x: (A.T @ B @ x) @ A @ x),
    ("a*sin.(x)'*y", "x", lambda a, x, y: a * np.sin(x) @ y),
    ("sin.(x)'*y*a", "x", lambda x, y, a: a * np.sin(x) @ y),
    ("sin.(x .* y)'*x", "x", lambda x, y: np.sin(x * y) @ x),
    ("sum(2*x)", "x", lambda x: 2 * x.sum()),
    ("diag(A)'*x", "A", lambda A, x: np.diag(A) @ x),
    ("2*sum(cos.(A*x + y))", "x", lambda A, x, y: 2 * np.cos(A @ x + y).sum()),
    ("sum(x.^3)", "x", lambda x: (x**3).sum()),
    ("x.^3", "x", lambda x: x**3),
    ("sum(x)^2", "x", lambda x: x.sum() ** 2),
    ("sum(x.^2)^2", "x", lambda x: (x @ x) ** 2),
    ("sum((X*x - z).^2)", "x", lambda X, x, z: np.sum((X @ x - z) ** 2)),
    ("log.(x)'*log.(x)", "x", lambda x: np.log(x) @ np.log(x), "positive"),
    ("(x'*A*x)^(-2)", "x", lambda x, A: (x @ A @ x) ** -2, "positive"),
    ("((A.*B)*A*x)'*x", "x", lambda A, B, x: ((A * B) @ A @ x) @ x),
    ("((A.*B)*A*x)'*x*x", "x", lambda A, B, x: ((A * B) @ A @ x) @ x * x),
    ("(x.^2 .* y)'*v", "x", lambda x, y, v: (x**2 * y) @ v),
    ("norm(X*x, 2)", "x", lambda X, x: norm(X @ x)),
    ("x'*sin.(A*x)", "x", lambda x, A: x @ np.sin(A @ x)),
    ("tr(diagm(x)*A*diagm(y)*B)", "x", lambda x, A, y, B: np.trace(np.diag(x) @ A @ np.diag(y) @ B)),
    ("A'*x", "x", lambda A, x: A.T @ x),
    ("(A.*B)*log.(A*x)", "x", lambda A, B, x: (A * B) @ np.log(A @ x), "positive"),
    ("diagm(A*x)*x", "x", lambda A, x: (A @ x) * x),
    ("diag(diagm(x'*B'*A*A))", "x", lambda x, B, A: x @ B.T @ A @ A),
    ("diag(A*diagm(x))", "x", lambda A, x: np.diag(A) * x),
    ("diagm(x')*vector(3)", "x", lambda x: 3 * x),
    ("tr(tr(A)*B)", "A", lambda A, B: np.trace(A) * np.trace(B)),
    ("sum(A.*B)", "A", lambda A, B: np.sum(A * B)),
    ("exp(x'*x)", "x", lambda x: np.exp(x @ x), "small"),
    ("y'*exp.(A*x)", "x", lambda y, A, x: y @ np.exp(A @ x)),
    ("x'*(A.*A')*x", "A", lambda x, A: x @ (A * A.T) @ x),
    ("sum(-z.*(X*v))", "X", lambda z, X, v: -z @ X @ v),
    ("sin(cos(x'*A*B'*x))", "x", lambda x, A, B: np.sin(np.cos(x @ A @ B.T @ x)), "unit"),
    ("sin.(A*x)'*B*cos.(B*x)", "x", lambda A, x, B: np.sin(A @ x) @ B @ np.cos(B @ x)),
    ("x'*y*x", "x", lambda x, y: (x @ y) * x),
    ("x*x'*x", "x", lambda x: (x @ x) * x),
    ("A*(x + 2*x)", "x", lambda A, x: 3 * A @ x),
]

# The kinds and their products, with every operator.
OPERATORS = [
    ("x*z'", "x", lambda x, z: np.outer(x, z)),
    ("x'*A", "A", lambda x, A: x @ A),
    ("(x')'", "x", lambda x: x),
    ("z'*X*C*u", "X", lambda z, X, C, u: z @ X @ C @ u),
    ("(x*z')'*y", "x", lambda x, z, y: z * (x @ y)),
    ("a*X/c", "a", lambda a, X, c: a * X / c, "nonzero"),
    ("a*X/c", "c", lambda a, X, c: a * X / c, "nonzero"),
    ("2*x - y/3", "y", lambda x, y: 2 * x - y / 3),
    ("A - c", "c", lambda A, c: A - c),
    ("c + x", "c", lambda c, x: c + x),
    ("A^3", "A", lambda A: A @ A @ A),
    ("A^-1*x", "A", lambda A, x: inv(A) @ x),
    ("A^-2", "A", lambda A: inv(A) @ inv(A)),
    ("A^0*x", "x", lambda A, x: x),
    ("A\\x", "A", lambda A, x: np.linalg.solve(A, x)),
    ("A\\C", "C", lambda A, C: np.linalg.solve(A, C)),
    ("2\\x", "x", lambda x: x / 2),
    ("A.^2./exp(B)", "A", lambda A, B: A**2 / np.exp(B)),
    ("2.^x", "x", lambda x: 2**x),
    ("2.*x.^2.*y", "x", lambda x, y: 2 * x**2 * y),
    ("1./x'", "x", lambda x: 1 / x, "nonzero"),
    ("x.^-2", "x", lambda x: x**-2.0, "nonzero"),
    ("-x.^2", "x", lambda x: -(x**2)),
    ("-a^2", "a", lambda a: -(a**2)),
    ("a/c*a", "a", lambda a, c: a / c * a, "nonzero"),
    ("a/(c*a)", "c", lambda a, c: 1 / c, "nonzero"),
    ("(x.*y)'*v", "x", lambda x, y, v: (x * y) @ v),
    ("x.'*y .+ 2 .- c", "x", lambda x, y, c: x @ y + 2 - c),
    ("x.*(x > y) + x.*(x ~= y)", "x", lambda x, y: x * (x > y) + x),
    ("x.*(x > 0 & y > 0)", "x", lambda x, y: x * ((x > 0) & (y > 0))),
    ("X.*z", "z", lambda X, z: X * z[:, None]),
    ("X.*w'", "w", lambda X, w: X * w),
    ("X + z", "z", lambda X, z: X + z[:, None]),
    ("w' - X", "w", lambda X, w: w - X),
    ("A.*x", "x", lambda A, x: A * x[:, None]),
    ("A.*x'", "x", lambda A, x: A * x),
    ("A./x - x'", "x", lambda A, x: A / x[:, None] - x, "nonzero"),
    ("x'*(A*x +\n  y)", "x", lambda x, A, y: x @ (A @ x + y)),
    ("x'*A*x ... it goes on\n + y'*x", "x", lambda x, A, y: x @ A @ x + y @ x),
]

# Sizes from the context.
CONTEXT = [
    ("X*vector(1)", "X", lambda X: X.sum(1)),
    ("vector(1)'*x", "x", lambda x: x.sum()),
    ("vector(1)'*X", "X", lambda X: X.sum(0)),
    ("X - vector(1)*w'", "w", lambda X, w: X - w),
    ("X - z*vector(1)'", "z", lambda X, z: X - z[:, None]),
    ("vector(1)'*A*vector(2)", "A", lambda A: 2 * A.sum()),
    ("x'*matrix(1)*y", "x", lambda x, y: x.sum() * y.sum()),
    ("sum(A.*matrix(c))", "c", lambda A, c: c * A.sum()),
    ("matrix(2)*x + y", "x", lambda x, y: 2 * x.sum() + y),
    ("tr(X*matrix(1))", "X", lambda X: X.sum()),
    ("x + vector(c)", "c", lambda x, c: x + c),
    ("vector(1).*A*x", "A", lambda A, x: A @ x),
    ("X - X*(vector(1)*vector(1)')/3", "X", lambda X: X - X.mean(1, keepdims=True)),
    ("u1 = vector(1)\nx'*u1 + u1'*A*u1", "x", lambda x, A: x.sum() + A.sum()),
    ("inv(A + 2*eye)*x", "A", lambda A, x: inv(A + 2 * np.eye(3)) @ x),
    ("(A - eye)^2", "A", lambda A: (A - np.eye(3)) @ (A - np.eye(3))),
    ("(eye - c*B)\\x", "c", lambda B, c, x: np.linalg.solve(np.eye(3) - c * B, x)),
    ("x'*eye*y", "x", lambda x, y: x @ y),
    ("A*exp(eye)", "A", lambda A: A @ np.exp(np.eye(3))),
    ("A.*eye", "A", lambda A: A * np.eye(3)),
    ("X*eye(3)*x", "x", lambda X, x: X @ x),
    ("x.*ones(3, 1) + zeros(3, 1)", "x", lambda x: x),
]

FUNCTIONS = [
    ("tan(x) + tanh(x) + relu(x)", "x", lambda x: np.tan(x) + np.tanh(x) + np.maximum(x, 0), "unit"),
    ("sqrt(x)'*log(y)", "y", lambda x, y: np.sqrt(x) @ np.log(y), "positive"),
    ("sum(X, 1)", "X", lambda X: X.sum(0)),
    ("sum(X, 2)", "X", lambda X: X.sum(1)),
    ("sum(X, dims=2)", "X", lambda X: X.sum(1)),
    ("mean(X, 1)*x", "X", lambda X, x: X.mean(0) @ x),
    ("mean(x) + prod(x)", "x", lambda x: x.mean() + x.prod()),
    ("var(x) + std(y)*x'*x", "x", lambda x, y: x.var(ddof=1) + y.std(ddof=1) * x @ x),
    ("max(x)*min(x)", "x", lambda x: x.max() * x.min()),
    ("max(A, x)", "x", lambda A, x: np.maximum(A, x[:, None])),
    ("max(x, 0)", "x", lambda x: np.maximum(x, 0)),
    ("minimum(A, x')", "x", lambda A, x: np.minimum(A, x)),
    ("logsumexp(x)*softmax(x)", "x", lambda x: np.log(np.exp(x).sum()) * np.exp(x) / np.exp(x).sum()),
    ("softmax(x')*y", "x", lambda x, y: np.exp(x) @ y / np.exp(x).sum()),
    ("norm(x)", "x", lambda x: norm(x)),
    ("norm(x, 3)", "x", lambda x: norm(x, 3)),
    ("norm(x, Inf)", "x", lambda x: norm(x, np.inf)),
    ("norm(x, -Inf)", "x", lambda x: norm(x, -np.inf)),
    ("clip(x, lo=-1, hi=0.5)", "x", lambda x: np.clip(x, -1, 0.5)),
    ("where(x > 0, x.^2, y)", "x", lambda x, y: np.where(x > 0, x**2, y)),
    ("norm(X, 'fro')", "X", lambda X: norm(X)),
    ("diag(x)*A*diag(A)", "A", lambda x, A: np.diag(x) @ A @ np.diag(A)),
    ("vec(X)'*vec(X)", "X", lambda X: np.sum(X**2)),
    ("vec(X)", "X", lambda X: X.T.ravel()),
    ("kron(x, z)", "x", lambda x, z: np.kron(x, z)),
    ("kron(A, S)", "A", lambda A, S: np.kron(A, S)),
    ("triu(A)*x + tril(B)*x", "A", lambda A, B, x: np.triu(A) @ x + np.tril(B) @ x),
    ("dot(x, y')", "x", lambda x, y: x @ y),
    ("solve(A, x)'*y", "A", lambda A, x, y: np.linalg.solve(A, x) @ y),
    ("trace(transpose(X)*X)", "X", lambda X: np.sum(X**2)),
    ("sum(x)/size(X, 1) + numel(X)*length(x)*x'*x", "x", lambda x, X: x.sum() / 5 + 45 * x @ x),
    ("cumsum(x')", "x", lambda x: np.cumsum(x)),
]
CASES = MATRIXCALCULUS + DIFFMATIC + OPERATORS + CONTEXT + FUNCTIONS


def setting(f, domain="real"):
    """Arrays for the parameters of a function, and their shapes; matrices that are well-conditioned."""
    shapes = {name: SHAPES[name] for name in inspect.signature(f).parameters}
    arrays = sample(shapes, domain, seed=3)
    for name, array in arrays.items():
        if array.ndim == 2 and array.shape[0] == array.shape[1] and domain == "real":
            arrays[name] = array + 3 * np.eye(len(array))
    return arrays, shapes


@pytest.mark.parametrize(("text", "wrt", "f", "domain"), [(*case, "real")[:4] for case in CASES])
def test_it_is_derived_to_both_orders(text, wrt, f, domain):
    arrays, shapes = setting(f, domain)
    d = derive(text, wrt, notation="matrix", shapes=shapes)
    assert_close(d(**arrays), numerical_jacobian(f, arrays, wrt), 1e-8)
    second = derive(text, wrt, notation="matrix", shapes=shapes, order=2)
    assert_close(second(**arrays), numerical_jacobian(d, arrays, wrt), 1e-7)


@pytest.mark.parametrize(("text", "wrt", "f", "domain"), [(*case, "real")[:4] for case in CASES])
def test_it_has_the_value_that_numpy_gives(text, wrt, f, domain):
    arrays, shapes = setting(f, domain)
    value, _ = derive(text, wrt, notation="matrix", shapes=shapes).compile(value=True)(
        *[arrays[name] for name in derive(text, wrt, notation="matrix", shapes=shapes).inputs]
    )
    assert_close(value, f(**arrays), 1e-12)


@pytest.mark.parametrize(("text", "wrt", "f"), [case[:3] for case in CASES[::3]])
def test_it_is_printed_in_index_notation_read_back_and_pickled(text, wrt, f):
    d = derive(text, wrt, notation="matrix", shapes=setting(f)[1])
    assert read(str(d)) == d
    assert pickle.loads(pickle.dumps(d)) == d
    assert pickle.loads(pickle.dumps(d)).source() == d.source()


# ------------------------------------------------------------------------------- names and declarations


def lines(text, wrt, **options):
    return str(derive(text, wrt, notation="matrix", **options)).splitlines()


def test_names_and_declarations_say_what_is_a_scalar_a_vector_a_matrix():
    d = derive("c: ()\nr = A*x - b % the residual\nc*(r'*r)", wrt="x", notation="matrix")
    assert str(d).splitlines()[:2] == ["r[i] = A[i,j]*x[j] - b[i]", "dy/dx[i] = 2*c*A[j,i]*r[j]"]
    assert d == derive("c: (); r = A @ x - b; y = c*(r @ r)", wrt="x")


@pytest.mark.parametrize(
    ("text", "wrt", "line"),
    [
        ("X*exp(x)", "x", "dy[i]/dx[m] = X[i,m]*exp(x[m])"),
        ("(y.*v)'*x", "y", "df/dy[i] = v[i]*x[i]"),
        ("sum(x)", "x", "dy/dx[i] = 1"),
        ("x*y'", "x", "df[i,j]/dx[m] = delta[i,m]*y[j]"),
        ("x'", "x", "dy[i]/dx[m] = delta[i,m]"),
        ("A'", "A", "dy[i,j]/dA[m,n] = delta[j,m]*delta[i,n]"),
        ("X*vector(1)", "X", "dy[i]/dX[m,n] = delta[i,m]"),
        ("A + eye", "A", "dy[i,j]/dA[m,n] = delta[i,m]*delta[j,n]"),
    ],
)
def test_the_result_is_in_the_usual_index_notation(text, wrt, line):
    assert line in lines(text, wrt)


def test_the_program_is_shown_as_understood():
    d = derive("s: ()\ny = s*x'*A*x + s", "x", notation="matrix")
    assert d.program.splitlines()[-1] == "y = s*sum[i,j](x[i]*A[i,j]*x[j]) + s"


def test_a_declaration_is_stronger_than_a_name_wherever_it_stands_and_however_it_is_given():
    same = derive("x'*a*x; a: (n, n)", "x", notation="matrix")
    assert same == derive("x'*a*x", "x", notation="matrix", shapes={"a": "n n"})
    assert same == derive("x'*a*x", "x", notation="matrix", shapes={"a": "(n, n)"})
    assert derive("p*q", "p", notation="matrix", shapes={"p": "()", "q": ()}).shape == ()
    several = derive("p, q: ()\nX: (n, 2*n) \nx: (2*n,)\np*q*X*x", "x", notation="matrix")
    assert several.shape == ("n", "2*n")
    assert derive("sum(x)/n; x: (n,)", "x", notation="matrix") == derive("mean(x)", "x")
    assert derive("A*b; A: (3, 2)", "b", notation="matrix").shape == (3, 2)


def test_what_is_assigned_is_what_its_value_is():
    d = derive("e = y - X*b; S = e*e'; t = e'; t*S*e", "b", notation="matrix")
    assert d == derive("e = y - X @ b; S = outer(e, e); t = e; t @ S @ e", "b")


def test_eye_takes_square_matrices_only():
    arrays = {"A": np.ones((2, 3))}
    with pytest.raises(EinsumDiffError):
        derive("A + eye", "A", notation="matrix", shapes=arrays)


def test_statements_end_with_lines_and_semicolons_and_comments_are_skipped():
    text = "% least squares;\nr = A*x - b;   # MATLAB and Julia\n\nr'*r;\n"
    assert derive(text, "x", notation="matrix") == derive("r = A*x - b; r'*r", "x", notation="matrix")


def test_it_goes_with_all_other_arguments():
    several = derive("c: (); c*x'*A*x", ["c", "x"], notation="matrix", order=2)
    assert set(several) == {("c", "c"), ("c", "x"), ("x", "c"), ("x", "x")}
    assert pickle.loads(pickle.dumps(several)) == several
    h = hessian("x'*A*x", "x", notation="matrix")
    assert h == derive(gradient("x'*A*x", "x", notation="matrix"), "x")
    assert derive("y = A*x; z = y'*y", "x", output="y", notation="matrix").shape == ("m", "n")
    assert lines("y = A*x; z = y'*y", "y")[1] == "dz/dy[i] = 2*y[i]"
    assert derive("x'*A*x", "x", notation="matrix").check() < 1e-8


def test_long_and_deep_programs_are_read():
    assert derive("+".join(["x"] * 2000), "x", notation="matrix")(x=[1.0]).tolist() == [[2000.0]]
    assert derive("(" * 3000 + "x" + ")" * 3000, "x", notation="matrix")(x=[1.0]).tolist() == [[1.0]]


def test_the_command_line_reads_it(capsys):
    assert cli.main(["norm2(A*x - b)^2", "--wrt", "x", "--notation", "matrix", "--check"]) == 0
    out = capsys.readouterr()
    assert out.out.startswith("dy/dx[i] = 2*A[j,i]*(A[j,k]*x[k] - b[j])\n")
    assert "agrees" in out.err
    assert cli.main(["x.^2", "--notation", "matrix", "--wrt", "x"]) == 0
    assert cli.main(["x.^2", "--notation", "julia", "--wrt", "x"]) == 2


# --------------------------------------------------------------------------------------------- refusals

REFUSED = [
    # kinds
    ("x*y", "ShapeFault", "x*y", "they have no product", "x'*y for a scalar, x*y' for a matrix, x.*y"),
    ("x'*y'", "ShapeFault", "x'*y'", "they have no product", ".*"),
    ("x*A", "ShapeFault", "x*A", "they have no product", "x'*A for a row"),
    ("A*x'", "ShapeFault", "A*x'", "A is a matrix and x' is a row", "c: ()"),
    ("x + y'", "ShapeFault", "x + y'", "x is a column and y' is a row", "transpose"),
    ("x.*y'", "ShapeFault", "x.*y'", "x is a column and y' is a row", "transpose"),
    ("atan2(x, y')", "ShapeFault", "atan2(x, y')", "x is a column and y' is a row", "transpose"),
    ("x/y", "ShapeFault", "x/y", "/ divides by scalars", "./"),
    ("A/B*x", "ShapeFault", "A/B", "/ divides by scalars", "inv"),
    ("x\\y", "ShapeFault", "x\\y", "solves", "A\\b"),
    ("x^2", "ShapeFault", "x^2", "^ is of matrices and scalars", "x.^2"),
    ("2^x", "ShapeFault", "2^x", "^ is of matrices and scalars", "2.^x"),
    ("A^0.5*x", "ValueFault", "A^0.5", "whole number", "A.^0.5"),
    ("c: (); A^c*x", "ValueFault", "A^c", "whole number", "A.^c"),
    ("A*x + B*y; A: (2, n); B: (3, m)", "ShapeFault", "A*x + B*y", "cannot be added", "declare them alike"),
    ("A*x; A: (m, 3); x: (4,)", "ShapeFault", "A*x", "do not fit", ""),
    ("X: (m, n); X^2*x", "ShapeFault", "X^2", "", ""),
    ("T: (2, 3, 4); T.*x", "RankFault", "T: (2, 3, 4)", "at most two", "notation="),
    # sizes
    ("vector(1) + 0*sum(x)", "ShapeFault", "vector(1)", "does not follow from anything", "u: (n,)"),
    ("x*vector(1)'", "ShapeFault", "vector(1)", "does not follow from anything", "u: (n,)"),
    ("x'*x*eye", "ShapeFault", "eye", "does not follow from anything", "eye(n)"),
    ("tr(eye)*x", "ShapeFault", "eye", "does not follow from anything", "eye(n)"),
    ("x'*x*ones(n)", "Unsupported", "ones(n)", "matrix in MATLAB and a vector in Julia", "ones(n, 1)"),
    # functions
    ("x'*det(x)", "RankFault", "x", "det takes a matrix", "a: (n, n)"),
    ("x'*inv(x)", "RankFault", "x", "inv takes a matrix", "a: (n, n)"),
    ("tr(x)", "RankFault", "x", "tr takes a matrix", "upper-case"),
    ("softmax(A)*x", "RankFault", "A", "softmax takes a column or a row", ""),
    ("sum(x, 1)", "RankFault", "x", "sum takes a matrix", ""),
    ("sum(A, 3)*x", "ValueFault", "3", "3 is not 1 or 2", "counted from 1"),
    ("mean(A)*x", "Unsupported", "mean(A)", "columns in MATLAB", "mean(vec(A))"),
    ("max(A)*x", "Unsupported", "max(A)", "columns in MATLAB", "max(vec(A))"),
    ("norm(A)*x", "Unsupported", "norm(A)", "spectral in MATLAB", "norm2(A)"),
    ("norm(A, 2)*x", "Unsupported", "norm(A, 2)", "spectral in MATLAB", "norm2(A)"),
    ("kron(x, y')", "RankFault", "y'", "kron takes a column", ""),
    ("foo(x)", "NameFault", "foo", "no function that is known", ""),
    ("sinn(x)", "NameFault", "sinn", "no function that is known", "did you mean"),
    ("roll(x, 1)", "Unsupported", "roll", "no meaning in matrix notation", "notation="),
    ("inv.(A)*x", "Unsupported", "inv", "no function of scalars", "inv(...)"),
    ("tr(A, B)*x", "ValueFault", "tr(A, B)", "takes 1 argument in", ""),
    ("a = y; a(2)*x", "SyntaxFault", "a(2)", "a is a column and no function", "*"),
    # what MATLAB and Julia read differently
    ("x.^y'", "SyntaxFault", "x.^y'", "transposes the power in MATLAB", "(x.^y)' or x.^(y')"),
    ("c: (); c^c^2*x", "SyntaxFault", "c^c^2", "chained", "(c^c)^2 or c^(c^2)"),
    # other notations
    ("A@x", "SyntaxFault", "@", "not understood", "write *"),
    ("x**2", "SyntaxFault", "**", "not understood", ".^"),
    ("A.T*x", "SyntaxFault", ".", "not understood", "A'"),
    ("np.exp(x)", "SyntaxFault", ".", "not understood", "exp(x)"),
    ("x[i]", "SyntaxFault", "[", "not understood", "notation="),
    ("x(1:2)", "SyntaxFault", ":", "not understood", "notation="),
    ("[x, y]", "SyntaxFault", "[", "not understood", "notation="),
    ("x²", "SyntaxFault", "²", "not understood", "^2"),
    ("x ⊙ y", "SyntaxFault", "⊙", "not understood", ".*"),
    ("x += y", "SyntaxFault", "+=", "not understood", "x = x + ..."),
    # syntax
    ("x'*", "SyntaxFault", "*", "missing after", "expression"),
    ("'*x", "SyntaxFault", "'", "nothing before it", "x'"),
    ("(x", "SyntaxFault", "(", "never closed", ")"),
    ("2x", "SyntaxFault", "2x", "lacks an operator", "2*x"),
    ("x'y", "SyntaxFault", "'y", "operator is missing", "*"),
    ("exp*x", "NameFault", "exp", "function, and stands here without a call", "exp(...)"),
    ("A(1)*x", "NameFault", "A", "no function that is known", "entries are not read"),
    ("x y", "SyntaxFault", "x y", "operator is missing", "*"),
    ("lambda*x", "NameFault", "lambda", "keyword", "lam"),
    ("x, y", "SyntaxFault", "x, y", "a list has no value", ""),
    ("2 = x", "SyntaxFault", "2", "cannot be assigned to", "y = ..."),
    ("a < x < y", "SyntaxFault", "a < x < y", "chained", "&"),
]


@pytest.mark.parametrize(("text", "kind", "caret", "message", "way_out"), REFUSED)
def test_what_means_nothing_is_refused_with_a_caret_and_a_way_out(text, kind, caret, message, way_out):
    with pytest.raises(EinsumDiffError) as caught:
        derive(text, "x", notation="matrix")
    fault = caught.value
    assert type(fault).__name__ == kind
    assert message in fault.message
    assert fault.span is not None and fault.span.source == caret
    assert fault.hint and way_out in fault.hint
    assert "[:, None]" not in fault.hint and "np." not in fault.hint
