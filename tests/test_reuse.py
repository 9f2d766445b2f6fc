"""Arrays that nobody reads any more are written over, and nothing else is: numbers, memory."""

import itertools
import re
import tracemalloc

import numpy as np
import pytest
from acceptance.cookbook import ROWS as COOKBOOK
from acceptance.test_expressions import ROWS as EXPRESSIONS
from hypothesis import given, settings
from numeric import assert_close, numerical_jacobian, sample
from programs import oracle_jacobian
from test_random_programs import cases, derived, used

from einsumdiff import derive, plan
from einsumdiff.forms.options import Options
from einsumdiff.nodes import Label
from einsumdiff.passes import reuse
from einsumdiff.passes.kinds import KEPT, MADE_FLOATS
from einsumdiff.sizes import symbol
from einsumdiff.targets.numpy.statements import Statements

SIZES = {"m": 2, "n": 3, "p": 5, "q": 7}
BIG = {"m": 300, "n": 200, "p": 250, "q": 150}

PROGRAMS = [
    ("A: (m, n); B: (m, n)\nf = sum(exp(sin(A)*B)*tanh(A)/(1 + A**2))", "A"),
    ("A: (m, n); B: (m, n)\nY = exp(sin(A)*B) - B/(2 + cos(A)*B)\nf = sum(Y*Y*tanh(Y))", "A"),
    ("X: (m, n); A: (n, p); a: (p,); B: (p, q)\nf = sum(tanh(tanh(X@A + a)@B)**2)", "A"),
    (
        "X: (m, n); W: (n, p); Y: (m, p)\nZ = X @ W\nf = sum(logsumexp(Z, axis=1)) - sum(Y*Z)",
        "W",
    ),
    ("X: (m, n); y: (m,); w: (n,)\nf = sum(log1p(exp(y*(X @ w))))", "w"),
    ("X: (m, n); w: (n,)\nf = sum(sigmoid(X @ w)*softplus(X @ w))", "w"),
    ("A: (m, n); B: (m, n)\nC = A - B\nf = sum(C**2/(1 + C**2)) + sum(1 - sqrt(2 + C*C))", "A"),
    ("A: (m, n); B: (n, m)\nC = A*B.T\nf = sum(sin(C)*cos(C.T @ C)[0, 0] + C/(2 + C**2))", "A"),
    ("S: (n, n)\nT = S + S.T\nf = sum(exp(T)*T.T*sin(T))", "S"),
    ("A: (m, n); B: (m, n)\nC = exp(A)\nf = sum(sin(-C*B - sin(C)))", "A"),
    ("A: (m, n); B: (m, n)\nC = exp(A)*B\nD = sin(C)*cos(C)\nE = -D - C\nf = sum(E**2*tanh(E))", "A"),
    ("A: (m, n); x: (n,)\nf = sum(where(A > 0, sin(A)*x, x - A)*exp(A))", "A"),
    ("z: (n,)\ny = sigmoid(sigmoid(exp(-(z**2))))", "z"),  # functions that are opened, and read thrice
    ("S: (n, n)\nf = sum(minimum(S.T**2 + S**2, 1))", "S"),  # an array that is filled, and then free
]


@pytest.fixture
def everywhere(monkeypatch):
    """Arrays of all sizes are written over, whether it saves memory or not."""
    less = itertools.count(0, -1)
    monkeypatch.setattr(reuse, "LARGE", 0)
    monkeypatch.setattr(reuse, "taken", lambda statements, sizes: (next(less), 0))


def drawn(d, sizes, dtype=float):
    shapes = {one.name: tuple(sizes[str(s)] for s in one.shape) for one in d._program.inputs}
    return {name: array.astype(dtype) for name, array in sample(shapes, seed=3).items()}


def body(d, **options):
    """The statements of the source."""
    return [line.strip() for line in d.source(**options).rpartition('"""')[2].splitlines() if line.strip()]


# ------------------------------------------------------------------------------------------- the same numbers


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("text", "wrt"), PROGRAMS)
def test_what_is_written_over_gives_the_slope_of_the_function(text, wrt, order, everywhere):
    d = derive(text, wrt=wrt)
    arrays = drawn(d, SIZES)
    assert re.search("out=|[-+*/]= ", d.source()), d.source()
    value, slope = d.compile(value=True)(**arrays)
    assert_close(slope, numerical_jacobian(d._value_alone(), arrays, wrt), 1e-8)
    assert_close(value, d._value_alone()(**arrays), 1e-12)
    if order == 2:
        first = d.compile()
        second = derive(text, wrt=wrt, order=2).compile()
        assert_close(second(**arrays), numerical_jacobian(first, arrays, wrt), 1e-7)


