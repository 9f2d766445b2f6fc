"""A matrix and its transpose, combined by panels where their rows are a power of two apart."""

import tracemalloc

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample
from programs import oracle_jacobian

from einsumdiff import derive
from einsumdiff.passes import panels
from einsumdiff.targets.numpy.helpers import HELPERS

N = 256
"""The rows of 256 floats are 2048 bytes apart, those of 512 of single precision too."""

PROGRAMS = [
    ("A: (n, n); x: (n,)\nf = x @ A @ x", "x", 2),
    ("A: (n, n); x: (n,)\nf = 3*x @ A @ x", "x", 2),
    ("S: (n, n)\nT = S + S.T\nf = sum(exp(T)*T.T*sin(T))", "S", 1),
    ("S: (n, n)\nT = S.T - S*S.T + 1\nf = sum(exp(T)*T.T*sin(T))", "S", 1),
    ("A: (n, m); B: (m, n)\nC = A - B.T\nf = sum(exp(C)*C) + sum(sin(B.T - A))", "A", 1),
    ("A: (n, m); B: (m, n)\nf = sum((A*B.T)**3) + sum(tanh(-A - B.T)*A)", ["A", "B"], 1),
    ("A: (n, n); B: (n, n)\nf = sum(A*A.T*B) + sum((A + B.T + B)**3)", ["A", "B"], 1),
]
ROWS = pytest.mark.parametrize(("text", "wrt", "order"), PROGRAMS)
SMALL, LARGE = {"m": 3, "n": 5}, {"m": 512, "n": N}


def named(text, sizes):
    return {name: size for name, size in sizes.items() if f"({name}, " in text or f", {name})" in text}


def drawn(d, sizes):
    shapes = {one.name: tuple(sizes[str(s)] for s in one.shape) for one in d._program.inputs}
    return sample(shapes, domain="small", seed=2)


def compiled(text, wrt, order, sizes=None, **options):
    return derive(text, wrt=wrt, order=order).compile(sizes=sizes and named(text, sizes), **options)


def as_dict(found, wrt):
    return found if isinstance(found, dict) else {wrt: found}


@ROWS
def test_every_entry_is_that_of_the_numerical_derivative(text, wrt, order):
    """Compiled for large matrices, called with small ones."""
    d = derive(text, wrt=wrt, order=order)
    arrays = drawn(d, SMALL)
    found = as_dict(compiled(text, wrt, order, LARGE)(**arrays), wrt)
    for name, one in found.items():
        before = derive(text, wrt=name).compile(value=True)
        expected = numerical_jacobian(lambda k=2 - order, f=before, **a: f(**a)[1 - k], arrays, name)
        assert_close(one, expected, 1e-7)


@ROWS
def test_every_entry_is_that_of_the_oracle(text, wrt, order, everywhere):
    for name in [wrt] if isinstance(wrt, str) else wrt:
        d = derive(text, wrt=name, order=order)
        arrays = drawn(d, SMALL)
        assert "_by_panels(" in d.source(sizes=named(text, LARGE))
        terms = {one: arrays[one.name] for one in d._program.inputs}
        expected = oracle_jacobian(d._jacobian, terms, SMALL)
        assert_close(everywhere(d.source(sizes=named(text, LARGE)), d._name)(**arrays), expected, 1e-12)


@pytest.fixture
def everywhere():
    """The function of a source that copies panels of matrices of any size, three rows at a time."""

    def function(source, name):
        new = source.replace("64", "3").replace("72", "5").replace("% 2048 == 0", "> 0")
        assert new != source
        space = {}
        exec(new, space)
        return space[name]

    return function


