"""Models written as Python functions, as a user would, against numerical derivatives."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import derive


def attention(Q, K, V):
    s = np.einsum("ihd,jhd->hij", Q, K) / np.sqrt(Q.shape[-1])
    s -= s.max(axis=-1, keepdims=True)
    w = np.exp(s)
    w /= w.sum(-1, keepdims=True)
    return np.einsum("hij,jhd->ihd", w, V)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def gru(x, h, Wz, Uz, Wr, Ur, W, U):
    z = sigmoid(Wz @ x + Uz @ h)
    r = sigmoid(Wr @ x + Ur @ h)
    return (1 - z) * np.tanh(W @ x + U @ (r * h)) + z * h


def layer_norm(x, g, b, eps=1e-5):
    mean = np.mean(x, axis=-1, keepdims=True)
    return g * (x - mean) / np.sqrt(np.var(x, axis=-1, keepdims=True) + eps) + b


def rotation(w, X):
    angle = np.sqrt(w @ w)
    k = w / angle
    cross = [
        k[1] * X[:, 2] - k[2] * X[:, 1],
        k[2] * X[:, 0] - k[0] * X[:, 2],
        k[0] * X[:, 1] - k[1] * X[:, 0],
    ]
    along = (X @ k)[:, None] * k * (1 - np.cos(angle))
    return X * np.cos(angle) + np.stack(cross, axis=1) * np.sin(angle) + along


def factorisation_machine(x, w0, w, V):
    return w0 + w @ x + 0.5 * np.sum((x @ V) ** 2 - (x**2) @ (V**2))


def gaussian_process(X, y, scale):
    distances = np.sum((X[:, None] - X[None]) ** 2, -1)
    K = np.exp(-0.5 * distances / scale**2) + 0.5 * np.eye(X.shape[0])
    return 0.5 * y @ np.linalg.inv(K) @ y + 0.5 * np.log(np.linalg.det(K))


def recurrent(x, W, U):
    h = np.zeros(2)
    out = 0.0
    for step in x:
        h = np.tanh(W @ h + U @ step)
        out += np.sum(h**2)
    return out


def convolution(x, w):
    rows, columns = (x.shape[k] - w.shape[k] + 1 for k in range(2))
    y = 0
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            y = y + x[i : i + rows, j : j + columns] * w[i, j]
    return y


def kernels(x):
    def kernel(a, b):
        return np.exp(-np.sum((a - b) ** 2))

    return sum(kernel(a, b) for a in x for b in x)


GATES = {"Wz": (3, 2), "Uz": (3, 3), "Wr": (3, 2), "Ur": (3, 3), "W": (3, 2), "U": (3, 3)}

MODELS = {
    attention: {"Q": (3, 2, 5), "K": (7, 2, 5), "V": (7, 2, 5)},
    gru: {"x": (2,), "h": (3,), **GATES},
    layer_norm: {"x": (3, 5), "g": (5,), "b": (5,)},
    rotation: {"w": (3,), "X": (5, 3)},
    factorisation_machine: {"x": (3,), "w0": (), "w": (3,), "V": (3, 2)},
    gaussian_process: {"X": (5, 2), "y": (5,), "scale": ()},
    recurrent: {"x": (5, 3), "W": (2, 2), "U": (2, 3)},
    convolution: {"x": (5, 7), "w": (2, 3)},
    kernels: {"x": (3, 2)},
}


@pytest.mark.parametrize(
    ("model", "wrt"),
    [(model, wrt) for model, shapes in MODELS.items() for wrt in shapes],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_a_model_is_differentiated(model, wrt):
    arrays = sample(MODELS[model], seed=1)
    if "scale" in arrays:
        arrays["scale"] = np.array(0.8)
    d = derive(model, wrt, shapes=MODELS[model])
    assert_close(d(**arrays), numerical_jacobian(model, arrays, wrt), 1e-7)