def test_two_terms_are_not_taken_off_in_the_memory_of_one_that_both_read(everywhere):
    d = derive("Y = (-S/(1 + sum(S**2, axis=1, keepdims=True)) - S)*exp(S.T/3)", "S", shapes={"S": "n n"})
    arrays = drawn(d, SIZES)
    slope = numerical_jacobian(d._value_alone(), arrays, "S")
    for sizes in ({}, {"n": 3}, {"n": 5000}):
        assert_close(d.compile(sizes=sizes)(**arrays), slope, 1e-8)


@pytest.mark.parametrize(("text", "wrt"), PROGRAMS)
def test_the_slow_oracle_says_the_same_and_no_argument_changes(text, wrt, everywhere):
    d = derive(text, wrt=wrt)
    arrays = drawn(d, SIZES)
    for array in arrays.values():
        array.flags.writeable = False
    found = d.compile()(**arrays)
    found[...] = 0  # an array of its own
    inputs = {one: arrays[one.name] for one in d._program.inputs}
    (jacobian,) = d._jacobians
    assert_close(d.compile()(**arrays), oracle_jacobian(jacobian, inputs, SIZES), 1e-10)


@pytest.mark.parametrize("row", EXPRESSIONS, ids=lambda row: row.number)
def test_an_expression_has_the_same_derivative_either_way(row, everywhere):
    d = derive(row.program, wrt=row.wrt, order=row.order, shapes=row.sizes)
    arrays = {name: row.arrays[name] for name in d.inputs}
    assert_close(d.compile()(**arrays), d._loaded(Options(in_place=False))[0](**arrays), 1e-11)


@pytest.mark.parametrize("row", COOKBOOK, ids=lambda row: row.number)
def test_a_cookbook_identity_has_the_same_derivative_either_way(row, everywhere):
    d = derive(row.program, wrt=row.wrt, order=row.order, shapes=row.shapes)
    arrays = {name: row.arrays[name] for name in d.inputs}
    assert_close(d.compile()(**arrays), d._loaded(Options(in_place=False))[0](**arrays), 1e-9)


@given(cases())
@settings(max_examples=80, deadline=None)
def test_random_programs_have_the_same_derivative_either_way(case):
    text, wrt = case
    values = used(text)
    if wrt not in values:
        return
    less = itertools.count(0, -1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reuse, "LARGE", 0)
        patch.setattr(reuse, "taken", lambda statements, sizes: (next(less), 0))
        d = derived(text, wrt)
        found = d.compile(value=True)(**values)
    expected = d._loaded(Options(value=True, in_place=False))[0](**values)
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other, 1e-9)


# ------------------------------------------------------------------------------------------------- types


KINDS = [np.int8, np.uint8, np.int64, np.float16, np.float32, np.float64, bool]


