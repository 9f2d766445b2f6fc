"""Every form of a derivative holds the same numbers: dense, sparse, operator, compressed, into a buffer."""

import copy
import pickle
import re
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from acceptance import cookbook
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, NameFault, ShapeFault, Unsupported, ValueFault, derive

sparse = pytest.importorskip("scipy.sparse", reason="SciPy is an extra")

SIZES = {"l": 2, "m": 3, "n": 5, "p": 7, "q": 2}
SHAPES = {
    "x": "n",
    "z": "n",
    "u": "m",
    "v": "n",
    "w": "q",
    "t": "m",
    "a": "",
    "c": "",
    "A": "m n",
    "B": "n p",
    "M": "m n",
    "S": "n n",
    "R": "n n",
    "D": "m n",
    "U": "m q",
    "V": "n q",
    "K": "l m n",
    "G": "q q",
    "X": "m n",
    "Y": "n p",
    "Q": "m m",
}
PLACES = {"at": ("p", "n"), "by": ("p", "n"), "on": ("p", "m")}
"""Index vectors: their size, and that of the axis where they hold places."""

FIRST = [
    # diagonals, blocks, Kronecker and outer products
    ("exp(x)", "x"),
    ("exp(X)", "X"),
    ("a*x", "x"),
    ("a*c*x", "x"),
    ("a*x", "a"),
    ("sin(a)", "a"),
    ("x + 1", "x"),
    ("z*2", "x"),
    ("sum(X*M)", "X"),
    ("A @ x", "x"),
    ("A @ x", "A"),
    ("A @ B", "A"),
    ("A @ B", "B"),
    ("Q @ X @ B", "X"),
    ("Q @ X @ S + 2*X", "X"),
    ("outer(u, x)", "x"),
    ("outer(u, x)", "u"),
    ("u @ A @ x", "A"),
    ("X.T", "X"),
    ("S + S.T", "S"),
    ("S @ S", "S"),
    ("trace(S @ R)", "S"),
    ("inv(S)", "S"),
    ("softmax(x)", "x"),
    ("softmax(X)", "X"),
    ("log_softmax(x)", "x"),
    ("x/sum(x**2)", "x"),
    ("tanh(A @ x)", "x"),
    ("tanh(A @ x)", "A"),
    ("X*x", "X"),
    ("X*x", "x"),
    ("sum(X, axis=0)", "X"),
    ("sum(K*K, axis=1)", "K"),
    ("mean(X)", "X"),
    ("kron(A, G)", "G"),
    ("kron(A, G)", "A"),
    ("x[:, None] - z", "x"),
    ("y[i,j] = x[i] - x[j]", "x"),
    ("diag(x)", "x"),
    ("diag(S)", "S"),
    ("y[i] = S[i,i]**2", "S"),
    # bands, windows, triangles, joints
    ("y[i] = x[i+1] - x[i]", "x"),
    ("y[i] = x[i+2] - 2*x[i+1] + x[i]", "x"),
    ("y[i] = x[i+k]*w[k]", "x"),
    ("y[i] = x[i+k]*w[k]", "w"),
    ("y[i] = x[2*i+k]*w[k]", "x"),
    ("Z[i,j] = X[i+k,j+l]*G[k,l]", "X"),
    ("Z[i,j] = X[i+k,j+l]*G[k,l]", "G"),
    ("x[::-1]", "x"),
    ("x[:-1]**2", "x"),
    ("x[::2]", "x"),
    ("diff(x)", "x"),
    ("cumsum(x**2)", "x"),
    ("cumprod(x)", "x"),
    ("prod(x)", "x"),
    ("tril(S)", "S"),
    ("triu(S, 1)*2", "S"),
    ("concatenate([x, 2*z, x*z])", "x"),
    ("stack([x, z])", "x"),
    ("reshape(X, (m*n,))", "X"),
    ("pad(x, 1)", "x"),
    ("convolve(x, w)", "x"),
    ("tile(x, 2)", "x"),
    ("repeat(x, 3)", "x"),
    ("x[0]*x", "x"),
    ("X[:, 0]", "X"),
    # places in index arrays
    ("x[at]", "x"),
    ("x[at]*z[at]", "x"),
    ("sum(x[at]**2)", "x"),
    ("x[at]*x[by]", "x"),
    ("y[i] = A[on[i],at[i]]", "A"),
    ("A[:, at]", "A"),
    ("A[on]*x", "A"),
    ("one_hot(at, n) @ x", "x"),
    ("x[at][1:]", "x"),
    # masks and selections
    ("where(x > 0, x**2, -x)", "x"),
    ("relu(A @ x)", "x"),
    ("maximum(x, z)", "x"),
    ("max(x)", "x"),
    ("max(X, axis=1)", "X"),
]

