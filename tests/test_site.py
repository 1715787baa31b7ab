"""The documents as a site: no warning, every page in the navigation, and references that are current."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from podium.cli.reference import FOLDER, pages
from tests.console import ROOT


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    command = [Path(sys.executable).parent / "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    built = sorted((tmp_path / "site").rglob("*.html"))
    assert len(built) > 20
    assert [
        page.name for page in built if 'src="http' in page.read_text() or 'rel="preconnect"' in page.read_text()
    ] == []


def test_the_navigation_has_every_page() -> None:
    listed = set(_leaves(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]))
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert listed == {page for page in there if not page.startswith("decisions/0")}
    index = (ROOT / "docs/index.md").read_text()
    assert [page for page in listed - {"index.md"} if f"({page})" not in index] == []


def test_the_list_of_decisions_has_every_one() -> None:
    index = (ROOT / "docs/decisions/index.md").read_text()
    there = {path.name for path in (ROOT / "docs/decisions").glob("0*.md")}
    assert {name for name in there if f"({name})" in index} == there


@pytest.mark.parametrize("page", ["commands.md", "config.md"])
def test_the_references_are_what_the_code_gives(page: str) -> None:
    assert (ROOT / FOLDER / page).read_text() == pages()[page], "run python -m podium.cli.reference"


def _leaves(nav: Any) -> Iterator[str]:
    for entry in nav:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else _leaves(value)
