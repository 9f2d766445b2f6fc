"""Factors as text: places, conditions, deltas, powers.

The places of an array that is written out are *forms* over labels whose names are the printed letters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from einsumdiff.nodes import (
    Array,
    Definition,
    Extent,
    Form,
    Guard,
    Label,
    Term,
    bare,
)
from einsumdiff.sizes import AnySize
from einsumdiff.sizes import names as size_names
from einsumdiff.views.letters import INDICES, Used, choose
from einsumdiff.views.ranges import (
    Accesses,
    fitting,
    said,
)
from einsumdiff.views.text import (
    ATOM,
    COMPARISON,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Part,
    Text,
    brackets,
    form_sizes,
    labels_of,
    sides,
)


class FactorWriter:
    """Knows the names of arrays, which definitions stand in place, and the letters of a statement.

    With `explicit` every sum is written out.
    """

    def __init__(
        self,
        names: Mapping[Array, str],
        inline: set[Array],
        operator: Callable[[str], str],
        explicit: bool = False,
    ) -> None:
        self.names, self.inline, self.explicit = names, inline, explicit
        self.operator = operator
        self.numbers: set[str] = set()  # size names that were written as numbers

    def begin(self, places: Sequence[Form], terms: Sequence[Term] = ()) -> None:
        """A statement begins, whose left side bears these letters: in it a letter has one size."""
        self.left = {p.labels[0] for p in places}
        self.fitted = {places[k].labels[0] for k in fitting(terms)}
        self.pinned: set[Label] = set()
        self.sizes: dict[str, AnySize] = {str(p.labels[0].name): p.labels[0].size for p in places}

    def letter(self, label: Label, used: Used) -> Label:
        """A label with a letter for this one; `used` gains it."""
        name = choose(label.name, INDICES, used, lambda one: self.sizes.get(one, label.size) == label.size)
        self.sizes[name] = label.size
        return Label(label.size, name)

    def entry(self, array: Array, forms: Sequence[Form], used: Used) -> Text:
        raise NotImplementedError

    def _has_range(self, label: Label | None) -> bool:
        """Whether something else gives a letter its range: the left side, or a plain access around here."""
        return (label in self.left and label not in self.fitted) or label in self.pinned

    def brackets(self, forms: Sequence[Form]) -> str:
        """`[i,j]`, the sizes in it noted."""
        for form in forms:
            if form.label is None:
                self.numbers.update(form_sizes(form))
        return brackets(forms)

    def _extent(self, extent: Extent) -> Part:
        size, power = extent
        self.numbers.update(size_names(size))
        whole = isinstance(size, int) or (len(size.terms) == 1 and size.terms[0][1] == 1)
        atom = whole and (isinstance(size, int) or len(size.terms[0][0]) == 1)
        text = Text(str(size), ATOM if atom else PRODUCT if whole else SUM)
        return self._power(text, power, frozenset(), -99)

    def _access(self, accesses: Accesses, array: Array, forms: Sequence[Form]) -> None:
        """Note an access; of what stands in place the axes whose range its text says."""
        if array not in self.inline or not isinstance(array, Definition):
            accesses.add(forms, array.shape)
            return
        plain = said(array, self.inline)
        places = [k for k, one in enumerate(plain) if one]
        accesses.add(tuple(forms[k] for k in places), tuple(array.shape[k] for k in places))
        accesses.within([form for form, one in zip(forms, plain, strict=True) if not one])

    def _counted(self, form: Form) -> Part:
        """The value of a form as a number: `arange(n)[i]`."""
        bounds = form.bounds()
        assert bounds is not None, f"the sign of {form} is not known"
        label = form.label
        size = label.size if label is not None else bounds[1] + 1
        self.numbers.update(size_names(size))
        return Part(Text(f"arange({size}){self.brackets((form,))}"), labels_of((form,)))

    def _guarded(
        self, guard: Guard, text: Text, otherwise: str, env: Mapping[Label, Form], used: Used
    ) -> Text:
        """The text where the guard holds."""
        form = guard.form.substitute(env)
        if guard.op == ">=":
            return Text(f"where({self._not_negative(form).text}, {text.text}, {otherwise})")
        delta = self._delta(*sides(form)).text.text
        branches = f"{text.text}, {otherwise}" if guard.op == "==" else f"{otherwise}, {text.text}"
        return Text(f"where({delta}, {branches})")

    def _not_negative(self, form: Form) -> Text:
        """`[form >= 0]`, as a comparison of places: `arange(m)[i] >= arange(n)[j]`."""
        left, right = sides(form)
        sign = ">="
        if right.constant == 1:
            right, sign = right.plus(-1), ">"
        return Text(f"{self._places(left)} {sign} {self._places(right)}", COMPARISON)

    def _places(self, form: Form) -> str:
        """The value of a form: the places of its letters are counted by arange."""
        parts = []
        for label, c in form.coefficients:
            self.numbers.update([*size_names(label.size), *size_names(c)])
            factor = "" if c == 1 else f"{Text(str(c), ATOM if isinstance(c, int) else SUM).within(SIGN)}*"
            parts.append(f"{factor}arange({label.size}){self.brackets((bare(label),))}")
        if form.constant != 0 or not parts:
            self.numbers.update(size_names(form.constant))
            parts.append(str(form.constant))
        return " + ".join(parts)

    def _delta(self, a: Form, b: Form) -> Part:
        if b.label is not None and a.label is not None and b.label.serial < a.label.serial:
            a, b = b, a
        if a.label is None and b.label is not None:
            a, b = b, a
        if a.label is not None and b.label is not None and a.label.size != b.label.size:
            a, b = a.plus(1), b.plus(1)  # the two bare indices of a delta have one range
        return Part(Text(f"delta{self.brackets((a, b))}"), labels_of((a, b)), rank=-98)

    @staticmethod
    def _power(
        base: Text, power: int | Fraction, labels: frozenset[Label], rank: int, single: bool = True
    ) -> Part:
        below = power < 0
        power = -power if below else power
        if power == 1:
            return Part(base, labels, below, single, rank)
        exponent = str(power) if power.denominator == 1 else f"({power})"
        return Part(Text(f"{base.within(ATOM)}**{exponent}", POWER), labels, below, False, rank)
