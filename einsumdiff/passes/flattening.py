"""An expression of many levels becomes several statements: no pass, and no compiler, takes any depth.

    result = f(f(f(... f(x))))   ->   t1 = f(...f(x)); t2 = f(...f(t1)); ...; result = f(...f(t2))

Definitions that stand in place are small, but a product can have hundreds of running sums around each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.passes.sharing import worth
from einsumdiff.plan import Expr

MOST_LEVELS = 40
"""Python's compiler takes a hundred to two hundred brackets, and some operations are written in several."""


def flat(statements: Sequence[plan.Statement], fresh: Callable[[], str]) -> list[plan.Statement]:
    """The statements, with variables for what is too deep; `fresh` names them."""
    found: list[plan.Statement] = []
    for one in statements:
        match one:
            case plan.Assign(value=value, at_an_end=False) | plan.Write(value=value, at_an_end=False):
                cut = _cut(value, fresh, found)
                found.append(one if cut is value else replace(one, value=cut))
            case plan.Buffer(body=body):
                found.append(replace(one, body=tuple(flat(body, fresh))))
            case plan.Operator(before=before, products=products):
                inside = [replace(each, body=tuple(flat(each.body, fresh))) for each in products]
                ahead = [each for each in flat(before, fresh) if isinstance(each, plan.Assign)]
                found.append(replace(one, before=tuple(ahead), products=tuple(inside)))
            case _:
                found.append(one)
    return found


def _deep(value: Expr) -> bool:
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [part for one in level for part in plan.parts(one)]
        if not level:
            return False
    return True


def _cut(value: Expr, fresh: Callable[[], str], before: list[plan.Statement]) -> Expr:
    """The expression in variables, which are assigned in `before`; itself where it is not too deep."""
    if not _deep(value):
        return value
    new: dict[int, tuple[Expr, int]] = {}  # by id: what stands for an expression, and its levels
    stack = [value]
    while stack:
        one = stack[-1]
        below = [part for part in plan.parts(one) if id(part) not in new]
        if below:
            stack += reversed(below)
            continue
        stack.pop()
        if id(one) in new:
            continue
        made = plan.rebuilt(one, lambda part: new[id(part)][0])
        levels = 1 + max((new[id(part)][1] for part in plan.parts(one)), default=0)
        if levels > MOST_LEVELS and one is not value and worth(made):
            name = fresh()
            before.append(plan.Assign(name, made, made.axes))
            made, levels = plan.Load(name, made.axes), 1
        new[id(one)] = made, levels
    return new[id(value)][0]
