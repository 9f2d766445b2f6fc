"""Tasks of `bench_small.py`: derivatives at arrays of size 4, and the bodies that an expert writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Small:
    """One derivative, and its closed form by hand, called with the arrays in the order of the shapes."""

    name: str
    program: str
    wrt: str | tuple[str, ...]
    shapes: Mapping[str, Shape]
    hand: Callable[..., Any]
    order: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

    def arrays(self, random: np.random.Generator) -> list[np.ndarray]:
        return [np.asarray(random.standard_normal(shape)) for shape in self.shapes.values()]


def ridge(A: np.ndarray, x: np.ndarray, b: np.ndarray, c: np.ndarray) -> Any:
    r = A @ x - b
    return r @ r + c * (x @ x), 2 * (r @ A + c * x)


def logistic(y: np.ndarray, X: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Where the exponential overflows, the weight is the zero that it should be."""
    return -(y / (1 + np.exp(y * (X @ w)))) @ X


def softmax(Z: np.ndarray) -> np.ndarray:
    S = np.exp(Z - Z.max(axis=1, keepdims=True))
    S /= S.sum(axis=1, keepdims=True)
    return S


def softmax_regression(X: np.ndarray, W: np.ndarray, b: np.ndarray, Y: np.ndarray) -> dict[str, np.ndarray]:
    P = softmax(X @ W + b) - Y
    return {"W": X.T @ P, "b": P.sum(axis=0)}


def factorisation(T: np.ndarray, U: np.ndarray, V: np.ndarray) -> dict[str, np.ndarray]:
    R = 2 * (U @ V.T - T)
    return {"U": R @ V, "V": R.T @ U}


def candecomp(T: np.ndarray, A: np.ndarray, B: np.ndarray, C: np.ndarray) -> np.ndarray:
    n, q = A.shape
    pairs = (B[:, None] * C).reshape(-1, q)
    return 2 * ((A @ pairs.T - T.reshape(n, -1)) @ pairs)


def network(
    x: np.ndarray, W: np.ndarray, b: np.ndarray, V: np.ndarray, t: np.ndarray
) -> dict[str, np.ndarray]:
    h = np.tanh(x @ W + b)
    r = 2 * (h @ V - t)
    g = (r @ V.T) * (1 - h**2)
    return {"W": x.T @ g, "b": g.sum(axis=0), "V": h.T @ r}


def rosenbrock(x: np.ndarray) -> np.ndarray:
    r = x[1:] - x[:-1] ** 2
    g = np.zeros(len(x))
    g[:-1] = -400 * x[:-1] * r + 2 * (x[:-1] - 1)
    g[1:] += 200 * r
    return g


def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    d = x - y
    return d / np.sqrt(d @ d)


def spread(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) * (2 / x.size)


def kernel(X: np.ndarray) -> np.ndarray:
    D = X[:, None] - X
    K = np.exp(-0.5 * (D * D).sum(axis=2))
    return 2 * (K @ X - K.sum(axis=1)[:, None] * X)


def log_determinant(A: np.ndarray) -> np.ndarray:
    return np.linalg.inv(A).T


def chain(A: np.ndarray, B: np.ndarray, C: np.ndarray) -> np.ndarray:
    return np.full(A.shape, B @ C.sum(axis=1))


def logsumexp_hessian(z: np.ndarray) -> np.ndarray:
    p = np.exp(z - z.max())
    p /= p.sum()
    H = -p[:, None] * p
    H.reshape(-1)[:: len(p) + 1] += p
    return H


def diagonal(x: np.ndarray) -> np.ndarray:
    n = len(x)
    J = np.zeros((n, n))
    J.reshape(-1)[:: n + 1] = np.exp(x)
    return J


def softmax_jacobian(X: np.ndarray) -> np.ndarray:
    S = softmax(X)
    m, n = X.shape
    J = np.zeros((m, n, m, n))
    np.einsum("ijik->ijk", J)[...] = -S[:, :, None] * S[:, None]
    np.einsum("ijij->ij", J)[...] += S
    return J


