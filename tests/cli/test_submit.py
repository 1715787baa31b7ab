"""From a study to a package by the command line, with every refusal on the way."""

import json
import shutil

import pytest

from podium.core.states import State
from podium.submission.lock import write_lock
from tests.submission.small import flip, promotion, tree, write_data, write_study
from tuning.tracking.store import all_experiments, find_runs, open_client


@pytest.fixture
def promoted(home, store, podium):  # noqa: ARG001 (a migrated MLflow store)
    """A home with one lock."""
    write_data(home)
    assert podium("promote", write_study(home, (State.COMPLETE, 50.0)), "--quick", "--as", "one").code == 0
    return home


def test_a_lock_for_another_machine_is_not_used_up_unasked(home, store, podium, monkeypatch):  # noqa: ARG001
    write_data(home)
    write_lock(promotion(**{"budget.profile": "kaggle-tpu-v5e-8"}), "one")
    line = "budget.profile=kaggle-tpu-v5e-8 is for tpu-v5e, and this machine has cpu (1 x cpu)"
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        patch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        patch.setattr("typer.confirm", lambda question: question != f"{line}. A lock runs once. Run it here?")
        refused = podium("submit", "one")
    wanted = f"error: {line}; nothing was run; `podium kaggle export one` takes it to Kaggle\n"
    assert (refused.code, refused.err) == (2, wanted)
    assert not (home / "submission_runs/one/claim.json").exists()
    done = podium("submit", "one")
    assert (done.code, done.err) == (0, f"warning: {line}; the lock runs here, once\n")


def test_promote_submit_package(promoted, podium):
    before = tree(promoted / "submission_runs")
    rehearsed = podium("submit", "one", "--dry-run")
    assert (rehearsed.code, rehearsed.err) == (0, "")
    checks = [line.split(":")[0] for line in rehearsed.out.splitlines()]
    assert checks[:10] == [
        *("imports", "folder", "model", "device", "hashes"),
        *("rules", "data", "memory", "disk", "time"),
    ]
    assert checks[10:] == ["dry run", "estimate", "next"]
    assert tree(promoted / "submission_runs") == before

    done = podium("submit", "one")
    assert (done.code, done.err) == (0, "")
    summary = json.loads((promoted / "submission_runs/one/eval_summary.json").read_text())
    lines = done.out.splitlines()
    start = lines.index("RESULT SUMMARY")
    assert lines[start + 1 : start + 8] == [
        "model_id: tiny",
        "dataset: small",
        "eval_set: small_v1",
        f"primary_score: {summary['primary_score']}",
        f"final_loss: {summary['final_loss']}",
        f"n_items: {summary['n_items']}",
        f"n_scored: {summary['n_scored']}",
    ]
    assert lines[start + 8].startswith("MLflow: run ")
    assert lines[start + 9 :] == ["evidence: submission_runs/one", "next: podium package one"]
    # What was printed until the run ended is what the log holds.
    log = (promoted / "submission_runs/one/kaggle_output_log.txt").read_text().splitlines()
    assert log == lines[: start + 8]

    claim = json.loads((promoted / "submission_runs/one/claim.json").read_text())
    before = tree(promoted / "submission_runs")
    again = podium("submit", "one")
    assert (again.code, again.out) == (2, "")
    assert again.err == (
        f"error: submission 'one' was already run: claimed {claim['claimed_at']} on {claim['host']} "
        f"(pid {claim['pid']}); a lock runs once; promote again under another name\n"
    )
    again = podium("submit", "one", "--resume")
    finished = json.loads((promoted / "submission_runs/one/run_manifest.json").read_text())["ended_at"]
    assert (again.code, again.out) == (2, "")
    assert again.err == f"error: submission 'one' finished at {finished}; there is nothing to resume\n"
    assert tree(promoted / "submission_runs") == before

    packaged = podium("package", "one")
    assert packaged.code == 0
    assert packaged.out.startswith("package: submission_runs/packages/podium_one_")


def test_a_submission_killed_before_it_was_logged_is_logged_by_the_next_command(home, store, finished, podium):
    shutil.copytree(finished, home, dirs_exist_ok=True)
    before = tree(home / "submission_runs")
    done = podium("submit", "done")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    client = open_client(f"sqlite:///{store}")
    (run,) = find_runs(client, all_experiments(client), {"kind": "submission", "submission": "done"})
    assert (run.info.status, run.data.tags["state"]) == ("FINISHED", "complete")
    assert tree(home / "submission_runs") == before


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--resume",), "submission 'one' was not claimed: nothing to resume; `podium submit one` runs it"),
        (("--resume", "--dry-run"), "--dry-run with --resume: a dry run claims nothing, so it cannot be resumed; "
         "leave one out"),
        (("--test", "gone.jsonl"), "file 'gone.jsonl' not found (looked for {home}/gone.jsonl); check the path"),
    ],
)  # fmt: skip
def test_options_that_are_refused(promoted, podium, options, line):
    before = tree(promoted / "submission_runs")
    done = podium("submit", "one", *options)
    assert (done.code, done.out, done.err) == (2, "", f"error: {line.format(home=promoted)}\n")
    assert tree(promoted / "submission_runs") == before


def test_a_tracking_uri_that_does_not_work_is_a_warning(promoted, podium, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:////{promoted}/base.yaml/mlflow.db")  # below a file
    done = podium("submit", "one")
    assert done.code == 0
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("warning: MLflow did not accept submission 'one': ")
    assert json.loads((promoted / "submission_runs/one/run_manifest.json").read_text())["state"] == "complete"


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("submission_runs/one/lock.json", "lock.json"),
        ("trainsets/small/traces.jsonl", "trainset/traces.jsonl differs (expected "),
        ("evalsets/small_v1.jsonl", "evalset differs (expected "),
    ],
)
def test_one_changed_byte_is_refused(promoted, podium, file, what):
    flip(promoted / file, 40)
    before = tree(promoted / "submission_runs")
    done = podium("submit", "one")
    assert (done.code, done.out) == (2, "")
    assert what in done.err
    assert len(done.err.splitlines()) == 1
    assert tree(promoted / "submission_runs") == before


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gone", "error: submission 'gone': {home}/submission_runs/gone/lock.json does not exist; "
         "`podium promote STUDY --as gone` makes it\n"),
        ("../one", "error: submission name '../one': use 1 to 100 letters, digits, '.', '_' or '-', "
         "not starting with '.' or '-'\n"),
    ],
)  # fmt: skip
def test_a_name_without_a_lock(home, podium, name, line):
    done = podium("submit", name)
    assert (done.code, done.out, done.err) == (2, "", line.format(home=home))
    assert tree(home) == {}
