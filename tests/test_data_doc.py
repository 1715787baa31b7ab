"""docs/data.md: the files that it shows are read, and its commands do what it says."""

import re
import shlex
import shutil
from pathlib import Path

import pandas
import pytest

from podium.cli.main import main
from tests.console import ROOT, Command, commands, missing_lines, run

PAGE = ROOT / "docs/data.md"
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
IMPORTS = ("podium trainset ", "podium evalset ")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(home: Path) -> Path:
    """The files of the page, and what it takes for granted: a saved folder and a set in the hub's cache."""
    for name, text in FILE.findall(PAGE.read_text(encoding="utf-8")):
        (home / name).write_text(text)
    shutil.copytree(ROOT / "tests/fixtures/datasets/saved", home / "saved")
    cached = home / "hub/datasets--openai--gsm8k"
    for subset in ("main", "socratic"):
        snapshot = cached / "snapshots" / COMMIT / subset
        snapshot.mkdir(parents=True)
        table = pandas.read_json(home / "gsm8k.jsonl", lines=True)
        table.to_parquet(snapshot / "train-00000-of-00001.parquet")
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text(COMMIT)
    return home


def check(shown: list[Command], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run the commands; imports in this process, which has loaded what they need."""
    for command in shown:
        if command.line.startswith(IMPORTS) and "hf:" not in command.line:
            with pytest.raises(SystemExit) as exited:
                main(shlex.split(command.line)[1:])
            code, output = int(exited.value.code or 0), "".join(capsys.readouterr())
        else:
            done = run(command.line, folder, HF_HUB_CACHE=str(folder / "hub"), HF_HUB_OFFLINE="1")
            code, output = done.returncode, done.stdout
        assert (code != 0) == any(line.startswith("error: ") for line in command.output), output
        assert missing_lines(command, output) == []


def is_quick(command: Command) -> bool:
    return not command.line.startswith(("podium train ", "podium predict ", "podium score ", "for "))


def test_the_imports(folder, capsys):
    quick = [command for command in commands(PAGE) if is_quick(command)]
    assert len(quick) == 22
    check(quick, folder, capsys)


@pytest.mark.slow
def test_every_file_goes_from_import_to_a_score(folder, capsys):
    path = commands(PAGE)[:4]
    assert [command.line.split()[1] for command in path] == ["trainset", "train", "predict", "score"]
    check(path, folder, capsys)
    (loop,) = [command for command in commands(PAGE)[4:] if not is_quick(command)]
    every = {name for name, _ in FILE.findall(PAGE.read_text(encoding="utf-8"))} - {
        "sums.jsonl",
        "sums.yaml",
        "faq.tsv",
        "gaps.jsonl",
    }
    assert len(every) == 10 and every == set(loop.line.partition(";")[0].split()[3:])
    check([loop], folder, capsys)