SECOND = [
    ("sum(exp(x))", "x"),
    ("sum((D - U @ V.T)**2)", "U"),
    ("sum((D - U @ V.T)**2)", "V"),
    ("sum(M*(D - U @ V.T)**2)", "U"),
    ("logsumexp(x)", "x"),
    ("sum((A @ x - t)**2)", "x"),
    ("sum(exp(A @ x))", "x"),
    ("sum(A @ x)", "x"),
    ("x @ S @ x", "x"),
    ("trace(S @ S @ R)", "S"),
    ("log(sum(x**2))", "x"),
    ("sum(x*z)**2", "x"),
    ("sum(X**3)", "X"),
    ("sum(softmax(x)*z)", "x"),
    ("sum(x[at]**3)", "x"),
    ("sum(x[at]*x[by])", "x"),
    ("sum((A[on] @ x)**2)", "A"),
    ("y[i] = x[i+1]*x[i]**2", "x"),
    ("sum(cumsum(x)**2)", "x"),
    ("prod(x)", "x"),
    ("sum(sqrt(1 + x**2))", "x"),
    ("exp(a)", "a"),
    ("sum(tanh(A @ x)**2)", "A"),
    ("sum(where(x > 0, x**3, 0))", "x"),
    ("sum((Q @ X)**2)", "X"),
    ("exp(x)", "x"),
]

TABLE = [(*row, 1) for row in FIRST] + [(*row, 2) for row in SECOND]
OTHER_SIZES = [dict.fromkeys(SIZES, 1), {**SIZES, "m": 0}, {**SIZES, "n": 0}, {**SIZES, "n": 2, "p": 3}]


def derived(program, wrt, order):
    shapes = {**SHAPES, **{name: size for name, (size, _) in PLACES.items()}}
    names = set(re.findall(r"\w+", program)) | {wrt}
    absent = wrt not in re.findall(r"\w+", program)
    text = f"{wrt}: ({shapes[wrt].replace(' ', ', ')},)\n{program}" if absent else program
    return derive(text, wrt, order=order, shapes={name: shapes[name] for name in names & set(shapes)})


def arrays(d, sizes):
    random = np.random.default_rng(3)
    shapes = {name: tuple(sizes[s] for s in SHAPES[name].split()) for name in d.inputs if name in SHAPES}
    found = sample(shapes)
    for name in d.inputs:
        if name in PLACES:
            count, along = (sizes[one] for one in PLACES[name])
            found[name] = random.integers(0, along, count if along else 0)
    return {name: found[name] for name in d.inputs}


def volume(shape):
    return int(np.prod(shape, dtype=int))


def matrix(d, dense):
    """The dense derivative as a matrix: the axes of the last wrt are its columns."""
    rank = len(SHAPES[d.wrt[-1]].split())
    rows = dense.shape[: dense.ndim - rank]
    return dense.reshape(volume(rows), volume(dense.shape[dense.ndim - rank :])), rows


