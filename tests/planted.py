"""Bugs planted on purpose: each must be caught by the tests.

Run as a script it plants them one by one in a copy of the package and says which tests noticed:

    python tests/planted.py

A bug is (what it is, file, text, what it becomes, the tests that are run).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CALCULUS, SOLVE = "test_calculus.py", "test_solve.py"

BUGS = [
    ("terms are not renamed apart", "terms.py", "    inner = inner.fresh()\n", "", SOLVE),
    (
        "a label stands for an axis that it does not cover",
        "terms.py",
        "if label is not None and label.size == size and label not in other.labels:",
        "if label is not None and label not in other.labels:",
        SOLVE,
    ),
    (
        "a label is substituted where it stays",
        "solve.py",
        "value = rest.times(-1) if c == 1 else rest",
        "value = rest",
        SOLVE,
    ),
    (
        "sides that are not proved get no guard",
        "solve.py",
        'self.guards += [(side, ">=") for side in open_sides]',
        "pass",
        SOLVE,
    ),
    (
        "the remainder of a mixed radix may be as large as the radix",
        "solve.py",
        "nonnegative(a - 1 - bounds[1], facts)",
        "nonnegative(a - bounds[1], facts)",
        SOLVE,
    ),
    (
        "a delta that is not summed is contracted",
        "solve.py",
        "bound = [label for label in dict.fromkeys(running) if label not in kept]",
        "bound = list(dict.fromkeys(running))",
        SOLVE,
    ),
    (
        "the product rule drops a factor",
        "partials.py",
        "rest = one.factors[:k] + one.factors[k + 1 :]",
        "rest = one.factors[:k] + one.factors[k + 2 :]",
        CALCULUS,
    ),
    (
        "the power rule forgets the power",
        "partials.py",
        "one.coefficient * power\n",
        "one.coefficient\n",
        CALCULUS,
    ),
    (
        "the size of a constant sum is forgotten",
        "nodes/products.py",
        "coefficient = _merge_extent(merged, coefficient, label.size, 1)",
        "pass",
        CALCULUS,
    ),
    (
        "like terms do not add",
        "canonical.py",
        "c = add_numbers(old.product.coefficient, term.product.coefficient)",
        "c = old.product.coefficient",
        CALCULUS,
    ),
    (
        "the other factors of a product are all of them",
        "partials.py",
        'guards += (Guard(bare(other) - bare(label), "!="),)',
        "pass",
        CALCULUS,
    ),
    (
        "a transpose is missing",
        "targets/numpy/views.py",
        '{text.within(ATOM)}.T"',
        '{text.within(ATOM)}"',
        CALCULUS,
    ),
    (
        "a scatter assigns where it should add",
        "targets/numpy/statements.py",
        "{'=' if write.first else '+='}",
        "{'='}",
        CALCULUS,
    ),
    (
        "an exponential of the reduction loses its shift",
        "partials.py",
        "builder.scale(whole, -1)",
        "whole",
        CALCULUS,
    ),
    ("ties of max count double", "partials.py", "builder.power(count, -1)", "number(1)", CALCULUS),
]


def package(checkout: Path, folder: Path) -> None:
    """A copy of the package with its grammar and rules, and of the tests."""
    for name in ("einsumdiff", "grammar", "rules", "tests"):
        shutil.copytree(checkout / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def plant(folder: Path, file: str, text: str, becomes: str) -> None:
    """Put the bug in; its text must be there, and once."""
    path = folder / "einsumdiff" / file
    source = path.read_text()
    assert source.count(text) == 1, f"{file} has {source.count(text)} times {text!r}"
    path.write_text(source.replace(text, becomes))


def run(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """The tests on the package in that folder, to the first failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += [
        "--import-mode=importlib",
        "-o",
        "pythonpath=tests",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(folder / "tests")])}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [*command, f"tests/{tests}"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def caught(checkout: Path, bug: tuple[str, str, str, str, str]) -> tuple[bool, str]:
    """Whether the tests fail with the bug, and the last line that they print."""
    _, file, text, becomes, tests = bug
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package(checkout, folder)
        plant(folder, file, text, becomes)
        done = run(folder, tests)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr
    return done.returncode == 1, last


if __name__ == "__main__":
    missed = 0
    for bug in BUGS:
        found, last = caught(Path(__file__).resolve().parent.parent, bug)
        missed += not found
        print(f"{'caught' if found else 'MISSED'}  {bug[0]}: {last}")
    sys.exit(bool(missed))
