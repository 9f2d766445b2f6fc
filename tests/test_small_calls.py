"""What generated source says where arrays are small: the calls that cost least, and the same numbers."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample
from small_tasks import TASKS

from einsumdiff import EinsumDiffError, derive


def lines(d, **options):
    """The body of the function."""
    return d.source(**options).rpartition('"""\n')[2]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_benchmark_of_small_arrays_compares_what_is_equal(task):
    d = derive(task.program, wrt=task.wrt, order=task.order)
    arrays = [np.asarray(one) for one in task.arrays(np.random.default_rng(1))]
    assert d.inputs == tuple(task.shapes)
    found, right = d.compile(**task.options)(*arrays), task.hand(*arrays)
    if task.options:
        assert_close(found[0], right[0])
        found, right = found[1], right[1]
    for one in task.wrt if isinstance(task.wrt, tuple) else (None,):
        assert_close(found[one] if one else found, right[one] if one else right)
    assert d.check() < 1e-8


def windows(X, w):
    rows, columns = X.shape[0] - w.shape[0] + 1, X.shape[1] - w.shape[1] + 1
    return np.array(
        [[np.sum(X[i : i + w.shape[0], j : j + w.shape[1]] * w) for j in range(columns)] for i in range(rows)]
    )


WRITTEN = {
    "a diagonal": ("exp(x)", {"x": (5,)}, lambda x: np.exp(x), "result.reshape(-1)[::n + 1] ="),
    "a band": (
        "f[i] = x[i]*x[i+1]",
        {"x": (5,)},
        lambda x: x[:-1] * x[1:],
        "result.reshape(-1)[1::n + 1] =",
    ),
    "a part of a diagonal": (
        "concatenate([x**2, c])",
        {"x": (3,), "c": (2,)},
        lambda x, c: np.concatenate([x**2, c]),
        "result.reshape(-1)[:",
    ),
    "every second place": (
        "x: (2*n,); f[i] = x[2*i]**3",
        {"x": (6,)},
        lambda x: x[::2] ** 3,
        "result.reshape(-1)[:",
    ),
    "a convolution": (
        "x: (n,); w: (p,); Z[i] = x[i+k]*w[k]",
        {"x": (7,), "w": (3,)},
        lambda x, w: np.convolve(x, w[::-1], "valid"),
        "np.ndarray((n - p + 1, p), dtype, result, 0, (result.itemsize*(n + 1), result.itemsize))",
    ),
    "a convolution of two axes": (
        "X: (m, n); w: (p, q); Z[i,j] = X[i+k,j+l]*w[k,l]",
        {"X": (5, 7), "w": (2, 3)},
        windows,
        "np.ndarray((m - p + 1, n - q + 1, p, q), dtype, result, 0, (",
    ),
    "a convolution with steps": (
        "x: (7,); w: (3,); Z[i] = x[2*i+k]*w[k]",
        {"x": (7,), "w": (3,)},
        lambda x, w: np.convolve(x, w[::-1], "valid")[::2],
        "np.ndarray((3, 3), dtype, result, 0, (result.itemsize*9, result.itemsize))[...] = w",
    ),
    "a convolution that does not begin with the first entry": (
        "x: (n,); w: (p,); Z[i] = x[i+k+1]*w[k]",
        {"x": (7,), "w": (3,)},
        lambda x, w: np.convolve(x[1:], w[::-1], "valid"),
        "_window(result, 1, (n - p, p), (result.itemsize*(n + 1), result.itemsize))[...] = w",
    ),
}


@pytest.mark.parametrize("program, shapes, function, said", WRITTEN.values(), ids=WRITTEN)
def test_diagonals_and_bands_of_new_zeros_are_slices_of_the_memory(program, shapes, function, said):
    arrays = sample(shapes)
    wrt = next(iter(shapes))
    d = derive(program, wrt=wrt)
    assert said in lines(d)
    right = numerical_jacobian(function, arrays, wrt)
    assert_close(d(**arrays), right, 1e-9)
    single = d(**{name: array.astype("f4") for name, array in arrays.items()})
    assert single.dtype == np.float32
    assert_close(single, right, 1e-5)
    # a buffer is not contiguous, and is not written in this way
    buffer = np.full((*right.shape[:-1], 2 * right.shape[-1]), 9.0)
    assert d(**arrays, out=buffer[..., ::2]).base is buffer
    assert_close(buffer[..., ::2], right, 1e-9)
    assert np.all(buffer[..., 1::2] == 9)


