"""The value of a program by the slow evaluator."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from einsumdiff.evaluate import evaluate
from einsumdiff.indexing.index import build
from einsumdiff.language.parse import parse
from einsumdiff.program import Program
from einsumdiff.sizes import Size


def program(text: str, **options: Any) -> Program:
    """The program in index form."""
    return build(parse(text), text=text, **options)


def run(built: Program, arrays: Mapping[str, Any]) -> Any:
    """The output for these arrays."""
    sizes: dict[str, int] = {}
    values = {}
    for one in built.inputs:
        values[one] = np.asarray(arrays[one.name], dtype=float)
        assert values[one].ndim == len(one.shape), f"{one.name} is {one.shape}"
        for size, actual in zip(one.shape, values[one].shape, strict=True):
            if isinstance(size, Size) and str(size).isidentifier():
                assert sizes.setdefault(str(size), actual) == actual
    return evaluate([built.output], values, sizes)[built.output]
