"""The table: every operation there is, read from `rules/*.rules`.

A row is text in the rule language (`grammar/einsumdiff.lark`, start `row`); what it says is one of the
dataclasses of `rows.py`, which this module exports. The files are split into rows at once, which is
cheap; a row is parsed when it is first asked for. `Table.check()` parses and validates all of them,
which a test does.

`load_table()` is the table in force: that of `rules/`, or one with a user's rows on top of it where a
`Setting` with such a table has been entered.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from einsumdiff import data
from einsumdiff.errors import EinsumDiffError, NameFault, Span, SyntaxFault, nearest
from einsumdiff.language import tree
from einsumdiff.language.checking import calls, check_circle, check_identity, check_row
from einsumdiff.language.domains import DOMAINS as DOMAINS
from einsumdiff.language.domains import Domain as Domain
from einsumdiff.language.layout import HEADS
from einsumdiff.language.parse import parse_row
from einsumdiff.language.rows import Alias as Alias
from einsumdiff.language.rows import BySymPy as BySymPy
from einsumdiff.language.rows import Case as Case
from einsumdiff.language.rows import Definition as Definition
from einsumdiff.language.rows import Form as Form
from einsumdiff.language.rows import Function as Function
from einsumdiff.language.rows import Identity as Identity
from einsumdiff.language.rows import NamedNumber as NamedNumber
from einsumdiff.language.rows import Operation as Operation
from einsumdiff.language.rows import Parameter as Parameter
from einsumdiff.language.rows import Row as Row
from einsumdiff.language.rows import Spelling as Spelling
from einsumdiff.language.rows import Stated as Stated
from einsumdiff.language.rows import option as option

GREEK = ("beta", "gamma", "zeta")
"""Functions whose names are those of parameters more often than not."""
SHORT = 2
"""Functions whose names are as short as that, `j0`, are arrays too where they are not called."""

Made = TypeVar("Made")

OF_MODULE = re.compile(r"(numpy|scipy|jax)_(linalg|special|nn|lib)_")
"""Begins the name of a row for the function that one module has under a name that others have too."""
_HEAD = re.compile(r"([^\W\d]\w*)[ \t]+([^\W\d]\w*|\S)")
_ROW = re.compile(r"^[^\s#].*(?:\n(?:[ \t].*|[ \t]*#.*|[ \t]*$))*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A row that is not read yet."""

    head: str
    name: str
    text: str
    file: str
    whole: str
    offset: int

    def read(self) -> Any:
        try:
            return parse_row(self.text, self.whole, self.offset)
        except EinsumDiffError as error:
            error.add_note(f"in the rules, {self.file}, line {self.whole.count(chr(10), 0, self.offset) + 1}")
            raise


def _pieces(file: str, text: str) -> Iterator[_Piece]:
    """The rows of a rule file: each begins at the start of a line, its further lines are indented."""
    for found in _ROW.finditer(text):
        head = _HEAD.match(found[0])
        if head is None or head[1] not in HEADS:
            word = re.match(r"\S+", found[0])
            assert word is not None
            raise SyntaxFault(
                f"a row cannot begin with {word[0]}",
                Span(found.start(), found.start() + word.end(), text),
                f"it begins with one of {', '.join(sorted(HEADS))}; further lines are indented",
            )
        yield _Piece(head[1], head[2], found[0], file, text, found.start())


