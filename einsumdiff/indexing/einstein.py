"""The Einstein rule: where each index that is not on the left side is summed.

The place is decided on the expression as typed: a sum of additive terms, each a product of factors,
where a divisor is a factor and a sign is none. Within a term an index is summed

- over the product, if two or more factors bear it;
- further in, if one factor alone does: in each additive term of a bracket, in each argument of a
  function, at an access that bears it twice;
- over a power, unless every additive term of its base that bears the index has a place for it.

Nothing here knows shapes. `place` writes its answer into `Node.summed`.
"""

from __future__ import annotations

from collections.abc import Iterable

from einsumdiff.errors import IndexFault
from einsumdiff.indexing.expression import (
    Access,
    Affine,
    Delta,
    Index,
    Node,
    Operate,
    Over,
    Parameter,
    Power,
    Product,
    Sum,
    children,
)
from einsumdiff.nesting import Steps, run


class _NoPlace(IndexFault):
    """Nothing holds the sum."""


class Places:
    """The rule for one statement. Counts are kept, so a letter costs time only where it occurs."""

    def __init__(self) -> None:
        self._counts: dict[int, dict[Index, int]] = {}

    # -- what bears what

    def letters(self, node: Node) -> dict[Index, int]:
        """In how many places of brackets each index stands, those of inner reductions left out."""
        known = self._counts.get(id(node))
        return run(self._letters(node)) if known is None else known

    def _letters(self, node: Node) -> Steps[dict[Index, int]]:
        known = self._counts.get(id(node))
        if known is not None:
            return known
        counts: dict[Index, int] = {}
        match node:
            case Access(items=items):
                _count(items, counts)
            case Delta(left=left, right=right):
                _count((left, right), counts)
            case _:
                for part in children(node):
                    borne: dict[Index, int] = yield self._letters(part)
                    for index, count in borne.items():
                        counts[index] = counts.get(index, 0) + count
        if isinstance(node, Over):
            for index in node.indices:
                counts.pop(index, None)
        self._counts[id(node)] = counts
        return counts

    # -- where an index goes

    def place(self, node: Node, index: Index) -> list[Node]:
        """The nodes over which an index that `node` bears is summed.

        Raises IndexFault where nothing holds the sum, or where two factors could each hold it.
        """
        return run(self._place(node, index))

    def _place(self, node: Node, index: Index) -> Steps[list[Node]]:
        match node:
            case Sum(terms=terms):
                return (yield self._each((term for _, term in terms), index))
            case Product(factors=factors):
                bearing = [factor for factor, _ in factors if index in self.letters(factor)]
                if len(bearing) == 1:
                    return (yield self._place(bearing[0], index))
                holders: list[Node] = []
                for factor in bearing:
                    if (yield self._alone(factor, index)):
                        holders.append(factor)
                if len(holders) >= 2:
                    raise self._ambiguous(node, holders, index)
                return [node]
            case Power(base=base, exponent=exponent):
                if index not in self.letters(base):
                    return (yield self._place(exponent, index))
                if index in self.letters(exponent):
                    return [node]
                try:
                    return (yield self._place(base, index))
                except _NoPlace:
                    return [node]
            case Access() | Delta():
                if self.letters(node)[index] >= 2:
                    return [node]
                raise self._once(node, index)
            case _:
                return (yield self._each(children(node), index))

    def _each(self, parts: Iterable[Node], index: Index) -> Steps[list[Node]]:
        found: list[Node] = []
        for part in parts:
            if index in self.letters(part):
                found += yield self._place(part, index)
        return found

    def _alone(self, factor: Node, index: Index) -> Steps[bool]:
        """Whether the factor has a place of its own. An access has none: `A[i,i]*B[i,i]` is one sum."""
        while isinstance(factor, Sum) and len(factor.terms) == 1:
            factor = factor.terms[0][1]
        if isinstance(factor, Access | Delta):
            return False
        try:
            yield self._place(factor, index)
        except _NoPlace:
            return False
        return True

    def bind(self, node: Node, left: Iterable[Index]) -> None:
        """Write the sums over all indices of `node` that are not on the left side into its parts."""
        free = set(left)
        stack = [node]
        for index in self.letters(node):
            if index not in free:
                self._bind(node, index)
        while stack:  # letters of explicit reductions are bound there
            one = stack.pop()
            if isinstance(one, Over):
                borne = self.letters(one.body)
                for index in one.indices:
                    if index not in borne:
                        raise IndexFault(
                            f"{index.name} does not occur in the body of this {one.op}",
                            index.span or one.span,
                            f"index something in the body with {index.name}",
                        )
            stack.extend(children(one))

    def _bind(self, node: Node, index: Index) -> None:
        try:
            places = self.place(node, index)
        except _NoPlace as fault:
            raise IndexFault(fault.message, fault.span, fault.hint) from None
        for place in places:
            place.summed = (*place.summed, index)

    # -- a bare expression

    def free(self, node: Node) -> list[Index]:
        """The indices that occur once in each additive term, in alphabetical order."""
        terms = [part for part in _terms(node) if self.letters(part)]
        once = [index for index in self.letters(node) if all(self.letters(t).get(index) == 1 for t in terms)]
        return sorted(once, key=lambda index: index.name)

    # -- faults

    def _once(self, node: Node, index: Index) -> _NoPlace:
        source = node.span.source
        return _NoPlace(
            f"{index.name} occurs once here and is not on the left side",
            node.span,
            f"write sum[{index.name}]({source}), or put {index.name} on the left side",
        )

    def _ambiguous(self, product: Product, holders: list[Node], index: Index) -> IndexFault:
        text = ""
        for factor, power in product.factors:
            source = factor.span.source
            if index in self.letters(factor):
                source = self._summed_within(factor, index)
            elif isinstance(factor, Sum | Product):
                source = f"({source})"
            text += ("*" if power == 1 else "/") * bool(text) + source
        return IndexFault(
            f"{index.name} could be summed over the whole product or in {len(holders)} of its factors",
            product.span,
            f"write sum[{index.name}]({product.span.source}) or {text}",
        )

    def _summed_within(self, factor: Node, index: Index) -> str:
        """The text of a factor with the sum written where the factor holds it, were it alone."""
        span, at, text = factor.span, factor.span.start, ""
        for part in sorted(self.place(factor, index), key=lambda part: part.span.start):
            text += f"{span.text[at : part.span.start]}sum[{index.name}]({part.span.source})"
            at = part.span.stop
        return text + span.text[at : span.stop]


def _count(items: Iterable[Affine], counts: dict[Index, int]) -> None:
    for item in items:
        for index, _ in item.terms:
            counts[index] = counts.get(index, 0) + 1


def _terms(node: Node) -> list[Node]:
    found: list[Node] = []
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, Sum):
            stack.extend(term for _, term in reversed(one.terms))
        else:
            found.append(one)
    return found


def reads_of(node: Node) -> dict[str, int]:
    """How often each parameter of a rule is read below."""
    found: dict[str, int] = {}
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, Parameter):
            found[one.name] = found.get(one.name, 0) + 1
        if isinstance(one, Access):
            stack.append(one.base)
        if isinstance(one, Operate):
            stack.extend(one.arguments.operands.values())
        stack.extend(children(one))
    return found
