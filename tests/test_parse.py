"""From text to the syntax tree: the sentences of the language that are about syntax."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest

from einsumdiff import data
from einsumdiff.errors import EinsumDiffError, NameFault, SyntaxFault, Unsupported
from einsumdiff.language import tree
from einsumdiff.language.parse import parse, parse_expression, parse_formula


def sketch(node: object) -> str:
    """A node as a term without places: every bracket and sign is written out."""
    match node:
        case tuple():
            return "; ".join(map(sketch, node))
        case tree.Assign(targets, value):
            return f"{', '.join(map(sketch, targets))} = {sketch(value)}" if targets else sketch(value)
        case tree.Declare(name, sizes, properties):
            return " ".join([f"{name.name}: ({', '.join(map(sketch, sizes))})", *properties])
        case tree.Number(value):
            return repr(value)
        case tree.Name(name):
            return name
        case tree.String(value):
            return repr(value)
        case tree.Constant(value):
            return "..." if value is Ellipsis else repr(value)
        case tree.Unary(op, operand):
            return f"({op}{sketch(operand)})"
        case tree.Binary(op, left, right):
            return f"({sketch(left)} {op} {sketch(right)})"
        case tree.Sequence(items):
            return f"<{', '.join(map(sketch, items))}>"
        case tree.Slice(start, stop, step):
            return ":".join("" if part is None else sketch(part) for part in (start, stop, step))
        case tree.Subscript(base, items):
            return f"{sketch(base)}[{', '.join(map(sketch, items))}]"
        case tree.Attribute(base, name):
            return f"{sketch(base)}.{name}"
        case tree.Apply(function, args, keywords):
            given = [*map(sketch, args), *(f"{name}={sketch(value)}" for name, value in keywords)]
            return f"{function}({', '.join(given)})"
        case tree.Over(op, letters, body):
            return f"{op}[{','.join(letter.name for letter in letters)}]({sketch(body)})"
    raise AssertionError(node)


def read(text: str) -> str:
    return sketch(parse(text))


# ---------------------------------------------------------------------------- statements


@pytest.mark.parametrize(
    "text, meaning",
    [
        ("h = tanh(W @ x + b)", "h = tanh(((W @ x) + b))"),
        ("y += e", "y = (y + e)"),
        ("y //= 2", "y = (y // 2)"),
        ("y **= 2", "y = (y ** 2)"),
        ("Z[i] -= x[i]", "Z[i] = (Z[i] - x[i])"),
        ("sign, ld = slogdet(A)", "sign, ld = slogdet(A)"),
        ("(sign, ld) = slogdet(A)", "sign, ld = slogdet(A)"),
        ("Z[i,j] = X[i,k]*Y[k,j]", "Z[i, j] = (X[i, k] * Y[k, j])"),
        ("sum(W*X + b)", "sum(((W * X) + b))"),
        ("W: (m, n)", "W: (m, n)"),
        ("x: (n,)", "x: (n)"),
        ("x: n", "x: (n)"),
        ("x: m, n", "x: (m, n)"),
        ("a: ()", "a: ()"),
        ("S: (n, n) symmetric", "S: (n, n) symmetric"),
        ("T: (3, n)", "T: (3, n)"),
        ("K: (n-k)//2 + 1", "K: ((((n - k) // 2) + 1))"),
        ("K: ((n-k)//2 + 1, m)", "K: ((((n - k) // 2) + 1), m)"),
        ("A, B: (n, n)", "A: (n, n); B: (n, n)"),
    ],
)
def test_statement_is(text: str, meaning: str) -> None:
    assert read(text) == meaning


@pytest.mark.parametrize(
    "text",
    [
        "a = x\nb = y",
        "a = x; b = y",
        "a = x;\nb = y;\n",
        "\n\n  a = x  # a comment ; with a semicolon\n# another\n\n\tb = y\n\n",
        "a = x\r\nb = y\r\n",
        ";;a = x;;b = y",
    ],
)
def test_statements_are_separated_by_newlines_or_semicolons(text: str) -> None:
    assert read(text) == "a = x; b = y"


@pytest.mark.parametrize(
    "text",
    ["y = (a +\n b)", "y = (a  # first\n\n + b)", "y = a + \\\n b", "y = (\na + b\n)"],
)
def test_brackets_continue_lines(text: str) -> None:
    assert read(text) == "y = (a + b)"


PASTED = '''
import numpy as np
from scipy.special import (expit,
                           erf)

@jax.jit
def loss(W: np.ndarray, x, b=np.zeros(3), *, scale: float = 1.0) -> float:
    """The loss.

    Of a layer.
    """
    h = np.tanh(W @ x + b)   # hidden
    h *= scale

    return (h.sum(axis=0)
            + 1)
'''


def test_a_pasted_function_is_read_as_its_body() -> None:
    assert (
        read(PASTED)
        == "b = zeros(3); scale = 1.0; h = tanh(((W @ x) + b)); h = (h * scale); (sum(h, axis=0) + 1)"
    )


def test_a_function_may_stand_on_one_line() -> None:
    assert read("def f(x): return x**2") == "(x ** 2)"


# ---------------------------------------------------------------------------- expressions


@pytest.mark.parametrize(
    "text, meaning",
    [
        ("-x**2", "(-(x ** 2))"),
        ("2**-x", "(2 ** (-x))"),
        ("a**b**c", "(a ** (b ** c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a/b*c", "((a / b) * c)"),
        ("a*b @ c", "((a * b) @ c)"),
        ("a//b % c", "((a // b) % c)"),
        ("-a*b", "((-a) * b)"),
        ("- -a", "(-(-a))"),
        ("+a", "(+a)"),
        ("a + b < c*d", "((a + b) < (c * d))"),
        ("(a < b) & ~(c >= d) | e", "(((a < b) & (~(c >= d))) | e)"),
        ("a & b == c", "((a & b) == c)"),
        ("a != b", "(a != b)"),
        ("x.T @ A.mT", "(x.T @ A.mT)"),
        ("A.T.shape[0]", "A.T.shape[0]"),
        ("x.size*x.ndim", "(x.size * x.ndim)"),
        ("-x.T", "(-x.T)"),
        ("x.T**2", "(x.T ** 2)"),
        ("x.sum(axis=0)", "sum(x, axis=0)"),
        ("A.dot(x).sum()", "sum(dot(A, x))"),
        ("(a + b).sum()", "sum((a + b))"),
        ("sum(x, axis=(0, 1), keepdims=True)", "sum(x, axis=<0, 1>, keepdims=True)"),
        ("norm(x, 'fro')", "norm(x, 'fro')"),
        ('einsum("ij,j->i", A, x)', "einsum('ij,j->i', A, x)"),
        ("concatenate([a, b,], axis=-1)", "concatenate(<a, b>, axis=(-1))"),
        ("concatenate((a,))", "concatenate(<a>)"),
        ("f()", "f()"),
        ("x[1:, None, ..., ::2, -1]", "x[1::, None, ..., ::2, (-1)]"),
        ("x[a:b:c]", "x[a:b:c]"),
        ("x[newaxis]", "x[None]"),
        ("X[i+m, 2*j+n]", "X[(i + m), ((2 * j) + n)]"),
        ("softmax(x)[i]", "softmax(x)[i]"),
        ("(W @ x)[i]", "(W @ x)[i]"),
        ("sum[j](A[i,j])", "sum[j](A[i, j])"),
        ("prod[j,k](A[j,k])", "prod[j,k](A[j, k])"),
        ("max[j](x[j]) - min[j](x[j])", "(max[j](x[j]) - min[j](x[j]))"),
        ("delta[i, j+1]", "delta[i, (j + 1)]"),
        ("[1, 2]", "<1, 2>"),
        ("()", "<>"),
        ("(x)", "x"),
        ("π*Δ + α_1", "((π * Δ) + α_1)"),
        ("match + type + _", "((match + type) + _)"),
    ],
)
def test_expression_is(text: str, meaning: str) -> None:
    assert sketch(parse_expression(text)) == meaning


@pytest.mark.parametrize(
    "text, value",
    [
        ("7", 7),
        ("1_000", 1000),
        ("2.5", 2.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e-3", 1e-3),
        ("1E3", 1e3),
        ("2.e2", 200.0),
    ],
)
def test_number_is_exact_where_it_is_whole(text: str, value: int | float) -> None:
    number = parse_expression(text)
    assert isinstance(number, tree.Number)
    assert (type(number.value), number.value) == (type(value), value)


@pytest.mark.parametrize(
    "text, meaning, prefix",
    [
        ("np.tanh(x)", "tanh(x)", "numpy"),
        ("numpy.tanh(x)", "tanh(x)", "numpy"),
        ("jnp.tanh(x)", "tanh(x)", "numpy"),
        ("np.linalg.inv(x)", "inv(x)", "numpy.linalg"),
        ("numpy.linalg.inv(x)", "inv(x)", "numpy.linalg"),
        ("scipy.special.softmax(x)", "softmax(x)", "scipy.special"),
        ("scipy.linalg.expm(x)", "expm(x)", "scipy.linalg"),
        ("jax.nn.relu(x)", "relu(x)", "jax.nn"),
    ],
)
def test_a_module_before_a_function_is_taken_off(text: str, meaning: str, prefix: str) -> None:
    node = parse_expression(text)
    assert isinstance(node, tree.Apply)
    assert (sketch(node), node.prefix, node.span.source) == (meaning, prefix, text)
    assert node.name_span.source == meaning.partition("(")[0]


def test_a_module_before_a_constant_is_taken_off() -> None:
    assert sketch(parse_expression("np.pi*x[np.newaxis]")) == "(pi * x[None])"


@pytest.mark.parametrize(
    "imported, text, meaning, prefix",
    [
        ("import numpy as xp", "xp.tanh(x)", "tanh(x)", "numpy"),
        ("import numpy.linalg as la", "la.inv(x)", "inv(x)", "numpy.linalg"),
        ("import numpy as xp", "xp.linalg.inv(x)", "inv(x)", "numpy.linalg"),
        ("import torch", "torch.exp(x)", "exp(x)", "torch"),
        ("from scipy import special", "special.softmax(x)", "softmax(x)", "scipy.special"),
        ("from scipy.special import softmax", "softmax(x)", "softmax(x)", "scipy.special"),
        ("from numpy import exp as e", "e(x)", "exp(x)", "numpy"),
        ("from numpy import e", "e", "e", ""),
    ],
)
def test_an_import_line_says_what_its_names_mean(
    imported: str, text: str, meaning: str, prefix: str | None
) -> None:
    (statement,) = parse(f"{imported}\n{text}")
    assert isinstance(statement, tree.Assign)
    assert (sketch(statement), getattr(statement.value, "prefix", None)) == (meaning, prefix)
    assert statement.span.source == text


def test_names_are_normalised_as_python_does() -> None:
    assert parse("\u00b5 = \ufb01")[0].targets[0].name == "\u03bc"


# ---------------------------------------------------------------------------- places


@pytest.mark.parametrize("text", ["y = ((a + b))*c", "Z[i, j] = -(X[i])", "y.sum( axis = 0 )", "W: ( m, n )"])
def test_a_statement_spans_its_text(text: str) -> None:
    program = f"first = 1\n  {text}   # comment"
    span = parse(program)[1].span
    assert (span.source, span.text, span.line) == (text, program, 2)


def test_an_operand_spans_what_is_inside_its_brackets_and_an_operator_what_is_around() -> None:
    product = parse_expression("X @ ((w + y))")
    assert isinstance(product, tree.Binary)
    assert product.right.span.source == "w + y"
    assert product.span.source == "X @ ((w + y))"


def test_every_node_lies_within_its_parent() -> None:
    for statement in parse(PASTED + "\n"):
        assert isinstance(statement, tree.Assign)
        for node in tree.walk(statement.value):
            for child in tree.children(node):
                assert node.span.start <= child.span.start < child.span.stop <= node.span.stop


def test_a_method_points_at_its_name() -> None:
    node = parse_expression("(a + b).sum(axis=0)")
    assert isinstance(node, tree.Apply)
    assert (node.name_span.source, node.span.source) == ("sum", "(a + b).sum(axis=0)")


# ---------------------------------------------------------------------------- deep texts

DEEP = {
    "terms": "+".join(["x"] * 10_000),
    "brackets": "(" * 1000 + "x" + ")" * 1000,
    "calls": "exp(" * 3000 + "x" + ")" * 3000,
    "signs": "-" * 5000 + "x",
    "powers": "**".join(["x"] * 3000),
    "lists": "[" * 1000 + "x" + "]" * 1000,
    "attributes": "x" + ".T" * 3000,
    "statements": "\n".join(f"h{k} = tanh(W{k} @ h{k - 1})" for k in range(1, 1001)),
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_a_deep_text_is_read_without_recursion(text: str) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        statements = parse(text)
        nodes = sum(1 for s in statements if isinstance(s, tree.Assign) for _ in tree.walk(s.value))
    finally:
        sys.setrecursionlimit(limit)
    assert nodes >= 1


# ---------------------------------------------------------------------------- formulas


def test_a_formula_has_definitions_and_a_left_side() -> None:
    formula = parse_formula("s[i] = exp(x[i])  # shared\ndy[i]/dx[m] = s[i]*delta[i,m]")
    assert sketch(formula.statements) == "s[i] = exp(x[i])"
    (partial,) = formula.partials
    assert partial.output.name == "y"
    assert sketch(partial.axes) == "i"
    assert [(name.name, sketch(items)) for name, items in partial.wrt] == [("x", "m")]
    assert sketch(partial.value) == "(s[i] * delta[i, m])"
    assert (partial.span.source, partial.wrt[0][0].span.source) == ("dy[i]/dx[m]", "x")


def test_a_formula_of_higher_order_names_each_variable() -> None:
    (partial,) = parse_formula("d3loss/dW[i,j]/db[k]/da = 0").partials
    assert (partial.output.name, partial.axes) == ("loss", ())
    assert [(n.name, sketch(items)) for n, items in partial.wrt] == [("W", "i; j"), ("b", "k"), ("a", "")]


def test_a_formula_may_state_several_derivatives() -> None:
    assert len(parse_formula("dy/dW[i] = x[i]\ndy/db = 1").partials) == 2


@pytest.mark.parametrize(
    "text", ["y/dx = 2", "d2y/dx = 2", "dy/dx/dx = 2", "dy/x[m] = 2", "d/dx = 2", "dy/d = 2"]
)
def test_what_is_no_derivative_is_refused_on_the_left(text: str) -> None:
    with pytest.raises(SyntaxFault, match="is not the left side of a derivative"):
        parse_formula(text)


# ---------------------------------------------------------------------------- errors

ERRORS = {
    "y = (a + b": """\
