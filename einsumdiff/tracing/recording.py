"""One function being traced: its inputs, and the shapes of what it computes, found when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from einsumdiff.errors import EinsumDiffError, ValueFault
from einsumdiff.indexing.index import build
from einsumdiff.indexing.shapes import Shape, given_shape
from einsumdiff.language.parse import parse
from einsumdiff.sizes import names
from einsumdiff.tracing import constants
from einsumdiff.tracing.graph import ATOM, Step, Text, ordered, written
from einsumdiff.tracing.places import at, place_of, users_frame
from einsumdiff.tracing.tracer import Tracer

if TYPE_CHECKING:
    import numpy as np


class Recording:
    """The inputs with what is known of their shapes.

    Attributes
    ----------
    inputs : the step of each input by name.
    shapes : the shapes that were given, by input.
    """

    def __init__(self, shapes: Mapping[str, object]) -> None:
        self.inputs: dict[str, Step] = {}
        self.shapes = dict(shapes)
        self._sizes: dict[str, Shape] = {name: given_shape(name, one)[0] for name, one in shapes.items()}
        self._shapes: dict[Step, Shape] = {}
        self._constants: dict[int, tuple[object, np.ndarray[Any, Any], Step]] = {}

    @property
    def taken(self) -> set[str]:
        """Names of inputs and sizes."""
        sizes = {str(name) for shape in self._sizes.values() for size in shape for name in names(size)}
        return {*self.inputs, *self.shapes, *sizes}

    def input(self, name: str) -> Tracer:
        """A new input."""
        step = self.inputs[name] = Step((name,), ATOM, plain=True, name=name)
        if name in self._sizes:
            self._shapes[step] = self._sizes[name]
        return Tracer(self, step)

    def constant(self, value: np.ndarray[Any, Any]) -> Step:
        """An array that stands in the function; one that is read twice is one step."""
        import numpy as np

        found = self._constants.get(id(value))
        if found is not None and np.array_equal(found[1], value):
            return found[2]
        step = constants.array(value)
        self._shapes[step] = value.shape
        self._constants[id(value)] = value, value.copy(), step  # kept, so that its id stays its own
        return step

    def step_of(self, array: Tracer) -> Step:
        """What an array that the function returns came from."""
        return Tracer(self, Step((), ATOM))._step_of(array)

    def text(self, output: Step) -> str:
        """The program that ends with a step."""
        return written(output, self.taken).text

    # -- shapes

    def known(self, step: Step) -> Shape | None:
        """The shape; None where that of an input that it needs is not given."""
        return None if self._unknown(step) else self.shape(step)

    def shape(self, step: Step) -> Shape:
        """The shape, of numbers and sizes with names."""
        found = self._shapes.get(step)
        if found is None:
            self.must_be_given(step)
            found = self._shapes[step] = self._built(step)
        return found

    def must_be_given(self, step: Step) -> None:
        """Refuse a step whose rank would be a guess."""
        unknown = self._unknown(step)
        if unknown:
            name = unknown[0]
            error = ValueFault(
                f"the shape of {name} is needed here, and it is not given",
                None,
                f'give it: shapes={{"{name}": "n"}} for a vector, "m n" for a matrix, "" for a number',
            )
            raise at(place_of(users_frame()), error)

    def _unknown(self, step: Step) -> list[str]:
        inputs = {one: name for name, one in self.inputs.items()}
        return [inputs[one] for one in self._until_known(step) if one in inputs and one not in self._shapes]

    def _built(self, step: Step) -> Shape:
        """What the program says that ends here; steps whose shape is known stand in as inputs of it."""
        cut = self._cut(step)
        text = written(cut, self.taken)
        shapes = {}
        for one in ordered(cut):
            name = one.name
            if name is not None and one in self._stand_ins:
                shapes[name] = tuple(
                    size if isinstance(size, int) else str(size) for size in self._stand_ins[one]
                )
        try:
            return build(parse(text.text), text=text.text, shapes=shapes).output.shape
        except EinsumDiffError as error:
            raise at_step(text, error) from None

    def _cut(self, step: Step) -> Step:
        """The same step, reading inputs in place of what has a known shape."""
        self._stand_ins: dict[Step, Shape] = {}
        made: dict[Step, Step] = {}
        inputs = set(self.inputs.values())
        used: list[str] = []
        for one in self._until_known(step):
            shape = self._shapes.get(one)
            if one in inputs:
                made[one] = one
                if shape is not None:
                    self._stand_ins[one] = shape
            elif shape and one is not step and not one.boolean:
                name = next(n for k in count(1) if (n := f"shaped{k}") not in self.taken | set(used))
                used.append(name)
                made[one] = Step((name,), ATOM, plain=True, name=name)
                self._stand_ins[made[one]] = shape
            else:
                parts = tuple((made[p[0]], p[1]) if isinstance(p, tuple) else p for p in one.parts)
                made[one] = replace(one, parts=parts)
        return made[step]

    def _until_known(self, output: Step) -> list[Step]:
        """The steps that are needed, each after those that it reads, none below one of known shape."""
        found: dict[Step, None] = {}
        stack: list[tuple[Step, Iterator[Step]]] = [(output, output.read)]
        while stack:
            step, rest = stack[-1]
            for one in rest:
                if one not in found:
                    known = self._shapes.get(one) and not one.boolean
                    stack.append((one, iter(()) if known else one.read))
                    break
            else:
                stack.pop()
                found[step] = None
        return list(found)


def at_step(text: Text, error: EinsumDiffError) -> EinsumDiffError:
    """An error of the program, at the line of the function that the part of the program comes from."""
    if error.span is None or error.span.text != text.text:
        return error
    step = text.step(error.span)
    return at(step.place, error) if step is not None else error
