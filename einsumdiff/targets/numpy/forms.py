"""Text of the forms other than dense: objects made of cores, and operators made of products."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from einsumdiff import plan
from einsumdiff.nodes import Form, Input
from einsumdiff.sizes import AnySize, symbol
from einsumdiff.targets.numpy.statements import Statements
from einsumdiff.targets.numpy.text import Axes, tuple_of, wrapped
from einsumdiff.targets.numpy.views import volume

DOUBLE = "_DOUBLE"
"""What a module calls the kind of most arrays."""


class Forms(Statements):
    def __init__(self, taken: Collection[str], numbers: Sequence[Input]) -> None:
        super().__init__(taken)
        self.numbers = numbers  # the parameters, but those that hold places
        self.doubles = False  # is the kind of most arrays asked for?
        self.runtime: dict[str, None] = {}  # the forms whose objects are made
        self.later: list[str] = []  # functions that are called when a result is asked for its patterns

    def statement(self, statement: plan.Statement) -> list[str]:
        match statement:
            case plan.Store():
                return self._stored(statement)
            case plan.Operator():
                return self._operator(statement)
            case _:
                return super().statement(statement)

    def kind(self, arrays: bool = True) -> str:
        """The floating-point kind that the parameters have in common; they may be kinds, and no arrays."""
        if not self.numbers:
            return "np.dtype(float)"
        common = f"np.result_type({', '.join(p.name for p in self.numbers)}, np.float32)"
        if not arrays or not all(p.shape for p in self.numbers):
            return common
        self.doubles = True  # NumPy has one object for this kind, and to compare objects takes no time
        same = " is ".join(f"{p.name}.dtype" for p in self.numbers)
        return f"{DOUBLE} if {same} is {DOUBLE} else {common}"

    def _stored(self, store: plan.Store) -> list[str]:
        self.runtime[store.form] = None
        if store.form == "compressed":
            return self._stored_later(store)
        self.typed = True
        last = ", as_matrix=True" if store.as_matrix else ""
        cores = [f"    {self._core(one)}," for one in store.kept]
        head = f"{store.name} = sparse({self.shape(store.shape)}, {store.split}, ["
        tail = f"], {self.dtype}{last})"
        return [head, *cores, tail] if cores else [head + tail]

    def _stored_later(self, store: plan.Store) -> list[str]:
        """The object is given what makes its patterns, a function of sizes, kinds and numbers alone.

        Of an array that is no factor it is given the kind, so that it does not keep the array.
        """
        sizes, self.sizes, typed = self.sizes, set(), self.typed
        cores = [f"    {self._core(one)}," for one in store.kept]
        shape = self.shape(store.shape)
        given = {name: name for name in sorted(self.sizes)}
        self.sizes, self.typed = sizes | self.sizes, typed
        for one in store.kept:
            parts = [*one.factors, one.scale, *(index for _, index in one.places)]
            given |= {name: name for part in parts for name in sorted(plan.reads(part))}
        lines = [f'"""The shape, the first column, the patterns and the kind of {store.name}."""']
        if typed:
            given[self.dtype] = self.dtype
        else:
            for p in self.numbers:
                given.setdefault(p.name, f"{p.name}.dtype" if p.shape else p.name)
            lines.append(f"{self.dtype} = {self.kind(arrays=False)}")
        lines += [f"return {shape}, {store.split}, [", *cores, f"], {self.dtype}"]
        name = f"_stored_{store.name}"
        head = f"def {name}({', '.join(given)}):"
        self.later.append("\n".join([head, *(f"    {line}" for line in lines)]))
        return [f"{store.name} = Compressed(({', '.join([name, *given.values()])}))"]

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
            text = self.assigned(once.value, once.axes, once.own)
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
                    last = f".reshape({self.shape([volume(one.rows), symbol(one.columns)])})"
                if len(one.shape) != 2:
                    body.insert(0, f"{one.vector} = {one.vector}.reshape({shape})")
                if any(one.columns in line for line in [*body, last]):
                    body.insert(0, f"{one.columns} = {one.vector}.shape[1]")
            lines.append(f"def {one.name}({one.vector}):")
            lines += [f"    {line}" for part in body for line in wrapped(part)]
            lines += [f"    return {one.result}{last}", ""]
        size = self.shape([volume(operator.rows), volume(operator.columns)])
        names = "matvec, rmatvec, matmat=matmat, rmatmat=rmatmat"
        lines.append(f"{operator.name} = LinearOperator({size}, {names}, dtype={self.dtype})")
        return lines
