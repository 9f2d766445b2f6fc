"""Names, keywords and shapes as a user types them: understood as NumPy and Python do, or refused by name."""

import numpy as np
import pytest

from einsumdiff import EinsumDiffError, derive, read, register
from tests.numeric import assert_close, numerical_jacobian, sample


def fault(program, wrt="x", **given):
    with pytest.raises(EinsumDiffError) as found:
        derive(program, wrt=wrt, **given)
    return found.value


@pytest.mark.parametrize(
    ("program", "name"), [("y = sum*x", "sum"), ("y = exp @ x", "exp"), ("x[i]*softmax", "softmax")]
)
def test_a_function_without_a_call_is_no_input(program, name):
    error = fault(program)
    assert f"{name} is a function" in error.message
    assert error.span.source == name


@pytest.mark.parametrize("program", ["norm: (n,)\ny = norm*x", "y = gamma*x + beta", "sum = 2*x; sum*x"])
def test_a_name_that_is_declared_or_assigned_may_be_called_like_a_function(program):
    assert derive(program, wrt="x").check() < 1e-7


def test_shapes_given_as_an_argument_may_declare_it_too():
    assert derive("y = norm*x", wrt="x", shapes={"norm": ()}).inputs == ("norm", "x")


def test_names_are_read_as_in_the_text():
    micro, mu = "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"
    x = np.array([1.0, -2.0])
    d = derive(f"{micro}*x", wrt=micro, shapes={micro: micro + "n", "x": (micro + "n",)})
    assert d.wrt == (mu,)
    assert d.shape == (mu + "n", mu + "n")
    assert_close(d(**{micro: x, "x": x}), np.diag(x))
    assert derive(f"{micro} = 2*x; z = {micro}**2; y = z", wrt="x", output=micro).output == mu


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("ij,jk", [(2, 3), (3, 5)]),
        ("ij, jk", [(2, 3), (3, 5)]),
        (" i j , j k -> i k ", [(2, 3), (3, 5)]),
        ("ba", [(2, 3)]),
        ("ii", [(3, 3)]),
        ("i,i", [(3,), (3,)]),
        ("...j,jk", [(2, 3, 5), (5, 7)]),
        ("... j, jk -> ...k", [(2, 3, 5), (5, 7)]),
        ("i...->...", [(2, 3)]),
    ],
)
def test_einsum_strings(text, shapes):
    arrays = dict(zip("ABC", [sample({"a": s}, seed=k)["a"] for k, s in enumerate(shapes)], strict=False))
    given = {name: array.shape for name, array in arrays.items()}
    for k, name in enumerate(arrays):
        d = derive(text, wrt=k, shapes=given)
        expected = numerical_jacobian(lambda **a: np.einsum(text, *map(a.get, sorted(a))), arrays, name)
        assert_close(d(**arrays), expected, 1e-7)


def test_a_number_names_no_input_of_a_program():
    assert "wrt is a name" in fault("y = x**2", 0).message


@pytest.mark.parametrize(
    ("call", "same"),
    [
        ("clip(x, a_min=0, a_max=1)", "clip(x, 0, 1)"),
        ("clip(x, min=0, max=1)", "clip(x, 0, 1)"),
        ("x.clip(min=-0.5)", "clip(x, -0.5)"),
        ("sum(a=x**2)", "sum(x**2)"),
        ("mean(a=x**2, axis=0)", "mean(x**2)"),
        ("expand_dims(a=x, axis=0)*x", "expand_dims(x, 0)*x"),
        ("broadcast_to(array=x, shape=(3, n))", "broadcast_to(x, (3, n))"),
    ],
)
def test_the_parameters_have_numpys_names_too(call, same):
    shapes = {"x": "n"}
    assert derive(call, wrt="x", shapes=shapes) == derive(same, wrt="x", shapes=shapes)


@pytest.mark.parametrize(
    ("program", "keyword"),
    [("np.sum(x, axes=0)", "axes"), ("sum(x, axis=0, a=x)", "a"), ("clip(x, low = (0))", "low")],
)
def test_the_caret_is_under_the_keyword(program, keyword):
    assert fault(program).span.source == keyword


@pytest.mark.parametrize("given", [("m",), ("m", "n"), (4, 4), np.ones((4, 1))])
def test_a_shape_that_is_given_twice_must_be_the_same(given):
    error = fault("x: (n,)\ny = sum(x)", shapes={"x": given})
    assert "declared in line 1" in error.message
    assert "shapes=" in error.message
    assert derive("x: (n,)\ny = sum(x)", wrt="x", shapes={"x": "n"}).shape == ("n",)


@pytest.mark.parametrize("shape", ["(m, n)", "(2, 3)", "(n,)", "()"])
def test_what_is_symmetric_is_square(shape):
    assert "square" in fault(f"S: {shape} symmetric; y = sum(S)", "S").message


def test_lists_of_whole_numbers_are_checked_as_numbers():
    assert derive("y = x**2", wrt="x").check(x=[1, 2]) < 1e-7


