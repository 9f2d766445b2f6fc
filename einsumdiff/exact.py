"""A derivative of a rational program, checked exactly: in whole numbers modulo a prime.

The program is evaluated on numbers `a + b*e1 + c*e2 + d*e1*e2` with `e1**2 = e2**2 = 0` (one `e` for each
order), which carry its derivatives along random directions; the derivative's terms are contracted with the
same directions. Two rational functions that differ agree at a random point with a probability of about their
degree over the prime: J. T. Schwartz, Fast probabilistic algorithms for verification of polynomial
identities, J. ACM 27 (1980).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from einsumdiff.differentiate import Jacobian
from einsumdiff.evaluate import Oracle, Places
from einsumdiff.nodes import (
    Array,
    Call,
    Constant,
    Definition,
    Entry,
    Extent,
    Form,
    Input,
    Mask,
    Number,
    OneHot,
    Operate,
    Reduce,
    Sum,
    Term,
)
from einsumdiff.program import Program, live
from einsumdiff.sizes import evaluate as size_of

PRIME = 2**61 - 1
FINEST = 2**20
"""A coefficient in floating point is taken for exact, if it is a fraction over no more than this."""
MOST_WORK = 20_000
"""So many products of numbers are worth their time."""
OPERATIONS = ("inv", "det", "adjugate")


class NotRational(Exception):
    """The program is no rational function, or the point is a pole of it."""


class Jet:
    """A number modulo the prime with its mixed derivatives: `parts[s]` belongs to the set `s` of the e."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[int]) -> None:
        self.parts = tuple(parts)

    def __add__(self, other: Jet) -> Jet:
        return Jet([(a + b) % PRIME for a, b in zip(self.parts, other.parts, strict=True)])

    def __sub__(self, other: Jet) -> Jet:
        return Jet([(a - b) % PRIME for a, b in zip(self.parts, other.parts, strict=True)])

    def __mul__(self, other: Jet) -> Jet:
        parts = [0] * len(self.parts)
        for s, a in enumerate(self.parts):
            for t, b in enumerate(other.parts) if a else ():
                if not s & t:
                    parts[s | t] += a * b
        return Jet([part % PRIME for part in parts])

    def __bool__(self) -> bool:
        return any(self.parts)

    def inverse(self) -> Jet:
        """`1/(a + n)` is `1/a - n/a**2 + n**2/a**3 - ...`, which ends, as n is nilpotent."""
        if not self.parts[0]:
            raise NotRational
        one = Jet([1] + [0] * (len(self.parts) - 1))
        first = pow(self.parts[0], -1, PRIME)
        small = Jet([0, *(-part * first % PRIME for part in self.parts[1:])])
        total = power = one
        for _ in range(len(self.parts).bit_length() - 1):
            power = power * small
            total = total + power
        return Jet([part * first % PRIME for part in total.parts])

    def __pow__(self, power: int) -> Jet:
        base = self if power >= 0 else self.inverse()
        result = Jet([1] + [0] * (len(self.parts) - 1))
        for bit in bin(abs(power))[2:]:
            result = result * result
            result = result * base if bit == "1" else result
        return result


def exact(program: Program, jacobian: Jacobian, sizes: Mapping[str, int]) -> bool | None:
    """Whether the terms are the derivative of the program at arrays of these sizes.

    None where that cannot be decided: a function that is not rational, a declared structure of an input, or
    more work than it is worth.
    """
    shape = [size for array in (jacobian.output, *jacobian.wrt) for size in array.shape]
    if list(jacobian.shape) != shape or any(one.properties for one in program.inputs):
        return None
    read = [f.array for t in jacobian.terms for f in t.product.factors if isinstance(f, Entry | Mask)]
    roots = [jacobian.output, *read]
    if not _rational(roots, jacobian) or _work(roots, jacobian.terms, sizes) > MOST_WORK:
        return None
    draw = random.Random(0)
    point: dict[Array, Any] = {}
    inputs = [*program.inputs, *(array for array in jacobian.wrt if isinstance(array, Definition))]
    places = {d.body.entry.array: d.shape[-1] for d in live(roots) if isinstance(d.body, OneHot)}
    for one in dict.fromkeys(inputs):
        whole = _shape(one.shape, sizes)
        below = size_of(places[one], sizes) if one in places else PRIME
        if not below and 0 not in whole:
            return None
        point[one] = _array(whole, lambda below=below: draw.randrange(below))
    directions = [_array(_shape(one.shape, sizes), lambda: draw.randrange(PRIME)) for one in jacobian.wrt]
    constants = {name: draw.randrange(PRIME) for name in ("pi", "e")}
    try:
        return _agree(jacobian, point, directions, constants, sizes, set(places))
    except NotRational:
        return None