def hold(d, given, tol=1e-11):
    """All forms agree with the dense one at these arrays."""
    dense = d(**given)
    flat, rows = matrix(d, dense)
    columns = dense.shape[len(rows) :]
    random = np.random.default_rng(1)
    right, left = random.standard_normal((flat.shape[1], 2)), random.standard_normal((flat.shape[0], 2))
    if dense.ndim:
        array = d.compile(form="sparse")(**given)
        assert array.shape == dense.shape and array.dtype == dense.dtype
        places = list(zip(*array.coords, strict=True))
        assert len(set(places)) == len(places), "duplicates are summed"
        assert_close(array.toarray(), dense, tol)
    csr = d.compile(form="sparse", as_matrix=True)(**given)
    assert csr.format == "csr"
    assert_close(csr.toarray(), flat, tol)

    operator = d.compile(form="operator")(**given)
    assert operator.shape == flat.shape and operator.dtype == dense.dtype
    assert_close(operator.matvec(right[:, 0]), flat @ right[:, 0], tol)
    assert_close(operator.matvec(right[:, :1]), flat @ right[:, :1], tol)
    assert_close(operator.rmatvec(left[:, 0]), flat.T @ left[:, 0], tol)
    assert_close(operator.matmat(right), flat @ right, tol)
    assert_close(operator.rmatmat(left), flat.T @ left, tol)

    kept = d.compile(form="compressed")(**given)
    assert kept.shape == dense.shape and kept.dtype == dense.dtype
    assert_close(kept.dense(), dense, tol)
    assert_close(kept.T.dense().reshape(flat.T.shape), flat.T, tol)
    assert_close(kept.sparse(as_matrix=True).toarray(), flat, tol)
    assert_close(kept @ right, flat @ right, tol)
    assert_close((kept @ right[:, 0].reshape(columns)).ravel(), flat @ right[:, 0], tol)
    assert_close(kept.T @ left, flat.T @ left, tol)
    assert_close(kept.operator().rmatmat(left), flat.T @ left, tol)
    if rows == columns:
        assert_close(kept.diag(), np.diagonal(flat).reshape(rows), tol)
        assert_close(kept.trace(), np.trace(flat), tol)

    for out_is_zero in (False, True):
        buffer = np.zeros(dense.shape) if out_is_zero else np.full(dense.shape, np.nan)
        assert d(**given, out=buffer, out_is_zero=out_is_zero) is not None
        assert_close(buffer, dense, tol)
    buffer *= 3  # what an earlier call wrote is written again, or zeroed before something is added to it
    d(**given, out=buffer, out_is_zero=True)
    assert_close(buffer, dense, tol)
    assert_close(d.compile(copy=False)(**given), dense, tol)


@pytest.mark.parametrize(("program", "wrt", "order"), TABLE)
def test_all_forms_hold_the_same_numbers(program, wrt, order):
    d = derived(program, wrt, order)
    hold(d, arrays(d, SIZES))


@pytest.mark.parametrize(("program", "wrt", "order"), TABLE)
def test_all_forms_agree_at_sizes_of_1_and_0(program, wrt, order):
    d = derived(program, wrt, order)
    held = 0
    for sizes in OTHER_SIZES:
        given = arrays(d, sizes)
        with np.errstate(divide="ignore", invalid="ignore"):
            try:
                d(**given)
            except EinsumDiffError:  # a kernel longer than its input, a place that is not there
                continue
            value, dense = d.compile(value=True)(**given)
            if np.all(np.isfinite(value)) and np.all(np.isfinite(dense)):  # not the mean of nothing
                hold(d, given)
                held += 1
    assert held


@pytest.mark.parametrize("row", cookbook.ROWS, ids=[f"{one.number} {one.program}" for one in cookbook.ROWS])
def test_all_forms_of_the_matrix_cookbook(row):
    d = derive(row.program, wrt=row.wrt, shapes=row.shapes, order=row.order)
    given = row.arrays
    dense = d(**given)
    rank = np.ndim(given[row.wrt])
    flat = dense.reshape(volume(dense.shape[: dense.ndim - rank]), -1)
    assert_close(d.compile(form="sparse", as_matrix=True)(**given).toarray(), flat, 1e-10)
    assert_close(d.compile(form="compressed")(**given).dense(), dense, 1e-10)
    operator = d.compile(form="operator")(**given)
    assert_close(operator.matmat(np.eye(flat.shape[1])), flat, 1e-10)
    assert_close(operator.rmatmat(np.eye(flat.shape[0])), flat.T, 1e-10)


@pytest.mark.parametrize(("program", "wrt"), FIRST[::4])
def test_a_form_is_the_slope_of_the_value(program, wrt):
    d = derived(program, wrt, 1)
    given = arrays(d, SIZES)
    f = d.compile(form="sparse", as_matrix=True, value=True)
    value, slope = f(**given)
    numbers = {name: one for name, one in given.items() if name not in PLACES}
    fixed = {name: one for name, one in given.items() if name in PLACES}
    numerical = numerical_jacobian(lambda **now: f(**now, **fixed)[0], numbers, wrt)
    assert_close(slope.toarray(), numerical.reshape(volume(np.shape(value)), -1), 1e-7)


