"""Local partials: how a definition depends on each array that its body reads, as terms.

    d(coefficient * u[f]**p * rest)/du   ->   axes (left side | f), core coefficient*p*u[f]**(p-1)*rest

One term for every entry; repeated labels and affine forms need nothing else. Functions, reductions
and operations contribute the factor that their row in the table states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from einsumdiff.errors import Unsupported
from einsumdiff.indexing import expand
from einsumdiff.language.table import Function, load_table
from einsumdiff.nodes import (
    Array,
    Call,
    Constant,
    Definition,
    Entry,
    Form,
    Guard,
    Label,
    OneHot,
    Operate,
    Product,
    Reduce,
    Sum,
    Term,
    bare,
    multiply,
    product,
)
from einsumdiff.program import Builder, Value, at, number

Wanted = Callable[[Array], bool]

SHARES = {"split": (0.5, 0.5), "first": (1, 0), "zero": (0, 0)}
"""What the first and the second of two equal arguments have of the slope, by the policy of ties."""


def partials(definition: Definition, builder: Builder, wanted: Wanted) -> Iterator[tuple[Array, Term]]:
    """Pairs (u, term of d definition/du), for the arrays u that are wanted; several may share a u."""
    match definition.body:
        case Sum(terms):
            for term in terms:
                yield from of_term(term, wanted)
        case Call() as call:
            yield from _of_call(call, builder, wanted)
        case Reduce() as reduction:
            if wanted(reduction.entry.array):
                yield from _of_reduce(definition, reduction, builder)
        case OneHot(entry=entry):
            if wanted(entry.array):
                raise Unsupported(
                    f"{entry.array.name or 'an expression'} is used as an index, and has no derivative",
                    hint="an index is a whole number; take the derivative in another name",
                )
        case Operate() as operation:
            yield from _of_operation(definition, operation, builder, wanted)


def of_term(term: Term, wanted: Wanted) -> Iterator[tuple[Array, Term]]:
    """The leaf rule and the product rule, for every entry of the term's product."""
    axes, one = term
    for k, factor in enumerate(one.factors):
        if not isinstance(factor, Entry) or isinstance(factor.array, Constant) or not wanted(factor.array):
            continue
        array, forms, power = factor
        rest = one.factors[:k] + one.factors[k + 1 :]
        if power != 1:
            rest = (*rest, Entry(array, forms, power - 1))
        coefficient = (
            one.coefficient * power
            if isinstance(one.coefficient, int | Fraction)
            else float(one.coefficient * float(power))
        )
        core = Product(coefficient, rest)
        yield array, _summing(axes + forms, core, (*term.labels, *one.bound))


def _summing(axes: tuple[Form, ...], core: Product, labels: tuple[Label, ...]) -> Term:
    """The term with the labels that no axis bears summed, those that nothing bears included."""
    kept = {label for form in axes for label in form.labels}
    bound = [label for label in dict.fromkeys(labels) if label not in kept]
    return Term(axes, product(core.coefficient, core.factors, (*bound, *core.bound))).fresh()


def _of_value(value: Value, builder: Builder) -> Product | None:
    """A partial as one factor; None where it is zero everywhere."""
    value = Value((), tuple(p for p in value.products if p.coefficient != 0))
    return builder.factor(value) if value.products else None


def _of_call(call: Call, builder: Builder, wanted: Wanted) -> Iterator[tuple[Array, Term]]:
    row = load_table()[call.function]
    assert isinstance(row, Function)
    names = [parameter.name for parameter in row.parameters]
    values = {
        parameter: Value((), (Product(1, (operand,)),)) if isinstance(operand, Entry) else number(operand)
        for parameter, operand in zip(names, call.operands, strict=False)
    }
    first, second = SHARES[builder.ties]
    values |= {"first_share": number(first), "second_share": number(second)}
    axes = tuple(bare(label) for label in call.axes)
    for parameter, operand in zip(names, call.operands, strict=False):
        if not isinstance(operand, Entry) or not wanted(operand.array):
            continue
        stated = row.partials[parameter]
        if stated is None:
            raise Unsupported(
                f"the derivative of {call.function} in {parameter} is not known",
                hint=f"keep {operand.array.name or 'that argument'} free of the wrt",
            )
        core = _of_value(expand.instantiate(stated, values, builder), builder)
        if core is not None:
            yield operand.array, _summing(axes + operand.forms, core, call.axes)


def _of_reduce(definition: Definition, body: Reduce, builder: Builder) -> Iterator[tuple[Array, Term]]:
    entry = body.entry
    axes = tuple(bare(label) for label in body.axes)
    whole = at(definition, axes)
    part = Value((), (Product(1, (entry,)),))
    match body.op:
        case "prod":
            core = _rest_of_product(body, builder)
        case "max" | "min":
            hit = builder.call("equal", [part, whole])  # its derivative is zero, as is that of a count
            core = builder.factor(builder.multiply(hit, _share(builder.entry(hit), body.bound, builder)))
        case "logsumexp":
            core = builder.factor(builder.call("exp", [builder.add([part, builder.scale(whole, -1)])]))
        case _:
            raise AssertionError(body.op)
    core = multiply(core, Product(1, body.guards))
    yield entry.array, _summing(axes + entry.forms, core, (*body.axes, *body.bound))


def _share(hit: Entry, over: tuple[Label, ...], builder: Builder) -> Value:
    """What one of the largest entries has of the slope; `hit` is 1 at each of them.

    An equal part; all of it for the first, in C order; or nothing unless it is alone.
    """
    one = Product(1, (hit,))
    if builder.ties != "first":
        count = builder.sum(Value((), (one,)), over)
        return builder.power(count, -1) if builder.ties == "split" else _is(count, 1, builder)
    borne = [label for form in hit.forms for label in form.labels]
    order = sorted(over, key=borne.index)
    earlier = []
    for k, label in enumerate(order):  # the labels before this one are equal, those after it run freely
        others = {n: n.fresh() for n in order[k:]}
        before = one.substitute({old: bare(new) for old, new in others.items()})
        guard = Guard(bare(label) - bare(others[label]).plus(1), ">=")
        earlier.append(product(1, (*before.factors, guard), tuple(others.values())))
    return _is(Value((), tuple(earlier)), 0, builder)


def _is(count: Value, value: int, builder: Builder) -> Value:
    return builder.call("equal", [count, number(value)])


def _rest_of_product(body: Reduce, builder: Builder) -> Product:
    """prod[k' != k] of the entry: exact at zeros, and closed under differentiation."""
    (label,) = body.bound
    other = label.fresh()
    values = {label: bare(other)}
    guards = tuple(Guard(g.form.substitute(values), g.op) for g in body.guards)
    guards += (Guard(bare(other) - bare(label), "!="),)
    entry = Entry(body.entry.array, tuple(f.substitute(values) for f in body.entry.forms))
    inner = Reduce("prod", (*body.axes, label), (other,), entry, guards)
    array = builder.define_body(inner, tuple(n.size for n in inner.axes))
    return Product(1, (Entry(array, tuple(bare(n) for n in inner.axes)),))


def _of_operation(
    definition: Definition, body: Operate, builder: Builder, wanted: Wanted
) -> Iterator[tuple[Array, Term]]:
    axes = tuple(bare(label) for label in body.axes)
    for k, operand in enumerate(body.operands):
        if wanted(operand.array):
            value, forms = expand.instantiate_operation(definition, body, k, builder)
            core = _of_value(value, builder)
            if core is not None:
                labels = (*body.axes, *(n for f in forms for n in f.labels))
                yield operand.array, _summing(axes + forms, core, labels)
