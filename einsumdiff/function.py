"""What derivatives have in common: inputs, the program, the generated function and its checks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from einsumdiff.arguments import Arguments
from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import Unsupported
from einsumdiff.hessians import computed_once
from einsumdiff.language.table import setting
from einsumdiff.needed import arguments
from einsumdiff.program import Program
from einsumdiff.request import Request

Function = Callable[..., Any]
Reader = Callable[[str], Any]


class Compiled:
    """A function of a program's inputs: its checks, its source, and the loaded function, made once."""

    __slots__ = ("_functions", "_lock", "_program", "_reader", "_setting", "_sources", "asked")
    _program: Program
    asked: Request | None

    def __init__(self, program: Program, asked: Request | None, reader: Reader | None = None) -> None:
        # a derivative is derived again from what was asked; one that was read has a reader instead
        assert asked is not None or reader is not None
        self._program, self.asked, self._reader = program, asked, reader
        self._setting = setting()
        self._sources: dict[bool, str] = {}
        self._functions: dict[bool, tuple[Function, Arguments]] = {}
        self._lock = threading.Lock()

    @property
    def _jacobians(self) -> list[Jacobian]:
        raise NotImplementedError

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

    def source(self, target: str = "numpy") -> str:
        """A self-contained function as text: it imports nothing but its target.

        >>> from einsumdiff import derive
        >>> print(derive("y = sum(W*X + b)", wrt="W").source().splitlines()[0])
        import numpy as np
        """
        _numpy_only(target, "dense")
        return self._text(False)

    def compile(self, target: str = "numpy", form: str = "dense", value: bool = False) -> Function:
        """The function that `source` shows, loaded; with `value` it returns `(value, derivative)`.

        Several derivatives are a dictionary by the names of their variables.
        It takes arrays for all inputs, in order or by name, and does not check them: `d(...)` does.
        """
        _numpy_only(target, form)
        return self._loaded(value)[0]

    def _text(self, value: bool) -> str:
        """The source, generated once."""
        found = self._sources.get(value)
        if found is None:
            with self._lock:
                found = self._sources.setdefault(value, self._generate(value))
        return found

    def _generate(self, value: bool) -> str:
        from einsumdiff.lower import lower
        from einsumdiff.targets import numpy as target
        from einsumdiff.views.index import formula_text

        if value and self.asked is None:
            raise Unsupported(
                "a derivative that was read from text has no value", None, "derive it from a program"
            )
        name, keys = self._function_name(value), self._keys
        with self._setting:
            plan = lower(
                self._program,
                computed_once(self._jacobians, self._program.builder.copy()),
                value=value,
                name=name,
                keys=keys,
            )
            return target.source(plan, formula_text(self._program, self._jacobians))

    def _function_name(self, value: bool) -> str:
        return f"value_and_{self._name}" if value else self._name

    def _loaded(self, value: bool) -> tuple[Function, Arguments]:
        """The function and its checks, made once."""
        found = self._functions.get(value)
        if found is None:
            text = self._text(value)
            with self._lock:
                found = self._functions.get(value)
                if found is None:
                    found = self._functions[value] = self._load(text, value)
        return found

    def _load(self, text: str, value: bool) -> tuple[Function, Arguments]:
        from einsumdiff.targets import numpy as target

        jacobians, output = self._jacobians, self._program.output
        shapes = [(f"the derivative in {jac.wrt[-1].name}", jac.shape) for jac in jacobians]
        if value:
            shapes.append((output.name, output.shape))
        checks = arguments(
            self._program.inputs,
            [array for jac in jacobians for array in jac.wrt],
            [term for jac in jacobians for term in jac.terms],
            [output] if value else [],
            shapes,
            output,
            self._program.origins,
        )
        return target.load(text, self._function_name(value), self._setting.table.names), checks

    def _call(self, value: bool, args: Sequence[object], kwargs: Mapping[str, object]) -> Any:
        function, checks = self._loaded(value)
        packing = self.asked.packing if self.asked is not None else None
        if packing is not None:
            args, kwargs = (), packing.flat(args, kwargs, self.inputs)
        return checks.call(function, args, kwargs)

    def _bound(self, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
        """The arguments of a call by the inputs that they are for."""
        packing = self.asked.packing if self.asked is not None else None
        if packing is not None:
            return packing.flat(args, kwargs, self.inputs)
        return self._loaded(True)[1].bind(args, kwargs)

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


def _numpy_only(target: str, form: str) -> None:
    if target != "numpy":
        raise Unsupported(f"the target {target!r} is not there yet", None, 'the target is "numpy"')
    if form != "dense":
        raise Unsupported(f"the form {form!r} is not there yet", None, 'the form is "dense"')
