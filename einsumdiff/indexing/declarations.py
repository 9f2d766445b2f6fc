"""What is declared of names, in the text or in `shapes=`, and which names are arrays, sizes or letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from einsumdiff.errors import NameFault, ShapeFault, Span, Unsupported
from einsumdiff.indexing.shapes import check_given, declared_size, given_properties, given_shape
from einsumdiff.indexing.shapes import declared as in_words
from einsumdiff.language import tree
from einsumdiff.properties import PROPERTIES
from einsumdiff.sizes import AnySize, names


class Declarations:
    """The shapes and properties that somebody gave, and where a name stands.

    Attributes
    ----------
    words : every name that is typed anywhere.
    """

    def __init__(self, shapes: Mapping[str, object]) -> None:
        self.given = dict(shapes)
        self.words: dict[str, None] = {}
        self.properties: dict[str, tuple[str, ...]] = {}
        self._declared: dict[str, tuple[tuple[AnySize, ...], str, Span | None]] = {}
        self._sizes: dict[str, str] = {}  # size names, with where they come from
        self._arrays: set[str] = set()  # names that stand outside of brackets, or before them

    def _declare(self, statement: tree.Declare) -> None:
        name = statement.name.name
        for word in statement.properties:
            if word not in PROPERTIES:
                raise Unsupported(
                    f"the property {word} is not known", statement.span, f"known is {', '.join(PROPERTIES)}"
                )
        shape = tuple(declared_size(size) for size in statement.sizes)
        for size in shape:
            if isinstance(size, int) and size < 0:
                raise NameFault(f"{size} is no size", statement.span, "a size is 0 or more")
        _is_square(name, shape, statement.properties, statement.span)
        old = self._declared.get(name)
        if old is not None and old[0] != shape:
            raise NameFault(f"{name} is declared twice", statement.span, "keep one declaration")
        self._declared[name] = shape, f"declared in line {statement.span.line}", statement.span
        if statement.properties:
            self.properties[name] = statement.properties
        self.words[name] = None
        for size in shape:
            for one in names(size):
                self._sizes.setdefault(str(one), f"declared in line {statement.span.line}")
                self.words[one] = None

    def _read_given(self) -> None:
        """Declare what is in `shapes=`."""
        check_given(self.given, [*self.words])
        for name, given in self.given.items():
            shape, source = given_shape(name, given)
            _, properties = given_properties(given)
            _is_square(name, shape, properties, None)
            if properties:
                own = self.properties.get(name, ())
                self.properties[name] = tuple(dict.fromkeys([*own, *properties]))
            if name in self._declared:
                old, place, span = self._declared[name]
                if len(old) != len(shape) or any(_clash(a, b) for a, b in zip(old, shape, strict=True)):
                    raise ShapeFault(
                        f"{name} is {in_words(old)}, {place}, and {in_words(shape)}, {source}",
                        span,
                        "keep one of them",
                    )
            else:
                self._declared[name] = shape, source, None
                for size in shape:
                    for one in names(size):
                        self._sizes.setdefault(str(one), "in shapes=")
                        self.words[one] = None

    def _no_size_is_an_array(self, assigned: Set[str]) -> None:
        for name in self._sizes:
            if name in self._declared or name in assigned:
                span = next((e[2] for n, e in self._declared.items() if name in map(str, e[0])), None)
                raise NameFault(f"{name} is both a size and an array", span, "give one of them another name")

    def _scan(self, nodes: Iterable[tree.Tree], inside: bool) -> None:
        """Which names stand outside of brackets."""
        stack = [(node, inside) for node in nodes]
        while stack:
            node, inside = stack.pop()
            match node:
                case tree.Name(name=name) if not name.startswith(tree.OPEN):
                    self.words[name] = None
                    if not inside:
                        self._arrays.add(name)
                case tree.Subscript(base=base, items=items):
                    stack.append((base, False) if not _is_delta(base) else (base, True))
                    stack += [(item, True) for item in items]
                case tree.Over(letters=letters, body=body):
                    stack += [(letter, True) for letter in letters]
                    stack.append((body, False))
                case tree.Apply() | tree.Attribute():
                    stack += [(part, False) for part in tree.children(node)]
                case _:
                    stack += [(part, inside) for part in tree.children(node)]


def _is_square(name: str, shape: tuple[AnySize, ...], properties: tuple[str, ...], span: Span | None) -> None:
    """What has a property has two last axes of one size."""
    if properties and (len(shape) < 2 or shape[-1] != shape[-2]):
        raise ShapeFault(
            f"{name} is declared {properties[0]} and not square",
            span,
            f"write {name}: (n, n) {properties[0]}",
        )


def _clash(declared: AnySize, given: AnySize) -> bool:
    """Whether a size cannot be both; a number given for a declared name is one of its values."""
    return declared != given and isinstance(given, int) <= isinstance(declared, int)


def _is_delta(base: tree.Tree) -> bool:
    return isinstance(base, tree.Name) and base.name == "delta"
