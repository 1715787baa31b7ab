"""An attempt that was interrupted continues, and its result is that of an undisturbed run."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys

import pytest

from podium.core.clock import FakeClock
from podium.core.errors import UsageError
from podium.submission.answer_log import AnswerLog
from podium.submission.attempt import Attempt
from podium.submission.ending import RunEnded
from podium.submission.journal import Journal, Phase
from podium.submission.lock import write_lock
from podium.submission.run_once import submit
from podium.submission.verification.folder import verify_folder
from tests.damage import flip_bit
from tests.submission import small
from tests.submission.small import promotion, tree
from tests.submission.test_run_once import read, read_lines

RESULTS = ("predictions.jsonl", "predictions_meta.json", "scorecard.json", "config.yaml")

# The process is killed by its own hand at the n-th of the calls by which a run writes and looks at the time.
DIES = """
import os, signal, sys
import podium.submission.run_once
from podium.core.clock import MonotonicClock

left, dies = int(sys.argv[1]), sys.argv[1] != "-1"

def counted(call):
    def counting(*arguments, **options):
        global left
        left -= 1
        if dies and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return counting

for owner, name in ((os, "fsync"), (os, "replace"), (os, "link"), (os, "write"), (MonotonicClock, "now")):
    setattr(owner, name, counted(getattr(owner, name)))
podium.submission.run_once.submit("done", resume=sys.argv[2] == "resume")
print("calls", -1 - left)
"""
DIES_AFTER_AN_ANSWER = """
import os, signal
from podium.submission.answer_log import AnswerLog
from podium.submission.run_once import submit

append = AnswerLog.append

def append_and_die(log, predictions):
    append(log, predictions)
    os.kill(os.getpid(), signal.SIGKILL)

