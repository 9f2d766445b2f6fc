"""What several derivatives compute is computed once, and nothing that differs is taken for the same."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive, plan
from einsumdiff.nodes import Label, bare
from einsumdiff.passes.sharing import shared
from einsumdiff.plan.equal import Keys
from einsumdiff.sizes import symbol

CHAIN = {"A": (2, 3), "B": (3, 5), "C": (5, 7), "D": (7, 2)}
FACTORS = {"T": (5, 3, 2), "P": (5, 7), "Q": (3, 7), "R": (2, 7)}

PROGRAMS = [
    ("sum(A @ B @ C @ D)", CHAIN, ("A", "B", "C", "D")),
    ("sum((A @ B @ C)**2) + sum(sin(C @ D))", CHAIN, ("A", "B", "C", "D")),
    ("E[i,j,k] = T[i,j,k] - P[i,q]*Q[j,q]*R[k,q]; L = sum(E**2)", FACTORS, ("P", "Q", "R")),
    ("sum(exp(A @ B)) + sum(A @ B @ C)", CHAIN, ("A", "B", "C")),
    ("L = trace(A @ B @ C @ D) + sum(C @ D @ A)", CHAIN, ("A", "B", "C", "D")),
]


def of(program, shapes, wrt, **options):
    names = [name for name in shapes if name in program.replace("sum", "").replace("exp", "")]
    return derive(program, wrt=wrt, shapes={name: shapes[name] for name in names}, **options)


@pytest.mark.parametrize(("program", "shapes", "wrt"), PROGRAMS)
@pytest.mark.parametrize("options", [{}, {"copy": False}, {"value": True}, {"out": True}])
def test_numbers_are_those_of_differences(program, shapes, wrt, options):
    d = of(program, shapes, wrt)
    given = {name: one for name, one in sample(shapes, seed=5).items() if name in d.inputs}
    more = {}
    if options.get("out"):
        more = {"out": {name: np.full(shapes[name], 7.0) for name in wrt}}
    found = d.compile(**options)(**given, **more)
    found = found[1] if options.get("value") else found
    for name in wrt:
        assert_close(found[name], numerical_jacobian(lambda **a: d.compile(value=True)(**a)[0], given, name))


@pytest.mark.parametrize(("program", "shapes", "wrt"), PROGRAMS)
def test_results_do_not_share_memory(program, shapes, wrt):
    d = of(program, shapes, wrt)
    given = {name: one for name, one in sample(shapes, seed=5).items() if name in d.inputs}
    arrays = [*given.values(), *d(**given).values()]
    assert not any(np.shares_memory(a, b) for k, a in enumerate(arrays) for b in arrays[:k])


def lines(d):
    """The statements of the generated function."""
    text = d.source().rpartition('"""')[2]
    return [line.strip() for line in text.splitlines() if " = " in line]


def test_partial_products_of_a_chain_are_computed_once():
    d = of(*PROGRAMS[0])
    products = sum(line.count(" @ ") for line in lines(d))
    assert products == 2 * (4 - 2)  # vectors from the left and from the right
    assert sum(line.count(".sum(") for line in lines(d)) == 2


def test_equal_derivatives_are_computed_once_and_are_two_arrays():
    d = derive("L = sum(exp(A + B))", wrt=("A", "B"), shapes={"A": (2, 3), "B": (2, 3)})
    assert d.source().count("np.exp") == 1
    found = d(np.zeros((2, 3)), np.ones((2, 3)))
    np.testing.assert_array_equal(found["A"], found["B"])
    assert not np.shares_memory(found["A"], found["B"])


def test_a_transposed_reading_shares():
    d = derive("sum((A @ B)**2) + sum(C*(A @ B).T)", wrt=("A", "B", "C"), shapes={"C": (5, 2), **CHAIN_AB})
    assert sum(line.count("A @ B") for line in lines(d)) == 1
    given = sample({"C": (5, 2), **CHAIN_AB}, seed=2)
    for name, found in d(**{n: given[n] for n in d.inputs}).items():
        ordered = {n: given[n] for n in d.inputs}
        assert_close(
            found, numerical_jacobian(lambda **a: np.asarray(d.compile(value=True)(**a)[0]), ordered, name)
        )


CHAIN_AB = {"A": (2, 3), "B": (3, 5)}


# ---------------------------------------------------------------------------------- what counts as the same

I, J, K = Label(symbol("m")), Label(symbol("n")), Label(symbol("p"))


def key(value):
    return KEYS.of(value)[0]


KEYS = Keys()


def load(name, *axes):
    return plan.Load(name, axes)


