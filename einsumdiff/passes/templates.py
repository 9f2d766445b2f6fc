"""Functions that NumPy has no name for, `np.exp(np.minimum(x, 0))/(1 + ...)`, as operations of a plan."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from einsumdiff import plan
from einsumdiff.language.table import Function, load_table
from einsumdiff.passes.kinds import in_place
from einsumdiff.plan import Expr


def opened(one: plan.Apply) -> Expr | None:
    """A function that NumPy has no name for as the operations of its template, if it is made of such."""
    row = load_table()[one.function]
    if not isinstance(row, Function) or not row.spelling.template or row.boolean:
        return None
    if any(not isinstance(part, plan.Load | plan.View) and part.axes for part in one.operands):
        return None  # it would be computed once for each mention
    given = dict(zip((p.name for p in row.parameters), one.operands, strict=False))
    return _read(ast.parse(row.spelling.text, mode="eval").body, given)


SIGNS: dict[type[ast.operator], int] = {ast.Add: 1, ast.Sub: -1}


def _read(node: ast.expr, given: Mapping[str, Expr]) -> Expr | None:
    """A template's syntax tree as an expression; None where it holds anything else."""
    match node:
        case ast.Name(id=name):
            return given.get(name)
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as number):
            return plan.Literal(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _read(operand, given)
            return None if inner is None else plan.Add(((-1, inner),), inner.axes)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _read(left, given), _read(right, given)
            if a is None or b is None:
                return None
            axes = plan.union([a, b])
            match op:
                case ast.Add() | ast.Sub():
                    return plan.Add(((1, a), (SIGNS[type(op)], b)), axes)
                case ast.Mult():
                    return plan.Multiply(a, b, axes)
                case ast.Div():
                    return plan.Divide(a, b, axes)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name), args=args, keywords=[]):
            if name not in load_table() or in_place(name) != name:
                return None
            parts = [_read(arg, given) for arg in args]
            known = tuple(part for part in parts if part is not None)
            return plan.Apply(name, known, plan.union(known)) if len(known) == len(parts) else None
    return None