def test_a_diagonal_of_three_axes_is_one_slice():
    d = derive("exp(x)", wrt="x", order=2)
    assert "result.reshape(-1)[::n**2 + n + 1] =" in lines(d) or "[::n*n + n + 1] =" in lines(d)
    x = sample({"x": (5,)})
    assert_close(d(**x), numerical_jacobian(derive("exp(x)", wrt="x"), x, "x"), 1e-9)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_slices_of_the_memory_of_few_elements(n):
    x, c = np.arange(1.0, n + 1), np.arange(2.0)
    assert_close(derive("exp(x)", wrt="x")(x), np.diag(np.exp(x)))
    joined = derive("concatenate([x**2, c])", wrt="x")(x=x, c=c)
    assert_close(joined, np.concatenate([np.diag(2 * x), np.zeros((2, n))]))
    if n:
        found = derive("f[i] = x[i]*x[i+1]", wrt="x")(x)
        assert_close(found, numerical_jacobian(lambda x: x[:-1] * x[1:], {"x": x}, "x"), 1e-9)
        found = derive("x: (n,); w: (p,); Z[i] = x[i+k]*w[k]", wrt="x")(x, x[:1])
        assert_close(found, np.eye(n))


@pytest.mark.parametrize("first", [0, 1])
def test_windows_on_the_memory_may_be_empty(first):
    d = derive(f"x: (n,); w: (p,); Z[i] = x[i+k+{first}]*w[k]", wrt="x")
    for n, p in ((3, 0), (4, 3), (2, 2), (1, 1), (1, 0), (0, 0), (2, 1)):
        if n - p + 1 < first:
            continue
        x, w = np.ones(n), np.arange(2.0, p + 2)
        right = np.zeros((n - p + 1 - first, n))
        for i in range(len(right)):
            right[i, i + first : i + first + p] = w
        if n or not first:
            assert_close(d(x, w), right)
            assert_close(d.compile()(x, w), right)


def test_products_over_several_axes_are_of_matrices():
    d = derive("T[i,j,k]*B[j,q]*C[k,q]*A[i,q]", wrt="A", shapes={"T": "m n p", "A": "m r"})
    text = lines(d, sizes={"m": 3, "n": 2, "p": 5, "r": 7})
    assert "tensordot" not in text and "T.reshape((m*n, p)).dot(C).reshape((m, n, r))" in text
    assert "tensordot" not in lines(d) and " @ " in lines(d)  # of sizes that are not known
    arrays = sample({"T": (3, 2, 5), "B": (2, 7), "C": (5, 7), "A": (3, 7)})
    right = np.einsum("ijk,jq,kq->iq", arrays["T"], arrays["B"], arrays["C"])
    assert_close(d(**arrays), right)
    turned = {name: np.asfortranarray(array) for name, array in arrays.items()}
    assert_close(d(**turned), right)
    several = derive("Z[i,j,q,r] = T[i,j,k,l]*S[l,q,k,r]; sum(Z**2)", wrt="T")
    arrays = sample({"T": (2, 3, 5, 2), "S": (2, 7, 5, 3)})
    value = lambda T, S: np.sum(np.einsum("ijkl,lqkr->ijqr", T, S) ** 2)
    assert "tensordot" not in lines(several)
    assert_close(several(**arrays), numerical_jacobian(value, arrays, "T"), 1e-9)
    empty = {"T": np.zeros((2, 3, 0, 2)), "S": np.zeros((2, 7, 0, 3))}
    assert several(**empty).shape == (2, 3, 0, 2)


def test_reductions_are_methods_and_a_result_is_filled_at_once():
    first = derive("sum(A @ B @ C)", wrt="A")
    assert "C.sum(axis=1)" in lines(first) and "result = np.full((" in lines(first)
    arrays = sample({"A": (2, 3), "B": (3, 5), "C": (5, 7)})
    right = numerical_jacobian(lambda A, B, C: np.sum(A @ B @ C), arrays, "A")
    found = first(**arrays)
    assert_close(found, right, 1e-9)
    assert found.flags.writeable and found.base is None


@pytest.mark.parametrize("shape, said", [((5,), "x @ x"), ((2, 3), "np.vdot(x, x)")], ids=str)
def test_a_sum_of_squares_is_a_product(shape, said):
    function = derive("exp(-sum(x**2))", wrt="x", shapes={"x": "m n"[: 2 * len(shape) - 1]})
    assert said in lines(function)
    arrays = sample({"x": shape})
    for x in (arrays["x"], np.asfortranarray(arrays["x"]), np.repeat(arrays["x"], 2, axis=-1)[..., ::2]):
        right = numerical_jacobian(lambda x: np.exp(-np.sum(x**2)), {"x": x}, "x")
        assert_close(function(x), right, 1e-9)


