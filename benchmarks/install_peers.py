"""Installs the extra `bench` one requirement at a time, so that one that cannot be installed stops no other.

Usage: install_peers.py, with the Python of the environment that they go into.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def main() -> int:
    project = Path(__file__).resolve().parents[1]
    described = tomllib.loads((project / "pyproject.toml").read_text())
    own = described["project"]["name"]
    for requirement in described["project"]["optional-dependencies"]["bench"]:
        inside = requirement.startswith(f"{own}[")
        target = ("--editable", f"{project}{requirement[len(own) :]}") if inside else (requirement,)
        if subprocess.run([*PIP, *target], check=False).returncode:
            print(f"{requirement} cannot be installed: its column of the table will say so", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
