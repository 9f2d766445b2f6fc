"""From terms and definitions to a plan: what is computed, in which order, and what is written where.

Every product is contracted pair by pair (`contract`), entries are read as views (`plan.View`), terms
whose axes are plain become expressions, all others are written into zeros. A definition that is used
once and is small stands in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Protocol

from einsumdiff import plan
from einsumdiff.contract import along, order, volume
from einsumdiff.errors import Unsupported
from einsumdiff.nodes import (
    Array,
    Body,
    Call,
    Constant,
    Definition,
    Entry,
    Extent,
    Form,
    Guard,
    Input,
    Label,
    Mask,
    Number,
    Operate,
    Product,
    Reduce,
    Sum,
    Term,
    bare,
    constant_form,
    factor_labels,
    substitute_factor,
)
from einsumdiff.plan import Expr, Plan
from einsumdiff.program import Program, live
from einsumdiff.sizes import AnySize, Size, names, symbol
from einsumdiff.table import Function, load_table
from einsumdiff.terms import injective, known_labels

_Side = tuple[Expr, int]  # an operand, and whether it stands above (1) or below (-1) the fraction bar

MOST_INLINE = 9
"""A definition that is used once stands in place up to so many operations."""


class Result(Protocol):
    """What is asked for: the terms of an array and its shape."""

    @property
    def terms(self) -> tuple[Term, ...]: ...

    @property
    def shape(self) -> tuple[AnySize, ...]: ...


def lower(program: Program, results: Sequence[Result], *, value: bool = False, name: str = "f") -> Plan:
    """The plan of a function of all inputs that returns the results, the output's value first if asked.

    Raises
    ------
    Unsupported : where a size that is needed is the size of no input's axis.
    """
    return _Lowering(program, name).run(results, value)


def _read(terms: Iterable[Term]) -> list[Array]:
    return [f.array for t in terms for f in t.product.factors if isinstance(f, Entry | Mask)]


class _Lowering:
    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name
        self.statements: list[plan.Statement] = []
        self.names: dict[Array, str] = {}
        self.inline: dict[Array, Expr] = {}
        self.layout: dict[Array, tuple[Label, ...]] = {}
        self.taken = {i.name for i in program.inputs} | set(program.builder.taken) | {"np", "special"}
        self.taken |= {size for i in program.inputs for s in i.shape for size in names(s)}
        self.weights: dict[Expr, int] = {}
        self.last: dict[str, int] = {}  # the number of the last generated name for each hint

    def run(self, results: Sequence[Result], value: bool) -> Plan:
        roots: list[Array] = [self.program.output] if value else []
        for result in results:
            roots += _read(result.terms)
        definitions = live(roots)
        self.taken |= {d.name for d in definitions if d.named}
        uses = self._uses(definitions, results)
        for array in (*self.program.inputs, *definitions):
            if isinstance(array, Input) or (isinstance(array, Definition) and array.named):
                self.names[array] = array.name
        for definition in definitions:
            self._define(definition, uses, keep=value and definition is self.program.output)
        returns = []
        if value:
            returns.append(self._own_copy(self.program.output))
        for result in results:
            returns.append(self._result(result))
        sources = self._sources()
        return Plan(self.name, self.program.inputs, tuple(self.statements), tuple(returns), sources)

    # -- names and sizes --------------------------------------------------------------------------------

    def _fresh(self, hint: str) -> str:
        k = self.last.get(hint, 0) + 1
        while (name := f"{hint}{k}") in self.taken:
            k += 1
        self.last[hint] = k
        self.taken.add(name)
        return name

    def _sources(self) -> dict[str, tuple[Input, int]]:
        found: dict[str, tuple[Input, int]] = {}
        for array in self.program.inputs:
            for axis, size in enumerate(array.shape):
                if isinstance(size, Size) and size == symbol(next(names(size))):
                    found.setdefault(str(size), (array, axis))
        for array in self.program.inputs:
            for size in array.shape:
                for name in names(size):
                    if name not in found:
                        raise Unsupported(
                            f"the size {name} is the size of no axis by itself",
                            hint=f"give an input an axis of size {name}",
                        )
        return found

    @staticmethod
    def _uses(definitions: Sequence[Definition], results: Sequence[Result]) -> dict[Array, int]:
        """How often each array is read; twice for a reading that cannot stand in place."""
        uses: dict[Array, int] = {}

        def count(array: Array, forms: Sequence[Form], often: int = 1) -> None:
            labels = [form.label for form in forms]
            whole = None not in labels and len(set(labels)) == len(labels)
            whole = whole and all(
                label is not None and label.size == size
                for label, size in zip(labels, array.shape, strict=True)
            )
            uses[array] = uses.get(array, 0) + (often if whole else 2)

        def count_terms(terms: Iterable[Term]) -> None:
            for term in terms:
                plain = _plain(term)
                for f in term.product.factors:
                    if isinstance(f, Entry | Mask):
                        count(f.array, f.forms, 1 if plain or injective(term.axes) else 2)

        for definition in definitions:
            match definition.body:
                case Sum(terms):
                    count_terms(terms)
                case Call(_, _, operands):
                    for o in operands:
                        if isinstance(o, Entry):
                            count(o.array, o.forms)
                case Reduce(_, _, _, entry, _):
                    count(entry.array, entry.forms)
                case Operate(_, _, entries, _, _):
                    for e in entries:
                        count(e.array, e.forms, 2)
        for result in results:
            count_terms(result.terms)
        return uses

    # -- definitions --------------------------------------------------------------------------------------

    def _define(self, definition: Definition, uses: dict[Array, int], keep: bool) -> None:
        body = definition.body
        small = not definition.named and not keep and uses.get(definition, 0) == 1
        if isinstance(body, Sum) and not (body.terms and all(map(_plain, body.terms))):
            name = self._name(definition)
            self._write_terms(name, body.terms, definition.shape)
            return
        axes, value = self._body(body, definition.shape)
        if small and self._weight(value) <= MOST_INLINE and None not in axes:
            covered = set(value.axes)
            if all(label in covered for label in axes):
                self.inline[definition] = value
                self.layout[definition] = tuple(label for label in axes if label is not None)
                return
        self.statements.append(plan.Assign(self._name(definition), value, axes))

    def _name(self, definition: Definition) -> str:
        name = self.names.get(definition)
        if name is None:
            name = self.names[definition] = self._fresh("t")
        return name

    def _body(self, body: Body, shape: tuple[AnySize, ...]) -> tuple[tuple[Label | None, ...], Expr]:
        match body:
            case Sum(terms):
                axes = tuple(Label(size) if size != 1 else None for size in shape)
                return axes, self.sum_of(terms, axes)
            case Call(function, labels, operands):
                parts = tuple(
                    self.entry(o, number=False) if isinstance(o, Entry) else plan.Literal(o) for o in operands
                )
                return _layout(labels, shape), plan.Apply(function, parts, _union(parts))
            case Reduce():
                return _layout(body.axes, shape), self._reduce(body)
            case Operate(operation, labels, entries, _, _):
                operands_ = tuple(self.entry(e) for e in entries)
                return _layout(labels, shape), plan.Perform(operation, operands_, labels)

    def _reduce(self, body: Reduce) -> Expr:
        base = self.entry(body.entry)
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
            conditions = tuple((self.condition(g), True) for g in body.guards)
            base = plan.Select(conditions, base, 1, _union([base, *(c for c, _ in conditions)]))
        return plan.Fold(body.op, base, tuple(n for n in base.axes if n not in body.bound))

    # -- sums of products ---------------------------------------------------------------------------------

    def sum_of(self, terms: Sequence[Term], axes: Sequence[Label | None]) -> Expr:
        """Terms with plain axes, added up in these labels."""
        parts: list[tuple[int, Expr]] = []
        for term in terms:
            values = {
                form.label: bare(label)
                for form, label in zip(term.axes, axes, strict=True)
                if form.label is not None and label is not None
            }
            sign, value = _signed(self.product(term.product.substitute(values)))
            parts.append((sign, value))
        if len(parts) == 1 and parts[0][0] == 1:
            return parts[0][1]
        parts.sort(key=lambda part: part[0] < 0)
        return plan.Add(tuple(parts), _union([value for _, value in parts]))

    def product(self, one: Product, trusted: bool = False) -> Expr:
        """A product over its free labels; what it sums is contracted pair by pair."""
        factors = list(one.factors)
        conditions = [f for f in factors if isinstance(f, Guard | Mask)]
        scalar: list[_Side] = []
        operands: list[_Side] = []
        for f in factors:
            match f:
                case Extent(size, power):
                    side = 1 if power > 0 else -1
                    scalar.append((plan.Literal(size, side * power), side))
                case Entry():
                    value, power = self._powered(f, trusted, bool(conditions))
                    (operands if value.axes else scalar).append((value, power))
        if conditions:
            operands = self._conditioned(conditions, operands, scalar, one)
        value = self._contracted(operands, one.bound)
        return self._scaled(value, one.coefficient, scalar)

    def _powered(self, entry: Entry, trusted: bool, guarded: bool) -> tuple[Expr, int]:
        """The base of an entry to a positive power, and on which side of the fraction it stands."""
        value = self.entry(entry, trusted=trusted, guarded=guarded)
        power = entry.power
        side = 1 if power > 0 else -1
        if abs(power) != 1:
            value = plan.Power(value, side * power, value.axes)
        return value, side

    def _conditioned(
        self,
        conditions: Sequence[Guard | Mask],
        operands: list[_Side],
        scalar: list[_Side],
        one: Product,
    ) -> list[_Side]:
        """Whatever shares a summed label with a condition, or has only its labels, is selected by it."""
        tests = tuple(
            (self.condition(f), True) if isinstance(f, Guard) else (self.mask(f), f.holds) for f in conditions
        )
        bound = set(one.bound)
        labels = {n for f in conditions for n in factor_labels(f)}
        if labels & bound:
            inside = [o for o in operands if set(o[0].axes) & labels or not set(o[0].axes) & bound]
            outside = [o for o in operands if o not in inside]
        else:
            inside, outside = operands, []
        joint = set(_union([v for v, _ in inside])) | labels
        summed = [n for n in one.bound if n in joint and n not in labels]
        summed = [n for n in summed if not any(n in v.axes for v, _ in outside)]
        inner = self._contracted(inside, summed)
        inner = self._scaled(inner, 1, scalar)
        scalar.clear()
        chosen = plan.Select(tests, inner, 0, _union([inner, *(c for c, _ in tests)]))
        return [(chosen, 1), *outside]

    def _contracted(self, operands: list[_Side], bound: Sequence[Label]) -> Expr:
        if not operands:
            return plan.Literal(1)
        summed = set(bound)
        count: dict[Label, int] = {}
        for value, _ in operands:
            for label in value.axes:
                count[label] = count.get(label, 0) + 1
        ready: list[_Side] = []
        for value, side in operands:
            alone = [n for n in value.axes if n in summed and count[n] == 1]
            if (alone and len(operands) > 1) or (alone and side < 0):
                if side < 0:
                    value, side = plan.Divide(plan.Literal(1), value, value.axes), 1
                value = plan.Fold("sum", value, tuple(n for n in value.axes if n not in alone))
            ready.append((value, side))
        sets = [frozenset(value.axes) for value, _ in ready]
        final = frozenset(n for s in sets for n in s) - summed
        path = order(sets, final)
        live_count: dict[Label, int] = {}
        for s in sets:
            for n in s:
                live_count[n] = live_count.get(n, 0) + 1

        def pair(a: _Side, b: _Side) -> _Side:
            done = [n for n in a[0].axes if n in b[0].axes and n in summed and live_count[n] == 2]
            for n in a[0].axes:
                if n in b[0].axes:
                    live_count[n] -= 1
            return self._pair(a, b, set(done))

        value, side = along(path, lambda k: ready[k], pair)
        if side < 0:
            value = plan.Divide(plan.Literal(1), value, value.axes)
        rest = tuple(n for n in value.axes if n not in summed)
        return value if len(rest) == len(value.axes) else plan.Fold("sum", value, rest)

    @staticmethod
    def _pair(a: _Side, b: _Side, done: set[Label]) -> _Side:
        (left, p), (right, q) = a, b
        if not done:
            axes = _union([left, right])
            if p == q:
                return plan.Multiply(left, right, axes), p
            return (plan.Divide(left, right, axes) if p > 0 else plan.Divide(right, left, axes)), 1
        if p < 0:
            left = plan.Divide(plan.Literal(1), left, left.axes)
        if q < 0:
            right = plan.Divide(plan.Literal(1), right, right.axes)
        axes = tuple(n for n in _union([left, right]) if n not in done)
        return plan.Contract(left, right, axes), 1

    @staticmethod
    def _scaled(value: Expr, coefficient: Number, scalar: list[_Side]) -> Expr:
        """The value times a number and scalars, the scalars first as they are cheap."""
        above: list[Expr] = [s for s, side in scalar if side > 0]
        below: list[Expr] = [s for s, side in scalar if side < 0]
        if isinstance(coefficient, Fraction):
            if abs(coefficient.numerator) != 1:
                above.insert(0, plan.Literal(abs(coefficient.numerator)))
            below.insert(0, plan.Literal(coefficient.denominator))
        elif coefficient not in (1, -1) or isinstance(coefficient, float):
            above.insert(0, plan.Literal(abs(coefficient)))
        if not isinstance(value, plan.Literal) or value.value != 1:
            above.append(value)
        result: Expr | None = None
        for part in above:
            result = part if result is None else plan.Multiply(result, part, _union([result, part]))
        if result is None:
            result = plan.Literal(1)
        for part in below:
            result = plan.Divide(result, part, result.axes)
        if coefficient < 0:
            result = plan.Add(((-1, result),), result.axes)
        return result

    # -- entries ------------------------------------------------------------------------------------------

    def entry(self, e: Entry, number: bool = True, trusted: bool = False, guarded: bool = False) -> Expr:
        """The base of an entry as an expression over its labels; with `number`, a boolean is cast."""
        array = e.array
        if isinstance(array, Constant):
            return plan.Named(array.name)
        value = self._view(array, e.forms, trusted, guarded)
        return plan.Cast(value, value.axes) if number and _boolean(array) else value

    def _view(self, array: Array, forms: tuple[Form, ...], trusted: bool, guarded: bool) -> Expr:
        labels = [form.label for form in forms]
        distinct = None not in labels and len(set(labels)) == len(labels)
        whole = distinct and all(
            label is not None and label.size == size for label, size in zip(labels, array.shape, strict=True)
        )
        if whole:
            axes = tuple(label for label in labels if label is not None)
            inner = self.inline.get(array)
            if inner is not None:
                return _relabelled(inner, dict(zip(self.layout[array], axes, strict=True)))
            return plan.Load(self.names[array], axes)
        axes = tuple(dict.fromkeys(n for form in forms for n in form.labels))
        proved = trusted or all(form.within(size) for form, size in zip(forms, array.shape, strict=True))
        assert proved or guarded, f"{array.name}{list(forms)} may be out of bounds"
        return plan.View(self.names[array], forms, array.shape, axes, proved)

    def mask(self, mask: Mask) -> Expr:
        """The condition of a mask, as a boolean or a number."""
        return self._view(mask.array, mask.forms, False, True)

    @staticmethod
    def condition(guard: Guard) -> Expr:
        return plan.Condition(guard.form, guard.op, guard.form.labels)

    # -- writing ------------------------------------------------------------------------------------------

    def _write_terms(self, name: str, terms: Sequence[Term], shape: tuple[AnySize, ...]) -> None:
        plain = [term for term in terms if _plain(term)]
        if plain:
            axes = tuple(Label(size) if size != 1 else None for size in shape)
            self.statements.append(plan.Assign(name, self.sum_of(plain, axes), axes, own=True))
        else:
            self.statements.append(plan.Zeros(name, shape))
        first = not plain
        for term in terms:
            if term not in plain:
                self.statements += self._write(name, term, shape, first)
                first = False

    def _write(self, name: str, term: Term, shape: tuple[AnySize, ...], first: bool) -> list[plan.Statement]:
        proved = all(form.within(size) for form, size in zip(term.axes, shape, strict=True))
        if not proved or not injective(term.axes):
            looped = self._loop_label(term) if proved else None
            if looped is not None:
                variable = self._fresh("k")
                fixed = {looped: constant_form(symbol(variable))}
                inner = Term(
                    tuple(form.substitute(fixed) for form in term.axes),
                    Product(
                        term.product.coefficient,
                        tuple(substitute_factor(f, fixed) for f in term.product.factors),
                        term.product.bound,
                    ),
                )
                body = self._write_proved(name, inner, shape)
                return [plan.Loop(variable, looped.size, tuple(body))]
            value = self.product(term.product)
            return [plan.Write(name, term.axes, shape, value, term.labels, False, False)]
        value = self.product(term.product)
        return [plan.Write(name, term.axes, shape, value, term.labels, first, True)]

    def _write_proved(self, name: str, term: Term, shape: tuple[AnySize, ...]) -> list[plan.Statement]:
        """Inside a loop: the forms were proved before the loop's label became a number."""
        if not injective(term.axes):
            looped = self._loop_label(term)
            if looped is not None:
                variable = self._fresh("k")
                fixed = {looped: constant_form(symbol(variable))}
                factors = tuple(substitute_factor(f, fixed) for f in term.product.factors)
                axes = tuple(form.substitute(fixed) for form in term.axes)
                inner = Term(axes, Product(term.product.coefficient, factors, term.product.bound))
                return [plan.Loop(variable, looped.size, tuple(self._write_proved(name, inner, shape)))]
        value = self.product(term.product, trusted=True)
        return [plan.Write(name, term.axes, shape, value, term.labels, False, True)]

    @staticmethod
    def _loop_label(term: Term) -> Label | None:
        """The smallest label that its place does not determine."""
        unknown = [n for n in term.labels if n not in known_labels(term.axes)]
        return min(unknown, key=lambda n: volume([n]), default=None)

    # -- results ------------------------------------------------------------------------------------------

    def _result(self, result: Result) -> str:
        name = self._fresh("result") if "result" in self.taken else "result"
        self.taken.add(name)
        self._write_terms(name, result.terms, result.shape)
        return name

    def _own_copy(self, output: Definition) -> str:
        name = self.names[output]
        last = next((s for s in self.statements if isinstance(s, plan.Assign) and s.name == name), None)
        if last is not None:
            self.statements[self.statements.index(last)] = plan.Assign(name, last.value, last.axes, own=True)
        return name

    # -- weights ------------------------------------------------------------------------------------------

    def _weight(self, value: Expr) -> int:
        """How many operations an expression shows."""
        known = self.weights.get(value)
        if known is None:
            known = self.weights[value] = 1 + sum(self._weight(part) for part in _parts(value))
        return known


