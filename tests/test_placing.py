"""Joining, repeating, padding and regrouping: NumPy's values, and derivatives that are patterns."""

import re

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, read

SHAPES = {"x": (3,), "z": (5,), "A": (2, 3), "B": (5, 3), "C": (2, 7), "T": (2, 3, 5), "s": (), "t": ()}
LETTERS = {2: "a", 3: "b", 5: "c", 7: "d"}
NAMES = """
concatenate stack hstack vstack dstack column_stack append block split array_split hsplit vsplit
tile repeat pad roll flip fliplr flipud rot90 reshape ravel outer vdot atleast_1d atleast_2d
full_like copy conj float64 array sin"""
SPACE = {name: getattr(np, name) for name in NAMES.split()} | {"vec": lambda A: A.T.ravel()}

EXPRESSIONS = [
    ("concatenate((x, z))", "x"),
    ("concatenate([z, x, x**2])", "x"),
    ("concatenate((A, B), axis=0)", "B"),
    ("concatenate((A, C), axis=-1)", "A"),
    ("concatenate((A, B), axis=None)", "A"),
    ("stack((x, x**2))", "x"),
    ("stack([A, 2*A], axis=1)", "A"),
    ("stack([A, A**2, A], axis=-1)", "A"),
    ("hstack((x, z))", "z"),
    ("hstack((A, C))", "C"),
    ("hstack((s, t, 1.0))", "s"),
    ("vstack((x, x**2))", "x"),
    ("vstack((A, B))", "A"),
    ("column_stack((x, x**3))", "x"),
    ("column_stack((B, z, z*z))", "z"),
    ("vstack((x, A, B, 2*x))", "x"),
    ("vstack((x, A))", "A"),
    ("array([s, t, s*t, 2])", "s"),
    ("array([[s, -t], [t, s]])", "t"),
    ("x*[1.0, -2.0, 3.0]", "x"),
    ("tile(x, 2)", "x"),
    ("tile(x, (2, 3))", "x"),
    ("tile(A, (3, 1, 2))", "A"),
    ("repeat(x, 3)", "x"),
    ("repeat(A, 2, axis=0)", "A"),
    ("A.repeat(3, axis=-1)", "A"),
    ("repeat(A, 2)", "A"),
    ("pad(x, 2)", "x"),
    ("pad(x, (1, 2), constant_values=3)", "x"),
    ("pad(A, ((1, 0), (2, 3)))", "A"),
    ("pad(A, 1, mode='constant')", "A"),
    ("roll(x, 1)", "x"),
    ("roll(x, -1)*x", "x"),
    ("roll(A, 1, axis=1)", "A"),
    ("roll(A, (1, -1), axis=(0, 1))", "A"),
    ("flip(x)", "x"),
    ("flip(A)", "A"),
    ("flip(A, axis=1)*A", "A"),
    ("flip(T, (0, -1))", "T"),
    ("reshape(A, (3, 2))", "A"),
    ("A.reshape(6)", "A"),
    ("A.reshape(-1)", "A"),
    ("A.reshape(1, -1)", "A"),
    ("A.reshape(2, 1, 3)", "A"),
    ("T.reshape(6, 5)", "T"),
    ("T.reshape(2, -1)", "T"),
    ("T.reshape((5, 6))", "T"),
    ("T.reshape(3, 10)", "T"),
    ("reshape(T, (6, 5), order='F')", "T"),
    ("ravel(T)", "T"),
    ("A.flatten()", "A"),
    ("vec(A)", "A"),
    ("reshape(reshape(T, (30,)), (2, 15))", "T"),
    ("append(x, z)", "z"),
    ("append(A, B, axis=0)", "A"),
    ("append(A, x)", "A"),
    ("append(x, 2.5)", "x"),
    ("dstack((A, A**2))", "A"),
    ("dstack((T, 2*T))", "T"),
    ("block([[A, A], [B, B*2]])", "A"),
    ("block([x, z, x])", "x"),
    ("split(x, 3)[1]*x", "x"),
    ("split(A, [1, 2], axis=1)[-1]", "A"),
    ("split(z, (2,))[0]", "z"),
    ("array_split(z, 2)[0]", "z"),
    ("array_split(z, 3)[-1]", "z"),
    ("hsplit(A, 3)[2]", "A"),
    ("vsplit(A, 2)[0]*A", "A"),
    ("hsplit(x, (1,))[1]", "x"),
    ("repeat(x, [2, 0, 3])", "x"),
    ("repeat(A, (1, 3), axis=0)", "A"),
    ("pad(x, 2, mode='edge')", "x"),
    ("pad(A, ((1, 0), (2, 1)), mode='edge')", "A"),
    ("pad(z, (2, 3), mode='reflect')", "z"),
    ("pad(T, 1, mode='reflect')", "T"),
    ("pad(z, (3, 2), mode='symmetric')", "z"),
    ("pad(A, ((1, 2), (0, 1)), mode='wrap')", "A"),
    ("roll(A, 2)", "A"),
    ("roll(T, -7)", "T"),
    ("roll(x, (1, -2))", "x"),
    ("roll(roll(x, 1), -1)", "x"),
    ("fliplr(A)", "A"),
    ("flipud(T)*T", "T"),
    ("rot90(A)", "A"),
    ("rot90(A, 2)*A", "A"),
    ("rot90(T, -1, axes=(0, 2))", "T"),
    ("rot90(T, 7, axes=(2, 1))", "T"),
    ("outer(A, x)", "A"),
    ("outer(s, x)", "s"),
    ("outer(x, z)", "z"),
    ("vdot(T, T**2)", "T"),
    ("vdot(A, reshape(A, (6,)))", "A"),
    ("atleast_1d(s)", "s"),
    ("atleast_1d(x)", "x"),
    ("atleast_2d(s)", "s"),
    ("atleast_2d(x)", "x"),
    ("atleast_2d(T)", "T"),
    ("full_like(A, s)", "s"),
    ("copy(x)*conj(x) - float64(x)", "x"),
    ("A.copy()*A.conj()", "A"),
]


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize(("expression", "wrt"), EXPRESSIONS)
def test_entries_go_where_numpy_puts_them(expression, wrt, symbolic):
    words = re.findall(r"[A-Za-z_]+", expression)
    names = [name for name in SHAPES if name in words]
    arrays = sample({name: SHAPES[name] for name in names})
    f = eval(f"lambda {', '.join(names)}: {expression}", SPACE)
    shapes = {name: [LETTERS[k] if symbolic else k for k in SHAPES[name]] for name in names}
    for text, g in ((expression, f), (f"sin({expression})", lambda **a: np.sin(f(**a)))):
        try:
            d = derive(f"y = {text}", wrt=wrt, shapes=shapes)
        except EinsumDiffError as error:
            assert symbolic
            assert re.search("declare|number|not fit", str(error))
            return
        value, slope = d.compile(value=True)(*(arrays[name] for name in d.inputs))
        assert_close(value, g(**arrays), 1e-14)
        assert_close(slope, numerical_jacobian(g, arrays, wrt), 1e-9)
        second = derive(d, wrt=wrt)
        assert_close(second(**arrays), numerical_jacobian(d, arrays, wrt), 1e-8)
        small = {name: array.astype(np.float32) for name, array in arrays.items()}
        assert d(**small).dtype == np.float32
        assert read(str(d)) == d, str(d)


