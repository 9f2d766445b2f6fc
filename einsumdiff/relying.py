"""Like terms of a finished derivative, added by what is declared of the arrays that it is in.

While a derivative is taken, nothing is assumed of the entries that vary. The arrays that it is then evaluated
at have their properties all the same, so what is equal for these may be added; the result is evaluated, and
never differentiated again in that array.
"""

from __future__ import annotations

from dataclasses import replace

from einsumdiff.canonical import Key, body_key, is_symmetric, term_key
from einsumdiff.differentiate import Jacobian
from einsumdiff.meaning import Copied, Copier
from einsumdiff.nodes import Array, Definition, Input, Product, Term, add_numbers, body_arrays
from einsumdiff.program import Program


def like_terms_added(program: Program, jacobian: Jacobian) -> Jacobian:
    """The derivative with the terms added that are equal where the properties of its wrt hold.

    3/2*S[j,k]*S[k,i] + 3/2*S[i,k]*S[k,j]   ->   3*S[j,k]*S[k,i]
    """
    if not any(isinstance(one, Input) and one.properties for one in jacobian.wrt):
        return jacobian
    known = _Known(program)
    found: dict[Key, Term] = {}
    for term in jacobian.terms:
        key = term_key(known.term(term))
        old = found.get(key)
        if old is None:
            found[key] = term
        else:
            total = add_numbers(old.product.coefficient, term.product.coefficient)
            found[key] = Term(old.axes, Product(total, old.product.factors, old.product.bound))
    zero = [key for key, term in found.items() if term.product.coefficient == 0]
    return replace(jacobian, terms=tuple(term for key, term in found.items() if key not in zero))


class _Known(Copier):
    """Copies in which every input has its properties, to compare terms by; equal definitions are one."""

    def __init__(self, program: Program) -> None:
        own: dict[str, Array] = dict(program.builder.constants)
        own |= {one.name: Input(one.name, one.shape, one.properties) for one in program.inputs}
        super().__init__(own)
        self.bodies: dict[Key, Definition] = {}

    def _define(self, definition: Definition) -> Copied:
        if definition.opaque:
            return Copied(definition)
        body, shape = self.body(definition.body), definition.shape
        key = body_key(body, shape)
        if key not in self.bodies:
            copied = Definition(definition.name, shape, body)
            if any(array.declared for array in body_arrays(body)):
                copied.declared, copied.symmetric = True, is_symmetric(body, shape)
            self.bodies[key] = copied
        return Copied(self.bodies[key])
