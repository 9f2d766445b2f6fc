"""Brackets and attributes: accesses in letters, NumPy's indexing, and the arrays of a call of several."""

from __future__ import annotations

from dataclasses import replace

from einsumdiff.errors import IndexFault, NameFault, SyntaxFault, Unsupported
from einsumdiff.indexing.applications import Applications
from einsumdiff.indexing.expression import (
    Access,
    Affine,
    Arguments,
    AxisSize,
    Cut,
    Delta,
    Index,
    Node,
    Operate,
    Over,
    Product,
    RankOf,
    Static,
)
from einsumdiff.indexing.items import affine, is_gather, is_item, mixture
from einsumdiff.indexing.names import first_letter
from einsumdiff.indexing.results import part_of, parted, several
from einsumdiff.language import tree
from einsumdiff.language.rows import Definition, Form, fields
from einsumdiff.language.table import load_table
from einsumdiff.nesting import Steps, Waiting

ATTRIBUTES = ("T", "mT", "shape", "size", "ndim")


class Brackets(Applications):
    """Reads brackets and attributes, on top of calls."""

    __slots__ = ()

    def _subscript(self, node: tree.Subscript, indexed: bool) -> Steps[Node]:
        base = node.base
        results = several(base)
        if results and isinstance(base, tree.Apply):
            match node.items:
                case (item,):
                    k = yield self._static(item)
                    if isinstance(k, int) and -len(results) <= k < len(results):
                        return (yield self._apply(replace(base, function=results[k]), indexed))
            raise Unsupported(
                f"{base.function} gives {len(results)} values", node.span, f"take one: {base.span.source}[0]"
            )
        if isinstance(base, tree.Apply) and parted(base) and len(node.items) == 1:
            part = yield self._static(node.items[0])
            if isinstance(part, int):
                return (yield self._apply(part_of(base, part), indexed))
        if isinstance(base, tree.Attribute) and base.name == "shape":
            return (yield self._axis_size(node, base))
        if (
            isinstance(base, tree.Name)
            and base.name == "delta"
            and self.names.kronecker(base, len(node.items))
        ):
            return (yield self._delta(node))
        if indexed and all(is_item(item, self.names) or is_gather(item, self.names) for item in node.items):
            return (yield self._access(node))
        letters = (part for item in node.items for part in tree.walk(item) if isinstance(part, tree.Name))
        letter = next((one for one in letters if self.names.letter(one) is not None), None)
        if letter is not None:
            raise mixture(node, letter, self.names)
        whole_base = yield self.part(base, False)
        items: list[Static] = []
        for item in node.items:
            items.append((yield self._item(item)))
        arguments = Arguments(
            node.span, node.span.source, node.span, {"x": whole_base}, {"items": tuple(items)}, {}
        )
        whole = Operate(node.span, Form("subscripted", (), (), node.span), arguments)
        if indexed:
            self.names.scalar(whole)
        return whole

    def _access(self, node: tree.Subscript) -> Steps[Node]:
        """`x[i, j+1]`; an item such as `k[i]` gathers: `x[k[i]]` is `sum[j](x[j]*delta[k[i],j])`."""
        items: list[Affine] = []
        hots: list[tuple[Node, int]] = []
        places: list[Index] = []
        for item in node.items:
            if is_item(item, self.names):
                items.append(affine(item, self.names))
                continue
            place = self.names.fresh()
            places.append(place)
            items.append(Affine(((place, 1),), 0, item.span))
            hots.append(((yield self._one_hot(item, items[-1])), 1))
        access = Access(node.span, (yield self.part(node.base, False)), tuple(items))
        self.names.keep(access)
        if not hots:
            return access
        return Over(node.span, "sum", tuple(places), Product(node.span, ((access, 1), *hots)))

    def _one_hot(self, item: tree.Tree, place: Affine) -> Steps[Access]:
        """`[k[i] == place]`."""
        assert isinstance(item, tree.Subscript)
        arguments = Arguments(
            item.span,
            item.span.source,
            item.span,
            {"x": (yield self.part(item.base, False))},
            {"num_classes": None},
            {},
        )
        whole = Operate(item.span, Form("one_hot", (), (), item.span), arguments)
        inner = tuple(affine(one, self.names) for one in item.items)
        hot = Access(item.span, whole, (*inner, place))
        self.names.keep(hot)
        return hot

    def _delta(self, node: tree.Subscript) -> Steps[Node]:
        if len(node.items) == 2:
            for item, other in (node.items, node.items[::-1]):
                if is_gather(item, self.names) and is_item(other, self.names):
                    return self._one_hot(item, affine(other, self.names))
        if len(node.items) != 2 or not all(is_item(item, self.names) for item in node.items):
            raise IndexFault("delta takes two indices", node.span, "write delta[i,j]")
        delta = Delta(node.span, affine(node.items[0], self.names), affine(node.items[1], self.names))
        self.names.keep(delta)
        return delta

    def _item(self, item: tree.Tree) -> Waiting[Static]:
        """An item of NumPy indexing: None, Ellipsis, or a Cut."""
        match item:
            case tree.Constant(value=value) if value is None or value is Ellipsis:
                return value
            case tree.Slice(start=start, stop=stop, step=step, span=span):
                begin = None if start is None else (yield self._static(start))
                end = None if stop is None else (yield self._static(stop))
                by = None if step is None else (yield self._static(step))
                return Cut(begin, end, by, False, span)
            case tree.Sequence(span=span):
                return Cut((yield self._places(item)), None, None, True, span)
            case _:
                return Cut((yield self._static(item)), None, None, True, item.span)

    def _places(self, item: tree.Sequence) -> Steps[Node]:
        """A list of places in brackets: `x[[0, -1]]`."""
        if item.span.source.startswith("("):
            inside = item.span.source[1:-1]
            raise IndexFault(
                "places in round brackets are items of the bracket in NumPy",
                item.span,
                f"write {inside} for an item each, or the list [{inside}] for places of one axis",
            )
        for part in tree.walk(item):
            if isinstance(part, tree.Constant) and isinstance(part.value, bool):
                raise Unsupported(
                    f"{item.span.source} is a mask", part.span, "write the places where it is True: x[[0, 2]]"
                )
            if isinstance(part, tree.Number) and not isinstance(part.value, int):
                raise IndexFault(
                    f"{part.span.source} is no whole number",
                    part.span,
                    "brackets hold whole numbers: x[[0, 2]]",
                )
        return self.part(item, False)

    def _axis_size(self, node: tree.Subscript, base: tree.Attribute) -> Steps[Node]:
        axis = (yield self._static(node.items[0])) if len(node.items) == 1 else None
        if isinstance(axis, int):
            return AxisSize(node.span, (yield self.part(base.base, False)), axis)
        raise Unsupported(
            f"{node.span.source} is not understood", node.span, f"take one axis: {base.span.source}[0]"
        )

    def _attribute(self, node: tree.Attribute, indexed: bool) -> Steps[Node]:
        if isinstance(node.base, tree.Apply) and node.name not in ATTRIBUTES:
            return (yield self._field(node, node.base, indexed))
        match node.name:
            case "size":
                return AxisSize(node.span, (yield self.part(node.base, False)), None)
            case "ndim":
                return RankOf(node.span, (yield self.part(node.base, False)))
            case "shape":
                raise SyntaxFault("a shape is no number", node.span, f"take one axis: {node.span.source}[0]")
        letter = None if self.plain else first_letter(node.base, self.names)
        if letter is not None:
            raise IndexFault(
                f".{node.name} is of whole arrays, and {node.base.span.source} is an entry",
                node.span,
                "change the order of the indices instead",
            )
        row = load_table()[{"T": "transpose", "mT": "matrix_transpose"}[node.name]]
        assert isinstance(row, Form | Definition)
        call = tree.Apply(row.name, (node.base,), (), node.span, node.span)
        return (yield self._application(call, row, False, indexed))

    def _field(self, node: tree.Attribute, call: tree.Apply, indexed: bool) -> Steps[Node]:
        """`slogdet(A).logabsdet`."""
        named = fields(load_table().get(call.function))
        if node.name in named:
            return self._apply(replace(call, function=several(call)[named.index(node.name)]), indexed)
        raise NameFault(
            f"{call.function} has no .{node.name}",
            node.span,
            f"known are {' '.join(f'.{one}' for one in named or ATTRIBUTES)}",
        )