def test_regrouping_builds_no_matrix_of_zeros_and_ones():
    d = derive("y = A.reshape(-1)", wrt="A")
    assert "delta" in str(d)
    gradient = derive("y = sum(A.reshape(-1)**2*v)", wrt="A")
    assert gradient.check() < 1e-9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x: (3,); A: (2, 3); y = concatenate((x, A))", "x has 1 axis, and A has 2"),
        ("x: (3,); z: (4,); stack((x, z))", "they cannot be stacked"),
        ("A: (2, 3); B: (3, 4); y = concatenate((A, B))", "they cannot be joined along axis 0"),
        ("A: (2, 3); y = reshape(A, (4, 2))", "which does not regroup to (4, 2)"),
        ("A: (m, n); y = reshape(A, (2, -1))", "does not split into parts of 2"),
        ("A: (2, 3); y = pad(A, ((1, 2), (3, 4), (5, 6)))", "pad_width has 3 pairs"),
        ("pad(x, 1, mode='median')", "pad with mode 'median' is not known"),
        ("roll(x, 2)", "a shift by 2 may be more than the size n"),
        ("x: (3,); y = stack((x, x), axis=3)", "axis is 3"),
        ("x: (5,); y = split(x, 2)[0]", "an axis of size 5 does not split into 2 equal parts"),
        ("x: (6,); a, b = split(x, 3); y = a*b", "split(x, 3) gives 3 arrays"),
        ("split(x, 2)", "split gives several arrays"),
        ("x: (6,); y = split(x, 3)[3]", "split(x, 3) gives 3 arrays"),
        ("x: (3,); y = repeat(x, [1, 2])", "2 numbers of times are given"),
        ("pad(x, 2, mode='reflect')", "a border of 2 may be wider"),
        ("x: (n,); z: (k,); y = roll(x, z.shape[0])", "a shift by k may be more than the size n"),
        ("x: (3,); rot90(x)", "has 1 axis, and axes is 1"),
        ("median(x)", "median is not known yet"),
        ("sort(x)", "find the places outside, k = np.argsort(x), and gather them: x[k]"),
    ],
)
def test_what_does_not_fit_is_refused(text, message):
    with pytest.raises(EinsumDiffError) as caught:
        derive(text, wrt="A" if "A:" in text else "x")
    assert message in str(caught.value)


