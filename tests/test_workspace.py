"""compile(workspace=True): a second call makes nothing but what it returns."""

import threading
import tracemalloc

import numpy as np
import pytest
from acceptance.test_expressions import ROWS as EXPRESSIONS
from hypothesis import given, settings
from numeric import assert_close, numerical_jacobian, sample
from test_random_programs import cases, derived, used

from einsumdiff import derive
from einsumdiff.errors import NameFault, ValueFault

SIZES = {"m": 2, "n": 3, "p": 5, "q": 7}
LARGE = {"m": 300, "n": 200, "p": 250, "q": 150}

PROGRAMS = [
    ("A: (m, n); B: (m, n)\nf = sum(exp(sin(A)*B)*tanh(A)/(1 + A**2))", "A"),
    ("X: (m, n); A: (n, p); a: (p,); B: (p, q)\nf = sum(tanh(tanh(X@A + a)@B)**2)", ["A", "a", "B"]),
    ("X: (m, n); y: (m,); w: (n,)\nf = sum(log1p(exp(-y*(X @ w))))", "w"),
    ("T: (m, n); U: (m, p); V: (n, p)\nf = sum((T - U @ V.T)**2)", ["U", "V"]),
    ("A: (m, n); B: (m, n)\nC = A - B\nf = sum(C**3/(1 + C**2)) + sum(1 - sqrt(2 + C*C))", "A"),
    (
        "A: (m, n); B: (m, n); c: ()\nf = sum(sum(c*A*B, axis=0)**2)*c + sum(sum(A, axis=1)*sum(B, axis=1))",
        "B",
    ),
    ("A: (m, n, p); B: (m, p, q)\nf = sum(tanh(A @ B)**2)", "A"),
]
ROWS = pytest.mark.parametrize(("text", "wrt"), PROGRAMS)


def drawn(d, sizes, seed=3):
    shapes = {one.name: tuple(sizes[str(s)] for s in one.shape) for one in d._program.inputs}
    return sample(shapes, seed=seed)


def compared(found, expected, tol=1e-11):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        found, expected = tuple(found.values()), tuple(expected.values())
    if not isinstance(expected, tuple):
        found, expected = (found,), (expected,)
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, dict):
            compared(one, other, tol)
        else:
            assert np.asarray(one).dtype == np.asarray(other).dtype
            assert_close(one, other, tol)


@ROWS
@pytest.mark.parametrize("value", [False, True])
def test_every_call_gives_the_slope_of_the_function(text, wrt, value):
    d = derive(text, wrt=wrt)
    kept = d.compile(value=value, workspace=True)
    for seed in range(3):
        arrays = drawn(d, SIZES, seed)
        found = kept(**arrays)
        if value:
            assert_close(found[0], d._value_alone()(**arrays), 1e-12)
            found = found[1]
        for name in [wrt] if isinstance(wrt, str) else wrt:
            slope = numerical_jacobian(d._value_alone(), arrays, name)
            assert_close(found if isinstance(wrt, str) else found[name], slope, 1e-7)


@ROWS
def test_the_second_derivative_too(text, wrt):
    name = wrt if isinstance(wrt, str) else wrt[0]
    first, second = derive(text, wrt=name), derive(text, wrt=name, order=2)
    kept = second.compile(workspace=True)
    for seed in range(2):
        arrays = drawn(first, SIZES, seed)
        assert_close(kept(**arrays), numerical_jacobian(first.compile(), arrays, name), 1e-7)


@ROWS
@pytest.mark.parametrize("value", [False, True])
def test_a_second_call_makes_nothing_but_what_it_returns(text, wrt, value):
    d = derive(text, wrt=wrt)
    function, arrays = d.compile(value=value, workspace=True), drawn(d, LARGE)
    found = function(**arrays)
    tracemalloc.start()
    found = function(**arrays)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    buffered = 70_000  # NumPy's own, of 8192 numbers, where operands are laid out differently
    assert peak <= size(found) + buffered, d.source(value=value, workspace=True)


def size(found):
    if isinstance(found, dict):
        return sum(map(size, found.values()))
    return sum(map(size, found)) if isinstance(found, tuple) else np.asarray(found).nbytes


@ROWS
def test_what_was_returned_and_what_was_given_do_not_change(text, wrt):
    d = derive(text, wrt=wrt)
    kept, plain = d.compile(value=True, workspace=True), d.compile(value=True)
    first, second = drawn(d, SIZES, 1), drawn(d, SIZES, 2)
    for array in first.values():
        array.flags.writeable = False
    before = kept(**first)
    kept(**second)
    compared(before, plain(**first))


def test_a_result_written_over_a_view_does_not_change():
    text = "M: (n, n); N: (n, n)\nf = sum((1 - 1/(3 + hypot(M.T, 1 + diag(N))**2))**2)"
    test_what_was_returned_and_what_was_given_do_not_change(text, ["N", "M"])


