r"""Functions of one's own: rows of the rule language on top of those in `rules/`, where they are asked for.

    rules = register("fn swish(x)  numpy my.swish  on real\n   d/dx = my_slope(x) ...", my=module)
    derive("sum(swish(x))", wrt="x", rules=rules)

There is no list that registering adds to: `Rules` are a value, passed on or entered by `with`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Any

from einsumdiff.errors import NameFault, ValueFault
from einsumdiff.language.by_sympy import rows_of
from einsumdiff.language.checking import check_spelling
from einsumdiff.language.table import Setting, Table, built_in, load_table, setting


class Rules:
    """Rows of one's own and what their spellings read. See `register`.

    Rules combine by `|`. `with rules:` puts them in force for every `derive` inside; a derivative
    remembers the rules that it was made with, in pickles too.
    """

    __slots__ = ("names", "table", "texts")

    def __init__(self, texts: tuple[str, ...], names: Mapping[str, object]) -> None:
        self.texts = texts
        self.names: Mapping[str, object] = MappingProxyType(dict(names))
        files = {f"the text of register number {k}": text for k, text in enumerate(texts, 1)}
        self.table = Table(files, built_in(), self.names)

    def __or__(self, other: object) -> Rules:
        """Both; a name may be in both where it is the same there."""
        if not isinstance(other, Rules):
            return NotImplemented
        return _joined(self, other)

    def __iter__(self) -> Iterator[str]:
        """The names of the rows, without aliases."""
        return (name for name in self.table if name not in built_in())

    def __contains__(self, name: object) -> bool:
        return name in self.table.own

    def __enter__(self) -> Rules:
        of = rules_of(setting())
        here = self if of is None else of | self
        Setting(here.table, here).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        setting().__exit__()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rules) and self.texts == other.texts and self.names == other.names

    def __hash__(self) -> int:
        return hash(self.texts)

    def __repr__(self) -> str:
        return f"<Rules for {', '.join(self.table.own)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """The text of the rows, and functions by reference, as pickles hold functions."""
        names = {
            name: _Module(value.__name__) if isinstance(value, ModuleType) else value
            for name, value in self.names.items()
        }
        return _restored, (self.texts, names)


class _Module:
    """A module in a pickle: its name."""

    def __init__(self, name: str) -> None:
        self.name = name


def _restored(texts: tuple[str, ...], names: Mapping[str, object]) -> Rules:
    found = {n: importlib.import_module(v.name) if isinstance(v, _Module) else v for n, v in names.items()}
    return Rules(texts, found)


@functools.lru_cache(maxsize=64)
def _joined(a: Rules, b: Rules) -> Rules:
    names = dict(a.names)
    for name, value in b.names.items():
        if names.setdefault(name, value) is not value:
            raise NameFault(f"{name} is two different things in these rules", None, "give one another name")
    return Rules(tuple(dict.fromkeys((*a.texts, *b.texts))), names)


def rules_of(which: Setting) -> Rules | None:
    """The rules that a setting was made of; None where it is the language alone."""
    return which.source if isinstance(which.source, Rules) else None


def in_force(rules: Rules | None, alone: bool = False) -> Setting:
    """The setting with these rules on top of those around, to be entered; `alone` without those around."""
    if rules is not None and not isinstance(rules, Rules):
        raise ValueFault(
            f"rules= is what register returns, not {rules!r}", None, 'write rules=register("fn ...")'
        )
    around = None if alone else rules_of(setting())
    here = rules if around is None else around if rules is None else around | rules
    return Setting(built_in() if here is None else here.table, here)


def register(text: str, /, **names: object) -> Rules:
    """Functions of one's own, as rows of the rule language.

    Parameters
    ----------
    text : rows. `fn` states a function of numbers, how NumPy spells it, the domain where it is smooth, and
        its partial derivatives, which may call any function of the language and of the text; `unknown` is
        refused. `def` states an operation by its meaning, `op` one whose derivative is stated in indices,
        `alias` another name.
    names : the modules and functions that the spellings read and that are not NumPy's. The source that
        is generated has a keyword for each; the loaded function has these as their defaults.

    Returns
    -------
    Rules
        for `derive(..., rules=rules)` or `with rules:`.

    Raises
    ------
    EinsumDiffError : with a caret under the part of the text that is wrong; for a name that is taken.

    Examples
    --------
    >>> from einsumdiff import derive, register
    >>> import numpy as np
    >>> bump = register('''
    ... fn bump(x)        numpy "np.exp(-x**2)"   on real
    ...    d/dx = -2*x*bump(x)
    ... fn steep(x, a=2)  numpy mine              on real
    ...    d/dx = a*cosine(a*x)
    ...    d/da = x*cosine(a*x)
    ... alias cosine = cos
    ... ''', mine=lambda x, a: np.sin(a*x))
    >>> d = derive("y = sum(bump(x) + steep(x))", wrt="x", rules=bump)
    >>> print(str(d).splitlines()[0])
    dy/dx[i] = 2*cos(2*x[i]) - 2*x[i]*bump(x[i])
    >>> d.source().splitlines()[3]
    'def dy_dx(x):'
    """
    if not isinstance(text, str):
        raise ValueFault(f"rows are text, not {type(text).__name__}", None, 'write register("fn f(x) ...")')
    rules = Rules((text,), names)
    rules.table.check()
    if not rules.table.own:
        raise ValueFault("there is no row in this text", None, "a row begins with fn, def, op, alias, ...")
    for row in rules.table.own.values():
        check_spelling(row, names)
    return rules


def register_sympy(name: str, what: Any, parameters: Sequence[str] | None = None) -> Rules:
    """A function from SymPy, which states its value and its partials.

    Parameters
    ----------
    name : what programs call it.
    what : an expression, a `Lambda` or a function class of SymPy.
    parameters : the order of the parameters; by default a Lambda's own, and for an expression its free
        symbols by name.

    Returns
    -------
    Rules
        as `register` does. Its text, `rules.texts`, is rows, whose value SymPy's own printers spell in
        NumPy and SciPy. All symbols are taken for real.

    Raises
    ------
    Unsupported : where NumPy and SciPy do not know the function.

    Examples
    --------
    >>> from einsumdiff import derive, register_sympy
    >>> import sympy
    >>> x = sympy.Symbol("x")
    >>> rules = register_sympy("bump", sympy.exp(-x**2)*sympy.besselj(0, x))
    >>> print(rules.texts[0])
    fn bump(x)   scipy 'np.exp(-x**2)*special.jv(0, x)'   on real
       d/dx = -2*x*exp(-x**2)*besselj(0, x) - exp(-x**2)*besselj(1, x)
    >>> round(float(derive("bump(x)", wrt="x", shapes={"x": ()}, rules=rules)(x=1.0)), 9)
    -0.724886558
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise NameFault(f"{name!r} is no name", None, "letters, digits and _, as in Python")
    symbols, value = _expression(what, parameters)
    return register("\n".join(rows_of(name, symbols, value, load_table().of_sympy)))


