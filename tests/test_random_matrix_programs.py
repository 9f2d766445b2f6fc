"""Random programs in matrix notation against NumPy arrays that all have two axes.

A column is an array (n, 1) and a row (1, n), as in MATLAB: there `x.T` and `@` need no cases, and it is
known what beside what is allowed. Only the last result loses its axes of size 1.
"""

import re
from random import Random

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import EinsumDiffError, derive

SIZES = {"a": (), "x": (3,), "y": (3,), "z": (5,), "A": (3, 3), "X": (5, 3), "B": (3, 5)}
ELEMENTWISE = {"sin": np.sin, "tanh": np.tanh, "exp": lambda x: np.exp(x)}


def full(array):
    """An array with two axes: a column of a vector."""
    return np.reshape(array, (*np.shape(array), 1, 1)[:2])


def evaluated(tree, arrays):
    """The value of a tree, with two axes, and its kind by its shape."""
    match tree:
        case str(name):
            return full(arrays[name])
        case ("ones", tree, side):
            like = evaluated(tree, arrays)
            return np.ones((like.shape[side], 1))
        case ("'", a):
            return evaluated(a, arrays).T
        case ("-", a):
            return -evaluated(a, arrays)
        case (str(function), a) if function in ELEMENTWISE:
            return ELEMENTWISE[function](evaluated(a, arrays) / 4)
        case ("sum", a):
            return full(evaluated(a, arrays).sum())
        case ("diag", a):
            value = evaluated(a, arrays)
            return full(np.diag(value) if min(value.shape) > 1 else np.diag(value.ravel()))
        case (op, a, b):
            a, b = evaluated(a, arrays), evaluated(b, arrays)
            if op == "*":
                return a * b if 1 in (a.size, b.size) else a @ b
            return {"+": np.add, "-": np.subtract, ".*": np.multiply}[op](a, b)
    raise AssertionError(tree)


def text(tree):
    match tree:
        case str(name):
            return name
        case ("ones", _, _):
            return "vector(1)"
        case ("'", a):
            return f"({text(a)})'" if isinstance(a, tuple) else f"{a}'"
        case ("-", a):
            return f"(-{text(a)})"
        case (str(function), a) if function in ELEMENTWISE:
            return f"{function}(({text(a)})/4)"
        case (function, a):
            return f"{function}({text(a)})"
        case (op, a, b):
            return f"({text(a)} {op} {text(b)})"


def shape(tree):
    """The shape with two axes, None where the notation has no such thing."""
    match tree:
        case str(name):
            return (*SIZES[name], 1, 1)[:2]
        case ("ones", a, side):
            return shape(a)[side], 1
        case ("'", a):
            return shape(a)[::-1]
        case ("sum", _):
            return 1, 1
        case ("diag", a):
            m, n = shape(a)
            if 1 in (m, n):
                return (m * n, m * n) if m * n > 1 else None
            return (m, 1) if m == n else None
        case (_, a):
            return shape(a)
        case ("*", a, b):
            (m, k), (l, n) = shape(a), shape(b)
            if (m, k) == (1, 1) or (l, n) == (1, 1):
                return m * l, k * n
            return (m, n) if k == l and (k > 1 or m == k or n == l or (m > 1 and n > 1)) else None
        case (_, a, b):
            a, b = shape(a), shape(b)
            if a == b or (1, 1) in (a, b):
                return max(a, b)
            small, big = sorted((a, b), key=np.prod)
            fits = min(big) > 1 and all(s in (1, t) for s, t in zip(small, big, strict=True))
            return big if fits else None
    raise AssertionError(tree)


def drawn(random):
    """A tree that means something; every step uses what the steps before have made."""
    made = []
    for _ in range(random.randint(2, 9)):
        kind = random.choice(["'", "-", "sum", "diag", *ELEMENTWISE, *["*"] * 6, "+", "+", "-", ".*", "ones"])
        pool = [*SIZES, *made[-4:] * 3]
        a = random.choice(pool)
        if kind in ("*", "+", ".*") or (kind == "-" and random.random() < 0.7):
            partners = [b for b in pool if shape((kind, a, b)) is not None]
            arrays = [b for b in partners if shape(b) != (1, 1)]  # a scalar goes with all, and says little
            one = (kind, a, random.choice(arrays or partners))
        elif kind == "ones":  # its size is known beside an array alone
            side = random.randint(0, 1)
            if shape(a)[side] == 1:
                continue
            one = ("*", ("'", ("ones", a, 0)), a) if side == 0 else ("*", a, ("ones", a, 1))
        else:
            one = (kind, a)
        if shape(one) is not None:
            made.append(one)
    return made[-1] if made else "x"


@pytest.mark.parametrize("seed", range(200))
def test_a_random_program_has_the_value_and_the_derivative_of_arrays_with_two_axes(seed):
    tree = drawn(Random(seed))
    random = np.random.default_rng(1)
    program = text(tree)
    names = [name for name in SIZES if re.search(rf"\b{name}\b", program)]
    arrays = {name: random.uniform(-1, 1, SIZES[name]) for name in names}

    def f(**changed):
        return np.squeeze(evaluated(tree, arrays | changed))

    d = derive(program, names, notation="matrix", shapes={name: SIZES[name] for name in names})
    value, slopes = d.compile(value=True)(**arrays)
    assert_close(np.asarray(value), f(), 1e-9)
    for name in names:
        assert_close(slopes[name], numerical_jacobian(f, {name: arrays[name]}, name), 1e-7)


@pytest.mark.parametrize("op", ["*", "+", "-", ".*", ".+"])
@pytest.mark.parametrize("left", SIZES)
@pytest.mark.parametrize("right", ["x", "x'", "z", "z'", "A", "X", "B"])
def test_what_has_no_shape_is_refused_with_a_caret(left, right, op):
    tree = ("'", right[:-1]) if right.endswith("'") else right
    names = {left, right.rstrip("'")}
    shapes = {name: SIZES[name] for name in names}
    if shape((op.replace(".+", "+"), left, tree)) is not None:
        derive(f"{left} {op} {right}", left, notation="matrix", shapes=shapes)
        return
    with pytest.raises(EinsumDiffError) as caught:
        derive(f"{left} {op} {right}", left, notation="matrix", shapes=shapes)
    assert caught.value.span is not None and caught.value.hint
