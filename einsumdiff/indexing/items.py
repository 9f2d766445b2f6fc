"""Items in brackets: affine forms of letters (`X[2*i + 1]`), and entries of arrays of places (`x[k[i]]`)."""

from __future__ import annotations

from einsumdiff.errors import EinsumDiffError, IndexFault, Unsupported
from einsumdiff.indexing.expression import Affine, Index
from einsumdiff.indexing.names import ELLIPSIS, Names
from einsumdiff.language import tree
from einsumdiff.nesting import Waiting, run
from einsumdiff.sizes import AnySize


def is_item(item: tree.Tree, names: Names) -> bool:
    """Whether it is a letter, a whole number or an affine form of them."""
    parts = [item]
    while parts:
        match parts.pop():
            case tree.Name() as name:
                if names.letter(name) is None and names.size(name.name) is None:
                    return False
            case tree.Constant(value=value, span=span) if value is Ellipsis:
                if names.letter(tree.Name(ELLIPSIS, span)) is None:
                    return False
            case tree.Number(value=int()):
                pass
            case tree.Binary(op="+" | "-" | "*", left=left, right=right):
                parts += [right, left]
            case tree.Binary(op="//", left=left, right=tree.Number(value=int())):
                parts.append(left)
            case tree.Unary(op="+" | "-", operand=operand):
                parts.append(operand)
            case _:
                return False
    return True


def is_gather(item: tree.Tree, names: Names) -> bool:
    """Whether an item is an entry of an array of places: `k[i]`."""
    return (
        isinstance(item, tree.Subscript)
        and isinstance(item.base, tree.Name)
        and names.letter(item.base) is None
        and all(is_item(one, names) for one in item.items)
    )


def affine(node: tree.Tree, names: Names) -> Affine:
    """An item in brackets as an affine form of letters."""
    terms: dict[Index, AnySize] = {}
    constant = run(_affine(node, 1, terms, names))
    return Affine(tuple((index, c) for index, c in terms.items() if c != 0), constant, node.span)


def _affine(node: tree.Tree, factor: AnySize, terms: dict[Index, AnySize], names: Names) -> Waiting[AnySize]:
    first: AnySize
    match node:
        case tree.Name() if (index := names.letter(node)) is not None:
            terms[index] = terms.get(index, 0) + factor
            return 0
        case tree.Constant(value=value) if value is Ellipsis:
            index = names.letter(tree.Name(ELLIPSIS, node.span))
            assert index is not None
            terms[index] = 1
            return 0
        case tree.Name(name=name) if (size := names.size(name)) is not None:
            return factor * size
        case tree.Number(value=int() as value):
            return factor * value
        case tree.Unary(op=op, operand=operand):
            first = yield _affine(operand, factor if op == "+" else -factor, terms, names)
            return first
        case tree.Binary(op="+" | "-" as op, left=left, right=right):
            first = yield _affine(left, factor, terms, names)
            second: AnySize = yield _affine(right, factor if op == "+" else -factor, terms, names)
            return first + second
        case tree.Binary(op="//", left=left, right=tree.Number(value=int() as divisor)) if divisor > 0:
            sized: dict[Index, AnySize] = {}
            whole: AnySize = yield _affine(left, 1, sized, names)
            if not sized:
                return factor * (whole // divisor)
        case tree.Binary(op="*", left=left, right=right):
            for one, other in ((left, right), (right, left)):
                inner: dict[Index, AnySize] = {}
                first = yield _affine(one, factor, inner, names)
                if not inner:
                    second = yield _affine(other, first, terms, names)
                    return second
    raise _no_affine_form(node)


def mixture(node: tree.Subscript, letter: tree.Name, names: Names) -> EinsumDiffError:
    """What is wrong with a bracket that has a letter, and is no list of affine forms."""
    for item in node.items:
        if isinstance(item, tree.Slice) or (
            isinstance(item, tree.Constant) and item.value in (None, Ellipsis)
        ):
            return IndexFault(
                f"this bracket mixes the index {letter.name} with NumPy's {item.span.source}",
                node.span,
                "use letters and whole numbers only: X[i,0]",
            )
        if not is_item(item, names):
            if any(isinstance(part, tree.Subscript) for part in tree.walk(item)):
                return Unsupported(
                    f"{item.span.source} in brackets is more than an entry of an index array",
                    item.span,
                    "pass an array that holds these numbers, and write x[k[i]]",
                )
            return _no_affine_form(item)
    return IndexFault(
        f"{letter.name} is an index, and this is an argument of whole arrays",
        node.span,
        "index the result",
    )


def _no_affine_form(item: tree.Tree) -> IndexFault:
    return IndexFault(
        f"{item.span.source} is no whole-number affine form",
        item.span,
        "brackets hold sums of letters times whole numbers: X[2*i + 1]",
    )
