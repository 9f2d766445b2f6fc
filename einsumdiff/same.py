"""Is a formula of one's own the same derivative?

The formula is read as the last line of a program: what is declared and defined before it are the inputs of
the derivative, and those definitions of the program and of the printed derivative that the formula names. So
all notation means there what it means everywhere. Then the two are compared by canonical form, and where
that does not decide, by numbers: at random arrays of several sizes, so that `1/2` is not taken for `1/n`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from typing import TYPE_CHECKING, Any

from einsumdiff import meaning
from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import (
    IndexFault,
    NameFault,
    ValueFault,
)
from einsumdiff.formula import MOST_AXES, Formula, called, terms_of
from einsumdiff.program import Program
from einsumdiff.sampling import Numbers, samples

if TYPE_CHECKING:
    import numpy as np

    Array_ = np.ndarray[Any, Any]

CLOSE = 1e-7
"""Two entries are the same up to this part of the larger one,"""
NOISE = 1e-11
"""or up to this part of the largest entry: what rounding leaves where terms cancel."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a formula is the derivative: true or false in a condition, words when printed.

    Parameters
    ----------
    same : the answer.
    how : what decided it: `canonical form` or `numbers`.
    entry : where they differ first, in the order of the derivative's axes; None where they do not.
    ours, theirs : the entry of the derivative, and of the formula.
    factor : what the formula is times the derivative, where that is one number: `2`, `-1`, `1/n`.
    words : the answer in words.
    """

    same: bool
    how: str
    words: str
    entry: tuple[int, ...] | None = None
    ours: float | None = None
    theirs: float | None = None
    factor: str | None = None

    def __bool__(self) -> bool:
        return self.same

    def __str__(self) -> str:
        return self.words


def same(program: Program, jacobian: Jacobian, derivative: Any, text: object) -> Verdict:
    """Whether the formula is this derivative.

    Raises
    ------
    EinsumDiffError : the formula cannot be read, or has other axes; the caret is in the formula.
    """
    formula = Formula(program, jacobian, text)
    found = formula.program()
    missing = formula.missing_letters()
    if meaning.same(program.inputs, jacobian.terms, formula.inputs, terms_of(found, formula.inputs)):
        return Verdict(True, "canonical form", "yes: the same, by canonical form")
    verdict = _by_numbers(program, derivative, found, formula)
    if missing and not verdict and verdict.factor is None:
        letters = " and ".join(missing)
        raise IndexFault(
            f"{letters} of {formula.left} {'is' if len(missing) == 1 else 'are'} nowhere in the formula",
            formula.value.span,
            f"its axes are {', '.join(formula.letters)}; write letters of your own on the left side, "
            f"{formula.left} = ..., in another order or with other names",
        )
    return verdict


def same_lines(several: Sequence[tuple[Program, Jacobian, Any]], text: object) -> Verdict:
    """Whether each line with a left side is the derivative that it says it is: the first that is not."""
    from einsumdiff.language.parse import parse_formula

    lines = parse_formula(text).partials if isinstance(text, str) else ()
    known = {called(jacobian): (program, jacobian, one) for program, jacobian, one in several}
    if not lines:
        first = next(iter(known))
        raise ValueFault(
            "this is several derivatives, and the formula does not say which it is",
            None,
            f"write a left side, d{first[0]}/d{first[1]}[...] = ..., or d[{first[1]!r}].same(...)",
        )
    verdict: Verdict | None = None
    for line in lines:
        name = (line.output.name, *(one.name for one, _ in line.wrt))
        if name not in known:
            listed = ", ".join(f"{one[0]} in {' and '.join(one[1:])}" for one in known)
            raise NameFault(
                f"there is no derivative of {name[0]} in {' and '.join(name[1:])}",
                line.span,
                f"there are those of {listed}",
            )
        verdict = same(*known[name], text)
        if not verdict:
            break
    assert verdict is not None
    return verdict


# -- numbers ------------------------------------------------------------------------------------------


def _by_numbers(program: Program, derivative: Any, found: Program, formula: Formula) -> Verdict:
    """The two at random arrays of several sizes, where the program has values."""
    import numpy as np

    theirs = Numbers(found)
    worst, compared = 0.0, 0
    for arrays in samples(program, derivative):
        with np.errstate(all="ignore"):
            a = np.asarray(derivative(**arrays), dtype=float)
            b = np.asarray(theirs(arrays), dtype=float)
        compared += 1
        off = _off(a, b)
        if off.any():
            return _differs(program, derivative, theirs, formula, arrays, a, b, off)
        if a.size:
            worst = max(worst, float(np.max(np.abs(a - b))) / max(float(np.max(np.abs(a))), 1e-300))
    if not compared:
        raise ValueFault(
            "the derivative has no values at the arrays that were drawn",
            None,
            "compare it at arrays of yours",
        )
    return Verdict(
        True, "numbers", f"yes: the same numbers at {compared} random points, relative difference {worst:.1e}"
    )


def _off(a: Array_, b: Array_) -> Array_:
    """The entries that are not the same; `b` may be no number where `a` is one."""
    import numpy as np

    if not a.size:
        return np.zeros(a.shape, dtype=bool)
    apart, largest = np.abs(a - b), np.maximum(np.abs(a), np.abs(b))
    finite = largest[np.isfinite(largest)]
    scale = float(finite.max()) if finite.size else 0.0
    off: Array_ = ~((apart <= CLOSE * largest) | (apart <= NOISE * scale))
    return off


def _differs(
    program: Program,
    derivative: Any,
    theirs: Numbers,
    formula: Formula,
    arrays: dict[str, Array_],
    a: Array_,
    b: Array_,
    off: Array_,
) -> Verdict:
    import numpy as np

    entry = tuple(int(k) for k in np.argwhere(off)[0])
    letters = [item.span.source for item in formula.items or formula.axes]
    at = ", ".join(f"{letter}={k}" for letter, k in zip(letters, entry, strict=True))
    ours, yours = float(a[entry]), float(b[entry])
    words = f"no: {formula.left}{f' at {at}' if at else ''} is {ours:.6g}, yours is {yours:.6g}"
    shapes = "; ".join(f"{one.name}: {np.shape(arrays[one.name])}" for one in program.inputs)
    words += f" (random arrays {shapes})" if shapes else ""
    factor = _factor(program, derivative, theirs)
    if factor == "-1":
        words += "\nyours has the opposite sign"
    elif factor is not None:
        words += f"\nyours is {factor} times ours"
    elif _transposed(a, b):
        words += "\nyours is the transpose: the axes are those of the output, then those of each wrt"
    return Verdict(False, "numbers", words, entry, ours, yours, factor)


def _factor(program: Program, derivative: Any, theirs: Numbers) -> str | None:
    """The one number that the formula is times the derivative, if there is one: of sizes, or a constant."""
    import numpy as np

    candidates: set[str] | None = None
    for arrays in samples(program, derivative):
        with np.errstate(all="ignore"):
            a, b = np.asarray(derivative(**arrays), float), np.asarray(theirs(arrays), float)
        square = float(np.sum(a * a))
        if not square > 0 or not np.isfinite(b).all():
            return None
        ratio = float(np.sum(a * b)) / square
        if abs(ratio) < NOISE or _off(ratio * a, b).any():
            return None
        here = set(_spellings(ratio, program, arrays))
        candidates = here if candidates is None else candidates & here
        if not candidates:
            return None
    return min(candidates, key=lambda text: (len(text), text)) if candidates else None


def _spellings(ratio: float, program: Program, arrays: dict[str, Array_]) -> Iterator[str]:
    """What the ratio may be: a small fraction, or one times or by a size."""
    sizes: dict[str, int] = {}
    for one in program.inputs:
        for size, number in zip(one.shape, arrays[one.name].shape, strict=True):
            if not isinstance(size, int):
                sizes[str(size)] = number
    for name, value in (("", 1.0), *((name, float(number)) for name, number in sizes.items())):
        if not value:
            continue
        for power in (1, -1) if name else (1,):
            rest = Fraction(ratio / value**power).limit_denominator(24)
            if not rest or abs(float(rest) * value**power - ratio) > CLOSE * abs(ratio):
                continue
            if not name:
                yield str(rest)
            elif power == 1:
                yield name if rest == 1 else f"{rest}*{name}"
            else:
                yield (
                    f"{rest}/{name}"
                    if rest.denominator == 1
                    else f"{rest.numerator}/({rest.denominator}*{name})"
                )


def _transposed(a: Array_, b: Array_) -> bool:
    import numpy as np

    if not 1 < a.ndim <= MOST_AXES:
        return False
    turned = (np.transpose(b, order) for order in permutations(range(a.ndim)))
    return any(one.shape == a.shape and not _off(a, one).any() for one in turned)
