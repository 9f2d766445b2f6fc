"""Functions of the table for one number: text that numba compiles.

A row's spelling in NumPy is of whole arrays. For one number `np.where` is a condition, constants take the
kind of the numbers around them, and a function that numba lacks, or gives another kind, is said otherwise.
So are exp and tanh, which most programs call: NumPy computes several entries at once, and numba calls the C
library for each, if Intel's vector library is not there.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from einsumdiff.errors import Unsupported
from einsumdiff.language.rows import Function

ATOM, POWER, PRODUCT, SUM, TEST = range(5)

WITHOUT_JIT = "compile it without jit="


@dataclass(frozen=True, slots=True)
class Text:
    """An expression as text, and how tightly it binds."""

    text: str
    level: int = ATOM

    def within(self, level: int) -> str:
        """The text, in brackets if it binds less tightly than that."""
        return f"({self.text})" if self.level > level else self.text


ALIKE = frozenset(
    "exp2 expm1 log log2 log10 log1p logaddexp logaddexp2 sqrt cbrt hypot sin cos tan arcsin arccos "
    "arctan arctan2 sinh cosh arcsinh arccosh arctanh abs sign copysign floor ceil trunc fmod "
    "maximum minimum fmax fmin power logical_and logical_or logical_not".split()
)
"""Functions of NumPy that are the same ones in numba, for one number of either kind."""

OTHERWISE = {
    "np.exp": "_exp({0}, kind)",
    "np.tanh": "_tanh({0}, kind)",
    "np.sinc": "kind(np.sinc({0}))",
    "np.angle": "kind(np.angle({0}))",
    "np.round": "np.rint({0})",
    "np.clip": "np.minimum(np.maximum({0}, {1}), {2})",
    "np.where": "({1} if {0} else {2})",
    "np.nan_to_num": "_nan_to_num({0}, kind)",
    "np.mod": "_mod({0}, {1}, kind)",
    "np.floor_divide": "_floor_divide({0}, {1}, kind)",
    "special.erf": "math.erf({0})",
    "special.erfc": "math.erfc({0})",
    "special.gammaln": "math.lgamma({0})",
    "special.xlogy": "_xlogy({0}, {1}, kind)",
}
"""How others are said. Each argument stands there once."""

CHEAP = frozenset(
    "abs sign copysign maximum minimum fmax fmin where relu clip floor ceil trunc round "
    "less less_equal greater greater_equal equal not_equal logical_and logical_or logical_not "
    "leaky_relu softsign sqrt".split()
)
"""Functions that cost about as much as a few multiplications, and that a loop vectorises."""

HELPERS = {
    "_exp": '''
@numba.njit(error_model="numpy")
def _exp(x, kind):
    """exp(x) to rounding, without a branch or a call, so that loops are vectorised.

    x = k*log(2) + r; exp(r) is a quotient of polynomials (Cephes, S. L. Moshier), and the bits of a number
    hold the power of 2, taken in two halves as results that are almost 0 have less than the smallest one.
    """
    x = np.float64(x)
    x = np.float64(710) if x > 710 else np.float64(-746) if x < -746 else x
    shifted = x*1.4426950408889634 + 6755399441055744.0
    k = shifted - 6755399441055744.0
    r = x - k*0.693145751953125 - k*1.4286068203094172e-06
    rr = r*r
    p = r*((1.2617719307481059e-4*rr + 3.0299440770744196e-2)*rr + 1.0)
    q = ((3.0019850513866446e-6*rr + 2.5244834034968410e-3)*rr + 2.2726554820815503e-1)*rr + 2.0
    n = np.float64(shifted).view(np.int64) - np.int64(4843621399236968448)
    half = n >> 1
    first = np.int64((half + 1023) << 52).view(np.float64)
    second = np.int64((n - half + 1023) << 52).view(np.float64)
    return kind((1.0 + 2.0*(p/(q - p)))*first*second)
''',
    "_tanh": '''
@numba.njit(error_model="numpy")
def _tanh(x, kind):
    """tanh(x) to rounding, without a branch: near 0 a quotient of polynomials (Cephes, S. L. Moshier)."""
    x = np.float64(x)
    far = 1.0 - 2.0/(_exp(2.0*np.abs(x), np.float64) + 1.0)
    z = x*x
    p = (-9.643991794250523e-1*z - 9.928772310019186e1)*z - 1.6146876844170845e3
    q = ((z + 1.1281167849163293e2)*z + 2.2354883906010045e3)*z + 4.844063053251255e3
    near = np.abs(x)*(1.0 + z*(p/q))
    return kind(np.copysign(near if np.abs(x) < 0.625 else far, x))
''',
    "_xlogy": '''
@numba.njit(error_model="numpy")
def _xlogy(x, y, kind):
    """x*log(y), which is 0 where x is 0."""
    return kind(0) if x == 0 and not np.isnan(y) else x*np.log(y)
''',
    "_nan_to_num": '''
@numba.njit(error_model="numpy")
def _nan_to_num(x, kind):
    """0 for nan, the largest number for inf."""
    if np.isnan(x):
        return kind(0)
    return x if np.isfinite(x) else kind(np.finfo(kind).max)*np.sign(x)
''',
    "_mod": '''
@numba.njit(error_model="numpy")
def _mod(x, y, kind):
    """The remainder, with the sign of y."""
    rest = np.fmod(x, y)
    if y == 0:
        return rest
    if rest == 0:
        return np.copysign(kind(0), y)
    return rest + y if (y < 0) != (rest < 0) else rest
''',
    "_floor_divide": '''
@numba.njit(error_model="numpy")
def _floor_divide(x, y, kind):
    """x/y rounded down, exactly: that of the difference of x and its remainder."""
    if y == 0:
        return x/y
    rest = np.fmod(x, y)
    whole = (x - rest)/y
    if rest != 0 and (y < 0) != (rest < 0):
        whole -= kind(1)
    if whole == 0:
        return np.copysign(kind(0), x/y)
    down = np.floor(whole)
    return down + kind(1) if whole - down > kind(0.5) else down
''',
}
"""Functions that generated source brings along."""


class Spelling:
    """Writes functions of one number, and notes which helpers the text needs."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.helpers: set[str] = set()
        self.math = False

    def spelled(self, row: Function, arguments: tuple[Text, ...]) -> Text:
        """The function of these numbers. Raises Unsupported where numba has no such function."""
        spelling = row.spelling
        if spelling.names:
            raise _unknown(row.name)
        if not spelling.template:
            return self.call(spelling.function, arguments, row.name)
        given = {p.name: one for p, one in zip(row.parameters, arguments, strict=False)}
        return self.read(ast.parse(spelling.text, mode="eval").body, given, row.name)

    def call(self, function: str, arguments: tuple[Text, ...], name: str) -> Text:
        """A function by its dotted name."""
        texts = [one.text for one in arguments]
        if function == "np.round" and texts[1:] not in ([], [f"{self.kind}(0)"]):
            raise _unknown(f"{name} to a number of decimals")
        if function == "np.where":
            texts = [one.within(SUM) if k else one.text for k, one in enumerate(arguments)]
        otherwise = OTHERWISE.get(function)
        if otherwise is not None:
            self.helpers |= {one for one in HELPERS if otherwise.startswith(f"{one}(")}
            self.helpers |= {"_exp"} if "_tanh" in self.helpers else set()
            self.math |= otherwise.startswith("math.")
            return Text(otherwise.replace("kind", self.kind).format(*texts))
        module, _, plain = function.partition(".")
        if module != "np" or plain not in ALIKE:
            raise _unknown(name)
        return Text(f"{function}({', '.join(texts)})")

    def number(self, text: str) -> Text:
        """A constant of the kind of the arrays."""
        return Text(f"{self.kind}({text})")

    def read(self, one: ast.expr, given: dict[str, Text], name: str) -> Text:
        """A part of a template, with numbers for its parameters."""

        def part(inner: ast.expr) -> Text:
            return self.read(inner, given, name)

        match one:
            case ast.Name(word) if word in given:
                return given[word]
            case ast.Constant(int() | float() as value):
                return self.number(repr(value))
            case ast.Attribute(ast.Name("np"), "pi" | "e" | "inf" | "nan" as constant):
                return self.number(f"np.{constant}")
            case ast.UnaryOp(ast.USub(), inner):
                return Text(f"-{part(inner).within(POWER)}", PRODUCT)
            case ast.BinOp(left, ast.Pow(), ast.Constant(int() as power)):
                return Text(f"{part(left).within(ATOM)}**{power}", POWER)
            case ast.BinOp(left, ast.Pow(), right):
                return Text(f"{part(left).within(ATOM)}**{part(right).within(ATOM)}", POWER)
            case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right):
                symbol = "+" if isinstance(sign, ast.Add) else "-"
                return Text(f"{part(left).within(SUM)} {symbol} {part(right).within(PRODUCT)}", SUM)
            case ast.BinOp(left, ast.Mult() | ast.Div() as sign, right):
                symbol = "*" if isinstance(sign, ast.Mult) else "/"
                return Text(f"{part(left).within(PRODUCT)}{symbol}{part(right).within(POWER)}", PRODUCT)
            case ast.Compare(left, [operator], [right]) if type(operator) in _COMPARED:
                symbol = _COMPARED[type(operator)]
                return Text(f"{part(left).within(SUM)} {symbol} {part(right).within(SUM)}", TEST)
            case ast.Call(ast.Attribute(ast.Name(module), function), arguments, []):
                return self.call(f"{module}.{function}", tuple(map(part, arguments)), name)
            case _:
                raise _unknown(name)


_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def _unknown(what: str) -> Unsupported:
    return Unsupported(f"{what} has no loop that numba compiles", None, WITHOUT_JIT)
