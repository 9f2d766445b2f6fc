"""Every notebook runs from its first cell to its last, and what it stores is what it shows."""

from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def texts(cell):
    """What a code cell printed or returned, as text."""
    return [
        output.get("text") or output.get("data", {}).get("text/plain")
        for output in cell.get("outputs", [])
        if "image/png" not in output.get("data", {})
    ]


@pytest.mark.filterwarnings("ignore")  # those of the kernel's machinery are not ours
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_stores(path):
    notebook = nbformat.read(path, as_version=4)
    stored = [texts(cell) for cell in notebook.cells if cell.cell_type == "code"]
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": FOLDER}}).execute()
    fresh = [texts(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert fresh == stored, f"execute it again: jupyter execute --inplace {path.name}"
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs), "there is no picture"


def test_there_is_a_quickstart():
    assert "quickstart" in [path.stem for path in NOTEBOOKS]