this ( is never closed
  y = (a + b
      ^
close it with )""",
    "y = a + b)": """\
this ) closes nothing
  y = a + b)
           ^
open it with (""",
    "y = (a]": """\
( is closed by ]
  y = (a]
      ^^^
close it with )""",
    "y = f(a[1:2)": """\
[ is closed by )
  y = f(a[1:2)
         ^^^^^
close it with ]""",
    "y = x +\nz = 3": """\
something is missing after `+`
  y = x +
        ^
write an expression there""",
    "y = (a * )": """\
something is missing after `*`
  y = (a * )
         ^
write an expression there""",
    "y = x ** ** 2": """\
something is missing before `**`
  y = x ** ** 2
           ^^
write an expression there""",
    "y = 2x": """\
2x lacks an operator
  y = 2x
      ^^
a product is 2*x""",
    "y = a b": """\
an operator is missing between `a` and `b`
  y = a b
      ^^^
a product is written with *""",
    "y = (a + b)(c + d)": """\
(a + b) is not a function
  y = (a + b)(c + d)
      ^^^^^^^^^^^^^^
a product needs its sign: (a + b)*(c + d)""",
    "y = x[i](z)": """\
x[i] is not a function
  y = x[i](z)
      ^^^^^^^
a product needs its sign: x[i]*(z); only sum, prod, max, min, logsumexp reduce so, sum[i](...)""",
    "y = sum[2](x)": """\
