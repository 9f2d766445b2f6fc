"""Results are computed as soon as they can be where that takes less memory, and are the same ones."""

import tracemalloc

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive

NETWORK = """
h1 = tanh(X @ A + a)
h2 = tanh(h1 @ B + b)
h3 = tanh(h2 @ C + c)
L = sum((h3 - T)**2)
"""
SHAPES = {"X": "m n", "A": "n n", "a": "n", "B": "n n", "b": "n", "C": "n n", "c": "n", "T": "m n"}
WRT = ("A", "B", "C")


def loss(X, A, a, B, b, C, c, T):
    h = X
    for W, v in ((A, a), (B, b), (C, c)):
        h = np.tanh(h @ W + v)
    return np.sum((h - T) ** 2)


def given(m, n):
    arrays = sample({name: tuple({"m": m, "n": n}[one] for one in s.split()) for name, s in SHAPES.items()})
    return {name: array / 3 for name, array in arrays.items()}


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("sizes", [{}, {"m": 3, "n": 2}, {"m": 2000, "n": 300}], ids=str)
@pytest.mark.parametrize("options", [{}, {"out": True}, {"workspace": True}, {"copy": False}], ids=str)
def test_in_any_order_the_gradients_are_the_slopes(sizes, value, options):
    d = derive(NETWORK, wrt=WRT, shapes=SHAPES)
    arrays = given(3, 2)
    function = d.compile(**options, sizes=sizes, value=value)
    buffers = {name: np.full_like(arrays[name], 7) for name in WRT}
    found = function(**arrays, **({"out": buffers} if "out" in options else {}))
    if value:
        first, found = found
        assert_close(first, loss(**arrays))
    assert list(found) == list(WRT)
    for name in WRT:
        assert_close(found[name], numerical_jacobian(loss, arrays, name), 1e-8)


def test_what_nobody_reads_any_more_goes_before_the_end():
    d = derive(NETWORK, wrt=WRT, shapes=SHAPES)
    text = d.source(sizes={"m": 2000, "n": 300}).rpartition('"""\n')[2]
    assert text.index("= h2.T @") < text.index("@ C.T") < text.index("= h1.T @") < text.index("@ B.T")
    assert "del h3" in text and "del h2" in text and "t1" in text.partition("del ")[2]
    for name in ("h2", "h3"):
        assert name not in text.partition(f"del {name}\n")[2]


def test_the_memory_of_a_network_is_that_of_its_outputs():
    """Three of them, one gradient on its way back, and the results."""
    m, n = 600, 200
    d = derive(NETWORK, wrt=WRT, shapes=SHAPES)
    arrays = given(m, n)
    function = d.compile(sizes={"m": m, "n": n})
    args = [arrays[name] for name in d.inputs]
    function(*args)
    tracemalloc.start()
    try:
        function(*args)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = d.cost(m=m, n=n).memory
    assert 0.9 * said <= peak <= 1.1 * said
    assert said <= 8 * (5 * m * n + 3 * n * n) + 100


def test_a_result_that_others_read_or_that_is_written_into_stays_in_its_place():
    program = "x: (n + 1,); w: (n,); u = x[1:] - x[:-1]; v = exp(u)*w; y = sum(v**2) + sum(x**3)"
    d = derive(program, wrt=("x", "w"))
    arrays = sample({"x": (6,), "w": (5,)})

    def value(x, w):
        return np.sum((np.exp(x[1:] - x[:-1]) * w) ** 2) + np.sum(x**3)

    for sizes in ({}, {"n": 100_000}):
        found = d.compile(sizes=sizes)(*(arrays[name] for name in d.inputs))
        for name in ("x", "w"):
            assert_close(found[name], numerical_jacobian(value, arrays, name), 1e-8)


def test_what_blocks_of_rows_read_stays_until_they_have_read_it():
    """Chains over large arrays are computed for some rows after the other; the arrays are of ours too."""
    program = "U = X @ A; V = exp(-(U**2)/2)*sin(U) + U/(1 + U**2); L = sum((V @ B - T)**2)"
    d = derive(program, wrt=("A", "B"), shapes={"X": "m n", "A": "n n", "B": "n p", "T": "m p"})
    arrays = sample({"X": (5, 3), "A": (3, 3), "B": (3, 2), "T": (5, 2)})

    def value(X, A, B, T):
        U = X @ A
        return np.sum(((np.exp(-(U**2) / 2) * np.sin(U) + U / (1 + U**2)) @ B - T) ** 2)

    for sizes in ({}, {"m": 100_000, "n": 60, "p": 10}, {"m": 4000, "n": 300, "p": 200}):
        found = d.compile(sizes=sizes)(*(arrays[name] for name in d.inputs))
        for name in ("A", "B"):
            assert_close(found[name], numerical_jacobian(value, arrays, name), 1e-8)
