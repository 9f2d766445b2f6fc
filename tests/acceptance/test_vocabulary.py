"""Linear algebra and structure in NumPy's names and signatures: first and second derivatives, every entry."""

import re

import numpy as np
import pytest
from acceptance.vocabulary import ROWS
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive


def title(row):
    return f"{row.program} {' '.join(map(str, row.shapes.values()))}".replace("\n", "; ")


def used(program, given):
    """What is given of the names that the program has."""
    return {name: one for name, one in given.items() if re.search(rf"\b{name}\b", program)}


every_row = pytest.mark.parametrize("row", ROWS, ids=title)


@every_row
def test_the_derivative_is_the_slope_of_numpys_function(row):
    for wrt in row.shapes:
        result = derive(row.program, wrt=wrt, shapes=row.sizes)(**row.arrays)
        assert_close(result, numerical_jacobian(row.value, row.arrays, wrt, 1e-3), 1e-7)


@pytest.mark.parametrize("row", [row for row in ROWS if row.named], ids=title)
def test_the_sizes_may_be_names(row):
    for wrt in row.shapes:
        numbers = derive(row.program, wrt=wrt, shapes=row.sizes)
        names = derive(row.program, wrt=wrt, shapes=row.names)
        assert_close(names(**row.arrays), numbers(**row.arrays), 1e-12)


@every_row
def test_the_second_derivative_is_the_slope_of_the_first(row):
    wrt = next(iter(row.shapes))
    first = derive(row.program, wrt=wrt, shapes=row.sizes)
    second = derive(row.program, wrt=wrt, shapes=row.sizes, order=2)
    assert_close(second(**row.arrays), numerical_jacobian(first, row.arrays, wrt, 1e-3), 1e-7)


# where matrices are singular and factors zero


def test_the_slope_of_the_determinant_at_a_singular_matrix_is_its_cofactors():
    A = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [-1.0, 0.5, 2.0]])
    expected = numerical_jacobian(lambda A: np.linalg.det(A), {"A": A}, "A")
    assert_close(derive("det(A)", wrt="A")(A=A), expected, 1e-9)
    assert_close(derive("det(A)", wrt="A")(A=np.zeros((3, 3))), np.zeros((3, 3)), 1e-15)
    two = np.array([[1.0, 2.0], [0.5, 1.0]])
    assert_close(derive("det(A)", wrt="A")(A=two), np.array([[1.0, -0.5], [-2.0, 1.0]]), 1e-12)


@pytest.mark.parametrize("zeros", [[1], [1, 3], [0, 2, 4]])
def test_the_slope_of_a_cumulative_product_is_right_at_zeros(zeros):
    x = np.array([2.0, -3.0, 0.5, 1.5, -1.0])
    x[zeros] = 0.0
    expected = numerical_jacobian(lambda x: np.cumprod(x), {"x": x}, "x")
    d = derive("cumprod(x)", wrt="x")
    assert_close(d(x=x), expected, 1e-9)
    second = derive("cumprod(x)", wrt="x", order=2)
    assert_close(second(x=x), numerical_jacobian(d, {"x": x}, "x"), 1e-9)


# structure is written, not multiplied


@pytest.mark.parametrize(
    "program",
    [
        "cumsum(x)",
        "diff(x)",
        "roll(x, 1)",
        "flip(x)",
        "pad(x, 1)",
        "tile(x, 2)",
        "repeat(x, 2)",
        "concatenate([x, y])",
        "x[k]",
        "x[::2]",
    ],
)
def test_a_gradient_through_structure_forms_no_square_matrix(program):
    """A gradient of a million entries would not fit if a selection were an array."""
    n = 1_000_000
    d = derive(f"z = sum(({program})**2)", wrt="x", shapes=used(program, {"k": "p", "x": "n", "y": "n"}))
    arrays = {"x": np.linspace(-1, 1, n), "y": np.ones(n), "k": np.arange(0, n, 2)}
    result = d(**{name: arrays[name] for name in d.inputs})
    assert result.shape == (n,)
    assert np.all(np.isfinite(result))


