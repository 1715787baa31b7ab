"""`podium config show`, and that commands use the settings."""

import json

import pytest

from podium.core import settings
from tests.console import ROOT, commands, missing_lines, run

PAGE = ROOT / "docs/settings.md"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for setting in settings.SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)


def test_every_value_has_its_source(podium, home, monkeypatch):
    (home / "podium.toml").write_text('workers = 2\ntracking_uri = "https://me:hunter22@mlflow.example"')
    monkeypatch.setenv("PODIUM_BACKEND", "inline")
    monkeypatch.setenv("PODIUM_WORKER", "3")
    shown = json.loads(podium("config", "show", "--json").out)
    rows = {row["setting"]: (row["value"], row["source"]) for row in shown["settings"]}
    assert rows["home"] == (str(home), "PODIUM_HOME")
    assert rows["workers"] == ("2", str(home / "podium.toml"))
    assert rows["backend"] == ("inline", "PODIUM_BACKEND")
    assert rows["profile"] == (None, "default")
    done = podium("config", "show")
    assert "hunter22" not in done.out and "https://me:***@mlflow.example" in done.out
    assert "note: PODIUM_WORKER is set, but no setting has that variable; check its spelling" in done.out


def test_a_bad_file_ends_a_command_with_one_line(podium, home):
    (home / "podium.toml").write_text("workerz = 2")
    done = podium("studies")
    assert done.code == 2
    assert done.err == f"error: {home}/podium.toml: unknown key 'workerz'; did you mean workers?\n"


def test_a_sweep_takes_what_is_set_unless_its_space_or_an_option_says_otherwise(home, monkeypatch):
    from tuning.backends import make_backend
    from tuning.search.load import load_space
    from tuning.search.worker_options import Workers, with_setting

    (home / "podium.toml").write_text('workers = 3\nbackend = "inline"')
    space = load_space("search_spaces/tiny.yaml")
    assert with_setting(space.workers).count == 3
    assert with_setting(Workers(count=1)).count == 1
    assert make_backend(None, space, 1000).name == "inline"
    monkeypatch.setenv("PODIUM_BACKEND", "nowhere")
    assert make_backend("inline", space, 1000).name == "inline"


def test_the_profile_that_is_set_is_that_of_the_sweep(podium, home):
    (home / "podium.toml").write_text('profile = "no-such-profile"')
    podium("trainset", "build", "tiny-reasoning")
    done = podium("sweep", "search_spaces/tiny.yaml", "--backend", "inline")
    assert done.code == 2 and "profile='no-such-profile', must be one of" in done.err
    assert not (home / "workspace/studies").exists()


def test_the_page_lists_every_setting_and_shows_what_is_printed(home):
    text = PAGE.read_text()
    for setting in settings.SETTINGS:
        assert f"| `{setting.name}` | `{setting.variable}` |" in text
    (example,) = [block for block in text.split("```") if block.startswith("toml\n")]
    (home / "podium.toml").write_text(example.removeprefix("toml\n"))
    (command,) = commands(PAGE)
    done = run(command.line, home, PODIUM_HOME="", XDG_CONFIG_HOME="/home/me/.config", PODIUM_COMPILE_CACHE="")
    assert done.returncode == 0, done.stdout
    shown = done.stdout.replace(str(home), "/home/me/sums")
    assert missing_lines(command, shown) == []