def test_other_shapes_and_types_get_arrays_of_their_own():
    d = derive(PROGRAMS[0][0], wrt="A")
    kept, plain = d.compile(workspace=True), d.compile()
    for sizes in (SIZES, {"m": 4, "n": 3}, SIZES, {"m": 0, "n": 3}):
        for left in (np.float32, np.float64):
            for right in (np.float32, np.int64, np.float64):
                arrays = drawn(d, sizes)
                arrays = {"A": arrays["A"].astype(left), "B": arrays["B"].astype(right)}
                found, expected = kept(**arrays), plain(**arrays)
                assert found.dtype == expected.dtype
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_number_is_told_from_an_array_of_one():
    d = derive(PROGRAMS[5][0], wrt="B")
    kept, plain = d.compile(workspace=True), d.compile()
    arrays = {name: array.astype(np.float32) for name, array in drawn(d, SIZES).items()}
    for c in (2, 0.5, np.float32(0.5), np.float64(0.5), np.asarray(0.5), np.asarray(0.5, np.float32), 3):
        compared(kept(**{**arrays, "c": c}), plain(**{**arrays, "c": c}), 1e-5)


def test_every_function_has_a_workspace_of_its_own_and_takes_another():
    d = derive(PROGRAMS[1][0], wrt="A")
    one, other = d.compile(workspace=True), d.compile(workspace=True)
    assert one is not other
    assert one.__kwdefaults__["workspace"] is not other.__kwdefaults__["workspace"]
    mine = {}
    compared(one(**drawn(d, SIZES), workspace=mine), d.compile()(**drawn(d, SIZES)))
    assert mine
    assert not one.__kwdefaults__["workspace"]


def test_threads_with_a_workspace_each():
    d = derive(PROGRAMS[1][0], wrt="A")
    function, found = d.compile(workspace=True), {}
    given = [drawn(d, {"m": 40, "n": 30, "p": 50, "q": 20}, seed) for seed in range(4)]

    def run(k):
        mine = {}
        for _ in range(50):
            found[k] = function(**given[k], workspace=mine)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for k in range(4):
        compared(found[k], d.compile()(**given[k]))


def test_a_long_line_breaks_behind_the_workspace():
    text = "G = einsum('iak,ibk->ab', exp(temperature), sin(humidity))\nf = sum(G**2)"
    shapes = dict.fromkeys(["temperature", "humidity"], "rows columns layers")
    d = derive(text, "temperature", shapes=shapes)
    source = d.source(value=True, workspace=True)
    assert 'G = workspace["G"] = (\n' in source
    assert max(map(len, source.splitlines())) <= 100
    arrays = sample(dict.fromkeys(d.inputs, (2, 3, 5)))
    function, plainly = d.compile(value=True, workspace=True), d.compile(value=True)
    slope = numerical_jacobian(lambda **moved: plainly(**moved)[0], arrays, "temperature")
    for _ in range(2):
        assert_close(function(**arrays)[1], slope, 1e-7)


def test_a_buffer_for_the_result_as_well():
    d = derive(PROGRAMS[4][0], wrt="A")
    function, arrays = d.compile(out=True, workspace=True), drawn(d, LARGE)
    buffer = np.empty((LARGE["m"], LARGE["n"]))
    assert function(**arrays, out=buffer) is buffer
    tracemalloc.start()
    function(**arrays, out=buffer)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000
    compared(buffer, d.compile()(**arrays))


def test_the_source_stands_alone():
    d = derive(PROGRAMS[1][0], wrt=PROGRAMS[1][1])
    space = {}
    exec(d.source(workspace=True), space)
    arrays = drawn(d, SIZES)
    for _ in range(2):
        compared(space["derivatives_of_f"](**arrays), d.compile()(**arrays))


@pytest.mark.parametrize("row", EXPRESSIONS, ids=lambda row: row.number)
def test_an_expression_has_the_same_derivative_in_every_call(row):
    d = derive(row.program, wrt=row.wrt, order=row.order, shapes=row.sizes)
    arrays = {name: np.asarray(row.arrays[name]) for name in d.inputs}
    kept, expected = d.compile(workspace=True), d.compile()(**arrays)
    for _ in range(2):
        assert_close(kept(**arrays), expected, 1e-10)


@given(cases())
@settings(max_examples=60, deadline=None)
def test_random_programs_have_the_same_derivative_in_every_call(case):
    text, wrt = case
    values = used(text)
    if wrt not in values:
        return
    d = derived(text, wrt)
    kept, expected = d.compile(value=True, workspace=True), d.compile(value=True)(**values)
    for _ in range(2):
        compared(kept(**values), expected, 1e-9)


@pytest.mark.parametrize("form", ["sparse", "compressed", "operator"])
def test_other_forms_are_refused(form):
    with pytest.raises(ValueFault, match="workspace= keeps the arrays of the dense form"):
        derive("y = exp(x)", wrt="x").compile(form=form, workspace=True)


def test_an_input_of_that_name_is_refused():
    d = derive("y = exp(hold)", wrt="hold")
    assert_close(d.compile()(np.zeros(2)), np.eye(2))
    with pytest.raises(NameFault, match="hold is an input"):
        d.compile(workspace=True)
