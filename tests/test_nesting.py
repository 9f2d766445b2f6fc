"""An expression may be nested to any depth: it is the same as one with a statement for each level."""

import pickle
import sys

import numpy as np
import pytest
from numeric import assert_close, numerical_jacobian

from einsumdiff import Unsupported, derive, read
from einsumdiff.nesting import run

X = np.array([0.4, -0.7, 0.9])
MATRIX = np.array([[0.5, -0.3, 0.4], [0.2, 0.7, -0.6], [-0.4, 0.1, 0.8]])


def nested(before, core, behind, depth):
    return before * depth + core + behind * depth


def in_lines(before, core, behind, depth):
    """The same in statements: one for each level."""
    return "\n".join([f"t0 = {core}", *(f"t{k + 1} = {before}t{k}{behind}" for k in range(depth))])


PROGRAMS = {
    # what stands before and behind each level, the core, the shape of x
    "a function": ("sin(", "x", ")", (3,)),
    "a line": ("(x + 2*", "x", ")/3", (3,)),
    "a tower": ("(1 + x**2)**(1/(1 + ", "x", "))", (3,)),
    "quotients": ("1/(3 + x*", "x", ")", (3,)),
    "a network": ("tanh(A @ ", "x", ")", (3,)),
    "methods": ("(x*", "x", ").reshape(1, 3).ravel()", (3,)),
    "slices": ("(x/2 + ", "x", ")[::-1]", (3,)),
    "a reduction": ("(x*sum(x*", "x", "))", (3,)),
    "softmax": ("softmax(x + 3*", "x", ")", (3,)),
    "a choice": ("where(x > 0, x, sin(", "x", "))", (3,)),
    "inverses": ("inv(4*A + ", "A*x[0]", "/9)", (3,)),
    "sums along an axis": ("(x + cumsum(", "x", ")/4)", (3,)),
    "einsum": ("cos(einsum('ij,j->i', A, ", "x", "))", (3,)),
}


@pytest.fixture(params=PROGRAMS)
def program(request):
    before, core, behind, _ = PROGRAMS[request.param]

    def texts(depth):
        inner = nested(before, core, behind, depth)
        return f"y = sum({inner})", f"{in_lines(before, core, behind, depth)}\ny = sum(t{depth})"

    return texts


SHAPES = {"x": 3, "A": (3, 3)}


def among(text, what):
    return {name: one for name, one in what.items() if name in text}


def derived(text):
    return derive(text, "x", shapes=among(text, SHAPES))


def arrays(text):
    return among(text, {"x": X, "A": MATRIX})


def assert_slope(f, given):
    """Of a function that gives the value and the derivative."""
    assert_close(f(**given)[1], numerical_jacobian(lambda **now: f(**now)[0], given, "x"), 1e-8)


def test_the_slope_is_that_of_differences(program):
    text, _ = program(7)
    assert_slope(derived(text).compile(value=True), arrays(text))


def test_nested_is_the_same_as_line_by_line(program, depth=300):
    one, other = (derived(text).compile(value=True) for text in program(depth))
    given = arrays(program(1)[0])
    for found, expected in zip(one(**given), other(**given), strict=True):
        assert_close(found, expected, 1e-9)


INDEXED = {
    "sums of entries": ("y[i] = ", "sin(x[i] + ", "x[i]", ")"),
    "sums within sums": ("y[j] = ", "(1 + sum[i](x[i]*sin(", "x[j]", ")))"),
    "sums that nobody writes": ("y = ", "tanh(x[i]*", "x[i]", ")"),
    "products of matrices": ("y[i] = ", "(A @ ", "x", ")"),
}


@pytest.mark.parametrize("name", INDEXED)
def test_indexed_notation_is_nested_to_any_depth(name):
    left, before, core, behind = INDEXED[name]

    def text(depth):
        return left + nested(before, core, behind, depth) + "[i]" * ("@" in before)

    assert_slope(derived(text(5)).compile(value=True), arrays(text(5)))
    deep = derived(text(200))
    assert read(str(deep)) == deep
    assert np.all(np.isfinite(deep(**arrays(text(5)))))


@pytest.mark.parametrize("name", ["a function", "slices"])
def test_a_thousand_levels_are_the_same_as_a_thousand_lines(name):
    before, core, behind, _ = PROGRAMS[name]
    one = derived(f"y = sum({nested(before, core, behind, 1000)})")
    other = derived(f"{in_lines(before, core, behind, 1000)}\ny = sum(t1000)")
    assert_close(one(x=X), other(x=X))


@pytest.mark.parametrize(
    ("before", "core", "behind"),
    [
        ("sin(", "x", ")"),
        ("(A*", "x", ")/2"),
        ("x.*cos(", "x", ")"),
        ("A'*(", "x", "./2)"),
        ("-(", "x", "')'"),
    ],
)
def test_matrix_notation_is_nested_to_any_depth(before, core, behind, depth=300):
    def function(text):
        return derive(text, "x", notation="matrix").compile(value=True)

    given = {"A": MATRIX, "x": X} if "A" in before else {"x": X}
    assert_slope(function(f"sum({nested(before, core, behind, 5)})"), given)
    one = function(f"sum({nested(before, core, behind, depth)})")
    other = function(f"{in_lines(before, core, behind, depth)}\nsum(t{depth})")
    for found, expected in zip(one(**given), other(**given), strict=True):
        assert_close(found, expected, 1e-9)


def test_a_traced_function_is_nested_to_any_depth():
    def network(x, A, depth=300):
        for _ in range(depth):
            x = np.tanh(A @ x + x)
        return np.sum(x)

    def line(x):
        y = x
        for _ in range(1000):
            y = x + y / 2
        return np.sum(y)

    given = {"x": X, "A": MATRIX}
    slope = numerical_jacobian(lambda x, A: network(x, A, 300), given, "x")
    assert_close(derive(network, "x", shapes=SHAPES)(**given), slope, 1e-7)
    assert_close(derive(line, "x", shapes={"x": 3})(x=X), [2.0, 2.0, 2.0])


