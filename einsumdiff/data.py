"""Where the grammars and the rules are: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def _places(folder: str) -> Iterator[Path | Traversable]:
    """Where the folder may be: in the installed package, beside it in a checkout, in a zip file."""
    yield Path(__file__).parent / folder
    yield Path(__file__).resolve().parents[1] / folder
    import importlib.resources  # takes as long as it takes to read all rules

    yield importlib.resources.files(__package__) / folder


def _read(folder: str, pattern: str) -> dict[str, str]:
    """The texts of the files in `folder` whose names end in `pattern`, by name, in order of name."""
    tried = []
    for place in _places(folder):
        tried.append(str(place))
        if place.is_dir():
            found = {f.name: f for f in place.iterdir() if f.name.endswith(pattern)}
            if found:
                return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}
    raise FileNotFoundError(
        f"einsumdiff needs its folder {folder!r} with *{pattern} files; it is neither at {tried[0]} "
        f"(an installed package) nor at {tried[1]} (a checkout)"
    )


def grammar(name: str) -> str:
    """The text of `grammar/NAME.lark`."""
    return _read("grammar", f"{name}.lark")[f"{name}.lark"]


def rules() -> dict[str, str]:
    """The texts of `rules/*.rules`, by file name."""
    return _read("rules", ".rules")
