"""Derivatives of programs against differences of the oracle, entry by entry, in every order of elimination;
generated code against the oracle."""

from itertools import pairwise

import numpy as np
import pytest
from programs import (
    SIZES,
    arrays,
    convolution,
    differences,
    first,
    generated,
    k,
    l,
    m,
    matmul,
    n,
    oracle_jacobian,
    oracle_value,
    program,
    q,
    second,
    total,
)

from einsumdiff.nodes import Entry, Label, Product, bare, product
from einsumdiff.program import Value, at, indicator, number, read
from einsumdiff.sizes import evaluate


def quadratic(b, a):
    form = b.multiply(matmul(b, read(a["A"]), read(a["x"])), read(a["x"]))
    return b.define(b.sum(form, form.axes), "y")


def network(b, a):
    hidden = b.call("tanh", [b.add([matmul(b, read(a["W"]), read(a["x"])), read(a["b"])])])
    hidden = read(b.define(hidden, "h"))
    return total(b, b.call("tanh", [matmul(b, read(a["V"]), hidden)]))


def softmax(b, a):
    x = read(a["x"])
    above = b.call("exp", [x])
    return b.define(b.multiply(above, b.power(b.sum(above, above.axes), -1)), "y")


def reduction(op):
    def build(b, a):
        x = read(a["X"])
        return b.define(b.reduce(op, x, x.axes[:1]), "y")

    return build


def whole_product(b, a):
    x = read(a["x"])
    return b.define(b.reduce("prod", x, x.axes), "y")


def product_of_products(b, a):
    x = read(a["X"])
    inner = b.reduce("prod", x, x.axes[-1:])
    return b.define(b.reduce("prod", inner, inner.axes), "y")


def convolutions(b, a):
    c = b.define(convolution(b, a["x"], a["w"]), "c")
    t = b.define(b.call("tanh", [read(c)]), "t")
    return b.define(convolution(b, t, a["v"]), "y")


def convolutions_loss(b, a):
    return total(b, read(convolutions(b, a)), "loss")


def plain_convolutions(b, a):
    return b.define(convolution(b, b.define(convolution(b, a["x"], a["w"]), "c"), a["v"]), "y")


def strided(b, a):
    return total(b, b.call("tanh", [read(b.define(convolution(b, a["x"], a["w"], 2), "c"))]))


def diagonal_and_trace(b, a):
    i = Label(n)
    part = at(a["A"], [bare(i), bare(i)])
    scaled = b.multiply(Value((i,), part.products), b.sum(part, [i]))
    return b.define(b.call("sin", [scaled]), "y")


def placed_diagonal(b, a):
    i, j = Label(n), Label(n)
    value = b.multiply(indicator(bare(i) - bare(j), "=="), at(a["x"], [bare(i)]))
    return b.define(b.call("exp", [Value((i, j), value.products)]), "y")


def shared(b, a):
    h = read(b.define(b.call("exp", [read(a["x"])]), "h"))
    return b.define(b.multiply(b.add([h, b.scale(read(a["x"]), 3)]), b.add([h, b.call("sin", [h])])), "y")


def outer(b, a):
    i, j = Label(m), Label(n)
    joint = product(1, [Entry(a["u"], (bare(i),)), Entry(a["v"], (bare(j),))])
    return total(b, b.call("tanh", [Value((i, j), (joint,))]))


def chosen(b, a):
    x = read(a["x"])
    positive = b.call("greater", [x, number(0)])
    return b.define(b.masked(positive, b.call("log", [x]), b.scale(x, 2)), "y")


def chosen_sum(b, a):
    x = read(a["x"])
    positive = b.call("greater", [x, number(0)])
    part = b.masked(positive, b.call("sqrt", [x]), number(0))
    return b.define(b.power(b.sum(part, part.axes), 2), "y")


def shifted(b, a):
    i = Label(n - 2)
    terms = [at(a["x"], [bare(i).plus(2)]), b.scale(at(a["x"], [bare(i).plus(1)]), -2), at(a["x"], [bare(i)])]
    inner = b.add(terms)
    return b.define(b.call("tanh", [Value((i,), inner.products)]), "y")


def reversed_product(b, a):
    i = Label(n)
    joint = b.multiply(at(a["x"], [bare(i)]), at(a["x"], [(-bare(i)).plus(n - 1)]))
    return b.define(Value((i,), joint.products), "y")


