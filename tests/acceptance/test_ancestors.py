"""What XDiff.jl, XGrad.jl and others differentiate, in this project's language: rules, and whole programs."""

import numpy as np
import pytest
from acceptance.ancestors import BROADCAST, JACOBIANS, NOT_APPLICABLE, PULLBACKS
from numeric import assert_close, numerical_jacobian, sample
from numpy.linalg import det, inv, slogdet

from einsumdiff import EinsumDiffError, derive


def inputs(rule):
    """The arrays of a row; a domain may be for each name."""
    if isinstance(rule.domain, str):
        return sample(rule.shapes, rule.domain, seed=1)
    return {
        name: sample({name: shape}, rule.domain[name], seed=1)[name] for name, shape in rule.shapes.items()
    }


def title(rule):
    return f"{rule.number} {rule.program} by {rule.wrt}"


def test_every_rule_is_here_or_is_said_not_to_apply():
    apart = {number for numbers in NOT_APPLICABLE.values() for number in numbers.split()}
    covered = {rule.number for rule in JACOBIANS + PULLBACKS}
    every = {f"{kind}{k + 1}" for kind, count in (("X", 52), ("T", 20), ("G", 206)) for k in range(count)}
    assert covered | apart == every
    assert not covered & apart


@pytest.mark.parametrize("rule", JACOBIANS, ids=title)
def test_the_rules_of_xdiff(rule):
    arrays = inputs(rule)
    result = derive(rule.program, wrt=rule.wrt, shapes=rule.shapes)(**arrays)
    assert_close(result, rule.rule(**arrays), 1e-12)
    assert_close(result, numerical_jacobian(rule.value, arrays, rule.wrt), 1e-7)


@pytest.mark.parametrize("rule", PULLBACKS + BROADCAST, ids=title)
def test_the_rules_of_xgrad(rule):
    arrays = inputs(rule)
    result = derive(rule.program, wrt=rule.wrt, shapes=rule.shapes)(**arrays)
    assert_close(result, numerical_jacobian(rule.value, arrays, rule.wrt), 1e-7)
    shape = np.shape(rule.value(**arrays))
    ds = sample({"ds": shape}, seed=2)["ds"]
    assert_close(np.tensordot(ds, result, len(shape)), rule.rule(ds, **arrays), 1e-12)


# X6, X7: powers where they are not smooth


def test_a_power_zero_is_constant_even_at_zero():
    d = derive("x**n", wrt="x", shapes={"x": (), "n": ()})
    assert_close(derive("x**0", wrt="x", shapes={"x": ()})(x=0.0), 0.0)
    assert_close(derive("x**1", wrt="x", shapes={"x": ()})(x=0.0), 1.0)
    assert_close(d(x=0.0, n=1.0), 1.0)
    assert_close(d(x=-2.0, n=3.0), 12.0)


def test_the_slope_of_a_power_in_its_exponent_is_nan_for_a_negative_base():
    d = derive("a**x", wrt="x", shapes={"a": (), "x": ()})
    assert_close(d(a=0.0, x=2.0), 0.0)
    with np.errstate(invalid="ignore"):
        assert np.isnan(d(a=-1.0, x=2.0))


# S38, S106 to S110: a gather, and linear algebra

SQUARE = {"X": (3, 3)}


def test_the_slope_of_a_gather_counts_how_often_an_entry_is_read():
    inds = np.array([0, 1, 2, 0, 1])
    x = np.array([1.5, -2.0, 0.5])
    d = derive("y = x[inds]", wrt="x", shapes={"x": (3,), "inds": inds})
    assert_close(d(x=x, inds=inds), np.equal.outer(inds, range(3)).astype(float), 1e-15)
    assert_close(
        derive("y = sum(x[inds])", wrt="x", shapes={"inds": "k"})(x=x, inds=inds), np.array([2.0, 2, 1])
    )
    slope = derive("y = sum(x[inds]**3*w)", wrt="x", shapes={"inds": "k", "w": "k"})
    arrays = {"x": x, "w": np.array([1.0, -2.0, 3.0, 0.5, -0.25])}
    value = lambda x, w: (x[inds] ** 3 * w).sum()
    assert_close(slope(**arrays, inds=inds), numerical_jacobian(value, arrays, "x"), 1e-9)


def quotient(X, C, B):
    return np.trace(inv(X.T @ C @ X) @ (X.T @ B @ X))


def quotient_slope(X, C, B):
    Q = inv(X.T @ C @ X)
    return -2 * C @ X @ Q @ X.T @ B @ X @ Q + 2 * B @ X @ Q


