"""The grammar's rules as functions: each builds the node of the syntax tree for what it has read.

Lark calls a method of `Builder` when it has read the rule of that name, with the parts as arguments,
so there is no walk over a parse tree and nothing here recurses, however deep the text is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from einsumdiff.errors import NameFault, Span, SyntaxFault, as_read
from einsumdiff.language import tree
from einsumdiff.language.faults import Spot
from einsumdiff.language.tree import Tree

if TYPE_CHECKING:
    from lark import Token

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
ATTRIBUTES = ("T", "mT", "shape", "size", "ndim")
FIELDS = ("sign", "logabsdet", "eigenvalues", "eigenvectors")
"""What may stand behind a call of several results; whether it is one of that call, its row says."""
SUBMODULES = ("linalg", "special", "nn")
EXPLICIT = ("sum", "prod", "max", "min", "logsumexp")
VALUES = {"None": None, "newaxis": None, "True": True, "False": False}
MODULES = {"np": "numpy", "jnp": "numpy", "jax.numpy": "numpy"}


class Builder:
    """What the parser calls for expressions and programs; `begin` before each text."""

    def __init__(self) -> None:
        self.begin(Spot(""))

    def begin(self, spot: Spot, formula: bool = False) -> None:
        """Forget the last text. With `formula`, `dy[i]/dx[m] = ...` is a statement."""
        self.spot = spot
        self.formula = formula
        # Facts of nodes that are of use only until their parents are built, by id; the node is kept
        # beside its fact so that no other node can get its id.
        self._brackets: dict[int, tuple[Tree, Span]] = {}
        self._prefixes: dict[int, tuple[Tree, str]] = {}
        self._open: dict[int, Tree] = {}
        self._unknown: dict[int, tree.Attribute] = {}

    def finish(self) -> None:
        """Refuse what only a parent could have made sense of."""
        for attribute in self._unknown.values():
            if attribute.name in SUBMODULES:
                whole = self.extent(attribute).source
                raise NameFault(
                    f"{whole} is no module that is known here",
                    attribute.span,
                    f"write np.{attribute.name}. or scipy.{attribute.name}., or keep its import line",
                )
            raise NameFault(
                f"an array here has no .{attribute.name}",
                attribute.span,
                "known are .T .mT .shape .size .ndim, and functions in the method spelling: x.sum(axis=0)",
            )

    def extent(self, node: Tree) -> Span:
        """The span with the brackets around it."""
        found = self._brackets.get(id(node))
        return found[1] if found else node.span

    def grouped(self, node: Tree) -> bool:
        """Whether brackets were typed around it."""
        return id(node) in self._brackets

    # -- atoms

    def name(self, token: Token) -> Tree:
        span = self.spot(token)
        if token in VALUES:
            return tree.Constant(VALUES[token], span)
        # Python reads identifiers so, and generated code has to agree: the micro sign is a mu.
        return tree.Name(as_read(str(token)), span)

    def prefixed(self, prefix: Token, token: Token) -> Tree:
        node = self.name(token)
        module = prefix.rstrip(".")
        for short, long in MODULES.items():
            if module == short or module.startswith(short + "."):
                module = long + module[len(short) :]
        if isinstance(node, tree.Name):
            node = replace(node, prefix=module)
        self._prefixes[id(node)] = (node, module)
        self._brackets[id(node)] = (node, self.spot(prefix, token))
        return node

    def number(self, token: Token) -> Tree:
        exact = token.replace("_", "").isdigit()
        return tree.Number(int(token) if exact else float(token), self.spot(token))

    def string(self, token: Token) -> Tree:
        quotes = 3 if token.startswith(('"""', "'''")) else 1
        return tree.String(str(token[quotes:-quotes]), self.spot(token))

    def ellipsis(self, token: Token) -> Tree:
        return tree.Constant(Ellipsis, self.spot(token))

    def sizes(self, first: Tree, *rest: Any) -> Tree:
        return self.expressions(first, *rest)

    def expressions(self, first: Tree, *rest: Any) -> Tree:
        if not rest:
            return first
        items = (first, *(part for part in rest if not is_token(part)))
        last = rest[-1]
        stop = self.spot(last) if is_token(last) else self.extent(last)
        node = tree.Sequence(items, self.extent(first).to(stop))
        self._open[id(node)] = node
        return node

    def group(self, opening: Token, inner: Tree, closing: Token) -> Tree:
        span = self.spot(opening, closing)
        if id(inner) in self._open:
            assert isinstance(inner, tree.Sequence)
            return tree.Sequence(inner.items, span)
        self._brackets[id(inner)] = (inner, span)
        self._prefixes.pop(id(inner), None)
        return inner

    def sequence(self, opening: Token, *inner: Any) -> Tree:
        span = self.spot(opening, inner[-1])
        if len(inner) == 1:
            return tree.Sequence((), span)
        if id(inner[0]) in self._open:
            return tree.Sequence(inner[0].items, span)
        return tree.Sequence((inner[0],), span)

    # -- operators

    def unary(self, op: Token, operand: Tree) -> Tree:
        return tree.Unary(str(op), operand, self.spot(op).to(self.extent(operand)))

    def binary(self, left: Tree, op: Token, right: Tree) -> Tree:
        lists = _is_list(left) + _is_list(right)
        if (op == "+" and lists == 2) or (op == "*" and lists and (_is_whole(left) or _is_whole(right))):
            does = "joins" if op == "+" else "repeats"
            raise SyntaxFault(
                f"Python {does} lists here, and calculates with arrays",
                self.extent(left).to(self.extent(right)),
                f"write array({(left if _is_list(left) else right).span.source}) for an array",
            )
        return tree.Binary(str(op), left, right, self.extent(left).to(self.extent(right)))

    def compare(self, left: Tree, op: Token, right: Tree) -> Tree:
        if isinstance(left, tree.Binary) and left.op in COMPARISONS and not self.grouped(left):
            a, b, c = (self.extent(part).source for part in (left.left, left.right, right))
            if isinstance(left.right, tree.Binary) and left.right.op in ("&", "|"):
                hint = "& and | bind tighter than comparisons: put each comparison in brackets"
            else:
                hint = f"write ({a} {left.op} {b}) & ({b} {op} {c})"
            raise SyntaxFault("comparisons cannot be chained", self.extent(left).to(self.extent(right)), hint)
        return self.binary(left, op, right)

    # -- what follows an operand

    def attribute(self, base: Tree, name: Token) -> Tree:
        node = tree.Attribute(base, str(name), self.extent(base).to(self.spot(name)))
        if name not in ATTRIBUTES and not (name in FIELDS and isinstance(base, tree.Apply)):
            self._unknown[id(node)] = node
        return node

    def subscript(self, base: Tree, opening: Token, items: tuple[Tree, ...], closing: Token) -> Tree:
        return tree.Subscript(base, items, self.extent(base).to(self.spot(closing)))

    def call(self, base: Tree, opening: Token, *rest: Any) -> Tree:
        arguments: tuple[Any, ...] = rest[0] if len(rest) == 2 else ()
        span = self.extent(base).to(self.spot(rest[-1]))
        if self.grouped(base) and id(base) not in self._prefixes:
            raise self._not_a_function(base, rest[-1], opening)
        args = tuple(a for a in arguments if not isinstance(a, tuple))
        keywords = tuple((str(a[0]), a[1]) for a in arguments if isinstance(a, tuple))
        self._order(arguments)
        match base:
            case tree.Name():
                prefix = self._prefixes.get(id(base), (base, ""))[1]
                return tree.Apply(base.name, args, keywords, span, base.span, prefix)
            case tree.Attribute():
                self._unknown.pop(id(base), None)
                stop = base.span.stop
                at = Span(stop - len(base.name), stop, base.span.text)
                return tree.Apply(base.name, (base.base, *args), keywords, span, at)
            case tree.Subscript(base=tree.Name(name=op)) if op in EXPLICIT:
                letters = tuple(item for item in base.items if isinstance(item, tree.Name))
                if len(letters) == len(base.items) and len(args) == 1 and not keywords:
                    return tree.Over(op, letters, args[0], span)
                raise SyntaxFault(
                    f"an explicit {op} takes letters and one body",
                    span,
                    f"write {op}[i](...) or {op}[i,j](...)",
                )
        raise self._not_a_function(base, rest[-1], opening)

    def _not_a_function(self, base: Tree, closing: Token, opening: Token) -> SyntaxFault:
        source = self.extent(base).source
        hint = f"a product needs its sign: {source}*{self.spot(opening, closing).source}"
        if isinstance(base, tree.Subscript):
            hint += f"; only {', '.join(EXPLICIT)} reduce so, sum[i](...)"
        return SyntaxFault(f"{source} is not a function", self.extent(base).to(self.spot(closing)), hint)

    def _order(self, arguments: tuple[Any, ...]) -> None:
        seen: set[str] = set()
        for argument in arguments:
            if not isinstance(argument, tuple):
                if seen:
                    raise SyntaxFault(
                        "an argument without a name comes after one with a name",
                        self.extent(argument),
                        "name it too, or put it first",
                    )
            elif argument[0] in seen:
                raise SyntaxFault(f"{argument[0]} is given twice", self.spot(argument[0]), "keep one")
            else:
                seen.add(str(argument[0]))

    def arguments(self, *parts: Any) -> tuple[Any, ...]:
        return tuple(part for part in parts if not is_token(part))

    def keyword(self, name: Token, value: Tree) -> tuple[Token, Tree]:
        return name, value

    def items(self, *parts: Any) -> tuple[Tree, ...]:
        return tuple(part for part in parts if not is_token(part))

    def slice(self, *parts: Any) -> Tree:
        places: list[Tree | None] = [None, None, None]
        spans, at = [], 0
        for part in parts:
            if part is None:
                continue
            if is_token(part):
                at += 1
                spans.append(self.spot(part))
            else:
                places[at] = part
                spans.append(self.extent(part))
        return tree.Slice(places[0], places[1], places[2], spans[0].to(spans[-1]))

    # -- statements; each is a tuple of them

    def bare(self, value: Tree) -> tuple[Any, ...]:
        return (tree.Assign((), value, self.extent(value)),)

    def assign(self, left: Tree, right: Tree) -> tuple[Any, ...]:
        span = self.extent(left).to(self.extent(right))
        if self.formula and isinstance(left, tree.Binary):
            return (self._partial(left, right),)
        targets = left.items if isinstance(left, tree.Sequence) else (left,)
        if not targets:
            raise SyntaxFault("there is nothing to assign to", left.span, "write a name")
        return (tree.Assign(tuple(self._target(t) for t in targets), right, span),)

    def augment(self, left: Tree, op: Token, right: Tree) -> tuple[Any, ...]:
        target = self._target(left)
        span = self.extent(left).to(self.extent(right))
        return (tree.Assign((target,), tree.Binary(str(op[:-1]), target, right, span), span),)

    def declare(self, left: Tree, colon: Token, right: Tree, *properties: Token) -> tuple[Any, ...]:
        sizes = right.items if isinstance(right, tree.Sequence) else (right,)
        names = left.items if isinstance(left, tree.Sequence) else (left,)
        stop = self.spot(properties[-1]) if properties else self.extent(right)
        declared = []
        for name in names:
            if not isinstance(name, tree.Name):
                raise SyntaxFault(
                    "a colon declares a shape, and needs a name before it",
                    self.extent(name),
                    "write for example  W: (m, n)",
                )
            span = self.extent(left).to(stop)
            declared.append(tree.Declare(name, sizes, tuple(str(p) for p in properties), span))
        return tuple(declared)

    def _target(self, target: Tree) -> tree.Name | tree.Subscript:
        if isinstance(target, tree.Name):
            return target
        if isinstance(target, tree.Subscript) and isinstance(target.base, tree.Name):
            return target
        raise SyntaxFault(
            f"{self.extent(target).source} cannot be assigned to",
            self.extent(target),
            "the left side is a name or a name with indices: y = ... or Z[i,j] = ...; compare with ==",
        )

    def _partial(self, left: Tree, value: Tree) -> tree.Partial:
        """`d2y[i]/dx[m]/dW[n,k]`, read as a quotient so far."""
        span, parts, rest = self.extent(left), [], left
        while isinstance(rest, tree.Binary) and rest.op == "/":
            parts.append(rest.right)
            rest = rest.left
        fault = SyntaxFault(
            f"{span.source} is not the left side of a derivative",
            span,
            "write dy[i]/dx[m] = ..., or d2y[i]/dx[m]/dx[n] = ... for order 2",
        )
        order = str(len(parts)) if len(parts) > 1 else ""
        output, axes = self._differential(rest, "d" + order, fault)
        wrt = tuple(self._differential(part, "d", fault) for part in reversed(parts))
        if not wrt:
            raise fault
        return tree.Partial(output, axes, wrt, value, span)

    def _differential(self, part: Tree, d: str, fault: SyntaxFault) -> tuple[tree.Name, tuple[Tree, ...]]:
        """`dx[m]` as `x` and its items."""
        base, items = (part.base, part.items) if isinstance(part, tree.Subscript) else (part, ())
        if not isinstance(base, tree.Name) or not base.name.startswith(d):
            raise fault
        name = base.name[len(d) :]
        if not name.isidentifier():
            raise fault
        return tree.Name(name, Span(base.span.start + len(d), base.span.stop, base.span.text)), items

    def program(self, *parts: Any) -> tuple[Any, ...]:
        return tuple(s for part in parts if not is_token(part) for s in part)


def _is_list(node: Tree) -> bool:
    return isinstance(node, tree.Sequence) and node.span.source.startswith("[")


def _is_whole(node: Tree) -> bool:
    return isinstance(node, tree.Number) and isinstance(node.value, int)


def is_token(part: object) -> bool:
    # Every token is a string, no node is; lark itself is imported only where a parser is made.
    return isinstance(part, str)
