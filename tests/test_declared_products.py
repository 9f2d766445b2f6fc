"""Products with the derivative in an input that is declared symmetric, diagonal or triangular.

Each meaning of that derivative has its own jvp, vjp, hvp, Laplacian and forms: all against the derivative.
"""

import numpy as np
import pytest
from numeric import assert_close

from einsumdiff import derive

RANDOM = np.random.default_rng(0)
S, B, V = (RANDOM.standard_normal((3, 3)) for _ in range(3))
ARRAYS = {"S": S + S.T, "D": np.diag(np.diag(S)), "L": np.tril(S)}
PROGRAMS = [
    "S: (n, n) symmetric; y = sum(S*S.T) + sum(S*S) + trace(S@S@S@B)",
    "S: (n, n) symmetric; y = sum(sin(S@B)*S)",
    "D: (n, n) diagonal; y = sum((D@B@D)**2)",
    "L: (n, n) lower; y = sum((L@L.T@B)**2)",
]


@pytest.mark.parametrize("meaning", ["free", "projected", "triangle"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_products_and_forms(program, meaning):
    x = program[0]
    given, along = {x: ARRAYS[x], "B": B}, {f"d{x}": V}
    d = derive(program, wrt=x, structured=meaning)
    second = derive(program, wrt=x, structured=meaning, order=2)
    slope, curvature = d(**given), second(**given)
    turned = np.einsum("ijkl,kl", curvature, V)
    assert_close(d.jvp(**given, **along), np.sum(slope * V))
    assert_close(d.vjp(**given, dy=2.0), 2 * slope)
    for hvp in (d.hvp, second.hvp, second.jvp):
        assert_close(hvp(**given, **along), turned)
    assert_close(d.laplacian(**given), np.einsum("ijij", curvature))
    assert_close(d.hessian_diagonal(**given), np.einsum("ijij->ij", curvature))
    assert_close(second.compile(form="operator")(**given) @ V.ravel(), turned.ravel())
    assert_close(second.compile(form="sparse")(**given).todense(), curvature)
    assert_close(second.compile(form="compressed")(**given).dense(), curvature)
    both = derive(program, wrt=[x, "B"], structured=meaning)
    blocks = derive(program, wrt=[x, "B"], structured=meaning, order=2)(**given)
    found = both.hvp(**given, **along, dB=V)
    for name in (x, "B"):
        expected = np.einsum("ijkl,kl", blocks[name, x] + blocks[name, "B"], V)
        assert_close(found[name], expected)