@pytest.mark.parametrize(("text", "wrt"), PROGRAMS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("other", KINDS)
def test_arguments_of_other_types_make_what_they_make_without(text, wrt, kind, other, everywhere):
    d = derive(text, wrt=wrt)
    for mixed in [*d.inputs, None]:
        arrays = drawn(d, SIZES)
        arrays = {name: array.astype(kind if name == wrt else other) for name, array in arrays.items()}
        if mixed is not None and mixed != wrt:
            arrays[mixed] = arrays[mixed].astype(np.float64)
        with np.errstate(all="ignore"):
            try:
                expected = d._loaded(Options(in_place=False))[0](**arrays)
            except TypeError:  # NumPy does not negate truth values
                continue
            found = d.compile()(**arrays)
        assert found.dtype == expected.dtype, d.source()
        exact = 1e-12 if expected.dtype == np.float64 else 1e-5
        np.testing.assert_allclose(found, expected, rtol=1e3 * exact, atol=1e2 * exact)


@pytest.mark.parametrize("name", sorted(MADE_FLOATS | KEPT))
def test_a_function_makes_the_type_that_is_said(name):
    function = np.errstate(all="ignore")(getattr(np, name))
    nin = getattr(np, name).nin
    floats = [np.float16, np.float32, np.float64, np.longdouble]
    for left in [*floats, *np.typecodes["AllInteger"], bool]:
        a = np.ones(2, left)
        if nin == 1:
            if name in MADE_FLOATS:
                assert function(a).dtype.kind == "f"
            if left in floats:
                assert function(a).dtype == a.dtype
            continue
        for right in [*floats, *np.typecodes["AllInteger"], bool]:
            b = np.ones(2, right)
            if name in MADE_FLOATS or left in floats or right in floats:
                assert function(a, b).dtype.kind == "f"
            if left in floats or right in floats:
                assert function(a, b).dtype == np.result_type(a, b), (name, left, right)


@pytest.mark.parametrize("name", sorted(MADE_FLOATS))
def test_what_a_float_is_made_of_promotes_to_nothing_else(name):
    if getattr(np, name).nin == 2:
        return
    function = np.errstate(all="ignore")(getattr(np, name))
    every = [np.float16, np.float32, np.float64, *np.typecodes["AllInteger"], bool]
    for left, right in itertools.product(every, every):
        a, b = np.ones(2, left), np.ones(2, right)
        made = function(a + b)
        assert (a * made).dtype == made.dtype, (name, left, right)


# ---------------------------------------------------------------------------------------------- the source


def test_a_power_of_another_array_is_not_one_of_the_buffer():
    i = Label(symbol("m"))
    square = plan.Into("t", "t", plan.Power(plan.Load("x", (i,)), 2, (i,)), (i,))
    assert Statements({"t", "x"}).statement(square) == ["np.square(x, out=t)"]
    own = plan.Into("t", "t", plan.Power(plan.Load("t", (i,)), 2, (i,)), (i,))
    assert Statements({"t", "x"}).statement(own) == ["t **= 2"]


def test_a_chain_over_a_large_array_is_written_over():
    d = derive("Y = exp(X - sum(X, axis=1)[:, None])", wrt="X")
    assert body(d)[2:4] == ["Y = X - X.sum(axis=1)[:, None]", "np.exp(Y, out=Y)"]


def test_a_small_array_is_not():
    d = derive("X: (m, n); y: (m,); w: (n,)\nf = sum(log1p(exp(-y*(X @ w))))", wrt="w")
    assert not any("out=" in line for line in body(d))
    assert any("out=" in line for line in body(d, sizes={"m": 100_000}))


def test_what_is_returned_or_read_later_is_not_written_over():
    d = derive("A: (m, n); B: (m, n)\nY = exp(A)\nf = sum(Y*sin(Y)*B)", wrt="A")
    arrays = drawn(d, BIG)
    Y = np.exp(arrays["A"])
    assert_close(d.compile()(**arrays), (np.sin(Y) + Y * np.cos(Y)) * Y * arrays["B"], 1e-12)
    d = derive("A: (m, n)\nY = exp(A)*A", wrt="A", batch=("m", "n"))
    value, slope = d.compile(value=True)(A=arrays["A"])
    assert_close(value, Y * arrays["A"], 1e-12)
    assert_close(slope, Y * (1 + arrays["A"]), 1e-12)


def test_an_array_of_another_type_is_not_written_over():
    d = derive("A: (m, n); B: (m, n)\nf = sum(exp(sin(A)*B)*tanh(A))", wrt="A")
    A, B = np.full((100, 100), 0.5), np.full((100, 100), 0.25)
    assert d.compile()(A.astype(np.float32), B).dtype == np.float64
    plain = d._loaded(Options(in_place=False))[0]
    assert_close(d.compile()(A.astype(np.float32), B), plain(A.astype(np.float32), B), 1e-12)


# ---------------------------------------------------------------------------------------------- the memory


@pytest.mark.parametrize(("text", "wrt"), [row for row in PROGRAMS if "where" not in row[0]])
def test_the_memory_of_a_call_is_what_the_account_says(text, wrt):
    d = derive(text, wrt=wrt)
    vectors = "w: (n,)" in text
    sizes = {"m": 200_000, "n": 3} if vectors else dict.fromkeys(d._sizes, 1000)
    said = d.cost(**sizes)
    arrays, function = drawn(d, sizes), d.compile(sizes=sizes)
    measured = peak(function, arrays)
    assert said.memory == pytest.approx(measured, rel=0.1)
    assert measured <= peak(d._loaded(Options(in_place=False))[0], arrays) * 1.01


def peak(function, arrays):
    function(**arrays)
    tracemalloc.start()
    function(**arrays)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return measured
