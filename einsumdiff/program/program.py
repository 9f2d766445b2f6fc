"""A program in index form, and the definitions that arrays need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from einsumdiff.nodes import Array, Definition, Input
from einsumdiff.program.builder import Builder


def live(arrays: Iterable[Array]) -> tuple[Definition, ...]:
    """The definitions that the arrays need, each after those that it reads."""
    done: dict[Definition, None] = {}
    for root in arrays:
        stack = [root] if isinstance(root, Definition) and root not in done else []
        while stack:
            one = stack[-1]
            if one in done:
                stack.pop()
                continue
            waiting = [array for array in one.reads if isinstance(array, Definition) and array not in done]
            if waiting:
                stack += reversed(waiting)
                continue
            done[stack.pop()] = None
    return tuple(done)


@dataclass(frozen=True, slots=True)
class Program:
    """What the user wrote, in index form.

    `arrays` gives what each name means at the end of the program (for wrt); `notes` says what was
    assumed, a sentence each. `builder` goes on where the program ended. `origins` says who gave an input
    its shape, in words.
    """

    text: str
    inputs: tuple[Input, ...]
    output: Definition
    arrays: Mapping[str, Array]
    notes: tuple[str, ...]
    builder: Builder
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """What the output needs, in order of evaluation; the output is the last."""
        return live([self.output])
