"""Sizes that are no axis by themselves: `x: (n + k,)` with a known k gives n, in the generated source too."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive
from einsumdiff.sizes import linear, nonnegative, symbol

n, m, k = map(symbol, "nmk")

PROGRAMS = [
    ("x: (n + k,); w: (k,); y = correlate(x, w)**2", [7, 3], lambda x, w: np.correlate(x, w) ** 2),
    (
        "x: (n + k - 1,); w: (k,); y = convolve(x, w, 'valid')**2",
        [7, 2],
        lambda x, w: np.convolve(x, w, "valid") ** 2,
    ),
    (
        "x: (n + k,); w: (k,); y = convolve(x, w, 'same')**2",
        [5, 2],
        lambda x, w: np.convolve(x, w, "same") ** 2,
    ),
    ("x: (n,); y = convolve(x, x, 'same')", [5], lambda x: np.convolve(x, x, "same")),
    ("x: (n,); y = correlate(x, x, 'same')", [6], lambda x: np.correlate(x, x, "same")),
    ("x: (n*m,); z: (n,); y = x.reshape(n, m).T @ z", [6, 2], lambda x, z: x.reshape(2, 3).T @ z),
    ("x: (n*m,); z: (n,); y = z @ x.reshape(n, -1)**2", [3, 15], lambda z, x: z @ x.reshape(3, 5) ** 2),
    ("x: (2*n + 1,); y = x[:n]*x[n+1:]", [7], lambda x: x[:3] * x[4:]),
    ("x: (n - 3,); y = sum(x**2)/n", [5], lambda x: np.sum(x**2) / 8),
    ("x: (n*m + k,); u: (m,); v: (k,); y = sum(x**2)/n + u @ u + v @ v", [8, 3, 2], None),
]


@pytest.mark.parametrize(("program", "sizes", "f"), PROGRAMS)
def test_a_size_is_solved_from_an_axis_that_is_linear_in_it(program, sizes, f):
    d = derive(program, wrt="x")
    arrays = sample({name: (size,) for name, size in zip(d.inputs, sizes, strict=True)})
    f = f or (lambda x, u, v: np.sum(x**2) / 2 + u @ u + v @ v)
    value, slope = d.compile(value=True)(**arrays)
    assert_close(value, f(**arrays), 1e-14)
    assert_close(slope, numerical_jacobian(f, arrays, "x"), 1e-9)
    assert_close(derive(d, wrt="x")(**arrays), numerical_jacobian(d, arrays, "x"), 1e-8)


def test_a_size_that_does_not_divide_is_an_error_before_any_work():
    d = derive("x: (n*m,); z: (n,); y = x.reshape(n, m).T @ z", wrt="x")
    with pytest.raises(EinsumDiffError):
        d(x=np.ones(7), z=np.ones(2))
    with pytest.raises(EinsumDiffError):
        d(x=np.ones(0), z=np.ones(0))


def test_the_parts_of_a_linear_size():
    assert linear(n * m + k, "n") == (m, k)
    assert linear(n * n, "n") is None
    assert linear((n + 1) // 2, "n") is None
    assert linear(m, "n") is None


def test_half_of_a_size_is_at_most_the_size():
    half = (n + 1) // 2
    assert nonnegative(n - half)
    assert nonnegative(half - 1)
    assert not nonnegative(n - half - 1)
    assert not nonnegative(half - 2)


@pytest.mark.parametrize(
    ("text", "shapes", "way_out"),
    [
        ("Z: (m, n); Z[i,j] = x[i]**2", {}, 'shapes={"Z": ("m", 5)}'),
        ("Z[i,j] = x[j]**2", {"Z": ("p", "n")}, 'shapes={"Z": (5, "n")}'),
        ("z: (p,); z[i] = sum(x)", {}, 'shapes={"z": (5,)}'),
    ],
)
def test_a_size_that_only_a_left_side_has_is_given_there(text, shapes, way_out):
    d = derive(text, "x", shapes=shapes)
    for ask in (lambda: d(x=np.ones(3)), d.source):
        with pytest.raises(EinsumDiffError) as caught:
            ask()
        assert "is that of no axis of an input" in str(caught.value) and way_out in str(caught.value)
    name = text.split(":")[0].split("[")[0]
    given = eval(way_out.removeprefix("shapes="))
    undeclared = text.split("; ")[-1]
    x = np.array([1.0, -2.0, 3.0])
    value, slope = derive(undeclared, "x", shapes=given).compile(value=True)(x)
    assert value.shape == tuple(3 if isinstance(size, str) else size for size in given[name])
    f = {
        "Z[i,j] = x[i]**2": lambda x: np.tile(x[:, None] ** 2, 5),
        "Z[i,j] = x[j]**2": lambda x: np.tile(x**2, (5, 1)),
        "z[i] = sum(x)": lambda x: np.full(5, np.sum(x)),
    }
    assert_close(slope, numerical_jacobian(f[undeclared], {"x": x}, "x"), 1e-9)
