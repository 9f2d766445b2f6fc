"""Programs: what names mean, which one is the output, and what is refused."""

import numpy as np
import pytest
from numeric import assert_close, sample
from oracle import program, run

from einsumdiff.errors import EinsumDiffError, IndexFault, NameFault, Unsupported, ValueFault
from einsumdiff.indexing.index import build
from einsumdiff.language.parse import parse
from einsumdiff.nodes import Definition, Input
from einsumdiff.program import Builder


def holds(text, function, **shapes):
    arrays = sample(shapes, domain="nonzero", seed=len(text))
    assert_close(run(program(text, shapes=shapes), arrays), np.asarray(function(**arrays)), 1e-12)


PROGRAMS = [
    ("h = tanh(W @ x + b); h = h + 1; h += x; y = sum(h)",
     lambda W, x, b: (np.tanh(W @ x + b) + 1 + x).sum(), {"W": (3, 3), "x": (3,), "b": (3,)}),
    ("import numpy as np\ndef f(W, x):\n    h = np.tanh(W @ x)\n    return h.sum(axis=0)",
     lambda W, x: np.tanh(W @ x).sum(), {"W": (2, 3), "x": (3,)}),
    ("a, b = x + 1, 2*x; c = a*b", lambda x: (x + 1) * 2 * x, {"x": (3,)}),
    ("np.exp(x).sum(axis=0).max()", lambda x: np.exp(x).sum(axis=0).max(), {"x": (2, 3, 5)}),
    ("x*y - x/y", lambda x, y: x * y - x / y, {"x": (2,), "y": (2, 2)}),
    ("x + y", lambda x, y: x + y, {"x": (7, 1), "y": (2, 7, 3)}),
    ("x % y + x // y", lambda x, y: x % y + x // y, {"x": (2,), "y": (3, 2)}),
    ("(x < y)*(x >= 0) + ((x != y) & (x > y)) + ~(x > 0)",
     lambda x, y: 1.0 * (x < y) * (x >= 0) + ((x != y) & (x > y)) + ~(x > 0), {"x": (2,), "y": (3, 2)}),
    ("where(x > 0, x**2, -x)", lambda x: np.where(x > 0, x**2, -x), {"x": (2, 3)}),
    ("x**2 + x**-1 + abs(x)**0.5 + abs(x)**(1/3) + 2**x + abs(x)**y",
     lambda x, y: x**2 + 1 / x + abs(x) ** 0.5 + abs(x) ** (1 / 3) + 2**x + abs(x) ** y,
     {"x": (3,), "y": (2, 3)}),
    ("-x**2", lambda x: -(x**2), {"x": (3,)}),
    ("1/x/2*3", lambda x: 1.5 / x, {"x": (3,)}),
    ("pi*x + e", lambda x: np.pi * x + np.e, {"x": (3,)}),
    ("clip(x, -1, hi=1)", lambda x: np.clip(x, -1, 1), {"x": (3,)}),
    ("gelu(x, approximate=True)",
     lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), {"x": (3,)}),
    ("e = y - X @ w; L = sum(e**2)", lambda y, X, w: ((y - X @ w) ** 2).sum(),
     {"y": (2,), "X": (2, 3), "w": (3,)}),
    ("gamma*sum(beta) + gamma", lambda gamma, beta: gamma * beta.sum() + gamma, {"gamma": (), "beta": (3,)}),
    ("x - x", lambda x: 0 * x, {"x": (3,)}),
    ("0*x + 1", lambda x: 0 * x + 1, {"x": (3,)}),
    ("7", lambda: 7.0, {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "function", "shapes"), PROGRAMS, ids=[row[0] for row in PROGRAMS])
def test_a_program_means_what_numpy_does(text, function, shapes):
    holds(text, function, **shapes)


def test_the_inputs_are_in_order_of_appearance_also_those_that_are_not_needed():
    assert [one.name for one in program("a = x + z; b = sum(W); y = b*c").inputs] == ["x", "z", "W", "c"]


def test_a_bare_expression_gets_the_first_name_that_is_free():
    assert program("sum(x)").output.name == "y"
    assert program("sum(y*f)").output.name == "g"
    assert program("sum(y*f*g*h)").output.name == "y1"


def test_the_output_is_the_last_statement_or_the_one_that_is_named():
    assert program("a = x + 1; b = 2*a; W: (m, n)").output.name == "b"
    assert program("a = x + 1; b = 2*a", output="a").output.name == "a"


@pytest.mark.parametrize("text", ["y = x", "z = 2*x; y = z", "y[i] = x[i]", "y = x.T; x: (n,)"])
def test_the_output_is_a_definition_of_its_own_name(text):
    output = program(text).output
    assert isinstance(output, Definition)
    assert output.name == "y"


def test_a_plain_alias_is_no_definition():
    built = program("z = x; y = 2*z")
    assert isinstance(built.arrays["z"], Input)
    assert [one.name for one in built.definitions] == ["y"]


def test_equal_definitions_are_one():
    built = program("a = tanh(x); b = tanh(x); y = sum(a*b)")
    assert built.arrays["a"] is built.arrays["b"]


def test_a_wrt_that_is_a_definition_is_read_by_what_follows():
    built = program("h = 2*x; y = sum(h)", wrt=("h",))
    assert built.arrays["h"] in built.definitions
    assert program("h = x; y = sum(h)", wrt=("h",)).arrays["h"].name == "h"


def test_a_name_that_is_assigned_again_means_the_new_value():
    built = program("h = 2*x; a = sum(h); h = h + 1; y = a*h", wrt=("h",))
    assert built.arrays["h"].shape == built.output.shape
    holds("h = 2*x; a = sum(h); h = h + 1; y = a*h", lambda x: 2 * x.sum() * (2 * x + 1), x=(3,))


def test_names_are_plain_strings():
    built = program("y[i] = W[i,j]*x[j]")
    assert {type(one.name) for one in (*built.inputs, built.output)} == {str}


def test_building_twice_gives_the_same_text():
    text = "L = -mean(sum(Y*log_softmax(X @ W + b), axis=1))"
    assert program(text).notes == program(text).notes
    assert [one.shape for one in program(text).inputs] == [one.shape for one in program(text).inputs]


def test_a_builder_may_be_given():
    builder = Builder()
    text = "y = tanh(x)"
    assert build(parse(text), text=text, builder=builder).builder is builder


def test_long_chains_and_long_programs_do_not_recurse():
    assert len(program(" + ".join(f"x{k}" for k in range(5000))).inputs) == 5000
    assert len(program("*".join(f"x{k % 50}" for k in range(3000))).inputs) == 50
    layers = "\n".join(f"h{k + 1} = tanh(W{k} @ h{k} + b{k})" for k in range(1000))
    assert len(program(layers).inputs) == 2001


FAULTS = [
    (NameFault, "x + 1; x = 2", """\
x is an input, as it is used before it is assigned
  x + 1; x = 2
         ^
give the new value another name: x1"""),
    (NameFault, "y = sofmax(x)", """\
sofmax is no function that is known
  y = sofmax(x)
      ^^^^^^
did you mean softmax or fmax or logsoftmax? a function is added by one row of the rule language, or register"""),  # noqa: E501
    (NameFault, "sum(x, axes=1)", """\
sum has no argument axes
  sum(x, axes=1)
         ^^^^
did you mean axis?"""),
    (ValueFault, "sum(x, 0, False, 3)", """\
sum takes at most 3 arguments
  sum(x, 0, False, 3)
                   ^
its parameters are x, axis=None, keepdims=False"""),
    (ValueFault, "sum()", """\
sum lacks its argument x
  sum()
  ^^^^^
its parameters are x, axis=None, keepdims=False"""),
    (Unsupported, "sort(x, 0)", """\
sort is not known yet
  sort(x, 0)
  ^^^^
find the places outside, k = np.argsort(x), and gather them: x[k]"""),
    (IndexFault, "x[:3]", """\
:3 may be out of bounds of an axis of size n
  x[:3]
    ^^
give the size as a number, in shapes= or a declaration"""),
    (Unsupported, "x[2*k[i]]*z[i]", """\
2*k[i] in brackets is more than an entry of an index array
  x[2*k[i]]*z[i]
    ^^^^^^
pass an array that holds these numbers, and write x[k[i]]"""),
    (Unsupported, "norm(A, -3)", """\
ord=-3 of a matrix is not known
  norm(A, -3)
          ^^
1, -1, 2, -2, inf, -inf, 'fro' and 'nuc' are known"""),
    (Unsupported, "sign, ld = det(A)", """\
det does not give 2 values
  sign, ld = det(A)
             ^^^^^^
assign one name"""),
    (Unsupported, "slogdet(A)", """\
slogdet gives 2 values
  slogdet(A)
  ^^^^^^^
assign them, a, b = slogdet(A), or take one: slogdet(A)[0]"""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "message"), FAULTS, ids=[row[1] for row in FAULTS])
def test_what_cannot_be_is_an_error_that_points(kind, text, message):
    with pytest.raises(EinsumDiffError) as caught:
        program(text)
    assert str(caught.value) == message
    assert type(caught.value) is kind


def test_an_output_that_there_is_not():
    with pytest.raises(NameFault) as caught:
        program("y = x", output="z")
    assert str(caught.value) == "output='z' is no name of the program\nit can be y"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("~x", "~ is for comparisons"),
        ("x & z", "& is for comparisons"),
        ("x/0", "a division by zero"),
        ("10**10**10*x", "is too large"),
        ("y[i] = x[5]*z[i]", "5 may be out of bounds"),
    ],
)
def test_what_has_no_good_meaning_is_refused(text, what):
    with pytest.raises(EinsumDiffError, match=what):
        program(text)


def test_a_permutation_forces_the_rank_that_it_needs():
    for text in ("swapaxes(x, 0, 2)", "transpose(x, (1, 0, 2))"):
        assert len(program(text).output.shape) == 3
