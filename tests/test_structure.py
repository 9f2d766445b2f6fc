"""`d.structure` says what a derivative looks like, and what there is to keep; every word is true."""

# ruff: noqa: E501

import json
import re

import numpy as np
import pytest
from acceptance.cookbook import ROWS as COOKBOOK
from acceptance.cookbook import SIZES
from claims import at, check_claims, drawn, sizes_of
from hypothesis import given, settings
from hypothesis import strategies as st
from structures import ROWS

from einsumdiff import EinsumDiffError, ValueFault, derive
from einsumdiff.sizes import evaluate
from einsumdiff.symmetry import symmetric_axes

LARGE = dict(zip("mnpqkrlvd", (31, 53, 71, 23, 7, 11, 5, 97, 13), strict=True))

every_row = pytest.mark.parametrize(
    ("program", "wrt", "shapes", "order", "kind", "stored"), ROWS, ids=[f"{r[0]} {r[1]} {r[3]}" for r in ROWS]
)


def test_there_are_enough_rows():
    assert len(ROWS) + len(COOKBOOK) > 180


@every_row
def test_the_kind_and_what_is_stored(program, wrt, shapes, order, kind, stored):
    s = derive(program, wrt, order=order, shapes=shapes).structure
    assert s.kind == kind, s
    assert at(s.stored, LARGE) == eval(stored, {}, LARGE), s


@every_row
def test_every_claim_holds_for_the_numbers(program, wrt, shapes, order, kind, stored):
    d = derive(program, wrt, order=order, shapes=shapes)
    sizes = sizes_of(d)
    if "i+k" in program:  # a kernel is no longer than what it slides over
        sizes.update({name: 2 for name in "kl" if name in sizes}, **{n: 5 for n in "n" if n in sizes})
    indices = {"k": "v"} if "[k]" in program and "k" in shapes else {}
    for seed in range(2):
        arrays = drawn(d, sizes, indices, seed)
        if "log(B)" in program or "logdet" in program:
            arrays = {name: np.abs(value) for name, value in arrays.items()}
        if "logdet" in program:
            arrays["K"] = arrays["K"] @ arrays["K"].T + np.eye(len(arrays["K"]))
        check_claims(d, arrays, sizes)


@pytest.mark.parametrize("row", COOKBOOK, ids=[f"{one.number} {one.program}" for one in COOKBOOK])
def test_every_claim_holds_for_the_matrix_cookbook(row):
    d = derive(row.program, wrt=row.wrt, shapes=row.shapes, order=row.order)
    check_claims(d, row.arrays, SIZES)
    assert evaluate(d.structure.stored, SIZES) <= eval(row.stored, {}, SIZES)


