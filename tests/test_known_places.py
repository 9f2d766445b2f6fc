"""Places that stand in the program, `x[[0, -1]]`, and negative ones in index arrays: as NumPy has them."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import EinsumDiffError, derive, read

RANDOM = np.random.default_rng(8)
x = RANDOM.standard_normal(5)
A = RANDOM.standard_normal((3, 7))
T = RANDOM.standard_normal((2, 3, 5))
K = np.array([0, -1, 2, -3, -1])
B = RANDOM.standard_normal((5, 3))

CASES = [
    ("y = x[[0, 2]]**2", "x", {"x": x}, lambda x: x[[0, 2]] ** 2),
    ("y = x[[0, 2, 4, 1, 1, -1]]**3", "x", {"x": x}, lambda x: x[[0, 2, 4, 1, 1, -1]] ** 3),
    ("y = x[[[0, 1, 2], [3, -1, 0]]]**2", "x", {"x": x}, lambda x: x[np.array([[0, 1, 2], [3, -1, 0]])] ** 2),
    ("y = exp(x)[[3, 3, 3]]", "x", {"x": x}, lambda x: np.exp(x)[[3, 3, 3]]),
    ("y = take(x, [0, 2])**2", "x", {"x": x}, lambda x: np.take(x, [0, 2]) ** 2),
    ("y = take(x, -1)**2", "x", {"x": x}, lambda x: np.take(x, -1) ** 2),
    ("y = take(A, [0, -2, 1], axis=1)**2", "A", {"A": A}, lambda A: np.take(A, [0, -2, 1], axis=1) ** 2),
    ("y = tanh(A[:, [0, -1]])", "A", {"A": A}, lambda A: np.tanh(A[:, [0, -1]])),
    ("y = sum(A[[0, 1], [2, 0]]**3)", "A", {"A": A}, lambda A: np.sum(A[[0, 1], [2, 0]] ** 3)),
    ("y = A[[[0], [2]], [1, 5, 2]]**2", "A", {"A": A}, lambda A: A[[[0], [2]], [1, 5, 2]] ** 2),
    ("y = T[[1, 0, 1], :, [4, 0, 1]]**2", "T", {"T": T}, lambda T: T[[1, 0, 1], :, [4, 0, 1]] ** 2),
    ("y = T[1, ..., [4, 0, 1]]**2", "T", {"T": T}, lambda T: T[1, ..., [4, 0, 1]] ** 2),
    ("y = T[:, [2, 0], None, ::2]**2", "T", {"T": T}, lambda T: T[:, [2, 0], None, ::2] ** 2),
    ("y = x[2*arange(3)]**2", "x", {"x": x}, lambda x: x[2 * np.arange(3)] ** 2),
    ("y = x[-arange(3)]**2", "x", {"x": x}, lambda x: x[-np.arange(3)] ** 2),
    ("y = x[arange(10)//2]**2", "x", {"x": x}, lambda x: x[np.arange(10) // 2] ** 2),
    ("y = x[arange(10) % 4]**2", "x", {"x": x}, lambda x: x[np.arange(10) % 4] ** 2),
    ("y = A[[0, 1, 1], k]**2", "A", {"A": A, "k": K[:3]}, lambda A, k: A[[0, 1, 1], k] ** 2),
    ("y = A[k, [0, 1, 5]]**2", "A", {"A": A, "k": K[:3]}, lambda A, k: A[k, [0, 1, 5]] ** 2),
    ("y = x[k]**2", "x", {"x": x, "k": K}, lambda x, k: x[k] ** 2),
    ("y[i] = x[k[i]]**2*k[i]", "x", {"x": x, "k": K}, lambda x, k: x[k] ** 2 * k),
    ("y = sum(A[arange(3), k]**2)", "A", {"A": A, "k": K[:3]}, lambda A, k: np.sum(A[np.arange(3), k] ** 2)),
    ("y = exp(one_hot(k, 3)*B)", "B", {"k": K, "B": B}, lambda k, B: np.exp(np.eye(3)[k] * B)),
]


def held(d, f, arrays, wrt):
    value, slope = d.compile(value=True)(*(arrays[name] for name in d.inputs))
    assert_close(value, f(**arrays), 1e-14)
    assert_close(slope, numerical_jacobian(f, arrays, wrt), 1e-9)
    assert_close(d(**arrays), slope, 1e-15)
    second = derive(d, wrt=wrt)
    assert_close(second(**arrays), numerical_jacobian(lambda **given: d(**given), arrays, wrt), 1e-8)
    for one in (d, second):
        assert_close(read(str(one))(**arrays), one(**arrays), 1e-15)


@pytest.mark.parametrize(("text", "wrt", "arrays", "f"), CASES, ids=[case[0] for case in CASES])
def test_places_are_numpys(text, wrt, arrays, f):
    sizes = {name: array.shape for name, array in arrays.items()}
    held(derive(text, wrt, shapes=sizes), f, arrays, wrt)


@pytest.mark.parametrize(
    "f",
    [
        lambda A: A[[0, 2, 1]] ** 2,
        lambda A: A[:, [0, -1, 1]] ** 2,
        lambda A: A[np.ix_([0, 1], [2, 0])] ** 2,
        lambda A: A[np.tril_indices(3)] ** 2,
        lambda A: np.take(A, np.array([0, 2, 1, 1]), axis=1) ** 2,
    ],
)
def test_places_that_stand_in_a_function_are_followed(f):
    held(derive(f, "A", shapes={"A": A}), f, {"A": A}, "A")


def test_places_at_equal_steps_are_one_piece():
    assert str(derive("x[[0, 2, 4]]", "x", shapes={"x": 5})).startswith("dy[i]/dx[m] = delta[m, 2*i]\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x[[0, 5]]", "place 5 is out of bounds of an axis of size 5"),
        ("x[[0, -6]]", "place -6 is out of bounds of an axis of size 5"),
        ("take(x, [5])", "place 5 is out of bounds of an axis of size 5"),
        ("x[[0, 1.5]]", "1.5 is no whole number"),
        ("x[[True, False, True, True, False]]", "is a mask"),
        ("x[arange(5) >= 1]", "an index is computed here"),
        ("x[array([0, 1, 0, 1, 1]) > 0]", "an index is computed here"),
        ("x[(0, 2)]", "write 0, 2 for an item each, or the list [0, 2]"),
        ("x[[0, 1]*2]", "Python repeats lists here"),
        ("x*([1, 2] + [3, 4, 5])", "Python joins lists here"),
        ("k: (p,); x[k + 1]", "places = k + 1 before the call"),
        ("x[arange(300) % 5]", "reads 300 places one by one"),
    ],
)
def test_what_is_no_list_of_places_is_refused(text, message):
    with pytest.raises(EinsumDiffError) as caught:
        derive(text, "x", shapes={"x": 5})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "arrays", "f"),
    [
        ("y = x[[0, -1, 0]]**2", {"x": x}, lambda x: x[[0, -1, 0]] ** 2),
        ("x: (n,); y = x[[n - 1, 0]]**2", {"x": x}, lambda x: x[[-1, 0]] ** 2),
        ("x: (n,); k: (p,); y = x[k]**2", {"x": x, "k": K}, lambda x, k: x[k] ** 2),
        ("x: (n,); y = x[:, None][[-1, 0], 0]**2", {"x": x}, lambda x: x[[-1, 0]] ** 2),
    ],
)
def test_places_of_an_axis_of_any_size(text, arrays, f):
    held(derive(text, "x"), f, arrays, "x")


def test_places_that_some_sizes_lack_are_refused():
    with pytest.raises(EinsumDiffError, match="place 7 may be out of bounds of an axis of size n"):
        derive("x: (n,); y = x[[0, 7]]**2", "x")
    with pytest.raises(EinsumDiffError, match="k holds 1, and the axis that it indexes has size 1"):
        derive("k: (p,); x: (1,); y = x[k]**2", "x")(x=np.ones(1), k=[0, 1])


def test_a_number_that_falls_fast_gives_an_index_its_range():
    d = derive("y = concatenate((x[:1], x[4::-4]))**2", "x", shapes={"x": 5})
    assert_close(read(str(d))(x=x), d(x=x), 1e-15)


def test_a_negative_place_of_a_one_hot_row_counts_from_its_end():
    d = derive("y[i,j] = one_hot(k, 5)[i, 2*j]*B[i,j]**2", "B", shapes={"B": B.shape})
    expected = numerical_jacobian(lambda B: (K[:, None] % 5 == 2 * np.arange(3)) * B**2, {"B": B}, "B")
    assert_close(d(k=K, B=B), expected, 1e-9)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("y = one_hot(k, 7)[:, 1:5]*W", {"k": 3, "W": (3, 4)}),
        ("y = one_hot(k, 6)[:, 4::-1][:, :4]*W", {"k": 3, "W": (3, 4)}),
        ("y[i,j] = one_hot(k, 7)[i, 2*j]*W[i,j]", {"k": 3, "W": (3, 4)}),
        ("y = (x[:3][k] + x[2:][k])**2", {"k": 3, "x": 5}),
        ("y = x[:-1][k]**2*x[k]*x[1:][k]", {"k": "p", "x": "n"}),
        ("y = concatenate((x, z))[k]**2", {"k": "p", "x": "n", "z": "m"}),
    ],
)
def test_the_printed_indicator_says_of_how_many_places_it_is(text, shapes):
    """From the end of how many a negative place counts: `delta[k[i], j+1]` alone would not say."""
    arrays = {"k": np.array([1, -1, 2]), "x": x, "z": x[:2], "W": RANDOM.standard_normal((3, 4))}
    wrt = "W" if "W" in text else "x"
    for order in (1, 2):
        d = derive(text, wrt, shapes=shapes, order=order)
        given = {name: arrays[name] for name in d.inputs}
        assert_close(read(str(d))(**given), d(**given), 1e-15)
