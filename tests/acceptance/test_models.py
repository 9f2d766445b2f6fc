"""Models as users write them, as text and as functions: derivatives are JAX's, to rounding."""

from functools import cache, partial

import numpy as np
import pytest
from acceptance import models
from numeric import assert_close

from einsumdiff import derive

jax = pytest.importorskip("jax", reason="JAX has no wheel for this Python")
jax.config.update("jax_enable_x64", True)

MODELS = [model for model in vars(models).values() if isinstance(model, models.Model)]
SPELLINGS = ["function", "text", "indexed"]
TOLERANCE = 1e-9

every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
every_spelling = pytest.mark.parametrize("spelling", SPELLINGS)


def by_jax(model, *wrt):
    """JAX's derivatives of a model's function, in each of some names and then in each of some others.

    Compiled as a whole, as JAX otherwise compiles every operation by itself, which takes most of the time.
    """
    arrays = model.arrays()
    f = partial(model.function, jax.numpy)
    for some in wrt:
        f = jax.jacfwd(f, argnums=tuple(list(arrays).index(name) for name in some))
    return jax.jit(f)(*arrays.values())


@cache
def jacobians(model):
    return dict(zip(model.wrt, by_jax(model, model.wrt), strict=True))


@cache
def block(model, first, second):
    """A block of the second derivative."""
    return by_jax(model, (first,), (second,))[0][0]


@cache
def derivatives(model, spelling):
    """The derivative in all names at once; the sizes of the indexed spelling stay symbolic."""
    wrt = list(model.wrt)
    match spelling:
        case "function":
            return derive(partial(model.function, np), wrt, shapes=model.shapes)
        case "text":
            return derive(model.text, wrt, shapes=model.shapes)
        case _:
            return derive(f"{model.declared}\n{model.indexed}", wrt)


@every_spelling
@every_model
def test_derivatives_in_several_inputs_at_once_are_those_of_jax(model, spelling):
    found = derivatives(model, spelling)(**model.arrays())
    assert list(found) == list(model.wrt)
    for name in model.wrt:
        assert_close(found[name], jacobians(model)[name], TOLERANCE)


@every_spelling
@pytest.mark.parametrize(
    ("model", "pair"),
    [(model, pair) for model in MODELS for pair in model.hessian],
    ids=lambda one: one.name if isinstance(one, models.Model) else "-".join(one),
)
def test_blocks_of_hessians_are_those_of_jax(model, pair, spelling):
    first, second = pair
    found = derive(derivatives(model, spelling)[first], second)
    assert_close(found(**model.arrays()), block(model, *pair), TOLERANCE)


@pytest.mark.parametrize("model", [m for m in MODELS if m.own_program], ids=lambda model: model.name)
def test_a_function_gives_the_derivative_of_its_text(model):
    function, text = derivatives(model, "function"), derivatives(model, "text")
    assert {name for name in model.wrt if function[name] != text[name]} == set()
