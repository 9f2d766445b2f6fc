"""From text to the syntax tree.

The grammars are `grammar/einsumdiff.lark` and, for the other notation, `grammar/matrix.lark`; lark reads
them, and is imported when the first text is parsed.
None of lark's errors reaches the user: each becomes a `SyntaxFault` that points into the text.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from einsumdiff import data
from einsumdiff.language import faults, matrix_faults, tree
from einsumdiff.language.build import Builder
from einsumdiff.language.build_matrix import MatrixBuilder
from einsumdiff.language.build_rows import RowBuilder
from einsumdiff.language.faults import Spot
from einsumdiff.language.layout import Layout
from einsumdiff.language.stored_tables import opened

if TYPE_CHECKING:
    from lark import Token

STARTS = ["program", "expression", "row"]


def parse(text: str) -> tuple[tree.Statement, ...]:
    """The statements of a program.

    Raises SyntaxFault, NameFault or Unsupported, with a caret under what cannot be read.

    >>> [statement.span.source for statement in parse("h = W @ x; sum(h)")]
    ['h = W @ x', 'sum(h)']
    """
    statements: tuple[tree.Statement, ...] = _reader().read(text, "program")
    return statements


def parse_expression(text: str) -> tree.Tree:
    """One expression.

    >>> parse_expression("-x**2").op
    '-'
    """
    node: tree.Tree = _reader().read(text, "expression")
    return node


def parse_matrix_text(text: str) -> tuple[tree.Statement, ...]:
    """The statements of a program in matrix notation, whose operators nobody has given a meaning yet.

    >>> [statement.value.op for statement in parse_matrix_text("x'; A.*B")]
    ["'", '.*']
    """
    statements: tuple[tree.Statement, ...] = _matrix_reader().read(text, "program")
    return statements


def parse_formula(text: str) -> tree.Formula:
    """A derivative in index notation: definitions, then `dy[i]/dx[m] = ...`, a line for each.

    Order 2 is `d2y[i]/dx[m]/dx[n] = ...`, and so on: the number after the first `d` is how many
    `/d` follow.

    >>> formula = parse_formula("s[i] = exp(x[i]); dy[i]/dx[m] = s[i]*delta[i,m]")
    >>> formula.partials[0].wrt[0][0].name
    'x'
    """
    statements = _reader().read(text, "program", formula=True)
    return tree.Formula(
        tuple(s for s in statements if not isinstance(s, tree.Partial)),
        tuple(s for s in statements if isinstance(s, tree.Partial)),
    )


def parse_row(text: str, whole: str | None = None, offset: int = 0) -> Any:
    """One row of a rule file, `whole`, in which it starts at `offset`: one of the rows of `rows.py`."""
    return _reader().read(text, "row", whole=whole, offset=offset)


class _Reader:
    """Lark's parser for a grammar, made once, and the builder that it calls.

    The lock is there because the builder holds the text that is being read. `faults` is the module that
    says what could not be read.
    """

    always_accept = ()  # lark asks a postlex for it

    def __init__(self, grammar: str, starts: list[str], builder: Builder, faults: ModuleType) -> None:
        import lark.exceptions

        self._lark = lark
        self._lock = threading.RLock()
        self._builder, self._faults = builder, faults
        self._parser = opened(
            grammar,
            data.grammar(grammar),
            parser="lalr",
            lexer="basic",
            start=starts,
            transformer=_Calls(self._builder),
            postlex=self,
        )

    def read(
        self, text: str, start: str, *, formula: bool = False, whole: str | None = None, offset: int = 0
    ) -> Any:
        with self._lock:
            spot = Spot(text if whole is None else whole, offset)
            self._builder.begin(spot, formula)
            self._layout = Layout(text, (), start, spot)
            try:
                result = self._parser.parse(text, start=start)
                self._builder.finish()
                return result
            except self._lark.exceptions.UnexpectedCharacters as error:
                raise self._faults.unexpected_character(text, error.pos_in_stream or 0, spot) from None
            except self._lark.exceptions.UnexpectedToken as error:
                raise self._faults.unexpected_token(self._layout.laid, error.token, spot) from None
            finally:
                self._builder.begin(Spot(""))

    def process(self, stream: Iterable[Token]) -> Iterator[Token]:
        """Called by lark with its tokens."""
        self._layout.tokens = list(stream)
        return iter(self._layout.run())


class _Calls:
    """Gives lark the methods of a builder, which take the parts of a rule one by one."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def __getattr__(self, name: str) -> Callable[[list[Any]], Any]:
        method = getattr(self._builder, name)
        return lambda parts: method(*parts)


@functools.cache
def _reader() -> _Reader:
    return _Reader("einsumdiff", STARTS, RowBuilder(), faults)


@functools.cache
def _matrix_reader() -> _Reader:
    return _Reader("matrix", ["program"], MatrixBuilder(), matrix_faults)