an explicit sum takes letters and one body
  y = sum[2](x)
      ^^^^^^^^^
write sum[i](...) or sum[i,j](...)""",
    "y = x[]": """\
these brackets are empty
  y = x[]
       ^^
write an index: x[i]""",
    "y = 3j + x": """\
3j is a complex number in Python, which is not supported
  y = 3j + x
      ^^
write real and imaginary parts as arrays of their own; a product is 3*j""",
    "a < b < c": """\
comparisons cannot be chained
  a < b < c
  ^^^^^^^^^
write (a < b) & (b < c)""",
    "a > 0 & b > 0": """\
comparisons cannot be chained
  a > 0 & b > 0
  ^^^^^^^^^^^^^
& and | bind tighter than comparisons: put each comparison in brackets""",
    "y = x^2": """\
`^` is not understood
  y = x^2
       ^
a power is `**`; notation="matrix" reads this spelling""",
    "y = x.^2": """\
`.^` is not understood
  y = x.^2
       ^^
a power is `**`; notation="matrix" reads this spelling""",
    "y = x.*z": """\
`.*` is not understood
  y = x.*z
       ^^
write *, which is elementwise; notation="matrix" reads this spelling""",
    "y = x'*z": """\
`'` is not understood
  y = x'*z
       ^
a transpose is `.T`; notation="matrix" reads this spelling""",
    "y = x'*A*x'": """\