SOLVED = [
    # a diagonal
    ("exp(x)", "x", 1),
    ("sum(exp(X))", "X", 2),
    ("a*x", "x", 1),
    ("sin(a)", "a", 1),
    # blocks, one for all and one each
    ("sum((D - U @ V.T)**2)", "U", 2),
    ("sum((D - U @ V.T)**2)", "V", 2),
    ("sum(M*M*(D - U @ V.T)**2) + sum(U**2)", "U", 2),
    ("S @ X.T", "X", 1),
    ("softmax(X) + X", "X", 1),
    ("X[:, None, :]**2", "X", 1),
    # Kronecker products
    ("Q @ X @ S", "X", 1),
    ("3*S.T @ R @ S", "R", 1),
    ("X.T", "X", 1),
    ("X @ S + X @ R", "X", 1),
    # a diagonal, or blocks, and outer products
    ("softmax(x) + x", "x", 1),
    ("logsumexp(x) + sum(x**2)", "x", 2),
    ("sum(x**4) + sum(x*z)**2 + sum(x)**2", "x", 2),
    ("a*outer(z, v) @ x + x**3", "x", 1),
    ("sum(X**4) + sum(X*M)**2", "X", 2),
    ("sum((D - U @ V.T)**2) + sum(U*U)**2", "U", 2),
]


@pytest.mark.parametrize(("program", "wrt", "order"), SOLVED)
def test_equations_are_solved_as_by_the_dense_matrix(program, wrt, order):
    d = derived(program, wrt, order)
    given = arrays(d, SIZES)
    dense = d(**given)
    flat, rows = matrix(d, dense)
    kept = d.compile(form="compressed")(**given)
    b = np.random.default_rng(5).standard_normal((flat.shape[0], 3))
    expected = np.linalg.solve(flat, b)
    assert_close(kept.solve(b), expected, 1e-8)
    assert_close(kept.solve(b[:, 0]), expected[:, 0], 1e-8)
    assert_close(kept.solve(b[:, 0].reshape(rows)).ravel(), expected[:, 0], 1e-8)
    assert_close(kept.T.solve(b), np.linalg.solve(flat.T, b), 1e-8)


@pytest.mark.parametrize(
    ("program", "wrt", "order", "message"),
    [
        ("A @ x", "x", 1, "square matrix, and this is 3 by 5"),
        ("S @ x", "x", 1, "the derivative is dense"),
        ("sum(exp(S @ x))", "x", 2, "the derivative is dense"),
        ("z*2", "x", 1, "is zero"),
        ("cumsum(x)", "x", 1, "shifted, guarded"),
        ("Q @ X @ S + 2*X", "X", 1, "the derivative is dense"),
        ("X*X[0, 0]", "X", 1, "shifted, guarded"),
    ],
)
def test_solve_is_refused_with_a_reason(program, wrt, order, message):
    d = derived(program, wrt, order)
    with pytest.raises(Unsupported, match=message):
        kept = d.compile(form="compressed")(**arrays(d, SIZES))
        kept.solve(np.ones(volume(kept.rows)))


@pytest.mark.parametrize(("program", "wrt"), [("x**2", "x"), ("sum(x)**2 + sum(z)", "x")])
def test_a_singular_matrix_has_no_solution(program, wrt):
    d = derived(program, wrt, 1)
    given = {name: np.zeros(3) for name in d.inputs}
    kept = d.compile(form="compressed")(**given)
    with pytest.raises((np.linalg.LinAlgError, Unsupported)):
        kept.solve(np.ones(volume(kept.rows)))


def test_digits_that_woodbury_would_lose_are_not_returned():
    """Without the outer product the matrix is singular, or nearly so; with it it is not."""
    d = derive("sum(x**4) + sum(x*z)**2", "x", order=2)
    for tiny in (0.0, 1e-30, 1e-9, 1e-4):
        given = {"x": np.array([1.0, tiny, -2.0]), "z": np.array([1.0, 2.0, 3.0])}
        kept, dense = d.compile(form="compressed")(**given), d(**given)
        b = np.array([1.0, 2.0, -1.0])
        try:
            assert_close(dense @ kept.solve(b), b, 1e-7)
        except np.linalg.LinAlgError as error:
            assert tiny < 1e-4 and "singular" in str(error).lower()


