"""Random programs: the derivative is the slope of what NumPy makes of the same text; generated code is what
the oracle says; the printed formula reads back; the same text gives the same text."""

import ast

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numeric import assert_close, numerical_jacobian
from scipy import special

import einsumdiff
from einsumdiff import derive

SIZES = {"m": 2, "n": 3, "k": 5}
SHAPES = {"s": "", "u": "m", "x": "n", "z": "n", "v": "k", "A": "m n", "B": "n k", "S": "n n", "T": "n n"}
NAMESPACE = {
    name: getattr(np, name)
    for name in "sin tanh exp log sqrt sum mean prod max trace diag outer where maximum abs arctan".split()
} | {"softmax": special.softmax, "logsumexp": special.logsumexp, "sigmoid": special.expit, "np": np}


def named(shape):
    return st.sampled_from([name for name, sizes in SHAPES.items() if sizes == " ".join(shape)])


SMOOTH = [
    "sin({})",
    "tanh({})",
    "exp(-({})**2)",
    "sigmoid({})",
    "log(1 + ({})**2)",
    "sqrt(2 + ({})**2)",
    "-({})",
]
JOINED = [
    "{} + {}",
    "{} - {}",
    "{} * {}",
    "{} / (2 + sin({}))",
    "2 * {} - {} / 3",
    "where({0} > 0, {0}, {1})",
]


@st.composite
def expressions(draw, shape=None, depth=3):
    """An expression of that shape, a tuple of size names."""
    if shape is None:
        shape = draw(st.sampled_from([(), ("n",), ("m",), ("m", "n"), ("n", "n")]))
    known = [sizes for sizes in SHAPES.values() if sizes == " ".join(shape)]
    if depth == 0 and known:
        return draw(named(shape))

    def part(of):
        return draw(expressions(of, max(depth - 1, 0)))

    kinds = ["smooth", "joined", "product"] if depth else ["product"]
    if len(shape) == 0:
        kinds += ["reduced", "inner"]
    if len(shape) == 1:
        kinds += ["softmax", "reduced axis", "diagonal"]
    if len(shape) == 2:
        kinds += ["outer", "broadcast", "transposed"]
    match draw(st.sampled_from(kinds)):
        case "smooth":
            return draw(st.sampled_from(SMOOTH)).format(part(shape))
        case "joined":
            return "(" + draw(st.sampled_from(JOINED)).format(part(shape), part(shape)) + ")"
        case "softmax":
            return f"softmax({part(shape)})"
        case "reduced":
            inner = draw(st.sampled_from([("n",), ("m",), ("m", "n")]))
            op = draw(st.sampled_from(["sum", "mean", "logsumexp", "prod"]))
            return f"{op}({part(inner)})"
        case "inner":
            return f"({part(('n',))} @ {part(('n',))})"
        case "reduced axis":
            other = draw(st.sampled_from(["m", "n", "k"]))
            if draw(st.booleans()):
                return f"sum({part((*shape, other))}, axis=1)"
            return f"mean({part((other, *shape))}, axis=0)"
        case "diagonal":
            return f"diag({part((shape[0], shape[0]))})"
        case "outer":
            return f"outer({part(shape[:1])}, {part(shape[1:])})"
        case "broadcast":
            return f"({part(shape[:1])}[..., None] * {part(shape[1:])} + {part(())})"
        case "transposed":
            return f"({part(shape[::-1])}).T"
    if len(shape) == 0:
        return draw(named(()))
    other = draw(st.sampled_from(["m", "n", "k"]))
    return f"({part((shape[0], other))} @ {part((other, *shape[1:]))})"


def arrays():
    random = np.random.default_rng(5)
    shapes = {name: tuple(SIZES[size] for size in sizes.split()) for name, sizes in SHAPES.items()}
    return {
        name: random.uniform(0.2, 0.9, shape) * random.choice([-1, 1], shape)
        for name, shape in shapes.items()
    }


def cases():
    return expressions().flatmap(
        lambda text: st.tuples(
            st.just(text), st.sampled_from([n for n in SHAPES if n in names_in(text)] or ["s"])
        )
    )


def names_in(text):
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def in_numpy(text):
    code = compile(text, "<program>", "eval")
    return lambda **given: eval(code, NAMESPACE | given)


def used(text):
    return {name: value for name, value in arrays().items() if name in names_in(text)}


def derived(text, wrt, **options):
    shapes = {name: SHAPES[name] for name in names_in(text) if name in SHAPES}
    return derive(f"y = {text}", wrt, shapes=shapes, **options)


@settings(max_examples=150)
@given(cases())
def test_the_derivative_is_the_slope_of_what_numpy_says(case):
    text, wrt = case
    values = used(text)
    if wrt not in values:
        return
    slope = numerical_jacobian(in_numpy(text), values, wrt)
    halved = numerical_jacobian(in_numpy(text), values, wrt, step=1e-3)
    if np.abs(slope - halved).max(initial=0) > 1e-8 * max(1, np.abs(slope).max(initial=0)):
        return  # a kink of where() is near
    for mode in ("reverse", "forward", "auto"):
        assert_close(derived(text, wrt, mode=mode)(**values), slope, tol=1e-7)


@settings(max_examples=60)
@given(cases())
def test_the_second_derivative_is_the_slope_of_the_first(case):
    text, wrt = case
    values = used(text)
    if wrt not in values or len(SHAPES[wrt].split()) > 1 or "where" in text:
        return
    first, second = derived(text, wrt), derived(text, wrt, order=2)
    slope = numerical_jacobian(lambda **moved: first(**moved), values, wrt)
    assert_close(second(**values), slope, tol=1e-7)


@settings(max_examples=100)
@given(cases())
@example(("softmax(log(1 + (sin(u))**2))", "u"))
@example(("log(1 + (((x[..., None] * x + s)).T)**2)", "s"))
@example(("(sin((outer(u, u)).T) @ softmax((A @ z)))", "u"))
@example(("(where((outer(z, z)).T > 0, (outer(z, z)).T, ((S * T) * sigmoid(S))))", "z"))
def test_the_printed_formula_reads_back_and_is_the_same_again(case):
    text, wrt = case
    d = derived(text, wrt)
    assert einsumdiff.read(str(d)) == d, str(d)
    assert str(derived(text, wrt)) == str(d)
    assert derived(text, wrt).source() == d.source()


@pytest.mark.parametrize("text", ["softmax(A @ x)", "prod(x) * outer(x, x) @ z", "diag(S @ T.T)"])
def test_the_generator_covers_what_it_claims(text):
    assert in_numpy(text)(**used(text)) is not None
