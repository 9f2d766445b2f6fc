"""A derivative against central differences, entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, permutations
from typing import TYPE_CHECKING, Any

from einsumdiff.arguments import Arguments
from einsumdiff.batch import tie
from einsumdiff.differentiate import Jacobian, differentiate, further
from einsumdiff.errors import EinsumDiffError, ShapeFault, ValueFault
from einsumdiff.language.table import load_table
from einsumdiff.meaning import Copier
from einsumdiff.needed import arguments
from einsumdiff.nodes import Array, Definition, Input
from einsumdiff.program import Program
from einsumdiff.program import read as value_of
from einsumdiff.properties import imposed, varied
from einsumdiff.sizes import evaluate, names

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray[Any, Any]]
    Slope = Callable[[Arrays, float], np.ndarray[Any, Any]]

STENCIL = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
"""Central differences of sixth order: f'(x)*h is the sum of weight*(f(x + step*h) - f(x - step*h))."""
STEPS = (2e-3, 4e-4, 1e-4)
SURE = 1e-9
"""An error so small needs no other step."""
PRIMES = (2, 3, 5, 7, 4, 6, 8, 9)


def check(
    program: Program, jacobian: Jacobian, derivative: Callable[..., Any], given: Mapping[str, object]
) -> float:
    """The largest error of a derivative, relative to its largest entry (to 1 where that is smaller).

    Without arrays, random ones of sizes 2, 3, 5, 7 are drawn: of both signs, and where the program is
    not finite there, positive, within 0 and 1, above 1, or positive definite where they are square.
    """
    import numpy as np

    slope = _slope(program, jacobian)
    if given:
        real = {array.name for array in jacobian.wrt}
        return _error(derivative, slope, {n: _float(value, n in real) for n, value in given.items()})
    error = float("nan")
    random = np.random.default_rng(0)
    fault: np.linalg.LinAlgError | None = None
    with np.errstate(all="ignore"):
        for draw in _draws(random):
            try:
                error = _error(derivative, slope, _random(program, derivative, draw))
            except np.linalg.LinAlgError as one:
                fault = one
                continue
            if np.isfinite(error):  # an error that is large is the answer, not a reason to draw again
                break
    if fault is not None and np.isnan(error):
        raise ValueFault(
            f"no random arrays were found that the program takes: {fault}", None, "give some: d.check(A=...)"
        )
    return error


def samples(
    program: Program, derivative: Callable[..., Any], turns: Sequence[int] = (0, 1, 2)
) -> Iterator[Arrays]:
    """Random arrays, of other sizes at each turn, at which program and derivative have values."""
    import numpy as np

    value, random = Numbers(program), np.random.default_rng(1)
    for turn in turns:
        for draw in _draws(random):
            with np.errstate(all="ignore"):
                try:
                    arrays = _random(program, derivative, draw, turn)
                    known = np.isfinite(value(arrays)).all() and np.isfinite(derivative(**arrays)).all()
                except np.linalg.LinAlgError:
                    continue
                except ShapeFault:  # these sizes do not fit the program
                    if turn:
                        break
                    raise
            if known:
                yield arrays
                break


