"""Arguments that hold arrays: a dataclass, a mapping or a sequence as plain inputs, and back.

    m.W, m.b, layers.0.W  ->  m_W, m_b, layers_0_W

A leaf is an input of the program with a plain name; the dotted path is what a user writes in `wrt`.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from einsumdiff.errors import NameFault, ValueFault, nearest


@dataclass(frozen=True, slots=True)
class Leaf:
    """One array: the input of that name."""

    input: str


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that the program was made with: another one would be another program."""

    value: object


@dataclass(frozen=True, slots=True)
class Group:
    """Parts by key: the fields of a dataclass, the keys of a mapping, the places of a sequence."""

    parts: tuple[tuple[str | int, Template], ...]


Template = Leaf | Fixed | Group


@dataclass(frozen=True, slots=True)
class Packing:
    """How the arguments of a function become the inputs of its program.

    Attributes
    ----------
    parameters : the function's parameters in order.
    wrt : the paths that were asked for where one of them is a group, else nothing.
    single : whether one path was asked for, so that its gradients come back without a dictionary.
    """

    parameters: tuple[tuple[str, Template], ...]
    wrt: tuple[str, ...] = ()
    single: bool = False

    @property
    def inputs(self) -> dict[str, str]:
        """The input for the path of each leaf, in the order of the parameters."""
        return {path: leaf.input for name, one in self.parameters for path, leaf in leaves(one, name)}

    def plainly(self, inputs: Sequence[str]) -> bool:
        """Whether every parameter is the input of its name, in order: nothing is packed."""
        plain = tuple((name, Leaf(name)) for name in inputs)
        return not self.wrt and self.parameters == plain

    def names(self, wrt: str) -> list[str]:
        """The inputs that a name in `wrt` means: an input, a path of one, or of a group of them."""
        inputs = self.inputs
        found = [name for path, name in inputs.items() if path == wrt or path.startswith(f"{wrt}.")]
        if not found and wrt not in inputs.values():
            fixed = self._fixed(wrt)
            if fixed is not None:
                raise ValueFault(
                    f"{wrt} is no array: the function was called with {fixed.value!r}",
                    None,
                    f'give it a shape: shapes={{"{wrt}": ...}}' if "." not in wrt else None,
                )
            near = nearest(wrt, [*inputs, *dict(self.parameters)])
            head = wrt.partition(".")[0]
            if head in inputs and head != wrt:
                raise NameFault(
                    f"{head} is one array here, without parts",
                    None,
                    f'say what it holds: shapes={{"{head}": ...}} with an example or a dictionary of shapes',
                )
            if wrt in dict(self.parameters):
                raise ValueFault(
                    f"{wrt} holds no array",
                    None,
                    f'say what it holds: shapes={{"{wrt}": ...}} with an example or a dictionary of shapes',
                )
            hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(inputs)}"
            raise NameFault(f"{wrt} is no argument of the function", None, hint)
        return found or [wrt]

    def plain(self, wrt: str | Sequence[str]) -> str | list[str]:
        """A wrt in names of inputs; several where it is one name that means several."""
        if isinstance(wrt, str):
            found = self.names(wrt)
            return found[0] if self.inputs.get(wrt, wrt) == found[0] else found
        return list(dict.fromkeys(name for one in wrt for name in self.names(one)))

    def at(self, path: str) -> Template | None:
        """What is at a path, if there is anything."""
        return _at(self.parameters, path)

    def _fixed(self, path: str) -> Fixed | None:
        template = self.at(path)
        return template if isinstance(template, Fixed) else None

    def flat(
        self, args: Sequence[object], kwargs: Mapping[str, object], known: Sequence[str]
    ) -> dict[str, object]:
        """The arguments of a call by input; what is no input of the program is checked and left out."""
        order = [name for name, _ in self.parameters]
        if len(args) > len(order):
            raise ValueFault(
                f"{len(args)} arguments are given, the function takes {len(order)}",
                None,
                f"pass {', '.join(order)}",
            )
        given = dict(zip(order, args, strict=False))
        inputs = set(self.inputs.values())
        found: dict[str, object] = {}
        for name, value in kwargs.items():
            if name in given:
                raise ValueFault(f"{name} is given twice, by position and by name", None, "give it once")
            if name in order:
                given[name] = value
            elif name in inputs:
                found[name] = value
            else:
                near = nearest(name, order)
                hint = f"did you mean {' or '.join(near)}?" if near else f"it takes {', '.join(order)}"
                raise NameFault(f"{name} is no argument of the function", None, hint)
        templates = dict(self.parameters)
        for name, value in given.items():
            for leaf, one in _flat(templates[name], value, name):
                if leaf in found:
                    raise ValueFault(f"{leaf} is given twice", None, f"it is part of {name}")
                found[leaf] = one
        return {name: value for name, value in found.items() if name in known}

    def packed(
        self, found: Mapping[str, object], args: Sequence[object], kwargs: Mapping[str, object]
    ) -> object:
        """Results by input in the shapes of the arguments that they belong to."""
        given = {**dict(zip(dict(self.parameters), args, strict=False)), **kwargs}
        results: dict[str, object] = {}
        for path in self.wrt:
            head, *rest = path.split(".")
            template: Template | None = dict(self.parameters).get(head)
            prototype = given.get(head)
            if template is None:  # an input by its plain name
                results[path] = found[path]
                continue
            for key in rest:
                template = _part(template, key)
                prototype = None if prototype is None else _value(prototype, key)
            assert template is not None
            results[path] = _packed(template, found, prototype)
        return results[self.wrt[0]] if self.single else results


