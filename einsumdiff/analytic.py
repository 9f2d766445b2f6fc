"""Whether NumPy's functions carry a complex step through what a program computes.

They must take complex numbers and be analytic there: no absolute value, no comparison, no maximum.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any

from einsumdiff.differentiate import Jacobian
from einsumdiff.nodes import Call, Definition, Entry, Mask, OneHot, Operate, Reduce, Sum
from einsumdiff.program import live

FUNCTIONS = frozenset(
    "exp exp2 expm1 log log2 log10 log1p sqrt power sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh "
    "arccosh arctanh logit erf erfc gamma".split()
)
"""Those whose NumPy (or SciPy) spelling is analytic in each argument."""
OPERATIONS = frozenset(["inv", "det"])


def analytic(output: Definition, jacobian: Jacobian | None) -> bool:
    """Whether the output, or the terms of a derivative of it, are computed by such functions only."""
    terms = jacobian.terms if jacobian is not None else ()
    read = [f.array for term in terms for f in term.product.factors if isinstance(f, Entry | Mask)]
    for definition in live(read if jacobian is not None else [output]):
        match definition.body:
            case Call(function=function) if function not in FUNCTIONS:
                return False
            case Operate(operation=operation) if operation not in OPERATIONS:
                return False
            case Reduce(op=op) if op != "prod":
                return False
            case Sum(own) if any(isinstance(f, Mask) for term in own for f in term.product.factors):
                return False
            case OneHot() | Call() | Operate() | Reduce() | Sum():
                pass
    return not any(isinstance(f, Mask) for term in terms for f in term.product.factors)


def without_conjugates(function: Callable[..., Any]) -> Callable[..., Any]:
    """A generated function whose inner products of complex vectors take no conjugate of the first."""
    import numpy as np

    bilinear = SimpleNamespace(**vars(np))
    bilinear.vdot = lambda a, b: np.dot(np.ravel(a), np.ravel(b))
    assert isinstance(function, FunctionType)
    found = FunctionType(function.__code__, function.__globals__ | {"np": bilinear})
    found.__kwdefaults__ = function.__kwdefaults__
    return found
