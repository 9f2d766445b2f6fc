"""What a user installs: the marker of types, the version, the data, and an import that costs little."""

import importlib.metadata
import importlib.resources
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import einsumdiff
from einsumdiff import data

HEAVY = ("numpy", "sympy", "lark", "scipy", "matplotlib")


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def test_the_package_says_that_it_is_typed():
    assert importlib.resources.files("einsumdiff").joinpath("py.typed").is_file()


def test_the_version_is_that_of_the_distribution():
    assert einsumdiff.__version__ == importlib.metadata.version("einsumdiff")


def test_importing_leaves_the_heavy_libraries_alone():
    code = f"import sys, einsumdiff; print([name for name in {HEAVY} if name in sys.modules])"
    done = run(sys.executable, "-c", code)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_import_that_is_tested_does_offer_the_interface():
    code = "from einsumdiff import derive; print(derive('y = x**2', wrt='x', shapes={'x': ()})(x=3.0))"
    assert run(sys.executable, "-c", code).stdout.strip() == "6.0"


def test_source_text_is_made_without_numpy_and_sympy():
    code = (
        "import sys\n"
        "sys.modules['numpy'] = sys.modules['sympy'] = sys.modules['scipy'] = None\n"
        "from einsumdiff import derive\n"
        "print(derive('y = sum(W*X + b)', wrt='W').source())\n"
    )
    done = run(sys.executable, "-c", code)
    assert "import numpy as np" in done.stdout, done.stderr


def test_every_public_name_is_there():
    for name in einsumdiff.__all__:
        assert getattr(einsumdiff, name) is not None
    assert {"derive", "read", "gradient", "jacobian", "hessian", "value_and_grad"} <= set(einsumdiff.__all__)
    with pytest.raises(AttributeError):
        _ = einsumdiff.no_such_name


def test_the_grammars_and_the_rules_are_found():
    assert "start" in data.grammar("einsumdiff") or "program" in data.grammar("einsumdiff")
    assert "elementwise.rules" in data.rules()


def test_the_command_is_the_module_too():
    done = run(sys.executable, "-m", "einsumdiff", "y = sum(W*X + b)", "--wrt", "W")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("dy/dW[i,j] = X[i,j]")


def test_the_package_works_from_a_zip(tmp_path):
    """Nothing opens a file by a path beside the code: a zipped package has none."""
    package = Path(einsumdiff.__file__).parent
    archive = tmp_path / "einsumdiff.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for file in package.rglob("*.py"):
            bundle.write(file, Path("einsumdiff") / file.relative_to(package))
        for name in ("grammar", "rules"):
            folder = next(f for f in (package / name, package.parent / name) if f.is_dir())
            for file in folder.iterdir():
                if file.suffix in (".lark", ".rules"):
                    bundle.write(file, Path("einsumdiff") / name / file.name)
    code = "import einsumdiff; print(einsumdiff.__file__); print(einsumdiff.derive('x @ A @ x', wrt='x'))"
    done = run(sys.executable, "-c", code, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(archive)})
    assert done.returncode == 0, done.stderr
    assert "einsumdiff.zip" in done.stdout.splitlines()[0]
    assert "A[" in done.stdout


def test_every_folder_of_modules_goes_into_the_wheel(checkout):
    with (checkout / "pyproject.toml").open("rb") as file:
        listed = set(tomllib.load(file)["tool"]["setuptools"]["packages"])
    folders = {path.parent.relative_to(checkout) for path in (checkout / "einsumdiff").rglob("*.py")}
    assert {".".join(folder.parts) for folder in folders} == listed - {
        "einsumdiff.grammar",
        "einsumdiff.rules",
    }