LISTS = {
    "[[1.5, 0.5], [1, 2], [3, 4]] @ x": lambda x: np.array([[1.5, 0.5], [1, 2], [3, 4]]) @ x,
    "dot([1.5, -2], x)": lambda x: np.dot([1.5, -2], x),
    "inner(x, [1.5, -2])": lambda x: np.inner(x, [1.5, -2]),
    "outer([1, 2, 3], x)": lambda x: np.outer([1, 2, 3], x),
    "tensordot(x, [[1, 2, 3], [4, 5, 6]], 1)": lambda x: np.tensordot(x, [[1, 2, 3], [4, 5, 6]], 1),
    "transpose([x, x**2])": lambda x: np.transpose([x, x**2]),
    "norm([x, x**2])": lambda x: np.linalg.norm([x, x**2]),
    "flip([x, x**2, sin(x)], axis=0)": lambda x: np.flip([x, x**2, np.sin(x)], axis=0),
    "inv([[1.0, x[0]], [x[1], 3]])": lambda x: np.linalg.inv(np.array([[1.0, x[0]], [x[1], 3]])),
    "hstack([[x, x**2], [x, 2*x]])": lambda x: np.hstack([[x, x**2], [x, 2 * x]]),
}


@pytest.mark.parametrize("text", LISTS)
def test_a_list_is_one_array_where_an_operation_takes_one(text):
    arrays = {"x": np.array([0.7, -1.3])}
    d = derive(text, "x", shapes={"x": 2})
    assert_close(d(**arrays), numerical_jacobian(LISTS[text], arrays, "x"), 1e-9)


def test_the_parts_of_a_split_are_assigned():
    d = derive("x: (6,); a, b, c = split(x, 3); y = a*b + c**2", wrt="x")
    x = sample({"x": (6,)})["x"]
    f = lambda x: x[:2] * x[2:4] + x[4:] ** 2
    assert_close(d(x), numerical_jacobian(f, {"x": x}, "x"), 1e-9)
    symbolic = derive("x: (2*n,); a, b = np.split(x, 2); y = a/b", wrt="x")
    assert symbolic.check() < 1e-9
    assert "n = x.shape[0]//2" in symbolic.source()


def test_sizes_that_are_names_pad_and_roll():
    for text, f in (
        (
            "x: (n,); w: (k,); y = pad(x, (0, w.shape[0]))**2*sum(w)",
            lambda x, w: np.pad(x, (0, 2)) ** 2 * sum(w),
        ),
        ("x: (n,); w: (k,); y = pad(x, len(w))*sum(w)", lambda x, w: np.pad(x, 2) * sum(w)),
        ("x: (n + k,); w: (k,); y = roll(x, len(w))*sum(w)", lambda x, w: np.roll(x, 2) * sum(w)),
        ("x: (n + k,); w: (k,); y = roll(x, -len(w))*sum(w)", lambda x, w: np.roll(x, -2) * sum(w)),
    ):
        d, arrays = derive(text, wrt="x"), sample({"x": (5,), "w": (2,)})
        assert_close(d(**arrays), numerical_jacobian(f, arrays, "x"), 1e-9)


def test_what_is_turned_round_is_a_view_and_no_gather():
    for text in (
        "flip(x)*x",
        "rot90(A)",
        "x[::-1]",
        "A[:, ::-1]*A",
        "reshape(A, (-1,))",
        "tile(x, 3)",
        "stack((x, x))",
    ):
        source = derive(f"sum({text})", wrt="A" if "A" in text else "x").source()
        assert "_scatter" not in source
        assert "_gather" not in source
        assert "[:][::-1]" not in source
