"""A plan as source that numba compiles: the statements as loops, in a function that prepares the arrays.

What is outside of the loops is Python: it finds the kind of the numbers, checks shapes and places (loops read
memory without asking), and chooses between the serial and the parallel compilation of one text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from einsumdiff import plan
from einsumdiff.costs import number
from einsumdiff.forms.options import JIT
from einsumdiff.nodes import Input
from einsumdiff.plan import Expr, Plan
from einsumdiff.sizes import AnySize, names
from einsumdiff.targets.numba.blocks import Block
from einsumdiff.targets.numba.loops import Loops
from einsumdiff.targets.numba.scalars import HELPERS as FUNCTIONS

SHARE = 0.05
"""A loop runs in parallel that has at least this part of all work: each one takes time to compile."""

ENOUGH = 500_000
"""Threads are started for so many operations: less takes about as long as starting them."""

HELPERS = {
    "_kind": '''
def _kind(*numbers):
    """The floating-point kind that they have in common, as in NumPy."""
    kind = np.result_type(*numbers) if numbers else np.dtype(float)
    kind = kind if kind.kind == "f" else np.result_type(kind, np.float32)
    if kind not in (np.float32, np.float64):
        raise TypeError(f"the loops are for float32 and float64, not for {kind}: compile without jit=")
    return kind
''',
    "_array": '''
def _array(name, given, shape, kind):
    """The array in one piece of memory, of that kind; without axes a number."""
    if np.shape(given) != shape:
        raise ValueError(f"{name} has shape {np.shape(given)}, expected {shape}")
    return np.asarray(given, kind, order="C") if shape else kind.type(given)
''',
    "_places": '''
def _places(name, given, shape):
    """Places of an axis."""
    given = np.asarray(given)
    if given.shape != shape or given.dtype.kind not in "iu" and given.size:
        raise ValueError(f"{name} is no array of places of shape {shape}")
    return given.astype(np.intp, order="C") if shape else np.intp(given)
''',
    "_within": '''
def _within(name, places, size):
    """Raise an error unless the places are those of an axis of that size."""
    if np.size(places) and not -size <= np.min(places) <= np.max(places) < size:
        raise IndexError(f"{name} holds a place out of an axis of size {size}")
''',
    "_not_empty": """
def _not_empty(op, size):
    if size == 0:
        raise ValueError(f"{op} over nothing: an axis of size 0 has no {op}")
