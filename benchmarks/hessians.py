"""Tasks of the benchmark: Hessians of scalars."""

from typing import Any

import numpy as np
from gradients import LOGISTIC, factorisation_arrays, logistic_arrays, logistic_loss
from task import Arrays, Task

Random = np.random.Generator


def as_blocks(blocks: np.ndarray, m: int) -> np.ndarray:
    """`H[i,j,i,l] = blocks[i,j,l]`, or the same block for each of m rows; zeros elsewhere."""
    k = blocks.shape[-1]
    H = np.zeros((m, k, m, k))
    np.einsum("ijil->ijl", H)[...] = blocks
    return H


# --------------------------------------------------------------- a quadratic form


def transposed_sum(x: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Tiles of 64, 128 or 256 gain only where the rows are a power of two apart (2048: 21 ms and not 31)."""
    return A + A.T


# --------------------------------------------------------------- logistic regression


def logistic_hessian(X: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """`Y.T @ Y`, for which NumPy calls syrk; labels are -1 and 1, but the square of any label counts."""
    root = np.exp(-0.5 * np.abs(X @ w * y))
    root *= y / (1 + root * root)
    Y = root[:, None] * X
    return Y.T @ Y


# --------------------------------------------------------------- matrix factorisation


def factorisation_blocks(T: np.ndarray, U: np.ndarray, V: np.ndarray) -> np.ndarray:
    block = V.T @ V
    block *= 2
    return block


def masked_arrays(random: Random, m: int, n: int, k: int) -> Arrays:
    return factorisation_arrays(random, m, n, k) | {"M": random.integers(0, 2, (m, n)).astype(float)}


def masked_blocks(T: np.ndarray, U: np.ndarray, V: np.ndarray, M: np.ndarray) -> np.ndarray:
    n, k = V.shape
    pairs = (V[:, :, None] * V[:, None]).reshape(n, k * k)
    blocks = M @ pairs
    blocks *= 2
    return blocks.reshape(-1, k, k)


# --------------------------------------------------------------- a network of ReLU layers


def relu_arrays(random: Random, layers: int, width: int) -> Arrays:
    weights = {
        f"W{k}": random.standard_normal((width, width)) * np.sqrt(2 / width) for k in range(1, layers + 1)
    }
    return {"x": random.standard_normal(width), **weights}


def relu_program(layers: int, width: int) -> str:
    declared = "; ".join(f"W{k}: (n, n)" for k in range(1, layers + 1))
    lines = [f"h{k} = maximum(W{k} @ h{k - 1}, 0)" for k in range(2, layers + 1)]
    return "\n".join([f"x: (n,); {declared}", "h1 = maximum(W1 @ x, 0)", *lines, f"L = sum(h{layers}**2)"])


def relu_loss(np: Any, x: Any, **weights: Any) -> Any:
    h = x
    for k in range(1, len(weights) + 1):
        z = weights[f"W{k}"] @ h
        h = np.where(z > 0, z, 0.0)
    return np.sum(h**2)


def relu_hessian(x: np.ndarray, **weights: np.ndarray) -> np.ndarray:
    """`2*(J.T @ J)` times the outer product of x: J is the derivative of the last layer in the first sum."""
    h, J = x, None
    for W in weights.values():
        z = W @ h
        on = z > 0
        h = z * on
        J = np.diag(on.astype(float)) if J is None else on[:, None] * (W @ J)
    G = J.T @ J
    G *= 2
    return G[:, None, :, None] * (x[:, None] * x)[:, None]


# --------------------------------------------------------------- log-sum-exp


def softmax(z: np.ndarray) -> np.ndarray:
    p = np.exp(z - z.max())
    p /= p.sum()
    return p


def from_softmax(p: np.ndarray) -> np.ndarray:
    H = np.multiply.outer(-p, p)
    H.reshape(-1)[:: len(p) + 1] += p
    return H


def logsumexp_task(**more: Any) -> dict[str, Any]:
    return {
        "program": "z: (n,); y = logsumexp(z)",
        "wrt": "z",
        "order": 2,
        "sizes": ((1024,), (4096,)),
        "quick": ((1024,),),
        "arrays": lambda random, n: {"z": random.standard_normal(n)},
        "peer": lambda np, z: np.logsumexp(z, axis=0),
        **more,
    }


def factorisation_task(**more: Any) -> dict[str, Any]:
    return {
        "program": "T: (m, n); U: (m, k); V: (n, k); L = sum((T - U @ V.T)**2)",
        "wrt": "U",
        "order": 2,
        "sizes": ((128, 128, 5), (256, 256, 5)),
        "quick": ((64, 64, 5),),
        "arrays": factorisation_arrays,
        "peer": lambda np, T, U, V: np.sum((T - U @ V.T) ** 2),
        **more,
    }


def masked_task(**more: Any) -> dict[str, Any]:
    return factorisation_task() | {
        "program": "T: (m, n); U: (m, k); V: (n, k); M: (m, n); L = sum(M*(T - U @ V.T)**2)",
        "arrays": masked_arrays,
        "peer": lambda np, T, U, V, M: np.sum(M * (T - U @ V.T) ** 2),
        **more,
    }


COMPRESSED: dict[str, Any] = {"options": {"form": "compressed"}, "read": lambda result: result.dense()}

TASKS = (
    Task(
        name="Hessian of a quadratic form",
        program="x: (n,); A: (n, n); y = x @ A @ x",
        wrt="x",
        order=2,
        sizes=((100,), (500,), (2000,)),
        quick=((100,), (500,)),
        arrays=lambda random, n: {"x": random.standard_normal(n), "A": random.standard_normal((n, n))},
        hand=transposed_sum,
        peer=lambda np, x, A: x @ (A @ x),
        limits={"torch": 1, "hand": 1.05},
        modes={"torch": {"A + A.T": lambda torch, np: lambda x, A: A + A.T}},
    ),
    Task(
        name="logistic Hessian",
        program=LOGISTIC,
        wrt="w",
        order=2,
        sizes=((200, 100), (1000, 500), (2000, 1000), (4000, 2000)),
        quick=((200, 100), (1000, 500)),
        arrays=logistic_arrays,
        hand=logistic_hessian,
        peer=logistic_loss,
        limits={"hand": 1.05, "best": 1},
    ),
    Task(
        "matrix-factorisation Hessian",
        hand=lambda T, U, V: as_blocks(factorisation_blocks(T, U, V), len(U)),
        limits={"hand": 1.05},
        **factorisation_task(),
    ),
    Task(
        "matrix-factorisation Hessian, compressed",
        hand=factorisation_blocks,
        whole=lambda block, arrays: as_blocks(block, len(arrays["U"])),
        limits={"jax": 1 / 20000},
        **factorisation_task(),
        **COMPRESSED,
    ),
    Task(
        "masked factorisation Hessian",
        hand=lambda T, U, V, M: as_blocks(masked_blocks(T, U, V, M), len(U)),
        limits={"hand": 1.05},
        **masked_task(),
    ),
    Task(
        "masked factorisation Hessian, compressed",
        hand=masked_blocks,
        whole=lambda blocks, arrays: as_blocks(blocks, len(arrays["U"])),
        limits={"hand": 1.05},
        **masked_task(),
        **COMPRESSED,
    ),
    *(
        Task(
            name="Hessian of a ReLU network in its first layer",
            program=relu_program,
            wrt="W1",
            order=2,
            sizes=sizes,
            quick=sizes if quick else (),
            arrays=relu_arrays,
            hand=relu_hessian,
            peer=relu_loss,
            limits=limits,
        )
        for sizes, quick, limits in (
            (((10, 8),), True, {"hand": 1.1, "jax": 1}),
            (((10, 32), (10, 48)), False, {"hand": 1.1}),
        )
    ),
    Task(
        "log-sum-exp Hessian",
        hand=lambda z: from_softmax(softmax(z)),
        limits={"hand": 1.05},
        **logsumexp_task(),
    ),
    Task(
        "log-sum-exp Hessian, compressed",
        hand=softmax,
        whole=lambda p, arrays: from_softmax(p),
        limits={"best": 1 / 100},
        **logsumexp_task(),
        **COMPRESSED,
    ),
)