class Numbers:
    """The value of a program at arrays by name."""

    def __init__(self, program: Program) -> None:
        self._function, self._names = _function(program, None), [one.name for one in program.inputs]

    def __call__(self, arrays: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        return np.asarray(self._function(*(arrays[name] for name in self._names)))


def _draws(random: np.random.Generator) -> tuple[Callable[[Any], Any], ...]:
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


def _float(value: object, real: bool) -> np.ndarray[Any, Any]:
    """The array in double precision; a list of whole numbers is one of `real` numbers where that is asked."""
    import numpy as np

    array = np.asarray(value)
    listed = real and not hasattr(value, "dtype") and array.dtype.kind in "iu"
    return array.astype(float) if array.dtype.kind == "f" or listed else array


def _error(derivative: Callable[..., Any], slope: Slope, arrays: Arrays) -> float:
    """The error against differences of the step that suits the function best: a wrong entry is off by
    as much at each step."""
    import numpy as np

    actual = derivative(**arrays)
    best = float("nan")
    for step in STEPS:
        expected = slope(arrays, step)
        assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
        if not actual.size:
            return 0.0
        scale = max(1.0, float(np.max(np.abs(expected))))
        error = float(np.max(np.abs(actual - expected))) / scale
        best = error if np.isnan(best) else min(best, error)
        if best < SURE:
            break
    return best


def _random(
    program: Program, derivative: Callable[..., Any], draw: Callable[[Any], Any], turn: int = 0
) -> Arrays:
    """Random arrays of sizes that are all different and that the program accepts.

    An index array holds places of the smallest axis that it indexes.
    """
    import numpy as np

    checks = _checks(program)
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
    """Sizes that are all different, the first ones others at each turn."""
    found = list(dict.fromkeys(n for one in program.inputs for size in one.shape for n in names(size)))
    primes = PRIMES[turn:] + PRIMES[:turn]
    pool = (primes * (len(found) // len(primes) + 1))[: max(4, len(found))]
    for order in islice(permutations(pool, len(found)), 2000):
        yield dict(zip(found, order, strict=True))


def _checks(program: Program) -> Arguments:
    return arguments(program.inputs, [], [], [program.output], [(program.output.name, program.output.shape)])


def _slope(program: Program, jacobian: Jacobian) -> Slope:
    """The numerical derivative, in the last wrt, of the derivative in those before it."""
    import numpy as np

    wrt = jacobian.wrt[-1]
    function, inputs = _before(program, jacobian)
    held = _function(replace(program, output=wrt), None) if isinstance(wrt, Definition) else None

    def slope(arrays: Arrays, step: float) -> np.ndarray[Any, Any]:
        arrays = dict(arrays)
        names_ = [one.name for one in program.inputs]
        full = dict(zip(names_, _checks(program)((), arrays), strict=True))
        if held is not None:
            full[wrt.name] = np.asarray(held(*full.values()))
        point = np.array(full[wrt.name], dtype=float)
        columns = []
        for position in np.ndindex(point.shape):
            column: Any = 0.0
            for steps, weight in STENCIL:
                for sign in (1, -1):
                    moved = point.copy()
                    moved[position] += sign * steps * step
                    value = function(*[moved if name == wrt.name else full[name] for name in inputs])
                    column = column + np.asarray(value, dtype=float) * (sign * weight / step)
            columns.append(np.asarray(column))
        value_shape = np.shape(function(*[full[name] for name in inputs]))
        if not columns:
            return np.zeros((*value_shape, *point.shape))
        whole = np.stack(columns, axis=-1).reshape((*value_shape, *point.shape))
        if isinstance(wrt, Input) and wrt.meaning is not None:
            whole = varied(whole, wrt.properties, wrt.meaning)
        number, rank = len(jacobian.wrt) - 1, len(value_shape)
        for (n, axis), place in sorted(jacobian.tied.items(), reverse=True):
            if n == number:  # an axis of a batch: only the diagonal is asked for
                whole = np.moveaxis(np.diagonal(whole, axis1=place, axis2=rank + axis), -1, place)
        return whole

    return slope


def _before(program: Program, jacobian: Jacobian) -> tuple[Callable[..., Any], list[str]]:
    """The function whose slope the derivative is, and the names of its parameters.

    A last wrt that is a definition becomes a parameter of it, after the others.
    """
    program = replace(program, builder=program.builder.copy())
    base: Jacobian | None = None
    for array in jacobian.wrt[:-1]:
        found = differentiate(program, [array]) if base is None else further(program, base, [array])
        base = found[0]
        number = len(base.wrt) - 1
        for axis, place in sorted(jacobian.tied.items()):
            if axis[0] == number:
                base = tie(base, axis, place)
    last, inputs = jacobian.wrt[-1], program.inputs
    if isinstance(last, Definition):
        held = Input(last.name, last.shape)
        inputs = (*(one for one in inputs if one.name != held.name), held)
        own: dict[str, Array] = {one.name: one for one in program.inputs}
        copier = Copier(own | program.builder.constants, None, {last: held})
        output = copier.array(program.output).array
        if isinstance(output, Input):  # the output is the wrt
            output = program.builder.define(value_of(output), f"{held.name}_", force=True)
        assert isinstance(output, Definition)
        if base is not None:
            base = replace(base, output=output, terms=tuple(copier.term(term) for term in base.terms))
        program = replace(program, inputs=inputs, output=output)
    return _function(program, base), [one.name for one in inputs]


def _function(program: Program, jacobian: Jacobian | None) -> Callable[..., Any]:
    from einsumdiff.lower import lower
    from einsumdiff.targets import numpy as target

    plan = lower(program, [] if jacobian is None else [jacobian], value=jacobian is None, name="f")
    function: Callable[..., Any] = target.load(
        target.source(plan, "For a numerical check."), "f", load_table().names
    )
    return function
