"""What is done at ties is remembered, said in print, and read back."""

import pickle

import numpy as np
import pytest
from numeric import assert_close

from einsumdiff import derive, read

PROGRAMS = [
    "y = max(X, axis=1) + clip(X[:,0], -1, 1)",
    "max(X)",
    "sum(maximum(X, Y)**2)",
    "sum(fmin(X, Y)*X) + min(Y*X)",
]
SAID = {"split": "share equally", "first": "the first has the slope", "zero": "have slope 0"}
TIED = {
    "X": np.array([[1.0, 1.0, -1.0], [2.0, 2.0, 2.0]]),
    "Y": np.array([[1.0, 3.0, -1.0], [2.0, 0.0, 2.0]]),
}


@pytest.mark.parametrize("ties", SAID)
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_policy_is_said_and_read_back(program, ties):
    d = derive(program, wrt="X", shapes={"X": "m n"}, ties=ties)
    again = read(str(d))
    assert SAID[ties] in str(d) and SAID[ties] in str(again)
    assert again == d and read(str(again)) == d
    arrays = {name: TIED[name] for name in d.inputs}
    assert_close(again(**arrays), d(**arrays), 1e-15)


@pytest.mark.parametrize("ties", SAID)
@pytest.mark.parametrize("program", PROGRAMS)
def test_going_on_keeps_the_policy(program, ties):
    d = derive(program, wrt="X", shapes={"X": "m n"}, ties=ties)
    second = derive(program, wrt="X", shapes={"X": "m n"}, ties=ties, order=2)
    arrays = {name: TIED[name] for name in d.inputs}
    for other in (derive(d, wrt="X"), derive(read(str(d)), wrt="X"), pickle.loads(pickle.dumps(second))):
        assert_close(other(**arrays), second(**arrays), 1e-15)


def test_nothing_is_said_where_there_are_no_ties():
    for program in ("sum(relu(x) + abs(x))", "max(z)*sum(x)"):
        assert "ties" not in str(derive(program, wrt="x"))
