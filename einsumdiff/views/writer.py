"""Index form as text: entries, and the bodies of definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from einsumdiff.nodes import (
    Array,
    Call,
    Definition,
    Entry,
    Form,
    Label,
    Number,
    OneHot,
    Operate,
    Reduce,
    Sum,
    bare,
)
from einsumdiff.sizes import names as size_names
from einsumdiff.views.letters import Used
from einsumdiff.views.products import ProductWriter
from einsumdiff.views.ranges import (
    Accesses,
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
    form_text,
    neutral,
    number_text,
    quotient,
)


class Writer(ProductWriter):
    """Writes expressions; see `FactorWriter` for what it knows."""

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
