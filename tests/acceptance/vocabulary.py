"""The functions of linear algebra and of the structure of arrays, in all of NumPy's spellings, as rows.

A row is: the program, the shapes of its inputs, and the program as a plain NumPy function. `domains` says
where an input is drawn that is not any real number; an input of whole numbers is an index. `named`: the
sizes may be names as well as numbers. `by`: the inputs to differentiate by, all that are not whole numbers.
"""

# ruff: noqa: E501

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from numpy.linalg import cholesky, det, eigvalsh, inv, matrix_power, norm, pinv, slogdet, solve, svd

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    program: str
    shapes: dict[str, Shape]
    value: Callable[..., object]
    domains: dict[str, str] = field(default_factory=dict)
    named: bool = True
    whole: dict[str, list[int]] = field(default_factory=dict)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        random = np.random.default_rng(7)
        drawn = {
            name: draw(random, shape, self.domains.get(name, "real")) for name, shape in self.shapes.items()
        }
        return drawn | {name: np.array(values) for name, values in self.whole.items()}

    @property
    def sizes(self) -> dict[str, Shape]:
        return self.shapes | {name: np.shape(values) for name, values in self.whole.items()}

    @property
    def names(self) -> dict[str, tuple[int | str, ...]]:
        """Every size a name, equal ones the same; what is 1 stays 1."""
        return {
            name: tuple(size if size == 1 else f"n{size}" for size in shape)
            for name, shape in self.sizes.items()
        }


def draw(random: np.random.Generator, shape: Shape, domain: str) -> np.ndarray:
    array = random.standard_normal(shape)
    match domain:
        case "real":
            return array
        case "invertible":
            return array / 2 + 2 * np.eye(shape[-1]) * random.choice([-1.0, 1.0], shape[-1])
        case "definite":
            return array / 4 + 3 * np.eye(shape[-1]) * np.arange(1, shape[-1] + 1)
        case "distinct":
            return array / 4 + np.eye(*shape) * np.arange(1, shape[-1] + 1)
        case "positive":
            return np.abs(array) + 0.5
        case "nonzero":
            return array + np.sign(array) / 2
    raise ValueError(f"no domain {domain!r}")


def symmetric(A):
    return (A + np.swapaxes(A, -1, -2)) / 2


def normalized(x, axis=-1):
    return x / np.sqrt((x**2).sum(axis=axis, keepdims=True))


X, V, W, U = (2, 3), (3,), (5,), (2,)
SQUARE, BATCH = (3, 3), (2, 3, 3)
INV = {"A": "invertible"}
DEF = {"A": "definite"}
OFF = {"x": "nonzero", "A": "nonzero"}
SVD = {"A": "distinct"}

