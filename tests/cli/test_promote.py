import json
import re

import pytest

from eval.scorecard import points_text
from podium.cli.decision_lines import _gap
from podium.core.paths import study_dir
from podium.core.states import State
from podium.submission.lock import read_lock
from tests.submission.small import tree, write_data, write_study
from tests.tuning.holdout import HoldoutByChance
from tuning.study.locks import DriverLock
from tuning.study.study import load_study


@pytest.fixture
def study(home, podium):  # noqa: ARG001, an empty home first
    write_data(home)
    return write_study(home, (State.COMPLETE, 40.0), (State.DIVERGED, None), (State.COMPLETE, 62.5))


def test_a_promotion_while_the_sweep_goes_on_says_so(podium, study):
    with DriverLock(study_dir(study)):
        done = podium("promote", study, "--quick", "--as", "one")
    assert done.code == 0
    assert done.err == f"warning: the sweep of study {study!r} goes on; trials that end later are not candidates\n"


def test_promote_writes_the_lock_and_says_what_comes_next(home, podium, study):
    done = podium("promote", study, "--quick", "--as", "one")
    assert (done.code, done.err) == (0, "")
    lock = json.loads((home / "submission_runs/one/lock.json").read_text())
    lines = done.out.splitlines()
    assert lines[:5] == [
        "promoted (unconfirmed): trial 2 of study small-001, dev/answer_correctness 62.50",
        "  train.learning_rate: 0.003",
        "contamination: 0 of 12 evalset prompts in the trainset, 0 nearly",
        "lock: submission_runs/one/lock.json",
        f"lock_id: {lock['lock_id']}",
    ]
    assert lines[-1] == "next: podium submit one"
    assert (lock["trial"], lock["mlflow_run_id"]) == (2, f"{2:032x}")


def test_a_study_that_distinguished_nothing_is_promoted_with_a_warning(home, podium):
    study = write_study(home, (State.COMPLETE, 40.0), (State.DIVERGED, None), (State.COMPLETE, 40.0))
    done = podium("promote", study, "--quick", "--as", "one")
    assert done.code == 0
    (warning,) = [line for line in done.out.splitlines() if line.startswith("warning: ")]
    same = "dev/answer_correctness is 40 in all 2 trials that have a score, so trial 0 is the best only because"
    assert warning.startswith(f"warning: nothing was distinguished: {same}")
    assert json.loads((home / "submission_runs/one/lock.json").read_text())["trial"] == 0
    assert f"  {warning}" in podium("show", study).out.splitlines()


def test_a_trial_can_be_chosen(home, podium, study):
    assert podium("promote", study, "--quick", "--trial", 0, "--as", "one").code == 0
    assert json.loads((home / "submission_runs/one/lock.json").read_text())["value"] == 40.0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["gone-001", "--as", "one"], r"error: study 'gone-001' not found in .*/studies; known: small-001"),
        (["small-001", "--trial", "9", "--as", "one"], r"error: study 'small-001' has no trial 9; it has trials 0 .*"),
        (
            ["small-001", "--trial", "1", "--as", "one"],
            r"error: trial 1 of study 'small-001' is diverged \(loss exploded in trial 1\), must be complete; promote "
            r"another, or leave out --trial for the best",
        ),
        (["small-001", "--as", "a/b"], r"error: submission name 'a/b': use 1 to 100 letters, .*"),
        (["small-001", "--as", "packages"], r"error: submission name 'packages': submission_runs/packages/ holds .*"),
        (["small-001"], r"error: missing option '--as'.*"),
    ],
)
@pytest.mark.usefixtures("study")
def test_bad_input_is_one_line_and_writes_nothing(home, podium, arguments, line):
    before = load_study("small-001")  # not its bytes: SQLite may move its own log into the file when a reader leaves
    done = podium("promote", "--quick", *arguments)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(line + "\n", done.err)
    assert not (home / "submission_runs").exists()
    assert load_study("small-001") == before


def test_a_study_without_a_complete_trial(home, podium):
    write_data(home)
    write_study(home, (State.PRUNED, None))
    done = podium("promote", "small-001", "--quick", "--as", "one")
    assert (done.code, done.out) == (2, "")
    assert done.err == ("error: study 'small-001' has no complete trial; run more: podium sweep --resume small-001\n")
    assert not (home / "submission_runs").exists()


