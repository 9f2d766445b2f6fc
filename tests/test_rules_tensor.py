"""Every operation on whole arrays against the NumPy function of its name, at distinct sizes."""

import numpy as np
import pytest
import scipy.special as special
from numeric import assert_close, sample
from oracle import program, run

from einsumdiff.errors import EinsumDiffError
from einsumdiff.indexing.operations import rules_of
from einsumdiff.language.rows import Definition, Form, option
from einsumdiff.language.table import load_table

AXES = [None, 0, 1, 2, -1, -3, (1,), (0, 2), (2, 0, 1), ()]


def holds(text, function, tol=1e-12, **shapes):
    """The program has the value of the NumPy function at random arrays of these shapes."""
    arrays = sample(shapes, seed=len(text))
    built = program(text, shapes=shapes)
    value = run(built, arrays)
    assert_close(value, np.asarray(function(**arrays), dtype=float), tol)
    assert np.shape(value) == built.output.shape


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "var", "std"])
def test_a_reduction_is_numpys_on_every_axis(name, axis, keepdims):
    function = getattr(np, name)
    if axis == () and name == "std":
        pytest.skip("zero everywhere")
    for text in (f"{name}(x, axis={axis}, keepdims={keepdims})", f"x.{name}({axis}, keepdims={keepdims})"):
        holds(text, lambda x: function(x, axis=axis, keepdims=keepdims), x=(2, 3, 5))


@pytest.mark.parametrize("axis", AXES[:-1])
@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_exponential_reductions_are_scipys(name, axis):
    function = getattr(special, name)
    holds(f"{name}(x, axis={axis})", lambda x: function(x, axis=axis), x=(2, 3, 5))


def test_softmax_is_along_the_last_axis_and_with_scipys_prefix_over_all():
    holds("softmax(x)", lambda x: special.softmax(x, axis=-1), x=(2, 3))
    holds("scipy.special.softmax(x)", lambda x: special.softmax(x), x=(2, 3))
    holds("scipy.special.log_softmax(x, axis=0)", lambda x: special.log_softmax(x, axis=0), x=(2, 3))


def test_ddof_is_by_position_or_by_name():
    holds("var(x, 0, ddof=1)", lambda x: np.var(x, 0, ddof=1), x=(3, 5))
    holds("np.std(x, 1, 1)", lambda x: np.std(x, 1, ddof=1), x=(3, 5))


@pytest.mark.parametrize("order", ["None", "1", "2", "np.inf", "3", "2.5"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_vector_norms_are_numpys(order, axis):
    value = eval(order, {"np": np})
    holds(
        f"np.linalg.norm(x, ord={order}, axis={axis})", lambda x: np.linalg.norm(x, value, axis), x=(2, 3, 5)
    )


def test_the_norm_of_a_matrix_is_frobenius():
    holds("norm(x)", lambda x: np.linalg.norm(x), x=(2, 3))
    holds("norm(x, 'fro')", lambda x: np.linalg.norm(x, "fro"), x=(2, 3))
    holds(
        "norm(x, 'fro', axis=(0, 2), keepdims=True)",
        lambda x: np.linalg.norm(x, "fro", axis=(0, 2), keepdims=True),
        x=(2, 3, 5),
    )
    holds("norm(x)", lambda x: np.sqrt((x**2).sum()), x=(2, 3, 5))


PAIRS = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 5)), ((7, 2, 3), (3, 5)),
    ((7, 2, 3), (7, 3, 5)), ((2, 1, 5, 3), (7, 3, 2)),
    ((7, 2, 3), (3,)), ((3,), (7, 3, 2)), ((2, 3), (7, 3, 5)),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_matrix_product_takes_every_combination_of_ranks(first, second):
    holds("x @ y", lambda x, y: x @ y, x=first, y=second)
    holds("np.matmul(x, y)", lambda x, y: x @ y, x=first, y=second)
    holds("x.dot(y)", lambda x, y: np.dot(x, y), x=first, y=second)


