"""Expressions made of others: with other parts, in other labels, read at places."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from einsumdiff.nodes import Label, bare
from einsumdiff.plan.expressions import (
    KINDS,
    Add,
    Apply,
    Cast,
    Choose,
    Condition,
    Contract,
    Divide,
    Expr,
    Fold,
    Hot,
    Load,
    Multiply,
    Ones,
    Others,
    Perform,
    Place,
    Power,
    Running,
    RunningAt,
    RunningOthers,
    Scatter,
    Select,
    Softmax,
    Solve,
    Take,
    View,
    Whole,
    parts,
)


def taken(value: Expr, label: Label, index: Expr) -> Expr:
    """The expression read along a label at the places of an index array; itself where it lacks the label."""
    if label not in value.axes:
        return value
    k = value.axes.index(label)
    axes = (*value.axes[:k], *index.axes, *value.axes[k + 1 :])
    return Take(value, label, index, tuple(dict.fromkeys(axes)))


def rebuilt(value: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with its parts changed; they keep their axes. Itself where none is another one."""
    before = parts(value)
    after = [change(part) for part in before]
    if all(map(operator.is_, before, after)):
        return value
    rest = iter(after)  # parts are in the order of the fields
    new: dict[str, Any] = {}
    for one in fields(value):
        old = getattr(value, one.name)
        if type(old) in KINDS:
            new[one.name] = next(rest)
        elif isinstance(old, tuple) and one.name == "operands":
            new[one.name] = tuple(next(rest) for _ in old)
        elif isinstance(value, Add) and one.name == "terms":
            new[one.name] = tuple((sign, next(rest)) for sign, _ in old)
        elif isinstance(value, Select) and one.name == "conditions":
            new[one.name] = tuple((next(rest), holds) for _, holds in old)
    changed: Expr = replace(value, **new)
    return changed


def reads(value: Expr) -> set[str]:
    """The names of the variables that an expression reads."""
    found, stack = set(), [value]
    while stack:
        one = stack.pop()
        if isinstance(one, Load | View):
            found.add(one.name)
        stack += parts(one)
    return found


def relabelled(value: Expr, new: dict[Label, Label]) -> Expr:
    """The expression in other labels; those that it sums stay, as nothing else bears them."""

    def axes(old: tuple[Label, ...]) -> tuple[Label, ...]:
        return tuple(new.get(label, label) for label in old)

    forms = {old: bare(label) for old, label in new.items()}
    match value:
        case Load(name, labels):
            return Load(name, axes(labels))
        case View(name, old, shape, labels, proved):
            return View(name, tuple(f.substitute(forms) for f in old), shape, axes(labels), proved)
        case Ones(like, labels):
            return Ones(like, axes(labels))
        case Add(terms, labels):
            return Add(tuple((s, relabelled(t, new)) for s, t in terms), axes(labels))
        case Multiply(a, b, labels):
            return Multiply(relabelled(a, new), relabelled(b, new), axes(labels))
        case Divide(a, b, labels):
            return Divide(relabelled(a, new), relabelled(b, new), axes(labels))
        case Contract(a, b, labels):
            return Contract(relabelled(a, new), relabelled(b, new), axes(labels))
        case Power(base, power, labels):
            return Power(relabelled(base, new), power, axes(labels))
        case Fold(op, base, labels):
            return Fold(op, relabelled(base, new), axes(labels))
        case Softmax(base, over, labels):
            return Softmax(relabelled(base, new), axes(over), axes(labels))
        case Others(base, label, labels):
            return Others(relabelled(base, new), new.get(label, label), axes(labels))
        case Running(op, base, label, place, reverse, apart, labels):
            moved = new.get(place, place)
            return Running(op, relabelled(base, new), label, moved, reverse, apart, axes(labels))
        case RunningAt(base, label, form, reverse, labels):
            return RunningAt(relabelled(base, new), label, form.substitute(forms), reverse, axes(labels))
        case RunningOthers(base, label, place, other, labels):
            ends = new.get(place, place), new.get(other, other)
            return RunningOthers(relabelled(base, new), label, *ends, axes(labels))
        case Cast(base, labels):
            return Cast(relabelled(base, new), axes(labels))
        case Whole(base, labels):
            return Whole(relabelled(base, new), axes(labels))
        case Apply(f, operands, labels):
            return Apply(f, tuple(relabelled(o, new) for o in operands), axes(labels))
        case Perform(f, operands, labels):
            return Perform(f, tuple(relabelled(o, new) for o in operands), axes(labels))
        case Solve(matrix, right, label, transposed, labels):
            return Solve(relabelled(matrix, new), relabelled(right, new), label, transposed, axes(labels))
        case Take(a, label, index, labels):
            return Take(relabelled(a, new), label, relabelled(index, new), axes(labels))
        case Scatter(a, label, index, labels):
            return Scatter(relabelled(a, new), new.get(label, label), relabelled(index, new), axes(labels))
        case Hot(index, form, size, labels):
            return Hot(relabelled(index, new), form.substitute(forms), size, axes(labels))
        case Place(form, labels):
            return Place(form.substitute(forms), axes(labels))
        case Condition(form, op, labels):
            return Condition(form.substitute(forms), op, axes(labels))
        case Select(conditions, inner, otherwise, labels):
            tests = tuple((relabelled(c, new), holds) for c, holds in conditions)
            return Select(tests, relabelled(inner, new), otherwise, axes(labels))
        case Choose(condition, number, rest, labels):
            return Choose(relabelled(condition, new), number, relabelled(rest, new), axes(labels))
        case _:
            return value
