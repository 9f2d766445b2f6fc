"""A part that products have twice is computed once: the numbers stay, and the products get fewer."""

import random

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive, read, recurring
from einsumdiff.evaluate import evaluate_terms
from einsumdiff.sizes import names

CHAIN = {"A": (2, 3), "B": (3, 5), "C": (5, 7), "x": (7,), "w": (2,), "v": (5,)}
SQUARE = {"P": (3, 3), "Q": (3, 3), "x": (3,), "w": (3,)}
NET = {"W1": (3, 2), "W2": (5, 3), "W3": (7, 5), "W4": (2, 7), "x": (2,)}

PROGRAMS = [
    ("sum(w*(A @ B @ C @ x)**2)", CHAIN, "x"),
    ("sum(w*(A @ (v[:, None]*B.T).T @ C @ x)**4)", CHAIN, "x"),
    ("sum(exp(A @ B @ C @ x)) + sum(v*sin(C @ x)**2)", CHAIN, "x"),
    ("sum((A @ B @ C @ x)**2)", CHAIN, "B"),
    ("sum(w*(P @ P @ P @ P @ x)**2)", SQUARE, "x"),
    ("sum(w*(P @ Q @ P @ Q @ P @ x)**2)", SQUARE, "x"),
    ("sum((P @ Q.T @ P @ x)**2) + sum((Q @ P @ x)**3)", SQUARE, "x"),
    ("x @ P @ Q @ Q.T @ P.T @ x + (w @ P @ Q @ x)**2", SQUARE, "x"),
    ("P: (3, 3) symmetric; sum(w*(Q @ P @ Q @ P @ x)**2)", SQUARE, "x"),
    ("h = tanh(W1 @ x); sum(tanh(W4 @ tanh(W3 @ tanh(W2 @ h)))**2)", NET, "W1"),
    ("h = relu(W1 @ x); sum(relu(W4 @ relu(W3 @ relu(W2 @ h)))**2)", NET, "W1"),
    ("h = relu(W1 @ x); sum(W4 @ relu(W3 @ relu(W2 @ h))**3)", NET, "W1"),
    ("h = maximum(W1 @ x, 0.1); sum(exp(W4 @ minimum(W3 @ abs(W2 @ h), 1)))", NET, "x"),
]


def meaning(d, given):
    """The derivative as its terms say, entry by entry."""
    sizes = {}
    for one in d._program.inputs:
        for size, actual in zip(one.shape, given[one.name].shape, strict=True):
            sizes.update(dict.fromkeys(names(size), actual))
    values = {one: given[one.name] for one in d._program.inputs}
    return evaluate_terms(d._jacobian.terms, d._jacobian.shape, values, sizes)


@pytest.fixture(params=[None, float("inf")], ids=["by cost", "always"])
def worth(request, monkeypatch):
    if request.param is not None:
        monkeypatch.setattr(recurring, "WORTH", request.param)
        monkeypatch.setattr(recurring, "WORTH_ASSUMED", request.param)


@pytest.mark.parametrize(("program", "shapes", "wrt"), PROGRAMS)
@pytest.mark.parametrize("numbers", [True, False])
def test_second_derivatives_are_slopes_of_first_ones(program, shapes, wrt, numbers, worth):
    shapes = {name: one for name, one in shapes.items() if name in program}
    given = {name: one / 2 for name, one in sample(shapes, seed=3).items()}
    if "symmetric" in program:
        given["P"] = given["P"] + given["P"].T
        shapes = {name: one for name, one in shapes.items() if name != "P"}
    known = shapes if numbers else {name: tuple("abcdefg"[n - 1] for n in shapes[name]) for name in shapes}
    program = program if numbers else program.replace("(3, 3)", "(c, c)")
    first, second = (derive(program, wrt=wrt, order=k, shapes=known) for k in (1, 2))
    value = first.compile(value=True)
    given = {name: given[name] for name in first.inputs}
    slope = numerical_jacobian(lambda **a: value(**a)[0], given, wrt)
    scale = np.max(np.abs(slope))
    assert_close(first(**given) / scale, slope / scale, 1e-8)
    expected = numerical_jacobian(first, given, wrt)
    scale = np.max(np.abs(expected))
    sizes = {"abcdefg"[n - 1]: n for one in shapes.values() for n in one}
    for options in ({}, {"out": True}, {} if numbers else {"sizes": sizes}):
        more = {"out": np.full(expected.shape, 7.0)} if "out" in options else {}
        assert_close(second.compile(**options)(**given, **more) / scale, expected / scale, 1e-8)
    assert read(str(second)) == second
    for form in ("compressed", "sparse"):
        found = second.compile(form=form)(**given)
        dense = found.dense() if form == "compressed" else found.toarray()
        assert_close(np.reshape(dense, expected.shape) / scale, expected / scale, 1e-8)
    rows = expected.reshape(-1, given[wrt].size)
    operator = second.compile(form="operator")(**given)
    assert_close(operator @ np.eye(rows.shape[1]) / scale, rows / scale, 1e-8)


