"""Arrays that record what is done to them, through NumPy's own protocols and Python's operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from einsumdiff.errors import EinsumDiffError, NameFault, Unsupported, ValueFault
from einsumdiff.indexing.shapes import Shape
from einsumdiff.language.rows import Function
from einsumdiff.language.table import load_table
from einsumdiff.tracing import constants, functions
from einsumdiff.tracing.graph import ATOM, COMPARISON, LEVELS, POWER, SIGN, SUM, Step
from einsumdiff.tracing.places import at, place_of, users_frame

if TYPE_CHECKING:
    import numpy as np

NO_NUMBER = (
    "float(), int(), math functions and storing into an array need a number: "
    "write np.sin(x) for math.sin(x), np.stack([...]) for a loop that stores"
)


class Recording(Protocol):
    """What an array asks about the function that it belongs to."""

    def constant(self, value: np.ndarray[Any, Any]) -> Step:
        """An array of numbers that stands in the function."""

    def shape(self, step: Step) -> Shape:
        """The shape; refused where that of an input that it needs is not given."""

    def known(self, step: Step) -> Shape | None:
        """The shape, or None there."""

    def sizes(self, array: Tracer, step: Step) -> Any:
        """`x.shape`."""

    def must_be_given(self, step: Step) -> None:
        """Refuse a step whose rank would be a guess."""

    def text(self, output: Step) -> str:
        """The program that ends with a step."""


class NoAttribute(NameFault, AttributeError):
    """An attribute that an array here does not have; `hasattr` understands it."""


class Tracer:
    """An array in a function that is traced: `step` says how it came about."""

    __slots__ = ("_recording", "_step")

    def __init__(self, recording: Recording, step: Step) -> None:
        self._recording, self._step = recording, step

    # -- recording

    def _record(
        self,
        *parts: str | tuple[object, int],
        level: int = ATOM,
        plain: bool = False,
        boolean: bool = False,
        whole: bool = False,
    ) -> Tracer:
        """A new array; parts are text, and values with the precedence that their place needs."""
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
        return Tracer(self._recording, step)

    def _refuse(self, error: EinsumDiffError) -> NoReturn:
        raise at(place_of(users_frame()), error) from None

    def _step_of(self, value: object) -> Step:
        """A value as part of an expression: an array, a number, or a list of them."""
        import numpy as np

        if isinstance(value, Step):
            return value
        if isinstance(value, Tracer):
            if value._recording is not self._recording:
                raise Unsupported(
                    "an array of another function's trace is used here",
                    None,
                    "pass it as an argument of the function",
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

    def _apply(self, name: str, given: list[functions.Argument], prefix: str = "") -> Tracer:
        """A call of a row, as an operator where it is one."""
        row = functions.known_row(name)
        operator = "" if any(key for key, _ in given) else functions.operator_of(row)
        if operator and len(given) == 2 and operator in LEVELS:
            return self._operate(operator, given[0][1], given[1][1])
        if operator and len(given) == 1:
            return self._record(operator, (given[0][1], SIGN), level=SIGN, boolean=operator == "~")
        parts: list[str | tuple[object, int]] = [f"{prefix}{row.name}("]
        for k, (key, value) in enumerate(given):
            parts += [", " * (k > 0) + (f"{key}=" if key else ""), (value, 0)]
        return self._record(*parts, ")", boolean=isinstance(row, Function) and row.boolean)

    def _operate(self, op: str, left: object, right: object) -> Tracer:
        level = LEVELS[op]
        first = level + 1 if level in (COMPARISON, POWER) else level  # those do not chain to the left
        second = SIGN if level == POWER else level + 1
        whole = op in WHOLE and _is_whole(left) and _is_whole(right)
        return self._record(
            (_array_like(left), first),
            op if level == POWER else f" {op} ",
            (_array_like(right), second),
            level=level,
            boolean=level < SUM,
            whole=whole,
        )

    # -- NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        try:
            prefix, name = functions.ufunc_name(ufunc, method)
            if kwargs.get("out") is not None:
                raise Unsupported(
                    "an array of numbers cannot be changed in place here", None, "write a = a + b"
                )
            given = functions.plain_arguments([_array_like(one) for one in inputs], kwargs)
            return self._apply(name, given, prefix)
        except EinsumDiffError as error:
            self._refuse(error)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        try:
            if function.__name__ in ("shape", "size", "ndim") and not args[1:] and not kwargs:
                return getattr(args[0], function.__name__)
            name = functions.function_name(function)
            given = functions.arguments(function, functions.known_row(name), args, kwargs)
            return self._apply(name, given)
        except EinsumDiffError as error:
            self._refuse(error)

    def __array__(self, dtype: object = None, copy: object = None) -> NoReturn:
        self._refuse(
            Unsupported(
                "an array of the function's argument is not known while it is traced",
                None,
                "leave out np.array and np.asarray, and write np.stack([...]) for a list of arrays; what "
                "asks for the numbers themselves, as functions of SciPy do, cannot be followed",
            )
        )

    # -- what Python asks for

    def __bool__(self) -> NoReturn:
        self._refuse(
            Unsupported(
                "a branch on a value is not followed: the derivative would be right on one side only",
                None,
                "write np.where(condition, a, b), np.maximum for max; & | ~ for and, or, not",
            )
        )

    def _no_number(self) -> NoReturn:
        self._refuse(Unsupported("this is an array here, and no number that is known", None, NO_NUMBER))

    __float__ = __int__ = __complex__ = item = tolist = _no_number

    def __index__(self) -> NoReturn:
        self._refuse(
            Unsupported(
                "a whole number is needed here, and this is not known while the function is traced",
                None,
                'give sizes as numbers: shapes={"x": (5, 3)}',
            )
        )

    def __len__(self) -> int:
        shape = self._recording.shape(self._step)
        if not shape:
            raise TypeError("len() of a number")
        if not isinstance(shape[0], int):
            self._refuse(
                Unsupported(
                    f"len() is a number in Python, and this size is {shape[0]}",
                    None,
                    "write x.shape[0], or give the size as a number in shapes=",
                )
            )
        return shape[0]

    def __iter__(self) -> Iterator[Tracer]:
        shape = self._recording.shape(self._step)
        if not shape:
            raise TypeError("iteration over a number")
        if not isinstance(shape[0], int):
            self._refuse(
                Unsupported(
                    f"a loop over an axis of size {shape[0]} is not followed",
                    None,
                    "give the size as a number in shapes=, or write whole-array operations",
                )
            )
        return (self[k] for k in range(shape[0]))

    def __contains__(self, item: object) -> NoReturn:
        self.__bool__()

    def __setitem__(self, items: object, value: object) -> NoReturn:
        self._refuse(
            Unsupported(
                "an array is not changed in place here",
                None,
                "make a new one: np.where, np.concatenate, np.stack",
            )
        )

    def __repr__(self) -> str:
        return f"<an array that is traced: {self._recording.text(self._step)}>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    # -- shapes

    @property
    def shape(self) -> Any:
        return self._recording.sizes(self, self._step)

    @property
    def ndim(self) -> int:
        return len(self._recording.shape(self._step))

    @property
    def size(self) -> Any:
        shape = self._recording.known(self._step)
        if shape is not None and all(isinstance(size, int) for size in shape):
            total = 1
            for size in shape:
                assert isinstance(size, int)
                total *= size
            return total
        return self._record((self._step, ATOM), ".size", whole=True)

    def _axis_size(self, axis: int) -> Any:
        """The size of an axis that is no number."""
        return self._record((self._step, ATOM), f".shape[{axis}]", whole=True)

    @property
    def dtype(self) -> Any:
        import numpy as np

        return np.dtype(float)

    # -- attributes and methods

    @property
    def T(self) -> Tracer:
        return self._record((self._step, ATOM), ".T", plain=self._step.plain)

    @property
    def mT(self) -> Tracer:
        return self._record((self._step, ATOM), ".mT", plain=self._step.plain)

    def copy(self, order: str = "K") -> Tracer:
        return self

    def astype(self, dtype: Any, **how: Any) -> Tracer:
        import numpy as np

        if np.dtype(dtype).kind != "f":
            self._refuse(
                Unsupported(
                    f"astype({dtype!r}) is not followed", None, "use np.floor, np.round or a comparison"
                )
            )
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or load_table().get(name) is None:
            if name.startswith("__"):
                raise AttributeError(name)
            raise at(
                place_of(users_frame()),
                NoAttribute(
                    f"an array here has no .{name}",
                    None,
                    "known are .T .mT .shape .size .ndim, and functions as methods: x.sum(axis=0)",
                ),
            )

        def method(*args: object, **kwargs: object) -> Tracer:
            try:
                return self._apply(name, functions.plain_arguments((self, *args), kwargs))
            except EinsumDiffError as error:
                self._refuse(error)

        return method

    def __getitem__(self, items: object) -> Tracer:
        parts: list[str | tuple[object, int]] = [(self._step, ATOM), "["]
        listed = items if isinstance(items, tuple) else (items,)
        try:
            gathered = sum(not _is_plain(item) for item in listed)
            for k, item in enumerate(listed):
                parts += [", "] * (k > 0) + self._item(item, gathered > 1)
        except EinsumDiffError as error:
            self._refuse(error)
        return self._record(*parts, "]")

    def _item(self, item: Any, several: bool) -> list[str | tuple[object, int]]:
        """What stands in brackets: NumPy's, or an array of places."""
        import numpy as np

        if item is None or item is Ellipsis:
            return ["None" if item is None else "..."]
        if isinstance(item, slice):
            parts: list[str | tuple[object, int]] = []
            for k, end in enumerate((item.start, item.stop, item.step)):
                if k < 2 or end is not None:
                    parts += [":"] * (k > 0) + ([] if end is None else [(end, 1)])
            return parts
        if isinstance(item, bool | np.bool_) or (isinstance(item, Tracer) and item._step.boolean):
            raise _no_mask()
        if isinstance(item, int | np.integer):
            return [str(int(item))]
        if isinstance(item, Tracer):
            self._recording.must_be_given(item._step)
            return [(item, 1)]
        places = np.asarray(item)
        if places.dtype.kind == "b":
            raise _no_mask()
        if places.dtype.kind not in "iu" and places.size:
            raise ValueFault(f"an index is a whole number, and this is {item!r}")
        strided = _as_slice(places)
        if strided is None or several:
            raise Unsupported(
                "places that stand in the function are not followed",
                None,
                "pass them as an argument: x[k] with k an array of whole numbers, or write a slice",
            )
        return [strided]

    # -- operators

    def __pos__(self) -> Tracer:
        return self

    def __neg__(self) -> Tracer:
        return self._record("-", (self, SIGN), level=SIGN)

    def __invert__(self) -> Tracer:
        return self._record("~", (self, SIGN), level=SIGN, boolean=True)

    def __abs__(self) -> Tracer:
        return self._apply("abs", [(None, self)])

    def __round__(self, digits: int = 0) -> Tracer:
        return self._apply("round", [(None, self), *([(None, digits)] if digits else [])])

    def __divmod__(self, other: Any) -> tuple[Tracer, Tracer]:
        return self._operate("//", self, other), self._operate("%", self, other)

    def __rdivmod__(self, other: Any) -> tuple[Tracer, Tracer]:
        return self._operate("//", other, self), self._operate("%", other, self)

    __hash__ = object.__hash__


OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "matmul": "@",
    "pow": "**",
    "and": "&",
    "or": "|",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
}
"""Python's names for the operators of two operands."""

WHOLE = ("+", "-", "*", "//", "%")
"""Operators whose result is a whole number where the operands are."""


def _give_operators() -> None:
    def forward(op: str) -> Any:
        return lambda self, other, *rest: self._operate(op, self, other)

    def reflected(op: str) -> Any:
        return lambda self, other, *rest: self._operate(op, other, self)

    for name, op in OPERATORS.items():
        setattr(Tracer, f"__{name}__", forward(op))
        if LEVELS[op] > COMPARISON:  # comparisons are each other's reflection
            setattr(Tracer, f"__r{name}__", reflected(op))


_give_operators()


def _name(step: Step, frame: FrameType | None) -> None:
    """The name that the function has for a step: a local variable where it is read, no parameter."""
    if step.name is not None or step.plain or frame is None:
        return
    own = frame.f_code.co_varnames[: frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount]
    for name, value in frame.f_locals.items():
        if isinstance(value, Tracer) and value._step is step and name not in own and name.isidentifier():
            step.name = name
            return


def _is_whole(value: object) -> bool:
    """Whether it is a whole number that is known, or that sizes say."""
    if isinstance(value, Tracer):
        return value._step.whole
    return isinstance(value, int) and not isinstance(value, bool)


