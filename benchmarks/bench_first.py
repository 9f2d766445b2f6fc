"""The time to a first derivative, from text to a callable, in processes that have just started.

Usage: bench_first.py [--repeat N] [--only WORDS]

einsumdiff derives and compiles; JAX traces, compiles and runs once, which it has to. Both are imported
before the clock starts, from byte code. The smallest size of each task; the median of N processes.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NETWORK, OTHERS = 50, 15  # milliseconds that issue 5 sets


def cold(name: str, who: str) -> float:
    """Seconds in this process, which has imported nothing but this module."""
    import numpy as np
    from tasks import TASKS

    task = next(task for task in TASKS if task.name == name)
    size = task.sizes[0]
    arrays = task.arrays(np.random.default_rng(0), *size)
    if who == "einsumdiff":
        from bench_peers import ours

        return ours(task, size, arrays)[1]
    import jax
    from peers import jax as ways

    jax.block_until_ready(jax.numpy.zeros(1))  # the back end has started
    start = time.perf_counter()
    _, call = next(ways(task, size, arrays, False))
    call()
    return time.perf_counter() - start


def apart(name: str, who: str, repeat: int) -> float | None:
    """The median of some processes, None where the library is not there."""
    command = [sys.executable, str(Path(__file__).resolve()), "--cold", name, who]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = []
    for _ in range(repeat):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            print(done.stderr.strip().splitlines()[-1], file=sys.stderr)
            return None
        found.append(json.loads(done.stdout))
    return statistics.median(found)


def limit(task: Any) -> int:
    return NETWORK if "ReLU" in task.name else OTHERS


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--only", default="", help="tasks whose name this regular expression finds")
    options.add_argument("--cold", nargs=2, metavar=("TASK", "WHO"), help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.cold:
        print(json.dumps(cold(*asked.cold)))
        return 0
    from tasks import TASKS

    apart(TASKS[0].name, "einsumdiff", 1)  # writes the byte code
    print("| task | einsumdiff | JAX | JAX / einsumdiff | limit |\n| --- | ---: | ---: | ---: | ---: |")
    seen = set()
    for task in TASKS:
        program = task.text(task.sizes[0])
        known = (program, task.order) in seen
        if not re.search(asked.only, task.name) or known or task.options:
            continue
        seen.add((program, task.order))
        mine, other = (apart(task.name, who, asked.repeat) for who in ("einsumdiff", "jax"))
        cells = [task.name, f"{1e3 * mine:.0f} ms" if mine else "failed"]
        cells += [f"{1e3 * other:.0f} ms", f"{other / mine:.1f}"] if mine and other else ["not there", ""]
        print(f"| {' | '.join(cells)} | {limit(task)} ms |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
