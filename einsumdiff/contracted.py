"""What a derivative is contracted into, as functions: jvp, vjp, hvp, laplacian, hessian_diagonal.

Each is a program of its own, with the vectors as further inputs: it prints and has a source.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from einsumdiff import vectors
from einsumdiff.arguments import Arguments
from einsumdiff.batch import batched
from einsumdiff.differentiate import Elimination, Jacobian, differentiate, further
from einsumdiff.errors import NameFault, Unsupported
from einsumdiff.function import Compiled
from einsumdiff.needed import arguments
from einsumdiff.nodes import Array, Definition, Input, Sum
from einsumdiff.packing import Leaf, Packing, Template, renamed
from einsumdiff.program import Program
from einsumdiff.prologue import behind, ready
from einsumdiff.vectors import Contraction, Part


class Contracted:
    """A derivative contracted with vectors, as a function of the program's inputs and of the vectors.

    >>> from einsumdiff import derive
    >>> product = derive("y = A @ tanh(x)", wrt="x").jvp
    >>> product.inputs
    ('A', 'x', 'dx')
    >>> print(product)
    dy[i] = A[i,j]*(1 - tanh(x[j])**2)*dx[j]
    A: (m, n); x: (n,); dx: (n,)
    """

    __slots__ = (
        "_checked",
        "_contraction",
        "_functions",
        "_kind",
        "_lock",
        "_owner",
        "_packing",
        "_ready",
        "_sources",
    )

    def __init__(self, owner: Contractible, kind: str, contraction: Contraction) -> None:
        self._owner, self._kind, self._contraction = owner, kind, contraction
        packing = owner.asked.packing if owner.asked is not None else None
        self._packing = None if packing is None else _with_vectors(packing, contraction)
        self._sources: dict[bool, str] = {}
        self._functions: dict[bool, tuple[Callable[..., Any], Arguments]] = {}
        self._checked: dict[bool, Callable[..., Any]] = {}
        self._ready: Callable[..., Any] | None = None  # what a call calls, made by the first one
        self._lock = threading.Lock()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The parameters: the program's inputs, then the vectors."""
        return tuple(one.name for one in self._contraction.program.inputs)

    @property
    def shape(self) -> Any:
        """The sizes of its axes; of several arrays a dictionary."""
        shapes = {
            one.key: tuple(s if isinstance(s, int) else str(s) for s in one.shape) for one in self._parts
        }
        return shapes if self._several else next(iter(shapes.values()))

    @property
    def _parts(self) -> tuple[Part, ...]:
        return self._contraction.parts

    @property
    def _several(self) -> bool:
        """Whether the result is a dictionary."""
        return self._owner.several and self._parts[0].key is not None

    def _name(self, value: bool) -> str:
        return f"{'value_and_' if value else ''}{self._owner._name}_{self._kind}"

    def source(self, target: str = "numpy", value: bool = False) -> str:
        """A self-contained function as text; with `value` it returns `(value, product)`."""
        if target != "numpy":
            raise Unsupported(f"the target {target!r} is not there yet", None, 'the target is "numpy"')
        if value and self._owner.asked is None:
            raise Unsupported(
                "a derivative that was read from text has no value", None, "derive it from a program"
            )
        found = self._sources.get(value)
        if found is None:
            from einsumdiff.lower import lower
            from einsumdiff.targets import numpy as numpy_target

            keys = [one.key for one in self._parts if one.key is not None] if self._several else []
            with self._owner._setting:
                plan = lower(
                    self._contraction.program,
                    self._parts,
                    value=value,
                    name=self._name(value),
                    keys=keys,
                    real=[array.name for jac in self._owner._jacobians for array in jac.wrt],
                )
                _, *lines = self._text().splitlines()
                found = self._sources.setdefault(value, numpy_target.source(plan, "\n".join(lines)))
        return found

    def compile(
        self, target: str = "numpy", value: bool = False, *, check: bool = False
    ) -> Callable[..., Any]:
        """The function that `source` shows, loaded; it checks its arguments if that is asked for."""
        self.source(target, value)
        function, checks = self._loaded(value)
        if not check:
            return function
        found = self._checked.get(value)
        if found is None:
            found = self._checked.setdefault(value, behind(checks, function))
        return found

    def _loaded(self, value: bool) -> tuple[Callable[..., Any], Arguments]:
        """The function and its checks, made once."""
        text = self.source(value=value)
        with self._lock:
            found = self._functions.get(value)
            if found is None:
                found = self._functions[value] = self._load(text, value)
        return found

    def _load(self, text: str, value: bool) -> tuple[Callable[..., Any], Arguments]:
        from einsumdiff.targets import numpy as numpy_target

        program, owner = self._contraction.program, self._owner
        checks = arguments(
            program.inputs,
            [array for jac in owner._jacobians for array in jac.wrt],
            [term for one in self._parts for term in one.terms],
            [program.output] if value else [],
            [(one.name, one.shape) for one in self._parts],
            program.output,
            program.origins,
        )
        return numpy_target.load(text, self._name(value), owner._setting.table.names), checks

    def __call__(self, /, *args: object, **kwargs: object) -> Any:
        """The result at these arrays, by position or by name.

        Where the arguments of a Python function hold arrays, so do the vectors and the results.
        """
        return (self._ready or self._make_ready())(*args, **kwargs)

    def _make_ready(self) -> Callable[..., Any]:
        function, checks = self._loaded(False)
        shapes = {one.key if self._several else None: one.shape for one in self._parts}
        self._ready = ready(checks, function, shapes, self._packing, self._explained)
        return self._ready

    def _explained(self, args: Sequence[object], kwargs: Mapping[str, object]) -> Any:
        import numpy as np

        function, checks = self._loaded(False)
        flat = kwargs if self._packing is None else self._packing.flat(args, kwargs, self.inputs)
        found = checks.call(function, args if self._packing is None else (), flat)
        if not self._several:
            return np.asarray(found)
        found = {key: np.asarray(one) for key, one in found.items()}
        if self._packing is None or not self._packing.wrt or any(isinstance(key, tuple) for key in found):
            return found
        return self._packing.packed(found, args, kwargs)

    def _text(self) -> str:
        """The shapes, then the definitions and the results, a line each."""
        from einsumdiff.views.index import program_text

        outputs = [Definition(one.name, one.shape, Sum(one.terms), named=True) for one in self._parts]
        return program_text(self._contraction.program, explicit=False, outputs=outputs)

    def __str__(self) -> str:
        with self._owner._setting:
            shapes, *lines = self._text().splitlines()
        return "\n".join([*lines, shapes])

    def __repr__(self) -> str:
        return f"<{self._kind} of {self._owner!r}>"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return getattr, (self._owner, self._kind)


