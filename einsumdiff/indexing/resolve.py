"""From the syntax tree to expressions: what every name means, and which notation a bracket is in.

A statement with a letter in it is indexed notation: names in it are scalar entries, and an operation on
whole arrays reads its arguments as whole arrays (`softmax(x)[i]`). Rows of the table are read by the same
code, with their parameters in place of the variables of a program.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from einsumdiff.errors import (
    EinsumDiffError,
    IndexFault,
    NameFault,
    Span,
    SyntaxFault,
    Unsupported,
)
from einsumdiff.indexing.calls import (
    array_parameters,
    bind,
    check_module,
    no_number,
    option_text,
    parameters,
    unknown_function,
)
from einsumdiff.indexing.expression import (
    Access,
    Affine,
    Arguments,
    AxisSize,
    Call,
    Cut,
    Delta,
    Index,
    Node,
    Number,
    Operate,
    Over,
    Power,
    Product,
    RankOf,
    ShapeOf,
    Static,
    Sum,
)
from einsumdiff.language import tree
from einsumdiff.language.rows import (
    Definition,
    Form,
    Function,
    NamedNumber,
    Operation,
    Parameter,
    fields,
    gives,
    option,
)
from einsumdiff.language.table import load_table
from einsumdiff.nesting import Steps, Waiting, run
from einsumdiff.sizes import AnySize, as_fraction

ELLIPSIS = "..."
ATTRIBUTES = ("T", "mT", "shape", "size", "ndim")
EXPLICIT = ("sum", "prod", "max", "min")


class Names(Protocol):
    """What a name means where an expression stands."""

    def value(self, name: tree.Name, indexed: bool) -> Node:
        """A name outside of brackets."""

    def letter(self, name: tree.Name) -> Index | None:
        """A name in brackets: its index, or None where it is no letter."""

    def kronecker(self, name: tree.Name, count: int) -> bool:
        """Whether `delta` with so many items is Kronecker's, and no array that is called so."""

    def size(self, name: str) -> AnySize | None:
        """The size of that name."""

    def over(self, names: Iterable[tree.Name]) -> tuple[Index, ...]:
        """Open a scope with letters of its own, until `leave`."""

    def leave(self, names: Iterable[tree.Name]) -> None:
        """Close the scope that `over` opened last."""

    def fresh(self) -> Index:
        """A letter of the statement that nobody typed."""

    def keep(self, node: Access | Delta) -> None:
        """An access or delta in letters was read."""

    def scalar(self, node: Node) -> None:
        """A whole-array expression stands where a scalar entry is needed."""


