"""Long chains over large arrays are computed by blocks of rows: the same numbers, types and memory."""

import itertools
import re
import tracemalloc

import numpy as np
import pytest
from acceptance.cookbook import ROWS as COOKBOOK
from acceptance.test_expressions import ROWS as EXPRESSIONS
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import assert_close, numerical_jacobian, sample
from programs import oracle_jacobian
from test_random_programs import cases, derived, used

from einsumdiff import derive
from einsumdiff.forms.options import Options
from einsumdiff.passes import blocks, reuse

SIZES = {"m": 7, "n": 3, "p": 5, "q": 2}
LOOP = "for start in range"

PROGRAMS = [
    ("A: (m, n); B: (m, n)\nf = sum(exp(sin(A)*B)*tanh(A)/(1 + A**2))", "A"),
    ("W: (m, n)\nf = sum(W*sin(W)*exp(-(W**2)))", "W"),
    ("X: (m, n); T: (m, n)\nY = exp(X)/sum(exp(X), axis=1)[:, None]\nf = sum(T*Y*sin(Y))", "X"),
    (
        "X: (m, n); T: (m, n)\nY = X - mean(X, axis=1)[:, None]\n"
        "f = sum(T*Y/sqrt(1e-1 + mean(Y**2, axis=1))[:, None])",
        "X",
    ),
    ("x: (m,); y: (m,)\nr = x - y\nf = sum(where(abs(r) < 1, r**2/2, abs(r) - 1/2))", "x"),
    ("X: (m, n); y: (m,); w: (n,)\nf = sum(log1p(exp(y*(X @ w))))", "w"),
    ("X: (m, n); v: (n,)\nf = sum(tanh(X*exp(v))*cos(v)) + sum(sigmoid(X)*softplus(X))", "X"),
    ("X: (m, n); A: (n, p); a: (p,); B: (p, q)\nf = sum(tanh(tanh(X@A + a)@B)**2)", "A"),
    ("S: (m, m)\nT = S + S.T\nf = sum(exp(T)*T.T*sin(T))", "S"),
    ("X: (m, n)\nG = X @ X.T\nd = sum(X**2, axis=1)\nf = sum(exp(-(d[:, None] + d - 2*G)/2))", "X"),
    ("A: (m, n); c: ()\nf = sum(sin(c*A)*A)/m + sqrt(1 + sum(A**2)) + cos(c)*sum(tanh(A))", "A"),
    ("A: (m, n); c: ()\ns = sum(exp(A))\nf = sum(sin(A)/s) + log(s)", "A"),
    ("A: (m, n, p); B: (m, n, p)\nY = max(A*B, axis=2)\nf = sum(exp(Y)*tanh(Y)*sum(B*sin(A), axis=2))", "A"),
    ("A: (m, n); B: (m, n)\nY = exp(sin(A)*B) - B/(2 + cos(A)*B)\nY", "B"),
]
ROWS = pytest.mark.parametrize(("text", "wrt"), PROGRAMS)


def by_blocks_everywhere(patch, block=6):
    patch.setattr(blocks, "LARGE", 0)
    patch.setattr(blocks, "BLOCK", block)
    patch.setattr(blocks, "PASSES", -1e9)
    patch.setattr(blocks, "taken", lambda statements, sizes: (0, 0))


def written_over_everywhere(patch):
    less = itertools.count(0, -1)
    patch.setattr(reuse, "LARGE", 0)
    patch.setattr(reuse, "taken", lambda statements, sizes: (next(less), 0))


@pytest.fixture(params=[0, 6, 50])
def everywhere(monkeypatch, request):
    """Blocks of one row, of a few, of all of them, however small the arrays are."""
    by_blocks_everywhere(monkeypatch, request.param)


def drawn(d, sizes, seed=3):
    shapes = {one.name: tuple(sizes[str(s)] for s in one.shape) for one in d._program.inputs}
    return sample(shapes, seed=seed)


def said(d):
    return {name: size for name, size in SIZES.items() if name in d._sizes}


def plainly(d, arrays, **options):
    return d._loaded(Options(in_place=False, **options))[0](**arrays)


def plainly_or_none(d, arrays):
    try:
        return plainly(d, arrays, value=True)
    except ValueError:  # the largest of no entries
        return None


