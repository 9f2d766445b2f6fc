"""What can be wrong with a row that reads well: names, arguments, circles, spellings that NumPy lacks.

The table calls this for all rows at once: a test for those of `rules/`, `register` for a user's.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from einsumdiff.errors import NameFault, Span, SyntaxFault, ValueFault, nearest
from einsumdiff.language import tree
from einsumdiff.language.rows import (
    Alias,
    Definition,
    Function,
    Identity,
    NamedNumber,
    Operation,
    Parameter,
    Row,
    Spelling,
)

Find = Callable[[str], Row]
SPECIAL_LETTERS = {"delta", "step"}
"""What is indexed in a row without being a parameter."""


SHARES = {"first_share", "second_share"}
"""The numbers that ties= chooses, which partials may name."""


def check_row(row: Row, find: Find, numbers: Collection[str]) -> None:
    """Raise what is wrong with a row; `numbers` are the constants that it may name."""
    _check_name(row.name, row.span)
    for parameters in _signatures(row):
        seen: set[str] = set()
        for parameter in parameters:
            for name in (parameter.name, *parameter.others):
                _check_name(name, parameter.span)
                if name in seen:
                    raise NameFault(f"{name} is twice in the signature", parameter.span, "name each once")
                seen.add(name)
    for parameters, letters, expression in _expressions(row):
        known = {p.name for p in parameters} | set(numbers) | SHARES
        if letters is None:
            _check_scalar(expression, known, find)
        else:
            _check_indexed(expression, known | letters, find)


def check_identity(row: Identity, find: Find) -> None:
    """Raise what is wrong with the calls of an identity, and names that only its right side has."""
    names = {part.name for part in tree.walk(row.left) if isinstance(part, tree.Name)}
    for side in (row.left, row.right):
        _check_indexed(side, names, find)


def check_circle(name: str, steps: Callable[[str], Mapping[str, Span]]) -> None:
    """Raise where a name leads back to itself; `steps` gives the names that one leads to, and where."""

    def walk(path: tuple[str, ...]) -> None:
        for following, span in steps(path[-1]).items():
            if following == name:
                way = " -> ".join((*path, name))
                raise NameFault(f"{name} is defined by itself: {way}", span, "say what it means without it")
            if following not in path:
                walk((*path, following))

    walk((name,))


def calls(row: Row | Alias) -> dict[str, Span]:
    """The functions in terms of which a `def` or an `alias` is expanded, and where they stand."""
    if isinstance(row, Alias):
        return {row.target: row.span}
    if not isinstance(row, Definition):
        return {}
    return {
        part.function: part.name_span
        for case in row.cases
        for part in tree.walk(case.value)
        if isinstance(part, tree.Apply)
    }


# --------------------------------------------------------------------------------------------- expressions


def is_scalar(row: object) -> bool:
    """Whether the row is of numbers, applied elementwise."""
    return isinstance(row, Function) or (isinstance(row, Definition) and row.cases[0].axes is None)


def _check_name(name: str, span: Span) -> None:
    if keyword.iskeyword(name):
        other = "lam" if name == "lambda" else f"{name}_"
        raise NameFault(f"`{name}` is a Python keyword and cannot be a name", span, f"call it {other}")


def _signatures(row: Row) -> list[tuple[Parameter, ...]]:
    if isinstance(row, NamedNumber):
        return []
    return [case.parameters for case in row.cases] if isinstance(row, Definition) else [row.parameters]


def _expressions(row: Row) -> Iterator[tuple[tuple[Parameter, ...], set[str] | None, tree.Tree]]:
    """Each expression with the parameters in scope and the letters; None for letters: of numbers."""
    match row:
        case Function(parameters=parameters, partials=partials):
            yield from ((parameters, None, one) for one in partials.values() if one is not None)
        case Definition(cases=cases):
            for case in cases:
                letters = None if case.axes is None else _letters(case.value, *case.axes)
                yield case.parameters, letters, case.value
        case Operation(parameters=parameters):
            for stated in row.partials.values():
                if stated.value is not None:
                    yield parameters, _letters(stated.value, *row.axes, *stated.items), stated.value


def _letters(expression: tree.Tree, *axes: tree.Tree) -> set[str]:
    found = {axis.name for axis in axes if isinstance(axis, tree.Name)} | SPECIAL_LETTERS
    for part in tree.walk(expression):
        if isinstance(part, tree.Subscript):
            found |= {n.name for item in part.items for n in tree.walk(item) if isinstance(n, tree.Name)}
        elif isinstance(part, tree.Over):
            found |= {letter.name for letter in part.letters}
    return found


def _check_scalar(expression: tree.Tree, known: set[str], find: Find) -> None:
    """An expression over numbers: what `scalars.instantiate` understands."""
    for part in tree.walk(expression):
        match part:
            case tree.Name(name):
                _check_known(name, known, part.span)
            case tree.Apply():
                row = find(part.function)
                if not is_scalar(row):
                    raise NameFault(
                        f"{part.function} is of arrays, and this row of numbers",
                        part.name_span,
                        "a row with arrays is a def or an op",
                    )
                if part.keywords:
                    raise SyntaxFault("a call in a row has no keywords", part.span, "give it by position")
                _check_count(part, row)
            case tree.Number() | tree.Binary() | tree.Unary() | tree.Constant(bool()):
                pass
            case _:
                raise SyntaxFault(
                    "this is no expression over numbers", part.span, "a row with axes is a def or an op"
                )


def _check_indexed(expression: tree.Tree, known: set[str], find: Find) -> None:
    for part in tree.walk(expression):
        if isinstance(part, tree.Apply):
            _check_count(part, find(part.function))
        elif isinstance(part, tree.Name):
            _check_known(part.name, known, part.span)


def _check_known(name: str, known: set[str], span: Span) -> None:
    if name not in known:
        near = nearest(name, known)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(sorted(known))}"
        raise NameFault(f"{name} is no parameter of this row", span, hint)


def _check_count(call: tree.Apply, row: Row) -> None:
    """The number of arguments fits one of the signatures."""
    if isinstance(row, NamedNumber):
        hint = "leave out the brackets"
        raise NameFault(f"{call.function} is a number, and is called", call.name_span, hint)
    given = len(call.args) + len(call.keywords)
    for parameters in _signatures(row):
        least = sum(p.default is None and not p.variadic for p in parameters)
        if least <= given and (given <= len(parameters) or any(p.variadic for p in parameters)):
            return
    shown = " or ".join(f"({', '.join(p.name for p in one)})" for one in _signatures(row))
    hint = f"its parameters are {shown}"
    raise ValueFault(f"{call.function} does not take {given} arguments", call.span, hint)


# --------------------------------------------------------------------------------------------- spellings

BUILT_IN = {"float", "int", "abs", "len", "min", "max"}


def check_spelling(row: object, names: Mapping[str, object], helpers: Collection[str] = ()) -> None:
    """Raise where a row's NumPy spelling names what is not there.

    `names` are the user's modules and functions, `helpers` what generated source brings along.
    SciPy is asked only where it is installed.
    """
    spelling = getattr(row, "spelling", None)
    if not isinstance(row, Function | Definition | Operation | NamedNumber) or spelling is None:
        return
    parameters = {p.name for signature in _signatures(row) for p in signature}
    clash = parameters & set(names)
    if clash:
        name = min(clash)
        raise NameFault(f"{name} is a parameter, and a name that is given", row.span, "give it another name")
    text = spelling.text if spelling.template else spelling.function
    try:
        parsed = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise SyntaxFault(f"this is no Python expression: {error.msg}", _place(row, spelling)) from None
    spaces = _modules(spelling) | dict(names)
    for path in _paths(parsed):
        root, *rest = path
        if root in parameters or root in BUILT_IN or root in helpers:
            continue
        if root not in spaces:
            raise NameFault(
                f"{root} is no parameter and no module that is known",
                _place(row, spelling, root),
                f"give it: register(..., {root}=...)",
            )
        _follow(row, spelling, root, rest, spaces[root])


def _modules(spelling: Spelling) -> dict[str, Any]:
    import numpy as np

    found: dict[str, Any] = {"np": np, "special": None, "linalg": None}
    if spelling.scipy:
        try:
            from scipy import linalg, special
        except ImportError:  # nothing can be said of its functions
            return found
        found |= {"special": special, "linalg": linalg}
    return found


def _follow(row: Row, spelling: Spelling, root: str, rest: list[str], value: Any) -> None:
    path = root
    for name in rest:
        if value is None:
            return
        if not hasattr(value, name):
            hint = f"did you mean {' or '.join(near)}?" if (near := nearest(name, dir(value))) else None
            if root == "np" and not spelling.template and hint is None:
                hint = f"a function of your own is given: register(..., {spelling.text.split('.')[0]}=...)"
            raise NameFault(f"{path} has no {name}", _place(row, spelling, name), hint)
        value, path = getattr(value, name), f"{path}.{name}"
    called = not spelling.template and not isinstance(row, NamedNumber)
    if called and value is not None and not callable(value):
        raise ValueFault(f"{path} is no function", _place(row, spelling), "the spelling of a row is called")


def _paths(node: ast.AST) -> Iterator[list[str]]:
    """The dotted names in an expression; those that begin with a call or a bracket are left out."""
    path: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):
        path.insert(0, inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name):
        yield [inner.id, *path]
        return
    for child in ast.iter_child_nodes(inner):
        yield from _paths(child)


def _place(row: Row, spelling: Spelling, part: str = "") -> Span:
    """Where a spelling stands in the text of its row."""
    text = row.span.text
    start = text.find(spelling.text, row.span.stop)
    if start < 0:
        return row.span
    inside = spelling.text.find(part)
    return Span(start + inside, start + inside + len(part or spelling.text), text)
