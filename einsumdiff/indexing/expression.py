"""Expressions with their names resolved: arrays are variables, functions are rows, letters are indices.

The step between the syntax tree (what was typed) and values (index form). Chains of `+` and `*` are
flat, however long they are. `rank`, `shape`, `summed` and `meaning` are filled in by the passes that
find them: `ranks`, `shapes`, `einstein`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from einsumdiff.errors import Span
from einsumdiff.language.rows import Definition, Form, Function, Operation
from einsumdiff.sizes import AnySize

if TYPE_CHECKING:
    from einsumdiff.nodes import Array
    from einsumdiff.program import Builder, Value


class Index:
    """A letter of one statement, or of one explicit reduction in it; in a rule, a group of axes.

    Compared by identity: `sum[i](a[i])*sum[i](b[i])` has two. `typed` tells whether a person gave the
    letter, which then is kept in print.
    """

    __slots__ = ("name", "size", "span", "typed")

    def __init__(self, name: str, span: Span | None = None, typed: bool = False) -> None:
        self.name, self.span, self.typed = name, span, typed
        self.size: AnySize | None = None

    def __repr__(self) -> str:
        return f"Index({self.name})"


Axis = tuple[Index, int]
"""One axis of an operation: a letter and which of the axes that it stands for."""


@dataclass(slots=True, eq=False)
class Affine:
    """`2*i + j - 1` in brackets."""

    terms: tuple[tuple[Index, AnySize], ...]
    constant: AnySize
    span: Span

    @property
    def index(self) -> Index | None:
        """The letter of a plain access (`i`), else None."""
        if len(self.terms) == 1 and self.constant == 0 and self.terms[0][1] == 1:
            return self.terms[0][0]
        return None


class Variable:
    """What a name means from one line of a program on: an input, or the value of an assignment.

    Parameters
    ----------
    name : as typed.
    span : where it first appears.
    """

    __slots__ = (
        "array",
        "declared",
        "exact",
        "least",
        "line",
        "name",
        "rank",
        "shape",
        "source",
        "span",
    )

    def __init__(self, name: str, span: Span) -> None:
        self.name, self.span = name, span
        self.declared: tuple[AnySize, ...] | None = None  # sizes that were declared or given
        self.source = ""  # who gave them, in words
        self.exact: int | None = None  # the rank that an access in indices forces
        self.least = 0  # the least rank that an operation needs
        self.rank = 0
        self.shape: tuple[AnySize, ...] = ()
        self.line: Line | None = None  # what assigns it; None for an input
        self.array: Array | None = None


@dataclass(slots=True, eq=False)
class Node:
    """An expression. `summed` are the letters that the Einstein rule sums over it."""

    span: Span
    rank: int = field(default=0, init=False)
    shape: tuple[AnySize, ...] = field(default=(), init=False)
    summed: tuple[Index, ...] = field(default=(), init=False)


@dataclass(slots=True, eq=False)
class Number(Node):
    value: int | Fraction | float


@dataclass(slots=True, eq=False)
class Named(Node):
    """`pi`, `e`, `inf`."""

    name: str


@dataclass(slots=True, eq=False)
class SizeName(Node):
    """A size name as a number."""

    name: str


@dataclass(slots=True, eq=False)
class AxisSize(Node):
    """`x.shape[axis]`; all axes' product (`x.size`) where `axis` is None."""

    base: Node
    axis: int | None


@dataclass(slots=True, eq=False)
class RankOf(Node):
    """`x.ndim`."""

    base: Node


@dataclass(slots=True, eq=False)
class Count(Node):
    """In rules, `len(k)`: how many values a letter has."""

    index: Index


@dataclass(slots=True, eq=False)
class Parameter(Node):
    """In rules and in the meaning of operations: an argument."""

    name: str


@dataclass(slots=True, eq=False)
class Reference(Node):
    """A variable of the program."""

    variable: Variable