def compared(found, expected, tol=1e-10):
    found = found if isinstance(found, tuple) else (found,)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for one, other in zip(found, expected, strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, rtol=tol, atol=tol)


# ------------------------------------------------------------------------------------------- the same numbers


@ROWS
@pytest.mark.parametrize("small", [False, True], ids=["new arrays", "written over"])
def test_blocks_give_the_slope_of_the_function(text, wrt, small, everywhere, monkeypatch):
    if small:
        written_over_everywhere(monkeypatch)
    d = derive(text, wrt=wrt)
    arrays = drawn(d, SIZES)
    for array in arrays.values():
        array.flags.writeable = False
    assert LOOP in d.source(value=True, sizes=said(d))
    value, slope = d.compile(value=True, sizes=said(d))(**arrays)
    assert_close(value, plainly(d, arrays, value=True)[0], 1e-12)
    assert_close(slope, numerical_jacobian(d._value_alone(), arrays, wrt), 1e-7)
    inputs = {one: arrays[one.name] for one in d._program.inputs}
    (jacobian,) = d._jacobians
    assert_close(slope, oracle_jacobian(jacobian, inputs, SIZES), 1e-10)


@ROWS
def test_the_second_derivative_too(text, wrt, everywhere):
    if text.endswith("\nY"):
        return
    first, second = derive(text, wrt=wrt), derive(text, wrt=wrt, order=2)
    arrays = drawn(first, SIZES)
    found = second.compile(sizes=said(second))(**arrays)
    assert_close(found, numerical_jacobian(first.compile(sizes=said(first)), arrays, wrt), 1e-7)


@ROWS
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 6, 8, 13])
def test_other_numbers_of_rows_than_were_said_are_right(text, wrt, rows, everywhere):
    d = derive(text, wrt=wrt)
    for columns in (3, 1):
        arrays = drawn(d, {**SIZES, "m": rows, "n": columns})
        with np.errstate(all="ignore"):
            expected = plainly_or_none(d, arrays)
            if expected is None:
                continue
            for workspace in (False, True):
                function = d.compile(value=True, sizes=said(d), workspace=workspace)
                compared(function(**arrays), expected)


@ROWS
def test_no_columns_are_right_too(text, wrt, everywhere):
    d = derive(text, wrt=wrt)
    arrays = drawn(d, {**SIZES, "n": 0, "p": 0})
    with np.errstate(all="ignore"):
        expected = plainly_or_none(d, arrays)
        if expected is not None:
            compared(d.compile(value=True, sizes=said(d))(**arrays), expected)


@ROWS
def test_any_layout_of_the_arguments_is_right(text, wrt, everywhere):
    d = derive(text, wrt=wrt)
    arrays = drawn(d, SIZES)
    expected = plainly(d, arrays, value=True)
    for kind in ("F", "steps", "backwards"):
        given = {}
        for name, array in arrays.items():
            if not array.ndim:
                given[name] = array
            elif kind == "F":
                given[name] = np.asfortranarray(array)
            elif kind == "steps":
                given[name] = np.repeat(array, 2, axis=0)[::2]
            else:
                given[name] = array[::-1].copy()[::-1]
        compared(d.compile(value=True, sizes=said(d))(**given), expected)


@ROWS
def test_every_call_with_a_workspace_is_right(text, wrt, everywhere):
    d = derive(text, wrt=wrt)
    kept, found = d.compile(value=True, sizes=said(d), workspace=True), []
    for seed in range(3):
        found.append((drawn(d, SIZES, seed), kept(**drawn(d, SIZES, seed))))
    for arrays, result in found:
        compared(result, plainly(d, arrays, value=True))


@ROWS
def test_a_buffer_that_is_given_is_filled(text, wrt, everywhere):
    d = derive(text, wrt=wrt)
    arrays = drawn(d, SIZES)
    expected = plainly(d, arrays)
    buffer = np.full(expected.shape, 7.0)
    assert d.compile(out=True, sizes=said(d))(**arrays, out=buffer) is buffer
    compared(buffer, expected)


