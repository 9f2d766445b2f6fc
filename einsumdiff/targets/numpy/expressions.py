"""Text of expressions: an operator or a call for every node of a plan, its operands laid out for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction

from einsumdiff import plan
from einsumdiff.errors import NameFault
from einsumdiff.language.table import Function, NamedNumber, Operation, load_table
from einsumdiff.passes.panels import crossing
from einsumdiff.plan import Expr
from einsumdiff.sizes import Size
from einsumdiff.targets.numpy.helpers import HELPERS
from einsumdiff.targets.numpy.places import Places
from einsumdiff.targets.numpy.products import Products, places
from einsumdiff.targets.numpy.text import ATOM, POWER, PRODUCT, SIGN, SUM, Axes, Text, level_of, number
from einsumdiff.targets.numpy.views import ordered


class Expressions(Products, Places):
    def __init__(self, taken: Collection[str]) -> None:
        super().__init__(taken)
        self.variables = taken
        self.scipy = self.linalg = False
        self.same: dict[str, str] = {}  # variables that would hold what another one holds
        self.given: dict[str, None] = {}  # modules and functions of the user's, in order of use

    def emit(self, value: Expr, want: Axes) -> Text:
        """The text of an expression, its axes in the wanted order where that costs nothing."""
        match value:
            case plan.Load(name, axes):
                return Text(self.same.get(name, name), axes)
            case plan.View(name, forms, shape, _, proved):
                return self.view(name, forms, shape) if proved else self.gather(name, forms)
            case plan.Literal():
                return self._literal(value)
            case plan.Named(name):
                row = load_table()[name]
                assert isinstance(row, NamedNumber)
                return Text(row.spelling.function, ())
            case plan.Ones(like, axes):
                count = self.size(axes[0].size) if len(axes) == 1 else self.shape([n.size for n in axes])
                return Text(f"np.ones({count}, {like}.dtype)", axes)
            case plan.Add(terms, axes):
                return self._add(terms, ordered(axes, want))
            case plan.Multiply(left, right, axes):
                axes = ordered(axes, want)
                a, b = self.operands([left, right], axes)
                if crossing([left, right], axes, self.paneled):
                    return self.by_panels("multiply", a, b)
                return Text(f"{a.factor}*{b.within(POWER)}", axes, PRODUCT)
            case plan.Divide(left, right, axes):
                axes = ordered(axes, want)
                a, b = self.operands([left, right], axes)
                if constant(left) and has_size(right):  # a size may be 0, by which Python does not divide
                    self.typed = True
                    a = Text(f"{self.dtype}.type({a.text})", ())
                return Text(f"{a.factor}/{b.within(POWER)}", axes, PRODUCT)
            case plan.Power(base, power, axes):
                inner = self.emit(base, want)
                if power == Fraction(1, 2):
                    return Text(f"np.sqrt({inner.text})", inner.axes)
                return Text(f"{inner.within(ATOM)}**{number(power)}", inner.axes, POWER)
            case plan.Contract():
                return self.contracted(value, want)
            case plan.Fold(op, base, axes):
                return self.folded(op, base, axes, want)
            case plan.Softmax(base, labels, _):
                inner = self.emit(base, want)
                kept = tuple(label for label in inner.axes if label not in labels)
                if not kept:
                    self.helpers.add("_softmax_of_all")
                    return Text(f"_softmax_of_all({inner.text})", inner.axes)
                self.helpers.add("_softmax")
                return Text(f"_softmax({inner.text}, axis={places(inner.axes, kept)})", inner.axes)
            case plan.Others(base, label, axes):
                self.helpers.add("_product_of_others")
                inner = self.emit(base, ())
                k = inner.axes.index(label)
                renamed = inner.axes[:k] + tuple(n for n in axes if n not in inner.axes) + inner.axes[k + 1 :]
                return Text(f"_product_of_others({inner.text}, {k})", renamed)
            case plan.Running():
                return self.running(value, want)
            case plan.RunningAt():
                return self.running_at(value, want)
            case plan.RunningOthers():
                return self.running_others(value)
            case plan.Apply(name, operands, axes):
                row = load_table()[name]
                assert isinstance(row, Function)
                self.scipy |= row.spelling.scipy
                self.read(row)
                axes = ordered(axes, want)
                parts = self.operands(operands, axes)
                if axes and row.helped and f"_{row.name}" in HELPERS:
                    self.helpers.add(f"_{row.name}")
                    return Text(f"_{row.name}({', '.join(part.text for part in parts)})", axes)
                parameters = tuple(p.name for p in row.parameters)[: len(parts)]
                texts = tuple(part.within(ATOM) if row.spelling.template else part.text for part in parts)
                text = row.spelling.spell(parameters, texts)
                if all(map(constant, operands)):  # a number: it takes the kind of the arrays around it
                    return Text(f"{'np.bool_' if row.boolean else 'float'}({text})", axes)
                return Text(text, axes)
            case plan.Perform(name, operands, axes):
                row = load_table()[name]
                assert isinstance(row, Operation)
                self.linalg |= row.spelling.scipy
                self.read(row)
                if row.spelling.text.startswith("_"):
                    self.helpers.add(row.spelling.text.split("(")[0])
                parts = [self.arranged(self.emit(o, o.axes), o.axes) for o in operands]
                parameters = tuple(p.name for p in row.parameters)[: len(parts)]
                return Text(row.spelling.spell(parameters, tuple(p.text for p in parts)), axes)
            case plan.Solve():
                return self.solved(value)
            case plan.Condition(form, op, axes):
                axes = ordered(axes, want)
                return Text(f"({self.affine(form, axes)} {op} 0)", axes)
            case plan.Select():
                return self._select(value, want)
            case plan.Choose(condition, chosen, rest, axes):
                axes = ordered(axes, want)
                test, inner = self.operands([condition, rest], axes)
                return Text(f"np.where({test.text}, {number(chosen)}, {inner.text})", axes)
            case plan.Take(base, label, index, axes):
                return self.taken(self.emit(base, want), label, index)
            case plan.Scatter(inner, label, index, axes):
                return self.scattered(value)
            case plan.Hot(index, form, size, axes):
                return self.hot(index, form, size)
            case plan.Place(form, axes):
                self.typed = True
                axes = ordered(axes, want)
                return Text(f"({self.affine(form, axes)}).astype({self.dtype})", axes)
            case plan.Whole(plan.Place(form, axes), _):
                return Text(self.affine(form, axes), axes, SUM)
            case plan.Whole(base, _):
                inner = self.emit(base, want)
                return Text(f"{inner.within(ATOM)}.astype(np.intp)", inner.axes)
            case plan.Cast(base, _):
                if constant(base):  # of numbers alone, a float already
                    return self.emit(base, want)
                self.typed = True
                inner = self.emit(base, want)
                if not inner.axes:
                    return Text(f"{self.dtype}.type({inner.text})", ())
                return Text(f"{inner.within(ATOM)}.astype({self.dtype})", inner.axes)

    def read(self, row: Function | Operation) -> None:
        """A row's spelling reads the user's modules and functions: they become parameters."""
        for name in row.spelling.names:
            if name in self.variables:
                raise NameFault(
                    f"{name} is an array here, and in the rules what {row.name} is computed with",
                    None,
                    f"call the array otherwise, or register {row.name} with another name for {name}",
                )
            self.given[name] = None

    def _literal(self, value: plan.Literal) -> Text:
        if isinstance(value.value, Size):
            if value.power == 1:
                return Text(self.size(value.value), (), level_of(value.value))
            return Text(f"{self.size(value.value, ATOM)}**{number(value.power)}", (), POWER)
        text = number(value.value)
        if value.power != 1:
            return Text(f"{text}**{number(value.power)}", (), POWER)
        return Text(text, (), SIGN if text.startswith("-") else PRODUCT if "/" in text else ATOM)

    def _add(self, terms: Sequence[tuple[int, Expr]], axes: Axes) -> Text:
        if len(terms) == 1:
            sign, value = terms[0]
            inner = self.emit(value, axes)
            return inner if sign > 0 else Text(f"-{inner.within(PRODUCT)}", inner.axes, SIGN)
        parts = [(sign, self.spread(self.emit(value, axes), axes)) for sign, value in terms]
        pair = crossing([value for _, value in terms], axes, self.paneled)
        if pair is not None:
            second, (sign, part) = parts.pop(pair[1]), parts[pair[0]]
            parts[pair[0]] = self._added_by_panels((sign, part), second)
        text = ""
        for sign, part in parts:
            if not text:
                text = part.text if sign > 0 else f"-{part.within(PRODUCT)}"
            else:
                text += f" + {part.text}" if sign > 0 else f" - {part.within(PRODUCT)}"
        if pair is not None and len(parts) == 1:
            return Text(text, axes, SIGN if text.startswith("-") else ATOM)
        return Text(text, axes, SUM)

    def _added_by_panels(self, one: tuple[int, Text], other: tuple[int, Text]) -> tuple[int, Text]:
        """Two terms as one: its sign, and the rest."""
        (sign, a), (second, b) = one, other
        if sign == second:
            return sign, self.by_panels("add", a, b)
        return 1, self.by_panels("subtract", *((a, b) if sign > 0 else (b, a)))

    def _select(self, value: plan.Select, want: Axes) -> Text:
        axes = ordered(value.axes, want)
        conditions = self.operands([c for c, _ in value.conditions], axes)
        (inner,) = self.operands([value.value], axes)
        if constant(value.value):  # of two numbers NumPy would choose the kind, not the arrays around them
            self.typed = True
            inner = Text(f"{self.dtype}.type({inner.text})", inner.axes)
        if len(conditions) == 1 and not value.conditions[0][1]:
            return Text(f"np.where({conditions[0].text}, {value.otherwise}, {inner.text})", axes)
        tests = [
            test.text if holds else f"np.logical_not({test.text})"
            for test, (_, holds) in zip(conditions, value.conditions, strict=True)
        ]
        whole = tests[0]
        for test in tests[1:]:
            whole = f"np.logical_and({whole}, {test})"
        return Text(f"np.where({whole}, {inner.text}, {value.otherwise})", axes)


def constant(value: Expr) -> bool:
    """Does it read no array?"""
    match value:
        case plan.Literal() | plan.Named():
            return True
        case plan.Add(terms, _):
            return all(constant(part) for _, part in terms)
        case plan.Multiply(a, b, _) | plan.Divide(a, b, _):
            return constant(a) and constant(b)
        case plan.Power(base, _, _):
            return constant(base)
        case plan.Apply(_, operands, _):
            return all(map(constant, operands))
        case _:
            return False


def has_size(value: Expr) -> bool:
    """Is there a size in it?"""
    if isinstance(value, plan.Literal):
        return isinstance(value.value, Size)
    return any(map(has_size, plan.parts(value)))
