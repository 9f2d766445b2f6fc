"""From the syntax tree to a Program in index form: names, ranks, sizes, and then values.

The only place that checks shapes. `build` reads the statements in order, so that a name means what it was
last assigned; then ranks are found over the whole program, then sizes, then definitions are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from einsumdiff.errors import NameFault, ShapeFault, Unsupported, ValueFault, nearest
from einsumdiff.indexing.expression import Access, AxisSize, Layout, Line, Node, Operate, Variable, children
from einsumdiff.indexing.ranks import Ranks, by_name
from einsumdiff.indexing.shapes import Sizes, declared, shown
from einsumdiff.indexing.sizing import Sizing
from einsumdiff.indexing.statements import Statements
from einsumdiff.indexing.values import Scope, value
from einsumdiff.language import tree
from einsumdiff.nodes import Array, Definition, Input, Label
from einsumdiff.program import Builder, Program, Value
from einsumdiff.simplify import rewrite
from einsumdiff.sizes import AnySize, names, substitute, symbol


def build(
    statements: Sequence[tree.Statement],
    *,
    text: str,
    shapes: Mapping[str, object] | None = None,
    output: str | None = None,
    wrt: Sequence[str] = (),
    builder: Builder | None = None,
    ties: str = "split",
    notation: str = "numpy",
    structured: str = "free",
) -> Program:
    """The program that the statements say.

    Parameters
    ----------
    statements : from `parse`.
    text : where they come from.
    shapes : a shape for some names: names or numbers of sizes, a string of them, or an example array.
    output : the name of the output, where it is not the last statement.
    wrt : names; one that is a definition is treated as an input from its line on.
    ties : what max and its like do at ties: `split`, `first` or `zero`.
    notation : how the text is written, for what messages say to write instead.
    structured : how the entries of a wrt vary that has declared properties, see `properties.MEANINGS`.
    builder : takes the definitions; by default a new one with the identities of the rules.

    Raises
    ------
    NameFault, RankFault, ShapeFault, IndexFault, Unsupported : with a caret under the part at fault.
    """
    if builder is None:
        builder = Builder(rewrite=rewrite, ties=ties)
    read_program = Statements(shapes or {})
    try:
        for statement in statements:
            read_program.add(statement)
        read_program.finish()
        return _Building(read_program, text, output, wrt, builder, notation, structured).program()
    except RecursionError:  # from places and sizes in brackets, expressions take any depth: see `nesting`
        raise Unsupported(
            "an expression is nested too deeply", None, "give parts of it names, in statements of their own"
        ) from None


class _Building:
    """The passes after reading."""

    def __init__(
        self,
        read_program: Statements,
        text: str,
        output: str | None,
        wrt: Sequence[str],
        builder: Builder,
        notation: str,
        structured: str,
    ) -> None:
        self.read, self.text, self.wrt, self.builder = read_program, text, wrt, builder
        self.notation, self.structured = notation, structured
        self.lines = read_program.lines
        self.sizes = Sizes()
        self.output = self._output(output)

    def _output(self, name: str | None) -> Variable:
        """The variable that is the output; a bare expression gets a name."""
        if name is None:
            if not self.lines:
                raise ValueFault("the program has no expression", None, "it looks like  y = sum(W*X + b)")
            last = self.lines[-1]
            if last.target is None:
                free = next(n for n in _output_names() if n not in self.read.words and n not in self.wrt)
                last.target = Variable(free, last.span)
                last.target.line = last
                self.read.current[free] = last.target
            return last.target
        found = self.read.current.get(name)
        if found is None or found.line is None:
            known = [n for n, v in self.read.current.items() if v.line is not None]
            what = "an input" if found is not None else "no name of the program"
            near = nearest(name, known) or known
            raise NameFault(
                f"output={name!r} is {what}", None, f"it can be {' or '.join(near)}" if near else None
            )
        return found

    def program(self) -> Program:
        """Find ranks and sizes, and define everything."""
        Ranks(self.lines).run()
        sizing = Sizing(self.sizes, self._show, self.notation == "numpy")
        inputs = list(self.read.inputs.values())
        for variable in inputs:
            if not variable.rank and variable.declared is None and variable.exact is None:
                variable.rank = max(variable.least, by_name(variable.name))
            if variable.name == "delta" and 2 in (variable.rank, len(variable.declared or ())):
                raise NameFault(
                    "delta is Kronecker's where it has two indices",
                    variable.span,
                    "call the matrix something else",
                )
            sizing.variable(variable)
        for line in self.lines:
            sizing.line(line)
        self._no_open_size(inputs)
        self.sizes.settle(self._unknowns(), self.read.words)
        for variable in inputs:
            properties = self.read.properties.get(variable.name, ())
            meaning = self.structured if properties and variable.name in self.wrt else None
            variable.array = Input(variable.name, self._final(variable.shape), properties, meaning)
        self.builder.taken.update(self.read.words)
        for line in self.lines:
            self._define(line)
        arrays = {
            name: variable.array for name, variable in self.read.current.items() if variable.array is not None
        }
        assert isinstance(self.output.array, Definition)
        return Program(
            self.text,
            tuple(v.array for v in inputs if isinstance(v.array, Input)),
            self.output.array,
            arrays,
            tuple(self._notes(inputs)),
            self.builder,
            {variable.name: variable.source for variable in inputs if variable.source},
        )

    # -- sizes

    def _no_open_size(self, inputs: Sequence[Variable]) -> None:
        """What takes its size from the context has found one, that of an input."""
        known = {
            name for variable in inputs for size in variable.shape for name in names(self.sizes.resolve(size))
        }
        for node in self.read.open_sizes:
            if not known.issuperset(names(self.sizes.resolve(symbol(node.name)))):
                raise ShapeFault(
                    f"the size of {node.span.source} does not follow from anything",
                    node.span,
                    "say it: declare a vector of that size, u: (n,), or write eye(n)",
                )

    def _unknowns(self) -> list[AnySize]:
        sizes = [size for variable in self.read.inputs.values() for size in variable.shape]
        return sizes + [size for line in self.lines if line.target for size in line.target.shape]

    def _show(self, shape: Iterable[AnySize]) -> str:
        found = self.sizes.proposed([*self._unknowns(), *(shape := tuple(shape))], self.read.words)
        values = {old: symbol(new) for old, new in found.items()}
        return shown([substitute(self.sizes.resolve(size), values) for size in shape])

    def _final(self, shape: Iterable[AnySize]) -> tuple[AnySize, ...]:
        return tuple(self.sizes.resolve(size) for size in shape)

    # -- definitions

    def _define(self, line: Line) -> None:
        scope = Scope(self.builder)
        for index in line.indices:
            assert index.size is not None
            index.size = self.sizes.resolve(index.size)
            scope.labels[index] = (Label(index.size, index.name or None),)
        self._settle(line.value)
        found = value(line.value, scope)
        if line.left is not None:
            found = Value(tuple(scope.labels[index][0] for index in line.left), found.products)
        target = line.target
        if target is None:
            return
        shape = self._final(target.shape)
        if found.shape != shape:  # a value that repeats
            found = Value(tuple(Label(size) for size in shape), found.products)
        if target is self.output or (target.name in self.wrt and self.read.current[target.name] is target):
            array: Array = self.builder.define(found, target.name)
            own = isinstance(array, Definition) and array.name == target.name
            if not own or target is not self.output or target.name in self.wrt:
                array = self.builder.define(found, target.name, force=True)
        else:
            array = self.builder.define(found, target.name)
        target.array = array

    def _settle(self, node: Node) -> None:
        """Final sizes for the operations of an expression."""
        stack: list[Node] = [node]
        seen: set[int] = set()  # the meaning of an operation shares its operands with the operation
        while stack:
            one = stack.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            match one:
                case Operate():
                    one.sizes = {axis: self.sizes.resolve(size) for axis, size in one.sizes.items()}
                    stack.extend(one.arguments.operands.values())
                    if isinstance(one.meaning, Layout):
                        one.shape = self._final(one.shape)
                        stack.extend(one.meaning.operands.values())
                    elif one.meaning is not None:
                        stack.extend(operand for operand, _ in one.meaning.operands.values())
                case AxisSize():
                    one.shape = self._final(one.shape)
                case Access():
                    stack.append(one.base)
                    for item in one.items:
                        item.constant = self.sizes.resolve(item.constant)
            stack.extend(children(one))

    # -- what is said about it

    def _notes(self, inputs: Sequence[Variable]) -> list[str]:
        notes = list(self.read.notes)
        assumed = [
            variable
            for variable in inputs
            if variable.declared is None
            and variable.exact is None
            and variable.least <= by_name(variable.name)
        ]
        if assumed:
            first = assumed[0]
            assert first.array is not None
            names, name, shape = ", ".join(v.name for v in assumed), first.name, first.array.shape
            notes.append(
                f'assumed from the names of {names}; declare others as "{name}: {declared(shape)}" or '
                f'shapes={{"{name}": "{" ".join(map(str, shape))}"}}'
            )
        return notes


def _output_names() -> Iterable[str]:
    yield from "yfgh"
    k = 1
    while True:
        yield f"y{k}"
        k += 1
