"""The statements of a function that returns a sparse or compressed object, or an operator."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, permutations

from einsumdiff import plan
from einsumdiff.canonical import term_key
from einsumdiff.forms.separate import Separated, separated
from einsumdiff.nodes import Entry, Extent, Input, Label, Product, Term, bare
from einsumdiff.plan import Expr
from einsumdiff.products import Products
from einsumdiff.sizes import AnySize
from einsumdiff.solve import join

Fresh = Callable[[str], str]


# --------------------------------------------------------------------------------- sparse and compressed


@dataclass(slots=True)
class Known:
    """The factors that are variables already, with the positions of their axes; and the copies of arrays."""

    factors: dict[object, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)


def kept(
    terms: Sequence[Term],
    shape: Sequence[AnySize],
    products: Products,
    fresh: Fresh,
    shared: Container[str],
    known: Known,
) -> Iterator[plan.Statement | plan.Kept]:
    """The terms with their factors as variables, each after the statements that compute these.

    A factor that several terms have is computed once. One that is an array in `shared`, or a view of one,
    is copied: somebody else may change it.
    """
    for term in terms:
        one = separated(term, shape)
        ends = plan.ends(one.axes, shape)
        places = []
        for label, hot in one.places.items():
            index = products.places(hot)
            own = isinstance(index, plan.Load | plan.View) and index.name in shared
            if own or not isinstance(index, plan.Load):
                variable = fresh("t")
                yield plan.Assign(variable, index, index.axes, own=own)
                index = plan.Load(variable, index.axes)
            places.append((label, index))
        factors = []
        for factor in one.factors:
            free = factor.free
            hits = ((order, (key, ends)) for order, key in _orders(free, factor, one))
            found = next((hit for hit in hits if hit[1] in known.factors), None)
            if found is not None:
                order, same = found
                name, positions = known.factors[same]
                factors.append(plan.Load(name, tuple(order[k] for k in positions)))
                continue
            value = products.product(factor)
            for label, index in places:
                value = plan.taken(value, label, index)
            name = value.name if isinstance(value, plan.Load) else ""
            if not name or (name in shared and name not in known.copies):
                variable = fresh("t")
                own = isinstance(value, plan.Load | plan.View) and value.name in shared
                yield plan.Assign(variable, value, value.axes, own=own, ends=ends)
                if name:
                    known.copies[name] = variable
                name = variable
            name = known.copies.get(name, name)
            factors.append(plan.Load(name, value.axes))
            for _, key in _orders(free, factor, one, just=1):
                known.factors[key, ends] = name, tuple(free.index(n) for n in value.axes)
        guards = tuple((guard.form, guard.op) for guard in one.guards)
        scale = Product(one.scale.coefficient, tuple(f for f in one.scale.factors if isinstance(f, Extent)))
        numbers = tuple(f for f in one.scale.factors if not isinstance(f, Extent))
        size = products.product(scale)
        if numbers:
            number = Product(1, numbers, one.scale.bound)
            key = term_key(Term((), number)), ends
            if key not in known.factors:
                value = products.product(number)
                variable = fresh("t")
                own = isinstance(value, plan.Load | plan.View) and value.name in shared
                yield plan.Assign(variable, value, (), own=own, ends=ends)
                known.factors[key] = variable, ()
            size = products.scaled(plan.Load(known.factors[key][0], ()), scale)
        yield plan.Kept(one.labels, one.axes, size, tuple(factors), guards, tuple(places))


MOST_PERMUTED = 3
"""Transposes of a factor are looked for up to so many axes."""


def _orders(
    free: tuple[Label, ...], factor: Product, one: Separated, just: int | None = None
) -> Iterator[tuple[tuple[Label, ...], object]]:
    """The orders of the labels of a factor, each with what is equal for equal factors in that order."""
    if set(free) & set(one.places):  # it is read at places of its own
        return
    orders = permutations(free) if len(free) <= MOST_PERMUTED else iter([free])
    for order in islice(orders, just):
        yield order, term_key(Term(tuple(map(bare, order)), factor))


# ---------------------------------------------------------------------------------------------- operator


def times(
    terms: Sequence[Term], over: Sequence[int], kept: Sequence[int], vector: Input, columns: Label | None
) -> list[Term]:
    """The terms times an array along the axes at the places `over`, which are summed.

    With `columns` the array has one more axis, and the result too.
    """
    found = []
    for term in terms:
        entry = tuple(Label(size) for size in vector.shape[: len(over)])
        forms = tuple(bare(n) for n in entry)
        last = () if columns is None else (bare(columns.fresh()),)
        one = term.product
        factors = (*one.factors, Entry(vector, (*forms, *last)))
        equalities = [term.axes[k] - form for k, form in zip(over, forms, strict=True)]
        labels = (*term.labels, *one.bound, *entry, *(n for form in last for n in form.labels))
        axes = (*(term.axes[k] for k in kept), *last)
        found += join(axes, one.coefficient, factors, equalities, labels)
    return found


def hoisted(
    statements: Sequence[plan.Statement], moving: str, fresh: Fresh
) -> tuple[list[plan.Assign], list[plan.Statement]]:
    """What does not depend on the variable `moving`, to be computed before, and the rest."""
    before: list[plan.Assign] = []
    after: list[plan.Statement] = []
    changing = {moving}

    def still(value: Expr) -> bool:
        return not plan.reads(value) & changing

    def lifted(value: Expr) -> Expr:
        if still(value):
            if isinstance(value, CHEAP) or not plan.reads(value):
                return value
            name = fresh("t")
            before.append(plan.Assign(name, value, value.axes))
            return plan.Load(name, value.axes)
        return plan.rebuilt(value, lifted)

    for statement in statements:
        match statement:
            case plan.Assign(name, value, _):
                if still(value) and not statement.own:
                    before.append(statement)
                    continue
                changing.add(name)
                after.append(replace(statement, value=lifted(value)))
            case plan.Write(value=value):
                after.append(replace(statement, value=lifted(value)))
            case plan.Zeros(name):
                changing.add(name)
                after.append(statement)
            case _:  # the number of the round is no variable of the function outside
                after.append(statement)
    return before, after


CHEAP = plan.Load | plan.View | plan.Literal | plan.Named | plan.Condition | plan.Place
"""What is not worth a variable."""
