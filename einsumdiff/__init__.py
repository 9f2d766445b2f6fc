"""Derivatives of tensor expressions: text in, index notation and NumPy functions out.

>>> from einsumdiff import derive
>>> d = derive("y = sum(W*X + b)", wrt="W")
>>> print(str(d).splitlines()[0])
dy/dW[i,j] = X[i,j]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from einsumdiff.errors import (
    EinsumDiffError,
    IndexFault,
    NameFault,
    RankFault,
    ShapeFault,
    SyntaxFault,
    Unsupported,
    ValueFault,
)

if TYPE_CHECKING:
    from einsumdiff.derivative import Derivative, Derivatives
    from einsumdiff.deriving import derive
    from einsumdiff.extension import Rules, register, register_sympy
    from einsumdiff.reading import read
    from einsumdiff.short import gradient, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__version__ = "0.1.0"

_LATER = {
    "Derivative": "derivative",
    "Derivatives": "derivative",
    "derive": "deriving",
    "gradient": "short",
    "hessian": "short",
    "hvp": "short",
    "jacobian": "short",
    "jvp": "short",
    "value_and_grad": "short",
    "vjp": "short",
    "read": "reading",
    "Rules": "extension",
    "register": "extension",
    "register_sympy": "extension",
}


def __getattr__(name: str) -> object:
    # Imported when first asked for, so that `import einsumdiff` costs next to nothing.
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


__all__ = [
    "Derivative",
    "Derivatives",
    "EinsumDiffError",
    "IndexFault",
    "NameFault",
    "RankFault",
    "Rules",
    "ShapeFault",
    "SyntaxFault",
    "Unsupported",
    "ValueFault",
    "derive",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "read",
    "register",
    "register_sympy",
    "value_and_grad",
    "vjp",
]