AnswerLog.append = append_and_die
submit("done")
"""


@pytest.fixture
def locked(home, finished):
    """A home with the lock of the finished submission, which has not run here."""
    small.write_data(home)
    (home / "submission_runs/done").mkdir(parents=True)
    shutil.copy(finished / "submission_runs/done/lock.json", home / "submission_runs/done/lock.json")
    return home


def resume(name="done", **options):
    return submit(name, resume=True, library=small.library(), **options)


def assert_same_result(home, finished):
    """The results are those of the undisturbed run, byte for byte."""
    ours, theirs = home / "submission_runs/done", finished / "submission_runs/done"
    for file in RESULTS:
        assert (ours / file).read_bytes() == (theirs / file).read_bytes(), file
    summaries = [read(each, "eval_summary.json", "done") for each in (home, finished)]
    assert {**summaries[0], "evaluated_at": summaries[1]["evaluated_at"]} == summaries[1]
    assert verify_folder(ours).problems == []  # its log goes over two sessions, and its times have an interruption
    losses = [[line["loss"] for line in read_lines(each, "metrics.jsonl", "done")] for each in (home, finished)]
    assert losses[0] == losses[1]


def test_a_kill_costs_nothing(locked, finished):
    done = subprocess.run([sys.executable, "-c", DIES_AFTER_AN_ANSWER], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder = locked / "submission_runs/done"
    claim = read(locked, "claim.json", "done")
    assert Journal(folder).newest.phase is Phase.GENERATING
    assert read(locked, "run_manifest.json", "done")["state"] == "running"
    n_answers = len(AnswerLog(folder / "predictions.jsonl").read())
    assert 0 < n_answers < 12
    with (folder / "attempt.jsonl").open("a") as journal, (folder / "predictions.partial.jsonl").open("a") as answers:
        journal.write('{"phase": "scor')
        answers.write('{"id": "item-1", "te')
    weights = [path for path in (folder / "checkpoints/3/trainable").rglob("*") if path.is_file()]
    flip_bit(max(weights, key=lambda path: path.stat().st_size))
    with pytest.raises(UsageError, match="if it was interrupted, `podium submit done --resume` continues it"):
        submit("done")

    manifest = resume()
    assert (manifest.interruptions, manifest.claim_id, manifest.state) == (1, claim["claim_id"], "complete")
    assert read(locked, "claim.json", "done") == claim
    assert_same_result(locked, finished)  # the damaged checkpoint, the only one, was trained again
    assert (folder / "checkpoints.damaged-1/3").is_dir()
    assert not (folder / "predictions.partial.jsonl").exists()
    log = (folder / "kaggle_output_log.txt").read_text()
    assert "attempt.jsonl:5: incomplete, removed and kept in attempt.jsonl.damaged-1" in log
    assert log.index("step 3/3") < log.index("resumed in phase generating: interruption 1")

    before = tree(locked)
    with pytest.raises(UsageError, match=r"submission 'done' finished at .*; there is nothing to resume"):
        resume()
    assert tree(locked) == before


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.FAILED])
def test_a_signal_in_any_phase_costs_nothing(locked, finished, monkeypatch, phase):
    enter = Attempt.enter

    def enter_and_stop(attempt, entered, **facts):
        enter(attempt, entered, **facts)
        if entered is phase and "reason" not in facts:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "enter", enter_and_stop)
        if phase is Phase.CLAIMED:
            patch.setattr(signal, "raise_signal", lambda _: exit(1))  # no handler is installed yet
        with pytest.raises((RunEnded, SystemExit)):
            submit("done", library=small.library())
    manifest = resume()
    assert manifest.interruptions == (phase is not Phase.FINISHED)  # then only the manifest was missing
    assert_same_result(locked, finished)


def test_an_attempt_whose_time_ran_out_meanwhile_is_over(data_home):
    clock = FakeClock(tick_s=0.1)
    write_lock(promotion(**{"budget.time_budget_s": 600, "budget.reserve_s": 60}), "one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("podium.submission.session.train", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(RunEnded, match="`podium submit one --resume` continues it"):
            submit("one", library=small.library(), clock=clock)
    clock.advance(3600)
    with pytest.raises(RunEnded, match="submission 'one' stopped: time budget of 600 s used up; see kaggle") as caught:
        resume("one", clock=clock)
    assert caught.value.is_over
    assert read(data_home, "run_manifest.json")["interruptions"] == 1
    with pytest.raises(UsageError, match=r"failed at .* time budget of 600 s used up; there is nothing to resume"):
        resume("one", clock=clock)


@pytest.mark.slow
def test_a_kill_at_any_instant_costs_nothing(locked, finished):
    """30 kills at random instants: several attempts, each killed until it gets to its end."""
    environment = {**os.environ, "PODIUM_COMPILE_CACHE": "off"}

    def session(calls, resuming):
        command = [sys.executable, "-c", DIES, str(calls), "resume" if resuming else "submit"]
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    folder, kept = locked / "submission_runs/done", locked / "lock.json"
    shutil.copy(folder / "lock.json", kept)

    def start_again():
        shutil.rmtree(folder)
        folder.mkdir()
        shutil.copy(kept, folder / "lock.json")

    whole = session(-1, resuming=False)
    assert whole.returncode == 0, whole.stderr
    n_calls = int(whole.stdout.split("calls ")[1])
    draw, phases, kills = random.Random(0), [], 0
    start_again()
    while kills < 30:
        done = session(draw.randint(1, n_calls), resuming=(folder / "claim.json").exists())
        if done.returncode == 0:
            assert_same_result(locked, finished)
            start_again()
            continue
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
        entries = Journal(folder).entries
        phases.append(str(entries[-1].phase) if entries else "before")
        if phases[-1] == "finished" and (folder / "run_manifest.json").exists():  # killed after its last file
            assert_same_result(locked, finished)
            start_again()
    if (folder / "claim.json").exists():
        attempt = Journal(folder).entries
        resume()
        assert read(locked, "run_manifest.json", "done")["interruptions"] >= (attempt[-1].session if attempt else 1)
    else:
        submit("done", library=small.library())
    assert_same_result(locked, finished)
    print("killed in:", json.dumps({phase: phases.count(phase) for phase in sorted(set(phases))}))
    assert {"preparing", "training", "generating"} <= set(phases)
