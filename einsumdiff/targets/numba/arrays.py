"""What is an array of its own: reductions by blocks, matrix products, cumulative sums, solved systems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from einsumdiff import plan
from einsumdiff.errors import Unsupported
from einsumdiff.nodes import Label
from einsumdiff.plan import Expr
from einsumdiff.sizes import AnySize
from einsumdiff.targets.numba.effort import repeatable
from einsumdiff.targets.numba.nests import SERIAL, Maker, Nests
from einsumdiff.targets.numba.scalars import PRODUCT, WITHOUT_JIT, Text

BLOCK = 256
"""A sum is made of the sums of blocks of so many entries, 64 blocks at most: they run in parallel, and
rounding errors stay small. How they are added up does not depend on the number of threads."""

MATRICES = {"inv": "np.linalg.inv({0})", "det": "np.linalg.det({0})"}
"""Operations that numba has for one matrix."""

Axes = tuple[Label, ...]


class Arrays(Nests):
    """Writes statements that make an array as a whole."""

    def reduced(self, value: Expr) -> Expr:
        if isinstance(value, plan.Contract) and not self._by_blas(value):
            sides = sorted((value.left, value.right), key=lambda side: -len(side.axes))
            axes = sides[0].axes
            if set(axes) != {*value.left.axes, *value.right.axes}:
                axes = (*value.axes, *(n for n in plan.union(sides) if n not in value.axes))
            return plan.Fold("sum", plan.Multiply(value.left, value.right, axes), value.axes)
        if isinstance(value, plan.Fold) and value.op == "logsumexp":
            return self._log_sum_exp(value.base, value.axes)
        return value

    def _log_sum_exp(self, base: Expr, axes: Axes) -> Expr:
        """With the largest entry taken out, where that is finite."""
        base = base if repeatable(base) else self.kept(base)
        top = self.kept(plan.Fold("max", base, axes))
        finite = plan.Apply("less", (plan.Apply("abs", (top,), axes), plan.Named("inf")), axes)
        shift = self.kept(plan.Select(((finite, True),), top, 0, axes))
        less = plan.Add(((1, base), (-1, shift)), base.axes)
        total = plan.Fold("sum", plan.Apply("exp", (less,), base.axes), axes)
        return plan.Add(((1, plan.Apply("log", (total,), axes)), (1, shift)), axes)

    def making(self, value: Expr) -> Maker | None:
        match value:
            case plan.Contract():
                return lambda name, _: self._product(name, value)
            case plan.Fold():
                return lambda name, _: self._reduction(name, value)
            case plan.Scatter():
                return lambda name, _: self._scattered(name, value)
            case plan.Running():
                return lambda name, _: self._running(name, value)
            case plan.RunningAt():
                return lambda name, _: self._running_at(name, value)
            case plan.RunningOthers():
                return lambda name, _: self._running_others(name, value)
            case plan.Others():
                return lambda name, _: self._others(name, value)
            case plan.Perform() | plan.Solve():
                return lambda name, _: self._performed(name, value)
            case _:
                return None

    # -- reductions -------------------------------------------------------------------------------------

    def _reduction(self, name: str, value: plan.Fold) -> None:
        op, base, axes = value.op, value.base, value.axes
        gone = [label for label in base.axes if label not in axes]
        if not axes or base.axes[0] not in axes:
            self._by_blocks(name, plan.Fold(op, self.prepared(base, base.axes), axes))
            return
        inner = plan.Fold(op, self.prepared(base, (*axes, *gone)), axes)
        self.empty(name, axes)

        def entry() -> None:
            text = self.entry(inner).text
            self.line(f"{self.target(name, axes)} = {text}")

        self.nest(axes, entry, self.cost(inner.base, base.axes))

    def _by_blocks(self, name: str, value: plan.Fold) -> None:
        """Along the first axis of the base, which is one that goes."""
        op, base, axes = value.op, value.base, value.axes
        first, *rest = base.axes
        gone = [label for label in base.axes if label not in axes]
        start, size = self.start(op, gone), self.size(first.size, PRODUCT)
        blocks, parts, block = self.fresh("blocks"), self.fresh("parts"), self.fresh("block")
        self.line(f"{blocks} = min(64, 1 + {size}//{BLOCK})")
        shape = [blocks, *(self.size(label.size) for label in axes)]
        self.line(f"{parts} = np.full(({', '.join(shape)},), {start})")
        header = self.header(self.cost(base, base.axes)).format(block, blocks)
        loop, self.loop = self.loop, len(self.blocks)
        with self.inside(header):
            run = f"range({block}*{size}//{blocks}, ({block} + 1)*{size}//{blocks})"
            total = None
            if not axes:
                total = self._total(op, gone)
            with self.looping(first, f"for {{}} in {run}:"):
                self._into(value, rest, parts, block, total)
            if total is not None:
                self.line(f"{parts}[{block}] = {total}")
        self.loop = loop
        if axes:
            self.line(f"{name} = np.full({self.shape([n.size for n in axes])}, {start})")
        else:
            self.numbers.add(name)
            self.line(f"{name} = {start}")

        def add() -> None:
            part = self.indexed(parts, [block, *(self.at[label] for label in axes)])
            self.combine(op, self.target(name, axes), part)

        with self.inside(f"for {block} in range({blocks}):"):
            self.within(axes, add)

    def _total(self, op: str, gone: Sequence[Label]) -> str:
        total = self.fresh("s")
        self.line(f"{total} = {self.start(op, gone)}")
        return total

    def _into(
        self, value: plan.Fold, rest: Sequence[Label], parts: str, block: str, total: str | None
    ) -> None:
        """The loops inside of a block; those behind the last axis that stays add up in a number."""
        if not rest:
            target = self.indexed(parts, [block, *(self.at[label] for label in value.axes)]).text
            self.combine(value.op, total or target, self.scalar(value.base))
        elif total is None and all(label in self.at for label in value.axes):
            target = self.indexed(parts, [block, *(self.at[label] for label in value.axes)]).text
            total = self._total(value.op, rest)
            self._into(value, rest, parts, block, total)
            self.combine(value.op, target, Text(total))
        else:
            with self.looping(rest[0]):
                self._into(value, rest[1:], parts, block, total)

    # -- matrix products --------------------------------------------------------------------------------

    @staticmethod
    def _by_blas(value: plan.Contract) -> bool:
        """Whether a matrix product is worth arrays for its operands.

        With a vector it is bound by memory: a matrix that has to be made first is summed as it is made.
        """
        batch, rows, columns, _ = _groups(value)
        if rows and columns:
            return True
        if batch:
            return False
        if not rows and not columns:
            left, right = value.left, value.right
            return isinstance(left, plan.Load) and isinstance(right, plan.Load) and left.axes == right.axes
        return isinstance(value.left if rows else value.right, plan.Load | plan.Contract)

    def _product(self, name: str, value: plan.Contract) -> None:
        batch, rows, columns, summed = _groups(value)
        left, right = value.left, value.right
        if not rows or value.axes == (*batch, *columns, *rows):
            left, right, rows, columns = right, left, columns, rows
        natural = (*batch, *rows, *columns)
        if natural != value.axes:
            kept = self.fresh("t")
            self._product(kept, plan.Contract(left, right, natural))
            self.assign(name, plan.Load(kept, natural), value.axes)
            return
        a = self._laid(left, batch, rows, summed)
        b = self._laid(right, batch, summed, columns)
        grouped = len(rows) > 1 or len(columns) > 1
        if not batch:
            text = f"np.dot({self._matrix(a, '', rows, summed)}, {self._matrix(b, '', summed, columns)})"
            self.line(f"{name} = {text}{self._reshaped(natural) if grouped else ''}")
            if not natural:
                self.numbers.add(name)
            return
        self.empty(name, natural)

        def entry() -> None:
            at = f"[{', '.join(self.at[label] for label in batch)}]"
            parts = self._matrix(a, at, rows, summed), self._matrix(b, at, summed, columns)
            last = self._reshaped((*rows, *columns)) if grouped else ""
            self.line(f"{name}{at} = np.dot({', '.join(parts)}){last}")

        self.nest(batch, entry, self.cost(plan.Literal(1), (*batch, *rows, *columns, *summed)))

    def _laid(self, value: Expr, batch: Axes, first: Axes, second: Axes) -> plan.Load:
        """The operand as an array whose axes are in one of the two orders of a matrix."""
        orders = ((*batch, *first, *second), (*batch, *second, *first))
        if isinstance(value, plan.Load) and value.axes in orders:
            return value
        return self.kept(value, orders[value.axes == orders[1]])

    def _matrix(self, value: plan.Load, at: str, first: Axes, second: Axes) -> str:
        """The matrix at a place of the batch; a vector where one of the sides has no axis."""
        own = value.axes[len(value.axes) - len(first) - len(second) :]
        turned = bool(first and second) and own != (*first, *second)
        sides = (second, first) if turned else (first, second)
        text = f"{value.name}{at}"
        if any(len(side) > 1 for side in sides):
            text += f".reshape({self.shape([_volume(side) for side in sides if side])})"
        return f"{text}.T" if turned else text

    def _reshaped(self, labels: Sequence[Label]) -> str:
        return f".reshape({self.shape([label.size for label in labels])})"

    # -- cumulative sums and products -------------------------------------------------------------------

    def _running(self, name: str, value: plan.Running) -> None:
        op, label, place = value.op, value.label, value.place
        base = self.prepared(value.base, self._last(value.base, label))
        self.empty(name, value.axes)

        def entry() -> None:
            total = self._total(op, ())
            with self._along(label, place, value.reverse):
                one = self.named(self.scalar(base))
                add = f"{total} {'+' if op == 'sum' else '*'}= {one.text}"
                put = f"{self.target(name, value.axes)} = {total}"
                self.blocks[-1] += [put, add] if value.apart else [add, put]

        self._outer(base, label, entry)

    def _running_at(self, name: str, value: plan.RunningAt) -> None:
        """The sums up to every place, one more than there are places, and then those that are asked for."""
        label, form = value.label, value.place
        base = self.prepared(value.base, self._last(value.base, label))
        sums = self.fresh("t")
        longer = [n.size + 1 if n is label else n.size for n in base.axes]
        self.line(f"{sums} = np.zeros({self.shape(longer)}, {self.kind})")

        def entry() -> None:
            total = self._total("sum", ())
            with self._along(label, label, value.reverse) as counter:
                self.line(f"{total} += {self.scalar(base).text}")
                at = counter if value.reverse else f"{counter} + 1"
                places = [at if n is label else self.at[n] for n in base.axes]
                self.line(f"{self.indexed(sums, places).text} = {total}")

        self._outer(base, label, entry)
        self.empty(name, value.axes)

        def read() -> None:
            at = self.place(form.plus(0 if value.reverse else 1)).text
            last = self.size(label.size)
            places = [f"min(max({at}, 0), {last})" if n is label else self.at[n] for n in base.axes]
            self.line(f"{self.target(name, value.axes)} = {self.indexed(sums, places).text}")

        self.nest(value.axes, read, self.cost(plan.Literal(1), value.axes))

    def _running_others(self, name: str, value: plan.RunningOthers) -> None:
        label = value.label
        base = self._read_often(value.base, self._last(value.base, label))
        self.empty(name, value.axes)

        def entry() -> None:
            with self.looping(value.other) as other:
                total = self._total("prod", ())
                with self._along(label, value.place, False) as counter:
                    with self.inside(f"if {counter} != {other}:"):
                        self.line(f"{total} *= {self.scalar(base).text}")
                    self.line(f"{self.target(name, value.axes)} = {total}")

        self._outer(base, label, entry)

    def _others(self, name: str, value: plan.Others) -> None:
        """From the front and from behind: exact where entries are zero."""
        label = value.label
        (place,) = (n for n in value.axes if n not in value.base.axes)
        base = self._read_often(value.base, self._last(value.base, label))
        self.empty(name, value.axes)

        def entry() -> None:
            for reverse in (False, True):
                total = self._total("prod", ())
                with self._along(label, place, reverse):
                    self.line(f"{self.target(name, value.axes)} {'*=' if reverse else '='} {total}")
                    self.line(f"{total} *= {self.scalar(base).text}")

        self._outer(base, label, entry)

    def _read_often(self, base: Expr, order: Axes) -> Expr:
        return self.prepared(base if repeatable(base) else self.kept(base), order)

    @staticmethod
    def _last(base: Expr, label: Label) -> Axes:
        return (*(n for n in base.axes if n is not label), label)

    def _outer(self, base: Expr, label: Label, entry: Callable[[], None]) -> None:
        self.nest([n for n in base.axes if n is not label], entry, self.cost(base, base.axes))

    @contextmanager
    def _along(self, label: Label, place: Label, reverse: bool) -> Iterator[str]:
        """A loop over a label, at whose place is another one too."""
        header = "for {} in range({} - 1, -1, -1):" if reverse else SERIAL
        with self.looping(label, header) as counter, self.bound(place, counter, self.loop):
            yield counter

    # -- places and matrices ----------------------------------------------------------------------------

    def _scattered(self, name: str, value: plan.Scatter) -> None:
        order = (*value.index.axes, *value.axes[1:])
        inner = self.prepared(value.value, order)
        index = self.indexing(value.index, value.label.size)
        self.line(f"{name} = np.zeros({self.shape([n.size for n in value.axes])}, {self.kind})")

        def entry() -> None:
            with self.placed(value.label, index):
                text = self.scalar(inner).text
                self.line(f"{self.target(name, value.axes)} += {text}")

        self.nest(order, entry, None)  # places may meet

    def _performed(self, name: str, value: plan.Perform | plan.Solve) -> None:
        """An operation on each matrix of a batch."""
        if isinstance(value, plan.Solve):
            batch = tuple(n for n in value.matrix.axes[:-2])
            columns = tuple(n for n in value.right.axes if n is not value.label and n not in batch)
            matrix = self.kept(value.matrix)
            own = tuple(n for n in batch if n in value.right.axes)
            right = self.kept(value.right, (*own, value.label, *columns))

            def text() -> str:
                turned = ".T" if value.transposed else ""
                first = f"{self._at(matrix.name, batch)}{turned}"
                return f"np.linalg.solve({first}, {self._at(right.name, own)})"
        else:
            spelled = MATRICES.get(value.operation)
            if spelled is None:
                raise Unsupported(f"{value.operation} is not done in loops", None, WITHOUT_JIT)
            batch = tuple(n for n in value.operands[0].axes[:-2])
            kept = [self.kept(one) for one in value.operands]

            def text() -> str:
                return spelled.format(*(self._at(one.name, batch) for one in kept))

        if value.axes[: len(batch)] != batch:
            raise Unsupported("matrices with their axes apart are not solved in loops", None, WITHOUT_JIT)
        if not value.axes:
            self.numbers.add(name)
            self.line(f"{name} = {text()}")
            return
        self.empty(name, value.axes)

        def entry() -> None:
            at = [self.at[label] for label in batch] if len(batch) == len(value.axes) else []
            at = at or [*(self.at[label] for label in batch), "..."]
            self.line(f"{self.indexed(name, at).text} = {text()}")

        self.nest(batch, entry, None)  # an error has to come out

    def _at(self, name: str, batch: Axes) -> str:
        return self.indexed(name, [self.at[label] for label in batch]).text if batch else name


def _groups(value: plan.Contract) -> tuple[Axes, Axes, Axes, Axes]:
    """The labels of the batch, those of the left side alone, of the right side alone, and the summed ones."""
    left, right = value.left.axes, value.right.axes
    shared = [n for n in left if n in right]
    return (
        tuple(n for n in shared if n in value.axes),
        tuple(n for n in left if n not in right),
        tuple(n for n in right if n not in left),
        tuple(n for n in shared if n not in value.axes),
    )


def _volume(labels: Sequence[Label]) -> AnySize:
    total: AnySize = 1
    for label in labels:
        total = total * label.size
    return total
