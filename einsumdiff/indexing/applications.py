"""Calls with their arguments: scalar functions of entries, and operations on whole arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from einsumdiff.errors import IndexFault, Unsupported
from einsumdiff.indexing.calls import (
    array_parameters,
    bind,
    check_module,
    no_number,
    option_text,
    parameters,
    unknown_function,
)
from einsumdiff.indexing.expression import Arguments, AxisSize, Call, Node, Operate, ShapeOf, Static
from einsumdiff.indexing.names import Names, first_letter
from einsumdiff.indexing.results import several
from einsumdiff.language import tree
from einsumdiff.language.rows import Definition, Form, Function, NamedNumber, Operation, Parameter, option
from einsumdiff.language.table import load_table
from einsumdiff.nesting import Steps, Waiting

EXPLICIT = ("sum", "prod", "max", "min")


@dataclass(slots=True)
class Applications:
    """Reads calls; the rest of the language is read by `resolve.Reader`, which is one of these."""

    names: Names
    plain: bool = False  # what is read stands in an argument without letters, which was looked through

    def part(self, node: tree.Tree, indexed: bool) -> Steps[Node]:
        """The expression, for one that is a part of another; in indexed notation a scalar entry."""
        raise NotImplementedError

    def _apply(self, node: tree.Apply, indexed: bool) -> Steps[Node]:
        table = load_table()
        # where a module has another function of that name, its row begins with the module's
        own = f"{node.prefix.removeprefix('jax.').replace('.', '_')}_{node.function}"
        row = table.get(own) if node.prefix and own in table else table.get(node.function)
        if row is None or isinstance(row, NamedNumber):
            raise unknown_function(node)
        if node.function == "block":
            return self.part(_blocks(node), indexed)
        if several(node):
            names = ", ".join("abc"[: len(several(node))])
            raise Unsupported(
                f"{node.function} gives {len(several(node))} values",
                node.name_span,
                f"assign them, {names} = {node.span.source}, or take one: {node.span.source}[0]",
            )
        if isinstance(row, Form) and option(row, "planned") is not None:
            raise Unsupported(
                f"{node.function} is not known yet",
                node.name_span,
                option_text(row),
            )
        scalar = isinstance(row, Function) or (isinstance(row, Definition) and row.cases[0].axes is None)
        return self._application(node, row, indexed and scalar, indexed)

    def _application(
        self,
        node: tree.Apply,
        row: Function | Definition | Form | Operation | NamedNumber,
        inner: bool,
        indexed: bool,
    ) -> Steps[Node]:
        """A row with its arguments, which are read as scalar entries if `inner`."""
        assert not isinstance(row, NamedNumber)
        check_module(node)
        bound = bind(row, node)
        if isinstance(row, Function) or (isinstance(row, Definition) and row.cases[0].axes is None):
            given = [
                _or_default(value, parameter)
                for parameter, value in zip(parameters(row), bound.values(), strict=True)
                if not isinstance(value, list)
            ]
            args: list[Node] = []
            for one in given:
                args.append((yield self._argument(one, inner, node)))
            return Call(node.span, row, tuple(args))
        arguments = Arguments(node.span, node.function, node.name_span, {}, {}, {})
        arguments.prefix = node.prefix
        arrays = array_parameters(row)
        several = option(row, "several") if isinstance(row, Form) else None
        if isinstance(row, Form) and option(row, "size") is not None:
            return AxisSize(node.span, (yield self._argument(node.args[0], False, node)), 0)
        defaults = {parameter.name: parameter.default for parameter in parameters(row)}
        for name, value in bound.items():
            trees = value if isinstance(value, list) else [value]
            if trees and trees[0] is not defaults[name]:
                arguments.spans[name] = trees[0].span.to(trees[-1].span)
            absent = value is defaults[name] and isinstance(value, tree.Constant) and value.value is None
            if name not in arrays or absent:
                statics = yield self._statics(trees)
                if name in ("axis", "ord") and any(isinstance(one, Node) for one in statics):
                    raise no_number(node, name, trees[0])
                arguments.statics[name] = statics if isinstance(value, list) else statics[0]
            elif isinstance(value, list) or (name == several and isinstance(value, tree.Sequence)):
                parts = value.items if isinstance(value, tree.Sequence) else trees
                for k, one in enumerate(parts):
                    arguments.operands[f"{name}{k}"] = yield self._argument(one, False, node)
            else:
                arguments.operands[name] = yield self._argument(value, False, node)
        whole = Operate(node.span, row, arguments)
        if indexed:
            self.names.scalar(whole)
        return whole

    def _argument(self, value: tree.Tree, indexed: bool, call: tree.Apply) -> Steps[Node]:
        outer = self.plain
        if not indexed and not outer:
            letter = first_letter(value, self.names)
            if letter is not None:
                inside = value.span.source
                name = call.span.source if call.name_span == call.span else call.function
                hint = "give it whole arrays and index the result: softmax(x)[i], (A @ x)[i]"
                if name in ("max", "min") and len(call.args) > 1:
                    hint = f"the {name} of two is {name}imum(a, b)"
                elif name in EXPLICIT:
                    hint = f"give it whole arrays, or write {name}[{letter.name}]({inside})"
                raise IndexFault(f"{name} works on whole arrays, and {inside} is an entry", value.span, hint)
            self.plain = True
        found: Node = yield self.part(value, indexed)
        self.plain = outer
        return found

    def _statics(self, nodes: Iterable[tree.Tree]) -> Steps[tuple[Static, ...]]:
        found: list[Static] = []
        for node in nodes:
            found.append((yield self._static(node)))
        return tuple(found)

    def _static(self, node: tree.Tree) -> Waiting[Static]:
        """An argument that is no array."""
        match node:
            case tree.Number(value=value):
                return value
            case tree.String(value=text):
                return text
            case tree.Constant(value=value):
                return value
            case tree.Name(name="inf"):
                return float("inf")
            case tree.Unary(op="-", operand=operand):
                inner = yield self._static(operand)
                if isinstance(inner, int | float):
                    return -inner
            case tree.Sequence(items=items):
                return (yield self._statics(items))
            case tree.Attribute(name="shape", base=base, span=span):
                return ShapeOf((yield self.part(base, False)), span)
            case _:
                pass
        return (yield self.part(node, False))


def _or_default(value: tree.Tree, parameter: Parameter) -> tree.Tree:
    """None stands for the default, as in clip(x, None, 1)."""
    absent = isinstance(value, tree.Constant) and value.value is None
    return parameter.default if absent and parameter.default is not None else value


def _blocks(node: tree.Apply) -> tree.Tree:
    """`block([[A, B], [C, D]])` as arrays joined along the last axis, and those along the one before."""

    def joined(one: tree.Tree) -> tuple[tree.Tree, int]:
        if not isinstance(one, tree.Sequence):
            return one, 0
        inner = [joined(item) for item in one.items]
        depth = max((deep for _, deep in inner), default=0) + 1
        axis = ("axis", tree.Number(-depth, one.span))
        items = tree.Sequence(tuple(item for item, _ in inner), one.span)
        return tree.Apply("concatenate", (items,), (axis,), node.span, node.name_span), depth

    return joined(node.args[0])[0] if len(node.args) == 1 else node
