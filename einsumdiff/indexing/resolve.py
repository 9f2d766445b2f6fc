"""From the syntax tree to expressions: what every name means, and which notation a bracket is in.

A statement with a letter in it is indexed notation: names in it are scalar entries, and an operation on
whole arrays reads its arguments as whole arrays (`softmax(x)[i]`). Rows of the table are read by the same
code, with their parameters in place of the variables of a program.
"""

from __future__ import annotations

from fractions import Fraction

from einsumdiff.errors import Span, SyntaxFault
from einsumdiff.indexing.brackets import Brackets
from einsumdiff.indexing.expression import Node, Number, Over, Power, Product, Sum
from einsumdiff.language import tree
from einsumdiff.language.rows import Function
from einsumdiff.language.table import load_table
from einsumdiff.nesting import Steps, run
from einsumdiff.sizes import as_fraction


class Reader(Brackets):
    """Reads expressions with the help of `names`. What is nested is read in steps, see `nesting`."""

    __slots__ = ()

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
        for term, sign in _additive(node):
            terms.append((sign, (yield self.part(term, indexed))))
        if len(terms) == 1 and terms[0][0] == 1:
            return terms[0][1]
        if len(terms) == 1 and isinstance(terms[0][1], Number):
            return Number(node.span, -terms[0][1].value)
        return Sum(node.span, tuple(terms))

    def _product(self, node: tree.Tree, indexed: bool) -> Steps[Node]:
        parts: list[tuple[Node, int]] = []
        for factor, power in _multiplicative(node):
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


def _additive(node: tree.Tree) -> list[tuple[tree.Tree, int]]:
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


def _multiplicative(node: tree.Tree) -> list[tuple[tree.Tree, int]]:
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
