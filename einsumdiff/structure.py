"""The structure of a derivative in words: where its numbers are, and how many of them there are to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from einsumdiff.errors import ValueFault, nearest
from einsumdiff.nodes import Term
from einsumdiff.patterns import Axes, Gathered, Pattern, Relation, joined, pattern
from einsumdiff.sizes import AnySize, evaluate, nonnegative
from einsumdiff.sizes import names as size_names
from einsumdiff.stored import elements, stored
from einsumdiff.symmetry import Exchange, symmetric_axes

__all__ = ["Count", "Gathered", "Pattern", "Relation", "Structure", "structure"]


class Count(NamedTuple):
    """How many numbers a compressed result keeps, and how many the dense one has."""

    stored: int
    dense: int


@dataclass(frozen=True, slots=True)
class Structure:
    """The structure of a derivative: that of each term, and joined.

    Parameters
    ----------
    terms : the pattern of each term.
    letters, shape : of the axes, those of the output and then those of each wrt.
    ranks : how many axes the output has, then each wrt.
    pairs, relations : what holds for all terms.
    symmetric : exchanges of axes that leave the derivative as it is, proved on the terms.
    stored : the number of elements of the distinct arrays that a compressed result keeps, up to scale,
        sign and transposition; a constant counts nothing, a scalar factor 1.
    dense : the number of elements of the dense array.

    >>> from einsumdiff import derive
    >>> s = derive("exp(x)", wrt="x").structure
    >>> print(s)
    diagonal in (i, m); stores n numbers of n*n
    >>> s.count(n=1000)
    Count(stored=1000, dense=1000000)
    """

    terms: tuple[Pattern, ...]
    letters: tuple[str, ...]
    shape: tuple[AnySize, ...]
    ranks: tuple[int, ...]
    pairs: tuple[Axes, ...]
    relations: tuple[Relation, ...]
    symmetric: tuple[Exchange, ...]
    stored: AnySize
    dense: AnySize

    @property
    def split(self) -> int:
        """So many axes count as rows: all but those of the last wrt."""
        return len(self.shape) - self.ranks[-1]

    @property
    def kind(self) -> str:
        """The kind that covers all terms.

        `zero`, a kind of a `Pattern`, `diagonal plus low-rank`, or `mixed` where none of them does.
        """
        kinds = {term.kind for term in self.terms}
        if not kinds:
            return "zero"
        if kinds == {"diagonal", "low-rank"} and self.split and len(self._diagonals) == 1:
            return "diagonal plus low-rank"
        if "dense" in kinds:
            return "dense"
        if len(kinds) == 1 and (kinds <= {"low-rank", "Kronecker"} or len(self.terms) == 1):
            return self.terms[0].kind
        if self.relations:
            found = {relation.kind for relation in self.relations}
            return next(kind for kind in ("banded", "triangular", "selection") if kind in found)
        if kinds == {"diagonal"} and len(self._diagonals) == 1:
            return "diagonal"
        return "block-diagonal" if self.pairs else "mixed"

    @property
    def _diagonals(self) -> set[tuple[Axes, ...]]:
        return {term.pairs for term in self.terms if term.kind == "diagonal"}

    @property
    def rank(self) -> AnySize | None:
        """At most so many: the rank as a matrix, rows by columns, where every term tells one.

        Of a diagonal plus low rank it is that of the rest.
        """
        ranked = [t for t in self.terms if self.kind != "diagonal plus low-rank" or t.kind != "diagonal"]
        total: AnySize = 0
        for term in ranked:
            if term.rank is None:
                return None
            total = total + term.rank
        return total

    def count(self, /, **sizes: int) -> Count:
        """The numbers of elements at these sizes.

        Raises ValueFault for a size that is missing, unknown or no whole number from 0 on.
        """
        known = list(dict.fromkeys(name for size in (*self.shape, self.stored) for name in size_names(size)))
        for name, size in sizes.items():
            if name not in known:
                near = nearest(name, known)
                hint = (
                    f"did you mean {' or '.join(near)}?"
                    if near
                    else f"sizes are {', '.join(known) or 'numbers'}"
                )
                raise ValueFault(f"{name} is no size of this derivative", None, hint)
            if isinstance(size, bool) or not isinstance(size, int) or size < 0:
                raise ValueFault(f"{name}={size!r} is no size", None, "give a whole number from 0 on")
        missing = [name for name in known if name not in sizes]
        if missing:
            raise ValueFault(
                f"the size {missing[0]} is missing", None, f"give {', '.join(f'{name}=' for name in missing)}"
            )
        return Count(evaluate(self.stored, sizes), evaluate(self.dense, sizes))

    def __str__(self) -> str:
        """In words."""
        counts = f"stores {self.stored} numbers of {self.dense}"
        if not self.terms:
            return f"zero; {counts}"
        told = [set(group) for group in self.pairs]
        untold = [
            (one, other)
            for one, other in self.symmetric
            if not all(any({a, b} <= group for group in told) for a, b in zip(one, other, strict=True))
        ]
        symmetric = ", ".join(self._exchange(one) for one in untold)
        return "; ".join([self._whole(), counts, *([f"symmetric in {symmetric}"] if symmetric else [])])

    def _whole(self) -> str:
        said = list(dict.fromkeys(self._term(term) for term in self.terms))
        if len(self.terms) == 1:
            return said[0]
        kind = self.kind
        if kind == "diagonal plus low-rank":
            (pairs,) = self._diagonals
            return f"diagonal in {self._groups(pairs)} plus rank {self.rank}"
        if kind == "low-rank":
            return (
                f"low-rank (rank {self.rank})"
                if self.split
                else f"sum of {len(self.terms)}: {' + '.join(said)}"
            )
        if kind == "Kronecker":
            return f"sum of {len(self.terms)}: {' + '.join(said)}"
        each = " + ".join(said)
        if kind == "mixed":
            return each
        own = self._facts(kind, self.pairs, self.relations, ())
        if kind == "block-diagonal":
            own += self._blocks(self.pairs, "")
        if said == [own]:
            return own
        if kind in ("banded", "triangular"):
            return f"{own}, in {len(self.terms)} terms"
        return f"{own}; {each}" if kind == "block-diagonal" else f"{own}: {each}"

    def _term(self, term: Pattern) -> str:
        facts = self._facts(term.kind, term.pairs, term.relations, term.gathered)
        if term.kind == "block-diagonal":
            return facts + self._blocks(term.pairs, self._alike(term))
        if term.kind == "low-rank":
            if self.split and len(term.groups) <= 2:
                return "low-rank (rank 1)"
            return "outer product of " + " and ".join(self._group(group) for group in term.groups)
        if term.kind == "Kronecker":
            return "Kronecker product in " + " and ".join(self._group(group) for group in term.groups)
        if term.kind == "dense" and self._bounded(term.rank):
            return f"dense, of rank at most {term.rank}"
        return facts

    def _bounded(self, rank: AnySize | None) -> bool:
        """Does the rank say more than the shape?"""
        if rank is None:
            return False
        sides = elements(self.shape[: self.split]), elements(self.shape[self.split :])
        return not any(nonnegative(rank - side) for side in sides)

    def _facts(
        self, kind: str, pairs: tuple[Axes, ...], relations: Sequence[Relation], gathered: Sequence[Gathered]
    ) -> str:
        """`banded in (i, m): m - i from 0 to k - 1`."""
        said = [self._relation(one) for one in relations]
        for one in gathered:
            by = ", ".join(self.letters[axis] for axis in one.by)
            said.append(f"{self.letters[one.axis]} = {one.array}[{by}]")
        tied = f"block-diagonal in {self._groups(pairs)}" if pairs else ""
        if not said:
            return f"{kind} in {self._groups(pairs)}" if pairs else kind
        words = f"{kind}: {', '.join(said)}"
        return f"{tied}, {words}" if tied else words

    def _relation(self, one: Relation) -> str:
        bounds = [bound for bound in (one.low, one.high) if bound is not None]
        sizes = {name for size in (*bounds, *(c for _, c in one.of)) for name in size_names(size)}
        axis = self._name(one.axis, sizes)
        of = [(self._name(a, sizes), c) for a, c in one.of]
        if one.low == one.high:
            return f"{axis} = {_affine(of, one.low)}"
        if one.low is None:
            return f"{axis} <= {_affine(of, one.high)}"
        if one.high is None:
            return f"{axis} >= {_affine(of, one.low)}"
        difference = _affine([(axis, 1), *((name, -c) for name, c in of)], 0)
        return f"{difference} from {one.low} to {one.high}{' (Toeplitz)' * one.toeplitz}"

    def _name(self, axis: int, sizes: set[str]) -> str:
        """The letter of an axis; its number where a size beside it has that name."""
        return f"axis{axis}" if self.letters[axis] in sizes else self.letters[axis]

    def _blocks(self, pairs: tuple[Axes, ...], alike: str) -> str:
        """`: n blocks of p by q`, where each pair ties a row to a column."""
        if not all(len(pair) == 2 and pair[0] < self.split <= pair[1] for pair in pairs):
            return ""
        tied = {axis for pair in pairs for axis in pair}
        number = elements(self.shape[pair[0]] for pair in pairs)
        rows = elements(self.shape[axis] for axis in range(self.split) if axis not in tied)
        columns = elements(
            self.shape[axis] for axis in range(self.split, len(self.shape)) if axis not in tied
        )
        return f": {_in_words(number)} {alike}blocks of {_in_words(rows)} by {_in_words(columns)}"

    def _alike(self, term: Pattern) -> str:
        """Are the blocks copies of one, or multiples of one?"""
        if term.alike:
            return "equal "
        return "proportional " if all(pair in term.groups for pair in term.pairs) else ""

    def _groups(self, groups: Sequence[Axes]) -> str:
        return ", ".join(self._group(group) for group in groups)

    def _group(self, group: Axes) -> str:
        return f"({', '.join(self.letters[axis] for axis in group)})"

    def _exchange(self, exchange: Exchange) -> str:
        one, other = exchange
        if len(one) == 1:
            return self._group(one + other)
        return f"({self._group(one)}, {self._group(other)})"

    def to_dict(self) -> dict[str, object]:
        """As JSON has it: sizes are numbers or text."""
        return {
            "words": str(self),
            "kind": self.kind,
            "axes": list(self.letters),
            "shape": [_plain(size) for size in self.shape],
            "stored": _plain(self.stored),
            "dense": _plain(self.dense),
            "rank": _plain(self.rank),
            "pairs": [list(group) for group in self.pairs],
            "symmetric": [[list(one), list(other)] for one, other in self.symmetric],
            "terms": [{"kind": term.kind, "words": self._term(term)} for term in self.terms],
        }


def _plain(size: AnySize | None) -> int | str | None:
    return size if size is None or isinstance(size, int) else str(size)


def _in_words(size: AnySize) -> str:
    text = str(size)
    return f"({text})" if " " in text else text


def _affine(terms: Sequence[tuple[str, AnySize]], constant: AnySize | None) -> str:
    """`2*i + j - 1`."""
    assert constant is not None
    text = ""
    for name, c in (*terms, ("", constant)):
        if c == 0:
            continue
        number = str(c)
        negative = number.startswith("-") and " " not in number
        number = number.removeprefix("-") if negative else number
        if name and " " in number:
            number = f"({number})"
        part = (name if number == "1" else f"{number}*{name}") if name else number
        text += (" - " if negative else " + ") + part if text else "-" * negative + part
    return text or "0"


def structure(
    terms: Sequence[Term], letters: Sequence[str], shape: Sequence[AnySize], ranks: Sequence[int]
) -> Structure:
    """The structure of a derivative whose axes print as these letters."""
    split = len(shape) - ranks[-1]
    patterns = tuple(pattern(term, shape, split) for term in terms)
    pairs, relations = joined(patterns, shape) if patterns else ((), ())
    return Structure(
        patterns,
        tuple(letters),
        tuple(shape),
        tuple(ranks),
        pairs,
        relations,
        symmetric_axes(terms, shape, ranks) if terms else (),
        stored(terms),
        elements(shape),
    )