def test_a_long_chain_of_matrices_and_a_deep_network_in_one_expression():
    names = [f"A{k}" for k in range(1000)]
    given = {name: MATRIX * (1 + k % 3) / 2 for k, name in enumerate(names)}
    left = derive(f"y = sum({' @ '.join(names)})", "A0")
    right = derive("y = sum(" + " @ (".join(names) + ")" * 999 + ")", "A0")
    rest = np.ones(3)
    for name in reversed(names[1:]):
        rest = given[name] @ rest
    for d in (left, right):
        assert_close(d(**given), np.tile(rest, (3, 1)))
    layers = "".join(f"tanh(W{k} @ " for k in reversed(range(1000)))
    deep = derive(f"x: (n,)\ny = sum({layers}x{')' * 1000})", ["W0", "W999"])
    given = {f"W{k}": MATRIX * 1.5 for k in range(1000)}
    h, states = X, []
    for k in range(1000):
        states.append(h)
        h = np.tanh(given[f"W{k}"] @ h)
    found = deep(x=X, **given)
    assert_close(found["W999"], np.outer(1 - h**2, states[-1]))
    back = np.ones(3)
    for k in reversed(range(1000)):
        back = (1 - (states[k + 1] if k < 999 else h) ** 2) * back
        if k:
            back = given[f"W{k}"].T @ back
    assert_close(found["W0"], np.outer(back, X))


def test_sizes_shapes_and_places_are_nested_to_any_depth():
    depth = 1000
    programs = {
        "y = sum(x[" + nested("(1 + ", "0", ")", depth) + ":]**2)": {"x": depth + 2},
        "y = sum[i](x[i + " + nested("(1 + ", "1", ")", depth) + "]**2)": {"x": depth + 3},
        "y = sum(" + nested("reshape(", "x", ", x.shape[0])", depth) + "**2)": {"x": 2},
        "y = sum(x**2*" + nested("(x*", "x", ").size", depth) + ")": {"x": 2},
        "y = sum(A**2*" + nested("ones_like(", "A", ")", depth) + ")": {"A": (2, 3)},
        "y = sum(" + nested("x[", "0:2", "][0:2]", 1) + "**2)": {"x": 2},
        f"x: ({nested('(1 + ', 'n', ')', 300)},); y = sum(x**2)": {},
    }
    for text, shapes in programs.items():
        name = "A" if "A" in shapes else "x"
        size = shapes.get(name, 302)
        array = np.linspace(-1, 1, int(np.prod(size))).reshape(size)
        slope = derive(text, name, shapes=shapes)(array)
        expected = 2 * array
        if "[i + " in text or "[(" in text:
            expected = np.where(np.arange(size) >= depth + ("[i" in text), expected, 0)
        if ".size" in text:
            expected = 2 * array * 2
        assert_close(slope, expected)


def test_all_that_a_derivative_offers_is_there_for_a_deep_program():
    text = f"y = sum({nested('sin(', 'x', ')', 300)})"
    d = derive(text, "x")
    assert read(str(d)) == d
    assert pickle.loads(pickle.dumps(d)) == d
    assert d.cost(n=3).flops > 300
    assert d.check() < 1e-6
    assert str(d.structure)
    assert d.source()
    assert repr(d)


def test_running_sums_around_each_other_are_several_statements():
    def text(depth):
        return f"y = {nested('cumsum(', 'x', ')/2', depth)}"

    f = derive(text(5), "x", shapes={"x": 3}).compile(value=True)
    assert_slope(f, {"x": X})
    d = derive(text(120), "x", shapes={"x": 3})
    power = np.linalg.matrix_power(np.tril(np.ones((3, 3))) / 2, 120)
    assert_close(d(x=X), power)
    assert_close(d.compile(form="operator")(x=X) @ X, power @ X)
    assert_close(d.compile(form="compressed")(x=X).dense(), power)


def test_a_fault_far_inside_points_there():
    text = f"x: (m,); w: (n,); y = sum({nested('sin(', 'x + w', ')', 2000)})"
    with pytest.raises(Exception, match="x and w cannot be added") as raised:
        derive(text, "x")
    assert raised.value.span.source == "x + w"
    with pytest.raises(Exception, match="i occurs once here"):
        derive(f"y = {nested('sin(', 'x[i]', ')', 2000)}; y + 1", "x")


def test_neither_the_limit_of_python_nor_the_stack_is_touched():
    limit = sys.getrecursionlimit()
    derive(nested("sin(", "x", ")", 3000), "x")
    assert sys.getrecursionlimit() == limit


def test_steps_give_results_and_faults_to_those_that_wait():
    def depth(n):
        return 1 + (yield depth(n - 1)) if n else 0

    assert run(depth(50000)) == 50000
    assert run(7) == 7

    def refused(n):
        if not n:
            raise Unsupported("no")
        try:
            return (yield refused(n - 1))
        except Unsupported:
            if n == 10000:
                return "mended"
            raise

    assert run(refused(20000)) == "mended"
    with pytest.raises(Unsupported, match="no"):
        run(refused(9999))


def steps(text):
    """The calls that deriving takes, of functions in Python and of others."""
    count = 0

    def called(frame, event, arg):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        derived(text)
    finally:
        sys.setprofile(before)
    return count


def test_deriving_takes_steps_in_proportion_to_the_depth(program):
    steps(program(5)[0])
    few, some, many = (steps(program(depth)[0]) for depth in (130, 195, 260))
    assert many - some <= 1.2 * (some - few)
