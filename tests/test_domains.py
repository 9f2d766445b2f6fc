"""The tables of docs/domains.md: value, derivative, warnings and JAX's answer, row by row."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import derive

PAGE = Path(__file__).parent.parent / "docs" / "domains.md"
NUMBERS = {"inf": np.inf, "nan": np.nan, "__builtins__": {}}


def number(text):
    return np.asarray(eval(text, NUMBERS), dtype=float)


def rows():
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            program, at, value, slope, warns, jax = (cell.strip() for cell in line.strip("|").split("|"))
            given = dict(one.split(" = ") for one in re.split(r", (?=\w+ = )", at))
            arrays = {name: number(text) for name, text in given.items()}
            yield pytest.param(
                program.strip("`"), arrays, number(value), number(slope), warns, jax, id=f"{program} at {at}"
            )


ROWS = list(rows())


def test_the_page_has_rows():
    assert len(ROWS) > 60


@pytest.mark.parametrize("program, arrays, value, slope, warns, jax", ROWS)
def test_an_edge_is_as_the_page_says(program, arrays, value, slope, warns, jax):
    shapes = {name: one.shape for name, one in arrays.items()}
    d = derive(program, wrt="x", shapes=shapes)
    with np.errstate(all="ignore"):
        actual, derivative = d.compile(value=True)(**arrays)
    np.testing.assert_allclose(actual, value, rtol=1e-12)
    np.testing.assert_allclose(derivative, slope, rtol=1e-12, atol=1e-300)
    assert warned(d.compile(), arrays) == ("derivative" in warns)
    # the derivative in something else is the value alone
    *definitions, last = program.split("; ")
    other = derive("; ".join([*definitions, f"({last})*other"]), wrt="other", shapes=shapes | {"other": ()})
    assert warned(other.compile(), arrays | {"other": 1.0}) == ("value" in warns)


def warned(function, arrays):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        function(**arrays)
    return any(issubclass(one.category, RuntimeWarning) for one in found)


@pytest.mark.parametrize("program, arrays, value, slope, warns, jax", ROWS)
def test_jax_answers_as_the_page_says(program, arrays, value, slope, warns, jax):
    library = pytest.importorskip("jax")
    import jax.numpy as jnp

    library.config.update("jax_enable_x64", True)
    names = {name: getattr(jnp, name) for name in dir(jnp) if not name.startswith("_")}
    special, nn = library.scipy.special, library.nn
    names |= {name: getattr(special, name) for name in ("xlogy", "logsumexp", "erf")}
    names |= {name: getattr(nn, name) for name in "sigmoid softplus silu relu softmax log_softmax".split()}
    names |= {
        "gelu": lambda x: nn.gelu(x, approximate=False),
        "norm": jnp.linalg.norm,
        "normalize": lambda x: x / jnp.linalg.norm(x),
    }

    def function(x):
        space = names | arrays | {"x": x}
        *definitions, last = program.split("; ")
        for line in definitions:
            exec(line, space)
        return eval(last, space)

    given = jnp.asarray(arrays["x"])
    theirs = np.asarray(library.jacobian(function)(given))
    agrees = np.allclose(theirs, slope, rtol=1e-9, atol=1e-12, equal_nan=True)
    assert agrees == jax.startswith("the same")
    if "nan" in jax:
        assert np.isnan(theirs).any()


SCALARS = {"x": (), "n": ()}


@pytest.mark.parametrize("n, slope, curvature", [(0, 0, 0), (1, 1, 0), (2, 0, 2), (3, 0, 0)])
def test_a_power_of_0_has_the_slopes_of_its_polynomial(n, slope, curvature):
    for order, expected in enumerate((slope, curvature), 1):
        d = derive("x**n", wrt="x", order=order, shapes=SCALARS)
        assert d(x=0.0, n=float(n)) == expected
        assert not warned(d.compile(), {"x": np.float64(0), "n": np.float64(n)})


@pytest.mark.parametrize("n", [0.0, 1.0, 2.0, -1.5])
def test_an_exponent_that_is_0_or_1_is_like_any_other_in_the_mixed_slope(n):
    d = derive("x**n", wrt="x", shapes=SCALARS)
    given = {"x": np.float64(1.7), "n": np.float64(n)}
    exact = 1.7 ** (n - 1) * (1 + n * np.log(1.7))
    assert_close(numerical_jacobian(d, given, "n"), exact)
    assert_close(derive(d, wrt="n")(**given), exact)
    assert_close(derive(derive("x**n", wrt="n", shapes=SCALARS), wrt="x")(**given), exact)
