"""Choices by cost: the order of contraction, and whether a product is multiplied out over a sum.

Counted in flops, never in time; the numbers are those of the plan that chooses nothing.
"""

import functools
import re
import tracemalloc

import numpy as np
import pytest
from acceptance.cookbook import ROWS as COOKBOOK
from acceptance.test_expressions import ROWS as EXPRESSIONS
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import assert_close, numerical_jacobian
from test_random_programs import cases, derived, used

from einsumdiff import derive, distribute, products
from einsumdiff.contract import cost, order, steps
from einsumdiff.costs import Stored, measured, pair, stored_pair, with_itself
from einsumdiff.errors import NameFault, ValueFault
from einsumdiff.forms.options import Options
from einsumdiff.nodes import Label

PLACES = measured({})

FACTORISATION = "T: (m, n); U: (m, p); V: (n, p)\nL = sum((T - U @ V.T)**2)"
CP = "L = (T[i,j,k] - A[i,r]*B[j,r]*C[k,r])**2"
TUCKER = "L = (T[i,j,k] - G[p,q,r]*A[i,p]*B[j,q]*C[k,r])**2"
THIN = {"m": 1000, "n": 500, "p": 10}


def result(source):
    return re.search(r"result = (.*)", source)[1]


def drawn(d, **sizes):
    random = np.random.default_rng(0)
    return {
        one.name: random.standard_normal(tuple(sizes[str(size)] for size in one.shape))
        for one in d._program.inputs
    }


# ------------------------------------------------------------------------------------- multiplying out


def test_a_thin_factorisation_never_forms_the_residual():
    d = derive(FACTORISATION, wrt="U")
    assert result(d.source(sizes=THIN)) == "2*(U @ (V.T @ V) - T @ V)"
    assert result(d.source()) == "-2*((T - U @ V.T) @ V)"
    sized = derive(
        "sum((T - U @ V.T)**2)", wrt="U", shapes={"T": np.zeros((1000, 500)), "U": np.zeros((1000, 10))}
    )
    assert result(sized.source()) == "2*(U @ (V.T @ V) - T @ V)"
    assert str(d).startswith("dL/dU[i,j] = -2*(T[i,k] - U[i,l]*V[k,l])*V[k,j]")
    m, n, p = THIN.values()
    found = d.cost(**THIN)
    assert found.flops == 2 * (m * n * p + n * p * p + m * p * p) + 2 * m * p
    assert found.memory < 8 * m * n


def test_a_wide_factorisation_forms_the_residual():
    d = derive(FACTORISATION, wrt="U")
    wide = {"m": 10, "n": 10, "p": 1000}
    assert result(d.source(sizes=wide)) == "-2*((T - U @ V.T) @ V)"


def test_a_residual_that_is_needed_anyhow_is_formed_once():
    d = derive(FACTORISATION, wrt=["U", "V"])
    assert "U @ V.T" in d.source(value=True, sizes=THIN)
    assert "U @ V.T" not in d.source(sizes=THIN)


@pytest.mark.parametrize("wrt", "ABC")
def test_a_cp_gradient_uses_gram_matrices(wrt):
    d = derive(CP, wrt=wrt)
    m, r = 100, 20
    found = d.cost(m=m, n=m, p=m, q=r)
    # T with the Khatri-Rao product, two Gram matrices and what they are multiplied by
    # that of B is between the axes of T that are summed: T with C first saves a copy of T
    ahead = 2 if wrt == "B" else 1
    grams = 2 * 2 * m * r * r + r * r
    assert found.flops == 2 * m**3 * r + ahead * m * m * r + grams + 2 * m * r * r + 2 * m * r


def test_a_cp_gradient_uses_gram_matrices_at_assumed_sizes_too():
    assert "(B.T @ B)*(C.T @ C)" in derive(CP, wrt="A").source()


def test_a_tucker_gradient_never_forms_the_model():
    d = derive(TUCKER, wrt="A")
    sizes = {"m": 50, "n": 60, "s": 70, "l": 3, "m1": 4, "n1": 5}
    found = d.cost(**sizes)
    assert found.memory < 8 * 50 * 60 * 70 / 10
    residual = 50 * 60 * 70
    assert found.flops < 2 * residual * 3 * 1.2, "T is read once, in a product with a factor of 3 columns"


