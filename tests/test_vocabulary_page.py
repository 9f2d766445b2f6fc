"""docs/functions.md and `einsumdiff --functions` say what the rules say."""

from pathlib import Path

import pytest

from einsumdiff import EinsumDiffError, NameFault, derive, vocabulary
from einsumdiff.cli import main
from einsumdiff.language.checking import check_spelling
from einsumdiff.language.rows import Form, option
from einsumdiff.language.table import Table, built_in
from einsumdiff.targets.numpy.helpers import HELPERS

PAGE = Path(__file__).parents[1] / "docs" / "functions.md"
BASE = "fn exp(x)  numpy exp  on real\n   d/dx = exp(x)\nconstant pi = 3.14  numpy pi\n"


def test_the_page_is_what_the_rules_say():
    said = "einsumdiff --functions --markdown > docs/functions.md"
    assert PAGE.read_text(encoding="utf-8") == vocabulary.markdown(), f"print it again: {said}"


def test_the_page_names_every_row_and_alias():
    page = vocabulary.markdown()
    table = built_in()
    planned = [r.name for r in table.rows() if isinstance(r, Form) and option(r, "planned") is not None]
    for row in table.rows():
        name = vocabulary.typed(row.name)
        assert (f"| `{name}(" in page or f"| `{name}`" in page) == (row.name not in planned), name
    for alias, target in table.aliases.items():
        assert f"`{alias}`" in page or target in planned, alias


def test_the_command_prints_it(capsys):
    assert main(["--functions", "--markdown"]) == 0
    assert capsys.readouterr().out == vocabulary.markdown()
    assert main(["--functions"]) == 0
    out = capsys.readouterr().out
    assert "  tanh(x)\n      d/dx = 1 - tanh(x)**2\n" in out and "also asinh" in out
    assert main(["--functions", "x @ x"]) == 2
    assert "stands alone" in capsys.readouterr().err


# ------------------------------------------------------------------------------------ what check finds


@pytest.mark.parametrize("row", built_in().own.values(), ids=lambda row: row.name)
def test_every_spelling_is_there(row):
    check_spelling(row, {}, HELPERS)


@pytest.mark.parametrize(
    "text, said",
    [
        ("alias a = b\nalias b = a", "a is defined by itself: a -> b -> a"),
        ("def f(x) = exp(f(x))", "f is defined by itself: f -> f"),
        ("def f(x) = g(x)\ndef g(x) = h(x)\ndef h(x) = f(x)", "f is defined by itself: f -> g -> h -> f"),
        ("def f(x[k]) -> [] = g(x)\ndef g(x[k]) -> [] = f(x)", "f is defined by itself"),
        ("fn f(x)  numpy exp  on real\n   d/dx = y", "y is no parameter of this row"),
        ("def f(x) = x*y", "y is no parameter of this row"),
        ("def f(x[k]) -> [] = sum[k](x[k]*w)", "w is no parameter of this row"),
        ("fn f(x)  numpy exp  on real\n   d/dx = exp()", "exp does not take 0 arguments"),
        ("def f(x, y=1) = x*y\ndef g(x) = f(x, x, x)", "f does not take 3 arguments"),
        ("fn f(x)  numpy exp  on real\n   d/dx = pi(x)", "pi is of arrays"),
        ("fn f(x)  numpy exp  on real\n   d/dx = x[i]", "this is no expression over numbers"),
        ("fn f(x)  numpy exp  on real\n   d/dx = exp(x=x)", "a call in a row has no keywords"),
        ("def f(x, y|x) = x*y", "x is twice in the signature"),
        ("def f(x[k], x[i]) -> [] = sum[k](x[k])", "x is twice in the signature"),
        ("def if(x) = x", "`if` is a Python keyword"),
        ("fn f(lambda)  numpy exp  on real\n   d/dlambda = 1", "`lambda` is a Python keyword"),
        ("identity exp(x) = exp(x, 1)", "exp does not take 2 arguments"),
        ("identity exp(x) = exp(z)", "z is no parameter of this row"),
    ],
)
def test_checking_refuses(text, said):
    with pytest.raises(EinsumDiffError) as caught:
        Table({"mine.rules": BASE + text}).check()
    assert str(caught.value).startswith(said), str(caught.value)


def test_what_is_right_passes():
    text = "def f(x, y=2) = exp(x)*y + pi\ndef g(x) = f(x) + f(x, 3)\nalias h = g\nidentity f(x) = g(x)\n"
    Table({"mine.rules": BASE + text}).check()


def test_no_name_of_a_row_stands_where_nobody_would_type_it():
    assert "_linalg_" not in vocabulary.markdown() + vocabulary.text()
    with pytest.raises(NameFault) as found:
        derive("np.fill_diagonal(A, 0)", wrt="A")
    assert "_linalg_" not in str(found.value)
