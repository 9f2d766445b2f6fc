"""Contractions over several axes are products of matrices, in an order that costs least."""

from itertools import permutations

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive

SIZES = {"i": 2, "j": 3, "k": 5, "p": 7, "q": 4, "r": 6}


def value(program, letters):
    """The value of a contraction as generated, its source, and what np.einsum says."""
    given = sample({name: tuple(SIZES[n] for n in axes) for name, axes in letters.items()})
    shapes = {name: " ".join(axes) for name, axes in letters.items()}
    d = derive(program, "A", shapes=shapes)
    target = program[2 : program.index("]")].replace(",", "")
    f = d.compile(value=True)
    einsum = f"{','.join(letters.values())}->{target}"
    return f(**given)[0], d.source(value=True), np.einsum(einsum, *given.values()), (d, given)


def product(left, right, target):
    return f"Z[{','.join(target)}] = A[{','.join(left)}]*B[{','.join(right)}]"


@pytest.mark.parametrize("left", ["".join(p) for p in permutations("ijp")] + ["ip", "pi"])
@pytest.mark.parametrize("right", ["".join(p) for p in permutations("kqp")])
def test_one_summed_axis(left, right):
    target = "".join(n for n in left if n != "p") + "kq"
    found, text, expected, _ = value(product(left, right, target), {"A": left, "B": right})
    assert_close(found, expected)
    assert "tensordot" not in text and 'einsum("' not in text[: text.index("result =")]


@pytest.mark.parametrize("left", ["".join(p) for p in permutations("ipq")])
@pytest.mark.parametrize("right", ["kpq", "pqk", "qpk", "pkq", "pqkr", "krpq", "krqp"])
def test_two_summed_axes(left, right):
    target = "ikr" if "r" in right else "ik"
    found, text, expected, _ = value(product(left, right, target), {"A": left, "B": right})
    assert_close(found, expected)
    assert "tensordot" not in text


@pytest.mark.parametrize("order", ["ipq", "piq", "pqi"])
def test_arrays_without_entries(order):
    d = derive(product(order, "pqkr", "ikr"), "A", shapes={"A": " ".join(order), "B": "p q k r"})
    for gone in "ipqkr":
        sizes = {**SIZES, gone: 0}
        A, B = (np.ones([sizes[n] for n in axes]) for axes in (order, "pqkr"))
        found, slope = d.compile(value=True)(A, B)
        assert_close(found, np.einsum(f"{order},pqkr->ikr", A, B))
        assert slope.shape == found.shape + A.shape


def test_the_slope_of_a_contraction_of_many_axes():
    program = "Z[i,k,r] = A[p,q,i]*B[p,q,k,r]\nL = sum(Z**2)"
    d = derive(program, "A", shapes={"A": "p q i", "B": "p q k r"})
    given = sample({"A": (3, 5, 2), "B": (3, 5, 2, 7)})
    f = d.compile(value=True)
    assert_close(d(**given), numerical_jacobian(lambda **now: f(**now)[0], given, "A"), 1e-7)
    assert "tensordot" not in d.source() and "einsum" not in d.source()


MASKED = "M: (m, n); U: (m, k); V: (n, k); D: (m, n)\nL = sum(M*(D - U @ V.T)**2)"


@pytest.mark.parametrize("wrt", ["U", "V"])
@pytest.mark.parametrize("form", ["dense", "compressed"])
def test_a_weighted_gram_matrix_multiplies_the_thin_factor_with_itself(wrt, form):
    """`M @ pairs`: neither m*n*k numbers nor a tensordot, whether the sizes are known or not."""
    d = derive(MASKED, wrt, order=2)
    given = sample({"M": (3, 5), "U": (3, 2), "V": (5, 2), "D": (3, 5)})
    gradient = derive(MASKED, wrt)
    slope = numerical_jacobian(gradient, given, wrt)
    for sizes in ({}, {"m": 1000, "n": 500, "k": 10}):
        text = d.source(form=form, sizes=sizes)
        assert " @ " in text and "tensordot" not in text and "M[:, None]" not in text
        found = d.compile(form=form, sizes=sizes)(*(given[name] for name in d.inputs))
        assert_close(found if form == "dense" else found.dense(), slope, 1e-7)
    thin = d.cost(m=1000, n=1000, k=10)
    assert (
        thin.memory - 8 * (1000 * 10) ** 2 < 8 * 1000 * 1000
    )  # but the result: m*n*k would be ten times that


SMALL = [
    ("sum(tanh(A @ B @ x)**2)", "A", 1),
    ("sum(tanh(y @ A @ B)**2)", "y", 2),
    ("sum(x)*(y @ A @ B @ x)", "B", 1),
    ("sum(exp(B.T @ A.T @ y))", "y", 2),
    ("sum((A @ B @ x)**2)", "x", 2),
]


@pytest.mark.parametrize(("program", "wrt", "order"), SMALL)
def test_small_products_are_methods(program, wrt, order):
    shapes = {"A": (3, 5), "B": (5, 2), "x": (2,), "y": (3,)}
    names = {"A": "m n", "B": "n p", "x": "p", "y": "m"}
    shapes = {name: one for name, one in shapes.items() if name in program.replace("exp", "")}
    names = {name: names[name] for name in shapes}
    d = derive(program, wrt=wrt, order=order, shapes=names)
    given = {name: one for name, one in sample(shapes, seed=4).items() if name in d.inputs}
    sizes = {"m": 3, "n": 5, "p": 2}
    body = d.source(sizes=sizes).rpartition('"""')[2]
    assert ".dot(" in body and "@" not in body
    assert ".dot(" not in d.source() + d.source(sizes=dict.fromkeys(sizes, 500))
    before = derive(program, wrt=wrt, order=order - 1, shapes=names) if order > 1 else None
    value = before or d.compile(value=True)
    expected = numerical_jacobian(lambda **a: value(**a) if before else value(**a)[0], given, wrt)
    small = d.compile(sizes=sizes)
    assert_close(small(**given), expected, 1e-8)
    assert small(**{name: one.astype(np.float32) for name, one in given.items()}).dtype == np.float32
    empty = {name: np.zeros([0 if n == 5 else n for n in one.shape]) for name, one in given.items()}
    none = d.compile(sizes=sizes | {"n": 0})(**empty)
    np.testing.assert_array_equal(none, d(**empty))
