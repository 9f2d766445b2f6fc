"""Rows of which SymPy states the partials, and expressions of SymPy as rows.

    besselj(n, x)   ->   fn besselj(n, x)   scipy "special.jv(n, x)"   on real
                            d/dn = unknown
                            d/dx = besselj(n - 1, x)/2 - besselj(n + 1, x)/2

The value is spelled by SymPy's own printers for NumPy and SciPy. The partials are written in the rule
language, over functions that have rows: they can be derived again, to any order. SymPy is imported when
the first such row is read.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from einsumdiff.errors import Unsupported
from einsumdiff.language import rows
from einsumdiff.language.parse import parse_row

Known = Callable[[str], str | None]
"""The name of the row for a function that SymPy calls so; None where there is none."""

MOST_ROWS = 3
"""How often a partial that the rule language cannot say becomes a row of its own."""

# Names of SymPy for functions that NumPy calls otherwise.
NAMES = {
    "Abs": "abs",
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "ceiling": "ceil",
    "loggamma": "gammaln",
}


class NotSaid(Exception):
    """An expression that the rule language has no words for."""


def function_row(row: rows.BySymPy, known: Known) -> rows.Function:
    """The row, with the partials that SymPy knows."""
    import sympy

    of = rows.option(row, "of") or row.name
    symbols = [sympy.Symbol(parameter.name, real=True) for parameter in row.parameters]
    value = getattr(sympy, of)(*symbols)
    made = parse_row(_row(row.name, symbols, value, known, spelled=row.spelling))
    assert isinstance(made, rows.Function)
    spelling = row.spelling or made.spelling
    if rows.option(row, "cast") is not None:
        real = [p.name for p, domain in zip(row.parameters, row.domains, strict=True) if not domain.whole]
        kind = ", ".join([*(f"np.asarray({name})" for name in real), "np.float32"])
        text = f"({spelling.text}).astype(np.result_type({kind}))"
        spelling = replace(spelling, text=text, template=True)
    return replace(
        made,
        parameters=row.parameters,
        domains=row.domains,
        options=row.options,
        spelling=spelling,
        span=row.span,
    )


def rows_of(name: str, symbols: Sequence[Any], value: Any, known: Known, depth: int = MOST_ROWS) -> list[str]:
    """An expression of SymPy as a row, and rows for the partials that only NumPy can say."""
    import sympy

    real = [sympy.Symbol(str(symbol), real=True) for symbol in symbols]
    value = value.subs(list(zip(symbols, real, strict=True)), simultaneous=True)
    more: list[str] = []

    def other(parameter: Any, partial: Any) -> str:
        if depth == 0 or _spelling(partial) is None:
            return "unknown"
        own = f"{name}_d{parameter}"
        more.extend(rows_of(own, real, partial, known, depth - 1))
        return f"{own}({', '.join(map(str, real))})"

    return [_row(name, real, value, known, other), *more]


def _row(
    name: str,
    symbols: Sequence[Any],
    value: Any,
    known: Known,
    other: Callable[[Any, Any], str] = lambda parameter, partial: "unknown",
    spelled: rows.Spelling | None = None,
) -> str:
    """A row as text; `other` says a partial that the rule language cannot say."""
    spelling = spelled.text if spelled is not None else _spelling(value)
    if spelling is None:
        raise Unsupported(
            f"SymPy knows no NumPy or SciPy function for {value}",
            hint="write a row whose spelling is a function of your own: see register",
        )
    lines = [f"fn {name}({', '.join(map(str, symbols))})   {_library(spelling)} '{spelling}'   on real"]
    for symbol in symbols:
        partial = value.diff(symbol)
        try:
            stated = rule_text(partial, known)
        except NotSaid:
            stated = other(symbol, partial)
        lines.append(f"   d/d{symbol} = {stated}")
    return "\n".join(lines)


def _library(spelling: str) -> str:
    return "scipy" if "special." in spelling else "numpy"


def _spelling(value: Any) -> str | None:
    """The expression as NumPy and SciPy say it; None where they do not."""
    from sympy.printing import codeprinter

    try:
        text = re.sub(r"\s+", " ", _code_printer()({"inline": True}).doprint(value))
    except getattr(codeprinter, "PrintMethodNotImplementedError", NotImplementedError):  # from 1.13 on
        return None
    if "Not supported" in text or "#" in text:
        return None
    text = text.replace("scipy.constants.pi", "numpy.pi").replace("scipy.special.", "special.")
    text = text.replace("numpy.", "np.")
    return None if "scipy" in text or "'" in text else text


@functools.cache
def _code_printer() -> Any:
    """SymPy's printer for NumPy and SciPy, with functions of two in place of a reduction."""
    from sympy.printing.numpy import SciPyPrinter

    class CodePrinter(SciPyPrinter):  # type: ignore[misc]
        def _print_Max(self, expr: Any) -> str:
            return _nested("numpy.maximum", map(self._print, expr.args))

        def _print_Min(self, expr: Any) -> str:
            return _nested("numpy.minimum", map(self._print, expr.args))

    return CodePrinter


