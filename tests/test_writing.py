"""How the terms of an array are written: one pass for each pattern, none that reads zeros without need."""

import re
import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive
from einsumdiff.nodes import Form, Label, Product, Term
from einsumdiff.terms import injective
from einsumdiff.writing import passes

BRUSSELATOR = "f[i] = 1 + u[i+1]**2*v[i+1] - 4*u[i+1] + c*(u[i] - 2*u[i+1] + u[i+2])"
BRATU = "F[i,j] = 4*u[i+1,j+1] - u[i,j+1] - u[i+2,j+1] - u[i+1,j] - u[i+1,j+2] - c*exp(u[i+1,j+1])"


def writes(text):
    """Whether each line that writes into the result adds to what is there."""
    lines = [line.strip() for line in text[text.rindex("\ndef d") :].splitlines()]
    lines = [line for line in lines if "np.zeros" not in line and not line.startswith(("return", "if"))]
    lines = [line for line in lines if re.search(r"\bresult\b", line)]
    return ["+=" in line for line in lines]


CASES = [
    # program, wrt, order, arrays, whether each pass adds
    (BRUSSELATOR, "u", 1, {"u": (7,), "v": (7,), "c": ()}, [False] * 3),
    (BRATU, "u", 1, {"u": (5, 7), "c": ()}, [False] * 5),
    ("S = softmax(X, axis=1)", "X", 1, {"X": (3, 5)}, [False, True]),
    ("y[i] = x[i+1] - x[i]", "x", 1, {"x": (5,)}, [False, False]),
    ("y[i] = x[i]*c + 3*x[i] - x[i]*z[i]", "x", 1, {"x": (5,), "z": (5,), "c": ()}, [False]),
    ("Y[i,j] = X[i,j]*z[j] + X[j,i]", "X", 1, {"X": (5, 5), "z": (5,)}, [False, True]),
    ("Y[i,j] = X[i,j+1] + 2*X[i+1,j]*X[i+1,j]", "X", 1, {"X": (3, 5)}, [False, False]),
    ("concatenate([x, 2*z, x*z])", "x", 1, {"x": (5,), "z": (5,)}, [False, False]),
    ("x[0]*x", "x", 1, {"x": (5,)}, [False, True]),
    ("y[i] = x[2*i+1]*x[2*i]", "x", 1, {"x": (8,)}, [False, False]),
    ("y[i] = x[2*i]*x[0]", "x", 1, {"x": (8,)}, [False, True]),
    ("sum(x[1:]*x[:-1])", "x", 2, {"x": (7,)}, [False, False]),
    ("sum(X**3) + sum(X[:, 0]*X[:, 1])", "X", 2, {"X": (5, 3)}, [False, False, False]),
    ("sum(X**3) + sum(X[:, 1]**4)", "X", 2, {"X": (5, 3)}, [False, True]),
]


@pytest.mark.parametrize(("program", "wrt", "order", "shapes", "added"), CASES)
def test_each_pattern_is_written_once(program, wrt, order, shapes, added):
    letters = {"u": "ab"[: len(shapes.get("u", ()))], "X": "m n", "c": ""}
    letters = {**letters, "u": " ".join(letters["u"]) or "a", "x": "a", "z": "a", "v": "a"}
    letters["X"] = {(5, 5): "a a", (5, 3): "m 3"}.get(shapes.get("X"), "m n")
    d = derive(program, wrt, order=order, shapes={name: letters[name] for name in shapes})
    assert writes(d.source()) == added
    arrays = sample(shapes)
    arrays = {name: arrays[name] for name in d.inputs}
    if order == 1:
        value = d.compile(value=True)
        slope = numerical_jacobian(lambda **now: value(**now)[0], arrays, wrt)
    else:
        first = derive(program, wrt, shapes={name: letters[name] for name in shapes})
        slope = numerical_jacobian(first, arrays, wrt)
    assert_close(d(**arrays), slope, 1e-7)
    for zeros in (False, True):
        buffer = np.zeros(slope.shape) if zeros else np.full(slope.shape, np.nan)
        for _ in range(2):  # the second time with the numbers of the first in their places
            d(**arrays, out=buffer, out_is_zero=zeros)
            assert_close(buffer, slope, 1e-7)


@st.composite
def patterns(draw):
    """A term with three axes, forms of up to two labels."""
    labels = [Label(draw(st.integers(1, 3))) for _ in range(2)]
    axes = []
    for _ in range(3):
        steps = {n: c for n in labels if (c := draw(st.sampled_from([0, 0, 1, 1, 2])))}
        axes.append(Form(tuple(steps.items()), draw(st.integers(0, 2))))
    return Term(tuple(axes), Product(1))


def places(axes):
    labels = list(dict.fromkeys(n for form in axes for n in form.labels))
    for point in product(*(range(n.size) for n in labels)):
        at = dict(zip(labels, point, strict=True))
        yield tuple(form.constant + sum(c * at[n] for n, c in form.coefficients) for form in axes)


@given(st.lists(patterns().filter(lambda term: injective(term.axes)), min_size=1, max_size=9))
@settings(max_examples=300, deadline=None)
def test_what_writes_without_adding_has_places_of_its_own(terms):
    before: set[tuple[int, ...]] = set()
    found = passes(terms, {})
    for one in found:
        own = set(places(one.axes))
        assert len(own) == len(list(places(one.axes)))
        assert not (one.first and own & before)
        before |= own
    assert sum(len(one.products) for one in found) == len(terms)
    assert before == {place for term in terms for place in places(term.axes)}
    assert found[0].first


def test_many_bands_are_compared():
    d = derive("y[i] = " + " + ".join(f"{k + 1}*x[i+{k}]" for k in range(25)), "x")
    assert writes(d.source()) == [False] * 25


def test_an_outer_product_is_multiplied_in_its_places():
    d = derive("S = softmax(X, axis=1)", "X", shapes={"X": "m n"})
    assert "np.multiply((-S)[:, :, None], S[:, None], out=" in d.source()
    X = sample({"X": (30, 70)})["X"]
    f = d.compile()
    f(X)
    tracemalloc.start()
    try:
        found = f(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak == pytest.approx(d.cost(m=30, n=70).memory, rel=0.02)
    assert peak < found.nbytes + 8 * 30 * 70 * 70 / 2


@pytest.mark.parametrize("kind", ["float32", "float64", "complex128", "int64", "float16"])
def test_an_outer_product_in_its_places_is_of_the_kind_of_the_result(kind):
    d = derive("Y[i,j,k] = X[i,j]*X[i,k]*z[i]", "z", shapes={"X": "m n", "z": "m"})
    X = (10 * sample({"X": (3, 5)})["X"]).astype(kind)
    z = np.ones(3, kind)
    found = d.compile()(X, z)
    assert found.dtype == np.result_type(X, np.float32)
    expected = np.zeros((3, 5, 5, 3), found.dtype)
    for i in range(3):
        expected[i, :, :, i] = np.multiply.outer(X[i], X[i])
    assert_close(found, expected, 1e-3 if kind == "float16" else 1e-6 if kind == "float32" else 1e-12)
