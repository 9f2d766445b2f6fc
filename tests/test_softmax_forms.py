"""In every form, a softmax takes one exponential of each entry, and stays stable."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive
from einsumdiff.evaluate import evaluate_terms

ONCE = [
    ("softmax(x)", "x", 1, {"x": (5,)}),
    ("softmax(X, axis=1)", "X", 1, {"X": (3, 5)}),
    ("softmax(X, axis=0)", "X", 1, {"X": (3, 5)}),
    ("softmax(A @ x)", "x", 1, {"A": (3, 5), "x": (5,)}),
    ("logsumexp(x)", "x", 1, {"x": (5,)}),
    ("logsumexp(x)", "x", 2, {"x": (5,)}),
    ("logsumexp(X)", "X", 1, {"X": (3, 5)}),
    ("sum(logsumexp(X, axis=1))", "X", 2, {"X": (3, 5)}),
    ("S[i,j] = exp(X[i,j])/sum[k](exp(X[k,j]))", "X", 1, {"X": (3, 5)}),
    ("-sum(Y*log_softmax(X @ W, axis=1))", "W", 1, {"Y": (7, 3), "X": (7, 5), "W": (5, 3)}),
]
BOTH = [
    ("log_softmax(x)*softmax(x)", "x", 1, {"x": (5,)}),
    ("logsumexp(x)*softmax(x)", "x", 1, {"x": (5,)}),
]
LETTERS = {"x": "n", "X": "m n", "A": "m n", "Y": "q k", "W": "p k"}


def letters(shapes):
    return {**LETTERS, "X": "q p"} if "W" in shapes else LETTERS


def derived(program, wrt, order, shapes):
    return derive(program, wrt, order=order, shapes={name: letters(shapes)[name] for name in shapes})


@pytest.mark.parametrize(("program", "wrt", "order", "shapes"), ONCE + BOTH)
@pytest.mark.parametrize("form", ["dense", "compressed"])
def test_it_is_the_slope(program, wrt, order, shapes, form):
    d = derived(program, wrt, order, shapes)
    given = {name: sample(shapes)[name] for name in d.inputs}
    if order == 1:
        value = d.compile(value=True)
        slope = numerical_jacobian(lambda **now: value(**now)[0], given, wrt)
    else:
        slope = numerical_jacobian(derived(program, wrt, 1, shapes), given, wrt)
    found = d.compile(form=form)(**given)
    assert_close(found if form == "dense" else found.dense(), slope, 1e-7)
    sizes = {n: k for name in given for n, k in zip(letters(shapes)[name].split(), shapes[name], strict=True)}
    arrays = {one: given[one.name] for one in d._program.inputs}
    slow = evaluate_terms(d._jacobian.terms, d._jacobian.shape, arrays, sizes)
    assert_close(found if form == "dense" else found.dense(), slow, 1e-12)


@pytest.mark.parametrize(("program", "wrt", "order", "shapes"), ONCE)
@pytest.mark.parametrize("form", ["dense", "compressed", "operator"])
def test_one_exponential_of_an_entry_is_enough(program, wrt, order, shapes, form):
    text = derived(program, wrt, order, shapes).source(form=form)
    assert "_softmax" in text and "_logsumexp(" not in text and text.count("np.exp(") == 1


@pytest.mark.parametrize(("program", "wrt", "order", "shapes"), BOTH)
def test_a_logarithm_that_is_needed_is_kept(program, wrt, order, shapes):
    assert "_logsumexp(" in derived(program, wrt, order, shapes).source()


def test_a_value_that_is_returned_is_kept():
    d = derive("logsumexp(x)", "x", shapes={"x": "n"})
    x = sample({"x": (5,)})["x"]
    value, slope = d.compile(value=True)(x)
    assert_close(value, np.log(np.exp(x).sum()))
    assert_close(slope, np.exp(x) / np.exp(x).sum())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_it_is_stable(shift):
    d = derive("softmax(X, axis=1)", "X", shapes={"X": "m n"})
    X = np.array([[1.0, 2.0, -800.0], [-np.inf, 0.5, 700.0]])
    shifted = d.compile(form="compressed")(X + shift).dense()
    assert np.isfinite(shifted).all()
    assert_close(shifted, d.compile(form="compressed")(X).dense(), 1e-11)


@pytest.mark.parametrize("row", [[np.inf, 0.0, 1.0], [-np.inf] * 3, [np.nan, 0.0, 1.0]])
def test_what_has_no_value_is_nan_and_other_rows_are_as_ever(row):
    d = derive("softmax(X, axis=1)", "X", shapes={"X": "m n"})
    X = np.array([row, [1.0, 2.0, 3.0]])
    with np.errstate(invalid="ignore"):
        found = d.compile()(X)
    assert np.isnan(found[0, 0, 0, 0])
    assert_close(found[1, :, 1], derive("softmax(x)", "x", shapes={"x": "n"})(X[1]))


@pytest.mark.parametrize("top", [np.inf, -np.inf, np.nan, 0.0, 1e300])
def test_a_logarithm_of_a_sum_without_a_finite_largest_entry(top):
    x = np.array([[top, -np.inf, -np.inf], [0.5, 1.0, 2.0]])
    with np.errstate(invalid="ignore"):  # the slope there is nan
        value, _ = derive("logsumexp(X, axis=1)", "X", shapes={"X": "m n"}).compile(value=True)(x)
    assert_close(value[1], np.log(np.exp(x[1]).sum()))
    assert np.array_equal(value[0], top, equal_nan=True)
