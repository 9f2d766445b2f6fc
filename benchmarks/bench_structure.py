"""What the structure of a derivative saves, against NumPy's own operations and against JAX: a Markdown table.

Usage: bench_structure.py [--quick]

Results are checked to be equal before they are timed. Both sides of a ratio are measured in turns, in one
run; without JAX (the extra `bench`) its rows are left out. A ratio is that of the medians.
"""

import sys
from collections.abc import Callable

import numpy as np
from measuring import in_turns

from einsumdiff import derive

FACTORISATION = "sum((T - U @ V.T)**2)"


def medians(one: Callable[[], object], other: Callable[[], object], turns: int) -> tuple[float, float]:
    """Seconds of each, measured in turns."""
    times = in_turns({"one": one, "other": other}, turns)
    return times["one"].median, times["other"].median


def row(what: str, ours: float, against: str, theirs: float, limit: str) -> None:
    ratio = f"{ours / theirs:.2f} times" if ours > theirs else f"{theirs / ours:.0f} times faster"
    print(
        f"| {what} | {1e6 * ours:.0f} us | {against} | {1e6 * theirs:.0f} us | {ratio} | {limit} |",
        flush=True,
    )


def same(one: object, other: object) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


def diagonal(n: int, turns: int) -> None:
    """The core of the derivative of exp is as quick as exp."""
    x = np.linspace(-1, 1, n)
    d = derive("exp(x)", "x")
    core, diag = d.compile(form="compressed"), np.exp(x)
    same(core(x).diag(), diag)
    same(core(x) @ x, diag * x)
    row(f"exp, compressed, n = {n}", *_between(lambda: core(x), "np.exp(x)", lambda: np.exp(x), turns), "3")
    operator = d.compile(form="operator")
    row(f"exp, operator, n = {n}", *_between(lambda: operator(x), "np.exp(x)", lambda: np.exp(x), turns), "3")


def _between(
    one: Callable[[], object], against: str, other: Callable[[], object], turns: int
) -> tuple[float, str, float]:
    ours, theirs = medians(one, other, turns)
    return ours, against, theirs


def factorisation(n: int, k: int, turns: int) -> None:
    """The Hessian of a matrix factorisation is n times the same k by k block."""
    random = np.random.default_rng(0)
    T, U, V = random.standard_normal((n, n)), random.standard_normal((n, k)), random.standard_normal((n, k))
    d = derive(FACTORISATION, "U", order=2)
    kept, block = d.compile(form="compressed"), 2 * V.T @ V
    dense = d(T, U, V)
    same(dense, np.einsum("im,jl->ijml", np.eye(n), block))
    same(kept(T, U, V).dense(), dense)
    case = f"n = {n}, k = {k}"
    row(
        f"Hessian, compressed, {case}",
        *_between(lambda: kept(T, U, V), "V.T @ V", lambda: V.T @ V, turns),
        "10",
    )

    g = random.standard_normal((n, k))
    step = np.linalg.solve(block, g.T).T
    same(kept(T, U, V).solve(g), step)
    row(
        f"Newton step, solve(), {case}",
        *_between(
            lambda: kept(T, U, V).solve(g),
            "np.linalg.solve(V.T @ V, G.T)",
            lambda: np.linalg.solve(V.T @ V, g.T),
            turns,
        ),
        "k^3 + n k^2",
    )
    try:
        import jax
    except ImportError:
        print("JAX is not there: its rows are left out", file=sys.stderr)
        return
    jax.config.update("jax_enable_x64", True)
    hessian = jax.jit(jax.hessian(lambda U, T, V: ((T - U @ V.T) ** 2).sum()))
    given = [jax.numpy.asarray(one) for one in (U, T, V)]
    out = np.zeros(dense.shape)
    write = d.compile(out=True)
    write(T, U, V, out=out)
    same(out, hessian(*given))
    ours = _between(
        lambda: write(T, U, V, out=out, out_is_zero=True),
        "jax.hessian, jit",
        lambda: hessian(*given).block_until_ready(),
        max(3, turns // 3),
    )
    row(f"Hessian, dense, zeros there, {case}", *ours, "300 times faster")


def main(quick: bool) -> None:
    turns = 7 if quick else 31
    print("| what | time | against | time | ratio | limit |\n| --- | ---: | --- | ---: | ---: | ---: |")
    diagonal(10**5 if quick else 10**6, turns)
    factorisation(64 if quick else 256, 5, turns)


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])
