"""Random arrays that a program takes, and its numbers there.

Sizes are all different, so that no axis is taken for another; values stay where the program has some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, permutations
from typing import TYPE_CHECKING, Any

from einsumdiff.arguments import Arguments
from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import EinsumDiffError, ShapeFault
from einsumdiff.language.table import load_table
from einsumdiff.needed import arguments
from einsumdiff.program import Program
from einsumdiff.properties import imposed
from einsumdiff.sizes import evaluate, names

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray[Any, Any]]

PRIMES = (2, 3, 5, 7, 4, 6, 8, 9)
STEADY = 1e-6
"""More than this part of a derivative does not hang on the last digits of its arguments."""


def samples(
    program: Program, derivative: Callable[..., Any], turns: Sequence[int] = (0, 1, 2)
) -> Iterator[Arrays]:
    """Random arrays, of other sizes at each turn, at which program and derivative have values."""
    import numpy as np

    value, random = Numbers(program), np.random.default_rng(1)
    for turn in turns:
        for sizes, draw in ((sizes, draw) for sizes in (turn, ~turn) for draw in draws(random)):
            with np.errstate(all="ignore"):
                try:
                    arrays = random_arrays(program, derivative, draw, sizes)
                    known = np.isfinite(value(arrays)).all() and steady(derivative, arrays)
                except np.linalg.LinAlgError:
                    continue
                except ShapeFault:  # these sizes do not fit the program
                    if turn:
                        break
                    raise
            if known:
                yield arrays
                break


def random_arrays(
    program: Program, derivative: Callable[..., Any], draw: Callable[[Any], Any], turn: int = 0
) -> Arrays:
    """Random arrays of sizes that are all different and that the program accepts.

    An index array holds places of the smallest axis that it indexes.
    """
    import numpy as np

    checks = checks_of(program)
    fault: EinsumDiffError | None = None
    for sizes in _assignments(program, turn):
        shapes = {one.name: [evaluate(s, sizes) for s in one.shape] for one in program.inputs}
        if any(size < 0 for shape in shapes.values() for size in shape):
            continue
        arrays = {
            one.name: imposed(np.asarray(draw(shapes[one.name])), one.properties) for one in program.inputs
        }
        for name, size in checks.indices:
            places = np.random.default_rng(len(name)).integers(0, max(1, evaluate(size, sizes)), shapes[name])
            arrays[name] = np.minimum(places, arrays[name]) if arrays[name].dtype.kind == "i" else places
        try:
            checks((), arrays)
        except ShapeFault as error:
            fault = error
            continue
        if all(evaluate(size, sizes) > 0 for size, _ in checks.whole):
            return arrays
    raise fault or ShapeFault("no sizes were found that fit", None, "give arrays: d.check(x=..., ...)")


def _assignments(program: Program, turn: int = 0) -> Iterator[dict[str, int]]:
    """Sizes that are all different, the first ones others at each turn, and `~turn` has them reversed."""
    found = list(dict.fromkeys(n for one in program.inputs for size in one.shape for n in names(size)))
    start = max(turn, ~turn)
    primes = PRIMES[start:] + PRIMES[:start]
    pool = (primes * (len(found) // len(primes) + 1))[: max(4, len(found))]
    if turn < 0:  # a matrix that was wide is tall
        pool = pool[: len(found)][::-1] + pool[len(found) :]
    for order in islice(permutations(pool, len(found)), 2000):
        yield dict(zip(found, order, strict=True))


def draws(random: np.random.Generator) -> tuple[Callable[[Any], Any], ...]:
    """How to draw an array of a shape, by what it takes to stay where functions have values."""
    import numpy as np

    return (
        random.standard_normal,
        lambda s: random.uniform(0.5, 2, s),
        lambda s: random.uniform(0.1, 0.9, s),
        lambda s: random.uniform(1.2, 3, s),
        lambda s: _definite(np.asarray(random.standard_normal(s))),
    )


def _definite(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Positive definite matrices in place of square ones, as cholesky takes them."""
    import numpy as np

    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        return array
    return np.asarray(array @ array.swapaxes(-1, -2) + array.shape[-1] * np.eye(array.shape[-1]))


def steady(derivative: Callable[..., Any], arrays: Arrays) -> bool:
    """Whether the derivative is finite and more than rounding: not by the inverse of a singular matrix."""
    import numpy as np

    random = np.random.default_rng(2)
    moved = {
        name: one * (1 + 1e-13 * random.standard_normal(one.shape)) if one.dtype.kind == "f" else one
        for name, one in arrays.items()
    }
    a, b = np.asarray(derivative(**arrays)), np.asarray(derivative(**moved))
    if not np.isfinite(a).all() or not np.isfinite(b).all():
        return False
    return not a.size or float(np.abs(a - b).max()) <= STEADY * float(np.abs(a).max())


class Numbers:
    """The value of a program at arrays by name."""

    def __init__(self, program: Program) -> None:
        self._function, self._names = function_of(program, None), [one.name for one in program.inputs]

    def __call__(self, arrays: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        return np.asarray(self._function(*(arrays[name] for name in self._names)))


def checks_of(program: Program) -> Arguments:
    return arguments(program.inputs, [], [], [program.output], [(program.output.name, program.output.shape)])


def function_of(program: Program, jacobian: Jacobian | None) -> Callable[..., Any]:
    from einsumdiff.lower import lower
    from einsumdiff.targets import numpy as target

    plan = lower(program, [] if jacobian is None else [jacobian], value=jacobian is None, name="f")
    function: Callable[..., Any] = target.load(
        target.source(plan, "For a numerical check."), "f", load_table().names
    )
    return function
