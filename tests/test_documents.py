"""What the documents show is what happens."""

import re
import shutil
from pathlib import Path

import pytest

from tests.console import ROOT, commands, missing_lines, run


@pytest.mark.realdata
def test_gsm8k_walkthrough(realdata: Path, tmp_path: Path):
    shutil.copytree(ROOT / "search_spaces", tmp_path / "search_spaces")
    shown = commands(ROOT / "docs/gsm8k_walkthrough.md")
    assert len(shown) == 9
    for command in shown:
        done = run(command.line, tmp_path, PODIUM_HOME=str(tmp_path), PODIUM_REALDATA=str(realdata))
        refused = command is shown[-1]
        assert done.returncode == (2 if refused else 0), done.stdout
        assert command.output or command is shown[0], f"the document shows no output of {command.line}"
        assert missing_lines(command, done.stdout) == []


@pytest.mark.slow
def test_training_end_to_end(tmp_path: Path):
    shutil.copytree(ROOT / "search_spaces", tmp_path / "search_spaces")
    shown = commands(ROOT / "docs/training_end_to_end.md")
    assert len(shown) == 9
    for command in shown:
        done = run(command.line, tmp_path, PODIUM_HOME=str(tmp_path))
        assert done.returncode == 0, done.stdout
        assert missing_lines(command, done.stdout) == []


@pytest.mark.slow
def test_readme_demo(tmp_path: Path):
    """The README's demo, in the four minutes that it promises on two cores."""
    (command,) = [shown for shown in commands(ROOT / "README.md") if shown.line == "make demo"]
    done = run("timeout 240 podium demo", tmp_path, PODIUM_HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert missing_lines(command, done.stdout) == []
    best, default = map(float, re.search(r"trial \d+ has ([\d.]+), the default config ([\d.]+)", done.stdout).groups())
    assert best >= 50
    assert best - default >= 15
