"""The results: tables in Markdown and JSON, and plots of time against size."""

import json
import math
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Times, cores
from peers import version
from task import Size, Task


@dataclass(frozen=True)
class Row:
    """One competitor at one task and size; without times where a note says why there are none."""

    task: Task
    size: Size
    who: str
    mode: str
    times: Times
    memory: int | None
    first: float | None
    note: str

    @property
    def ran(self) -> bool:
        return bool(self.times.seconds)

    def record(self, hand: "Row") -> dict[str, Any]:
        """What JSON keeps of it."""
        record: dict[str, Any] = {
            "task": self.task.name,
            "size": list(self.size),
            "competitor": self.who,
            "mode": self.mode,
        }
        if not self.ran:
            return record | {"note": self.note}
        return record | {
            "least": self.times.least,
            "median": self.times.median,
            "turns": len(self.times.seconds),
            "peak_bytes": self.memory,
            "first_call": self.first,
            "ratio_to_hand": self.times.least / hand.times.least,
            "ratio_of_medians": self.times.median / hand.times.median,
        }


def setting(peers: Sequence[str]) -> str:
    """One line: machine, threads and versions."""
    names = ["numpy", *peers]
    versions = ", ".join(f"{name} {version(name) or 'not installed'}" for name in names)
    return f"{cores()} threads, {platform.machine()}, Python {platform.python_version()}, {versions}\n"


def heading(peers: Sequence[str]) -> str:
    columns = ["task", "size", "hand", "einsumdiff / hand", *(f"{name} / hand" for name in peers)]
    columns += ["MB: hand, einsumdiff", "derived in", "figure", "met"]
    rule = ["---", "---", *("---:" for _ in columns[2:])]
    return f"| {' | '.join(columns)} |\n| {' | '.join(rule)} |"


def line(rows: Sequence[Row], peers: Sequence[str]) -> str:
    """A task at one size: ratios of the minima, in brackets of the medians."""
    by_name = {row.who: row for row in rows}
    hand, mine = by_name["hand"], by_name["einsumdiff"]
    cells = [hand.task.name, hand.task.said(hand.size), duration(hand.times.least), ratio(mine, hand)]
    cells += [ratio(by_name[name], hand) if name in by_name else "" for name in peers]
    cells.append(f"{megabytes(hand)}, {megabytes(mine)}")
    cells.append(duration(mine.first or 0))
    cells.append(", ".join(f"{limit:g} x {name}" for name, limit in hand.task.limits.items()))
    cells.append({True: "yes", False: "**no**", None: "?"}[met(rows)])
    return f"| {' | '.join(cells)} |"


def ratio(row: Row, hand: Row) -> str:
    if not row.ran:
        return "-"
    least, median = row.times.least / hand.times.least, row.times.median / hand.times.median
    return f"{number(least)} ({number(median)})"


def met(rows: Sequence[Row]) -> bool | None:
    """Whether einsumdiff keeps the limits of the task, by the minima; None where a peer did not run."""
    ran = {row.who: row.times.least for row in rows if row.ran}
    others = [time for name, time in ran.items() if name not in ("hand", "einsumdiff")]
    if others:
        ran["best"] = min(others)
    limits = rows[0].task.limits
    found = [ran["einsumdiff"] <= limit * ran[name] for name, limit in limits.items() if name in ran]
    if not all(found):
        return False
    return True if len(found) == len(limits) else None


def summary(rows: Sequence[Row]) -> str:
    """How many figures are met."""
    found = [met(one) for one in grouped(rows)]
    return f"{found.count(True)} of {len(found)} rows keep their figures; {found.count(None)} cannot be told"


def grouped(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each task and size."""
    return [list(one) for _, one in groupby(rows, key=lambda row: (row.task.name, row.size))]


def notes(rows: Sequence[Row]) -> Iterable[str]:
    """Why a peer, or one of its ways, has no time, for each task."""
    for one in grouped(rows):
        for row in one:
            if row.note:
                yield f"- {row.task.name}, {row.task.said(row.size)}: {row.who}: {row.note}"


def write(rows: Sequence[Row], peers: Sequence[str], folder: Path) -> None:
    """`table.md`, `times.json`, and a plot for each task that has two sizes or more."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = [setting(peers), heading(peers), *(line(one, peers) for one in grouped(rows))]
    ways = sorted({(row.task.name, row.who, row.mode) for row in rows if row.ran and row.mode})
    text = [*tables, "", summary(rows), "", "## What did not work", "", *notes(rows)]
    text += ["", "## The fastest way of each", "", *(f"- {task}: {who}: {mode}" for task, who, mode in ways)]
    (folder / "table.md").write_text("\n".join(text) + "\n")
    records = [row.record(one[0]) for one in grouped(rows) for row in one]
    described = {"setting": setting(peers).strip(), "rows": records}
    (folder / "times.json").write_text(json.dumps(described, indent=1) + "\n")
    plots(rows, folder)


def plots(rows: Sequence[Row], folder: Path) -> None:
    """Time against the number of entries of all inputs; without Matplotlib there are none."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("Matplotlib is not installed: no plots", file=sys.stderr)
        return
    for name, of_task in groupby(rows, key=lambda row: row.task.name):
        ran = [row for row in of_task if row.ran]
        if len({row.size for row in ran}) < 2:
            continue
        figure = Figure(figsize=(5, 3.5), layout="constrained")
        axes = figure.subplots()
        for who in dict.fromkeys(row.who for row in ran):
            points = [(entries(row), row.times.least) for row in ran if row.who == who]
            axes.loglog(*zip(*points, strict=True), marker="o", label=who)
        axes.set(xlabel="entries of the inputs", ylabel="seconds", title=name)
        axes.legend(fontsize="small")
        figure.savefig(folder / f"{name.replace(' ', '_').replace(',', '')}.svg", metadata={"Date": None})


def entries(row: Row) -> int:
    arrays = row.task.arrays(np.random.default_rng(0), *row.size)
    return sum(np.size(array) for array in arrays.values())


def number(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


def duration(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= scale:
            return f"{number(value / scale)} {unit}"
    return f"{number(value / 1e-9)} ns"


def megabytes(row: Row) -> str:
    return "?" if row.memory is None else f"{row.memory / 1e6:.1f}"
