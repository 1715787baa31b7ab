"""The quick-start notebook runs as it is, from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.console import ROOT


@pytest.mark.slow
def test_the_quick_start_runs(home: Path) -> None:
    notebook = nbformat.read(ROOT / "notebooks/quickstart.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(home)}}).execute()
    (last,) = [cell for cell in notebook.cells if "manifest.state" in cell.source]
    assert "complete" in last.outputs[-1]["data"]["text/plain"]