@pytest.mark.parametrize(
    "text",
    [
        "L = sum(exp(T - U @ V.T) @ V)",
        "L = sum(relu(T - U @ V.T)**2)",
        "L = sum((T - U @ V.T)**4)",
        "L = sum(where(M > 0, (T - U @ V.T)**2, 0))",
    ],
)
def test_nothing_is_multiplied_out_through_a_function_a_power_or_a_mask(text):
    declared = "T: (m, n); U: (m, p); V: (n, p)\n" + text
    d = derive(declared, wrt="U")
    assert "U @ V.T" in d.source(sizes=THIN)


@pytest.mark.parametrize("wrt", ["U", "V"])
def test_rounding_stays_small_when_a_residual_is_multiplied_out(wrt):
    d = derive(FACTORISATION, wrt=wrt)
    arrays = drawn(d, m=60, n=50, p=4)
    arrays["T"] = arrays["U"] @ arrays["V"].T + 1e-3 * arrays["T"]
    formed = d.compile()(**arrays)
    out = d.compile(sizes=THIN)(**arrays)
    largest = np.abs(arrays["T"]).max() * 60 * np.abs(arrays["V"]).max()
    assert np.abs(out - formed).max() <= 1e-14 * largest


# -------------------------------------------------------------------------------------- thin products


def test_a_thin_matrix_stands_on_the_left_of_a_wide_one():
    d = derive(FACTORISATION, wrt="U")
    assert result(d.source(sizes={"m": 2000, "n": 1000, "p": 10})) == "(2*(V.T @ V @ U.T - V.T @ T.T)).T"
    d = derive("X: (m, n); W: (n, k); P: (m, k); L = sum(P * (X @ W))", wrt="W")
    assert result(d.source(sizes={"m": 5000, "n": 600, "k": 7})) == "(P.T @ X).T"
    d = derive("X: (m, n); W: (n, k); P: (m, k); L = sum(P * (X @ W))", wrt="P")
    assert result(d.source(sizes={"m": 5000, "n": 600, "k": 7})) == "(W.T @ X.T).T"


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"m": 5000, "k": 7},
        {"m": 500, "n": 600, "k": 7},
        {"m": 5000, "n": 600, "k": 150},
        {"m": 500000, "n": 20, "k": 7},
        {"m": 5000, "n": 600, "k": 1},
    ],
)
def test_others_stand_as_they_are_written(sizes):
    d = derive("X: (m, n); W: (n, k); P: (m, k); L = sum(P * (X @ W))", wrt="P")
    assert result(d.source(sizes=sizes)) == "X @ W"


@pytest.mark.parametrize("wrt", ["W", "b", "X"])
@pytest.mark.parametrize("out", [False, True])
def test_thin_products_are_the_slope_of_the_function(wrt, out):
    d = derive("X: (m, n); W: (n, k); b: (k,); P: (m, k); L = sum(exp((X @ W + b)*P))", wrt=wrt)
    arrays = {name: 0.3 * one for name, one in drawn(d, m=5, n=7, k=3).items()}
    slope = numerical_jacobian(d._value_alone(), arrays, wrt)
    function = d.compile(sizes={"m": 5000, "n": 600, "k": 7}, out=out)
    more = {"out": np.full_like(arrays[wrt], np.nan)} if out else {}
    assert_close(function(**arrays, **more), slope, 1e-8)
    assert "W.T @ X.T" in d.source(sizes={"m": 5000, "n": 600, "k": 7})


# ---------------------------------------------------------------------------------- order of contraction


def chain_cost(sizes):
    """The least weight of a chain of matrices, by the textbook's dynamic programme over intervals."""
    labels = [Label(size) for size in sizes]

    @functools.cache
    def least(i, j):
        if j == i + 1:
            return 0.0
        ends = frozenset({labels[i], labels[j]})
        return min(
            least(i, k)
            + least(k, j)
            + pair(frozenset({labels[i], labels[k]}), frozenset({labels[k], labels[j]}), ends, PLACES).weight
            for k in range(i + 1, j)
        )

    factors = [frozenset(labels[k : k + 2]) for k in range(len(labels) - 1)]
    return least(0, len(labels) - 1), factors, frozenset({labels[0], labels[-1]})


