"""Identities of the rules, matched against definitions as they are made.

    log(sum[k](exp(x[k])))   ->   logsumexp[k](x[k])

`rules/identities.rules` states them in the language itself; here one is chosen, by its left side (see
`matching`), and its right side built. What an identity replaces keeps its value; where it differs from
the text in floating point, it is the more accurate or the more stable of the two.

The other simplifications have places of their own: equal factors merge in `nodes.product`, like terms
in `canonical.collect`, deltas in `solve`, equal definitions in `program.Builder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

from einsumdiff.indexing.expand import instantiate
from einsumdiff.indexing.values import operation_of
from einsumdiff.language import tree
from einsumdiff.language.rows import Operation
from einsumdiff.language.table import Table, load_table
from einsumdiff.matching import Match, is_operation, match, match_operands, match_quotient, seen_through
from einsumdiff.nodes import Body, Call, Definition, Entry, Label, Operate, Product, Sum, Term, bare, product
from einsumdiff.program import Builder, Value, at


def rewrite(builder: Builder, body: Body) -> Value | None:
    """An equal value over the axes of the body, by the first identity that applies; else None."""
    match body:
        case Call(function, _, operands):
            for left, right in load_table().made(_identities).get(function, ()):
                assert isinstance(left, tree.Apply)
                found = match_operands(left, operands, Match())
                if found is not None:
                    return _build(right, found, builder)
        case Sum((Term(_, one),)) if len(one.factors) > 1 and (pair := _match_pair(one)) is not None:
            right, matched, rest = pair
            return _joined(rest, _build(right, matched, builder), one.bound, builder)
        case Sum((Term(_, one),)) if _may_be_quotient(one):
            for left, right in load_table().made(_identities)["/"]:
                for found, rest, power in match_quotient(left, one):
                    value = _build(right, found, builder)
                    if power != 1:
                        value = builder.power(value, power)
                    return _joined(rest, value, one.bound, builder)
    return None


def _joined(rest: Product, value: Value, bound: tuple[Label, ...], builder: Builder) -> Value:
    """The other factors times what replaces some; the sum closes after both, so its labels are open."""
    return builder.sum(builder.multiply(Value((), (rest,)), value), bound)


def _identities(table: Table) -> Mapping[str, list[tuple[tree.Tree, tree.Tree]]]:
    """The identities by what their left side is at its top: a function's name, `*` or `/`."""
    found: dict[str, list[tuple[tree.Tree, tree.Tree]]] = {"*": [], "/": []}
    for row in table.identities:
        match row.left:
            case tree.Apply(function=function):
                found.setdefault(function, []).append((row.left, row.right))
            case tree.Binary(op="*" | "/" as op):
                found[op].append((row.left, row.right))
            case _:
                raise AssertionError(f"no identity starts with {row.left.span.source}")
    return found


def _second(table: Table) -> frozenset[str]:
    """The functions that are the second factor of an identity for a product."""
    pairs = [left.right for left, _ in _identities(table)["*"] if isinstance(left, tree.Binary)]
    return frozenset(one.function for one in pairs if isinstance(one, tree.Apply))


def _match_pair(one: Product) -> tuple[tree.Tree, Match, Product] | None:
    """An identity for a product of two factors, one of them a call, and what is left, as with quotients."""
    plain = [f for f in one.entries if f.power == 1]
    calls = {
        f: f.array.body.function for f in plain if seen_through(f.array) and isinstance(f.array.body, Call)
    }
    if not calls or len(plain) < 2 or load_table().made(_second).isdisjoint(calls.values()):
        return None
    for left, right in load_table().made(_identities)["*"]:
        assert isinstance(left, tree.Binary)
        first, second = left.left, left.right
        assert isinstance(second, tree.Apply)
        for f, g in permutations(plain, 2):
            if calls.get(g) != second.function:
                continue
            if isinstance(first, tree.Apply) and calls.get(f) != first.function:
                continue
            found = match(second, (Product(1, (g,)),), Match())
            found = found and match(first, (Product(1, (f,)),), found)
            if found is not None:
                rest = [other for other in one.factors if other not in (f, g)]
                return right, found, product(one.coefficient, rest)
    return None


def _may_be_quotient(one: Product) -> bool:
    return any(
        isinstance(f, Entry)
        and f.power < 0
        and isinstance(f.array, Definition)
        and isinstance(f.array.body, Sum | Operate)
        for f in one.factors
    )


# --------------------------------------------------------------------------------------------- building


def _build(right: tree.Tree, found: Match, builder: Builder) -> Value:
    """The right side of an identity, with what the left side's letters stand for."""
    match right:
        case tree.Over(op="logsumexp", letters=(letter,), body=body):
            labels = found.letters[letter.name]
            fresh = {label: label.fresh() for label in labels}
            inner = _build(body, found, builder)
            products = inner.substitute({old: bare(new) for old, new in fresh.items()})
            return builder.reduced("logsumexp", builder.entry(Value((), products)), tuple(fresh.values()))
        case tree.Subscript(base=tree.Name(name=name), items=(tree.Name(name=item),)):
            return Value((), found.variables.get(f"{name}[{item}]", found.variables[name]))
        case tree.Unary(op="-", operand=operand):
            return builder.scale(_build(operand, found, builder), -1)
        case tree.Binary(op="+" | "-" as op, left=left, right=other):
            b = _build(other, found, builder)
            return builder.add([_build(left, found, builder), b if op == "+" else builder.scale(b, -1)])
        case tree.Subscript(base=tree.Apply() as call, items=items):
            return _operated(call, items, found, builder)
        case tree.Apply() if is_operation(right):
            return _operated(right, (), found, builder)
        case tree.Apply(function=function, args=args):
            return builder.call(function, [_build(argument, found, builder) for argument in args])
        case _:
            values = {name: Value((), products) for name, products in found.variables.items()}
            return instantiate(right, values, builder)


def _operated(call: tree.Apply, items: tuple[tree.Tree, ...], found: Match, builder: Builder) -> Value:
    row = load_table()[call.function]
    assert isinstance(row, Operation)
    (name,) = (argument.name for argument in call.args if isinstance(argument, tree.Name))
    array, lead = found.arrays[name]
    places = [found.places[item.name] for item in items if isinstance(item, tree.Name)]
    return at(operation_of(row, [array], builder), (*lead, *places))
