"""Sizes are polynomials; a proof of `>= 0` is never false."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from einsumdiff.sizes import Size, evaluate, names, nonnegative, substitute, symbol

m, n, k = symbol("m"), symbol("n"), symbol("k")


def test_what_cancels_folds_to_a_number():
    assert n - n == 0
    assert (n + 1) * (n - 1) - n * n == -1
    assert isinstance(n - n + 3, int)


def test_equal_polynomials_are_equal_whatever_the_order_of_building():
    assert (n + k) * 2 == k * 2 + n + n
    assert hash((n + k) * 2) == hash(k * 2 + n + n)


@pytest.mark.parametrize(
    ("size", "text"),
    [(n - k + 1, "n - k + 1"), (2 * n * k - 3, "2*k*n - 3"), ((n - k) // 2 + 1, "((n - k)//2) + 1")],
)
def test_a_size_prints_as_one_writes_it(size, text):
    assert str(size) == text


def test_a_quotient_leaves_what_divides_evenly():
    assert (2 * n + 1) // 2 == n
    assert (4 * n + 2 * k) // 2 == 2 * n + k
    assert evaluate((n - k) // 2 + 1, {"n": 9, "k": 2}) == 4


def test_names_are_listed_once_those_in_quotients_too():
    assert list(names((n - k) // 2 + n * m)) == ["m", "n", "k"]


def test_substitution_with_numbers_gives_a_number():
    assert substitute(n * n - k, {"n": 3, "k": 2}) == 7
    assert substitute(n * n - k, {"n": 3}) == 9 - k


def test_the_bounds_of_a_strided_convolution_are_proved():
    count = (n - k) // 2 + 1
    last = 2 * (count - 1) + k - 1
    assert nonnegative(n - 1 - last)
    assert not nonnegative(n - 2 - last)


def test_a_fact_serves_a_proof():
    assert not nonnegative(n - k)
    assert nonnegative(n - k, (n - k - 1,))
    assert nonnegative(n - m, (n - k, k - m))


sizes = st.recursive(
    st.one_of(st.integers(-3, 3), st.sampled_from([m, n, k])),
    lambda inner: st.builds(
        lambda op, a, b: {"+": a + b, "-": a - b, "*": a * b}[op], st.sampled_from("+-*"), inner, inner
    ),
    max_leaves=6,
)


@given(sizes, st.integers(2, 3))
def test_whatever_is_proved_holds_for_every_size_from_1_on(size, divisor):
    for candidate in (size, size - size // divisor if isinstance(size, Size) else size):
        if nonnegative(candidate):
            for values in product(range(1, 5), repeat=3):
                given_sizes = dict(zip("mnk", values, strict=True))
                quotient = evaluate(size // divisor, given_sizes) if isinstance(size, Size) else 0
                if quotient >= 0 or candidate is size:
                    assert evaluate(candidate, given_sizes) >= 0


@given(sizes, sizes)
def test_arithmetic_agrees_with_that_of_numbers(a, b):
    values = {"m": 2, "n": 5, "k": 7}
    for op in (lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y):
        assert evaluate(op(a, b), values) == op(evaluate(a, values), evaluate(b, values))
    assert evaluate(a if isinstance(a, int) else a // 3, values) == (
        a if isinstance(a, int) else evaluate(a, values) // 3
    )
