"""jvp, vjp and hvp are the derivative times a vector, and never build it."""

import numpy as np
import pytest
from numeric import assert_close, sample

from einsumdiff import EinsumDiffError, derive

SHAPES = {"x": (3,), "W": (2, 3), "b": (2,), "A": (5, 2), "T": (5, 7), "U": (5, 2), "V": (7, 2), "w": (2,)}
PROGRAMS = [
    ("y = W @ tanh(x)", "x"),
    ("y = sum(tanh(W @ x + b)**2)", "W"),
    ("y = softmax(W @ x)", "x"),
    ("L = sum((T - U @ V.T)**2)", "U"),
    ("Z[i] = x[i+k]*w[k]", "x"),
    ("h = tanh(W @ x); y = A @ h", "W"),
    ("h = tanh(W @ x); y = sum(A @ h)**2", "h"),
    ("y = max(W*x, axis=1)", "x"),
    ("y[i,j] = x[i]*x[j]", "x"),
]


@pytest.mark.parametrize(("program", "wrt"), PROGRAMS)
def test_products_are_the_derivative_times_a_vector(program, wrt):
    d = derive(program, wrt)
    arrays = sample({name: SHAPES[name] for name in d.inputs})
    slope = d(**arrays)
    rank = len(d._jacobian.wrt[0].shape)
    random = np.random.default_rng(3)
    v = random.standard_normal(slope.shape[slope.ndim - rank :])
    u = random.standard_normal(slope.shape[: slope.ndim - rank])
    expected = np.tensordot(slope, v, rank)
    assert_close(d.jvp(**arrays, **{f"d{wrt}": v}), expected, 1e-12)
    assert_close(d.jvp.compile()(*arrays.values(), v), expected, 1e-12)
    assert_close(d.vjp(**arrays, **{f"d{d.output}": u}), np.tensordot(u, slope, u.ndim), 1e-12)
    second = derive(d, wrt=wrt)
    curved = np.tensordot(second(**arrays), v, rank)
    assert_close(second.jvp(**arrays, **{f"d{wrt}": v}), curved, 1e-11)
    if not u.ndim:
        assert_close(d.hvp(**arrays, **{f"d{wrt}": v}), curved, 1e-11)
        assert_close(second.hvp(**arrays, **{f"d{wrt}": v}), curved, 1e-11)


def test_products_form_nothing_as_large_as_the_derivative():
    d = derive("L = sum((T - U @ V.T)**2)", wrt="U")
    assert "2*(dU @ (V.T @ V))" in d.hvp.source()
    assert str(derive("y = A @ x", wrt="A").vjp).splitlines()[0] == "dA[i,j] = dy[i]*x[j]"


def test_a_vector_gets_a_name_that_the_program_does_not_use():
    assert derive("y = x*dx", wrt="x").jvp.inputs == ("x", "dx", "dx_")


def test_what_has_no_product_is_refused():
    with pytest.raises(EinsumDiffError, match="hvp is of a scalar"):
        _ = derive("tanh(x)", wrt="x").hvp
    with pytest.raises(EinsumDiffError, match="vjp is of a first derivative"):
        _ = derive("sum(tanh(x))", wrt="x", order=2).vjp
    with pytest.raises(EinsumDiffError, match="dx is missing"):
        derive("tanh(x)", wrt="x").jvp(x=np.zeros(2))
