"""The text that generated source brings along for an object that is no array."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

NEEDED = {"sparse": ("patterns",), "compressed": ("patterns", "solving", "compressed")}
"""The modules of this package, in order."""

MARK = "# -- from here on the text is part of generated source --\n"

FIRST = (
    "from __future__ import annotations",
    "",
    "from collections.abc import Iterable, Mapping, Sequence",
    "from math import prod",
    "from typing import Any",
    "",
)
"""The imports of these modules, but numpy."""

ERROR = '''class Unsupported(ValueError):
    """What cannot be done, and why."""
'''


@cache
def text(form: str) -> str:
    """What stands before a function that returns a derivative in this form."""
    folder = files(__package__)
    parts = [(folder / f"{name}.py").read_text(encoding="utf-8") for name in NEEDED[form]]
    return "\n\n".join([ERROR, *(part.partition(MARK)[2].strip("\n") + "\n" for part in parts)])


def lent(source: str) -> tuple[str, dict[str, Any]]:
    """A source without such text, and the names of the library that stand for it.

    So that objects of all derivatives are of one class, and can be pickled.
    """
    from einsumdiff.forms.compressed import Compressed
    from einsumdiff.forms.patterns import Core, sparse

    for form in reversed(NEEDED):  # the text of one begins with that of the other
        own = text(form).strip("\n") + "\n\n\n"
        if own in source:
            return source.replace(own, ""), {"Core": Core, "sparse": sparse, "Compressed": Compressed}
    return source, {}
