"""A plan as NumPy source: straight-line, self-contained, readable.

Axes are laid out here: every expression knows which label each of its axes is, and is transposed or
given a new axis where an operation needs it. Matrix products become `@` on views; `np.einsum` is left
for what is neither that nor elementwise.
"""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import count
from typing import Any

from einsumdiff import plan
from einsumdiff.errors import NameFault
from einsumdiff.forms import runtime
from einsumdiff.language.table import Function, NamedNumber, Operation, load_table
from einsumdiff.nodes import Form, Input, Label, bare
from einsumdiff.plan import Expr, Plan
from einsumdiff.sizes import AnySize, Size, names, symbol
from einsumdiff.targets.numpy_helpers import HELPERS
from einsumdiff.targets.numpy_views import (
    ATOM,
    MATMUL,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Axes,
    Text,
    Views,
    level_of,
    tuple_of,
    wrapped,
)


def source(what: Plan, docstring: str = "") -> str:
    """The text of a module with one function, named as the plan is.

    It imports numpy, and scipy.special where a function needs it. The docstring is given shapes.
    """
    return _Writer(what).module(docstring)


_sources = count(1)


def load(text: str, name: str = "f", given: Mapping[str, object] | None = None) -> Callable[..., Any]:
    """The function of that name in a source text; tracebacks show its lines.

    What is `given` becomes the default of the keyword of that name: the user's functions in rules.
    """
    text, space = runtime.lent(text)
    filename = f"<einsumdiff {next(_sources)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    space["__name__"] = name
    exec(compile(text, filename, "exec"), space)
    function = space[name]
    keywords = function.__code__.co_varnames[function.__code__.co_argcount :]
    keywords = keywords[: function.__code__.co_kwonlyargcount]
    defaults = {one: value for one, value in (given or {}).items() if one in keywords}
    function.__kwdefaults__ = {**(function.__kwdefaults__ or {}), **defaults} or None
    loaded: Callable[..., Any] = function
    return loaded