class Contractible(Compiled):
    """A derivative, or several of one output, and what they are contracted into."""

    __slots__ = ("_contractions",)
    several = False
    """Whether results are by name."""

    def _start(self) -> None:
        self._contractions: dict[str, Contracted] = {}

    @property
    def jvp(self) -> Contracted:
        """The derivative times vectors `d<wrt>`, one for each wrt: along the axes of the (last) wrt.

        >>> from einsumdiff import derive
        >>> derive("y = x**3", wrt="x").jvp(x=[1.0, 2.0], dx=[1.0, 10.0]).tolist()
        [3.0, 120.0]
        """
        return self._once("jvp", self._jvp)

    @property
    def vjp(self) -> Contracted:
        """An array `d<output>` times the first derivative: along the axes of the output.

        >>> from einsumdiff import derive
        >>> derive("y = A @ x", wrt="x").vjp(A=[[1.0, 2.0]], x=[0.0, 0.0], dy=[3.0]).tolist()
        [3.0, 6.0]
        """
        if self._order > 1:
            raise Unsupported("vjp is of a first derivative", None, "derive with order=1, or use jvp")
        read = self.asked is None
        return self._once("vjp", lambda: vectors.weighed(self._program, self._jacobians, read))

    @property
    def hvp(self) -> Contracted:
        """The Hessian of a scalar times vectors, from its gradient or from its Hessian.

        >>> from einsumdiff import derive
        >>> derive("x @ A @ x", wrt="x").hvp(x=[1.0, 0.0], A=[[1.0, 2.0], [4.0, 1.0]], dx=[1.0, 0.0]).tolist()
        [2.0, 6.0]
        """
        vectors.scalar(self._program, self._batch, "hvp", lambda: "sum it, or use jvp or vjp")
        held = [x.name for one in self._jacobians for x in one.wrt if isinstance(x, Definition)]
        if held and self.asked is None and self._order == 1 and len(self._jacobians) > 1:
            raise Unsupported(  # the others may read what it is made of
                f"{held[0]} is a definition, and the text does not say where the other derivatives read it",
                None,
                "derive it from a program",
            )
        return self._once("hvp", self._hvp)

    @property
    def laplacian(self) -> Contracted:
        """The trace of the Hessian, over all wrt, of every entry of the output: no Hessian is built.

        >>> from einsumdiff import derive
        >>> print(derive("f = sum(sin(x)*x)", wrt="x").laplacian)
        laplacian_f = 2*sum[i](cos(x[i])) - x[i]*sin(x[i])
        x: (n,)
        """
        return self._once("laplacian", lambda: vectors.laplacian(self._program, self._seconds("a Laplacian")))

    @property
    def hessian_diagonal(self) -> Contracted:
        """The diagonal of the Hessian: an array of the shape of the wrt, for every entry of the output.

        >>> from einsumdiff import derive
        >>> derive("sum(x**3)", wrt="x").hessian_diagonal(x=[1.0, 2.0]).tolist()
        [6.0, 12.0]
        """
        return self._once(
            "hessian_diagonal", lambda: vectors.diagonals(self._program, self._seconds("this diagonal"))
        )

    def _once(self, kind: str, make: Callable[[], Contraction]) -> Contracted:
        found = self._contractions.get(kind)
        if found is None:
            with self._setting:
                found = self._contractions.setdefault(kind, Contracted(self, kind, make()))
        return found

    @property
    def _order(self) -> int:
        return len(self._jacobians[0].wrt)

    @property
    def _batch(self) -> tuple[str, ...]:
        return self.asked.batch if self.asked is not None else ()

    @property
    def _last(self) -> list[Array]:
        return list(dict.fromkeys(one.wrt[-1] for one in self._jacobians))

    def _jvp(self) -> Contraction:
        if self.asked is None:
            return vectors.applied(self._program, self._jacobians)
        if self._order == 1:
            return vectors.along(self._program, None, self._last)
        program = self._own_program()
        sequences = dict.fromkeys(one.wrt[:-1] for one in self._jacobians)
        before = [self._in_order(program, arrays) for arrays in sequences]
        return vectors.along(program, before, self._last)

    def _hvp(self) -> Contraction:
        if self._order > 1:
            return self._jvp()
        program, asked = self._program, self.asked
        forward = asked is not None and (program.output.shape or asked.steps[-1].mode == "forward")
        if not forward:
            return vectors.along(program, self._as_derived(program), self._last)
        program = self._own_program()  # what forward mode builds is as large as the derivative
        return vectors.along(program, self._gradients(program), self._last)

    def _gradients(self, program: Program) -> list[Jacobian]:
        found = differentiate(program, self._last, Elimination("reverse"))
        return [in_batch(program, one, self._batch) for one in found]

    def _as_derived(self, program: Program) -> list[Jacobian]:
        """The first derivatives, without what holds only where the declared properties of a wrt do."""
        relying = any(isinstance(x, Input) and x.properties for x in self._last)
        return self._gradients(program) if relying and self.asked is not None else self._jacobians

    def _own_program(self) -> Program:
        return replace(self._program, builder=self._program.builder.copy())

    def _in_order(self, program: Program, arrays: Sequence[Array]) -> Jacobian:
        """The derivative in these, one after the other."""
        first, *others = arrays
        (jacobian,) = differentiate(program, [first])
        jacobian = in_batch(program, jacobian, self._batch)
        for array in others:
            (jacobian,) = further(program, jacobian, [array])
            jacobian = in_batch(program, jacobian, self._batch)
        return jacobian

    def _seconds(self, what: str) -> list[Jacobian]:
        """The second derivatives in each wrt and itself."""
        if self._order == 2:
            found = [one for one in self._jacobians if one.wrt[0] is one.wrt[1]]
            if found:
                return found
        if self._order > 1:
            names = ", ".join(x.name for x in self._jacobians[0].wrt)
            raise Unsupported(
                f"{what} is of second derivatives in one name, and this is in {names}",
                None,
                "derive with order=1 or order=2 in one name",
            )
        program = self._own_program()
        found = [further(program, one, [one.wrt[0]])[0] for one in self._as_derived(program)]
        return [in_batch(program, one, self._batch) for one in found]


