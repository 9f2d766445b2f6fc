"""Structure operations upon each other, as random programs found them to go wrong: NumPy is the judge."""

import re

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import derive, read

RANDOM = np.random.default_rng(21)
ARRAYS = {
    "x": RANDOM.uniform(0.3, 1.2, 5) * [1, -1, 1, 1, -1],
    "v": RANDOM.uniform(0.3, 1.2, 3) * [1, -1, 1],
    "X": RANDOM.uniform(0.3, 1.2, (2, 3)) * [1, -1, 1],
    "T": RANDOM.uniform(0.3, 1.2, (2, 3, 2)) * [1, -1],
}
SYMBOLIC = {"x": ("n",), "v": ("p",), "X": ("m", "k"), "T": ("a", "b", "c")}
NAMES = {name: getattr(np, name) for name in np.__all__ if callable(getattr(np, name, None))}

CASES = [
    # an equation that was noted, and a label in it that was substituted afterwards
    ("diag(pad(X.T, ((0, 3), (0, 0))), -1)", "X", "numbers"),
    ("diag(mean(concatenate((moveaxis(T, 0, -1), 2*moveaxis(T, 0, -1))), axis=1), -1)", "T", "numbers"),
    ("correlate(convolve(x[:2], tile(kron(x, x), 2), 'same'), x, 'full')", "x", "numbers"),
    # one entry of an array is no copy of it
    ("sum(tril(exp(x)[None, :]), axis=0)", "x", "any"),
    ("mean(tril(expand_dims(append(X, v), 0), 0), axis=0)", "X", "any"),
    # guards that go into a definition, and an axis that needs them outside
    ("take(reshape(exp(-outer(v, v)**2), -1), [-7, 3, -5, -2])", "v", "numbers"),
    (
        "convolve(x[:2], prod(outer(stack([v, v**2], axis=1), stack([v, v**2], axis=1)), axis=0), 'same')",
        "v",
        "numbers",
    ),
    # ranges in print: of a reduction over a part, of letters tied by a delta, of accesses of two sizes
    ("prod(x[:-1])", "x", "any"),
    ("prod(x[2:5:2])", "x", "numbers"),
    ("prod(diff(x))", "x", "any"),
    ("prod(x[:-1]*x[1:])", "x", "any"),
    ("prod(roll(x, -1))", "x", "numbers"),
    ("sin(vdot(concatenate((x, 2*x)), concatenate((x, 2*x))))**2", "x", "any"),
    ("tensordot(roll(X, -3), roll(X, -3), axes=([0], [0]))", "X", "numbers"),
    ("diff(correlate(prod(X, axis=0), x[:2], 'valid'))", "X", "numbers"),
    ("kron(roll(x, -1), X) @ kron(roll(x, -1), X).T", "x", "numbers"),
    (
        "sum(concatenate((cumprod(T, axis=1), sin(cumprod(T, axis=1))), axis=1)**2)",
        "T",
        "numbers",
    ),
    ("inner(kron(append(v, x), X)[1:], kron(append(v, x), X)[1:])", "v", "numbers"),
    # a diagonal under a condition, read back
    ("trace(cumprod(diag(v, 0), axis=-2))", "v", "any"),
    # names of definitions in print, beside sizes that are called a, b and c
    ("arctan(var(where(append(T, X) > 9, append(T, X), append(T, X)**3)))*2", "T", "any"),
    # nothing, beside something
    ("kron(X, T[:2, :0, 0])", "X", "numbers"),
    ("kron(T[-1, :-1:2, :0], X)", "T", "numbers"),
    # sizes that are products of sums
    ("var(append(tril(diag(x, -1), 1), X), axis=0)", "x", "any"),
    ("append(pad(X, (0, 2)) @ pad(X, (0, 2)).T, X)[0]", "X", "any"),
    # a count beside a tie of summed labels, in print
    ("tile(cumsum(inner(X, X)[[-2, -1, 1], [1, -1, -1]], axis=0), (2,))", "X", "numbers"),
]


@pytest.mark.parametrize(("text", "wrt", "sizes"), CASES, ids=[case[0] for case in CASES])
def test_composed_operations(text, wrt, sizes):
    words = re.findall(r"(?<![\w.])\w+", text)
    arrays = {name: array for name, array in ARRAYS.items() if name in words}

    def f(**given):
        return np.asarray(eval(text, NAMES, given))

    for shapes in [{name: array.shape for name, array in arrays.items()}, SYMBOLIC][: 1 + (sizes == "any")]:
        d = derive(f"y = {text}", wrt, shapes={name: shapes[name] for name in arrays})
        value, slope = d.compile(value=True)(*(arrays[name] for name in d.inputs))
        assert_close(value, f(**arrays), 1e-12)
        assert_close(slope, numerical_jacobian(f, arrays, wrt), 1e-8)
        second = derive(d, wrt=wrt)
        assert_close(second(**arrays), numerical_jacobian(d, arrays, wrt), 1e-7)
        for one in (d, second):
            assert_close(read(str(one))(**arrays), one(**arrays), 1e-12)


@pytest.mark.parametrize("text", ["roll(x, 1)**2", "roll(x, -1)**2", "sum(roll(x, 1)*x)", "flip(roll(x, 1))"])
def test_a_roll_of_nothing_is_nothing(text):
    d = derive(f"y = {text}", "x", shapes={"x": "n"})
    empty = np.zeros(0)
    for one in (d, derive(d, wrt="x")):
        value, slope = d.compile(value=True)(empty)
        assert np.shape(value) == np.shape(eval(text, NAMES, {"x": empty}))
        assert slope.size == 0
        assert one.compile()(empty).size == 0