def _boolean(array: Array) -> bool:
    if not isinstance(array, Definition) or not isinstance(array.body, Call):
        return False
    row = load_table()[array.body.function]
    return isinstance(row, Function) and row.boolean


def _plain(term: Term) -> bool:
    """Is every axis a bare label of its own, with no condition on places out of bounds?"""
    labels = [form.label for form in term.axes if form.coefficients]
    if None in labels or len(set(labels)) < len(labels):
        return False
    return all(form.coefficients or form.constant == 0 for form in term.axes)


def _layout(labels: Sequence[Label], shape: Sequence[AnySize]) -> tuple[Label | None, ...]:
    assert len(labels) == len(shape)
    return tuple(labels)


def _union(parts: Sequence[Expr]) -> tuple[Label, ...]:
    """The labels of the parts, those of the largest first so that it need not be transposed."""
    largest = max(parts, key=lambda part: len(part.axes), default=None)
    first = largest.axes if largest is not None else ()
    return tuple(dict.fromkeys([*first, *(label for part in parts for label in part.axes)]))


def _signed(value: Expr) -> tuple[int, Expr]:
    """A sign taken off an expression."""
    if isinstance(value, plan.Add) and len(value.terms) == 1:
        return value.terms[0]
    return 1, value


def _parts(value: Expr) -> tuple[Expr, ...]:
    match value:
        case plan.Add(terms, _):
            return tuple(part for _, part in terms)
        case plan.Multiply(a, b, _) | plan.Divide(a, b, _) | plan.Contract(a, b, _):
            return a, b
        case plan.Power(base, _, _) | plan.Fold(_, base, _) | plan.Others(base, _, _) | plan.Cast(base, _):
            return (base,)
        case plan.Apply(_, operands, _) | plan.Perform(_, operands, _):
            return operands
        case plan.Select(conditions, inner, _, _):
            return (*(c for c, _ in conditions), inner)
        case _:
            return ()


