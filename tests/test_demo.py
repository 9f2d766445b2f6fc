"""The demo is true: the classifier that it trains with a generated gradient recognises digits."""

import runpy
from pathlib import Path

import demo
import numpy as np
import pytest

from einsumdiff import derive

pytest.importorskip("sklearn", reason="the digits are shipped inside scikit-learn")


def test_a_classifier_of_digits_learns_from_the_generated_gradient():
    X, X_test, labels, labels_test = demo.digits()
    losses = []
    W, b = demo.train(X, labels, report=lambda step, loss: losses.append(float(loss)))
    assert demo.accuracy(X_test, labels_test, W, b) >= 0.95
    assert losses[0] == pytest.approx(np.log(10))
    assert losses[-1] < 0.2
    assert np.all(np.diff(losses) < 0)


def test_the_gradient_on_the_digits_is_the_one_of_the_textbook():
    X, _, labels, _ = demo.digits()
    random = np.random.default_rng(0)
    W, b = random.standard_normal((64, 10)), random.standard_normal(10)
    Y = np.eye(10)[labels]
    scores = np.exp(X @ W + b)
    residual = (scores / scores.sum(axis=1, keepdims=True) - Y) / len(X)
    gradient = derive(demo.LOSS, wrt=["W", "b"], shapes={"X": "n p", "W": "p k", "b": "k", "Y": "n k"})(
        X=X, W=W, b=b, Y=Y
    )
    np.testing.assert_allclose(gradient["W"], X.T @ residual, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(gradient["b"], residual.sum(axis=0), rtol=1e-9, atol=1e-14)


def test_the_demo_shows_index_form_source_value_and_check(capsys):
    runpy.run_path(str(Path(demo.__file__)), run_name="__main__")
    shown = capsys.readouterr().out
    assert "dy/dW[i,j] = X[i,j]" in shown
    assert "import numpy as np" in shown
    assert shown.count("largest relative error against a numerical derivative") == len(demo.EXAMPLES)
    errors = [float(line.rsplit(" ", 1)[1]) for line in shown.splitlines() if line.startswith("largest")]
    assert max(errors) < 1e-6
    assert float(shown.split("test accuracy: ")[1].rstrip("%\n")) >= 95
