"""A derivative against the slope of the program, entry by entry.

The slope is taken by the complex step where all functions are analytic, and by central differences elsewhere;
where the program is rational the formula is compared exactly as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, permutations
from typing import TYPE_CHECKING, Any, NamedTuple

from einsumdiff.analytic import analytic, without_conjugates
from einsumdiff.arguments import Arguments
from einsumdiff.batch import tie
from einsumdiff.differentiate import Jacobian, differentiate, further
from einsumdiff.errors import EinsumDiffError, ShapeFault, ValueFault
from einsumdiff.exact import exact
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

STENCIL = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
"""Central differences of sixth order: f'(x)*h is the sum of weight*(f(x + step*h) - f(x - step*h))."""
STEPS = (2e-3, 4e-4, 1e-4)
SURE = 1e-9
"""An error so small needs no other step."""
TOLERANCE = 1e-6
"""The largest relative error that a right derivative has against differences."""
EXACTLY = "exact modulo a prime, "
TINY = 1e-30
"""A complex step; its square is nothing beside any number."""
SIDES = (3e-4, 1e-4, 1e-5)
"""Steps to both sides of a kink."""
LEAST = 1e-6
"""Errors of derivatives that are smaller are absolute, in this unit."""
TURNS = (0, 1, 0)
"""A derivative is compared at a point for each, of other sizes where the number is another."""
REDRAWN = 3
"""How often arrays are drawn that turn out to lie at a kink."""
PRIMES = (2, 3, 5, 7, 4, 6, 8, 9)


class CheckResult(float):
    """The largest relative error of a derivative, a float that knows where it is and how it was found.

    Attributes
    ----------
    method : `complex step` or `central differences`, and `exact modulo a prime` before it where the terms
        were compared exactly too.
    exact : whether they agreed there; None where the program is not rational.
    worst : the place of the entry that is furthest off; None for a derivative without entries.
    values : that entry, and what was expected.
    wrt : the names that it is the derivative in.
    kink : the arrays lie at a kink or a jump of the program, where the derivative is a choice.
    """

    method: str
    exact: bool | None
    worst: tuple[int, ...] | None
    values: tuple[float, float] | None
    wrt: tuple[str, ...]
    kink: bool

    def __new__(
        cls,
        error: float,
        method: str,
        worst: tuple[int, ...] | None = None,
        values: tuple[float, float] | None = None,
        exact: bool | None = None,
        wrt: tuple[str, ...] = (),
        kink: bool = False,
    ) -> CheckResult:
        result = super().__new__(cls, error)
        result.method, result.worst, result.values = method, worst, values
        result.exact, result.wrt, result.kink = exact, wrt, kink
        return result

    def __reduce__(self) -> tuple[Any, ...]:
        parts = (float(self), self.method, self.worst, self.values, self.exact, self.wrt, self.kink)
        return CheckResult, parts

    @property
    def passed(self) -> bool:
        """Whether the error is what rounding and differences leave, and no exact comparison failed."""
        return float(self) <= TOLERANCE and self.exact is not False

    def __str__(self) -> str:
        how = "agrees with" if self.passed else "differs from"
        by = self.method.removeprefix(EXACTLY)
        by = f"the {by}" if by == "complex step" else by
        by += ", and exactly modulo a prime" if self.exact else ""
        words = f"the derivative in {', '.join(self.wrt)} {how} {by}: "
        words += f"relative error {float(self):.1e}"
        if self.worst is not None and self.values is not None:
            ours, expected = self.values
            at = f"entry {list(self.worst)} is" if self.worst else "it is"
            words += f"; {at} {ours:.10g}, expected {expected:.10g}"
        if self.exact is False:
            words += "\nmodulo a prime its formula is not the derivative of the program"
        if self.kink:
            words += "\nthese arrays lie at a kink or a jump of the program, where the derivative is a choice"
        return words

    def __repr__(self) -> str:
        return f"<CheckResult {float(self):.1e}: {self}>"