def in_batch(program: Program, jacobian: Jacobian, names: Sequence[str]) -> Jacobian:
    """The derivative without the axes that a batch ties to the output's."""
    if not names:
        return jacobian
    from einsumdiff.views.index import axis_letters, formula_text

    return batched(
        jacobian,
        names,
        lambda one: (formula_text(program, [one]).splitlines()[-1], axis_letters(program, one)),
    )


def _with_vectors(packing: Packing, contraction: Contraction) -> Packing:
    """The packing with the vectors as further arguments, each in the shape of what it belongs to."""
    leaves = {name: one.name for name, one in contraction.vectors.items()}
    found: list[tuple[str, Template]] = []
    paths = {leaf: path for path, leaf in packing.inputs.items()}
    for path in packing.wrt or [paths.get(name, name) for name in leaves]:
        template = packing.at(path)
        own = packing.names(path) if template is not None else [path]
        if not all(name in leaves for name in own):
            continue
        if template is None or isinstance(template, Leaf):
            found.append((leaves[own[0]], Leaf(leaves[own[0]])))
        else:
            name = f"d{path.replace('.', '_')}"
            while name in dict(packing.parameters) or name in leaves.values():
                name += "_"
            found.append((name, renamed(template, leaves)))
        for name in own:
            leaves.pop(name)
    found += [(name, Leaf(name)) for name in leaves.values()]
    clash = next((name for name, _ in found if name in dict(packing.parameters)), None)
    if clash is not None:
        raise NameFault(
            f"{clash} is an argument of the function, and the vector too", None, "rename the argument"
        )
    return replace(packing, parameters=(*packing.parameters, *found))