def _expression(what: Any, parameters: Sequence[str] | None) -> tuple[list[Any], Any]:
    """The symbols of a function of SymPy, in order, and its expression in them."""
    import sympy

    if isinstance(what, sympy.Lambda):
        symbols, value = list(what.signature), what.expr
    elif isinstance(what, sympy.Expr):
        symbols, value = sorted(what.free_symbols, key=str), what
    elif isinstance(what, sympy.FunctionClass):
        return _of_class(what, parameters)
    else:
        raise ValueFault(
            f"this is no function of SymPy: {what!r}", None, "give an expression, a Lambda or a class"
        )
    if parameters is not None:
        if {str(one) for one in symbols} - set(parameters):
            raise ValueFault(f"parameters= lacks some of {', '.join(map(str, symbols))}", None, "name all")
        by_name = {str(one): one for one in symbols}
        symbols = [by_name.get(one, sympy.Symbol(one)) for one in parameters]
    return symbols, value


def _of_class(what: Any, parameters: Sequence[str] | None) -> tuple[list[Any], Any]:
    """A function class, applied to symbols."""
    import sympy

    counts = what.nargs
    if parameters is None:
        if counts is sympy.S.Naturals0 or len(counts) != 1:
            raise ValueFault(f"{what} takes any number of arguments", None, 'say parameters=("n", "x")')
        count = int(next(iter(counts)))
        parameters = ["x"] if count == 1 else [f"x{k}" for k in range(1, count + 1)]
    symbols = [sympy.Symbol(one, real=True) for one in parameters]
    return symbols, what(*symbols)
