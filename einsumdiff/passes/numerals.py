"""Whole numbers that are compared with arrays of floats are written as floats.

    np.maximum(t, 0)   ->   np.maximum(t, 0.0)        where t holds floats, whatever the arguments hold

NumPy takes a third less time for a small array: it need not find out what kind of number it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.language.table import Function, load_table
from einsumdiff.passes.kinds import FLOAT, Kinds
from einsumdiff.plan import Expr

LARGEST = 2**53
"""Up to here every whole number is a float."""

CHOICES = {"maximum", "minimum", "fmax", "fmin"}
"""Functions that compare, and give one of what they are given."""


def as_floats(statements: Sequence[plan.Statement], kinds: Kinds) -> list[plan.Statement]:
    """The statements with such numbers as floats."""

    def changed(value: Expr) -> Expr:
        value = plan.rebuilt(value, changed)
        if not isinstance(value, plan.Apply) or not compares(value.function):
            return value
        arrays = [kinds.of(part) for part in value.operands if not isinstance(part, plan.Literal)]
        if not any(kind is not None and kinds.floating(kind) for kind in arrays):
            return value
        return replace(value, operands=tuple(map(_float, value.operands)))

    found: list[plan.Statement] = []
    for one in statements:
        match one:
            case plan.Assign(name, value):
                kind = kinds.of(value)
                kinds.known[name] = FLOAT if kind is not None and not kind else kind
                one = replace(one, value=changed(value))
            case plan.Zeros(name):
                kinds.known[name] = FLOAT
            case plan.Write(value=value):
                one = replace(one, value=changed(value))
            case plan.Buffer():
                one = replace(one, body=tuple(as_floats(one.body, kinds)))
        found.append(one)
    return found


def compares(function: str) -> bool:
    """Is the function one that compares its arguments, or chooses one of them?"""
    row = load_table()[function]
    return function in CHOICES or (isinstance(row, Function) and row.boolean)


def _float(value: Expr) -> Expr:
    if not isinstance(value, plan.Literal) or not isinstance(value.value, int) or value.power != 1:
        return value
    return replace(value, value=float(value.value)) if abs(value.value) < LARGEST else value
