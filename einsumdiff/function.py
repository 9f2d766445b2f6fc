"""What derivatives have in common: inputs, the program, the generated function and its checks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from einsumdiff.accounts import Account, account
from einsumdiff.arguments import Arguments
from einsumdiff.blocks import no_batch
from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import NameFault, Unsupported, ValueFault, nearest
from einsumdiff.forms.options import Options
from einsumdiff.hessians import computed_once
from einsumdiff.language.table import setting
from einsumdiff.needed import arguments
from einsumdiff.plan import Plan
from einsumdiff.program import Program
from einsumdiff.prologue import behind, ready
from einsumdiff.request import Request
from einsumdiff.sizes import AnySize, names
from einsumdiff.uncollected import uncollected

LONG = 200
"""A program of more definitions has a formula that nobody reads in the docstring of a function."""

Function = Callable[..., Any]
Reader = Callable[[str], Any]


class Compiled:
    """A function of a program's inputs: its checks, its source, and the loaded function, made once."""

    __slots__ = (
        "_checked", "_functions", "_lock", "_program", "_reader", "_ready", "_setting", "_sources", "asked"
    )  # fmt: skip
    _program: Program
    asked: Request | None

    def __init__(self, program: Program, asked: Request | None, reader: Reader | None = None) -> None:
        # a derivative is derived again from what was asked; one that was read has a reader instead
        assert asked is not None or reader is not None
        self._program, self.asked, self._reader = program, asked, reader
        self._setting = setting()
        self._sources: dict[tuple[Options, bool], str] = {}
        self._functions: dict[Options, tuple[Function, Arguments]] = {}
        self._checked: dict[Options, Function] = {}
        self._ready: Function | None = None  # what `d(...)` calls, made by the first call
        self._lock = threading.Lock()

    @property
    def _jacobians(self) -> list[Jacobian]:
        raise NotImplementedError

    def _ordered(self, sizes: tuple[tuple[str, int], ...]) -> tuple[Program, list[Jacobian]]:
        """The program and the derivatives as they are computed at these sizes."""
        return self._program, self._jacobians

    @property
    def _keys(self) -> tuple[str | tuple[str, ...], ...]:
        """The keys of the dictionary that the function returns; none for a single derivative."""
        return ()

    @property
    def _name(self) -> str:
        raise NotImplementedError

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the program's inputs, in order of appearance: the parameters of the function."""
        return tuple(one.name for one in self._program.inputs)

    @property
    def program(self) -> str:
        """The program as understood: every definition a line, every sum written out.

        >>> from einsumdiff import derive
        >>> print(derive("sum(A @ x)", wrt="x").program)
        A: (m, n); x: (n,)
        y = sum[i,j](A[i,j]*x[j])
        """
        from einsumdiff.views.index import program_text

        with self._setting:
            return program_text(self._program)

    def source(
        self,
        target: str = "numpy",
        form: str = "dense",
        value: bool = False,
        *,
        copy: bool = True,
        out: bool = False,
        as_matrix: bool = False,
        sizes: Mapping[str, int] | None = None,
        expand: bool = False,
        jit: str | None = None,
        workspace: bool = False,
    ) -> str:
        """A self-contained function as text: it imports nothing but its target, and SciPy for its forms.

        The options are those of `compile`.

        >>> from einsumdiff import derive
        >>> print(derive("y = sum(W*X + b)", wrt="W").source().splitlines()[0])
        import numpy as np
        """
        return self._text(
            Options(target, form, value, copy, out, as_matrix, self._sized(sizes), expand, jit, workspace)
        )

    def compile(
        self,
        target: str = "numpy",
        form: str = "dense",
        value: bool = False,
        *,
        copy: bool = True,
        out: bool = False,
        as_matrix: bool = False,
        sizes: Mapping[str, int] | None = None,
        expand: bool = False,
        jit: str | None = None,
        workspace: bool = False,
        check: bool = False,
    ) -> Function:
        """The function that `source` shows, loaded (the docstring of a long program has no formula).

        It takes arrays for all inputs, in order or by name, and does not check them: `d(...)` does, and so
        does this function with `check=True`.
        Several derivatives are a dictionary by the names of their variables.

        Parameters
        ----------
        form : `dense`, an array; `sparse`, a `scipy.sparse.coo_array`; `operator`, a
            `scipy.sparse.linalg.LinearOperator`; `compressed`, what is stored and where it goes, with
            `dense() sparse() operator() diag() trace() @ .T solve()`. As a matrix, the axes of the last wrt
            are its columns, flattened, and all others its rows.
        value : return `(value, derivative)`.
        copy : False allows to return an input, or a view of one, read-only; a compressed result and an
            operator may then keep the inputs themselves, which are not to be changed as long as it is used.
        out : the function has a keyword `out`, a buffer (a dictionary of buffers for several derivatives)
            that it writes into and returns; with `out_is_zero=True` the zeros of the derivative are there
            already, from an earlier call say, and are not written.
        as_matrix : of the sparse form, a matrix in CSR.
        sizes : what names of sizes will be about, `{"m": 1000, "n": 500, "k": 10}`: in which order is
            contracted, whether a product is multiplied out over a sum, and which arrays are large enough to
            be written over, is chosen for them. The function takes any others too. A size that is not given
            is assumed to be 100.
        expand : True multiplies squares of sums out where that costs less: distances between points come
            from their Gram matrix, after their mean was taken from them, and no array of all differences is
            made. They then err by about 1e-16 of the square of the largest distance, where they otherwise err
            by 1e-16 of themselves, so points that are much closer than others lose digits.
        jit : "numba" compiles the same steps as loops: what is computed entry by entry makes no arrays in
            between, and runs on all cores where there is enough to do. It pays for large arrays and many
            steps of arithmetic; matrix products are those of BLAS anyway, and functions such as log are not
            faster. The first call takes seconds, for each kind of numbers (float64, float32) and once more
            for the first one that is large enough for several cores. Whole numbers are computed with as
            floating-point ones. It needs the extra `einsumdiff[numba]`; what has no loop is refused here.
        workspace : keep the arrays that a call needs on its way for the next call with arguments of the same
            shapes and types, which then makes nothing but what it returns. Every function that is compiled
            has a workspace of its own, and so is not for several threads at once; `workspace={}` in a call
            gives it another. Arrays are made in every call by what NumPy writes into no other array: `where`
            and comparisons, reading and writing at places of an index array, linear algebra, functions of
            SciPy, cumulative sums, contractions over several axes, `logsumexp`, zeros to be written into.
        check : the function checks and converts its arguments as `d(...)` does; of arrays that fit already,
            this takes a fraction of a microsecond each. Without it, arrays of truth values mean what NumPy
            makes of them.

        >>> import numpy as np
        >>> from einsumdiff import derive
        >>> core = derive("y = exp(x)", wrt="x").compile(form="compressed")(np.zeros(1000))
        >>> core, core.trace(), core.solve(np.full(1000, 3.0))[:2].tolist()
        (<Compressed (1000, 1000): 1000 numbers of 1000000>, np.float64(1000.0), [3.0, 3.0])
        """
        options = Options(
            target, form, value, copy, out, as_matrix, self._sized(sizes), expand, jit, workspace
        )
        return self._with_checks(options) if check else self._function(options)[0]

    def cost(self, /, **sizes: int) -> Account:
        """What a call of the generated function costs at these sizes, planned for them.

        Flops, bytes read and written, the peak of the memory that it takes, and the order in which it
        contracts. A size that is not given is assumed to be 100, and named as assumed.

        >>> from einsumdiff import derive
        >>> d = derive("sum((T - U @ V.T)**2)", wrt="U")
        >>> print(d.cost(m=1000, n=1000, p=10))
        flops   20,420,000
        moved   8,881,608 bytes
        memory  240,000 bytes at most
        sizes   m = 1000, n = 1000, p = 10
        order   (1) V[i,j]*V[i,k] -> [j,k]   200,000 flops
                (2) U[l,j]*(1)[j,k] -> [l,k]   200,000 flops
                (3) T[l,m]*V[m,k] -> [l,k]   20,000,000 flops
        """
        given = dict(self._sized(sizes))
        plan = self._plan(Options(sizes=tuple(sorted(given.items()))))
        with self._setting:
            return account(plan, given, self._sizes)

    @property
    def _sizes(self) -> tuple[str, ...]:
        """The names of the sizes, in order of appearance."""
        found = (name for one in self._program.inputs for size in one.shape for name in sorted(names(size)))
        return tuple(dict.fromkeys(found))

    def _sized(self, sizes: Mapping[str, int] | None) -> tuple[tuple[str, int], ...]:
        """The sizes that are given, checked: each the name of a size, and a whole number."""
        known = self._sizes
        for name, number in (sizes or {}).items():
            if name not in known:
                near = nearest(str(name), known) or sorted(known)
                hint = f"the sizes are {', '.join(near)}" if near else "all sizes are numbers here"
                raise NameFault(f"there is no size {name!r}", hint=hint)
            if isinstance(number, bool) or not hasattr(number, "__index__") or number < 0:
                raise ValueFault(
                    f"the size {name} is {number!r}", None, f"give a whole number: sizes={{{name!r}: 100}}"
                )
        return tuple(sorted((name, int(number)) for name, number in (sizes or {}).items()))

    def _text(self, options: Options, loaded: bool = False) -> str:
        """The source, generated once; one that is to be `loaded` does not show a long formula."""
        named = loaded and len(self._program.builder.known) > LONG
        found = self._sources.get((options, named))
        if found is None:
            with self._lock:
                found = self._sources.setdefault((options, named), self._generate(options, named))
        return found

    def _formula(self, named: bool, sizes: tuple[tuple[str, int], ...]) -> str:
        from einsumdiff.views.index import formula_text

        if not named:
            return formula_text(*self._ordered(sizes))
        return f"The derivative of {self._program.output.name}: a long formula, which print(d) shows."

    @uncollected()
    def _generate(self, options: Options, named: bool) -> str:
        from einsumdiff.targets import numpy as target

        if options.jit:  # loops write all of their results
            from einsumdiff.targets import numba as jit

            plan = self._plan(replace(options, copy=True))
            with self._setting:
                return jit.source(plan, self._formula(named, options.sizes), dict(options.sizes))
        plan = self._plan(options)
        with self._setting:
            return target.source(plan, self._formula(named, options.sizes))

    def _plan(self, options: Options) -> Plan:
        from einsumdiff.lower import lower

        if options.value and self.asked is None:
            raise Unsupported(
                "a derivative that was read from text has no value", None, "derive it from a program"
            )
        program, jacobians = self._ordered(options.sizes)
        if options.form == "sparse" and not options.as_matrix and any(not jac.shape for jac in jacobians):
            raise Unsupported(
                "a sparse array has axes, and this is a number", None, "ask with as_matrix=True"
            )
        if options.as_matrix or options.form == "operator":
            no_batch(jacobians)
        name, keys = self._function_name(options.value), self._keys
        splits = [len(jac.shape) - jac.ranks[-1] for jac in jacobians]
        with self._setting:
            once = computed_once(jacobians, program.builder.copy()) if options.form == "dense" else jacobians
            real = [array.name for jac in jacobians for array in jac.wrt]
            return lower(program, once, name=name, keys=keys, options=options, splits=splits, real=real)

    def _function_name(self, value: bool) -> str:
        return f"value_and_{self._name}" if value else self._name

    def _loaded(self, options: Options) -> tuple[Function, Arguments]:
        """The function and its checks, made once."""
        found = self._functions.get(options)
        if found is None:
            text = self._text(options, loaded=True)
            with self._lock:
                found = self._functions.get(options)
                if found is None:
                    found = self._functions[options] = self._load(text, options)
        return found

    @uncollected()
    def _load(self, text: str, options: Options) -> tuple[Function, Arguments]:
        from einsumdiff.targets import numpy as target

        if options.jit and find_spec("numba") is None:
            raise Unsupported("numba is not installed", None, 'pip install "einsumdiff[numba]"')
        program, jacobians = self._ordered(options.sizes)
        output = program.output
        shapes = [(f"the derivative in {jac.wrt[-1].name}", jac.shape) for jac in jacobians]
        if options.value:
            shapes.append((output.name, output.shape))
        checks = arguments(
            program.inputs,
            [array for jac in jacobians for array in jac.wrt],
            [term for jac in jacobians for term in jac.terms],
            [output] if options.value else [],
            shapes,
            output,
            program.origins,
        )
        return target.load(text, self._function_name(options.value), self._setting.table.names), checks

    def _function(self, options: Options) -> tuple[Function, Arguments]:
        """The function and its checks; one with a workspace is loaded each time, to have one of its own."""
        return (
            self._load(self._text(options, loaded=True), options)
            if options.workspace
            else self._loaded(options)
        )

    def _with_checks(self, options: Options) -> Function:
        """The loaded function behind its checks, made once."""
        found = self._checked.get(options)
        if found is None or options.workspace:
            function, checks = self._function(options)
            found = behind(checks, function, self._shapes if options.out else None)
            self._checked[options] = found
        return found

    def _make_ready(self) -> Function:
        """What `d(...)` calls: the dense form behind its checks."""
        function, checks = self._loaded(Options())
        packing = self.asked.packing if self.asked is not None else None
        self._ready = ready(checks, function, self._shapes, packing, self._explained)
        return self._ready

    def _explained(self, args: Sequence[object], kwargs: Mapping[str, object]) -> Any:
        raise NotImplementedError

    @property
    def _shapes(self) -> dict[Any, tuple[AnySize, ...]]:
        """The shapes of the results by key."""
        return {key: jac.shape for key, jac in zip(self._keys or (None,), self._jacobians, strict=True)}

    def _call(self, value: bool, args: Sequence[object], kwargs: Mapping[str, object]) -> Any:
        out, kwargs = self._buffers(kwargs)
        function, checks = self._loaded(Options(value=value, out=out is not None))
        packing = self.asked.packing if self.asked is not None else None
        if packing is not None:
            args, kwargs = (), packing.flat(args, kwargs, self.inputs)
        if out is None:
            return checks.call(function, args, kwargs)
        return checks.call(function, args, kwargs, (out.pop("out"), self._shapes), **out)

    def _buffers(self, kwargs: Mapping[str, object]) -> tuple[dict[str, object] | None, Mapping[str, object]]:
        """`out=` and `out_is_zero=`, where no input has that name, and the other arguments."""
        packing = self.asked.packing if self.asked is not None else None
        taken = self.inputs if packing is None else tuple(name for name, _ in packing.parameters)
        own = {k: v for k, v in kwargs.items() if k in ("out", "out_is_zero") and k not in taken}
        if own.get("out") is None:
            if own.get("out_is_zero"):
                raise ValueFault(
                    "out_is_zero= is about the buffer out=, and there is none", None, "pass out="
                )
            return None, {k: v for k, v in kwargs.items() if k not in own}
        return own, {k: v for k, v in kwargs.items() if k not in own}

    def _bound(self, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
        """The arguments of a call by the inputs that they are for."""
        packing = self.asked.packing if self.asked is not None else None
        if packing is not None:
            return packing.flat(args, kwargs, self.inputs)
        return self._loaded(Options(value=True))[1].bind(args, kwargs)

    def _value_alone(self) -> Function:
        """A function of all inputs that returns the output."""
        from einsumdiff.lower import lower
        from einsumdiff.targets import numpy as target

        name = self._program.output.name or "f"
        with self._setting:
            plan = lower(self._program, [], value=True, name=f"value_of_{name}")
            text = target.source(plan, f"The value of {name}.")
        return target.load(text, plan.name, self._setting.table.names)

    def _packed(self, found: dict[Any, Any], args: Sequence[object], kwargs: Mapping[str, object]) -> Any:
        """Results by name, in the shape of the arguments of the function that they belong to."""
        packing = self.asked.packing if self.asked is not None else None
        if packing is None or not packing.wrt or any(isinstance(name, tuple) for name in found):
            return found
        return packing.packed(found, args, kwargs)
