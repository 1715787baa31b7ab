"""The real worker on a small real trainset, in this process."""

import json
from pathlib import Path

import pytest
import yaml

from eval.scorecard import Scorecard
from eval.sets.evalset import load_evalset
from podium.core.config import load_config
from podium.core.errors import UsageError
from podium.core.files import read_json, read_jsonl
from podium.core.paths import study_dir
from podium.core.records import Prediction, ReasoningTrace, TraceStep, read_record, read_records
from podium.core.states import State
from podium.submission.lock import write_lock
from tests.tuning.conftest import SPACE
from trainer.data.trainsets import write_trainset
from tuning.candidates import record
from tuning.search.load import load_space
from tuning.study.create import create
from tuning.study.files import stop_file
from tuning.study.study import study_view
from tuning.study.trial import TrialView
from tuning.workers import worker
from tuning.workers.worker import Worker
from tuning.workers.worker_process import WorkerProcess

TRAIN = {"max_steps": 6, "batch_size": 4, "learning_rate": 3e-3, "remat": "none"}
BASE = {
    "data": {"trainset": "sums", "max_seq_len": 32},
    "train": {**TRAIN, "save_every_steps": 2, "log_every_steps": 1},
    "generate": {"batch_size": 4, "max_prompt_tokens": 8, "max_new_tokens": 16},
    "eval": {"evalset": "sums.jsonl", "max_items": 4},
}
ABOUT = {"section": "core", "category": "sum", "difficulty": "easy"}
RATE = {"train.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}}


def write_data(home: Path) -> None:
    """Sums to train on, and others to be scored on."""
    steps = lambda a, b: (TraceStep(i=0, type="compute", content=f"{a}+{b}={a + b}"),)  # noqa: E731
    sums = [(a, b) for a in range(10) for b in range(10)]
    traces = [
        ReasoningTrace(prompt=f"{a}+{b}=?", final_answer=str(a + b), steps=steps(a, b)) for a, b in sums if a != b
    ]
    write_trainset(home / "trainsets" / "sums", traces, name="sums", recipe="test", recipe_version="1", seed=None)
    samples = [{"id": f"s{a}", "prompt": f"{a}+{a}=?", "expected_answer": str(2 * a), **ABOUT} for a in range(10)]
    (home / "sums.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    (home / "base.yaml").write_text(yaml.safe_dump(BASE))
    space = {"name": "sums", "base": "base.yaml", "trials": 4, "report_every_steps": 3, "parameters": RATE}
    (home / "space.yaml").write_text(yaml.safe_dump(space))


@pytest.fixture
def space(home):
    write_data(home)
    return load_space(home / "space.yaml")


@pytest.fixture
def folder(space):
    return study_dir(create(space, None, Worker.check(space)).study_name)


def test_the_base_config_is_scored_before_its_first_step(folder, space):
    process = WorkerProcess(Worker, folder)
    for number, config in enumerate(
        [space.base_config, space.base_config.with_overrides({"train.learning_rate": 1e-3})]
    ):
        slot = process.attach(number, config, None)
        process.advance(slot, 3)
        process.detach(slot)
    base, other = folder / "trials" / "000", folder / "trials" / "001"
    untrained = read_json(base / "untrained.json")
    assert untrained.keys() == {"dev/answer_correctness", "dev/primary_score", "dev/loss"}
    assert untrained["dev/answer_correctness"] == 0
    assert not (other / "untrained.json").exists()


def test_a_trial_trains_reports_and_leaves_its_files(folder, space):
    process = WorkerProcess(Worker, folder)
    slot = process.attach(0, space.base_config, None)
    first, last = process.advance(slot, 3), process.advance(slot, 6)
    process.detach(slot)
    assert [(report.state, report.step) for report in (first, last)] == [(State.RUNNING, 3), (State.COMPLETE, 6)]
    trial = folder / "trials" / "000"
    card = read_record(Scorecard, trial / "scorecard.json")
    assert (card.evalset.split, card.n_items, card.n_missing) == ("dev", 4, 0)
    assert last.metrics["dev/answer_correctness"] == card.answer_correctness
    assert last.metrics["dev/primary_score"] == card.primary_score
    assert last.metrics["train/loss"] > 0
    assert 0 < last.metrics["dev/loss"] != first.metrics["dev/loss"]
    assert last.metrics["compile/programs"] == 7 and 0 <= last.metrics["compile/cache_hits"] <= 7
    assert 0 < last.metrics["system/cpu_utilization_percentage"] <= 110
    assert 0 < last.metrics["system/memory_gb"] <= last.metrics["peak_memory_gb"] * 1.01
    predictions = read_records(Prediction, trial / "predictions.jsonl")
    assert {prediction.id for prediction in predictions} == {score.id for score in card.scores}
    assert read_json(trial / "predictions_meta.json")["step"] == 6
    assert load_config(trial / "config.yaml") == space.base_config
    assert [line["step"] for _, line in read_jsonl(trial / "metrics.jsonl")] == [1, 2, 3, 4, 5, 6]
    assert sorted(path.name for path in (trial / "checkpoints").iterdir()) == ["4", "6"]

    # A second trial with the same program key compiles nothing, and resumes from its checkpoint.
    before = process.stats()["compiles"]
    assert [(function, times) for _, function, _, times in before] == [
        ("admit", 1),
        ("copies", 1),
        ("decode", 1),
        ("empty", 1),
        ("init", 1),
        ("loss", 1),
        ("train", 1),
    ]
    other = space.config({"train.learning_rate": 1e-3})
    slot = process.attach(1, other, None)
    warm = process.advance(slot, 3)
    assert (warm.compile_s, warm.metrics["compile/programs"], warm.metrics["compile/cache_hits"]) == (0, 0, 0)
    process.save(slot, folder / "pointer.json")
    process.detach(slot)
    assert process.stats()["compiles"] == before
    assert read_json(folder / "pointer.json")["step"] == 3
    slot = process.attach(1, other, None)
    stop_file(folder).touch()
    stopped = process.advance(slot, 6)
    assert (stopped.state, stopped.step) == (State.STOPPED, 3)
    assert "dev/answer_correctness" not in stopped.metrics

    # An error of a trial is reported as its state.
    absent = space.config({"model.source": str(folder / "absent")})
    failed = process.advance(process.attach(2, absent, None), 3)
    assert failed.state is State.FAILED
    assert "absent" in failed.reason
    assert "Traceback" in (folder / "trials" / "002" / "traceback.txt").read_text()


@pytest.mark.slow
def test_sizes_are_found_for_a_trial_and_kept_by_its_files_its_resume_and_its_lock(home, monkeypatch):
    write_data(home)
    base = {**BASE, "data": {"trainset": "sums"}, "generate": {}}
    (home / "base.yaml").write_text(yaml.safe_dump(base))
    space = load_space("space.yaml")
    assert space.base_config.data.max_seq_len == "auto"
    study = create(space, None, Worker.check(space))
    folder = study_dir(study.study_name)
    process = WorkerProcess(Worker, folder)
    found = {
        **{"data.max_seq_len": 24, "generate.max_prompt_tokens": 16},
        **{"generate.max_new_tokens": 16, "generate.batch_size": 32},
    }
    keys = set()
    for number, rate in enumerate((1e-3, 2e-3)):
        slot = process.attach(number, space.config({"train.learning_rate": rate}), None)
        assert process.advance(slot, 3).state is State.RUNNING
        process.detach(slot)
        config = load_config(folder / "trials" / f"{number:03d}" / "config.yaml")
        assert {key: config.get(key) for key in found} == found
        keys.add(config.program_key)
    assert len(keys) == 1
    assert all(times == 1 for *_, times in process.stats()["compiles"])  # one program for both

    # A resume keeps the numbers, whatever would be found now.
    monkeypatch.setattr("trainer.programs.library.lengths_of", lambda _: pytest.fail("sizes are looked for"))
    monkeypatch.setattr("trainer.programs.library.UNKNOWN_BATCH", 7)
    slot = process.attach(1, space.config({"train.learning_rate": 2e-3}), None)
    assert process.advance(slot, 6).state is State.COMPLETE
    process.detach(slot)
    assert load_config(folder / "trials" / "001" / "config.yaml") == config

    lineage = {"overrides": {"train.learning_rate": 2e-3}, "step": 6, "reports": {}, "dir": folder / "trials" / "001"}
    trial = TrialView(number=1, state=State.COMPLETE, value=1.0, space=space, **lineage)
    assert trial.config.data.max_seq_len == "auto"
    assert trial.run_config == config
    promoted = record(study_view(study), trial)
    assert promoted.config == config.model_dump(mode="json")
    lock = write_lock(promoted, "sized")
    assert lock.run_config().hash == config.hash == lock.hashes["config"]


def test_a_report_counts_what_was_cut(home):
    write_data(home)
    folder = home / "trainsets" / "sums"
    traces = read_records(ReasoningTrace, folder / "traces.jsonl")
    long = [ReasoningTrace(prompt="+".join(str(n) * 30) + "=?", final_answer=str(30 * n)) for n in range(3)]
    write_trainset(folder, [*traces, *long], name="sums", recipe="test", recipe_version="1", seed=None)
    lengths = {"data.max_seq_len": 20, "generate.max_prompt_tokens": 4, "generate.max_new_tokens": 2}
    about = {"base": "base.yaml", "trials": 1, "report_every_steps": 1, "parameters": RATE}
    (home / "space.yaml").write_text(yaml.safe_dump({"name": "sums", **about, "overrides": lengths}))
    space = load_space("space.yaml")
    study = study_dir(create(space, None, Worker.check(space)).study_name)
    process = WorkerProcess(Worker, study)
    report = process.advance(process.attach(0, space.base_config, None), 1)
    # Of the sums, the 40 longest have more than 20 tokens; no completion is left after a prompt of 61 characters.
    assert (report.metrics["train/n_truncated"], report.metrics["train/n_dropped"]) == (40, 3)
    # Each of the four prompts has more than 4 tokens, and an untrained model ends no answer within two.
    assert report.metrics["dev/n_answers"] == report.metrics["dev/n_prompts_cut"] == 4
    finished = [
        prediction.finish_reason for prediction in read_records(Prediction, study / "trials/000/predictions.jsonl")
    ]
    assert report.metrics["dev/n_ended_by_length"] == finished.count("length") == 4


def test_what_trials_depend_on_is_checked_and_hashed(home, space):
    hashes = Worker.check(space)
    assert set(hashes) == {"evalset_sha256", "trainset_sha256 of sums"}
    shared = {"id": "x", "prompt": "1+2=?", "expected_answer": "3", **ABOUT}
    with (home / "sums.jsonl").open("a") as file:
        file.write(json.dumps(shared) + "\n")
    with pytest.raises(UsageError, match=r"evalset 'sums' and trainset 'sums' share 1 prompt \(x\)"):
        Worker.check(space)
    (home / "sums.jsonl").unlink()
    with pytest.raises(UsageError, match=r"sums\.jsonl"):
        Worker.check(space)


@pytest.mark.usefixtures("space")
def test_every_searched_trainset_is_checked(home):
    choice = {"data.trainset": {"type": "categorical", "choices": ["sums", "absent"]}}
    wanted = {**SPACE, "base": "base.yaml", "scheduler": "none", "parameters": choice}
    (home / "space.yaml").write_text(yaml.safe_dump(wanted))
    with pytest.raises(UsageError, match="trainset 'absent' not found"):
        Worker.check(load_space(home / "space.yaml"))


@pytest.mark.parametrize(
    ("where", "step"),
    [("trainer.programs.decoding.DecodingProgram.admit_of", 3), ("trainer.programs.library.load_base", 0)],
)
def test_a_trial_that_runs_out_of_memory_is_oom_wherever_that_was(folder, space, monkeypatch, where, step):
    def full(*_):
        import jax

        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")

    process = WorkerProcess(Worker, folder)
    monkeypatch.setattr(where, full)
    slot = process.attach(0, space.base_config.with_overrides({"train.learning_rate": 1e-3}), None)
    report = process.advance(slot, 3)
    process.detach(slot)
    assert (report.state, report.step) == (State.OOM, step)
    assert report.reason.startswith("out of device memory") and report.reason.count("--set ") >= 4
    assert "dev/answer_correctness" not in report.metrics
    assert not (folder / "trials" / "000" / "predictions.jsonl").exists()


def test_a_trial_that_fails_right_after_a_checkpoint_keeps_its_state(folder, space):
    """A failed run is not saved, not even at a multiple of train.save_every_steps."""
    process = WorkerProcess(Worker, folder)
    wild = space.config({"train.learning_rate": 1e-3}).with_overrides(
        {"train.learning_rate": 1e15, "train.schedule": "constant", "train.save_every_steps": 1}
    )
    slot = process.attach(0, wild, None)
    report = process.advance(slot, 6)
    process.detach(slot)
    assert report.state is State.DIVERGED
    assert f"diverged at step {report.step + 1}" in report.reason
    assert not (folder / "trials" / "000" / "traceback.txt").exists()


def test_an_evalset_is_read_once_per_worker_and_again_when_it_has_changed(folder, space, home, monkeypatch):
    read = []
    monkeypatch.setattr(worker, "load_evalset", lambda path: read.append(path) or load_evalset(path))
    here = Worker(folder)
    for trial in range(3):
        here.detach(here.attach(trial, space.base_config, None))
    assert read == [home / "sums.jsonl"]
    more = {"id": "s10", "prompt": "10+10=?", "expected_answer": "20", **ABOUT}
    with (home / "sums.jsonl").open("a") as file:
        file.write(json.dumps(more) + "\n")
    here.detach(here.attach(3, space.base_config, None))
    assert len(read) == 2
    Worker(folder).attach(0, space.base_config, None)
    assert len(read) == 3


def test_a_trial_goes_on_from_a_whole_checkpoint_or_begins_again(folder, space):
    process = WorkerProcess(Worker, folder)
    slot = process.attach(0, space.base_config, None)
    process.advance(slot, 4)
    process.detach(slot)
    checkpoints = folder / "trials" / "000" / "checkpoints"
    (checkpoints / "4" / "meta" / "metadata").unlink()
    slot = process.attach(0, space.base_config, None)
    report = process.advance(slot, 3)
    assert (report.state, report.step) == (State.RUNNING, 3)
    assert report.reason.endswith("going on from the checkpoint of step 2")
    process.detach(slot)
    assert sorted(path.name for path in checkpoints.iterdir()) == ["2", "4.damaged-1"]
    (checkpoints / "2" / "meta" / "metadata").unlink()
    slot = process.attach(0, space.base_config, None)
    report = process.advance(slot, 6)
    process.detach(slot)
    assert (report.state, report.step) == (State.COMPLETE, 6)
    assert report.reason.endswith("no other one is whole; begun again at step 0")
