"""The tasks of the benchmark are right, at sizes that are all different; nothing is timed."""

import json
from functools import partial

import bench_peers
import measuring
import numpy as np
import peers
import pytest
import report
from numeric import assert_close, numerical_jacobian
from scipy.special import log_softmax, logsumexp
from tasks import TASKS

from einsumdiff import derive

NUMPY = peers.Namespace(
    np,
    logsumexp=logsumexp,
    softmax=lambda a, axis: np.exp(log_softmax(a, axis=axis)),
    softplus=lambda a: np.logaddexp(0, a),
)


def prepared(task):
    """Small sizes of a task, and its arrays."""
    size = (3, 2, 5)[: len(task.sizes[0])]
    return size, task.arrays(np.random.default_rng(1), *size)


def asked(task, size):
    return task.wrt(*size) if callable(task.wrt) else task.wrt


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name} {task.sizes[0]}")
def test_the_closed_form_by_hand_is_the_slope_of_what_peers_differentiate(task):
    size, arrays = prepared(task)
    zeros = {} if task.zeros is None else {"zeros": task.zeros(**arrays)}
    right = task.whole(task.hand(**arrays, **zeros), arrays)
    function = partial(task.peer, NUMPY)
    if task.order == 2:
        first = derive(task.text(size), wrt=task.wrt)
        assert_close(first(**arrays), numerical_jacobian(function, arrays, task.wrt), 1e-8)
        function = first
    for name in task.names(size):
        found = right if task.single(size) else right[name]
        assert_close(found, numerical_jacobian(function, arrays, name), 1e-8)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name} {task.sizes[0]}")
def test_einsumdiff_finds_the_closed_form_by_hand(task):
    size, arrays = prepared(task)
    zeros = {} if task.zeros is None else {"zeros": task.zeros(**arrays)}
    call, _ = bench_peers.ours(task, size, arrays)
    bench_peers.agrees(task.read(call()), task.whole(task.hand(**arrays, **zeros), arrays))


def test_a_result_that_is_wrong_in_one_entry_is_not_timed():
    right = np.arange(6.0).reshape(2, 3)
    wrong = right.copy()
    wrong[1, 0] += 1e-8
    bench_peers.agrees(right * (1 + 1e-13), right)
    with pytest.raises(ValueError, match=r"differs by 2\.0e-09"):
        bench_peers.agrees(wrong, right)
    with pytest.raises(ValueError, match="differs by nan"):
        bench_peers.agrees(np.full((2, 3), np.nan), right)
    with pytest.raises(ValueError, match="its shape is"):
        bench_peers.agrees(np.zeros((2, 2)), right)


def test_a_peer_that_is_missing_is_a_row_that_says_so(tmp_path, monkeypatch):
    def missing(task, size, arrays, thorough):
        raise ImportError("No module named 'other'")
        yield

    def wrong(task, size, arrays, thorough):
        yield "its way", lambda: np.zeros(np.shape(arrays["A"]))

    monkeypatch.setattr(peers, "PEERS", {"other": missing, "another": wrong})
    monkeypatch.setattr(bench_peers, "in_turns", partial(pretended, {"hand": 1e-3, "einsumdiff": 2e-3}))
    task = next(task for task in TASKS if task.name == "Hessian of a quadratic form")
    rows = list(bench_peers.measured(task, (3,), ["other", "another"], quick=True, compiled=False))
    assert [row.who for row in rows if row.ran] == ["hand", "einsumdiff"]
    report.write(rows, ["other", "another"], tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert "| Hessian of a quadratic form | 3 | 1.00 ms | 2.00 (2.00) | - | - |" in text
    assert "**no**" in text
    assert "other: not installed: No module named 'other'" in text
    assert "another: its way: its result differs by" in text
    records = json.loads((tmp_path / "times.json").read_text())["rows"]
    assert [one.get("ratio_to_hand") for one in records] == [1, 2, None, None]


def pretended(seconds, calls, turns, budget):
    """Times without a clock."""
    return {name: measuring.Times((seconds[name],)) for name in calls}


def test_calls_are_taken_in_turns():
    made = []
    times = measuring.in_turns({name: partial(made.append, name) for name in "ab"}, turns=4, budget=1e9)
    assert {name: len(one.seconds) for name, one in times.items()} == {"a": 4, "b": 4}
    assert all(one.least <= one.median for one in times.values())


def test_a_call_that_takes_all_its_budget_is_timed_once():
    made = []
    times = measuring.in_turns({"a": partial(made.append, "a")}, turns=4, budget=0)
    assert (len(made), len(times["a"].seconds)) == (1, 1)


@pytest.mark.parametrize("seconds, text", [(2.5, "2.50 s"), (0.0123, "12.3 ms"), (4.56e-6, "4.56 us")])
def test_durations_have_three_digits(seconds, text):
    assert report.duration(seconds) == text