@dataclass(slots=True, eq=False)
class Sum(Node):
    """Terms with their signs."""

    terms: tuple[tuple[int, Node], ...]


@dataclass(slots=True, eq=False)
class Product(Node):
    """Factors with their exponents, 1 or -1 for a divisor."""

    factors: tuple[tuple[Node, int], ...]


@dataclass(slots=True, eq=False)
class Power(Node):
    base: Node
    exponent: Node


@dataclass(slots=True, eq=False)
class Call(Node):
    """A scalar function, elementwise: an `fn` row, or a `def` row without axes."""

    row: Function | Definition
    args: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class Access(Node):
    """`base[items]` in indexed notation: a scalar. In rules an item may stand for several axes."""

    base: Node
    items: tuple[Affine, ...]


@dataclass(slots=True, eq=False)
class Delta(Node):
    """`[left op right]`: Kronecker's delta, or another indicator (`>=`, `!=`)."""

    left: Affine
    right: Affine
    op: str = "=="


@dataclass(slots=True, eq=False)
class Over(Node):
    """`sum[j](body)`: an explicit reduction over letters of its own."""

    op: str
    indices: tuple[Index, ...]
    body: Node


@dataclass(slots=True, eq=False)
class Operate(Node):
    """An operation on whole arrays, by a row with axes. `arguments` are as bound to its parameters.

    `meaning` says it in indices, once the ranks of the operands are known.
    """

    row: Definition | Form | Operation
    arguments: Arguments
    meaning: Meaning | Layout | None = field(default=None, init=False)
    sizes: dict[Axis, AnySize] = field(default_factory=dict, init=False)


@dataclass(slots=True, eq=False)
class ShapeOf:
    """`x.shape` where a shape is expected."""

    base: Node
    span: Span


Static = object
"""An argument that is no array: int, float, str, None, bool, Node (a size), ShapeOf, or a tuple."""


@dataclass(slots=True, eq=False)
class Arguments:
    """What a call gives to the parameters of a row: arrays as nodes, the others as they are."""

    span: Span
    name: str
    name_span: Span
    operands: dict[str, Node]
    statics: dict[str, Static]
    spans: dict[str, Span]
    prefix: str = ""


@dataclass(slots=True, eq=False)
class Meaning:
    """An operation on whole arrays in indices, for the ranks that it was asked with.

    Attributes
    ----------
    operands : by parameter, the node and the index of each of its axes.
    axes : those of the result.
    body : a scalar over the axes; `Access` of a `Parameter` has the letters of `patterns`.
    patterns : by parameter, the letters of a row's brackets and for each axis the (letter's place,
        which of the letter's axes).
    stretch : the letters along which an axis known to be 1 repeats.
    given : sizes that are known beforehand: 1 for a new axis.
    equal : pairs of axes of one size, because a delta ties them.
    rest : stands for the axes that a row does not name (those that a reduction keeps).
    least : an axis that has the smaller of the sizes of two others.
    reads : how often the body reads each parameter.
    """

    operands: dict[str, tuple[Node, tuple[Axis, ...]]]
    axes: tuple[Axis, ...]
    body: Node
    patterns: dict[str, tuple[tuple[int, int], ...]]
    stretch: frozenset[Index] = frozenset()
    given: dict[Axis, Node | int] = field(default_factory=dict)
    equal: tuple[tuple[Axis, Axis], ...] = ()
    rest: Index | None = None
    reads: dict[str, int] = field(default_factory=dict)
    least: tuple[Axis, Axis, Axis] | None = None


def is_size(node: Node) -> bool:
    """Whether a scalar expression is made of sizes and whole numbers."""
    stack, seen = [node], {id(node)}
    while stack:
        one = stack.pop()
        match one:
            case Number(value=int()) | SizeName() | AxisSize() | RankOf():
                parts: tuple[Node, ...] = ()
            case Sum() | Product():
                parts = children(one)
            case Call(row=row, args=args) if row.name == "floor_divide":
                parts = args
            case Reference(variable=variable) if variable.line is not None and not variable.rank:
                parts = (variable.line.value,)
            case _:
                return False
        for part in parts:
            if id(part) not in seen:
                seen.add(id(part))
                stack.append(part)
    return True


