"""What the documents and the code's own messages say about installing Podium: from the clone, never from an index."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.console import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = set(PROJECT["optional-dependencies"])
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = [
    *(
        file
        for package in ("podium", "tuning", "trainer", "eval", "benchmarks")
        for file in (ROOT / package).rglob("*.py")
    ),
    *(file for file in (ROOT / "tests").rglob("*.py") if file != Path(__file__)),
]

FROM_INDEX = [
    re.compile(r"podium\["),  # an extra of an index package, with `pip install` before it or not
    re.compile(r"pip install (?:-\S+ )*[\"']?podium\b(?!/)"),
]
FROM_CLONE = re.compile(r"pip install (?:-e|--editable) [\"']?\.\[([^\]]*)\]")
BY_MAKE = re.compile(r"\bEXTRAS=[\"']?([\w,-]+)")


def index_installs(text: str) -> list[str]:
    """The lines that install Podium, or one of its extras, by the name of an index package."""
    return [line for line in text.splitlines() if any(pattern.search(line) for pattern in FROM_INDEX)]


def named_extras(text: str) -> set[str]:
    """The extras that the text installs from the clone."""
    lists = FROM_CLONE.findall(text) + BY_MAKE.findall(text)
    return {name.strip() for names in lists for name in names.split(",")}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_installs_from_the_clone(path):
    text = path.read_text(encoding="utf-8")
    assert index_installs(text) == []
    assert named_extras(text) <= EXTRAS


def test_the_code_installs_from_the_clone():
    found = {str(file.relative_to(ROOT)): index_installs(file.read_text(encoding="utf-8")) for file in SOURCES}
    assert {name: lines for name, lines in found.items() if lines} == {}
    named = {extra for file in SOURCES for extra in named_extras(file.read_text(encoding="utf-8")) if extra.isalnum()}
    assert named <= EXTRAS


@pytest.mark.parametrize(
    ("line", "is_refused"),
    [
        ("pip install 'podium[tpu]'", True),
        ("pip install podium", True),
        (".venv/bin/pip install -U podium", True),
        ("the package `podium[gp]`", True),
        (".venv/bin/pip install -e '.[postgres]'", False),
        ("make setup EXTRAS=postgres", False),
        ("pip install 'ray[default]'", False),
    ],
)
def test_what_counts_as_an_install_from_an_index(line, is_refused):
    assert bool(index_installs(line)) is is_refused


def test_an_extra_is_found_however_it_is_installed():
    assert named_extras("pip install -e '.[gp,samplers]' or make setup EXTRAS=postgres") == {
        "gp",
        "samplers",
        "postgres",
    }


def test_the_readme_names_the_extras_that_a_user_can_want():
    """`dev` and `bench` are for contributors; the accelerators have `ACCELERATOR=`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for extra in {"samplers", "gp", "kaggle", "postgres"} & EXTRAS:
        assert f"`{extra}`" in text
