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