def averages(b, a):
    from einsumdiff.program import extent

    x = read(a["X"])
    mean = b.multiply(b.sum(x, x.axes[1:]), extent(x.axes[1].size, -1))
    apart = b.add([x, b.scale(Value((mean.axes[0], Label(1)), mean.products), -1)])
    return b.define(b.multiply(apart, apart), "y")


def batched(b, a):
    i, j, h, g = Label(l), Label(m), Label(n), Label(k)
    joint = product(
        1, [Entry(a["X"], (bare(i), bare(j), bare(h))), Entry(a["Y"], (bare(i), bare(h), bare(g)))], [h]
    )
    return b.define(Value((g, i, j), (joint,)), "y")


def trace_of_a_cube(b, a):
    i, j, h = Label(n), Label(n), Label(n)
    pairs = [(i, j), (j, h), (h, i)]
    entries = [Entry(a["X"], (bare(one), bare(other))) for one, other in pairs]
    return b.define(Value((), (product(1, entries, (i, j, h)),)), "y")


def broadcast_scalar(b, a):
    z = read(b.define(b.add([read(a["s"]), read(a["x"])]), "z"))
    return b.define(b.power(b.sum(z, z.axes), 3), "y")


def neighbours(b, a):
    i, j = Label(n - 1), Label(n)
    pairs = b.multiply(at(a["x"], [bare(i)]), at(a["x"], [bare(i).plus(1)]))
    return b.define(b.multiply(b.sum(b.call("exp", [pairs]), [i]), b.sum(at(a["x"], [bare(j)]), [j])), "y")


def assigned_twice(b, a):
    h = read(b.define(b.call("tanh", [matmul(b, read(a["X"]), read(a["x"]))]), "h"))
    h = read(b.define(b.multiply(h, h), "h"))
    rows = Value((h.axes[0], Label(1)), h.products)
    return b.define(b.add([b.sum(h, h.axes), b.multiply(rows, read(a["x"]))]), "y")


CASES = {
    "a name assigned twice": (assigned_twice, {"X": (m, n), "x": (n,)}),
    "products of neighbours": (neighbours, {"x": (n,)}),
    "the trace of a cube": (trace_of_a_cube, {"X": (n, n)}),
    "a broadcast scalar": (broadcast_scalar, {"s": (), "x": (n,)}),
    "quadratic": (quadratic, {"A": (n, n), "x": (n,)}),
    "network": (network, {"W": (m, n), "x": (n,), "b": (m,), "V": (k, m)}),
    "softmax": (softmax, {"x": (n,)}),
    "logsumexp": (reduction("logsumexp"), {"X": (m, n)}),
    "max": (reduction("max"), {"X": (m, n)}),
    "min": (reduction("min"), {"X": (m, n)}),
    "prod": (reduction("prod"), {"X": (m, n)}),
    "product of products": (product_of_products, {"X": (m, k)}),
    "two convolutions": (convolutions, {"x": (q,), "w": (m,), "v": (k,)}),
    "a loss of two convolutions": (convolutions_loss, {"x": (q,), "w": (m,), "v": (k,)}),
    "two linear convolutions": (plain_convolutions, {"x": (q,), "w": (m,), "v": (k,)}),
    "a strided convolution": (strided, {"x": (q,), "w": (k,)}),
    "diagonal and trace": (diagonal_and_trace, {"A": (n, n)}),
    "a placed diagonal": (placed_diagonal, {"x": (n,)}),
    "shared work": (shared, {"x": (n,)}),
    "an outer product": (outer, {"u": (m,), "v": (n,)}),
    "a choice": (chosen, {"x": (q,)}),
    "a sum of choices": (chosen_sum, {"x": (q,)}),
    "a stencil": (shifted, {"x": (n,)}),
    "a reversal": (reversed_product, {"x": (n,)}),
    "centred squares": (averages, {"X": (m, n)}),
    "a batched product": (batched, {"X": (l, m, n), "Y": (l, n, k)}),
}
PAIRS = [(name, wrt) for name, (_, shapes) in CASES.items() for wrt in shapes]
UNSMOOTH = {"a choice", "a sum of choices"}


def case(name):
    build, shapes = CASES[name]
    what = program(build, shapes)
    values = arrays(what, SIZES)
    if name in UNSMOOTH:
        for array, value in values.items():
            values[array] = np.where(np.abs(value) < 0.2, 0.7, value)
    return what, values


