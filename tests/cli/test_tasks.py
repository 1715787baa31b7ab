"""The help by task, what a shell completes, and listings as JSON."""

import json
import os
import subprocess
import sys

import typer

from podium.cli.main import app
from podium.cli.tasks import OTHERS, TASKS, first_clause


def complete(line: str, **environment: str) -> list[str]:
    """What bash gets for the last word of `line`."""
    asked = {"_PODIUM_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    code = "import sys; sys.argv = ['podium']; from podium.cli.main import main; main()"
    env = os.environ | asked | environment
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stderr == ""
    return done.stdout.split()


def test_every_command_has_a_task_and_one_line(podium):
    shown = podium("--help").out
    assert OTHERS not in shown
    for task, names in TASKS.items():
        for name in set(names) & set(typer.main.get_command(app).commands):
            (line,) = (line for line in shown.splitlines() if line.startswith(f"  {name} "))
            assert len(line) <= 78 and not line.endswith("..."), line
            assert shown.index(f"{task}:") < shown.index(line)


def test_a_clause_ends_at_a_stop_or_a_colon():
    assert first_clause("Stop a sweep:\nits trials end. More.") == "Stop a sweep"
    assert first_clause("Read 1.5 files") == "Read 1.5 files"
    assert first_clause(None) == ""


def test_a_shell_completes_commands_and_names(home):
    (home / "workspace" / "studies" / "mine-001").mkdir(parents=True)
    (home / "submission_runs" / "final").mkdir(parents=True)
    assert complete("podium st") == ["stop", "studies"]
    assert complete("podium show m") == ["mine-001"]
    assert complete("podium sweep --resume mine") == ["mine-001"]
    assert complete("podium submit f") == ["final"]
    assert complete("podium trials m", PODIUM_WORKSPACE="x" * 4000) == []  # a name that no folder can have


def test_a_space_and_an_evalset_as_json(podium):
    space = json.loads(podium("space", "check", "search_spaces/tiny.yaml", "--samples", "2", "--json").out)
    assert (space["name"], space["trials"], len(space["drawn"])) == ("tiny", 12, 2)
    assert space["drawn"][0]["overrides"]["train.learning_rate"] == 0.0003  # the base config
    assert space["drawn"][0]["infeasible"] is None
    evalset = json.loads(podium("evalset", "check", "tiny_v1", "--json").out)
    assert (evalset["items"], evalset["dev"] + evalset["holdout"], evalset["duplicates"]) == (480, 480, [])