@given(st.lists(st.sampled_from([2, 3, 5, 10, 50, 200, 1000]), min_size=3, max_size=13))
@settings(max_examples=60, deadline=None)
def test_a_chain_is_contracted_in_the_optimal_order(sizes):
    least, factors, kept = chain_cost(sizes)
    bound = frozenset(n for labels in factors for n in labels) - kept
    assert cost(factors, bound, {}).weight == pytest.approx(least)
    path = order(factors, kept)
    assert sum(pair(*step, PLACES).weight for step in steps(path, factors, kept)) == pytest.approx(least)


def test_vectors_at_the_ends_of_a_chain_keep_it_from_multiplying_matrices():
    d = derive("x @ A @ B @ C @ y", wrt="x", shapes={"A": "n n", "B": "n n", "C": "n n"})
    assert d.cost(n=300).flops == 3 * 2 * 300**2
    d = derive("x: (n,); y: (n,)\nP = A @ B\nf = x @ P @ C @ y", wrt="x", shapes={"A": "n n", "B": "n n"})
    assert all(one.flops == 2 * 300**2 for one in d.cost(**dict.fromkeys(d._sizes, 300)).order)


def test_an_outer_product_is_not_formed_to_be_contracted():
    d = derive("P = outer(x, y)\nf = sum((P @ A @ z)**1)", wrt="x", shapes={"x": "m", "y": "n", "A": "n p"})
    found = d.cost(m=300, n=200, p=100)
    assert found.flops < 3 * 200 * 100
    assert found.memory < 8 * 300 * 200 / 10


def test_the_order_follows_the_sizes_that_are_given():
    d = derive("f = sum((A @ B @ C)*D)", wrt="D")
    m, n, p, q = d._sizes[:2] + d._sizes[2:4]
    assert result(d.source(sizes={m: 2, n: 500, p: 500, q: 500})) == "A @ B @ C"
    assert result(d.source(sizes={m: 500, n: 500, p: 500, q: 2})) == "A @ (B @ C)"


# --------------------------------------------------------------------- arrays as they lie in memory

FOUR = "C[a,b,c,e] = A[d,a,f,b]*B[c,f,d,e]; L = sum(C**2)"
EIGHT = dict.fromkeys(["m", "n", "p", "q", "r", "s"], 8)


def test_an_array_is_multiplied_with_itself_where_that_is_half_the_work():
    d = derive(FOUR, wrt="A")
    source = d.source(sizes=EIGHT)
    assert "_gram(B, (1, 2, 0, 3), (m*p, r*s))" in source
    body = source.rpartition('"""')[2]
    assert "C = " not in body and body.count(" @ ") == 1
    assert "_gram(" not in d.source(sizes=EIGHT | {"m": 100}), "B with itself is larger than B with A"
    assert "C = " in d.source(sizes=EIGHT, value=True), "the product is needed anyhow"