def _agree(
    jacobian: Jacobian,
    point: Mapping[Array, Any],
    directions: Sequence[Any],
    constants: Mapping[str, int],
    sizes: Mapping[str, int],
    places: set[Array],
) -> bool:
    import numpy as np

    order = len(directions)
    seeds: dict[Array, Any] = {}
    plain: dict[Array, Any] = {}
    for array, numbers in point.items():
        if array in places:
            seeds[array] = plain[array] = numbers
            continue
        seeds[array] = np.empty(numbers.shape, dtype=object)
        plain[array] = np.empty(numbers.shape, dtype=object)
        for at in np.ndindex(numbers.shape):
            parts = [numbers[at]] + [0] * (2**order - 1)
            for k, (one, direction) in enumerate(zip(jacobian.wrt, directions, strict=True)):
                if one is array:
                    parts[2**k] = direction[at]
            seeds[array][at], plain[array][at] = Jet(parts), Jet([numbers[at]])
    ours = _Modular(seeds, sizes, order, constants)
    value = ours.value(jacobian.output)
    theirs = _Modular(plain, sizes, 0, constants)
    for term in jacobian.terms:
        for f in term.product.factors:
            if isinstance(f, Entry | Mask):
                theirs.value(f.array)
    slope = theirs.terms(jacobian.terms, jacobian.shape)
    for at in np.ndindex(value.shape):
        total = 0
        for rest in np.ndindex(slope.shape[value.ndim :]):
            number, start = slope[at + rest].parts[0], 0
            for direction in directions:
                number = number * direction[rest[start : start + direction.ndim]] % PRIME
                start += direction.ndim
            total += number
        if (total - value[at].parts[-1]) % PRIME:
            return False
    return True


