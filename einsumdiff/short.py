"""Short names for the calls that people know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from einsumdiff.arguments import shape_text
from einsumdiff.derivative import Derivative, Derivatives
from einsumdiff.deriving import derive
from einsumdiff.errors import ValueFault


def _scalar(d: Any, name: str) -> Any:
    shape = d._program.output.shape
    if shape:
        raise ValueFault(
            f"{name} is of a scalar, and {d._program.output.name} has shape {shape_text(shape)}",
            None,
            "sum it, or write jacobian",
        )
    return d


def gradient(program: str, wrt: str | Sequence[str], **options: Any) -> Any:
    """The derivative of a scalar; `options` are those of `derive`.

    >>> from einsumdiff import gradient
    >>> print(gradient("x @ A @ x", "x").shape)
    ('n',)
    """
    return _scalar(derive(program, wrt, **options), "a gradient")


def jacobian(program: str, wrt: str | Sequence[str], **options: Any) -> Any:
    """The first derivative; `options` are those of `derive`."""
    return derive(program, wrt, **options)


def hessian(program: str, wrt: str | Sequence[str], **options: Any) -> Any:
    """The second derivative of a scalar; of several names, the blocks by pairs: `h["U", "V"]`."""
    return _scalar(derive(program, wrt, order=2, **options), "a Hessian")


def jvp(program: str, wrt: str | Sequence[str], **options: Any) -> Any:
    """The first derivative times vectors, as a function of the inputs and of `d<wrt>`."""
    return derive(program, wrt, **options).jvp


def vjp(program: str, wrt: str | Sequence[str], **options: Any) -> Any:
    """An array times the first derivative, as a function of the inputs and of `d<output>`."""
    return derive(program, wrt, **options).vjp


def hvp(program: str, wrt: str | Sequence[str], **options: Any) -> Any:
    """The Hessian of a scalar times vectors, as a function of the inputs and of `d<wrt>`.

    >>> from einsumdiff import hvp
    >>> hvp("sum(x**3)", "x")(x=[1.0, 2.0], dx=[1.0, 1.0]).tolist()
    [6.0, 12.0]
    """
    return derive(program, wrt, **options).hvp


@dataclass(frozen=True, slots=True)
class ValueAndDerivative:
    """A function that returns `(value, derivative)`."""

    derivative: Derivative | Derivatives

    def __call__(self, /, *args: object, **kwargs: object) -> tuple[Any, Any]:
        import numpy as np

        value, found = self.derivative._call(True, args, kwargs)
        if isinstance(self.derivative, Derivative):
            return value, np.asarray(found)
        found = {key: np.asarray(one) for key, one in found.items()}
        return value, self.derivative._packed(found, args, kwargs)


def value_and_grad(program: str, wrt: str | Sequence[str], **options: Any) -> ValueAndDerivative:
    """A function that returns the value of a scalar and its gradient, sharing their work.

    >>> from einsumdiff import value_and_grad
    >>> value, slope = value_and_grad("x @ x", "x")(x=[3.0, 4.0])
    >>> float(value), slope.tolist()
    (25.0, [6.0, 8.0])
    """
    return ValueAndDerivative(_scalar(derive(program, wrt, **options), "a gradient"))
