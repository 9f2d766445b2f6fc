"""Index arrays: the value is NumPy's, the derivative scatters, and both are printed and read."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian
from scipy import special

from einsumdiff import EinsumDiffError, derive, read

RANDOM = np.random.default_rng(5)
K = np.array([0, 2, 1, 0, 2])
PAIRS = np.array([[0, 1], [2, 2]])
ROWS = np.array([3, 0, 1])
x, z = RANDOM.standard_normal((2, 3))
A, B = RANDOM.standard_normal((3, 4)), RANDOM.standard_normal((4, 3))
T = RANDOM.standard_normal((2, 3, 4))
w, v = RANDOM.standard_normal(4), RANDOM.standard_normal(5)
X = RANDOM.standard_normal((5, 3))
COLUMNS = np.array([3, 0, 1, 1, 2])


def cross_entropy(X, A, k):
    return -np.sum(special.log_softmax(X @ A, axis=1)[np.arange(5), k])


CASES = [
    ("y[i] = x[k[i]]", "x", {"k": K, "x": x}, lambda k, x: x[k], {}),
    ("y = x[k]**2", "x", {"x": x, "k": K}, lambda x, k: x[k] ** 2, {"k": "p"}),
    ("y = sum(x[k]**3)", "x", {"x": x, "k": K}, lambda x, k: np.sum(x[k] ** 3), {"k": "p"}),
    ("y = A[k]**2*w", "A", {"A": A, "k": K, "w": w}, lambda A, k, w: A[k] ** 2 * w, {"k": "p"}),
    ("y = sum(A[k]**2*w)", "A", {"A": A, "k": K, "w": w}, lambda A, k, w: np.sum(A[k] ** 2 * w), {"k": "p"}),
    (
        "y = tanh(B[:, k]) @ v",
        "B",
        {"B": B, "k": K, "v": v},
        lambda B, k, v: np.tanh(B[:, k]) @ v,
        {"k": "p"},
    ),
    (
        "y = A[k, j]*v",
        "A",
        {"A": A, "k": K, "j": COLUMNS, "v": v},
        lambda A, k, j, v: A[k, j] * v,
        {"k": "p", "j": "p"},
    ),
    (
        "y = sum(A[arange(3), k]**2)",
        "A",
        {"A": A, "k": ROWS},
        lambda A, k: np.sum(A[np.arange(3), k] ** 2),
        {"k": "3", "A": "3 4"},
    ),
    ("y[i] = A[i,k[i]]**2", "A", {"A": A, "k": ROWS}, lambda A, k: A[np.arange(3), k] ** 2, {}),
    ("-sum[i](log_softmax(X @ A)[i,k[i]])", "A", {"X": X, "A": A, "k": COLUMNS}, cross_entropy, {}),
    ("y = take(A, k, axis=1)**2", "A", {"A": A, "k": K}, lambda A, k: np.take(A, k, axis=1) ** 2, {}),
    ("y = A[P]**2", "A", {"A": A, "P": PAIRS}, lambda A, P: A[P] ** 2, {"P": "a b"}),
    ("y = A[0, k]", "A", {"A": A, "k": K}, lambda A, k: A[0, k], {"k": "p"}),
    ("y = T[0, :, k]", "T", {"T": T, "k": K}, lambda T, k: T[0, :, k], {"k": "p", "T": "a b c"}),
    ("y = T[:, 0, k]**2", "T", {"T": T, "k": K}, lambda T, k: T[:, 0, k] ** 2, {"k": "p", "T": "a b c"}),
    (
        "y = T[k[:2], 1:]",
        "T",
        {"T": T, "k": np.array([1, 0, 0])},
        lambda T, k: T[k[:2], 1:],
        {"k": "3", "T": "2 b c"},
    ),
    ("y = one_hot(k, 3) @ A", "A", {"k": K, "A": A}, lambda k, A: np.eye(3)[k] @ A, {}),
    ("y = exp(one_hot(k, 3)*x)", "x", {"k": K, "x": x}, lambda k, x: np.exp(np.eye(3)[k] * x), {}),
    ("y = sum(arange(len(x))*x**2)", "x", {"x": x}, lambda x: np.sum(np.arange(3) * x**2), {}),
    ("y = x**arange(1, 4)", "x", {"x": x}, lambda x: x ** np.arange(1, 4), {"x": "3"}),
    ("y = sum(x[k]*z[k])", "x", {"x": x, "k": K, "z": z}, lambda x, k, z: np.sum(x[k] * z[k]), {"k": "p"}),
    (
        "y = sum(x[k]*x[j])",
        "x",
        {"x": x, "k": K, "j": K[::-1].copy()},
        lambda x, k, j: np.sum(x[k] * x[j]),
        {"k": "p", "j": "p"},
    ),
    ("y[i] = A[k[i],d]*w[d]", "A", {"A": A, "k": K, "w": w}, lambda A, k, w: A[k] @ w, {}),
    ("y = x[k[1:]]**2", "x", {"x": x, "k": K}, lambda x, k: x[k[1:]] ** 2, {"k": "p"}),
    ("y[i] = x[k[i]]*k[i]", "x", {"x": x, "k": K}, lambda x, k: x[k] * k, {}),
]


@pytest.mark.parametrize(("text", "wrt", "arrays", "f", "shapes"), CASES, ids=[case[0] for case in CASES])
def test_a_gather_is_numpys_and_its_derivative_scatters(text, wrt, arrays, f, shapes):
    d = derive(text, wrt, shapes=shapes or None)
    value, slope = d.compile(value=True)(*(arrays[name] for name in d.inputs))
    assert_close(value, f(**arrays), 1e-14)
    assert_close(slope, numerical_jacobian(f, arrays, wrt), 1e-9)
    assert_close(d(**arrays), slope, 1e-15)
    second = derive(d, wrt=wrt)
    assert_close(second(**arrays), numerical_jacobian(lambda **given: d(**given), arrays, wrt), 1e-8)
    for one in (d, second):
        assert read(str(one)) == one
    small = {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in arrays.items()}
    if "*k[i]" not in text:
        assert d(**small).dtype == np.float32
    assert d.check() < 1e-8


def test_gathers_and_scatters_build_no_selection_matrix():
    source = derive("y = sum(A[k]**2)", wrt="A", shapes={"k": "p"}).source()
    assert "_add_at(k, A[k]" in source and "one_hot" not in source
    assert (
        str(derive("y[i,j] = A[k[i],j]", wrt="A")).splitlines()[0]
        == "dy[i,j]/dA[m,n] = delta[j,n]*delta[k[i],m]"
    )


def test_two_gathers_by_one_index_are_tied():
    """d2/dx dx of sum(x[k]**2) is diagonal: how often each place occurs, twice."""
    d = derive("y = sum(x[k]**2)", wrt="x", order=2, shapes={"k": "p"})
    assert "diagonal" in str(d.structure)
    assert_close(d(x=x, k=K), np.diag(2.0 * np.bincount(K)), 1e-15)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.array([0, 3]), "k holds 3, and the axis that it indexes has size 3"),
        ([0, -4], "k holds -4"),
        (np.array([0.0, 1.0]), "k is an index and an array of float64"),
        (np.array([True, False]), "k is an index and an array of bool"),
    ],
)
def test_an_index_that_cannot_be_is_refused(index, message):
    with pytest.raises(EinsumDiffError, match=message):
        derive("y[i] = x[k[i]]", wrt="x")(k=index, x=x)


@pytest.mark.parametrize(
    ("text", "wrt", "message"),
    [
        ("y[i] = x[k[i]]", "k", "k is used as an index, and has no derivative"),
        ("k: (p,); y = x[k/2]", "x", "an index is computed here"),
        ("k: (p,); y = x[k + 1]", "x", "an index is computed here"),
        ("y[i] = x[2*k[i]]*z[i]", "x", "more than an entry of an index array"),
        ("y = sum(A[arange(n) + 1, 0]); A: (n, m)", "A", "may be out of bounds"),
        ("k: (2,); j: (3,); y = A[k, j]", "A", "the index arrays do not fit"),
    ],
)
def test_what_is_no_index_is_refused(text, wrt, message):
    with pytest.raises(EinsumDiffError) as caught:
        derive(text, wrt)
    assert message in str(caught.value)


X4 = np.array([0.4, -0.7, 1.1, -1.3])
A4 = np.random.default_rng(8).standard_normal((4, 4))


@pytest.mark.parametrize(
    "program",
    [
        "outer(concatenate([x[1:], (A@x)[:1]])[k], x)",
        "concatenate([x[1:], (A@x)[:1]])[k]",
        "sum(concatenate([x[1:]**2, x[:1]*x[0]])[k]*z)",
        "concatenate([x[1:]**2, tanh(x)[:1]])[k]*z",
        "roll(x**2, 1)[k]*z",
        "pad(x**2, 1)[k]*z",
    ],
)
@pytest.mark.parametrize("places", [[3, 1], [-1, 0], [-2, -3], [-4, 3]])
def test_places_in_what_is_joined_of_parts(program, places):
    """A place beyond a part, or from the end of the whole, is no place of the part."""
    d = derive(program, wrt="x", shapes={"x": "n", "k": "q"})
    arrays = {"x": X4, "k": np.array(places), "A": A4, "z": np.array([1.5, -0.7])}
    arrays = {name: arrays[name] for name in d.inputs}
    f = d.compile(value=True)
    expected = numerical_jacobian(lambda **given: f(**given)[0], arrays, "x")
    assert_close(d(**arrays), expected, 1e-8)
    assert_close(d.compile(form="compressed")(**arrays).dense(), expected, 1e-8)
    assert_close(d.jvp(**arrays, dx=A4[1]), expected @ A4[1], 1e-8)
    second = derive(program, wrt="x", shapes={"x": "n", "k": "q"}, order=2)
    assert_close(second(**arrays), numerical_jacobian(d, arrays, "x"), 1e-8)
