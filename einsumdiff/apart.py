"""What several products have in common, apart from the rest of them by labels, multiplies their sum once.

    A[i,k]*x[j]*x[l] + B[i,k]*x[j]*x[l]   ->   (A[i,k] + B[i,k])*(x[j]*x[l])

Each outer product is a pass over all places of the result, and so is each sum of two.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from einsumdiff.contract import together
from einsumdiff.nodes import Entry, Factor, Guard, Mask, Product, factor_labels, is_one_hot

Part = frozenset[Hashable]


def common_part(products: Sequence[Product]) -> tuple[list[int], Product] | None:
    """The products (their numbers) that have a part in common with no label of the rest, and that part.

    The one that the most of them have, then the one of the most factors.
    """
    if len(products) < 2:
        return None
    found: dict[Part, list[int]] = {}
    for number, one in enumerate(products):
        for part in _parts(one):
            found.setdefault(part, []).append(number)
    several = [part for part, numbers in found.items() if len(numbers) > 1]
    if not several:
        return None
    best = max(several, key=lambda part: (len(found[part]), len(part)))
    first = products[found[best][0]]
    return found[best], Product(1, tuple(f for f in first.factors if f in best))


def without(one: Product, part: Product) -> Product:
    """The product without the factors of the part."""
    return Product(one.coefficient, tuple(f for f in one.factors if f not in part.factors), one.bound)


def _parts(one: Product) -> list[Part]:
    """Sets of factors that have no label in common with any other factor, nor a summed one: each that hangs
    together, all of them, and where nothing else is there all but one."""
    if any(
        isinstance(f, Guard | Mask) or (isinstance(f, Entry) and is_one_hot(f.array)) for f in one.factors
    ):
        return []
    borne: list[Factor] = [f for f in one.factors if factor_labels(f)]
    bound = set(one.bound)
    groups = [[borne[k] for k in group] for group in together([frozenset(factor_labels(f)) for f in borne])]
    if len(groups) < 2:
        return []
    free = [own for own in groups if not any(n in bound for f in own for n in factor_labels(f))]
    rest = [free] if len(free) < len(groups) else [[g for g in free if g is not own] for own in free]
    several = [*([own] for own in free), *(some for some in rest if len(some) > 1)]
    return [frozenset[Hashable](f for own in some for f in own) for some in several]
