"""What a user holds: one derivative, or several of one output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from einsumdiff.answer import Sizes, answer
from einsumdiff.blocks import block_matrix, one_matrix
from einsumdiff.contracted import Contractible
from einsumdiff.differentiate import SWEEPS, Jacobian
from einsumdiff.errors import Unsupported
from einsumdiff.extension import in_force
from einsumdiff.function import Reader
from einsumdiff.hessians import symmetric
from einsumdiff.meaning import same
from einsumdiff.program import Program
from einsumdiff.request import Request, Step
from einsumdiff.structure import Structure, structure

if TYPE_CHECKING:
    import numpy as np

    from einsumdiff.check import CheckResult
    from einsumdiff.optimize import Problem
    from einsumdiff.same import Verdict


class _Derived(Contractible):
    """What one derivative and several have in common, and what goes back to the request for it."""

    __slots__ = ("_at_sizes", "_shown")

    def _start(self) -> None:
        super()._start()
        self._at_sizes: dict[Sizes, tuple[Program, list[Jacobian]]] = {}
        self._shown: str | None = None

    def _ordered(self, sizes: Sizes) -> tuple[Program, list[Jacobian]]:
        """Derived again where the order of elimination was open: these sizes may ask for another one."""
        first = not self._program.output.shape and self._order == 1
        if not sizes or first or self.asked is None or all(s.mode in SWEEPS for s in self.asked.steps):
            return super()._ordered(sizes)
        if sizes not in self._at_sizes:
            found = _again(self.asked, sizes)
            self._at_sizes[sizes] = found._program, found._jacobians
        return self._at_sizes[sizes]

    def as_scipy(
        self, /, *args: object, method: str | None = None, form: str | None = None, **kwargs: object
    ) -> Problem:
        """The program and its derivatives for `scipy.optimize`: functions of one vector of unknowns.

        Parameters
        ----------
        args, kwargs : arrays for all inputs, as `d(...)` takes them. Those of the wrt are where the search
            starts; all others stay as they are. Of one that is declared symmetric, diagonal or triangular,
            derived with `structured="triangle"`, the entries of one triangle are the unknowns.
        method : of `minimize` or `least_squares`; it decides what `arguments` holds, and of which form the
            matrices are: `trust-ncg` takes products with the Hessian, `trust-exact` a dense one, `trf` a
            sparse Jacobian.
        form : "dense", "sparse" or "operator", for the Jacobian or the Hessian, if the method's is not
            wanted.

        Returns
        -------
        Problem
            with `fun`, `jac`, `fun_and_jac`, `hess`, `hessp`, `x0`, `pack`, `unpack` and `arguments`.

        Examples
        --------
        >>> from einsumdiff import derive
        >>> from scipy.optimize import minimize
        >>> d = derive("L = sum((t - u*v)**2) + sum(u**2)", wrt=["u", "v"])
        >>> problem = d.as_scipy(t=[1.0, 2.0], u=[1.0, 1.0], v=[1.0, 1.0], method="trust-ncg")
        >>> found = minimize(**problem.arguments)
        >>> found.success, sorted(problem.unpack(found.x))
        (True, ['u', 'v'])
        """
        from einsumdiff.optimize import Problem, searched

        names = searched(self.asked, self._program, self._jacobians)

        def derivatives(order: int) -> Derivatives:
            assert self.asked is not None
            steps = (Step(names, order, "auto"),)
            found: Derivatives = _again(replace(self.asked, steps=steps, single=False, chosen=None))
            return found

        return Problem(derivatives(1), lambda: derivatives(2), names, args, kwargs, method, form)

    def __str__(self) -> str:
        if self._shown is None:
            from einsumdiff.views.index import derivative_text

            with self._setting:
                self._shown = derivative_text(self._program, self._jacobians)
        return self._shown

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        if self.asked is not None:
            return _again, (self.asked,)
        assert self._reader is not None
        return self._reader, (str(self),)


class Derivative(_Derived):
    """The derivative of a program's output in one of its names.

    Its axes are those of the output, then those of the wrt (of each, for higher orders). It can be
    called with arrays, printed, pickled, compared and used from several threads.
    """

    __slots__ = ("_jacobian",)

    def __init__(
        self, program: Program, jacobian: Jacobian, asked: Request | None, reader: Reader | None = None
    ) -> None:
        super().__init__(program, asked, reader)
        self._start()
        self._jacobian = jacobian

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

        >>> from einsumdiff import derive
        >>> derive("A @ x", wrt="x").shape
        ('m', 'n')
        """
        return tuple(size if isinstance(size, int) else str(size) for size in self._jacobian.shape)

    @property
    def symmetric(self) -> bool:
        """Whether it is known to be symmetric: exchanging two of its wrt changes nothing.

        >>> from einsumdiff import derive
        >>> derive("x @ A @ x", wrt="x", order=2).symmetric, derive("A @ x", wrt="x").symmetric
        (True, False)
        """
        return symmetric([self._jacobian])

    @property
    def structure(self) -> Structure:
        """Where the numbers are, and how many of them are kept: for each term and joined, see `Structure`.

        >>> from einsumdiff import derive
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
        result: np.ndarray[Any, Any] = (self._ready or self._make_ready())(*args, **kwargs)
        return result

    def _explained(self, args: Sequence[object], kwargs: Mapping[str, object]) -> np.ndarray[Any, Any]:
        import numpy as np

        return np.asarray(self._call(False, args, kwargs))

    def as_matrix(self, /, *args: object, **kwargs: object) -> np.ndarray[Any, Any]:
        """The derivative as a matrix, in C order: the axes of the last wrt are its columns, all others rows.

        >>> from einsumdiff import derive
        >>> derive("Z = X @ Y", wrt="X").as_matrix(X=[[1.0, 2.0]], Y=[[3.0], [4.0]]).tolist()
        [[3.0, 4.0]]
        """
        return one_matrix(self._jacobian, self(*args, **kwargs))

    def check(self, /, **arrays: object) -> CheckResult:
        """The largest error against the slope of the program, relative to the largest entry.

        At these arrays, or at random ones whose sizes are all different. The result is a float that says
        when printed how it was found, and where the derivative is furthest off.

        >>> from einsumdiff import derive
        >>> found = derive("y = sum(tanh(W @ x))", wrt="W").check()
        >>> found < 1e-12, found.method
        (True, 'complex step')
        >>> derive("y = x @ A @ x", wrt="x").check().method
        'exact modulo a prime, complex step'
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

    def same(self, formula: str) -> Verdict:
        """Whether a formula of one's own is this derivative: true or false, and words when printed.

        In index notation its letters are those of the printed left side; one may write a left side of
        one's own, and definitions before it. In NumPy notation it has the derivative's shape. It may name
        definitions of the program and of the printed derivative.

        >>> from einsumdiff import derive
        >>> d = derive("r = A @ x - b; y = r @ r", wrt="x")
        >>> print(d.same("dy/dx[j] = 2*A[i,j]*r[i]"))
        yes: the same, by canonical form
        >>> bool(d.same("2*A.T @ (A @ x - b)"))
        True
        >>> print(str(d.same("A.T @ r")).splitlines()[-1])
        yours is 1/2 times ours
        """
        from einsumdiff.same import same as compared

        with self._setting:
            return compared(self._program, self._jacobian, self, formula)

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


