"""What deriving costs, before any numbers flow: a Markdown table.

Usage: bench_derive.py [--quick]
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

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

LAYERS = (50, 100, 200)


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


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


def row(what: str, figure: str, limit: str = "", growth: str = "") -> None:
    print(f"| {what} | {figure} | {limit} | {growth} |", flush=True)


def main(repeat: int) -> None:
    print("| what | figure | limit | when doubled |\n| --- | ---: | ---: | ---: |")

    for program, options in README.items():
        derive_and_compile(program, -1, options)
        times = [seconds(lambda n=n: derive_and_compile(program, n, options)) for n in range(repeat)]  # noqa: B023
        row(f"derive and compile `{program}`", f"{1e3 * statistics.median(times):.2f} ms", "10 ms")

    process("-c", "import einsumdiff")
    pairs = [process("-c", "import einsumdiff") - process("-c", "pass") for _ in range(repeat)]
    row("`import einsumdiff`, over a bare interpreter", f"{1e3 * statistics.median(pairs):.1f} ms", "60 ms")

    times = [seconds(lambda: Table(data.rules()).check()) for _ in range(3)]
    row("all rules, read and checked", f"{1e3 * min(times):.0f} ms", "500 ms")

    command = ("-m", "einsumdiff", "y = sum(W*X + b)", "--wrt", "W")
    times = [process(*command) for _ in range(repeat)]
    row("the command line, from start to print", f"{statistics.median(times):.2f} s", "0.5 s")

    before: tuple[float, int] | None = None
    for layers in LAYERS:
        text, wrt = network(layers), [f"W{k}" for k in range(1, layers + 1)]
        times = [seconds(lambda: derive(renamed(text, n), wrt=wrt)) for n in range(3)]  # noqa: B023
        length = len(derive(text, wrt=wrt).source())
        now = (min(times), length)
        growth = (
            [f"{new / old:.2f} times" for new, old in zip(now, before, strict=True)] if before else ["", ""]
        )
        row(
            f"derive a tanh network, {layers} layers, all weights",
            f"{now[0]:.2f} s",
            "0.5 s" if layers == 200 else "",
            growth[0],
        )
        row(f"its source, {layers} layers", f"{length} characters", "linear", growth[1])
        before = now


if __name__ == "__main__":
    main(repeat=5 if "--quick" in sys.argv[1:] else 25)
