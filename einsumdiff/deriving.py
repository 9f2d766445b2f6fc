"""`derive`: of text, of a Python function, of a derivative."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from einsumdiff.answer import further
from einsumdiff.derivative import Derivative, Derivatives, derived, held
from einsumdiff.errors import EinsumDiffError, Unsupported, ValueFault
from einsumdiff.extension import Rules, in_force, rules_of
from einsumdiff.language.table import setting
from einsumdiff.nodes import Input
from einsumdiff.request import Step, request, wrt_names

_OF_THE_PROGRAM = (None, None, None, "numpy", "split", None, "free")
"""The arguments of `derive` that a derivative has already."""


def derive(
    program: str | Derivative | Derivatives | Callable[..., Any],
    wrt: str | Sequence[str],
    *,
    order: int = 1,
    shapes: Mapping[str, object] | None = None,
    output: str | int | None = None,
    batch: str | Sequence[str] | None = None,
    notation: str = "numpy",
    mode: str = "auto",
    ties: str = "split",
    rules: Rules | None = None,
    structured: str = "free",
) -> Any:
    """The derivative of a program, or of a derivative.

    Parameters
    ----------
    program : text in NumPy or index notation, a Python function written with NumPy, or a `Derivative` to
        go on from.
    wrt : the name of an input or of a definition, or several; for a function a parameter, or the path of
        an array in one: `"m.W"`, and `"m"` for all arrays in it.
    order : 2 is the Hessian, and so on.
    shapes : sizes for names: `{"W": ("m", "n"), "b": "n", "X": array}`.
    output : the name whose derivative it is, if that is not the last statement; for a function that returns
        several values, which one: a key of its dictionary or a place in its tuple.
    batch : sizes, by name, that are independent in every element of the output: checked, and the wrt's
        axes of that size are left out of the result.
    mode : `forward`, `reverse` or `cross-country`, which eliminates definitions in any order, the cheapest
        first; `auto` takes what costs least, at the sizes that are known.
    notation : `numpy`, or `matrix` for the spelling of MATLAB, Julia and matrixcalculus.org.
    ties : where the largest (or least) is there twice, max, min, maximum, minimum, fmax, fmin and clip
        give each an equal part (`split`), all to the `first`, or nothing to any (`zero`).
    rules : functions of one's own, see `register`; on top of those of a `with` statement around.
    structured : how the entries of a wrt vary that is declared symmetric, psd, diagonal, lower or upper:
        each on its own as if nothing were declared (`free`, the default and JAX's), within the matrices
        that have the property (`projected`: (G + G.T)/2 for a symmetric one), or as the parameters of one
        triangle (`triangle`: G + G.T - diag(G)).

    Returns
    -------
    Derivative
        for one name; for several a `Derivatives`, a mapping by name (by tuples of names where
        `order` is 2 or more), whose one function shares all work.

    Raises
    ------
    EinsumDiffError : with a caret under the part of the program that is wrong.

    Examples
    --------
    >>> d = derive("y = sum(W*X + b)", wrt="W")
    >>> print(str(d).splitlines()[0])
    dy/dW[i,j] = X[i,j]
    >>> d(W=[[0.0, 0.0]], X=[[1.0, 2.0]], b=[3.0, 4.0]).tolist()
    [[1.0, 2.0]]

    A function is called once, with arrays that record what is done to them:

    >>> import numpy as np
    >>> d = derive(lambda m, x: np.sum(m["W"] @ x + m["b"]), "m", shapes={"m": {"W": "a b", "b": "a"}})
    >>> {name: slope.tolist() for name, slope in d({"W": [[0.0, 0.0]], "b": [1.0]}, [2.0, 3.0]).items()}
    {'W': [[2.0, 3.0]], 'b': [1.0]}
    """
    if isinstance(program, Derivatives):
        names = ", ".join(repr(key) for key in program)
        raise Unsupported("this is several derivatives", None, f"go on from one of them: {names}")
    if isinstance(program, Derivative):
        if (shapes, output, batch, notation, ties, rules, structured) != _OF_THE_PROGRAM:
            names = "shapes=, output=, batch=, notation=, ties=, rules= and structured="
            raise ValueFault(f"{names} belong to the program, not to a derivative of it")
        packing = program.asked.packing if program.asked is not None else None
        if packing is not None:
            wrt = packing.plain(wrt)
        return _further(program, wrt_names(wrt), order, mode, isinstance(wrt, str))
    policies = {"mode": mode, "notation": notation, "ties": ties, "batch": batch, "structured": structured}
    with in_force(rules):
        return _derive_text_or_function(program, wrt, order, shapes, output, policies)


def _derive_text_or_function(
    program: str | Callable[..., Any],
    wrt: str | Sequence[str],
    order: int,
    shapes: Mapping[str, object] | None,
    output: str | int | None,
    policies: Mapping[str, Any],
) -> Any:
    if callable(program):
        if policies["notation"] != "numpy":
            raise ValueFault("a Python function is written with NumPy", None, "leave notation= out")
        return _derive_function(program, wrt, order, shapes, output, policies)
    asked = request(program, wrt, order, shapes, output, **policies)
    return derived(replace(asked, rules=rules_of(setting())))


def _derive_function(
    function: Callable[..., Any],
    wrt: str | Sequence[str],
    order: int,
    shapes: Mapping[str, object] | None,
    output: str | int | None,
    policies: Mapping[str, Any],
) -> Any:
    """The derivative of a Python function: of the text that says the same."""
    from einsumdiff.tracing.trace import trace

    traced = trace(function, wrt, shapes, output)
    asked = request(traced.text.text, traced.wrt, order, traced.shapes, None, **policies)
    try:
        return derived(replace(asked, packing=traced.packing, rules=rules_of(setting())))
    except EinsumDiffError as error:
        raise traced.at_source(error) from None


def _further(d: Derivative, names: tuple[str, ...], order: int, mode: str, single: bool) -> Any:
    """The derivative of a derivative: from the text again where its formula relied on what changes now."""
    with d._setting:
        asked = d.asked.further(names, order, mode, single, d.wrt) if d.asked else None
        arrays = [d._program.arrays.get(name) for name in names]
        relied = [a for a in arrays if isinstance(a, Input) and a.properties]
        if asked is not None and (relied or not all(isinstance(array, Input) for array in arrays)):
            return derived(asked)
        if relied:
            raise Unsupported(
                f"this formula was read, and may be simplified for a {' '.join(relied[0].properties)} "
                f"{relied[0].name}",
                None,
                f"derive it from a program, or do not declare that {relied[0].name} is",
            )
        program, jacobians = further(d._program, d._jacobian, Step(names, order, mode), d._batch)
        return held(program, jacobians, asked, single, d._reader)