def test_only_a_square_matrix_has_a_diagonal():
    kept = derive("A @ x", "x").compile(form="compressed")(*sample({"A": (2, 3), "x": (3,)}).values())
    with pytest.raises(Unsupported, match="square"):
        kept.diag()
    with pytest.raises(ValueError, match=r"shape \(2,\) does not fit the columns"):
        kept @ np.ones(2)


@pytest.mark.parametrize("form", ["dense", "sparse", "operator", "compressed"])
@pytest.mark.parametrize(
    ("program", "wrt"), [("softmax(x)", "x"), ("y[i] = x[i+k]*w[k]", "x"), ("A @ B", "A"), ("cumsum(x)", "x")]
)
def test_the_source_of_a_form_is_self_contained(form, program, wrt):
    d = derived(program, wrt, 1)
    given = arrays(d, SIZES)
    text = d.source(form=form, as_matrix=form == "sparse")
    assert "einsumdiff" not in text.replace("Generated", "")
    space = {"__name__": "elsewhere"}
    exec(text, space)
    found = space["dy_dx" if wrt == "x" else "dy_dA"](**given)
    flat, _ = matrix(d, d(**given))
    if form == "dense":
        assert_close(found.reshape(flat.shape), flat)
    else:
        assert_close(found @ np.eye(flat.shape[1]), flat)


@pytest.mark.parametrize("form", ["sparse", "operator", "compressed"])
def test_several_derivatives_are_a_dictionary_and_share_their_work(form):
    d = derive("sum((D - U @ V.T)**2)", wrt=["U", "V"], order=2)
    given = sample({"D": (3, 5), "U": (3, 2), "V": (5, 2)})
    value, found = d.compile(form=form, value=True)(**given)
    assert_close(value, np.sum((given["D"] - given["U"] @ given["V"].T) ** 2))
    for key, dense in d(**given).items():
        flat = dense.reshape(given[key[0]].size, -1)
        one = found[key]
        assert_close(
            one.toarray().reshape(flat.shape) if form == "sparse" else one @ np.eye(flat.shape[1]), flat
        )


def test_several_derivatives_are_written_into_a_dictionary_of_buffers():
    d = derive("sum((D - U @ V.T)**2)", wrt=["U", "V"], order=2)
    given = sample({"D": (3, 5), "U": (3, 2), "V": (5, 2)})
    dense = d(**given)
    out = {key: np.full(one.shape, 5.0) for key, one in dense.items()}
    for out_is_zero in (False, True):
        found = d(**given, out=out, out_is_zero=out_is_zero)
        for key, one in dense.items():
            assert found[key] is out[key]
            assert_close(out[key], one)
    with pytest.raises(ValueFault, match="dictionary"):
        d(**given, out=out["U", "U"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("program", ["softmax(x)*2", "x[::-1]/3", "relu(x)", "cumsum(x**2)"])
def test_a_form_keeps_the_kind_of_the_arrays(program, dtype):
    d = derive(program, "x")
    x = sample({"x": (5,)})["x"].astype(dtype)
    assert d.compile(form="sparse")(x).dtype == dtype
    assert d.compile(form="compressed")(x).dense().dtype == dtype
    assert d.compile(form="operator")(x).dtype == dtype
    out = np.zeros((5, 5), dtype)
    assert d(x, out=out) is out and out.any()


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros((3, 2)), ShapeFault, r"shape \(3, 2\), the derivative has \(3, 3\)"),
        (np.zeros((3, 3), "float32"), ValueFault, "float32, the derivative is of float64"),
        (np.zeros((3, 3), int), ValueFault, "int64"),
        ([[0.0]], ValueFault, "no array"),
        (np.broadcast_to(0.0, (3, 3)), ValueFault, "no array that can be written"),
    ],
)
def test_a_buffer_that_does_not_fit_is_refused(out, error, message):
    with pytest.raises(error, match=message):
        derive("exp(x)", "x")(np.ones(3), out=out)


def test_a_buffer_is_not_one_of_the_arguments():
    X = np.ones((3, 3))
    with pytest.raises(ValueFault, match="shares memory"):
        derive("sum(X**2)", "X")(X, out=X)
    with pytest.raises(ValueFault, match="there is none"):
        derive("exp(x)", "x")(np.ones(3), out_is_zero=True)


