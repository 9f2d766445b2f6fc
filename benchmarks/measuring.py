"""Time and memory of calls, taken in turns.

A machine that does other work as well slows whoever runs just then. So competitors run round robin, and only
figures of one run are compared.
"""

import ctypes
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Call = Callable[[], object]

SHORTEST = 1e-3  # seconds of one turn: a call that takes less is repeated within its turn


@dataclass(frozen=True)
class Times:
    """Seconds of one call, one for each turn."""

    seconds: tuple[float, ...]

    @property
    def least(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def seconds(call: Call) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turns(calls: Mapping[str, Call], turns: int, budget: float = float("inf")) -> dict[str, Times]:
    """Each call is timed once a turn; one that has used up its budget (in seconds) leaves after three, one
    that takes all of it at once is timed once.

    Their order changes from turn to turn, and each runs once before its clock starts: else who comes after a
    call that fills the caches, or gives memory back to the system, pays for it each time.
    """
    counts, found = {}, {}
    for name, call in calls.items():
        first = seconds(call)
        found[name] = [first] if first > budget else []
        if not found[name]:
            counts[name] = max(1, int(SHORTEST / max(seconds(call), 1e-9)))
    order = random.Random(0)
    for turn in range(turns):
        for name in order.sample(sorted(counts), len(counts)):
            call, count = calls[name], counts[name]
            if turn >= 3 and 2 * sum(found[name]) * count > budget:
                continue
            call()
            start = time.perf_counter()
            for _ in range(count):
                call()
            found[name].append((time.perf_counter() - start) / count)
    return {name: Times(tuple(one)) for name, one in found.items()}


def limit_threads(count: int) -> None:
    """As many threads for all libraries, and as many cores; to be called before any of them is imported.

    XLA and PyTorch size their pools by the cores that the process may use, the BLAS libraries by variables.
    """
    for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "VECLIB_MAXIMUM"):
        os.environ[f"{name}_NUM_THREADS"] = str(count)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory(call: Call) -> int | None:
    """How many bytes more are resident during a call, its result included; None where Linux cannot tell.

    Of whatever allocator: what is free goes back to the system first, and the mark of the highest use is set
    anew. Pages count, so a few kilobytes say nothing.
    """
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not sys.platform.startswith("linux") or not os.access(reset, os.W_OK):
        return None
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    reset.write_text("5")
    before = _kilobytes(status, "VmRSS")
    kept = call()
    after = _kilobytes(status, "VmHWM")
    del kept
    return 1024 * max(0, after - before)


def _kilobytes(status: Path, name: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1])