class _Writer(Views):
    def __init__(self, what: Plan) -> None:
        super().__init__()
        self.plan = what
        self.scipy = self.linalg = False
        self.typed = False
        taken = {p.name for p in what.parameters} | {s.name for s in what.statements if hasattr(s, "name")}
        self.dtype = next(name for name in ("dtype", "dtype_", "kind_") if name not in taken)
        self.variables = taken
        self.same: dict[str, str] = {}  # variables that would hold what another one holds
        self.runtime: dict[str, None] = {}  # the forms whose objects are made
        self.given: dict[str, None] = {}  # modules and functions of the user's, in order of use

    # -- the module -----------------------------------------------------------------------------------

    def module(self, docstring: str) -> str:
        body: list[str] = []
        for statement in self.plan.statements:
            body += self.statement(statement)
        body = [part for line in body for part in wrapped(line)]
        body.append(f"return {self._returned()}")
        head = self._sizes()
        if self.typed:
            numbers = [p.name for p in self.plan.parameters if p.name not in self.plan.indices]
            arguments = [*numbers, "np.float32"]
            kind = f"np.result_type({', '.join(arguments)})" if len(arguments) > 1 else "np.dtype(float)"
            head.append(f"{self.dtype} = {kind}")
        shapes = [
            f"{p.name}: ({', '.join(map(str, p.shape))}{',' * (len(p.shape) == 1)})"
            for p in self.plan.parameters
        ]
        said = (
            [docstring.strip(), "", "Shapes: " + ", ".join(shapes) + "."] if shapes else [docstring.strip()]
        )
        if self.given:
            said += ["", f"Given by the caller, or else as registered: {', '.join(self.given)}."]
        quoted = "\n".join(part for part in said).strip().replace("\\", "\\\\").replace('"""', "'''")
        if "\n" in quoted or len(quoted) > 90:
            lines = ['"""' + quoted.split("\n")[0], *quoted.split("\n")[1:], '"""']
        else:
            lines = [f'"""{quoted}"""']
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
            returns[first:] = ["{" + ", ".join(f"{_key(key)}: {name}" for key, name in items) + "}"]
        return ", ".join(returns)

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
            if len(wanted) == rank:
                targets = ", ".join(wanted[axis] for axis in range(rank))
                lines.append(f"{targets}{',' * (rank == 1)} = {parameter.name}.shape")
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

    # -- statements -----------------------------------------------------------------------------------

    def statement(self, statement: plan.Statement) -> list[str]:
        match statement:
            case plan.Assign(name, value, axes, own, shown):
                text = self._assigned(value, axes, own)
                if shown and _shares(value):
                    self.helpers.add("_read_only")
                    text = f"_read_only({text})"
                return [f"{name} = {text}"]
            case plan.Zeros(name, shape):
                self.typed = True
                return [f"{name} = np.zeros({self.shape(shape)}, {self.dtype})"]
            case plan.Write():
                line = self._written(statement)
                if not statement.apart or not _writes_an_end(statement):
                    return [line]
                return [f"if {statement.name}.size:", f"    {line}"]
            case plan.Loop(name, size, inner):
                self.loops.add(name)
                lines = [f"for {name} in range({self.size(size)}):"]
                for one in inner:
                    lines += ["    " + line for line in self.statement(one)]
                return lines
            case plan.Buffer():
                return self._into_buffer(statement)
            case plan.Copy(name):
                return [f"{name} = {name}.copy()"]
            case plan.Store():
                return self._stored(statement)
            case plan.Operator():
                return self._operator(statement)

    def _into_buffer(self, buffer: plan.Buffer) -> list[str]:
        """Zeros, unless they are there: then those places are zeroed that are added to later on."""
        name, lines = buffer.name, []
        lines.append(f"{name} = out{'' if buffer.key is None else f'[{_key(buffer.key)}]'}")
        writes = [one for one in buffer.body if isinstance(one, plan.Write)]
        loops = any(isinstance(one, plan.Loop) for one in buffer.body)
        for one in buffer.body:
            match one:
                case plan.Assign(own, value, axes) if own == name:
                    lines.append(f"{name}[...] = {self._assigned(value, axes, False)}")
                case plan.Zeros():
                    if loops or not all(write.apart for write in writes):
                        lines.append(f"{name}[...] = 0")
                        continue
                    lines += ["if not out_is_zero:", f"    {name}[...] = 0"]
                    added = [self._target(write)[0] for write in writes[1:]]
                    if added:
                        lines += ["else:", *(f"    {target} = 0" for target in added)]
                case _:
                    lines += self.statement(one)
        return lines

    def _stored(self, store: plan.Store) -> list[str]:
        self.typed = True
        self.runtime[store.form] = None
        made = "sparse" if store.form == "sparse" else "Compressed"
        last = ", as_matrix=True" if store.as_matrix else ""
        cores = [self._core(one) for one in store.kept]
        head = f"{store.name} = {made}({self.shape(store.shape)}, {store.split}, ["
        tail = f"], {self.dtype}{last})"
        return [head, *(f"    {core}," for core in cores), tail] if cores else [head + tail]

    def _core(self, one: plan.Kept) -> str:
        """A term: the sizes of its labels, the form of each axis, the factors with their labels."""
        number = {label: k for k, label in enumerate(one.labels)}

        def form(of: Form) -> str:
            steps = dict(of.coefficients)
            return self.shape([of.constant, *(steps.get(label, 0) for label in one.labels)])

        def numbered(axes: Axes) -> str:
            return tuple_of(str(number[label]) for label in axes)

        items = [
            self.shape([label.size for label in one.labels]),
            tuple_of(map(form, one.forms)),
            f"[{', '.join(f'({factor.name}, {numbered(factor.axes)})' for factor in one.factors)}]",
        ]
        scale = self.emit(one.scale, ())
        if scale.text != "1":
            items.append(f"scale={scale.text}")
        if one.guards:
            guards = (f'({form(of)}, "{op}")' for of, op in one.guards)
            items.append(f"guards=[{', '.join(guards)}]")
        if one.places:
            places = []
            for label, index in one.places:
                text = self.emit(index, index.axes)
                places.append(f"{number[label]}: ({text.text}, {numbered(text.axes)})")
            items.append(f"places={{{', '.join(places)}}}")
        return f"Core({', '.join(items)})"

    def _operator(self, operator: plan.Operator) -> list[str]:
        self.typed = True
        self.runtime["operator"] = None
        lines: list[str] = []
        known: dict[tuple[str, tuple[AnySize, ...]], str] = {}
        for once in operator.before:
            text = self._assigned(once.value, once.axes, once.own)
            first = known.setdefault((text, tuple(n.size for n in once.axes if n)), once.name)
            if first == once.name:
                lines.append(f"{first} = {text}")
            else:
                self.same[once.name] = first
        lines.append("")
        for one in operator.products:
            self.loops.update([one.columns] if one.columns is not None else [])
            body = [line for part in one.body for line in self.statement(part)]
            shape = self.shape(one.shape)
            if one.columns is None:
                last = ".ravel()" if len(one.rows) != 1 else ""
                body.insert(0, f"{one.vector} = {one.vector}.reshape({shape})")
            else:
                last = ""
                if len(one.rows) != 1:
                    last = f".reshape({self.shape([_volume(one.rows), symbol(one.columns)])})"
                if len(one.shape) != 2:
                    body.insert(0, f"{one.vector} = {one.vector}.reshape({shape})")
                if any(one.columns in line for line in [*body, last]):
                    body.insert(0, f"{one.columns} = {one.vector}.shape[1]")
            lines.append(f"def {one.name}({one.vector}):")
            lines += [f"    {line}" for part in body for line in wrapped(part)]
            lines += [f"    return {one.result}{last}", ""]
        size = self.shape([_volume(operator.rows), _volume(operator.columns)])
        names = "matvec, rmatvec, matmat=matmat, rmatmat=rmatmat"
        lines.append(f"{operator.name} = LinearOperator({size}, {names}, dtype={self.dtype})")
        return lines

    def _assigned(self, value: Expr, axes: Sequence[Label | None], own: bool) -> str:
        labels = tuple(label for label in axes if label is not None)
        text = self.emit(value, labels)
        ordered = self.arranged(text, tuple(label for label in labels if label in text.axes))
        constant = _constant(value)
        if ordered.axes == labels and len(labels) == len(axes):
            if constant:
                return self._constant(value, f"{self.dtype}.type(", ")")
            return f"np.array({ordered.text})" if own and _shares(value) else ordered.text
        shape = self.shape([1 if label is None else label.size for label in axes])
        if constant:
            return self._constant(value, f"np.full({shape}, ", f", {self.dtype})")
        if ordered.axes == labels:
            text_ = f"{ordered.within(ATOM)}.reshape({shape})"
            return f"np.array({text_})" if own and _shares(value) else text_
        spread = self.spread(ordered, labels)
        if len(labels) < len(axes):
            kept = [1 if n is None or n not in ordered.axes else n.size for n in axes]
            spread = Text(f"{ordered.within(ATOM)}.reshape({self.shape(kept)})", labels)
        text_ = f"np.broadcast_to({spread.text}, {shape})"
        return f"{text_}.copy()" if own else text_

    def _constant(self, value: Expr, before: str, after: str) -> str:
        """A constant array; it is divided as an array, so that a size of 0 divides nothing."""
        self.typed = True
        below, sign = [], 1
        while isinstance(value, plan.Divide) or (isinstance(value, plan.Add) and len(value.terms) == 1):
            if isinstance(value, plan.Divide):
                below.append(self.emit(value.right, ()).within(POWER))
                value = value.left
            else:
                ((one, value),) = value.terms
                sign *= one
        above = self.emit(value, ())
        text = above.text if sign > 0 else f"-{above.within(PRODUCT)}"
        return "/".join([f"{before}{text}{after}", *below[::-1]])

    def _written(self, write: plan.Write) -> str:
        text = self.emit(write.value, write.labels)
        if not write.apart:
            self.helpers.add("_scatter")
            places = ", ".join(self.affine(form, write.labels) for form in write.forms)
            return f"_scatter({write.name}, {self.spread(text, write.labels).text}, {places})"
        target, axes = self._target(write)
        value = self.spread(text, axes)
        return f"{target} {'=' if write.first else '+='} {value.text}"

    def _target(self, write: plan.Write) -> tuple[str, Axes]:
        """The view that is written, as it stands on the left of `=`."""
        view = self.view(write.name, write.forms, write.shape)
        whole = view.text.endswith("]") and not view.text.startswith("np.")
        return view.text if whole else f"{view.text}[...]", view.axes

    # -- layout ---------------------------------------------------------------------------------------

    def arranged(self, text: Text, axes: Axes) -> Text:
        """The same array with its axes in this order: a view."""
        if text.axes == axes:
            return text
        order = [text.axes.index(label) for label in axes]
        if len(order) == 2:
            return Text(f"{text.within(ATOM)}.T", axes)
        moved = [k for k, place in enumerate(order) if k != place]
        if len(moved) == 2:
            return Text(f"{text.within(ATOM)}.swapaxes({moved[0]}, {moved[1]})", axes)
        return Text(f"{text.within(ATOM)}.transpose({', '.join(map(str, order))})", axes)

    def spread(self, text: Text, axes: Axes) -> Text:
        """The array in this order, with a new axis where it lacks one that broadcasting does not add."""
        kept = tuple(label for label in axes if label in text.axes)
        text = self.arranged(text, kept)
        if not kept:
            return text
        first = axes.index(kept[0])
        if axes[first:] == kept:
            return text
        items = [":" if label in kept else "None" for label in axes[first:]]
        while items[-1] == ":" and len(items) > 1 and "None" not in items[-1:]:
            if all(item == ":" for item in items):
                break
            items.pop()
        return Text(f"{text.within(ATOM)}[{', '.join(items)}]", axes[first:])

    # -- expressions ------------------------------------------------------------------------------------

    def emit(self, value: Expr, want: Axes) -> Text:
        """The text of an expression, its axes in the wanted order where that costs nothing."""
        match value:
            case plan.Load(name, axes):
                return Text(self.same.get(name, name), axes)
            case plan.View(name, forms, shape, _, proved):
                return self.view(name, forms, shape) if proved else self.gather(name, forms)
            case plan.Literal():
                return self._literal(value)
            case plan.Named(name):
                row = load_table()[name]
                assert isinstance(row, NamedNumber)
                return Text(row.spelling.function, ())
            case plan.Add(terms, axes):
                return self._add(terms, _ordered(axes, want))
            case plan.Multiply(left, right, axes):
                axes = _ordered(axes, want)
                a, b = self._operands([left, right], axes)
                return Text(f"{a.factor}*{b.within(POWER)}", axes, PRODUCT)
            case plan.Divide(left, right, axes):
                axes = _ordered(axes, want)
                a, b = self._operands([left, right], axes)
                if _constant(left) and _has_size(right):  # a size may be 0, by which Python does not divide
                    self.typed = True
                    a = Text(f"{self.dtype}.type({a.text})", ())
                return Text(f"{a.factor}/{b.within(POWER)}", axes, PRODUCT)
            case plan.Power(base, power, axes):
                inner = self.emit(base, want)
                if power == Fraction(1, 2):
                    return Text(f"np.sqrt({inner.text})", inner.axes)
                return Text(f"{inner.within(ATOM)}**{_number(power)}", inner.axes, POWER)
            case plan.Contract():
                return self._contract(value, want)
            case plan.Fold(op, base, axes):
                return self._fold(op, base, axes, want)
            case plan.Others(base, label, axes):
                self.helpers.add("_product_of_others")
                inner = self.emit(base, ())
                k = inner.axes.index(label)
                renamed = inner.axes[:k] + tuple(n for n in axes if n not in inner.axes) + inner.axes[k + 1 :]
                return Text(f"_product_of_others({inner.text}, {k})", renamed)
            case plan.Running(op, base, label, place, reverse, apart, axes):
                inner = self.emit(base, tuple(label if n is place else n for n in want))
                k = inner.axes.index(label)
                renamed = tuple(place if n is label else n for n in inner.axes)
                if apart or reverse:
                    self.helpers.add("_running")
                    options = ", reverse=True" * reverse + ", apart=True" * apart
                    return Text(f"_running(np.{op}, {inner.text}, {k}{options})", renamed)
                return Text(f"np.cum{op}({inner.text}, axis={k})", renamed)
            case plan.RunningAt(base, label, form, reverse, _):
                self.helpers.add("_running_at")
                inner = self.emit(base, ())
                k = inner.axes.index(label)
                own = tuple(n for n in want if n in form.labels)
                own = own if len(own) == len(form.labels) else form.labels
                places = self.affine(form, own)
                text_ = f"_running_at({inner.text}, {k}, {places}{', reverse=True' * reverse})"
                return Text(text_, (*inner.axes[:k], *own, *inner.axes[k + 1 :]))
            case plan.RunningOthers(base, label, place, other, _):
                self.helpers.add("_running_product_of_others")
                inner = self.emit(base, ())
                k = inner.axes.index(label)
                rest = tuple(n for n in inner.axes if n is not label)
                return Text(f"_running_product_of_others({inner.text}, {k})", (*rest, other, place))
            case plan.Apply(name, operands, axes):
                row = load_table()[name]
                assert isinstance(row, Function)
                self.scipy |= row.spelling.scipy
                self.read(row)
                axes = _ordered(axes, want)
                parts = self._operands(operands, axes)
                parameters = tuple(p.name for p in row.parameters)[: len(parts)]
                texts = tuple(part.within(ATOM) if row.spelling.template else part.text for part in parts)
                text = row.spelling.spell(parameters, texts)
                if all(map(_constant, operands)):  # a number: it takes the kind of the arrays around it
                    return Text(f"{'np.bool_' if row.boolean else 'float'}({text})", axes)
                return Text(text, axes)
            case plan.Perform(name, operands, axes):
                row = load_table()[name]
                assert isinstance(row, Operation)
                self.linalg |= row.spelling.scipy
                self.read(row)
                if row.spelling.text.startswith("_"):
                    self.helpers.add(row.spelling.text.split("(")[0])
                parts = [self.arranged(self.emit(o, o.axes), o.axes) for o in operands]
                parameters = tuple(p.name for p in row.parameters)[: len(parts)]
                return Text(row.spelling.spell(parameters, tuple(p.text for p in parts)), axes)
            case plan.Solve():
                return self._solve(value)
            case plan.Condition(form, op, axes):
                axes = _ordered(axes, want)
                return Text(f"({self.affine(form, axes)} {op} 0)", axes)
            case plan.Select():
                return self._select(value, want)
            case plan.Take(base, label, index, axes):
                return self._take(self.emit(base, want), label, index)
            case plan.Scatter(inner, label, index, axes):
                return self._scattered(value)
            case plan.Hot(index, form, size, axes):
                return self._hot(index, form, size)
            case plan.Place(form, axes):
                self.typed = True
                axes = _ordered(axes, want)
                return Text(f"({self.affine(form, axes)}).astype({self.dtype})", axes)
            case plan.Whole(plan.Place(form, axes), _):
                return Text(self.affine(form, axes), axes, SUM)
            case plan.Whole(base, _):
                inner = self.emit(base, want)
                return Text(f"{inner.within(ATOM)}.astype(np.intp)", inner.axes)
            case plan.Cast(base, _):
                if _constant(base):  # of numbers alone, a float already
                    return self.emit(base, want)
                self.typed = True
                inner = self.emit(base, want)
                if not inner.axes:
                    return Text(f"{self.dtype}.type({inner.text})", ())
                return Text(f"{inner.within(ATOM)}.astype({self.dtype})", inner.axes)

    def read(self, row: Function | Operation) -> None:
        """A row's spelling reads the user's modules and functions: they become parameters."""
        for name in row.spelling.names:
            if name in self.variables:
                raise NameFault(
                    f"{name} is an array here, and in the rules what {row.name} is computed with",
                    None,
                    f"call the array otherwise, or register {row.name} with another name for {name}",
                )
            self.given[name] = None

    def _take(self, base: Text, label: Label, index: Expr) -> Text:
        """`x[k]`, `A[:, k]`; where both have an axis, `A[np.arange(m), k]`."""
        k = base.axes.index(label)
        places = self.emit(index, ())
        shared = [n for n in base.axes if n in places.axes]
        if not shared:
            axes = (*base.axes[:k], *places.axes, *base.axes[k + 1 :])
            return Text(f"{base.within(ATOM)}[{':, ' * k}{places.text}]", axes)
        axes = tuple(dict.fromkeys(n for m in base.axes for n in (places.axes if m is label else (m,))))
        items = [
            self.spread(places, axes).text if n is label else self.affine(bare(n), axes) for n in base.axes
        ]
        return Text(f"{base.within(ATOM)}[{', '.join(items)}]", axes)

    def _scattered(self, value: plan.Scatter) -> Text:
        self.helpers.add("_add_at")
        places = self.emit(value.index, ())
        order = (*places.axes, *value.axes[1:])
        inner = self.spread(self.emit(value.value, order), order)
        shape = self.shape([n.size for n in value.axes])
        self.typed = True
        return Text(f"_add_at({places.text}, {inner.text}, {shape}, {self.dtype})", value.axes)

    def _hot(self, index: Expr, form: Form, size: AnySize) -> Text:
        places = self.emit(index, ())
        label = form.label
        self.typed = True
        if label is None or label in places.axes or label.size != size:
            axes = tuple(dict.fromkeys((*places.axes, *form.labels)))
            spread = self.spread(places, axes).within(POWER)
            test = f"{spread} % {self.size(size, POWER)} == {self.affine(form, axes)}"
            return Text(f"({test}).astype({self.dtype})", axes)
        self.helpers.add("_one_hot")
        text = f"_one_hot({places.text}, {self.size(label.size)}, {self.dtype})"
        return Text(text, (*places.axes, label))

    def _operands(self, parts: Sequence[Expr], axes: Axes) -> list[Text]:
        """The parts, ready to be broadcast against each other; one of them spans all axes or nobody does."""
        return [self.spread(self.emit(part, axes), axes) for part in parts]

    def _literal(self, value: plan.Literal) -> Text:
        if isinstance(value.value, Size):
            if value.power == 1:
                return Text(self.size(value.value), (), level_of(value.value))
            return Text(f"{self.size(value.value, ATOM)}**{_number(value.power)}", (), POWER)
        text = _number(value.value)
        if value.power != 1:
            return Text(f"{text}**{_number(value.power)}", (), POWER)
        return Text(text, (), SIGN if text.startswith("-") else PRODUCT if "/" in text else ATOM)

    def _add(self, terms: Sequence[tuple[int, Expr]], axes: Axes) -> Text:
        if len(terms) == 1:
            sign, value = terms[0]
            inner = self.emit(value, axes)
            return inner if sign > 0 else Text(f"-{inner.within(PRODUCT)}", inner.axes, SIGN)
        text = ""
        for sign, value in terms:
            part = self.spread(self.emit(value, axes), axes)
            if not text:
                text = part.text if sign > 0 else f"-{part.within(PRODUCT)}"
            else:
                text += f" + {part.text}" if sign > 0 else f" - {part.within(PRODUCT)}"
        return Text(text, axes, SUM)

    def _contract(self, value: plan.Contract, want: Axes) -> Text:
        left, right = value.left, value.right
        shared = [n for n in left.axes if n in right.axes]
        summed = tuple(n for n in shared if n not in value.axes)
        batch = tuple(n for n in shared if n in value.axes)
        rows = tuple(n for n in left.axes if n not in right.axes)
        columns = tuple(n for n in right.axes if n not in left.axes)
        if _comes_first(columns, rows, want) or (
            not batch and len(summed) == 1 and len(columns) == 1 and not rows and right.axes[0] in columns
        ):
            left, right, rows, columns = right, left, columns, rows
        matrix = len(summed) == 1 and len(rows) <= 1 and len(columns) <= 1
        if matrix and (not batch or (len(rows) == 1 and len(columns) == 1)):
            a = self.arranged(self.emit(left, batch + rows + summed), batch + rows + summed)
            b = self.arranged(self.emit(right, batch + summed + columns), batch + summed + columns)
            return Text(f"{a.within(MATMUL)} @ {b.within(POWER)}", batch + rows + columns, MATMUL)
        if not batch and not rows and not columns:
            a = self.emit(left, summed)
            b = self.arranged(self.emit(right, a.axes), a.axes)
            return Text(f"np.vdot({a.text}, {b.text})", ())
        if not batch:
            a, b = self.emit(left, rows + summed), self.emit(right, summed + columns)
            places = ([a.axes.index(n) for n in summed], [b.axes.index(n) for n in summed])
            axes = tuple(n for n in a.axes if n in rows) + tuple(n for n in b.axes if n in columns)
            return Text(f"np.tensordot({a.text}, {b.text}, axes={places})", axes)
        a, b = self.emit(left, ()), self.emit(right, ())
        axes = _ordered(batch + rows + columns, want)
        return self.einsum([a, b], axes)

    def _solve(self, value: plan.Solve) -> Text:
        matrix = self.arranged(self.emit(value.matrix, value.matrix.axes), value.matrix.axes)
        a = f"{matrix.within(ATOM)}.mT" if value.transposed else matrix.text
        batch = tuple(n for n in value.axes if n in value.right.axes and n in value.matrix.axes)
        columns = tuple(n for n in value.axes if n in value.right.axes and n not in batch)
        order = (*batch, value.label, *columns)
        right = self.arranged(self.emit(value.right, order), order)
        if batch and not columns:  # a right side of two axes would be a matrix to NumPy
            return Text(f"np.linalg.solve({a}, {right.within(ATOM)}[..., None])[..., 0]", value.axes)
        return Text(f"np.linalg.solve({a}, {right.text})", value.axes)

    def _fold(self, op: str, base: Expr, axes: Axes, want: Axes) -> Text:
        inner = self.emit(base, want)
        gone = [k for k, label in enumerate(inner.axes) if label not in axes]
        kept = tuple(label for label in inner.axes if label in axes)
        where = gone[0] if len(gone) == 1 else tuple(gone)
        if op == "logsumexp":
            self.helpers.add("_logsumexp")
            return Text(f"_logsumexp({inner.text}, axis={where})", kept)
        if not kept:
            return Text(f"np.{op}({inner.text})", ())
        return Text(f"np.{op}({inner.text}, axis={where})", kept)

    def _select(self, value: plan.Select, want: Axes) -> Text:
        axes = _ordered(value.axes, want)
        conditions = self._operands([c for c, _ in value.conditions], axes)
        (inner,) = self._operands([value.value], axes)
        if _constant(value.value):  # of two numbers NumPy would choose the kind, not the arrays around them
            self.typed = True
            inner = Text(f"{self.dtype}.type({inner.text})", inner.axes)
        if len(conditions) == 1 and not value.conditions[0][1]:
            return Text(f"np.where({conditions[0].text}, {value.otherwise}, {inner.text})", axes)
        tests = [
            test.text if holds else f"np.logical_not({test.text})"
            for test, (_, holds) in zip(conditions, value.conditions, strict=True)
        ]
        whole = tests[0]
        for test in tests[1:]:
            whole = f"np.logical_and({whole}, {test})"
        return Text(f"np.where({whole}, {inner.text}, {value.otherwise})", axes)