def test_an_output_that_is_the_wrt_is_checked():
    assert derive("y = x**2", wrt="y").check() < 1e-7


@pytest.mark.parametrize("program", ["sum[i](x[2*i]*x[2*i+1])", "y[i] = x[3*i+1]*x[3*i+2]**2*x[3*i]"])
@pytest.mark.parametrize("size", [5, 6, 7])
def test_strided_accesses_have_one_range_over_any_size(program, size):
    d = derive(program, wrt="x", shapes={"x": "n"})
    assert d.check(x=sample({"x": (size,)})["x"]) < 1e-7


@pytest.mark.parametrize(
    ("declaration", "size", "n"),
    [("x: (n-1,)", 4, 5), ("x: (2*n,)", 4, 2), ("x: (2*n + 3,)", 7, 2), ("x: (5 - n,)", 3, 2)],
)
def test_a_size_that_stands_only_in_arithmetic_is_solved_for(declaration, size, n):
    d = derive(f"{declaration}\ny = sum(x**2)/n", wrt="x")
    x = sample({"x": (size,)})["x"]
    assert_close(d(x), 2 * x / n)
    assert_close(d.compile()(x), 2 * x / n)
    assert d.check() < 1e-7


def test_sizes_are_solved_for_one_after_the_other():
    d = derive("x: (n + k,)\nz: (2*k,)\nw: (k - p,)\ny = sum(x**2)*n + sum(z)*k + sum(w)*p", wrt="x")
    x, z, w = (sample({"x": (size,)})["x"] for size in (7, 6, 2))
    assert_close(d(x=x, z=z, w=w), 2 * x * 4)
    assert_close(d.compile()(x=x, z=z, w=w), 2 * x * 4)


@pytest.mark.parametrize(("declaration", "size"), [("x: (2*n,)", 5), ("x: (n+3,)", 2)])
def test_an_array_for_which_a_size_is_no_whole_number_is_refused(declaration, size):
    d = derive(f"{declaration}\ny = sum(x**2)/n", wrt="x")
    with pytest.raises(EinsumDiffError, match=f"axis 0 has size {size}"):
        d(np.ones(size))


@pytest.mark.parametrize("declaration", ["x: (n*n,)", "x: (n + m,)"])
def test_a_size_that_cannot_be_solved_for_is_refused(declaration):
    d = derive(f"{declaration}\ny = sum(x**2)/n", wrt="x")
    with pytest.raises(EinsumDiffError, match="does not follow"):
        d(np.ones(4))


@pytest.mark.parametrize(
    ("program", "wrt", "same"),
    [
        ("def f(x, a=2):\n    return a*x**2", "x", "a = 2; a*x**2"),
        ("def f(x, a: float = (1 + 2), b=3):\n    return a*x**2", "x", "a = 3; a*x**2"),
        ("def f(x, axis=None, keep=True):\n    return sum(x, axis=axis, keepdims=keep)*x", "x", None),
        ("def f(x, a=2):\n    return a*x**2", "a", None),
    ],
)
def test_the_defaults_of_a_pasted_function_hold(program, wrt, same):
    d = derive(program, wrt=wrt)
    assert d.inputs == ("x",)
    assert d.check() < 1e-7
    if same:
        assert d == derive(same, wrt=wrt)