def leaves(template: Template, path: str) -> Iterator[tuple[str, Leaf]]:
    """The leaves with their paths, in order."""
    match template:
        case Leaf():
            yield path, template
        case Group(parts):
            for key, part in parts:
                yield from leaves(part, f"{path}.{key}")
        case Fixed():
            pass
        case _:
            assert_never(template)


def renamed(template: Template, names: Mapping[str, str]) -> Template:
    """The template with other inputs for its leaves."""
    match template:
        case Leaf(name):
            return Leaf(names.get(name, name))
        case Group(parts):
            return Group(tuple((key, renamed(part, names)) for key, part in parts))
        case Fixed():
            return template
        case _:
            assert_never(template)


def is_dataclass(value: object) -> bool:
    """Whether it is an instance of a dataclass."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def with_parts(prototype: Any, parts: Mapping[str | int, object]) -> Any:
    """A value of the prototype's type with these parts.

    Dataclasses are copied without running their `__init__`, which may check what the parts are not.
    """
    if is_dataclass(prototype):
        made = copy.copy(prototype)
        for key, part in parts.items():
            object.__setattr__(made, str(key), part)
        return made
    if hasattr(prototype, "_fields"):
        return prototype._replace(**{str(key): part for key, part in parts.items()})
    if isinstance(prototype, Sequence):
        items = [parts.get(k, one) for k, one in enumerate(prototype)]
        return tuple(items) if isinstance(prototype, tuple) else items
    return dict(parts)


def _at(parameters: Sequence[tuple[str, Template]], path: str) -> Template | None:
    head, *rest = path.split(".")
    template = dict(parameters).get(head)
    for key in rest:
        template = _part(template, key)
    return template


def _part(template: Template | None, key: str) -> Template | None:
    if not isinstance(template, Group):
        return None
    return next((part for name, part in template.parts if str(name) == key), None)


def _value(value: Any, key: str | int) -> Any:
    """The part of an argument with that key; `KeyError` and the like where there is none."""
    if isinstance(value, Mapping):
        return value[key] if key in value else value[int(key)]
    if hasattr(value, "_fields"):
        return value[int(key)] if str(key).isdigit() else getattr(value, str(key))
    if isinstance(value, Sequence) or (hasattr(value, "__getitem__") and not is_dataclass(value)):
        return value[int(key)]
    return getattr(value, str(key))


def _flat(template: Template, value: Any, path: str) -> Iterator[tuple[str, object]]:
    match template:
        case Leaf(name):
            yield name, value
        case Fixed(fixed):
            if not _equal(value, fixed):
                raise ValueFault(
                    f"{path} is {value!r}, and the derivative was made with {fixed!r}",
                    None,
                    f'derive it again, or make it an input: shapes={{"{path}": ()}}'
                    if isinstance(fixed, float | int) and not isinstance(fixed, bool) and "." not in path
                    else "derive it again with that value",
                )
        case Group(parts):
            if isinstance(value, Mapping):
                extra = [key for key in value if key not in dict(parts)]
                if extra:
                    raise NameFault(
                        f"{path} has no part {extra[0]!r}",
                        None,
                        f"it has {', '.join(str(k) for k, _ in parts)}",
                    )
            elif isinstance(value, Sequence) and len(value) != len(parts):
                raise ValueFault(f"{path} has {len(value)} parts, expected {len(parts)}")
            for key, part in parts:
                if isinstance(part, Fixed) and isinstance(value, Mapping) and key not in value:
                    continue
                try:
                    one = _value(value, key)
                except (KeyError, IndexError, AttributeError, ValueError, TypeError):
                    raise ValueFault(
                        f"{path}.{key} is missing",
                        None,
                        f"{path} has the parts {', '.join(str(k) for k, _ in parts)}",
                    ) from None
                yield from _flat(part, one, f"{path}.{key}")
        case _:
            assert_never(template)


def _equal(a: object, b: object) -> bool:
    if a is b:
        return True
    try:
        same_kind = type(a) is type(b) or (_is_number(a) and _is_number(b))
        return same_kind and bool(a == b)
    except Exception:  # arrays and the like have no truth
        return False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _packed(template: Template, found: Mapping[str, object], prototype: Any) -> object:
    match template:
        case Leaf(name):
            return found[name]
        case Fixed(value):
            return value
        case Group(parts):
            given = [k for k, _ in parts if not isinstance(prototype, Mapping) or k in prototype]
            made = {
                key: _packed(part, found, None if prototype is None else _value(prototype, key))
                for key, part in parts
                if key in given
            }
            if prototype is not None:
                return with_parts(prototype, made)
            if parts and all(isinstance(key, int) for key in made):
                return list(made.values())
            return made
        case _:
            assert_never(template)
