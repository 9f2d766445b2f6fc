"""What deriving costs, before any numbers flow: a Markdown table.

Usage: bench_derive.py [--quick]

Deriving takes one thread, and its times are those of the processor, without what else the machine does.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from bench_first import limit
from measuring import seconds
from tasks import TASKS

from einsumdiff import data, derive
from einsumdiff.language.table import Table

README = {
    "Z[i,j] = X[i,k]*Y[k,j]": {"wrt": "X"},
    "y = sum(W*X + b)": {"wrt": "W"},
    "y = A @ tanh(x)": {"wrt": "x"},
    "Z[i] = x[i+k]*w[k]": {"wrt": "x"},
    "L = sum((X @ w + b - y)**2)": {"wrt": ["w", "b"], "shapes": {"b": ()}},
    "y = sum(exp(x))": {"wrt": "x", "order": 2},
    "y = log(sum(exp(z)))": {"wrt": "z"},
}

LAYERS, TERMS, MATRICES = (10, 50, 100, 200, 1000), (30, 100, 1000, 10_000), (8, 32, 128)
QUICK = 2  # of these sizes, in the quick run


def process(*arguments: str) -> float:
    """How long a Python with these arguments takes, its output thrown away."""
    return seconds(
        lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    )


def renamed(program: str, n: int) -> str:
    """The same program in another text, so that no cache of whole programs can answer."""
    return f"{program}  # {n}"


def derive_and_compile(program: str, n: int, options: dict) -> Callable[..., object]:
    return derive(renamed(program, n), **options).compile()


def network(layers: int) -> str:
    lines = [f"h{k} = tanh(W{k} @ h{k - 1} + b{k})" for k in range(1, layers + 1)]
    return "\n".join([*lines, f"L = sum((h{layers} - t)**2)"])


def busy(action: Callable[[], object]) -> float:
    """Seconds of the processor that an action takes."""
    start = time.process_time()
    action()
    return time.process_time() - start


def row(what: str, figure: str, limit: str = "", growth: str = "") -> None:
    print(f"| {what} | {figure} | {limit} | {growth} |", flush=True)


def expression(terms: int) -> str:
    """A sum of so many terms, no two alike."""
    return "y = sum(" + " + ".join(f"sin({k + 1}*x)" for k in range(terms)) + ")"


def chain(matrices: int) -> str:
    return f"L = sum({' @ '.join(names('A', matrices))})"


def names(letter: str, count: int) -> list[str]:
    return [f"{letter}{k + 1}" for k in range(count)]


def products(terms: int) -> str:
    """A sum of so many terms in variables of their own."""
    return "y = " + " + ".join(f"a{k + 1}*x{k + 1}" for k in range(terms))


def lines(count: int) -> str:
    """A program of so many lines, each of which reads the one before it."""
    steps = [f"x{k + 1} = sin({1 + k % 7}*x{k} + c)" for k in range(count - 2)]
    return "\n".join(["x0 = c", *steps, f"y = x{count - 2}"])


def growing(
    what: str,
    program: Callable[[int], str],
    wrt: Callable[[int], str | list[str]],
    sizes: tuple[int, ...],
    limits: Mapping[int, float] | None = None,
    scalars: Callable[[int], list[str]] = lambda size: [],
) -> None:
    """From text to callable, and the characters of its source, as the program grows."""
    before: tuple[int, float, int] | None = None
    for size in sizes:
        shapes = dict.fromkeys(scalars(size), ())
        found = [
            took_and_length(renamed(program(size), n), wrt(size), shapes)
            for n in range(1 if size > 500 else 3)
        ]
        took, length = min(found)
        growth = ("", "")
        if before is not None:
            by = f"{size / before[0]:.3g} times as long: "
            growth = (f"{by}{took / before[1]:.3g}", f"{by}{length / before[2]:.3g}")
        limit = (limits or {}).get(size)
        row(f"{what}, {size}", f"{took:.2f} s", f"{limit:g} s" if limit else "", growth[0])
        row("its source", f"{length} characters", "linear", growth[1])
        before = size, took, length


def took_and_length(program: str, wrt: str | list[str], shapes: dict) -> tuple[float, int]:
    d = None

    def ready() -> None:
        nonlocal d
        d = derive(program, wrt=wrt, shapes=shapes)
        d.compile()

    return busy(ready), len(d.source())


def main(quick: bool) -> None:
    repeat = 5 if quick else 25
    print("| what | figure | limit | growth |\n| --- | ---: | ---: | ---: |")

    for program, options in README.items():
        derive_and_compile(program, -1, options)
        times = [busy(lambda n=n: derive_and_compile(program, n, options)) for n in range(repeat)]  # noqa: B023
        row(f"derive and compile `{program}`", f"{1e3 * statistics.median(times):.2f} ms", "10 ms")

    seen = set()
    for task in TASKS:
        size = task.sizes[0]
        if (task.text(size), task.order) in seen or task.options:
            continue
        seen.add((task.text(size), task.order))
        options = {"wrt": list(task.names(size)), "order": task.order}
        times = [busy(lambda n=n: derive_and_compile(task.text(size), n, options)) for n in range(repeat)]  # noqa: B023
        row(f"{task.name}, {task.said(size)}", f"{1e3 * statistics.median(times):.2f} ms", limit(task))

    process("-c", "import einsumdiff")
    pairs = [process("-c", "import einsumdiff") - process("-c", "pass") for _ in range(repeat)]
    row("`import einsumdiff`, over a bare interpreter", f"{1e3 * statistics.median(pairs):.1f} ms", "60 ms")

    times = [seconds(lambda: Table(data.rules()).check()) for _ in range(3)]
    row("all rules, read and checked", f"{1e3 * min(times):.0f} ms", "500 ms")

    command = ("-m", "einsumdiff", "y = sum(W*X + b)", "--wrt", "W")
    times = [process(*command) for _ in range(repeat)]
    row("the command line, from start to print", f"{statistics.median(times):.2f} s", "0.5 s")

    layers, matrices, terms = (sizes[:QUICK] if quick else sizes for sizes in (LAYERS, MATRICES, TERMS))
    growing("tanh network, all weights", network, lambda k: names("W", k), layers, {200: 0.5, 1000: 2})
    growing("product of matrices, in the first", chain, lambda k: ["A1"], matrices)
    growing("product of matrices, in each", chain, lambda k: names("A", k), matrices)
    growing("sum of terms", expression, lambda k: "x", terms, {10_000: 5})
    growing(
        "sum of products in variables of their own, in each",
        products,
        lambda k: names("x", k),
        terms,
        {10_000: 5},
        lambda k: names("a", k) + names("x", k),
    )
    growing("lines", lines, lambda k: "c", terms, {10_000: 5}, lambda k: ["c"])


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])
