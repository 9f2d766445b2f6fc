"""Terms, the bodies that are made of them or of one operation, and the arrays that a body defines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from einsumdiff.nodes.arrays import Array
from einsumdiff.nodes.factors import Entry, Guard, Mask
from einsumdiff.nodes.labels import Form, Label, bare
from einsumdiff.nodes.products import Product
from einsumdiff.sizes import AnySize


class Term(NamedTuple):
    """`array[axes] += product`, over all values of the labels of `axes` (see the module's docstring).

    Every form in `axes` is within its axis wherever the guards of the product hold. The bound labels of
    the product are in no axis; its free labels are all in `axes`.
    """

    axes: tuple[Form, ...]
    product: Product

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels of the axes, in order of appearance."""
        return tuple(dict.fromkeys([label for form in self.axes for label in form.labels]))

    def substitute(self, values: Mapping[Label, Form]) -> Term:
        return Term(tuple([f.substitute(values) for f in self.axes]), self.product.substitute(values))

    def fresh(self) -> Term:
        """The same term in labels of its own."""
        values = {label: bare(label.fresh()) for form in self.axes for label in form.labels}
        axes = tuple([form.substitute(values) for form in self.axes])
        return Term(axes, self.product.relabelled(values))


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A sum of terms; where no term writes, the value is 0."""

    terms: tuple[Term, ...]


Operand = Entry | int | Fraction | float


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """`array[axes] = function(operands)`, elementwise; the axes are bare and distinct labels.

    Operands are entries of power 1 whose labels are all among the axes, or numbers. `function` is a
    name in the table of rules.
    """

    function: str
    axes: tuple[Label, ...]
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reduce:
    """`array[axes] = op over bound of entry`, where the guards hold; op: `prod max min logsumexp`.

    Over nothing `prod` is 1; the others have at least one value (checked at call time).
    """

    op: str
    axes: tuple[Label, ...]
    bound: tuple[Label, ...]
    entry: Entry
    guards: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Operate:
    """`array[batch, axes] = operation(operands)`, an operation with a stated rule (`op` of the table).

    Each operand is an entry of power 1 with bare, distinct labels: the batch labels first, then those of
    the operation's own axes, which are `bound` (the operation reads all of them). `axes` are batch
    labels and then fresh labels for the operation's own result axes. One that `keeps_symmetry` gives a
    symmetric matrix for a symmetric one.
    """

    operation: str
    axes: tuple[Label, ...]
    operands: tuple[Entry, ...]
    bound: tuple[Label, ...]
    parameters: tuple[tuple[str, object], ...] = field(default=())
    keeps_symmetry: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class OneHot:
    """`array[axes] = [entry == place]`, 1 or 0, the place being the last of the axes.

    The entry holds whole numbers from 0 to below the size of the place, or negative ones that count from
    its end, and has the labels of the other axes. A gather is a sum over the place, `x[index[i]] = sum[j]
    x[j]*[index[i] == j]`, so that forms stay affine; its derivative scatters.
    """

    axes: tuple[Label, ...]
    entry: Entry


Body = Sum | Call | Reduce | Operate | OneHot


class Definition(Array):
    """An array defined by a body. Order of `serial` is an order of evaluation.

    `named` tells whether the user gave the name; a generated definition may be printed in place. One
    that is `opaque` is a wrt: what it is made of is no business of those who read it. `reads` are the
    arrays in its body, each once.
    """

    __slots__ = ("body", "named", "opaque", "reads")
    body: Body
    reads: tuple[Array, ...]
    named: bool
    opaque: bool

    def __init__(
        self, name: str, shape: tuple[AnySize, ...], body: Body, named: bool = False, opaque: bool = False
    ) -> None:
        super().__init__(name, shape)
        self.body, self.named, self.opaque, self.reads = body, named, opaque, body_arrays(body)
        self.one_hot = isinstance(body, OneHot)


def body_arrays(body: Body) -> tuple[Array, ...]:
    """The arrays that a body reads, in order, each once."""
    found: dict[Array, None] = {}
    match body:
        case Sum(terms):
            for term in terms:
                for factor in term.product.factors:
                    if isinstance(factor, Entry | Mask):
                        found[factor.array] = None
        case Call(_, _, operands):
            for operand in operands:
                if isinstance(operand, Entry):
                    found[operand.array] = None
        case Reduce() | OneHot():
            found[body.entry.array] = None
        case Operate():
            for entry in body.operands:
                found[entry.array] = None
    return tuple(found)


def body_axes(body: Body) -> tuple[Form, ...]:
    """The left side: of a sum, that of its first term."""
    if isinstance(body, Sum):
        return body.terms[0].axes if body.terms else ()
    return tuple(bare(label) for label in body.axes)
