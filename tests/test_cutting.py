"""Long products are cut along the tree of their order of contraction, whatever order they were typed in."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive

SIZES = (2, 3, 5, 7)


def chain(k, first=None):
    """Shapes of k matrices that can be multiplied, of sizes in turn."""
    return {f"A{i}": (SIZES[(i - 1) % 4], SIZES[i % 4]) for i in range(1, k + 1)}


def text(k):
    return " @ ".join(chain(k))


LONG = [
    ("sum({})", 30, {}),
    ("x @ {} @ y", 30, {"x": (2,), "y": (5,)}),
    ("sum(({} @ y)**2)", 30, {"y": (5,)}),
    ("sum((x @ {})**2)", 30, {"x": (2,)}),
    ("sum(({})**2)", 30, {}),
    ("trace({})", 32, {}),
    ("c*sum({}) + sum(exp({}))", 27, {"c": ()}),
]


@pytest.mark.parametrize(("program", "k", "more"), LONG)
def test_gradients_are_those_of_differences_of_numpy_s_own_value(program, k, more):
    shapes = {**chain(k), **more}
    program = program.replace("{}", text(k))
    given = sample(shapes, seed=4)
    wrt = ("A1", "A12", "A13", "A14", f"A{k}", *more)
    d = derive(program, wrt=wrt, shapes=shapes)
    given = {name: given[name] / np.sqrt(3) for name in d.inputs}

    def by_numpy(**arrays):
        return eval(program, {"sum": np.sum, "exp": np.exp, "trace": np.trace, **arrays})

    value, found = d.compile(value=True)(**given)
    np.testing.assert_allclose(value, by_numpy(**given), rtol=1e-11)
    for name in wrt:
        expected = numerical_jacobian(by_numpy, given, name)
        scale = np.max(np.abs(expected))
        assert_close(found[name] / scale, expected / scale, 1e-8)


@pytest.mark.parametrize("program", ["sum({})", "sum(({} @ y)**2)", "sum(y)*sum({})"])
def test_vectors_suffice(program):
    """Definitions are vectors, and products are two for each matrix."""
    counts = []
    for k in (20, 40, 80):
        d = derive(program.replace("{}", text(k)), wrt=tuple(chain(k)))
        assert all(d.source().count(f"@ A{i} @") == 0 for i in range(k))
        counts.append(len(d.cost().order))
        assert d.cost().flops <= k * 6 * 100**2  # sizes are assumed to be 100
    assert counts[0] <= 2 * 20
    assert counts[2] - counts[1] == 2 * (counts[1] - counts[0]) == 80


def test_a_product_with_a_name_is_kept():
    d = derive(f"P = {text(13)}; y = sum(P @ A14 @ {' @ '.join(f'A{k}' for k in range(15, 28))})", wrt="A1")
    assert "\nP[i,j] = sum" in d.program and d.program.count("A13[") == 1


def test_the_same_text_twice():
    """What is cut does not depend on what was derived before."""
    program = f"sum({text(30)})"
    assert derive(program, wrt="A3").source() == derive(program, wrt="A3").source()
