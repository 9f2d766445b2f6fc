"""Sums along an axis of a large array by products with ones and by einsum: numbers, types, shapes, memory."""

import tracemalloc

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample
from programs import oracle_jacobian

from einsumdiff import derive
from einsumdiff.passes import totals

SIZES = {"m": 2, "n": 3, "p": 5}
HUGE = {"m": 3000, "n": 40, "p": 7}

PROGRAMS = [
    ("X: (m, n); w: (n,)\nf = sum(sum(X, axis=0)*w)", "w"),
    ("X: (m, n); v: (m,)\nf = sum(sum(X, axis=1)*v)", "v"),
    ("X: (m, n); w: (n,)\nf = sum(sum(exp(X), axis=1)**2) + sum(sum(X, axis=0)*w)", ["w", "X"]),
    ("X: (m, p); w: (p,); v: (m,)\nf = sum(sum(exp(X), axis=1)*v) + sum(sum(exp(X), axis=0)*w)", ["v", "X"]),
    ("X: (m, n); W: (n, p); b: (p,)\nf = sum(tanh(X @ W + b)**2)", ["W", "b"]),
    ("X: (m, n); b: (n,)\nf = sum(exp(sin(X)*b)/(1 + X**2))", "b"),
    ("T: (m, n, p); b: (n, p)\nf = sum(exp(sin(T)*b))", "b"),
    ("T: (n, m, p); B: (n, m)\nf = sum(sum(T**2, axis=2)*B)", ["B", "T"]),
    ("T: (m, n, p); B: (m, p)\nf = sum(sum(tanh(T), axis=1)*B)", ["B", "T"]),
    ("X: (m, n); Y: (n, m)\nf = sum(sum(X.T*Y, axis=0)**2) + sum(sum(Y, axis=1)**3)", ["X", "Y"]),
    ("X: (m, n)\nf = sum(sum(X[1:], axis=0)**3) + sum(sum(X[:, 1:], axis=1)**3)", "X"),
]
ROWS = pytest.mark.parametrize(("text", "wrt"), PROGRAMS)


def drawn(d, sizes, dtype=float):
    shapes = {one.name: tuple(sizes[str(s)] for s in one.shape) for one in d._program.inputs}
    return {name: array.astype(dtype) for name, array in sample(shapes, seed=5).items()}


def as_dict(found, wrt):
    return found if isinstance(found, dict) else {wrt: found}


def compared(found, expected, wrt, tol=1e-11):
    found, expected = as_dict(found, wrt), as_dict(expected, wrt)
    assert found.keys() == expected.keys()
    for key, one in expected.items():
        assert np.asarray(found[key]).dtype == np.asarray(one).dtype
        assert_close(found[key], one, tol)


def named(d, sizes):
    """Those of the sizes that the program has."""
    text = d.asked.text
    return {name: size for name, size in sizes.items() if any(f"{name}{end}" in text for end in ",)")}


def source_of(d, **options):
    return d.source(sizes=named(d, HUGE), **options)


def oracle(text, wrt, arrays, sizes):
    d = derive(text, wrt=wrt)
    return oracle_jacobian(d._jacobian, {one: arrays[one.name] for one in d._program.inputs}, sizes)


@ROWS
def test_every_entry_is_that_of_the_numerical_derivative(text, wrt):
    """Compiled for large arrays and called with small ones: sizes= is said, and not relied on."""
    d = derive(text, wrt=wrt)
    arrays = drawn(d, SIZES)
    found = as_dict(d.compile(sizes=named(d, HUGE))(**arrays), wrt)
    value = derive(text, wrt=wrt).compile(value=True)
    for name, one in found.items():
        assert_close(one, numerical_jacobian(lambda **a: value(**a)[0], arrays, name), 1e-9)


@ROWS
def test_every_entry_is_that_of_the_oracle(text, wrt):
    d = derive(text, wrt=wrt)
    arrays = drawn(d, SIZES)
    for name, one in as_dict(d.compile(sizes=named(d, HUGE))(**arrays), wrt).items():
        assert_close(one, oracle(text, name, arrays, SIZES), 1e-12)


@ROWS
@pytest.mark.parametrize("options", [{}, {"workspace": True}, {"value": True}])
def test_large_arrays_give_what_numpy_adds_up(text, wrt, options):
    d = derive(text, wrt=wrt)
    arrays = drawn(d, HUGE)
    plain, new = d.compile(**options), d.compile(sizes=named(d, HUGE), **options)
    for _ in range(2):
        expected, found = plain(**arrays), new(**arrays)
        if "value" in options:
            assert_close(found[0], expected[0], 1e-12)
            expected, found = expected[1], found[1]
        compared(found, expected, wrt)


