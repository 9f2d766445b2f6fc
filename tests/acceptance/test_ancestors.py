"""What XDiff.jl, XGrad.jl and others differentiate, in this project's language: rules, and whole programs."""

import numpy as np
import pytest
from acceptance.ancestors import BROADCAST, JACOBIANS, NOT_APPLICABLE, PULLBACKS
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive


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
