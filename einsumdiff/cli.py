"""The command line: results on standard output, everything else on standard error.

Exit codes: 0 done, 1 the program is wrong or the check failed, 2 the call is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from einsumdiff import __version__
from einsumdiff.errors import EinsumDiffError

FORMATS = ("index", "numpy", "json")
_TAKE_A_VALUE = (
    "--wrt",
    "--shape",
    "--order",
    "--output",
    "--mode",
    "--format",
    "--notation",
    "--ties",
    "--batch",
    "--structured",
    "-o",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code.

    >>> main(["y = x @ x", "--wrt", "x", "--shape", "x=n"])
    dy/dx[i] = 2*x[i]
    x: (n,)
    0
    """
    parser = _parser()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--functions" in arguments:
        return _functions(arguments, parser)
    comparing = arguments[:1] == ["same"]
    if comparing:
        parser, arguments = _same_parser(), arguments[1:]
    try:
        asked = parser.parse_args(_with_texts_last(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)
    if comparing and asked.program == asked.formula == "-":
        return _wrong_call(parser, "standard input is the program or the formula, not both")
    try:
        shapes = dict(_shape(text) for text in asked.shape)
        program = sys.stdin.read() if asked.program == "-" else asked.program
        formula = sys.stdin.read() if comparing and asked.formula == "-" else getattr(asked, "formula", "")
    except ValueError as error:
        return _wrong_call(parser, str(error))
    except (OSError, UnicodeError) as error:
        return _wrong_call(parser, f"standard input cannot be read: {error}")
    wrt = [name.strip() for text in asked.wrt for name in text.split(",")]
    if not all(wrt):
        return _wrong_call(parser, f"--wrt has an empty name in {','.join(asked.wrt)!r}")
    if comparing:
        return _compare(program, wrt, shapes, formula, asked)
    return _run(program, wrt, shapes, asked, parser)


def _functions(arguments: list[str], parser: argparse.ArgumentParser) -> int:
    """Print the vocabulary, which takes no program."""
    from einsumdiff import vocabulary

    others = [one for one in arguments if one not in ("--functions", "--markdown")]
    if others:
        return _wrong_call(parser, f"--functions stands alone or with --markdown, not with {others[0]}")
    try:
        _write(vocabulary.markdown() if "--markdown" in arguments else vocabulary.text(), None)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _with_texts_last(argv: Sequence[str]) -> list[str]:
    """The arguments, programs and formulas behind `--` if one begins with a minus.

    An option is a letter or `--word`.

    >>> _with_texts_last(["-x**2", "--wrt", "x"])
    ['--wrt', 'x', '--', '-x**2']
    """
    if "--" in argv:
        return list(argv)
    options: list[str] = []
    texts: list[str] = []
    for at, text in enumerate(argv):
        option = text.startswith(("--", "-o")) or text == "-h"
        value = at > 0 and argv[at - 1] in _TAKE_A_VALUE
        (options if option or value else texts).append(text)
    if not any(text.startswith("-") and text != "-" for text in texts):
        return list(argv)
    return [*options, "--", *texts]


def _compare(
    program: str, wrt: list[str], shapes: dict[str, str], formula: str, asked: argparse.Namespace
) -> int:
    """Say whether the formula is the derivative."""
    try:
        verdict = _derived(program, wrt, shapes, asked).same(formula)
    except EinsumDiffError as fault:
        _say(f"{type(fault).__name__}: {fault}")
        return 1
    try:
        _write(str(verdict), None)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0 if verdict else 1


def _derived(program: str, wrt: list[str], shapes: dict[str, str], asked: argparse.Namespace) -> Any:
    from einsumdiff.deriving import derive

    return derive(
        program,
        wrt[0] if len(wrt) == 1 else wrt,
        order=asked.order,
        shapes=shapes or None,
        output=asked.output,
        mode=asked.mode,
        notation=asked.notation,
        ties=asked.ties,
        batch=asked.batch,
        structured=asked.structured,
    )


def _run(
    program: str,
    wrt: list[str],
    shapes: dict[str, str],
    asked: argparse.Namespace,
    parser: argparse.ArgumentParser,
) -> int:
    try:
        d = _derived(program, wrt, shapes, asked)
        text = _text(d, asked.format)
        checked = d.check() if asked.check else None
    except EinsumDiffError as fault:
        _say(f"{type(fault).__name__}: {fault}")
        return 1
    failed = checked is not None and not checked.passed
    if checked is not None:
        _say(str(checked))
    if asked.out is None and asked.format == "numpy" and _encodable(text, sys.stdout) != text:
        return _wrong_call(parser, "standard output cannot show the names in it: -o FILE writes UTF-8")
    try:
        _write(text, asked.out)
    except BrokenPipeError:  # the reader has what it wants: `| head`
        # What Python still holds for the pipe is flushed at its end, into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as fault:
        return _wrong_call(parser, f"{asked.out or 'standard output'} cannot be written: {fault}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="einsumdiff",
        description="Derivatives of tensor expressions, in index notation or as NumPy source.",
        epilog='example: einsumdiff "y = sum(W*X + b)" --wrt W. '
        "einsumdiff same --help: is a formula of your own the derivative?",
        allow_abbrev=False,
    )
    _asking(parser)
    parser.add_argument("--format", choices=FORMATS, default="index", help="what to print (default: index)")
    parser.add_argument("--check", action="store_true", help="compare with slopes at random arrays")
    parser.add_argument("-o", dest="out", metavar="FILE", help="write the result there")
    parser.add_argument(
        "--functions", action="store_true", help="print every function, without a program; or --markdown"
    )
    parser.add_argument("--markdown", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"einsumdiff {__version__}")
    return parser


def _same_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="einsumdiff same",
        description="Is a formula of your own the derivative? Exit code 0: yes, 1: no.",
        epilog='example: einsumdiff same "y = sum((A @ x - b)**2)" --wrt x "2*A.T @ (A @ x - b)"',
        allow_abbrev=False,
    )
    _asking(parser)
    parser.add_argument(
        "formula",
        help="in the letters of the printed derivative, in whole arrays, or with a left side; - reads it",
    )
    return parser


