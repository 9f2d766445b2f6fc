"""Random programs in indexed notation, against their own text: Python evaluates `A[i,j]*x[j]` at every
place of the letters, so value and slope need nothing of the library."""

import itertools
import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numeric import assert_close, numerical_jacobian

import einsumdiff
from einsumdiff import derive

RANGE = {"i": 2, "j": 3, "k": 5}
INDICES = {"x": "j", "z": "j", "u": "i", "v": "k", "A": "ij", "B": "jk", "S": "jj", "s": "", "Q": "ik"}
SCALAR = {
    "sin": np.sin,
    "tanh": np.tanh,
    "exp": np.exp,
    "sigmoid": lambda t: 1 / (1 + np.exp(-t)),
    "where": lambda c, a, b: a if c else b,
}
WRAPS = ["{}", "{}", "sin({})", "tanh({})", "exp({})", "sigmoid({})", "({} + 1)**2", "(3 + {})**-1"]
WRAPS += ["where({0} > 0, {0}, 2*s)", "(s - {})**3"]


@st.composite
def programs(draw):
    """(free letters, summed letters, body)."""
    terms = []
    for _ in range(draw(st.integers(1, 2))):
        factors = []
        for _ in range(draw(st.integers(1, 3))):
            name = draw(st.sampled_from(list(INDICES)))
            entry = f"{name}[{','.join(INDICES[name])}]" if INDICES[name] else name
            factors.append(draw(st.sampled_from(WRAPS)).format(entry))
        terms.append("*".join(factors))
    body = draw(st.sampled_from([" + ", " - "])).join(terms)
    letters = sorted(set(",".join(re.findall(r"\[([a-z,]+)\]", body)).split(",")) - {""})
    free = [letter for letter in letters if draw(st.booleans())]
    return free, [letter for letter in letters if letter not in free], body


def text_of(program):
    free, summed, body = program
    left = f"y[{','.join(free)}]" if free else "y"
    return f"{left} = sum[{','.join(summed)}]({body})" if summed else f"{left} = {body}"


def value_of(program):
    free, summed, body = program
    code = compile(body, "<program>", "eval")

    def value(**arrays):
        result = np.zeros([RANGE[letter] for letter in free])
        for places in itertools.product(*(range(RANGE[letter]) for letter in free + summed)):
            at = dict(zip(free + summed, places, strict=True))
            result[places[: len(free)]] += eval(code, SCALAR | arrays | at)
        return result

    return value


def arrays_of(program):
    random = np.random.default_rng(7)
    shapes = {name: tuple(RANGE[letter] for letter in letters) for name, letters in INDICES.items()}
    drawn = {
        name: random.uniform(0.3, 1, shape) * random.choice([-1, 1], shape) for name, shape in shapes.items()
    }
    return {name: array for name, array in drawn.items() if re.search(rf"\b{name}\b", program[2])}


@settings(max_examples=120)
@given(programs(), st.data())
def test_the_derivative_is_the_slope_of_the_text_itself(program, data):
    arrays = arrays_of(program)
    wrt = data.draw(st.sampled_from(sorted(arrays)))
    shapes = {name: array.shape for name, array in arrays.items()}
    slope = numerical_jacobian(value_of(program), arrays, wrt, step=1e-3)
    for mode in ("forward", "reverse"):
        d = derive(text_of(program), wrt, shapes=shapes, mode=mode)
        assert_close(d(**arrays), slope, tol=1e-7)
        assert einsumdiff.read(str(d)) == d


@settings(max_examples=60)
@given(programs(), st.data())
def test_a_mixed_derivative_is_the_slope_of_the_first(program, data):
    arrays = arrays_of(program)
    first, second = (data.draw(st.sampled_from(sorted(arrays))) for _ in range(2))
    shapes = {name: array.shape for name, array in arrays.items()}
    d = derive(text_of(program), first, shapes=shapes)
    slope = numerical_jacobian(lambda **moved: d(**moved), arrays, second, step=1e-3)
    assert_close(derive(d, second)(**arrays), slope, tol=1e-7)
