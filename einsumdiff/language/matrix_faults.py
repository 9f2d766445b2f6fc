"""What lark could not read of a program in matrix notation, in the user's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from einsumdiff.errors import Span, SyntaxFault
from einsumdiff.language import faults
from einsumdiff.language.faults import Spot

if TYPE_CHECKING:
    from lark import Token

OTHER = "or leave notation= out and write NumPy"
INDEXED = "entries and blocks are not read in matrix notation; leave notation= out to write x[i] or x[1:3]"

# What belongs to another notation or keyboard, and what is meant.
MEANT = faults.MEANT | {
    "@": f"*, the matrix product, {OTHER}", "²": "^2", "³": "^3", "ᵀ": "'", "⊤": "'", "’": "'", "‘": "'",
    "′": "'", "⊙": ".*", "∘": ".*", "⊘": "./", "…": "...", "∑": "sum(...)", "∏": "prod(...)",
}  # fmt: skip


def unexpected_character(text: str, at: int, spot: Spot) -> SyntaxFault:
    """A character that begins no token."""
    character = text[at]
    span = Span(at + spot.offset, at + 1 + spot.offset, spot.text)
    if character in MEANT:
        return SyntaxFault(f"`{character}` is not understood", span, f"write {MEANT[character]}")
    if character in "[]{}":
        return SyntaxFault(f"`{character}` is not understood in matrix notation", span, INDEXED)
    if character == ".":
        hint = f"a transpose is `'`, functions have no prefix: A', exp(x); {OTHER}"
        return SyntaxFault("`.` is not understood in matrix notation", span, hint)
    if character == "~":
        return SyntaxFault("`~` is not understood", span, "not equal is `~=`; write 1 - (x > 0)")
    return faults.unexpected_character(text, at, spot)


def unexpected_token(tokens: Sequence[Token], token: Token, spot: Spot) -> SyntaxFault:
    """A token, or the end, where the grammar has no place for it."""
    place = next((n for n, t in enumerate(tokens) if t is token), len(tokens))
    before = tokens[place - 1] if place else None
    if before is not None and before.end_pos == token.start_pos:
        pair = f"{before}{token}"
        if pair in ("**", "//"):
            span = spot(before, token)
            hint = "a power is ^, of each entry .^" if pair == "**" else "write floor(a/b)"
            return SyntaxFault(f"`{pair}` is not understood in matrix notation", span, f"{hint}; {OTHER}")
        if token == "=" and before.type in ("PLUS", "MINUS", "STAR", "SLASH"):
            return SyntaxFault(
                f"`{pair}` is not understood in matrix notation", spot(before, token), "write x = x + ..."
            )
    if before is not None and before.type == "PRIME" and token.type in ("NAME", "NUMBER", "LPAR"):
        message = f"an operator is missing between `'` and `{token}`"
        return SyntaxFault(message, spot(before, token), "a product is written with *")
    if token.type == "BACKSLASH" or (before is not None and before.type == "BACKSLASH"):
        return SyntaxFault(r"`\` stands between a matrix and a right side", spot(token), r"write A\b")
    if token.type == "PRIME":
        return SyntaxFault("`'` has nothing before it to transpose", spot(token), "write x'")
    inside = sum((t.type == "LPAR") - (t.type == "RPAR") for t in tokens[:place])
    if token.type == "COLON" and inside:
        return SyntaxFault("`:` is not understood in matrix notation", spot(token), INDEXED)
    return faults.unexpected_token(tokens, token, spot)
