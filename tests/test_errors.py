"""What a call of a derivative says when its arrays are wrong: exact texts, raised before any work."""

import numpy as np
import pytest

from einsumdiff import NameFault, RankFault, ShapeFault, ValueFault, derive

LINEAR = "W: (m, n); x: (n,); b: (m,)\ny = sum((W @ x + b)**2)"
W, X, B = np.ones((2, 3)), np.ones(3), np.ones(2)


def said(error, call):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


@pytest.fixture(scope="module")
def d():
    return derive(LINEAR, wrt="W")


def test_a_missing_array_is_named(d):
    assert said(ValueFault, lambda: d(W=W, x=X)) == "b is missing\npass b=..."


def test_all_missing_arrays_are_named(d):
    assert said(ValueFault, lambda: d()) == "W, x and b are missing\npass W=..., x=..., b=..."


def test_an_unknown_name_gets_the_nearest_ones(d):
    text = said(NameFault, lambda: d(W=W, X=X, b=B))
    assert text == "X is no input of the program\ndid you mean x?"


def test_an_unknown_name_that_is_near_to_none_gets_the_inputs(d):
    text = said(NameFault, lambda: d(W=W, x=X, b=B, learning=1.0))
    assert text == "learning is no input of the program\nits inputs are W, x and b"


def test_an_array_given_twice_is_refused(d):
    assert said(ValueFault, lambda: d(W, X, B, W=W)) == (
        "W is given twice, by position and by name\ngive it once"
    )


def test_too_many_arrays_are_counted(d):
    assert said(ValueFault, lambda: d(W, X, B, B)) == (
        "4 arrays are given, the function takes 3\npass W, x and b"
    )


def test_a_wrong_size_says_the_axis_the_expected_size_and_where_it_came_from(d):
    text = said(ShapeFault, lambda: d(W=W, x=np.ones(4), b=B))
    assert text == "x: axis 0 has size 4, expected n = 3 (axis 1 of W)"


def test_a_wrong_number_says_what_was_declared():
    d = derive("x @ x", wrt="x", shapes={"x": (3,)})
    assert said(ShapeFault, lambda: d(x=np.ones(4))) == "x: axis 0 has size 4, expected 3 (given in shapes=)"


def test_a_size_that_is_a_formula_says_its_value_and_its_names():
    d = derive("x: (n,); z: (n + 1,)\nsum(z)*sum(x)", wrt="x")
    text = said(ShapeFault, lambda: d(x=np.ones(3), z=np.ones(3)))
    assert text == "z: axis 0 has size 3, expected n + 1 = 4 (n = 3: axis 0 of x)"


def test_a_wrong_rank_says_the_expected_axes(d):
    text = said(RankFault, lambda: d(W=W, x=np.ones((3, 1)), b=B))
    assert text == "x has shape (3, 1), expected is 1 axis: (n,) (declared in line 1)"


def test_an_integer_array_for_the_wrt_is_refused(d):
    text = said(ValueFault, lambda: d(W=np.ones((2, 3), dtype=np.int64), x=X, b=B))
    assert text == "W is an array of integers (int64), and the derivative is in W\npass W.astype(float)"


def test_a_boolean_array_for_the_wrt_is_refused(d):
    text = said(ValueFault, lambda: d(W=np.ones((2, 3), dtype=bool), x=X, b=B))
    assert text == "W is an array of booleans (bool), and the derivative is in W\npass W.astype(float)"


def test_a_complex_array_for_anything_is_refused(d):
    text = said(ValueFault, lambda: d(W=W, x=X + 1j, b=B))
    assert text == "x is complex (complex128), derivatives are of real arrays\npass x.real"


def test_an_array_of_objects_is_refused(d):
    text = said(ValueFault, lambda: d(W=W, x=np.array([None, 1, 2]), b=B))
    assert text == "x is an array of object, not of numbers\npass numbers"


def test_a_ragged_list_is_refused(d):
    text = said(ValueFault, lambda: d(W=[[1.0, 2.0], [3.0]], x=X, b=B))
    assert text == "W is not a rectangular array of numbers\npass one array"


