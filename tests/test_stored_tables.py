"""Tables of the parser are kept on disk: read again, built again where they are damaged, never waited for."""

import os
import subprocess
import sys

import pytest

from einsumdiff import data
from einsumdiff.language import stored_tables
from einsumdiff.language.parse import STARTS


class Same:
    """A transformer that keeps what it is given."""

    def __getattr__(self, name):
        return lambda parts: (name, tuple(parts))


class Given:
    """The tokens of the grammar as they come."""

    always_accept = ()

    def process(self, stream):
        return (token for token in stream if token.type != "NEWLINE")


def parsed(text="y + x*2"):
    options = {"parser": "lalr", "lexer": "basic", "start": STARTS}
    grammar = data.grammar("einsumdiff")
    parser = stored_tables.opened("g", grammar, Same(), Given(), **options)
    return str(parser.parse(text, start="expression"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EINSUMDIFF_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "kept"


@pytest.fixture
def grammars_read(monkeypatch):
    """How often lark went the long way."""
    import lark.lark

    count = []
    whole = lark.lark.load_grammar
    monkeypatch.setattr(lark.lark, "load_grammar", lambda *args: count.append(1) or whole(*args))
    return count


def test_tables_are_written_once_and_read_from_then_on(folder, grammars_read):
    first = parsed()
    (file,) = folder.iterdir()
    before = file.read_bytes()
    assert [parsed(), parsed()] == [first, first]
    assert len(grammars_read) == 1
    assert [one.read_bytes() for one in folder.iterdir()] == [before]


@pytest.mark.parametrize(
    "damage",
    [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b"\0" + b[1:], lambda b: b + b"more"],
    ids=["empty", "cut", "another first byte", "longer"],
)
def test_a_damaged_file_is_not_read_and_is_written_again(folder, grammars_read, damage):
    first = parsed()
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert parsed() == first
    assert len(grammars_read) == 2
    parsed()
    assert len(grammars_read) == 2
    assert list(folder.iterdir()) == [file]


def test_tables_that_this_lark_does_not_read_are_built_again(folder, grammars_read, monkeypatch):
    import lark

    first = parsed()

    def otherwise(*args, **kwargs):
        raise KeyError("another format")

    with monkeypatch.context() as other:
        other.setattr(lark.Lark, "_load", otherwise)
        assert parsed() == first
    assert len(grammars_read) == 2


def test_another_grammar_has_other_tables(folder, monkeypatch):
    first = parsed()
    with monkeypatch.context() as other:
        other.setattr(data, "grammar", lambda name: 'expression: "y" -> other\nprogram: "p"\nrow: "r"\n')
        assert "other" in parsed("y")
    assert len(list(folder.iterdir())) == 2
    assert parsed() == first


def test_nothing_is_written_where_python_writes_no_byte_code(folder, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    parsed()
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    for name in (str(tmp_path / "file"), str(tmp_path / "file" / "below"), ""):
        monkeypatch.setenv("EINSUMDIFF_CACHE", name)
        assert parsed().startswith("('binary'")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="rights are others there")
def test_a_folder_into_which_others_can_write_is_not_used(folder):
    folder.mkdir()
    folder.chmod(0o777)
    parsed()
    assert not list(folder.iterdir())


def test_a_new_process_reads_what_the_one_before_it_wrote(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k not in ("EINSUMDIFF_CACHE",)}
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    program = (
        "import lark.lark\n"
        "from einsumdiff import derive\n"
        "whole, count = lark.lark.load_grammar, []\n"
        "lark.lark.load_grammar = lambda *args: count.append(1) or whole(*args)\n"
        "print(derive('y = sum(W*X + b)', wrt='W'), len(count))\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert said[0][:-1] == said[1][:-1]
    assert [one[-1] for one in said] == ["1", "0"]