`'` is not understood
  y = x'*A*x'
       ^
a transpose is `.T`; notation="matrix" reads this spelling""",
    "y = 'abc": """\
this string is never closed
  y = 'abc
      ^
close it with '""",
    "y = x − 1": """\
`−` is not understood
  y = x − 1
        ^
write -""",
    "y = x²": """\
`²` is not understood
  y = x²
       ^
write **2""",
    "y = x!": """\
`!` is not understood
  y = x!
       ^
not equal is `!=`; n! is gamma(n + 1)""",
    "y = $x": """\
`$` is not understood
  y = $x
      ^
remove it""",
    "f(x) = 3": """\
f(x) cannot be assigned to
  f(x) = 3
  ^^^^
the left side is a name or a name with indices: y = ... or Z[i,j] = ...; compare with ==""",
    "y = z = 3": """\
`=` has no place here
  y = z = 3
        ^
one statement assigns once; compare with ==""",
    "y := 3": """\
`:=` is not understood
  y := 3
    ^^
assign with =""",
    "x + y: (m, n)": """\
a colon declares a shape, and needs a name before it
  x + y: (m, n)
  ^^^^^
write for example  W: (m, n)""",
    "y = a\n    + b": """\
a line cannot begin with `+`
      + b
      ^
put an expression that goes over several lines in brackets""",
    "y = a\n    - b": """\
a line cannot begin with `-`
      - b
      ^
put an expression that goes over several lines in brackets""",
    "y = f(a=1, 2)": """\
an argument without a name comes after one with a name
  y = f(a=1, 2)
             ^
name it too, or put it first""",
    "y = f(a=1, a=2)": """\
a is given twice
  y = f(a=1, a=2)
             ^
keep one""",
    "y = f(*args)": """\
`*` cannot spread arguments here
  y = f(*args)
        ^
write them out""",
    "": """\
there is nothing to read
a program looks like  y = sum(W*X + b)""",
    "  # only a comment\nimport numpy as np\n": """\
there is nothing to read
a program looks like  y = sum(W*X + b)""",
    "def f(x):\n    return x\nprint(f(1))": """\
this comes after `return`
  print(f(1))
  ^^^^^^^^^^^
a program ends with the value that is returned""",
    "def f(x) return x": """\
this `def` has no colon
  def f(x) return x
  ^^^^^^^^^^^^^^^^^
end it with :""",
}

