"""What was asked of `derive`, as plain data: checked once, and enough to derive the same again."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import SupportsIndex

from einsumdiff.errors import NameFault, ValueFault, as_read
from einsumdiff.extension import Rules
from einsumdiff.packing import Packing
from einsumdiff.properties import MEANINGS

_EINSUM = re.compile(r"[\sA-Za-z.,]*->[\sA-Za-z.]*")
_OPERAND = r"[\sA-Za-z]*(\.\.\.)?[\sA-Za-z]*"
_IMPLICIT = re.compile(rf"{_OPERAND}(,{_OPERAND})*")
"""Without an arrow: no program, where there is a comma in it or where the wrt is a number."""

MODES = ("auto", "forward", "reverse", "cross-country")
NOTATIONS = ("numpy", "matrix")
TIES = ("split", "first", "zero")
PlainShape = str | tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """`order` times the derivative in each of `wrt`."""

    wrt: tuple[str, ...]
    order: int
    mode: str


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of `derive`, arrays in `shapes` replaced by their shapes.

    `chosen` names one derivative of several; `single` tells that the wrt was one name. `packing` is
    there for a Python function: how its arguments become the inputs of the text.
    """

    text: str
    shapes: Mapping[str, PlainShape] | None
    output: str | None
    steps: tuple[Step, ...]
    single: bool
    batch: tuple[str, ...] = ()
    chosen: tuple[str, ...] | None = None
    packing: Packing | None = None
    notation: str = "numpy"
    ties: str = "split"
    rules: Rules | None = None
    structured: str = "free"

    def further(
        self, names: tuple[str, ...], order: int, mode: str, single: bool, before: tuple[str, ...]
    ) -> Request:
        """The request that goes on from the derivative in `before`."""
        steps = self.steps
        if not self.single:
            steps = tuple(Step((name,), 1, steps[0].mode) for name in before)
        return replace(
            self, steps=(*steps, Step(names, _order(order), _mode(mode))), single=single, chosen=None
        )


def request(
    program: object,
    wrt: object,
    order: object,
    shapes: Mapping[str, object] | None,
    output: object,
    mode: object,
    notation: object = "numpy",
    ties: object = "split",
    batch: object = None,
    structured: object = "free",
) -> Request:
    """The arguments of `derive`, checked."""
    if not isinstance(program, str):
        raise ValueFault(f"a program is text, not {type(program).__name__}", None, 'write "y = sum(W*X + b)"')
    if notation not in NOTATIONS:
        raise ValueFault(f"there is no notation {notation!r}", None, f"write {' or '.join(NOTATIONS)}")
    if ties not in TIES:
        raise ValueFault(f"there is no policy {ties!r} for ties", None, f"write {', '.join(TIES)}")
    if structured not in MEANINGS:
        raise ValueFault(
            f"structured= is {structured!r}, which is no way for entries to vary",
            None,
            f"write {', '.join(map(repr, MEANINGS))}",
        )
    if notation == "matrix":
        pass
    elif _EINSUM.fullmatch(program) or (_IMPLICIT.fullmatch(program) and ("," in program or _numbers(wrt))):
        program, wrt = _einsum(program.strip(), wrt)
    if output is not None:
        if not isinstance(output, str):
            raise ValueFault(f"output= is a name, not {output!r}")
        output = as_read(output)
    steps = (Step(wrt_names(wrt), _order(order), _mode(mode)),)
    single = isinstance(wrt, str)
    given = _plain_shapes(shapes)
    sizes = () if batch is None else _size_names(batch)
    return Request(
        program,
        given,
        output,
        steps,
        single,
        sizes,
        notation=str(notation),
        ties=str(ties),
        structured=str(structured),
    )


def _numbers(wrt: object) -> bool:
    several = wrt if isinstance(wrt, Sequence) and not isinstance(wrt, str) else (wrt,)
    return any(isinstance(one, int) and not isinstance(one, bool) for one in several)


