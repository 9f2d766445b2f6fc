"""NumPy's functions as rows of the table: the row of that name, and what each argument is to it.

There is no list of functions here. A row is meant where NumPy's function is the one that the row's name
means in a program: `np.sum`, `np.linalg.inv`, `scipy.special.erf`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from einsumdiff.errors import NameFault, Unsupported
from einsumdiff.indexing.calls import HOW_TO_ADD, array_parameters, option_text, parameters
from einsumdiff.language import tree
from einsumdiff.language.rows import Definition, Form, Function, NamedNumber, Operation, option
from einsumdiff.language.table import load_table

Row = Function | Definition | Form | Operation
Argument = tuple[str | None, object]
"""A value, with its name where it is given by name."""

NEUTRAL = {
    "casting",
    "check_finite",
    "copy",
    "like",
    "optimize",
    "overwrite_a",
    "overwrite_b",
    "subok",
}
"""Arguments that say how NumPy computes or stores, and not what."""


def known_row(name: str) -> Row:
    """The row of a function; raises what the text would raise for one that is not known."""
    table = load_table()
    row = table.get(name)
    if row is None or isinstance(row, NamedNumber):
        near = table.nearest(name)
        mean = f"did you mean {' or '.join(near)}? " if near else ""
        raise NameFault(f"{name} is no function that is known", None, mean + HOW_TO_ADD)
    if isinstance(row, Form) and option(row, "planned") is not None:
        raise Unsupported(f"{name} is not known yet", None, option_text(row))
    return row


def ufunc_name(ufunc: Any, method: str) -> tuple[str, str]:
    """The prefix and the name in a program of a ufunc of NumPy or SciPy."""
    import numpy as np

    name = str(ufunc.__name__)
    if method != "__call__":
        raise Unsupported(
            f"np.{name}.{method} is not followed", None, "use the function itself: np.sum for np.add.reduce"
        )
    special = sys.modules.get("scipy.special")
    if getattr(np, name, None) is ufunc:
        return "", name
    if special is not None and getattr(special, name, None) is ufunc:
        return "scipy.special.", name
    raise Unsupported(f"{name} is no ufunc of NumPy or scipy.special", None, HOW_TO_ADD)


def function_name(function: Any) -> str:
    """The name in a program of a function of NumPy.

    Where `np` and `np.linalg` have different functions of one name, the program's is the one in `np`.
    """
    import numpy as np

    name, module = str(function.__name__), str(function.__module__)
    if getattr(np, name, None) is function:
        return name
    if module == "numpy.linalg" and getattr(np.linalg, name, None) is function:
        if not hasattr(np, name):
            return name
        own = f"numpy_linalg_{name}"
        if own in load_table():
            return own
        raise Unsupported(
            f"np.linalg.{name} is not followed, where np.{name} is",
            None,
            f"write np.{name} if it says the same",
        )
    raise Unsupported(f"{module}.{name} is not followed", None, "write it in functions that are known")


def operator_of(row: Row) -> str:
    """The operator for a row: `@`, `<`, and `+` for `def add(x, y) = x + y`; "" where there is none."""
    if isinstance(row, Function | Definition) and row.operator:
        return row.operator
    if isinstance(row, Definition) and row.cases[0].axes is None:
        names = tuple(p.name for p in row.cases[0].parameters)
        match row.cases[0].value:
            case tree.Binary(op=op, left=tree.Name(name=a), right=tree.Name(name=b)) if names == (a, b):
                return op
            case tree.Unary(op=op, operand=tree.Name(name=a)) if names == (a,):
                return op
    return ""


def may_be_view(row: Row) -> bool:
    """Whether NumPy's result may share the memory of an argument: where the row only moves entries."""
    match row:
        case Form():
            return True
        case Definition(cases=cases):
            return any(isinstance(case.value, tree.Subscript) for case in cases)
        case _:
            return False


def arguments(
    function: Callable[..., Any], row: Row, args: Sequence[object], kwargs: Mapping[str, object]
) -> list[Argument]:
    """What the row is given, as NumPy's own signature says it; defaults that were given are left out."""
    try:
        signature = inspect.signature(function)
        bound = signature.bind(*args, **kwargs)
    except (ValueError, TypeError):  # NumPy does not tell it
        return [*((None, one) for one in args), *_kept(kwargs.items())]
    places = parameters(row)
    theirs = set(signature.parameters)
    found: list[Argument] = []
    for k, (name, value) in enumerate(bound.arguments.items()):
        parameter = signature.parameters[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            found += [(None, one) for one in value]
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            found += _kept(value.items())
            continue
        if _same(value, parameter.default) or not _kept([(name, value)]):
            continue
        k = list(signature.parameters).index(name)
        own = places[k] if k < len(places) else None
        renamed = own is not None and own.name not in theirs
        if renamed and value is None and isinstance(row, Function):  # np.clip(x, None, 1)
            continue
        positional = len(found) == k and all(given is None for given, _ in found)
        if own is not None and positional and (renamed or own.variadic or _is_array(own.name, name, row)):
            found.append((None, value))
        else:
            found.append((own.name if own is not None and renamed else name, value))
    return found


def _is_array(own: str, name: str, row: Row) -> bool:
    """Whether both have an array at that place, so that it needs no name."""
    return own == name and (isinstance(row, Function) or own in array_parameters(row))


def plain_arguments(args: Sequence[object], kwargs: Mapping[str, object]) -> list[Argument]:
    """The arguments of a method or a ufunc, as given."""
    return [*((None, one) for one in args), *_kept(kwargs.items())]


def _kept(items: Any) -> list[Argument]:
    """Without what changes no value."""
    return [(name, value) for name, value in items if name not in NEUTRAL and not _floating(name, value)]


def _floating(name: str, value: object) -> bool:
    """Whether it asks for floating-point numbers, which there are anyway."""
    import numpy as np

    if name != "dtype":
        return False
    try:
        return value is None or np.dtype(value).kind == "f"  # type: ignore[call-overload]
    except TypeError:
        return False


def _same(value: object, default: object) -> bool:
    if value is default:
        return True
    plain = (bool, int, float, str)
    return isinstance(value, plain) and type(value) is type(default) and value == default
