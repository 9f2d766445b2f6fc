"""Sizes of axes: integer polynomials in size names, and proofs that one is never negative.

A size is a Python `int` or a `Size`. Arithmetic folds to `int` where nothing symbolic is left, so
`==` between sizes is equality of polynomials. Atoms are size names and `Floor` quotients.

Every size name is at least 1 in proofs: over an axis of size 0 nothing is read or written, so what
is proved for the others holds there for want of elements.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, permutations


@dataclass(frozen=True, slots=True)
class Floor:
    """`numerator // divisor`, rounded down, as an atom of a polynomial."""

    numerator: Size
    divisor: int

    def __str__(self) -> str:
        return f"({self.numerator})//{self.divisor}"


Atom = str | Floor
Monomial = tuple[Atom, ...]  # sorted, an atom as often as its power


def _order(monomial: Monomial) -> tuple[int, tuple[str, ...]]:
    return -len(monomial), tuple(str(atom) for atom in monomial)


class Size:
    """An integer polynomial in size names: `n`, `m*n`, `n - k + 1`."""

    __slots__ = ("_hash", "name", "names", "terms", "weight")
    terms: tuple[tuple[Monomial, int], ...]
    name: str | None  # of a size that is nothing but that
    names: tuple[str, ...]  # of the sizes in it, in order, each once
    weight: float | None  # see `assumed`, which finds it when it is first asked

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._hash = hash(terms)
        self.weight = None
        atoms = [atom for monomial, _ in terms for atom in monomial]
        self.names = tuple(
            dict.fromkeys(
                [
                    name
                    for atom in atoms
                    for name in ((atom,) if isinstance(atom, str) else atom.numerator.names)
                ]
            )
        )
        self.name = self.names[0] if terms == (((self.names[0],), 1),) else None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Size) and self.terms == other.terms)

    def __reduce__(self) -> tuple[type[Size], tuple[tuple[tuple[Monomial, int], ...]]]:
        return Size, (self.terms,)

    def __add__(self, other: AnySize) -> AnySize:
        return _sum(self, other)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return Size(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: AnySize) -> AnySize:
        return _sum(self, -other)

    def __rsub__(self, other: AnySize) -> AnySize:
        return _sum(-self, other)

    def __mul__(self, other: AnySize) -> AnySize:
        return _product(self, other)

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> AnySize:
        """Rounded down; what divides evenly leaves the quotient: `(2*n + 1)//2` is `n`."""
        whole: AnySize = 0
        rest: AnySize = 0
        for monomial, c in self.terms:
            part = c if not monomial else Size(((monomial, 1),)) * c
            if monomial and c % divisor == 0:
                whole = whole + Size(((monomial, 1),)) * (c // divisor)
            elif not monomial:
                whole, rest = whole + c // divisor, rest + c % divisor
            else:
                rest = rest + part
        if isinstance(rest, int):
            return whole + rest // divisor
        return whole + Size((((Floor(rest, divisor),), 1),))

    def __repr__(self) -> str:
        return f"Size({self})"

    def __str__(self) -> str:
        text = ""
        for monomial, c in sorted(self.terms, key=lambda term: (not term[0], term[1] < 0)):
            factors = [str(atom) if isinstance(atom, str) else f"({atom})" for atom in monomial]
            if abs(c) != 1 or not factors:
                factors.insert(0, str(abs(c)))
            sign = "-" if c < 0 else "+"
            text += (f" {sign} " if text else "-" * (c < 0)) + "*".join(factors)
        return text


AnySize = int | Size


@lru_cache(maxsize=100_000)
def symbol(name: str) -> Size:
    """The size of that name."""
    return Size((((name,), 1),))


def _fold(terms: dict[Monomial, int]) -> AnySize:
    kept = [(m, c) for m, c in terms.items() if c]
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    return Size(tuple(sorted(kept, key=lambda item: _order(item[0]))))


def _items(size: AnySize) -> tuple[tuple[Monomial, int], ...]:
    return size.terms if isinstance(size, Size) else ((((), size),) if size else ())


@lru_cache(maxsize=100_000)
def _sum(a: AnySize, b: AnySize) -> AnySize:
    terms = dict(_items(a))
    for m, c in _items(b):
        terms[m] = terms.get(m, 0) + c
    return _fold(terms)


@lru_cache(maxsize=100_000)
def _product(a: AnySize, b: AnySize) -> AnySize:
    terms: dict[Monomial, int] = {}
    for m, c in _items(a):
        for n, d in _items(b):
            key = tuple(sorted(m + n, key=str))
            terms[key] = terms.get(key, 0) + c * d
    return _fold(terms)


def quotient(size: AnySize, divisor: AnySize) -> AnySize | None:
    """`size/divisor` where it is a polynomial again: `m*n/n` is `m`. None where it is not, or not found."""
    if size == divisor:
        return 1
    if divisor == 0:
        return None
    if isinstance(divisor, int) or len(divisor.terms) == 1:
        ((monomial, c),) = _items(divisor)
        total: AnySize = 0
        for other, d in _items(size):
            left = list(other)
            for atom in monomial:
                if atom not in left:
                    return None
                left.remove(atom)
            if d % c:
                return None
            total = total + (Size(((tuple(left), d // c),)) if left else d // c)
        return total
    (lead, c), total = divisor.terms[0], 0
    while size != 0:  # long division: terms stand in order of degree
        other, d = next(iter(_items(size)))
        part = quotient(Size(((other, d),)) if other else d, Size(((lead, c),)))
        if part is None:
            return None
        total, size = total + part, size - divisor * part
    return total


def smaller(a: AnySize, b: AnySize) -> AnySize | None:
    """The smaller of two sizes; None where it is not known."""
    return a if nonnegative(b - a) else b if nonnegative(a - b) else None


def linear(size: AnySize, name: str) -> tuple[AnySize, AnySize] | None:
    """`(a, b)` where the size is `a*name + b` and neither has the name; None where it is no such size."""
    slope: AnySize = 0
    rest: AnySize = 0
    for monomial, c in _items(size):
        if any(isinstance(atom, Floor) and name in names(atom.numerator) for atom in monomial):
            return None
        others = list(monomial)
        if name in others:
            others.remove(name)
            if name in others:
                return None
            slope = slope + (Size(((tuple(others), c),)) if others else c)
        else:
            rest = rest + (Size(((monomial, c),)) if monomial else c)
    return None if slope == 0 else (slope, rest)


def names(size: AnySize) -> tuple[str, ...]:
    """The size names in it, in order, each once."""
    return size.names if isinstance(size, Size) else ()


def substitute(size: AnySize, values: Mapping[str, AnySize]) -> AnySize:
    """The size with names replaced; with whole numbers for all names the result is an `int`."""
    if isinstance(size, int):
        return size
    if size.name is not None:
        return values.get(size.name, size)
    total: AnySize = 0
    for monomial, c in size.terms:
        product: AnySize = c
        for atom in monomial:
            if isinstance(atom, str):
                product = product * values.get(atom, symbol(atom))
            else:
                product = product * (substitute(atom.numerator, values) // atom.divisor)
        total = total + product
    return total


def given(size: AnySize, values: Container[str]) -> bool:
    """Whether every name in it is given."""
    return isinstance(size, int) or all(name in values for name in size.names)


def evaluate(size: AnySize, values: Mapping[str, int]) -> int:
    """The number that a size is when every name in it is given."""
    number = substitute(size, values)
    assert isinstance(number, int), f"size {size} needs {list(names(number))}"
    return number


# ---------------------------------------------------------------------------------------------- proofs


def _floors(size: AnySize) -> Iterator[Floor]:
    for monomial, _ in _items(size):
        for atom in monomial:
            if isinstance(atom, Floor):
                yield atom
                yield from _floors(atom.numerator)


@lru_cache(maxsize=100_000)
def _plainly(size: AnySize) -> bool:
    """No negative coefficient is left after every name `s` becomes `1 + s'` (a quotient stays)."""
    if isinstance(size, int):
        return size >= 0
    shifted = substitute(size, {name: symbol(name) + 1 for name in _outer_names(size)})
    return all(c >= 0 for _, c in _items(shifted))


def _outer_names(size: Size) -> set[str]:
    return {atom for monomial, _ in size.terms for atom in monomial if isinstance(atom, str)}


@lru_cache(maxsize=100_000)
def nonnegative(size: AnySize, facts: tuple[AnySize, ...] = ()) -> bool:
    """Is `size >= 0` provable, given that every one of `facts` is `>= 0`?

    False means that no proof was found, not that it is false. With a quotient `q = a//d` among the
    atoms, `a - d*q >= 0`, `d*q + d - 1 - a >= 0` and the least value of q are known too. A proof
    subtracts at most two known facts, from the size or from d times the size, and looks at the signs of
    what is left.
    """
    if _plainly(size):
        return True
    if isinstance(size, int):
        return False
    known = dict.fromkeys(facts)
    multiples: dict[AnySize, None] = {size: None}
    for part in (size, *facts):
        for floor in _floors(part):
            multiples[floor.divisor * size] = None
            q = Size((((floor,), 1),))
            known[floor.numerator - floor.divisor * q] = None
            known[floor.divisor * q + (floor.divisor - 1) - floor.numerator] = None
            least = substitute(floor.numerator, dict.fromkeys(_outer_names(floor.numerator), 1))
            if isinstance(least, int) and _plainly(floor.numerator - least):
                known[q - least // floor.divisor] = None
    for a, b in permutations(dict.fromkeys(f for part in (size, *facts) for f in _floors(part)), 2):
        if a.divisor == b.divisor and _plainly(a.numerator - b.numerator):  # rounding down keeps the order
            known[Size((((a,), 1),)) - Size((((b,), 1),))] = None
    useful = [fact for fact in known if isinstance(fact, Size)]
    if any(_plainly(one - k * fact) for one in multiples for fact in useful for k in (1, 2)):
        return True
    return any(_plainly(one - f - g) for one in multiples for f, g in combinations(useful, 2))


ASSUMED = 100
"""What a name counts as in costs, where nobody says what it is."""


def assumed(size: AnySize, sizes: Mapping[str, int], default: int = ASSUMED) -> float:
    """A number to weigh costs with: names that are not given count as `default`.

    What is subtracted from a size is taken to be small beside it: `n - k + 1` weighs like `n`.
    """
    if isinstance(size, int):
        return float(max(1, size))
    if not sizes and default == ASSUMED:
        if size.weight is None:
            size.weight = _weighed(size, sizes, default)
        return size.weight
    return _weighed(size, sizes, default)


def _weighed(size: Size, sizes: Mapping[str, int], default: int) -> float:
    if sizes and given(size, sizes):
        return float(max(1, evaluate(size, sizes)))
    total = 0.0
    for monomial, c in size.terms:
        part = float(c)
        for atom in monomial:
            if isinstance(atom, Floor):
                part *= assumed(atom.numerator, sizes, default) / atom.divisor
            else:
                part *= sizes.get(atom, default)
        total += max(part, 0.0)
    return max(1.0, total)


def subtracted(size: AnySize) -> set[str]:
    """The names that are subtracted in a size: `k` of `n - k + 1`, the width of a kernel say."""
    found: set[str] = set()
    for monomial, c in _items(size):
        for atom in monomial:
            if isinstance(atom, Floor):
                found |= subtracted(atom.numerator)
            elif c < 0:
                found.add(atom)
    return found


def as_fraction(number: int | Fraction) -> int | Fraction:
    """An `int` where the fraction is whole."""
    return number.numerator if isinstance(number, Fraction) and number.denominator == 1 else number
