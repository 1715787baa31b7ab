import os
import subprocess
import sys
from functools import partial

import pytest

from podium.core import paths
from podium.core.errors import UsageError


def test_home_comes_before_what_is_shipped(home):
    assert paths.find_evalset("tiny_v1") == paths.shipped() / "evalsets" / "tiny_v1.jsonl"
    (home / "evalsets").mkdir()
    (home / "evalsets" / "tiny_v1.jsonl").write_text("")
    assert paths.find_evalset("tiny_v1") == home / "evalsets" / "tiny_v1.jsonl"


def test_a_folder_of_the_same_name_is_not_taken_for_the_set(home):
    (home / "mine").mkdir()
    with pytest.raises(UsageError, match="trainset 'mine' not found"):
        paths.find_trainset("mine")


def test_a_trainset_that_was_not_built_says_how(home):
    (home / "trainsets" / "tiny-reasoning").mkdir(parents=True)
    with pytest.raises(UsageError, match="podium trainset build tiny-reasoning"):
        paths.find_trainset("tiny-reasoning")


def test_portable_paths(home):
    assert paths.portable(home / "workspace" / "studies" / "a") == "studies/a"
    assert paths.portable(home / "submission_runs" / "a") == "submission_runs/a"
    assert paths.portable(paths.shipped() / "pyproject.toml") == "pyproject.toml"


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "-flag", "a/b", "a b", "x" * 101])
def test_names_that_are_refused(name):
    with pytest.raises(UsageError, match="study name"):
        paths.check_name(name, "study")


def test_names_that_are_fine():
    assert paths.check_name("demo-1_b.2", "study") == "demo-1_b.2"


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["x" * 200] * 20)])
def test_a_workspace_with_a_path_that_is_too_long_is_refused(monkeypatch, tmp_path, name):
    monkeypatch.setenv("PODIUM_WORKSPACE", str(tmp_path / name))
    with pytest.raises(
        UsageError, match=r"its path is too long, must have at most 3500 bytes, and 255 in each"
    ) as error:
        paths.workspace()
    assert len(str(error.value)) <= 500


def test_a_workspace_whose_path_is_not_utf8_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PODIUM_WORKSPACE", str(tmp_path / os.fsdecode("Prüfung".encode("latin-1"))))
    with pytest.raises(UsageError, match=r"its path is not UTF-8, which Orbax and MLflow need; rename it"):
        paths.workspace()


def test_letters_that_the_locale_lacks_are_refused_before_anything_is_written(tmp_path):
    """Python takes LC_ALL=C for UTF-8 unless it is told otherwise; then a sweep there works like any other."""
    home = tmp_path / "Prüfung-日本"
    home.mkdir()
    environment = {**os.environ, "LC_ALL": "C", "PODIUM_HOME": str(home)}
    environment.pop("PODIUM_WORKSPACE", None)
    command = [sys.executable, "-m", "podium.cli.main", "studies"]
    run = partial(subprocess.run, command, capture_output=True, text=True)
    done = run(env={**environment, "PYTHONUTF8": "0"})
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "its path is not UTF-8, which Orbax and MLflow need; set PYTHONUTF8=1" in done.stderr
    assert run(env=environment).stdout.startswith("no studies yet")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "x/" * 4000, "\ud800"])
def test_what_cannot_be_a_path_is_not_found(name):
    with pytest.raises(UsageError, match="not found"):
        paths.find_file(name)
    with pytest.raises(UsageError, match="not found"):
        paths.find_evalset(name)
