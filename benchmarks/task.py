"""What a task of the benchmark is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = dict[str, Any]
Size = tuple[int, ...]


def unchanged(result: Any, arrays: Arrays) -> Any:
    return result


def as_given(size: Size) -> str:
    return "x".join(map(str, size))


@dataclass(frozen=True)
class Task:
    """One derivative, as a program, as the closed form that an expert writes, and as a function for peers.

    `sizes` are of the full run, `quick` of the quick one; `arrays(random, *size)` has the inputs by name.
    `hand(**arrays)` is the best closed form in NumPy, `peer(np, **arrays)` the function that is to be
    differentiated, `np` being JAX's, PyTorch's, autograd's or PyTensor's namespace (see `peers.Namespace`).

    What einsumdiff and peers return is compared with `whole(hand's result, arrays)`, einsumdiff's after
    `read(result)`: a compressed result is made dense only to be compared. `modes` are further ways of a
    peer, whose results are compared with hand's as it is.

    With `zeros`, both hand (as `zeros=`) and einsumdiff (as `out=`) write into a buffer that it made.

    `limits` are the ratios that issue 5 sets, by competitor; `best` stands for the fastest peer.
    """

    name: str
    program: str | Callable[..., str]
    wrt: str | tuple[str, ...] | Callable[..., tuple[str, ...]]
    sizes: tuple[Size, ...]
    quick: tuple[Size, ...]
    arrays: Callable[..., Arrays]
    hand: Callable[..., Any]
    peer: Callable[..., Any]
    limits: Mapping[str, float]
    order: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    zeros: Callable[..., np.ndarray] | None = None
    read: Callable[[Any], Any] = lambda result: result
    whole: Callable[[Any, Arrays], Any] = unchanged
    modes: Mapping[str, Mapping[str, Callable[..., Any]]] = field(default_factory=dict)
    said: Callable[[Size], str] = as_given

    def text(self, size: Size) -> str:
        return self.program if isinstance(self.program, str) else self.program(*size)

    def names(self, size: Size) -> tuple[str, ...]:
        """The variables to derive in."""
        wrt = self.wrt(*size) if callable(self.wrt) else self.wrt
        return (wrt,) if isinstance(wrt, str) else wrt

    def single(self, size: Size) -> bool:
        """Whether the result is one array, and no dictionary by the names of the variables."""
        return isinstance(self.wrt, str)