def test_a_copy_of_an_argument_is_of_its_own():
    d = derive("W: (m, n); X: (m, n); sum(W*X)", wrt="W")
    assert "result = X.copy()" in lines(d)
    for order in "CF":
        W, X = np.zeros((2, 3)), np.array([[1.0, 2, 3], [4, 5, 6]], order=order)
        found = d(W, X)
        assert found.tolist() == X.tolist() and not np.shares_memory(found, X)


SOFT = [
    [0.0, 1.0, -2.0],
    [1e200, -1e200, 1e200],
    [1e5, 1e5, -1e5],
    [-np.inf, 0.0, 1.0],
    [-745.0, -700.0, 3.0],
]


@pytest.mark.parametrize("row", SOFT, ids=str)
def test_the_exponential_less_logsumexp_is_softmax_with_one_exponential(row):
    X = np.array([row, [0.5, 0.25, -3.0]])
    d = derive("sum(C*softmax(X, axis=1))", wrt="C", shapes={"X": "m n", "C": "m n"})
    assert "_softmax(X, axis=1)" in lines(d)
    top = X.max(axis=1, keepdims=True)
    right = np.exp(X - top) / np.exp(X - top).sum(axis=1, keepdims=True)
    assert_close(d(X=X, C=X), right)
    whole = derive("sum(C*softmax(X, axis=(0, 1)))", wrt="C", shapes={"X": "m n", "C": "m n"})
    assert_close(whole(X=X, C=X), np.exp(X - X.max()) / np.exp(X - X.max()).sum())


def test_softmax_of_what_is_nowhere_finite_is_what_the_formula_says():
    d = derive("sum(C*softmax(x))", wrt="C", shapes={"x": "n", "C": "n"})
    with np.errstate(invalid="ignore"):
        assert np.isnan(d(x=np.full(3, -np.inf), C=np.zeros(3))).all()
        assert np.isnan(d(x=np.array([np.nan, 1.0]), C=np.zeros(2))).all()
        found = d(x=np.array([np.inf, 1.0]), C=np.zeros(2))
    assert np.isnan(found[0]) and found[1] == 0


def test_logsumexp_of_what_is_not_finite():
    value = derive("a*logsumexp(x)", wrt="a", shapes={"a": (), "x": "n"})
    for x in ([-np.inf, -np.inf], [np.inf, 1.0], [-np.inf, 2.0], [1e300, 1.0]):
        found = value(a=1.0, x=np.array(x))
        assert found == max(x), x
    assert np.isnan(value(a=1.0, x=np.array([np.nan, 1.0])))


@pytest.mark.parametrize("form", ["one array", "two"])
def test_the_kind_of_a_result_is_that_of_the_arguments(form):
    program = "exp(x)" if form == "one array" else "exp(x)*sum(w)"
    function = derive(program, wrt="x", shapes={"x": "n", "w": "p"} if "w" in program else None).compile()
    said = derive(program, wrt="x", shapes={"x": "n"}).source()
    assert f"dtype = _DOUBLE if x.dtype is{' w.dtype is' * ('w' in program)} _DOUBLE else" in said
    pairs = ("f4 f4", "f4 f8", "f8 f4", "i8 f4", "f8 f8", "f2 f4", ">f8 f8", "f8 >f8", "i1 ?", "g f8", "f8 g")
    for kinds in map(str.split, pairs):
        arrays = [np.ones(2, kind) for kind in kinds[: 1 if form == "one array" else 2]]
        assert function(*arrays).dtype == np.result_type(*arrays, np.float32)


SOFTENED = [
    ("logsumexp(z)", {"z": (5,)}, True),
    ("y = logsumexp(z); y*c", {"z": (5,), "c": ()}, True),
    ("l = logsumexp(Z, axis=0); l @ c", {"Z": (3, 5), "c": (5,)}, True),
    ("l = logsumexp(Z, axis=1); sum(c*l)*l[0]", {"Z": (3, 5), "c": (3,)}, False),
    ("l = logsumexp(z); exp(l)*sum(z)", {"z": (5,)}, False),
    ("l = logsumexp(2*z); sum(sin(z - l))", {"z": (5,)}, False),
]


def logsumexp(z, axis=None):
    return np.log(np.sum(np.exp(z), axis=axis))


