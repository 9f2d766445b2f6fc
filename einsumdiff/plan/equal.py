"""When two expressions of a plan are the same array.

Up to the names of their labels, the order of their axes, and that of the operands of a product.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from einsumdiff import plan
from einsumdiff.nodes import Form, Label
from einsumdiff.plan import Axes, Expr

_SAID = {
    kind: [
        one.name
        for one in fields(kind)
        if one.name != "axes" and one.type not in ("Expr", "tuple[Expr, ...]")
    ]
    for kind in plan.KINDS
}
"""For each class of expressions the fields that are neither its axes nor its parts alone."""


class Keys:
    """Numbers for expressions: equal ones have equal numbers."""

    def __init__(self) -> None:
        self.numbers: dict[object, int] = {}
        self.known: dict[Expr, tuple[int, Axes]] = {}

    def of(self, value: Expr) -> tuple[int, Axes]:
        """The number, and the labels in an order that all expressions of this number have."""
        stack = [] if value in self.known else [value]
        while stack:
            one = stack[-1]
            missing = [] if one in self.known else [p for p in plan.parts(one) if p not in self.known]
            if missing:
                stack += missing
                continue
            stack.pop()
            if one not in self.known:
                self.known[one] = self._new(one)
        return self.known[value]

    def _new(self, value: Expr) -> tuple[int, Axes]:
        if isinstance(value, plan.Load):
            loaded = ("Load", value.name, tuple([label.size for label in value.axes]))
            return self.numbers.setdefault(loaded, len(self.numbers)), value.axes
        parts = plan.parts(value)
        ways = [self._described(value, parts)]
        if isinstance(value, plan.Multiply | plan.Contract):
            ways.append(self._described(value, parts[::-1]))
        numbered = [(self.numbers.setdefault(key, len(self.numbers)), axes) for key, axes in ways]
        return min(numbered, key=lambda pair: pair[0])  # both ways round the same one

    def _described(self, value: Expr, of: tuple[Expr, ...]) -> tuple[object, Axes]:
        places: dict[Label, int] = {}
        if not of:
            places = {label: k for k, label in enumerate(value.axes)}
        parts = []
        for part in of:
            number, axes = self.known[part]
            parts.append((number, *[places.setdefault(label, len(places)) for label in axes]))
        rest = [_said(getattr(value, name), places) for name in _SAID[type(value)]]
        axes = value.axes
        if len(axes) > 1:
            axes = tuple(sorted(axes, key=lambda label: places.setdefault(label, len(places))))
        elif axes:
            places.setdefault(axes[0], len(places))
        sizes = tuple([(places[label], label.size) for label in axes])
        return (type(value).__name__, tuple(parts), tuple(rest), sizes), axes


def _said(found: Any, places: dict[Label, int]) -> object:
    """What a field says, labels by their places; its parts have been compared."""
    match found:
        case Label():
            return places.setdefault(found, len(places))
        case Form():
            steps = [(places.setdefault(label, len(places)), c) for label, c in found.coefficients]
            return "form", frozenset(steps), found.constant
        case tuple():
            return tuple([_said(one, places) for one in found])
        case float():  # 0.0 is not -0.0, and 1.0 not 1
            return "float", found.hex()
        case _:
            return "part" if type(found) in plan.KINDS else found
