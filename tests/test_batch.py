"""batch=: a size that is independent in every element; the wrt's copy of its axis is left out."""

import pickle

import numpy as np
import pytest
from numeric import assert_close, sample

from einsumdiff import EinsumDiffError, derive, read

ROWS = [
    ("y[b,i] = A[i,j]*x[b,j]", "x", "m", {"x": "m n"}, 1),
    ("y = tanh(X @ W.T)", "X", "m", {"X": "m n"}, 1),
    ("y = tanh(X @ W.T)", "W", "m", {"X": "m n"}, 1),
    ("y = sum(tanh(X @ W.T)**2, axis=1)", "X", "m", {"X": "m n"}, 2),
    ("y = u @ v", "u", "m", {"u": "m n k", "v": "m k p"}, 1),
    ("y = u @ v", "u", ("m", "n"), {"u": "m n k", "v": "m k p"}, 1),
    ("y = softmax(x)", "x", "m", {"x": "m n"}, 2),
    ("y = x**3*2", "x", "m", {"x": "m n"}, 2),
]
SIZES = {"m": 2, "n": 3, "k": 5, "p": 7}


@pytest.mark.parametrize(("program", "wrt", "batch", "shapes", "order"), ROWS)
def test_the_result_is_the_diagonal_of_the_whole(program, wrt, batch, shapes, order):
    whole = derive(program, wrt, shapes=shapes, order=order)
    d = derive(program, wrt, shapes=shapes, order=order, batch=batch)
    sizes = dict(SIZES)
    inputs = {}
    for one in whole._program.inputs:
        inputs[one.name] = tuple(sizes.setdefault(str(size), 4) for size in one.shape)
    arrays = sample(inputs)
    full, found = whole(**arrays), d(**arrays)
    names = [str(size) for size in whole._jacobian.shape]
    rank = len(whole._program.output.shape)
    batches = (batch,) if isinstance(batch, str) else batch
    letters = [chr(ord("a") + k) for k in range(full.ndim)]
    kept = list(range(full.ndim))
    for name in batches:
        first = names.index(name)
        for k in range(rank, full.ndim):
            if names[k] == name:
                letters[k] = letters[first]
                kept.remove(k)
    signature = f"{''.join(letters)}->{''.join(letters[k] for k in kept)}"
    assert_close(found, np.einsum(signature, full), 1e-13)
    assert d.check() < 1e-8
    assert read(str(d)) == d
    assert pickle.loads(pickle.dumps(d)) == d
    if len(kept) < full.ndim:
        assert d != whole


def test_the_data_axis_of_array_libraries():
    x = np.arange(24.0).reshape(2, 3, 4)
    d = derive("x: (b, 3, 4); y = x**2 + sum(x, axis=(1, 2), keepdims=True)", wrt="x", batch="b")
    assert d(x=x).shape == (2, 3, 4, 3, 4)


@pytest.mark.parametrize(
    ("program", "shapes", "message"),
    [
        (
            "y = x**2*sum(x)",
            {"x": "b 3"},
            "of b are not independent: a term couples m with i\n  dy[i,j]/dx[m,n] = x[i,j]**2\n",
        ),
        ("y = x[::-1]", {"x": "b"}, "the elements of b are not independent"),
        ("y = sum(x)", {"x": "b"}, "y has no axis of size b"),
        ("y = x", {"x": "n"}, "y has no axis of size b"),
    ],
)
def test_what_is_no_batch_is_refused(program, shapes, message):
    with pytest.raises(EinsumDiffError) as caught:
        derive(program, wrt="x", shapes=shapes, batch="b")
    assert message in str(caught.value)


def test_batch_names_sizes():
    with pytest.raises(EinsumDiffError, match="batch= names sizes"):
        derive("y = x**2", wrt="x", batch=3)