def check(
    program: Program, jacobian: Jacobian, derivative: Callable[..., Any], given: Mapping[str, object]
) -> CheckResult:
    """The largest error of a derivative, relative to its largest entry.

    Without arrays, random ones of sizes 2, 3, 5, 7 are drawn: of both signs, and where the program is
    not finite there, positive, within 0 and 1, above 1, or positive definite where they are square. Arrays
    at a kink are drawn again.
    """
    import numpy as np

    slope = _Slope(program, jacobian)
    with np.errstate(all="ignore"):
        if given:
            real = {array.name for array in jacobian.wrt}
            own = {name: _float(value, name in real) for name, value in given.items()}
            found, arrays = _compared(derivative, slope, own)
        else:
            found, arrays = _drawn(program, derivative, slope)
        found.wrt = tuple(array.name for array in jacobian.wrt)
        found.exact = exact(program, jacobian, _checks(program).sizes_of(arrays))
    if found.exact is not None:
        found.method = f"{EXACTLY}{found.method}"
    return found


def _drawn(program: Program, derivative: Callable[..., Any], slope: _Slope) -> tuple[CheckResult, Arrays]:
    """The worst of several points: at one of them an entry may vanish, whatever its formula is."""
    import numpy as np

    random = np.random.default_rng(0)
    worst: tuple[CheckResult, Arrays] | None = None
    for turn in TURNS:
        try:
            found = _drawn_once(program, derivative, slope, random, turn)
        except ShapeFault:  # these sizes do not fit the program
            if not turn:
                raise
            continue
        if worst is None or not found[0] <= worst[0]:
            worst = found
        if not worst[0] <= TOLERANCE:
            break
    assert worst is not None
    return worst


def _drawn_once(
    program: Program,
    derivative: Callable[..., Any],
    slope: _Slope,
    random: np.random.Generator,
    turn: int,
) -> tuple[CheckResult, Arrays]:
    """At one point where the program has values, and no kink if there is one."""
    import numpy as np

    found: tuple[CheckResult, Arrays] | None = None
    fault: np.linalg.LinAlgError | None = None
    for k, draw in ((k, draw) for k in range(REDRAWN) for draw in _draws(random)):
        try:
            arrays = _random(program, derivative, draw, ~turn if k % 2 else turn)
            found = _compared(derivative, slope, arrays)
            # an error that is large is the answer, not a reason to draw again
            if (
                np.isfinite(found[0])
                and not found[0].kink
                and (found[0].passed or _steady(derivative, arrays))
            ):
                break
        except np.linalg.LinAlgError as one:
            fault = one
    if found is None:
        raise ValueFault(
            f"no random arrays were found that the program takes: {fault}", None, "give some: d.check(A=...)"
        )
    return found


def samples(
    program: Program, derivative: Callable[..., Any], turns: Sequence[int] = (0, 1, 2)
) -> Iterator[Arrays]:
    """Random arrays, of other sizes at each turn, at which program and derivative have values."""
    import numpy as np

    value, random = Numbers(program), np.random.default_rng(1)
    for turn in turns:
        for sizes, draw in ((sizes, draw) for sizes in (turn, ~turn) for draw in _draws(random)):
            with np.errstate(all="ignore"):
                try:
                    arrays = _random(program, derivative, draw, sizes)
                    known = np.isfinite(value(arrays)).all() and _steady(derivative, arrays)
                except np.linalg.LinAlgError:
                    continue
                except ShapeFault:  # these sizes do not fit the program
                    if turn:
                        break
                    raise
            if known:
                yield arrays
                break


def _steady(derivative: Callable[..., Any], arrays: Arrays) -> bool:
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
    return not a.size or float(np.abs(a - b).max()) <= TOLERANCE * float(np.abs(a).max())


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


