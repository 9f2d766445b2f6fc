"""One entry of an expression, inside the loops over its labels.

An expression of a plan is an array; here its value at one place is written, so a chain of operations needs
no array in between. What does not depend on the innermost loop is computed in the loop that it depends on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

from einsumdiff import plan
from einsumdiff.errors import Unsupported
from einsumdiff.language.table import Function, NamedNumber, load_table
from einsumdiff.nodes import Label, Number
from einsumdiff.plan import Expr
from einsumdiff.sizes import AnySize, Size
from einsumdiff.targets.numba.blocks import Block, Blocks
from einsumdiff.targets.numba.effort import repeatable
from einsumdiff.targets.numba.scalars import ATOM, POWER, PRODUCT, SUM, TEST, WITHOUT_JIT, Text

START = {"sum": "{kind}(0)", "prod": "{kind}(1)", "max": "-{kind}(np.inf)", "min": "{kind}(np.inf)"}
"""What a reduction starts from."""


class Entries(Blocks):
    """Writes entries, and what has to be computed before them.

    Parameters
    ----------
    taken : names that are in use.
    indices : the variables that hold places.
    """

    def __init__(self, taken: set[str], indices: frozenset[str]) -> None:
        super().__init__(taken)
        self.indices = indices
        self.numbers: set[str] = set()  # variables that are no arrays
        self.booleans: set[str] = set()
        self.current: dict[str, tuple[tuple[Label, ...], Text]] = {}  # entries known in these loops
        self.emptied: dict[AnySize, str] = {}  # what must not be empty, and for which reduction

    # -- places ------------------------------------------------------------------------------------------

    def indexed(self, name: str, places: list[str]) -> Text:
        if not places:
            return Text(name if name in self.numbers else f"{name}[()]")
        return Text(f"{name}[{', '.join(places)}]")

    def whole(self, value: Expr) -> Text:
        """A place that an array holds."""
        match value:
            case plan.Load(name, axes) if name in self.indices:
                return self.indexed(name, [self.at[label] for label in axes])
            case plan.View(name) if name in self.indices:
                return self.entry(value)
            case plan.Whole(plan.Place(form, _), _):
                return self.place(form)
            case _:
                raise Unsupported("places that are computed are not read in loops", None, WITHOUT_JIT)

    def inside_of(self, index: Expr, size: AnySize) -> str:
        """The place in a variable, counted from the beginning."""
        place = self.named(self.whole(index), "p").text
        own = self.fresh("p")
        self.line(f"{own} = {place} + {self.size(size, SUM)} if {place} < 0 else {place}")
        return own

    # -- what a value is --------------------------------------------------------------------------------

    def boolean(self, value: Expr) -> bool:
        """Is it True or False, and no number?"""
        match value:
            case plan.Condition():
                return True
            case plan.Apply(name):
                row = load_table()[name]
                return isinstance(row, Function) and row.boolean
            case plan.Load(name) | plan.View(name):
                return name in self.booleans
            case plan.Take(base):
                return self.boolean(base)
            case _:
                return False

    def depth(self, value: Expr) -> int:
        """The innermost block that an expression depends on."""
        return max((self.level[label] for label in value.axes), default=self.floor)

    # -- entries ----------------------------------------------------------------------------------------

    def scalar(self, value: Expr) -> Text:
        """An entry, computed in the outermost loop in which it can be."""
        depth = self.depth(value)
        if depth >= self.loop or repeatable(value, 1):
            return self.entry(value)
        with self.outside(depth):
            return self.named(self.entry(value))

    def truth(self, value: Expr) -> Text:
        """A condition: a number holds where it is not 0."""
        text = self.scalar(value)
        return text if self.boolean(value) else Text(f"{text.within(SUM)} != 0", TEST)

    def entry(self, value: Expr) -> Text:
        """An entry at the places of the open loops."""
        match value:
            case plan.Load(name, axes):
                known = self.current.get(name)
                if known is not None and known[0] == axes:
                    return known[1]
                return self.indexed(name, [self.at[label] for label in axes])
            case plan.View():
                return self._viewed(value)
            case plan.Literal(number, power, _):
                return self._literal(number, power)
            case plan.Named(name):
                row = load_table()[name]
                assert isinstance(row, NamedNumber)
                return self.number(row.spelling.function)
            case plan.Add(terms, _):
                return self._added(terms)
            case plan.Multiply(left, right, _):
                a, b = self.scalar(left), self.scalar(right)
                return Text(f"{a.within(PRODUCT)}*{b.within(POWER)}", PRODUCT)
            case plan.Divide(left, right, _):
                a, b = self.scalar(left), self.scalar(right)
                return Text(f"{a.within(PRODUCT)}/{b.within(POWER)}", PRODUCT)
            case plan.Power(base, power, _):
                if power == Fraction(1, 2):
                    return Text(f"np.sqrt({self.scalar(base).text})")
                inner = self.scalar(base).within(ATOM)
                return Text(f"{inner}**{self._exponent(power)}", POWER)
            case plan.Fold():
                return self._folded(value)
            case plan.Apply():
                return self._applied(value)
            case plan.Condition(form, op, _):
                return Text(f"{self.place(form).text} {op} 0", TEST)
            case plan.Select():
                return self._selected(value)
            case plan.Take(base, label, index, _):
                with self.placed(label, index):
                    return self.named(self.scalar(base))
            case plan.Hot(index, form, size, _):
                at = self.inside_of(index, size)
                same = f"{at} == {self.place(form).text}"
                return Text(f"({self.kind}(1) if {same} else {self.kind}(0))")
            case plan.Place(form, _):
                return Text(f"{self.kind}({self.place(form).text})")
            case plan.Cast(base, _):
                return Text(f"{self.kind}({self.scalar(base).text})")
            case _:
                raise AssertionError(f"{type(value).__name__} is an array of its own")

    def _viewed(self, view: plan.View) -> Text:
        """A place out of bounds has the value 0, which a condition around it throws away."""
        places = [self.place(form) for form in view.forms]
        if view.proved:
            return self.indexed(view.name, [place.text for place in places])
        tests = []
        for k, (form, size) in enumerate(zip(view.forms, view.shape, strict=True)):
            if not form.within(size):
                places[k] = self.named(places[k], "p")
                tests.append(f"0 <= {places[k].text} < {self.size(size, SUM)}")
        text = self.indexed(view.name, [place.text for place in places])
        other = "False" if view.name in self.booleans else "0" if view.name in self.indices else None
        return Text(f"({text.text} if {' and '.join(tests)} else {other or self.number('0').text})")

    def _literal(self, value: Number | AnySize, power: int | Fraction) -> Text:
        if isinstance(value, Size):
            text = self.number(self.size(value))
        elif isinstance(value, float) and value != value:
            text = self.number("np.nan")
        elif isinstance(value, float) and value in (float("inf"), float("-inf")):
            text = self.number("np.inf" if value > 0 else "-np.inf")
        else:
            text = self.number(str(value) if isinstance(value, Fraction) else repr(value))
        return text if power == 1 else Text(f"{text.text}**{self._exponent(power)}", POWER)

    def _exponent(self, power: int | Fraction) -> str:
        return str(power) if isinstance(power, int) and power > 0 else self.number(str(power)).text

    def _added(self, terms: tuple[tuple[int, Expr], ...]) -> Text:
        text, level = "", SUM
        for sign, value in terms:
            part = self.scalar(value)
            if not text:
                text = part.within(SUM) if sign > 0 else f"-{part.within(PRODUCT)}"
                level = part.level if sign > 0 and len(terms) == 1 else SUM
            else:
                text += f" + {part.within(SUM)}" if sign > 0 else f" - {part.within(PRODUCT)}"
        return Text(text, level)

    def _applied(self, value: plan.Apply) -> Text:
        row = load_table()[value.function]
        assert isinstance(row, Function)
        arguments = []
        for k, operand in enumerate(value.operands):
            text = self.truth(operand) if row.mask and not k else self.scalar(operand)
            repeated = row.spelling.repeats(row.parameters[k].name)
            arguments.append(self.named(text) if repeated else text)
        return self.spelled(row, tuple(arguments))

    def _selected(self, value: plan.Select) -> Text:
        """Computed only where the conditions hold."""
        tests = [
            self.truth(c).text if holds else f"not {self.truth(c).within(SUM)}"
            for c, holds in value.conditions
        ]
        test = " and ".join(tests)
        otherwise = "False" if self.boolean(value.value) else self.number(str(value.otherwise)).text
        block: Block = []
        self.blocks.append(block)
        inner = self.scalar(value.value)
        self.blocks.pop()
        if not block:
            return Text(f"({inner.within(SUM)} if {test} else {otherwise})")
        name = self.fresh("s")
        self.line(f"{name} = {otherwise}")
        self.blocks[-1] += [f"if {test}:", [*block, f"{name} = {inner.text}"]]
        return Text(name)

    @contextmanager
    def placed(self, label: Label, index: Expr) -> Iterator[None]:
        """The label at the place that an index array holds."""
        depth = self.depth(index)
        if depth < self.loop:
            with self.outside(depth):
                place = self.inside_of(index, label.size)
        else:
            place = self.inside_of(index, label.size)
        with self.bound(label, place, depth):
            yield

    # -- reductions -------------------------------------------------------------------------------------

    def _folded(self, value: plan.Fold) -> Text:
        name = self.fresh("s")
        gone = [label for label in value.base.axes if label not in value.axes]
        self.line(f"{name} = {self.start(value.op, gone)}")
        self._summed(name, value, gone)
        return Text(name)

    def _summed(self, name: str, value: plan.Fold, gone: list[Label]) -> None:
        if not gone:
            self.combine(value.op, name, self.scalar(value.base))
            return
        with self.looping(gone[0]):
            self._summed(name, value, gone[1:])

    def start(self, op: str, gone: Sequence[Label]) -> str:
        """What a reduction over these labels starts from."""
        if op in ("max", "min"):
            self.emptied.update((label.size, op) for label in gone)
        return START[op].format(kind=self.kind)

    def combine(self, op: str, name: str, value: Text) -> None:
        """One more value for a reduction; nan stays, as in NumPy."""
        if op in ("sum", "prod"):
            self.line(f"{name} {'+' if op == 'sum' else '*'}= {value.text}")
            return
        one = self.named(value).text
        sign = ">" if op == "max" else "<"
        self.blocks[-1] += [f"if {one} {sign} {name} or {one} != {one}:", [f"{name} = {one}"]]
