"""Solving deltas keeps the value, whatever the forms are: compared by enumeration."""

from itertools import product as choices

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from einsumdiff.canonical import term_key
from einsumdiff.nodes import Entry, Form, Guard, Input, Label, Product, Term, bare, constant_form, product
from einsumdiff.program import Builder
from einsumdiff.sizes import evaluate, symbol
from einsumdiff.solve import solve
from einsumdiff.terms import compose, injective, normalise

HOLDS = {"==": lambda v: v == 0, ">=": lambda v: v >= 0, "!=": lambda v: v != 0}


def value_of(form, places, sizes=None):
    sizes = sizes or {}
    return evaluate(form.constant, sizes) + sum(
        evaluate(c, sizes) * places[label] for label, c in form.coefficients
    )


def written(term, shape, data, sizes=None):
    """The array that a term writes, by running over all labels; `data` reads the entries."""
    sizes = sizes or {}
    out = np.zeros(shape)
    labels = (*term.labels, *term.product.bound)
    for values in choices(*(range(evaluate(label.size, sizes)) for label in labels)):
        places = dict(zip(labels, values, strict=True))
        guards = [f for f in term.product.factors if isinstance(f, Guard)]
        if not all(HOLDS[g.op](value_of(g.form, places, sizes)) for g in guards):
            continue
        number = float(term.product.coefficient)
        for factor in term.product.factors:
            if isinstance(factor, Entry):
                index = tuple(value_of(f, places, sizes) for f in factor.forms)
                assert all(0 <= i < s for i, s in zip(index, data[factor.array].shape, strict=True)), index
                number *= data[factor.array][index] ** float(factor.power)
            elif not isinstance(factor, Guard):
                number *= float(evaluate(factor.size, sizes)) ** float(factor.power)
        index = tuple(value_of(f, places, sizes) for f in term.axes)
        assert all(0 <= i < s for i, s in zip(index, shape, strict=True)), (term, index)
        out[index] += number
    return out


def whole(terms, shape, data, sizes=None):
    return sum((written(t, shape, data, sizes) for t in terms), np.zeros(shape))


@st.composite
def systems(draw):
    """A term over up to four labels with one or two equations between them."""
    labels = [Label(draw(st.integers(1, 5))) for _ in range(draw(st.integers(2, 4)))]
    array = Input("A", tuple(label.size for label in labels))
    free = draw(st.integers(0, len(labels)))
    guards = []
    for _ in range(draw(st.integers(1, 2))):
        form = constant_form(draw(st.integers(-3, 3)))
        for label in labels:
            form = form + bare(label).times(draw(st.sampled_from([-3, -2, -1, 0, 1, 1, 2, 4])))
        guards.append(Guard(form, "=="))
    entry = Entry(array, tuple(bare(label) for label in labels))
    axes = tuple(bare(label) for label in labels[:free])
    return Term(axes, product(1, [entry, *guards], labels[free:])), array


@settings(max_examples=400)
@given(systems())
def test_solving_keeps_the_value(system):
    term, array = system
    shape = tuple(form.label.size for form in term.axes)
    data = {array: np.random.default_rng(0).standard_normal(array.shape)}
    np.testing.assert_allclose(whole(solve(term), shape, data), written(term, shape, data), atol=1e-12)


def test_a_delta_with_a_summed_index_goes_and_so_does_that_index():
    n = symbol("n")
    i, j = Label(n), Label(n)
    A = Input("A", (n, n))
    term = Term((bare(i),), product(1, [Guard(bare(i) - bare(j), "=="), Entry(A, (bare(i), bare(j)))], [j]))
    (solved,) = solve(term)
    assert solved.product.factors == (Entry(A, (solved.axes[0], solved.axes[0])),)
    assert not solved.product.bound


def test_a_trace_of_the_delta_is_the_size_and_a_free_one_is_a_diagonal_of_ones():
    n = symbol("n")
    i, j = Label(n), Label(n)
    (summed,) = solve(Term((), product(1, [Guard(bare(i) - bare(j), "==")], [i, j])))
    assert [str(f.size) for f in summed.product.factors] == ["n"]
    (free,) = solve(Term((bare(i), bare(j)), product(1, [Guard(bare(i) - bare(j), "==")])))
    assert free.axes[0] == free.axes[1] and free.product == Product(1)