def _nested(name: str, args: Iterable[Any]) -> str:
    """`maximum(maximum(a, b), c)`."""
    first, *others = map(str, args)
    return functools.reduce(lambda a, b: f"{name}({a}, {b})", others, first)


def rule_text(value: Any, known: Known) -> str:
    """The expression in the rule language. Raises NotSaid."""
    text: str = _printer()(known).doprint(value)
    return text


@functools.cache
def _printer() -> Any:
    """The class of the printer, made when SymPy is there."""
    import sympy
    from sympy.printing.str import StrPrinter

    class RulePrinter(StrPrinter):  # type: ignore[misc]
        """Numbers, operators and calls as StrPrinter has them; everything else is refused."""

        def __init__(self, known: Known) -> None:
            super().__init__()
            self.known = known

        def emptyPrinter(self, expr: Any) -> str:
            raise NotSaid(expr)

        def _refused(self, expr: Any) -> str:
            raise NotSaid(expr)

        _print_ImaginaryUnit = _print_NaN = _print_ComplexInfinity = _refused
        _print_Derivative = _print_Subs = _print_Integral = _print_Sum = _print_Product = _refused
        _print_Lambda = _print_Limit = _print_Order = _print_Tuple = _refused

        def _print_Exp1(self, expr: Any) -> str:
            return "e"

        def _print_Infinity(self, expr: Any) -> str:
            return "inf"

        def _print_NegativeInfinity(self, expr: Any) -> str:
            return "-inf"

        def _print_NumberSymbol(self, expr: Any) -> str:
            return repr(float(expr))

        _print_EulerGamma = _print_GoldenRatio = _print_Catalan = _print_NumberSymbol
        _print_Float = _print_NumberSymbol

        def _print_Function(self, expr: Any) -> str:
            name = type(expr).__name__
            row = self.known(NAMES.get(name, name))
            if row is None:
                raise NotSaid(expr)
            return f"{row}({', '.join(map(self._print, expr.args))})"

        _print_besselj = _print_bessely = _print_besseli = _print_besselk = _print_Function
        _print_LambertW = _print_Abs = _print_sign = _print_Function

        def _print_polygamma(self, expr: Any) -> str:
            order, at = expr.args
            return f"digamma({self._print(at)})" if order == 0 else self._print_Function(expr)

        def _print_sinc(self, expr: Any) -> str:  # NumPy's is of pi*x
            return f"sinc({self._print(expr.args[0] / sympy.pi)})"

        def _print_DiracDelta(self, expr: Any) -> str:  # of a step, which has slope 0 here
            return "0"

        def _print_Heaviside(self, expr: Any) -> str:
            step, at_0 = self._print(expr.args[0]), self._print(expr.args[1])
            return f"where(({step}) == 0, {at_0}, ({step}) > 0)"

        def _print_Max(self, expr: Any) -> str:
            return _nested("maximum", map(self._print, expr.args))

        def _print_Min(self, expr: Any) -> str:
            return _nested("minimum", map(self._print, expr.args))

        def _print_Piecewise(self, expr: Any) -> str:
            value, condition = expr.args[-1]
            if condition != sympy.true:
                raise NotSaid(expr)  # outside of its pieces it is nothing
            text = str(self._print(value))
            for value, condition in reversed(expr.args[:-1]):
                text = f"where({self._print(condition)}, {self._print(value)}, {text})"
            return text

        def _print_Relational(self, expr: Any) -> str:
            if expr.rel_op not in ("==", "!=", "<", "<=", ">", ">="):
                raise NotSaid(expr)
            return f"(({self._print(expr.lhs)}) {expr.rel_op} ({self._print(expr.rhs)}))"

        def _print_And(self, expr: Any) -> str:
            return "(" + " & ".join(map(self._print, expr.args)) + ")"

        def _print_Or(self, expr: Any) -> str:
            return "(" + " | ".join(map(self._print, expr.args)) + ")"

        def _print_Not(self, expr: Any) -> str:
            return f"~({self._print(expr.args[0])})"

    return RulePrinter
