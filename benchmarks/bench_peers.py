"""einsumdiff against closed forms by hand and against its peers: tables in Markdown and JSON, and plots.

Usage: bench_peers.py [--quick | --uncompiled] [--threads N] [--only WORDS] [--peers jax,torch] [--out FOLDER]

Every result is compared with hand's, to 1e-10 of its largest entry, before anything is timed. Competitors
run in turns. Peers are the extra `bench`; one that is missing, or that cannot do a task, is a note in the
row. What compiles for seconds at each task (`torch.compile`, PyTensor) is left out of the quick run, and of
the full one with `--uncompiled`.
"""

from __future__ import annotations

import argparse
import gc
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import Times, in_turns, limit_threads, peak_memory, seconds

if TYPE_CHECKING:
    from report import Row
    from task import Size, Task

CLOSE = 1e-10
SLOW = 1.0  # seconds of a call that need not be taken twice to choose between ways
PATIENCE = 60  # seconds within which a way of a peer has to give its first result


def agrees(found: Any, right: Any) -> None:
    """Entries differ by at most 1e-10 of the largest one."""
    import numpy as np

    if isinstance(right, dict):
        for name, one in right.items():
            agrees(found[name], one)
        return
    one, other = np.asarray(found), np.asarray(right)
    if one.size != other.size:
        raise ValueError(f"its shape is {one.shape}, and not {other.shape}")
    one = one.reshape(other.shape)
    scale = max(float(np.max(np.abs(other), initial=0)), 1e-300)
    error = max((float(np.max(np.abs(a - b))) for a, b in zip(one, other, strict=True)), default=0.0) / scale
    if not error <= CLOSE:
        raise ValueError(f"its result differs by {error:.1e}")


def ours(task: Task, size: Size, arrays: dict[str, Any]) -> tuple[Callable[[], Any], float]:
    """The generated function, called with its arrays in order, and how long it took to make it."""
    from einsumdiff import derive

    start = time.perf_counter()
    d = derive(task.text(size), wrt=task.wrt(*size) if callable(task.wrt) else task.wrt, order=task.order)
    function = d.compile(sizes=known_sizes(d, arrays), **task.options)
    took = time.perf_counter() - start
    given = [arrays[name] for name in d.inputs]
    if task.zeros is not None:
        buffer = task.zeros(**arrays)
        function = partial(function, out=buffer, out_is_zero=True)
    return partial(function, *given), took


def known_sizes(d: Any, arrays: dict[str, Any]) -> dict[str, int]:
    """What the names of sizes are at these arrays: the plan is chosen for them, as every peer sees them."""
    axes = [
        (str(size), n)
        for one in d._program.inputs
        for size, n in zip(one.shape, arrays[one.name].shape, strict=True)
    ]
    return {name: n for name, n in axes if name.isidentifier()}


def theirs(
    name: str, task: Task, size: Size, arrays: dict[str, Any], thorough: bool, hand: Any
) -> tuple[str, Callable[[], Any], float, str]:
    """The fastest of a peer's ways whose result is right, how long its first call took, and what failed."""
    from peers import PEERS

    best: tuple[float, str, Callable[[], Any], float] | None = None
    wrong: list[str] = []
    ways: Iterator[tuple[str, Callable[[], Any]]] = PEERS[name](task, size, arrays, thorough)
    special = task.modes.get(name, {})
    while True:
        mode = "making it"
        try:
            with within(PATIENCE):
                start = time.perf_counter()
                mode, call = next(ways)
                result = call()
                first = time.perf_counter() - start
            agrees(result, hand if mode in special else task.whole(hand, arrays))
            del result
            again = seconds(call)
            again = again if again > SLOW else min(again, seconds(call))
        except StopIteration:
            break
        except ImportError:
            raise
        except Exception as fault:
            wrong.append(f"{mode}: {said(fault)}")
            if mode == "making it":
                break
            continue
        if best is None or again < best[0]:
            best = again, mode, call, first
    if best is None:
        raise RuntimeError("; ".join(wrong))
    return *best[1:], "; ".join(wrong)


@contextmanager
def within(limit: int) -> Iterator[None]:
    """Raises TimeoutError after so many seconds, where there are alarms."""

    def late(*_: object) -> None:
        raise TimeoutError(f"no result within {limit} s")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(limit)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def said(fault: BaseException) -> str:
    text = next((line.strip() for line in str(fault).splitlines() if line.strip()), type(fault).__name__)
    return text if len(text) < 100 else text[:97] + "..."


def measured(task: Task, size: Size, peers: list[str], quick: bool, compiled: bool) -> Iterator[Row]:
    """The rows of a task at one size, one for each competitor."""
    import numpy as np
    from report import Row

    arrays = task.arrays(np.random.default_rng(0), *size)
    by_hand = partial(task.hand, **arrays)
    if task.zeros is not None:
        by_hand = partial(by_hand, zeros=task.zeros(**arrays))
    right = by_hand()
    calls: dict[str, Callable[[], Any]] = {"hand": by_hand}
    modes, firsts, notes = {"hand": ""}, {"hand": 0.0}, {}

    mine, firsts["einsumdiff"] = ours(task, size, arrays)
    agrees(task.read(mine()), task.whole(right, arrays))
    calls["einsumdiff"], modes["einsumdiff"] = mine, task.options.get("form", "dense")
    for name in peers:
        try:
            modes[name], calls[name], firsts[name], notes[name] = theirs(
                name, task, size, arrays, compiled, right
            )
        except ImportError as fault:
            notes[name] = f"not installed: {said(fault)}"
        except Exception as fault:
            notes[name] = said(fault)
        gc.collect()
    del right
    gc.collect()
    gc.disable()
    times = in_turns(calls, turns=5 if quick else 21, budget=0.1 if quick else 3)
    gc.enable()
    for name in ("hand", "einsumdiff", *peers):
        if name in calls:
            memory = peak_memory(calls[name])
            yield Row(task, size, name, modes[name], times[name], memory, firsts[name], notes.get(name, ""))
        else:
            yield Row(task, size, name, "", Times(()), None, None, notes[name])


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="small sizes, peers that start quickly")
    options.add_argument("--uncompiled", action="store_true", help="all sizes, peers that start quickly")
    options.add_argument("--threads", type=int, help="for everyone; all cores otherwise")
    options.add_argument("--only", default="", help="tasks whose name this regular expression finds")
    options.add_argument("--peers", help="separated by commas; the quick run has JAX and PyTorch alone")
    options.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    asked = options.parse_args()

    from measuring import cores

    limit_threads(asked.threads or cores())
    # libraries are imported from here on: their pools are made for these threads
    import numpy as np
    import report
    from peers import PEERS
    from tasks import TASKS

    peers = ["jax", "torch"] if asked.quick else list(PEERS)
    if asked.peers is not None:
        peers = asked.peers.split(",") if asked.peers else []
    print(report.setting(peers))
    print(report.heading(peers), flush=True)
    ours(TASKS[0], TASKS[0].quick[0], TASKS[0].arrays(np.random.default_rng(0), 2, 3))  # loads the grammar
    rows: list[Row] = []
    for task in TASKS:
        if not re.search(asked.only, task.name):
            continue
        for size in task.quick if asked.quick else task.sizes:
            found = list(measured(task, size, peers, asked.quick, not (asked.quick or asked.uncompiled)))
            rows += found
            print(report.line(found, peers), flush=True)
        report.write(rows, peers, asked.out)
    print(f"\n{report.summary(rows)}\nwritten to {asked.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
