"""What was recorded: steps that read each other; and the program text that says the same.

A step that is read once is written where it is read, in brackets where the precedence asks for them. One
that is read more than once, or that would make a line too long, is a statement of its own, under the name
that the function gives it: `h = tanh(W @ x)`, or `t1` where it gives none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from einsumdiff.errors import Span
from einsumdiff.tracing.places import Place

COMPARISON, UNION, INTERSECTION, SUM, PRODUCT, SIGN, POWER, ATOM = range(8)
"""Precedence, from the loosest; a part of a step says what it needs at least."""

LEVELS = {
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARISON),
    "|": UNION,
    "&": INTERSECTION,
    "+": SUM,
    "-": SUM,
    **dict.fromkeys(("*", "/", "//", "%", "@"), PRODUCT),
    "**": POWER,
}

LONGEST = 88
"""Characters in an expression before its parts get names."""

LETTERS = "ijklpq"

RESERVED = {"None", "True", "False", "newaxis", "delta", "np", "numpy", "jnp", "jax", "scipy", "math"}
"""Names that mean something else in a program."""


@dataclass(frozen=True, slots=True)
class Literal:
    """An array of numbers that stand in the function: where they are not 0, as text."""

    shape: tuple[int, ...]
    entries: tuple[tuple[tuple[int, ...], str], ...]


@dataclass(eq=False, slots=True)
class Step:
    """One operation, or what stands for itself: an input, a number.

    Attributes
    ----------
    parts : text, and other steps with the precedence that is needed at their place.
    level : the precedence of the whole.
    plain : so short that it is written wherever it is read: `x`, `2`, `x.T`.
    name : what the function calls it.
    boolean : a comparison, 0 or 1 for each element.
    whole : a whole number that sizes say, which stays where it is read: a name for it would be an array.
    """

    parts: tuple[str | tuple[Step, int] | Literal, ...]
    level: int
    place: Place | None = None
    plain: bool = False
    name: str | None = None
    boolean: bool = False
    whole: bool = False

    @property
    def read(self) -> Iterator[Step]:
        """The steps that it reads."""
        return (part[0] for part in self.parts if isinstance(part, tuple))


@dataclass(frozen=True, slots=True)
class Text:
    """A program, and which stretch of it each step is."""

    text: str
    stretches: tuple[tuple[int, int, Step], ...]

    def step(self, span: Span) -> Step | None:
        """The smallest step that covers a stretch of the text and has a place."""
        covering = [
            (stop - start, k)
            for k, (start, stop, step) in enumerate(self.stretches)
            if start <= span.start and span.stop <= stop and step.place is not None
        ]
        return self.stretches[min(covering)[1]][2] if covering else None


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    level: int
    stretches: tuple[tuple[int, int, Step], ...] = ()


def ordered(output: Step) -> list[Step]:
    """The steps that the output needs, each after those that it reads; long chains do not recurse."""
    found: dict[Step, None] = {}
    stack: list[tuple[Step, Iterator[Step]]] = [(output, output.read)]
    open_steps = {output}
    while stack:
        step, rest = stack[-1]
        for one in rest:
            if one not in open_steps:
                open_steps.add(one)
                stack.append((one, one.read))
                break
        else:
            stack.pop()
            found[step] = None
    return list(found)


def written(output: Step, taken: Iterable[str], called: str | None = None) -> Text:
    """The program whose last line is the output.

    Parameters
    ----------
    taken : names that no statement may have: inputs and sizes.
    called : a name for the output.
    """
    steps = ordered(output)
    names = _Names({*taken, *RESERVED}, steps)
    uses: dict[Step, int] = {}
    for step in steps:
        for one in step.read:
            uses[one] = uses.get(one, 0) + 1
    called = called and names.new(called, "y")
    pieces: dict[Step, _Piece] = {}
    lines: list[_Piece] = []
    for step in steps:
        literal = next((part for part in step.parts if isinstance(part, Literal)), None)
        if literal is not None:
            name = names.new(step.name, "c")
            lines += _literal(name, literal, names.letters)
            pieces[step] = _Piece(name, ATOM)
            continue
        piece = _piece(step, pieces)
        if step is not output and not step.plain and (uses[step] > 1 or len(piece.text) > LONGEST):
            name = names.new(step.name, "t")
            lines.append(_joined([f"{name} = ", piece], ATOM))
            piece = _Piece(name, ATOM)
        pieces[step] = piece
    lines.append(_joined([f"{called} = ", pieces[output]], ATOM) if called else pieces[output])
    whole = _joined([part for line in lines for part in (line, "\n")][:-1], ATOM)
    return Text(whole.text, whole.stretches)


def _piece(step: Step, pieces: dict[Step, _Piece]) -> _Piece:
    parts: list[str | _Piece] = []
    for part in step.parts:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, tuple):
            inner = pieces[part[0]]
            parts += [inner] if inner.level >= part[1] else ["(", inner, ")"]
    piece = _joined(parts, step.level)
    return _Piece(piece.text, piece.level, (*piece.stretches, (0, len(piece.text), step)))


def _joined(parts: Iterable[str | _Piece], level: int) -> _Piece:
    texts, stretches, at = [], [], 0
    for part in parts:
        text = part if isinstance(part, str) else part.text
        if isinstance(part, _Piece):
            stretches += [(at + start, at + stop, step) for start, stop, step in part.stretches]
        texts.append(text)
        at += len(text)
    return _Piece("".join(texts), level, tuple(stretches))


def _literal(name: str, literal: Literal, letters: list[str]) -> list[_Piece]:
    """`c1: (3,)` and `c1[i] = 2*delta[i,0] - delta[i,2]`."""
    own = letters[: len(literal.shape)]
    terms = [
        "*".join([value, *(f"delta[{i},{k}]" for i, k in zip(own, place, strict=True))])
        for place, value in literal.entries
    ]
    sizes = ", ".join(map(str, literal.shape)) + ("," if len(literal.shape) == 1 else "")
    return [
        _Piece(f"{name}: ({sizes})", ATOM),
        _Piece(f"{name}[{','.join(own)}] = {' + '.join(terms)}", ATOM),
    ]


class _Names:
    """Names for statements, each given once; a literal's letters are never names."""

    def __init__(self, taken: set[str], steps: Iterable[Step]) -> None:
        self._taken = taken
        wanted = {step.name for step in steps if step.name}
        free = [letter for letter in LETTERS if letter not in taken and letter not in wanted]
        free += [name for k in range(1, 20) if (name := f"i{k}") not in taken and name not in wanted]
        self.letters = free[:8]
        self._taken.update(self.letters)

    def new(self, wanted: str | None, otherwise: str) -> str:
        numbered = (f"{wanted or otherwise}{k}" for k in count(1))
        candidates = (name for part in ([wanted] if wanted else [], numbered) for name in part)
        name = next(name for name in candidates if name not in self._taken)
        self._taken.add(name)
        return name