class Derivatives(_Derived, Mapping[Any, Derivative]):
    """Derivatives of one output in several names, whose one function shares all work.

    A mapping by name; by tuples of names for higher orders: `d["W", "b"]`.

    >>> from einsumdiff import derive
    >>> d = derive("y = sum(W*X + b)", wrt=["W", "b"])
    >>> list(d)
    ['W', 'b']
    >>> {name: slope.tolist() for name, slope in d(W=[[0.0]], X=[[2.0]], b=[1.0]).items()}
    {'W': [[2.0]], 'b': [1.0]}
    """

    __slots__ = ("_found",)
    several = True

    def __init__(
        self,
        program: Program,
        found: Mapping[tuple[str, ...], Derivative],
        asked: Request | None,
        reader: Reader | None = None,
    ) -> None:
        super().__init__(program, asked, reader)
        self._start()
        self._found: dict[str | tuple[str, ...], Derivative] = {
            names[0] if len(names) == 1 else names: one for names, one in found.items()
        }

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
        if self.asked is not None and self.asked.packing is not None:
            inputs = self.asked.packing.inputs
            key = inputs.get(key, key) if isinstance(key, str) else tuple(inputs.get(k, k) for k in key)
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
        return (self._ready or self._make_ready())(*args, **kwargs)

    def _explained(self, args: Sequence[object], kwargs: Mapping[str, object]) -> Any:
        import numpy as np

        results: dict[Any, Any] = self._call(False, args, kwargs)
        return self._packed({key: np.asarray(one) for key, one in results.items()}, args, kwargs)

    @property
    def symmetric(self) -> bool:
        """Whether the block in `"V", "U"` is known to be the one in `"U", "V"` transposed."""
        return symmetric(self._jacobians)

    @property
    def zeros(self) -> tuple[Any, ...]:
        """The keys of the derivatives that vanish whatever the arrays are.

        >>> from einsumdiff import derive
        >>> derive("L = sum(u**2) + sum(v**3)", wrt=["u", "v"], order=2).zeros
        (('u', 'v'), ('v', 'u'))
        """
        return tuple(key for key, one in self._found.items() if not one._jacobian.terms)

    def as_matrix(self, /, *args: object, **kwargs: object) -> np.ndarray[Any, Any]:
        """All blocks as one matrix, each wrt flattened in C order, in the order of `wrt`.

        First derivatives stand side by side; the Hessian of a scalar has the wrt down and across.

        >>> from einsumdiff import derive
        >>> H = derive("L = (u @ u)*w", wrt=["u", "w"], order=2, shapes={"w": ()})
        >>> H.as_matrix(u=[1.0, 2.0], w=3.0).tolist()
        [[6.0, 0.0, 2.0], [0.0, 6.0, 4.0], [2.0, 4.0, 0.0]]
        """
        return self._matrix(self._call(False, args, kwargs))

    def _matrix(self, found: Mapping[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        jacobians = {key: one._jacobian for key, one in self._found.items()}
        return block_matrix(jacobians, {key: np.asarray(one) for key, one in found.items()})

    def same(self, formulas: str) -> Verdict:
        """Whether these lines are those derivatives that they say: the first that is not, or the last.

        >>> from einsumdiff import derive
        >>> d = derive("y = sum(W*X + b)", wrt=["W", "b"], shapes={"b": "n"})
        >>> print(d.same("dy/dW[i,j] = X[i,j]; dy/db[i] = 1"))
        no: dy/db[i] at i=0 is 2, yours is 1 (random arrays W: (2, 3); X: (2, 3); b: (3,))
        yours is 1/m times ours
        """
        from einsumdiff.same import same_lines

        with self._setting:
            return same_lines([(one._program, one._jacobian, one) for one in self._found.values()], formulas)

    def check(self, /, **arrays: object) -> CheckResult:
        """The largest of the errors of all, see `Derivative.check`."""
        found = [one.check(**arrays) for one in self._found.values()]
        return max(found, key=lambda one: (not one.passed, float(one)))

    def __repr__(self) -> str:
        return f"<Derivatives of {self._program.output.name} in {', '.join(map(str, self._found))}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Derivatives) and self._found == other._found

    def __hash__(self) -> int:
        return hash(tuple(self._found))


def derived(asked: Request, sizes: Sizes = ()) -> Any:
    """The derivative that was asked for, or the derivatives."""
    program, jacobians = answer(asked, sizes)
    return held(program, jacobians, asked, asked.single)


def held(
    program: Program,
    jacobians: Sequence[Jacobian],
    asked: Request | None,
    single: bool,
    reader: Reader | None = None,
) -> Any:
    """The Jacobians as a user holds them: one where `single` tells that one name was asked for."""
    if single:
        return Derivative(program, jacobians[0], asked, reader)
    found = {}
    for jac in jacobians:
        names = tuple(array.name for array in jac.wrt)
        one = replace(asked, chosen=names) if asked else None
        found[names] = Derivative(program, jac, one, reader)
    return Derivatives(program, found, asked, reader)


def _again(asked: Request, sizes: Sizes = ()) -> Any:
    """What unpickling does: derive from the arguments as they were given."""
    with in_force(asked.rules, alone=True):
        found = derived(replace(asked, chosen=None), sizes)
    return found if asked.chosen is None else found[asked.chosen]
