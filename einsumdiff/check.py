"""A derivative against the slope of the program, entry by entry.

The slope is taken by the complex step where all functions are analytic, and by central differences elsewhere;
where the program is rational the formula is compared exactly as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import ShapeFault, ValueFault
from einsumdiff.exact import exact
from einsumdiff.program import Program
from einsumdiff.sampling import checks_of, draws, random_arrays, steady
from einsumdiff.slopes import LEAST, Slope

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray[Any, Any]]

STEPS = (2e-3, 4e-4, 1e-4)
SURE = 1e-9
"""An error so small needs no other step."""
TOLERANCE = 1e-6
"""The largest relative error that a right derivative has against differences."""
EXACTLY = "exact modulo a prime, "
TURNS = (0, 1, 0)
"""A derivative is compared at a point for each, of other sizes where the number is another."""
REDRAWN = 3
"""How often arrays are drawn that turn out to lie at a kink."""


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

    slope = Slope(program, jacobian)
    with np.errstate(all="ignore"):
        if given:
            real = {array.name for array in jacobian.wrt}
            own = {name: _float(value, name in real) for name, value in given.items()}
            found, arrays = _compared(derivative, slope, own)
        else:
            found, arrays = _drawn(program, derivative, slope)
        found.wrt = tuple(array.name for array in jacobian.wrt)
        found.exact = exact(program, jacobian, checks_of(program).sizes_of(arrays))
    if found.exact is not None:
        found.method = f"{EXACTLY}{found.method}"
    return found


def _drawn(program: Program, derivative: Callable[..., Any], slope: Slope) -> tuple[CheckResult, Arrays]:
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
    slope: Slope,
    random: np.random.Generator,
    turn: int,
) -> tuple[CheckResult, Arrays]:
    """At one point where the program has values, and no kink if there is one."""
    import numpy as np

    found: tuple[CheckResult, Arrays] | None = None
    fault: np.linalg.LinAlgError | None = None
    for k, draw in ((k, draw) for k in range(REDRAWN) for draw in draws(random)):
        try:
            arrays = random_arrays(program, derivative, draw, ~turn if k % 2 else turn)
            found = _compared(derivative, slope, arrays)
            # an error that is large is the answer, not a reason to draw again
            if (
                np.isfinite(found[0])
                and not found[0].kink
                and (found[0].passed or steady(derivative, arrays))
            ):
                break
        except np.linalg.LinAlgError as one:
            fault = one
    if found is None:
        raise ValueFault(
            f"no random arrays were found that the program takes: {fault}", None, "give some: d.check(A=...)"
        )
    return found


def _float(value: object, real: bool) -> np.ndarray[Any, Any]:
    """The array in double precision; a list of whole numbers is one of `real` numbers where that is asked."""
    import numpy as np

    array = np.asarray(value)
    listed = real and not hasattr(value, "dtype") and array.dtype.kind in "iu"
    return array.astype(float) if array.dtype.kind == "f" or listed else array


def _compared(derivative: Callable[..., Any], slope: Slope, arrays: Arrays) -> tuple[CheckResult, Arrays]:
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
