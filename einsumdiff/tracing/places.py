"""Where in the user's function an operation stands: for carets under the user's own line."""

from __future__ import annotations

import linecache
import sys
from dataclasses import dataclass
from itertools import islice
from types import CodeType, FrameType

from einsumdiff.errors import EinsumDiffError, Span

SKIPPED = ("einsumdiff.tracing", "numpy", "scipy")
"""Modules whose frames stand between the user's function and a recorded operation."""


@dataclass(frozen=True, slots=True)
class Place:
    """An instruction of the user's code; its columns are looked up when an error needs them."""

    code: CodeType
    instruction: int
    line: int

    @property
    def span(self) -> Span | None:
        """The expression in the text of its file; None where there is no text."""
        lines = linecache.getlines(self.code.co_filename)
        if not 0 < self.line <= len(lines):
            return None
        text = "".join(lines)
        first, last, column, end = next(
            islice(self.code.co_positions(), self.instruction // 2, None), (None, None, None, None)
        )
        if first is None or column is None or first > len(lines):
            line = lines[self.line - 1]
            begin = sum(map(len, lines[: self.line - 1]))
            return Span(begin + len(line) - len(line.lstrip()), begin + len(line.rstrip()), text)
        start = sum(map(len, lines[: first - 1])) + _characters(lines[first - 1], column)
        if last is None or end is None or last > len(lines):
            return Span(start, start + 1, text)
        stop = sum(map(len, lines[: last - 1])) + _characters(lines[last - 1], end)
        return Span(start, stop, text)


def _characters(line: str, column: int) -> int:
    """Python counts columns in bytes."""
    return len(line.encode()[:column].decode(errors="ignore"))


def users_frame() -> FrameType | None:
    """The innermost frame that is neither this package's nor NumPy's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not any(module == one or module.startswith(f"{one}.") for one in SKIPPED):
            return frame
        frame = frame.f_back
    return None


def place_of(frame: FrameType | None) -> Place | None:
    """The instruction that the frame is at."""
    if frame is None:
        return None
    linecache.lazycache(frame.f_code.co_filename, frame.f_globals)
    return Place(frame.f_code, frame.f_lasti, frame.f_lineno or 0)


def at(place: Place | None, error: EinsumDiffError) -> EinsumDiffError:
    """The error, pointing at the user's line, if it does not yet."""
    if place is None or hasattr(error, "__notes__"):
        return error
    moved = type(error)(error.message, place.span, error.hint)
    moved.add_note(f"in {place.code.co_filename}, line {place.line}, in {place.code.co_name}")
    return moved