# fmt: off
LINEAR_ALGEBRA = [
    Row("inv(A)", {"A": SQUARE}, lambda A: inv(A), INV),
    Row("inv(A)", {"A": BATCH}, lambda A: inv(A), INV),
    Row("np.linalg.inv(A) @ x", {"A": SQUARE, "x": V}, lambda A, x: inv(A) @ x, INV),
    Row("pinv(A)", {"A": (3, 2)}, lambda A: pinv(A), SVD),
    Row("pinv(A)", {"A": (2, 3)}, lambda A: pinv(A), SVD),
    Row("solve(A, b)", {"A": SQUARE, "b": V}, lambda A, b: solve(A, b), INV),
    Row("solve(A, B)", {"A": SQUARE, "B": (3, 5)}, lambda A, B: solve(A, B), INV),
    Row("solve(A, B)", {"A": BATCH, "B": (2, 3, 5)}, lambda A, B: solve(A, B), INV),
    Row("b @ solve(A.T, c)", {"A": SQUARE, "b": V, "c": V}, lambda A, b, c: b @ solve(A.T, c), INV),
    Row("det(A)", {"A": SQUARE}, lambda A: det(A), INV),
    Row("det(A)", {"A": BATCH}, lambda A: det(A), INV),
    Row("logdet(A)", {"A": SQUARE}, lambda A: slogdet(A)[1], DEF),
    Row("logdet(A)", {"A": BATCH}, lambda A: slogdet(A)[1], DEF),
    Row("s, ld = slogdet(A)\ny = s*ld", {"A": SQUARE}, lambda A: slogdet(A)[0] * slogdet(A)[1], INV),
    Row("sign, ld = np.linalg.slogdet(A)\ny = ld", {"A": BATCH}, lambda A: slogdet(A)[1], INV),
    Row("slogdet(A)[1]", {"A": SQUARE}, lambda A: slogdet(A)[1], INV),
    Row("cholesky(A)", {"A": SQUARE}, lambda A: cholesky(symmetric(A)), DEF),
    Row("cholesky(A)", {"A": BATCH}, lambda A: cholesky(symmetric(A)), DEF),
    Row("L = cholesky(A)\nz = solve(L, b)\ny = z @ z", {"A": SQUARE, "b": V}, lambda A, b: b @ solve(symmetric(A), b), DEF),
    Row("eigvalsh(A)", {"A": SQUARE}, lambda A: eigvalsh(symmetric(A)), DEF),
    Row("svdvals(A)", {"A": (2, 3)}, lambda A: svd(A, compute_uv=False), SVD, named=False),
    Row("svdvals(A)", {"A": (3, 2)}, lambda A: svd(A, compute_uv=False), SVD, named=False),
    Row("expm(A)", {"A": SQUARE}, lambda A: scipy.linalg.expm(A)),
    Row("expm(t*A) @ x", {"A": SQUARE, "t": (), "x": V}, lambda A, t, x: scipy.linalg.expm(t * A) @ x),
    Row("kron(A, B)", {"A": X, "B": (5, 2)}, lambda A, B: np.kron(A, B)),
    Row("kron(x, y)", {"x": U, "y": V}, lambda x, y: np.kron(x, y)),
    Row("matrix_power(A, 0)*t", {"A": SQUARE, "t": ()}, lambda A, t: matrix_power(A, 0) * t),
    Row("matrix_power(A, 1)", {"A": SQUARE}, lambda A: A),
    Row("matrix_power(A, 3)", {"A": SQUARE}, lambda A: matrix_power(A, 3)),
    Row("matrix_power(A, 5)", {"A": SQUARE}, lambda A: matrix_power(A, 5)),
    Row("np.linalg.matrix_power(A, -2)", {"A": SQUARE}, lambda A: matrix_power(A, -2), INV),
    Row("multi_dot([A, B, C])", {"A": X, "B": (3, 5), "C": (5, 2)}, lambda A, B, C: A @ B @ C),
    Row("np.linalg.multi_dot([x, A, B, y])", {"x": U, "A": X, "B": (3, 5), "y": W}, lambda x, A, B, y: x @ A @ B @ y),
    Row("cross(x, y)", {"x": V, "y": V}, lambda x, y: np.cross(x, y), named=False),
    Row("cross(A, B)", {"A": (2, 3), "B": (2, 3)}, lambda A, B: np.cross(A, B), named=False),
    Row("cross(A, y)", {"A": (5, 3), "y": V}, lambda A, y: np.cross(A, y), named=False),
    Row("cross(A, B, axis=0)", {"A": (3, 2), "B": (3, 2)}, lambda A, B: np.cross(A, B, axis=0), named=False),
    Row("norm(x)", {"x": V}, lambda x: norm(x), OFF),
    Row("norm(x, 1)", {"x": V}, lambda x: norm(x, 1), OFF),
    Row("norm(x, inf)", {"x": V}, lambda x: norm(x, np.inf), OFF),
    Row("norm(x, 3)", {"x": V}, lambda x: norm(x, 3), OFF),
    Row("norm(x, ord=2.5)", {"x": V}, lambda x: norm(x, 2.5), OFF),
    Row("norm(A, 'fro')", {"A": X}, lambda A: norm(A), OFF),
    Row("norm(A, 'nuc')", {"A": X}, lambda A: norm(A, "nuc"), SVD, named=False),
    Row("norm(A, axis=0)", {"A": X}, lambda A: norm(A, axis=0), OFF),
    Row("norm(A, 1, axis=-1, keepdims=True)", {"A": X}, lambda A: norm(A, 1, axis=-1, keepdims=True), OFF),
    Row("norm(A, 3, 0)", {"A": X}, lambda A: norm(A, 3, 0), OFF),
    Row("diag(x)", {"x": V}, lambda x: np.diag(x)),
    Row("diag(A)", {"A": SQUARE}, lambda A: np.diag(A)),
    Row("diag(x, 1)", {"x": V}, lambda x: np.diag(x, 1)),
    Row("np.diag(A, k=-1)", {"A": SQUARE}, lambda A: np.diag(A, -1)),
    Row("diagonal(A, offset=1)", {"A": (3, 3)}, lambda A: np.diagonal(A, 1)),
    Row("diagonal(A, axis1=1, axis2=2)", {"A": (2, 3, 3)}, lambda A: np.diagonal(A, axis1=1, axis2=2)),
    Row("trace(A, 1)", {"A": SQUARE}, lambda A: np.trace(A, 1)),
    Row("diagonal(A)", {"A": (3, 3, 2)}, lambda A: np.diagonal(A)),
    Row("trace(A)", {"A": SQUARE}, lambda A: np.trace(A)),
    Row("tril(A)", {"A": (3, 5)}, lambda A: np.tril(A)),
    Row("tril(A, 1)", {"A": (5, 3)}, lambda A: np.tril(A, 1)),
    Row("triu(A)", {"A": (5, 3)}, lambda A: np.triu(A)),
    Row("np.triu(A, k=-1)", {"A": (5, 5)}, lambda A: np.triu(A, -1)),
    Row("tril(A)", {"A": (2, 3, 5)}, lambda A: np.tril(A)),
    Row("A + t*eye(3)", {"A": SQUARE, "t": ()}, lambda A, t: A + t * np.eye(3), named=False),
    Row("A: (n, n)\nA @ A + t*eye(n)", {"A": SQUARE, "t": ()}, lambda A, t: A @ A + t * np.eye(3), named=False),
    Row("t*eye(2, 3)", {"t": ()}, lambda t: t * np.eye(2, 3), named=False),
]

