"""The rows of the table: what a rule says, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile

from einsumdiff.errors import Span
from einsumdiff.language.domains import Domain
from einsumdiff.language.tree import Tree


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the signature of a row: `x`, `A[..., i, k]`, `axis=None`, `*operands`.

    `pattern` is what stands in the brackets (a Name is a letter, a Constant of Ellipsis any leading
    axes), None where there are no brackets. `default` is None where there is no `=`; a default of
    `None` is `Constant(None)`. `others` are more names by which a call may give it: `x|a`.
    """

    name: str
    pattern: tuple[Tree, ...] | None
    default: Tree | None
    variadic: bool
    span: Span
    others: tuple[str, ...] = ()


_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Spelling:
    """How NumPy (or SciPy) says it: a dotted name after `np.` / `special.`, or a template.

    A template is a Python expression over the row's parameters, in which `np` is NumPy and `special`
    is `scipy.special`: `np.logaddexp(0, x)`, `x < y`.

    >>> Spelling("np.logaddexp(0, x)", template=True, scipy=False).spell(("x",), ("a - b",))
    'np.logaddexp(0, (a - b))'
    >>> Spelling("x < y", template=True, scipy=False).spell(("x", "y"), ("a", "0"))
    '(a < 0)'
    >>> Spelling("erf", template=False, scipy=True).spell(("x",), ("a - b",))
    'special.erf(a - b)'
    """

    text: str
    template: bool
    scipy: bool  # whether it needs `from scipy import special`
    names: tuple[str, ...] = ()  # modules and functions of the user's that it reads

    @property
    def function(self) -> str:
        """The name with its module, `np.linalg.inv`; not for templates."""
        return self.text if self.names else f"{'special' if self.scipy else 'np'}.{self.text}"

    def spell(self, parameters: tuple[str, ...], arguments: tuple[str, ...]) -> str:
        """The expression with these arguments in place of the parameters.

        What is left of a template that is not a call is put in brackets, so the text is an operand.
        """
        if not self.template:
            return f"{self.function}({', '.join(arguments)})"
        given = {
            name: text if re.fullmatch(r"[\w.]+", text) else f"({text})"
            for name, text in zip(parameters, arguments, strict=True)
        }
        text = _NAME.sub(lambda word: given.get(word[0], word[0]), self.text)
        return text if _is_call(text) else f"({text})"

    def repeats(self, parameter: str) -> bool:
        """Whether the expression has that argument in more than one place.

        >>> Spelling("np.logaddexp(x, -x)", template=True, scipy=False).repeats("x")
        True
        """
        return self.template and _NAME.findall(self.text).count(parameter) > 1


def _is_call(text: str) -> bool:
    """Whether the first bracket opens right after a dotted name and closes at the end."""
    opening = re.match(r"[\w.]+\(", text)
    if not opening:
        return False
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == ")" and depth == 0:
            return place == len(text) - 1
    return False


@dataclass(frozen=True, slots=True)
class Function:
    """`fn`: a scalar function, applied elementwise; its partials are trees over its parameters.

    A partial of None is `unknown`: the derivative in that parameter is refused. A partial that is
    exactly zero is `Number(0)`. `boolean`: its value is a NumPy boolean (`less`), 0 or 1 in the
    algebra. `mask`: written `mask where(c, a, b)`; the first parameter is a condition, and a branch
    that is not taken is strongly zero. `operator` is the sign for it in programs (`<`, `%`), or "".
    """

    name: str
    parameters: tuple[Parameter, ...]
    spelling: Spelling
    domains: tuple[Domain, ...]  # one for each parameter
    partials: dict[str, Tree | None]
    boolean: bool
    mask: bool
    operator: str
    options: tuple[str, ...]
    span: Span

    @property
    def helped(self) -> bool:
        """Does NumPy's source bring a function `_name` along that takes fewer calls of NumPy for an array?"""
        return "helper" in self.options