@dataclass(slots=True)
class Reader:
    """Reads expressions with the help of `names`. What is nested is read in steps, see `nesting`."""

    names: Names
    plain: bool = False  # what is read stands in an argument without letters, which was looked through

    def read(self, node: tree.Tree, indexed: bool) -> Node:
        """The expression; in indexed notation a scalar entry, else a whole array."""
        return run(self.part(node, indexed))

    def part(self, node: tree.Tree, indexed: bool) -> Steps[Node]:
        """What `read` gives, for one that is a part of another."""
        match node:
            case tree.Number(value=value, span=span):
                return Number(span, value)
            case tree.Name():
                return self.names.value(node, indexed)
            case tree.Constant(value=bool() as truth, span=span):
                return Number(span, int(truth))
            case tree.Unary(op="+", operand=operand):
                return self._whole(operand, indexed)
            case tree.Unary(op="-") | tree.Binary(op="+" | "-"):
                return self._sum(node, indexed)
            case tree.Unary(op=op, operand=operand, span=span):
                return self._operator(op, (operand,), span, indexed)
            case tree.Binary(op="*" | "/"):
                return self._product(node, indexed)
            case tree.Binary(op="**", left=left, right=right, span=span):
                return self._power(left, right, span, indexed)
            case tree.Binary(op=op, left=left, right=right, span=span):
                return self._operator(op, (left, right), span, indexed)
            case tree.Subscript():
                return self._subscript(node, indexed)
            case tree.Attribute():
                return self._attribute(node, indexed)
            case tree.Apply():
                return self._apply(node, indexed)
            case tree.Over():
                return self._over(node)
            case tree.Sequence(span=span):
                return self._apply(tree.Apply("array", (node,), (), span, span), indexed)
            case tree.String(span=span):
                raise SyntaxFault("text is no number", span, "remove the quotes")
            case _:
                raise SyntaxFault(
                    f"{node.span.source} has no value here", node.span, "write a number or a name"
                )

    def _whole(self, operand: tree.Tree, indexed: bool) -> Steps[Node]:
        """An operand that is the whole of it, behind any number of plus signs."""
        while isinstance(operand, tree.Unary) and operand.op == "+":
            operand = operand.operand
        return self.part(operand, indexed)

    def _power(self, left: tree.Tree, right: tree.Tree, span: Span, indexed: bool) -> Steps[Node]:
        base = yield self.part(left, indexed)
        exponent = yield self.part(right, indexed)
        return Power(span, base, exponent)

    def _over(self, node: tree.Over) -> Steps[Node]:
        indices = self.names.over(node.letters)
        inner = yield self.part(node.body, True)
        self.names.leave(node.letters)
        return Over(node.span, node.op, indices, inner)

    # -- chains

    def _sum(self, node: tree.Tree, indexed: bool) -> Steps[Node]:
        terms: list[tuple[int, Node]] = []
        for term, sign in additive(node):
            terms.append((sign, (yield self.part(term, indexed))))
        if len(terms) == 1 and terms[0][0] == 1:
            return terms[0][1]
        if len(terms) == 1 and isinstance(terms[0][1], Number):
            return Number(node.span, -terms[0][1].value)
        return Sum(node.span, tuple(terms))

    def _product(self, node: tree.Tree, indexed: bool) -> Steps[Node]:
        parts: list[tuple[Node, int]] = []
        for factor, power in multiplicative(node):
            parts.append(((yield self.part(factor, indexed)), power))
        value = Fraction(1)
        for part, power in parts:
            if (
                not isinstance(part, Number)
                or isinstance(part.value, float)
                or (power < 0 and part.value == 0)
            ):
                return Product(node.span, tuple(parts))
            value *= Fraction(part.value) ** power
        return Number(node.span, as_fraction(value))

    def _operator(self, op: str, operands: tuple[tree.Tree, ...], span: Span, indexed: bool) -> Steps[Node]:
        table = load_table()
        row = table[table.operators[op]]
        return self._application(
            tree.Apply(row.name, operands, (), span, span),
            row,
            indexed and isinstance(row, Function),
            indexed,
        )

    # -- calls

    def _apply(self, node: tree.Apply, indexed: bool) -> Steps[Node]:
        table = load_table()
        # where a module has another function of that name, its row begins with the module's
        own = f"{node.prefix.removeprefix('jax.').replace('.', '_')}_{node.function}"
        row = table.get(own) if node.prefix and own in table else table.get(node.function)
        if row is None or isinstance(row, NamedNumber):
            raise unknown_function(node)
        if node.function == "block":
            return self.part(blocks(node), indexed)
        if several(node):
            names = ", ".join("abc"[: len(several(node))])
            raise Unsupported(
                f"{node.function} gives {len(several(node))} values",
                node.name_span,
                f"assign them, {names} = {node.span.source}, or take one: {node.span.source}[0]",
            )
        if isinstance(row, Form) and option(row, "planned") is not None:
            raise Unsupported(
                f"{node.function} is not known yet",
                node.name_span,
                option_text(row),
            )
        scalar = isinstance(row, Function) or (isinstance(row, Definition) and row.cases[0].axes is None)
        return self._application(node, row, indexed and scalar, indexed)

    def _application(
        self,
        node: tree.Apply,
        row: Function | Definition | Form | Operation | NamedNumber,
        inner: bool,
        indexed: bool,
    ) -> Steps[Node]:
        """A row with its arguments, which are read as scalar entries if `inner`."""
        assert not isinstance(row, NamedNumber)
        check_module(node)
        bound = bind(row, node)
        if isinstance(row, Function) or (isinstance(row, Definition) and row.cases[0].axes is None):
            given = [
                _or_default(value, parameter)
                for parameter, value in zip(parameters(row), bound.values(), strict=True)
                if not isinstance(value, list)
            ]
            args: list[Node] = []
            for one in given:
                args.append((yield self._argument(one, inner, node)))
            return Call(node.span, row, tuple(args))
        arguments = Arguments(node.span, node.function, node.name_span, {}, {}, {})
        arguments.prefix = node.prefix
        arrays = array_parameters(row)
        several = option(row, "several") if isinstance(row, Form) else None
        if isinstance(row, Form) and option(row, "size") is not None:
            return AxisSize(node.span, (yield self._argument(node.args[0], False, node)), 0)
        defaults = {parameter.name: parameter.default for parameter in parameters(row)}
        for name, value in bound.items():
            trees = value if isinstance(value, list) else [value]
            if trees and trees[0] is not defaults[name]:
                arguments.spans[name] = trees[0].span.to(trees[-1].span)
            absent = value is defaults[name] and isinstance(value, tree.Constant) and value.value is None
            if name not in arrays or absent:
                statics = yield self._statics(trees)
                if name in ("axis", "ord") and any(isinstance(one, Node) for one in statics):
                    raise no_number(node, name, trees[0])
                arguments.statics[name] = statics if isinstance(value, list) else statics[0]
            elif isinstance(value, list) or (name == several and isinstance(value, tree.Sequence)):
                parts = value.items if isinstance(value, tree.Sequence) else trees
                for k, one in enumerate(parts):
                    arguments.operands[f"{name}{k}"] = yield self._argument(one, False, node)
            else:
                arguments.operands[name] = yield self._argument(value, False, node)
        whole = Operate(node.span, row, arguments)
        if indexed:
            self.names.scalar(whole)
        return whole

    def _argument(self, value: tree.Tree, indexed: bool, call: tree.Apply) -> Steps[Node]:
        outer = self.plain
        if not indexed and not outer:
            letter = first_letter(value, self.names)
            if letter is not None:
                inside = value.span.source
                name = call.span.source if call.name_span == call.span else call.function
                hint = "give it whole arrays and index the result: softmax(x)[i], (A @ x)[i]"
                if name in ("max", "min") and len(call.args) > 1:
                    hint = f"the {name} of two is {name}imum(a, b)"
                elif name in EXPLICIT:
                    hint = f"give it whole arrays, or write {name}[{letter.name}]({inside})"
                raise IndexFault(f"{name} works on whole arrays, and {inside} is an entry", value.span, hint)
            self.plain = True
        found: Node = yield self.part(value, indexed)
        self.plain = outer
        return found

    def _statics(self, nodes: Iterable[tree.Tree]) -> Steps[tuple[Static, ...]]:
        found: list[Static] = []
        for node in nodes:
            found.append((yield self._static(node)))
        return tuple(found)

    def _static(self, node: tree.Tree) -> Waiting[Static]:
        """An argument that is no array."""
        match node:
            case tree.Number(value=value):
                return value
            case tree.String(value=text):
                return text
            case tree.Constant(value=value):
                return value
            case tree.Name(name="inf"):
                return float("inf")
            case tree.Unary(op="-", operand=operand):
                inner = yield self._static(operand)
                if isinstance(inner, int | float):
                    return -inner
            case tree.Sequence(items=items):
                return (yield self._statics(items))
            case tree.Attribute(name="shape", base=base, span=span):
                return ShapeOf((yield self.part(base, False)), span)
            case _:
                pass
        return (yield self.part(node, False))

    # -- brackets and attributes

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
        if indexed and all(self._is_item(item) or self._gathers(item) for item in node.items):
            return (yield self._access(node))
        letters = (part for item in node.items for part in tree.walk(item) if isinstance(part, tree.Name))
        letter = next((one for one in letters if self.names.letter(one) is not None), None)
        if letter is not None:
            raise self._mixture(node, letter)
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
            if self._is_item(item):
                items.append(self.affine(item))
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

    def _gathers(self, item: tree.Tree) -> bool:
        """Whether an item is an entry of an array of places: `k[i]`."""
        return (
            isinstance(item, tree.Subscript)
            and isinstance(item.base, tree.Name)
            and self.names.letter(item.base) is None
            and all(self._is_item(one) for one in item.items)
        )

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
        inner = tuple(self.affine(one) for one in item.items)
        hot = Access(item.span, whole, (*inner, place))
        self.names.keep(hot)
        return hot

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

    def _is_item(self, item: tree.Tree) -> bool:
        """Whether it is a letter, a whole number or an affine form of them."""
        parts = [item]
        while parts:
            match parts.pop():
                case tree.Name() as name:
                    if self.names.letter(name) is None and self.names.size(name.name) is None:
                        return False
                case tree.Constant(value=value, span=span) if value is Ellipsis:
                    if self.names.letter(tree.Name(ELLIPSIS, span)) is None:
                        return False
                case tree.Number(value=int()):
                    pass
                case tree.Binary(op="+" | "-" | "*", left=left, right=right):
                    parts += [right, left]
                case tree.Binary(op="//", left=left, right=tree.Number(value=int())):
                    parts.append(left)
                case tree.Unary(op="+" | "-", operand=operand):
                    parts.append(operand)
                case _:
                    return False
        return True

    def _mixture(self, node: tree.Subscript, letter: tree.Name) -> EinsumDiffError:
        """What is wrong with a bracket that has a letter, and is no list of affine forms."""
        for item in node.items:
            if isinstance(item, tree.Slice) or (
                isinstance(item, tree.Constant) and item.value in (None, Ellipsis)
            ):
                return IndexFault(
                    f"this bracket mixes the index {letter.name} with NumPy's {item.span.source}",
                    node.span,
                    "use letters and whole numbers only: X[i,0]",
                )
            if not self._is_item(item):
                if any(isinstance(part, tree.Subscript) for part in tree.walk(item)):
                    return Unsupported(
                        f"{item.span.source} in brackets is more than an entry of an index array",
                        item.span,
                        "pass an array that holds these numbers, and write x[k[i]]",
                    )
                return no_affine_form(item)
        return IndexFault(
            f"{letter.name} is an index, and this is an argument of whole arrays",
            node.span,
            "index the result",
        )

    def affine(self, node: tree.Tree) -> Affine:
        """An item in brackets as an affine form of letters."""
        terms: dict[Index, AnySize] = {}
        constant = run(self._affine(node, 1, terms))
        return Affine(tuple((index, c) for index, c in terms.items() if c != 0), constant, node.span)

    def _affine(self, node: tree.Tree, factor: AnySize, terms: dict[Index, AnySize]) -> Waiting[AnySize]:
        first: AnySize
        match node:
            case tree.Name() if (index := self.names.letter(node)) is not None:
                terms[index] = terms.get(index, 0) + factor
                return 0
            case tree.Constant(value=value) if value is Ellipsis:
                index = self.names.letter(tree.Name(ELLIPSIS, node.span))
                assert index is not None
                terms[index] = 1
                return 0
            case tree.Name(name=name) if (size := self.names.size(name)) is not None:
                return factor * size
            case tree.Number(value=int() as value):
                return factor * value
            case tree.Unary(op=op, operand=operand):
                first = yield self._affine(operand, factor if op == "+" else -factor, terms)
                return first
            case tree.Binary(op="+" | "-" as op, left=left, right=right):
                first = yield self._affine(left, factor, terms)
                second: AnySize = yield self._affine(right, factor if op == "+" else -factor, terms)
                return first + second
            case tree.Binary(op="//", left=left, right=tree.Number(value=int() as divisor)) if divisor > 0:
                sized: dict[Index, AnySize] = {}
                whole: AnySize = yield self._affine(left, 1, sized)
                if not sized:
                    return factor * (whole // divisor)
            case tree.Binary(op="*", left=left, right=right):
                for one, other in ((left, right), (right, left)):
                    inner: dict[Index, AnySize] = {}
                    first = yield self._affine(one, factor, inner)
                    if not inner:
                        second = yield self._affine(other, first, terms)
                        return second
        raise no_affine_form(node)

    def _delta(self, node: tree.Subscript) -> Steps[Node]:
        if len(node.items) == 2:
            for item, other in (node.items, node.items[::-1]):
                if self._gathers(item) and self._is_item(other):
                    return self._one_hot(item, self.affine(other))
        if len(node.items) != 2 or not all(self._is_item(item) for item in node.items):
            raise IndexFault("delta takes two indices", node.span, "write delta[i,j]")
        delta = Delta(node.span, self.affine(node.items[0]), self.affine(node.items[1]))
        self.names.keep(delta)
        return delta

    def _axis_size(self, node: tree.Subscript, base: tree.Attribute) -> Steps[Node]:
        axis = (yield self._static(node.items[0])) if len(node.items) == 1 else None
        if isinstance(axis, int):
            return AxisSize(node.span, (yield self.part(base.base, False)), axis)
        raise Unsupported(
            f"{node.span.source} is not understood", node.span, f"take one axis: {base.span.source}[0]"
        )

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


def _or_default(value: tree.Tree, parameter: Parameter) -> tree.Tree:
    """None stands for the default, as in clip(x, None, 1)."""
    absent = isinstance(value, tree.Constant) and value.value is None
    return parameter.default if absent and parameter.default is not None else value


def several(node: tree.Tree) -> tuple[str, ...]:
    """The functions that give the values of a call that has several: `slogdet`."""
    row = load_table().get(node.function) if isinstance(node, tree.Apply) else None
    return gives(row)


def parted(node: tree.Tree) -> bool:
    """Whether it is a call that gives as many arrays as its arguments say: `split(x, 3)`."""
    row = load_table().get(node.function) if isinstance(node, tree.Apply) else None
    return isinstance(row, Form) and "parts" in row.options


def part_of(node: tree.Apply, part: int, parts: int | None = None) -> tree.Apply:
    """The call for one of its arrays; `parts` is how many are assigned."""
    said = [("part", tree.Number(part, node.span))]
    if parts is not None:
        said.append(("parts", tree.Number(parts, node.span)))
    return replace(node, keywords=(*node.keywords, *said))


def blocks(node: tree.Apply) -> tree.Tree:
    """`block([[A, B], [C, D]])` as arrays joined along the last axis, and those along the one before."""

    def joined(one: tree.Tree) -> tuple[tree.Tree, int]:
        if not isinstance(one, tree.Sequence):
            return one, 0
        inner = [joined(item) for item in one.items]
        depth = max((deep for _, deep in inner), default=0) + 1
        axis = ("axis", tree.Number(-depth, one.span))
        items = tree.Sequence(tuple(item for item, _ in inner), one.span)
        return tree.Apply("concatenate", (items,), (axis,), node.span, node.name_span), depth

    return joined(node.args[0])[0] if len(node.args) == 1 else node


def additive(node: tree.Tree) -> list[tuple[tree.Tree, int]]:
    """The additive terms with their signs, in order; long chains do not recurse."""
    found: list[tuple[tree.Tree, int]] = []
    stack = [(node, 1)]
    while stack:
        one, sign = stack.pop()
        match one:
            case tree.Binary(op="+" | "-" as op, left=left, right=right):
                stack += [(right, sign if op == "+" else -sign), (left, sign)]
            case tree.Unary(op="+" | "-" as op, operand=operand):
                stack.append((operand, sign if op == "+" else -sign))
            case _:
                found.append((one, sign))
    return found


def multiplicative(node: tree.Tree) -> list[tuple[tree.Tree, int]]:
    """The factors as typed, a divisor with -1; what stands in brackets is one factor."""
    found: list[tuple[tree.Tree, int]] = []
    while isinstance(node, tree.Binary) and node.op in ("*", "/"):
        found.append((node.right, 1 if node.op == "*" else -1))
        if node.left.span.start != node.span.start:  # a bracket was typed before it
            found.append((node.left, 1))
            return found[::-1]
        node = node.left
    found.append((node, 1))
    return found[::-1]


def first_letter(node: tree.Tree, names: Names) -> tree.Name | None:
    """The first letter in brackets anywhere below, or an explicit reduction's."""
    for part in tree.walk(node):
        if isinstance(part, tree.Over):
            return part.letters[0]
        if isinstance(part, tree.Subscript):
            for item in part.items:
                for inner in tree.walk(item):
                    if isinstance(inner, tree.Name) and names.letter(inner) is not None:
                        return inner
    return None


def no_affine_form(item: tree.Tree) -> IndexFault:
    return IndexFault(
        f"{item.span.source} is no whole-number affine form",
        item.span,
        "brackets hold sums of letters times whole numbers: X[2*i + 1]",
    )