WORDS = [
    ("exp(x)", "x", 1, "diagonal in (i, m); stores n numbers of n*n"),
    (
        "Z = X @ Y",
        "X",
        1,
        "block-diagonal in (i, m): m equal blocks of p by n; stores n*p numbers of m*m*n*p",
    ),
    (
        "softmax(x)",
        "x",
        1,
        "diagonal in (i, m) plus rank 1; stores n numbers of n*n; symmetric in (i, m)",
    ),
    ("z[i] = x[i+1] - x[i]", "x", 1, "banded: m - i from 0 to 1 (Toeplitz), in 2 terms; stores 0 numbers of n*n - n"),
    ("cumsum(x)", "x", 1, "triangular: m <= i; stores 0 numbers of n*n"),
    ("a @ X @ b", "X", 1, "outer product of (i) and (j); stores m + n numbers of m*n"),
    ("A @ X @ B", "X", 1, "Kronecker product in (i, m) and (j, n); stores m*n + p*q numbers of m*n*p*q"),
    ("x @ A @ x", "x", 2, "dense; stores n*n numbers of n*n; symmetric in (i, j)"),
    ("sum(b)*2 + 0*sum(x)", "x", 1, "zero; stores 0 numbers of n"),
    (
        "L = sum((T - U @ V.T)**2)",
        "U",
        2,
        "block-diagonal in (i, k): m equal blocks of p by p; stores p*p numbers of m*m*p*p; "
        "symmetric in ((i, j), (k, l)), (j, l)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("program", "wrt", "order", "text"), WORDS)
def test_the_words(program, wrt, order, text):
    assert str(derive(program, wrt, order=order).structure) == text


def test_the_kind_and_the_pairs_can_be_asked_for():
    structure = derive("Z = X @ Y", "X").structure
    assert structure.kind == "block-diagonal" and structure.pairs == ((0, 2),)


def test_cross_blocks_that_vanish_are_zero():
    h = derive("L = sum((T - U)**2) + sum(exp(V))", ["U", "V"], order=2)
    assert h["U", "V"].structure.kind == "zero"
    assert h["V", "V"].structure.kind == "diagonal"


def test_the_rank_of_a_product_through_a_narrow_axis():
    s = derive("A @ B @ x", "x", shapes={"A": "m k", "B": "k n", "x": "n"}).structure
    assert str(s) == "dense, of rank at most k; stores m*n numbers of m*n"


def test_counts_at_given_sizes():
    s = derive("Z = X @ Y", "X").structure
    assert s.count(m=2, n=3, p=5) == (15, 60)
    assert (str(s.stored), str(s.dense)) == ("n*p", "m*m*n*p")
    fixed = derive("X @ Y", "X", shapes={"X": (2, 3), "Y": (3, 5)}).structure
    assert (fixed.stored, fixed.dense) == (15, 60) and fixed.count() == (15, 60)


@pytest.mark.parametrize(
    "sizes", [{}, {"n": 2}, {"m": 1, "n": 2, "p": 3, "q": 1}, {"m": 1, "n": 2.0, "p": 3}]
)
def test_a_wrong_size_is_refused(sizes):
    with pytest.raises(ValueFault):
        derive("Z = X @ Y", "X").structure.count(**sizes)


def test_what_is_not_symmetric_is_not_called_so():
    d = derive("A @ x", "x", shapes={"A": "n n", "x": "n"})
    assert d.structure.symmetric == ()
    assert symmetric_axes(d._jacobian.terms, d._jacobian.shape, d._jacobian.ranks) == ()


def test_a_gram_matrix_that_has_a_name_is_symmetric():
    d = derive("sum((A @ x)**2)", "x", order=2)
    assert d.structure.symmetric == (((0,), (1,)),)


def test_the_dictionary_is_json():
    said = json.loads(json.dumps(derive("Z = X @ Y", "X").structure.to_dict()))
    assert said["kind"] == "block-diagonal" and said["stored"] == "n*p" and said["pairs"] == [[0, 2]]


STEPS = [
    "sin($)", "$[::-1]", "roll($, 1)", "cumsum($)", "A @ $", "x*$", "$ + a", "diff(append($, 1.5))",
    "softmax($)", "$*sum(x**2)", "a*(a @ $)", "pad($[1:-1], 1)", "convolve($, w, 'same')",
    "$/sum($**2)", "A.T @ (A @ $)", "tril(A) @ $", "diag(outer($, a))",
]  # fmt: skip
ENDS = ["$", "outer($, a)", "sum($**2)", "a @ $", "stack(($, x))"]


@settings(derandomize=True, max_examples=60, deadline=None, database=None)
@given(
    st.lists(st.sampled_from(STEPS), min_size=1, max_size=2), st.sampled_from(ENDS), st.sampled_from([1, 2])
)
def test_the_claims_hold_for_random_programs(steps, end, order):
    text = "x"
    for step in (*steps, end):
        text = step.replace("$", f"({text})")
    for size in (5, "n"):
        shapes = {"x": size, "a": size, "A": (size, size), "w": 3}
        shapes = {name: shape for name, shape in shapes.items() if re.search(rf"\b{name}\b", text)}
        try:
            d = derive(f"y = {text}", "x", order=order, shapes=shapes)
        except EinsumDiffError:
            assert size == "n" or order == 2
            continue
        sizes = {"n": 5}
        check_claims(d, drawn(d, sizes, seed=1), sizes)