def _volume(sizes: Sequence[AnySize]) -> AnySize:
    total: AnySize = 1
    for size in sizes:
        total = total * size
    return total


def _key(key: str | tuple[str, ...]) -> str:
    """A key of a dictionary, quoted as the source quotes."""
    return f'"{key}"' if isinstance(key, str) else f"({', '.join(map(_key, key))})"


def _ordered(axes: Axes, want: Axes) -> Axes:
    """The axes, those that are wanted in the wanted order."""
    chosen = [label for label in want if label in axes]
    if len(chosen) == len(axes):
        return tuple(chosen)
    if not chosen:
        return axes
    return (*chosen, *(label for label in axes if label not in chosen))


def _comes_first(columns: Axes, rows: Axes, want: Axes) -> bool:
    """Whether the columns are wanted before the rows."""
    places = [want.index(n) for n in columns if n in want], [want.index(n) for n in rows if n in want]
    return bool(places[0] and places[1]) and max(places[0]) < min(places[1])


def _constant(value: Expr) -> bool:
    """Does it read no array?"""
    match value:
        case plan.Literal() | plan.Named():
            return True
        case plan.Add(terms, _):
            return all(_constant(part) for _, part in terms)
        case plan.Multiply(a, b, _) | plan.Divide(a, b, _):
            return _constant(a) and _constant(b)
        case plan.Power(base, _, _):
            return _constant(base)
        case plan.Apply(_, operands, _):
            return all(map(_constant, operands))
        case _:
            return False


def _has_size(value: Expr) -> bool:
    """Is there a size in it?"""
    if isinstance(value, plan.Literal):
        return isinstance(value.value, Size)
    return any(map(_has_size, plan.parts(value)))


def _shares(value: Expr) -> bool:
    """May the value be a variable, or share its memory?"""
    return isinstance(value, plan.Load | plan.View)


def _writes_an_end(write: plan.Write) -> bool:
    """Whether it writes at a number along an axis that may be empty."""
    return any(
        not form.coefficients and isinstance(size, Size)
        for form, size in zip(write.forms, write.shape, strict=True)
    )


def _number(value: int | Fraction | float | AnySize) -> str:
    if isinstance(value, Fraction):
        exact = value.denominator & (value.denominator - 1) == 0
        return repr(float(value)) if exact else f"({value.numerator}/{value.denominator})"
    if isinstance(value, float):
        if value != value:
            return "np.nan"
        if value in (float("inf"), float("-inf")):
            return "np.inf" if value > 0 else "-np.inf"
    return repr(value)
