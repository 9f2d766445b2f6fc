"""Weighted products of a matrix with itself, as the product of one array with its own transpose.

    X.T @ (s[:, None]*X)     ->   Y = np.sqrt(s)[:, None]*X;  Y.T @ Y        where s >= 0 is known
    X.T @ (t[:, None]**2*X)  ->   Y = t[:, None]*X;  Y.T @ Y

Of such a product BLAS computes one triangle (syrk), and NumPy asks for that where both factors are one
array. What is known of signs are the rows of functions that say `nonnegative`, squares, and what is added
and multiplied of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from einsumdiff import plan
from einsumdiff.language.table import Function, NamedNumber, load_table
from einsumdiff.nodes import Label
from einsumdiff.passes.rewriter import Rewriter
from einsumdiff.plan import Expr
from einsumdiff.sizes import Size

NONNEGATIVE = "nonnegative"


def squared(statements: Sequence[plan.Statement], fresh: Callable[[], str]) -> list[plan.Statement]:
    """The statements, weighted products of a matrix with itself as such; `fresh` names new variables."""
    return _Squaring(fresh).statements(statements)


class _Squaring(Rewriter):
    def __init__(self, fresh: Callable[[], str]) -> None:
        super().__init__()
        self.fresh = fresh
        self.known: set[str] = set()
        """Variables that are nowhere below 0."""

    def statement(self, one: plan.Statement) -> plan.Statement:
        one = super().statement(one)
        if isinstance(one, plan.Assign) and self.nonnegative(one.value):
            self.known.add(one.name)
        return one

    def changed(self, value: Expr) -> Expr:
        value = plan.rebuilt(value, self.changed)
        return self._square(value) if isinstance(value, plan.Contract) else value

    def _square(self, value: plan.Contract) -> Expr:
        left, right = value.left, value.right
        summed = [n for n in left.axes if n in right.axes]
        if len(summed) != 1 or summed[0] in value.axes or len(left.axes) != 2 or len(right.axes) != 2:
            return value
        (k,) = summed
        (i,), (j,) = ([n for n in side.axes if n is not k] for side in (left, right))
        above = [*_factors(left, 1), *_factors(right, 1)]
        matrices = [one for one in above if set(one[0].axes) != {k} and one[0].axes]
        weights = [one for one in above if one not in matrices]
        if len(matrices) != 2 or not any(one.axes for one, _ in weights):
            return value
        (a, one), (b, other) = matrices
        if one != 1 or other != 1 or not _same(a, b, {j: i}) or not all(map(self.nonnegative, _of(weights))):
            return value
        root = _root(weights)
        name = self.fresh()
        self.before.append(plan.Assign(name, plan.Multiply(root, a, a.axes), a.axes))
        axes = tuple(j if n is i else n for n in a.axes)
        return plan.Contract(plan.Load(name, a.axes), plan.Load(name, axes), value.axes)

    def nonnegative(self, value: Expr) -> bool:
        """Is no entry known to be below 0? (nan is not.)"""
        match value:
            case plan.Literal(number):
                return isinstance(number, Size) or number >= 0
            case plan.Named(name):
                row = load_table()[name]
                return isinstance(row, NamedNumber) and row.value >= 0
            case plan.Load(name) | plan.View(name):
                return name in self.known
            case plan.Add(terms):
                return all(sign > 0 and self.nonnegative(part) for sign, part in terms)
            case plan.Multiply(a, b) | plan.Divide(a, b) | plan.Contract(a, b):
                return self.nonnegative(a) and self.nonnegative(b)
            case plan.Power(base, power):
                return (isinstance(power, int) and power % 2 == 0) or self.nonnegative(base)
            case plan.Fold(op, base):
                return op != "logsumexp" and self.nonnegative(base)
            case plan.Apply(name):
                row = load_table()[name]
                return isinstance(row, Function) and (row.boolean or NONNEGATIVE in row.options)
            case plan.Select(_, inner, otherwise):
                return otherwise >= 0 and self.nonnegative(inner)
            case plan.Take(base) | plan.Scatter(base) | plan.Running(_, base):
                return self.nonnegative(base)
            case plan.Hot() | plan.Condition() | plan.Softmax():
                return True
            case plan.Cast(base):
                return self.nonnegative(base)
        return False


def _factors(value: Expr, side: int) -> Iterator[tuple[Expr, int]]:
    """What stands above the fraction bar (1) and below it (-1)."""
    match value:
        case plan.Multiply(a, b):
            yield from _factors(a, side)
            yield from _factors(b, side)
        case plan.Divide(a, b):
            yield from _factors(a, side)
            yield from _factors(b, -side)
        case _:
            yield value, side


def _of(sided: Sequence[tuple[Expr, int]]) -> list[Expr]:
    return [value for value, _ in sided]


def _product(sided: Sequence[tuple[Expr, int]]) -> Expr:
    """The product of these."""
    above = [value for value, side in sided if side > 0] or [plan.Literal(1)]
    below = [value for value, side in sided if side < 0]
    total = above[0]
    for value in above[1:]:
        total = plan.Multiply(total, value, plan.union([total, value]))
    for value in below:
        total = plan.Divide(total, value, plan.union([total, value]))
    return total


def _root(weights: Sequence[tuple[Expr, int]]) -> Expr:
    """An array whose square is the product of these: of an even power the half of it, of either sign."""
    even = [(one, side) for one, side in weights if _even(one)]
    halves = [(_half(one), side) for one, side in even]
    others = [one for one in weights if one not in even]
    if others:
        other = _product(others)
        halves.append((plan.Power(other, Fraction(1, 2), other.axes), 1))
    root = _product(halves)
    return root


def _even(value: Expr) -> bool:
    return isinstance(value, plan.Power) and isinstance(value.power, int) and value.power % 2 == 0


def _half(value: Expr) -> Expr:
    assert isinstance(value, plan.Power) and isinstance(value.power, int)
    return value.base if value.power == 2 else plan.Power(value.base, value.power // 2, value.axes)


def _same(a: Expr, b: Expr, new: dict[Label, Label]) -> bool:
    """Are these the same variable, or view of one, in labels that `new` makes the same?"""
    b = plan.relabelled(b, new)
    match a, b:
        case plan.Load(name, axes), plan.Load(other, others):
            return name == other and axes == others
        case plan.View(name, forms, _, axes, _), plan.View(other, others_, _, more, _):
            return name == other and forms == others_ and set(axes) == set(more)
    return False