def test_labels_and_order_of_operands_make_no_difference():
    i, j, k = I.fresh(), J.fresh(), K.fresh()
    one = plan.Contract(load("A", I, J), load("B", J, K), (I, K))
    other = plan.Contract(load("B", j, k), load("A", i, j), (k, i))
    assert key(one) == key(other)
    assert dict(zip(KEYS.of(one)[1], KEYS.of(other)[1], strict=True)) == {I: i, K: k}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (plan.Literal(1), plan.Literal(1.0)),
        (plan.Literal(0.0), plan.Literal(-0.0)),
        (load("A", I, J), load("B", I, J)),
        (plan.Divide(load("x", I), load("y", I), (I,)), plan.Divide(load("y", I), load("x", I), (I,))),
        (
            plan.Add(((1, load("x", I)), (-1, load("y", I))), (I,)),
            plan.Add(((1, load("x", I)), (1, load("y", I))), (I,)),
        ),
        (
            plan.Contract(load("A", I, J), load("A", J, K), (I, K)),
            plan.Contract(load("A", I, J), load("A", K, J), (I, K)),
        ),
        (plan.Fold("sum", load("A", I, J), (I,)), plan.Fold("sum", load("A", I, J), (J,))),
        (plan.Fold("sum", load("A", I, J), (I,)), plan.Fold("max", load("A", I, J), (I,))),
        (plan.Power(load("x", I), 2, (I,)), plan.Power(load("x", I), 3, (I,))),
        (plan.Apply("sin", (load("x", I),), (I,)), plan.Apply("cos", (load("x", I),), (I,))),
        (
            plan.Multiply(load("x", I), load("y", J), (I, J)),
            plan.Multiply(load("x", I), load("y", I), (I,)),
        ),
    ],
)
def test_what_differs_is_kept_apart(one, other):
    assert key(one) != key(other)


def test_an_array_that_is_written_into_later_is_read_nowhere_else():
    """`r = exp(x); r[i] += y[i]` and `exp(x)` again: the second is not r."""
    value = [plan.Apply("exp", (load("x", n),), (n,)) for n in (I, I.fresh())]
    statements = [
        plan.Assign("r", value[0], (I,), own=True),
        plan.Write("r", (bare(I),), (symbol("m"),), load("y", I), (I,), False, True),
        plan.Assign("s", value[1], value[1].axes, own=True),
    ]
    found = shared(statements, iter(["t1"]).__next__)
    assert [one.name for one in found] == ["t1", "r", "r", "s"]
    assert isinstance(found[-1].value, plan.Load) and found[-1].value.name == "t1"


# -------------------------------------------------------------------------- orders chosen with others in mind


def test_two_of_three_factors_read_one_product_with_the_large_array():
    program, _, wrt = PROGRAMS[2]
    sizes = {"l": 100, "m": 100, "n": 100, "r": 20}
    declared = "T: (l, m, n); P: (l, r); Q: (m, r); R: (n, r)\n"
    alone = sum(derive(declared + program, wrt=one).cost(**sizes).flops for one in wrt)
    together = derive(declared + program, wrt=wrt).cost(**sizes)
    large = [one for one in together.order if one.flops >= 2 * 100**3 * 20]
    assert len(large) == 2
    assert together.flops < 0.75 * alone


@pytest.mark.parametrize("sizes", [{}, {"m": 1000, "n": 3}, {"m": 3, "n": 1000}])
def test_an_eye_on_others_never_costs_more(sizes):
    """`A[i,j]*x[j]` serves the second, and is no beginning for the first where j is long."""
    program = "A: (m, n); x: (n,); B: (n, m); y: (m,); y @ A @ B @ A @ x + sum((A @ x)**2)"
    d = derive(program, wrt=("A", "B", "x"))
    parts = sum(derive(program, wrt=one).cost(**sizes).flops for one in ("A", "B", "x"))
    assert d.cost(**sizes).flops <= parts


def test_products_with_their_operands_exchanged_are_one():
    label = Label(symbol("n"))
    loads = [plan.Load(name, (label,)) for name in ("x", "y", "z")]

    def product(k, j):
        return plan.Multiply(plan.Apply("exp", (loads[k],), (label,)), loads[j], (label,))

    def named(name, value):
        return plan.Assign(name, value, (label,))

    names = iter(["t1", "t2"])
    x, y, z = loads
    one = plan.Multiply(plan.Multiply(x, y, (label,)), plan.Multiply(y, z, (label,)), (label,))
    other = plan.Multiply(plan.Multiply(z, y, (label,)), plan.Multiply(y, x, (label,)), (label,))
    found = shared([named("a", one), named("b", other)], lambda: next(names))
    assert isinstance(found[-1].value, plan.Load) and found[-1].value.name == "a"
    alone = [named("a", product(0, 1)), named("b", product(1, 2))]
    assert shared(alone, lambda: next(names)) == alone