@pytest.mark.parametrize("row", [*EXPRESSIONS, *COOKBOOK], ids=lambda row: row.number)
def test_an_expression_has_the_same_derivative_either_way(row, monkeypatch):
    by_blocks_everywhere(monkeypatch)
    shapes = getattr(row, "sizes", None) or getattr(row, "shapes", None)
    d = derive(row.program, wrt=row.wrt, order=row.order, shapes=shapes)
    arrays = {name: row.arrays[name] for name in d.inputs}
    sizes = dict.fromkeys(d._sizes, 4)
    assert_close(d.compile(sizes=sizes)(**arrays), plainly(d, arrays), 1e-9)


@given(cases(), st.integers(0, 9))
@settings(max_examples=120, deadline=None)
def test_random_programs_have_the_same_derivative_either_way(case, block):
    text, wrt = case
    values = used(text)
    if wrt not in values:
        return
    with pytest.MonkeyPatch.context() as patch:
        by_blocks_everywhere(patch, block)
        written_over_everywhere(patch)
        d = derived(text, wrt)
        sizes = dict.fromkeys(d._sizes, 3)
        found = [d.compile(value=True, sizes=sizes, workspace=kept)(**values) for kept in (False, True)]
    expected = d._loaded(Options(value=True, in_place=False))[0](**values)
    for each in found:
        for one, other in zip(each, expected, strict=True):
            assert_close(one, other, 1e-9)


# ------------------------------------------------------------------------------------------------- types


@ROWS
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("other", [np.int8, np.int64, np.float16, np.float32, np.float64])
def test_arguments_of_other_types_make_what_they_make_without(text, wrt, kind, other, monkeypatch):
    by_blocks_everywhere(monkeypatch)
    d = derive(text, wrt=wrt)
    for rows in (7, 0):
        given = drawn(d, {**SIZES, "m": rows})
        given = {name: a.astype(kind if name == wrt else other) for name, a in given.items()}
        with np.errstate(all="ignore"):
            expected = plainly_or_none(d, given)
            if expected is None:
                continue
            found = d.compile(value=True, sizes=said(d))(**given)
        for one, two in zip(found, expected, strict=True):
            assert np.asarray(one).dtype == np.asarray(two).dtype, d.source(value=True, sizes=said(d))
            np.testing.assert_allclose(one, two, rtol=0.05 if other == np.float16 else 1e-3, atol=0.05)


@pytest.mark.parametrize("c", [2, 0.5, np.float32(0.5), np.float64(0.5), np.asarray(0.5)])
def test_a_number_is_told_from_an_array_of_one(c, monkeypatch):
    by_blocks_everywhere(monkeypatch)
    d = derive("A: (m, n); c: ()\nf = sum(sin(c*A)*A)*exp(c)", wrt="A")
    A = drawn(d, SIZES)["A"].astype(np.float32)
    found = d.compile(value=True, sizes=said(d))(A=A, c=c)
    compared(found, plainly(d, {"A": A, "c": c}, value=True), 1e-5)


def test_an_array_of_the_function_is_written_over_by_rows(monkeypatch):
    by_blocks_everywhere(monkeypatch)
    written_over_everywhere(monkeypatch)
    d = derive("X: (m, n); Y: (m, n)\nf = sum(exp(tanh(X @ Y.T)))", wrt="X")
    assert "np.tanh(t1_rows, out=t1_rows)" in d.source(value=True, sizes=said(d))
    arrays = drawn(d, SIZES)
    compared(d.compile(value=True, sizes=said(d))(**arrays), plainly(d, arrays, value=True))


# ------------------------------------------------------------------------------------- where, and the source

CHAIN = "A: (m, n); B: (m, n)\nC = A - B\nf = sum(log(1 + C**2)*tanh(C))"
BIG = {"m": 6000, "n": 1000}


def test_the_source_is_a_loop_that_a_person_can_read():
    text = "A: (m, n); B: (m, n)\nC = A - B\nf = sum(log(1 + C**2))"
    d = derive(text, wrt="A")
    body = d.source(value=True, sizes=BIG).rpartition('"""')[2].strip("\n").splitlines()
    assert [line[4:] for line in body] == [
        "m, n = A.shape",
        "result = np.empty((m, n), np.result_type(A, B))",
        "f = 0",
        "for start in range(0, max(m, 1), 65):",
        "    rows = slice(start, start + 65)",
        "    A_rows = A[rows]",
        "    B_rows = B[rows]",
        "    result_rows = result[rows]",
        "    C = A_rows - B_rows",
        "    t1 = C**2 + 1",
        "    f += np.log(t1).sum()",
        "    C /= t1",
        "    np.multiply(2, C, out=result_rows)",
        "return f, result",
    ]
    assert d.source(value=True, sizes=BIG) == derive(text, wrt="A").source(value=True, sizes=BIG)