class Table:
    r"""The rows by name. Reading is lazy; two threads may use one table.

    Parameters
    ----------
    files : the texts of rule files by name.
    parent : a table whose rows are there too.
    names : modules and functions that the NumPy spellings of these rows may read: `my` for `my.swish`.

    Raises
    ------
    NameFault : where two rows have one name, or one in the parent has it; when a row is first read,
        where it calls what has no row.
    SyntaxFault : where a row cannot be read, when it is first asked for.

    Examples
    --------
    >>> table = Table({"mine.rules": "fn cube(x)  numpy 'x*x*x'  on real\n   d/dx = 3*x**2"})
    >>> table["cube"].spelling.spell(("x",), ("a",))
    '(a*a*a)'
    >>> "tube" in table, table.nearest("tube")
    (False, ['cube'])
    """

    def __init__(
        self,
        files: Mapping[str, str],
        parent: Table | None = None,
        names: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self.names = names
        self._parent = parent
        self._pieces: dict[str, _Piece] = dict(parent._pieces) if parent is not None else {}
        self._own: list[_Piece] = []
        self._identity_pieces: list[_Piece] = []
        self._rows: dict[str, Row | Alias] = {}
        self._made: dict[object, Any] = {}
        for file, text in files.items():
            for piece in _pieces(file, text):
                self._own.append(piece)
                if piece.head == "identity":
                    self._identity_pieces.append(piece)
                elif piece.name in self._pieces:
                    first = self._pieces[piece.name]
                    at = piece.offset + piece.text.index(piece.name, len(piece.head))
                    raise NameFault(
                        f"{piece.name} has two rows",
                        Span(at, at + len(piece.name), text),
                        f"the other is {'an' if first.head[0] in 'aio' else 'a'} {first.head} in {first.file}"
                        + ("" if first.file in files else "; give this one another name"),
                    )
                else:
                    self._pieces[piece.name] = piece

    def __contains__(self, name: str) -> bool:
        return name in self._pieces

    def __getitem__(self, name: str) -> Row:
        """The row of that name; an alias gives what it stands for. KeyError where there is none."""
        row = self._read(name)
        return self[row.target] if isinstance(row, Alias) else row

    def get(self, name: str) -> Row | None:
        """The row of that name, or None."""
        return self[name] if name in self._pieces else None

    def __iter__(self) -> Iterator[str]:
        """The names of the rows, without aliases, in the order of the files."""
        return (name for name, piece in self._pieces.items() if piece.head != "alias")

    def rows(self) -> Iterator[Row]:
        """All rows, in the order of the files."""
        return (self[name] for name in self)

    def nearest(self, name: str) -> list[str]:
        """The names, aliases among them, that are most like this one."""
        return nearest(name, [one for one in self._pieces if not OF_MODULE.match(one)])

    @functools.cached_property
    def aliases(self) -> Mapping[str, str]:
        """What each alias stands for."""
        return {name: self[name].name for name, piece in self._pieces.items() if piece.head == "alias"}

    @functools.cached_property
    def operators(self) -> Mapping[str, str]:
        """The name of the row for each operator that has one: `<` is `less`."""
        signed = (self[n] for n, piece in self._pieces.items() if " operator " in piece.text)
        return {row.operator: row.name for row in signed if isinstance(row, Function | Definition)}

    @functools.cached_property
    def identities(self) -> tuple[Identity, ...]:
        """The identities, in the order of the files."""
        first = self._parent.identities if self._parent is not None else ()
        return first + tuple(self._known(piece.read(), piece) for piece in self._identity_pieces)

    def of_sympy(self, name: str) -> str | None:
        """The row for a function that SymPy calls so."""
        found = self._sympy_names.get(name, name)
        return found if found in self else None

    @functools.cached_property
    def _sympy_names(self) -> Mapping[str, str]:
        """The rows whose names in SymPy are others."""
        rows = [one for one in self._pieces.values() if one.head == "sympy"]
        found = ((re.search(r" of (\w+)", one.text), one.name) for one in rows)
        return {named[1]: name for named, name in found if named}

    def made(self, what: Callable[[Table], Made]) -> Made:
        """What a function makes of this table, made once."""
        found: Made = self._made[what] if what in self._made else self._made.setdefault(what, what(self))
        return found

    @property
    def own(self) -> Mapping[str, Row]:
        """The rows that are not its parent's, aliases among them, by name."""
        return {piece.name: self[piece.name] for piece in self._own if piece.head != "identity"}

    def check(self) -> None:
        """Read every row of its own, so that each fault in the rules is found."""
        for piece in self._own:
            if piece.head != "identity":
                check_circle(piece.name, lambda name: calls(self._read(name)))
        constants = {row.name for row in self.rows() if isinstance(row, NamedNumber)}
        for row in self.own.values():
            check_row(row, self.__getitem__, constants)
        for identity in self.identities:
            check_identity(identity, self.__getitem__)

    def _read(self, name: str) -> Row | Alias:
        row = self._rows.get(name)
        if row is None:
            piece = self._pieces[name]
            if self._parent is not None and name in self._parent:
                row = self._parent._read(name)
            else:
                row = self._known(piece.read(), piece)
            row = self._rows.setdefault(name, row)
        return row

    def _known(self, row: Any, piece: _Piece) -> Any:
        """The row, all of whose functions have rows."""
        if isinstance(row, BySymPy):
            from einsumdiff.language.by_sympy import function_row

            row = function_row(row, self.of_sympy)
        spelling = getattr(row, "spelling", None)
        if self.names and spelling is not None:
            row = replace(row, spelling=replace(spelling, names=_roots(spelling.text, self.names)))
        if isinstance(row, Alias) and row.target not in self:
            self._refuse(row.target, row.span, piece)
        for expression in _expressions(row):
            for part in tree.walk(expression):
                if isinstance(part, tree.Apply) and part.function not in self:
                    self._refuse(part.function, part.name_span, piece)
        return row

    def _refuse(self, name: str, span: Span, piece: _Piece) -> None:
        near = self.nearest(name)
        hint = f"did you mean {' or '.join(near)}?" if near else "add a row for it"
        error = NameFault(f"{name} has no row", span, hint)
        error.add_note(f"in the rules, {piece.file}, line {span.line}")
        raise error


def _expressions(row: Row | Alias | Identity) -> list[tree.Tree]:
    """The expressions in a row."""
    match row:
        case Function():
            found = list(row.partials.values())
        case Operation():
            found = [stated.value for stated in row.partials.values()]
        case Definition():
            found = [case.value for case in row.cases]
        case Identity():
            found = [row.left, row.right]
        case Form() | NamedNumber() | Alias():
            found = []
    return [expression for expression in found if expression is not None]


def _roots(text: str, names: Mapping[str, object]) -> tuple[str, ...]:
    """Those of the names that a spelling begins a dotted name with."""
    words = re.findall(r"(?<![\w.])[^\W\d]\w*", text)
    return tuple(dict.fromkeys(word for word in words if word in names))


@functools.cache
def built_in() -> Table:
    """The table of `rules/`, made once."""
    return Table(data.rules())


@dataclass(frozen=True, slots=True)
class Setting:
    """What names mean: a table. `with setting:` puts it in force.

    A derivative remembers the setting that it was made in, and enters it for all that it does.
    `source` is what the table was made of, for who asks again.
    """

    table: Table
    source: object = None

    def __enter__(self) -> Setting:
        _entered.set((*_entered.get(), self))
        return self

    def __exit__(self, *_: object) -> None:
        _entered.set(_entered.get()[:-1])


# A stack and no tokens, so that one setting may be entered by several threads and tasks at once.
_entered: ContextVar[tuple[Setting, ...]] = ContextVar("einsumdiff settings", default=())


def setting() -> Setting:
    """The setting in force."""
    entered = _entered.get()
    return entered[-1] if entered else Setting(built_in())


def is_array_too(name: str) -> bool:
    """Whether the name of a function is an array's where it is not called."""
    return name in GREEK or len(name) <= SHORT


def load_table() -> Table:
    """The table in force."""
    entered = _entered.get()
    return entered[-1].table if entered else built_in()
