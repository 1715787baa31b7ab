import json
import re

import pytest

from podium.core.states import State
from tests.submission.small import tree, write_data, write_study
from tuning.study.study import load_study


@pytest.fixture
def study(home, podium):  # noqa: ARG001, an empty home first
    write_data(home)
    return write_study(home, (State.COMPLETE, 40.0), (State.DIVERGED, None), (State.COMPLETE, 62.5))


def test_promote_writes_the_lock_and_says_what_comes_next(home, podium, study):
    done = podium("promote", study, "--as", "one")
    assert (done.code, done.err) == (0, "")
    lock = json.loads((home / "submission_runs/one/lock.json").read_text())
    lines = done.out.splitlines()
    assert lines[:5] == [
        "promoted: trial 2 of study small-001, dev/answer_correctness 62.5",
        "  train.learning_rate: 0.003",
        "contamination: 0 of 12 evalset prompts in the trainset, 0 nearly",
        f"lock: {home / 'submission_runs/one/lock.json'}",
        f"lock_id: {lock['lock_id']}",
    ]
    assert lines[-1] == "next: podium submit one"
    assert (lock["trial"], lock["mlflow_run_id"]) == (2, f"{2:032x}")


def test_a_study_that_distinguished_nothing_is_promoted_with_a_warning(home, podium):
    study = write_study(home, (State.COMPLETE, 40.0), (State.DIVERGED, None), (State.COMPLETE, 40.0))
    done = podium("promote", study, "--as", "one")
    assert done.code == 0
    (warning,) = [line for line in done.out.splitlines() if line.startswith("warning: ")]
    same = "dev/answer_correctness is 40 in all 2 trials that have a score, so trial 0 is the best only because"
    assert warning.startswith(f"warning: nothing was distinguished: {same}")
    assert json.loads((home / "submission_runs/one/lock.json").read_text())["trial"] == 0
    assert f"  {warning}" in podium("show", study).out.splitlines()


def test_a_trial_can_be_chosen(home, podium, study):
    assert podium("promote", study, "--trial", 0, "--as", "one").code == 0
    assert json.loads((home / "submission_runs/one/lock.json").read_text())["value"] == 40.0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["gone-001", "--as", "one"], r"error: study 'gone-001' not found in .*/studies; known: small-001"),
        (["small-001", "--trial", "9", "--as", "one"], r"error: study 'small-001' has no trial 9; it has 3, from 0"),
        (
            ["small-001", "--trial", "1", "--as", "one"],
            r"error: trial 1 of study 'small-001' is diverged \(loss exploded in trial 1\), must be complete; promote "
            r"another, or leave out --trial for the best",
        ),
        (["small-001", "--as", "a/b"], r"error: submission name 'a/b': use 1 to 100 letters, .*"),
        (["small-001", "--as", "packages"], r"error: submission name 'packages': submission_runs/packages/ holds .*"),
        (["small-001"], r"error: Missing option '--as'.*"),
    ],
)
@pytest.mark.usefixtures("study")
def test_bad_input_is_one_line_and_writes_nothing(home, podium, arguments, line):
    before = load_study("small-001")  # not its bytes: SQLite may move its own log into the file when a reader leaves
    done = podium("promote", *arguments)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(line + "\n", done.err)
    assert not (home / "submission_runs").exists()
    assert load_study("small-001") == before


def test_a_study_without_a_complete_trial(home, podium):
    write_data(home)
    write_study(home, (State.PRUNED, None))
    done = podium("promote", "small-001", "--as", "one")
    assert (done.code, done.out) == (2, "")
    assert done.err == ("error: study 'small-001' has no complete trial; run more: podium sweep --resume small-001\n")
    assert not (home / "submission_runs").exists()


def test_a_name_is_used_once(home, podium, study):
    podium("promote", study, "--as", "one")
    before = tree(home / "submission_runs")
    done = podium("promote", study, "--trial", 0, "--as", "one")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: submission 'one' already exists ({home / 'submission_runs/one'}); choose another name\n"
    assert tree(home / "submission_runs") == before