@pytest.mark.parametrize(
    "text, wrt",
    [
        (FOUR, "A"),
        ("C[a,b,c] = A[d,a,f]*B[c,f,d,b]; L = sum(C**2*w)", "A"),
        ("C[a,c] = A[d,a,f]*B[d,c,f]; L = sum(C**2)", "A"),
        ("C[a,c] = A[a,d,f]*B[d,f,c]; L = sum(C**2)", "A"),
        ("C[a,c] = A[a,d,f]*B[c,f,d]; L = sum(C**2)", "B"),
        ("G[a,b,c,d] = B[a,k,b]*B[c,k,d]; L = sum(G*A)", "A"),
        ("G[a,b,c,d] = B[a,k,b]*B[d,k,c]; L = sum(G*A)", "A"),
        ("G[a,b,c] = B[a,k,b]*B[c,k,b]; L = sum(G*A)", "A"),
        ("G[a,b] = B[a,b,k]*B[b,a,k]; L = sum(G*A)", "A"),
        ("G[a,b,c] = B[a,b,k]*B[b,c,k]; L = sum(G*A)", "A"),
    ],
)
def test_products_of_an_array_with_itself_are_the_slope_of_the_function(text, wrt):
    d = derive(text, wrt=wrt)
    for sizes in ([2, 3, 5, 7, 2, 3], [3, 2, 2, 5, 7, 3]):  # equal letters of one array have one size
        sizes = dict(zip(d._sizes, sizes, strict=False))
        arrays = drawn(d, **sizes)
        slope = numerical_jacobian(d._value_alone(), arrays, wrt)
        for planned in (None, sizes, dict.fromkeys(d._sizes, 8), dict.fromkeys(d._sizes, 1000)):
            assert_close(d.compile(sizes=planned)(**arrays), slope, 1e-8)


def test_a_product_with_itself_of_other_axes_is_none():
    i, j, k = (Label(n) for n in (5, 5, 7))
    assert with_itself(Stored("A", (i, k)), Stored("A", (j, k)), frozenset({i, j}))
    assert not with_itself(Stored("A", (i, k)), Stored("B", (j, k)), frozenset({i, j}))
    assert not with_itself(Stored("A", (i, k)), Stored("A", (k, j)), frozenset({i, j}))
    assert not with_itself(Stored("A", (i, k)), Stored("A", (j, k)), frozenset({i, j, k}))
    assert not with_itself(Stored("A", (i, j, k)), Stored("A", (j, i, k)), frozenset({i, j}))


def test_a_copy_for_blas_is_counted():
    i, j, k, q = (Label(n) for n in (5, 6, 7, 8))
    a, b, result = frozenset({i, j, k}), frozenset({i, k, q}), frozenset({j, q})
    known = pair(a, b, result, PLACES)
    assert stored_pair(a, b, result, PLACES) == known
    apart = stored_pair(a, b, result, PLACES, Stored("A", (i, j, k)), Stored("B", (i, k, q)))
    assert apart.bytes - known.bytes == 2 * 8 * 5 * 6 * 7
    assert stored_pair(a, b, result, PLACES, Stored("A", (j, i, k)), Stored("B", (i, k, q))) == known
    batch = frozenset({i, j, q})
    assert stored_pair(a, b, batch, PLACES, Stored("A", (i, k, j))).bytes == pair(a, b, batch, PLACES).bytes


def test_a_factor_is_multiplied_first_where_that_saves_a_copy():
    d = derive(CP, wrt="B")
    sizes = dict(zip(d._sizes, (100, 100, 100, 20), strict=True))
    assert "A.T @ T.reshape((m, n*p))" in d.source(sizes=sizes)  # and not `T` with its axes moved


# --------------------------------------------------------------------------------------- the same numbers


def both(d, monkeypatch):
    """The function with every choice to multiply out taken, and one that takes none and goes from left to
    right."""
    with monkeypatch.context() as patch:
        patch.setattr(products, "order", from_the_left)
        never = d._loaded(Options(by_cost=False))[0]
    with monkeypatch.context() as patch:
        patch.setattr(distribute, "WORTH", float("inf"))
        patch.setattr(distribute, "WORTH_ASSUMED", float("inf"))
        always = d._loaded(Options())[0]
    return always, never


def from_the_left(factors, *_):
    return functools.reduce(lambda path, k: (path, k), range(len(factors)))


def test_the_two_that_are_compared_are_two(monkeypatch):
    differing = 0
    for row in EXPRESSIONS:
        d = derive(row.program, wrt=row.wrt, order=row.order, shapes=row.sizes)
        both(d, monkeypatch)
        differing += d._text(Options()) != d._text(Options(by_cost=False))
    assert differing > 10


@pytest.mark.parametrize("row", EXPRESSIONS, ids=lambda row: row.number)
def test_an_expression_has_the_same_derivative_either_way(row, monkeypatch):
    d = derive(row.program, wrt=row.wrt, order=row.order, shapes=row.sizes)
    always, never = both(d, monkeypatch)
    arrays = {name: row.arrays[name] for name in d.inputs}
    assert_close(always(**arrays), never(**arrays), 1e-11)