class _Modular(Oracle):
    """The oracle on jets."""

    def __init__(
        self, values: dict[Array, Any], sizes: Mapping[str, int], order: int, constants: Mapping[str, int]
    ) -> None:
        super().__init__(values, sizes)
        self.known, self.order, self.constants = values, order, constants

    def value(self, array: Array) -> Any:
        """The array, and on the way all that it needs; what is given is not evaluated."""
        for definition in live([array]):
            if definition not in self.known:
                self.known[definition] = self.definition(definition)
        return self.known.get(array)

    def number(self, value: Any) -> Jet:
        exact_ = Fraction(value)
        first = exact_.numerator * pow(exact_.denominator, -1, PRIME)
        return Jet([first % PRIME] + [0] * (2**self.order - 1))

    def power(self, base: Any, power: Any) -> Any:
        return base ** int(power)

    def read(self, array: Array, forms: Sequence[Form], places: Places) -> Any:
        if isinstance(array, Constant):
            return self.number(self.constants[array.name])
        found = super().read(array, forms, places)
        return found if isinstance(found, Jet) else self.number(found)

    def place(self, entry: Entry, places: Places) -> Any:
        return super().read(entry.array, entry.forms, places)

    def array(self, shape: tuple[int, ...], found: Mapping[tuple[int, ...], Any]) -> Any:
        array = self.np.empty(shape, dtype=object)
        for index in self.np.ndindex(shape):
            array[index] = found[index] if index in found else self.number(0)
        return array

    def operate(self, body: Operate) -> Any:
        matrices = self.np.asarray(self.known[body.operands[0].array])
        batch, size = matrices.shape[:-2], matrices.shape[-1]
        shape = batch if body.operation == "det" else matrices.shape
        result = self.np.empty(shape, dtype=object)
        for at in self.np.ndindex(batch):
            inverse, det = self._eliminated([list(row) for row in matrices[at]])
            if body.operation == "det":
                result[at] = det
                continue
            for i in range(size):
                for j in range(size):
                    one = inverse[i][j]
                    result[(*at, i, j)] = one * det if body.operation == "adjugate" else one
        return result

    def _eliminated(self, rows: list[list[Jet]]) -> tuple[list[list[Jet]], Jet]:
        """The inverse and the determinant, by the method of Gauss and Jordan."""
        size, det = len(rows), self.number(1)
        whole = [row + [self.number(int(i == j)) for j in range(size)] for i, row in enumerate(rows)]
        for k in range(size):
            pivot = next((i for i in range(k, size) if whole[i][k].parts[0]), None)
            if pivot is None:
                raise NotRational
            if pivot != k:
                whole[k], whole[pivot] = whole[pivot], whole[k]
                det = det * self.number(-1)
            det = det * whole[k][k]
            inverse = whole[k][k].inverse()
            whole[k] = [one * inverse for one in whole[k]]
            for i in range(size):
                if i != k and whole[i][k]:
                    factor = whole[i][k]
                    whole[i] = [a - factor * b for a, b in zip(whole[i], whole[k], strict=True)]
        return [row[size:] for row in whole], det


def _shape(sizes_: Iterable[Any], sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(size_of(size, sizes) for size in sizes_)


def _array(shape: tuple[int, ...], draw: Any) -> Any:
    import numpy as np

    array = np.empty(shape, dtype=object)
    for at in np.ndindex(shape):
        array[at] = draw()
    return array


def _rational(roots: Sequence[Array], jacobian: Jacobian) -> bool:
    """Whether nothing but sums, products, whole powers and the linear algebra above is between them and the
    inputs."""
    stated = {array for array in jacobian.wrt if isinstance(array, Definition)}
    arrays: list[Array] = [*roots]
    terms = list(jacobian.terms)
    for definition in live(roots):
        match definition.body:
            case _ if definition in stated:
                continue
            case Sum(own):
                terms += own
                arrays += [f.array for t in own for f in t.product.factors if isinstance(f, Entry | Mask)]
            case Reduce(op="prod", entry=entry):
                arrays.append(entry.array)
            case Operate(operation=operation) if operation in OPERATIONS:
                pass
            case OneHot(entry=entry) if isinstance(entry.array, Input):
                pass
            case Call() | Reduce() | Operate() | OneHot():
                return False
    if any(isinstance(array, Constant) and array.name not in ("pi", "e") for array in arrays):
        return False
    return all(_plain(number) for term in terms for number in _numbers(term))


def _numbers(term: Term) -> Iterator[Number]:
    """The coefficient, and every power as one that must be whole."""
    yield term.product.coefficient
    for f in term.product.factors:
        if isinstance(f, Entry | Extent):
            yield f.power if f.power == int(f.power) else float("nan")


def _plain(number: Number) -> bool:
    if isinstance(number, float):
        return math.isfinite(number) and Fraction(number).denominator <= FINEST
    return True


def _work(roots: Sequence[Array], terms: Sequence[Term], sizes: Mapping[str, int]) -> int:
    """How many products of numbers there are."""
    total = 0
    own = [t for d in live(roots) if isinstance(d.body, Sum) for t in d.body.terms]
    for term in (*terms, *own):
        labels = dict.fromkeys((*term.labels, *term.product.bound))
        total += math.prod(max(0, size_of(one.size, sizes)) for one in labels)
    return total + sum(math.prod(_shape(d.shape, sizes)) for d in live(roots))