@pytest.mark.parametrize(
    ("program", "wrt", "source", "words"),
    [
        ("y = delta[i,i]", "x", "i", "no array has it"),
        ("y = A[i,...]*x[i]", "x", "A[i,...]", "mixes the index i"),
        ("y = A(i,j)*x[j]", "x", "A(i,j)", "A[i,j]"),
        ("A: (m, n)\ny[i] = A(i,j)*x[j]", "x", "A(i,j)", "A is an array"),
        ("special.expit(x)", "x", "special", "scipy.special.expit"),
        ("sp.linalg.inv(A)", "A", "sp.linalg", "np.linalg."),
        ("y = x\u200b**2", "x", "\u200b", "U+200B (ZERO WIDTH SPACE)"),
        ("y = x\x1f**2", "x", "\x1f", "U+001F"),
        (
            "y = exp(a[i]*b[i])*(c[i]*d[i])",
            "a",
            "exp(a[i]*b[i])*(c[i]*d[i])",
            "exp(sum[i](a[i]*b[i]))*sum[i](c[i]*d[i])",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is(program, wrt, source, words):
    error = fault(program, wrt)
    assert error.span.source == source
    assert words in str(error)


@pytest.mark.parametrize(
    ("program", "wrt", "words"),
    [("x: (n,)\ny = sum(x)/n", "n", "n is a size"), ("y = pi*x", "pi", "pi is a constant")],
)
def test_a_wrt_that_is_no_array_is_named_for_what_it_is(program, wrt, words):
    assert words in fault(program, wrt).message


def test_an_imported_module_is_known():
    assert derive("from scipy import special\nspecial.expit(x)", wrt="x") == derive("expit(x)", wrt="x")


def test_a_byte_order_mark_is_no_part_of_the_program():
    assert derive("\ufeffy = x**2", wrt="x") == derive("y = x**2", wrt="x")


def test_what_was_not_printed_cannot_be_read():
    with pytest.raises(EinsumDiffError, match="text, not int"):
        read(3)


@pytest.mark.parametrize(
    ("program", "shapes", "words"),
    [
        ("a: ()\nx: (3,)\ny = a*sum(x)", None, "declared in line 2"),
        ("a: (); y = a*sum(x)", {"x": (3,)}, "given in shapes="),
        ("a: (); y = a*sum(x)", {"x": np.ones(3)}, "shapes="),
    ],
)
@pytest.mark.parametrize("size", [(4,), (3, 3)])
def test_a_shape_that_does_not_fit_says_who_gave_it(program, shapes, words, size):
    d = derive(program, wrt="a", shapes=shapes)
    with pytest.raises(EinsumDiffError, match=words):
        d(a=1.0, x=np.ones(size))


def test_a_property_is_printed_and_read():
    d = derive("S: (n, n) symmetric\ny = x @ S @ x", wrt="x")
    assert "S: (n, n) symmetric" in str(d)
    assert "S: (n, n) symmetric" in d.program
    assert read(str(d)) == d
    assert "S: (n, n) symmetric" in str(read(str(d)))


def test_a_statement_after_a_semicolon_may_begin_with_a_sign():
    d = derive("h = x**2; -sum(h)", wrt="x")
    assert d(x=[1.0, -3.0]).tolist() == [-2.0, 6.0]


@pytest.mark.parametrize("name", ["foo", "x", "euler_gama", "r_", "c_", "s_", "linalg", "exp", "gamma"])
def test_what_a_module_has_is_no_input_of_the_program(name):
    """`np.foo` would become an array foo, and `np.gamma*x` one that is called gamma."""
    error = fault(f"y = x*np.{name}", "x")
    assert error.kind == "name"
    assert name in error.message.splitlines()[0]
    assert derive("np.pi*x[np.newaxis]", wrt="x").check() < 1e-7


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("max(0, 1 - x)", "maximum(0, 1 - x)"),
        ("min(x, y)", "minimum(x, y)"),
        ("min(x, y, z)", "minimum(x, y)"),
        ("max(0, max(x, y))", "maximum(x, y)"),
        ("y[i] = max(x[i], 0)", "maximum(a, b)"),
        ("np.r_[x, 1]", "concatenate"),
        ("F.relu(x)", "F is read as an array"),
        ("LA.norm(x)", "LA is read as an array"),
        ("tf.matmul(A, x)", "tf is read as an array"),
        ("np.multiply.outer(x, w)", "stands here without a call"),
        ("1j*x", "real and imaginary parts"),
    ],
)
def test_refusals_of_what_other_languages_say_name_the_way_out(text, instead):
    assert instead in str(fault(text, "x"))


def test_a_second_argument_of_max_is_said_to_be_an_axis():
    assert "maximum(x, 0)" in str(derive("max(x, 0)", wrt="x"))
    for text in ("np.max(x, 0)", "x.max(0)", "max(x, axis=0)", "max(x)"):
        assert "maximum" not in str(derive(text, wrt="x"))
    for function in (lambda x: np.max(x, 0), lambda x: x.max(0), lambda x: np.min(x, axis=-1)):
        assert "imum" not in str(derive(function, wrt="x", shapes={"x": "m n"}))


@pytest.mark.parametrize("order", [1, 2])
def test_a_check_draws_positive_definite_matrices_where_others_have_no_value(order):
    text = "L = cholesky(S); z = solve(L, x); sum(z**2) + 2*sum(log(diag(L)))"
    d = derive(text, wrt="S", order=order, shapes={"S": "n n"})
    assert d.check() < 1e-7


def test_a_check_that_finds_no_arrays_says_so():
    with pytest.raises(EinsumDiffError, match="no random arrays"):
        derive("cholesky(-A @ A.T)", wrt="A").check()


def test_an_index_of_a_mapping_that_is_not_given_asks_for_it():
    with pytest.raises(EinsumDiffError) as found:
        derive(lambda p, x: np.sum(p["W"] @ x), wrt="p")
    assert 'shapes={"p"' in str(found.value)


def test_a_row_spelled_with_its_module_is_told_to_leave_it_out():
    with pytest.raises(EinsumDiffError) as found:
        register("fn mine(x)  numpy np.sin  on real\n   d/dx = cos(x)")
    assert "without np" in str(found.value)


def test_a_transpose_is_a_prime_in_matrix_notation():
    assert "write A'" in str(fault("A^T*x", "x", notation="matrix"))
    assert derive("c^T", wrt="c", shapes={"c": (), "T": ()}, notation="matrix").check() < 1e-7
