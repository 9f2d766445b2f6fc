"""The table: what a row says, and what loading refuses."""

from __future__ import annotations

import pytest

from einsumdiff import data
from einsumdiff.errors import EinsumDiffError, NameFault, SyntaxFault
from einsumdiff.language import tree
from einsumdiff.language.table import (
    Definition,
    Form,
    Function,
    NamedNumber,
    Operation,
    Table,
    load_table,
    option,
)

BASE = "fn exp(x)  numpy exp  on real\n   d/dx = exp(x)\n"


def table(text: str) -> Table:
    return Table({"mine.rules": text})


def names(items: tuple[tree.Tree, ...] | None) -> list[str]:
    return [item.span.source for item in items or ()]


# ---------------------------------------------------------------------------- what rows say


def test_a_function_has_a_partial_for_each_parameter() -> None:
    row = table(
        "fn scaled(x, factor=2.0)  numpy 'factor*x'  on real, positive  odd\n"
        "   d/dx = factor\n"
        "   d/dfactor = unknown\n"
    )["scaled"]
    assert isinstance(row, Function)
    assert [parameter.name for parameter in row.parameters] == ["x", "factor"]
    assert isinstance(row.parameters[1].default, tree.Number)
    assert row.spelling.spell(("x", "factor"), ("a + b", "3.0")) == "(3.0*(a + b))"
    assert [domain.name for domain in row.domains] == ["real", "positive"]
    assert isinstance(row.partials["x"], tree.Name) and row.partials["factor"] is None
    assert row.options == ("odd",)
    assert not row.boolean and not row.mask and row.operator == ""


def test_a_function_may_be_boolean_an_operator_or_a_mask() -> None:
    rules = table(
        'fn less(x, y)  numpy "x < y"  operator "<"  bool  on real\n   d/dx = 0\n   d/dy = 0\n'
        "mask where(c, a, b)  numpy where  on condition, real, real\n"
        "   d/dc = 0\n   d/da = where(c, 1, 0)\n   d/db = where(c, 0, 1)\n"
    )
    less, where = rules["less"], rules["where"]
    assert isinstance(less, Function) and less.boolean and rules.operators == {"<": "less"}
    assert isinstance(where, Function) and where.mask


def test_a_definition_has_cases() -> None:
    row = table(
        "def matmul\n"
        "   (x[k], y[k]) -> [] = x[k]*y[k]\n"
        "   (A[..., i, k], x[k]) -> [..., i] = A[..., i, k]*x[k]   numpy matmul\n"
    )["matmul"]
    assert isinstance(row, Definition)
    assert [names(case.axes) for case in row.cases] == [[], ["...", "i"]]
    assert [names(p.pattern) for p in row.cases[1].parameters] == [["...", "i", "k"], ["k"]]
    assert row.cases[1].value.span.source == "A[..., i, k]*x[k]"
    assert row.spelling is not None and row.spelling.function == "np.matmul"


def test_a_definition_has_options_and_defaults() -> None:
    row = table("def total reduce k (x[k], axis=None, keepdims=False) -> [] = sum[k](x[k])")["total"]
    assert isinstance(row, Definition)
    assert row.options == ("reduce", "k")
    assert (option(row, "reduce"), option(row, "k"), option(row, "along")) == ("k", "", None)
    defaults = [parameter.default for parameter in row.cases[0].parameters]
    assert defaults[0] is None
    assert [default.value for default in defaults[1:] if isinstance(default, tree.Constant)] == [None, False]


def test_a_definition_without_axes_is_scalar() -> None:
    row = table("def square(x) = x**2   numpy square   on real")["square"]
    assert isinstance(row, Definition)
    assert row.cases[0].axes is None and row.spelling is not None and len(row.domains) == 1


def test_an_operation_states_its_derivative() -> None:
    row = table(
        "op inv(A[..., i, j]) -> [..., i, j]   numpy linalg.inv   on invertible\n"
        "   d/dA[m, n] = -inv(A)[..., i, m]*inv(A)[..., n, j]\n"
    )["inv"]
    assert isinstance(row, Operation)
    assert names(row.axes) == ["...", "i", "j"]
    stated = row.partials["A"]
    assert (stated.parameter, names(stated.items)) == ("A", ["m", "n"])
    assert row.domains[0].matrix and row.spelling.function == "np.linalg.inv"


def test_a_form_gives_its_signature() -> None:
    row = table("form einsum(signature, *operands)\nform transpose(x, axes=None)")["einsum"]
    assert isinstance(row, Form)
    assert [(p.name, p.variadic) for p in row.parameters] == [("signature", False), ("operands", True)]


def test_a_form_may_have_no_parameters() -> None:
    row = table("form nothing()")["nothing"]
    assert isinstance(row, Form) and row.parameters == ()


def test_an_alias_gives_the_row_it_stands_for() -> None:
    rules = table(BASE + "alias e_to_the = exp")
    assert rules["e_to_the"] is rules["exp"]
    assert list(rules) == ["exp"] and rules.aliases == {"e_to_the": "exp"}


def test_an_identity_has_two_sides() -> None:
    rules = table(
        BASE + "fn log(x)  numpy log  on positive\n   d/dx = 1/x\n"
        "identity log(exp(x)) = x\n"
        "identity exp(log(x)) = x   on positive\n"
        "identity log(sum[i](exp(x[i]))) = x[i]   stable\n"
    )
    first, second, third = rules.identities
    assert (first.left.span.source, first.right.span.source) == ("log(exp(x))", "x")
    assert [domain.name for domain in second.domains] == ["positive"]
    assert third.options == ("stable",)