""",
}


def source(what: Plan, docstring: str = "", sizes: Mapping[str, int] | None = None) -> str:
    """The text of a module with one function, named as the plan is; it imports numba and numpy.

    Raises Unsupported where a part of the plan has no loop. `sizes` are expected ones: which loops are to
    run in parallel is chosen for them.
    """
    return _Module(what, sizes or {}).text(docstring)


class _Module:
    def __init__(self, what: Plan, sizes: Mapping[str, int]) -> None:
        self.plan = what
        taken = {p.name for p in what.parameters} | {*_variables(what.statements)} | {*what.sources}
        taken |= {"np", *JIT, *HELPERS, *FUNCTIONS}
        first = Loops(what, taken, frozenset())
        costs = [max(0.0, number(one, sizes)) for one in first.works]
        most = SHARE * sum(costs)
        worth = not all(isinstance(one, int) for one in first.works) or sum(costs) > ENOUGH
        chosen = frozenset(k for k, cost in enumerate(costs) if cost >= most and worth)
        self.loops = Loops(what, taken, chosen)
        self.work: AnySize = 0
        for k in sorted(chosen):
            self.work = self.work + self.loops.works[k]
        self.chosen = chosen
        self.narrow: dict[tuple[str, ...], str] = {}  # kinds of results that not all arguments decide
        self.read = [p for p in what.parameters if p.name in self.loops.uses]
        self.numbers = [p for p in what.parameters if p.name not in what.indices]

    def text(self, docstring: str) -> str:
        loops, what = self.loops, self.plan
        inner = [*(p.name for p in self.read), *sorted(self.loops.sizes)]
        returned = self._returned()
        before = self._before()
        call = f"_compiled({', '.join(self._choice())})({', '.join(inner)})"
        lines = [*_docstring(docstring, what.parameters), *self._sizes(), *before]
        lines += [f"{', '.join(what.returns)} = {call}", f"return {returned}"]
        arguments = ", ".join([loops.kind, *(["parallel"] if self.chosen else [])])
        keywords = f'{"parallel=parallel, " if self.chosen else ""}error_model="numpy"'
        head = [
            "@functools.cache",
            f"def _compiled({arguments}):",
            '    """The loops for numbers of that kind; they are compiled at the first call."""',
            "",
            f"    @numba.njit({keywords})",
            f"    def loops({', '.join(inner)}):",
            *_indented(loops.body, 8),
            f"        return {', '.join(what.returns)}",
            "",
            "    return loops",
        ]
        used = [name for name in HELPERS if any(f"{name}(" in line for line in lines)]
        helpers = [HELPERS[name] for name in used]
        helpers += [text for name, text in FUNCTIONS.items() if name in loops.helpers]
        parameters = ", ".join(p.name for p in what.parameters)
        standard = ["import functools", *(["import math"] * loops.math)]
        parts = [
            "\n".join([*standard, "", "import numba", "import numpy as np"]),
            *(one.strip("\n") for one in helpers),
            "\n".join(head),
            f"def {what.name}({parameters}):\n" + textwrap.indent("\n".join(lines), "    "),
        ]
        return "\n\n\n".join(parts) + "\n"

    def _choice(self) -> list[str]:
        """For which numbers the loops are compiled, and whether in parallel."""
        kind = f"{self.loops.kind}.type"
        return [kind, f"{self._size(self.work)} > {ENOUGH}"] if self.chosen else [kind]

    def _before(self) -> list[str]:
        """Lines that convert the arrays, and check what the loops rely on."""
        numbers = ", ".join(p.name for p in self.numbers)
        lines = [f"{self.loops.kind} = _kind({numbers})"]
        for read, kind in self.narrow.items():  # before the arrays have the kind of all
            lines.append(f"{kind} = _kind({', '.join(read)})")
        for one in self.read:
            shape = ", ".join(self._size(size) for size in one.shape) + "," * (len(one.shape) == 1)
            if one.name in self.plan.indices:
                lines.append(f'{one.name} = _places("{one.name}", {one.name}, ({shape}))')
            else:
                lines.append(f'{one.name} = _array("{one.name}", {one.name}, ({shape}), {self.loops.kind})')
        for name, size in self.loops.read_at:
            lines.append(f'_within("{name}", {name}, {self._size(size)})')
        for size, op in self.loops.emptied.items():
            if not isinstance(size, int) or size == 0:
                lines.append(f'_not_empty("{op}", {self._size(size)})')
        return lines

    def _size(self, size: AnySize) -> str:
        self.needed.update(names(size))
        return str(size)

    @property
    def needed(self) -> set[str]:
        return self.loops.sizes

    def _sizes(self) -> list[str]:
        """Lines that read the sizes off the shapes."""
        for name in sorted(self.needed - set(self.plan.sources)):
            raise self.plan.sourceless(name)
        sources = self.plan.sources
        for name in reversed(sources):  # what a size is solved with is needed too
            if name in self.needed:
                self.needed.update([*names(sources[name].less), *names(sources[name].by)])
        lines = []
        for name, one in sources.items():
            if name in self.needed:
                text = f"{one.array.name}.shape[{one.axis}]"
                if one.less != 0:
                    text = f"({text} - ({one.less}))"
                lines.append(f"{name} = {text}" + (f"//({one.by})" if one.by != 1 else ""))
        return lines

    # -- results ----------------------------------------------------------------------------------------

    def _returned(self) -> str:
        returns = [self._result(name) for name in self.plan.returns]
        if self.plan.keys:
            first = len(returns) - len(self.plan.keys)
            items = zip(self.plan.keys, returns[first:], strict=True)
            returns[first:] = ["{" + ", ".join(f"{key!r}: {name}" for key, name in items) + "}"]
        return ", ".join(returns)

    def _result(self, name: str) -> str:
        """The result as NumPy's function has it: what has no axes is a number, or an array without axes."""
        read = self._read_for(name)
        kind = self.loops.kind
        if read is not None and len(read) < len(self.numbers):
            names = tuple(p.name for p in self.numbers if p.name in read)
            kind = self.narrow.get(names) or self.narrow.setdefault(names, self.loops.fresh("kind"))
        if name in self.loops.numbers:
            made = next(one for one in self.plan.statements if getattr(one, "name", None) == name)
            own = isinstance(made, plan.Assign) and made.own and isinstance(made.value, plan.Load | plan.View)
            return f"np.array({name}, {kind})" if own else f"{kind}.type({name})"
        return name if kind == self.loops.kind else f"{name}.astype({kind}, copy=False)"

    def _read_for(self, name: str) -> set[str] | None:
        """The arguments whose kind a variable has in NumPy; None where it is that of all of them."""
        parameters = {p.name for p in self.numbers}
        found: dict[str, set[str] | None] = {p: {p} for p in parameters}
        for one in _flat(self.plan.statements):
            match one:
                case plan.Assign(own, value, _, _, _):
                    kinds = [found.get(read, set()) for read in sorted(plan.reads(value))]
                    typed = any(kind is None for kind in kinds) or _typed(value)
                    joint = {p for kind in kinds for p in kind or ()}
                    found[own] = None if typed or not joint else joint
                case plan.Zeros(own, _):
                    found[own] = None
        return found.get(name)


def _typed(value: Expr) -> bool:
    """Does NumPy's text give it the kind of all arguments?"""
    if isinstance(value, plan.Cast | plan.Place | plan.Hot | plan.Scatter):
        return True
    if isinstance(value, plan.Select) and not plan.reads(value.value):
        return True
    return any(map(_typed, plan.parts(value)))


def _flat(statements: tuple[plan.Statement, ...]) -> Iterator[plan.Statement]:
    for one in statements:
        yield one
        if isinstance(one, plan.Loop):
            yield from _flat(one.body)


def _variables(statements: tuple[plan.Statement, ...]) -> Iterator[str]:
    for one in _flat(statements):
        if isinstance(one, plan.Assign | plan.Zeros | plan.Loop):
            yield one.name


def _indented(block: Block, indent: int) -> Iterator[str]:
    for one in block:
        if isinstance(one, str):
            yield " " * indent + one
        else:
            yield from _indented(one, indent + 4)


def _docstring(text: str, parameters: tuple[Input, ...]) -> list[str]:
    shapes = [f"{p.name}: ({', '.join(map(str, p.shape))}{',' * (len(p.shape) == 1)})" for p in parameters]
    lines = text.strip().split("\n")
    lines += ["", "Shapes: " + ", ".join(shapes) + "."] if shapes else []
    quoted = "\n".join(lines).strip().replace("\\", "\\\\").replace('"""', "'''")
    return [*f'"""{quoted}'.split("\n"), '"""'] if "\n" in quoted else [f'"""{quoted}"""']
