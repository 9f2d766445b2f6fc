"""Where the numbers of a derivative go: zero, dense, diagonal or block-diagonal, read off the terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from einsumdiff.nodes import Label, Term

Pairs = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """The structure of one term.

    Parameters
    ----------
    kind : "dense", "diagonal" (every axis is tied to another), "block-diagonal" (some are), "shifted" (an
        axis follows others by an affine form such as `i+k`).
    pairs : groups of axes that are equal, by position.
    """

    kind: str
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class Structure:
    """The structure of a derivative: that of each term, and joined.

    >>> from einsumdiff import derive
    >>> print(derive("exp(x)", wrt="x").structure)
    diagonal in (i, m)
    """

    terms: tuple[Pattern, ...]
    letters: tuple[str, ...]

    @property
    def kind(self) -> str:
        """`zero`, or the kind that covers all terms; `mixed` where none of them does."""
        if not self.terms:
            return "zero"
        kinds = {term.kind for term in self.terms}
        if len(kinds) == 1 and kinds & {"dense", "shifted"}:
            return self.terms[0].kind
        if "dense" in kinds:
            return "dense"
        if "shifted" in kinds:
            return "shifted" if not self.pairs else "block-diagonal"
        if len({term.pairs for term in self.terms}) == 1:
            return self.terms[0].kind
        return "block-diagonal" if self.pairs else "mixed"

    @property
    def pairs(self) -> Pairs:
        """The groups of axes that are equal in every term."""
        if not self.terms:
            return ()
        common = [set(group) for group in self.terms[0].pairs]
        for term in self.terms[1:]:
            common = [a & set(b) for a in common for b in term.pairs]
        return tuple(sorted(tuple(sorted(group)) for group in common if len(group) > 1))

    def __str__(self) -> str:
        if len(self.terms) < 2 or len(set(self.terms)) == 1:
            return self._words(self.kind, self.pairs)
        each = " + ".join(self._words(term.kind, term.pairs) for term in self.terms)
        return each if self.kind == "mixed" else f"{self._words(self.kind, self.pairs)}: {each}"

    def _words(self, kind: str, pairs: Pairs) -> str:
        groups = ", ".join(f"({', '.join(self.letters[axis] for axis in group)})" for group in pairs)
        return f"{kind} in {groups}" if groups else kind


def pattern(term: Term) -> Pattern:
    """The pattern of a term."""
    places: dict[Label, list[int]] = {}
    shifted = False
    for axis, form in enumerate(term.axes):
        if form.label is not None:
            places.setdefault(form.label, []).append(axis)
        elif form.coefficients or form.constant != 0:
            shifted = True
    pairs = tuple(tuple(axes) for axes in places.values() if len(axes) > 1)
    if shifted:
        return Pattern("shifted", pairs)
    if not pairs:
        return Pattern("dense", ())
    free = any(len(axes) == 1 for axes in places.values())
    return Pattern("block-diagonal" if free else "diagonal", pairs)


def structure(terms: Sequence[Term], letters: Sequence[str]) -> Structure:
    """The structure of a derivative whose axes print as these letters."""
    return Structure(tuple(pattern(term) for term in terms), tuple(letters))
