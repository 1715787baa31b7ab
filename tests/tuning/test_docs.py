"""docs/sweeps.md and the pages on search spaces, samplers and schedulers say what is there."""

import re

import yaml

from podium.core.states import State
from tests.console import ROOT, commands, missing_lines, run
from tests.tuning.workers.test_worker import write_data
from tuning.preview import preview
from tuning.search.load import load_space
from tuning.search.samplers import Sampler
from tuning.search.schedulers import Scheduler
from tuning.search.space import SearchSpace

DOCUMENT = ROOT / "docs/sweeps.md"
TEXT = DOCUMENT.read_text()
SPACES = (ROOT / "docs/search_spaces.md").read_text()
CHOICES = (ROOT / "docs/samplers_and_schedulers.md").read_text()


def table(heading: str, text: str = TEXT) -> set[str]:
    """What stands in back quotes in the first column of the table below a heading."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)`", section, re.MULTILINE))


def names(variants) -> set[str]:
    return {kind.__origin__.model_fields["name"].default for kind in variants.__origin__.__args__}


def test_the_example_of_a_space_is_one_and_shows_every_key(home):
    (example,) = re.findall(r"^```yaml\n(.*?)^```", SPACES, re.MULTILINE | re.DOTALL)
    (home / "example.yaml").write_text(example)
    space = load_space("example.yaml")
    drawn = [overrides for overrides, refusal in preview(space, 10) if not refusal]
    assert len(drawn) >= 5
    shown = set(re.findall(r"^(\w+):", example, re.MULTILINE))
    assert shown == set(SearchSpace.model_fields) - {"base_config", "direction", "objectives"}


def test_the_tables_name_what_there_is():
    assert table("Samplers", CHOICES) == names(Sampler)
    assert table("Schedulers", CHOICES) == names(Scheduler)
    assert table("States") == set(State) - {State.RUNNING}


def test_the_commands_of_the_looking_table_exist():
    from typer.main import get_command

    from podium.cli.main import app

    known = set(get_command(app).commands)
    named = {command.split()[1] for command in table("Looking")}
    assert named <= known
    assert {"studies", "show", "trials", "importance", "watch", "stop"} <= named


def test_the_check_that_is_shown_is_what_it_prints(home):
    (shown,) = [command for command in commands(DOCUMENT) if command.line.startswith("podium space check")]
    done = run(shown.line, home, PODIUM_HOME=str(home))
    assert done.returncode == 0, done.stdout
    assert missing_lines(shown, done.stdout) == []


def test_the_snippet_for_notebooks_runs(home, store):  # noqa: ARG001 (a migrated MLflow store)
    (snippet,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    write_data(home)
    small = yaml.safe_load((home / "space.yaml").read_text()) | {"workers": 1}
    (home / "search_spaces").mkdir()
    (home / "search_spaces" / "tiny.yaml").write_text(yaml.safe_dump({**small, "base": "../base.yaml"}))
    assert "trials=12" in snippet
    names: dict[str, object] = {}
    exec(snippet.replace("trials=12", "trials=2"), names)
    frame = names["study"].frame()
    assert list(frame.index) == [0, 1]
    assert frame.loc[names["study"].best().number, "value"] == names["study"].best().value == frame["value"].max()
    assert {"state", "step", "train.learning_rate", "dev/loss"} <= set(frame.columns)
