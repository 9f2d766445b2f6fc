"""What a plan costs at given sizes: flops, bytes moved, peak memory, the order of its contractions.

Counted by `costs`, statement by statement: a multiplication and an addition count one each, so does a
function of an entry, an operation of linear algebra the cube of its matrix. Bytes are those of all operands
and results, a number being eight. The memory is that of the arrays that the function makes, its arguments
not counted: what has a name stays until the end or until it is deleted, what has none until it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from einsumdiff import plan
from einsumdiff.costs import NUMBER, Cost, folded, measured, number, pair, places, volume
from einsumdiff.language.table import Function, load_table
from einsumdiff.nodes import Label
from einsumdiff.passes.panels import held
from einsumdiff.passes.templates import opened
from einsumdiff.plan import Expr, Plan
from einsumdiff.sizes import AnySize, symbol

ELIDED = 256 * 1024 / NUMBER
"""From so many numbers on NumPy writes a result over an operand that nobody else has."""

LETTERS = "ijklmnopqrstuvwxyzabcdefgh"


@dataclass(frozen=True, slots=True)
class Contraction:
    """Two operands, multiplied and summed; `text` writes them in indices, an earlier one by its number."""

    text: str
    flops: int


@dataclass(frozen=True, slots=True)
class Account:
    """The cost of a call of the generated function, at these sizes.

    Attributes
    ----------
    flops, bytes : operations, and bytes read and written.
    memory : the most bytes that the arrays of a call take at one time, without its arguments.
    order : the contractions in the order of evaluation.
    sizes : what the sizes are; those in `assumed` were not given.
    """

    flops: int
    bytes: int
    memory: int
    order: tuple[Contraction, ...]
    sizes: Mapping[str, int]
    assumed: tuple[str, ...] = ()

    @property
    def weight(self) -> float:
        """One number to compare by, as of `costs.Cost`."""
        return Cost(self.flops, self.bytes).weight

    def __str__(self) -> str:
        given = [f"{name} = {size}" for name, size in self.sizes.items() if name not in self.assumed]
        taken = [f"{name} = {self.sizes[name]}" for name in self.assumed]
        said = [", ".join(given)] if given else []
        said += ["assumed: " + ", ".join(taken)] if taken else []
        lines = [
            f"flops   {self.flops:,}",
            f"moved   {self.bytes:,} bytes",
            f"memory  {self.memory:,} bytes at most",
            f"sizes   {'; '.join(said) or 'all are numbers'}",
        ]
        for k, one in enumerate(self.order):
            lines.append(f"{'order   ' if not k else '        '}({k + 1}) {one.text}   {one.flops:,} flops")
        return "\n".join(lines)


def account(one: Plan, given: Mapping[str, int], every: Sequence[str]) -> Account:
    """Of a call with arrays of these sizes; a size of `every` that is not given is assumed."""
    sizes = {name: int(number(symbol(name), given)) for name in every}
    found = _Accounts(sizes)
    found.run(one.statements, 1)
    taken = tuple(name for name in every if name not in given)
    return Account(
        round(found.total.flops),
        round(found.total.bytes),
        round(found.peak * NUMBER),
        tuple(found.order),
        sizes,
        taken,
    )


def taken(statements: Sequence[plan.Statement], given: Mapping[str, int]) -> tuple[float, float]:
    """The numbers that the arrays of these statements hold at most at one time, and that are made in all."""
    found = _Accounts(given)
    found.run(statements, 1)
    return found.peak, found.made


def moved(statements: Sequence[plan.Statement], given: Mapping[str, int]) -> float:
    """The numbers that these statements read and write."""
    found = _Accounts(given)
    found.run(statements, 1)
    return found.total.bytes / NUMBER


class _Accounts:
    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes
        self.volume = measured(sizes)
        self.total = Cost()
        self.held = self.peak = 0.0  # numbers in arrays that have a name, and the most at one time
        self.made = 0.0
        self.named: dict[str, float] = {}  # how many of them each has
        self.order: list[Contraction] = []
        self.letters: dict[Label, str] = {}
        self.numbers: dict[Expr, int] = {}

    # -- statements -----------------------------------------------------------------------------------

    def run(self, statements: Sequence[plan.Statement], times: float) -> None:
        for one in statements:
            match one:
                case plan.Drop(name):
                    self.held -= self.named.pop(name, 0.0)
                case plan.Assign(name, value, axes, own, _):
                    made = self.value(value, times)
                    places = volume([n for n in axes if n is not None], self.sizes)
                    copied = own and (made == 0 or places > made)
                    if copied:
                        self.count(Cost(0, 2 * NUMBER * places), times)
                        self.make(made, places)
                    before = self.named.get(name, 0.0)  # there until the name has its new array
                    self.named[name] = places if copied else made
                    self.hold(self.named[name])
                    self.held -= before
                case plan.Into(value=value) | plan.Keep(value=value):  # into an array that is there
                    self.operands(value, times)
                    self.count(self.step(value), times)
                case plan.Zeros(_, shape):
                    places = self.places(shape)
                    self.count(Cost(0, NUMBER * places), times)
                    self.hold(places)
                case plan.Write(outer=(sign, product)):
                    left = self.value(product.left, times)
                    right = self.value(product.right, times, left)
                    if sign < 0:
                        places = volume(product.left.axes, self.sizes)
                        self.count(Cost(places, 2 * NUMBER * places), times)
                        self.reach(right + places)
                    self.count(self.step(product), times)
                case plan.Write(_, _, _, value, labels, first, _):
                    self.value(value, times)
                    places = volume(labels, self.sizes)
                    self.count(Cost(0 if first else places, (2 if first else 3) * NUMBER * places), times)
                case plan.Loop(_, size, body):
                    self.run(body, times * number(size, self.sizes))
                case plan.Buffer(_, _, body):
                    self.run(body, times)
                case plan.Blocked():
                    self.by_blocks(one, times)
                case plan.Copy() | plan.Store() | plan.Operator():
                    raise AssertionError("the plan of a dense form")
                case _:
                    assert_never(one)

    def by_blocks(self, one: plan.Blocked, times: float) -> None:
        for made in one.made:
            self.named[made.name] = self.places(made.shape)
            self.hold(self.named[made.name])
        size, sizes = number(one.size, self.sizes), self.sizes
        self.sizes = {**sizes, one.rows: int(min(one.step, max(size, 1)))}
        self.volume = measured(self.sizes)
        self.run(one.body, times * size / self.sizes[one.rows])
        counted = len(self.order)
        self.run(one.body, 0)  # beside the arrays of the block before
        del self.order[counted:]
        self.sizes, self.volume = sizes, measured(sizes)

    def places(self, shape: Sequence[AnySize]) -> float:
        return places(shape, self.sizes)

    def count(self, cost: Cost, times: float) -> None:
        self.total += Cost(cost.flops * times, cost.bytes * times)

    def reach(self, more: float) -> None:
        self.peak = max(self.peak, self.held + more)

    def make(self, beside: float, more: float) -> None:
        self.made += more
        self.reach(beside + more)

    def hold(self, more: float) -> None:
        self.held += more
        self.reach(0)

    # -- expressions ----------------------------------------------------------------------------------

    def value(self, one: Expr, times: float, beside: float = 0.0) -> float:
        """Count an expression, with so many unnamed numbers beside it; how many it makes of its own."""
        match one:
            case plan.Load() | plan.View() | plan.Literal() | plan.Named():
                return 0.0
        if isinstance(one, plan.Choose):  # it is written over what it is otherwise
            made = self.value(one.otherwise, times, beside)
            self.reach(beside + made + self.value(one.condition, times, beside + made))
            self.count(self.step(one), times)
            return made
        steps = opened(one) if isinstance(one, plan.Apply) and not _helped(one) else None
        if steps is not None:  # its operations take memory, and are counted as one
            self.count(self.step(one), times)
            return self.value(steps, 0, beside)
        parts = 0.0
        made = volume(one.axes, self.sizes) if one.axes else 0.0
        reused = False
        for k, part in enumerate(plan.parts(one)):
            own = self.value(part, times, beside + parts)
            reused = reused and not (isinstance(one, plan.Add) and _repeated(part.axes, one))
            reused = reused or (own == made >= ELIDED and written_over(one, k))
            parts += own
            if isinstance(one, plan.Add) and k:  # what is added up so far is one array
                self.make(beside + parts, 0.0 if reused else made)
                parts, reused = made, made >= ELIDED
        cost = self.step(one)
        self.count(cost, times)
        if isinstance(one, plan.Contract):
            self.numbers[one] = len(self.order) + 1
            self.order.append(Contraction(self.text(one), round(cost.flops * times)))
        more = held(one, self.sizes)
        if more:
            self.reach(beside + parts + more + (0.0 if reused or isinstance(one, plan.Add) else made))
        match one:  # the differences to the largest, and their exponentials
            case plan.Softmax(base, _, _) | plan.Fold("logsumexp", base, _):
                self.reach(beside + parts + 2 * volume(base.axes, self.sizes))
            case plan.Apply() if _helped(one):  # what is divided, and what by
                self.reach(beside + parts + 2 * made)
        if not isinstance(one, plan.Add) or len(one.terms) == 1:
            self.make(beside + parts, 0.0 if reused else made)
        return made

    def operands(self, one: Expr, times: float) -> None:
        """Count the operands of an operation whose result takes no memory."""
        beside = 0.0
        for part in plan.parts(one):
            beside += self.value(part, times, beside)
        self.reach(beside + held(one, self.sizes))

    def step(self, one: Expr) -> Cost:
        """The cost of the outermost operation."""
        result = frozenset(one.axes)
        places = volume(result, self.sizes)
        match one:
            case plan.Contract(left, right, _):
                return pair(frozenset(left.axes), frozenset(right.axes), result, self.volume)
            case plan.Fold(_, base, _):
                return folded(frozenset(base.axes), result, self.volume)
            case plan.Perform(_, operands, _):
                entries = [volume(part.axes, self.sizes) for part in operands]
                side = max((number(n.size, self.sizes) for part in operands for n in part.axes), default=1.0)
                return Cost(max(entries, default=1.0) * side, NUMBER * (sum(entries) + places))
            case plan.Solve(matrix, right, label, _, _):
                entries = [volume(part.axes, self.sizes) for part in (matrix, right)]
                side = number(label.size, self.sizes)
                flops = entries[0] * side * 2 / 3 + 2 * entries[1] * side
                return Cost(flops, NUMBER * (sum(entries) + places))
        moved = sum(volume(part.axes, self.sizes) for part in plan.parts(one)) + places
        often = max(1, len(one.terms) - 1) if isinstance(one, plan.Add) else 1
        if isinstance(one, plan.Ones | plan.Take | plan.Scatter | plan.Cast | plan.Whole | plan.Place):
            often = 0
        return Cost(often * places, NUMBER * moved)

    # -- text -----------------------------------------------------------------------------------------

    def text(self, one: plan.Contract) -> str:
        operands = [self.operand(part) for part in (one.left, one.right)]
        return f"{operands[0]}*{operands[1]} -> [{self.indices(one.axes)}]"

    def operand(self, one: Expr) -> str:
        earlier = self.numbers.get(one)
        name = one.name if isinstance(one, plan.Load | plan.View) else "(...)"
        name = f"({earlier})" if earlier is not None else name
        return f"{name}[{self.indices(one.axes)}]"

    def indices(self, labels: Sequence[Label]) -> str:
        for label in labels:
            k = len(self.letters)
            self.letters.setdefault(label, LETTERS[k % 26] + (str(k // 26) if k >= 26 else ""))
        return ",".join(self.letters[label] for label in labels)


def _helped(one: plan.Apply) -> bool:
    row = load_table()[one.function]
    return bool(one.axes) and isinstance(row, Function) and row.helped


def written_over(one: Expr, k: int) -> bool:
    """Does NumPy write a large result over the k-th operand, where that has no name?

    Over the left one, and over one that commutes, unless a number that was computed stands left of it; and
    not where the other one is repeated along an axis.
    """
    parts = plan.parts(one)
    if k and not parts[0].axes and plan.reads(parts[0]):
        return False
    if _repeated(plan.union(parts[:k] or parts[1:2]), one):
        return False
    match one:
        case plan.Multiply():
            return True
        case plan.Add(terms, _):
            return k == 0 or terms[k][0] > 0
        case plan.Divide():
            return k == 0
        case _:
            return False


def _repeated(axes: Sequence[Label], one: Expr) -> bool:
    return 0 < len(axes) < len(one.axes)
