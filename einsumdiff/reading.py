"""From a printed derivative back to a `Derivative`.

The right side is built as a program whose left side bears the indices of the derivative, so that the
Einstein rule, shapes and functions mean there what they mean everywhere; its one definition is the sum
of terms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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
from einsumdiff.meaning import Copier
from einsumdiff.nodes import Array, Definition, Input, Sum
from einsumdiff.program import Builder, Program
from einsumdiff.sizes import AnySize, substitute, symbol
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
    for program, jacobian in _together([_build(text, formula.statements, one) for one in formula.partials]):
        program = replace(program, notes=notes)
        program.builder.ties = ties
        found[tuple(array.name for array in jacobian.wrt)] = Derivative(program, jacobian, None, reader)
    if len(found) == 1:
        return next(iter(found.values()))
    program = next(iter(found.values()))._program
    return Derivatives(program, found, None, reader)


def _together(built: Sequence[tuple[Program, Jacobian]]) -> Sequence[tuple[Program, Jacobian]]:
    """Derivatives that were read one by one, over the same inputs and definitions.

    Where the text does not say all shapes, sizes of one may not be those of another: they stay apart.
    """
    first, _ = built[0]
    shapes = {one.name: one.shape for one in first.inputs}
    if len(built) == 1 or any(
        {one.name: one.shape for one in program.inputs} != shapes for program, _ in built
    ):
        return built
    inputs: dict[str, Array] = {one.name: one for one in first.inputs}
    held: dict[str, Array] = {}  # a wrt that is a definition is one of its own only where it is the wrt
    read = []
    for program, jacobian in built:
        replaced: dict[Array, Array] = {program.output: first.output}
        if any(isinstance(array, Definition) for array in jacobian.wrt):  # so is all that reads it
            replaced |= {array: held[array.name] for array in jacobian.wrt if array.name in held}
        else:
            replaced |= {old: first.arrays[k] for k, old in program.arrays.items() if k in first.arrays}
        copier = Copier({**first.builder.constants, **program.builder.constants, **inputs}, None, replaced)
        wrt = tuple(copier.array(array).array for array in jacobian.wrt)
        own = {array.name: array for array in wrt if isinstance(array, Definition)}
        held |= own
        terms = tuple(copier.term(term) for term in jacobian.terms)
        joined = replace(jacobian, output=first.output, wrt=wrt, terms=terms)
        read.append((replace(first, arrays={**first.arrays, **own}), joined))
    return read


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
    tied = _tied(partial)
    own: list[tree.Tree] = [item for _, items in partial.wrt for item in items]
    at = [(n, k) for n, (_, items) in enumerate(partial.wrt) for k in range(len(items))]
    axes = (*partial.axes, *(item for item, place in zip(own, at, strict=True) if place not in tied))
    if len(sizes) == len(partial.axes) + len(own):
        apart = [
            size for size, place in zip(sizes[len(partial.axes) :], at, strict=True) if place not in tied
        ]
        sizes = [*sizes[: len(partial.axes)], *apart]
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


def _tied(partial: tree.Partial) -> dict[tuple[int, int], int]:
    """The axes of a wrt that have a letter of the output, those of a batch: `dy[b,i]/dx[b,m]`."""
    letters = [item.name if isinstance(item, tree.Name) else None for item in partial.axes]
    return {
        (n, k): letters.index(item.name)
        for n, (_, items) in enumerate(partial.wrt)
        for k, item in enumerate(items)
        if isinstance(item, tree.Name) and item.name in letters
    }


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
    at, tied = len(partial.axes), _tied(partial)
    wrt_names = {one.name for one, _ in partial.wrt}
    for n, (one, items) in enumerate(partial.wrt):
        shape: list[AnySize] = []
        for k in range(len(items)):
            place = tied.get((n, k), at)
            shape.append(whole.shape[place])
            at += place == at
        if one.name not in defined:
            read.setdefault(one.name, tuple(shape))
    for name in dict.fromkeys([*declared, *read]):
        if name in read or (name not in defined and name != partial.output.name):
            known = read[name] if name in read else tuple(declared_size(s) for s in declared[name].sizes)
            known = tuple(substitute(size, sizes) for size in known)
            properties = declared[name].properties if name in declared else ()
            meaning = meaning_said(text) if properties and name in wrt_names else None
            inputs[name] = Input(name, known, properties, meaning)
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
    return program, Jacobian(output, wrt, copied.body.terms, copied.shape, tied)


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