def test_mixed_radix_splits_a_flattened_index():
    b, n = symbol("b"), symbol("n")
    i, j, p, q = Label(n), Label(b), Label(n), Label(b)
    flat = bare(i).times(b) + bare(j) - bare(p).times(b) - bare(q)
    (solved,) = solve(Term((bare(i), bare(j), bare(p), bare(q)), product(1, [Guard(flat, "==")])))
    assert solved.axes == (bare(i), bare(j), bare(i), bare(j)) and not solved.product.factors


def test_an_equation_that_nothing_solves_is_no_term():
    i, j = Label(3), Label(3)
    assert (
        solve(Term((bare(i), bare(j)), product(1, [Guard((bare(i) - bare(j)).times(2).plus(1), "==")]))) == []
    )


@st.composite
def banded(draw):
    """A term whose two axes are affine in two or three labels, over axes that are long enough."""
    labels = [Label(draw(st.integers(1, 4))) for _ in range(draw(st.integers(2, 3)))]
    axes = []
    for _ in range(2):
        form = constant_form(0)
        for label in labels:
            form = form + bare(label).times(draw(st.sampled_from([0, 1, 1, 2])))
        axes.append(form)
    for label in labels:
        if not any(label in form.labels for form in axes):
            axes[0] = axes[0] + bare(label)
    array = Input("A", tuple(label.size for label in labels))
    shape = tuple(form.bounds()[1] + 1 + draw(st.integers(0, 2)) for form in axes)
    return Term(tuple(axes), Product(1, (Entry(array, tuple(map(bare, labels))),))), array, shape


@settings(max_examples=200)
@given(banded())
def test_a_normalised_pattern_is_injective_and_keeps_the_value(case):
    term, array, shape = case
    data = {array: np.random.default_rng(1).standard_normal(array.shape)}
    normal = normalise(term, shape, Builder())
    assert injective(normal.axes)
    for factor in normal.product.factors:
        if isinstance(factor, Entry) and factor.array is not array:
            data[factor.array] = whole(factor.array.body.terms, factor.array.shape, data)
    np.testing.assert_allclose(written(normal, shape, data), written(term, shape, data), atol=1e-12)


@settings(max_examples=200)
@given(banded(), banded())
def test_composition_is_the_product_of_the_matrices(first, second):
    outer, a, (rows, middle) = first
    inner, b, (other, columns) = second
    size = max(middle, other)
    random = np.random.default_rng(2)
    data = {a: random.standard_normal(a.shape), b: random.standard_normal(b.shape)}
    joined = compose(outer, 1, inner, (size,))
    expected = written(outer, (rows, size), data) @ written(inner, (size, columns), data)
    np.testing.assert_allclose(whole(joined, (rows, columns), data), expected, atol=1e-12)


@given(banded())
def test_a_term_composes_with_itself(case):
    term, array, shape = case
    size = max(shape)
    data = {array: np.random.default_rng(3).standard_normal(array.shape)}
    matrix = written(term, (size, size), data)
    joined = compose(term, 1, term, (size,))
    np.testing.assert_allclose(whole(joined, (size, size), data), matrix @ matrix, atol=1e-12)


def test_keys_do_not_depend_on_the_names_or_the_order_of_summed_labels():
    n = symbol("n")
    A, x = Input("A", (n, n)), Input("x", (n,))

    def quadratic(swap):
        i, j = Label(n), Label(n)
        factors = [Entry(A, (bare(i), bare(j))), Entry(x, (bare(i),)), Entry(x, (bare(j),))]
        return Term((), product(1, factors[::-1] if swap else factors, [j, i] if swap else [i, j]))

    assert term_key(quadratic(False)) == term_key(quadratic(True))
    i, j = Label(n), Label(n)
    other = product(1, [Entry(A, (bare(j), bare(i))), Entry(x, (bare(i),)), Entry(x, (bare(j),))], [i, j])
    assert term_key(Term((), other)) == term_key(quadratic(False))
    k = Label(n)
    twice = product(1, [Entry(A, (bare(i), bare(k))), Entry(x, (bare(i),)), Entry(x, (bare(i),))], [i, k])
    assert term_key(Term((), twice)) != term_key(quadratic(False))


def test_a_form_keeps_no_label_of_coefficient_zero():
    i = Label(3)
    assert (bare(i) - bare(i)) == Form((), 0)
