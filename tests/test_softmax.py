"""A softmax takes one exponential, over any axes, and is what it is at infinities."""

import re

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive

SHAPES = {"Z": (3, 5), "z": (7,), "T": (2, 3, 5), "Y": (3, 5)}

PROGRAMS = [
    ("softmax(z)", "z"),
    ("softmax(Z, axis=1)", "Z"),
    ("softmax(Z, axis=0)", "Z"),
    ("softmax(T, axis=(0, 2))", "T"),
    ("exp(Z)/sum(exp(Z), axis=1)[:, None]", "Z"),
    ("sum(logsumexp(Z, axis=1)) - sum(Y*Z)", "Z"),
    ("S = Z @ Z.T; y = sum(softmax(S, axis=1) @ Y)", "Z"),
    ("S = Z @ Z.T; y = sum(softmax(S, axis=0) @ Y)", "Z"),
    ("sum(Y.T*exp(Z.T - logsumexp(Z, axis=0)[:, None]))", "Z"),
]
NOT = [
    ("y[i,j] = exp(S[i,j] - logsumexp[k](S[k,i]))", "S"),  # along the other axis
    ("sum(exp(Z - logsumexp(2*Z, axis=1)[:, None]))", "Z"),
    ("sum(exp(Z - 2*logsumexp(Z, axis=1)[:, None]))", "Z"),
]


def of(program, wrt, **options):
    shapes = {"S": (5, 5), **SHAPES}
    words = set(re.findall(r"\w+", program.replace(".T", "")))
    shapes = {n: s for n, s in shapes.items() if n in words and f"{n} =" not in program}
    return derive(program, wrt=wrt, shapes=shapes, **options), sample(shapes, seed=1)


@pytest.mark.parametrize(("program", "wrt"), [*PROGRAMS, *NOT])
@pytest.mark.parametrize("order", [1, 2])
def test_numbers_are_those_of_differences(program, wrt, order):
    if order == 2 and ("y[i,j]" in program or program.startswith(("softmax(T", "exp"))):
        return  # an array of six axes
    d, given = of(program, wrt, order=order)
    given = {name: given[name] for name in d.inputs}
    before = of(program, wrt, order=order - 1)[0] if order > 1 else None

    def value(**arrays):
        return before(**arrays) if before else np.asarray(d.compile(value=True)(**arrays)[0])

    assert_close(d(**given), numerical_jacobian(value, given, wrt), 1e-8)


@pytest.mark.parametrize(("program", "wrt"), PROGRAMS)
def test_one_exponential_is_taken(program, wrt):
    source = of(program, wrt)[0].source()
    assert (
        len(re.findall(r"_softmax(_of_all)?\(", source)) == 2
        and source.count("np.exp(") == 1
        and "np.log" not in source
    )


def test_a_logsumexp_that_is_read_elsewhere_is_kept():
    d, given = of("s = logsumexp(Z, axis=1); y = sum(s**2)", "Z")
    assert "_softmax" not in d.source()
    given = {"Z": given["Z"]}
    assert_close(d(**given), numerical_jacobian(lambda Z: d.compile(value=True)(Z)[0], given, "Z"))
    value, found = of("logsumexp(z)", "z")[0].compile(value=True)(sample(SHAPES)["z"])
    z = sample(SHAPES)["z"]
    assert_close(value, np.log(np.sum(np.exp(z))))
    assert_close(found, np.exp(z) / np.sum(np.exp(z)))


@pytest.mark.parametrize(("program", "wrt"), NOT)
def test_what_is_no_softmax_stays(program, wrt):
    assert "_softmax" not in of(program, wrt)[0].source()


def test_large_arguments_and_infinities():
    d = derive("sum(logsumexp(Z, axis=1))", wrt="Z", shapes={"Z": ("m", 2)})
    Z = np.array([[1000.0, 1001.0], [-np.inf, 0.0], [-1e300, 1e300]])
    found = d(Z)
    share = 1 / (1 + np.e)
    np.testing.assert_allclose(found, [[share, 1 - share], [0, 1], [0, 1]], rtol=1e-12)
    assert d(Z[:2].astype(np.float32)).dtype == np.float32