class Solver(Protocol):
    """The sizes of a program, while they are found (`sizing.Sizing`)."""

    def size_of(self, node: Node) -> AnySize:
        """The size that a scalar expression of sizes is."""

    def unify(self, a: AnySize, b: AnySize) -> bool:
        """Make two sizes one; False where they are apart."""

    def resolve(self, size: AnySize) -> AnySize:
        """What is known of a size by now."""

    def unknown(self) -> AnySize:
        """A size that is to be found."""

    def show(self, shape: Iterable[AnySize]) -> str:
        """A shape for messages."""


class Layout:
    """An operation that puts entries into other places, which are known once all sizes are.

    Attributes
    ----------
    operands : by parameter.
    rank : of the result.
    span : of the call.
    """

    def __init__(self, span: Span, operands: Mapping[str, Node], rank: int) -> None:
        self.span, self.operands, self.rank = span, operands, rank

    def shape(self, shapes: list[tuple[AnySize, ...]], solver: Solver) -> tuple[AnySize, ...]:
        """The shape of the result; sizes may still be unknown, and may be made equal."""
        raise NotImplementedError

    def value(self, values: list[Value], shape: tuple[AnySize, ...], builder: Builder) -> Value:
        """The result, of that shape. All sizes are final, those that `shape` kept if resolved again."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Cut:
    """`start:stop:step` in NumPy's brackets; a number by itself is a `start` that is `single`.

    The parts are whole numbers, sizes as nodes, or None.
    """

    start: Static
    stop: Static
    step: Static
    single: bool
    span: Span


class Line:
    """A statement with its names resolved.

    Attributes
    ----------
    target : what it assigns; None for a bare expression that is not the output.
    left : the letters of the left side; None in vectorised notation.
    indices : all letters of the statement, those of explicit reductions too.
    accesses : the accesses and deltas in letters, in the order of the text.
    scalars : whole-array expressions among scalar entries, which must have rank 0.
    """

    __slots__ = ("accesses", "indexed", "indices", "left", "scalars", "span", "target", "value")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.target: Variable | None = None
        self.left: tuple[Index, ...] | None = None
        self.indexed = False
        self.indices: list[Index] = []
        self.accesses: list[Access | Delta] = []
        self.scalars: list[Node] = []
        self.value: Node


def children(node: Node) -> tuple[Node, ...]:
    """The scalar or elementwise parts of a node; operands of operations are no such parts."""
    match node:
        case Sum(terms=terms):
            return tuple(term for _, term in terms)
        case Product(factors=factors):
            return tuple(factor for factor, _ in factors)
        case Power(base=base, exponent=exponent):
            return (base, exponent)
        case Call(args=args):
            return args
        case Over(body=body):
            return (body,)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and its parts (see `children`), and the bases of accesses."""
    stack = [node]
    while stack:
        one = stack.pop()
        yield one
        if isinstance(one, Access):
            stack.append(one.base)
        stack.extend(reversed(children(one)))


def bases(node: Node) -> list[Node]:
    """Arrays of which a node only reads the shape."""
    if isinstance(node, AxisSize | RankOf):
        return [node.base]
    if not isinstance(node, Operate):
        return []
    found: list[Node] = []
    stack: list[object] = list(node.arguments.statics.values())
    while stack:
        one = stack.pop()
        if isinstance(one, tuple):
            stack.extend(one)
        elif isinstance(one, ShapeOf):
            found.append(one.base)
        elif isinstance(one, Cut):
            stack += [one.start, one.stop, one.step]
        elif isinstance(one, Node):
            found.append(one)
    return found
