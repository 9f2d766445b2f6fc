"""From a Python function to the text of its program."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, SupportsIndex

from einsumdiff.errors import EinsumDiffError, NameFault, Unsupported, ValueFault, nearest
from einsumdiff.language.rows import NamedNumber
from einsumdiff.language.table import load_table
from einsumdiff.packing import Fixed, Group, Leaf, Packing, Template, with_parts
from einsumdiff.packing import is_dataclass as is_instance
from einsumdiff.tracing import constants
from einsumdiff.tracing.graph import RESERVED, Step, Text, written
from einsumdiff.tracing.places import Place, at
from einsumdiff.tracing.recording import Recording, at_step
from einsumdiff.tracing.tracer import Tracer


@dataclass(frozen=True, slots=True)
class Traced:
    """A function as a program: what `derive` takes for text.

    Attributes
    ----------
    text : the program and where its parts come from.
    wrt : the inputs that were asked for.
    """

    text: Text
    shapes: Mapping[str, object]
    wrt: str | tuple[str, ...]
    packing: Packing

    def at_source(self, error: EinsumDiffError) -> EinsumDiffError:
        """An error of the program, at the line of the function."""
        return at_step(self.text, error)


def trace(
    function: Callable[..., Any],
    wrt: object,
    shapes: Mapping[str, object] | None,
    output: object,
) -> Traced:
    """Call the function with arrays that record what is done to them.

    Parameters
    ----------
    wrt : names or dotted paths: `"x"`, `"m.W"`, `"m"` for all arrays in it.
    shapes : as for text; a mapping, a list of shapes or an example for an argument that holds arrays.
    output : which of several results is meant: a key of the dictionary or a place in the tuple.

    Raises
    ------
    EinsumDiffError : at the line of the function that cannot be followed.
    """
    given = dict(shapes or {})
    if shapes is not None and not isinstance(shapes, Mapping):
        raise ValueFault(f"shapes= is a mapping by name, not {shapes!r}", None, 'write {"W": ("m", "n")}')
    asked = [wrt] if isinstance(wrt, str) else wrt
    if not isinstance(asked, Sequence) or not asked or not all(isinstance(one, str) for one in asked):
        raise ValueFault(f"wrt is a name or several, not {wrt!r}", None, 'write wrt="W" or wrt=["W", "b"]')
    arguments = _Arguments(function, given, [one.split(".")[0] for one in asked])
    packing = Packing(tuple((name, one.template) for name, one in arguments.all.items()))
    wanted = list(dict.fromkeys(name for one in asked for name in packing.names(one)))
    if isinstance(wrt, str):
        plain = packing.names(wrt) == [packing.inputs.get(wrt, wrt)]
    else:
        plain = all(packing.names(one) == [one] for one in asked)
    if not plain:
        packing = Packing(packing.parameters, tuple(asked), isinstance(wrt, str))
    recording = Recording(arguments.shapes)
    result = arguments.call(recording)
    step = _output(result, output, recording, function)
    called = output if isinstance(output, str) and output.isidentifier() else None
    text = written(step, recording.taken, called)
    used = {one for _, _, read in text.stretches for one in [read] if one.plain}
    read = {name for name, one in recording.inputs.items() if one in used}
    unread = [name for name in wanted if name not in read]
    if unread:
        text = _declared(text, unread, recording)
    kept = {name: one for name, one in arguments.shapes.items() if name in read}
    single = isinstance(wrt, str) and plain
    return Traced(text, kept, wanted[0] if single else tuple(wanted), packing)


def _declared(text: Text, unread: Sequence[str], recording: Recording) -> Text:
    """The program with inputs that it does not read."""
    lines = []
    for name in unread:
        recording.must_be_given(recording.inputs[name])
        shape = recording.shape(recording.inputs[name])
        lines.append(f"{name}: ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})\n")
    first = "".join(lines)
    moved = tuple((start + len(first), stop + len(first), step) for start, stop, step in text.stretches)
    return Text(first + text.text, moved)


# ------------------------------------------------------------------------------------------- the arguments


@dataclass(frozen=True, slots=True)
class _Argument:
    """What a parameter is made of, and how to make it of arrays that record."""

    template: Template
    prototype: object


class _Arguments:
    """The parameters of a function, with a plain input for each array in them."""

    def __init__(self, function: Callable[..., Any], shapes: dict[str, object], wrt: Sequence[str]) -> None:
        self.function = function
        self._taken: set[str] = set()
        self._parameters = _parameters(function)
        unknown = [name for name in shapes if name not in self._parameters]
        if unknown:
            near = nearest(unknown[0], self._parameters)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(self._parameters)}"
            raise NameFault(f"shapes= names {unknown[0]}, and the function has no such parameter", None, hint)
        self._taken.update(self._parameters)
        self._taken.update(_size_names(shapes))
        self.shapes: dict[str, object] = {}
        self.all: dict[str, _Argument] = {}
        for name, parameter in self._parameters.items():
            self.all[name] = self._argument(name, parameter, shapes, name in wrt)

    def _argument(
        self, name: str, parameter: inspect.Parameter, shapes: Mapping[str, object], wanted: bool
    ) -> _Argument:
        default = parameter.default
        if name in shapes:
            prototype = shapes[name]
            if isinstance(prototype, Mapping):
                prototype = _filled(parameter, prototype)
            return _Argument(self._template(name, prototype), prototype)
        if default is parameter.empty:
            return _Argument(Leaf(self._input(name, None)), None)
        if wanted and isinstance(default, float | int) and not isinstance(default, bool):
            return _Argument(Leaf(self._input(name, ())), ())
        if hasattr(default, "shape") or is_instance(default) or isinstance(default, Mapping):
            return _Argument(self._template(name, default), default)
        return _Argument(Fixed(default), default)

    def _template(self, path: str, prototype: Any) -> Template:
        """What an example or its shapes say; `path` is dotted."""
        if hasattr(prototype, "shape"):
            return Leaf(self._input(path, tuple(prototype.shape)))
        if is_instance(prototype):
            return Group(
                tuple(
                    (one.name, self._field(f"{path}.{one.name}", getattr(prototype, one.name)))
                    for one in fields(prototype)
                )
            )
        if isinstance(prototype, Mapping):
            example = any(hasattr(one, "shape") for one in prototype.values())
            made = self._field if example else self._template
            return Group(tuple((key, made(f"{path}.{key}", one)) for key, one in prototype.items()))
        if hasattr(prototype, "_fields"):
            parts = prototype._asdict().items()
            return Group(tuple((key, self._field(f"{path}.{key}", one)) for key, one in parts))
        if isinstance(prototype, tuple | list) and not _is_shape(prototype):
            made = self._field if any(hasattr(one, "shape") for one in prototype) else self._template
            return Group(tuple((k, made(f"{path}.{k}", one)) for k, one in enumerate(prototype)))
        return Leaf(self._input(path, () if isinstance(prototype, float) else prototype))

    def _field(self, path: str, value: Any) -> Template:
        """A field of an example: arrays and real numbers are inputs, the rest stays as it is."""
        if isinstance(value, _Shape):
            return self._template(path, value.says)
        parts = is_instance(value) or isinstance(value, Mapping)
        listed = isinstance(value, tuple | list) and bool(value) and not _is_shape(value)
        if hasattr(value, "shape") or isinstance(value, float) or parts or listed:
            return self._template(path, value)
        if isinstance(value, tuple | list) and value and all(isinstance(one, float) for one in value):
            return self._template(path, value)
        return Fixed(value)

    def _input(self, path: str, shape: object) -> str:
        """A plain name for an array, and its shape."""
        name = "".join(c if c.isalnum() else "_" for c in path)
        if "." in path or not name.isidentifier() or name in RESERVED:
            base, k = name, 1
            while name in self._taken or name in RESERVED or not name.isidentifier():
                name, k = f"{base}{k}" if base not in RESERVED else f"{base}_{k}", k + 1
        self._taken.add(name)
        if shape is not None:
            self.shapes[name] = shape
        elif isinstance(load_table().get(name), NamedNumber):
            raise ValueFault(
                f"{name} is also the name of a constant",
                None,
                f'give its shape, so that it is an array: shapes={{"{name}": ...}}',
            )
        return name

    def call(self, recording: Recording) -> object:
        """The function's result for arrays that record."""
        for one in self.all.values():
            for name in _inputs(one.template):
                recording.input(name)
        args, kwargs = [], {}
        for name, parameter in self._parameters.items():
            value = _traced(self.all[name].template, self.all[name].prototype, recording)
            if parameter.kind is parameter.KEYWORD_ONLY:
                kwargs[name] = value
            else:
                args.append(value)
        try:
            return self.function(*args, **kwargs)
        except EinsumDiffError:
            raise
        except Exception as error:
            fault = _refusal(error)
            if fault is None:
                raise
            raise fault from error