@ROWS
@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_the_type_is_what_it_would_be(text, wrt, dtype):
    """Arrays that are derived in are floats; others are of any kind, and never multiplied by ones then."""
    d = derive(text, wrt=wrt)
    names = [wrt] if isinstance(wrt, str) else wrt
    for sizes in (SIZES, HUGE):
        arrays = drawn(d, sizes)
        for name in arrays:
            if name not in names:
                arrays[name] = (arrays[name] > 0) if dtype is bool else (3 * arrays[name]).astype(dtype)
            elif dtype is np.float32:
                arrays[name] = arrays[name].astype(dtype)
        try:
            expected = d.compile()(**arrays)
        except (TypeError, ValueError) as error:  # a negative of truth values, say
            with pytest.raises(type(error)):
                d.compile(sizes=named(d, HUGE))(**arrays)
            continue
        compared(
            d.compile(sizes=named(d, HUGE))(**arrays), expected, wrt, 2e-4 if dtype is np.float32 else 1e-11
        )


def test_numbers_of_two_types_keep_each_its_own():
    d = derive("X: (m, n); v: (m,); w: (n,)\nf = sum(sum(X, axis=0)*w)*sum(v)", wrt=["X", "w"])
    arrays = drawn(d, HUGE)
    for one, other in [(np.float32, np.float64), (np.float64, np.float32), (np.float32, np.int64)]:
        given = {"X": arrays["X"].astype(one), "w": arrays["w"].astype(one), "v": arrays["v"].astype(other)}
        compared(d.compile(sizes=named(d, HUGE))(**given), d.compile()(**given), "X", 1e-3)


def test_whole_numbers_are_added_up_as_such():
    """An array that nobody derives in may hold them: BLAS knows none, and einsum would keep their width."""
    d = derive("X: (m, n); w: (n,)\nf = sum(sum(X, axis=0)*w)", wrt="w")
    assert "np.ones" not in source_of(d) and "einsum" not in source_of(d)
    X = np.full((3000, 40), 2**30, np.int32)
    found = d.compile(sizes=named(d, HUGE))(X=X, w=np.ones(40))
    assert (found == 3000 * 2**30).all()


@pytest.mark.parametrize("shape", [(0, 40), (3000, 0), (0, 0), (1, 40), (3000, 1), (1, 1)])
def test_arrays_without_entries_and_with_one_have_sums_too(shape):
    d = derive("X: (m, n); w: (n,)\nf = sum(sum(exp(X), axis=1)**2) + sum(sum(X, axis=0)*w)", wrt=["w", "X"])
    X = np.random.default_rng(0).normal(size=shape)
    found = d.compile(sizes=named(d, HUGE))(X=X, w=np.ones(shape[1]))
    assert_close(found["w"], X.sum(axis=0), 1e-12)
    assert_close(found["X"], 1 + 2 * np.exp(X) * np.exp(X).sum(axis=1, keepdims=True), 1e-12)


@pytest.mark.parametrize(
    "layout", [lambda X: X.T.copy().T, lambda X: np.repeat(X, 2, 1)[:, ::2], lambda X: X[::-1]]
)
@ROWS
def test_views_and_arrays_that_are_read_only_are_read(text, wrt, layout):
    d = derive(text, wrt=wrt)
    arrays = drawn(d, HUGE)
    given = {name: layout(one) if one.ndim == 2 else one for name, one in arrays.items()}
    for one in given.values():
        one.flags.writeable = False
    before = {name: one.copy() for name, one in given.items()}
    expected = d.compile()(**given)
    compared(d.compile(sizes=named(d, HUGE))(**given), expected, wrt)
    assert all((given[name] == one).all() for name, one in before.items())


def test_infinities_and_nan_stay_where_they_are():
    d = derive("X: (m, n); w: (n,)\nf = sum(sum(X, axis=0)*w) + 0*sum(X**2)", wrt=["w", "X"])
    X = drawn(d, HUGE)["X"]
    X[5, 3], X[7, 4], X[8, 5] = np.inf, np.nan, -np.inf
    found = d.compile(sizes=named(d, HUGE))(X=X, w=np.ones(40))["w"]
    np.testing.assert_allclose(found, X.sum(axis=0), rtol=1e-11)


