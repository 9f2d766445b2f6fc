"""Places of an array that the function has just made, counted through all of its axes.

Such an array is contiguous. So a diagonal or a band of it is a slice of its memory, or a window on it,
for which NumPy takes a fraction of the time of `np.einsum` and `as_strided`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from einsumdiff.nodes import Form, Label
from einsumdiff.sizes import AnySize


@dataclass(frozen=True, slots=True)
class Run:
    """From `start`, each label moves as many entries as its step says."""

    start: AnySize
    steps: tuple[tuple[Label, AnySize], ...]
    to_the_end: bool
    """Whether a slice with that start and step ends with the array."""


def run(forms: Sequence[Form], shape: Sequence[AnySize]) -> Run | None:
    """The places of these forms; None where they are no run forwards, or a plain slice says them.

    The last axis moves with a label: else its size, which may be 0, would be the step of a slice.
    """
    labels = list(dict.fromkeys(label for form in forms for label in form.labels))
    moved = [label for form in forms for label in form.labels]
    if len(labels) == len(moved) or not forms[-1].labels:
        return None
    if not all(_positive(c) for form in forms for _, c in form.coefficients):
        return None
    start: AnySize = 0
    steps: dict[Label, AnySize] = dict.fromkeys(labels, 0)
    stride: AnySize = 1
    for form, size in zip(reversed(forms), reversed(shape), strict=True):
        start = start + form.constant * stride
        for label, c in form.coefficients:
            steps[label] = steps[label] + c * stride
        stride = stride * size
    first = forms[0].label
    return Run(start, tuple(steps.items()), first is not None and first.size == shape[0])


def _positive(c: AnySize) -> bool:
    return c > 0 if isinstance(c, int) else all(factor > 0 for _, factor in c.terms)