def product_jacobian(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    (m, k), n = A.shape, B.shape[1]
    J = np.zeros((m, n, m, k))
    np.einsum("ijik->ijk", J)[...] = B.T
    return J


def convolution_jacobian(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    n, k = len(x), len(w)
    J = np.zeros((n - k + 1, n))
    np.ndarray((n - k + 1, k), float, J, 0, (8 * (n + 1), 8))[...] = w
    return J


def second_difference(u: np.ndarray, c: np.ndarray) -> np.ndarray:
    n = len(u)
    J = np.zeros((n - 2, n))
    flat = J.reshape(-1)
    flat[:: n + 1] = c
    flat[1 :: n + 1] = 2 * u[1:-1] - 2 * c
    flat[2 :: n + 1] = c
    return J


TASKS = (
    Small(
        "affine loss",
        "W: (m, n); X: (m, n); b: (n,); sum(W*X + b)",
        "W",
        {"W": (4, 4), "X": (4, 4), "b": (4,)},
        lambda W, X, b: X.copy(),
    ),
    Small(
        "least squares",
        "sum((A @ x - b)**2)",
        "x",
        {"A": (4, 4), "x": (4,), "b": (4,)},
        lambda A, x, b: 2 * ((A @ x - b) @ A),
    ),
    Small(
        "ridge regression, with its value",
        "A: (m, n); x: (n,); b: (m,); c: (); sum((A @ x - b)**2) + c*sum(x**2)",
        "x",
        {"A": (4, 4), "x": (4,), "b": (4,), "c": ()},
        ridge,
        options={"value": True},
    ),
    Small(
        "Rosenbrock",
        "sum(100*(x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)",
        "x",
        {"x": (4,)},
        rosenbrock,
    ),
    Small(
        "logistic loss",
        "y: (m,); X: (m, n); w: (n,); sum(log1p(exp(-y*(X @ w))))",
        "w",
        {"y": (4,), "X": (4, 4), "w": (4,)},
        logistic,
    ),
    Small(
        "softmax regression",
        "Z = X @ W + b; sum(logsumexp(Z, axis=1)) - sum(Y*Z)",
        ("W", "b"),
        {"X": (4, 4), "W": (4, 4), "b": (4,), "Y": (4, 4)},
        softmax_regression,
    ),
    Small(
        "matrix factorisation",
        "sum((T - U @ V.T)**2)",
        ("U", "V"),
        {"T": (4, 4), "U": (4, 4), "V": (4, 4)},
        factorisation,
    ),
    Small(
        "CP, one factor",
        "R[i,j,k] = T[i,j,k] - A[i,q]*B[j,q]*C[k,q]; sum(R**2)",
        "A",
        {"T": (4, 4, 4), "A": (4, 4), "B": (4, 4), "C": (4, 4)},
        candecomp,
    ),
    Small(
        "network of two layers",
        "x: (m, n); W: (n, k); b: (k,); V: (k, p); t: (m, p); h = tanh(x @ W + b); sum((h @ V - t)**2)",
        ("W", "b", "V"),
        {"x": (4, 4), "W": (4, 4), "b": (4,), "V": (4, 4), "t": (4, 4)},
        network,
    ),
    Small("distance", "sqrt(sum((x - y)**2))", "x", {"x": (4,), "y": (4,)}, distance),
    Small("variance", "var(x)", "x", {"x": (4,)}, spread),
    Small(
        "chain of matrices, the first",
        "A: (m, n); B: (n, k); C: (k, p); sum(A @ B @ C)",
        "A",
        {"A": (4, 4), "B": (4, 4), "C": (4, 4)},
        chain,
    ),
    Small("log-determinant", "log(abs(det(A)))", "A", {"A": (4, 4)}, log_determinant),
    Small("Hessian of a quadratic form", "x @ A @ x", "x", {"x": (4,), "A": (4, 4)}, lambda x, A: A + A.T, 2),
    Small("log-sum-exp Hessian", "logsumexp(z)", "z", {"z": (4,)}, logsumexp_hessian, 2),
    Small("derivative of exp", "exp(x)", "x", {"x": (4,)}, diagonal),
    Small("row softmax Jacobian", "softmax(X, axis=1)", "X", {"X": (4, 4)}, softmax_jacobian),
    Small("derivative of A @ B in A", "A @ B", "A", {"A": (4, 4), "B": (4, 4)}, product_jacobian),
    Small(
        "convolution Jacobian",
        "x: (n,); w: (p,); Z[i] = x[i+k]*w[k]",
        "x",
        {"x": (4,), "w": (2,)},
        convolution_jacobian,
    ),
    Small(
        "second differences, Jacobian",
        "u: (n,); c: (); f[i] = u[i+1]**2 + c*(u[i] - 2*u[i+1] + u[i+2])",
        "u",
        {"u": (4,), "c": ()},
        second_difference,
    ),
)
