"""What is said of ties beside a derivative: `# ties of max share equally`.

Only where there may be some: where the output reads a wrt through a maximum, a clip or the like. A
derivative that was read from text has no program to look into, and keeps what its text said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from einsumdiff.differentiate import Jacobian
from einsumdiff.language import tree
from einsumdiff.language.rows import Function
from einsumdiff.language.table import Table, load_table, setting
from einsumdiff.nodes import Array, Call, Definition, Reduce, body_arrays
from einsumdiff.program import Program, live

SAID = {"split": "share equally", "first": "go to the first", "zero": "have slope 0"}


def ties_notes(program: Program, jacobians: Sequence[Jacobian]) -> list[str]:
    """The note on ties, or nothing."""
    reached: set[Array] = {array for jac in jacobians for array in jac.wrt}
    found: dict[str, None] = {}
    for definition in live([program.output, *(jac.output for jac in jacobians)]):
        if definition in reached or reached.isdisjoint(body_arrays(definition.body)):
            continue
        reached.add(definition)
        name = _tied(definition)
        if name:
            found[name] = None
    return [f"ties of {_listed(list(found))} {SAID[setting().ties]}"] if found else []


def ties_said(text: str) -> tuple[str, tuple[str, ...]]:
    """The policy that a printed derivative was made under, and its notes on ties."""
    for ties, said in SAID.items():
        note = re.search(rf"#.*?\b(ties of [\w, ]+ {said})", text)
        if note:
            return ties, (note[1],)
    return "split", ()


def _listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _tied(definition: Definition) -> str:
    """The function of a definition whose slope ties= chooses, or nothing."""
    match definition.body:
        case Reduce(op="max" | "min" as op):
            return op
        case Call(function=function) if function in load_table().made(_chosen):
            return function
    return ""


def _chosen(table: Table) -> set[str]:
    """The functions whose partials name a policy."""
    return {
        row.name
        for row in table.rows()
        if isinstance(row, Function)
        for partial in row.partials.values()
        if partial is not None
        and any(isinstance(part, tree.Name) and part.name in table.policies for part in tree.walk(partial))
    }
