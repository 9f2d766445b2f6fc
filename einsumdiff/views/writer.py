"""Index form as text: terms, products, factors and bodies.

The places of an array that is written out are *forms* over labels whose names are the printed letters;
`_Scope` maps the labels of a term to such forms, so reading a definition in place is a substitution.
Every letter is used once in an additive term, which makes the Einstein rule read the text as it was meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from einsumdiff.nodes import (
    Array,
    Call,
    Definition,
    Entry,
    Extent,
    Factor,
    Form,
    Guard,
    Label,
    Mask,
    Number,
    OneHot,
    Operate,
    Product,
    Reduce,
    Sum,
    Term,
    bare,
    counted,
    factor_labels,
    is_one_hot,
    whole_place,
)
from einsumdiff.sizes import AnySize
from einsumdiff.sizes import names as size_names
from einsumdiff.views.letters import INDICES, Used, choose
from einsumdiff.views.ranges import (
    Accesses,
    Tie,
    agreeing,
    compared,
    fitting,
    said,
    spelled_in_bounds,
    widened,
)
from einsumdiff.views.text import (
    ATOM,
    COMPARISON,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Gathered,
    Part,
    Text,
    brackets,
    form_sizes,
    form_text,
    implied,
    labels_of,
    magnitude,
    neutral,
    number_text,
    quotient,
    sides,
)


def gathered(product: Product) -> dict[Label, tuple[Array, tuple[Form, ...]]]:
    """The summed labels that are places in an index array: x[j]*[k[i] == j] is written `x[k[i]]`."""
    found: dict[Label, tuple[Array, tuple[Form, ...]]] = {}
    for hot in product.entries:
        place = whole_place(hot) if is_one_hot(hot.array) else None
        if place is None or place not in product.bound or place.size == 1:
            continue
        others = [f for f in product.factors if f is not hot and place in factor_labels(f)]
        if all(_reads_plainly(f, place) for f in others):
            assert isinstance(hot.array, Definition) and isinstance(hot.array.body, OneHot)
            body = hot.array.body
            values = dict(zip(body.axes, hot.forms, strict=True))
            entry = body.entry
            found[place] = entry.array, tuple(form.substitute(values) for form in entry.forms)
    return found


def _is_read(factor: Factor) -> bool:
    return isinstance(factor, Entry) and not is_one_hot(factor.array)


def _reads_plainly(factor: Factor, place: Label) -> bool:
    return (
        isinstance(factor, Entry)
        and _is_read(factor)
        and all(
            form.label is place and size == place.size
            for form, size in zip(factor.forms, factor.array.shape, strict=True)
            if place in form.labels
        )
    )


class Writer:
    """Writes expressions; knows the names of arrays, and which definitions stand in place.

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

    # -- terms ----------------------------------------------------------------------------------------

    def terms(
        self, terms: Sequence[Term], places: Sequence[Form], shape: Sequence[AnySize], used: Used
    ) -> Text:
        """The sum of the terms at these places; `used` gains the letters that it takes."""
        if not terms:
            return Text("0")
        before, written = used.copy(), []
        for term in terms:
            own = before.copy()
            written.append(self.term(term, places, shape, own))
            used.add_all(own)
        first = next((k for k, (negative, _) in enumerate(written) if not negative), 0)
        written.insert(0, written.pop(first))  # 1 - y, not -y + 1
        negative, one = written[0]
        if len(written) == 1:
            return Text("-" + one.within(PRODUCT), PRODUCT) if negative else one
        parts = ["-" if negative else "", one.within(PRODUCT)]
        for negative, one in written[1:]:
            parts += " - " if negative else " + ", one.within(PRODUCT)
        return Text("".join(parts), SUM)

    def term(
        self, term: Term, places: Sequence[Form], shape: Sequence[AnySize], used: Used
    ) -> tuple[bool, Text]:
        """Whether there is a minus, and the term without it."""
        term = widened(term, shape)
        env: dict[Label, Form] = {}
        ties: list[tuple[Form, Form]] = []
        for form, place, size in zip(term.axes, places, shape, strict=True):
            label = form.label
            if not form.coefficients and size == 1:
                continue
            if label is not None and label not in env and label.size == size:
                env[label] = place
            else:
                ties.append((place, form))
        summed = [label for label in term.labels if label not in env]
        said = [
            form.label
            for form, place in zip(term.axes, places, strict=True)
            if form.label in env and self._has_range(place.label)
        ]
        return self.product(term.product, env, used, summed, ties, [label for label in said if label])

    def product(
        self,
        product: Product,
        env: Mapping[Label, Form],
        used: Used,
        summed: Sequence[Label] = (),
        ties: Sequence[tuple[Form, Form]] = (),
        declared: Sequence[Label] = (),
    ) -> tuple[bool, Text]:
        """A product.

        `summed` labels and its bound ones are summed, `ties` are deltas of (place, form), `declared` are
        labels that stand for indices of the left side.
        """
        product = agreeing(spelled_in_bounds(product), declared)
        alone = not (product.bound or summed or ties)
        if alone and all(isinstance(f, Extent) or _is_read(f) for f in product.factors):
            return self._plain_product(product, env, used)
        env = dict(env)
        over: list[Label] = []
        count = counted(product)
        bound = set(product.bound)
        hots = gathered(product) if count is None else {}
        for label in (*(label for label in product.labels if label in bound), *summed):
            if label in hots or (count is not None and label in bound):
                continue
            env[label] = bare(self.letter(label, used))
            over += env[label].labels
        parts: list[Part] = []
        for place, form in ties:
            parts.append(self._delta(place, form.substitute(env)))
        masks: list[tuple[bool, Text, frozenset[Label]]] = []
        accesses, cuts = Accesses(), []
        for place, form in ties:
            if place.label is not None:
                cuts.append(Tie(place.label.size, form.substitute(env)))
        if count is not None:
            parts.append(self._counted(count.substitute(env)))
        for place_, (array, places) in hots.items():
            places = tuple(form.substitute(env) for form in places)
            accesses.add(places, array.shape)
            env[place_] = bare(Gathered(place_.size, self.names.get(array, array.name), places))
        read = [
            tuple([form.substitute(env) for form in f.forms]) if isinstance(f, Entry | Mask) else ()
            for f in product.factors
        ]
        pinned = self.pinned
        self._pin(product, read, env)
        for factor, forms in zip(product.factors, read, strict=True):
            match factor:
                case Guard() if count is not None:
                    pass
                case Entry(array) if is_one_hot(array) and factor.forms[-1].label in hots:
                    pass
                case Entry(array, _, _):
                    if over:
                        self._access(accesses, array, forms)
                    parts.append(self._read(factor, forms, used))
                case Extent():
                    parts.append(self._extent(factor))
                case Guard(form, "=="):
                    left, right = sides(form.substitute(env))
                    for one, other in ((left, right), (right, left)):
                        if one.label is not None:
                            cuts.append(Tie(one.label.size, other))
                    parts.append(self._delta(left, right))
                case Guard(form, ">="):
                    form = form.substitute(env)
                    for label in form.labels:
                        accesses.add((bare(label),), (label.size,))
                    parts.append(Part(self._not_negative(form), labels_of((form,))))
                case Guard(form, _):
                    form = form.substitute(env)
                    apart = self._delta(*sides(form))
                    masks.append((False, apart.text, apart.labels))
                case Mask(array, _, holds):
                    accesses.add(forms, array.shape)
                    masks.append((holds, self.entry(array, forms, used), labels_of(forms)))
        self.pinned = pinned
        for label in over:
            needed = accesses.range_factor(label, cuts)
            if needed is not None:
                size, index = needed
                self.numbers.update(size_names(size))
                parts.append(Part(Text(f"ones({size}){brackets((index,))}"), frozenset([label])))
        masked = {label for _, _, labels in masks for label in labels}
        shifted = {label for cut in cuts for label in cut.form.labels}  # written out for the reader's sake
        explicit = [
            b
            for b in over
            if self.explicit or b in masked or b in shifted or not implied(parts, b) or not accesses.own(b)
        ]
        if not self.explicit:
            parts.sort(key=lambda part: part.rank)
        negative, coefficient = magnitude(product.coefficient)
        inner = [part for part in parts if masks or not part.labels.isdisjoint(explicit)]
        outer = [part for part in parts if not (masks or not part.labels.isdisjoint(explicit))]
        if masks:
            text = quotient(coefficient, inner)
            for holds, condition, _ in reversed(masks):
                branches = f"{text.text}, 0" if holds else f"0, {text.text}"
                text = Text(f"where({condition.text}, {branches})")
            coefficient = 1
        elif explicit:
            text = quotient(1, inner)
        if explicit:
            letters = ",".join(str(label.name) for label in explicit)
            text = Text(f"sum[{letters}]({text.text})")
        if masks or explicit:
            outer.append(Part(text, frozenset()))
        return negative, quotient(coefficient, outer)

    def _plain_product(self, product: Product, env: Mapping[Label, Form], used: Used) -> tuple[bool, Text]:
        """A product of entries and sizes that sums nothing."""
        read = [
            tuple([form.substitute(env) for form in f.forms]) if isinstance(f, Entry) else ()
            for f in product.factors
        ]
        pinned = self.pinned
        self._pin(product, read, env)
        parts = [
            self._read(f, forms, used) if isinstance(f, Entry) else self._extent(f)
            for f, forms in zip(product.factors, read, strict=True)
            if isinstance(f, Entry | Extent)
        ]
        self.pinned = pinned
        if not self.explicit:
            parts.sort(key=lambda part: part.rank)
        negative, coefficient = magnitude(product.coefficient)
        return negative, quotient(coefficient, parts)

    def _read(self, entry: Entry, forms: Sequence[Form], used: Used) -> Part:
        """An entry to its power, at these places."""
        text = self.entry(entry.array, forms, used)
        rank = -len(forms) or -99
        return self._power(text, entry.power, labels_of(forms), rank, entry.array not in self.inline)

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

    def _pin(self, product: Product, read: Sequence[tuple[Form, ...]], env: Mapping[Label, Form]) -> None:
        """Note the letters to which plain accesses of a product, at these places, and its inequalities give
        their range: for what stands in place in it."""
        if not any(isinstance(f, Entry | Mask) and f.array in self.inline for f in product.factors):
            return
        accesses = Accesses()
        for f, forms in zip(product.factors, read, strict=True):
            if isinstance(f, Entry) and not is_one_hot(f.array):
                self._access(accesses, f.array, forms)
        ordered = {label for one in compared(product) if one in env for label in env[one].labels}
        self.pinned = self.pinned | accesses.plain() | ordered

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

    def brackets(self, forms: Sequence[Form]) -> str:
        """`[i,j]`, the sizes in it noted."""
        for form in forms:
            if form.label is None:
                self.numbers.update(form_sizes(form))
        return brackets(forms)

    # -- entries and bodies ---------------------------------------------------------------------------

    def entry(self, array: Array, forms: Sequence[Form], used: Used) -> Text:
        """`X[i,j]`, or the definition in place."""
        if array in self.inline:
            assert isinstance(array, Definition)
            return self.body(array, forms, used)
        return Text(self.names.get(array, array.name) + self.brackets(forms))

    def body(self, definition: Definition, places: Sequence[Form], used: Used) -> Text:
        """What a definition is at these places."""
        body = definition.body
        if isinstance(body, Sum):
            return self.terms(body.terms, places, definition.shape, used)
        env = dict(zip(body.axes, places, strict=True))
        match body:
            case Call(function, _, operands):
                before, texts = used.copy(), []
                for operand in operands:
                    own = before.copy()
                    texts.append(self._operand(operand, env, own))
                    used.add_all(own)
                return self._call(function, texts)
            case Reduce(op, _, bound, entry, guards):
                letters = []
                for label in bound:
                    env[label] = bare(self.letter(label, used))
                    letters.append(str(env[label].labels[0].name))
                pinned = self.pinned
                for guard in guards:
                    if guard.op == ">=":
                        self.pinned = self.pinned | set(guard.form.substitute(env).labels)
                text = self._ranged(entry, env, self._operand(entry, env, used), bound)
                self.pinned = pinned
                over = f"[{','.join(letters)}]"
                if op == "logsumexp":
                    return Text(f"log(sum{over}(exp({text.text})))")
                for guard in guards:
                    text = self._guarded(guard, text, neutral(op), env, used)
                return Text(f"{op}{over}({text.text})")
            case OneHot(axes, entry):
                place, size = places[-1], axes[-1].size
                if place.label is not None and place.label.size == size and self._has_range(place.label):
                    return Text(f"delta[{self._operand(entry, env, used).text},{form_text(place)}]")
                # nothing else says of how many places it is, from whose end negative ones count
                self.numbers.update(size_names(size))
                forms = (*(form.substitute(env) for form in entry.forms), place)
                name = self.names.get(entry.array, entry.array.name)
                return Text(f"one_hot({name}, {size}){self.brackets(forms)}")
            case Operate(operation, _, entries, _, parameters):
                given = [self.names.get(e.array, e.array.name) for e in entries]
                given += [f"{name}={value!r}" for name, value in parameters]
                return Text(f"{operation}({', '.join(given)}){self.brackets(places)}")

    def _ranged(self, entry: Entry, env: Mapping[Label, Form], text: Text, bound: Sequence[Label]) -> Text:
        """The text of an entry that a reduction goes over, which gives its letters their ranges."""
        accesses, parts = Accesses(), [Part(text, frozenset())]
        self._access(accesses, entry.array, tuple(form.substitute(env) for form in entry.forms))
        for label in bound:
            letter = env[label].labels[0]
            needed = accesses.range_factor(letter, ())
            if needed is not None:
                size, index = needed
                self.numbers.update(size_names(size))
                parts.append(Part(Text(f"ones({size}){brackets((index,))}"), frozenset([letter])))
        return text if len(parts) == 1 else quotient(1, parts)

    def _operand(self, operand: Entry | Number, env: Mapping[Label, Form], used: Used) -> Text:
        if not isinstance(operand, Entry):
            negative, text = number_text(operand)
            return Text("-" + text.text, SIGN) if negative else text
        forms = tuple(form.substitute(env) for form in operand.forms)
        if operand.array in self.inline:
            return self.entry(operand.array, forms, used)
        return self._first(operand.array, forms, used)

    def _has_range(self, label: Label | None) -> bool:
        """Whether something else gives a letter its range: the left side, or a plain access around here."""
        return (label in self.left and label not in self.fitted) or label in self.pinned

    def _first(self, array: Array, forms: Sequence[Form], used: Used) -> Text:
        """An access; where its letters count fewer entries than the array has, and something else says so,
        through a delta: x[i] with i < 2 is `sum[p](delta[i+1, p+1]*x[p])`."""
        ties, letters, read = [], [], []
        for form, size in zip(forms, array.shape, strict=True):
            label = form.label
            if label is not None and label.size != size and self._has_range(label):
                letter = bare(self.letter(Label(size), used))
                ties.append(self._delta(form, letter).text.text)
                letters.append(letter)
                read.append(letter)
            else:
                read.append(form)
        text = self.entry(array, read, used)
        if not ties:
            return text
        return Text(f"sum{brackets(letters)}({'*'.join([*ties, text.text])})")

    def _call(self, function: str, texts: Sequence[Text]) -> Text:
        sign = self.operator(function)
        if sign == "**":
            return Text(f"{texts[0].within(ATOM)}**{texts[1].within(POWER)}", POWER)
        if sign in ("%", "//"):
            return Text(f"{texts[0].within(PRODUCT)} {sign} {texts[1].within(SIGN)}", PRODUCT)
        if sign in ("<", "<=", ">", ">=", "==", "!="):
            return Text(f"{texts[0].within(SUM)} {sign} {texts[1].within(SUM)}", COMPARISON)
        return Text(f"{function}({', '.join(text.text for text in texts)})")
