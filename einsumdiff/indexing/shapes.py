"""Sizes: unknown ones, what makes two equal, and the names that they end up with.

An unknown size is a size name that starts with `?`; `unify` gives it a value. Sizes that a declaration
names are apart from each other and from numbers.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from einsumdiff.errors import EinsumDiffError, NameFault, SyntaxFault, ValueFault, nearest
from einsumdiff.language import tree
from einsumdiff.language.parse import parse_expression
from einsumdiff.properties import PROPERTIES
from einsumdiff.sizes import AnySize, Size, names, substitute, symbol

Shape = tuple[AnySize, ...]

POOL = ("m", "n", "p", "q", "r", "s", "k", "l")
"""Names for sizes that the program does not name."""


@dataclass(slots=True)
class Sizes:
    """Unknown sizes and what is known of them."""

    values: dict[str, AnySize] = field(default_factory=dict)
    count: int = 0

    def unknown(self) -> Size:
        """A new unknown size."""
        self.count += 1
        return symbol(f"?{self.count}")

    def resolve(self, size: AnySize) -> AnySize:
        """The size with everything put in that is known."""
        while isinstance(size, Size) and not self.values.keys().isdisjoint(size.names):
            size = substitute(size, self.values)
        return size

    def shape(self, shape: Iterable[AnySize]) -> Shape:
        return tuple(self.resolve(size) for size in shape)

    def unify(self, a: AnySize, b: AnySize) -> bool:
        """Make two sizes equal; False where they are not and nothing unknown can make them."""
        a, b = self.resolve(a), self.resolve(b)
        if a == b:
            return True
        for one, other in ((b, a), (a, b)):
            name = _lone(one)
            if name is not None and name not in names(other):
                self.values[name] = other
                return True
        difference = a - b
        for name in list(names(difference)):
            if name.startswith("?"):
                solved = _solve(difference, name)
                if solved is not None:
                    self.values[name] = solved
                    return True
        return False

    def settle(self, sizes: Iterable[AnySize], taken: Iterable[str]) -> None:
        """Give a name to every unknown size in these, in order."""
        for name, given in self.proposed(sizes, taken).items():
            self.values[name] = symbol(given)

    def proposed(self, sizes: Iterable[AnySize], taken: Iterable[str]) -> dict[str, str]:
        """The names that `settle` would give: m, n, p, ..., and n where there is only one."""
        used = set(taken)
        found = [name for size in sizes for name in names(self.resolve(size)) if name.startswith("?")]
        unknown = list(dict.fromkeys(found))
        pool = itertools.chain(("n",) if len(unknown) == 1 else (), POOL, _numbered())
        return dict(zip(unknown, (name for name in pool if name not in used), strict=False))


def _numbered() -> Iterator[str]:
    for k in itertools.count(1):
        yield f"m{k}"
        yield f"n{k}"


def _lone(size: AnySize) -> str | None:
    """The name of a size that is just an unknown."""
    name = size.name if isinstance(size, Size) else None
    return name if name is not None and name.startswith("?") else None


def _solve(difference: AnySize, name: str) -> AnySize | None:
    """The value of an unknown that makes the difference 0, where it stands alone with factor 1 or -1."""
    assert isinstance(difference, Size)
    own = [(m, c) for m, c in difference.terms if m == (name,)]
    if len(own) != 1 or abs(own[0][1]) != 1:
        return None
    rest = difference - own[0][1] * symbol(name)
    if name in names(rest):
        return None
    return -own[0][1] * rest


def shown(shape: Sequence[AnySize]) -> str:
    """`(m, n)`, as it is printed: `(n)` for a vector."""
    return f"({', '.join(str(size) for size in shape)})"


def declared(shape: Sequence[AnySize]) -> str:
    """`(m, n)`, `(n,)`: as it is declared."""
    return f"({', '.join(str(size) for size in shape)}{',' * (len(shape) == 1)})"


# ------------------------------------------------------------------------------------------- what is given


def given_properties(value: object) -> tuple[object, tuple[str, ...]]:
    """A value of `shapes=` without the words for properties at its end, and these.

    >>> given_properties("n n symmetric")
    ('n n', ('symmetric',))
    """
    if isinstance(value, str):
        parts: Sequence[object] = value.replace(",", " ").replace("(", " ").replace(")", " ").split()
    elif isinstance(value, tuple | list):
        parts = value
    else:
        return value, ()
    words = [part for part in parts if isinstance(part, str) and part in PROPERTIES]
    if not words or parts[-len(words) :] != (tuple(words) if isinstance(parts, tuple) else words):
        return value, ()
    rest = parts[: -len(words)]
    return " ".join(map(str, rest)) if isinstance(value, str) else rest, tuple(words)


def given_shape(name: str, value: object) -> tuple[Shape, str]:
    """A value of `shapes=` as sizes, and what it is in words."""
    value, _ = given_properties(value)
    if isinstance(value, str):
        parts = value.replace(",", " ").strip("() ").split()
        return tuple(_given_size(name, part) for part in parts), "given in shapes="
    if isinstance(value, int) and not isinstance(value, bool):
        return (_given_size(name, value),), "given in shapes="
    shape = getattr(value, "shape", None)
    if shape is not None:
        return tuple(int(size) for size in shape), "an example array in shapes="
    if isinstance(value, float):
        return (), "an example array in shapes="
    if isinstance(value, tuple | list):
        return tuple(_given_size(name, part) for part in value), "given in shapes="
    raise ValueFault(
        f"shapes[{name!r}] is {value!r}, which is no shape",
        None,
        'write "m n", ("m", "n"), (2, 3) or an array',
    )


def _given_size(name: str, part: object) -> AnySize:
    if not isinstance(part, str):
        try:
            part = operator.index(part)  # type: ignore[arg-type]
        except TypeError:
            raise ValueFault(
                f"shapes[{name!r}] has {part!r} as a size", None, "a size is a name or a number"
            ) from None
        if part < 0:
            raise ValueFault(f"shapes[{name!r}] has the negative size {part}", None, "a size is 0 or more")
        return part
    if part.isdigit():
        return int(part)
    if part.isidentifier():
        return symbol(part)
    try:
        size = declared_size(parse_expression(part))
        if isinstance(size, int) and size < 0:
            raise ValueFault("negative")
        return size
    except EinsumDiffError:
        raise ValueFault(
            f"shapes[{name!r}] has {part!r} as a size", None, "a size is a name, a number or a sum of them"
        ) from None


def declared_size(node: tree.Tree) -> AnySize:
    """A size of a declaration: numbers, names and whole-number arithmetic."""
    match node:
        case tree.Number(value=int() as value):
            return value
        case tree.Name(name=name):
            return symbol(str(name))
        case tree.Unary(op="-", operand=operand):
            return -declared_size(operand)
        case tree.Binary(op="+", left=left, right=right):
            return declared_size(left) + declared_size(right)
        case tree.Binary(op="-", left=left, right=right):
            return declared_size(left) - declared_size(right)
        case tree.Binary(op="*", left=left, right=right):
            return declared_size(left) * declared_size(right)
        case tree.Binary(op="//", left=left, right=tree.Number(value=int() as divisor)) if divisor > 0:
            return declared_size(left) // divisor
    raise SyntaxFault(
        f"{node.span.source} is no size", node.span, "a size is a name, a number or a sum of them"
    )


def check_given(shapes: Mapping[str, object], known: Iterable[str]) -> None:
    """Every name in `shapes=` is one of the program's."""
    names_known = dict.fromkeys(known)
    for name in shapes:
        if name not in names_known:
            near = nearest(name, names_known)
            raise NameFault(
                f"{name} in shapes= is no name of the program",
                None,
                f"did you mean {' or '.join(near)}?" if near else f"its names are {', '.join(names_known)}",
            )


def tall_or_wide(source: str) -> str:
    """What to write where it must be known which size of a matrix is the smaller one."""
    if source.isidentifier():
        return (
            f"declare a tall one {source}: (n + k, n), a wide one {source}: (m, m + k), or give numbers: "
            f'shapes={{"{source}": (5, 3)}}'
        )
    return "give the sizes as numbers in shapes=, or declare inputs so that it is n + k by n, or m by m + k"
