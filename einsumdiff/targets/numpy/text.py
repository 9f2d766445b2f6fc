"""Text of Python expressions, and how tightly they bind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from einsumdiff.nodes import Label
from einsumdiff.sizes import AnySize, Size

ATOM, POWER, SIGN, MATMUL, PRODUCT, SUM = range(6)

Axes = tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """An expression as text, the labels of its axes in order, and how tightly it binds."""

    text: str
    axes: Axes
    level: int = ATOM

    def within(self, level: int) -> str:
        """The text, in brackets if it binds less tightly than that."""
        return f"({self.text})" if self.level > level else self.text

    @property
    def factor(self) -> str:
        """The text as the left operand of `*` or `/`: `@` binds no tighter, but reads as if it did."""
        return f"({self.text})" if self.level in (MATMUL, SUM) else self.text


def unbracketed(text: str) -> str:
    """The text without brackets around all of it."""
    if text[:1] != "(" or text[-1:] != ")":
        return text
    depth = 0
    for character in text[:-1]:
        depth += (character == "(") - (character == ")")
        if not depth:
            return text
    return text[1:-1]


def tuple_of(items: Iterable[str]) -> str:
    """The text of a tuple of these items."""
    texts = list(items)
    return f"({', '.join(texts)}{',' * (len(texts) == 1)})"


def level_of(size: Size) -> int:
    """How tightly the text of a size binds."""
    (monomial, c), *more = size.terms
    if more:
        return SUM
    return ATOM if c == 1 and len(monomial) == 1 and isinstance(monomial[0], str) else PRODUCT


def negative(c: AnySize) -> bool:
    return c < 0 if isinstance(c, int) else c.terms[0][1] < 0


def wrapped(line: str, width: int = 96) -> list[str]:
    """A statement in lines of at most that width where operators between brackets allow it.

    It breaks after the last `=`, as `t = workspace["t"] = value` has two, and before operators of the
    outermost level.
    """
    if len(line) <= width:
        return [line]
    indent = len(line) - len(line.lstrip())
    start, depth = -1, 0
    for k, character in enumerate(line):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and (line[k : k + 3] == " = " or line[k : k + 4] == " += "):
            start = k
    if start < 0:
        return [line]
    start = line.index("= ", start) + 2
    head, value = line[:start], line[start:]
    pieces, begin = list[str](), 0
    for k, character in enumerate(value):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and k > begin and value[k : k + 3] in (" + ", " - ", " @ "):
            pieces.append(value[begin:k])
            begin = k + 1
    pieces.append(value[begin:])
    if len(pieces) == 1:
        return [line]
    lines = [""]
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece) + 1 > width - indent - 4:
            lines.append("")
        lines[-1] += f" {piece}" if lines[-1] else piece
    return [f"{head}(", *(" " * (indent + 4) + text for text in lines), " " * indent + ")"]


def quoted(key: str | tuple[str, ...]) -> str:
    """A key of a dictionary, quoted as the source quotes."""
    return f'"{key}"' if isinstance(key, str) else f"({', '.join(map(quoted, key))})"


def number(value: int | Fraction | float | AnySize) -> str:
    if isinstance(value, Fraction):
        exact = value.denominator & (value.denominator - 1) == 0
        return repr(float(value)) if exact else f"({value.numerator}/{value.denominator})"
    if isinstance(value, float):
        if value != value:
            return "np.nan"
        if value in (float("inf"), float("-inf")):
            return "np.inf" if value > 0 else "-np.inf"
    return repr(value)