def _einsum(signature: str, wrt: object) -> tuple[str, object]:
    """An einsum string as a program, its operands A, B, C, ...; a wrt may be an operand's number.

    >>> _einsum("ij,jk->ik", 0)
    ('einsum("ij,jk->ik", A, B)', 'A')
    """
    operands = ascii_uppercase[: signature.count(",") + 1]
    if signature.count(",") >= len(ascii_uppercase):
        raise ValueFault(
            f"an einsum string has at most {len(ascii_uppercase)} operands",
            hint="write einsum(...) with names of your own",
        )

    def name(one: object) -> object:
        if not isinstance(one, int) or isinstance(one, bool):
            return one
        if not 0 <= one < len(operands):
            raise ValueFault(f"there is no operand {one}", hint=f"count from 0 to {len(operands) - 1}")
        return operands[one]

    several = isinstance(wrt, Sequence) and not isinstance(wrt, str)
    chosen = [name(one) for one in wrt] if several else name(wrt)  # type: ignore[attr-defined]
    return f'einsum("{signature}", {", ".join(operands)})', chosen


def wrt_names(wrt: object) -> tuple[str, ...]:
    """The names in `wrt`; each is a name, given once."""
    names = (wrt,) if isinstance(wrt, str) else wrt
    if not isinstance(names, Sequence) or not names:
        raise ValueFault(f"wrt is a name or several, not {wrt!r}", None, 'write wrt="W" or wrt=["W", "b"]')
    found: list[str] = []
    for name in names:
        if not isinstance(name, str):
            raise ValueFault(
                f"wrt is a name or several, not {name!r}", None, 'write wrt="W" or wrt=["W", "b"]'
            )
        if not name.isidentifier():
            hint = (
                'write wrt=["W", "b"]' if "," in name else "assign it to a name in the program, and use that"
            )
            raise NameFault(f"wrt is a name, and {name!r} is none", None, hint)
        name = as_read(name)
        if name in found:
            raise ValueFault(f"{name} is twice in wrt", None, "name it once; order=2 differentiates twice")
        found.append(name)
    return tuple(found)


def _size_names(batch: object) -> tuple[str, ...]:
    """The size names in `batch=`: one, several in a text, or a sequence."""
    names = batch.replace(",", " ").split() if isinstance(batch, str) else batch
    if isinstance(names, Sequence) and names and all(isinstance(n, str) and n.isidentifier() for n in names):
        return tuple(names)
    raise ValueFault(f"batch= names sizes, and {batch!r} does not", None, 'write batch="b"')


def _order(order: object) -> int:
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ValueFault(f"order is a whole number from 1 on, not {order!r}")
    return order


def _mode(mode: object) -> str:
    if mode not in MODES:
        raise ValueFault(f"there is no mode {mode!r}", None, f"write {', '.join(MODES)}")
    return str(mode)


def _plain_shapes(shapes: Mapping[str, object] | None) -> dict[str, PlainShape] | None:
    if shapes is None:
        return None
    if not isinstance(shapes, Mapping):
        raise ValueFault(f"shapes= is a mapping by name, not {shapes!r}", None, 'write {"W": ("m", "n")}')
    return {as_read(str(name)): _plain(str(name), shape) for name, shape in shapes.items()}


def _plain(name: str, shape: object) -> PlainShape:
    if isinstance(shape, str):
        return as_read(shape)
    if hasattr(shape, "shape"):
        shape = shape.shape
    elif isinstance(shape, float):
        shape = ()
    elif isinstance(shape, int) and not isinstance(shape, bool):
        shape = (shape,)
    if not isinstance(shape, Sequence):
        raise ValueFault(f"the shape of {name} is names and numbers, not {shape!r}")
    sizes: list[str | int] = []
    for size in shape:
        if isinstance(size, str):
            sizes.append(as_read(size))
        elif isinstance(size, SupportsIndex) and not isinstance(size, bool):
            size = operator.index(size)
            if size < 0:
                raise ValueFault(f"the shape of {name} has the negative size {size}")
            sizes.append(size)
        else:
            raise ValueFault(
                f"the shape of {name} has {size!r} for a size", None, 'names and numbers: ("m", 3)'
            )
    return tuple(sizes)
