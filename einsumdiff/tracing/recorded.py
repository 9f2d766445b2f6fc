"""Operations of a traced function as steps: rows of the table, operators, and what they are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self

from einsumdiff.errors import EinsumDiffError, Unsupported, ValueFault
from einsumdiff.indexing.shapes import Shape
from einsumdiff.language.rows import Function
from einsumdiff.tracing import constants, functions
from einsumdiff.tracing.graph import ATOM, COMPARISON, LEVELS, POWER, SIGN, SUM, Step
from einsumdiff.tracing.places import Place, at, place_of, users_frame

if TYPE_CHECKING:
    import numpy as np

WHOLE = ("+", "-", "*", "//", "%")
"""Operators whose result is a whole number where the operands are."""


class Recording(Protocol):
    """What an array asks about the function that it belongs to."""

    def constant(self, value: np.ndarray[Any, Any]) -> Step:
        """An array of numbers that stands in the function."""

    def shape(self, step: Step) -> Shape:
        """The shape; refused where that of an input that it needs is not given."""

    def known(self, step: Step) -> Shape | None:
        """The shape, or None there."""

    def must_be_given(self, step: Step) -> None:
        """Refuse a step whose rank would be a guess."""

    def text(self, output: Step) -> str:
        """The program that ends with a step."""


@dataclass(slots=True)
class Memory:
    """What an array and its views have in common: where one of them was changed in place.

    `own`: it is the result of a computation, so NumPy gives a number that cannot be changed if it has no
    axes.
    """

    own: bool = False
    changed: Place | None = None


class Recorded:
    """An array in a function that is traced: its step says how it came about."""

    __slots__ = ("_memory", "_picked", "_recording", "_step")

    def __init__(self, recording: Recording, step: Step, memory: Memory | None = None) -> None:
        self._recording, self._step, self._memory = recording, step, memory or Memory()
        self._picked = False  # made by whole numbers in brackets

    # -- recording

    def _record(
        self,
        *parts: str | tuple[object, int],
        level: int = ATOM,
        plain: bool = False,
        boolean: bool = False,
        whole: bool = False,
        of: Recorded | None = None,
    ) -> Self:
        """A new array; parts are text, and values with the precedence that their place needs.

        It may be a view of the array `of`.
        """
        frame = users_frame()
        place = place_of(frame)
        try:
            read = [part if isinstance(part, str) else (self._step_of(part[0]), part[1]) for part in parts]
        except EinsumDiffError as error:
            raise at(place, error) from None
        for part in read:
            if isinstance(part, tuple):
                _name(part[0], frame)
        step = Step(tuple(read), level, place, plain=plain or whole, boolean=boolean, whole=whole)
        return type(self)(self._recording, step, Memory(own=True) if of is None else of._memory)

    def _refuse(self, error: EinsumDiffError) -> NoReturn:
        raise at(place_of(users_frame()), error) from None

    def _step_of(self, value: object) -> Step:
        """A value as part of an expression: an array, a number, or a list of them."""
        import numpy as np

        if isinstance(value, Step):
            return value
        if isinstance(value, Recorded):
            if value._recording is not self._recording:
                raise Unsupported(
                    "an array of another function's trace is used here",
                    None,
                    "pass it as an argument of the function",
                )
            if value._memory.changed is not None:
                raise Unsupported(
                    f"this array shares its numbers with one that line {value._memory.changed.line} changes",
                    None,
                    "write a = a + b there, which makes a new array, in place of a += b",
                )
            return value._step
        found = constants.scalar(value)
        if found is not None:
            return found
        if isinstance(value, np.ndarray):
            return self._recording.constant(value)
        return self._text(value)

    def _text(self, value: object) -> Step:
        """What is no array: `None`, `"fro"`, `(0, 1)`, `[a, b]`."""
        if value is None or value is Ellipsis:
            return Step(("None" if value is None else "...",), ATOM, plain=True)
        if isinstance(value, str):
            if '"' in value or "\n" in value or "\\" in value:
                raise ValueFault(f"the text {value!r} is not understood")
            return Step((f'"{value}"',), ATOM, plain=True)
        if isinstance(value, tuple | list):
            parts: list[str | tuple[Step, int]] = []
            for k, one in enumerate(value):
                parts += [", "] * (k > 0) + [(self._step_of(one), 0)]
            if isinstance(value, tuple):
                return Step(("(", *parts, ",)" if len(value) == 1 else ")"), ATOM, plain=True)
            return Step(("[", *parts, "]"), ATOM, plain=True)
        raise Unsupported(
            f"a {type(value).__name__} is no value of a program", None, "arrays and numbers can be followed"
        )

    def _apply(self, name: str, given: list[functions.Argument], prefix: str = "") -> Self:
        """A call of a row, as an operator where it is one."""
        row = functions.known_row(name)
        arrays = [one for one in _flattened([value for _, value in given]) if isinstance(one, Recorded)]
        operator = "" if any(key for key, _ in given) else functions.operator_of(row)
        if operator and len(given) == 2 and operator in LEVELS:
            return self._operate(operator, given[0][1], given[1][1])
        if operator and len(given) == 1:
            return self._record(operator, (given[0][1], SIGN), level=SIGN, boolean=operator == "~")
        parts: list[str | tuple[object, int]] = [f"{prefix}{row.name}("]
        for k, (key, value) in enumerate(given):
            parts += [", " * (k > 0) + (f"{key}=" if key else ""), (value, 0)]
        moves = functions.may_be_view(row) and len(arrays) == 1
        if len(arrays) > 1 and not isinstance(row, Function) and all(one._step.boolean for one in arrays):
            self._refuse(_no_sum_of_booleans())
        return self._record(
            *parts,
            ")",
            boolean=(moves and arrays[0]._step.boolean) or (isinstance(row, Function) and row.boolean),
            of=arrays[0] if moves else None,
        )

    def _operate(self, op: str, left: object, right: object) -> Self:
        level = LEVELS[op]
        first = level + 1 if level in (COMPARISON, POWER) else level  # those do not chain to the left
        second = SIGN if level == POWER else level + 1
        if op in ("+", "@") and _is_boolean(left) and _is_boolean(right):
            self._refuse(_no_sum_of_booleans())
        whole = op in WHOLE and _is_whole(left) and _is_whole(right)
        return self._record(
            (array_like(left), first),
            op if level == POWER else f" {op} ",
            (array_like(right), second),
            level=level,
            boolean=level < SUM,
            whole=whole,
        )


def _name(step: Step, frame: FrameType | None) -> None:
    """The name that the function has for a step: a local variable where it is read, no parameter."""
    if step.name is not None or step.plain or frame is None:
        return
    own = frame.f_code.co_varnames[: frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount]
    for name, value in frame.f_locals.items():
        if isinstance(value, Recorded) and value._step is step and name not in own and name.isidentifier():
            step.name = name
            return


def _is_whole(value: object) -> bool:
    """Whether it is a whole number that is known, or that sizes say."""
    if isinstance(value, Recorded):
        return value._step.whole
    return isinstance(value, int) and not isinstance(value, bool)


def _is_boolean(value: object) -> bool:
    """Whether NumPy has booleans there."""
    import numpy as np

    if isinstance(value, Recorded):
        return value._step.boolean
    return isinstance(value, bool | np.bool_) or (isinstance(value, np.ndarray) and value.dtype.kind == "b")


def _no_sum_of_booleans() -> Unsupported:
    return Unsupported(
        "NumPy has booleans here, whose sum is `or`, and a comparison is the number 0 or 1 in a program",
        None,
        "write (x > 0) | (z > 0), or 1.0*(x > 0) + 1.0*(z > 0) for their number",
    )


def array_like(value: object) -> object:
    """A list of numbers as the array that NumPy makes of it."""
    import numpy as np

    if not isinstance(value, list | tuple):
        return value
    return value if any(isinstance(one, Recorded) for one in _flattened(value)) else np.asarray(value)


def _flattened(value: Sequence[object]) -> Iterator[object]:
    for one in value:
        if isinstance(one, list | tuple):
            yield from _flattened(one)
        else:
            yield one
