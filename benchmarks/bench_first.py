"""The time to a first derivative, from text to a callable, in processes that have just started.

Usage: bench_first.py [--repeat N] [--only WORDS]

einsumdiff derives and compiles; JAX traces, compiles and runs once, which it has to. Both are imported
before the clock starts, from byte code; the tables of the parser are on disk, as they are from the second
process on. The smallest size of each task, and networks of more layers; the median of N processes.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

NETWORK, OTHERS = 50, 15  # milliseconds that issue 5 sets
LAYERS = (10, 30, 100)  # of tanh networks, which are to be ahead of JAX from 30 on


def tasks() -> list[Any]:
    """Those of the table, and deep networks."""
    from tasks import TASKS

    network = next(task for task in TASKS if task.name.startswith("tanh network"))
    deep = [replace(network, name=f"tanh network of {k} layers", sizes=((k, 16, 16),)) for k in LAYERS]
    return [*TASKS, *deep]


def cold(name: str, who: str) -> float:
    """Seconds in this process, which has imported nothing but this module."""
    import numpy as np

    task = next(task for task in tasks() if task.name == name)
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


def limit(task: Any) -> str:
    if task.sizes[0][0] in LAYERS and "layers" in task.name:
        return "less than JAX" if task.sizes[0][0] >= LAYERS[1] else ""
    return f"{NETWORK if 'ReLU' in task.name else OTHERS} ms"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--only", default="", help="tasks whose name this regular expression finds")
    options.add_argument("--cold", nargs=2, metavar=("TASK", "WHO"), help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.cold:
        print(json.dumps(cold(*asked.cold)))
        return 0
    apart(tasks()[0].name, "einsumdiff", 1)  # writes the byte code and the tables
    print("| task | einsumdiff | JAX | JAX / einsumdiff | limit |\n| --- | ---: | ---: | ---: | ---: |")
    seen = set()
    for task in tasks():
        program = task.text(task.sizes[0])
        known = (program, task.order) in seen
        if not re.search(asked.only, task.name) or known or task.options:
            continue
        seen.add((program, task.order))
        mine, other = (apart(task.name, who, asked.repeat) for who in ("einsumdiff", "jax"))
        cells = [task.name, f"{1e3 * mine:.0f} ms" if mine else "failed"]
        cells += [f"{1e3 * other:.0f} ms", f"{other / mine:.1f}"] if mine and other else ["not there", ""]
        print(f"| {' | '.join(cells)} | {limit(task)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
