"""The directions in which an input with a declared property varies, as terms."""

from __future__ import annotations

from fractions import Fraction

from einsumdiff.nodes import Form, Guard, Input, Number, Term, product
from einsumdiff.properties import kind
from einsumdiff.terms import identity


def directions(x: Input) -> list[Term]:
    """The matrix that takes a derivative by all entries of x to the one that is meant (see `MEANINGS`).

    symmetric, projected   (a,b | a,b)/2 + (a,b | b,a)/2
    symmetric, triangle    (a,b | a,b) + (a,b | b,a) - (a,a | a,a)
    diagonal               (a,a | a,a)
    lower                  (a,b | a,b)*[a >= b]

    It is the same for every program: a function on the subspace has one derivative there, and any two
    continuations of it to all matrices agree along these directions, to every order.
    """

    def term(row: Form, column: Form, turned: bool, coefficient: Number = 1, *guards: Guard) -> Term:
        second = (column, row) if turned else (row, column)
        return Term((*first, row, column, *first, *second), product(coefficient, guards))

    plain = identity(x.shape)
    *first, a, b = plain.axes[: len(x.shape)]
    match kind(x.properties):
        case "symmetric" if x.meaning == "projected":
            half = Fraction(1, 2)
            return [term(a, b, False, half), term(a, b, True, half)]
        case "symmetric":
            return [term(a, b, False), term(a, b, True), term(a, a, False, -1)]
        case "lower":
            return [term(a, b, False, 1, Guard(a - b, ">="))]
        case "upper":
            return [term(a, b, False, 1, Guard(b - a, ">="))]
        case "diagonal":
            return [term(a, a, False)]
    return [plain]