ROWS = [
    ("dot(x, y)", lambda x, y: np.dot(x, y), {"x": (), "y": (3, 2)}),
    ("dot(y, x)", lambda x, y: np.dot(y, x), {"x": (), "y": (3, 2)}),
    ("inner(x, y)", lambda x, y: np.inner(x, y), {"x": (5, 3), "y": (7, 2, 3)}),
    ("inner(x, y)", lambda x, y: np.inner(x, y), {"x": (), "y": (2, 3)}),
    ("outer(x, y)", lambda x, y: np.outer(x, y), {"x": (3,), "y": (2,)}),
    ("vdot(x, y)", lambda x, y: np.vdot(x, y), {"x": (3, 2), "y": (3, 2)}),
    ("tensordot(x, y)", lambda x, y: np.tensordot(x, y), {"x": (5, 3, 2), "y": (3, 2, 7)}),
    ("tensordot(x, y, axes=1)", lambda x, y: np.tensordot(x, y, 1), {"x": (5, 3, 2), "y": (2, 7)}),
    ("tensordot(x, y, 0)", lambda x, y: np.tensordot(x, y, 0), {"x": (5,), "y": (2, 3)}),
    ("tensordot(x, y, ([0, 1], [1, 0]))", lambda x, y: np.tensordot(x, y, ([0, 1], [1, 0])),
     {"x": (5, 3, 2), "y": (3, 5)}),
    ("tensordot(x, y, axes=(-1, 0))", lambda x, y: np.tensordot(x, y, (-1, 0)), {"x": (5, 3), "y": (3, 5)}),
    ("trace(x)", lambda x: np.trace(x), {"x": (3, 3)}),
    ("x.trace()", lambda x: np.trace(x), {"x": (3, 3, 2)}),
    ("tr(x)", lambda x: np.trace(x), {"x": (3, 3)}),
    ("diagonal(x)", lambda x: np.diagonal(x), {"x": (3, 3, 2)}),
    ("diag(x)", lambda x: np.diag(x), {"x": (3,)}),
    ("diag(x)", lambda x: np.diag(x), {"x": (3, 3)}),
    ("einsum('ij,jk', x, y)", lambda x, y: x @ y, {"x": (5, 3), "y": (3, 2)}),
    ("einsum('ba', x)", lambda x: x.T, {"x": (5, 3)}),
    ("einsum('iij->j', x)", lambda x: np.einsum("iij->j", x), {"x": (3, 3, 2)}),
    ("einsum('ii,i', x, y)", lambda x, y: np.einsum("ii,i", x, y), {"x": (3, 3), "y": (3,)}),
    ("einsum('...ij,jk->...ki', x, y)", lambda x, y: np.einsum("...ij,jk->...ki", x, y),
     {"x": (7, 5, 3), "y": (3, 2)}),
    ("einsum('i...,j', x, y)", lambda x, y: np.einsum("i...,j", x, y), {"x": (5, 3), "y": (2,)}),
    ("einsum('...i,...i->...', x, y)", lambda x, y: np.einsum("...i,...i->...", x, y),
     {"x": (5, 1, 3), "y": (2, 3)}),
    ("einsum('ij->', x)", lambda x: x.sum(), {"x": (5, 3)}),
    ("x.T", lambda x: x.T, {"x": (2, 3, 5)}),
    ("x.mT", lambda x: x.swapaxes(-1, -2), {"x": (2, 3, 5)}),
    ("transpose(x)", lambda x: x.T, {"x": (2, 3, 5)}),
    ("transpose(x, (2, 0, 1))", lambda x: x.transpose(2, 0, 1), {"x": (2, 3, 5)}),
    ("transpose(x, axes=(-1, 0, 1))", lambda x: x.transpose(2, 0, 1), {"x": (2, 3, 5)}),
    ("x.transpose(2, 0, 1)", lambda x: x.transpose(2, 0, 1), {"x": (2, 3, 5)}),
    ("swapaxes(x, 0, -1)", lambda x: x.swapaxes(0, -1), {"x": (2, 3, 5)}),
    ("moveaxis(x, 0, -1)", lambda x: np.moveaxis(x, 0, -1), {"x": (2, 3, 5)}),
    ("moveaxis(x, (0, 1), (-1, 0))", lambda x: np.moveaxis(x, (0, 1), (-1, 0)), {"x": (2, 3, 5)}),
    ("expand_dims(x, 1)", lambda x: np.expand_dims(x, 1), {"x": (2, 3)}),
    ("expand_dims(x, (0, -1))", lambda x: np.expand_dims(x, (0, -1)), {"x": (2, 3)}),
    ("squeeze(x, 1)", lambda x: np.squeeze(x, 1), {"x": (2, 1, 3)}),
    ("x.squeeze(axis=(1, -1))", lambda x: np.squeeze(x, (1, -1)), {"x": (2, 1, 3, 1)}),
    ("broadcast_to(x, (7, 2, 3))", lambda x: np.broadcast_to(x, (7, 2, 3)), {"x": (3,)}),
    ("broadcast_to(x, (7, 2, 3))", lambda x: np.broadcast_to(x, (7, 2, 3)), {"x": (2, 1)}),
    ("broadcast_to(x, y.shape)*y", lambda x, y: x * y, {"x": (3,), "y": (2, 3)}),
    ("x[:, None]*y", lambda x, y: x[:, None] * y, {"x": (3,), "y": (2,)}),
    ("x[None]", lambda x: x[None], {"x": (2, 3)}),
    ("x[..., None]", lambda x: x[..., None], {"x": (2, 3)}),
    ("x[:, np.newaxis, ...]", lambda x: x[:, None], {"x": (2, 3, 5)}),
    ("zeros((2, 3)) + x", lambda x: np.zeros((2, 3)) + x, {"x": (3,)}),
    ("ones(3)*x", lambda x: x, {"x": (3,)}),
    ("full((2, 3), s)", lambda s: np.full((2, 3), s), {"s": ()}),
    ("ones_like(x) + zeros_like(x)", lambda x: np.ones_like(x), {"x": (2, 3)}),
    ("x + eye(3)", lambda x: x + np.eye(3), {"x": (3, 3)}),
    ("x + np.eye(2, 3)", lambda x: x + np.eye(2, 3), {"x": (2, 3)}),
    ("inv(x) @ x", lambda x: np.eye(3), {"x": (3, 3)}),
    ("det(x)", lambda x: np.linalg.det(x), {"x": (7, 3, 3)}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "function", "shapes"), ROWS, ids=[row[0] for row in ROWS])
def test_an_operation_is_numpys(text, function, shapes):
    holds(text, function, **shapes)


@pytest.mark.parametrize("name", ["sum", "max", "prod", "logsumexp", "mean"])
def test_a_reduction_of_a_number_is_the_number(name):
    holds(f"{name}(x)", lambda x: x, x=())


def test_every_row_with_axes_can_be_read():
    for row in load_table().rows():
        if isinstance(row, Definition) and row.cases[0].axes is not None:
            assert rules_of(row)


@pytest.mark.parametrize(
    "name",
    [row.name for row in load_table().rows() if isinstance(row, Form) and option(row, "planned") is not None],
)
def test_a_planned_function_is_refused_by_name(name):
    with pytest.raises(EinsumDiffError, match=f"^{name} is not known yet"):
        program(f"y = {name}(x, 1)")