def _asking(parser: argparse.ArgumentParser) -> None:
    """What says which derivative it is."""
    parser.add_argument("program", help="the program's text; - reads it from standard input")
    parser.add_argument(
        "--wrt",
        required=True,
        action="append",
        metavar="NAME",
        help="what to differentiate in; NAME,NAME for several",
    )
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=SIZES",
        help="the shape of a name: W=m,n or x=3 or S=n,n symmetric; a= is a scalar",
    )
    parser.add_argument(
        "--notation",
        choices=("numpy", "matrix"),
        default="numpy",
        help="how the program is written; matrix is the spelling of MATLAB and matrixcalculus.org",
    )
    parser.add_argument(
        "--ties",
        choices=("split", "first", "zero"),
        default="split",
        help="who has the slope where arguments of max and its kin are equal (default: split)",
    )
    parser.add_argument(
        "--batch", metavar="SIZE", help="a size whose elements are independent; SIZE,SIZE for several"
    )
    parser.add_argument(
        "--structured",
        choices=("free", "projected", "triangle"),
        default="free",
        help="how entries vary of a name that is declared symmetric or the like (default: free)",
    )
    parser.add_argument("--order", type=_order, default=1, metavar="N", help="2 is the Hessian")
    parser.add_argument("--output", metavar="NAME", help="what to differentiate, if not the last statement")
    parser.add_argument(
        "--mode",
        choices=("auto", "forward", "reverse", "cross-country"),
        default="auto",
        help="how to accumulate",
    )


def _order(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"an order is a whole number from 1 on, not {text!r}")
    return int(text)


def _shape(text: str) -> tuple[str, Any]:
    """`W=m,n` as a name and its sizes."""
    name, equals, sizes = text.partition("=")
    name = name.strip()
    if not equals or not name.isidentifier():
        raise ValueError(f"--shape {text}: write NAME=SIZES, for example --shape W=m,n")
    parts = [part.strip() for part in sizes.strip().strip("()").split(",")]
    if parts and not parts[-1]:
        parts.pop()
    if not all(parts):
        raise ValueError(f"--shape {text}: a size is empty")
    for part in parts:
        if re.match(r"[-+.\d]", part) and not part.isdecimal() and not re.search(r"[^\W\d]", part):
            raise ValueError(
                f"--shape {text}: {part} is no size, which is a name or a whole number from 0 on"
            )
    parts = [word for part in parts for word in part.split()]
    return name, tuple(int(part) if part.isdecimal() else part for part in parts)


def _wrong_call(parser: argparse.ArgumentParser, message: str) -> int:
    parser.print_usage(sys.stderr)
    _say(f"{parser.prog}: error: {message}")
    return 2


def _say(message: str) -> None:
    """To standard error; a stream that lacks a character shows its number."""
    sys.stderr.write(_encodable(message + "\n", sys.stderr))


def _encodable(text: str, stream: TextIO) -> str:
    """The text with what the stream cannot encode written as Python escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _text(d: Any, form: str) -> str:
    if form == "numpy":
        return str(d.source())
    if form == "index":
        return str(d)
    from einsumdiff.derivative import Derivative

    several = (
        {" ".join(d.wrt): d} if isinstance(d, Derivative) else {_key(key): one for key, one in d.items()}
    )
    first = next(iter(several.values()))
    said = {
        "program": d.program,
        "inputs": list(d.inputs),
        "output": first.output,
        "derivatives": [
            {
                "wrt": list(one.wrt),
                "shape": list(one.shape),
                "structure": one.structure.to_dict(),
                "index": str(one),
            }
            for one in several.values()
        ],
        "index": str(d),
        "source": d.source(),
    }
    text = json.dumps(said, indent=2, ensure_ascii=False)
    return text if _encodable(text, sys.stdout) == text else json.dumps(said, indent=2)


def _key(key: str | tuple[str, ...]) -> str:
    return key if isinstance(key, str) else " ".join(key)


def _write(text: str, out: str | None) -> None:
    """To standard output, or to a file that is there whole or not at all."""
    text = text if text.endswith("\n") else text + "\n"
    if out is None:
        sys.stdout.write(_encodable(text, sys.stdout))
        sys.stdout.flush()
        return
    import tempfile

    place = Path(out)
    handle, partial = tempfile.mkstemp(dir=place.parent or ".", prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if place.exists():
            os.chmod(partial, place.stat().st_mode & 0o777)
        else:
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(partial, 0o666 & ~mask)
        os.replace(partial, place)
    except BaseException:
        os.unlink(partial)
        raise
