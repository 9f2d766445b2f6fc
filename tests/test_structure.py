"""`d.structure` names the pattern of each term and of the whole."""

import numpy as np
import pytest

from einsumdiff import derive

ROWS = [
    ("y = sum(W*X + b)", "W", 1, "dense"),
    ("exp(x)", "x", 1, "diagonal in (i, m)"),
    ("exp(X)", "X", 1, "diagonal in (i, m), (j, n)"),
    ("Z[i,j] = X[i,k]*Y[k,j]", "X", 1, "block-diagonal in (i, m)"),
    ("A @ x", "A", 1, "block-diagonal in (i, m)"),
    ("A @ x", "x", 1, "dense"),
    ("x @ x", "x", 2, "diagonal in (i, j)"),
    ("sum(exp(x))", "x", 2, "diagonal in (i, j)"),
    ("trace(A)", "A", 1, "diagonal in (i, j)"),
    ("softmax(x)", "x", 1, "dense: diagonal in (i, m) + dense"),
    ("Z[i] = X[i+k]*w[k]", "X", 1, "shifted"),
    ("sum(b)*2 + 0*sum(x)", "x", 1, "zero"),
]


@pytest.mark.parametrize(("program", "wrt", "order", "text"), ROWS)
def test_the_structure_is_read_off_the_terms(program, wrt, order, text):
    assert str(derive(program, wrt, order=order).structure) == text


def test_the_kind_and_the_pairs_can_be_asked_for():
    structure = derive("Z = X @ Y", "X").structure
    assert structure.kind == "block-diagonal" and structure.pairs == ((0, 2),)


PLACES = {"k": np.array([2, 0, 1, 1]), "l": np.array([0, 1, 0, 2])}


@pytest.mark.parametrize(
    ("program", "order", "text"),
    [
        ("x[k]", 1, "selection in (i, m)"),
        ("3*x[k]**2", 1, "selection in (i, m)"),
        ("x[k]**2", 2, "selection in (i, m, n), diagonal in (m, n)"),
        ("sum(x[k])", 1, "dense"),
        ("x[k]*sum(x)", 1, "dense: selection in (i, m) + dense"),
        ("x[k] + x[l]", 1, "selection in (i, m)"),
        ("x[k] + x", 1, "mixed"),
        ("X[k]", 1, "selection in (i, m), diagonal in (j, n)"),
        ("X[:, k]", 1, "selection in (j, n), diagonal in (i, m)"),
        ("X[k, l]", 1, "selection in (i, m), (i, n)"),
    ],
)
def test_a_gather_is_a_selection(program, order, text):
    shapes = {name: places for name, places in PLACES.items() if name in program}
    if program == "x[k] + x":
        shapes["x"] = 4
    d = derive(program, "X" if "X" in program else "x", order=order, shapes=shapes)
    found = str(d.structure) if text != "mixed" else d.structure.kind
    assert found == text