@pytest.mark.parametrize("program", ["solve(A, b)", "b @ solve(A, b)", "inv(A) @ b", "sum(solve(A, b)**2)"])
def test_value_and_derivative_share_one_factorisation(program):
    d = derive(program, wrt="A")
    source = d.source()
    body = source.split('"""')[-1]
    factorisations = sum(body.count(f"{name}(") for name in ("inv", "solve", "lu_factor", "qr", "cholesky"))
    assert factorisations <= 2, source
    arrays = {"A": sample({"A": (3, 3)})["A"] + 3 * np.eye(3), "b": np.array([1.0, -2.0, 0.5])}
    assert_close(d(**arrays), numerical_jacobian(value_of(program), arrays, "A"), 1e-8)


def value_of(program):
    """The program again as a NumPy function."""
    solve, inv = np.linalg.solve, np.linalg.inv
    return {
        "solve(A, b)": lambda A, b: solve(A, b),
        "b @ solve(A, b)": lambda A, b: b @ solve(A, b),
        "inv(A) @ b": lambda A, b: inv(A) @ b,
        "sum(solve(A, b)**2)": lambda A, b: (solve(A, b) ** 2).sum(),
    }[program]


# what needs a number says so


@pytest.mark.parametrize(
    "program",
    [
        "reshape(x, (2, -1))",
        "x.reshape(-1, 3)",
        "cross(x, y)",
        "x: (n,)\none_hot(k, n) @ x",
        "roll(x, 2)",
        "convolve(x, w, 'same')",
        "correlate(x, w)",
    ],
)
def test_where_a_number_is_needed_the_error_says_so_or_it_is_not_needed(program):
    arrays = {"x": np.array([1.0, -2.0, 0.5]), "y": np.array([0.5, 3.0, -1.0]), "k": np.array([0, 2, 1])}
    arrays["w"] = np.array([3.0, -2.0])
    if "reshape" in program:
        arrays = {"x": np.linspace(-1, 1, 6)}
    try:
        d = derive(program, wrt="x", shapes=used(program, {"x": "n", "y": "n", "k": "p", "w": "m"}))
    except EinsumDiffError as error:
        assert error.span is not None
        assert re.search(r"number|size as \d", str(error))
    else:
        given = {name: arrays[name] for name in d.inputs}
        by_number = derive(program, wrt="x", shapes={name: array.shape for name, array in given.items()})
        assert_close(d(**given), by_number(**given), 1e-12)


# einsum strings and Python functions are programs


@pytest.mark.parametrize("wrt, position", [("A", 0), ("B", 1)])
def test_an_einsum_string_is_a_program(wrt, position):
    arrays = sample({"A": (2, 3), "B": (3, 5)})
    for name in (wrt, position):
        result = derive("ij,jk->ik", wrt=name)(**arrays)
        assert_close(result, numerical_jacobian(lambda A, B: A @ B, arrays, wrt), 1e-9)


def helper(t):
    return np.exp(-t) + t**2


def written_with_numpy(w, X, b):
    hidden = np.tanh(X @ w + b)
    total = 0
    for k in range(3):
        total = total + helper(hidden[k]) * (k + 1)
    return total + np.einsum("ij,j->", X, w) + np.where(w > 0, w, 0.1 * w).sum()


@pytest.mark.parametrize("wrt", ["w", "X", "b"])
def test_a_python_function_is_a_program(wrt):
    arrays = sample({"w": (2,), "X": (3, 2), "b": ()})
    shapes = {name: array.shape for name, array in arrays.items()}
    d = derive(written_with_numpy, wrt=wrt, shapes=shapes)
    assert_close(d(**arrays), numerical_jacobian(written_with_numpy, arrays, wrt), 1e-7)
    again = derive(written_with_numpy, wrt=wrt, shapes=shapes, order=2)
    assert_close(again(**arrays), numerical_jacobian(d, arrays, wrt), 1e-7)