STRUCTURE = [
    Row("reshape(A, (3, 2))", {"A": X}, lambda A: A.reshape(3, 2), named=False),
    Row("A.reshape(3, 2)", {"A": X}, lambda A: A.reshape(3, 2), named=False),
    Row("A.reshape(-1)", {"A": X}, lambda A: A.reshape(-1)),
    Row("x.reshape(2, -1)", {"x": (2, 3, 5)}, lambda x: x.reshape(2, -1), named=False),
    Row("x.reshape((2, 3))", {"x": (6,)}, lambda x: x.reshape(2, 3), named=False),
    Row("A: (m, n)\nreshape(A, m*n)", {"A": X}, lambda A: A.reshape(6), named=False),
    Row("ravel(A)", {"A": X}, lambda A: A.ravel()),
    Row("A.flatten()", {"A": X}, lambda A: A.flatten()),
    Row("x.ravel()", {"x": (2, 3, 5)}, lambda x: x.ravel()),
    Row("transpose(x, (2, 0, 1))", {"x": (2, 3, 5)}, lambda x: x.transpose(2, 0, 1)),
    Row("swapaxes(x, 0, -1)", {"x": (2, 3, 5)}, lambda x: x.swapaxes(0, -1)),
    Row("moveaxis(x, 0, -1)", {"x": (2, 3, 5)}, lambda x: np.moveaxis(x, 0, -1)),
    Row("expand_dims(x, 1)*y", {"x": V, "y": W}, lambda x, y: x[:, None] * y),
    Row("squeeze(x, (0, 2))", {"x": (1, 3, 1)}, lambda x: x.squeeze()),
    Row("x.squeeze(-1)", {"x": (2, 3, 1)}, lambda x: x.squeeze(-1)),
    Row("broadcast_to(x, (2, 3))", {"x": V}, lambda x: np.broadcast_to(x, (2, 3)), named=False),
    Row("concatenate([x, y])", {"x": V, "y": W}, lambda x, y: np.concatenate([x, y])),
    Row("np.concatenate((A, B), axis=1)", {"A": X, "B": (2, 5)}, lambda A, B: np.concatenate([A, B], 1)),
    Row("concatenate([A, B, A], 0)", {"A": X, "B": (5, 3)}, lambda A, B: np.concatenate([A, B, A])),
    Row("concatenate([A, B], axis=-1)", {"A": X, "B": (2, 5)}, lambda A, B: np.concatenate([A, B], 1)),
    Row("stack([x, y])", {"x": V, "y": V}, lambda x, y: np.stack([x, y])),
    Row("stack([x, y, x*y], axis=1)", {"x": V, "y": V}, lambda x, y: np.stack([x, y, x * y], 1)),
    Row("stack((A, B), axis=-1)", {"A": X, "B": X}, lambda A, B: np.stack([A, B], -1)),
    Row("hstack([x, y])", {"x": V, "y": W}, lambda x, y: np.hstack([x, y])),
    Row("hstack([A, B])", {"A": X, "B": (2, 5)}, lambda A, B: np.hstack([A, B])),
    Row("vstack([x, y])", {"x": V, "y": V}, lambda x, y: np.vstack([x, y])),
    Row("vstack([A, y])", {"A": X, "y": V}, lambda A, y: np.vstack([A, y])),
    Row("array([t, t**2, sin(t)])", {"t": ()}, lambda t: np.array([t, t**2, np.sin(t)])),
    Row("np.array([[a, -b], [b, a]]) @ x", {"a": (), "b": (), "x": U}, lambda a, b, x: np.array([[a, -b], [b, a]]) @ x, named=False),
    Row("sum([x, y, x*y], axis=0)", {"x": V, "y": V}, lambda x, y: x + y + x * y),
    Row("max([x, 2*y], axis=0)", {"x": V, "y": V}, lambda x, y: np.maximum(x, 2 * y)),
    Row("concatenate([[t], x])", {"t": (), "x": V}, lambda t, x: np.concatenate([[t], x])),
    Row("[[1, 2], [3, -4]] @ x", {"x": U}, lambda x: np.array([[1, 2], [3, -4]]) @ x, named=False),
    Row("x*array([1, 2, 3])", {"x": V}, lambda x: x * np.array([1, 2, 3]), named=False),
    Row("tile(x, 2)", {"x": V}, lambda x: np.tile(x, 2)),
    Row("tile(A, (2, 3))", {"A": X}, lambda A: np.tile(A, (2, 3))),
    Row("tile(x, (2, 1))", {"x": V}, lambda x: np.tile(x, (2, 1))),
    Row("repeat(x, 2)", {"x": V}, lambda x: np.repeat(x, 2)),
    Row("repeat(A, 3, axis=1)", {"A": X}, lambda A: np.repeat(A, 3, axis=1)),
    Row("A.repeat(2, axis=0)", {"A": X}, lambda A: np.repeat(A, 2, axis=0)),
    Row("repeat(A, 2)", {"A": X}, lambda A: np.repeat(A, 2)),
    Row("roll(x, 1)", {"x": W}, lambda x: np.roll(x, 1)),
    Row("roll(x, -2)*x", {"x": W}, lambda x: np.roll(x, -2) * x, named=False),
    Row("roll(A, 1, axis=0)", {"A": (3, 5)}, lambda A: np.roll(A, 1, axis=0)),
    Row("roll(A, -1, axis=-1)", {"A": (3, 5)}, lambda A: np.roll(A, -1, axis=-1)),
    Row("flip(x)", {"x": W}, lambda x: x[::-1]),
    Row("flip(A)", {"A": X}, lambda A: A[::-1, ::-1]),
    Row("flip(A, axis=0)*A", {"A": X}, lambda A: A[::-1] * A),
    Row("np.flip(A, -1)", {"A": X}, lambda A: A[:, ::-1]),
    Row("pad(x, 1)", {"x": V}, lambda x: np.pad(x, 1)),
    Row("pad(x, (1, 2))", {"x": V}, lambda x: np.pad(x, (1, 2))),
    Row("pad(A, ((1, 2), (0, 1)))", {"A": X}, lambda A: np.pad(A, ((1, 2), (0, 1)))),
    Row("pad(A, 2, constant_values=3)", {"A": X}, lambda A: np.pad(A, 2, constant_values=3)),
    Row("np.pad(x, 1, mode='constant')", {"x": V}, lambda x: np.pad(x, 1)),
    Row("cumsum(x)", {"x": W}, lambda x: np.cumsum(x)),
    Row("cumsum(x*x)*x", {"x": W}, lambda x: np.cumsum(x * x) * x),
    Row("cumsum(A, axis=0)", {"A": X}, lambda A: np.cumsum(A, axis=0)),
    Row("A.cumsum(axis=1)", {"A": X}, lambda A: np.cumsum(A, axis=1)),
    Row("cumsum(A)", {"A": X}, lambda A: np.cumsum(A)),
    Row("cumprod(x)", {"x": W}, lambda x: np.cumprod(x)),
    Row("cumprod(A, axis=0)", {"A": (3, 2)}, lambda A: np.cumprod(A, axis=0)),
    Row("cumprod(A, -1)", {"A": (2, 5)}, lambda A: np.cumprod(A, -1)),
    Row("diff(x)", {"x": W}, lambda x: np.diff(x)),
    Row("diff(x, 2)", {"x": W}, lambda x: np.diff(x, 2)),
    Row("diff(A, axis=0)**2", {"A": (5, 2)}, lambda A: np.diff(A, axis=0) ** 2),
    Row("diff(A, n=2)", {"A": (2, 5)}, lambda A: np.diff(A, 2)),
    Row("clip(x, None, 0.5)", {"x": W}, lambda x: np.clip(x, None, 0.5)),
    Row("average(x)", {"x": W}, lambda x: np.average(x)),
    Row("average(x, weights=w)", {"x": W, "w": W}, lambda x, w: np.average(x, weights=w), {"w": "positive"}),
    Row("average(A, axis=0)", {"A": X}, lambda A: np.average(A, axis=0)),
    Row("average(A, axis=1, weights=w)", {"A": X, "w": V}, lambda A, w: np.average(A, 1, w), {"w": "positive"}),
    Row("average(A, weights=B)", {"A": X, "B": X}, lambda A, B: np.average(A, weights=B), {"B": "positive"}),
    Row("normalize(x)", {"x": V}, lambda x: normalized(x)),
    Row("normalize(A)", {"A": X}, lambda A: normalized(A)),
    Row("normalize(A, axis=0)", {"A": X}, lambda A: normalized(A, 0)),
    # the shorter of the two slides, so `same` and `valid` need to know which one that is
    *(Row(f"{name}(x, w{mode})", {"x": x, "w": w}, lambda x, w, f=f, kind=kind: f(x, w, mode=kind), named=kind == "full")
      for name, f, kind, mode in [
          ("convolve", np.convolve, "full", ""), ("convolve", np.convolve, "full", ", 'full'"),
          ("np.convolve", np.convolve, "same", ", mode='same'"), ("convolve", np.convolve, "valid", ", mode='valid'"),
          ("correlate", np.correlate, "valid", ""), ("np.correlate", np.correlate, "same", ", 'same'"),
          ("correlate", np.correlate, "full", ", mode='full'")]
      for x, w in [((7,), (3,)), ((7,), (2,)), ((2,), (5,))]),
]