@pytest.mark.parametrize("row", COOKBOOK, ids=lambda row: row.number)
def test_a_cookbook_identity_has_the_same_derivative_either_way(row, monkeypatch):
    d = derive(row.program, wrt=row.wrt, order=row.order, shapes=row.shapes)
    always, never = both(d, monkeypatch)
    arrays = {name: row.arrays[name] for name in d.inputs}
    assert_close(always(**arrays), never(**arrays), 1e-9)


@pytest.mark.parametrize(
    "text, wrt",
    [
        (FACTORISATION, "U"),
        (FACTORISATION, "V"),
        (CP, "A"),
        (CP, "B"),
        (TUCKER, "A"),
        (TUCKER, "G"),
        ("L = sum(s*(T - outer(x, y))*(T + S)) / len(x)", "S"),
        ("f = sum(((A @ B - C) @ D)**2)", "A"),
        ("f = sum(((A @ B - C) @ D - E)**2)", "D"),
        ("f = mean((x[:, None] + y - A @ B)**2)", "x"),
    ],
)
def test_what_is_multiplied_out_is_the_slope_of_the_function(text, wrt, monkeypatch):
    d = derive(text, wrt=wrt)
    sizes = dict(zip(d._sizes, [2, 3, 5, 7, 2, 3], strict=False))
    arrays = drawn(d, **sizes)
    slope = numerical_jacobian(d._value_alone(), arrays, wrt)
    always, never = both(d, monkeypatch)
    for function in (always, never, d.compile(sizes=sizes)):
        assert_close(function(**arrays), slope, 1e-8)


@given(cases())
@settings(max_examples=60, deadline=None)
def test_random_programs_have_the_same_derivative_either_way(case):
    text, wrt = case
    values = used(text)
    if wrt not in values:
        return
    always, never = both(derived(text, wrt), pytest.MonkeyPatch)
    assert_close(always(**values), never(**values), 1e-9)


# ------------------------------------------------------------------------------------------------- d.cost


@pytest.mark.parametrize(
    "text, wrt, sizes",
    [
        (FACTORISATION, ["U", "V"], {"m": 600, "n": 500, "p": 10}),
        (FACTORISATION, "U", {"m": 600, "n": 500, "p": 700}),
        ("f = sum(tanh(A @ B)*C)", "A", {}),
        ("A @ B", "A", {"m": 20, "n": 20, "p": 20}),
        ("exp(x)", "x", {"n": 500}),
    ],
)
def test_the_memory_of_a_call_is_the_memory_that_it_takes(text, wrt, sizes):
    d = derive(text, wrt=wrt)
    said = d.cost(**sizes)
    arrays = drawn(d, **said.sizes)
    function = d.compile(sizes=sizes)
    function(**arrays)
    tracemalloc.start()
    function(**arrays)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said.memory == pytest.approx(measured, rel=0.1)


def test_a_cost_says_what_it_assumes():
    d = derive(FACTORISATION, wrt="U")
    found = d.cost(m=1000)
    assert found.assumed == ("n", "p")
    assert found.sizes == {"m": 1000, "n": 100, "p": 100}
    assert "m = 1000; assumed: n = 100, p = 100" in str(found)
    assert [one.text for one in found.order] == [
        "U[i,j]*V[k,j] -> [i,k]",
        "(...)[i,k]*V[k,l] -> [i,l]",
    ]


def test_a_size_that_is_not_there_is_refused():
    d = derive(FACTORISATION, wrt="U")
    with pytest.raises(NameFault, match="no size 'k'"):
        d.cost(k=3)
    with pytest.raises(ValueFault, match="the size m is"):
        d.compile(sizes={"m": 2.5})


def test_nothing_costs_nothing():
    found = derive(FACTORISATION, wrt="U").cost(m=0, n=3, p=2)
    assert found.sizes == {"m": 0, "n": 3, "p": 2}
    assert (found.flops, found.memory) == (0, 0)
