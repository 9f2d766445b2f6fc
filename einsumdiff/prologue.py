"""The checks of a call as straight-line Python, made for one program.

    m, n = A.shape
    fits = type(A) is type(x) is ndarray and A.dtype is x.dtype in floats and x.shape == (n,)

Arrays that fit without any doubt go on at once. All else, also what only has to be converted, goes the slow
way through `arguments`, which explains what is wrong; so this may refuse too much, and never too little.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from itertools import count
from typing import TYPE_CHECKING, Any

from einsumdiff.arguments import Arguments
from einsumdiff.errors import ValueFault
from einsumdiff.nodes import Input
from einsumdiff.packing import Packing
from einsumdiff.sizes import AnySize, linear, names, substitute, symbol

if TYPE_CHECKING:
    import numpy as np

Explain = Callable[[Sequence[object], Mapping[str, object]], Any]

_prologues = count(1)

FEW = 64
"""So many places are compared faster as a list."""


def behind(
    checks: Arguments,
    function: Callable[..., Any],
    shapes: Mapping[Any, Sequence[AnySize]] | None = None,
) -> Callable[..., Any]:
    """The function behind the checks of its arguments; with `shapes`, those of its buffer `out` too."""
    keywords = tuple(function.__kwdefaults__ or ())  # the user's functions, which it may be given

    def explain(args: Sequence[object], kwargs: Mapping[str, object]) -> Any:
        own: dict[str, Any] = {name: one for name, one in kwargs.items() if name in keywords}
        given = {name: one for name, one in kwargs.items() if name not in keywords}
        if shapes is None:
            return checks.call(function, args, given, **own)
        if given.get("out") is None:
            raise ValueFault("the buffer is missing", None, "pass out=...")
        return checks.call(function, args, given, (given.pop("out"), shapes), **own)

    def slow(*args: object, **kwargs: object) -> Any:
        return explain(args, kwargs)

    text = prologue(checks) if shapes is None else None
    return wraps(function)(slow if text is None else _loaded(text, checks, function, explain))


def ready(
    checks: Arguments,
    function: Callable[..., Any],
    shapes: Mapping[Any, Sequence[AnySize]],
    packing: Packing | None,
    explain: Explain,
) -> Callable[..., Any]:
    """What the call of a derivative calls: its function behind the checks, with arrays for numbers.

    Parameters
    ----------
    shapes : of the results by key.
    explain : called with the arguments by position and those by name where they do not fit at once.
    """

    def slow(*args: object, **kwargs: object) -> Any:
        return explain(args, kwargs)

    if packing is not None and not packing.plainly([one.name for one in checks.inputs]):
        return slow
    finish = "{}"
    if not all(shapes.values()):
        finish = "asarray({})" if None in shapes else "{{key: asarray(one) for key, one in {}.items()}}"
    text = prologue(checks, finish)
    return slow if text is None else _loaded(text, checks, function, explain)


def _loaded(
    text: str, checks: Arguments, function: Callable[..., Any], explain: Explain
) -> Callable[..., Any]:
    """The function behind the checks that the text says."""
    import numpy as np

    order = [one.name for one in checks.inputs]

    def otherwise(args: Iterable[object], named: Mapping[str, object]) -> Any:
        given = [one for one in args if one is not absent]
        if not given and named.keys() == set(order):
            return found(*(named[name] for name in order))
        return explain(given, named)

    absent = object()
    kinds = np.dtype(np.float64), np.dtype(np.float32)
    space: dict[str, Any] = {
        "function": function,
        "otherwise": otherwise,
        "absent": absent,
        "within": within,
        "ndarray": np.ndarray,
        "asarray": np.asarray,
        "numbers": (float, np.float64),
        "floats": kinds,
        "float64": kinds[0],
        "intp": np.dtype(np.intp),
    }
    filename = f"<einsumdiff checks {next(_prologues)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    exec(compile(text, filename, "exec"), space)
    found: Callable[..., Any] = space["checked"]
    return found


def within(places: np.ndarray[Any, Any], size: int) -> bool:
    """Whether all places count from 0 up or from -1 down within an axis of that size."""
    if places.size > FEW:
        return bool(-size <= places.min() and places.max() < size)
    few = places.ravel().tolist()
    return not few or (-size <= min(few) and max(few) < size)


def prologue(checks: Arguments, finish: str = "{}") -> str | None:
    """The text of the checks and the call; None where they are more than kinds, shapes and places.

    Arrays and sizes are renamed, so that no name of the program meets one of the text.
    """
    inputs = checks.inputs
    if not inputs or any(one.properties for one in inputs):
        return None
    places = {name for name, _ in checks.indices}
    given = {one.name: f"a{k}" for k, one in enumerate(inputs)}
    numbers = {one.name for one in inputs if not one.shape and one.name not in places}
    arrays = {name: f"{one}_" if name in numbers else one for name, one in given.items()}
    lines, known, solved, bare = _sizes(inputs, given)
    lines += [f"{arrays[n]} = asarray({one}) if type({one}) in numbers else {one}"
              for n, one in given.items() if n in numbers]  # fmt: skip
    sizes = [size for one in inputs for size in one.shape]
    sizes += [*(size for _, size in checks.indices), *(size for _, size in _bounds(checks))]
    if any(name not in known for name in (*checks.sizes, *(n for size in sizes for n in names(size)))):
        return None

    def text(size: AnySize) -> str:
        return str(substitute(size, known))

    conditions = list(_kinds(arrays, places, bool(numbers)))
    for one in inputs:
        if one.name not in bare:
            shape = ", ".join(map(text, one.shape)) + "," * (len(one.shape) == 1)
            conditions.append(f"{arrays[one.name]}.shape == ({shape})")
    conditions += [f"{known[name]} >= 0" for name in solved]
    conditions += [f"{text(size)} {sign} 0" for sign, size in _bounds(checks) if not _holds(sign, size)]
    conditions += [f"within({arrays[name]}, {text(size)})" for name, size in checks.indices]
    order = ", ".join(given.values())
    called = finish.format(f"function({', '.join(arrays.values())})")
    return "\n".join(
        [
            f"def checked({', '.join(f'{one}=absent' for one in given.values())}, /, *more, **named):",
            "    if more or named:",
            f"        return otherwise(({order}, *more), named)",
            "    try:",
            *(f"        {line}" for line in lines),
            "        fits = (",
            "            " + "\n            and ".join(dict.fromkeys(conditions)),
            "        )",
            "    except Exception:",
            "        fits = False",
            "    if fits:",
            f"        return {called}",
            f"    return otherwise(({order},), named)\n",
        ]
    )


def _kinds(arrays: Mapping[str, str], places: set[str], numbers: bool) -> Iterator[str]:
    """That all are arrays, of one kind; of the usual one where plain numbers take it from the arrays."""
    yield f"{' is '.join(f'type({one})' for one in arrays.values())} is ndarray"
    floats = [f"{one}.dtype" for name, one in arrays.items() if name not in places]
    if floats:
        yield f"{' is '.join(floats)} {'is float64' if numbers else 'in floats'}"
    yield from (f"{arrays[name]}.dtype is intp" for name in arrays if name in places)


def _bounds(checks: Arguments) -> Iterator[tuple[str, AnySize]]:
    """How sizes have to compare with 0; one that is divided by, because a 0 needs warnings switched off."""
    yield from ((">=", size) for size, what in checks.whole if what)
    yield from (("!=", size) for one in checks.reductions for size in one.over)
    yield from (("!=", size) for size in checks.divisors)
    for one in checks.places:
        yield ">=", one.place
        yield ">", one.size - one.place


def _holds(sign: str, size: AnySize) -> bool:
    """Whether that is so whatever the names in it are, from 0 on."""
    if isinstance(size, int):
        return {">=": size >= 0, ">": size > 0, "!=": size != 0}[sign]
    return sign == ">=" and all(c >= 0 and all(isinstance(n, str) for n in m) for m, c in size.terms)


def _sizes(
    inputs: Sequence[Input], arrays: Mapping[str, str]
) -> tuple[list[str], dict[str, AnySize], list[str], set[str]]:
    """Lines that read the sizes, their names there, those that are solved for, and the arrays whose shape
    cannot be wrong after that."""
    lines: list[str] = []
    known: dict[str, AnySize] = {}
    solved: list[str] = []
    bare = set()

    def new(name: str) -> AnySize:
        return known.setdefault(name, symbol(f"n{len(known)}"))

    for one in inputs:
        own = [n for size in one.shape for n in names(size) if size == symbol(n) and n not in known]
        if own and len(set(own)) == len(one.shape):
            lines.append(
                f"{', '.join(str(new(n)) for n in own)}{',' * (len(own) == 1)} = {arrays[one.name]}.shape"
            )
            bare.add(one.name)
        else:
            for n in dict.fromkeys(own):
                lines.append(f"{new(n)} = {arrays[one.name]}.shape[{one.shape.index(symbol(n))}]")
    found = True
    while found:  # sizes that others are linear in, as `arguments` solves for them
        found = False
        for one in inputs:
            for axis, size in enumerate(one.shape):
                unknown = [n for n in names(size) if n not in known]
                parts = linear(size, unknown[0]) if len(unknown) == 1 else None
                if parts is not None:
                    by, less = (substitute(part, known) for part in parts)
                    solved.append(unknown[0])
                    lines.append(f"{new(unknown[0])} = ({arrays[one.name]}.shape[{axis}] - ({less}))//({by})")
                    found = True
    return lines, known, solved, bare
