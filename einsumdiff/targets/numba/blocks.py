"""Text in blocks: loops over labels, the places in them, and names that are free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from einsumdiff.nodes import Form, Label
from einsumdiff.sizes import AnySize, Size, names
from einsumdiff.targets.numba.scalars import ATOM, PRODUCT, SUM, TEST, Spelling, Text

Block = list["str | Block"]
"""Lines, and after the header of a loop or a condition the block inside of it."""

LETTERS = "ijklmnopqrstuvwxyz"


class Blocks(Spelling):
    """Writes into the innermost of the open blocks.

    Parameters
    ----------
    taken : names that are in use.
    """

    def __init__(self, taken: set[str]) -> None:
        self.taken = set(taken)
        self.last: dict[str, int] = {}  # the number of the last name for each hint
        super().__init__(self.fresh("kind", "kind"))
        self.sizes: set[str] = set()
        self.counters: set[str] = set()  # the names of the loops of the plan, which stand in sizes
        self.blocks: list[Block] = [[]]
        self.at: dict[Label, str] = {}  # the place along each label
        self.level: dict[Label, int] = {}  # the block in which that is known
        self.floor = self.loop = 0  # the blocks of the statement, and of the innermost loop

    def fresh(self, hint: str, first: str = "") -> str:
        """A name that is not in use: the hint and a number."""
        k, name = self.last.get(hint, 0) + 1, first
        while not name or name in self.taken:
            name, k = f"{hint}{k}", k + 1
        self.last[hint] = k - 1
        self.taken.add(name)
        return name

    def line(self, text: str) -> None:
        self.blocks[-1].append(text)

    def named(self, text: Text, hint: str = "s") -> Text:
        """The value in a variable, unless it is one or a number already."""
        if text.level == ATOM and (text.text in self.taken or text.text.startswith(f"{self.kind}(")):
            return text
        name = self.fresh(hint)
        self.line(f"{name} = {text.text}")
        return Text(name)

    @contextmanager
    def inside(self, header: str) -> Iterator[None]:
        """A block below a header; what is computed before it goes before the header."""
        block: Block = []
        self.blocks.append(block)
        yield
        self.blocks.pop()
        self.blocks[-1] += [header, block or ["pass"]]

    @contextmanager
    def looping(self, label: Label, header: str = "for {} in range({}):") -> Iterator[str]:
        """A loop over a label."""
        counter = self.letter(label)
        outer, self.loop = self.loop, len(self.blocks)
        with (
            self.bound(label, counter, len(self.blocks)),
            self.inside(header.format(counter, self.size(label.size))),
        ):
            yield counter
        self.loop = outer

    @contextmanager
    def outside(self, depth: int) -> Iterator[None]:
        """The block at that depth, while those inside of it are being written."""
        blocks, loop = self.blocks, self.loop
        self.blocks, self.loop = blocks[: depth + 1], depth
        yield
        self.blocks, self.loop = blocks, loop

    @contextmanager
    def bound(self, label: Label, place: str, level: int) -> Iterator[None]:
        """A label at a place that is known in a block; a sum may bind the label of a loop around it."""
        before = self.at.get(label), self.level.get(label)
        self.at[label], self.level[label] = place, level
        yield
        if before[0] is not None and before[1] is not None:
            self.at[label], self.level[label] = before[0], before[1]
        else:
            del self.at[label], self.level[label]

    def letter(self, label: Label) -> str:
        """A name for the place along a label, the user's letter where it is free."""
        busy = self.taken | set(self.at.values())
        own = label.name if label.name and len(label.name) == 1 and label.name.isascii() else None
        free = (one for one in LETTERS if one not in busy)
        found = own if own is not None and own not in busy else next(free, None)
        return found if found is not None else self.fresh("i")

    def size(self, size: AnySize, level: int = TEST) -> str:
        if isinstance(size, int):
            return f"({size})" if size < 0 and level < PRODUCT else str(size)
        self.sizes.update(name for name in names(size) if name not in self.counters)
        plain = len(size.terms) == 1 and str(size).isidentifier()
        own = ATOM if plain else PRODUCT if len(size.terms) == 1 and "//" not in str(size) else SUM
        return f"({size})" if own > level else str(size)

    def place(self, form: Form) -> Text:
        """The value of a form."""
        text = ""
        for label, c in form.coefficients:
            at = self.at[label]
            if c == 1 or c == -1:
                part = at
            elif isinstance(c, int):
                part = f"{abs(c)}*{at}"
            else:
                part = f"{self.size(c, ATOM)}*{at}"
            minus = isinstance(c, int) and c < 0
            text += f" {'-' if minus else '+'} {part}" if text else f"{'-' if minus else ''}{part}"
        constant = form.constant
        if not text:
            return Text(self.size(constant), SUM if isinstance(constant, Size) or constant < 0 else ATOM)
        if isinstance(constant, Size):
            text += f" + {self.size(constant, PRODUCT)}"
        elif constant:
            text += f" {'-' if constant < 0 else '+'} {abs(constant)}"
        return Text(text, ATOM if form.label is not None else SUM)