GATHER = [
    Row("x[k]", {"x": W}, lambda x, k: x[k], whole={"k": [0, 4, 2, 4]}),
    Row("x[k]*y", {"x": W, "y": (4,)}, lambda x, y, k: x[k] * y, whole={"k": [0, 4, 1, 4]}),
    Row("A[k]", {"A": X}, lambda A, k: A[k], whole={"k": [1, 0, 1, 1]}),
    Row("A[:, k]", {"A": X}, lambda A, k: A[:, k], whole={"k": [1, 0, 2, 1]}),
    Row("A[k, l]", {"A": X}, lambda A, k, l: A[k, l], whole={"k": [1, 0, 1, 1], "l": [2, 0, 2, 1]}),
    Row("y[i] = A[k[i],i]**2", {"A": (2, 3)}, lambda A, k: A[k, np.arange(3)] ** 2, whole={"k": [1, 0, 1]}),
    Row("take(x, k)", {"x": W}, lambda x, k: np.take(x, k), whole={"k": [0, 4, 2, 4]}),
    Row("take(A, k, axis=1)", {"A": X}, lambda A, k: np.take(A, k, axis=1), whole={"k": [1, 0, 2, 1]}),
    Row("A.take(k, 0)", {"A": X}, lambda A, k: np.take(A, k, 0), whole={"k": [1, 0, 1, 1]}),
    Row("one_hot(k, 3) @ A", {"A": (3, 2)}, lambda A, k: A[k], whole={"k": [1, 0, 2, 1]}, named=False),
    Row("-sum(one_hot(k, 3)*log_softmax(A))", {"A": (4, 3)}, whole={"k": [1, 0, 2, 1]}, named=False,
        value=lambda A, k: -(A - np.log(np.exp(A).sum(1, keepdims=True)))[np.arange(4), k].sum()),
]

SLICES = [
    Row("x[::-1]", {"x": W}, lambda x: x[::-1]),
    Row("x[1:]*x[:-1]", {"x": W}, lambda x: x[1:] * x[:-1]),
    Row("x[1:-1:2]", {"x": (7,)}, lambda x: x[1:-1:2], named=False),
    Row("A[0]*A[-1]", {"A": X}, lambda A: A[0] * A[-1], named=False),
    Row("A[:, ::-2]", {"A": (2, 5)}, lambda A: A[:, ::-2]),
    Row("A[1, 1:]", {"A": X}, lambda A: A[1, 1:], named=False),
    Row("x[..., None, 0]", {"x": (2, 3, 5)}, lambda x: x[..., None, 0], named=False),
]
# fmt: on

ROWS = LINEAR_ALGEBRA + STRUCTURE + GATHER + SLICES
