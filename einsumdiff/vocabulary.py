"""The vocabulary as a list: every function, as the rules state it. `docs/functions.md` is this, printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from einsumdiff.indexing.calls import signature
from einsumdiff.language.rows import Definition, Form, Function, NamedNumber, Operation, Row, gives, option
from einsumdiff.language.table import OF_MODULE, Table, load_table

_HEADING = re.compile(r"^# -{10,} (.+)$", re.MULTILINE)

PAGE = """# Functions

Printed by `einsumdiff --functions --markdown` from [rules](../rules), which are what the library reads. \
To change this page, change a row there.

A derivative that is stated is in the second column from the right; where a meaning in indices stands \
instead, the derivative follows from it. `unknown` is refused. `first_share` and `second_share` are what \
`ties=` gives to equal arguments: 1/2 each, or 1 and 0, or none. The last column says where the function \
is tested: on numbers and arrays of that kind. [Edges](domains.md) of domains have a page of their own.

- `cholesky`, `eigvalsh` and `eigh` are functions of `(A + A.T)/2`, as in JAX: the derivative in `A` is \
symmetric in its two axes, and `A` need not be symmetric to the last bit.
- Eigenvalues and singular values are differentiated where they are distinct; where two meet, derivatives \
of vectors, and second derivatives of values, have no limit and come out as `inf` or `nan`. Vectors are \
known up to their sign: a program should go on with what does not depend on it. `pinv` is differentiated \
where the rank does not change.
- Sizes may be names wherever the meaning does not depend on the number. It does, and the error says so, \
in `cross` (vectors of 3), `svdvals` and the norms 2, -2 and 'nuc' of matrices that are not square (which \
side is smaller), `convolve` and `correlate` with mode "same" and "valid" (which of the two is longer), \
`reshape` to numbers, `split` into equal parts, `roll` and slices by a number that may be more than the \
size, and places (`x[2]`, `take(x, 2)`) behind the first.
"""


@dataclass(frozen=True, slots=True)
class Word:
    """What the list says of one row."""

    section: str
    call: str
    numpy: str
    says: tuple[str, ...]
    domain: str
    aliases: tuple[str, ...]


def words(table: Table) -> Iterator[Word]:
    """The rows in the order of their files."""
    aliases: dict[str, list[str]] = {}
    for name, target in table.aliases.items():
        aliases.setdefault(target, []).append(name)
    for row in table.rows():
        if isinstance(row, Form) and option(row, "planned") is not None:
            continue
        name = typed(row.name)
        call = name if isinstance(row, NamedNumber) else f"{name}({signature(row)})"
        if isinstance(row, Function | Definition) and row.operator:
            call += f" or {row.operator}"
        domains = () if isinstance(row, Form | NamedNumber) else tuple(one.name for one in row.domains)
        short = dict.fromkeys(domains) if len(set(domains)) == 1 else domains
        yield Word(
            _section(row),
            call,
            _numpy(row),
            tuple(_says(row)),
            ", ".join(short),
            tuple(aliases.get(row.name, ())),
        )


def typed(name: str) -> str:
    """How a program calls the row of this name: `numpy.linalg.trace` has a row of its own.

    >>> typed("numpy_linalg_trace")
    'numpy.linalg.trace'
    """
    return OF_MODULE.sub(lambda found: f"{found[1]}.{found[2]}.", name)


def _section(row: Row) -> str:
    """The heading above the row in its file."""
    found = [m[1] for m in _HEADING.finditer(row.span.text, 0, row.span.start)]
    return found[-1] if found else "others"


def _numpy(row: Row) -> str:
    spelling = None if isinstance(row, Form) else row.spelling
    if spelling is None:
        return ""
    return " ".join((spelling.text if spelling.template else spelling.function).split())


def _says(row: Row) -> Iterator[str]:
    """The derivative as stated, or the meaning."""
    match row:
        case Function(partials=partials):
            for name, partial in partials.items():
                yield f"d/d{name} = {'unknown' if partial is None else partial.span.source}"
        case Operation(partials=stated):
            for name, one in stated.items():
                items = ", ".join(item.span.source for item in one.items)
                yield f"d/d{name}[{items}] = {'unknown' if one.value is None else one.value.span.source}"
        case Definition(cases=cases):
            for case in cases:
                axes = "" if case.axes is None else f"[{', '.join(axis.span.source for axis in case.axes)}] "
                yield f"{axes}= {case.value.span.source}"
        case NamedNumber(value=value):
            yield f"= {value}"
        case Form():
            if gives(row):
                yield "gives several results: " + " ".join(gives(row))


def text() -> str:
    """The vocabulary for a terminal."""
    lines: list[str] = []
    for section, found in _sections(load_table()).items():
        lines += ["", section] if lines else [section]
        for word in found:
            also = f"   also {', '.join(word.aliases)}" if word.aliases else ""
            lines.append(f"  {word.call}{also}")
            lines += [f"      {one}" for one in word.says]
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """The vocabulary as a page."""
    lines = [PAGE]
    for section, found in _sections(load_table()).items():
        lines += [
            f"## {section[0].upper()}{section[1:]}",
            "",
            "| function | NumPy | derivative or meaning | tested on | also |",
            "| --- | --- | --- | --- | --- |",
        ]
        for word in found:
            cells = (
                _code(word.call),
                _code(word.numpy),
                "<br>".join(map(_code, word.says)),
                word.domain.replace("_", " "),
                " ".join(map(_code, word.aliases)),
            )
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _sections(table: Table) -> Mapping[str, list[Word]]:
    found: dict[str, list[Word]] = {}
    for word in words(table):
        found.setdefault(word.section, []).append(word)
    return found


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""
