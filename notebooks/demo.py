"""The main job on real arrays: `make demo`.

For some expressions: the derivative in index notation, its source, its value and its distance from a
numerical derivative. Then a classifier of handwritten digits, trained with a generated gradient.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from einsumdiff import derive

EXAMPLES = [
    ("y = sum(W*X + b)", "W", {"W": (2, 3), "X": (2, 3), "b": (3,)}),
    ("Z[i,j] = X[i,k]*Y[k,j]", "X", {"X": (2, 3), "Y": (3, 4)}),
    ("softmax(x)", "x", {"x": (4,)}),
]

LOSS = "L = -mean(sum(Y*log_softmax(X @ W + b), axis=1))"


def show(program: str, wrt: str, shapes: dict[str, tuple[int, ...]]) -> None:
    """Print all that is to be said about one derivative, with random arrays of these shapes."""
    random = np.random.default_rng(0)
    arrays = {name: random.standard_normal(shape) for name, shape in shapes.items()}
    d = derive(program, wrt=wrt)
    print(f"### {program}    by {wrt}\n")
    print(d, "\n")
    print(d.source())
    print(d(**arrays), "\n")
    print(f"largest relative error against a numerical derivative: {d.check(**arrays):.1e}\n")


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images of 8 by 8 pixels as rows within 0 and 1, and the digits that they show.

    1797 of them; three quarters to learn from, the others to test with.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    X, X_test, labels, labels_test = train_test_split(images / 16, labels, random_state=0, stratify=labels)
    return X, X_test, labels, labels_test


def accuracy(X: np.ndarray, labels: np.ndarray, W: np.ndarray, b: np.ndarray) -> float:
    """The share of the rows of X that are classified as their labels say."""
    return float(np.mean(np.argmax(X @ W + b, axis=1) == labels))


def train(
    X: np.ndarray,
    labels: np.ndarray,
    steps: int = 500,
    rate: float = 1.0,
    report: Callable[[int, Any], None] = lambda step, loss: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regression by plain gradient descent: the weights (p, k) and the bias (k,)."""
    Y = np.eye(10)[labels]
    W, b = np.zeros((X.shape[1], 10)), np.zeros(10)
    loss_and_gradient = derive(
        LOSS, wrt=["W", "b"], shapes={"X": "n p", "W": "p k", "b": "k", "Y": "n k"}
    ).compile(value=True)
    for step in range(steps + 1):
        loss, gradient = loss_and_gradient(X=X, W=W, b=b, Y=Y)
        report(step, loss)
        W = W - rate * gradient["W"]
        b = b - rate * gradient["b"]
    return W, b


def main() -> None:
    for example in EXAMPLES:
        show(*example)
    print(f"### {LOSS}    by W and b: handwritten digits, plain gradient descent\n")
    print(derive(LOSS, wrt=["W", "b"], shapes={"X": "n p", "W": "p k", "b": "k", "Y": "n k"}), "\n")
    X, X_test, labels, labels_test = digits()

    def report(step: int, loss: Any) -> None:
        if step % 100 == 0:
            print(f"step {step:4}    loss {float(loss):.4f}")

    W, b = train(X, labels, report=report)
    print(f"\ntest accuracy: {accuracy(X_test, labels_test, W, b):.1%}")


if __name__ == "__main__":
    main()
