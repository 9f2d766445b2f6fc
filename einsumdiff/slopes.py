"""The numerical derivative of a program, or of a derivative of it: by the complex step, by differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from einsumdiff.analytic import analytic, without_conjugates
from einsumdiff.batch import tie
from einsumdiff.differentiate import Jacobian, differentiate, further
from einsumdiff.meaning import Copier
from einsumdiff.nodes import Array, Definition, Input
from einsumdiff.program import Program
from einsumdiff.program import read as value_of
from einsumdiff.properties import varied
from einsumdiff.sampling import checks_of, function_of

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray[Any, Any]]

STENCIL = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
"""Central differences of sixth order: f'(x)*h is the sum of weight*(f(x + step*h) - f(x - step*h))."""
TINY = 1e-30
"""A complex step; its square is nothing beside any number."""
SIDES = (3e-4, 1e-4, 1e-5)
"""Steps to both sides of a kink."""
LEAST = 1e-6
"""Errors of derivatives that are smaller are absolute, in this unit."""


class Slope:
    """The numerical derivative, in the last wrt, of the derivative in those before it."""

    def __init__(self, program: Program, jacobian: Jacobian) -> None:
        self.program, self.wrt = program, jacobian.wrt[-1]
        self.number, self.tied = len(jacobian.wrt) - 1, jacobian.tied
        before = _before(program, jacobian)
        self.function, self.inputs, self.analytic = before.function, before.inputs, before.analytic
        wrt = self.wrt
        self.held = function_of(replace(program, output=wrt), None) if isinstance(wrt, Definition) else None

    def point(self, arrays: Arrays) -> Arrays:
        """An array for every parameter of the function."""
        import numpy as np

        names_ = [one.name for one in self.program.inputs]
        full = dict(zip(names_, checks_of(self.program)((), dict(arrays)), strict=True))
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
    return _Before(function_of(program, base), names_, analytic(program.output, base))
