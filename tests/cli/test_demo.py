import io
import shutil
import sys

import typer
import yaml

from podium.cli import demo
from podium.cli.main import app
from podium.cli.terminal import safe_output
from podium.core.paths import shipped


def test_demo_goes_the_whole_way(podium, home, monkeypatch):
    shutil.copytree(shipped() / "search_spaces" / "base", home / "base")
    space = yaml.safe_load((shipped() / demo.SPACE).read_text())
    few = {"train.max_steps": 6, "train.warmup_steps": 1, "eval.max_items": 8, "generate.batch_size": 8}
    few = {"overrides": few, "report_every_steps": 3}
    few |= {"scheduler": {"name": "asha", "grace_period": 3, "reduction_factor": 3}}
    few |= {"parameters": {"train.learning_rate": space["parameters"]["train.learning_rate"]}}
    (home / "few.yaml").write_text(yaml.safe_dump(space | few))
    monkeypatch.setattr(demo, "SPACE", "few.yaml")

    done = podium("demo", "--trials", "2")

    assert done.code == 0, done.err
    commands = [line.split()[2] for line in done.out.splitlines() if line.startswith("$ podium")]
    assert commands == ["trainset", "sweep", "promote", "submit", "package"]
    assert "after 6 steps: trial " in done.out
    assert len(list((home / "submission_runs" / "packages").glob("podium_demo-001_*.zip"))) == 1
    assert podium("submit", "demo-001").code == 2


def test_a_command_is_bold_on_a_terminal_and_plain_elsewhere(home, monkeypatch):  # noqa: ARG001 (no studies)
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    context = typer.Context(typer.main.get_command(app))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for screen, bold in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stdout", screen)
        with safe_output():
            demo._run(context, "studies")
        first = screen.getvalue().split("no studies yet")[0]
        assert first.replace("\x1b[1m", "").replace("\x1b[0m", "") == "\n$ podium studies\n"
        assert ("\x1b[1m" in first) == bold and r"\x1b" not in screen.getvalue()