@pytest.mark.filterwarnings("ignore:invalid value|divide by zero:RuntimeWarning")
@pytest.mark.parametrize("mode", ["reverse", "forward", "auto"])
@pytest.mark.parametrize(("name", "wrt"), PAIRS)
def test_the_derivative_is_the_slope_of_the_oracle(name, wrt, mode):
    what, values = case(name)
    x = what.arrays[wrt]
    slope = differences(lambda moved: oracle_value(what, values | {x: moved}, SIZES), values[x])
    found = oracle_jacobian(first(what, wrt, mode), values, SIZES)
    np.testing.assert_allclose(found, slope, atol=1e-8 * max(1, np.abs(slope).max()))


@pytest.mark.filterwarnings("ignore:invalid value|divide by zero:RuntimeWarning")
@pytest.mark.parametrize("modes", [("reverse", "forward"), ("forward", "reverse"), ("auto", "auto")])
@pytest.mark.parametrize(("name", "wrt"), [pair for pair in PAIRS if pair[0] != "a loss of two convolutions"])
def test_the_second_derivative_is_the_slope_of_the_first(name, wrt, modes):
    what, values = case(name)
    x = what.arrays[wrt]
    jacobian = first(what, wrt, modes[0])
    again = second(what, jacobian, wrt, modes[1])
    slope = differences(lambda moved: oracle_jacobian(jacobian, values | {x: moved}, SIZES), values[x])
    found = oracle_jacobian(again, values, SIZES)
    np.testing.assert_allclose(found, slope, atol=1e-7 * max(1, np.abs(slope).max()))


@pytest.mark.filterwarnings("ignore:invalid value|divide by zero:RuntimeWarning")
@pytest.mark.parametrize("sizes", [SIZES, SIZES | {"n": 2, "m": 2, "k": 1}], ids=["sizes", "small sizes"])
@pytest.mark.parametrize(("name", "wrt"), PAIRS)
def test_generated_code_is_what_the_oracle_says(name, wrt, sizes):
    what, values = case(name)
    if sizes is not SIZES:
        values = arrays(what, sizes, seed=3, positive=name in UNSMOOTH)
    jacobian = first(what, wrt)
    hessian = second(what, jacobian, wrt)
    f, text = generated(what, [jacobian, hessian], value=True)
    before = {array: value.copy() for array, value in values.items()}
    found = f(*(values[array] for array in what.inputs))
    expected = [
        oracle_value(what, values, sizes),
        oracle_jacobian(jacobian, values, sizes),
        oracle_jacobian(hessian, values, sizes),
    ]
    for one, other, shape in zip(
        found, expected, (what.output.shape, jacobian.shape, hessian.shape), strict=True
    ):
        assert np.shape(one) == tuple(evaluate(size, sizes) for size in shape), text
        np.testing.assert_allclose(
            one, other, atol=1e-11 * max(1, np.abs(other).max(initial=0)), err_msg=text
        )
    for array, value in values.items():
        np.testing.assert_array_equal(value, before[array], err_msg="an input was written to")
    assert "eye" not in text


@pytest.mark.parametrize(("name", "wrt"), PAIRS)
def test_single_precision_stays_single(name, wrt):
    what, values = case(name)
    values = {array: np.abs(value).astype(np.float32) + np.float32(0.3) for array, value in values.items()}
    f, text = generated(what, [first(what, wrt)], value=True)
    for result in f(*(values[array] for array in what.inputs)):
        assert np.asarray(result).dtype == np.float32, text


def test_a_result_is_never_an_input_or_a_view_of_one():
    what = program(
        lambda b, a: b.define(matmul(b, read(a["A"]), read(a["x"])), "y"), {"A": (m, n), "x": (n,)}
    )
    values = arrays(what, SIZES)
    f, _ = generated(what, [first(what, "x")])
    found = f(*values.values())
    assert all(not np.shares_memory(found, value) for value in values.values())
    found[...] = 0


def test_a_chain_of_sixty_matrices_is_derived_and_lowered():
    letters = [f"A{number_}" for number_ in range(60)]

    def chain(b, a):
        value = read(a["v"])
        for letter in letters:
            value = matmul(b, read(a[letter]), value)
        return b.define(value, "y")

    what = program(chain, dict.fromkeys(letters, (k, k)) | {"v": (k,)})
    values = arrays(what, SIZES)
    f, _ = generated(what, [first(what, "A30")])
    left, right = np.eye(2), values[what.arrays["v"]]
    for letter in letters[:30]:
        right = values[what.arrays[letter]] @ right
    for letter in letters[31:]:
        left = values[what.arrays[letter]] @ left
    np.testing.assert_allclose(f(*values.values()), np.einsum("im,n->imn", left, right), rtol=1e-9)


