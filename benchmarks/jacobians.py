"""Tasks of the benchmark: Jacobians of arrays in arrays."""

from typing import Any

import numpy as np
from hessians import COMPRESSED
from task import Arrays, Task

Random = np.random.Generator

# --------------------------------------------------------------- an elementwise function


def diagonal(entries: np.ndarray) -> np.ndarray:
    n = len(entries)
    J = np.zeros((n, n))
    J.reshape(-1)[:: n + 1] = entries
    return J


def exp_task(**more: Any) -> dict[str, Any]:
    return {
        "program": "x: (n,); y = exp(x)",
        "wrt": "x",
        "sizes": ((1000,), (10000,)),
        "quick": ((1000,),),
        "arrays": lambda random, n: {"x": random.standard_normal(n)},
        "peer": lambda np, x: np.exp(x),
        **more,
    }


def jvp_with_ones(jax: Any, np: Any) -> Any:
    return lambda x: jax.jvp(np.exp, (x,), (np.ones_like(x),))[1]


# --------------------------------------------------------------- softmax of each row


def softmax_blocks(X: np.ndarray) -> np.ndarray:
    """The Jacobian of each row in itself."""
    S = row_softmax(X)
    blocks = -S[:, :, None] * S[:, None]
    np.einsum("ijj->ij", blocks)[...] += S
    return blocks


def row_softmax(X: np.ndarray) -> np.ndarray:
    S = X - X.max(axis=1, keepdims=True)
    np.exp(S, out=S)
    S /= S.sum(axis=1, keepdims=True)
    return S


def softmax_jacobian(X: np.ndarray) -> np.ndarray:
    """Written once: the blocks straight into their places among the zeros."""
    S = row_softmax(X)
    m, n = X.shape
    J = np.zeros((m, n, m, n))
    np.multiply(-S[:, :, None], S[:, None], out=np.einsum("ijik->ijk", J))
    np.einsum("ijij->ij", J)[...] += S
    return J


def rows_apart(S: np.ndarray) -> np.ndarray:
    m, n = S.shape
    J = np.zeros((m, n, m, n))
    np.einsum("ijik->ijk", J)[...] = -S[:, :, None] * S[:, None]
    np.einsum("ijij->ij", J)[...] += S
    return J


def softmax_task(**more: Any) -> dict[str, Any]:
    return {
        "program": "X: (m, n); S = softmax(X, axis=1)",
        "wrt": "X",
        "sizes": ((50, 50), (200, 50)),
        "quick": ((50, 50),),
        "arrays": lambda random, m, n: {"X": random.standard_normal((m, n))},
        "peer": lambda np, X: np.softmax(X, axis=1),
        **more,
    }


def blocks_of_rows(jax: Any, np: Any) -> Any:
    """`vmap(jacrev)`: the block of each row."""
    blocks = jax.vmap(jax.jacrev(lambda row: np.softmax(row, axis=0)))
    return lambda X: blocks(X)


# --------------------------------------------------------------- a product of matrices


