"""From a printed derivative back to a `Derivative`.

The right side is built as a program whose left side bears the indices of the derivative, so that the
Einstein rule, shapes and functions mean there what they mean everywhere; its one definition is the sum
of terms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from einsumdiff.derivative import Derivative, Derivatives
from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import NameFault, RankFault, SyntaxFault, ValueFault
from einsumdiff.extension import Rules, in_force, rules_of
from einsumdiff.function import Reader
from einsumdiff.indexing.shapes import declared_size
from einsumdiff.indicators import Guarded
from einsumdiff.language import tree
from einsumdiff.nodes import Array, Definition, Input, Sum
from einsumdiff.program import Builder, Program
from einsumdiff.sizes import substitute, symbol
from einsumdiff.views.index import meaning_said, ties_said


def read(text: str, rules: Rules | None = None) -> Any:
    """The derivative that `str(d)` printed: `read(str(d)) == d`.

    Definitions come first, then `dy[i]/dx[m] = ...`; shapes are declared, `x: (n,)`. Several lines of
    derivatives give a mapping. `rules` are those of functions of one's own, see `register`.

    Raises
    ------
    SyntaxFault : there is no derivative in the text.

    >>> from einsumdiff import derive, read
    >>> d = derive("y = sum(W*X + b)", wrt="W")
    >>> read(str(d)) == d
    True
    >>> read("dy/dx[i] = 2*x[i]; x: (n,)") == derive("x @ x", wrt="x")
    True
    """
    if not isinstance(text, str):
        raise ValueFault(
            f"what was printed is text, not {type(text).__name__}", None, "read(str(d)) gives back d"
        )
    with in_force(rules) as here:
        own = rules_of(here)
        return _read(text, partial(read, rules=own) if own else read)


def _read(text: str, reader: Reader) -> Any:
    from einsumdiff.language.parse import parse_formula

    ties, notes = ties_said(text)
    formula = parse_formula(text)
    if not formula.partials:
        raise SyntaxFault("there is no derivative here", None, "write  dy[i]/dx[m] = ...")
    found = {}
    for one in formula.partials:
        program, jacobian = _build(text, formula.statements, one)
        program = replace(program, notes=notes)
        program.builder.ties = ties
        found[tuple(array.name for array in jacobian.wrt)] = Derivative(program, jacobian, None, reader)
    if len(found) == 1:
        return next(iter(found.values()))
    program = next(iter(found.values()))._program
    return Derivatives(program, found, None, reader)


def _build(
    text: str, statements: tuple[tree.Statement, ...], partial: tree.Partial
) -> tuple[Program, Jacobian]:
    from einsumdiff.indexing.index import build

    names = set(re.findall(r"\w+", text))
    declared = {s.name.name: s for s in statements if isinstance(s, tree.Declare)}
    defined = {_target(t) for s in statements if isinstance(s, tree.Assign) for t in s.targets}
    output = partial.output.name
    result = _unused(f"d{output}", names)
    # A size that is called like a letter is another thing: it gets another name.
    new = {letter: f"{letter}_" for letter in _letters(statements, partial)}
    new = {letter: _unused(name, names) for letter, name in new.items()}
    kept: list[tree.Statement] = []
    for statement in statements:
        if isinstance(statement, tree.Declare):
            statement = replace(statement, sizes=tuple(_rename(size, new) for size in statement.sizes))
            declared[statement.name.name] = statement
            if statement.name.name == output and output not in defined:
                continue
        kept.append(statement)
    kept.sort(key=lambda s: not isinstance(s, tree.Declare))
    sizes: list[tree.Tree] = []
    for name, items in ((partial.output, partial.axes), *partial.wrt):
        if not items:
            continue
        declaration = declared.get(name.name)
        if declaration is None:
            sizes = []
            break
        if len(declaration.sizes) != len(items):
            raise RankFault(
                f"{name.name} has {len(declaration.sizes)} axes, not {len(items)}", name.span, "index each"
            )
        sizes += declaration.sizes
    span = partial.span
    name = tree.Name(result, span)
    axes = (*partial.axes, *(item for _, items in partial.wrt for item in items))
    target: tree.Name | tree.Subscript = tree.Subscript(name, axes, span) if axes else name
    if axes and len(sizes) == len(axes):
        kept.insert(0, tree.Declare(name, tuple(sizes), (), span))
    kept.append(tree.Assign((target,), partial.value, span))
    held = [one.name for one, _ in partial.wrt if one.name in defined]
    free = [one.name for one, _ in partial.wrt if one.name not in defined]
    program = build(tuple(kept), text=text, shapes=None, output=result, wrt=(result, *held, *free))
    return _jacobian(
        text, program, partial, declared, defined, {name: letter for letter, name in new.items()}
    )


def _jacobian(
    text: str,
    program: Program,
    partial: tree.Partial,
    declared: Mapping[str, tree.Declare],
    defined: set[str],
    old: Mapping[str, str],
) -> tuple[Program, Jacobian]:
    """The one definition of the program as a derivative; `old` gives sizes the names they had."""
    whole = program.output
    for definition in program.definitions:
        if definition is not whole and definition.name == whole.name:
            definition.name, definition.named = "", False  # it was called so before the output was
    sizes = {new: symbol(name) for new, name in old.items()}
    inputs: dict[str, Array] = {}
    read = {one.name: one.shape for one in program.inputs}
    at, wrt_names = len(partial.axes), {one.name for one, _ in partial.wrt}
    for one, items in partial.wrt:
        if one.name not in defined:
            read.setdefault(one.name, whole.shape[at : at + len(items)])
        at += len(items)
    for name in dict.fromkeys([*declared, *read]):
        if name in read or (name not in defined and name != partial.output.name):
            shape = read[name] if name in read else tuple(declared_size(s) for s in declared[name].sizes)
            properties = declared[name].properties if name in declared else ()
            meaning = meaning_said(text) if properties and name in wrt_names else None
            shape = tuple(substitute(size, sizes) for size in shape)
            inputs[name] = Input(name, shape, properties, meaning)
    copier = Guarded({**program.builder.constants, **inputs}, sizes)
    copier.definitions([whole, *program.arrays.values()])
    arrays: dict[str, Array] = {
        name: copier.array(array).array for name, array in program.arrays.items() if array is not whole
    }
    arrays.update(inputs)
    copied = copier.array(whole).array
    assert isinstance(copied, Definition) and isinstance(copied.body, Sum)
    output = arrays.get(partial.output.name)
    if isinstance(output, Input):
        raise NameFault(f"{output.name} is an input", partial.output.span, "it is what is derived")
    if not isinstance(output, Definition):
        output = Definition(partial.output.name, copied.shape[: len(partial.axes)], Sum(()), named=True)
    own = tuple(one for one in inputs.values() if isinstance(one, Input))
    program = replace(
        program,
        inputs=own,
        output=output,
        arrays=arrays,
        builder=Builder(rewrite=program.builder.rewrite, constants=dict(program.builder.constants)),
    )
    wrt = tuple(arrays[name.name] for name, _ in partial.wrt)
    return program, Jacobian(output, wrt, copied.body.terms, copied.shape)


def _letters(statements: Iterable[tree.Statement], partial: tree.Partial) -> set[str]:
    """Names that stand alone in brackets: indices, whatever sizes are called the same."""
    found = {
        item.name
        for _, items in ((None, partial.axes), *partial.wrt)
        for item in items
        if isinstance(item, tree.Name)
    }
    parts: list[tree.Tree] = [partial.value]
    for statement in statements:
        if isinstance(statement, tree.Assign):
            parts += [*statement.targets, statement.value]
    for part in parts:
        for node in tree.walk(part):
            if isinstance(node, tree.Subscript):
                found |= {item.name for item in node.items if isinstance(item, tree.Name)}
            elif isinstance(node, tree.Over):
                found |= {letter.name for letter in node.letters}
    return found


def _unused(name: str, names: set[str]) -> str:
    while name in names:
        name += "_"
    names.add(name)
    return name


def _target(target: tree.Name | tree.Subscript) -> str:
    name = target if isinstance(target, tree.Name) else target.base
    assert isinstance(name, tree.Name)
    return name.name


def _rename(size: tree.Tree, new: Mapping[str, str]) -> tree.Tree:
    """A size with names replaced."""
    match size:
        case tree.Name(name, span):
            return tree.Name(new.get(name, name), span)
        case tree.Unary(op, operand, span):
            return tree.Unary(op, _rename(operand, new), span)
        case tree.Binary(op, left, right, span):
            return tree.Binary(op, _rename(left, new), _rename(right, new), span)
        case _:
            return size