def test_no_two_buffers_share_memory():
    u, v = np.array([1.0, -2.0, 3.0]), np.array([0.5, 4.0, -1.0])
    d = derive("sum(u**2) + sum(v**3)", ["u", "v"])
    one, four = np.zeros(3), np.zeros(4)
    for buffers in ((one, one), (four[:3], four[1:])):
        with pytest.raises(ValueFault, match=r"out\['v'\] shares memory with out\['u'\]"):
            d(u, v, out=dict(zip("uv", buffers, strict=True)))
    six = np.zeros(6)
    d(u, v, out={"u": six[::2], "v": six[1::2]})
    assert_close(six, np.ravel([2 * u, 3 * v**2], order="F"))
    H, zero = np.zeros((6, 6)), np.zeros((3, 3))
    blocks = {("u", "u"): H[:3, :3], ("u", "v"): H[:3, 3:], ("v", "u"): H[3:, :3], ("v", "v"): H[3:, 3:]}
    derive("sum(u**2) + sum(v**3)", ["u", "v"], order=2)(u, v, out=blocks)
    assert_close(H, np.block([[2 * np.eye(3), zero], [zero, np.diag(6 * v)]]))


def test_out_may_be_the_name_of_an_input():
    d = derive("out**2", "out")
    assert np.array_equal(d(out=np.array([1.0, 2.0])), np.diag([2.0, 4.0]))
    with pytest.raises(NameFault, match="out is an input"):
        d.compile(out=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "spars"}, 'write form="sparse"'),
        ({"form": "dense", "as_matrix": True}, 'ask for form="sparse"'),
        ({"form": "sparse", "out": True}, "out= is a buffer"),
        ({"out": True, "copy": False}, "leave one"),
        ({"target": "fortran"}, "numpy"),
    ],
)
def test_options_that_are_not_there_or_do_not_fit_are_refused(options, message):
    with pytest.raises(EinsumDiffError, match=message):
        derive("exp(x)", "x").compile(**options)


@pytest.mark.parametrize("form", ["sparse", "operator", "compressed"])
@pytest.mark.parametrize(
    "name", ["Core", "matvec", "Compressed", "LinearOperator", "sparse", "prod", "result"]
)
def test_names_of_a_source_are_free_for_definitions_and_refused_for_inputs(form, name):
    d = derive(f"{name} = exp(x); y = {name}*x", "x")
    x = np.array([0.5, 2.0, -1.0])
    assert_close(d.compile(form=form, value=True)(x)[1] @ np.eye(3), d(x))
    d = derive(f"x**2*{name}", "x", shapes={"x": "n", name: "n"})
    try:
        found = d.compile(form=form)(**{"x": x, name: x})
    except NameFault:
        return
    assert_close(found @ np.eye(3), d(**{"x": x, name: x}))


def test_a_compressed_result_finds_its_patterns_when_it_is_asked():
    """A call computes the numbers; kinds, cores and places are found later, and only once."""
    text = derive("sum((D - U @ V.T)**2)", "U", order=2).source(form="compressed")
    body = text[text.index("\ndef d2") :]
    assert "result_type" not in body and "Core(" not in body and "@" in body
    space = {}
    exec(text, space)
    given = sample({"D": (3, 5), "U": (3, 2), "V": (5, 2)})
    kept = space["d2y_dU_dU"](*given.values())
    counted = []
    made, *parts = kept._made
    kept._made = (lambda *all: counted.append(1) or made(*all), *parts)
    assert kept.shape == (3, 2, 3, 2) and kept.split == 2 and kept.dtype == float and len(kept.cores) == 1
    assert counted == [1]
    with pytest.raises(AttributeError, match="no attribute 'size'"):
        kept.size  # noqa: B018


def test_a_compressed_result_keeps_no_argument():
    """Neither the large array whose kind it needs, nor a number that somebody may change."""
    d = derive("y[i] = c*x[i+1] + sum(A)*x[i]", "x", shapes={"x": "n", "A": "m n", "c": ""})
    given = {"c": np.array(0.5), "x": np.ones(5), "A": np.ones((3, 5))}
    alive = weakref.ref(given["A"])
    dense = d(**given)
    kept = d.compile(form="compressed")(**{name: given[name] for name in d.inputs})
    given["c"][...] = 7.0
    del given["A"]
    assert alive() is None
    assert_close(kept.dense(), dense)


