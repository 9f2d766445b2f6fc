"""The checks of a call: what fits goes on at once, anything else is converted or explained as before."""

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian, sample

from einsumdiff import EinsumDiffError, derive, register
from einsumdiff.forms.options import Options
from einsumdiff.prologue import FEW, within

PROGRAMS = {
    "matrices": (
        "sum((A @ x - b)**2)",
        {"A": (3, 2), "x": (2,), "b": (3,)},
        lambda A, x, b: np.sum((A @ x - b) ** 2),
    ),
    "a number": ("a: (); x: (n,); a*x**2", {"a": (), "x": (5,)}, lambda a, x: a * x**2),
    "a number alone": ("a: (); a**3", {"a": ()}, lambda a: a**3),
    "sizes by number": (
        "A: (3, 2); x: (2,); y = A @ x",
        {"A": (3, 2), "x": (2,)},
        lambda A, x: A @ x,
    ),
    "a square": ("x @ A @ x", {"x": (3,), "A": (3, 3)}, lambda x, A: x @ A @ x),
    "a size less one": (
        "x: (n,); c: (n-1,); sum((x[1:]*c)**2)",
        {"x": (5,), "c": (4,)},
        lambda x, c: np.sum((x[1:] * c) ** 2),
    ),
    "a size that is solved for": (
        "c: (2*n + 1,); c[1:]**2*c[:-1]",
        {"c": (7,)},
        lambda c: c[1:] ** 2 * c[:-1],
    ),
    "places": (
        "A: (m, n); k: (p,); sum(A[k]**2)",
        {"A": (5, 2), "k": np.array([4, -5, 0])},
        lambda A, k: np.sum(A[k] ** 2),
    ),
    "a mean": ("mean(x**2)", {"x": (7,)}, lambda x: np.mean(x**2)),
    "the largest": ("max(x)", {"x": (7,)}, lambda x: np.max(x)),
    "a place by number": ("x[0]**2 + sum(x)", {"x": (5,)}, lambda x: x[0] ** 2 + np.sum(x)),
    "names that the checks use": (
        "function: (); args @ type + absent[0]*function",
        {"args": (2,), "type": (2,), "absent": (3,), "function": ()},
        lambda args, type, absent, function: args @ type + absent[0] * function,
    ),
}


def checks(d):
    return d._loaded(Options())[1]


def prepared(name):
    program, shapes, function = PROGRAMS[name]
    sampled = sample({one: shape for one, shape in shapes.items() if isinstance(shape, tuple)})
    arrays = {one: sampled.get(one, shape) for one, shape in shapes.items()}
    wrt = [one for one in arrays if one in sampled]
    return derive(program, wrt=wrt), {one: np.asarray(a) for one, a in arrays.items()}, function, wrt


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_checked_function_is_the_slope_by_position_and_by_name(name):
    d, arrays, function, wrt = prepared(name)
    given = [arrays[one] for one in d.inputs]
    checked = d.compile(check=True)
    for found in (checked(*given), checked(**arrays), d(*given), d(**arrays)):
        assert list(found) == wrt
        for one in wrt:
            assert_close(found[one], numerical_jacobian(function, arrays, one), 1e-9)
    for one in wrt:
        assert type(d[one](*given)) is np.ndarray
        assert_close(d[one](*given), numerical_jacobian(function, arrays, one), 1e-9)


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_fits_is_not_checked_the_slow_way(name, monkeypatch):
    d, arrays, _, _ = prepared(name)
    given, checked = [arrays[one] for one in d.inputs], d.compile(check=True)
    d(*given)
    monkeypatch.setattr(type(checks(d)), "_checked", lambda *_: pytest.fail("it was checked the slow way"))
    checked(*given)
    checked(**arrays)
    d(*given)
    d(**arrays)
    for one in arrays:
        if arrays[one].shape == ():
            checked(*(float(a) if a.shape == () else a for a in given))


class Subclass(np.ndarray):
    pass


def spoilt(array):
    """Arrays that differ from this one in shape or in kind."""
    yield from (array.astype(kind) for kind in ("f4", "f2", "g", "i8", "i4", "u1", "c16", "?", object, ">f8"))
    yield from (array.tolist(), array[None], array[..., None], array[()], array.view(Subclass))
    yield from (np.ma.array(array), None, "text", np.array("text"), 3, 3.0, True)
    yield from (np.float64(2), np.float32(2), 10**400)
    if array.ndim:
        yield from (array[:-1], array[:0], array[0], array.T, np.concatenate([array, array]), array + 100)
        yield from (array - 100, -array - 1, array[::-1], [*array.tolist(), []])


