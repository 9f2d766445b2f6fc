"""Definitions as statements, or in place of where they are read."""

from __future__ import annotations

from collections.abc import Sequence

from einsumdiff import plan
from einsumdiff.cumulative import triangle
from einsumdiff.language.table import Function, load_table
from einsumdiff.lower.terms import Terms, plain
from einsumdiff.nodes import (
    Array,
    Body,
    Call,
    Definition,
    Entry,
    Label,
    OneHot,
    Operate,
    Reduce,
    Sum,
)
from einsumdiff.plan import Expr
from einsumdiff.products import Products
from einsumdiff.sizes import AnySize

MOST_INLINE = 9
"""A definition that is used once stands in place up to so many operations."""


class Definitions(Terms):
    def __init__(self, products: Products, taken: set[str]) -> None:
        super().__init__(products, taken)
        self.weights: dict[Expr, int] = {}

    def define(self, definition: Definition, uses: dict[Array, int], keep: bool) -> None:
        body = definition.body
        small = not definition.named and not keep and uses.get(definition, 0) == 1
        if isinstance(body, Sum) and not (body.terms and all(plain(t, definition.shape) for t in body.terms)):
            name = self._name(definition)
            self.write_terms(name, body.terms, definition.shape)
            return
        axes, value = self._body(body, definition.shape)
        if small and self._weight(value) <= MOST_INLINE and None not in axes:
            covered = set(value.axes)
            if all(label in covered for label in axes):
                self.products.inline[definition] = value
                self.products.layout[definition] = tuple(label for label in axes if label is not None)
                return
        self.statements.append(plan.Assign(self._name(definition), value, axes))

    def _name(self, definition: Definition) -> str:
        name = self.products.names.get(definition)
        if name is None:
            name = self.products.names[definition] = self.fresh("t")
        return name

    def _body(self, body: Body, shape: tuple[AnySize, ...]) -> tuple[tuple[Label | None, ...], Expr]:
        match body:
            case Sum(terms):
                axes = tuple(Label(size) if size != 1 else None for size in shape)
                return axes, self.sum_of(terms, axes)
            case Call(function, labels, operands):
                row = load_table()[function]
                logical = isinstance(row, Function) and row.boolean
                parts = tuple(
                    self.products.entry(o, number=not logical) if isinstance(o, Entry) else plan.Literal(o)
                    for o in operands
                )
                return _layout(labels, shape), plan.Apply(function, parts, plan.union(parts))
            case Reduce():
                return _layout(body.axes, shape), self._reduce(body)
            case OneHot():
                raise AssertionError("an indicator of places is read in place")
            case Operate(operation, labels, entries, _, _):
                operands_ = tuple(self.products.entry(e) for e in entries)
                return _layout(labels, shape), plan.Perform(operation, operands_, labels)

    def _reduce(self, body: Reduce) -> Expr:
        base = self.products.entry(body.entry)
        if body.guards:
            assert body.op == "prod"
            (label,) = body.bound
            only = body.guards[0]
            if len(body.guards) == 1 and only.op == "!=" and len(only.form.coefficients) == 2:
                (other,) = (n for n in only.form.labels if n is not label)
                apart = only.form.constant == 0 and other.size == label.size and other not in base.axes
                if apart and sum(c for _, c in only.form.coefficients if isinstance(c, int)) == 0:
                    axes = tuple(other if n is label else n for n in base.axes)
                    return plan.Others(base, label, axes)
            running = _running(body, label, base)
            if running is not None:
                return running
            conditions = tuple((self.products.condition(g), True) for g in body.guards)
            base = plan.Select(conditions, base, 1, plan.union([base, *(c for c, _ in conditions)]))
        return plan.Fold(body.op, base, tuple(n for n in base.axes if n not in body.bound))

    def _weight(self, value: Expr) -> int:
        """How many operations an expression shows."""
        known = self.weights.get(value)
        if known is None:
            known = self.weights[value] = 1 + sum(self._weight(part) for part in plan.parts(value))
        return known


def _running(body: Reduce, label: Label, base: Expr) -> Expr | None:
    """A product up to a place as a cumulative product; so one that leaves an entry out."""
    for guard in body.guards:
        for own, place, reverse, apart in triangle(guard, body.bound, ()):
            rest = [g for g in body.guards if g is not guard]
            if own is not label or place in base.axes:
                continue
            axes = tuple(place if n is label else n for n in base.axes)
            if not rest:
                return plan.Running("prod", base, label, place, reverse, apart, axes)
            (first, *more) = rest
            labels = first.form.labels
            other = next((n for n in labels if n is not label), None)
            apart_from = not more and first.op == "!=" and len(labels) == 2 and first.form.constant == 0
            apart_from = apart_from and sum(c for _, c in first.form.coefficients if isinstance(c, int)) == 0
            plain = not reverse and not apart and other is not place and other not in base.axes
            if apart_from and plain and other is not None and other.size == label.size:
                return plan.RunningOthers(base, label, place, other, (*axes, other))
            if any(place in g.form.labels for g in rest):
                continue
            tests = tuple((Products.condition(g), True) for g in rest)
            chosen = plan.Select(tests, base, 1, plan.union([base, *(c for c, _ in tests)]))
            axes = tuple(place if n is label else n for n in chosen.axes)
            return plan.Running("prod", chosen, label, place, reverse, apart, axes)
    return None


def _layout(labels: Sequence[Label], shape: Sequence[AnySize]) -> tuple[Label | None, ...]:
    assert len(labels) == len(shape)
    return tuple(labels)
