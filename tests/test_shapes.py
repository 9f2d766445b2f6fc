"""Where shapes come from, what unifies, and what is said about it."""

import numpy as np
import pytest
from oracle import program, run

from einsumdiff.errors import EinsumDiffError, NameFault, RankFault, ShapeFault, ValueFault
from einsumdiff.indexing.shapes import Sizes
from einsumdiff.sizes import symbol


def shapes(text, **options):
    """The shapes of the inputs and of the output, as text."""
    built = program(text, **options)
    return {one.name: " ".join(map(str, one.shape)) for one in (*built.inputs, built.output)}


def test_a_name_says_the_rank():
    assert shapes("y = sum(W*X + b)") == {"W": "m n", "X": "m n", "b": "n", "y": ""}
    assert shapes("W @ x + b") == {"W": "m n", "x": "n", "b": "m", "y": "m"}
    assert shapes("sum(θ*x)") == {"θ": "n", "x": "n", "y": ""}


def test_what_was_assumed_is_said_with_how_to_declare_it():
    assert program("y = sum(W*X + b)").notes == (
        'assumed from the names of W, X, b; declare others as "W: (m, n)" or shapes={"W": "m n"}',
    )
    assert program("sum(x)").notes == (
        'assumed from the names of x; declare others as "x: (n,)" or shapes={"x": "n"}',
    )


def test_nothing_is_assumed_of_what_is_declared_or_indexed():
    assert program("Z[i,j] = X[i,k]*Y[k,j]").notes == ()
    assert program("y = sum(W*x); W: (m, n); x: (n,)").notes == ()
    assert program("sum(x)", shapes={"x": "n"}).notes == ()


def test_an_operation_forces_the_least_rank_that_it_needs():
    assert shapes("sum(x, axis=1)") == {"x": "m n", "y": "m"}
    assert shapes("sum(exp(x), axis=-2)") == {"x": "m n", "y": "n"}
    assert shapes("trace(a)") == {"a": "n n", "y": ""}
    assert shapes("h = tanh(x); y = sum(h, axis=1)") == {"x": "m n", "y": "m"}
    assert shapes("einsum('ij,j', a, X)") == {"a": "m n", "X": "n", "y": "m"}


def test_an_indexed_access_gives_the_rank():
    assert shapes("y = A[i]*b[i,j]*c[j]") == {"A": "m", "b": "m n", "c": "n", "y": ""}
    assert shapes("y[i] = s*x[i]") == {"s": "", "x": "n", "y": "n"}
    assert shapes("h = W @ x; y[i] = h[i]*b[i]") == {"W": "m n", "x": "n", "b": "m", "y": "m"}


@pytest.mark.parametrize(
    "given",
    [("m", "n"), ["m", "n"], "m n", "(m, n)", "m, n"],
)
def test_shapes_are_tuples_or_strings(given):
    assert shapes("sum(x, axis=0)", shapes={"x": given}) == {"x": "m n", "y": "n"}


def test_shapes_may_be_numbers_arrays_or_one_size():
    assert shapes("2*x", shapes={"x": (2, "n")}) == {"x": "2 n", "y": "2 n"}
    assert shapes("2*x", shapes={"x": np.zeros((2, 3))}) == {"x": "2 3", "y": "2 3"}
    assert shapes("2*x", shapes={"x": "n"}) == {"x": "n", "y": "n"}
    assert shapes("2*x", shapes={"x": ""}) == {"x": "", "y": ""}
    assert shapes("2*x", shapes={"x": ()}) == {"x": "", "y": ""}
    assert shapes("2*x", shapes={"x": 3}) == {"x": "3", "y": "3"}
    assert shapes("2*x", shapes={"x": ("n-1", "2*n")}) == {"x": "n - 1 2*n", "y": "n - 1 2*n"}


def test_a_declaration_in_the_text_and_shapes_must_agree():
    assert shapes("x: (p,)\n2*x", shapes={"x": "p"}) == {"x": "p", "y": "p"}
    with pytest.raises(ShapeFault, match=r"declared in line 1, and \(n,\), given in shapes="):
        shapes("x: (p,)\n2*x", shapes={"x": "n"})


def test_sizes_flow_from_a_declaration_to_what_meets_it():
    assert shapes("W @ x", shapes={"x": (3,)}) == {"W": "n 3", "x": "3", "y": "n"}
    assert shapes("x: (k,)\nW @ x + b") == {"W": "n k", "x": "k", "b": "n", "y": "n"}
    assert shapes("y: (3,)\ny = W @ x") == {"W": "3 n", "x": "n", "y": "3"}


def test_size_one_broadcasts_only_where_it_is_known():
    assert shapes("x + y", shapes={"x": (1, "n"), "y": ("m", 1)}) == {"x": "1 n", "y": "m 1", "f": "m n"}
    assert shapes("x[:, None] + y") == {"x": "m", "y": "n", "f": "m n"}
    assert shapes("X - mean(X, axis=1, keepdims=True)") == {"X": "m n", "y": "m n"}
    assert shapes("x + y") == {"x": "n", "y": "n", "f": "n"}


def test_generated_names_avoid_those_of_the_program():
    assert shapes("n = W @ m") == {"W": "p q", "m": "q", "n": "p"}
    assert shapes("Z[m,n] = X[m,p]*Y[p,n]") == {"X": "q r", "Y": "r s", "Z": "q s"}


