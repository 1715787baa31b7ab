"""What the documents show is what happens."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.console import ROOT, commands, missing_lines, run

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMED_PATH = re.compile(r"`((?:podium|tuning|trainer|eval|tests|benchmarks|docs|search_spaces)/[\w./-]*)`")
PLACEHOLDER = re.compile(r"NAME|NNN|FAMILY")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_and_link_exists(page: Path):
    text = page.read_text(encoding="utf-8")
    paths = {ROOT / name for name in NAMED_PATH.findall(text) if not PLACEHOLDER.search(name)}
    links = {page.parent / name for name in LINK.findall(text)}
    assert [str(path) for path in sorted(paths | links) if not path.exists()] == []


@pytest.mark.realdata
def test_gsm8k_walkthrough(realdata: Path, tmp_path: Path):
    shutil.copytree(ROOT / "search_spaces", tmp_path / "search_spaces")
    shown = commands(ROOT / "docs/gsm8k_walkthrough.md")
    assert len(shown) == 10
    for command in shown:
        done = run(command.line, tmp_path, PODIUM_HOME=str(tmp_path), PODIUM_REALDATA=str(realdata))
        refused = command is shown[-1]
        assert done.returncode == (2 if refused else 0), done.stdout
        assert command.output or command is shown[0], f"the document shows no output of {command.line}"
        assert missing_lines(command, done.stdout) == []


@pytest.mark.slow
@pytest.mark.alone
def test_readme_demo(tmp_path: Path):
    """The README's demo, in the four minutes that it may take on two cores."""
    shown = commands(ROOT / "README.md")
    lines = [command.line for command in shown]
    demo = shown[lines.index("make demo") : lines.index("make test")]
    done = run("timeout 240 podium demo", tmp_path, PODIUM_HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout
    for command in demo:
        # Which trials are stopped depends on the machine's arithmetic; make says itself that it installs.
        command.output = [line for line in command.output if not line.startswith(("[", "Installing"))]
        assert missing_lines(command, done.stdout) == []
    best, default = map(float, re.search(r"trial \d+ has ([\d.]+), the default config ([\d.]+)", done.stdout).groups())
    assert best >= 50
    assert best - default >= 15


@pytest.mark.slow
def test_readme_project(home: Path):
    """The README's `podium init`, with a file and a model in place of its words."""
    (home / "sums.jsonl").write_text("".join(f'{{"prompt": "{n}+1=?", "response": "{n + 1}"}}\n' for n in range(40)))
    (home / ".venv").symlink_to(sys.prefix)
    (shown,) = [command for command in commands(ROOT / "README.md") if "podium init" in command.line]
    done = run(shown.line.replace("FILE", "sums").replace("MODEL", "tiny"), home, PODIUM_HOME="")
    assert done.returncode == 0, done.stdout
    assert (home / "my-project/search_spaces/my-project.yaml").is_file()


def test_the_architecture_page_has_every_folder_of_the_packages():
    text = (ROOT / "docs/architecture.md").read_text()
    folders = [
        path
        for package in ("podium", "tuning", "trainer", "eval")
        for path in (ROOT / package).iterdir()
        if path.is_dir() and (path / "__init__.py").exists()
    ]
    assert len(folders) > 20
    assert [path.name for path in folders if not re.search(rf"(?m)^ *(\w+/)?{path.name}/ ", text)] == []


SHOWN = re.compile(r"^\$ (?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(podium [^|>&;\n]*)", re.MULTILINE)
# A page shows wrong usage on purpose, or stands for something with words of its own.
FORM = re.compile(r"\b[A-Z]{2,}\b|\[|\.\.\.|…")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_command_line_takes_every_command_that_is_shown(page: Path):
    """The parser as it is; nothing is run. tests/test_command_blocks.py sees to that every command is run."""
    from typer.main import get_command

    from podium.cli.main import app

    root = get_command(app)
    lines = [line for line in SHOWN.findall(page.read_text(encoding="utf-8")) if not FORM.search(line)]
    for line in lines:
        words = [word for word in shlex.split(line, comments=True)[1:] if word not in ("--debug", "--version")]
        command = root
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert command is not root or not words, line
        command.make_context("podium", words, resilient_parsing="--help" in words)
