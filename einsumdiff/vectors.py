"""Products of a derivative with vectors, which never build the derivative: jvp, vjp, hvp.

Each is a program of its own, with the vectors as further inputs: it prints, has a source, and costs a few
evaluations of the program that it comes from. Source of the bound: A. Griewank and A. Walther, Evaluating
Derivatives (2008), section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from einsumdiff.arguments import arguments
from einsumdiff.differentiate import Jacobian, directional, weighted
from einsumdiff.errors import ValueFault
from einsumdiff.nodes import Array, Definition, Input, Sum, Term
from einsumdiff.program import Builder, Program
from einsumdiff.sizes import AnySize

if TYPE_CHECKING:
    import numpy as np


class VectorProduct:
    """A product of a derivative with vectors, as a function of the program's inputs and the vectors.

    >>> from einsumdiff import derive
    >>> product = derive("y = A @ tanh(x)", wrt="x").jvp
    >>> product.inputs
    ('A', 'x', 'dx')
    >>> print(product)
    dy[i] = A[i,j]*(1 - tanh(x[j])**2)*dx[j]
    A: (m, n); x: (n,); dx: (n,)
    """

    __slots__ = ("_outputs", "_program", "_vectors")

    def __init__(self, program: Program, outputs: Sequence[Definition], vectors: Sequence[Input]) -> None:
        self._program, self._outputs, self._vectors = program, tuple(outputs), tuple(vectors)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The parameters: the program's inputs, then the vectors."""
        return tuple(one.name for one in self._program.inputs)

    @property
    def _name(self) -> str:
        return f"{self._outputs[0].name}_along_{'_'.join(one.name for one in self._vectors)}"

    def source(self) -> str:
        """A self-contained NumPy function as text."""
        from einsumdiff.lower import lower
        from einsumdiff.targets import numpy as target
        from einsumdiff.views.index import program_text

        plan = lower(self._program, [], value=True, name=self._name)
        _, *lines = program_text(self._program, explicit=False).splitlines()
        return target.source(plan, "\n".join(lines))

    def compile(self) -> Callable[..., Any]:
        """The function that `source` shows, loaded; it does not check its arguments."""
        from einsumdiff.targets import numpy as target

        return target.load(self.source(), self._name)

    def __call__(self, /, *args: object, **kwargs: object) -> np.ndarray[Any, Any]:
        """The product at these arrays; parameters by position or by name."""
        import numpy as np

        output = self._program.output
        checks = arguments(self._program.inputs, self._vectors, [], [output], [(output.name, output.shape)])
        result: np.ndarray[Any, Any] = np.asarray(self.compile()(*checks(args, kwargs)))
        return result

    def __str__(self) -> str:
        from einsumdiff.views.index import program_text

        shapes, *lines = program_text(self._program, explicit=False).splitlines()
        return "\n".join([*lines, shapes])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self).splitlines()[-2]}>"


def jvp(program: Program, before: Jacobian | None, wrt: Sequence[Array]) -> VectorProduct:
    """`sum over the wrt of d(output)/d(wrt) @ d<wrt>`, or the same of a derivative `before`."""
    fresh = _fresh(program)
    vectors = [Input(_free(f"d{x.name}", fresh), x.shape) for x in wrt]
    terms = directional(fresh, before, dict(zip(wrt, vectors, strict=True)))
    name, shape = f"d{fresh.output.name}", fresh.output.shape
    if before is not None:
        name = f"d{fresh.output.name}_{'_'.join(f'd{x.name}' for x in before.wrt)}"
        shape = before.shape
    return _product(fresh, terms, shape, name, vectors)


def vjp(program: Program, wrt: Array) -> VectorProduct:
    """`d<output> @ d(output)/d(wrt)`: the gradient of the output weighted by a vector of its shape."""
    fresh = _fresh(program)
    vector = Input(_free(f"d{fresh.output.name}", fresh), fresh.output.shape)
    (terms,) = weighted(fresh, vector, [wrt])
    return _product(fresh, terms, wrt.shape, f"d{wrt.name}", [vector])


def _fresh(program: Program) -> Program:
    """The program with a builder of its own, as it will get inputs."""
    old = program.builder
    builder = Builder(dict(old.known), set(old.taken), old.rewrite, dict(old.constants))
    return replace(program, builder=builder)


def _free(name: str, program: Program) -> str:
    """The name, or with underscores if the program uses it."""
    while name in program.builder.taken or name in program.arrays:
        name += "_"
    return name


def _product(
    program: Program,
    terms: Sequence[Term],
    shape: tuple[AnySize, ...],
    name: str,
    vectors: Sequence[Input],
) -> VectorProduct:
    output = Definition(_free(name, program), shape, Sum(tuple(terms)), named=True)
    whole = replace(program, inputs=(*program.inputs, *vectors), output=output, notes=())
    return VectorProduct(whole, [output], vectors)


def scalar(program: Program, what: str) -> None:
    """Raise ValueFault unless the program's output is a number."""
    if program.output.shape:
        raise ValueFault(
            f"{what} is of a scalar, and {program.output.name} has axes", None, "sum it, or use jvp or vjp"
        )
