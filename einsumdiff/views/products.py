"""Sums of products as text, in letters that the Einstein rule sums as they are meant to be summed.

Labels of a term are mapped to forms over printed letters, so reading a definition in place is a substitution.
Every letter is used once in an additive term.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from einsumdiff.nodes import (
    Array,
    Definition,
    Entry,
    Extent,
    Factor,
    Form,
    Guard,
    Label,
    Mask,
    OneHot,
    Product,
    Term,
    bare,
    counted,
    factor_labels,
    is_one_hot,
    whole_place,
)
from einsumdiff.sizes import AnySize
from einsumdiff.sizes import names as size_names
from einsumdiff.views.factors import FactorWriter
from einsumdiff.views.letters import Used
from einsumdiff.views.ranges import (
    Accesses,
    Tie,
    agreeing,
    compared,
    spelled_in_bounds,
    widened,
)
from einsumdiff.views.text import (
    PRODUCT,
    SUM,
    Gathered,
    Part,
    Text,
    brackets,
    implied,
    labels_of,
    magnitude,
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


class ProductWriter(FactorWriter):
    """Writes sums of products."""

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
