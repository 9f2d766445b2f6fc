"""A call's arguments: which parameter of the row each one is for."""

from __future__ import annotations

import re

from einsumdiff.errors import NameFault, Span, Unsupported, ValueFault, nearest
from einsumdiff.language import tree
from einsumdiff.language.rows import Definition, Form, Function, NamedNumber, Operation, Parameter, option
from einsumdiff.language.table import load_table

HOW_TO_ADD = "a function is added by one row of the rule language, or register"


def parameters(row: Function | Definition | Form | Operation) -> tuple[Parameter, ...]:
    """The parameters of a row; of the first case where there are several."""
    return row.cases[0].parameters if isinstance(row, Definition) else row.parameters


def array_parameters(row: Definition | Form | Operation) -> set[str]:
    """The names of the parameters that take arrays: those with brackets, and scalars of `def` rows."""
    static = {"axis", "keepdims"} if isinstance(row, Definition) else set()
    listed = row.options[row.options.index("arrays") + 1 :] if "arrays" in row.options else ()
    return {
        p.name
        for p in parameters(row)
        if p.pattern is not None or p.name in listed or (isinstance(row, Definition) and p.name not in static)
    }


MODULES = re.compile(r"((\w+\.)*(numpy|scipy)(\.(linalg|special|lib))?|math|special|linalg|jax(\.nn)?)?")
"""Modules whose functions mean what they mean here; those of others have other defaults."""


def check_module(node: tree.Apply) -> None:
    """Refuse a function of a module that is not known, or whose defaults are not ours."""
    if not MODULES.fullmatch(node.prefix):
        raise Unsupported(
            f"{node.prefix}.{node.function} is of a module that is not known here",
            node.span,
            f"write np.{node.function} if that is what it means",
        )
    if node.prefix == "jax.nn" and node.function == "gelu" and len(node.args) + len(node.keywords) < 2:
        raise Unsupported(
            "gelu is exact here, and approximate=True is JAX's default", node.span, "write approximate="
        )


INSTEAD = {"r_": "write concatenate((a, b))", "c_": "write column_stack((a, b))"}


def check_constant(name: tree.Name) -> None:
    """Refuse `np.foo` that is no constant: it is no input of the program, whatever it is to NumPy."""
    row = load_table().get(name.name)
    if isinstance(row, NamedNumber):
        return
    if row is not None:
        raise NameFault(
            f"{name.prefix}.{name.name} is a function, and stands here without a call",
            name.span,
            f"call it, np.{name.name}(...)",
        )
    constants = [row.name for row in load_table().rows() if isinstance(row, NamedNumber)]
    hint = INSTEAD.get(name.name, f"constants are {', '.join(constants)}, newaxis; a function is called")
    raise NameFault(f"{name.prefix}.{name.name} is no constant that is known", name.span, hint)


def bind(
    row: Function | Definition | Form | Operation, node: tree.Apply
) -> dict[str, tree.Tree | list[tree.Tree]]:
    """What a call gives to each parameter, in the order of the parameters; defaults filled in."""
    places = parameters(row)
    given: dict[str, tree.Tree | list[tree.Tree]] = {}
    rest = list(node.args)
    for parameter in places:
        if parameter.variadic:
            given[parameter.name], rest = rest, []
        elif rest:
            given[parameter.name] = rest.pop(0)
    if rest:
        counted = "1 argument" if len(places) == 1 else f"{len(places)} arguments"
        raise ValueFault(
            f"{node.function} takes at most {counted}",
            rest[0].span,
            f"its parameters are {signature(row)}{_or_module(node)}",
        )
    for name, value in node.keywords:
        known = next((p for p in places if name == p.name or name in p.others), None)
        span = _keyword_span(name, value.span)
        if known is None:
            near = nearest(name, [one for p in places for one in (p.name, *p.others)])
            hint = f"did you mean {' or '.join(near)}?" if near else f"its parameters are {signature(row)}"
            raise NameFault(f"{node.function} has no argument {name}", span, hint)
        if known.name in given and given[known.name] != []:
            raise ValueFault(f"{name} is given twice, by position and by name", span, "give it once")
        given[known.name] = [value] if known.variadic else value
    for parameter in places:
        if parameter.name in given:
            continue
        if parameter.default is None:
            raise ValueFault(
                f"{node.function} lacks its argument {parameter.name}",
                node.span,
                f"its parameters are {signature(row)}",
            )
        given[parameter.name] = parameter.default
    return {parameter.name: given[parameter.name] for parameter in places}


def _keyword_span(name: str, value: Span) -> Span:
    """Where the keyword of an argument stands: before its value, with = and brackets between."""
    start = value.text.rfind(name, 0, value.start)
    return value if start < 0 else Span(start, start + len(name), value.text)


def method(node: tree.Apply) -> bool:
    """Whether a call is typed behind its first argument: `x.sum()`."""
    return bool(node.args) and node.args[0].span.start < node.name_span.start


def _or_module(node: tree.Apply) -> str:
    """What to do where the name before the dot was meant for a module."""
    if not method(node) or not isinstance(node.args[0], tree.Name):
        return ""
    name = node.args[0].name
    return f"; {name} is read as an array: if it is a module, keep its import line, or leave it out"


def no_number(node: tree.Apply, parameter: str, value: tree.Tree) -> ValueFault:
    """An axis or an order that is no number."""
    source = value.span.source
    hint = f"{parameter}={1 if parameter == 'axis' else 2}{_or_module(node)}"
    if node.function in ("max", "min") and parameter == "axis":
        first = node.args[0].span.source if node.args else "x"
        hint = f"entry by entry write {node.function}imum({first}, {source})"
    return ValueFault(
        f"{parameter} is a number that is known when the text is read, and {source} is none", value.span, hint
    )


def signature(row: Function | Definition | Form | Operation) -> str:
    """`x, axis=None, keepdims=False`."""
    return ", ".join(
        ("*" * p.variadic) + p.name + (f"={p.default.span.source}" if p.default is not None else "")
        for p in parameters(row)
    )


def unknown_function(node: tree.Apply, array: bool = False) -> NameFault:
    """A call of what is no function; `array`: the program knows the name as an array."""
    items = ",".join(arg.span.source for arg in node.args)
    near_row = bool(load_table().nearest(node.function))
    if array or (len(node.function) == 1 and not near_row and not node.prefix):
        return NameFault(
            f"{node.function} is {'an array, and' if array else 'no function that is known, and'} is called",
            node.span,
            f"an entry is written with brackets: {node.function}[{items or 'i'}]",
        )
    near = load_table().nearest(node.function)
    mean = f"did you mean {' or '.join(near)}? " if near else ""
    return NameFault(f"{node.function} is no function that is known", node.name_span, mean + HOW_TO_ADD)


def option_text(row: Form) -> str:
    """What to do instead of a function that is planned."""
    instead, outside = option(row, "use"), option(row, "outside")
    if outside:
        return f"find the places outside, k = np.{outside}(x), and gather them: x[k]"
    return f"use {instead}, or index notation" if instead else "say it in index notation: Z[i,j] = ..."
