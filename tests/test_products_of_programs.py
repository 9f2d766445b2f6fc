"""Products, Laplacians and diagonals of very many programs, against the derivative and its own slope.

The first derivatives themselves are held against numerical ones elsewhere.
"""

import numpy as np
import pytest
from acceptance.cookbook import ROWS as COOKBOOK
from hypothesis import given, settings
from numeric import assert_close, numerical_jacobian, sample
from test_random_programs import cases, derived, used
from test_rules_tensor import ROWS

from einsumdiff import derive


def holds(d, wrt, values, curved=None):
    """The products of the derivative, and of its Hessian where `curved` is the slope of the derivative."""
    slope = d(**values)
    rank = np.ndim(values[wrt])
    output = slope.shape[: slope.ndim - rank]
    v = sample({"v": np.shape(values[wrt])}, seed=1)["v"]
    u = sample({"u": output}, seed=2)["u"]
    along, weights = (d.jvp.inputs[-1], d.vjp.inputs[-1])
    assert_close(d.jvp(**values, **{along: v}), np.tensordot(slope, v, rank), 1e-10)
    assert_close(d.vjp(**values, **{weights: u}), np.tensordot(u, slope, u.ndim), 1e-10)
    if curved is None:
        return
    size = int(np.prod(np.shape(values[wrt])))
    square = np.reshape(curved, (*output, size, size))
    diagonal = np.diagonal(square, axis1=-2, axis2=-1)
    scale = max(1, np.abs(slope).max(initial=0))  # of the rounding in the differences
    whole = diagonal.reshape((*output, *np.shape(values[wrt])))
    assert_close(d.hessian_diagonal(**values) / scale, whole / scale, 1e-7)
    assert_close(d.laplacian(**values) / scale, diagonal.sum(axis=-1) / scale, 1e-7)
    if not output:
        assert_close(d.hvp(**values, **{along: v}) / scale, np.tensordot(curved, v, rank) / scale, 1e-7)


@settings(max_examples=60)
@given(cases())
def test_of_random_programs(case):
    text, wrt = case
    values = used(text)
    if wrt not in values:
        return
    d = derived(text, wrt)
    if "where" in text or np.ndim(values[wrt]) > 1:
        holds(d, wrt, values)
        return
    holds(d, wrt, values, numerical_jacobian(d, values, wrt))


NAMES = [(text, shapes, name) for text, _, shapes in ROWS for name in shapes]


@pytest.mark.parametrize(("text", "shapes", "wrt"), NAMES, ids=[f"{t} in {n}" for t, _, n in NAMES])
def test_of_every_operation(text, shapes, wrt):
    weight = "cos(y_)" if wrt != "y_" else ""
    program = f"y_ = {text}; f = sum({weight}*y_**2)"
    d = derive(program, wrt, shapes=shapes)
    values = sample(shapes, seed=len(text))
    values = {name: values[name] for name in d.inputs}
    if int(np.prod(shapes[wrt])) > 30:
        holds(d, wrt, values)
        return
    holds(d, wrt, values, numerical_jacobian(d, values, wrt))


@pytest.mark.parametrize("row", COOKBOOK, ids=[row.number for row in COOKBOOK])
def test_of_the_matrix_cookbook(row):
    d = derive(row.program, row.wrt, shapes=row.shapes)
    values = {name: row.arrays[name] for name in d.inputs}
    holds(d, row.wrt, values, numerical_jacobian(d, values, row.wrt, step=5e-4))
