"""Every function that autograd differentiates: docs/autograd.md says of each what it is here."""

import inspect
import re
from pathlib import Path
from types import ModuleType

import autograd
import autograd.numpy
import numpy as np
import pytest
from autograd.core import primitive_vjps
from numeric import assert_close

from einsumdiff import EinsumDiffError, derive

MODULES = {autograd.numpy: np, autograd.numpy.linalg: np.linalg}
ROW = re.compile(r"\| `(\w+)` \| (yes|yes, in functions|refused) \| (.*) \|")

SHAPES = {
    "s": (), "r": (), "x": (5,), "z": (5,), "v": (3,), "k": (3,), "p": (5,), "u": (5,), "q": (5,),
    "A": (3, 5), "B": (3, 5), "C": (5, 2), "S": (3, 3), "T": (2, 3, 5),
}  # fmt: skip
RANGES = {"p": (0.3, 2.0), "u": (-0.9, 0.9), "q": (1.2, 3.0)}


def differentiated(module: ModuleType, numpys: ModuleType) -> set[str]:
    """NumPy's names of what the module differentiates: primitives, and functions made of them."""
    found = {name: getattr(module, name) for name in dir(numpys) if hasattr(module, name)}
    return {
        name
        for name, function in found.items()
        if not name.startswith("_") and not isinstance(function, type) and callable(function)
        if function in primitive_vjps
        or (inspect.isfunction(function) and function.__module__.startswith("autograd.numpy"))
    }


PAGE = (Path(__file__).parents[2] / "docs" / "autograd.md").read_text(encoding="utf-8")
TABLE = ROW.findall(PAGE)
NAMES = set().union(*(differentiated(*pair) for pair in MODULES.items()))
SUPPORTED = {name for name, state, _ in TABLE if state != "refused"}
REFUSED = {name for name, state, _ in TABLE if state == "refused"}


def arrays_of(program):
    """The inputs that a program names, in the page's letters."""
    random = np.random.default_rng(len(program))
    return {
        name: random.uniform(*RANGES.get(name, (-1.5, 1.5)), shape)
        for name, shape in SHAPES.items()
        if re.search(rf"(?<![.\w]){name}\b", program)
    }


def autograds(program):
    """The program as a function of its inputs, computed by autograd."""
    functions = {**vars(autograd.numpy.linalg), **vars(autograd.numpy), "float": float}
    code = compile(program, program, "eval")
    return lambda **arrays: eval(code, {**functions, **arrays})


def test_every_function_is_in_the_table_and_nothing_else():
    assert not NAMES - SUPPORTED - REFUSED
    assert not {name for name in SUPPORTED | REFUSED if hasattr(np, name)} - NAMES
    assert not SUPPORTED & REFUSED


def test_at_least_nine_of_ten_are_supported_as_the_page_says():
    total = len(SUPPORTED | REFUSED)
    assert f"Supported are {len(SUPPORTED)} of {total}." in PAGE
    assert len(SUPPORTED) >= 0.9 * total


@pytest.mark.parametrize(
    ("name", "state", "programs"),
    [(name, state, programs) for name, state, programs in TABLE if name in SUPPORTED & NAMES],
    ids=lambda one: one,
)
def test_the_gradient_is_autograds_in_every_argument(name, state, programs):
    program, *others = re.findall("`(.*?)`", programs)
    assert re.search(rf"\b{name}\(", program)
    arrays, f = arrays_of(program), autograds((others or [program])[0])
    weights = np.random.default_rng(1).uniform(-1, 1, np.shape(f(**arrays)))
    shapes = {one: array.shape for one, array in arrays.items()}
    if state == "yes":
        text = f"y = sum(weights*({program}))"
        d = derive(text, list(arrays), shapes={**shapes, "weights": weights.shape})
        found = d(**arrays, weights=weights)
    else:
        traced = eval(
            f"lambda {', '.join(arrays)}: np.sum(weights * np.{program})", {"np": np, "weights": weights}
        )
        found = derive(traced, list(arrays), shapes=shapes)(**arrays)
    for one in arrays:

        def weighted(array, one=one):
            return autograd.numpy.sum(weights * f(**{**arrays, one: array}))

        assert_close(found[one], autograd.grad(weighted)(arrays[one]), 1e-9)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_is_refused_by_name(name):
    with pytest.raises(EinsumDiffError, match=rf"\b{name}\b") as caught:
        derive(f"y = sum({name}(A, 2))", "A", shapes={"A": (4, 4)})
    assert caught.value.span is not None


@pytest.mark.parametrize("program", ["x[1:]", "A[0, ::-1]", "A[::2, None]"])
def test_brackets_are_differentiated_by_both(program):
    test_the_gradient_is_autograds_in_every_argument("add", "yes", f"`add({program}, 0)`")
