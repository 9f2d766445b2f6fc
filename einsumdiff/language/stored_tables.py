"""Parsers whose tables are kept on disk.

Lark builds the LALR tables of a grammar in a fifth of a second, and reads them in a tenth of that. They are
kept as byte code is: in a folder of the user's own, under a name that tells grammar, lark and Python apart,
and nowhere if Python is told to write no byte code. What cannot be written or read costs time, never a
result. `EINSUMDIFF_CACHE` names another folder; empty, it keeps nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lark import Lark


def opened(name: str, grammar: str, transformer: object, postlex: object, **options: Any) -> Lark:
    """The parser of a grammar, from tables on disk where they are there; `name` begins their file's."""
    import lark

    calls = {"transformer": transformer, "postlex": postlex}
    folder = _own(_folder())
    if folder is None:
        return lark.Lark(grammar, **options, **calls)
    of = repr((grammar, sorted(options.items()), lark.__version__, sys.implementation.cache_tag))
    place = folder / f"{name}-{_sum(of.encode()).hex()[:16]}.tables"
    parser = _loaded(place, calls)
    if parser is None:
        parser = lark.Lark(grammar, **options, **calls)
        if not sys.dont_write_bytecode:
            _keep(parser, place, list(calls))
    return parser


def _sum(content: bytes) -> bytes:
    import hashlib  # lark has imported it

    return hashlib.sha256(content).digest()


def _loaded(place: Path, calls: dict[str, Any]) -> Lark | None:
    """The parser of the tables there; None where there are none, or not as they were written."""
    import io

    import lark

    try:
        found = place.read_bytes()
    except OSError:
        return None
    if _sum(found[32:]) != found[:32]:
        return None
    try:
        # `Lark.load` takes no transformer; lark's own `cache=` loads like this, but writes file by file
        # under the name that others read
        parser = lark.Lark.__new__(lark.Lark)
        parser._load(io.BytesIO(found[32:]), **calls)
    except Exception:  # a lark that keeps them otherwise
        return None
    return parser


def _keep(parser: Lark, place: Path, without: list[str]) -> None:
    import io

    written = io.BytesIO()
    parser.save(written, without)
    partial = place.with_name(f"{place.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        partial.write_bytes(_sum(written.getvalue()) + written.getvalue())
        os.replace(partial, place)  # never half a file under that name
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _folder() -> Path | None:
    """Where this user's programs keep what they can make again."""
    asked = os.environ.get("EINSUMDIFF_CACHE")
    if asked is not None:
        return Path(asked) if asked else None
    try:
        home = Path.home()
    except RuntimeError:  # nobody's process
        return None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or home / ".cache"
    return Path(base) / "einsumdiff"


def _own(folder: Path | None) -> Path | None:
    """The folder, made if need be, where nobody else can write into it: tables are read as pickles are."""
    if folder is None:
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return None
    if sys.platform != "win32" and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        return None
    return folder
