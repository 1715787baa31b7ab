import hashlib
import json
import shutil
import signal
import subprocess
import sys

import jax
import pytest

from podium.core.clock import FakeClock
from podium.core.errors import UsageError
from podium.core.states import State
from podium.submission.ending import RunEnded
from podium.submission.lock import write_lock
from podium.submission.run_once import submit
from tests.submission import small
from tests.submission.simulated import Simulation, Work
from tests.submission.small import flip, promotion, tree
from trainer.data.tokenizer import tokenizer_files
from trainer.model.sources import TINY

WITHOUT_THREE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("ray", "optuna", "mlflow"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from podium.cli.main import main
main(["submit", "done"])
"""


def run(name="one", **changes):
    """Lock and submit with config keys changed; the manifest."""
    clock = changes.pop("clock", None)
    write_lock(promotion(**changes), name)
    return submit(name, library=small.library(), clock=clock)


def ended(home, name="one", **changes):
    """As `run`, for a run that is expected to end early: the error and the manifest that was left."""
    with pytest.raises(RunEnded) as caught:
        run(name, **changes)
    return caught.value, read(home, "run_manifest.json")


def read(home, file, name="one"):
    return json.loads((home / "submission_runs" / name / file).read_text())


def read_log(home, name="one"):
    return (home / "submission_runs" / name / "kaggle_output_log.txt").read_text()


def read_lines(home, file, name="one"):
    return [json.loads(line) for line in (home / "submission_runs" / name / file).read_text().splitlines()]


def test_a_complete_run_leaves_its_evidence(done_home):
    folder = done_home / "submission_runs" / "done"
    manifest = read(done_home, "run_manifest.json", "done")
    lock = read(done_home, "lock.json", "done")
    claim = read(done_home, "claim.json", "done")
    assert manifest["state"] == "complete"
    assert (manifest["steps_trained"], manifest["steps_locked"], manifest["truncated"]) == (3, 3, False)
    assert manifest["lock_id"] == lock["lock_id"] == claim["lock_id"]
    assert manifest["claimed_at"] == claim["claimed_at"] <= manifest["ended_at"]
    assert 0 < manifest["elapsed_s"] < manifest["time_budget_s"] == 43200
    assert set(manifest["files"]) == {
        *("lock.json", "eval_summary.json", "kaggle_output_log.txt", "predictions.jsonl", "metrics.jsonl"),
        *("config.yaml", "provenance.json", "attempt.jsonl", "predictions_meta.json"),
    }
    assert manifest["claim_id"] == claim["claim_id"]
    assert manifest["interruptions"] == 0
    for file, sha256 in manifest["files"].items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == sha256
    assert len(read_lines(done_home, "predictions.jsonl", "done")) == 12
    assert read(done_home, "provenance.json", "done")["config_sha256"] == lock["hashes"]["config"]


def test_a_second_submit_is_refused_saying_when_and_where(done_home):
    claim, before = read(done_home, "claim.json", "done"), tree(done_home)
    with pytest.raises(UsageError) as caught:
        submit("done", library=small.library())
    assert str(caught.value).startswith(
        f"submission 'done' was already run: claimed {claim['claimed_at']} on {claim['host']} (pid {claim['pid']}); "
    )
    assert tree(done_home) == before


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("submission_runs/one/lock.json", "lock.json"),
        ("trainsets/small/traces.jsonl", "trainset/traces.jsonl differs (expected "),
        ("evalsets/small_v1.jsonl", "evalset differs (expected "),
    ],
)
def test_one_changed_byte_is_refused_before_the_claim(data_home, file, message):
    write_lock(promotion(), "one")
    flip(data_home / file, 40)
    before = tree(data_home)
    with pytest.raises(UsageError) as caught:
        submit("one")
    assert message in str(caught.value)
    assert tree(data_home) == before


def test_a_prompt_that_cannot_be_written_is_refused_before_the_claim(data_home):
    for file in tokenizer_files(TINY):
        shutil.copy(file, data_home)
    refusing = "{% if '7 and' in messages[0]['content'] %}{{ raise_exception('no sevens') }}{% endif %}"
    (data_home / "chat_template.jinja").write_text(
        refusing + "{% for turn in messages %}{{ turn['content'] }}{% endfor %}"
    )
    write_lock(promotion(**{"model.tokenizer": str(data_home)}), "one")
    before = tree(data_home)
    with pytest.raises(UsageError, match=r"the chat template cannot render the conversation .*no sevens"):
        submit("one")
    assert tree(data_home) == before


def test_an_accelerator_that_is_not_there_is_refused_before_the_claim(data_home):
    write_lock(promotion(**{"device.kind": "tpu"}), "one")
    before = tree(data_home)
    with pytest.raises(UsageError, match="--device tpu: JAX found no tpu here"):
        submit("one")
    assert tree(data_home) == before


def test_the_deadline_truncates_training_and_leaves_time_for_every_answer(data_home, monkeypatch):
    budget = {"budget.time_budget_s": 120, "budget.reserve_s": 60}
    clock = Simulation(monkeypatch, Work(step_s=1, token_s=0.2, score_s=5)).clock
    manifest = run(**{"train.max_steps": 500, **budget}, clock=clock)
    assert (manifest.state, manifest.truncated) == (State.COMPLETE, True)
    # Of 54 s before evidence and reserve, preparing takes 6 s, and 12 answers in 4 rows up to 1.5 x 3 x 16 x 0.2 s.
    assert manifest.steps_trained == 33
    assert manifest.elapsed_s < 120 - 60
    summary = read(data_home, "eval_summary.json")
    assert summary["n_scored"] == summary["n_items"]
    assert read_lines(data_home, "metrics.jsonl")[-1]["step"] == manifest.steps_trained
    assert (
        f"after step {manifest.steps_trained} of 500"
        in (data_home / "submission_runs/one/kaggle_output_log.txt").read_text()
    )


def test_what_there_was_no_time_to_predict_is_missing_and_wrong(home, monkeypatch):
    small.write_data(home, n_items=120)  # 30 rounds of 16 tokens: half of the time is not enough
    budget = {"budget.time_budget_s": 120, "budget.reserve_s": 60}
    clock = Simulation(monkeypatch, Work(token_s=0.4)).clock
    run(**budget, **{"train.max_steps": 500}, clock=clock)
    assert "note: half of the time is kept for answers" in read_log(home)
    predicted = [line["id"] for line in read_lines(home, "predictions.jsonl")]
    summary = read(home, "eval_summary.json")
    holdout, dev = summary["splits"]["holdout"], summary["splits"]["dev"]
    assert 0 < len(predicted) == holdout["n_scored"] + dev["n_scored"] < 120
    assert holdout["n_missing"] + dev["n_missing"] == 120 - len(predicted)
    assert summary["n_scored"] == min(len(predicted), summary["n_items"])  # the holdout came first


def test_a_budget_smaller_than_the_set_up_is_refused_before_the_claim(data_home):
    write_lock(promotion(**{"budget.time_budget_s": 2, "budget.reserve_s": 1}), "one")
    before = tree(data_home)
    with pytest.raises(UsageError) as caught:
        submit("one", library=small.library(), clock=FakeClock(tick_s=1))
    assert str(caught.value) == (
        "submission 'one': the set-up took 1.0 s, which leaves no time for training in the budget of 2.0 s with a "
        "reserve of 1.0 s; raise budget.time_budget_s and promote again under another name"
    )
    assert tree(data_home) == before


def test_a_diverged_run_says_so(data_home):
    error, manifest = ended(data_home, **{"train.learning_rate": 1e6, "train.max_steps": 30})
    assert manifest["state"] == "diverged"
    assert manifest["reason"].startswith("diverged at step ")
    assert error.exit_code == 1
    assert str(error) == (
        f"submission 'one' diverged: {manifest['reason']}; see kaggle_output_log.txt in submission_runs/one"
    )
    with pytest.raises(UsageError, match=r"submission 'one' failed at .*: diverged at step .*nothing to resume"):
        submit("one", resume=True, library=small.library())
    assert "truncated" not in manifest
    assert not (data_home / "submission_runs/one/eval_summary.json").exists()


def test_out_of_memory_in_prediction_is_found_before_the_training(data_home, monkeypatch):
    def full(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")

    monkeypatch.setattr("trainer.programs.decoding.DecodingProgram.admit_of", full)
    error, manifest = ended(data_home)
    assert (error.state, manifest["state"]) == (State.OOM, "oom")
    assert "out of device memory in prediction after step 0; decoding needs" in manifest["reason"]
    assert not (data_home / "submission_runs/one/checkpoints").exists(), "found before the training"


def test_a_crash_after_the_claim_leaves_state_reason_and_traceback(data_home):
    write_lock(promotion(), "one")
    (data_home / "submission_runs/one/predictions.jsonl").mkdir()  # so that they cannot be written
    with pytest.raises(RunEnded, match="submission 'one' failed: PodiumError: cannot write ") as caught:
        submit("one", library=small.library())
    manifest = read(data_home, "run_manifest.json")
    assert (caught.value.exit_code, manifest["state"]) == (1, "failed")
    assert manifest["reason"] == caught.value.reason
    log = (data_home / "submission_runs/one/kaggle_output_log.txt").read_text()
    assert "Traceback (most recent call last)" in log
    with pytest.raises(UsageError, match=r"was already run: .*; if it was interrupted, `podium submit one --resume`"):
        submit("one")


@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")],
)
def test_a_signal_leaves_the_state_stopped(data_home, number, code, reason):
    class ImpatientClock(FakeClock):
        """From its 60th reading on, in the midst of training, each one comes with a signal."""

        def now(self):
            if super().now() >= 60:
                signal.raise_signal(number)
            return super().now()

    before = signal.getsignal(number)
    error, manifest = ended(data_home, **{"train.max_steps": 500}, clock=ImpatientClock(tick_s=1))
    assert (error.exit_code, manifest["state"], manifest["reason"]) == (code, "stopped", reason)
    assert str(error) == (
        f"submission 'one' stopped: {reason}; see kaggle_output_log.txt in submission_runs/one; "
        "`podium submit one --resume` continues it"
    )
    assert read_lines(data_home, "metrics.jsonl")  # what was open was closed
    assert signal.getsignal(number) is before


def test_a_signal_that_comes_in_a_finalizer_ends_the_run_too(data_home):
    """Python only reports what is raised there, or in the callback by which JAX hears of a garbage collection."""
    finalized = []

    class Finalizer:
        def __del__(self):
            finalized.append(self.__class__)
            signal.raise_signal(signal.SIGINT)

    class UnluckyClock(FakeClock):
        def now(self):
            if super().now() >= 20 and not finalized:
                Finalizer()
            return super().now()

    error, manifest = ended(data_home, **{"train.max_steps": 100_000}, clock=UnluckyClock(tick_s=0.1))
    assert (error.exit_code, manifest["reason"], len(finalized)) == (130, "Ctrl-C", 1)


def test_the_same_lock_elsewhere_without_ray_optuna_and_mlflow(home, finished):
    """Another home, another process, three libraries missing: the same predictions and losses."""
    small.write_data(home)
    (home / "submission_runs/done").mkdir(parents=True)
    shutil.copy(finished / "submission_runs/done/lock.json", home / "submission_runs/done/lock.json")
    done = subprocess.run([sys.executable, "-c", WITHOUT_THREE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "MLflow: not installed, so this run was not logged" in done.stdout
    assert read(home, "run_manifest.json", "done")["state"] == "complete"
    for file in ("predictions.jsonl", "config.yaml", "predictions_meta.json"):
        assert (home / "submission_runs/done" / file).read_bytes() == (
            finished / "submission_runs/done" / file
        ).read_bytes()
    ours, theirs = (read(where, "eval_summary.json", "done") for where in (home, finished))
    assert {**ours, "evaluated_at": theirs["evaluated_at"]} == theirs
    assert [line["loss"] for line in read_lines(home, "metrics.jsonl", "done")] == [
        line["loss"] for line in read_lines(finished, "metrics.jsonl", "done")
    ]
