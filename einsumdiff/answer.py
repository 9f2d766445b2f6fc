"""From what was asked to what is printed and computed: the program that the text is, and its Jacobians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from einsumdiff.contracted import in_batch
from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import NameFault, ValueFault, nearest
from einsumdiff.hessians import repeated
from einsumdiff.indexing.shapes import declared_size
from einsumdiff.language import tree
from einsumdiff.nodes import Array, Input
from einsumdiff.packing import Packing
from einsumdiff.program import Program
from einsumdiff.relying import like_terms_added
from einsumdiff.request import Request, Step
from einsumdiff.sizes import names as size_names
from einsumdiff.uncollected import uncollected
from einsumdiff.weighing import weighed

Sizes = tuple[tuple[str, int], ...]
"""Numbers for names of sizes."""


@uncollected()
def answer(asked: Request, sizes: Sizes = ()) -> tuple[Program, list[Jacobian]]:
    """The derivatives that were asked for, from the text on; their order of elimination suits the sizes."""
    from einsumdiff.indexing.index import build
    from einsumdiff.language.matrix import parse_matrix
    from einsumdiff.language.parse import parse

    statements = parse_matrix(asked.text, asked.shapes) if asked.notation == "matrix" else parse(asked.text)
    names = tuple(dict.fromkeys(name for step in asked.steps for name in step.wrt))
    program = build(
        statements,
        text=asked.text,
        shapes=asked.shapes,
        output=asked.output,
        wrt=names,
        ties=asked.ties,
        notation=asked.notation,
        structured=asked.structured,
    )
    program = _with_declared(program, statements, names, asked.structured)
    _some_structured(program, names, asked.structured)
    if asked.packing is not None:
        program = _in_order(program, asked.packing)
    jacobians: Sequence[Jacobian | None] = [None]
    for step in asked.steps:
        jacobians = stepped(program, jacobians, step, asked.batch, sizes)
    return program, [like_terms_added(program, jac) for jac in jacobians if jac is not None]


def further(
    program: Program, jacobian: Jacobian, step: Step, batch: Sequence[str]
) -> tuple[Program, list[Jacobian]]:
    """Derivatives of a derivative, without the text: of a program whose builder is its own."""
    program = replace(program, builder=program.builder.copy())
    jacobians = stepped(program, [jacobian], step, batch, ())
    return program, [like_terms_added(program, jac) for jac in jacobians]


def stepped(
    program: Program, before: Sequence[Jacobian | None], step: Step, batch: Sequence[str], sizes: Sizes
) -> list[Jacobian]:
    """The derivatives of those before, or of the output where that is None."""
    wrt = [_array(program, name) for name in step.wrt]
    tie = partial(in_batch, program, names=batch)
    way = weighed(program, step.mode, dict(sizes))
    return [new for one in before for new in repeated(program, one, wrt, step.order, way, tie)]


def _some_structured(program: Program, names: Sequence[str], structured: str) -> None:
    """A meaning that was chosen is that of some wrt."""
    found = [program.arrays.get(name) for name in names]
    if structured != "free" and not any(isinstance(one, Input) and one.properties for one in found):
        name = names[0]
        raise ValueFault(
            f"structured={structured!r}, and no structure of {' or '.join(names)} is declared",
            None,
            f'declare it: "{name}: (n, n) symmetric", or shapes={{"{name}": "n n symmetric"}}',
        )


def _with_declared(
    program: Program, statements: Sequence[tree.Statement], names: tuple[str, ...], structured: str
) -> Program:
    """The program with a wrt that is declared, though nothing reads it, as an input."""
    asked = set(names)
    for one in statements:
        if isinstance(one, tree.Declare) and one.name.name in asked and one.name.name not in program.arrays:
            shape = tuple(declared_size(size) for size in one.sizes)
            array = Input(one.name.name, shape, one.properties, structured if one.properties else None)
            program = replace(
                program,
                inputs=(*program.inputs, array),
                arrays={**program.arrays, array.name: array},
            )
    return program


def _in_order(program: Program, packing: Packing) -> Program:
    """The program with its inputs in the order of the function's parameters."""
    order = {name: k for k, name in enumerate(packing.inputs.values())}
    return replace(program, inputs=tuple(sorted(program.inputs, key=lambda one: order[one.name])))


def _array(program: Program, name: str) -> Array:
    """What a wrt name means."""
    array = program.arrays.get(name)
    if array is None:
        if any(name in size_names(size) for one in program.inputs for size in one.shape):
            raise NameFault(f"{name} is a size, and a derivative is in real numbers", None, "name an array")
        if name in program.builder.constants:
            raise NameFault(f"{name} is a constant", None, f"assign it to see it as a variable: c = {name}")
        near = nearest(name, program.arrays)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(program.arrays)}"
        raise NameFault(f"{name} is nowhere in the program", None, hint)
    return array
