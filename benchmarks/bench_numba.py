"""What `compile(jit="numba")` saves: the function of NumPy against the loops, in turns; a Markdown table.

Usage: bench_numba.py [--quick] [--threads N]

The results are checked to be equal before they are timed. The loops are compiled before the clock starts;
the column `compiled` is what that takes, for numbers of one kind. A ratio is that of the least times.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from measuring import cores, in_turns, limit_threads


@dataclass(frozen=True)
class Task:
    """A program, its wrt, the shapes of its inputs, and sizes: small ones with --quick, and the real ones."""

    title: str
    text: str
    wrt: str
    shapes: Mapping[str, str]
    quick: Mapping[str, int]
    sizes: Mapping[str, int]


TASKS = (
    Task(
        "gradient of a Gaussian kernel sum, by differences",
        "L = sum[i,j](w[i]*w[j]*exp(-sum[d]((x[i,d] - x[j,d])**2)))",
        "x",
        {"x": "m d", "w": "m"},
        {"m": 200, "d": 3},
        {"m": 1500, "d": 3},
    ),
    Task(
        "logistic loss gradient",
        "L = sum(log(1 + exp(-t*(X @ w))))",
        "w",
        {"X": "m n", "w": "n", "t": "m"},
        {"m": 2000, "n": 10},
        {"m": 200_000, "n": 10},
    ),
    Task(
        "tanh network, gradient of the first weights",
        "L = sum((tanh(tanh(X @ A) @ B) - T)**2)",
        "A",
        {"X": "m n", "A": "n k", "B": "k p", "T": "m p"},
        {"m": 100, "n": 20, "k": 20, "p": 20},
        {"m": 5000, "n": 64, "k": 64, "p": 64},
    ),
    Task(
        "Brusselator: rates contracted with weights, gradient in u",
        "L = sum(a*(1 + u**2*v - 4*u) + b*(3*u - u**2*v))",
        "u",
        {"u": "n", "v": "n", "a": "n", "b": "n"},
        {"n": 10_000},
        {"n": 1_000_000},
    ),
    Task(
        "long chain of arithmetic, value and gradient",
        "s = x/(1 + x**2)\nr = (s - y)/(1 + s**2 + y**2)\nL = sum((r**2 + 3*r*s)**2/(2 + r**2))",
        "x",
        {"x": "n", "y": "n"},
        {"n": 10_000},
        {"n": 1_000_000},
    ),
    Task(
        "long chain of functions, value and gradient",
        "L = sum(exp(-x**2/2)*sin(3*x + y)*tanh(x*y)/(1 + x**2*y**2))",
        "x",
        {"x": "n", "y": "n"},
        {"n": 10_000},
        {"n": 1_000_000},
    ),
)


def row(task: Task, quick: bool, turns: int) -> str:
    """A row of the table: both times, their ratio, and how long the loops take to compile."""
    import numpy as np

    from einsumdiff import derive

    sizes = task.quick if quick else task.sizes
    d = derive(task.text, task.wrt, shapes=dict(task.shapes))
    random = np.random.default_rng(0)
    arrays = [random.standard_normal([sizes[one] for one in task.shapes[name].split()]) for name in d.inputs]
    plain = d.compile(value=True, sizes=sizes)
    loops = d.compile(value=True, sizes=sizes, jit="numba")
    start = time.perf_counter()
    found = loops(*arrays)
    compiled = time.perf_counter() - start
    for one, other in zip(found, plain(*arrays), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10 * np.max(np.abs(other)))
    times = in_turns({"numpy": lambda: plain(*arrays), "numba": lambda: loops(*arrays)}, turns)
    ours, theirs = times["numba"].least, times["numpy"].least
    at = ", ".join(f"{name} = {size}" for name, size in sizes.items())
    return (
        f"| {task.title} | {at} | {1e3 * theirs:.2f} ms | {1e3 * ours:.2f} ms | {theirs / ours:.1f} "
        f"| {compiled:.1f} s |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small arrays, few turns")
    parser.add_argument("--threads", type=int, default=cores(), help="threads for all; default: all cores")
    asked = parser.parse_args()
    limit_threads(asked.threads)
    os.environ["NUMBA_NUM_THREADS"] = str(asked.threads)
    import numpy as np

    try:
        import numba
    except ImportError:
        print("numba is not there: nothing is measured", file=sys.stderr)
        return
    vectors = "with" if numba.config.USING_SVML else "without"
    print(f"threads: {asked.threads}; numba {numba.__version__} {vectors} SVML; NumPy {np.__version__}\n")
    print("| task | sizes | NumPy | numba | NumPy / numba | compiled |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for task in TASKS:
        print(row(task, asked.quick, 5 if asked.quick else 21), flush=True)


if __name__ == "__main__":
    main()
