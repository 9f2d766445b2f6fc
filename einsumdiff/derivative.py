"""What a user holds: `derive` and the derivatives that it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from einsumdiff import vectors
from einsumdiff.batch import batched
from einsumdiff.differentiate import Jacobian, differentiate, further
from einsumdiff.errors import NameFault, Unsupported, ValueFault, nearest
from einsumdiff.function import Compiled, Reader
from einsumdiff.indexing.shapes import declared_size
from einsumdiff.language import tree
from einsumdiff.meaning import same
from einsumdiff.nodes import Array, Input
from einsumdiff.program import Builder, Program
from einsumdiff.request import Request, request, wrt_names
from einsumdiff.structure import Structure, structure
from einsumdiff.vectors import VectorProduct

if TYPE_CHECKING:
    import numpy as np


def derive(
    program: str | Derivative | Derivatives,
    wrt: str | Sequence[str],
    *,
    order: int = 1,
    shapes: Mapping[str, object] | None = None,
    output: str | None = None,
    batch: str | Sequence[str] | None = None,
    notation: str = "numpy",
    mode: str = "auto",
) -> Any:
    """The derivative of a program, or of a derivative.

    Parameters
    ----------
    program : text in NumPy or index notation, or a `Derivative` to go on from.
    wrt : the name of an input or of a definition, or several.
    order : 2 is the Hessian, and so on.
    shapes : sizes for names: `{"W": ("m", "n"), "b": "n", "X": array}`.
    output : the name whose derivative it is, if that is not the last statement.
    batch : sizes, by name, that are independent in every element of the output: checked, and the wrt's
        axes of that size are left out of the result.
    mode : `auto`, `forward` or `reverse`.

    Returns
    -------
    Derivative
        for one name; for several a `Derivatives`, a mapping by name (by tuples of names where
        `order` is 2 or more), whose one function shares all work.

    Raises
    ------
    EinsumDiffError : with a caret under the part of the program that is wrong.

    Examples
    --------
    >>> d = derive("y = sum(W*X + b)", wrt="W")
    >>> print(str(d).splitlines()[0])
    dy/dW[i,j] = X[i,j]
    >>> d(W=[[0.0, 0.0]], X=[[1.0, 2.0]], b=[3.0, 4.0]).tolist()
    [[1.0, 2.0]]
    """
    if notation == "matrix":
        raise Unsupported(
            'notation="matrix" is not there yet', None, "write NumPy: @ for the matrix product, .T for '"
        )
    if notation != "numpy":
        raise ValueFault(f"there is no notation {notation!r}", None, 'write notation="numpy"')
    if isinstance(program, Derivatives):
        names = ", ".join(repr(key) for key in program)
        raise Unsupported("this is several derivatives", None, f"go on from one of them: {names}")
    if isinstance(program, Derivative):
        if shapes is not None or output is not None or batch is not None:
            raise ValueFault("shapes=, output= and batch= belong to the program, not to a derivative of it")
        return program._further(wrt_names(wrt), order, mode, isinstance(wrt, str))
    return _derive(request(program, wrt, order, shapes, output, mode, batch))


def _derive(asked: Request) -> Any:
    """The derivative that was asked for, from the text on."""
    from einsumdiff.indexing.index import build
    from einsumdiff.language.parse import parse

    statements = parse(asked.text)
    names = tuple(dict.fromkeys(name for step in asked.steps for name in step.wrt))
    program = build(
        statements,
        text=asked.text,
        shapes=asked.shapes,
        output=asked.output,
        wrt=names,
    )
    program = _with_declared(program, statements, names)
    jacobians: list[Jacobian] = []
    for k, step in enumerate(asked.steps):
        wrt = [_array(program, name) for name in step.wrt]
        for repeat in range(step.order):
            if k == repeat == 0:
                jacobians = differentiate(program, wrt, step.mode)
            else:
                jacobians = [new for jac in jacobians for new in further(program, jac, wrt, step.mode)]
            if asked.batch:
                jacobians = [_batched(program, jac, asked.batch) for jac in jacobians]
    if asked.single:
        return Derivative(program, jacobians[0], asked)
    found = {}
    for jac in jacobians:
        names = tuple(array.name for array in jac.wrt)
        found[names] = Derivative(program, jac, replace(asked, chosen=names))
    return Derivatives(program, found, asked)


def _batched(program: Program, jacobian: Jacobian, names: Sequence[str]) -> Jacobian:
    from einsumdiff.views.index import formula_text

    return batched(jacobian, names, lambda one: formula_text(program, [one]).splitlines()[-1])


def _with_declared(program: Program, statements: Sequence[tree.Statement], names: tuple[str, ...]) -> Program:
    """The program with a wrt that is declared, though nothing reads it, as an input."""
    for one in statements:
        if isinstance(one, tree.Declare) and one.name.name in names and one.name.name not in program.arrays:
            array = Input(one.name.name, tuple(declared_size(size) for size in one.sizes))
            program = replace(
                program,
                inputs=(*program.inputs, array),
                arrays={**program.arrays, array.name: array},
            )
    return program


def _array(program: Program, name: str) -> Array:
    """What a wrt name means."""
    array = program.arrays.get(name)
    if array is None:
        near = nearest(name, program.arrays)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(program.arrays)}"
        raise NameFault(f"{name} is nowhere in the program", None, hint)
    return array


class Derivative(Compiled):
    """The derivative of a program's output in one of its names.

    Its axes are those of the output, then those of the wrt (of each, for higher orders). It can be
    called with arrays, printed, pickled, compared and used from several threads.
    """

    __slots__ = ("_jacobian", "_shown")

    def __init__(
        self, program: Program, jacobian: Jacobian, asked: Request | None, reader: Reader | None = None
    ) -> None:
        super().__init__(program, asked, reader)
        self._jacobian = jacobian
        self._shown: str | None = None

    @property
    def _jacobians(self) -> list[Jacobian]:
        return [self._jacobian]

    @property
    def _name(self) -> str:
        order = len(self._jacobian.wrt)
        names = "_".join(f"d{array.name}" for array in self._jacobian.wrt)
        return f"d{order if order > 1 else ''}{self._jacobian.output.name}_{names}"

    @property
    def wrt(self) -> tuple[str, ...]:
        """The names that it is the derivative in, one for each order."""
        return tuple(array.name for array in self._jacobian.wrt)

    @property
    def output(self) -> str:
        """The name whose derivative it is."""
        return self._jacobian.output.name

    @property
    def shape(self) -> tuple[str | int, ...]:
        """The sizes of its axes: numbers, or names and formulas of names.

        >>> derive("A @ x", wrt="x").shape
        ('m', 'n')
        """
        return tuple(size if isinstance(size, int) else str(size) for size in self._jacobian.shape)

    @property
    def structure(self) -> Structure:
        """Where the numbers are: zero, dense, diagonal or block-diagonal, for each term and joined.

        >>> print(derive("Z = X @ Y", wrt="X").structure)
        block-diagonal in (i, m)
        """
        from einsumdiff.views.index import axis_letters

        return structure(self._jacobian.terms, axis_letters(self._program, self._jacobian))

    def __call__(self, /, *args: object, **kwargs: object) -> np.ndarray[Any, Any]:
        """The derivative at these arrays, an array of its own.

        Parameters are all inputs of the program, by position or by name. One that is neither read nor
        needed for a size may be left out; if given, it is checked.
        """
        import numpy as np

        result: np.ndarray[Any, Any] = np.asarray(self._call(False, args, kwargs))
        return result

    @property
    def jvp(self) -> VectorProduct:
        """The derivative times a vector: along the axes of the last wrt, a function of that vector too.

        >>> derive("y = x**3", wrt="x").jvp(x=[1.0, 2.0], dx=[1.0, 10.0]).tolist()
        [3.0, 120.0]
        """
        return vectors.jvp(self._program, self._before, [self._jacobian.wrt[-1]])

    @property
    def vjp(self) -> VectorProduct:
        """A vector times the first derivative: along the axes of the output.

        >>> derive("y = A @ x", wrt="x").vjp(A=[[1.0, 2.0]], x=[0.0, 0.0], dy=[3.0]).tolist()
        [3.0, 6.0]
        """
        if len(self._jacobian.wrt) > 1:
            raise Unsupported("vjp is of a first derivative", None, "derive with order=1, or use jvp")
        return vectors.vjp(self._program, self._jacobian.wrt[0])

    @property
    def hvp(self) -> VectorProduct:
        """The Hessian of a scalar times a vector, from its gradient or from its Hessian.

        >>> derive("x @ A @ x", wrt="x").hvp(x=[1.0, 0.0], A=[[1.0, 2.0], [4.0, 1.0]], dx=[1.0, 0.0]).tolist()
        [2.0, 6.0]
        """
        vectors.scalar(self._program, "hvp")
        before = self._jacobian if len(self._jacobian.wrt) == 1 else self._before
        return vectors.jvp(self._program, before, [self._jacobian.wrt[-1]])

    @property
    def _before(self) -> Jacobian | None:
        """The derivative in all wrt but the last; None if there is no other."""
        jacobian: Jacobian | None = None
        for array in self._jacobian.wrt[:-1]:
            step = differentiate if jacobian is None else partial(further, jacobian=jacobian)
            (jacobian,) = step(self._program, wrt=[array])
        return jacobian

    def check(self, /, **arrays: object) -> float:
        """The largest error against central differences, relative to the largest entry.

        At these arrays, or at random ones whose sizes are all different.

        >>> derive("y = sum(tanh(W @ x))", wrt="W").check() < 1e-7
        True
        """
        from einsumdiff.check import check

        if self.asked is None:
            raise Unsupported(
                "a derivative that was read from text has no value to check it with",
                None,
                "derive it from a program",
            )
        return check(self._program, self._jacobian, self, arrays)

    def _further(self, names: tuple[str, ...], order: int, mode: str, single: bool) -> Any:
        asked = self.asked.further(names, order, mode, single, self.wrt) if self.asked else None
        arrays = [self._program.arrays.get(name) for name in names]
        if asked is not None and not all(isinstance(array, Input) for array in arrays):
            return _derive(asked)
        builder = self._program.builder
        fresh = Builder(dict(builder.known), set(builder.taken), builder.rewrite, dict(builder.constants))
        program = replace(self._program, builder=fresh)
        wrt = [_array(program, name) for name in names]
        jacobians = [self._jacobian]
        for _ in range(order):
            jacobians = [new for jac in jacobians for new in further(program, jac, wrt, mode)]
            if asked is not None and asked.batch:
                jacobians = [_batched(program, jac, asked.batch) for jac in jacobians]
        if single:
            return Derivative(program, jacobians[0], asked, self._reader)
        found = {}
        for jac in jacobians:
            chosen = tuple(array.name for array in jac.wrt)
            one = replace(asked, chosen=chosen) if asked else None
            found[chosen] = Derivative(program, jac, one, self._reader)
        return Derivatives(program, found, asked, self._reader)

    def __str__(self) -> str:
        if self._shown is None:
            from einsumdiff.views.index import derivative_text

            self._shown = derivative_text(self._program, [self._jacobian])
        return self._shown

    def __repr__(self) -> str:
        lines = [line for line in str(self).splitlines() if line.startswith("d") and "/d" in line]
        text = lines[0] if lines else str(self)
        return f"<Derivative {text if len(text) <= 90 else text[:87] + '...'}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Derivative):
            return NotImplemented
        return self._signature == other._signature and same(
            self._program.inputs, self._jacobian.terms, other._program.inputs, other._jacobian.terms
        )

    def __hash__(self) -> int:
        return hash(self._signature)

    @property
    def _signature(self) -> tuple[object, ...]:
        tied = tuple(sorted(self._jacobian.tied.items()))
        return self.wrt, len(self.shape), frozenset(self.inputs), tied

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        if self.asked is not None:
            return _again, (self.asked,)
        assert self._reader is not None
        return self._reader, (str(self),)


def _again(asked: Request) -> Any:
    """What unpickling does: derive from the arguments as they were given."""
    if asked.chosen is None:
        return _derive(asked)
    several = _derive(replace(asked, chosen=None))
    return several[asked.chosen]


class Derivatives(Compiled, Mapping[Any, Derivative]):
    """Derivatives of one output in several names, whose one function shares all work.

    A mapping by name; by tuples of names for higher orders: `d["W", "b"]`.

    >>> d = derive("y = sum(W*X + b)", wrt=["W", "b"])
    >>> list(d)
    ['W', 'b']
    >>> {name: slope.tolist() for name, slope in d(W=[[0.0]], X=[[2.0]], b=[1.0]).items()}
    {'W': [[2.0]], 'b': [1.0]}
    """

    __slots__ = ("_found", "_shown")

    def __init__(
        self,
        program: Program,
        found: Mapping[tuple[str, ...], Derivative],
        asked: Request | None,
        reader: Reader | None = None,
    ) -> None:
        super().__init__(program, asked, reader)
        self._found: dict[str | tuple[str, ...], Derivative] = {
            names[0] if len(names) == 1 else names: one for names, one in found.items()
        }
        self._shown: str | None = None

    @property
    def _jacobians(self) -> list[Jacobian]:
        return [one._jacobian for one in self._found.values()]

    @property
    def _keys(self) -> tuple[str | tuple[str, ...], ...]:
        return tuple(self._found)

    @property
    def _name(self) -> str:
        return f"derivatives_of_{self._program.output.name}"

    def __getitem__(self, key: str | tuple[str, ...]) -> Derivative:
        if isinstance(key, tuple) and len(key) == 1:
            key = key[0]
        try:
            return self._found[key]
        except KeyError:
            raise KeyError(f"{key!r}: there are {', '.join(repr(one) for one in self._found)}") from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __call__(self, /, *args: object, **kwargs: object) -> dict[Any, np.ndarray[Any, Any]]:
        """All derivatives at these arrays, by the keys of the mapping."""
        import numpy as np

        results: dict[Any, Any] = self._call(False, args, kwargs)
        return {key: np.asarray(one) for key, one in results.items()}

    def check(self, /, **arrays: object) -> float:
        """The largest of the errors of all, see `Derivative.check`."""
        return max(one.check(**arrays) for one in self._found.values())

    def __str__(self) -> str:
        if self._shown is None:
            from einsumdiff.views.index import derivative_text

            self._shown = derivative_text(self._program, self._jacobians)
        return self._shown

    def __repr__(self) -> str:
        return f"<Derivatives of {self._program.output.name} in {', '.join(map(str, self._found))}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Derivatives) and self._found == other._found

    def __hash__(self) -> int:
        return hash(tuple(self._found))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        if self.asked is not None:
            return _again, (self.asked,)
        assert self._reader is not None
        return self._reader, (str(self),)