LINEAR_ALGEBRA = [
    ("S106", "det(X)", SQUARE, lambda X: det(X), lambda X: det(X) * inv(X).T),
    ("S107", "log(abs(det(X)))", SQUARE, lambda X: slogdet(X)[1], lambda X: inv(X).T),
    ("S107", "logdet(X)", SQUARE, lambda X: slogdet(X)[1], lambda X: inv(X).T),
    ("S107", "sign, ld = slogdet(X)\ny = ld", SQUARE, lambda X: slogdet(X)[1], lambda X: inv(X).T),
    (
        "S108",
        "a @ inv(X) @ b",
        SQUARE | {"a": (3,), "b": (3,)},
        lambda X, a, b: a @ inv(X) @ b,
        lambda X, a, b: -inv(X).T @ np.outer(a, b) @ inv(X).T,
    ),
    (
        "S109",
        "trace(A @ inv(X) @ B)",
        SQUARE | {"A": (2, 3), "B": (3, 2)},
        lambda X, A, B: np.trace(A @ inv(X) @ B),
        lambda X, A, B: -(inv(X) @ B @ A @ inv(X)).T,
    ),
    (
        "S110",
        "trace(inv(X.T @ C @ X) @ (X.T @ B @ X))",
        {"X": (5, 2), "C": (5, 5), "B": (5, 5)},
        quotient,
        quotient_slope,
    ),
]


@pytest.mark.parametrize("sign", [1, -1], ids=["det > 0", "det < 0"])
@pytest.mark.parametrize(
    "number, program, shapes, value, slope",
    LINEAR_ALGEBRA,
    ids=[f"{row[0]} {row[1]}" for row in LINEAR_ALGEBRA],
)
def test_the_rules_of_linear_algebra(number, program, shapes, value, slope, sign):
    arrays = sample(shapes, seed=3)
    if shapes["X"] == (3, 3):
        arrays["X"] = arrays["X"] / 2 + np.diag([2.0, 2.0, 2.0 * sign])
        assert np.sign(det(arrays["X"])) == sign
    if "C" in arrays:
        arrays["C"] = arrays["C"] @ arrays["C"].T + 3 * np.eye(5)
        arrays["B"] = arrays["B"] + arrays["B"].T
    result = derive(program, wrt="X", shapes=shapes)(**arrays)
    assert_close(result, slope(**arrays), 1e-10)
    assert_close(result, numerical_jacobian(value, arrays, "X"), 1e-7)


# B2: what is not known


@pytest.mark.parametrize(
    "program", ["y = frobnicate(x)", "y[i] = frobnicate(x[i])", "y = x.frobnicate()", "y = np.frobnicate(x)"]
)
def test_an_unknown_function_is_an_error_that_says_how_to_add_it(program):
    with pytest.raises(EinsumDiffError, match="frobnicate") as caught:
        derive(program, wrt="x")
    assert caught.value.kind == "name"
    assert caught.value.span.source.endswith("frobnicate")
    assert "register" in str(caught.value) or "rule" in str(caught.value)


def test_an_unknown_function_of_something_else_is_refused_too():
    with pytest.raises(EinsumDiffError, match="frobnicate"):
        derive("y = sum(x)*frobnicate(z)", wrt="x")


# B4: kinks and ties under every policy; the parts of a tie add up to one under the first two

POLICIES = ["split", "first", "zero"]

