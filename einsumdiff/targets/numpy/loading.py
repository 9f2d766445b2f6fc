"""Generated source as a function; tracebacks show its lines."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from einsumdiff.forms import runtime

_sources = count(1)


def load(text: str, name: str = "f", given: Mapping[str, object] | None = None) -> Callable[..., Any]:
    """The function of that name in a source text; tracebacks show its lines.

    What is `given` becomes the default of the keyword of that name: the user's functions in rules.
    """
    text, space = runtime.lent(text)
    filename = f"<einsumdiff {next(_sources)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    space["__name__"] = name
    exec(compile(text, filename, "exec"), space)
    function = space[name]
    keywords = function.__code__.co_varnames[function.__code__.co_argcount :]
    keywords = keywords[: function.__code__.co_kwonlyargcount]
    defaults = {one: value for one, value in (given or {}).items() if one in keywords}
    function.__kwdefaults__ = {**(function.__kwdefaults__ or {}), **defaults} or None
    loaded: Callable[..., Any] = function
    return loaded
