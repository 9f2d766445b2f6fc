"""What a user holds: `derive` and the derivatives that it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from einsumdiff.differentiate import Jacobian, differentiate, further
from einsumdiff.errors import EinsumDiffError, NameFault, Unsupported, ValueFault, nearest
from einsumdiff.extension import Rules, in_force, rules_of
from einsumdiff.function import Compiled, Reader
from einsumdiff.indexing.shapes import declared_size
from einsumdiff.language import tree
from einsumdiff.language.table import setting
from einsumdiff.meaning import same
from einsumdiff.nodes import Array, Input
from einsumdiff.packing import Packing
from einsumdiff.program import Program
from einsumdiff.request import Request, request, wrt_names
from einsumdiff.sizes import names as size_names
from einsumdiff.structure import Structure, structure

if TYPE_CHECKING:
    import numpy as np


def derive(
    program: str | Derivative | Derivatives | Callable[..., Any],
    wrt: str | Sequence[str],
    *,
    order: int = 1,
    shapes: Mapping[str, object] | None = None,
    output: str | int | None = None,
    batch: str | None = None,
    notation: str = "numpy",
    mode: str = "auto",
    ties: str = "split",
    rules: Rules | None = None,
) -> Any:
    """The derivative of a program, or of a derivative.

    Parameters
    ----------
    program : text in NumPy or index notation, a Python function written with NumPy, or a `Derivative` to
        go on from.
    wrt : the name of an input or of a definition, or several; for a function a parameter, or the path of
        an array in one: `"m.W"`, and `"m"` for all arrays in it.
    order : 2 is the Hessian, and so on.
    shapes : sizes for names: `{"W": ("m", "n"), "b": "n", "X": array}`.
    output : the name whose derivative it is, if that is not the last statement; for a function that returns
        several values, which one: a key of its dictionary or a place in its tuple.
    mode : `auto`, `forward` or `reverse`.
    notation : `numpy`, or `matrix` for the spelling of MATLAB, Julia and matrixcalculus.org.
    ties : where the largest (or least) is there twice, max, min, maximum, minimum, fmax, fmin and clip
        give each an equal part (`split`), all to the `first`, or nothing to any (`zero`).
    rules : functions of one's own, see `register`; on top of those of a `with` statement around.

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

    A function is called once, with arrays that record what is done to them:

    >>> import numpy as np
    >>> d = derive(lambda m, x: np.sum(m["W"] @ x + m["b"]), "m", shapes={"m": {"W": "a b", "b": "a"}})
    >>> {name: slope.tolist() for name, slope in d({"W": [[0.0, 0.0]], "b": [1.0]}, [2.0, 3.0]).items()}
    {'W': [[2.0, 3.0]], 'b': [1.0]}
    """
    if batch is not None:
        raise Unsupported(
            "batch= is not there yet", None, "derive without it and take the diagonal of the result"
        )
    if isinstance(program, Derivatives):
        names = ", ".join(repr(key) for key in program)
        raise Unsupported("this is several derivatives", None, f"go on from one of them: {names}")
    if isinstance(program, Derivative):
        if (shapes, output, notation, ties, rules) != (None, None, "numpy", "split", None):
            names = "shapes=, output=, notation=, ties= and rules="
            raise ValueFault(f"{names} belong to the program, not to a derivative of it")
        packing = program.asked.packing if program.asked is not None else None
        if packing is not None:
            wrt = packing.plain(wrt)
        return program._further(wrt_names(wrt), order, mode, isinstance(wrt, str))
    with in_force(rules):
        return _derive_text_or_function(program, wrt, order, shapes, output, notation, mode, ties)


def _derive_text_or_function(
    program: str | Callable[..., Any],
    wrt: str | Sequence[str],
    order: int,
    shapes: Mapping[str, object] | None,
    output: str | int | None,
    notation: str,
    mode: str,
    ties: str,
) -> Any:
    if callable(program):
        if notation != "numpy":
            raise ValueFault("a Python function is written with NumPy", None, "leave notation= out")
        return _derive_function(program, wrt, order, shapes, output, mode, ties)
    asked = request(program, wrt, order, shapes, output, mode, notation, ties)
    return _derive(replace(asked, rules=rules_of(setting())))


def _derive_function(
    function: Callable[..., Any],
    wrt: str | Sequence[str],
    order: int,
    shapes: Mapping[str, object] | None,
    output: str | int | None,
    mode: str,
    ties: str,
) -> Any:
    """The derivative of a Python function: of the text that says the same."""
    from einsumdiff.tracing.trace import trace

    traced = trace(function, wrt, shapes, output)
    asked = request(traced.text.text, traced.wrt, order, traced.shapes, None, mode, ties=ties)
    try:
        return _derive(replace(asked, packing=traced.packing, rules=rules_of(setting())))
    except EinsumDiffError as error:
        raise traced.at_source(error) from None


def _derive(asked: Request) -> Any:
    """The derivative that was asked for, from the text on."""
    from einsumdiff.indexing.index import build
    from einsumdiff.language.matrix import parse_matrix
    from einsumdiff.language.parse import parse

    statements = parse_matrix(asked.text, asked.shapes) if asked.notation == "matrix" else parse(asked.text)
    names = tuple(dict.fromkeys(name for step in asked.steps for name in step.wrt))
    program = build(
        statements,
        text=asked.text,
        shapes=asked.shapes,
        output=asked.output,
        wrt=names,
        ties=asked.ties,
        notation=asked.notation,
    )
    program = _with_declared(program, statements, names)
    if asked.packing is not None:
        program = _in_order(program, asked.packing)
    jacobians: list[Jacobian] = []
    for k, step in enumerate(asked.steps):
        wrt = [_array(program, name) for name in step.wrt]
        for repeat in range(step.order):
            if k == repeat == 0:
                jacobians = differentiate(program, wrt, step.mode)
            else:
                jacobians = [new for jac in jacobians for new in further(program, jac, wrt, step.mode)]
    if asked.single:
        return Derivative(program, jacobians[0], asked)
    found = {}
    for jac in jacobians:
        names = tuple(array.name for array in jac.wrt)
        found[names] = Derivative(program, jac, replace(asked, chosen=names))
    return Derivatives(program, found, asked)


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


def _in_order(program: Program, packing: Packing) -> Program:
    """The program with its inputs in the order of the function's parameters."""
    order = {name: k for k, name in enumerate(packing.inputs.values())}
    return replace(program, inputs=tuple(sorted(program.inputs, key=lambda one: order[one.name])))


