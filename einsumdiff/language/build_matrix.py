r"""What the parser calls for programs in matrix notation: the same nodes, with operators of their own.

`'` is a `Unary`; `.*`, `./`, `.^`, `^` and `\` are operators of a `Binary`. What MATLAB and Julia read
differently is refused here, where brackets are still known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from einsumdiff.errors import SyntaxFault
from einsumdiff.language import tree
from einsumdiff.language.build import Builder
from einsumdiff.language.tree import Tree

if TYPE_CHECKING:
    from lark import Token

POWERS = ("^", ".^")
PLAIN = {".+": "+", ".-": "-", "~=": "!="}
"""Other spellings of one operator."""


class MatrixBuilder(Builder):
    """`begin` before each text."""

    def binary(self, left: Tree, op: Token, right: Tree) -> Tree:
        spelled = PLAIN.get(op, str(op))
        return tree.Binary(spelled, left, right, self.extent(left).to(self.extent(right)))

    def unary(self, op: Token, operand: Tree) -> Tree:
        return tree.Unary(PLAIN.get(op, str(op)), operand, self.spot(op).to(self.extent(operand)))

    def power(self, base: Tree, op: Token, exponent: Tree) -> Tree:
        if isinstance(base, tree.Binary) and base.op in POWERS and not self.grouped(base):
            a, b, c = (self.extent(part).source for part in (base.left, base.right, exponent))
            raise SyntaxFault(
                "powers are chained, which MATLAB reads from the left and Julia from the right",
                self.extent(base).to(self.extent(exponent)),
                f"write ({a}{base.op}{b}){op}{c} or {a}{base.op}({b}{op}{c})",
            )
        last = exponent
        while isinstance(last, tree.Unary) and last.op != "'" and not self.grouped(last):
            last = last.operand
        if isinstance(last, tree.Unary) and last.op == "'" and not self.grouped(last):
            a, b = self.extent(base).source, self.extent(exponent).source
            raise SyntaxFault(
                "this transposes the power in MATLAB, and the exponent in Julia",
                self.extent(base).to(self.extent(exponent)),
                f"write ({a}{op}{b[:-1].rstrip('.')})' or {a}{op}({b})",
            )
        return self.binary(base, op, exponent)

    def transpose(self, operand: Tree, prime: Token) -> Tree:
        return tree.Unary("'", operand, self.extent(operand).to(self.spot(prime)))

    def call(self, name: Any, opening: Token, *rest: Any) -> Tree:
        return super().call(self.name(name), opening, *rest)

    def broadcast(self, name: Token, dot: Token, opening: Token, *rest: Any) -> Tree:
        """`exp.(x)`, Julia's: every function of scalars is applied to each entry anyway."""
        node = self.call(name, opening, *rest)
        assert isinstance(node, tree.Apply)
        return tree.Apply(node.function, node.args, node.keywords, node.span, node.name_span, "each")

    def _target(self, target: Tree) -> tree.Name | tree.Subscript:
        if isinstance(target, tree.Name):
            return target
        source = self.extent(target).source
        raise SyntaxFault(
            f"{source} cannot be assigned to",
            self.extent(target),
            "the left side is a name: y = ...; compare with ==",
        )
