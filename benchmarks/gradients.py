"""Tasks of the benchmark: gradients of scalars."""

from functools import reduce
from typing import Any

import numpy as np
from task import Arrays, Task

Random = np.random.Generator


# --------------------------------------------------------------- an affine loss: the answer is an argument


def affine_arrays(random: Random, m: int, n: int) -> Arrays:
    return {
        "W": random.standard_normal((m, n)),
        "X": random.standard_normal((m, n)),
        "b": random.standard_normal(n),
    }


def affine(**options: Any) -> dict[str, Any]:
    return {
        "program": "W: (m, n); X: (m, n); b: (n,); L = sum(W*X + b)",
        "wrt": "W",
        "sizes": ((1000, 1000),),
        "quick": ((1000, 1000),),
        "arrays": affine_arrays,
        "peer": lambda np, W, X, b: np.sum(W * X + b),
        "limits": {"hand": 1.05},
        "options": options,
    }


# --------------------------------------------------------------- logistic regression


def logistic_arrays(random: Random, m: int, n: int) -> Arrays:
    return {
        "X": random.standard_normal((m, n)),
        "y": random.choice([-1.0, 1.0], m),
        "w": random.standard_normal(n) / np.sqrt(n),
    }


LOGISTIC = "X: (m, n); y: (m,); w: (n,); L = sum(log1p(exp(-y*(X @ w))))"


def logistic_loss(np: Any, X: Any, y: Any, w: Any) -> Any:
    return np.sum(np.softplus(-y * (X @ w)))