def outcome(call):
    """What a call gives, or the error that it raises."""
    with np.errstate(all="ignore"):
        try:
            found = call()
        except EinsumDiffError as error:
            return type(error), str(error)
    return {key: (one.dtype, one.shape, repr(one.tolist())) for key, one in found.items()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_does_not_fit_at_once_is_converted_or_explained(name):
    """The same results and errors as by the slow way, to the letter."""
    d, arrays, _, _ = prepared(name)
    function, slow = d._loaded(Options())
    checked = d.compile(check=True)

    def right(args, kwargs):
        return {key: np.asarray(one) for key, one in slow.call(function, args, kwargs).items()}

    def wrapped(args, kwargs):
        return {key: np.asarray(one) for key, one in checked(*args, **kwargs).items()}

    order = list(d.inputs)
    given = [arrays[one] for one in order]
    calls = [(given[:-1], {}), ([*given, given[0]], {}), ((), {}), ((), {order[0]: given[0]})]
    calls += [(given, {order[-1]: given[-1]}), (given, {"unknown": 1.0}), ([None], {})]
    calls += [(given[:1], dict(zip(order[1:], given[1:], strict=True)))]
    for k, array in enumerate(given):
        for other in spoilt(array):
            changed = [*given[:k], other, *given[k + 1 :]]
            calls += [(changed, {}), ((), dict(zip(order, changed, strict=True)))]
    calls.append(([a.astype("f4") if a.dtype.kind == "f" else a for a in given], {}))
    calls.append(([a.astype("f4") if a.ndim else a.tolist() for a in given], {}))
    for args, kwargs in calls:
        said = outcome(lambda a=args, k=kwargs: right(a, k))
        assert outcome(lambda a=args, k=kwargs: d(*a, **k)) == said, (args, kwargs)
        assert outcome(lambda a=args, k=kwargs: wrapped(a, k)) == said, (args, kwargs)


def test_a_size_of_zero_divides_without_a_warning():
    d = derive("mean(x**2)", wrt="x")
    assert d(np.zeros(0)).shape == d.compile(check=True)(np.zeros(0)).shape == (0,)
    assert np.isnan(derive("a*mean(x)", wrt="a", shapes={"a": (), "x": "n"})(1.0, np.zeros(0)))


def test_what_is_declared_of_an_array_is_checked():
    d = derive("x: (n,); S: (n, n) symmetric; x @ S @ x", wrt="x")
    S, x = np.array([[1.0, 2.0], [2.0, 5.0]]), np.array([1.0, -2.0])
    checked = d.compile(check=True)
    assert_close(checked(x, S), 2 * S @ x)
    with pytest.raises(EinsumDiffError, match="S is declared symmetric"):
        checked(x, np.array([[1.0, 2.0], [3.0, 5.0]]))


@pytest.mark.parametrize("form", ["sparse", "operator", "compressed"])
def test_every_form_may_be_checked(form):
    d = derive("A @ tanh(x)", wrt="x")
    A, x = sample({"A": (3, 2), "x": (2,)}).values()
    function = d.compile(form=form, check=True)
    found = function(A, x.tolist())
    dense = {"sparse": "toarray", "compressed": "dense"}.get(form)
    assert_close(getattr(found, dense)() if dense else found @ np.eye(2), A * (1 - np.tanh(x) ** 2))
    with pytest.raises(EinsumDiffError, match="x: axis 0 has size 3, expected n = 2"):
        function(A, np.zeros(3))


def test_the_value_comes_with_a_checked_derivative():
    function = derive("sum(x**3)", wrt="x").compile(value=True, check=True)
    value, slope = function([1.0, -2.0])
    assert (value, slope.tolist()) == (-7.0, [3.0, 12.0])
    with pytest.raises(EinsumDiffError, match="x has shape"):
        function(np.zeros((2, 2)))


def test_a_buffer_is_checked_as_well():
    d = derive("A @ x", wrt="x")
    function = d.compile(out=True, check=True)
    A, x = sample({"A": (3, 2), "x": (2,)}).values()
    buffer = np.zeros((3, 2))
    assert function(A, x, out=buffer) is buffer
    assert_close(buffer, A)
    with pytest.raises(EinsumDiffError, match=r"out has shape \(2, 2\), the derivative has \(3, 2\)"):
        function(A, x, out=np.zeros((2, 2)))
    with pytest.raises(EinsumDiffError, match="the buffer is missing"):
        function(A, x)


def test_products_with_vectors_are_checked_alike():
    d = derive("A @ tanh(x)", wrt="x")
    A, x, dx = sample({"A": (3, 2), "x": (2,), "dx": (2,)}).values()
    right = numerical_jacobian(lambda x: A @ np.tanh(x), {"x": x}, "x") @ dx
    function = d.jvp.compile(check=True)
    for found in (d.jvp(A, x, dx), d.jvp(A=A, x=x, dx=dx), function(A, x, dx), d.jvp(A, x, dx.tolist())):
        assert_close(found, right, 1e-9)
    for call in (d.jvp, function):
        with pytest.raises(EinsumDiffError, match="dx: axis 0 has size 3, expected n = 2"):
            call(A, x, np.zeros(3))
    assert d.jvp.compile() is not function


def test_functions_of_the_user_may_be_given_to_a_checked_function():
    def cube(x):
        return x**3

    rules = register("fn cube(x)  numpy cube  on real\n   d/dx = 3*x**2", cube=cube)
    d = derive("sum(cube(x)*x)", wrt="x", rules=rules)
    x = np.array([1.0, -2.0])
    assert_close(d.compile(check=True)(x), 4 * x**3)
    assert_close(d.compile(check=True)(x, cube=lambda x: 0 * x), 3 * x**3)


def test_a_checked_function_is_made_once_and_looks_like_the_other():
    d = derive("A @ x", wrt="x")
    function = d.compile(check=True)
    assert d.compile(check=True) is function
    assert function.__name__ == d.compile().__name__ == "dy_dx"
    assert function.__doc__ == d.compile().__doc__


@pytest.mark.parametrize("count", [0, 3, FEW + 1])
def test_places_are_within_an_axis_from_minus_its_size_on(count):
    places = np.zeros(count, np.intp)
    assert within(places, 5)
    for place, inside in ((4, True), (5, False), (-5, True), (-6, False)):
        places[-1:] = place
        assert within(places, 5) == (inside or not count)