def test_each_way_is_taken_where_it_is_the_fastest():
    def lines(text, wrt, **sizes):
        return derive(text, wrt=wrt).source(sizes=sizes)

    rows = "X: (m, n); v: (m,)\nf = sum(sum(X, axis=1)*v) + sum(X**2)", ["v", "X"]
    columns = "X: (m, n); w: (n,)\nf = sum(sum(X, axis=0)*w) + sum(X**2)", ["w", "X"]
    assert "np.ones(n, X.dtype)" in lines(*rows, m=10_000, n=10)
    assert 'np.einsum("ij->i", X)' in lines(*rows, m=1000, n=100)
    assert "X.sum(axis=1)" in lines(*rows, m=10, n=10_000)  # by pairs
    assert "X.sum(axis=1)" in lines(*rows, m=10, n=10)
    assert "X.sum(axis=1)" in derive(rows[0], wrt=rows[1]).source()
    assert "np.ones(m, X.dtype)" in lines(*columns, m=10_000, n=10)
    assert "np.ones(m, X.dtype)" in lines(*columns, m=2000, n=2000)
    assert 'np.einsum("ij->j", X)' in lines(*columns, m=100_000, n=100)
    assert "X.sum(axis=0)" in lines(*columns, m=10, n=10_000)
    declared = derive("X: (1000, 10); w: (10,)\nf = sum(sum(X, axis=0)*w) + sum(X**2)", wrt=["w", "X"])
    assert "np.ones(1000, X.dtype)" in declared.source()


def test_sums_of_one_length_and_type_share_their_ones():
    d = derive(
        "X: (m, n); Y: (m, p); w: (n,); v: (p,)\n"
        "f = sum(sum(X, axis=0)*w) + sum(sum(Y, axis=0)*v) + sum(sum(X**3, axis=0)*w)",
        wrt=["w", "v", "X"],
    )
    text = source_of(d)
    assert text.count("X.dtype)") == 1 and text.count("np.ones(") == 1  # Y may be of whole numbers
    assert text == source_of(d)
    compared(d.compile(sizes=named(d, HUGE))(**drawn(d, HUGE)), d.compile()(**drawn(d, HUGE)), "w")


@pytest.mark.parametrize(("text", "wrt"), [PROGRAMS[2], PROGRAMS[5], PROGRAMS[6]])
def test_the_memory_of_a_call_is_known(text, wrt):
    d = derive(text, wrt=wrt)
    arrays = drawn(d, HUGE)
    function = d.compile(sizes=named(d, HUGE))
    function(**arrays)
    tracemalloc.start()
    found = function(**arrays)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    assert d.cost(**named(d, HUGE)).memory == pytest.approx(measured, rel=0.1)


def test_ones_are_kept_in_the_workspace():
    d = derive("X: (m, n); w: (n,)\nf = sum(sum(X, axis=0)*w) + sum(X**2)", wrt=["w", "X"])
    sizes = {"m": 30_000, "n": 10}
    kept = d.compile(sizes=sizes, workspace=True)
    arrays, other = drawn(d, sizes), drawn(d, SIZES)
    for given in (arrays, other, arrays):
        compared(kept(**given), d.compile()(**given), "w")
    tracemalloc.start()
    found = kept(**arrays)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    buffered = 70_000  # NumPy's own: see test_workspace
    assert measured < sum(one.nbytes for one in found.values()) + buffered < d.cost(**sizes).memory


@ROWS
def test_a_buffer_is_filled_with_the_same(text, wrt):
    d = derive(text, wrt=wrt)
    arrays = drawn(d, HUGE)
    expected = as_dict(d.compile()(**arrays), wrt)
    out = {name: np.full_like(one, np.nan) for name, one in expected.items()}
    d.compile(sizes=named(d, HUGE), out=True)(**arrays, out=out if isinstance(wrt, list) else out[wrt])
    compared(out, expected, wrt)


@ROWS
@pytest.mark.parametrize("way", ["ones", "einsum"])
def test_either_way_is_right_everywhere(text, wrt, way, monkeypatch):
    """Also where it would not be taken: along any axis, of arrays of any size."""
    monkeypatch.setattr(totals._Totals, "_way", lambda *_: way)
    d = derive(text, wrt=wrt)
    arrays = drawn(d, SIZES)
    found = as_dict(d.compile(sizes=named(d, HUGE))(**arrays), wrt)
    for name, one in found.items():
        assert_close(one, oracle(text, name, arrays, SIZES), 1e-12)
