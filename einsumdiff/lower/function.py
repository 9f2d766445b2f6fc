"""From terms and definitions to a plan: what is computed, in which order, and what is written where.

Every product is contracted pair by pair (`contract`), entries are read as views (`plan.View`), terms
whose axes are plain become expressions, all others are written into zeros. A definition that is used
once and is small stands in place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from einsumdiff import plan
from einsumdiff.accounts import account
from einsumdiff.distribute import multiplied_out
from einsumdiff.errors import NameFault, Unsupported
from einsumdiff.forms import storing
from einsumdiff.forms.options import Options
from einsumdiff.forms.storing import Known, hoisted, times
from einsumdiff.language.table import load_table
from einsumdiff.lower.definitions import Definitions
from einsumdiff.lower.reading import Result, numbers, read, read_inside, sources
from einsumdiff.lower.reading import uses as uses_of
from einsumdiff.nodes import (
    Array,
    Definition,
    Input,
    Label,
    OneHot,
)
from einsumdiff.outer_sums import without_outer_sums
from einsumdiff.pairs import Pairs
from einsumdiff.passes.blocks import blocked
from einsumdiff.passes.flattening import flat
from einsumdiff.passes.gram import squared
from einsumdiff.passes.kinds import Kinds
from einsumdiff.passes.numerals import as_floats, compares
from einsumdiff.passes.ordering import earlier, let_go
from einsumdiff.passes.powers import multiplied
from einsumdiff.passes.reuse import reused
from einsumdiff.passes.sharing import shared
from einsumdiff.passes.softmax import softmaxes
from einsumdiff.passes.ties import filled
from einsumdiff.passes.totals import totalled
from einsumdiff.passes.widening import widened
from einsumdiff.passes.workspace import kept
from einsumdiff.plan import Plan
from einsumdiff.products import Products
from einsumdiff.program import Program, live
from einsumdiff.recurring import recurring
from einsumdiff.sizes import names, subtracted, symbol

MODULES = ("np", "special", "linalg")
"""What generated source imports."""

SMALL = 5
"""What a size that is subtracted from others (a kernel's) is assumed to be."""


def lower(
    program: Program,
    results: Sequence[Result],
    *,
    name: str = "f",
    keys: Sequence[str | tuple[str, ...]] = (),
    value: bool = False,
    options: Options | None = None,
    splits: Sequence[int] = (),
    real: Collection[str] = (),
) -> Plan:
    """The plan of a function of all inputs that returns the results, the output's value first if asked.

    With `keys`, one for each result, the results are returned as a dictionary. `splits` gives for each result
    the first axis that is a column, where the form knows rows and columns. `real`: inputs that hold floats.

    Raises
    ------
    Unsupported : where a size that is needed is the size of no input's axis, or where a product is nested
        so deeply that no statements can be made of it.
    NameFault : where an input has the name of a module that the source imports.
    """
    options = options or Options(value=value)
    for word in options.names:
        if any(array.name == word for array in program.inputs):
            raise NameFault(
                f"{word} is an input, and a name in the source of this form",
                hint=f"call the input something else than {word}",
            )
    for module in MODULES:
        if any(array.name == module for array in program.inputs):
            raise NameFault(
                f"{module} is a module in generated source",
                hint=f"call the input something else than {module}",
            )
    program, results = _arranged(program, results, options)
    lowering = _Lowering(program, name, options, keys, real)
    try:
        found = lowering.run(results, splits)
    except RecursionError:
        raise Unsupported(
            "a product in it is nested too deeply", None, "give parts of it names, in statements of their own"
        ) from None
    pairs = lowering.products.pairs.again() if options.form == "dense" else None
    if pairs is not None:
        other = _Lowering(program, name, options, keys, real, pairs).run(results, splits)
        given = dict(options.sizes)
        found = min(found, other, key=lambda one: account(one, given, tuple(one.sources)).weight)
    return replace(found, keys=tuple(keys))


def _arranged(
    program: Program, results: Sequence[Result], options: Options
) -> tuple[Program, Sequence[Result]]:
    """The results as other sums of products, where these cost less, and the output that goes with them."""
    sizes = dict(options.sizes)
    output: Definition | None = program.output if options.value else None
    if options.expand:
        asked = [(result.terms, result.shape) for result in results]
        results, output = without_outer_sums(asked, output, sizes)
        if output is not None:
            program = replace(program, output=output)
    if options.form == "dense" and options.by_cost:
        roots: list[Array] = [] if output is None else [output]
        asked = [(result.terms, result.shape) for result in results]
        results = multiplied_out(asked, roots, sizes)
        found = recurring([result.terms for result in results], roots, sizes)
        results = [replace(one, terms=tuple(terms)) for one, terms in zip(results, found, strict=True)]
    return program, results


class _Lowering(Definitions):
    def __init__(
        self,
        program: Program,
        name: str,
        options: Options,
        keys: Sequence[str | tuple[str, ...]],
        real: Collection[str],
        pairs: Pairs | None = None,
    ) -> None:
        taken = {i.name for i in program.inputs} | set(program.builder.taken) | set(MODULES)
        taken |= set(options.names) | set(load_table().names)
        taken |= {size for i in program.inputs for s in i.shape for size in names(s)}
        super().__init__(Products(assumed=dict(options.sizes), pairs=pairs or Pairs()), taken)
        self.real = frozenset(real)
        self.program, self.name, self.options, self.keys = program, name, options, keys
        self.known = Known()

    def run(self, results: Sequence[Result], splits: Sequence[int]) -> Plan:
        value = self.options.value
        sizes = [size for d in self.program.definitions for size in d.shape]
        self.small = {name: SMALL for size in sizes for name in subtracted(size)}
        roots: list[Array] = [self.program.output] if value else []
        for result in results:
            roots += read(result.terms)
        definitions = live(roots)
        self.taken |= {d.name for d in definitions if d.named}
        again = 2 if self.options.form == "operator" else 1  # each of its products reads what there is
        uses = uses_of(definitions, list(results) * again)
        for one in self.program.inputs:
            self.products.names[one] = one.name
        used = {one.name for one in self.program.inputs} | set(MODULES) | set(self.options.names)
        for definition in reversed(definitions):
            if definition.named:  # of a name that was assigned twice, the last has it; a module keeps its own
                again = definition.name in used
                self.products.names[definition] = self.fresh(definition.name) if again else definition.name
                used.add(definition.name)
        for definition in definitions:
            if isinstance(definition.body, OneHot):
                continue  # read as a gather or a scatter, see products
            self.define(definition, uses, keep=value and definition is self.program.output)
        returns = []
        if value:
            returns.append(self._own_copy(self.program.output))
        for k, result in enumerate(results):
            returns.append(self._formed(result, k, splits))
        if self.options.form == "operator" and self.options.copy:
            own = read_inside(self.statements)
            copies = [plan.Copy(one.name) for one in self.program.inputs if one.name in own]
            self.statements[:0] = copies
            if value and returns[0] in own:  # the caller's is another one than the operator's
                load = plan.Load(returns[0], tuple(map(Label, self.program.output.shape)))
                returns[0] = self.fresh("value")
                self.statements.append(plan.Assign(returns[0], load, load.axes, own=True))
        # also what nothing that is live reads: its type is not that of the result
        every = self.program.builder.known.values()
        indices = frozenset(d.body.entry.array.name for d in every if isinstance(d.body, OneHot))
        indices -= numbers(definitions, results)
        return Plan(
            self.name,
            self.program.inputs,
            tuple(self._improved(returns, indices)),
            tuple(returns),
            sources(self.program.inputs),
            indices=indices,
            shapes={n: a.shape for n, a in self.program.arrays.items() if isinstance(a, Definition)},
            sizes=dict(self.options.sizes),
            keywords=self.options.keywords,
        )

    def _improved(self, returns: Sequence[str], indices: frozenset[str]) -> list[plan.Statement]:
        """The statements, after what looks at all of them."""

        def fresh() -> str:
            return self.fresh("t")

        statements = squared(shared(flat(self.statements, fresh), fresh), fresh)
        there = plan.contents(statements)
        numbers = [one.name for one in self.program.inputs if one.name not in indices]
        real = {one.name for one in self.program.inputs if one.shape} & self.real
        if self.options.jit:  # loops take entry by entry, and keep no arrays in between
            return widened(statements, Kinds(numbers, real))
        if plan.Power in there:
            statements = multiplied(statements, fresh)
        if plan.Fold in there:
            statements = softmaxes(statements)
        if plan.Cast in there:
            statements = filled(statements, fresh)
        statements = widened(statements, Kinds(numbers, real))
        if any(isinstance(one, str) and compares(one) for one in there):
            statements = as_floats(statements, Kinds(numbers, real))
        if self.options.form != "dense" or not self.options.in_place:
            return statements
        kinds, sizes = Kinds(numbers, real), self.products.assumed
        every = {name for one in self.program.inputs for size in one.shape for name in names(size)}
        known = every <= sizes.keys()
        sooner = earlier(statements, returns, sizes) if known and not self.options.workspace else None
        order = statements if sooner is None else sooner
        found = reused(order, returns, kinds, sizes, fresh, all_of_them=self.options.workspace)
        if sizes or known:
            found = blocked(found, returns, kinds, sizes, self._named, fresh)
            found = totalled(found, Kinds(numbers, real), sizes, fresh)
        found = found if sooner is None else let_go(found, returns, sizes)
        return kept(found, returns, fresh) if self.options.workspace else found

    def _formed(self, result: Result, k: int, splits: Sequence[int]) -> str:
        """The result in the form that is asked for."""
        if self.options.form == "dense":
            return self._result(result, k)
        if self.options.form == "operator":
            return self._operator(result, splits[k])
        stored = []
        shared = self._shared() if self.options.copy and self.options.form == "compressed" else set()
        for one in storing.kept(result.terms, result.shape, self.products, self.fresh, shared, self.known):
            if isinstance(one, plan.Kept):
                stored.append(one)
            else:
                self.statements.append(one)
        name, options = self._result_name(), self.options
        store = plan.Store(name, options.form, result.shape, splits[k], tuple(stored), options.as_matrix)
        self.statements.append(store)
        return name

    def _shared(self) -> set[str]:
        """The variables that a caller has too, and those that are views of one."""
        found = {one.name for one in self.program.inputs}
        if self.options.value:
            found.add(self.products.names[self.program.output])
        for one in self.statements:
            if isinstance(one, plan.Assign) and not one.own and isinstance(one.value, plan.Load | plan.View):
                found.add(one.name)
        return found

    def _result_name(self) -> str:
        return self._named("result")

    def _named(self, word: str) -> str:
        """A new variable, called so if nothing else is."""
        name = self.fresh(word) if word in self.taken else word
        self.taken.add(name)
        return name

    def _result(self, result: Result, k: int) -> str:
        name, options = self._result_name(), self.options
        if not options.out:
            self.write_terms(name, result.terms, result.shape, own=options.copy)
            return name
        outside, self.statements = self.statements, []
        self.write_terms(name, result.terms, result.shape)
        key = self.keys[k] if self.keys else None
        outside.append(plan.Buffer(name, key, tuple(self.statements)))
        self.statements = outside
        return name

    def _operator(self, result: Result, split: int) -> str:
        """Products with a vector and a matrix from either side."""
        rows, columns = range(split), range(split, len(result.shape))
        outside = self.statements
        products, ahead = [], []
        for name, over, stay in (("matvec", columns, rows), ("rmatvec", rows, columns)):
            for many in (False, True):
                counted = self.fresh("c") if many else None
                last = Label(symbol(counted)) if counted is not None else None
                self.products.assumed = dict(self.options.sizes)
                if counted is not None:
                    self.products.assumed[counted] = 1  # in the order of one vector
                shape = tuple(result.shape[k] for k in over) + ((last.size,) if last else ())
                vector = Input(self.fresh("v"), shape)
                self.products.names[vector] = self.products.moving = vector.name
                self.statements = []
                target = self.fresh("product")
                left = tuple(result.shape[k] for k in stay)
                terms = times(result.terms, over, stay, vector, last)
                self.write_terms(target, terms, (*left, *((last.size,) if last else ())))
                before, body = hoisted(self.statements, vector.name, self.fresh)
                ahead += before
                products.append(
                    plan.Times(
                        name.replace("vec", "mat") if many else name,
                        vector.name,
                        shape,
                        left,
                        counted,
                        tuple(body),
                        target,
                    )
                )
        self.statements, self.products.moving = outside, None
        self.products.assumed = dict(self.options.sizes)
        name = self._result_name()
        size = tuple(result.shape[k] for k in rows), tuple(result.shape[k] for k in columns)
        self.statements.append(plan.Operator(name, tuple(ahead), *size, tuple(products)))
        return name

    def _own_copy(self, output: Definition) -> str:
        name = self.products.names[output]
        last = next((s for s in self.statements if isinstance(s, plan.Assign) and s.name == name), None)
        if last is not None:
            self.statements[self.statements.index(last)] = plan.Assign(name, last.value, last.axes, own=True)
        return name