@pytest.mark.parametrize("program, shapes, whole", SOFTENED, ids=[one[0] for one in SOFTENED])
def test_a_logsumexp_that_is_read_once_below_an_exponential_is_no_variable(program, shapes, whole):
    arrays = sample(shapes)
    wrt = next(iter(shapes))
    d = derive(program, wrt=wrt, shapes={"c": "p" if shapes.get("c") else ()} if "c" in shapes else None)
    assert ("_softmax" in lines(d) and " = _logsumexp(" not in lines(d)) == whole
    *names, last = (part.strip() for part in program.split(";"))

    def function(**given):
        space = {"logsumexp": logsumexp, "exp": np.exp, "sum": np.sum, "sin": np.sin, **given}
        for one in names:
            exec(one, space)
        return eval(last, space)

    right = numerical_jacobian(function, arrays, wrt)
    assert_close(d(**arrays), right, 1e-9)
    value, slope = d.compile(value=True)(*(arrays[name] for name in d.inputs))
    assert_close(value, function(**arrays))
    assert_close(slope, right, 1e-9)
    second = derive(d, wrt=wrt)
    assert_close(second(**arrays), numerical_jacobian(lambda **given: d(**given), arrays, wrt), 1e-8)


def test_the_diagonal_is_added_to_an_outer_product_in_its_memory():
    d = derive("logsumexp(z)", wrt="z", order=2)
    assert "result.reshape(-1)[::n + 1] += t1" in lines(d)
    z = sample({"z": (5,)})["z"]
    right = numerical_jacobian(derive("logsumexp(z)", wrt="z"), {"z": z}, "z")
    for given in (z, np.repeat(z, 2)[::2], z[::-1].copy()[::-1]):
        assert_close(d(given), right, 1e-9)


@pytest.mark.parametrize("order", "CF")
def test_an_array_that_takes_its_order_from_an_argument_is_not_written_as_memory(order):
    program = "f[i] = x[i]*A[i,j]*x[j]*c[j]"
    arrays = {
        name: np.asarray(a, order=order) for name, a in sample({"x": (5,), "A": (5, 5), "c": (5,)}).items()
    }
    value = lambda x, A, c: x * (A @ (x * c))
    d = derive(program, wrt="x")
    assert_close(d(**arrays), numerical_jacobian(value, arrays, "x"), 1e-9)
    turned = derive("f[i] = x[i]*A[j,i]*x[j]*c[j]", wrt="x")
    other = lambda x, A, c: x * (A.T @ (x * c))
    assert_close(turned(**arrays), numerical_jacobian(other, arrays, "x"), 1e-9)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "g"])
def test_a_sigmoid_of_one_exponential_is_right_at_both_ends(kind):
    """To a few roundings of the value itself, which is far below that of 1 on the left."""
    d = derive("sum(c*sigmoid(x))", wrt="c")
    assert "_sigmoid(x)" in lines(d)
    least = float(np.log(np.finfo(kind).tiny))
    x = np.concatenate([np.linspace(least, 100, 997), np.linspace(max(least, -30), 30, 61)]).astype(kind)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = d(c=x, x=x)
        far = d.compile()(x[:3], np.array([-np.inf, np.inf, np.nan], kind))
    exact = x.astype("g")
    right = np.where(exact < 0, np.exp(np.minimum(exact, 0)), 1) / (1 + np.exp(-np.abs(exact)))
    assert found.dtype == kind
    assert np.all(np.abs(found - right) <= 4 * np.finfo(kind).eps * right)
    assert far[:2].tolist() == [0, 1] and np.isnan(far[2])


@pytest.mark.parametrize("kind", ["?", "i1", "u1", "i8"])
def test_a_sigmoid_of_whole_numbers_is_that_of_floats(kind):
    function = derive("sum(c*sigmoid(x))", wrt="c").compile()
    x = np.array([0, 1, 5, 12, 100]).astype(kind)
    right = 1 / (1 + np.exp(-x.astype(float)))
    found = function(np.ones(5), x)
    assert found.dtype == float
    assert_close(found, right, 1e-15)


@pytest.mark.parametrize("n", [2, 5, 20_000])
def test_products_with_a_sigmoid_have_the_slope_of_differences(n):
    x = np.linspace(-40, 40, n)
    d = derive("sum(c*sigmoid(x)**2)", wrt="x")
    s = 1 / (1 + np.exp(-x))
    for sizes in ({}, {"n": n}):
        assert_close(d.compile(sizes=sizes)(x, x), 2 * x * s * s * (1 / (1 + np.exp(x))), 1e-12)


@pytest.mark.parametrize(
    ("program", "wrt"),
    [
        ("y = sum(softmax(_softmax))", "_softmax"),
        ("_sigmoid = exp(x); y = sum(sigmoid(_sigmoid))", "x"),
        ("y = exp(_DOUBLE)", "_DOUBLE"),
    ],
)
def test_names_of_helpers_are_refused(program, wrt):
    with pytest.raises(EinsumDiffError, match="is a name in generated source"):
        derive(program, wrt=wrt).compile()
