"""What a call costs at arrays of size 4, where it is Python and NumPy's calls: a table in Markdown.

Usage: bench_small.py [--quick] [--only WORDS]

For each task the body by hand and the generated function, called with positional arrays, and what checks
(`compile(check=True)`) add for each argument. Results are checked to be equal before they are timed, and all
run in turns. A ratio is that of the minima.
"""

import argparse
import re
from functools import partial
from typing import Any

from measuring import in_turns, limit_threads

limit_threads(1)  # before NumPy is imported

import numpy as np  # noqa: E402
from bench_peers import agrees  # noqa: E402
from small_tasks import TASKS  # noqa: E402

from einsumdiff import derive  # noqa: E402

RATIO = 1.1  # times the body by hand
CHECK = 0.3  # microseconds an argument


def main(turns: int, only: str) -> None:
    print("| task | hand, us | einsumdiff | limit | checks, us an argument | limit |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for task in TASKS:
        if not re.search(only, task.name):
            continue
        arrays = task.arrays(np.random.default_rng(1))
        d = derive(task.program, wrt=task.wrt, order=task.order)
        assert d.inputs == tuple(task.shapes), f"{task.name}: the inputs are {d.inputs}"
        sizes = dict.fromkeys(d.cost().sizes, 4)
        calls = {
            "hand": partial(task.hand, *arrays),
            "function": partial(d.compile(**task.options, sizes=sizes), *arrays),
            "checked": partial(d.compile(**task.options, sizes=sizes, check=True), *arrays),
        }
        right = _parts(calls["hand"]())
        for call in calls.values():
            for one, other in zip(_parts(call()), right, strict=True):
                agrees(one, other)
        times = {name: 1e6 * one.least for name, one in in_turns(calls, turns).items()}
        ratio = times["function"] / times["hand"]
        extra = (times["checked"] - times["function"]) / len(arrays)
        print(
            f"| {task.name} | {times['hand']:.2f} | {_bold(ratio, RATIO)} | {RATIO} "
            f"| {_bold(extra, CHECK)} | {CHECK} |",
            flush=True,
        )


def _parts(result: Any) -> list[Any]:
    """The arrays of a result, with an axis at least, or the dictionary."""
    parts = result if isinstance(result, tuple) else (result,)
    return [one if isinstance(one, dict) else np.atleast_1d(one) for one in parts]


def _bold(figure: float, limit: float) -> str:
    """The figure, in bold where it is above the limit."""
    return f"{figure:.2f}" if figure <= limit else f"**{figure:.2f}**"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    parser.add_argument("--only", default="", help="tasks whose name has these words (a regular expression)")
    asked = parser.parse_args()
    main(50 if asked.quick else 300, asked.only)