def _compared(derivative: Callable[..., Any], slope: _Slope, arrays: Arrays) -> tuple[CheckResult, Arrays]:
    """The error by the complex step, or against differences of the step that suits the function best: a
    wrong entry is off by as much at each step."""
    import numpy as np

    actual = np.asarray(derivative(**arrays))
    best: CheckResult | None = None
    expected = slope.complex_step(arrays)
    if expected is not None:
        found = _furthest(actual, expected, "complex step", 1e-8 * slope.size(arrays))
        if found <= TOLERANCE:
            return found, arrays
        # it is held against differences as well: a spelling may not be analytic after all
    for step in STEPS:
        expected = slope(arrays, step)
        one = _furthest(actual, expected, "central differences", 1e-3 * slope.size(arrays))
        best = one if best is None or np.isnan(best) or one < best else best
        if best < SURE:
            break
    assert best is not None
    if not best <= TOLERANCE and best.worst is not None:
        best.kink = slope.kinked(arrays, best.worst)
    return best, arrays


def _furthest(actual: Any, expected: Any, method: str, floor: float) -> CheckResult:
    """The entry that is furthest off; errors are relative to the largest entry, or to the floor."""
    import numpy as np

    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    if not actual.size:
        return CheckResult(0.0, method)
    apart = np.where(actual == expected, 0.0, np.abs(actual - expected))
    at = np.unravel_index(int(np.argmax(apart)), apart.shape)  # the first nan, if there is one
    worst = tuple(int(k) for k in at)
    largest = np.abs(expected[np.isfinite(expected)])
    scale = max(float(largest.max()) if largest.size else 0.0, floor, LEAST)
    values = (float(actual[at]), float(expected[at]))
    return CheckResult(float(apart[at]) / scale, method, worst, values)


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
    """Sizes that are all different, the first ones others at each turn, and `~turn` has them reversed."""
    found = list(dict.fromkeys(n for one in program.inputs for size in one.shape for n in names(size)))
    start = max(turn, ~turn)
    primes = PRIMES[start:] + PRIMES[:start]
    pool = (primes * (len(found) // len(primes) + 1))[: max(4, len(found))]
    if turn < 0:  # a matrix that was wide is tall
        pool = pool[: len(found)][::-1] + pool[len(found) :]
    for order in islice(permutations(pool, len(found)), 2000):
        yield dict(zip(found, order, strict=True))


def _checks(program: Program) -> Arguments:
    return arguments(program.inputs, [], [], [program.output], [(program.output.name, program.output.shape)])


class _Slope:
    """The numerical derivative, in the last wrt, of the derivative in those before it."""

    def __init__(self, program: Program, jacobian: Jacobian) -> None:
        self.program, self.wrt = program, jacobian.wrt[-1]
        self.number, self.tied = len(jacobian.wrt) - 1, jacobian.tied
        before = _before(program, jacobian)
        self.function, self.inputs, self.analytic = before.function, before.inputs, before.analytic
        wrt = self.wrt
        self.held = _function(replace(program, output=wrt), None) if isinstance(wrt, Definition) else None

    def point(self, arrays: Arrays) -> Arrays:
        """An array for every parameter of the function."""
        import numpy as np

        names_ = [one.name for one in self.program.inputs]
        full = dict(zip(names_, _checks(self.program)((), dict(arrays)), strict=True))
        if self.held is not None:
            full[self.wrt.name] = np.asarray(self.held(*full.values()))
        return full

    def value(self, full: Arrays, moved: Any = None) -> np.ndarray[Any, Any]:
        """The function, with the wrt moved."""
        import numpy as np

        changed = full if moved is None else full | {self.wrt.name: moved}
        return np.asarray(self.function(*(changed[name] for name in self.inputs)))

    def size(self, arrays: Arrays) -> float:
        """How large the values are that are differentiated."""
        import numpy as np

        value = np.abs(self.value(self.point(arrays)))
        value = value[np.isfinite(value)]
        return float(value.max()) if value.size else 0.0

    def __call__(self, arrays: Arrays, step: float) -> np.ndarray[Any, Any]:
        """By central differences."""

        def column(full: Arrays, point: Any, position: tuple[int, ...]) -> Any:
            total: Any = 0.0
            for steps, weight in STENCIL:
                for sign in (1, -1):
                    moved = point.copy()
                    moved[position] += sign * steps * step
                    total = total + self.value(full, moved) * (sign * weight / step)
            return total

        return self._columns(arrays, column)

    def complex_step(self, arrays: Arrays) -> np.ndarray[Any, Any] | None:
        """By one step along the imaginary axis, exact to rounding; None where a function is not analytic.

        W. Squire and G. Trapp, Using complex variables to estimate derivatives of real functions, SIAM
        Review 40 (1998).
        """
        import numpy as np

        if not self.analytic:
            return None
        bilinear = without_conjugates(self.function)

        def column(full: Arrays, point: Any, position: tuple[int, ...]) -> Any:
            moved = point.astype(complex)
            moved[position] += 1j * TINY
            values = full | {self.wrt.name: moved}
            return np.asarray(bilinear(*(values[name] for name in self.inputs))).imag / TINY

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                found = self._columns(arrays, column)
        except (TypeError, np.exceptions.ComplexWarning):  # a function of the user's own, or of SciPy
            return None
        known = np.isfinite(self.value(self.point(arrays)))  # log(-1) is a complex number
        return np.where(known.reshape(known.shape + (1,) * (found.ndim - known.ndim)), found, np.nan)

    def kinked(self, arrays: Arrays, entry: tuple[int, ...]) -> bool:
        """Whether the slopes to both sides differ where that entry is taken, however small the step."""
        import numpy as np

        full = self.point(arrays)
        point = np.array(full[self.wrt.name], dtype=float)
        here = self.value(full)
        rank = here.ndim
        if len(entry) != rank + point.ndim:  # an axis of a batch is left out of it
            return False
        at, position = entry[:rank], entry[rank:]
        apart, slopes = [], []
        for step in SIDES:
            sides = []
            for sign in (1, -1):
                moved = point.copy()
                moved[position] += sign * step
                sides.append(float((self.value(full, moved)[at] - here[at]) * sign / step))
            apart.append(abs(sides[0] - sides[1]))
            slopes.append(max(map(abs, sides)))
        # of a smooth function the difference is proportional to the step
        return apart[-1] > 0.3 * apart[0] and apart[-1] > 1e-3 * max(slopes[-1], LEAST)

    def _columns(self, arrays: Arrays, column: Callable[..., Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        full = self.point(arrays)
        point = np.array(full[self.wrt.name], dtype=float)
        shape = self.value(full).shape
        columns = [np.asarray(column(full, point, at), dtype=float) for at in np.ndindex(point.shape)]
        if not columns:
            whole = np.zeros((*shape, *point.shape))
        else:
            whole = np.stack(columns, axis=-1).reshape((*shape, *point.shape))
        if isinstance(self.wrt, Input) and self.wrt.meaning is not None:
            whole = varied(whole, self.wrt.properties, self.wrt.meaning)
        for (n, axis), place in sorted(self.tied.items(), reverse=True):
            if n == self.number:  # an axis of a batch: only the diagonal is asked for
                whole = np.moveaxis(np.diagonal(whole, axis1=place, axis2=len(shape) + axis), -1, place)
        return whole


class _Before(NamedTuple):
    """The function whose slope a derivative is, its parameters, and whether it is analytic."""

    function: Callable[..., Any]
    inputs: list[str]
    analytic: bool


def _before(program: Program, jacobian: Jacobian) -> _Before:
    """The function whose slope the derivative is.

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
    names_ = [one.name for one in inputs]
    return _Before(_function(program, base), names_, analytic(program.output, base))


def _function(program: Program, jacobian: Jacobian | None) -> Callable[..., Any]:
    from einsumdiff.lower import lower
    from einsumdiff.targets import numpy as target

    plan = lower(program, [] if jacobian is None else [jacobian], value=jacobian is None, name="f")
    function: Callable[..., Any] = target.load(
        target.source(plan, "For a numerical check."), "f", load_table().names
    )
    return function