def logistic_gradient(X: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    s = X @ w
    s *= y
    np.exp(s, out=s)  # where it overflows, the weight below is the zero that it should be
    s += 1
    np.divide(y, s, out=s)
    np.negative(s, out=s)
    return s @ X


# --------------------------------------------------------------- softmax regression


def softmax_arrays(random: Random, m: int, n: int, k: int) -> Arrays:
    return {
        "X": random.standard_normal((m, n)),
        "W": random.standard_normal((n, k)) / np.sqrt(n),
        "b": random.standard_normal(k),
        "Y": np.eye(k)[random.integers(0, k, m)],
    }


def softmax_loss(np: Any, X: Any, W: Any, b: Any, Y: Any) -> Any:
    Z = X @ W + b
    return np.sum(np.logsumexp(Z, axis=1)) - np.sum(Y * Z)


def softmax_gradients(X: np.ndarray, W: np.ndarray, b: np.ndarray, Y: np.ndarray) -> dict[str, np.ndarray]:
    """All of it transposed: BLAS multiplies `W.T @ X.T` faster than `X @ W`, W being thin."""
    P = W.T @ X.T
    P += b[:, None]
    P -= P.max(axis=0)
    np.exp(P, out=P)
    P /= P.sum(axis=0)
    P -= Y.T
    return {"W": (P @ X).T, "b": P.sum(axis=1)}


# --------------------------------------------------------------- factorisations


def factorisation_arrays(random: Random, m: int, n: int, k: int) -> Arrays:
    return {
        "T": random.standard_normal((m, n)),
        "U": random.standard_normal((m, k)),
        "V": random.standard_normal((n, k)),
    }


def factorisation_gradient(T: np.ndarray, U: np.ndarray, V: np.ndarray) -> np.ndarray:
    result = (V.T @ V) @ U.T
    result -= V.T @ T.T  # the thin matrix first: see softmax_gradients
    result *= 2
    return result.T


def cp_arrays(random: Random, n: int, r: int) -> Arrays:
    return {
        "T": random.standard_normal((n, n, n)),
        **{name: random.standard_normal((n, r)) for name in "ABC"},
    }


def cp_loss(np: Any, T: Any, A: Any, B: Any, C: Any) -> Any:
    fitted = A @ (B[:, None, :] * C[None, :, :]).reshape((-1, A.shape[1])).T
    return np.sum((T - fitted.reshape(T.shape)) ** 2)


def cp_gradients(T: np.ndarray, A: np.ndarray, B: np.ndarray, C: np.ndarray) -> dict[str, np.ndarray]:
    """By Gram matrices; `T` times a factor is made once for two of the three, and no residual is."""
    a, b, c = T.shape
    AA, BB, CC = A.T @ A, B.T @ B, C.T @ C
    flat = T.reshape(a * b, c)
    TC = (C.T @ flat.T).reshape(-1, a, b)
    pairs = (A.T[:, :, None] * B.T[:, None]).reshape(-1, a * b)
    return {
        "A": 2 * (A @ (BB * CC) - (TC @ B.T[:, :, None])[:, :, 0].T),
        "B": 2 * (B @ (AA * CC) - (A.T[:, None] @ TC)[:, 0].T),
        "C": 2 * (C @ (AA * BB) - (pairs @ flat).T),
    }


# --------------------------------------------------------------- a product of four axes


def four_axes_arrays(random: Random, d: int) -> Arrays:
    return {"A": random.standard_normal((d, d, d, d)), "B": random.standard_normal((d, d, d, d)) / d}


def four_axes_loss(np: Any, A: Any, B: Any) -> Any:
    return np.sum(np.einsum("dafb,cfde->abce", A, B) ** 2)


def four_axes_gradient(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """The product itself is not formed: only that of B with itself, which is symmetric."""
    d, a, f, b = A.shape
    M = B.transpose(2, 1, 0, 3).reshape(d * f, -1)
    G = (M @ M.T).reshape(d, f, d * f)
    G *= 2
    stacked = np.ascontiguousarray(A.transpose(0, 2, 1, 3)).reshape(d * f, a * b)
    result = G.reshape(d * f, d * f) @ stacked
    return np.ascontiguousarray(result.reshape(d, f, a, b).transpose(0, 2, 1, 3))


# --------------------------------------------------------------- a Gaussian kernel


def kernel_loss(np: Any, X: Any) -> Any:
    """By the Gram matrix, which is how one writes it for speed; the differences would be an m m d array."""
    squares = np.sum(X * X, axis=1)
    return np.sum(np.exp(X @ X.T - (squares[:, None] + squares) / 2))


def kernel_gradient(X: np.ndarray) -> np.ndarray:
    half = 0.5 * np.einsum("ij,ij->i", X, X)
    K = X @ X.T
    K -= half[:, None]
    K -= half
    np.exp(K, out=K)
    result = X.T @ K
    result -= K.sum(axis=0) * X.T
    result *= 2
    return result.T


# --------------------------------------------------------------- a chain of matrices


def chain_names(k: int, n: int) -> tuple[str, ...]:
    return tuple(f"A{i}" for i in range(1, k + 1))


def chain_arrays(random: Random, k: int, n: int) -> Arrays:
    return {name: random.standard_normal((n, n)) / np.sqrt(n) for name in chain_names(k, n)}


def chain_sum(np: Any, **factors: Any) -> Any:
    return np.sum(reduce(lambda P, A: P @ A, (factors[f"A{k + 1}"] for k in range(len(factors)))))


def chain_first(**factors: np.ndarray) -> np.ndarray:
    *others, last = list(factors.values())[1:]
    v = reduce(lambda v, A: A @ v, reversed(others), last.sum(axis=1))
    return np.tile(v, (len(factors["A1"]), 1))


def chain_each(**factors: np.ndarray) -> dict[str, np.ndarray]:
    names = list(factors)
    right = {names[-1]: np.ones(factors[names[-1]].shape[1])}
    for name, before in zip(reversed(names), reversed(names[:-1]), strict=False):
        right[before] = factors[name] @ right[name]
    left, found = np.ones(len(factors[names[0]])), {}
    for name in names:
        found[name] = left[:, None] * right[name]
        left = left @ factors[name]
    return found


def chain(**more: Any) -> dict[str, Any]:
    return {
        "program": lambda k, n: f"L = sum({' @ '.join(chain_names(k, n))})",
        "arrays": chain_arrays,
        "peer": chain_sum,
        "limits": {"hand": 1.05},
        **more,
    }


# --------------------------------------------------------------- networks


def network_arrays(random: Random, layers: int, width: int, batch: int) -> Arrays:
    arrays: Arrays = {"h0": random.standard_normal((batch, width))}
    for k in range(1, layers + 1):
        arrays[f"W{k}"] = random.standard_normal((width, width)) / np.sqrt(width)
        arrays[f"b{k}"] = random.standard_normal(width)
    return arrays | {"t": random.standard_normal((batch, width))}


def network_program(layers: int, width: int, batch: int) -> str:
    declared = "; ".join(f"W{k}: (p, p); b{k}: (p,)" for k in range(1, layers + 1))
    lines = [f"h{k} = tanh(h{k - 1} @ W{k} + b{k})" for k in range(1, layers + 1)]
    return "\n".join([f"h0: (m, p); t: (m, p); {declared}", *lines, f"L = sum((h{layers} - t)**2)"])


def network_loss(np: Any, h0: Any, t: Any, **weights: Any) -> Any:
    h = h0
    for k in range(1, len(weights) // 2 + 1):
        h = np.tanh(h @ weights[f"W{k}"] + weights[f"b{k}"])
    return np.sum((h - t) ** 2)


def network_gradients(h0: np.ndarray, t: np.ndarray, **weights: np.ndarray) -> dict[str, np.ndarray]:
    layers, outputs, found = len(weights) // 2, [h0], {}
    for k in range(1, layers + 1):
        h = outputs[-1] @ weights[f"W{k}"]
        h += weights[f"b{k}"]
        outputs.append(np.tanh(h, out=h))
    back = outputs[-1] - t
    back *= 2
    for k in range(layers, 0, -1):
        slope = outputs.pop()  # dead after this step: its memory is reused
        np.multiply(slope, slope, out=slope)
        np.subtract(1, slope, out=slope)
        back *= slope
        found[f"W{k}"] = outputs[-1].T @ back
        if k > 1:
            back = back @ weights[f"W{k}"].T
    return found


# --------------------------------------------------------------- long chains over large arrays


def robust_arrays(random: Random, m: int, n: int) -> Arrays:
    return {name: random.standard_normal((m, n)) for name in "AB"}


def robust_loss(np: Any, A: Any, B: Any) -> Any:
    return np.sum(np.log(1 + (A - B) ** 2))


def block_of(array: np.ndarray) -> int:
    """How many rows are computed at a time: of a large array so many that they stay in the cache."""
    rows, columns = array.shape
    return rows if array.size < 2**22 else max(1, 2**16 // columns)


def robust_gradient(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    result, step = np.empty_like(A), block_of(A)
    for start in range(0, len(A), step):
        rows = slice(start, start + step)
        C = A[rows] - B[rows]
        D = C * C
        D += 1
        C *= 2
        np.divide(C, D, out=result[rows])
    return result


def normalised_loss(np: Any, A: Any, B: Any) -> Any:
    """Rows without their mean, of variance 1, against those of B."""
    C = A - np.mean(A, 1)[:, None]
    return np.sum(B * C / np.sqrt(0.1 + np.mean(C**2, 1))[:, None])


def normalised_gradient(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    result, step, n = np.empty_like(A), block_of(A), A.shape[1]
    for start in range(0, len(A), step):
        rows = slice(start, start + step)
        C, b, r = A[rows] - A[rows].mean(axis=1)[:, None], B[rows], result[rows]
        s = 1 / np.sqrt(0.1 + np.einsum("ij,ij->i", C, C) / n)
        C *= (s**2 * np.einsum("ij,ij->i", b, C) / n)[:, None]
        np.subtract(b, C, out=r)
        r -= b.mean(axis=1)[:, None]
        r *= s[:, None]
    return result


TASKS = (
    Task("gradient of an affine loss", hand=lambda W, X, b: X.copy(), **affine()),
    Task("the same, a view", hand=lambda W, X, b: X.view(), **affine(copy=False)),
    Task(
        name="logistic loss gradient",
        program=LOGISTIC,
        wrt="w",
        sizes=((2000, 500), (20000, 1000)),
        quick=((2000, 500),),
        arrays=logistic_arrays,
        hand=logistic_gradient,
        peer=logistic_loss,
        limits={"hand": 1.05},
    ),
    Task(
        name="softmax cross-entropy gradient",
        program="X: (m, n); W: (n, k); b: (k,); Y: (m, k)\n"
        "Z = X @ W + b; L = sum(logsumexp(Z, axis=1)) - sum(Y*Z)",
        wrt=("W", "b"),
        sizes=((10000, 784, 10),),
        quick=((10000, 784, 10),),
        arrays=softmax_arrays,
        hand=softmax_gradients,
        peer=softmax_loss,
        limits={"hand": 1.05, "jax": 1},
    ),
    Task(
        name="matrix-factorisation gradient",
        program="T: (m, n); U: (m, k); V: (n, k); L = sum((T - U @ V.T)**2)",
        wrt="U",
        sizes=((1000, 1000, 10), (2000, 2000, 10)),
        quick=((1000, 1000, 10),),
        arrays=factorisation_arrays,
        hand=factorisation_gradient,
        peer=lambda np, T, U, V: np.sum((T - U @ V.T) ** 2),
        limits={"jax": 0.5},
    ),
    Task(
        name="CP gradient, three factors",
        program="T: (l, m, n); A: (l, r); B: (m, r); C: (n, r)\n"
        "R[i,j,k] = T[i,j,k] - A[i,q]*B[j,q]*C[k,q]; L = sum(R**2)",
        wrt=("A", "B", "C"),
        sizes=((100, 20),),
        quick=((100, 20),),
        arrays=cp_arrays,
        hand=cp_gradients,
        peer=cp_loss,
        limits={"jax": 0.5},
    ),
    Task(
        name="gradient of a product of four axes",
        program="C[a,b,c,e] = A[d,a,f,b]*B[c,f,d,e]; L = sum(C**2)",
        wrt="A",
        sizes=((8,), (16,), (32,)),
        quick=((8,), (16,)),
        arrays=four_axes_arrays,
        hand=four_axes_gradient,
        peer=four_axes_loss,
        limits={"jax": 1},
    ),
    Task(
        name="Gaussian kernel gradient",
        program="X: (m, d); D[i,j] = sum[k]((X[i,k] - X[j,k])**2); L = sum(exp(-D/2))",
        wrt="X",
        sizes=((1000, 5),),
        quick=((1000, 5),),
        arrays=lambda random, m, d: {"X": random.standard_normal((m, d))},
        hand=kernel_gradient,
        peer=kernel_loss,
        limits={"hand": 1.05},
        options={"expand": True},  # hand multiplies the squares out too
    ),
    Task(
        "chain of matrices, the first",
        wrt="A1",
        sizes=((8, 500), (32, 500), (128, 500)),
        quick=((8, 500),),
        hand=chain_first,
        **chain(),
    ),
    Task(
        "chain of matrices, each",
        wrt=chain_names,
        sizes=((8, 500), (32, 500), (128, 500)),
        quick=((8, 500),),
        hand=chain_each,
        **chain(),
    ),
    Task(
        name="tanh network, all weights",
        program=network_program,
        wrt=lambda layers, width, batch: tuple(f"W{k}" for k in range(1, layers + 1)),
        sizes=((5, 16, 16), (5, 128, 128), (10, 256, 512)),
        quick=((5, 16, 16), (5, 128, 128)),
        arrays=network_arrays,
        hand=network_gradients,
        peer=network_loss,
        limits={"hand": 1.05},
    ),
    Task(
        name="gradient of a robust loss",
        program="A: (m, n); B: (m, n); L = sum(log(1 + (A - B)**2))",
        wrt="A",
        sizes=((1000, 1000), (10000, 1000)),
        quick=((1000, 1000),),
        arrays=robust_arrays,
        hand=robust_gradient,
        peer=robust_loss,
        limits={"hand": 1.05},
    ),
    Task(
        name="gradient through normalised rows",
        program="A: (m, n); B: (m, n); C = A - mean(A, axis=1)[:, None]\n"
        "L = sum(B*C/sqrt(0.1 + mean(C**2, axis=1))[:, None])",
        wrt="A",
        sizes=((1000, 1000), (10000, 1000)),
        quick=((1000, 1000),),
        arrays=robust_arrays,
        hand=normalised_gradient,
        peer=normalised_loss,
        limits={"hand": 1.05},
    ),
)
