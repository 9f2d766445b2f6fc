"""A call's arguments: which parameter of the row each one is for."""

from __future__ import annotations

import re

from einsumdiff.errors import NameFault, Span, Unsupported, ValueFault, nearest
from einsumdiff.language import tree
from einsumdiff.language.rows import Definition, Form, Function, Operation, Parameter, option
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
        raise ValueFault(
            f"{node.function} takes at most {len(places)} arguments",
            rest[0].span,
            f"its parameters are {signature(row)}",
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