@pytest.mark.parametrize("asked", [False, True])
def test_a_compressed_result_is_pickled_and_copied(asked):
    d = derive("y[i] = x[i+1]*x[i]**2", "x", order=2)
    given = sample({"x": (5,)})
    kept = d.compile(form="compressed")(**given)
    if asked:
        assert kept.shape == (4, 5, 5)
    for other in (pickle.loads(pickle.dumps(kept)), copy.copy(kept), copy.deepcopy(kept)):
        assert other.shape == kept.shape and other.dtype == kept.dtype
        assert_close(other.dense(), d(**given))


def test_a_compressed_result_may_be_asked_by_several_threads_first():
    d = derive("softmax(x)", "x")
    x = sample({"x": (7,)})["x"]
    f, dense = d.compile(form="compressed"), d(x)
    with ThreadPoolExecutor(8) as threads:
        for _ in range(50):
            kept = f(x)
            for found in threads.map(lambda _, kept=kept: kept.dense(), range(8)):
                assert_close(found, dense)


@pytest.mark.parametrize(
    ("program", "cores"),
    [
        ("y[i] = 1 + x[i+1]**2*z[i+1] - 4*x[i+1] + c*(x[i] - 2*x[i+1] + x[i+2])", 3),
        ("Y[i,j] = 4*X[i+1,j+1] - X[i,j+1] - X[i+2,j+1] - X[i+1,j] - c*exp(X[i+1,j+1])", 4),
        ("y[i] = 3*x[i+1] + c*x[i+1] - a*x[i+1]", 1),
        ("y[i,j] = x[i]*u[j] + 3*x[i]", 2),
        ("z*x + 3*x + c*x", 1),
    ],
)
def test_constants_on_one_pattern_are_added_up(program, cores):
    wrt = "X" if "X" in program else "x"
    shapes = {"X": "k n"} if wrt == "X" else {}
    names = set(re.findall(r"[a-zA-Z]\w*", program)) & set(SHAPES) - {"X"} - ({"y"} if wrt == "x" else {"Y"})
    d = derive(program, wrt, shapes={**{name: SHAPES[name] for name in names}, **shapes})
    given = sample({**{n: tuple(SIZES[s] for s in SHAPES[n].split()) for n in names}, "X": (7, 5)})
    given = {name: given[name] for name in d.inputs}
    kept = d.compile(form="compressed")(**given)
    assert len(kept.cores) == cores
    value = d.compile(value=True)
    numerical = numerical_jacobian(lambda **now: value(**now)[0], given, wrt)
    assert_close(kept.dense(), numerical, 1e-7)
    flat = d(**given).reshape(-1, given[wrt].size)
    v = np.linspace(-1, 2, given[wrt].size)
    assert_close(kept @ v, flat @ v)


def test_a_number_has_no_sparse_array_but_a_matrix():
    d = derive("sin(a)", "a", shapes={"a": ""})
    with pytest.raises(Unsupported, match="as_matrix=True"):
        d.source(form="sparse")
    assert d.compile(form="sparse", as_matrix=True)(0.0).toarray().tolist() == [[1.0]]


def test_an_older_scipy_without_sparse_arrays_of_more_axes_is_named(monkeypatch):
    def coo_array(data, shape):
        raise ValueError("coords must be 2-D")

    monkeypatch.setattr(sparse, "coo_array", coo_array)
    with pytest.raises(Unsupported, match="as_matrix=True"):
        derive("exp(X)", "X").compile(form="sparse")(np.ones((2, 3)))


def test_a_copy_is_not_made_where_none_is_asked_for():
    X, W = np.ones((2, 3)), np.zeros((2, 3))
    f = derive("sum(W*X)", "W").compile(copy=False)
    found = f(W=W, X=X)
    assert np.shares_memory(found, X) and not found.flags.writeable and X.flags.writeable
    assert not np.shares_memory(derive("sum(W*X)", "W").compile()(W=W, X=X), X)