def _array(program: Program, name: str) -> Array:
    """What a wrt name means."""
    array = program.arrays.get(name)
    if array is None:
        if any(name in size_names(size) for one in program.inputs for size in one.shape):
            raise NameFault(f"{name} is a size, and a derivative is in real numbers", None, "name an array")
        if name in program.builder.constants:
            raise NameFault(f"{name} is a constant", None, f"assign it to see it as a variable: c = {name}")
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
        """Where the numbers are, and how many of them are kept: for each term and joined, see `Structure`.

        >>> print(derive("Z = X @ Y", wrt="X").structure)
        block-diagonal in (i, m): m equal blocks of p by n; stores n*p numbers of m*m*n*p
        """
        from einsumdiff.views.index import axis_letters

        with self._setting:
            jacobian = self._jacobian
            letters = axis_letters(self._program, jacobian)
            return structure(jacobian.terms, letters, jacobian.shape, jacobian.ranks)

    def __call__(self, /, *args: object, **kwargs: object) -> np.ndarray[Any, Any]:
        """The derivative at these arrays, an array of its own.

        Parameters are all inputs of the program, by position or by name. One that is neither read nor
        needed for a size may be left out; if given, it is checked.
        """
        import numpy as np

        result: np.ndarray[Any, Any] = np.asarray(self._call(False, args, kwargs))
        return result

    def check(self, /, **arrays: object) -> float:
        """The largest error against central differences, relative to the largest entry.

        At these arrays, or at random ones whose sizes are all different.

        >>> derive("y = sum(tanh(W @ x))", wrt="W").check() < 1e-7
        True
        """
        from einsumdiff.check import check

        if self.asked is not None and self.asked.packing is not None:
            arrays = self.asked.packing.flat((), arrays, self.inputs)
        if self.asked is None:
            raise Unsupported(
                "a derivative that was read from text has no value to check it with",
                None,
                "derive it from a program",
            )
        with self._setting:
            return check(self._program, self._jacobian, self, arrays)

    def _further(self, names: tuple[str, ...], order: int, mode: str, single: bool) -> Any:
        with self._setting:
            return self._derived(names, order, mode, single)

    def _derived(self, names: tuple[str, ...], order: int, mode: str, single: bool) -> Any:
        asked = self.asked.further(names, order, mode, single, self.wrt) if self.asked else None
        arrays = [self._program.arrays.get(name) for name in names]
        if asked is not None and not all(isinstance(array, Input) for array in arrays):
            return _derive(asked)
        program = replace(self._program, builder=self._program.builder.copy())
        wrt = [_array(program, name) for name in names]
        jacobians = [self._jacobian]
        for _ in range(order):
            jacobians = [new for jac in jacobians for new in further(program, jac, wrt, mode)]
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

            with self._setting:
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
        return self.wrt, len(self.shape), frozenset(self.inputs)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        if self.asked is not None:
            return _again, (self.asked,)
        assert self._reader is not None
        return self._reader, (str(self),)


def _again(asked: Request) -> Any:
    """What unpickling does: derive from the arguments as they were given."""
    with in_force(asked.rules, alone=True):
        found = _derive(replace(asked, chosen=None))
    return found if asked.chosen is None else found[asked.chosen]


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
        if self.asked is not None and self.asked.packing is not None and isinstance(key, str):
            key = self.asked.packing.inputs.get(key, key)
        try:
            return self._found[key]
        except KeyError:
            raise KeyError(f"{key!r}: there are {', '.join(repr(one) for one in self._found)}") from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __call__(self, /, *args: object, **kwargs: object) -> Any:
        """All derivatives at these arrays, by the keys of the mapping.

        Where the wrt was an argument of a Python function that holds arrays, they come back as one.
        """
        import numpy as np

        results: dict[Any, Any] = self._call(False, args, kwargs)
        return self._packed({key: np.asarray(one) for key, one in results.items()}, args, kwargs)

    def check(self, /, **arrays: object) -> float:
        """The largest of the errors of all, see `Derivative.check`."""
        return max(one.check(**arrays) for one in self._found.values())

    def __str__(self) -> str:
        if self._shown is None:
            from einsumdiff.views.index import derivative_text

            with self._setting:
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