def _refusal(error: BaseException) -> EinsumDiffError | None:
    """The refusal below an error that NumPy made of it."""
    while not isinstance(error, EinsumDiffError):
        below = error.__cause__ or error.__context__
        if below is None:
            return None
        error = below
    return error


class Record(dict[Any, Any]):
    """A mapping of shapes stands for a dataclass too: its parts are attributes as well."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True, slots=True)
class _Shape:
    """What shapes= says of a field of a dataclass, in an instance that stands for an example."""

    says: object


def _traced(template: Template, prototype: Any, recording: Recording) -> Any:
    match template:
        case Leaf(name):
            return Tracer(recording, recording.inputs[name])
        case Fixed(value):
            return value
        case Group(parts):
            made = {key: _traced(part, _of(prototype, key), recording) for key, part in parts}
            return Record(made) if isinstance(prototype, Mapping) else with_parts(prototype, made)


def _of(prototype: Any, key: str | int) -> Any:
    if is_instance(prototype):
        value = getattr(prototype, str(key))
        return value.says if isinstance(value, _Shape) else value
    return getattr(prototype, str(key)) if hasattr(prototype, "_fields") else prototype[key]


def _inputs(template: Template) -> Iterator[str]:
    match template:
        case Leaf(name):
            yield name
        case Group(parts):
            for _, part in parts:
                yield from _inputs(part)


def _is_shape(value: Sequence[object]) -> bool:
    """Whether it is one shape, and no list of arrays or of shapes."""
    return all(isinstance(one, str | SupportsIndex) and not hasattr(one, "shape") for one in value)


def _size_names(shapes: object) -> Iterator[str]:
    """Every word in shapes, so that no input gets the name of a size."""
    if isinstance(shapes, str):
        yield from "".join(c if c.isalnum() or c == "_" else " " for c in shapes).split()
    elif isinstance(shapes, Mapping):
        for one in shapes.values():
            yield from _size_names(one)
    elif isinstance(shapes, tuple | list):
        for one in shapes:
            yield from _size_names(one)


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        try:
            found = dict(inspect.signature(function, eval_str=True).parameters)
        except NameError:  # annotations that name what is not there at run time
            found = dict(inspect.signature(function).parameters)
    except (ValueError, TypeError):
        raise Unsupported(
            f"the parameters of {function!r} are not known", None, "wrap it: lambda x: f(x)"
        ) from None
    for name, parameter in found.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise Unsupported(
                f"the parameter *{name} has no names for its arrays",
                None,
                "write the parameters out, or pass a list",
            )
    return found


def _filled(parameter: inspect.Parameter, parts: Mapping[Any, Any]) -> Any:
    """An example for a mapping of shapes: of the dataclass that the parameter is annotated with, if any."""
    kind = parameter.annotation
    if not (isinstance(kind, type) and is_dataclass(kind)):
        return parts
    example = object.__new__(kind)
    for one in fields(kind):
        if one.name in parts:
            value: object = _Shape(parts[one.name])
        elif one.default is not MISSING:
            value = one.default
        elif one.default_factory is not MISSING:
            value = one.default_factory()
        else:
            raise ValueFault(
                f"shapes= has no {parameter.name}.{one.name}", None, f"{kind.__name__} has no default for it"
            )
        object.__setattr__(example, one.name, value)
    extra = [key for key in parts if key not in {one.name for one in fields(kind)}]
    if extra:
        raise NameFault(f"{kind.__name__} has no field {extra[0]}")
    return example


# --------------------------------------------------------------------------------------------- the result


def _output(result: object, output: object, recording: Recording, function: Callable[..., Any]) -> Step:
    """The result that is meant, as a step."""
    import numpy as np

    place = _header(function)
    if isinstance(result, Mapping | tuple | list):
        several: dict[object, object] = dict(result if isinstance(result, Mapping) else enumerate(result))
        keys = list(several)
        if output is None:
            raise at(
                place,
                Unsupported(
                    f"the function returns {len(keys)} values",
                    None,
                    f"say which one is meant: output={' or output='.join(map(repr, keys))}",
                ),
            )
        if output not in keys:
            raise ValueFault(f"output={output!r} is no result of the function", None, f"it has {keys}")
        result = several[output]
    elif output is not None:
        raise ValueFault("output= is for functions that return several values", None, "leave it out")
    if isinstance(result, Tracer):
        try:
            return recording.step_of(result)
        except EinsumDiffError as error:
            raise at(place, error) from None
    found = constants.scalar(result)
    if found is None and isinstance(result, np.ndarray):
        found = recording.constant(result)
    if found is None:
        raise at(
            place,
            Unsupported(
                f"the function returns {type(result).__name__}, which is no array",
                None,
                "return the array or number whose derivative is meant",
            ),
        )
    return found


def _header(function: Callable[..., Any]) -> Place | None:
    """The line where the function begins."""
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else Place(code, 0, code.co_firstlineno)