def test_a_network_multiplies_its_weights_once():
    """J of 5 layers has 4 products of matrices, and J.T @ J is one more, of an array and its transpose."""
    names = ["W1", "W2", "W3", "W4", "W5", "W6"]
    text = "x"
    for name in names:
        text = f"maximum({name} @ {text}, 0)"
    d = derive(f"sum({text}**2)", wrt="W1", order=2, shapes={**dict.fromkeys(names, "n n"), "x": "n"})
    products = [one for one in d.cost(n=50).order if one.flops >= 2 * 50**3]
    assert len(products) == 5
    last = [line for line in d.source().splitlines() if "result = " in line]
    assert len(last) == 1 and last[0].count("(x[:, None]*x)") == 1


def test_what_several_terms_have_twice_is_computed_once():
    d = derive(
        "h = tanh(W1 @ x); sum(tanh(W4 @ tanh(W3 @ tanh(W2 @ h)))**2)",
        wrt="W1",
        order=2,
        shapes={**{f"W{k}": "n n" for k in range(1, 5)}, "x": "n"},
    )
    assert len([one for one in d.cost(n=50).order if one.flops >= 2 * 50**3]) == 6  # 2 for J, 4 squares


def test_a_part_that_costs_more_is_not_formed():
    """A long J from few to few: A.T @ A first."""
    d = derive("A: (m, k); B: (k, n); x: (n,); sum((A @ B @ x)**2)", wrt="x", order=2)
    assert "A.T @ A" in d.source(sizes={"m": 10_000, "k": 4, "n": 300})
    assert "A @ B" in d.source(sizes={"m": 4, "k": 300, "n": 300})


def test_labels_of_any_product_are_told_apart(worth):
    """Products in all ways to share labels, with powers, against the meaning of the formula."""
    draw = random.Random(5)
    arrays = {"P": 2, "Q": 2, "T": 3, "x": 1, "w": 1}
    given = sample({name: (3,) * rank for name, rank in arrays.items()}, seed=8)
    for _ in range(120):
        factors = []
        for _ in range(draw.randint(4, 9)):
            name = draw.choice("PPQQTxw")
            letters = ",".join(draw.choices("ijklm", k=arrays[name]))
            factors.append(f"{name}[{letters}]{draw.choice(['', '', '**2'])}")
        borne = sorted({letter for one in factors for letter in one if letter in "ijklm"})
        free = draw.sample(borne, k=min(len(borne), draw.randint(0, 2)))
        bound = [letter for letter in borne if letter not in free]
        text = "*".join(factors)
        text = f"sum[{','.join(bound)}]({text})" if bound else text
        left = f"y[{','.join(free)}]" if free else "y"
        used = {name: given[name] for name in given if name + "[" in text}
        wrt = draw.choice(sorted(used))
        d = derive(f"{left} = {text}", wrt=wrt, shapes={name: one.shape for name, one in used.items()})
        used = {name: used[name] for name in d.inputs}
        assert_close(d(**used), meaning(d, used), 1e-11)


@pytest.mark.parametrize("power", ["", "**2"])
def test_a_power_is_another_factor(worth, power):
    """`P[i,j]*Q[j,k]` twice, but that one Q is squared."""
    given = sample({"P": (3, 3), "Q": (3, 3), "x": (3,), "w": (3,)}, seed=8)
    text = f"y = sum[i,j,k,l,m](P[i,j]*Q[j,k]*x[k]*P[i,l]*Q[l,m]{power}*w[m])"
    d = derive(text, wrt="x", shapes={name: (3, 3) if name in "PQ" else (3,) for name in given})
    P, Q, w = given["P"], given["Q"], given["w"]
    right = (P @ Q).T @ (P @ (Q**2 if power else Q) @ w)
    assert_close(d(**{name: given[name] for name in d.inputs}), right, 1e-12)