@ROWS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("options", [{}, {"workspace": True}, {"copy": False}])
def test_large_matrices_give_what_numpy_gives(text, wrt, order, dtype, options):
    plain, new = compiled(text, wrt, order, **options), compiled(text, wrt, order, LARGE, **options)
    for sizes in (LARGE, {"m": 300, "n": 512}, {"m": 512, "n": 1030}):
        arrays = {name: one.astype(dtype) for name, one in drawn(derive(text, wrt=wrt), sizes).items()}
        before = {name: one.copy() for name, one in arrays.items()}
        expected, found = plain(**arrays), new(**arrays)
        for name, one in as_dict(expected, wrt).items():
            assert as_dict(found, wrt)[name].dtype == one.dtype
            assert_close(as_dict(found, wrt)[name], one, 1e-13 if dtype is np.float64 else 1e-4)
        assert all((arrays[name] == one).all() for name, one in before.items())


LAYOUTS = {
    "rows": lambda A: A,
    "columns": lambda A: A.T.copy().T,
    "every second": lambda A: np.repeat(A, 2, 1)[:, ::2],
    "backwards": lambda A: A[::-1, ::-1],
    "repeated": lambda A: np.broadcast_to(A[0], A.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32, bool])
def test_arrays_of_every_layout_and_type(layout, dtype):
    random = np.random.default_rng(1)
    A = LAYOUTS[layout](random.integers(-5, 5, (512, 512)).astype(dtype))
    A.flags.writeable = False
    found = compiled(*PROGRAMS[0], {"n": 512})(A=A, x=np.ones(512))
    assert found.dtype == (A + A.T).dtype
    assert (found == A + A.T).all()


@pytest.mark.parametrize("n", [0, 1, 2, 63, 64, 65, 256, 300])
def test_matrices_of_other_sizes(n):
    A = np.random.default_rng(n).normal(size=(n, n))
    assert (compiled(*PROGRAMS[0], LARGE)(A=A, x=np.ones(n)) == A + A.T).all()


@pytest.mark.parametrize("function", [np.add, np.subtract, np.multiply])
def test_the_helper_is_the_function(function):
    space = {"np": np}
    exec(HELPERS["_by_panels"], space)
    by_panels, random = space["_by_panels"], np.random.default_rng(0)
    A, B, C = (random.normal(size=shape) for shape in [(512, 256), (256, 512), (512, 512)])
    for a, b in [(A, B.T), (B.T, A), (B, A.T), (C, C.T), (C.T, C), (C.T, C.T), (A.astype("f"), B.T)]:
        found = by_panels(function, a, b)
        assert found.dtype == function(a, b).dtype
        assert (found == function(a, b)).all()
    for out in (C.copy(), C.T.copy(), C.T.copy().T):
        expected = function(out, C.T)
        assert by_panels(function, out, C.T, out=out) is out
        assert (out == expected).all()
    out = C.copy()
    assert (by_panels(function, out, out.T, out=out) == function(C, C.T)).all()  # the same memory


def test_panels_are_for_rows_that_are_a_power_of_two_apart():
    d = derive(PROGRAMS[0][0], wrt="x", order=2)
    for n in (256, 512, 768, 1024, 2048, 4096):
        assert "_by_panels(np.add, A, A.T)" in d.source(sizes={"n": n})
    for n in (2, 64, 128, 255, 500, 1000, 2000):
        assert "_by_panels" not in d.source(sizes={"n": n})
    assert "_by_panels" not in d.source()
    assert "_by_panels" in derive("A: (512, 512); x: (512,)\nf = x @ A @ x", wrt="x", order=2).source()


@pytest.mark.parametrize(("text", "wrt", "order"), [PROGRAMS[0], PROGRAMS[2], PROGRAMS[4]])
def test_the_memory_of_a_call_is_known(text, wrt, order):
    d = derive(text, wrt=wrt, order=order)
    arrays, sizes = drawn(d, LARGE), named(text, LARGE)
    function = d.compile(sizes=sizes)
    function(**arrays)
    tracemalloc.start()
    found = function(**arrays)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    assert d.cost(**sizes).memory == pytest.approx(measured, rel=0.1)


def test_a_copy_of_a_panel_is_what_the_helper_makes():
    for number in (panels.ROWS, panels.LENGTH, 8 * panels.APART):
        assert str(number) in HELPERS["_by_panels"]
