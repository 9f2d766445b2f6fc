"""What lark could not read, in the user's words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from einsumdiff.errors import Span, SyntaxFault

if TYPE_CHECKING:
    from lark import Token


class Spot:
    """Makes spans into a whole text from tokens of a part of it that starts at `offset`."""

    def __init__(self, text: str, offset: int = 0) -> None:
        self.text, self.offset = text, offset

    def __call__(self, first: Token, last: Token | None = None) -> Span:
        """From the start of `first` to the end of `last`."""
        start, stop = first.start_pos, (last or first).end_pos
        assert start is not None and stop is not None
        return Span(start + self.offset, stop + self.offset, self.text)


# What a keyboard or a word processor gives, and what is meant.
MEANT = {
    "−": "-", "–": "-", "—": "-", "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/",
    "≤": "<=", "≥": ">=", "≠": "!=", "“": '"', "”": '"', "‘": "'", "’": "'", "²": "**2", "³": "**3",
    "√": "sqrt(...)", "∑": "sum[i](...)", "∏": "prod[i](...)", "⊙": "*", "∘": "*", "ᵀ": ".T", "∞": "inf",
    "⊤": ".T", "…": "...", "（": "(", "）": ")", "，": ",",
}  # fmt: skip

OPERANDS = {"NAME", "NUMBER", "STRING", "LONG_STRING", "PREFIX"}
OPERATORS = {
    "PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "AT", "POWER", "COMPARE", "AND", "OR", "TILDE",
    "EQUAL", "AUGMENTED", "COMMA", "COLON", "DOT",
}  # fmt: skip
WRITE = "write an expression there"
MATRIX = 'notation="matrix" reads this spelling'


def unexpected_character(text: str, at: int, spot: Spot) -> SyntaxFault:
    """A character that begins no token."""
    character = text[at]
    span = Span(at + spot.offset, at + 1 + spot.offset, spot.text)
    if character in MEANT:
        return SyntaxFault(f"`{character}` is not understood", span, f"write {MEANT[character]}")
    if character == "^":
        dot = at > 0 and text[at - 1] == "."
        spelled = Span(span.start - dot, span.stop, span.text)
        return SyntaxFault(f"`{spelled.source}` is not understood", spelled, f"a power is `**`; {MATRIX}")
    if character == "'":
        if at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_)]'"):
            return SyntaxFault("`'` is not understood", span, f"a transpose is `.T`; {MATRIX}")
        return SyntaxFault("this string is never closed", span, "close it with '")
    if character == '"':
        return SyntaxFault("this string is never closed", span, 'close it with "')
    if character == "!":
        return SyntaxFault("`!` is not understood", span, "not equal is `!=`; n! is gamma(n + 1)")
    if character in "{}":
        return SyntaxFault(f"`{character}` is not understood", span, "brackets are ( ) and [ ]")
    if not character.isprintable():  # the caret points at nothing that can be seen
        name = unicodedata.name(character, "a control character")
        return SyntaxFault(
            f"the invisible character U+{ord(character):04X} ({name}) is there", span, "remove it"
        )
    return SyntaxFault(f"`{character}` is not understood", span, "remove it")


def unexpected_token(tokens: Sequence[Token], token: Token, spot: Spot) -> SyntaxFault:
    """A token, or the end, where the grammar has no place for it."""
    place = next((n for n, t in enumerate(tokens) if t is token), len(tokens))
    before = tokens[place - 1] if place else None
    ends = place == len(tokens) or token.type in ("NEWLINE", "BREAK")
    if ends or token.type in ("RPAR", "RSQB", "COMMA"):
        return _missing_after(before, None if ends else token, spot)
    if before is not None and before.type in OPERANDS | {"RPAR", "RSQB", "ELLIPSIS"}:
        if token.type in OPERANDS | {"LPAR", "LSQB", "ELLIPSIS"}:
            return _missing_operator(before, token, spot)
        if token.type == "AUGMENTED" or token == "=":
            return SyntaxFault(
                f"`{token}` has no place here", spot(token), "one statement assigns once; compare with =="
            )
        if token.type == "COLON":
            return SyntaxFault(
                "`:` has no place here",
                spot(token),
                "it declares a shape, W: (m, n), or slices, x[1:3]",
            )
    if before is not None and before.type == "COLON" and token == "=":
        return SyntaxFault("`:=` is not understood", spot(before, token), "assign with =")
    if before is not None and before == "." and token.type in ("STAR", "SLASH", "POWER"):
        spelled = spot(before, token)
        hint = f"write {token}, which is elementwise; {MATRIX}"
        return SyntaxFault(f"`{spelled.source}` is not understood", spelled, hint)
    if before is not None and before.type in ("LPAR", "COMMA") and token.type in ("STAR", "POWER"):
        return SyntaxFault(f"`{token}` cannot spread arguments here", spot(token), "write them out")
    if token.type in OPERATORS or token in ("=", "."):
        return SyntaxFault(f"something is missing before `{token}`", spot(token), WRITE)
    if token.type == "PREFIX" and before is not None and before in ("numpy", "scipy"):
        hint = f"say it without {token.rstrip('.')}: {before} sin, {before} linalg.inv; or in quotes, with it"
        return SyntaxFault(f"`{token}` has no place in this spelling", spot(token), hint)
    return SyntaxFault(f"`{token}` has no place here", spot(token), "write an expression or an assignment")


def _missing_after(before: Token | None, closing: Token | None, spot: Spot) -> SyntaxFault:
    if before is None:
        assert closing is not None
        return SyntaxFault(f"something is missing before `{closing}`", spot(closing), WRITE)
    if before.type == "LSQB" and closing is not None and closing.type == "RSQB":
        return SyntaxFault("these brackets are empty", spot(before, closing), "write an index: x[i]")
    if before.type == "PREFIX":
        return SyntaxFault(f"a name is missing after `{before}`", spot(before), "write a function")
    if closing is not None and before.type not in OPERATORS and before != "=":
        return SyntaxFault(f"something is missing before `{closing}`", spot(closing), WRITE)
    if before.type in OPERATORS or before in ("=", "."):
        return SyntaxFault(f"something is missing after `{before}`", spot(before), WRITE)
    return SyntaxFault(f"something is missing after `{before}`", spot(before), "finish the statement")


def _missing_operator(before: Token, token: Token, spot: Spot) -> SyntaxFault:
    touching = before.end_pos == token.start_pos
    span = spot(before, token)
    if token.type == "STRING" and touching and token.startswith("'"):
        quote = Span(spot(token).start, spot(token).start + 1, spot.text)
        return SyntaxFault("`'` is not understood", quote, f"a transpose is `.T`; {MATRIX}")
    if before.type == "NUMBER" and touching and re.fullmatch(r"[jJ]", str(token)):
        return SyntaxFault(
            f"{span.source} is a complex number in Python, which is not supported",
            span,
            f"write real and imaginary parts as arrays of their own; a product is {before}*{token}",
        )
    if before.type == "NUMBER" and touching and token.type == "NAME":
        return SyntaxFault(f"{span.source} lacks an operator", span, f"a product is {before}*{token}")
    return SyntaxFault(
        f"an operator is missing between `{before}` and `{token}`", span, "a product is written with *"
    )
