"""Declared structure of inputs: what it simplifies, what is checked, and derivatives in such an input."""

from importlib.util import find_spec

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import EinsumDiffError, derive, read
from einsumdiff.nodes import Sum
from einsumdiff.properties import MEANINGS, PROPERTIES, imposed

RANDOM = np.random.default_rng(7)
SIZES = {"n": 5, "m": 3, "p": 2}


def array(*names):
    return RANDOM.standard_normal([SIZES[name] for name in names])


def structured(words, *names):
    return imposed(array(*names), words.split())


# --------------------------------------------------------------------------------------- simplification

SIMPLER = {  # program, wrt, the first line or the last definition that is printed
    "A: (n, n) symmetric; y = sum((A + A.T)*X)": ("X", "dy/dX[i,j] = 2*A[i,j]"),
    "A: (n, n) psd; y = sum((A + A.T)*X)": ("X", "dy/dX[i,j] = 2*A[i,j]"),
    "A: (n, n) symmetric; y = x @ A @ x": ("x", "dy/dx[i] = 2*A[i,j]*x[j]"),
    "A: (n, n) symmetric; y = x[i]*A[i,j]*x[j]": ("x", "dy/dx[i] = 2*A[i,j]*x[j]"),
    "A: (n, n) symmetric; y = (A[i,j] - A[j,i])*X[i,j]": ("X", "dy/dX[i,j] = 0"),
    "A: (n, n) symmetric; y = sum((inv(A) + inv(A).T)*X)": ("X", "dy/dX[i,j] = 2*inv(A)[i,j]"),
    "A: (n, n) symmetric; y = sum((inv(A) - inv(A.T))*X)": ("X", "dy/dX[i,j] = 0"),
    "A: (n, n) symmetric; y = sum((expm(A) - expm(A).T)*X)": ("X", "dy/dX[i,j] = 0"),
    "A: (n, n) symmetric; B = A @ A; y = sum((B - B.T)*X)": ("X", "dy/dX[i,j] = 0"),
    "A: (n, n) symmetric; B = A*A; y = sum((B - B.T)*X)": ("X", "dy/dX[i,j] = 0"),
    "A: (n, n) symmetric; B = exp(A); y = sum((B - B.T)*X)": ("X", "dy/dX[i,j] = 0"),
    "B: (m, m) symmetric; A: (m, n); G = A.T @ B @ A; y = sum((G - G.T)*X)": ("X", "dy/dX[i,j] = 0"),
    "A: (n, n) symmetric; K = kron(A, A); y = sum((K - K.T)*X)": ("X", "dy/dX[i,j] = 0"),
    "A: (p, n, n) symmetric; y = sum((A - A.mT)*X); X: (p, n, n)": ("X", "dy/dX[i,j,k] = 0"),
    "L: (n, n) lower; y = sum(triu(L, 1)*X)": ("X", "dy/dX[i,j] = 0"),
    "U: (n, n) upper; y = sum(tril(U, -1)*X)": ("X", "dy/dX[i,j] = 0"),
    "L: (n, n) lower; y = sum(tril(L)*X)": ("X", "dy/dX[i,j] = L[i,j]"),
    "D: (n, n) diagonal; X: (n, m); Y = D @ X": ("X", "dY[i,j]/dX[m_,p] = "),
}


@pytest.mark.parametrize("program", SIMPLER)
def test_what_is_declared_simplifies(program):
    wrt, expected = SIMPLER[program]
    d = derive(program, wrt=wrt)
    if "diagonal" in program:
        assert "D[i,i]" in str(d)
    else:
        assert str(d).splitlines()[0] == expected
    assert d.check() < 1e-9


def test_what_is_not_declared_does_not_simplify():
    d = derive("y = sum((A + A.T)*X)", wrt="X")
    assert "A[j,i]" in str(d)
    d = derive("L: (n, n) lower; y = sum((L - L.T)*X)", wrt="X")
    L, X = structured("lower", "n", "n"), array("n", "n")
    assert_close(d(L=L, X=X), L - L.T)