NAMES = {
    "y = lambda*x": """\
`lambda` is a Python keyword and cannot be a name
  y = lambda*x
      ^^^^^^
call it lam""",
    "lambda: (n,)": """\
`lambda` is a Python keyword and cannot be a name
  lambda: (n,)
  ^^^^^^
call it lam""",
    "class = 3": """\
`class` is a Python keyword and cannot be a name
  class = 3
  ^^^^^
call it class_""",
    "y = x + in": """\
`in` is a Python keyword and cannot be a name
  y = x + in
          ^^
call it in_""",
    "y = x.foo + 1": """\
an array here has no .foo
  y = x.foo + 1
      ^^^^^
known are .T .mT .shape .size .ndim, and functions in the method spelling: x.sum(axis=0)""",
}

REFUSED = {
    "y = a if c else b": ("if", "where(condition, a, b) chooses between two values"),
    "if c:\n    y = a": ("if", "where(condition, a, b) chooses between two values"),
    "y = x\nfor i in x: y += i": (
        "for",
        "a program has no loops: write sum[i](...), prod[i](...) or whole-array operations",
    ),
    "while c: y = 2": (
        "while",
        "a program has no loops: write sum[i](...), prod[i](...) or whole-array operations",
    ),
    "y = sum(v for v in x)": (
        "for",
        "a program has no loops: write sum[i](...), prod[i](...) or whole-array operations",
    ),
    "f = lambda v: v**2": ("lambda", "write the function's body where it is used"),
    "y = a and b": ("and", "write & between comparisons in brackets: (a > 0) & (b > 0)"),
    "y = not a": ("not", "write ~ before a comparison in brackets: ~(a > 0)"),
    "assert x": ("assert", "a program holds assignments, declarations and expressions"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_a_fault_points_and_says_what_to_write(text: str) -> None:
    with pytest.raises(SyntaxFault) as caught:
        parse(text)
    assert str(caught.value) == ERRORS[text]


@pytest.mark.parametrize("text", NAMES)
def test_a_name_that_cannot_be_gets_another(text: str) -> None:
    with pytest.raises(NameFault) as caught:
        parse(text)
    assert str(caught.value) == NAMES[text]


@pytest.mark.parametrize("text", REFUSED)
def test_python_beyond_the_language_is_refused_by_name(text: str) -> None:
    word, hint = REFUSED[text]
    with pytest.raises(Unsupported) as caught:
        parse(text)
    assert (caught.value.message, caught.value.hint) == (f"`{word}` is not understood in a program", hint)
    assert caught.value.span is not None
    assert caught.value.span.source == word


def test_a_derivative_on_the_left_of_a_program_is_refused() -> None:
    with pytest.raises(SyntaxFault, match="cannot be assigned to"):
        parse("dy/dx = 3")


PIECES = ["x", "2", "+", "-", "**", "(", ")", "[", "]", ",", ":", "=", ".T", ".", "sum", "i", "'", ";", "\n",
          "lambda", "->", "^", "...", "if",
          "%", "@", "<", "~", "def ", "return ", '"""', "é", "\\", "{"]  # fmt: skip


def test_whatever_is_typed_ends_in_a_tree_or_in_one_of_our_errors() -> None:
    import random

    draw = random.Random(1)
    for _ in range(3000):
        text = "".join(draw.choice(PIECES) for _ in range(draw.randint(1, 9)))
        for entry in (parse, parse_expression, parse_formula):
            try:
                entry(text)
            except EinsumDiffError as error:
                shown = str(error)
                assert "lark" not in shown.lower()
                assert "LPAR" not in shown and "Token" not in shown
                assert error.span is None or error.span.text == text


# ---------------------------------------------------------------------------- the parser itself


def test_the_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    import lark

    with caplog.at_level(logging.DEBUG, logger=lark.logger.name):
        level, lark.logger.level = lark.logger.level, logging.DEBUG
        try:
            lark.Lark(
                data.grammar("einsumdiff"),
                parser="lalr",
                lexer="basic",
                start=["program", "expression", "row"],
                debug=True,
            )
        finally:
            lark.logger.level = level
    assert [record.message for record in caplog.records if "conflict" in record.message.lower()] == []


def test_lark_is_imported_only_when_a_text_is_read() -> None:
    code = (
        "import sys, einsumdiff.language.parse, einsumdiff.language.table; "
        "print('lark' in sys.modules, 'numpy' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]


def test_several_threads_read_at_once() -> None:
    texts = [f"y{k} = sum(W{k}*x + {k})" for k in range(8)]
    wrong: list[str] = []

    def work(text: str) -> None:
        for _ in range(50):
            (statement,) = parse(text)
            if statement.span.text != text or statement.span.source != text:
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
