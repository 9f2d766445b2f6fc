"""A derivative as `scipy.optimize` wants it: one vector of unknowns, and functions of it.

    problem = derive("L = sum((T - U @ V.T)**2)", wrt=["U", "V"]).as_scipy(T=T, U=U0, V=V0)
    found = minimize(**problem.arguments)      # fun, x0, jac and what the method takes of hess and hessp
    problem.unpack(found.x)["U"]

Arrays follow each other in the order of wrt, each in C order. Of one that is declared symmetric, diagonal or
triangular the unknowns are the entries that may vary, those on and below the diagonal of a symmetric one: a
search never leaves the matrices that have the property.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from einsumdiff.differentiate import Jacobian
from einsumdiff.errors import Unsupported, ValueFault, nearest
from einsumdiff.forms.assembly import Assembly
from einsumdiff.forms.options import Options
from einsumdiff.nodes import Input
from einsumdiff.program import Program
from einsumdiff.properties import free_entries, violation, whole
from einsumdiff.request import Request

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Method:
    """What a method of SciPy is given.

    `least_squares` tells its function from `minimize`; `takes` names the keywords; `form` is that of the
    matrix among them, of the Jacobian or of the Hessian.
    """

    least_squares: bool
    takes: tuple[str, ...]
    form: str = "dense"


_MINIMIZE = {
    (): "nelder-mead powell cobyla cobyqa",
    ("jac",): "cg bfgs l-bfgs-b tnc slsqp",
    ("jac", "hessp"): "newton-cg trust-ncg trust-krylov",
    ("jac", "hess"): "dogleg trust-exact",
}
METHODS = {name: Method(False, takes) for takes, names in _MINIMIZE.items() for name in names.split()}
METHODS["trust-constr"] = Method(False, ("jac", "hess"), "sparse")
METHODS |= {"trf": Method(True, ("jac",), "sparse"), "dogbox": Method(True, ("jac",), "sparse")}
METHODS["lm"] = Method(True, ("jac",))
FORMS = ("dense", "sparse", "operator")


def searched(asked: Request | None, program: Program, jacobians: Sequence[Jacobian]) -> tuple[str, ...]:
    """The names that a search is in: all wrt, refused where they are no vector of unknowns."""
    if asked is None:
        raise Unsupported(
            "a derivative that was read from text has no value", None, "derive it from a program"
        )
    if asked.batch:
        raise Unsupported("a batch has no one vector", None, "derive without batch=")
    inputs = {one.name for one in program.inputs}
    names = tuple(dict.fromkeys(x.name for one in jacobians for x in one.wrt))
    for name in names:
        if name not in inputs:
            raise Unsupported(
                f"{name} is defined by the program, and nothing to search for", None, "derive in inputs"
            )
        one = program.arrays[name]
        if isinstance(one, Input) and one.properties and asked.structured != "triangle":
            raise Unsupported(
                f"{name} is declared {' '.join(one.properties)}, and the unknowns of a search are the "
                "entries that vary then, each once",
                None,
                f'derive with structured="triangle", or do not declare that {name} is',
            )
    return names


class Problem:
    """The output of a program and its derivatives as functions of one vector, which holds all wrt.

    Attributes
    ----------
    x0 : the wrt that were given, packed: where a search starts, shape (n,).
    method : the method of `minimize` or `least_squares` that it is for; None for any.
    """

    def __init__(
        self,
        first: Any,
        second: Callable[[], Any],
        names: Sequence[str],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        method: str | None = None,
        form: str | None = None,
    ) -> None:
        """`first` are the derivatives in all names, `second` gives the second ones."""

        self._first, self._make_second, self._names = first, second, tuple(names)
        self._functions: dict[tuple[int, bool], Callable[..., Any]] = {}
        self._assemblies: dict[int, Assembly] = {}
        self._output = first._program.output
        self._scalar = not self._output.shape
        self.method = method
        self._method = self._chosen(method)
        if form is not None and form not in FORMS:
            raise ValueFault(f"there is no form {form!r}", None, f"write {' or '.join(FORMS)}")
        self._form = form or self._method.form
        self._args, self._kwargs = args, kwargs
        given = first._bound(args, kwargs)
        missing = [name for name in self._names if name not in given]
        if missing:
            raise ValueFault(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing: it starts there",
                None,
                "pass " + ", ".join(f"{name}=..." for name in missing),
            )
        self._given = given
        self._inputs = dict(zip(first.inputs, first._loaded(Options(value=True))[1]((), given), strict=True))
        self._shapes = {name: self._inputs[name].shape for name in self._names}
        self._properties = {one.name: one.properties for one in first._program.inputs}
        self._entries: dict[str, Vector] = {}  # of the flat array, those that vary
        self._kept: Vector | None = None  # of all flat arrays, if those are not all
        self._choose_entries()
        self.x0: Vector = self._joined(self._inputs).astype(float)

    # -- what SciPy calls -----------------------------------------------------------------------------

    def fun(self, x: Vector) -> Any:
        """The value at x: a float; for an output with axes a vector, in C order."""
        return self._value(self._value_alone(*self._arrays(x)))

    def jac(self, x: Vector) -> Any:
        """The gradient at x, shape (n,); for an output with axes its Jacobian, shape (m, n)."""
        if self._form == "operator" and not self._scalar:
            return self._operator(x)
        return self._jacobian(self._function(1, False)(*self._arrays(x)))

    def fun_and_jac(self, x: Vector) -> tuple[Any, Any]:
        """Both, sharing their work: what `minimize(problem.fun_and_jac, problem.x0, jac=True)` takes."""
        if self._form == "operator" and not self._scalar:
            return self.fun(x), self._operator(x)
        value, found = self._function(1, True)(*self._arrays(x))
        return self._value(value), self._jacobian(found)

    def hess(self, x: Vector) -> Any:
        """The Hessian at x, shape (n, n)."""
        self._of_a_number("hess")
        if self._form == "operator":
            import numpy as np
            from scipy.sparse.linalg import LinearOperator

            x = np.array(x)  # SciPy moves its own on
            return LinearOperator(
                2 * x.shape, lambda p: self.hessp(x, p), lambda p: self.hessp(x, p), dtype=x.dtype
            )
        return self._matrix(2, self._function(2, False)(*self._arrays(x)))

    def hessp(self, x: Vector, p: Vector) -> Vector:
        """The Hessian at x times p, without the Hessian, shape (n,)."""
        self._of_a_number("hessp")
        found = self._first.hvp.compile()(*self._arrays(x), *self._along(p.ravel()))
        return self._joined(found)

    # -- vectors and arrays ---------------------------------------------------------------------------

    def pack(self, /, *args: object, **kwargs: object) -> Vector:
        """The vector for other values of the wrt: arrays in their order or by name.

        For a Python function, its arguments.
        """
        import numpy as np

        packing = self._first.asked.packing
        if packing is not None:
            given = packing.flat(args, kwargs, self._names)
        elif len(args) > len(self._names):
            raise ValueFault(
                f"{len(args)} arrays are given for {len(self._names)}", None, f"pass {', '.join(self._names)}"
            )
        else:
            given = dict(zip(self._names, args, strict=False)) | kwargs
        wrong = [name for name in given if name not in self._names]
        wrong += [name for name in self._names if name not in given]
        if wrong:
            what = "is missing" if wrong[0] in self._names else "is not what the search is for"
            raise ValueFault(f"{wrong[0]} {what}", None, f"pass {', '.join(self._names)}")
        arrays = {name: np.asarray(given[name], dtype=float) for name in self._names}
        for name, array in arrays.items():
            if array.shape != self._shapes[name]:
                raise ValueFault(f"{name} has shape {array.shape}, expected {self._shapes[name]}")
            wrong_entry = violation(name, array, self._properties[name]) if name in self._entries else None
            if wrong_entry is not None:
                raise ValueFault(wrong_entry[0], None, wrong_entry[1])
        return self._joined(arrays)

    def unpack(self, x: Vector) -> dict[str, Any]:
        """The arrays that a vector holds, by name, each its own; arguments of a function in their shape."""
        found = {name: part.copy() for name, part in self._parts(x).items()}
        packed = self._first._packed(found, self._args, self._kwargs)
        packing = self._first.asked.packing
        if packing is None or packed is found:
            return found
        return {packing.wrt[0]: packed} if packing.single else packed

    @property
    def arguments(self) -> dict[str, Any]:
        """The keywords of `scipy.optimize.minimize`, or of `least_squares`, for the method."""
        found: dict[str, Any] = {"fun": self.fun, "x0": self.x0}
        if self.method is not None:
            found["method"] = self.method
        if not self._method.least_squares and "jac" in self._method.takes:
            found |= {"fun": self.fun_and_jac, "jac": True}
        return found | {name: getattr(self, name) for name in self._method.takes if name not in found}

    def __repr__(self) -> str:
        return f"<Problem of {self._output.name} in {', '.join(self._names)}: {self.x0.size} unknowns>"

    # -- how ------------------------------------------------------------------------------------------

    def _chosen(self, method: str | None) -> Method:
        if method is None:
            return Method(not self._scalar, ("jac",))
        chosen = METHODS.get(method.lower()) if isinstance(method, str) else None
        if chosen is None:
            near = nearest(str(method).lower(), METHODS)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(METHODS)}"
            raise ValueFault(f"there is no method {method!r}", None, hint)
        if chosen.least_squares == self._scalar:
            fitting = [name for name, one in METHODS.items() if one.least_squares != self._scalar]
            raise ValueFault(
                f"{method} is a method of {'least_squares' if chosen.least_squares else 'minimize'}, "
                f"and {self._output.name} {'is a number' if self._scalar else 'has axes'}",
                None,
                f"choose one of {', '.join(fitting)}"
                + ("" if self._scalar else f", or minimize sum({self._output.name}**2)"),
            )
        return chosen

    def _of_a_number(self, what: str) -> None:
        if not self._scalar:
            raise ValueFault(
                f"{what} is of a number, and {self._output.name} has axes",
                None,
                "use jac, as least_squares does",
            )

    @functools.cached_property
    def _second(self) -> Any:
        return self._make_second()

    @functools.cached_property
    def _value_alone(self) -> Callable[..., Any]:
        value_alone: Callable[..., Any] = self._first._value_alone()
        return value_alone

    def _function(self, order: int, value: bool) -> Callable[..., Any]:
        """The generated function; its checks run once, as the arrays keep their shapes."""
        found = self._functions.get((order, value))
        if found is None:
            of = self._first if order == 1 else self._second
            sparse = self._form == "sparse" and (order == 2 or not self._scalar)
            options = Options(form="compressed" if sparse else "dense", value=value)
            found, checks = of._loaded(options)
            checks((), self._given)
            self._functions[order, value] = found
        return found

    def _operator(self, x: Vector) -> Any:
        """The Jacobian at x as products with it."""
        import numpy as np
        from scipy.sparse.linalg import LinearOperator

        arrays, output = self._arrays(np.array(x)), self.fun(x)
        forward, back = self._first.jvp.compile(), self._first.vjp.compile()
        shape = self._value_alone(*arrays).shape

        def matvec(p: Vector) -> Vector:
            return np.ravel(forward(*arrays, *self._along(np.ravel(p))))

        def rmatvec(w: Vector) -> Vector:
            return self._joined(back(*arrays, np.reshape(w, shape)))

        return LinearOperator((output.size, self.x0.size), matvec, rmatvec, dtype=self.x0.dtype)

    def _parts(self, x: Vector) -> dict[str, Vector]:
        """The arrays that a vector holds, by name; views, where all their entries are unknowns."""
        return {
            name: whole(self._scattered(part, name), self._properties[name])
            for name, part in self._split(x).items()
        }

    def _along(self, p: Vector) -> list[Vector]:
        """The vectors that a product takes: the slope in an entry counts its mirror image already."""
        return [self._scattered(part, name) for name, part in self._split(p).items()]

    def _split(self, x: Vector) -> dict[str, Vector]:
        """Views of the parts of a vector, flat."""
        import numpy as np

        x = np.asarray(x)
        if x.shape != self.x0.shape:
            raise ValueFault(f"the vector has shape {x.shape}, expected {self.x0.shape}", None, "see pack")
        found, at = {}, 0
        for name, shape in self._shapes.items():
            count = self._entries[name].size if name in self._entries else math.prod(shape)
            found[name] = x[at : at + count]
            at += count
        return found

    def _scattered(self, part: Vector, name: str) -> Vector:
        """An array with the unknowns at their entries and zeros elsewhere."""
        import numpy as np

        if name not in self._entries:
            return part.reshape(self._shapes[name])
        array = np.zeros(self._shapes[name], part.dtype)
        array.reshape(-1)[self._entries[name]] = part
        return array

    def _choose_entries(self) -> None:
        """Which entries of the wrt vary, where not all of them do."""
        import numpy as np

        chosen, at = [], 0
        for name, shape in self._shapes.items():
            size = math.prod(shape)
            entries = np.arange(size)
            if self._properties[name]:
                entries = self._entries[name] = free_entries(shape, self._properties[name])
            chosen.append(at + entries)
            at += size
        if self._entries:
            self._kept = np.concatenate(chosen)

    def _arrays(self, x: Vector) -> list[Vector]:
        """What the generated functions take."""
        return list((self._inputs | self._parts(x)).values())

    def _joined(self, arrays: Mapping[str, Any]) -> Vector:
        import numpy as np

        flat = np.concatenate([np.ravel(arrays[name]) for name in self._names])
        return flat if self._kept is None else flat[self._kept]

    def _value(self, value: Any) -> Any:
        import numpy as np

        return float(value) if self._scalar else np.ravel(value)

    def _jacobian(self, found: Mapping[str, Any]) -> Any:
        return self._joined(found) if self._scalar else self._matrix(1, found)

    def _matrix(self, order: int, found: Mapping[Any, Any]) -> Any:
        """All derivatives as one matrix."""
        if self._form == "dense":
            matrix = (self._first if order == 1 else self._second)._matrix(found)
        else:
            names = self._names
            square = [[found[a, b] for b in names] for a in names] if order == 2 else []
            blocks = square or [[found[name] for name in names]]
            if order not in self._assemblies:
                self._assemblies[order] = Assembly(blocks)
            matrix = self._assemblies[order].matrix(blocks)
        if self._kept is None:
            return matrix
        return (matrix[self._kept] if order == 2 else matrix)[:, self._kept]