@pytest.mark.parametrize(
    ("program", "shapes"),
    [
        ("sum(w*x)", {"w": (3,), "x": (3,)}),
        ("sum(w*x[1:])", {"w": (2,), "x": (3,)}),
        ("sum(w*x[::-1])", {"w": (3,), "x": (3,)}),
        ("sum(w*x.T)", {"w": (2, 3), "x": (3, 2)}),
        ("sum(w*x[:, 0])", {"w": (3,), "x": (3, 2)}),
        ("sum(w*x[:, None])", {"w": (3, 5), "x": (3,)}),
        ("w*x", {"w": (), "x": ()}),
        ("w*x[1]", {"w": (), "x": (3,)}),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
@pytest.mark.parametrize("check", [False, True])
def test_a_view_cannot_be_written_into_and_leaves_the_argument_as_it_is(program, shapes, check):
    given = sample(shapes)
    found = derive(program, "w", shapes=shapes).compile(copy=False, check=check)(**given)
    right = derive(program, "w", shapes=shapes)(**given)
    assert_close(found, right, 1e-15)
    assert not found.flags.writeable and np.shape(found) == np.shape(right)
    assert all(array.flags.writeable for array in given.values() if isinstance(array, np.ndarray))


@pytest.mark.parametrize("form", ["operator", "compressed", "sparse"])
@pytest.mark.parametrize(
    "program",
    [
        *(
            "z*x",
            "y = z; w = y*x",
            "z[::-1]*x",
            "sum(z*x)*x",
            "exp(x)",
            "c*x",
            "z*x[at]*x",
            "y = x**2; exp(y)*y",
        )
    ],
)
def test_a_form_does_not_change_with_its_inputs(form, program):
    shapes = {"x": "n", "z": "n", "at": "n", "c": ""}
    d = derive(program, "x", shapes={name: one for name, one in shapes.items() if name in program})
    given = sample({"x": (5,), "z": (5,), "c": ()}) | {"at": np.array([1, 4, 0, 0, 2])}
    given = {name: np.asarray(given[name]) for name in d.inputs}
    expected = d(**given)
    found = d.compile(form=form, value=True)(**given)
    assert_close(found[1] @ np.eye(5), expected)
    found[0][...] = 9
    for one in given.values():
        one[...] = 3
    assert_close(found[1] @ np.eye(5), expected)


def test_a_compressed_object_is_pickled_and_says_what_it_keeps():
    given = sample({"D": (30, 50), "U": (30, 5), "V": (50, 5)})
    kept = derive("sum((D - U @ V.T)**2)", "U", order=2).compile(form="compressed")(**given)
    assert kept.stored == 25 and repr(kept) == "<Compressed (30, 5, 30, 5): 25 numbers of 22500>"
    assert_close(pickle.loads(pickle.dumps(kept)).dense(), kept.dense())
    outer = derive("u @ A @ x", "A", shapes={"u": "m", "x": "n"}).compile(form="compressed")
    assert outer(u=np.ones(30), A=np.ones((30, 50)), x=np.ones(50)).stored == 80


def test_what_does_not_depend_on_the_vector_is_computed_once():
    text = derive("sum((D - U @ V.T)**2)", "U", order=2).source(form="operator")
    assert text.count("V.T @ V") == 1 and text.index("V.T @ V") < text.index("def matvec")
    assert "A @ (B @ v1)" in derive("A @ B @ x", "x").source(form="operator")


def test_a_diagonal_of_a_million_is_kept_in_the_memory_of_its_numbers():
    n = 10**6
    d = derive("exp(x)", "x")
    x = np.linspace(-1, 1, n)
    v = np.ones(n)
    uses = {
        "sparse": lambda: d.compile(form="sparse", as_matrix=True)(x) @ v,
        "sparse array": lambda: d.compile(form="sparse")(x).sum(),
        "operator": lambda: d.compile(form="operator")(x) @ v,
        "compressed": lambda: d.compile(form="compressed")(x) @ v,
        "diag": lambda: d.compile(form="compressed")(x).diag(),
        "solve": lambda: d.compile(form="compressed")(x).solve(v),
    }
    for what, use in uses.items():
        use()  # modules are loaded
        tracemalloc.start()
        try:
            use()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak <= 10 * n * 8, f"{what} takes {peak / n / 8:.1f} numbers for each"