def test_an_input_that_is_not_read_may_be_left_out_but_is_checked_if_given():
    d = derive("y = sum(W*X + b)", wrt="W", shapes={"W": "m n", "X": "m n", "b": "n"})
    assert d(X=W).tolist() == W.tolist()
    text = said(ShapeFault, lambda: d(X=W, b=B))
    assert text == "b: axis 0 has size 2, expected n = 3 (axis 1 of X)"


def test_an_input_whose_size_is_needed_may_not_be_left_out():
    d = derive("x: (n,)\ny = sum(x)", wrt="x")
    assert said(ValueFault, lambda: d()) == ("x is missing: the size n is that of its axis 0\npass x=...")


def test_a_negative_size_is_refused():
    d = derive("Z[i] = X[i+k]*w[k]", wrt="w", shapes={"X": "n", "w": "p"})
    text = said(ShapeFault, lambda: d(X=np.ones(2), w=np.ones(5)))
    assert text == "axis 0 of the derivative in w has size n - p + 1 = -2, for n = 2, p = 5"


def test_the_maximum_over_nothing_is_refused_as_numpy_does():
    d = derive("y = max(x)", wrt="x")
    assert said(ValueFault, lambda: d(x=np.ones(0))) == ("max over nothing: an axis of size 0 has no max")


def test_integers_and_booleans_that_are_not_the_wrt_are_promoted(d):
    whole = d(W=W, x=np.array([1, 2, 3]), b=np.array([True, False]))
    assert np.array_equal(whole, d(W=W, x=np.array([1.0, 2.0, 3.0]), b=np.array([1.0, 0.0])))


def test_lists_and_numbers_are_converted():
    d = derive("a: ()\ny = a*sum(x)", wrt="x")
    assert d(a=2, x=[1, 2, 3]).tolist() == [2.0, 2.0, 2.0]


# ---------------------------------------------------------------------------------- calls of `derive`


def test_a_wrt_that_is_nowhere_gets_the_nearest_names():
    text = said(NameFault, lambda: derive("y = sum(weights*x)", wrt="weight"))
    assert text.startswith("weight is nowhere in the program") and "weights" in text


@pytest.mark.parametrize(
    ("wrt", "error", "text"),
    [
        (1, ValueFault, 'wrt is a name or several, not 1\nwrite wrt="W" or wrt=["W", "b"]'),
        ([], ValueFault, 'wrt is a name or several, not []\nwrite wrt="W" or wrt=["W", "b"]'),
        (["x", 2], ValueFault, 'wrt is a name or several, not 2\nwrite wrt="W" or wrt=["W", "b"]'),
        (["x", "x"], ValueFault, "x is twice in wrt\nname it once; order=2 differentiates twice"),
        ("x, y", NameFault, 'wrt is a name, and \'x, y\' is none\nwrite wrt=["W", "b"]'),
        (
            "x[0]",
            NameFault,
            "wrt is a name, and 'x[0]' is none\nassign it to a name in the program, and use that",
        ),
    ],
)
def test_a_wrt_that_is_no_name_is_refused(wrt, error, text):
    assert said(error, lambda: derive("sum(x)", wrt=wrt)) == text


@pytest.mark.parametrize("order", [0, -1, 1.5, True, "2"])
def test_an_order_is_a_whole_number_from_1_on(order):
    assert said(ValueFault, lambda: derive("sum(x)", "x", order=order)) == (
        f"order is a whole number from 1 on, not {order!r}"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"batch": 3}, 'batch= names sizes, and 3 does not\nwrite batch="b"'),
        ({"ties": "last"}, "there is no policy 'last' for ties\nwrite split, first, zero"),
        ({"notation": "tex"}, "there is no notation 'tex'"),
        ({"mode": "backward"}, "there is no mode 'backward'\nwrite auto, forward, reverse"),
        ({"shapes": {"x": {}}}, "the shape of x is names and numbers, not {}"),
        ({"shapes": {"x": (2.5,)}}, "the shape of x has 2.5 for a size"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(options, text):
    with pytest.raises((ValueFault, NameFault, Exception)) as caught:
        derive("sum(x)", "x", **options)
    assert str(caught.value).startswith(text)


def test_what_is_no_program_is_refused_with_a_way_out():
    with pytest.raises(ValueFault, match="a program is text, not int"):
        derive(3, "x")


def test_an_operand_that_an_einsum_string_lacks_is_refused():
    with pytest.raises(ValueFault, match="there is no operand 2"):
        derive("ij,jk->ik", 2)
