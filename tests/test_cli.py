"""The command line: results on standard output, all else on standard error, exit codes 0, 1, 2."""

import json
import os
import subprocess
import sys

import pytest

from einsumdiff import __version__
from einsumdiff.check import CheckResult
from einsumdiff.cli import main

LINEAR = "y = sum(W*X + b)"
DECLARED = ["--shape", "W=m,n", "--shape", "X=m,n", "--shape", "b=n"]


def test_the_index_form_is_printed(capsys):
    assert main([LINEAR, "--wrt", "W", *DECLARED]) == 0
    out, err = capsys.readouterr()
    assert out == "dy/dW[i,j] = X[i,j]\nW: (m, n); X: (m, n); b: (n,)\n"
    assert err == ""


def test_the_source_is_printed_and_runs(capsys):
    assert main([LINEAR, "--wrt", "W", "--format", "numpy"]) == 0
    names: dict[str, object] = {}
    exec(capsys.readouterr().out, names)
    assert "dy_dW" in names


def test_json_holds_what_the_derivative_says(capsys):
    assert main([LINEAR, "--wrt", "W", "--wrt", "b", *DECLARED, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["inputs"] == ["W", "X", "b"] and said["output"] == "y"
    assert [one["wrt"] for one in said["derivatives"]] == [["W"], ["b"]]
    assert said["derivatives"][0]["shape"] == ["m", "n"]
    assert said["derivatives"][0]["structure"]["kind"] == "dense"


def test_several_names_may_be_separated_by_commas(capsys):
    assert main([LINEAR, "--wrt", "W,b", *DECLARED]) == 0
    assert "dy/db[i] = m" in capsys.readouterr().out


def test_order_and_output_are_passed_on(capsys):
    assert main(["h = x @ x; y = h**2", "--wrt", "x", "--output", "h", "--order", "2"]) == 0
    assert capsys.readouterr().out.startswith("d2h/dx[i]/dx[j] = 2*delta[i,j]\n")


@pytest.mark.parametrize(("ties", "said"), [("split", "share"), ("first", "the first"), ("zero", "slope 0")])
def test_ties_are_passed_on(ties, said, capsys):
    assert main(["max(x)", "--wrt", "x", "--ties", ties]) == 0
    assert said in capsys.readouterr().out
    assert main([f"--ties={ties}", "--wrt", "x", "max(x)"]) == 0
    assert said in capsys.readouterr().out


def test_a_dash_reads_standard_input():
    run = subprocess.run(
        [sys.executable, "-m", "einsumdiff", "-", "--wrt", "x"],
        input="# a comment\ny = x @ x\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0 and run.stdout.startswith("dy/dx[i] = 2*x[i]\n")


def test_a_check_that_passes_says_so_on_standard_error(capsys):
    assert main(["y = sum(tanh(W @ x))", "--wrt", "W", "--check"]) == 0
    out, err = capsys.readouterr()
    assert "agrees with" in err and "relative error" in err and "agrees" not in out


def test_a_check_that_fails_exits_with_1(capsys, monkeypatch):
    wrong = CheckResult(0.5, "central differences", (1,), (3.0, 2.0), wrt=("x",))
    monkeypatch.setattr("einsumdiff.derivative.Derivative.check", lambda self: wrong)
    assert main(["sum(x)", "--wrt", "x", "--check"]) == 1
    assert (
        "differs from central differences: relative error 5.0e-01; entry [1] is 3, expected 2"
        in capsys.readouterr().err
    )


def test_a_wrong_program_exits_with_1_and_prints_no_result(capsys):
    assert main(["y = sum(W*", "--wrt", "W"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("SyntaxFault: ")


def test_an_unknown_wrt_is_a_wrong_program(capsys):
    assert main([LINEAR, "--wrt", "Q"]) == 1
    assert capsys.readouterr().err.startswith("NameFault: ")


@pytest.mark.parametrize(
    "call",
    [
        [],
        [LINEAR],
        [LINEAR, "--wrt", "W", "--format", "latex"],
        [LINEAR, "--wrt", "W", "--shape", "m,n"],
        [LINEAR, "--wrt", "W", "--shape", "W=m,,n"],
        [LINEAR, "--wrt", "W,,b"],
        [LINEAR, "--wrt", "W", "--order", "0"],
        [LINEAR, "--wrt", "W", "--no-such-option"],
        [LINEAR, "--wrt", "W", "-o", "/no/such/folder/file.py"],
    ],
)
def test_a_wrong_call_exits_with_2(call, capsys):
    assert main(call) == 2
    out, err = capsys.readouterr()
    assert out == "" and "usage: einsumdiff" in err


def test_a_file_is_written_whole(tmp_path, capsys):
    place = tmp_path / "out.txt"
    assert main([LINEAR, "--wrt", "W", *DECLARED, "-o", str(place)]) == 0
    assert place.read_text().startswith("dy/dW[i,j] = X[i,j]\n")
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == [place]


def test_a_wrong_program_leaves_the_file_as_it_was(tmp_path):
    place = tmp_path / "out.txt"
    place.write_text("before")
    assert main(["y = nothing(x)", "--wrt", "x", "-o", str(place)]) == 1
    assert place.read_text() == "before" and list(tmp_path.iterdir()) == [place]


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"einsumdiff {__version__}\n"


@pytest.mark.parametrize(
    "call", [["-x**2", "--wrt", "x"], ["--wrt", "x", "-x**2"], ["--wrt", "x", "--", "-x**2"]]
)
def test_a_program_may_begin_with_a_minus(call, capsys):
    assert main(call) == 0
    assert capsys.readouterr().out.startswith("dy[i]/dx[m] = -2*delta[i,m]*x[i]\n")


def _run(*call, **kwargs):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    return subprocess.run(
        [sys.executable, "-m", "einsumdiff", *call], capture_output=True, text=True, env=environment, **kwargs
    )


def test_a_terminal_without_the_letters_shows_their_numbers(tmp_path):
    done = _run("y = \u03bc*x", "--wrt", "x")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("dy[i]/dx[m] = delta[i,m]*\\u03bc[i]\n")
    assert _run("y = \u03bc*", "--wrt", "x").returncode == 1
    assert json.loads(_run("y = \u03bc*x", "--wrt", "x", "--format", "json").stdout)["inputs"] == [
        "\u03bc",
        "x",
    ]


def test_source_that_a_terminal_would_spoil_is_not_printed(tmp_path):
    call = ["y = \u03bc*x", "--wrt", "x", "--format", "numpy"]
    done = _run(*call)
    assert done.returncode == 2 and done.stdout == "" and "-o FILE" in done.stderr
    place = tmp_path / "f.py"
    assert _run(*call, "-o", str(place)).returncode == 0
    assert "\u03bc" in place.read_text(encoding="utf-8")


def test_a_reader_that_leaves_is_no_failure():
    process = subprocess.Popen(
        [sys.executable, "-m", "einsumdiff", LINEAR, "--wrt", "W"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--shape", "W=-3,2"], "-3 is no size"),
        (["--shape", "W=2.5,2"], "2.5 is no size"),
        (["--order", "two"], "a whole number from 1 on, not 'two'"),
        (["--order=-1"], "a whole number from 1 on, not '-1'"),
    ],
)
def test_what_is_wrong_with_an_option_is_said(option, words, capsys):
    assert main([LINEAR, "--wrt", "W", *option]) == 2
    assert words in capsys.readouterr().err


RESIDUAL = "y = sum((A @ x - b)**2)"


@pytest.mark.parametrize(
    "call, code, said",
    [
        ([RESIDUAL, "--wrt", "x", "2*A[i,j]*(A[i,k]*x[k] - b[i])"], 0, "yes: "),
        ([RESIDUAL, "2*A.T @ (A @ x - b)", "--wrt", "x"], 0, "yes: "),
        (["--wrt", "x", RESIDUAL, "A.T @ (A @ x - b)"], 1, "yours is 1/2 times ours"),
        ([RESIDUAL, "--wrt", "x", "-2*A.T @ (A @ x - b)"], 1, "yours has the opposite sign"),
        (["-x**2", "--wrt", "x", "--shape", "x=", "-2*x"], 0, "yes: "),
        (["-x**2", "--order", "2", "2*x**0", "--wrt", "x", "--shape", "x="], 1, "opposite sign"),
        (["same", "--wrt", "same", "--shape", "same=", "1"], 0, "yes: "),
    ],
)
def test_a_formula_of_ones_own_is_compared(call, code, said, capsys):
    assert main(["same", *call]) == code
    out, err = capsys.readouterr()
    assert said in out and err == ""


def test_a_formula_that_cannot_be_read_exits_with_1(capsys):
    assert main(["same", RESIDUAL, "--wrt", "x", "2*A.T @ q"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "NameFault: q is not known here" in err and "^" in err


@pytest.mark.parametrize(
    "call", [["same"], ["same", RESIDUAL, "--wrt", "x"], ["same", "-", "-", "--wrt", "x"]]
)
def test_a_comparison_without_its_formula_is_a_wrong_call(call, capsys):
    assert main(call) == 2
    out, err = capsys.readouterr()
    assert out == "" and "einsumdiff same" in err


def test_a_formula_may_come_from_standard_input():
    run = subprocess.run(
        [sys.executable, "-m", "einsumdiff", "same", "x @ x", "--wrt", "x", "-"],
        input="2*x\n",
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout) == (0, "yes: the same, by canonical form\n")


def test_batches_and_declared_structure(capsys):
    assert main(["exp(X)", "--wrt", "X", "--batch", "m"]) == 0
    assert capsys.readouterr().out.startswith("dy[i,j]/dX[i,m] = delta[j,m]*exp(X[i,j])\n")
    shape = ["--shape", "S=n,n symmetric", "--shape", "x=n"]
    assert main(["x @ S @ x", "--wrt", "x", *shape]) == 0
    assert capsys.readouterr().out == "dy/dx[i] = 2*S[i,j]*x[j]\nx: (n,); S: (n, n) symmetric\n"
    assert main(["x @ S @ y", "--wrt", "S", *shape, "--structured", "projected"]) == 0
    assert capsys.readouterr().out.startswith("df/dS[i,j] = x[i]*y[j]/2 + x[j]*y[i]/2\n")
