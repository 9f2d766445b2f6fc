"""Arrays that record what is done to them, through NumPy's own protocols and Python's operators."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn, Self

from einsumdiff.errors import EinsumDiffError, NameFault, Unsupported
from einsumdiff.language.rows import fields, gives
from einsumdiff.language.table import load_table
from einsumdiff.tracing import brackets, functions
from einsumdiff.tracing.graph import ATOM, COMPARISON, LEVELS, SIGN, Step
from einsumdiff.tracing.places import at, place_of, users_frame
from einsumdiff.tracing.recorded import Recorded, array_like

if TYPE_CHECKING:
    pass

NO_NUMBER = (
    "float(), int(), math functions and storing into an array need a number: "
    "write np.sin(x) for math.sin(x), np.stack([...]) for a loop that stores"
)


class NoAttribute(NameFault, AttributeError):
    """An attribute that an array here does not have; `hasattr` understands it."""


class Tracer(Recorded):
    """An array that a traced function is called with, or has computed."""

    __slots__ = ()

    # -- NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        try:
            prefix, name = functions.ufunc_name(ufunc, method)
            if kwargs.get("out") is not None:
                raise Unsupported(
                    "an array of numbers cannot be changed in place here", None, "write a = a + b"
                )
            given = functions.plain_arguments([array_like(one) for one in inputs], kwargs)
            return self._apply(name, given, prefix)
        except EinsumDiffError as error:
            self._refuse(error)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        try:
            if function.__name__ in ("shape", "size", "ndim") and not args[1:] and not kwargs:
                return getattr(args[0], function.__name__)
            if function.__name__ == "astype":
                return args[0].astype(*args[1:], **kwargs)
            name = functions.function_name(function)
            row = functions.known_row(name)
            given = functions.arguments(function, row, args, kwargs)
            results = gives(row)
            if not results:
                return self._apply(name, given)
            found = [self._apply(one, given) for one in results]
            named = fields(row)
            return namedtuple(f"{name}_result", named)(*found) if named else tuple(found)
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
        """Numbers, and for other sizes text; one axis at a time where the rank is not known."""
        shape = self._recording.known(self._step)
        if shape is None:
            return UnknownShape(self)
        return tuple(size if isinstance(size, int) else self._axis_size(k) for k, size in enumerate(shape))

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
    def T(self) -> Self:
        return self._turned(".T")

    @property
    def mT(self) -> Self:
        return self._turned(".mT")

    def _turned(self, how: str) -> Self:
        step = self._step
        return self._record((self, ATOM), how, plain=step.plain, boolean=step.boolean, of=self)

    @property
    def real(self) -> Self:
        return self._apply("real", [(None, self)])

    @property
    def imag(self) -> Self:
        return self._apply("imag", [(None, self)])

    def copy(self, order: str = "K") -> Self:
        return type(self)(self._recording, self._step_of(self))

    def astype(self, dtype: Any, **how: Any) -> Self:
        import numpy as np

        if np.dtype(dtype).kind != "f":
            self._refuse(
                Unsupported(
                    f"astype({dtype!r}) is not followed", None, "use np.floor, np.round or a comparison"
                )
            )
        return self.copy()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or load_table().get(name) is None:
            if name.startswith("__"):
                raise AttributeError(name)
            raise at(
                place_of(users_frame()),
                NoAttribute(
                    f"an array here has no .{name}",
                    None,
                    "known are .T .mT .shape .size .ndim, and functions as methods: x.sum(axis=0); what "
                    "holds arrays is said in shapes=, by an example or a dictionary of shapes",
                ),
            )

        def method(*args: object, **kwargs: object) -> Any:
            if args and name in ("max", "min"):  # with its name, as in a text it has two readings
                kwargs = {"axis": args[0]} | kwargs
                args = args[1:]
            try:
                return self._apply(name, functions.plain_arguments((self, *args), kwargs))
            except EinsumDiffError as error:
                self._refuse(error)

        return method

    def __getitem__(self, items: object) -> Self:
        try:
            parts = brackets.items(items, self._place)
        except EinsumDiffError as error:
            self._refuse(error)
        found = self._record((self, ATOM), "[", *parts, "]", boolean=self._step.boolean, of=self)
        found._picked = brackets.picks(items)
        return found

    def _place(self, item: object) -> Step | None:
        """The step of an item in brackets that is traced; its shape decides what the bracket means."""
        if not isinstance(item, Recorded):
            return None
        step = self._step_of(item)
        if not step.boolean:
            self._recording.must_be_given(step)
        return step

    # -- operators

    def _changed(self, op: str, other: object) -> Self:
        """`a += b`: a new array under that name; the old one, which NumPy would have changed, is not to be
        read under another name. Numbers are not changed in place."""
        found = self._operate(op, self, other)
        fresh = self._picked or self._memory.own
        if not (fresh and self._recording.known(self._step) == ()):
            self._memory.changed = found._step.place
        return found

    def __pos__(self) -> Self:
        return self.copy()

    def __neg__(self) -> Self:
        return self._record("-", (self, SIGN), level=SIGN)

    def __invert__(self) -> Self:
        return self._record("~", (self, SIGN), level=SIGN, boolean=True)

    def __abs__(self) -> Self:
        return self._apply("abs", [(None, self)])

    def __round__(self, digits: int = 0) -> Self:
        return self._apply("round", [(None, self), *([(None, digits)] if digits else [])])

    def __divmod__(self, other: Any) -> tuple[Self, Self]:
        return self._operate("//", self, other), self._operate("%", self, other)

    def __rdivmod__(self, other: Any) -> tuple[Self, Self]:
        return self._operate("//", other, self), self._operate("%", other, self)

    __hash__ = object.__hash__


class UnknownShape:
    """The shape of an array whose rank is not known: only single axes can be asked for."""

    def __init__(self, array: Tracer) -> None:
        self._array = array

    def __getitem__(self, axis: object) -> Any:
        if not isinstance(axis, int):
            self._refuse()
        return self._array._axis_size(axis)

    def _refuse(self) -> NoReturn:
        self._array._recording.must_be_given(self._array._step)
        raise AssertionError("the shape is given")

    def _refused(self, *args: object) -> NoReturn:
        self._refuse()

    __len__ = __iter__ = __eq__ = __ne__ = _refused
    __hash__ = None  # type: ignore[assignment]


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


def _give_operators() -> None:
    def forward(op: str) -> Any:
        return lambda self, other, *rest: self._operate(op, self, other)

    def reflected(op: str) -> Any:
        return lambda self, other, *rest: self._operate(op, other, self)

    def in_place(op: str) -> Any:
        return lambda self, other: self._changed(op, other)

    for name, op in OPERATORS.items():
        setattr(Tracer, f"__{name}__", forward(op))
        if LEVELS[op] > COMPARISON:  # comparisons are each other's reflection
            setattr(Tracer, f"__r{name}__", reflected(op))
            setattr(Tracer, f"__i{name}__", in_place(op))


_give_operators()