def test_a_constant_is_a_number() -> None:
    row = load_table()["pi"]
    assert isinstance(row, NamedNumber)
    assert row.value == 3.141592653589793 and row.spelling.function == "np.pi"


def test_a_row_may_continue_on_indented_lines_and_in_brackets() -> None:
    row = table(
        "# a comment\nfn f(x)   # another\n   numpy 'x*x'\n   on real\n\n   # and one\n"
        "   d/dx = (2\n      *x)\n"
    )["f"]
    assert isinstance(row, Function) and row.partials["x"] is not None


def test_a_span_points_into_the_whole_file() -> None:
    row = table("# first line\n" + BASE)["exp"]
    assert isinstance(row, Function) and row.partials["x"] is not None
    span = row.partials["x"].span
    assert (span.source, span.line) == ("exp(x)", 3)


# ---------------------------------------------------------------------------- what is refused

REFUSED = {
    "a name with two rows": (
        BASE + "def exp(x) = x",
        """\
exp has two rows
  def exp(x) = x
      ^^^
the other is a fn in mine.rules""",
    ),
    "a missing partial": (
        "fn f(x, y)  numpy hypot  on real\n   d/dx = 0",
        """\
the partial in y is missing
  fn f(x, y)  numpy hypot  on real
  ^^^^
add  d/dy = ...  (0 where it is zero, unknown to refuse it)""",
    ),
    "a missing partial of an operation": (
        "op f(A[i,j]) -> [i,j]  numpy linalg.inv  on invertible",
        """\
the partial in A is missing
  op f(A[i,j]) -> [i,j]  numpy linalg.inv  on invertible
  ^^^^
add  d/dA = ...  (0 where it is zero, unknown to refuse it)""",
    ),
    "an unknown domain": (
        "fn f(x)  numpy exp  on posITve\n   d/dx = 0",
        """\
there is no domain posITve
  fn f(x)  numpy exp  on posITve
                         ^^^^^^^
known are positive""",
    ),
    "a partial that calls what has no row": (
        BASE + "fn f(x)  numpy exp  on real\n   d/dx = 2*expp(x)",
        """\
expp has no row
     d/dx = 2*expp(x)
              ^^^^
did you mean exp?""",
    ),
    "a definition that calls what has no row": (
        "def f(x) = g(x)",
        """\
g has no row
  def f(x) = g(x)
             ^
add a row for it""",
    ),
    "an alias for nothing": (
        "alias f = zzz",
        """\
zzz has no row
  alias f = zzz
  ^^^^^^^^^^^^^
add a row for it""",
    ),
    "a row without a spelling": (
        "fn f(x)  on real\n   d/dx = 0",
        """\
this row lacks its NumPy spelling
  fn f(x)  on real
  ^^^^
add  numpy NAME  or  scipy NAME""",
    ),
    "a row without a domain": (
        "fn f(x)  numpy exp\n   d/dx = 0",
        """\
this row lacks the domain where it is tested
  fn f(x)  numpy exp
  ^^^^
add  on real""",
    ),
    "a wrong number of domains": (
        "fn f(x)  numpy exp  on real, positive\n   d/dx = 0",
        """\
1 parameters have 2 domains
  fn f(x)  numpy exp  on real, positive
  ^^^^
give one, or one for each""",
    ),
    "a partial in something else": (
        "fn f(x)  numpy exp  on real\n   d/dz = 0",
        """\
z is no parameter
     d/dz = 0
     ^^^^
they are x""",
    ),
    "a partial that is stated twice": (
        "fn f(x)  numpy exp  on real\n   d/dx = 0\n   d/dx = 1",
        """\
d/dx is stated twice
     d/dx = 1
     ^^^^
keep one""",
    ),
    "a partial that is none": (
        "fn f(x)  numpy exp  on real\n   f/dx = 0",
        """\
a derivative is written d/dx = ...
     f/dx = 0
     ^^^^
the d is followed by a parameter""",
    ),
    "a line that is no row": (
        "funct f(x) = 2",
        """\
a row cannot begin with funct
  funct f(x) = 2
  ^^^^^
it begins with one of alias, constant, def, fn, form, identity, mask, op, sympy; further lines are indented""",  # noqa: E501
    ),
    "what is not the language": (
        "def f(x) = x +",
        """\
something is missing after `+`
  def f(x) = x +
               ^
write an expression there""",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_loading_refuses(what: str) -> None:
    text, shown = REFUSED[what]
    with pytest.raises(EinsumDiffError) as caught:
        table(text).check()
    assert str(caught.value) == shown
    assert isinstance(caught.value, NameFault | SyntaxFault)


def test_a_fault_in_a_rule_names_its_file_and_line() -> None:
    with pytest.raises(EinsumDiffError) as caught:
        table("# comment\n\ndef f(x) = (x").check()
    assert caught.value.__notes__ == ["in the rules, mine.rules, line 3"]


# ---------------------------------------------------------------------------- the rules of the project


def test_every_rule_can_be_read() -> None:
    load_table().check()


def test_the_table_is_made_once() -> None:
    assert load_table() is load_table()


def test_near_names_are_found_among_rows_and_aliases() -> None:
    assert load_table().nearest("tnah") == ["tanh", "atanh"] or "tanh" in load_table().nearest("tnah")
    assert "lgamma" in load_table().nearest("lgama")


@pytest.mark.parametrize("name", list(load_table()))
def test_every_operation_has_a_name_that_programs_can_spell(name: str) -> None:
    assert name.isidentifier() and name in load_table() and load_table()[name].name == name


def test_a_missing_folder_is_said_with_both_places(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither at .*einsumdiff.* nor at"):
        data.grammar("nothing_of_the_sort")