def test_a_name_is_used_once(home, podium, study):
    podium("promote", study, "--quick", "--as", "one")
    before = tree(home / "submission_runs")
    done = podium("promote", study, "--quick", "--trial", 0, "--as", "one")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: submission 'one' already exists ({home / 'submission_runs/one'}); choose another name\n"
    assert tree(home / "submission_runs") == before


@pytest.fixture
def confirm(home, podium, monkeypatch):
    """`confirm(*options)` promotes a study of three trials with the gate, by a worker that answers by chance."""
    monkeypatch.setattr("tuning.promotion.HoldoutWorker", HoldoutByChance)
    monkeypatch.setattr(HoldoutByChance, "trained", [])
    study = write_study(home, (State.COMPLETE, 40.0), (State.COMPLETE, 50.0), (State.COMPLETE, 60.0), n_items=240)
    return lambda *options: podium("promote", study, "--backend", "inline", *options)


def test_the_gate_locks_what_it_confirmed_and_says_why(confirm):
    done = confirm("--as", "one")
    assert (done.code, done.err) == (0, "")
    lock = read_lock("one")
    assert (lock.verdict, lock.forced, lock.trial) == ("promote", None, 2)
    lines = done.out.splitlines()
    n_runs = len(HoldoutByChance.trained)
    assert re.fullmatch(r"  baseline, seed 1001: \d+\.\d\d", lines[0])
    found, verdict = lines[n_runs : n_runs + 4], lines[n_runs + 4 : n_runs + 7]
    assert re.fullmatch(r"holdout: \d+ items, look 1 at it", found[0])
    assert re.fullmatch(r"  baseline: \d+\.\d with 4 seeds", found[1])
    assert re.fullmatch(
        r"  trial 2: \d+\.\d with 3 seeds, 60\.0 in the sweep; gain \+\d+\.\d \(\+\d+\.\d to \+\d+\.\d\)", found[2]
    )
    assert verdict[0] == f"verdict: promote. {lock.decision.reason}"
    assert verdict[1].startswith(f"expected score of trial 2: {points_text(lock.decision.expected_score)} (")
    assert re.fullmatch(r"probability that it is no better than baseline: (0\.\d%|below 0\.1%)", verdict[2])
    assert lines[n_runs + 7] == "promoted (promote): trial 2 of study small-001, dev/answer_correctness 60.00"


def test_the_next_promotion_is_compared_with_the_confirmed_lock(confirm):
    confirm("--as", "one")
    done = confirm("--as", "two")
    assert (done.code, done.err) == (
        1,
        "error: study 'small-001': do not promote; nothing was locked, --force locks it\n",
    )
    assert "  lock one: " in done.out and "look 2 at it" in done.out
    assert confirm("--as", "two", "--against", "baseline").code == 0  # as the first time: no other look
    assert read_lock("two").decision == read_lock("one").decision


def test_an_unconfirmed_winner_is_locked_by_force_only(home, confirm, monkeypatch):
    monkeypatch.setattr(HoldoutByChance, "slope", 0.01)
    done = confirm("--as", "one")
    assert (done.code, done.err) == (
        1,
        "error: study 'small-001': unconfirmed; nothing was locked, --force locks it\n",
    )
    assert not (home / "submission_runs").exists()
    done = confirm("--as", "one", "--force")
    assert done.code == 0
    assert (read_lock("one").verdict, read_lock("one").forced) == ("unconfirmed", True)
    assert "locked by --force (verdict: unconfirmed): trial " in done.out


def test_bad_options_of_the_gate(home, confirm):
    unknown = confirm("--as", "one", "--against", "gone")
    assert (unknown.code, unknown.out) == (2, "")
    assert re.match(r"error: submission 'gone': .*lock.json does not exist", unknown.err)
    assert confirm("--as", "one", "--seeds", "1").code == 2
    assert not (home / "submission_runs").exists()


@pytest.mark.parametrize(("gap", "shown"), [(4.0077, "4.1 points above"), (-4.0077, "4.0 points below"), (0.0, "0.0")])
def test_a_sweep_score_that_promised_too_much_is_not_understated(gap, shown):
    assert shown in _gap(gap)