# program, the place, its slope under each policy: shared equally, to the first, to none
TIES = [
    ("max(x)", [1.0, 3.0, 3.0], [0, 0.5, 0.5], [0, 1, 0], [0, 0, 0]),
    ("max(x)", [3.0, 1.0, 2.0], [1, 0, 0], [1, 0, 0], [1, 0, 0]),
    ("min(x)", [-1.0, 2.0, -1.0], [0.5, 0, 0.5], [1, 0, 0], [0, 0, 0]),
    ("min(x)", [2.0, 2.0, 2.0], [1 / 3, 1 / 3, 1 / 3], [1, 0, 0], [0, 0, 0]),
    ("sum(maximum(x, 1))", [-2.0, 1.0, 3.0], [0, 0.5, 1], [0, 1, 1], [0, 0, 1]),
    ("sum(maximum(1, x))", [-2.0, 1.0, 3.0], [0, 0.5, 1], [0, 0, 1], [0, 0, 1]),
    ("sum(minimum(x, 1))", [-2.0, 1.0, 3.0], [1, 0.5, 0], [1, 1, 0], [1, 0, 0]),
    ("sum(minimum(1, x))", [-2.0, 1.0, 3.0], [1, 0.5, 0], [1, 0, 0], [1, 0, 0]),
    ("sum(fmax(x, 1))", [-2.0, 1.0, 3.0], [0, 0.5, 1], [0, 1, 1], [0, 0, 1]),
    ("sum(fmin(x, 1))", [-2.0, 1.0, 3.0], [1, 0.5, 0], [1, 1, 0], [1, 0, 0]),
    ("norm(x, inf)", [-3.0, 1.0, 3.0], [-0.5, 0, 0.5], [-1, 0, 0], [0, 0, 0]),
    ("sum(clip(x, -1, 1))", [-1.0, 0.5, 1.0], [0.5, 1, 0.5], [1, 1, 1], [0, 1, 0]),
    # no ties: one value for all policies
    ("sum(abs(x))", [-2.0, 0.0, 3.0], *[[-1, 0, 1]] * 3),
    ("norm(x, 1)", [-2.0, 0.0, 3.0], *[[-1, 0, 1]] * 3),
    ("sum(relu(x))", [-2.0, 0.0, 3.0], *[[0, 0, 1]] * 3),
    ("sum(sign(x))", [-2.0, 0.0, 3.0], *[[0, 0, 0]] * 3),
    ("norm(x)", [0.0, -3.0, 4.0], *[[0, -0.6, 0.8]] * 3),
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("row", TIES, ids=[f"{row[0]} at {row[1]}" for row in TIES])
def test_kinks_and_ties_under_every_policy(row, policy):
    program, x, *slopes = row
    result = derive(program, wrt="x", ties=policy)(x=np.array(x))
    assert_close(result, np.array(slopes[POLICIES.index(policy)], dtype=float), 1e-15)


@pytest.mark.parametrize("program", [row[0] for row in TIES[:1]] + ["max(x, axis=0)", "min(x, axis=0)"])
def test_the_default_policy_shares_equally(program):
    x = np.array([2.0, -1.0, 2.0, -1.0])
    assert_close(derive(program, wrt="x")(x=x), derive(program, wrt="x", ties="split")(x=x), 1e-15)


@pytest.mark.parametrize("policy, whole", [("split", 1.0), ("first", 1.0), ("zero", 0.0)])
@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin"])
def test_the_parts_of_a_tie_of_two_arrays_add_up(name, policy, whole):
    both = derive(f"sum({name}(x, y))", wrt=["x", "y"], ties=policy)
    at = both(x=np.array([1.0, 2.0, -1.0]), y=np.array([1.0, -2.0, 3.0]))
    assert_close(at["x"] + at["y"], np.array([whole, 1.0, 1.0]), 1e-15)
    assert_close(at["x"][0], {"split": 0.5, "first": 1.0, "zero": 0.0}[policy], 1e-15)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["max", "min"])
def test_the_parts_of_a_tie_along_an_axis_add_up(name, policy):
    X = np.array([[1.0, 1.0, 0.0], [2.0, -5.0, 2.0], [3.0, 3.0, 3.0], [0.0, 1.0, 2.0]])
    part = derive(f"{name}(X, axis=1)", wrt="X", ties=policy)(X=X)
    best = getattr(X, name)(axis=1, keepdims=True) == X
    ties = best.sum(axis=1)
    assert_close(part.sum(axis=(1, 2)), np.where((ties > 1) & (policy == "zero"), 0.0, 1.0), 1e-15)
    expected = {
        "split": best / ties[:, None],
        "first": best & (best.cumsum(axis=1) == 1),
        "zero": best & (ties == 1)[:, None],
    }[policy]
    assert_close(part, np.einsum("ij,im->imj", expected.astype(float), np.eye(4)), 1e-15)


@pytest.mark.parametrize("policy", POLICIES)
def test_where_there_is_no_tie_the_policy_does_not_matter(policy):
    arrays = sample({"X": (2, 3), "Y": (2, 3)}, seed=4)
    program = "sum(maximum(X, Y)**2) + max(X)*min(Y, axis=0) + clip(X[0], -0.3, 0.4)"
    value = lambda X, Y: (np.maximum(X, Y) ** 2).sum() + X.max() * Y.min(axis=0) + np.clip(X[0], -0.3, 0.4)
    for wrt in "XY":
        result = derive(program, wrt=wrt, shapes={"X": (2, 3), "Y": (2, 3)}, ties=policy)(**arrays)
        assert_close(result, numerical_jacobian(value, arrays, wrt), 1e-7)


def test_another_policy_is_refused():
    with pytest.raises(EinsumDiffError, match="last") as caught:
        derive("max(x)", wrt="x", ties="last")
    assert "split" in str(caught.value)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_slopes_of_sqrt_and_norm_at_zero_are_no_silent_numbers(policy):
    with np.errstate(divide="ignore", invalid="ignore"):
        assert np.isposinf(derive("sqrt(x)", wrt="x", shapes={"x": ()}, ties=policy)(x=0.0))
        assert np.isnan(derive("norm(x)", wrt="x", ties=policy)(x=np.zeros(3))).all()