@pytest.mark.parametrize("options", [{}, {"sizes": {"m": 100, "n": 100}}, {"sizes": {"n": 10_000}}])
def test_nothing_is_done_where_arrays_are_small_or_sizes_not_given(options):
    d = derive(CHAIN, wrt="A")
    assert LOOP not in d.source(value=True, **options)
    assert LOOP in d.source(value=True, sizes=BIG)
    assert LOOP not in d.source(value=True, sizes={"m": 20, "n": 10**6})


def test_declared_numbers_are_sizes():
    d = derive("sum(log(1 + A**2)*tanh(A))", wrt="A", shapes={"A": (6000, 1000)})
    assert LOOP in d.source(value=True)


def test_a_short_chain_is_left_as_it_is():
    assert LOOP not in derive("A: (m, n); B: (m, n)\nf = sum(B*exp(A))", wrt="A").source(sizes=BIG)


def test_a_product_of_matrices_is_made_ahead_and_whole():
    d = derive("X: (m, n); y: (m,); w: (n,)\nf = sum(log(1 + exp(-y*(X @ w))))", wrt="w")
    before, _, after = d.source(value=True, sizes={"m": 10**7, "n": 10}).partition(LOOP)
    assert "X @ w" in before
    assert "@" not in after.partition("result")[0]


def test_names_of_the_user_are_not_taken():
    text = "start = A*rows\nf = sum(tanh(start)*exp(-(start**2))*A_rows)"
    d = derive("A: (m, n); rows: (m, n); A_rows: (m, n)\n" + text, wrt="A")
    with pytest.MonkeyPatch.context() as patch:
        by_blocks_everywhere(patch)
        assert re.search(r"for start1 in range\(0, max\(m, 1\), 2\)", d.source(value=True, sizes=said(d)))
        arrays = drawn(d, SIZES)
        compared(d.compile(value=True, sizes=said(d))(**arrays), plainly(d, arrays, value=True))


# ---------------------------------------------------------------------------------------------- the memory


@pytest.mark.parametrize(
    ("text", "wrt", "value"),
    [
        *((*row, value) for row in ((CHAIN, "A"), *PROGRAMS[1:4]) for value in (False, True)),
        (*PROGRAMS[5], True),  # its slope alone takes too few passes
    ],
)
def test_the_memory_of_a_call_is_what_the_account_says(text, wrt, value, monkeypatch):
    monkeypatch.setattr(blocks, "LARGE", 2**18)
    monkeypatch.setattr(blocks, "BLOCK", 2**13)
    d = derive(text, wrt=wrt)
    sizes = {"m": 2000, "n": 300} if "w: (n" not in text else {"m": 400_000, "n": 3}
    arrays, function = drawn(d, sizes), d.compile(value=value, sizes=sizes)
    assert LOOP in d.source(value=value, sizes=sizes)
    measured = peak(function, arrays)
    if not value:
        assert d.cost(**sizes).memory == pytest.approx(measured, rel=0.1)
    assert measured <= peak(d._loaded(Options(value=value, in_place=False))[0], arrays) * 1.01


@pytest.mark.parametrize(("text", "wrt"), [(CHAIN, "A"), PROGRAMS[1], PROGRAMS[3], PROGRAMS[5]])
def test_a_second_call_makes_nothing_but_what_it_returns(text, wrt, monkeypatch):
    monkeypatch.setattr(blocks, "LARGE", 2**18)
    monkeypatch.setattr(blocks, "BLOCK", 2**13)
    d = derive(text, wrt=wrt)
    sizes = {"m": 2000, "n": 300} if "w: (n" not in text else {"m": 400_000, "n": 3}
    arrays, function = drawn(d, sizes), d.compile(value=True, sizes=sizes, workspace=True)
    assert LOOP in d.source(value=True, sizes=sizes, workspace=True)
    result = function(**arrays)
    assert peak(function, arrays) <= sum(np.asarray(one).nbytes for one in result) + 70_000


def peak(function, arrays):
    function(**arrays)
    tracemalloc.start()
    function(**arrays)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return measured
