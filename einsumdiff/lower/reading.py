"""What a plan reads: arrays, how often each, and the axes that sizes are read from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from einsumdiff import plan
from einsumdiff.errors import Unsupported
from einsumdiff.language.table import Function, load_table
from einsumdiff.nodes import (
    Array,
    Call,
    Definition,
    Entry,
    Form,
    Input,
    Mask,
    OneHot,
    Operate,
    Reduce,
    Sum,
    Term,
)
from einsumdiff.sizes import AnySize, Size, linear, names, symbol
from einsumdiff.terms import injective


class Result(Protocol):
    """What is asked for: the terms of an array and its shape."""

    @property
    def terms(self) -> tuple[Term, ...]: ...

    @property
    def shape(self) -> tuple[AnySize, ...]: ...


def read(terms: Iterable[Term]) -> list[Array]:
    return [f.array for t in terms for f in t.product.factors if isinstance(f, Entry | Mask)]


def numbers(definitions: Sequence[Definition], results: Sequence[Result]) -> set[str]:
    """The names of the arrays that are read as numbers."""
    found = [a for d in definitions if not isinstance(d.body, OneHot) for a in d.reads]
    return {a.name for a in [*found, *(a for result in results for a in read(result.terms))]}


def uses(definitions: Sequence[Definition], results: Sequence[Result]) -> dict[Array, int]:
    """How often each array is read; twice for a reading that cannot stand in place."""
    uses: dict[Array, int] = {}

    def count(array: Array, forms: Sequence[Form], often: int = 1) -> None:
        labels = [form.label for form in forms]
        whole = None not in labels and len(set(labels)) == len(labels)
        whole = whole and all(
            label is not None and label.size == size for label, size in zip(labels, array.shape, strict=True)
        )
        uses[array] = uses.get(array, 0) + (often if whole else 2)

    def count_terms(terms: Iterable[Term]) -> None:
        for term in terms:
            for f in term.product.factors:
                if isinstance(f, Entry | Mask):
                    count(f.array, f.forms, 1 if injective(term.axes) else 2)

    for definition in definitions:
        match definition.body:
            case Sum(terms):
                count_terms(terms)
            case Call(function, _, operands):
                row = load_table()[function]
                for k, o in enumerate(operands):
                    if isinstance(o, Entry):
                        # a template would compute what stands in place once for each mention of it
                        twice = isinstance(row, Function) and row.spelling.repeats(row.parameters[k].name)
                        count(o.array, o.forms, 2 if twice else 1)
            case Reduce(_, _, _, entry, _):
                count(entry.array, entry.forms)
            case OneHot(_, entry):
                count(entry.array, entry.forms, 2)
            case Operate(_, _, entries, _, _):
                for e in entries:
                    count(e.array, e.forms, 2)
    for result in results:
        count_terms(result.terms)
    return uses


def sources(inputs: Sequence[Input]) -> dict[str, plan.Source]:
    """Where each size name is read: an axis of that size, else one whose size is linear in it."""
    found: dict[str, plan.Source] = {}
    axes = [(one, axis, size) for one in inputs for axis, size in enumerate(one.shape)]
    for array, axis, size in axes:
        if isinstance(size, Size) and size == symbol(names(size)[0]):
            found.setdefault(str(size), plan.Source(array, axis))
    missing = True
    while missing:
        missing = False
        for array, axis, size in axes:
            unknown = [name for name in names(size) if name not in found]
            solved = linear(size, unknown[0]) if len(unknown) == 1 else None
            if solved is not None:
                found[unknown[0]] = plan.Source(array, axis, less=solved[1], by=solved[0])
                missing = True
    for array, _, size in axes:
        for name in names(size):
            if name not in found:
                raise Unsupported(
                    f"the size {name} does not follow from {size}, the size of an axis of {array.name}",
                    hint=f"give an input an axis of size {name}",
                )
    return found


def read_inside(statements: Sequence[plan.Statement]) -> set[str]:
    """The variables that the products of operators read when they are called, and what these are views of."""
    found: set[str] = set()
    stack: list[plan.Statement] = [
        inner for s in statements if isinstance(s, plan.Operator) for one in s.products for inner in one.body
    ]
    while stack:
        one = stack.pop()
        if isinstance(one, plan.Assign | plan.Write):
            found |= plan.reads(one.value)
        elif isinstance(one, plan.Loop):
            stack += one.body
    ahead = [one for s in statements if isinstance(s, plan.Operator) for one in s.before]
    for one in reversed([*(s for s in statements if isinstance(s, plan.Assign)), *ahead]):
        if one.name in found and not one.own and isinstance(one.value, plan.Load | plan.View):
            found.add(one.value.name)
    return found
