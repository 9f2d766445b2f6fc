"""The arrays of a call: checked before any work is done.

Sizes are solved from the shapes in the order of the inputs. What does not fit is said with the argument,
the axis, the size that was expected and where that came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from einsumdiff.errors import NameFault, RankFault, ShapeFault, ValueFault, as_read, nearest
from einsumdiff.nodes import (
    Input,
)
from einsumdiff.properties import violation
from einsumdiff.sizes import AnySize, evaluate, linear, names, substitute, symbol

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Emptiness:
    """A reduction that must not run over nothing."""

    op: str
    over: tuple[AnySize, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A place that is read whatever the sizes are, and the axis that must have it."""

    place: AnySize
    array: str
    axis: int
    size: AnySize


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a generated function takes, and how it is checked.

    Parameters
    ----------
    inputs : all inputs, in order of appearance.
    wrt : names that must be given as arrays of real floating-point numbers.
    read : names of inputs that the function reads.
    sizes : sizes that it uses; a size name in them must be known from some array.
    whole : sizes that must not be negative, with what they are sizes of.
    indices : inputs that hold places of an axis, with the size of that axis.
    places : places by number that must be there: `x[0]`, of an x that may be empty.
    divisors : sizes that are divided by; where one is 0 the result is nan or inf, without a warning.
    origins : who gave an input its shape, in words.
    """

    inputs: tuple[Input, ...]
    wrt: frozenset[str]
    read: frozenset[str]
    sizes: tuple[str, ...]
    whole: tuple[tuple[AnySize, str], ...]
    reductions: tuple[Emptiness, ...]
    indices: tuple[tuple[str, AnySize], ...]
    places: tuple[Place, ...]
    divisors: tuple[AnySize, ...]
    origins: Mapping[str, str]

    def call(
        self,
        function: Callable[..., Any],
        args: Sequence[object],
        kwargs: Mapping[str, object],
        out: tuple[object, Mapping[Any, Sequence[AnySize]]] | None = None,
        **keywords: object,
    ) -> Any:
        """The function of the arrays, checked; `out`: buffers for the results, and the shapes by key."""
        arrays, values = self._checked(args, kwargs)
        if out is not None:
            keywords["out"] = out[0]
            _buffers_fit(out[0], out[1], arrays, values, {name for name, _ in self.indices})
        if not any(_known(size, values) == 0 for size in self.divisors):
            return function(*arrays, **keywords)
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            return function(*arrays, **keywords)

    def __call__(self, args: Sequence[object], kwargs: Mapping[str, object]) -> list[np.ndarray[Any, Any]]:
        """The arrays for all inputs in order; what was left out is a view of one zero.

        Raises NameFault for an unknown argument, ValueFault for one that is missing or of a kind that
        cannot be used, RankFault and ShapeFault for a shape that does not fit.
        """
        return self._checked(args, kwargs)[0]

    def sizes_of(self, arrays: Mapping[str, object]) -> dict[str, int]:
        """The sizes that arrays by name have."""
        return self._checked((), arrays)[1]

    def _checked(
        self, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> tuple[list[np.ndarray[Any, Any]], dict[str, int]]:
        given = self.bind(args, kwargs)
        arrays = {
            one.name: self._convert(one.name, given[one.name]) for one in self.inputs if one.name in given
        }
        kind = self._promote(arrays, given)
        values = self._solve(arrays)
        for size, what in self.whole:
            if what and all(name in values for name in names(size)) and evaluate(size, values) < 0:
                known = ", ".join(f"{name} = {values[name]}" for name in names(size))
                raise ShapeFault(f"{what} has size {size} = {evaluate(size, values)}, for {known}")
        for one in self.inputs:
            if one.properties and one.name in arrays:
                wrong = violation(one.name, arrays[one.name], one.properties)
                if wrong is not None:
                    raise ValueFault(wrong[0], None, wrong[1])
        for reduction in self.reductions:
            self._not_over_nothing(reduction, values)
        for name, size in self.indices:
            if name in arrays:
                _in_range(name, arrays[name], size, values)
        for place in self.places:
            _there(place, values)
        whole = [
            arrays[one.name] if one.name in arrays else _stand_in(one.shape, values, kind)
            for one in self.inputs
        ]
        return whole, values

    # -- names ----------------------------------------------------------------------------------------

    def bind(self, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
        """The arguments by name, none of which is unknown, given twice, or missing where it is read."""
        order = [one.name for one in self.inputs]
        if len(args) > len(order):
            raise ValueFault(
                f"{len(args)} arrays are given, the function takes {len(order)}",
                None,
                f"pass {_listed(order)}",
            )
        given = dict(zip(order, args, strict=False))
        for name, value in zip(map(as_read, kwargs), kwargs.values(), strict=True):
            if name not in order:
                near = nearest(name, order)
                hint = f"did you mean {' or '.join(near)}?" if near else f"its inputs are {_listed(order)}"
                raise NameFault(f"{name} is no input of the program", None, hint)
            if name in given:
                raise ValueFault(f"{name} is given twice, by position and by name", None, "give it once")
            given[name] = value
        missing = [name for name in order if name in self.read and name not in given]
        if missing:
            raise ValueFault(
                f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing",
                None,
                "pass " + ", ".join(f"{name}=..." for name in missing),
            )
        return given

    def _convert(self, name: str, value: object) -> np.ndarray[Any, Any]:
        import numpy as np

        typed = hasattr(value, "dtype")
        try:
            array = np.asarray(value)
        except (ValueError, TypeError):
            raise ValueFault(
                f"{name} is not a rectangular array of numbers", None, "pass one array"
            ) from None
        kind = array.dtype.kind
        if kind == "c":
            raise ValueFault(
                f"{name} is complex ({array.dtype}), derivatives are of real arrays",
                None,
                f"pass {name}.real",
            )
        if kind not in "fiub":
            raise ValueFault(f"{name} is an array of {array.dtype}, not of numbers", None, "pass numbers")
        if kind in "iub" and name in self.wrt and (typed or kind == "b"):
            kinds = {"b": "booleans"}.get(kind, "integers")
            raise ValueFault(
                f"{name} is an array of {kinds} ({array.dtype}), and the derivative is in {name}",
                None,
                f"pass {name}.astype(float)" if typed else "pass floating-point numbers",
            )
        if any(name == one for one, _ in self.indices):
            if kind in "iu" or not array.size:
                return array.astype(np.intp, copy=False)
            raise ValueFault(
                f"{name} is an index and an array of {array.dtype}", None, "pass an array of whole numbers"
            )
        return array

    def _promote(self, arrays: dict[str, np.ndarray[Any, Any]], given: Mapping[str, object]) -> np.dtype[Any]:
        """Make all numbers floating-point ones, as NumPy does; the kind that they have in common.

        A plain number has the kind of the arrays around it, so `a=2` does not widen float32.
        """
        import numpy as np

        places = {name for name, _ in self.indices}
        numbers = [name for name in arrays if name not in places]
        plain = {n for n in numbers if isinstance(given[n], int | float) and not hasattr(given[n], "dtype")}
        kinds = [
            arrays[name].dtype for name in numbers if name not in plain and arrays[name].dtype.kind == "f"
        ]
        common: np.dtype[Any] = np.result_type(*kinds) if kinds else np.dtype(np.float64)
        for name in numbers:
            own = arrays[name].dtype
            if name in plain:
                arrays[name] = arrays[name].astype(common)
            elif own.kind != "f":
                arrays[name] = arrays[name].astype(np.result_type(own, common))
        return common

    # -- sizes ----------------------------------------------------------------------------------------

    def _solve(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, int]:
        """The value of every size name that the arrays tell."""
        values: dict[str, int] = {}
        origin: dict[str, str] = {}
        later: list[tuple[str, int, AnySize, int]] = []
        for one in self.inputs:
            array = arrays.get(one.name)
            if array is None:
                continue
            if array.ndim != len(one.shape):
                expected = f"{_axes(len(one.shape))}: {shape_text(one.shape)}" if one.shape else "is a number"
                given = f" ({self.origins[one.name]})" if one.name in self.origins else ""
                raise RankFault(f"{one.name} has shape {array.shape}, expected {expected}{given}")
            for axis, (size, actual) in enumerate(zip(one.shape, array.shape, strict=True)):
                name = next(iter(names(size)), None)
                if name is not None and size == symbol(name) and name not in values:
                    values[name], origin[name] = actual, f"axis {axis} of {one.name}"
                else:
                    later.append((one.name, axis, size, actual))
        waiting = later
        while waiting:
            unsolved = []
            for item in waiting:
                name, axis, size, actual = item
                unknown = [n for n in names(size) if n not in values]
                if not unknown:
                    _fit(name, axis, size, actual, values, origin, self.origins.get(name, ""))
                elif len(unknown) == 1 and _solve_one(name, axis, size, unknown[0], actual, values):
                    origin[unknown[0]] = f"axis {axis} of {name}, which is {size}"
                else:
                    unsolved.append(item)
            if len(unsolved) == len(waiting):
                break
            waiting = unsolved
        for name in self.sizes:
            if name not in values:
                self._size_missing(name, arrays)
        return values

    def _size_missing(self, name: str, arrays: Mapping[str, object]) -> None:
        for one in self.inputs:
            if one.name not in arrays:
                for axis, size in enumerate(one.shape):
                    if name in names(size):
                        raise ValueFault(
                            f"{one.name} is missing: the size {name} is that of its axis {axis}",
                            None,
                            f"pass {one.name}=...",
                        )
        raise ShapeFault(f"the size {name} follows from no array", None, "give it a number in shapes=")

    def _not_over_nothing(self, reduction: Emptiness, values: Mapping[str, int]) -> None:
        if any(_known(size, values) == 0 for size in reduction.over):
            raise ValueFault(f"{reduction.op} over nothing: an axis of size 0 has no {reduction.op}")


def _buffers_fit(
    given: object,
    shapes: Mapping[Any, Sequence[AnySize]],
    arrays: Sequence[np.ndarray[Any, Any]],
    values: Mapping[str, int],
    places: set[str],
) -> None:
    """Raise an error unless every buffer has the shape and the kind of its result, and memory of its own."""
    import numpy as np

    if None in shapes:
        given = {None: given}
    if not isinstance(given, Mapping) or set(given) != set(shapes):
        raise ValueFault(
            "out is not a dictionary of buffers", None, f"its keys are {_listed(list(map(repr, shapes)))}"
        )
    kind = np.result_type(np.float32, *(a.dtype for a in arrays if a.dtype.kind == "f"))
    for key, sizes in shapes.items():
        buffer, name = given[key], "out" if key is None else f"out[{key!r}]"
        shape = tuple(evaluate(size, values) for size in sizes)
        if not isinstance(buffer, np.ndarray) or not buffer.flags.writeable:
            raise ValueFault(f"{name} is no array that can be written", None, f"pass np.zeros({shape})")
        if buffer.shape != shape:
            raise ShapeFault(f"{name} has shape {buffer.shape}, the derivative has {shape}")
        if buffer.dtype != kind:
            raise ValueFault(
                f"{name} is an array of {buffer.dtype}, the derivative is of {kind}",
                None,
                f'pass np.zeros({shape}, "{kind}")',
            )
        if any(np.may_share_memory(buffer, array) for array in arrays):
            raise ValueFault(f"{name} shares memory with an argument", None, f"pass np.zeros({shape})")
    for one, other in combinations(shapes, 2):
        if np.shares_memory(given[one], given[other]):  # blocks of one matrix do not
            raise ValueFault(
                f"out[{other!r}] shares memory with out[{one!r}]", None, "pass a buffer of its own for each"
            )


def _known(size: AnySize, values: Mapping[str, int]) -> int | None:
    """The number that a size is; None where an array that tells it was left out."""
    found = substitute(size, values)
    return found if isinstance(found, int) else None


def _there(place: Place, values: Mapping[str, int]) -> None:
    size, at = _known(place.size, values), _known(place.place, values)
    if size is not None and at is not None and not 0 <= at < size:
        name = place.array or "what is indexed there"
        raise ValueFault(
            f"the program reads place {at} of axis {place.axis} of {name}, which has size {size}",
            None,
            f"pass arrays for which that axis has at least {at + 1}" if at >= 0 else None,
        )


def _in_range(name: str, array: np.ndarray[Any, Any], size: AnySize, values: Mapping[str, int]) -> None:
    known = evaluate(size, values)
    if array.size and not -known <= int(array.min()) <= int(array.max()) < known:
        worst = int(array.min()) if array.min() < -known else int(array.max())
        raise ValueFault(
            f"{name} holds {worst}, and the axis that it indexes has size {known}",
            None,
            "places count from 0 to below the size, or from -1 down to minus the size from the end",
        )


def _fit(
    name: str,
    axis: int,
    size: AnySize,
    actual: int,
    values: Mapping[str, int],
    origin: Mapping[str, str],
    given: str,
) -> None:
    expected = evaluate(size, values)
    if expected == actual:
        return
    if isinstance(size, int):
        said = f" ({given})" if given else ""
        raise ShapeFault(f"{name}: axis {axis} has size {actual}, expected {size}{said}")
    places = "; ".join(
        origin[n] if size == symbol(n) else f"{n} = {values[n]}: {origin[n]}" for n in names(size)
    )
    raise ShapeFault(f"{name}: axis {axis} has size {actual}, expected {size} = {expected} ({places})")


def _solve_one(array: str, axis: int, size: AnySize, name: str, actual: int, values: dict[str, int]) -> bool:
    """Solve a size that is linear in one unknown name for it; False where it is not linear."""
    parts = linear(size, name)
    if parts is None:
        return False
    factor, rest = (evaluate(part, values) for part in parts)
    if factor == 0:
        return False
    value, left = divmod(actual - rest, factor)
    if left or value < 0:
        known = "".join(f", {n} = {values[n]}" for n in names(parts[1]))
        raise ShapeFault(
            f"{array}: axis {axis} has size {actual}, which is {size} for no {name} from 0 on{known}"
        )
    values[name] = value
    return True


def _stand_in(
    shape: Sequence[AnySize], values: Mapping[str, int], kind: np.dtype[Any]
) -> np.ndarray[Any, Any]:
    """Zeros of that shape in the memory of one, for an array that is not read."""
    import numpy as np

    sizes = [substitute(size, values) for size in shape]
    return np.broadcast_to(
        np.zeros((), kind), tuple(max(size, 0) if isinstance(size, int) else 1 for size in sizes)
    )


def _listed(items: Sequence[str]) -> str:
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items) or "nothing"


def _axes(rank: int) -> str:
    return "is 1 axis" if rank == 1 else f"are {rank} axes"


def shape_text(shape: Sequence[AnySize]) -> str:
    """`(m, n)`, `(n,)`, `()`."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
