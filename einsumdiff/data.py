"""Where the grammars and the rules are: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path


def _read(folder: str, pattern: str) -> dict[str, str]:
    """The texts of the files in `folder` whose names end in `pattern`, by name, in order of name."""
    import importlib.resources  # not needed before the first text is read

    installed = importlib.resources.files(__package__) / folder
    checkout = Path(__file__).resolve().parents[1] / folder
    for place in (installed, checkout):
        if place.is_dir():
            found = {f.name: f for f in place.iterdir() if f.name.endswith(pattern)}
            if found:
                return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}
    raise FileNotFoundError(
        f"einsumdiff needs its folder {folder!r} with *{pattern} files; it is neither at {installed} "
        f"(an installed package) nor at {checkout} (a checkout)"
    )


def grammar(name: str) -> str:
    """The text of `grammar/NAME.lark`."""
    return _read("grammar", f"{name}.lark")[f"{name}.lark"]


def rules() -> dict[str, str]:
    """The texts of `rules/*.rules`, by file name."""
    return _read("rules", ".rules")
