"""Expressions that the ancestors and peers of this library test, with their derivatives, as rows.

A row is: its number and origin, the program, the name to differentiate by, the shapes, the program
again as a plain NumPy function, and its derivative as another one. Three independent things must
agree: the derivative as written here, the slope of the NumPy function, and what the library says.
`order` is that of the derivative, `domain` where the inputs are drawn (see `numeric.sample`).
A row with `symbolic=False` has sizes that only numbers can settle; the others are also derived with
all sizes symbolic, equal sizes sharing a name. A `declared` row says its shapes in the program.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample
from numpy import cos, diag, einsum, exp, log, outer, sin, sinh, sqrt, tan, tanh, trace

from einsumdiff import derive

I = np.eye
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    number: str
    origin: str
    program: str
    wrt: str
    shapes: dict[str, Shape]
    value: Callable[..., object]
    derivative: Callable[..., object]
    domain: str = "real"
    order: int = 1
    symbolic: bool = True
    declared: bool = False

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return sample(self.shapes, self.domain, seed=int(self.number[1:]))

    @property
    def sizes(self) -> dict[str, Shape] | None:
        return None if self.declared else self.shapes

    @property
    def size_names(self) -> dict[str, tuple[int | str, ...]] | None:
        """Every size a name, equal ones the same; what is 1 stays 1, so that it may broadcast."""
        if self.declared:
            return None
        return {
            name: tuple(size if size == 1 else f"n{size}" for size in shape)
            for name, shape in self.shapes.items()
        }


def sigmoid(x):
    return 1 / (1 + exp(-x))


def softplus(x):
    return log(1 + exp(x))


def softmax(x):
    return exp(x) / exp(x).sum()


def windows(x, m, n):
    """Every window of m by n: `x[i+p, j+q]` with the axes i, j, p, q."""
    return np.lib.stride_tricks.sliding_window_view(x, (m, n))


def conv_in_input(X, W):
    """`W[p-i, q-j]` where that is within W, else 0."""
    (p, q), (m, n) = X.shape, W.shape
    out = np.zeros((p - m + 1, q - n + 1, p, q))
    for i, j in np.ndindex(out.shape[:2]):
        out[i, j, i : i + m, j : j + n] = W
    return out


def conv(X, W):
    return einsum("ijmn,mn->ij", windows(X, *W.shape), W)


def network(w1, w2, w3, x1):
    return np.sum(sigmoid(w3 @ softplus(w2 @ softplus(w1 @ x1))))


def network_slope(w1, w2, w3, x1):
    a = w1 @ x1
    b = w2 @ softplus(a)
    s = sigmoid(w3 @ softplus(b))
    return einsum("o,oq,q,qp,p,n->pn", s * (1 - s), w3, sigmoid(b), w2, sigmoid(a), x1)


def encoded(We1, We2, b1, b2, x):
    return sigmoid(We2 @ sigmoid(We1 @ x + b1) + b2)


def autoencoder(We1, We2, Wd, b1, b2, x):
    return np.sum((sigmoid(Wd @ encoded(We1, We2, b1, b2, x)) - x) ** 2)


def autoencoder_slope(We1, We2, Wd, b1, b2, x):
    h = encoded(We1, We2, b1, b2, x)
    r = sigmoid(Wd @ h)
    return outer(2 * (r - x) * r * (1 - r), h)


def rnn_slope(Wxh, Whh, Why, h, x, y):
    t = tanh(Whh @ h + Wxh @ x)
    return einsum("o,om,m,n->mn", 2 * (Why @ t - y), Why, 1 - t**2, x)


def program_fs(a, b, c, d):
    k = np.arange(a.shape[1])
    terms = [
        [((a[i] + b[j]) ** 2 * c[i, i] + d[i + k] ** 3).sum() for j in range(len(b))] for i in range(len(a))
    ]
    return exp(-np.array(terms))


def program_fs_slope(a, b, c, d):
    inside = np.array([[float(0 <= m - i < a.shape[1]) for m in range(len(d))] for i in range(len(a))])
    return einsum("ij,m,im->ijm", -program_fs(a, b, c, d), 3 * d**2, inside)


def loopy(x, y):
    a = 1 / (1 + sinh(x[:, None] + y) ** 2)
    return exp(a * x).sum(axis=1)


def loopy_slope(x, y):
    u = x[:, None] + y
    a = 1 / (1 + sinh(u) ** 2)
    return exp(a * x) * x * (-2 * sinh(u) * np.cosh(u) * a**2)


def pair_products(A0):
    return (A0 + A0.T).prod(axis=1)


def pair_products_slope(A0):
    n = len(A0)
    sums = A0 + A0.T
    rest = np.array([[np.delete(sums[i], k).prod() for k in range(n)] for i in range(n)])
    return einsum("ik,im,kn->imn", rest, I(n), I(n)) + einsum("ik,km,in->imn", rest, I(n), I(n))


def row(*args, **kwargs) -> Row:
    return Row(*args, **kwargs)


# fmt: off
ROWS = [
    # Espresso, XDiff and XGrad
    row("S1", "Espresso tdiff_test", "y = W @ x + b", "W", {"W": (2, 3), "x": (3,), "b": (2,)},
        lambda W, x, b: W @ x + b, lambda W, x, b: einsum("im,n->imn", I(2), x)),
    row("S2", "Espresso tdiff_test", "y = W @ x + b", "b", {"W": (2, 3), "x": (3,), "b": (2,)},
        lambda W, x, b: W @ x + b, lambda W, x, b: I(2)),
    row("S3", "Espresso tdiff_test", "y = W @ x + b", "x", {"W": (2, 3), "x": (3,), "b": (2,)},
        lambda W, x, b: W @ x + b, lambda W, x, b: W),
    row("S4", "Espresso issue 2", "D[i,j] = A[i,k]*B[k,j] + log(C[i,j])", "A", {"A": (2, 3), "B": (3, 5), "C": (2, 5)},
        lambda A, B, C: A @ B + log(C), lambda A, B, C: einsum("nj,im->ijmn", B, I(2)), domain="positive"),
    row("S5", "Espresso issue 2", "D[i,j] = A[i,k]*B[k,j] + log(C[i,j])", "B", {"A": (2, 3), "B": (3, 5), "C": (2, 5)},
        lambda A, B, C: A @ B + log(C), lambda A, B, C: einsum("im,jn->ijmn", A, I(5)), domain="positive"),
    row("S6", "Espresso issue 2", "D[i,j] = A[i,k]*B[k,j] + log(C[i,j])", "C", {"A": (2, 3), "B": (3, 5), "C": (2, 5)},
        lambda A, B, C: A @ B + log(C), lambda A, B, C: einsum("ij,im,jn->ijmn", 1 / C, I(2), I(5)), domain="positive"),
    row("S7", "XDiff/XGrad linreg", "loss = sum(abs2(sum(w*x) + b - y))", "w", {"w": (3,), "x": (3,), "b": (), "y": ()},
        lambda w, x, b, y: (w @ x + b - y) ** 2, lambda w, x, b, y: 2 * (w @ x + b - y) * x),
    row("S8", "XDiff/XGrad linreg", "loss = sum(abs2(sum(w*x) + b - y))", "y", {"w": (3,), "x": (3,), "b": (), "y": ()},
        lambda w, x, b, y: (w @ x + b - y) ** 2, lambda w, x, b, y: -2 * (w @ x + b - y)),
    row("S9", "XDiff others", "log(sum(x))", "x", {"x": (3,)},
        lambda x: log(x.sum()), lambda x: np.full(3, 1 / x.sum()), domain="positive"),
    row("S10", "XDiff aggr", "mean(x)", "x", {"x": (3, 5)},
        lambda x: x.sum() / 15, lambda x: np.full((3, 5), 1 / 15)),
    row("S11", "XDiff aggr", "mean(x, axis=0)", "x", {"x": (3, 5)},
        lambda x: x.sum(axis=0) / 3, lambda x: einsum("m,jn->jmn", np.ones(3), I(5)) / 3),
    row("S12", "XDiff aggr", "sum(sum(x, axis=0) + 2)", "x", {"x": (3, 5)},
        lambda x: x.sum() + 10, lambda x: np.ones((3, 5))),
    row("S13", "XDiff trules", "Z[j] = sum[i](X[i,j])", "X", {"X": (3, 5)},
        lambda X: X.sum(axis=0), lambda X: einsum("m,jn->jmn", np.ones(3), I(5))),
    row("S14", "XDiff trules", "Z[i] = sum[j](X[i,j])", "X", {"X": (3, 5)},
        lambda X: X.sum(axis=1), lambda X: einsum("n,im->imn", np.ones(5), I(3))),
    row("S15", "XDiff trules", "Z[i,j] = X[i,k]*Y[k,j]", "X", {"X": (2, 3), "Y": (3, 5)},
        lambda X, Y: X @ Y, lambda X, Y: einsum("nj,im->ijmn", Y, I(2))),
    row("S16", "XDiff trules", "Z[i,j] = X[i,k]*Y[k,j]", "Y", {"X": (2, 3), "Y": (3, 5)},
        lambda X, Y: X @ Y, lambda X, Y: einsum("im,nj->ijmn", X, I(5))),
    row("S17", "XDiff trules", "Z[i] = X[i,k]*Y[k]", "X", {"X": (2, 3), "Y": (3,)},
        lambda X, Y: X @ Y, lambda X, Y: einsum("n,im->imn", Y, I(2))),
    row("S18", "XDiff trules", "Z[i] = X[i,k]*Y[k]", "Y", {"X": (2, 3), "Y": (3,)},
        lambda X, Y: X @ Y, lambda X, Y: X),
    row("S19", "XDiff trules", "Z = X[i]*Y[i]", "X", {"X": (3,), "Y": (3,)},
        lambda X, Y: X @ Y, lambda X, Y: Y),
    row("S20", "XDiff trules", "Z[i,j] = X[i]*Y[j]", "X", {"X": (2,), "Y": (3,)},
        lambda X, Y: outer(X, Y), lambda X, Y: einsum("j,im->ijm", Y, I(2))),
    row("S21", "XDiff trules", "Z[i,j] = X[i]*Y[j]", "Y", {"X": (2,), "Y": (3,)},
        lambda X, Y: outer(X, Y), lambda X, Y: einsum("i,jm->ijm", X, I(3))),
    row("S22", "XDiff trules", "Z = X[i,j]*Y[i,j]", "X", {"X": (2, 3), "Y": (2, 3)},
        lambda X, Y: (X * Y).sum(), lambda X, Y: Y),
    row("S23", "XDiff trules, broken there", "Z[i,j] = X[j,i]", "X", {"X": (2, 3)},
        lambda X: X.T, lambda X: einsum("in,jm->ijmn", I(3), I(2))),
    row("S24", "XDiff trules", "Z[i,j] = X[i+m, j+n]*W[m,n]", "W", {"X": (5, 7), "W": (2, 3)},
        conv, lambda X, W: windows(X, 2, 3)),
    row("S25", "XDiff trules", "Z[i,j] = X[i+m, j+n]*W[m,n]", "X", {"X": (5, 7), "W": (2, 3)},
        conv, conv_in_input),
    row("S26", "XDiff transpose", "sum(a.T @ b + a @ b.T)", "a", {"a": (3, 3), "b": (3, 3)},
        lambda a, b: (a.T @ b + a @ b.T).sum(), lambda a, b: b.sum(axis=1)[:, None] + b.sum(axis=0)),
    row("S27", "XDiff special", "z = sum(sum(u + v, axis=1))", "u", {"u": (3, 5), "v": (3, 5)},
        lambda u, v: (u + v).sum(), lambda u, v: np.ones((3, 5))),
    row("S28", "XDiff ann", "sum(1/(1 + exp(-w3 @ log(1 + exp(w2 @ log(1 + exp(w1 @ x1)))))))", "w1",
        {"w1": (5, 3), "w2": (7, 5), "w3": (1, 7), "x1": (3,)}, network, network_slope),
    row("S29", "XDiff autoencoder 1",
        "cost = sum((sigmoid(Wd @ sigmoid(We2 @ sigmoid(We1 @ x + b1) + b2)) - x)**2)", "Wd",
        {"We1": (7, 5), "We2": (3, 7), "Wd": (5, 3), "b1": (7,), "b2": (3,), "x": (5,)}, autoencoder, autoencoder_slope),
    row("S30", "XDiff autoencoder 3", "sum(Wd @ We @ x - x)", "We", {"We": (3, 5), "Wd": (5, 3), "x": (5, 2)},
        lambda We, Wd, x: (Wd @ We @ x - x).sum(), lambda We, Wd, x: outer(Wd.sum(axis=0), x.sum(axis=1))),
    row("S31", "XDiff destruct", "sum((W @ x + b[:, None] - y[:, None])**2)", "b",
        {"W": (5, 3), "b": (5,), "x": (3, 7), "y": (5,)},
        lambda W, b, x, y: ((W @ x + b[:, None] - y[:, None]) ** 2).sum(),
        lambda W, b, x, y: 2 * (W @ x + (b - y)[:, None]).sum(axis=1)),
    row("S32", "XDiff rnn", "cost = sum((Why @ tanh(Whh @ h + Wxh @ x) - y)**2)", "Wxh",
        {"Wxh": (3, 5), "Whh": (3, 3), "Why": (2, 3), "h": (3,), "x": (5,), "y": (2,)},
        lambda Wxh, Whh, Why, h, x, y: ((Why @ tanh(Whh @ h + Wxh @ x) - y) ** 2).sum(), rnn_slope),
    # Tullio and Einsum.jl
    row("S33", "Tullio gradients", "y[i,j] = exp(x[i])/x[j]", "x", {"x": (3,)},
        lambda x: outer(exp(x), 1 / x),
        lambda x: einsum("i,j,ik->ijk", exp(x), 1 / x, I(3)) - einsum("i,j,jk->ijk", exp(x), 1 / x**2, I(3)),
        domain="nonzero"),
    row("S34", "Tullio gradients", "z[i,j] = x[i,j] + y[j,i]", "y", {"x": (2, 3), "y": (3, 2)},
        lambda x, y: x + y.T, lambda x, y: einsum("in,jm->ijmn", I(2), I(3))),
    row("S35", "Tullio gradients", "z[i,j] = log(x[i,j])/y[j,i]", "x", {"x": (2, 3), "y": (3, 2)},
        lambda x, y: log(x) / y.T, lambda x, y: einsum("ij,im,jn->ijmn", 1 / (x * y.T), I(2), I(3)), domain="positive"),
    row("S36", "Tullio TensorTrace", "y[k] = 22*x[i,i,k]", "x", {"x": (3, 3, 5)},
        lambda x: 22 * einsum("iik->k", x), lambda x: 22 * einsum("ab,kc->kabc", I(3), I(5))),
    row("S37", "Tullio TensorTrace", "y[k] = x[i,i,k,j,j]", "x", {"x": (3, 3, 5, 2, 2)},
        lambda x: einsum("iikjj->k", x), lambda x: einsum("ab,kc,de->kabcde", I(3), I(5), I(2))),
    row("S39", "Tullio finaliser", "y = sqrt(sum[i](x[i]**2))", "x", {"x": (3,)},
        lambda x: sqrt(x @ x), lambda x: x / sqrt(x @ x)),
    row("S40", "Tullio/Einsum.jl", "Z = A @ B", "A", {"A": (2, 3), "B": (3, 5)},
        lambda A, B: A @ B, lambda A, B: einsum("im,nj->ijmn", I(2), B)),
    # TensorAlgDiff
    row("S41", "TensorAlgDiff", "f: (n, p); x: (n,); t: (p,)\nu = sum(t)\nf[i,j] = x[i]**2", "x", {"x": (3,), "t": (5,)},
        lambda x, t: einsum("i,j->ij", x**2, np.ones(5)), lambda x, t: einsum("i,im,j->ijm", 2 * x, I(3), np.ones(5)), declared=True),
    row("S41", "TensorAlgDiff", "f: (n, 5); x: (n,)\nf[i,j] = x[i]**2", "x", {"x": (3,)},
        lambda x: einsum("i,j->ij", x**2, np.ones(5)), lambda x: einsum("i,im,j->ijm", 2 * x, I(3), np.ones(5)), declared=True),
    row("S42", "TensorAlgDiff", "f[i] = x[i,i]**2", "x", {"x": (3, 3)},
        lambda x: diag(x) ** 2, lambda x: einsum("i,im,in->imn", 2 * diag(x), I(3), I(3))),
    row("S43", "TensorAlgDiff", "f: (3, 5)\nf[i,j] = exp(x[i+j])", "x", {"x": (7,)},
        lambda x: exp(windows(x[None], 1, 5)[0, :, 0]),
        lambda x: np.array([[exp(x[i + j]) * I(7)[i + j] for j in range(5)] for i in range(3)]), symbolic=False),
    row("S44", "TensorAlgDiff", "f[i] = sum[j](x[2*i, j])", "x", {"x": (5, 2)},
        lambda x: x[::2].sum(axis=1), lambda x: einsum("im,n->imn", I(5)[::2], np.ones(2))),
    row("S45", "TensorAlgDiff Program.fs", "f[i,j] = exp(-sum[k]((a[i,k] + b[j,k])**2*c[i,i] + d[i+k]**3))", "d",
        {"a": (3, 5), "b": (2, 5), "c": (3, 3), "d": (7,)}, program_fs, program_fs_slope, domain="small", symbolic=False),
    # AutoHOOT
    row("S46", "AutoHOOT jacobian_test", "y = x1 + x2", "x2", {"x1": (2, 3), "x2": (2, 3)},
        lambda x1, x2: x1 + x2, lambda x1, x2: einsum("ac,bd->abcd", I(2), I(3))),
    row("S47", "AutoHOOT jacobian_test", "y = x1*x2", "x1", {"x1": (2, 3), "x2": (2, 3)},
        lambda x1, x2: x1 * x2, lambda x1, x2: einsum("ai,bj,ij->abij", I(2), I(3), x2)),
    row("S48", "AutoHOOT jacobian_test", "y = x1*x2*x3", "x1", {"x1": (2, 3), "x2": (2, 3), "x3": (2, 3)},
        lambda x1, x2, x3: x1 * x2 * x3, lambda x1, x2, x3: einsum("ai,bj,ij,ij->abij", I(2), I(3), x2, x3)),
    row("S49", "AutoHOOT jacobian_test", "y = s*x2", "s", {"s": (), "x2": (2, 3)},
        lambda s, x2: s * x2, lambda s, x2: x2),
    row("S50", "AutoHOOT jacobian_test", "y = s*x2", "x2", {"s": (), "x2": (2, 3)},
        lambda s, x2: s * x2, lambda s, x2: s * einsum("ai,bj->abij", I(2), I(3))),
    row("S51", "AutoHOOT jacobian_test", 'einsum("ikl,jkl->ijk", x1, x2)', "x1", {"x1": (2, 3, 5), "x2": (7, 3, 5)},
        lambda x1, x2: einsum("ikl,jkl->ijk", x1, x2), lambda x1, x2: einsum("im,kn,jno->ijkmno", I(2), I(3), x2)),
    row("S52", "AutoHOOT jacobian_test", 'einsum("ij,ab->ab", x, y)', "x", {"x": (2, 3), "y": (5, 7)},
        lambda x, y: x.sum() * y, lambda x, y: einsum("ab,ij->abij", y, np.ones((2, 3)))),
    row("S53", "AutoHOOT jacobian_test", 'einsum("ii->", x)', "x", {"x": (3, 3)},
        lambda x: trace(x), lambda x: I(3)),
    row("S54", "AutoHOOT", 'einsum("ii->i", A)', "A", {"A": (3, 3)},
        lambda A: diag(A), lambda A: einsum("im,in->imn", I(3), I(3))),
    row("S55", "AutoHOOT test_hessian_quadratic", 'einsum("i,ij,j->", x, H, x)', "x", {"x": (3,), "H": (3, 3)},
        lambda x, H: (H + H.T) @ x, lambda x, H: H + H.T, order=2),
    # loopy and TVM
    row("S56", "loopy test_diff", "a[i,j] = 1/(1 + sinh(x[i] + y[j])**2)\nz[i] = sum[j](exp(a[i,j]*x[j]))", "y",
        {"x": (3,), "y": (3,)}, loopy, loopy_slope, domain="unit"),
    row("S57", "TVM test_te_autodiff", "B[i,j] = A0[i,j] + A0[j,i]", "A0", {"A0": (3, 3)},
        lambda A0: A0 + A0.T, lambda A0: einsum("im,jn->ijmn", I(3), I(3)) + einsum("jm,in->ijmn", I(3), I(3))),
    row("S58", "TVM test_te_autodiff", "B[i] = sum[k](A0[i,k]*A0[k,i])", "A0", {"A0": (3, 3)},
        lambda A0: diag(A0 @ A0), lambda A0: einsum("im,ni->imn", I(3), A0) + einsum("in,im->imn", I(3), A0)),
    row("S59", "TVM test_te_autodiff", "B[i,j] = tanh(A0[i,j]*A0[i,j]*A0[j,i])", "A0", {"A0": (3, 3)},
        lambda A0: tanh(A0 * A0 * A0.T),
        lambda A0: einsum("ij,ij,im,jn->ijmn", 1 - tanh(A0 * A0 * A0.T) ** 2, 2 * A0 * A0.T, I(3), I(3))
        + einsum("ij,ij,jm,in->ijmn", 1 - tanh(A0 * A0 * A0.T) ** 2, A0**2, I(3), I(3)), domain="unit"),
    row("S60", "TVM test_te_autodiff", "B[i] = prod[k](A0[i,k] + A0[k,i])", "A0", {"A0": (3, 3)},
        pair_products, pair_products_slope),
    # tensorgrad
    row("S61", "tensorgrad", "softmax(x)", "x", {"x": (5,)},
        softmax, lambda x: diag(softmax(x)) - outer(softmax(x), softmax(x))),
    row("S62", "tensorgrad", "logsumexp(x)", "x", {"x": (5,)},
        softmax, lambda x: diag(softmax(x)) - outer(softmax(x), softmax(x)), order=2),
    row("S63", "tensorgrad", "sum((A @ x - y)**2)", "x", {"A": (5, 3), "x": (3,), "y": (5,)},
        lambda A, x, y: 2 * A.T @ (A @ x - y), lambda A, x, y: 2 * A.T @ A, order=2),
    row("S64", "tensorgrad test_jacobians", "a/x", "x", {"a": (), "x": (3,)},
        lambda a, x: a / x, lambda a, x: diag(-a / x**2), domain="nonzero"),
    # matrixcalculus.org
    row("S65", "matrixcalculus.org", "A @ exp(x)", "x", {"A": (2, 3), "x": (3,)},
        lambda A, x: A @ exp(x), lambda A, x: A * exp(x)),
    row("S66", "matrixcalculus.org", "(y*v) @ x", "y", {"y": (3,), "v": (3,), "x": (3,)},
        lambda y, v, x: (y * v) @ x, lambda y, v, x: v * x),
    row("S67", "matrixcalculus.org", "norm(A @ x - y)**2", "x", {"A": (5, 3), "x": (3,), "y": (5,)},
        lambda A, x, y: ((A @ x - y) ** 2).sum(), lambda A, x, y: 2 * A.T @ (A @ x - y)),
    row("S68", "matrixcalculus.org", "sum(log(exp(-y*(X @ w)) + 1))", "w", {"y": (5,), "X": (5, 3), "w": (3,)},
        lambda y, X, w: softplus(-y * (X @ w)).sum(), lambda y, X, w: -X.T @ (y * sigmoid(-y * (X @ w)))),
    row("S69", "matrixcalculus.org", "trace(A @ X.T @ B @ X @ C)", "X",
        {"A": (2, 3), "X": (5, 3), "B": (5, 5), "C": (3, 2)},
        lambda A, X, B, C: trace(A @ X.T @ B @ X @ C), lambda A, X, B, C: B @ X @ C @ A + B.T @ X @ A.T @ C.T),
    # SymPy, after the Matrix Cookbook: its equation numbers
    row("S70", "Cookbook 69", "x @ a", "x", {"x": (3,), "a": (3,)},
        lambda x, a: x @ a, lambda x, a: a),
    row("S71", "Cookbook 70", "a @ X @ b", "X", {"a": (3,), "X": (3, 5), "b": (5,)},
        lambda a, X, b: a @ X @ b, lambda a, X, b: outer(a, b)),
    row("S72", "Cookbook 71", "a @ X.T @ b", "X", {"a": (3,), "X": (5, 3), "b": (5,)},
        lambda a, X, b: a @ X.T @ b, lambda a, X, b: outer(b, a)),
    row("S73", "Cookbook 77", "b @ X.T @ X @ c", "X", {"b": (3,), "X": (5, 3), "c": (3,)},
        lambda b, X, c: b @ X.T @ X @ c, lambda b, X, c: outer(X @ b, c) + outer(X @ c, b)),
    row("S74", "Cookbook 78", "(B @ x + b) @ C @ (D @ x + d)", "x",
        {"B": (2, 3), "x": (3,), "b": (2,), "C": (2, 5), "D": (5, 3), "d": (5,)},
        lambda B, x, b, C, D, d: (B @ x + b) @ C @ (D @ x + d),
        lambda B, x, b, C, D, d: B.T @ C @ (D @ x + d) + D.T @ C.T @ (B @ x + b)),
    row("S75", "Cookbook 81", "x @ B @ x", "x", {"x": (3,), "B": (3, 3)},
        lambda x, B: x @ B @ x, lambda x, B: B @ x + B.T @ x),
    row("S76", "Cookbook 82", "b @ X.T @ D @ X @ c", "X", {"b": (3,), "X": (5, 3), "D": (5, 5), "c": (3,)},
        lambda b, X, D, c: b @ X.T @ D @ X @ c, lambda b, X, D, c: outer(D.T @ X @ b, c) + outer(D @ X @ c, b)),
    row("S77", "Cookbook 83", "(X @ b + c) @ D @ (X @ b + c)", "X", {"X": (5, 3), "b": (3,), "c": (5,), "D": (5, 5)},
        lambda X, b, c, D: (X @ b + c) @ D @ (X @ b + c), lambda X, b, c, D: outer((D + D.T) @ (X @ b + c), b)),
    row("S78", "Cookbook x x^T x", "outer(x, x) @ x", "x", {"x": (3,)},
        lambda x: (x @ x) * x, lambda x: (x @ x) * I(3) + 2 * outer(x, x)),
    row("S79", "Cookbook 99", "trace(X)", "X", {"X": (3, 3)},
        lambda X: trace(X), lambda X: I(3)),
    row("S80", "Cookbook 100", "trace(X @ A)", "X", {"X": (3, 5), "A": (5, 3)},
        lambda X, A: trace(X @ A), lambda X, A: A.T),
    row("S81", "Cookbook 101", "trace(A @ X @ B)", "X", {"A": (2, 3), "X": (3, 5), "B": (5, 2)},
        lambda A, X, B: trace(A @ X @ B), lambda A, X, B: A.T @ B.T),
    row("S82", "Cookbook 102", "trace(A @ X.T @ B)", "X", {"A": (2, 3), "X": (5, 3), "B": (5, 2)},
        lambda A, X, B: trace(A @ X.T @ B), lambda A, X, B: B @ A),
    row("S83", "Cookbook 106", "trace(X @ X)", "X", {"X": (3, 3)},
        lambda X: trace(X @ X), lambda X: 2 * X.T),
    row("S84", "Cookbook 107", "trace(X @ X @ B)", "X", {"X": (3, 3), "B": (3, 3)},
        lambda X, B: trace(X @ X @ B), lambda X, B: (X @ B + B @ X).T),
    row("S85", "Cookbook 108", "trace(X.T @ B @ X)", "X", {"X": (5, 3), "B": (5, 5)},
        lambda X, B: trace(X.T @ B @ X), lambda X, B: B @ X + B.T @ X),
    row("S86", "Cookbook 111", "trace(X @ B @ X.T)", "X", {"X": (5, 3), "B": (3, 3)},
        lambda X, B: trace(X @ B @ X.T), lambda X, B: X @ B.T + X @ B),
    row("S87", "Cookbook 114", "trace(A @ X @ B @ X)", "X", {"A": (5, 3), "X": (3, 5), "B": (5, 3)},
        lambda A, X, B: trace(A @ X @ B @ X), lambda A, X, B: A.T @ X.T @ B.T + B.T @ X.T @ A.T),
    row("S88", "Cookbook 115", "trace(X.T @ X)", "X", {"X": (3, 5)},
        lambda X: trace(X.T @ X), lambda X: 2 * X),
    row("S89", "Cookbook 116", "trace(B.T @ X.T @ C @ X @ B)", "X", {"B": (3, 2), "X": (5, 3), "C": (5, 5)},
        lambda B, X, C: trace(B.T @ X.T @ C @ X @ B), lambda B, X, C: C.T @ X @ B @ B.T + C @ X @ B @ B.T),
    row("S90", "Cookbook 117", "trace(X.T @ B @ X @ C)", "X", {"X": (5, 3), "B": (5, 5), "C": (3, 3)},
        lambda X, B, C: trace(X.T @ B @ X @ C), lambda X, B, C: B @ X @ C + B.T @ X @ C.T),
    row("S91", "Cookbook 118", "trace(A @ X @ B @ X.T @ C)", "X", {"A": (2, 5), "X": (5, 3), "B": (3, 3), "C": (5, 2)},
        lambda A, X, B, C: trace(A @ X @ B @ X.T @ C), lambda A, X, B, C: A.T @ C.T @ X @ B.T + C @ A @ X @ B),
    row("S92", "Cookbook 119", "trace((A @ X @ B + C) @ (A @ X @ B + C).T)", "X",
        {"A": (2, 3), "X": (3, 5), "B": (5, 7), "C": (2, 7)},
        lambda A, X, B, C: ((A @ X @ B + C) ** 2).sum(), lambda A, X, B, C: 2 * A.T @ (A @ X @ B + C) @ B.T),
    row("S93", "Cookbook 123", "trace(B.T @ X.T @ C @ X @ X.T @ C @ X @ B)", "X", {"B": (3, 2), "X": (5, 3), "C": (5, 5)},
        lambda B, X, C: trace(B.T @ X.T @ C @ X @ X.T @ C @ X @ B),
        lambda B, X, C: C @ X @ X.T @ C @ X @ B @ B.T + C.T @ X @ B @ B.T @ X.T @ C.T @ X
        + C @ X @ B @ B.T @ X.T @ C @ X + C.T @ X @ X.T @ C.T @ X @ B @ B.T),
    row("S94", "SymPy", "trace(A)*A", "A", {"A": (3, 3)},
        lambda A: trace(A) * A, lambda A: einsum("mn,ij->ijmn", I(3), A) + trace(A) * einsum("im,jn->ijmn", I(3), I(3))),
    row("S95", "SymPy", "trace(trace(A)*A)", "A", {"A": (3, 3)},
        lambda A: trace(A) ** 2, lambda A: 2 * trace(A) * I(3)),
    row("S96", "SymPy", "sqrt(x @ y)", "x", {"x": (3,), "y": (3,)},
        lambda x, y: sqrt(x @ y), lambda x, y: y / (2 * sqrt(x @ y)), domain="positive"),
    row("S97", "SymPy", "sqrt(trace(X.T @ X))", "X", {"X": (3, 5)},
        lambda X: sqrt((X**2).sum()), lambda X: X / sqrt((X**2).sum())),
    row("S98", "SymPy applyfunc", "tan(x)", "x", {"x": (3,)},
        lambda x: tan(x), lambda x: diag(tan(x) ** 2 + 1), domain="small"),
    row("S99", "SymPy applyfunc, transposed there", "y[i] = A[i,j]*exp(x[j])", "x", {"A": (2, 3), "x": (3,)},
        lambda A, x: A @ exp(x), lambda A, x: A * exp(x)),
    row("S100", "SymPy applyfunc", "a @ sin(X) @ b", "X", {"a": (3,), "X": (3, 5), "b": (5,)},
        lambda a, X, b: a @ sin(X) @ b, lambda a, X, b: einsum("m,mn,n->mn", a, cos(X), b)),
    row("S101", "SymPy applyfunc", "a @ sin(A @ X @ B) @ b", "X",
        {"a": (2,), "A": (2, 3), "X": (3, 5), "B": (5, 7), "b": (7,)},
        lambda a, A, X, B, b: a @ sin(A @ X @ B) @ b,
        lambda a, A, X, B, b: A.T @ (outer(a, b) * cos(A @ X @ B)) @ B.T, domain="unit"),
    row("S102", "SymPy applyfunc, wrong there", "a @ log(sin(X)) @ b", "X", {"a": (3,), "X": (3, 5), "b": (5,)},
        lambda a, X, b: a @ log(sin(X)) @ b, lambda a, X, b: outer(a, b) * cos(X) / sin(X), domain="positive"),
    row("S103", "SymPy hadamard", "a*x*b", "x", {"a": (3,), "x": (3,), "b": (3,)},
        lambda a, x, b: a * x * b, lambda a, x, b: diag(a * b)),
    row("S104", "SymPy hadamard", "a @ (A*X*B) @ b", "X", {"a": (3,), "A": (3, 5), "X": (3, 5), "B": (3, 5), "b": (5,)},
        lambda a, A, X, B, b: a @ (A * X * B) @ b, lambda a, A, X, B, b: outer(a, b) * A * B),
    row("S105", "SymPy hadamard_power", "x**2", "x", {"x": (3,)},
        lambda x: x**2, lambda x: diag(2 * x)),
]
# fmt: on

every_row = pytest.mark.parametrize(
    "case", ROWS, ids=[f"{r.number} {r.program.replace(chr(10), '; ')} by {r.wrt}" for r in ROWS]
)


def test_every_number_of_the_table_is_here():
    assert {r.number for r in ROWS} == {f"S{n}" for n in range(1, 106) if n != 38}


@every_row
def test_expected_derivative_is_the_slope(case):
    """The table itself: for order 2 the row's value is the gradient, so its slope is the Hessian."""
    slope = numerical_jacobian(case.value, case.arrays, case.wrt)
    assert_close(case.derivative(**case.arrays), slope, 1e-7)


@every_row
def test_derivative_is_the_expected_one(case):
    d = derive(case.program, wrt=case.wrt, shapes=case.sizes, order=case.order)
    result = d(**case.arrays)
    assert_close(result, case.derivative(**case.arrays), 1e-9)
    assert_close(result, numerical_jacobian(case.value, case.arrays, case.wrt), 1e-7)


@pytest.mark.parametrize(
    "case", [r for r in ROWS if r.symbolic], ids=[f"{r.number} by {r.wrt}" for r in ROWS if r.symbolic]
)
def test_one_derivative_with_symbolic_sizes_serves(case):
    d = derive(case.program, wrt=case.wrt, shapes=case.size_names, order=case.order)
    assert_close(d(**case.arrays), case.derivative(**case.arrays), 1e-9)