@dataclass(frozen=True, slots=True)
class Case:
    """`(A[..., i, k], x[k]) -> [..., i] = A[..., i, k]*x[k]`: one way to call a `def`.

    `axes` is None where there is no `->`: a scalar function, applied elementwise to its parameters
    (`def square(x) = x**2`).
    """

    parameters: tuple[Parameter, ...]
    axes: tuple[Tree, ...] | None
    value: Tree
    span: Span


@dataclass(frozen=True, slots=True)
class Definition:
    """`def`: an operation by its meaning, from which its derivative follows.

    Cases are tried in order; the first whose parameters fit is meant. `options` are the words of the
    row as typed, `("reduce", "k")`, which `option` looks up. The spelling, where there is one, is
    what tests compare with. `domains` has one for each parameter of the first case.
    """

    name: str
    cases: tuple[Case, ...]
    spelling: Spelling | None
    domains: tuple[Domain, ...]
    operator: str
    options: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Stated:
    """`d/dA[m, n] = value`: the derivative of an `op` in one parameter.

    `value` is over the axes of the operation and the letters in `items`; None is `unknown`.
    """

    parameter: str
    items: tuple[Tree, ...]
    value: Tree | None
    span: Span


@dataclass(frozen=True, slots=True)
class Operation:
    """`op`: an operation without a meaning in indices, whose derivative is stated."""

    name: str
    parameters: tuple[Parameter, ...]
    axes: tuple[Tree, ...]
    spelling: Spelling
    domains: tuple[Domain, ...]  # one for each parameter
    partials: dict[str, Stated]
    options: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Form:
    """`form`: a structural operation, which a Python function of that name in `index` implements."""

    name: str
    parameters: tuple[Parameter, ...]
    options: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class NamedNumber:
    """`constant pi = 3.141592653589793   numpy pi`."""

    name: str
    value: float
    spelling: Spelling
    span: Span


@dataclass(frozen=True, slots=True)
class Alias:
    """`alias tr = trace`: another name for a row."""

    name: str
    target: str
    span: Span


@dataclass(frozen=True, slots=True)
class Identity:
    """`identity log(exp(x)) = x`: the left side may be replaced by the right one.

    Free names stand for any scalar expression, unless they are indexed. `domains` are the words after
    `on`, in the order in which the names first occur, where it holds only there.
    """

    left: Tree
    right: Tree
    domains: tuple[Domain, ...]
    options: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class BySymPy:
    """`sympy airyai(x)   on real`: a function whose value and partials SymPy knows.

    `of NAME` among the options is its name in SymPy, where that is another; a spelling is there where
    SymPy has none.
    """

    name: str
    parameters: tuple[Parameter, ...]
    spelling: Spelling | None
    domains: tuple[Domain, ...]
    options: tuple[str, ...]
    span: Span


Row = Function | Definition | Operation | Form | NamedNumber


def option(row: Function | Definition | Operation | Form | Identity | BySymPy, word: str) -> str | None:
    """The word after `word` among the options of a row, "" where none follows, None without `word`.

    `reduce k` in a row makes `option(row, "reduce")` be `"k"`.
    """
    if word not in row.options:
        return None
    following = row.options.index(word) + 1
    return row.options[following] if following < len(row.options) else ""


def gives(row: object) -> tuple[str, ...]:
    """The functions that give the results of a function of several, as `slogdet` is; else nothing."""
    return _words(row, "gives")


def fields(row: object) -> tuple[str, ...]:
    """What NumPy calls the results of a function of several: `slogdet(A).logabsdet`."""
    return _words(row, "fields")


def _words(row: object, head: str) -> tuple[str, ...]:
    """The words after `head` among the options, to the next head."""
    if not isinstance(row, Form) or head not in row.options:
        return ()
    words = row.options[row.options.index(head) + 1 :]
    return tuple(takewhile(lambda word: word not in ("gives", "fields"), words))
