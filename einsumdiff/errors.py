"""The error family: what is wrong, where, and what to write instead.

Every error that a user can cause is an `EinsumDiffError`; its class says the kind of cause. A message
is at most three parts: the fault in the user's words, the line of the program with carets under the
part at fault, and the way out.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch `text[start:stop]` of the source `text` of a program, rule file or formula."""

    start: int
    stop: int
    text: str

    def to(self, other: Span) -> Span:
        """The stretch from the start of `self` to the stop of `other`."""
        return Span(min(self.start, other.start), max(self.stop, other.stop), self.text)

    @property
    def source(self) -> str:
        """The characters under the carets."""
        return self.text[self.start : self.stop]

    @property
    def line(self) -> int:
        """The number of the line where it starts, from 1."""
        return self.text.count("\n", 0, self.start) + 1

    def show(self) -> str:
        """The line in which it starts, and carets under the part of it that it covers."""
        begin = self.text.rfind("\n", 0, self.start) + 1
        end = self.text.find("\n", begin)
        end = len(self.text) if end < 0 else end
        carets = max(1, min(self.stop, end) - self.start)
        return f"  {self.text[begin:end]}\n  {' ' * (self.start - begin)}{'^' * carets}"


class EinsumDiffError(Exception):
    """What a user can mend.

    Parameters
    ----------
    message : what is wrong, in the user's words, without a full stop.
    span : where, in the program's text; None where there is no text (an argument of a call).
    hint : what to write instead.
    """

    kind = "error"

    def __init__(self, message: str, span: Span | None = None, hint: str | None = None) -> None:
        self.message, self.span, self.hint = message, span, hint
        super().__init__(message, span, hint)

    def __str__(self) -> str:
        parts = [self.message, self.span.show() if self.span else "", self.hint or ""]
        return "\n".join(part for part in parts if part)


class SyntaxFault(EinsumDiffError):
    """The text does not follow the grammar."""

    kind = "syntax"


class NameFault(EinsumDiffError):
    """A name that is not known, not allowed or taken."""

    kind = "name"


class ShapeFault(EinsumDiffError):
    """Sizes that do not fit."""

    kind = "shape"


class IndexFault(EinsumDiffError):
    """An index without a place, a range or a meaning."""

    kind = "index"


class RankFault(EinsumDiffError):
    """The wrong number of axes."""

    kind = "rank"


class Unsupported(EinsumDiffError):
    """What is understood but not known how to do: refused, never guessed."""

    kind = "unsupported"


class ValueFault(EinsumDiffError):
    """An argument with a value that cannot be used."""

    kind = "value"


def as_read(name: str) -> str:
    """A name in the form in which Python reads it, and the text of a program too: the micro sign is a mu."""
    return unicodedata.normalize("NFKC", name)


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The names most like `name`, the best first."""
    known = list(known)
    folded = {k.lower(): k for k in reversed(known)}
    close = difflib.get_close_matches(name.lower(), folded, n=limit, cutoff=0.6)
    return [folded[c] for c in close]
