"""The text of a module with one function: imports, helpers, docstring, sizes, statements."""

from __future__ import annotations

import textwrap

from einsumdiff import plan
from einsumdiff.errors import NameFault
from einsumdiff.forms import runtime
from einsumdiff.nodes import Input
from einsumdiff.plan import Plan
from einsumdiff.sizes import names
from einsumdiff.targets.numpy.forms import DOUBLE, Forms
from einsumdiff.targets.numpy.helpers import HELPERS
from einsumdiff.targets.numpy.text import ATOM, PRODUCT, quoted, wrapped


def source(what: Plan, docstring: str = "") -> str:
    """The text of a module with one function, named as the plan is.

    It imports numpy, and scipy.special where a function needs it. The docstring is given shapes.
    """
    return _Module(what).text(docstring)


class _Module(Forms):
    def __init__(self, what: Plan) -> None:
        taken = {p.name for p in what.parameters} | {s.name for s in what.statements if hasattr(s, "name")}
        for one in what.statements:
            if isinstance(one, plan.Blocked):
                taken |= {s.name for s in one.body if hasattr(s, "name")}
        for name in sorted(taken & {*HELPERS, DOUBLE}):
            raise NameFault(
                f"{name} is a name in generated source", hint=f"call it something else than {name}"
            )
        super().__init__(taken, [p for p in what.parameters if p.name not in what.indices])
        self.plan = what
        self.known = what.sizes
        workspace = any(word.startswith("workspace") for word in what.keywords)
        self.paneled = {} if workspace else what.sizes  # a call would make the copy of a panel

    def text(self, docstring: str) -> str:
        body: list[str] = []
        for statement in self.plan.statements:
            body += self.statement(statement)
        body = [part for line in body for part in wrapped(line)]
        body.append(f"return {self._returned()}")
        head = self._sizes()
        if self.typed:
            head.append(f"{self.dtype} = {self.kind()}")
        if self.holds:
            head += self._workspace()
        shapes = [
            f"{p.name}: ({', '.join(map(str, p.shape))}{',' * (len(p.shape) == 1)})"
            for p in self.plan.parameters
        ]
        said = (
            [docstring.strip(), "", "Shapes: " + ", ".join(shapes) + "."] if shapes else [docstring.strip()]
        )
        if self.given:
            said += ["", f"Given by the caller, or else as registered: {', '.join(self.given)}."]
        if self.holds:
            said += [
                "",
                "Arrays are kept in the workspace: each thread needs one of its own, a dictionary.",
            ]
        words = "\n".join(part for part in said).strip().replace("\\", "\\\\").replace('"""', "'''")
        if "\n" in words or len(words) > 90:
            lines = ['"""' + words.split("\n")[0], *words.split("\n")[1:], '"""']
        else:
            lines = [f'"""{words}"""']
        lines += [*head, *body]
        modules = [name for name, used in (("linalg", self.linalg), ("special", self.scipy)) if used]
        imports = ["import numpy as np"] + [f"from scipy import {', '.join(modules)}"] * bool(modules)
        helpers = [HELPERS[name] for name in HELPERS if name in self.helpers]
        keywords = ["*", *self.plan.keywords, *self.given] if self.plan.keywords or self.given else []
        parameters = ", ".join([*(p.name for p in self.plan.parameters), *keywords])
        text = "\n".join(lines)
        if "operator" in self.runtime:
            imports.append("from scipy.sparse.linalg import LinearOperator")
        helpers += [runtime.text(form) for form in self.runtime if form != "operator"]
        if len(helpers) and set(self.runtime) - {"operator"}:
            imports[:1] = [*runtime.FIRST, *imports[:1]]
        helpers += self.later
        if self.doubles:
            imports += ["", f"{DOUBLE} = np.dtype(float)"]
        function = f"def {self.plan.name}({parameters}):\n" + textwrap.indent(text, "    ")
        return (
            "\n".join(imports)
            + "\n\n\n"
            + "".join(h.strip("\n") + "\n\n\n" for h in helpers)
            + function
            + "\n"
        )

    def _returned(self) -> str:
        returns = list(self.plan.returns)
        if self.plan.keys:
            first = len(returns) - len(self.plan.keys)
            items = zip(self.plan.keys, returns[first:], strict=True)
            returns[first:] = ["{" + ", ".join(f"{quoted(key)}: {name}" for key, name in items) + "}"]
        return ", ".join(returns)

    def _workspace(self) -> list[str]:
        """Arrays that other arguments have left are thrown away."""
        kinds = [
            f"{p.name}.shape, {p.name}.dtype" if p.shape else f'getattr({p.name}, "dtype", type({p.name}))'
            for p in self.plan.parameters
        ]
        return [
            f"given = [{', '.join(kinds)}]",
            'if workspace.get("given") != given:',
            "    workspace.clear()",
            '    workspace["given"] = given',
            "hold = workspace.get",
        ]

    def _sizes(self) -> list[str]:
        """Lines that read the sizes that are needed off the shapes."""
        for name in sorted(self.sizes - set(self.plan.sources)):
            raise self.plan.sourceless(name)
        sources = self.plan.sources
        for name in reversed(sources):  # what a size is solved with is needed too
            if name in self.sizes:
                self.sizes.update(names(sources[name].less))
                self.sizes.update(names(sources[name].by))
        plainly: dict[Input, dict[int, str]] = {}
        for name, one in sources.items():
            if one.plain and name in self.sizes:
                plainly.setdefault(one.array, {})[one.axis] = name
        lines = []
        for parameter in self.plan.parameters:
            wanted = plainly.get(parameter)
            if not wanted:
                continue
            rank = len(parameter.shape)
            if set(wanted) == {0}:
                lines.append(f"{wanted[0]} = len({parameter.name})")
            elif len(wanted) == rank:
                targets = ", ".join(wanted[axis] for axis in range(rank))
                lines.append(f"{targets} = {parameter.name}.shape")
            else:
                lines += [f"{name} = {parameter.name}.shape[{axis}]" for axis, name in sorted(wanted.items())]
        for name, one in sources.items():
            if name in self.sizes and not one.plain:
                text = f"{one.array.name}.shape[{one.axis}]"
                if one.less != 0:
                    added = isinstance(one.less, int) and one.less < 0
                    text += f" + {-one.less}" if added else f" - {self.size(one.less, PRODUCT)}"
                if one.by != 1:
                    text = (
                        f"({text})//{self.size(one.by, ATOM)}"
                        if one.less != 0
                        else f"{text}//{self.size(one.by, ATOM)}"
                    )
                lines.append(f"{name} = {text}")
        return lines