PROGRAMS = {
    "y = x @ S @ x": "x",
    "y = tanh(S @ x)": "x",
    "Y = S @ X; X: (n, m)": "X",
    "Y = X.T @ S @ X; X: (n, m)": "X",
    "y = sum((X.T @ S @ X + (X.T @ S @ X).T)**3); X: (n, m)": "X",
    "y = sum(inv(S) @ S.T * X)": "X",
    "y = x @ (S + 2*S.T) @ (S - X) @ x": "X",
    "y = S[i,i]*x[i]**2 + x @ S.T @ exp(x)": "x",
    "y = sum(triu(S)*X**2) + sum(tril(S, -1)*X**3)": "X",
    "y = sum(S/(1 + X**2))": "X",
    "y = sum(exp(S*X))": "X",
    "y = sum[i,j](S[i,j]**2*X[j,i]**2 + S[i,j]*S[j,i]*X[i,j])": "X",
}


@pytest.mark.parametrize("words", [*PROPERTIES, "symmetric lower", "upper diagonal"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_derivative_beside_a_declared_array_is_the_slope(program, words):
    wrt = PROGRAMS[program]
    shape = {"x": ("n",), "X": ("n", "m") if "X: (n, m)" in program else ("n", "n")}
    text = f"S: (n, n) {words}; {program}"
    S = structured(words, "n", "n")
    if "inv" in program:
        S += 4 * np.eye(5)
    arrays = {"S": S} | {name: array(*axes) for name, axes in shape.items()}
    plain = derive(f"S: (n, n); {program}", wrt=wrt)
    d = derive(text, wrt=wrt)
    arrays = {name: arrays[name] for name in d.inputs}
    value = d.compile(value=True)
    expected = numerical_jacobian(lambda **a: value(**a)[0], arrays, wrt)
    assert_close(d(**arrays), expected, 1e-8)
    undeclared = plain.compile(value=True)(**arrays)  # the program without what is declared
    assert_close(value(**arrays)[0], undeclared[0], 1e-12)
    assert_close(d(**arrays), undeclared[1], 1e-9)
    second = derive(text, wrt=wrt, order=2)
    assert_close(second(**arrays), numerical_jacobian(lambda **a: d(**a), arrays, wrt), 1e-7)


# ------------------------------------------------------------------------------ derivatives in such an input

IN = [
    "y = x @ S @ x",
    "y = trace(S @ S @ S)",
    "y = sum((S + S.T)**2)",
    "y = sum((S - 2*S.T)*S*B)",
    "y = logdet(S + 9*eye(n))",
    "Y = S @ B @ S.T",
    "y = sum(tril(S)**2*B)",
    "y = sum(exp(S*B))",
    "y = sum(inv(S @ S.T + 2*eye(n))*B)",
    "y = sum(diag(S)**3)",
]


def steps(words, meaning, n):
    """For every entry the direction that it stands for."""
    found = np.zeros((n, n, n, n))
    for i in range(n):
        for j in range(n):
            one = np.zeros((n, n))
            one[i, j] = 1
            if meaning == "free":
                pass
            elif words in ("symmetric", "psd"):
                one = (one + one.T) / (2 if meaning == "projected" or i == j else 1)
            elif i != j and words != ("lower" if i > j else "upper"):
                one = 0 * one
            found[i, j] = one
    return found


@pytest.mark.parametrize("meaning", MEANINGS)
@pytest.mark.parametrize("words", PROPERTIES)
@pytest.mark.parametrize("program", IN)
def test_a_derivative_in_a_declared_array_is_along_its_directions(program, words, meaning):
    n = 3
    text = f"S: (n, n) {words}; x: (n,); B: (n, n); {program}"
    plain = derive(f"S: (n, n); x: (n,); B: (n, n); {program}", wrt="S").compile(value=True)
    d = derive(text, wrt="S", structured=meaning)
    arrays = {"S": imposed(RANDOM.standard_normal((n, n)), [words])}
    arrays |= {"x": RANDOM.standard_normal(n), "B": RANDOM.standard_normal((n, n))}
    arrays = {name: arrays[name] for name in d.inputs}
    directions = steps(words, meaning, n)

    def along(f):
        """The slopes of f along every direction, by differences within the directions alone."""

        def moved(S, t, **others):
            return f(S=S + np.einsum("ij,ijkl->kl", t, directions), **others)

        return numerical_jacobian(moved, {**arrays, "t": np.zeros((n, n))}, "t")

    def value(**a):
        return plain(**a)[0]

    assert_close(d(**arrays), along(value), 1e-8)
    second = derive(text, wrt="S", order=2, structured=meaning)
    assert_close(second(**arrays), along(d.compile()), 1e-7)
    assert_close(derive(d, wrt="S")(**arrays), second(**arrays), 1e-12)
    assert d.check() < 1e-7
    assert second.check() < 1e-6
    assert f"({meaning})" in str(d)
    assert read(str(d)) == d
    assert read(str(read(str(d)))) == d
    assert f"({meaning})" in str(read(str(d)))


@pytest.mark.parametrize("words", PROPERTIES)
def test_free_is_the_derivative_of_the_program_as_if_nothing_were_declared(words):
    program = "y = sum(tanh(S + S.T)*B) + x @ S @ x"
    S, x, B = structured(words, "n", "n"), array("n"), array("n", "n")
    plain = derive(program, wrt="S")(S=S, B=B, x=x)
    for d in (
        derive(f"S: (n, n) {words}; {program}", wrt="S"),
        derive(program, "S", shapes={"S": f"n n {words}"}),
    ):
        assert_close(d(S=S, B=B, x=x), plain, 1e-12)


def test_a_slope_that_vanishes_where_the_declaration_holds_is_said_to():
    text = "S: (n, n) symmetric; y = sum((S - S.T)**2)"
    d = derive(text, wrt="S")
    S = structured("symmetric", "n", "n")
    assert_close(d(S=S), np.zeros((5, 5)))
    assert "y has slope 0 at every symmetric S" in str(d)
    assert "does not depend" not in str(d)
    plain = derive("y = sum((S - S.T)**2)", wrt="S", order=2)(S=S)
    assert_close(derive(d, wrt="S")(S=S), plain)
    assert not derive(text, wrt="S", order=2, structured="projected")(S=S).any()


def test_a_finished_derivative_relies_on_what_its_wrt_is_evaluated_at():
    text = "S: (n, n) symmetric; y = trace(S @ S @ S)"
    assert "= 3*S[j,k]*S[k,i]" in str(derive(text, wrt="S", structured="projected"))
    text = "S: (n, n) psd; y = logdet(S)"
    assert str(derive(text, wrt="S", structured="projected")).startswith("dy/dS[i,j] = inv(S)[j,i]\n")


def test_projected_does_not_depend_on_how_the_program_is_continued():
    """Two programs that agree on the symmetric matrices, and nowhere else."""
    n = 4
    S, B = structured("symmetric", "n", "n")[:n, :n], RANDOM.standard_normal((n, n))
    slopes, curvatures = [], []
    for program in ("y = sum(exp(S)*S*B)", "y = sum(exp(S.T)*(3*S - 2*S.T)*B)"):
        text = f"S: (n, n) symmetric; {program}"
        slopes.append(derive(text, wrt="S", structured="projected")(S=S, B=B))
        curvatures.append(derive(text, wrt="S", order=2, structured="projected")(S=S, B=B))
    assert_close(slopes[0], slopes[1], 1e-12)
    assert_close(curvatures[0], curvatures[1], 1e-12)


def test_a_mixed_derivative_relies_on_nothing_that_varies():
    n, m = 4, 3
    text = "S: (n, n) symmetric; X: (n, m); y = sum((X.T @ (S + S.T) @ X)**2)"
    d = derive(text, wrt="X")
    arrays = {"S": structured("symmetric", "n", "n")[:n, :n], "X": RANDOM.standard_normal((n, m))}
    arrays = {name: arrays[name] for name in d.inputs}
    plain = derive("X: (n, m); y = sum((X.T @ (S + S.T) @ X)**2)", wrt="X")
    expected = numerical_jacobian(plain.compile(), arrays, "S")
    assert_close(derive(d, wrt="S")(**arrays), expected, 1e-8)
    both = derive(text, wrt=["X", "S"], structured="projected")(**arrays)
    assert_close(both["X"], d(**arrays), 1e-12)
    free = derive(text, wrt="S")(**arrays)
    assert_close(both["S"], (free + free.T) / 2, 1e-12)


def test_a_formula_that_was_read_is_not_derived_further_in_what_it_relied_on():
    d = read(str(derive("S: (n, n) symmetric; y = x @ (S + S.T) @ x", wrt="x")))
    with pytest.raises(EinsumDiffError, match="was read, and may be simplified for a symmetric S"):
        derive(d, wrt="S")


# ----------------------------------------------------------------------------------- what is said and checked


@pytest.mark.parametrize(
    "given", ["n n symmetric", ("n", "n", "symmetric"), "(n, n) symmetric", ["n", "n", "symmetric"]]
)
def test_a_property_is_declared_in_shapes(given):
    d = derive("y = x @ S @ x", wrt="x", shapes={"S": given})
    assert d == derive("S: (n, n) symmetric; y = x @ S @ x", wrt="x")
    assert "S: (n, n) symmetric" in str(d)
    assert "S: (n, n) symmetric" in d.program
    assert "assumed, not checked: S is symmetric" in d.source()
    assert read(str(d)) == d


def test_a_property_of_an_argument_of_a_function():
    d = derive(lambda S, x: x @ S @ x, "x", shapes={"S": "n n symmetric", "x": "n"})
    assert str(d).splitlines()[0] == "dy/dx[i] = 2*S[i,j]*x[j]"
    with pytest.raises(EinsumDiffError, match=r"S\[0,1\]"):
        d(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones(2))


@pytest.mark.parametrize("words", PROPERTIES)
@pytest.mark.parametrize("wrt", ["S", "X"])
def test_an_array_without_its_property_is_refused(words, wrt):
    d = derive(f"S: (n, n) {words}; y = sum(S*X**2)", wrt=wrt)
    S, X = structured(words, "n", "n"), array("n", "n")
    d(S=S, X=X)
    d(S=S.astype(np.float32), X=X)
    place = (4, 2) if words in ("upper", "diagonal") else (2, 4)
    S[place] += 1
    with pytest.raises(EinsumDiffError, match=rf"S is declared {words}, and S\[{place[0]},{place[1]}\] is "):
        d(S=S, X=X)
    d.compile()(**{name: {"S": S, "X": X}[name] for name in d.inputs})  # it does not check


def test_rounding_is_no_violation_and_nan_neither():
    d = derive("S: (n, n) symmetric; y = sum(S*X**2)", wrt="X")
    S, X = structured("symmetric", "n", "n"), array("n", "n")
    S[0, 1] *= 1 + 1e-7
    d(S=S, X=X)
    S[1, 2] = S[2, 1] = np.nan
    d(S=S, X=X)
    S[2, 1] = 0
    with pytest.raises(EinsumDiffError, match=r"S\[1,2\] is nan, S\[2,1\] is 0.0"):
        d(S=S, X=X)


def test_the_first_entry_that_offends_may_be_in_a_stack():
    d = derive("S: (p, n, n) lower; y = sum(S*X**2); X: (p, n, n)", wrt="X")
    S, X = structured("lower", "p", "n", "n"), array("p", "n", "n")
    d(S=S, X=X)
    S[1, 0, 3] = 0.5
    with pytest.raises(EinsumDiffError, match=r"S\[1,0,3\] is 0.5"):
        d(S=S, X=X)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("words", PROPERTIES)
@pytest.mark.parametrize("meaning", MEANINGS)
def test_no_entry_and_one_entry(words, n, meaning):
    d = derive(f"S: (n, n) {words}; y = sum(S**2)", wrt="S", structured=meaning)
    S = np.full((n, n), 3.0)
    assert_close(d(S=S), 2 * S)
    fixed = derive(f"S: (1, 1) {words}; y = sum(S**2)", wrt="S", structured=meaning)
    assert_close(fixed(S=np.full((1, 1), 3.0)), np.full((1, 1), 6.0))


def test_wrong_declarations():
    with pytest.raises(EinsumDiffError, match="not square"):
        derive("y = x @ S @ x", wrt="x", shapes={"S": "m n symmetric"})
    with pytest.raises(EinsumDiffError, match="hermitian"):
        derive("S: (n, n) hermitian; y = x @ S @ x", wrt="x")
    with pytest.raises(EinsumDiffError, match="structured="):
        derive("S: (n, n) symmetric; y = x @ S @ x", wrt="S", structured="both")
    with pytest.raises(EinsumDiffError, match="no structure of S is declared"):
        derive("y = x @ S @ x", wrt="S", structured="projected")


def test_a_guard_that_keeps_infinity_away_stays():
    """Above the diagonal the logarithm is infinite, and tril selects before anything is multiplied."""
    d = derive("L: (n, n) lower; y = sum(tril(L*log(X)*Y))", wrt="Y")
    L, Y = structured("lower", "n", "n"), array("n", "n")
    X = np.tril(np.abs(array("n", "n")) + 0.1)
    with np.errstate(divide="ignore", invalid="ignore"):
        assert_close(d(L=L, X=X, Y=Y), np.tril(L * np.log(X + np.triu(np.ones((5, 5)), 1))))
        d = derive("L: (n, n) lower; y = sum(tril(L*Y/X))", wrt="Y")
        assert_close(d(L=L, X=X, Y=Y), np.tril(L / (X + np.triu(np.ones((5, 5)), 1))))


def test_only_inputs_are_declared():
    with pytest.raises(EinsumDiffError, match="G is computed, and is declared symmetric"):
        derive("G: (n, n) symmetric; G = A @ B; y = sum(G)", wrt="A")
    with pytest.raises(EinsumDiffError, match="G is computed"):
        derive("G = A @ B; y = sum(G)", wrt="A", shapes={"G": "n n lower"})


def test_a_wrt_that_is_a_definition_is_found_to_be_nothing():
    """Though it is symmetric wherever it is evaluated, its entries vary on their own."""
    text = "S: (n, n) symmetric; G = S @ S; y = sum((G + G.T)**2*X)"
    S, X = structured("symmetric", "n", "n"), array("n", "n")
    d = derive(text, wrt="G")
    G = S @ S
    expected = numerical_jacobian(lambda G: np.sum((G + G.T) ** 2 * X), {"G": G}, "G")
    assert_close(d(S=S, X=X), expected, 1e-8)
    assert isinstance(d._program.output.body, Sum)


def test_a_wrt_that_is_declared_and_read_by_nothing_has_a_plain_name():
    """Generated source, and what is pickled, show names as they are."""
    d = derive("T: (n, n); x: (n,)\ny = sum(x**2)", wrt=["x", "T"])
    assert {type(name) for name in (*d, *d.inputs)} == {str}
    assert repr(list(d)) == "['x', 'T']"
    x, T = np.arange(1.0, 4), np.ones((3, 3))
    found = d.compile(jit="numba" if find_spec("numba") else None)(x=x, T=T)
    assert_close(found["x"], 2 * x)
    assert_close(found["T"], np.zeros((3, 3)))