def test_one_product_of_more_than_52_labels_is_split():
    def many(b, a):
        labels = [Label(k) for _ in range(61)]
        entries = [Entry(a["A"], (bare(i), bare(j))) for i, j in pairwise(labels)]
        return b.define(Value((), (product(1, entries, labels),)), "y")

    what = program(many, {"A": (k, k)})
    values = arrays(what, SIZES)
    (matrix,) = values.values()
    matrix /= np.abs(np.linalg.eigvals(matrix)).max()
    f, _ = generated(what, [], value=True)
    found = f(matrix)
    np.testing.assert_allclose(
        found[0] if isinstance(found, tuple) else found, np.linalg.matrix_power(matrix, 60).sum(), rtol=1e-9
    )


@pytest.mark.parametrize("count", [2, 3])
def test_a_vector_on_a_diagonal_is_written_through_a_view(count):
    def spread(b, a):
        labels = [Label(n) for _ in range(count)]
        value = at(a["x"], [bare(labels[0])])
        for other in labels[1:]:
            value = b.multiply(indicator(bare(labels[0]) - bare(other), "=="), value)
        return b.define(Value(tuple(labels), value.products), "y")

    what = program(spread, {"x": (n,)})
    f, text = generated(what, [first(what, "x")], value=True)
    assert "eye" not in text and text.count("result.reshape(-1)[::n*n") + text.count("y.reshape(-1)[::") >= 1
    x = np.arange(1.0, 6)
    value, slope = f(x)
    expected = np.zeros((5,) * count)
    expected[(np.arange(5),) * count] = x
    np.testing.assert_array_equal(value, expected)
    assert slope.sum() == 5 and slope[(3,) * (count + 1)] == 1


def test_a_zero_derivative_has_its_shape():
    what = program(lambda b, a: b.define(b.call("exp", [read(a["x"])]), "y"), {"x": (n,), "z": (m, k)})
    f, _ = generated(what, [first(what, "z")])
    found = f(np.ones(5), np.ones((3, 2)))
    assert found.shape == (5, 3, 2) and not found.any()


def test_the_product_of_a_product_with_itself_is_a_square():
    what = program(lambda b, a: b.define(b.multiply(read(a["x"]), read(a["x"])), "y"), {"x": ()})
    (term,) = first(what, "x").terms
    assert term.product == Product(2, (Entry(what.arrays["x"], ()),))


def test_like_terms_merge_up_to_the_names_of_labels():
    what = program(quadratic, CASES["quadratic"][1])
    assert len(first(what, "x").terms) == 2
    twice = program(lambda b, a: total(b, read(a["x"])), {"x": (n,)})
    (term,) = first(twice, "x").terms
    assert term.product.coefficient == 2


@pytest.mark.parametrize("empty", ["m", "n"])
def test_an_axis_of_size_0_gives_an_empty_or_a_zero_derivative(empty):
    what = program(network, CASES["network"][1])
    sizes = SIZES | {empty: 0}
    values = arrays(what, sizes)
    for wrt in what.arrays:
        f, _ = generated(what, [first(what, wrt)], value=True)
        value, slope = f(*values.values())
        assert np.shape(slope) == np.shape(values[what.arrays[wrt]])
        np.testing.assert_allclose(slope, oracle_jacobian(first(what, wrt), values, sizes))
        np.testing.assert_allclose(value, oracle_value(what, values, sizes), rtol=1e-14)


@pytest.mark.parametrize("op", ["max", "min"])
def test_ties_share_the_slope_equally(op):
    what = program(reduction(op), CASES["max"][1])
    X = np.array([[1.0, 2, 3], [1, 2, 3], [1, 5, 0]])
    f, _ = generated(what, [first(what, "X")])
    slope = f(X)
    np.testing.assert_allclose(slope.sum(axis=(0, 1)).sum(), 3)
    np.testing.assert_allclose(slope[0, :, 0], [1 / 3] * 3)
    np.testing.assert_allclose(slope[1, :, 1], [0, 0, 1] if op == "max" else [1 / 2, 1 / 2, 0])
    sizes = SIZES | {"m": 3, "n": 3}
    np.testing.assert_allclose(oracle_jacobian(first(what, "X"), {what.arrays["X"]: X}, sizes), slope)


def test_the_derivative_of_a_product_is_exact_at_zeros():
    what = program(whole_product, {"x": (n,)})
    for x in ([2.0, 0, 3, -1, 5], [2.0, 0, 0, -1, 5]):
        f, _ = generated(what, [first(what, "x")])
        expected = [np.prod(np.delete(x, place)) for place in range(5)]
        np.testing.assert_array_equal(f(np.array(x)), expected)
