"""Pieces of text: expressions with their precedence, affine forms, factors, quotients."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from einsumdiff.nodes import Form, Label, Number
from einsumdiff.sizes import AnySize, Size
from einsumdiff.sizes import names as size_names

COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)


class Text(NamedTuple):
    """An expression and how tight its outermost operator binds."""

    text: str
    level: int = ATOM

    def within(self, level: int) -> str:
        """In brackets where it binds less tight than `level`."""
        return self.text if self.level >= level else f"({self.text})"


class Part(NamedTuple):
    """A factor that is written: below the line or above it, and the letters that it bears."""

    text: Text
    labels: frozenset[Label]
    below: bool = False
    single: bool = True  # it bears each letter in one place, and is no power
    rank: int = 0  # numbers come first, then deltas, then arrays of many axes before those of few


def form_text(form: Form) -> str:
    """`i+k-1`, `2*i`, `n-1-i`."""
    pieces: list[tuple[bool, str]] = []
    for label, c in form.coefficients:
        negative, size = sign_of(c)
        assert label.name is not None
        factor = "" if size == 1 else f"{size_text(size, PRODUCT)}*"
        pieces.append((negative, f"{factor}{label.name}"))
    if form.constant != 0 or not pieces:
        negative, size = sign_of(form.constant)
        constant = (negative, str(size).replace(" ", ""))
        if isinstance(size, Size) and not negative and any(n for n, _ in pieces):
            pieces.insert(0, constant)
        elif negative and isinstance(size, Size) and len(size.terms) > 1:
            pieces.append((True, f"({constant[1]})"))
        else:
            pieces.append(constant)
    pieces.sort(key=lambda piece: piece[0])
    text = ""
    for negative, piece in pieces:
        text += ("-" if negative else "+" if text else "") + piece
    return text


def sign_of(size: AnySize) -> tuple[bool, AnySize]:
    """Whether to print a minus, and what to print after it."""
    if isinstance(size, int):
        return size < 0, abs(size)
    return (True, -size) if all(c < 0 for _, c in size.terms) else (False, size)


def size_text(size: AnySize, level: int) -> str:
    one = isinstance(size, int) or len(size.terms) == 1
    return Text(str(size), PRODUCT if one else SUM).within(level)


def form_sizes(form: Form) -> Iterable[str]:
    """The names of sizes that stand in a form."""
    for size in (*(c for _, c in form.coefficients), form.constant):
        yield from size_names(size)


def brackets(forms: Sequence[Form]) -> str:
    """`[i,j]`, `[i, j+1]`, nothing for rank 0."""
    if not forms:
        return ""
    if {type(form.label) for form in forms} == {Label}:
        return f"[{','.join([form_text(form) for form in forms])}]"
    texts = [form_text(form) for form in forms]
    for k, form in enumerate(forms):
        if not form.coefficients and texts[k].isidentifier():
            texts[k] += "+0"  # a name by itself is read as an index
    gap = "," if all(re.fullmatch(r"[\w\[\],]+", text) for text in texts) else ", "
    return f"[{gap.join(texts)}]"


class Gathered(Label):
    """In print, an entry of an index array in place of a letter: `k[i]`."""

    __slots__ = ("forms",)

    def __init__(self, size: AnySize, name: str, forms: tuple[Form, ...]) -> None:
        super().__init__(size, f"{name}{brackets(forms)}")
        self.forms = forms


def labels_of(forms: Iterable[Form]) -> frozenset[Label]:
    """The letters in the forms, those inside of index arrays for these."""
    found: set[Label] = set()
    for form in forms:
        for label in form.labels:
            if isinstance(label, Gathered):
                found |= labels_of(label.forms)
            else:
                found.add(label)
    return frozenset(found)


def implied(parts: Sequence[Part], label: Label) -> bool:
    """Whether the Einstein rule sums the letter over this product: two factors bear it, what is below the
    line being one, and at most one of them could hold the sum alone."""
    above = [part for part in parts if label in part.labels and not part.below]
    below = [part for part in parts if label in part.labels and part.below]
    holders = sum(not part.single for part in above)
    holders += len(below) > 1 or any(not part.single for part in below)
    return len(above) + bool(below) > 1 and holders < 2


def sides(form: Form) -> tuple[Form, Form]:
    """`form op 0` as `left op right` without minus signs."""
    negative = tuple((label, c) for label, c in form.coefficients if sign_of(c)[0])
    positive = tuple((label, c) for label, c in form.coefficients if not sign_of(c)[0])
    left, right = Form(positive), Form(negative).times(-1)
    if sign_of(form.constant)[0]:
        return left, right.plus(-form.constant)
    return left.plus(form.constant), right


def neutral(op: str) -> str:
    return {"prod": "1", "max": "-inf", "min": "inf"}[op]


def magnitude(number: Number) -> tuple[bool, Number]:
    return (True, -number) if number < 0 else (False, number)


def number_text(number: Number) -> tuple[bool, Text]:
    negative, number = magnitude(number)
    if isinstance(number, Fraction) and number.denominator != 1:
        return negative, Text(f"{number.numerator}/{number.denominator}", PRODUCT)
    return negative, Text(str(number))


def quotient(coefficient: Number, parts: Sequence[Part]) -> Text:
    """`coefficient * above / below`."""
    above = [part.text for part in parts if not part.below]
    below = [part.text for part in parts if part.below]
    if isinstance(coefficient, Fraction) and coefficient.denominator != 1:
        below.insert(0, Text(str(coefficient.denominator)))
        coefficient = coefficient.numerator
    if isinstance(coefficient, float) and coefficient.is_integer() and abs(coefficient) < 1e6:
        coefficient = int(coefficient)
    if coefficient != 1 or not above:
        above.insert(0, Text(str(coefficient)))
    if len(above) == 1 and not below:
        return above[0]
    text = "*".join(one.within(SIGN) for one in above)
    if len(below) == 1:
        text += "/" + below[0].within(POWER)
    elif below:
        text += "/(" + "*".join(one.within(SIGN) for one in below) + ")"
    return Text(text, PRODUCT)