def branches(x):
    if x[0] > 0:
        return x
    return -x


def converts(x):
    return float(x[0]) * x


def leaves(x):
    return np.fft.fft(x)


def sorts(x):
    return np.sort(x)


def assigns(x):
    x[0] = 1.0
    return x


@pytest.mark.parametrize("function", [branches, converts, leaves, sorts, assigns])
def test_what_a_trace_cannot_follow_is_refused(function):
    with pytest.raises(EinsumDiffError) as caught:
        derive(function, wrt="x", shapes={"x": (3,)})
    assert caught.value.hint


# matrix notation: MATLAB's, Julia's and that of matrixcalculus.org

MATRIX_NOTATION = [
    ("A*x", {"A": (2, 3), "x": (3,)}, lambda A, x: A @ x),
    ("x'*y", {"x": (3,), "y": (3,)}, lambda x, y: x @ y),
    ("x*y'", {"x": (2,), "y": (3,)}, lambda x, y: np.outer(x, y)),
    ("x'*A*x", {"A": (3, 3), "x": (3,)}, lambda A, x: x @ A @ x),
    ("A.*B", {"A": (2, 3), "B": (2, 3)}, lambda A, B: A * B),
    ("A./exp(B)", {"A": (2, 3), "B": (2, 3)}, lambda A, B: A / np.exp(B)),
    ("A.^2", {"A": (2, 3)}, lambda A: A**2),
    ("A^3", {"A": (3, 3)}, lambda A: A @ A @ A),
    ("A*exp(x)", {"A": (2, 3), "x": (3,)}, lambda A, x: A @ np.exp(x)),
    ("(y.*v)'*x", {"y": (3,), "v": (3,), "x": (3,)}, lambda y, v, x: (y * v) @ x),
    ("norm2(A*x-y)^2", {"A": (5, 3), "x": (3,), "y": (5,)}, lambda A, x, y: ((A @ x - y) ** 2).sum()),
    (
        "sum(log(exp(-y.*(X*w))+vector(1)))",
        {"y": (5,), "X": (5, 3), "w": (3,)},
        lambda y, X, w: np.log(np.exp(-y * (X @ w)) + 1).sum(),
    ),
    (
        "tr(A*X'*B*X*C)",
        {"A": (2, 3), "X": (5, 3), "B": (5, 5), "C": (3, 2)},
        lambda A, X, B, C: np.trace(A @ X.T @ B @ X @ C),
    ),
    ("tr(inv(A))", {"A": (3, 3)}, lambda A: np.trace(np.linalg.inv(A))),
    ("det(A)", {"A": (3, 3)}, lambda A: np.linalg.det(A)),
    ("norm1(x)", {"x": (3,)}, lambda x: np.abs(x).sum()),
    ("x'*diag(y)*x", {"x": (3,), "y": (3,)}, lambda x, y: (x * x) @ y),
    ("inv(A + eye(3))*x", {"A": (3, 3), "x": (3,)}, lambda A, x: np.linalg.inv(A + np.eye(3)) @ x),
    ("sum(A.*matrix(1))", {"A": (2, 3)}, lambda A: A.sum()),
    ("2*x - y/3", {"x": (3,), "y": (3,)}, lambda x, y: 2 * x - y / 3),
]


@pytest.mark.parametrize("program, shapes, value", MATRIX_NOTATION, ids=[row[0] for row in MATRIX_NOTATION])
def test_matrix_notation_means_what_it_means_in_matlab(program, shapes, value):
    arrays = sample(shapes, seed=5)
    for name, shape in shapes.items():
        if shape == (3, 3):
            arrays[name] = arrays[name] / 2 + 2 * np.eye(3)
    for wrt in shapes:
        result = derive(program, wrt=wrt, shapes=shapes, notation="matrix")(**arrays)
        assert_close(result, numerical_jacobian(value, arrays, wrt), 1e-7)
