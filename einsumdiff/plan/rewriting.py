"""Expressions made of others: with other parts, in other labels, read at places."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from einsumdiff.nodes import Form, Label, bare
from einsumdiff.plan.expressions import (
    KINDS,
    Add,
    Expr,
    Load,
    Select,
    Take,
    View,
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


Relabel = Callable[[Any, Mapping[Label, Label]], Any]


def _relabelled_forms(forms: tuple[Form, ...], new: Mapping[Label, Label]) -> tuple[Form, ...]:
    values = {old: bare(label) for old, label in new.items()}
    return tuple([form.substitute(values) for form in forms])


_RELABELLED: dict[str, Relabel] = {
    "Axes": lambda axes, new: tuple([new.get(label, label) for label in axes]),
    "Label": lambda label, new: new.get(label, label),
    "Form": lambda form, new: _relabelled_forms((form,), new)[0],
    "tuple[Form, ...]": _relabelled_forms,
    "Expr": lambda part, new: relabelled(part, new),
    "tuple[Expr, ...]": lambda parts, new: tuple([relabelled(part, new) for part in parts]),
    "tuple[tuple[int, Expr], ...]": lambda terms, new: tuple([(s, relabelled(t, new)) for s, t in terms]),
    "tuple[tuple[Expr, bool], ...]": lambda tests, new: tuple([(relabelled(c, new), h) for c, h in tests]),
}
"""What a field holds in other labels, by how it is annotated; the others hold no labels."""

_FIELDS = {kind: [(one.name, _RELABELLED.get(str(one.type))) for one in fields(kind)] for kind in KINDS}


def relabelled(value: Expr, new: Mapping[Label, Label]) -> Expr:
    """The expression in other labels; those that it sums stay, as nothing else bears them."""
    kind = type(value)
    found = [
        getattr(value, name) if relabel is None else relabel(getattr(value, name), new)
        for name, relabel in _FIELDS[kind]
    ]
    changed: Expr = kind(*found)
    return changed