def _relabelled(value: Expr, new: dict[Label, Label]) -> Expr:
    """The expression in other labels; those that it sums stay, as nothing else bears them."""

    def axes(old: tuple[Label, ...]) -> tuple[Label, ...]:
        return tuple(new.get(label, label) for label in old)

    forms = {old: bare(label) for old, label in new.items()}
    match value:
        case plan.Load(name, labels):
            return plan.Load(name, axes(labels))
        case plan.View(name, old, shape, labels, proved):
            return plan.View(name, tuple(f.substitute(forms) for f in old), shape, axes(labels), proved)
        case plan.Add(terms, labels):
            return plan.Add(tuple((s, _relabelled(t, new)) for s, t in terms), axes(labels))
        case plan.Multiply(a, b, labels):
            return plan.Multiply(_relabelled(a, new), _relabelled(b, new), axes(labels))
        case plan.Divide(a, b, labels):
            return plan.Divide(_relabelled(a, new), _relabelled(b, new), axes(labels))
        case plan.Contract(a, b, labels):
            return plan.Contract(_relabelled(a, new), _relabelled(b, new), axes(labels))
        case plan.Power(base, power, labels):
            return plan.Power(_relabelled(base, new), power, axes(labels))
        case plan.Fold(op, base, labels):
            return plan.Fold(op, _relabelled(base, new), axes(labels))
        case plan.Others(base, label, labels):
            return plan.Others(_relabelled(base, new), new.get(label, label), axes(labels))
        case plan.Cast(base, labels):
            return plan.Cast(_relabelled(base, new), axes(labels))
        case plan.Apply(f, operands, labels):
            return plan.Apply(f, tuple(_relabelled(o, new) for o in operands), axes(labels))
        case plan.Perform(f, operands, labels):
            return plan.Perform(f, tuple(_relabelled(o, new) for o in operands), axes(labels))
        case plan.Condition(form, op, labels):
            return plan.Condition(form.substitute(forms), op, axes(labels))
        case plan.Select(conditions, inner, otherwise, labels):
            tests = tuple((_relabelled(c, new), holds) for c, holds in conditions)
            return plan.Select(tests, _relabelled(inner, new), otherwise, axes(labels))
        case _:
            return value