def _array_like(value: object) -> object:
    """A list of numbers as the array that NumPy makes of it."""
    import numpy as np

    if not isinstance(value, list | tuple):
        return value
    if any(isinstance(one, Tracer) for one in _flattened(value)):
        raise Unsupported("a list of arrays is no array here", None, "write np.stack([...])")
    return np.asarray(value)


def _flattened(value: Sequence[object]) -> Iterator[object]:
    for one in value:
        if isinstance(one, list | tuple):
            yield from _flattened(one)
        else:
            yield one


def _is_plain(item: object) -> bool:
    import numpy as np

    return item is None or item is Ellipsis or isinstance(item, slice | int | np.integer)


def _no_mask() -> Unsupported:
    return Unsupported(
        "the size of what a mask selects is not known while the function is traced",
        None,
        "write np.where(mask, x, 0), and divide by np.sum(mask) for a mean",
    )


def _as_slice(places: Any) -> str | None:
    """`0:5:2` for `[0, 2, 4]`: places at equal steps upwards; None for others."""
    if places.ndim != 1 or not places.size or places[0] < 0:
        return None
    steps = {int(b) - int(a) for a, b in pairwise(places)} or {1}
    if len(steps) > 1 or min(steps) <= 0:
        return None
    (step,) = steps
    stop = int(places[-1]) + 1
    return f"{int(places[0])}:{stop}" + (f":{step}" if step > 1 else "")
