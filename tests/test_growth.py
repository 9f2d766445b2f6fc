"""Deriving takes steps, and gives source, in proportion to the program; a long one needs no deep stack."""

import gc
import sys
import threading

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import EinsumDiffError, contract, derive, function
from einsumdiff.uncollected import uncollected


def named(letter, count):
    return [f"{letter}{k + 1}" for k in range(count)]


def network(n):
    lines = [f"h{k} = tanh(W{k} @ h{k - 1} + b{k})" for k in range(1, n + 1)]
    return "\n".join([*lines, f"L = sum((h{n} - t)**2)"]), named("W", n), {}


def summands(n):
    return "y = sum(" + " + ".join(f"sin({k + 1}*x)" for k in range(n)) + ")", "x", {}


def bands(n):
    """Terms that do not cover the result: each is written into it."""
    given = dict.fromkeys(named("a", n), ())
    return "y[i] = " + " + ".join(f"a{k}*x[i+{k}]" for k in range(1, n + 1)), "x", given


def pairs(n):
    given = {f"{letter}{k + 1}": () for letter in "ax" for k in range(n)}
    return "y = " + " + ".join(f"a{k + 1}*x{k + 1}" for k in range(n)), named("x", n), given


def lines(n):
    said = [f"x{k + 1} = sin({1 + k % 7}*x{k} + c)" for k in range(n)]
    return "\n".join(["x0 = c", *said, f"y = x{n}"]), "c", {"c": ()}


def assigned_again(n):
    return "\n".join(["z = c", *[f"z = sin({1 + k % 5}*z) + c" for k in range(n)]]), "c", {"c": ()}


def chain(n):
    return f"L = sum({' @ '.join(named('A', n))})", "A1", {}


def chain_in_each(n):
    return f"L = sum({' @ '.join(named('A', n))})", named("A", n), {}


def separate(n):
    return (
        "\n".join(f"r{k} = sum((A{k} @ x{k})**2)" for k in range(n))
        + "\nL = "
        + " + ".join(f"r{k}" for k in range(n)),
        [f"x{k}" for k in range(n)],
        {},
    )


PROGRAMS = [network, summands, bands, pairs, lines, assigned_again, chain, chain_in_each, separate]


def steps(program):
    """The calls that deriving and compiling take, of functions in Python and of others, and the source."""
    text, wrt, shapes = program
    count = 0

    def called(frame, event, arg):
        nonlocal count
        count += event in ("call", "c_call")

    contract._known.clear()
    before = sys.getprofile()
    sys.setprofile(called)
    try:
        d = derive(text, wrt=wrt, shapes=shapes)
        d.compile()
    finally:
        sys.setprofile(before)
    return count, len(d.source())


@pytest.mark.parametrize("longest", [-1, sys.maxsize], ids=["without formula", "with formula"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_steps_and_source_grow_with_the_program(program, longest, monkeypatch):
    """Twice as many more lines take twice as many more steps; a square would take four times as many."""
    monkeypatch.setattr(function, "LONG", longest)
    steps(program(3))  # reads the rules
    small, middle, large = (steps(program(n)) for n in (24, 48, 96))
    for what, a, b, c in zip(("steps", "characters of source"), small, middle, large, strict=True):
        assert (c - b) < 2.4 * (b - a), f"{what}: {a}, {b}, {c}"


def test_ten_thousand_terms_are_derived():
    n = 10_000
    text, wrt, shapes = pairs(n)
    d = derive(text, wrt=wrt[7], shapes=shapes)
    values = dict.fromkeys(d.inputs, 1.0) | {"a8": -2.5}
    assert d(**values) == -2.5


def test_thousands_of_distinct_terms_are_derived_as_written_by_hand():
    n = 2000
    text, wrt, shapes = summands(n)
    x = np.array([0.3, -1.7, 0.01])
    k = np.arange(1, n + 1)
    expected = (k * np.cos(np.multiply.outer(x, k))).sum(axis=1)
    assert_close(derive(text, wrt=wrt, shapes=shapes)(x), expected, tol=1e-9)


def test_thousands_of_lines_are_derived():
    n = 2000
    text, wrt, shapes = assigned_again(n)

    def value(c):
        z = c
        for k in range(n):
            z = np.sin((1 + k % 5) * z) + c
        return z

    c, step = 0.3, 1e-25
    slope = value(complex(c, step)).imag / step
    assert np.isfinite(slope)
    assert_close(derive(text, wrt=wrt, shapes=shapes)(c), slope, tol=1e-8)


@pytest.mark.parametrize("program", [network, bands, separate], ids=lambda program: program.__name__)
def test_the_programs_that_grow_are_derived_right(program):
    text, wrt, shapes = program(4)
    rng = np.random.default_rng(0)
    d = derive(text, wrt=wrt, shapes=shapes)
    sizes = {}
    arrays = {}
    for one in d._program.inputs:
        shape = [sizes.setdefault(str(size), 7 + len(sizes)) for size in one.shape]
        arrays[one.name] = rng.normal(size=shape)
    value = derive(text, wrt=wrt, shapes=shapes).compile(value=True)
    got = d(**arrays)
    for name in [wrt] if isinstance(wrt, str) else wrt:
        slope = numerical_jacobian(lambda **a: value(**a)[0], arrays, name)
        assert_close(got if isinstance(wrt, str) else got[name], slope, tol=1e-7)


# -- the collector of cycles


def test_the_collector_waits_and_is_then_as_it_was():
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    derive("y = x**2", wrt="x").compile()
    assert gc.isenabled()
    with pytest.raises(EinsumDiffError):
        derive("y = nosuch(x)", wrt="x")
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off():
    gc.disable()
    try:
        derive("y = x**3", wrt="x").compile()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_collector_waits_for_the_last_of_several_threads():
    first, second = threading.Event(), threading.Event()

    def other():
        with uncollected():
            first.set()
            second.wait(10)

    thread = threading.Thread(target=other)
    with uncollected():
        thread.start()
        assert first.wait(10)
    assert not gc.isenabled()
    second.set()
    thread.join()
    assert gc.isenabled()


def test_a_long_formula_is_in_the_source_and_not_in_the_docstring_of_the_function():
    for layers, shown in ((5, True), (60, False)):
        text, wrt, _ = network(layers)
        d = derive(text, wrt=wrt)
        formula = str(d).splitlines()[layers]  # behind the lines of the layers
        assert formula in d.source()
        assert (formula in d.compile().__doc__) is shown
        assert "Shapes:" in d.compile().__doc__
        given = {"h0": np.ones(3), "t": np.ones(3)}
        given |= {f"W{k}": np.eye(3) / 2 for k in range(1, layers + 1)}
        given |= {f"b{k}": np.ones(3) for k in range(1, layers + 1)}
        space = {}
        exec(d.source(), space)
        name = d.compile().__name__
        for one, other in zip(space[name](**given).values(), d.compile()(**given).values(), strict=True):
            np.testing.assert_array_equal(one, other)
