"""Where the numbers of a derivative go: zero, dense, diagonal, selection and so on, read off the terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from einsumdiff.nodes import Entry, Label, Term, is_one_hot

Pairs = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """The structure of one term.

    Parameters
    ----------
    kind : "dense", "diagonal" (every axis is tied to another), "block-diagonal" (some are), "shifted" (an
        axis follows others by an affine form such as `i+k`), "selection" (one axis is at the places that an
        array of whole numbers has along others, as a gather leaves it).
    pairs : groups of axes that are equal, by position.
    selected : for a selection, groups of axes of which the last is at the places along the others.
    """

    kind: str
    pairs: Pairs
    selected: Pairs = ()


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
        if len(kinds) == 1 and kinds & {"dense", "shifted", "selection"}:
            return self.terms[0].kind
        if "dense" in kinds:
            return "dense"
        if "shifted" in kinds:
            return "shifted" if not self.pairs else "block-diagonal"
        if "selection" not in kinds and len({term.pairs for term in self.terms}) == 1:
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
            selected = self.terms[0].selected if self.terms else ()
            return self._words(self.kind, self.pairs, selected)
        each = " + ".join(self._words(term.kind, term.pairs, term.selected) for term in self.terms)
        return each if self.kind == "mixed" else f"{self._words(self.kind, self.pairs)}: {each}"

    def _words(self, kind: str, pairs: Pairs, selected: Pairs = ()) -> str:
        if selected:
            same = f", diagonal in {self._groups(pairs)}" if pairs else ""
            return f"{kind} in {self._groups(selected)}{same}"
        return f"{kind} in {self._groups(pairs)}" if pairs else kind

    def _groups(self, groups: Pairs) -> str:
        return ", ".join(f"({', '.join(self.letters[axis] for axis in group)})" for group in groups)


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
    selected = tuple(_selected(term, places))
    if selected:
        return Pattern("selection", pairs, selected)
    if not pairs:
        return Pattern("dense", ())
    free = any(len(axes) == 1 for axes in places.values())
    return Pattern("block-diagonal" if free else "diagonal", pairs)


def _selected(term: Term, places: dict[Label, list[int]]) -> Iterator[tuple[int, ...]]:
    """The axes of each gather in a term: those along the array of places, then the one that it picks from."""
    for factor in term.product.factors:
        if not isinstance(factor, Entry) or not is_one_hot(factor.array):
            continue
        *along, picked = ([] if form.label is None else places.get(form.label, []) for form in factor.forms)
        if picked and any(along):
            yield (*(axis for axes in along for axis in axes), *picked)


def structure(terms: Sequence[Term], letters: Sequence[str]) -> Structure:
    """The structure of a derivative whose axes print as these letters."""
    return Structure(tuple(pattern(term) for term in terms), tuple(letters))
