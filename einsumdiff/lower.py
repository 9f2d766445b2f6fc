"""From terms and definitions to a plan: what is computed, in which order, and what is written where.

Every product is contracted pair by pair (`contract`), entries are read as views (`plan.View`), terms
whose axes are plain become expressions, all others are written into zeros. A definition that is used
once and is small stands in place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from einsumdiff import plan
from einsumdiff.accounts import account
from einsumdiff.apart import common_part, without
from einsumdiff.distribute import multiplied_out
from einsumdiff.errors import NameFault, Unsupported
from einsumdiff.forms.options import Options
from einsumdiff.forms.storing import Known, hoisted, kept, times
from einsumdiff.gram import squared
from einsumdiff.kinds import Kinds
from einsumdiff.language.table import Function, load_table
from einsumdiff.nodes import (
    Array,
    Body,
    Call,
    Definition,
    Entry,
    Extent,
    Form,
    Input,
    Label,
    Mask,
    OneHot,
    Operate,
    Product,
    Reduce,
    Sum,
    Term,
    bare,
    constant_form,
    multiply_numbers,
    substitute_factor,
)
from einsumdiff.numerals import as_floats
from einsumdiff.outer_sums import without_outer_sums
from einsumdiff.pairs import Pairs
from einsumdiff.plan import Expr, Plan
from einsumdiff.products import Products, triangle
from einsumdiff.program import Program, live
from einsumdiff.recurring import recurring
from einsumdiff.reuse import reused
from einsumdiff.sharing import shared
from einsumdiff.sizes import AnySize, Size, assumed, linear, names, subtracted, symbol
from einsumdiff.softmax import softmaxes
from einsumdiff.terms import injective, known_labels
from einsumdiff.ties import filled
from einsumdiff.writing import passes

MOST_INLINE = 9
"""A definition that is used once stands in place up to so many operations."""


MOST_ADDED = 50
"""A sum of more summands is written in several statements."""


MODULES = ("np", "special", "linalg")
"""What generated source imports."""

SMALL = 5
"""What a size that is subtracted from others (a kernel's) is assumed to be."""


class Result(Protocol):
    """What is asked for: the terms of an array and its shape."""

    @property
    def terms(self) -> tuple[Term, ...]: ...

    @property
    def shape(self) -> tuple[AnySize, ...]: ...


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
    Unsupported : where a size that is needed is the size of no input's axis.
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
    lowering = _Lowering(program, name, options, keys, real)
    found = lowering.run(results, splits)
    pairs = lowering.products.pairs.again() if options.form == "dense" else None
    if pairs is not None:
        other = _Lowering(program, name, options, keys, real, pairs).run(results, splits)
        given = dict(options.sizes)
        found = min(found, other, key=lambda one: account(one, given, tuple(one.sources)).weight)
    return replace(found, keys=tuple(keys))


def _read(terms: Iterable[Term]) -> list[Array]:
    return [f.array for t in terms for f in t.product.factors if isinstance(f, Entry | Mask)]


def _numbers(definitions: Sequence[Definition], results: Sequence[Result]) -> set[str]:
    """The names of the arrays that are read as numbers."""
    read = [a for d in definitions if not isinstance(d.body, OneHot) for a in d.reads]
    return {a.name for a in [*read, *(a for result in results for a in _read(result.terms))]}


class _Lowering:
    def __init__(
        self,
        program: Program,
        name: str,
        options: Options,
        keys: Sequence[str | tuple[str, ...]],
        real: Collection[str],
        pairs: Pairs | None = None,
    ) -> None:
        self.real = frozenset(real)
        self.program, self.name, self.options, self.keys = program, name, options, keys
        self.statements: list[plan.Statement] = []
        self.products = Products(assumed=dict(options.sizes), pairs=pairs or Pairs())
        self.taken = {i.name for i in program.inputs} | set(program.builder.taken) | set(MODULES)
        self.taken |= set(options.names)
        self.taken |= set(load_table().names)
        self.taken |= {size for i in program.inputs for s in i.shape for size in names(s)}
        self.known = Known()
        self.weights: dict[Expr, int] = {}
        self.small: dict[str, int] = {}
        self.last: dict[str, int] = {}  # the number of the last generated name for each hint

    def run(self, results: Sequence[Result], splits: Sequence[int]) -> Plan:
        value = self.options.value
        sizes = [size for d in self.program.definitions for size in d.shape]
        self.small = {name: SMALL for size in sizes for name in subtracted(size)}
        roots: list[Array] = [self.program.output] if value else []
        if self.options.expand:
            asked = [(result.terms, result.shape) for result in results]
            output = self.program.output if value else None
            results, output = without_outer_sums(asked, output, self.products.assumed)
            if output is not None:
                self.program = replace(self.program, output=output)
                roots = [output]
        if self.options.form == "dense" and self.options.by_cost:
            asked = [(result.terms, result.shape) for result in results]
            results = multiplied_out(asked, roots, self.products.assumed)
            found = recurring([result.terms for result in results], roots, self.products.assumed)
            results = [replace(one, terms=tuple(terms)) for one, terms in zip(results, found, strict=True)]
        for result in results:
            roots += _read(result.terms)
        definitions = live(roots)
        self.taken |= {d.name for d in definitions if d.named}
        again = 2 if self.options.form == "operator" else 1  # each of its products reads what there is
        uses = self._uses(definitions, list(results) * again)
        for one in self.program.inputs:
            self.products.names[one] = one.name
        used = {one.name for one in self.program.inputs} | set(MODULES) | set(self.options.names)
        for definition in reversed(definitions):
            if definition.named:  # of a name that was assigned twice, the last has it; a module keeps its own
                again = definition.name in used
                self.products.names[definition] = self._fresh(definition.name) if again else definition.name
                used.add(definition.name)
        for definition in definitions:
            if isinstance(definition.body, OneHot):
                continue  # read as a gather or a scatter, see products
            self._define(definition, uses, keep=value and definition is self.program.output)
        returns = []
        if value:
            returns.append(self._own_copy(self.program.output))
        for k, result in enumerate(results):
            returns.append(self._formed(result, k, splits))
        if self.options.form == "operator" and self.options.copy:
            own = _read_inside(self.statements)
            copies = [plan.Copy(one.name) for one in self.program.inputs if one.name in own]
            self.statements[:0] = copies
            if value and returns[0] in own:  # the caller's is another one than the operator's
                load = plan.Load(returns[0], tuple(map(Label, self.program.output.shape)))
                returns[0] = self._fresh("value")
                self.statements.append(plan.Assign(returns[0], load, load.axes, own=True))
        sources = self._sources()
        indices = frozenset(
            d.body.entry.array.name for d in definitions if isinstance(d.body, OneHot)
        ) - _numbers(definitions, results)
        return Plan(
            self.name,
            self.program.inputs,
            tuple(self._improved(returns, indices)),
            tuple(returns),
            sources,
            indices=indices,
            shapes={n: a.shape for n, a in self.program.arrays.items() if isinstance(a, Definition)},
            keywords=("out", "out_is_zero=False") if self.options.out else (),
            sizes=dict(self.options.sizes),
        )

    def _improved(self, returns: Sequence[str], indices: frozenset[str]) -> list[plan.Statement]:
        """The statements, after what looks at all of them."""

        def fresh() -> str:
            return self._fresh("t")

        statements = squared(shared(self.statements, fresh), fresh)
        if self.options.jit:  # loops take entry by entry, and keep no arrays in between
            return statements
        numbers = [one.name for one in self.program.inputs if one.name not in indices]
        real = {one.name for one in self.program.inputs if one.shape} & self.real
        statements = filled(softmaxes(statements), fresh)
        statements = as_floats(statements, Kinds(numbers, real))
        if self.options.form != "dense" or not self.options.in_place:
            return statements
        return reused(statements, returns, Kinds(numbers, real), self.products.assumed, fresh)

    # -- names and sizes --------------------------------------------------------------------------------

    def _fresh(self, hint: str) -> str:
        k = self.last.get(hint, 0) + 1
        while (name := f"{hint}{k}") in self.taken:
            k += 1
        self.last[hint] = k
        self.taken.add(name)
        return name

    def _sources(self) -> dict[str, plan.Source]:
        """Where each size name is read: an axis of that size, else one whose size is linear in it."""
        found: dict[str, plan.Source] = {}
        axes = [(one, axis, size) for one in self.program.inputs for axis, size in enumerate(one.shape)]
        for array, axis, size in axes:
            if isinstance(size, Size) and size == symbol(names(size)[0]):
                found.setdefault(str(size), plan.Source(array, axis))
        missing = True
        while missing:
            missing = False
            for array, axis, size in axes:
                unknown = [name for name in names(size) if name not in found]
                solved = linear(size, unknown[0]) if len(unknown) == 1 else None
                if solved is not None:
                    found[unknown[0]] = plan.Source(array, axis, less=solved[1], by=solved[0])
                    missing = True
        for array, _, size in axes:
            for name in names(size):
                if name not in found:
                    raise Unsupported(
                        f"the size {name} does not follow from {size}, the size of an axis of {array.name}",
                        hint=f"give an input an axis of size {name}",
                    )
        return found

    @staticmethod
    def _uses(definitions: Sequence[Definition], results: Sequence[Result]) -> dict[Array, int]:
        """How often each array is read; twice for a reading that cannot stand in place."""
        uses: dict[Array, int] = {}

        def count(array: Array, forms: Sequence[Form], often: int = 1) -> None:
            labels = [form.label for form in forms]
            whole = None not in labels and len(set(labels)) == len(labels)
            whole = whole and all(
                label is not None and label.size == size
                for label, size in zip(labels, array.shape, strict=True)
            )
            uses[array] = uses.get(array, 0) + (often if whole else 2)

        def count_terms(terms: Iterable[Term]) -> None:
            for term in terms:
                for f in term.product.factors:
                    if isinstance(f, Entry | Mask):
                        count(f.array, f.forms, 1 if injective(term.axes) else 2)

        for definition in definitions:
            match definition.body:
                case Sum(terms):
                    count_terms(terms)
                case Call(function, _, operands):
                    row = load_table()[function]
                    for k, o in enumerate(operands):
                        if isinstance(o, Entry):
                            # a template would compute what stands in place once for each mention of it
                            twice = isinstance(row, Function) and row.spelling.repeats(row.parameters[k].name)
                            count(o.array, o.forms, 2 if twice else 1)
                case Reduce(_, _, _, entry, _):
                    count(entry.array, entry.forms)
                case OneHot(_, entry):
                    count(entry.array, entry.forms, 2)
                case Operate(_, _, entries, _, _):
                    for e in entries:
                        count(e.array, e.forms, 2)
        for result in results:
            count_terms(result.terms)
        return uses

    # -- definitions --------------------------------------------------------------------------------------

    def _define(self, definition: Definition, uses: dict[Array, int], keep: bool) -> None:
        body = definition.body
        small = not definition.named and not keep and uses.get(definition, 0) == 1
        if isinstance(body, Sum) and not (
            body.terms and all(_plain(t, definition.shape) for t in body.terms)
        ):
            name = self._name(definition)
            self._write_terms(name, body.terms, definition.shape)
            return
        axes, value = self._body(body, definition.shape)
        if small and self._weight(value) <= MOST_INLINE and None not in axes:
            covered = set(value.axes)
            if all(label in covered for label in axes):
                self.products.inline[definition] = value
                self.products.layout[definition] = tuple(label for label in axes if label is not None)
                return
        self.statements.append(plan.Assign(self._name(definition), value, axes))

    def _name(self, definition: Definition) -> str:
        name = self.products.names.get(definition)
        if name is None:
            name = self.products.names[definition] = self._fresh("t")
        return name

    def _body(self, body: Body, shape: tuple[AnySize, ...]) -> tuple[tuple[Label | None, ...], Expr]:
        match body:
            case Sum(terms):
                axes = tuple(Label(size) if size != 1 else None for size in shape)
                return axes, self.sum_of(terms, axes)
            case Call(function, labels, operands):
                row = load_table()[function]
                logical = isinstance(row, Function) and row.boolean
                parts = tuple(
                    self.products.entry(o, number=not logical) if isinstance(o, Entry) else plan.Literal(o)
                    for o in operands
                )
                return _layout(labels, shape), plan.Apply(function, parts, plan.union(parts))
            case Reduce():
                return _layout(body.axes, shape), self._reduce(body)
            case OneHot():
                raise AssertionError("an indicator of places is read in place")
            case Operate(operation, labels, entries, _, _):
                operands_ = tuple(self.products.entry(e) for e in entries)
                return _layout(labels, shape), plan.Perform(operation, operands_, labels)

    def _reduce(self, body: Reduce) -> Expr:
        base = self.products.entry(body.entry)
        if body.guards:
            assert body.op == "prod"
            (label,) = body.bound
            only = body.guards[0]
            if len(body.guards) == 1 and only.op == "!=" and len(only.form.coefficients) == 2:
                (other,) = (n for n in only.form.labels if n is not label)
                apart = only.form.constant == 0 and other.size == label.size and other not in base.axes
                if apart and sum(c for _, c in only.form.coefficients if isinstance(c, int)) == 0:
                    axes = tuple(other if n is label else n for n in base.axes)
                    return plan.Others(base, label, axes)
            running = _running(body, label, base)
            if running is not None:
                return running
            conditions = tuple((self.products.condition(g), True) for g in body.guards)
            base = plan.Select(conditions, base, 1, plan.union([base, *(c for c, _ in conditions)]))
        return plan.Fold(body.op, base, tuple(n for n in base.axes if n not in body.bound))

    # -- sums of products ---------------------------------------------------------------------------------

    def sum_of(self, terms: Sequence[Term], axes: Sequence[Label | None]) -> Expr:
        """Terms with plain axes, added up in these labels; what scales all of them scales the sum."""
        scale = _common_scale(terms)
        if scale is not None:
            inner = self.sum_of([_without_scale(term) for term in terms], axes)
            return self.products.scaled(inner, scale)
        products = []
        for term in terms:
            values = {
                form.label: bare(label)
                for form, label in zip(term.axes, axes, strict=True)
                if form.label is not None and label is not None
            }
            products.append(term.product.substitute(values))
        return self._sum(products)

    def _sum(self, products: Sequence[Product]) -> Expr:
        parts: list[tuple[int, Expr]] = []
        common = common_part(products) if len(products) <= MOST_ADDED else None
        if common is not None:
            numbers, part = common
            sign, inner = plan.signed(self._sum([without(products[k], part) for k in numbers]))
            outer = self.products.product(part)
            parts.append((sign, plan.Multiply(inner, outer, plan.union([inner, outer]))))
            products = [one for k, one in enumerate(products) if k not in numbers]
        parts += [plan.signed(self.products.product(one)) for one in products]
        if len(parts) == 1 and parts[0][0] == 1:
            return parts[0][1]
        parts.sort(key=lambda part: part[0] < 0)
        while len(parts) > MOST_ADDED:
            parts = [self._added(parts[k : k + MOST_ADDED]) for k in range(0, len(parts), MOST_ADDED)]
        return plan.Add(tuple(parts), plan.union([value for _, value in parts]))

    def _added(self, parts: Sequence[tuple[int, Expr]]) -> tuple[int, Expr]:
        """Some of very many summands, in a variable of their own: a line has to end somewhere."""
        value = plan.Add(tuple(parts), plan.union([part for _, part in parts]))
        name = self._fresh("t")
        self.statements.append(plan.Assign(name, value, value.axes))
        return 1, plan.Load(name, value.axes)

    # -- writing ------------------------------------------------------------------------------------------

    def _write_terms(
        self, name: str, terms: Sequence[Term], shape: tuple[AnySize, ...], own: bool = True
    ) -> None:
        plain: list[Term] = []
        others: list[Term] = []
        for term in terms:
            (plain if _plain(term, shape) else others).append(term)
        if plain:
            axes = tuple(Label(size) if size != 1 else None for size in shape)
            own = own or bool(others)  # it is written into
            self.statements.append(plan.Assign(name, self.sum_of(plain, axes), axes, own, shown=not own))
        else:
            self.statements.append(plan.Zeros(name, shape))
        apart: list[Term] = []
        meeting: list[Term] = []
        for term in others:
            (apart if _within(term, shape) and injective(term.axes) else meeting).append(term)
        for one in passes(apart, self.products.assumed):
            labels = tuple(map(bare, one.labels))
            value = self.sum_of([Term(labels, each) for each in one.products], one.labels)
            first = one.first and not plain
            self.statements.append(plan.Write(name, one.axes, shape, value, one.labels, first, True))
        for term in meeting:
            self.statements += self._write(name, term, shape)

    def _write(self, name: str, term: Term, shape: tuple[AnySize, ...]) -> list[plan.Statement]:
        """A term with places outside, or several values for one place."""
        looped = self._loop_label(term) if _within(term, shape) else None
        if looped is not None:
            variable = self._fresh("k")
            fixed = {looped: constant_form(symbol(variable))}
            inner = Term(
                tuple(form.substitute(fixed) for form in term.axes),
                Product(
                    term.product.coefficient,
                    tuple(substitute_factor(f, fixed) for f in term.product.factors),
                    term.product.bound,
                ),
            )
            body = self._write_proved(name, inner, shape, _reads_within(term.product))
            return [plan.Loop(variable, looped.size, tuple(body))]
        value = self.products.product(term.product)
        return [plan.Write(name, term.axes, shape, value, term.labels, False, False)]

    def _write_proved(
        self, name: str, term: Term, shape: tuple[AnySize, ...], trusted: bool
    ) -> list[plan.Statement]:
        """Inside a loop: the forms were proved before the loop's label became a number.

        `trusted`: those of the accesses too, and none of them needs its guard.
        """
        if not injective(term.axes):
            looped = self._loop_label(term)
            if looped is not None:
                variable = self._fresh("k")
                fixed = {looped: constant_form(symbol(variable))}
                factors = tuple(substitute_factor(f, fixed) for f in term.product.factors)
                axes = tuple(form.substitute(fixed) for form in term.axes)
                inner = Term(axes, Product(term.product.coefficient, factors, term.product.bound))
                statements = self._write_proved(name, inner, shape, trusted)
                return [plan.Loop(variable, looped.size, tuple(statements))]
        value = self.products.product(term.product, trusted)
        return [plan.Write(name, term.axes, shape, value, term.labels, False, True)]

    def _loop_label(self, term: Term) -> Label | None:
        """The smallest label that its place does not determine; a size that is subtracted is small."""
        unknown = [n for n in term.labels if n not in known_labels(term.axes)]
        return min(unknown, key=lambda n: assumed(n.size, self.small), default=None)

    # -- results ------------------------------------------------------------------------------------------

    def _formed(self, result: Result, k: int, splits: Sequence[int]) -> str:
        """The result in the form that is asked for."""
        if self.options.form == "dense":
            return self._result(result, k)
        if self.options.form == "operator":
            return self._operator(result, splits[k])
        stored = []
        shared = self._shared() if self.options.copy and self.options.form == "compressed" else set()
        for one in kept(result.terms, result.shape, self.products, self._fresh, shared, self.known):
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
        name = self._fresh("result") if "result" in self.taken else "result"
        self.taken.add(name)
        return name

    def _result(self, result: Result, k: int) -> str:
        name, options = self._result_name(), self.options
        if not options.out:
            self._write_terms(name, result.terms, result.shape, own=options.copy)
            return name
        outside, self.statements = self.statements, []
        self._write_terms(name, result.terms, result.shape)
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
                counted = self._fresh("c") if many else None
                last = Label(symbol(counted)) if counted is not None else None
                self.products.assumed = dict(self.options.sizes)
                if counted is not None:
                    self.products.assumed[counted] = 1  # in the order of one vector
                shape = tuple(result.shape[k] for k in over) + ((last.size,) if last else ())
                vector = Input(self._fresh("v"), shape)
                self.products.names[vector] = self.products.moving = vector.name
                self.statements = []
                target = self._fresh("product")
                left = tuple(result.shape[k] for k in stay)
                terms = times(result.terms, over, stay, vector, last)
                self._write_terms(target, terms, (*left, *((last.size,) if last else ())))
                before, body = hoisted(self.statements, vector.name, self._fresh)
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

    # -- weights ------------------------------------------------------------------------------------------

    def _weight(self, value: Expr) -> int:
        """How many operations an expression shows."""
        known = self.weights.get(value)
        if known is None:
            known = self.weights[value] = 1 + sum(self._weight(part) for part in plan.parts(value))
        return known


def _common_scale(terms: Sequence[Term]) -> Product | None:
    """The number and the sizes that two terms or more have in common, where they have the same ones."""
    if len(terms) < 2:
        return None
    scales = [
        (multiply_numbers(t.product.coefficient, -1 if t.product.coefficient < 0 else 1), _extents(t.product))
        for t in terms
    ]
    number, extents = scales[0]
    if (number == 1 and not extents) or isinstance(number, float) or any(one != scales[0] for one in scales):
        return None
    if any(not t.product.entries for t in terms):
        return None
    return Product(number, tuple(f for f in terms[0].product.factors if f in extents))


def _extents(one: Product) -> set[Extent]:
    return {f for f in one.factors if isinstance(f, Extent)}


def _without_scale(term: Term) -> Term:
    one = term.product
    factors = tuple(f for f in one.factors if not isinstance(f, Extent))
    return Term(term.axes, Product(-1 if one.coefficient < 0 else 1, factors, one.bound))


def _read_inside(statements: Sequence[plan.Statement]) -> set[str]:
    """The variables that the products of operators read when they are called, and what these are views of."""
    found: set[str] = set()
    stack: list[plan.Statement] = [
        inner for s in statements if isinstance(s, plan.Operator) for one in s.products for inner in one.body
    ]
    while stack:
        one = stack.pop()
        if isinstance(one, plan.Assign | plan.Write):
            found |= plan.reads(one.value)
        elif isinstance(one, plan.Loop):
            stack += one.body
    ahead = [one for s in statements if isinstance(s, plan.Operator) for one in s.before]
    for one in reversed([*(s for s in statements if isinstance(s, plan.Assign)), *ahead]):
        if one.name in found and not one.own and isinstance(one.value, plan.Load | plan.View):
            found.add(one.value.name)
    return found


def _within(term: Term, shape: Sequence[AnySize]) -> bool:
    """Whether every place is proved to be in bounds."""
    return all(form.within(size) for form, size in zip(term.axes, shape, strict=True))


def _reads_within(one: Product) -> bool:
    """Whether every access is proved to be in bounds, guards or not."""
    return all(
        form.within(size)
        for f in one.factors
        if isinstance(f, Entry | Mask)
        for form, size in zip(f.forms, f.array.shape, strict=True)
    )


def _running(body: Reduce, label: Label, base: Expr) -> Expr | None:
    """A product up to a place as a cumulative product; so one that leaves an entry out."""
    for guard in body.guards:
        for own, place, reverse, apart in triangle(guard, body.bound, ()):
            rest = [g for g in body.guards if g is not guard]
            if own is not label or place in base.axes:
                continue
            axes = tuple(place if n is label else n for n in base.axes)
            if not rest:
                return plan.Running("prod", base, label, place, reverse, apart, axes)
            (first, *more) = rest
            labels = first.form.labels
            other = next((n for n in labels if n is not label), None)
            apart_from = not more and first.op == "!=" and len(labels) == 2 and first.form.constant == 0
            apart_from = apart_from and sum(c for _, c in first.form.coefficients if isinstance(c, int)) == 0
            plain = not reverse and not apart and other is not place and other not in base.axes
            if apart_from and plain and other is not None and other.size == label.size:
                return plan.RunningOthers(base, label, place, other, (*axes, other))
            if any(place in g.form.labels for g in rest):
                continue
            tests = tuple((Products.condition(g), True) for g in rest)
            chosen = plan.Select(tests, base, 1, plan.union([base, *(c for c, _ in tests)]))
            axes = tuple(place if n is label else n for n in chosen.axes)
            return plan.Running("prod", chosen, label, place, reverse, apart, axes)
    return None


def _plain(term: Term, shape: Sequence[AnySize]) -> bool:
    """Does every axis have a bare label of its own, over its whole range?"""
    labels = [form.label for form, size in zip(term.axes, shape, strict=True) if size != 1]
    sizes = [size for size in shape if size != 1]
    if len(set(labels)) < len(labels):
        return False
    return all(label is not None and label.size == size for label, size in zip(labels, sizes, strict=True))


def _layout(labels: Sequence[Label], shape: Sequence[AnySize]) -> tuple[Label | None, ...]:
    assert len(labels) == len(shape)
    return tuple(labels)