def product_jacobian(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return product_into(A, B, np.zeros((*A.shape[:1], B.shape[1], *A.shape)))


def product_into(A: np.ndarray, B: np.ndarray, zeros: np.ndarray) -> np.ndarray:
    np.einsum("ijik->ijk", zeros)[...] = B.T
    return zeros


def product_task(**more: Any) -> dict[str, Any]:
    return {
        "program": "A: (m, k); B: (k, n); C = A @ B",
        "wrt": "A",
        "sizes": ((30,), (80,)),
        "quick": ((30,),),
        "arrays": lambda random, n: {name: random.standard_normal((n, n)) for name in "AB"},
        "peer": lambda np, A, B: A @ B,
        **more,
    }


# --------------------------------------------------------------- a convolution


def convolution(np: Any, x: Any, w: Any) -> Any:
    size = x.shape[0] - w.shape[0] + 1
    return sum(w[k] * x[k : k + size] for k in range(w.shape[0]))


def convolution_jacobian(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    n, k = len(x), len(w)
    J = np.zeros((n - k + 1, n))
    band = np.lib.stride_tricks.as_strided(J, (n - k + 1, k), (8 * (n + 1), 8))
    band[...] = w
    return J


def coloured(function: Any, colours: int) -> Any:
    """As many JVPs as there are columns in a row: column j has colour j modulo that number.

    Row i of what it returns has the entries of J from its first on, as the bands by hand have.
    """

    def make(jax: Any, np: Any) -> Any:
        def compressed(x: Any, **others: Any) -> Any:
            size = x.shape[0]
            seeds = (np.arange(size) % colours == np.arange(colours)[:, None]).astype(x.dtype)
            bands = jax.vmap(lambda v: jax.jvp(lambda x: function(np, x, **others), (x,), (v,))[1])(seeds)
            rows = np.arange(bands.shape[1])[:, None]
            return bands[(rows + np.arange(colours)) % colours, rows]

        return make_named(compressed)

    return make


def make_named(compressed: Any) -> Any:
    """A function of all arrays by name, of which the first one given is differentiated."""
    return lambda **arrays: compressed(arrays.pop(next(name for name in "xu" if name in arrays)), **arrays)


def convolution_task(**more: Any) -> dict[str, Any]:
    return {
        "program": "x: (m,); w: (n,); Z[i] = x[i+k]*w[k]",
        "wrt": "x",
        "sizes": ((1000, 9),),
        "quick": ((1000, 9),),
        "arrays": lambda random, n, k: {"x": random.standard_normal(n), "w": random.standard_normal(k)},
        "peer": convolution,
        **more,
    }


# --------------------------------------------------------------- stencils


def in_bands(bands: np.ndarray, n: int) -> np.ndarray:
    """`J[i, i + k] = bands[i, k]`."""
    J = np.zeros((len(bands), n))
    rows = np.arange(len(bands))[:, None]
    J[rows, rows + np.arange(bands.shape[1])] = bands
    return J


def brusselator_arrays(random: Random, n: int) -> Arrays:
    return {"u": random.standard_normal(n + 2), "v": random.standard_normal(n + 2), "c": np.array(0.02)}


def brusselator(np: Any, u: Any, v: Any, c: Any) -> Any:
    middle = u[1:-1]
    return 1 + middle**2 * v[1:-1] - 4 * middle + c * (u[:-2] - 2 * middle + u[2:])


def brusselator_bands(u: np.ndarray, v: np.ndarray, c: np.ndarray) -> np.ndarray:
    bands = np.empty((len(u) - 2, 3))
    bands[:, ::2] = c
    middle = u[1:-1] * v[1:-1]
    middle *= 2
    np.subtract(middle, 4 + 2 * c, out=bands[:, 1])
    return bands


def brusselator_jacobian(u: np.ndarray, v: np.ndarray, c: np.ndarray) -> np.ndarray:
    n = len(u)
    J = np.zeros((n - 2, n))
    flat = J.reshape(-1)
    flat[:: n + 1] = c
    flat[1 :: n + 1] = 2 * u[1:-1] * v[1:-1] - (4 + 2 * c)
    flat[2 :: n + 1] = c
    return J


def brusselator_task(**more: Any) -> dict[str, Any]:
    return {
        "program": "u: (n,); v: (n,); c: ()\n"
        "f[i] = 1 + u[i+1]**2*v[i+1] - 4*u[i+1] + c*(u[i] - 2*u[i+1] + u[i+2])",
        "wrt": "u",
        "sizes": ((3000,),),
        "quick": ((1000,),),
        "arrays": brusselator_arrays,
        "peer": brusselator,
        **more,
    }


def bratu(np: Any, u: Any, h: Any) -> Any:
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return 4 * u[1:-1, 1:-1] - around - h * np.exp(u[1:-1, 1:-1])


def bratu_middle(u: np.ndarray, h: np.ndarray) -> np.ndarray:
    """What the middle of the stencil has; its four arms are -1."""
    middle = np.exp(u[1:-1, 1:-1])
    middle *= -h
    middle += 4
    return middle


def bratu_jacobian(u: np.ndarray, h: np.ndarray) -> np.ndarray:
    return with_arms(bratu_middle(u, h), u.shape)


def with_arms(middle: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    m, n = shape
    J = np.zeros((m - 2, n - 2, m, n))
    for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
        np.einsum("ijij->ij", J[:, :, rows : rows + m - 2, columns : columns + n - 2])[...] = -1
    np.einsum("ijij->ij", J[:, :, 1 : m - 1, 1 : n - 1])[...] = middle
    return J


def five_colours(jax: Any, np: Any) -> Any:
    """The middle of the stencil from five JVPs: entry i, j has colour (i + 2*j) modulo 5."""

    def compressed(u: Any, h: Any) -> Any:
        m, n = u.shape
        of = (np.arange(m)[:, None] + 2 * np.arange(n)) % 5
        seeds = (of == np.arange(5)[:, None, None]).astype(u.dtype)
        values = jax.vmap(lambda v: jax.jvp(lambda u: bratu(np, u, h), (u,), (v,))[1])(seeds)
        return np.take_along_axis(values, of[None, 1:-1, 1:-1], axis=0)[0]

    return compressed


def bratu_task(**more: Any) -> dict[str, Any]:
    return {
        "program": "u: (m, n); h: ()\n"
        "F[i,j] = 4*u[i+1,j+1] - u[i,j+1] - u[i+2,j+1] - u[i+1,j] - u[i+1,j+2] - h*exp(u[i+1,j+1])",
        "wrt": "u",
        "sizes": ((64,),),
        "quick": ((32,),),
        "arrays": lambda random, n: {"u": random.standard_normal((n + 2, n + 2)), "h": np.array(0.1)},
        "peer": bratu,
        **more,
    }


TASKS = (
    Task(
        "derivative of exp",
        hand=lambda x: diagonal(np.exp(x)),
        limits={"hand": 1.05, "jax": 1},
        **exp_task(),
    ),
    Task(
        "derivative of exp, compressed",
        hand=lambda x: np.exp(x),
        whole=lambda entries, arrays: diagonal(entries),
        limits={"hand": 1.1, "jax": 1},
        modes={"jax": {"jvp with ones": jvp_with_ones}},
        **exp_task(),
        **COMPRESSED,
    ),
    Task("row softmax Jacobian", hand=softmax_jacobian, limits={"hand": 1.1}, **softmax_task()),
    Task(
        "row softmax Jacobian, compressed, against blocks",
        hand=softmax_blocks,
        whole=lambda blocks, arrays: rows_apart(row_softmax(arrays["X"])),
        limits={"jax": 1 / 5},
        modes={"jax": {"vmap of jacrev": blocks_of_rows}},
        **softmax_task(),
        **COMPRESSED,
    ),
    Task("derivative of A @ B in A", hand=product_jacobian, limits={"hand": 1.1}, **product_task()),
    Task(
        "derivative of A @ B in A, the zeros there",
        hand=product_into,
        limits={"hand": 1.1, "jax": 1 / 100},
        options={"out": True},
        zeros=lambda A, B: np.zeros((len(A), B.shape[1], *A.shape)),
        **product_task(),
    ),
    Task("convolution Jacobian", hand=convolution_jacobian, limits={"hand": 1.1}, **convolution_task()),
    Task(
        "convolution Jacobian, compressed",
        hand=lambda x, w: np.broadcast_to(w, (len(x) - len(w) + 1, len(w))),
        whole=lambda bands, arrays: convolution_jacobian(**arrays),
        limits={"jax": 1},
        modes={"jax": {"coloured JVPs": coloured(convolution, 9)}},
        **convolution_task(),
        **COMPRESSED,
    ),
    Task("Brusselator Jacobian", hand=brusselator_jacobian, limits={"hand": 1.1}, **brusselator_task()),
    Task(
        "Brusselator Jacobian, compressed",
        hand=brusselator_bands,
        whole=lambda bands, arrays: in_bands(bands, len(arrays["u"])),
        limits={"hand": 1.1, "jax": 1},
        modes={"jax": {"coloured JVPs": coloured(brusselator, 3)}},
        **brusselator_task(),
        **COMPRESSED,
    ),
    Task("Bratu Jacobian", hand=bratu_jacobian, limits={"hand": 1.1}, **bratu_task()),
    Task(
        "Bratu Jacobian, compressed",
        hand=bratu_middle,
        whole=lambda middle, arrays: with_arms(middle, arrays["u"].shape),
        limits={"hand": 1.1, "jax": 1},
        modes={"jax": {"five JVPs": five_colours}},
        **bratu_task(),
        **COMPRESSED,
    ),
)