def test_sizes_stay_symbolic_in_convolutions():
    assert shapes("Z[i,j] = X[i+k, 2*j+l]*W[k,l]") == {
        "X": "m n", "W": "p q", "Z": "m - p + 1 ((n - q)//2) + 1"
    }  # fmt: skip


def test_a_size_name_is_that_number():
    x = np.arange(1.0, 4)
    assert run(program("x: (n,)\ny = sum(x)/n"), {"x": x}) == 2
    assert run(program("y = sum(x)/x.shape[0] + x.size + len(x) + x.ndim"), {"x": x}) == 2 + 3 + 3 + 1
    assert run(program("m, n = X.shape\ny = n - m"), {"X": np.zeros((2, 5))}) == 3
    assert shapes("n = len(x); y = zeros((n, n + 1)) + 1") == {"x": "m", "y": "m m + 1"}


FAULTS = [
    (ShapeFault, "X @ (w + y)", {"w": "p", "y": "n"}, """\
w and y cannot be added: w is (p), y is (n); w is given in shapes=; y is given in shapes=
  X @ (w + y)
       ^^^^^
declare them alike, or write w[:, None] for every pair"""),
    (ShapeFault, "W: (m, n)\ny = W - v", {"v": "m"}, """\
W and v cannot be subtracted: W is (m, n), v is (m); W is declared in line 1; v is given in shapes=
  y = W - v
      ^^^^^
write v[:, None] to go along the first axis"""),
    (ShapeFault, "W @ x", {"W": (2, 3), "x": (4,)}, """\
W and x do not fit: W is (2, 3), x is (4); W is given in shapes=; x is given in shapes=
  W @ x
  ^^^^^
axis 1 of W (3) meets axis 0 of x (4)"""),
    (ShapeFault, "maximum(x, 2*z)", {"x": "n", "z": "m"}, """\
x and 2*z do not fit in maximum: x is (n), 2*z is (m); x is given in shapes=
  maximum(x, 2*z)
  ^^^^^^^^^^^^^^^
declare them alike, or write x[:, None] for every pair"""),
    (ShapeFault, "trace(x)", {"x": (2, 3)}, """\
axes 0 and 1 of x must have one size, and have 2 and 3
  trace(x)
  ^^^^^^^^
x is (2, 3)"""),
    (ShapeFault, "inv(A)", {"A": "m n"}, """\
axes 0 and 1 of A must have one size, and have m and n
  inv(A)
  ^^^^^^
A is (m, n)"""),
    (ShapeFault, "w[i]*x[i]", {"w": "n", "x": "m"}, """\
i runs over n in w[i] and over m in x[i]
  w[i]*x[i]
       ^^^^
the shapes must agree along i"""),
    (ShapeFault, "y: (3,); x: (4,)\ny = 2*x", {}, """\
y is declared in line 1 as (3), and this is (4)
  y = 2*x
  ^^^^^^^
change the declaration, or the expression"""),
    (ShapeFault, "y = delta[i,j]*A[i,j]", {"A": "m n"}, """\
i runs over m and j over n
  y = delta[i,j]*A[i,j]
      ^^^^^^^^^^
the two indices of a delta have one range"""),
    (RankFault, "sum(x, axis=2)", {"x": "n"}, """\
x has 1 axis, and axis is 2
  sum(x, axis=2)
              ^
declare its shape, or name another axis"""),
    (RankFault, "y[i] = W @ x + b[i]", {}, """\
W @ x has 1 axis, and indexed notation needs an entry of it
  y[i] = W @ x + b[i]
         ^^^^^
write (W @ x)[i]"""),
    (RankFault, "y[i] = b*x[i]", {"b": "n"}, """\
b has 1 axis, and indexed notation needs an entry of it
  y[i] = b*x[i]
         ^
write b[i]"""),
    (RankFault, "y[i] = x[i] + A[i]", {"A": "m n"}, """\
A has 2 axes (given in shapes=), and A[i] has 1 index
  y[i] = x[i] + A[i]
                ^^^^
one index for each axis"""),
    (RankFault, "matmul(s, x)", {"s": ""}, """\
matmul does not take s with no axes and x with 1 axis
  matmul(s, x)
  ^^^^^^^^^^^^
a product with a number is written with *"""),
    (NameFault, "x + 1", {"z": "n"}, "z in shapes= is no name of the program\nits names are x"),
    (NameFault, "x: (n,); n = 3", {}, """\
n is both a size and an array
  x: (n,); n = 3
  ^^^^^^^
give one of them another name"""),
    (ValueFault, "x + 1", {"x": ("n", 1.5)}, "shapes['x'] has 1.5 as a size\na size is a name or a number"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "given", "message"), FAULTS, ids=[row[1] for row in FAULTS])
def test_what_does_not_fit_is_an_error_that_points(kind, text, given, message):
    with pytest.raises(EinsumDiffError) as caught:
        program(text, shapes=given)
    assert str(caught.value) == message
    assert type(caught.value) is kind


def test_unifying_solves_for_an_unknown():
    sizes = Sizes()
    a, b = sizes.unknown(), sizes.unknown()
    assert sizes.unify(a - b + 1, symbol("n"))
    assert sizes.resolve(a) == symbol("n") + b - 1
    assert sizes.unify(b, 3)
    assert sizes.resolve(a) == symbol("n") + 2
    assert not sizes.unify(symbol("n"), symbol("m"))
    assert not sizes.unify(symbol("n"), 3)
