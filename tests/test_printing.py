"""What is printed: golden text for the eye, and that it parses back to the same derivative."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from einsumdiff import SyntaxFault, Unsupported, derive, read

# ruff: noqa: E501

# program, wrt, order, the printed derivative without its last line, structure
GOLDEN = [
    ("y = sum(W*X + b)", "W", 1, "dy/dW[i,j] = X[i,j]", "dense"),
    ("y = sum(W*X + b)", "X", 1, "dy/dX[i,j] = W[i,j]", "dense"),
    ("y = sum(W*X + b)", "b", 1, "dy/db[i] = m", "dense"),
    ("Z[i,j] = X[i,k]*Y[k,j]", "X", 1, "dZ[i,j]/dX[m,n] = delta[i,m]*Y[n,j]", "block-diagonal in (i, m): m equal blocks of p by n"),
    ("Z[i,j] = X[i,k]*Y[k,j]", "Y", 1, "dZ[i,j]/dY[m,n] = delta[j,n]*X[i,m]", "block-diagonal in (j, n): p equal blocks of m by n"),
    ("X @ Y", "X", 1, "dy[i,j]/dX[m,n] = delta[i,m]*Y[n,j]", "block-diagonal in (i, m): m equal blocks of p by n"),
    ("W @ x + b", "W", 1, "dy[i]/dW[m,n] = delta[i,m]*x[n]", "block-diagonal in (i, m): m equal blocks of 1 by n"),
    ("W @ x + b", "x", 1, "dy[i]/dx[m] = W[i,m]", "dense"),
    ("W @ x + b", "b", 1, "dy[i]/db[m] = delta[i,m]", "diagonal in (i, m)"),
    ("log(x)", "x", 1, "dy[i]/dx[m] = delta[i,m]/x[i]", "diagonal in (i, m)"),
    ("exp(X)", "X", 1, "dy[i,j]/dX[m,n] = delta[i,m]*delta[j,n]*exp(X[i,j])", "diagonal in (i, m), (j, n)"),
    ("tanh(W @ x + b)", "W", 1,
        "y[i] = tanh(W[i,j]*x[j] + b[i])\n"
        "dy[i]/dW[m,n] = delta[i,m]*(1 - y[i]**2)*x[n]",
        "block-diagonal in (i, m): m proportional blocks of 1 by n"),
    ("tanh(W @ x + b)", "x", 1,
        "y[i] = tanh(W[i,j]*x[j] + b[i])\n"
        "dy[i]/dx[m] = W[i,m]*(1 - y[i]**2)",
        "dense"),
    ("x @ x", "x", 1, "dy/dx[i] = 2*x[i]", "dense"),
    ("x*x", "x", 1, "dy[i]/dx[m] = 2*delta[i,m]*x[i]", "diagonal in (i, m)"),
    ("x @ A @ x", "x", 1, "dy/dx[i] = A[i,j]*x[j] + A[j,i]*x[j]", "dense"),
    ("x @ A @ x", "x", 2, "d2y/dx[i]/dx[j] = A[i,j] + A[j,i]", "dense"),
    ("x @ A @ x", "A", 1, "dy/dA[i,j] = x[i]*x[j]", "outer product of (i) and (j)"),
    ("mean(X, axis=1)", "X", 1, "dy[i]/dX[m,p] = delta[i,m]/n", "block-diagonal in (i, m): m equal blocks of 1 by n"),
    ("sqrt(x @ x)", "x", 1,
        "y = sqrt(sum[i](x[i]**2))\n"
        "dy/dx[i] = x[i]/y",
        "dense"),
    ("norm(x)", "x", 1,
        "y = sqrt(sum[i](x[i]**2))\n"
        "dy/dx[i] = x[i]/y",
        "dense"),
    ("x**3", "x", 1, "dy[i]/dx[m] = 3*delta[i,m]*x[i]**2", "diagonal in (i, m)"),
    ("y = sum((A @ x - b)**2)", "x", 1, "dy/dx[i] = 2*A[j,i]*(A[j,k]*x[k] - b[j])", "dense"),
    ("y = sum((A @ x - b)**2)", "x", 2, "d2y/dx[i]/dx[j] = 2*A[k,i]*A[k,j]", "dense, of rank at most m"),
    ("y = sum((A @ x - b)**2)", "A", 1, "dy/dA[i,j] = 2*(A[i,k]*x[k] - b[i])*x[j]", "outer product of (i) and (j)"),
    ("L = sum((T - U @ V.T)**2)", "U", 1, "dL/dU[i,j] = -2*(T[i,k] - U[i,l]*V[k,l])*V[k,j]", "dense"),
    ("L = sum((T - U @ V.T)**2)", "U", 2,
        "d2L/dU[i,j]/dU[k,l] = 2*delta[i,k]*V[m,j]*V[m,l]",
        "block-diagonal in (i, k): m equal blocks of p by p"),
    ("softmax(x)", "x", 1,
        "y[i] = exp(x[i] - log(sum[j](exp(x[j]))))\n"
        "dy[i]/dx[m] = delta[i,m]*y[i] - y[i]*y[m]",
        "diagonal in (i, m) plus rank 1"),
    ("s = softmax(A @ x)", "x", 1,
        "v[i] = A[i,j]*x[j]\n"
        "s[i] = exp(v[i] - log(sum[j](exp(v[j]))))\n"
        "ds[i]/dx[m] = A[i,m]*s[i] - A[j,m]*s[i]*s[j]",
        "dense: dense + low-rank (rank 1)"),
    ("log_softmax(x)", "x", 1,
        "y[i] = x[i] - log(sum[j](exp(x[j])))\n"
        "dy[i]/dx[m] = delta[i,m] - exp(y[m])",
        "diagonal in (i, m) plus rank 1"),
    ("logsumexp(x)", "x", 1,
        "y = log(sum[i](exp(x[i])))\n"
        "dy/dx[i] = exp(x[i] - y)",
        "dense"),
    ("logsumexp(x)", "x", 2,
        "y = log(sum[i](exp(x[i])))\n"
        "d2y/dx[i]/dx[j] = delta[i,j]*exp(x[i] - y) - exp(x[i] - y)*exp(x[j] - y)",
        "diagonal in (i, j) plus rank 1"),
    ("L = -mean(sum(Y*log_softmax(X @ W + b), axis=1))", "W", 1,
        "v[i,j] = X[i,k]*W[k,j] + b[j]\n"
        "w[i,j] = exp(v[i,j] - log(sum[l](exp(v[i,l]))))*sum[k](Y[i,k])/m - Y[i,j]/m\n"
        "dL/dW[i,j] = w[k,j]*X[k,i]",
        "dense"),
    ("Z[i] = X[i+k]*w[k]", "w", 1, "dZ[i]/dw[m] = X[i+m]", "dense"),
    ("Z[i] = X[i+k]*w[k]", "X", 1, "dZ[i]/dX[m] = sum[k](delta[m, i+k]*w[k])", "banded: m - i from 0 to n - 1 (Toeplitz)"),
    ("Z[i,j] = X[i+m, 2*j+n]*W[m,n]", "X", 1,
        "dZ[i,j]/dX[m,n] = sum[k,l](delta[m, i+k]*delta[n, 2*j+l]*W[k,l])",
        "banded: m - i from 0 to r - 1 (Toeplitz), n - 2*j from 0 to s - 1 (Toeplitz)"),
    ("y[i] = x[i]*x[i+1]", "x", 1,
        "dy[i]/dx[m] = delta[i+1, m+1]*x[i+1] + delta[m, i+1]*x[i]",
        "banded: m - i from 0 to 1, in 2 terms"),
    ("y[i] = A[i,i]", "A", 1, "dy[i]/dA[m,n] = delta[i,m]*delta[i,n]", "diagonal in (i, m, n)"),
    ("trace(A @ B)", "A", 1, "dy/dA[i,j] = B[j,i]", "dense"),
    ("X.T", "X", 1, "dy[i,j]/dX[m,n] = delta[j,m]*delta[i,n]", "diagonal in (i, n), (j, m)"),
    ("y[k] = 22*x[i,i,k]", "x", 1,
        "dy[k]/dx[m,n,p] = 22*delta[m,n]*delta[k,p]",
        "diagonal in (k, p), (m, n)"),
    ("sum(maximum(x, 0))", "x", 1,
        "v[i] = (x[i] > 0) + 0.5*(x[i] == 0)\n"
        "dy/dx[i] = v[i]",
        "dense"),
    ("sum(relu(x))", "x", 1, "dy/dx[i] = (x[i] > 0)", "dense"),
    ("sum(abs(x))", "x", 1, "dy/dx[i] = sign(x[i])", "dense"),
    ("sum(where(x > 0, log(x), 0))", "x", 1, "dy/dx[i] = where(x[i] > 0, 1/x[i], 0)", "dense"),
    ("max(x)", "x", 1,
        "v = sum[i](x[i] == max[j](x[j]))\n"
        "dy/dx[i] = (x[i] == max[j](x[j]))/v",
        "dense"),
    ("prod(x)", "x", 1, "dy/dx[i] = prod[j](where(delta[i,j], 1, x[j]))", "dense"),
    ("outer(x, y)", "x", 1, "df[i,j]/dx[m] = delta[i,m]*y[j]", "block-diagonal in (i, m): m equal blocks of n by 1"),
    ("h = tanh(W @ x + b); y = sum((V @ h - t)**2)", "W", 1,
        "h[i] = tanh(W[i,j]*x[j] + b[i])\n"
        "dy/dW[i,j] = 2*V[k,i]*(V[k,l]*h[l] - t[k])*(1 - h[i]**2)*x[j]",
        "outer product of (i) and (j)"),
    ("h = tanh(W @ x + b); y = sum((V @ h - t)**2)", "h", 1,
        "h[i] = tanh(W[i,j]*x[j] + b[i])\n"
        "dy/dh[i] = 2*V[j,i]*(V[j,k]*h[k] - t[j])",
        "dense"),
    ("z = sum(q); y = A @ x", "q", 1, "dy[i]/dq[m] = 0", "zero"),
    ("sigmoid(x)", "x", 1, "dy[i]/dx[m] = delta[i,m]*sigmoid(x[i])*sigmoid(-x[i])", "diagonal in (i, m)"),
    ("1/(1 + exp(-x))", "x", 1,
        "dy[i]/dx[m] = delta[i,m]*sigmoid(x[i])*sigmoid(-x[i])",
        "diagonal in (i, m)"),
    ("sum(log(1 + exp(-t*(X @ w))))", "w", 1, "dy/dw[i] = -X[j,i]*sigmoid(-X[j,k]*t[j]*w[k])*t[j]", "dense"),
    ("f[i,j] = exp(x[i])/x[j]", "x", 1,
        "df[i,j]/dx[m] = delta[i,m]*exp(x[i])/x[j] - delta[j,m]*exp(x[i])/x[j]**2",
        "block-diagonal in (j, m): n proportional blocks of n by 1 + block-diagonal in (i, m): n proportional blocks of n by 1"),
    ("pi*sin(x)**2", "x", 1, "dy[i]/dx[m] = 2*pi*delta[i,m]*sin(x[i])*cos(x[i])", "diagonal in (i, m)"),
    ("0.5*x @ x", "x", 1, "dy/dx[i] = x[i]", "dense"),
    ("x: (1, n)\ny = sum(x*A)", "x", 1, "dy/dx[i,j] = sum[k](A[k,j])", "dense"),
    ("x - mean(x)", "x", 1, "dy[i]/dx[m] = delta[i,m] - 1/n", "diagonal in (i, m) plus rank 1"),
    ("(x - mean(x))/std(x)", "x", 1,
        "v[i] = x[i] - sum[j](x[j])/n\n"
        "w = sqrt(sum[i](v[i]**2)/n)\n"
        "dy[i]/dx[m] = delta[i,m]/w - v[i]*v[m]/(w**3*n) - 1/(w*n)",
        "diagonal in (i, m) plus rank 2"),
    ("C[j0,j1,j2,j3] = A[d0,j0,d1,j1]*B[j2,d1,d0,j3]", "A", 1,
        "dC[j0,j1,j2,j3]/dA[m,n,p,q] = delta[j0,n]*delta[j1,q]*B[j2,p,m,j3]",
        "block-diagonal in (j0, n), (j1, q): n*q equal blocks of r*s by m*p"),
    ("power(x, y)", "x", 1,
        "v[i] = x[i]**(y[i] - 1 + (x[i] == 0)*(y[i] == 0))\n"
        "df[i]/dx[m] = delta[i,m]*y[i]*v[i]", "diagonal in (i, m)"),
    ("y = diag(x) @ A", "x", 1, "dy[i,j]/dx[m] = delta[i,m]*A[i,j]", "block-diagonal in (i, m): m blocks of n by 1"),
    ("y[i] = prod[k](A[i,k] + A[k,i])", "A", 1,
        "v[i,k] = prod[j](where(delta[k,j], 1, A[i,j] + A[j,i]))\n"
        "dy[i]/dA[m,n] = delta[i,m]*v[i,n] + delta[i,n]*v[i,m]",
        "block-diagonal in (i, m): n blocks of 1 by n + block-diagonal in (i, n): n blocks of 1 by n"),
]  # fmt: skip


def shown(program, wrt, order):
    """The lines of the formula, without the last one, which is about shapes."""
    return "\n".join(str(derive(program, wrt, order=order)).splitlines()[:-1])


@pytest.mark.parametrize(("program", "wrt", "order", "text", "structure"), GOLDEN)
def test_the_printed_derivative(program, wrt, order, text, structure):
    assert shown(program, wrt, order) == text
    assert str(derive(program, wrt, order=order).structure).partition("; stores")[0] == structure


@pytest.mark.parametrize(("program", "wrt", "order", "text", "structure"), GOLDEN)
def test_what_is_printed_parses_back(program, wrt, order, text, structure):
    d = derive(program, wrt, order=order)
    assert read(str(d)) == d


vectors = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["x", "y", "z"]),
        st.builds("({} + {})".format, vectors, vectors),
        st.builds("({} - 2*{})".format, vectors, vectors),
        st.builds("({} * {})".format, vectors, vectors),
        st.builds("({}/(1 + {}**2))".format, vectors, vectors),
        st.builds("(A @ {})".format, vectors),
        st.builds("(A.T @ {})".format, vectors),
        st.builds("({}({}))".format, st.sampled_from(["tanh", "exp", "sin", "softmax"]), vectors),
        st.builds("({}*{})".format, scalars, vectors),
        st.builds("where(x > 0, {}, {})".format, vectors, vectors),
    )
)
scalars = st.one_of(
    st.sampled_from(["a", "3", "n"]),
    st.builds("sum({})".format, vectors),
    st.builds("({} @ {})".format, vectors, vectors),
    st.builds("logsumexp({})".format, vectors),
)
SHAPES = {"x": "n", "y": "n", "z": "n", "A": "n n", "a": ()}
programs = st.one_of(vectors, scalars).filter(lambda text: "x" in text and len(text) < 60)


@settings(max_examples=60)
@given(programs, st.sampled_from([1, 1, 2]))
def test_random_derivatives_parse_back(program, order):
    declared = "x: (n,); y: (n,); z: (n,); A: (n, n); a: ()\n"
    used = "; ".join(part for part in declared.strip().split("; ") if part.split(":")[0] in program)
    d = derive(f"{used}\n{program}", "x", order=order)
    assert read(str(d)) == d


letters = st.sampled_from("ijk")
accesses = st.one_of(
    st.builds("X[{},{}]".format, letters, letters),
    st.builds("Y[{},{}]".format, letters, letters),
    st.builds("u[{}]".format, letters),
)


@settings(max_examples=60)
@given(st.lists(accesses, min_size=2, max_size=4), st.lists(letters, unique=True, max_size=2))
def test_random_einsums_parse_back(factors, free):
    body = "*".join(factors)
    bound = [c for c in "ijk" if f"[{c}" in body or f",{c}]" in body]
    free = [c for c in free if c in bound]
    over = ",".join(c for c in bound if c not in free)
    left = f"[{','.join(free)}]" if free else ""
    text = f"Z{left} = sum[{over}]({body})" if over else f"Z{left} = {body}"
    d = derive("X: (n, n); Y: (n, n); u: (n,)\n" + text, "X")
    assert read(str(d)) == d


def test_several_derivatives_parse_back():
    d = derive("h = tanh(W @ x + b); y = sum((V @ h - t)**2)", ["W", "b", "V"])
    again = read(str(d))
    assert list(again) == ["W", "b", "V"] and all(again[name] == d[name] for name in d)


def test_what_was_read_can_be_called_and_derived():
    d = read("dy/dx[i] = A[i,j]*x[j] + A[j,i]*x[j]; x: (n,); A: (n, n)")
    assert d(x=[1.0, 2.0], A=[[1.0, 2.0], [3.0, 4.0]]).tolist() == [12.0, 21.0]
    assert derive(d, "x") == derive("x @ A @ x", "x", order=2)


def test_text_without_a_derivative_is_refused():
    with pytest.raises(SyntaxFault, match="there is no derivative here"):
        read("y = x + 1")


def test_a_derivative_that_was_read_has_no_value():
    d = read("dy/dx[i] = 2*x[i]; x: (n,)")
    with pytest.raises(Unsupported, match="has no value"):
        d.compile(value=True)
    with pytest.raises(Unsupported, match="has no value"):
        d.check()


def test_the_second_line_says_shapes_and_what_was_assumed_of_them():
    text = str(derive("y = sum(W*X + b)", "W")).splitlines()
    assert text[0] == "dy/dW[i,j] = X[i,j]" and len(text) == 2
    assert text[1].startswith("W: (m, n); X: (m, n); b: (n,)  # ") and "W" in text[1].split("#")[1]


def test_declared_shapes_are_not_assumed():
    text = str(derive("W: (m, n); X: (m, n); b: (n,)\ny = sum(W*X + b)", "W")).splitlines()
    assert text[1] == "W: (m, n); X: (m, n); b: (n,)"


def test_letters_of_the_user_are_kept_and_never_met_twice():
    text = str(derive("Z[m,n] = X[m,k]*Y[k,n]", "X")).splitlines()[0]
    assert text == "dZ[m,n]/dX[p,q] = delta[m,p]*Y[q,n]"


def test_printing_is_linear_in_the_length_of_the_program():
    def size(layers):
        lines = [f"h{k + 1} = tanh(W{k} @ h{k})" for k in range(layers)]
        return len(str(derive("\n".join([*lines, f"y = sum(h{layers})"]), "W0")))

    assert size(40) < 2.5 * size(20)


def test_the_program_is_shown_with_every_sum_written_out():
    d = derive("h = tanh(W @ x + b)\ny = sum((V @ h - t)**2)", "W")
    assert d.program.splitlines()[1:] == [
        "h[i] = tanh(sum[j](W[i,j]*x[j]) + b[i])",
        "y = sum[i]((sum[j](V[i,j]*h[j]) - t[i])**2)",
    ]


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("2**x", "dy[i]/dx[m] = log(2)*delta[i,m]*2**x[i]"),
        ("2.5**x", "dy[i]/dx[m] = log(2.5)*delta[i,m]*2.5**x[i]"),
        ("where(3 > 2, x, 0*x)", "dy[i]/dx[m] = delta[i,m]"),
    ],
)
def test_a_comparison_of_numbers_is_decided(program, text):
    d = derive(program, wrt="x")
    assert str(d).splitlines()[0] == text
    assert d.check() < 1e-7
    assert derive(program, wrt="x", order=2).check() < 1e-7
