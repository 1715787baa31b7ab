import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from podium.core.clock import Deadline, FakeClock
from podium.core.config import RunConfig, load_config
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json
from podium.core.records import ReasoningTrace
from podium.core.resolved import resolved
from podium.core.states import State
from trainer.data.trainsets import iter_examples, write_trainset
from trainer.programs.library import ProgramLibrary
from trainer.run.checkpoint import restore_tree
from trainer.run.metrics_log import MetricsLog
from trainer.run.training_run import TrainingRun


@pytest.fixture
def start(tmp_path: Path, library: ProgramLibrary, config: RunConfig) -> Callable[..., TrainingRun]:
    """A run of the shared config, with changes, in a folder of this test."""

    def make(out: str = "run", **changed: object) -> TrainingRun:
        overrides = {key.replace("__", "."): value for key, value in changed.items()}
        return TrainingRun(config.with_overrides(overrides), tmp_path / out, library)

    return make


def lines(run: TrainingRun) -> list[dict]:
    """metrics.jsonl without what depends on the machine."""
    return [
        {k: v for k, v in line.items() if k != "elapsed_s"} for line in MetricsLog(run.out / "metrics.jsonl").lines()
    ]


def final_parameters(run: TrainingRun, library: ProgramLibrary) -> list[np.ndarray]:
    path = run.out / "checkpoints" / str(run.step)
    return [
        np.asarray(x)
        for x in jax.tree.leaves(restore_tree(path, "trainable", library.training_program(run.config).trainable))
    ]


def finish(run: TrainingRun, forever: Deadline) -> TrainingRun:
    assert run.advance(run.config.train.max_steps, forever).state is State.COMPLETE
    run.save()
    run.close()
    return run


def test_a_run_learns_and_says_so(start: Callable, forever: Deadline) -> None:
    run = start()
    first = run.advance(1, forever)
    assert (first.step, first.state, first.reason) == (1, State.RUNNING, None)
    last = run.advance(100, forever)
    assert (last.step, last.state) == (12, State.COMPLETE)
    assert last.metrics["train/loss"] < first.metrics["train/loss"] - 1
    assert set(last.metrics) == {"train/loss", "train/learning_rate", "train/tokens_per_s"}
    assert last.elapsed_s >= first.elapsed_s > 0
    run.close()
    assert [line["step"] for line in lines(run)] == [4, 8, 12]
    assert all(set(line) == {"step", "loss", "learning_rate", "tokens", "phase"} for line in lines(run))
    assert lines(run)[-1]["loss"] == last.metrics["train/loss"]


def test_the_folder_says_what_was_run(start: Callable, forever: Deadline) -> None:
    run = start()
    run.advance(1, forever)
    run.close()
    assert resolved(load_config(run.out / "config.yaml")) == run.config
    facts = read_json(run.out / "provenance.json")
    assert facts["device"] == {"asked": "auto", "platform": "cpu", "kind": "cpu", "count": facts["device"]["count"]}
    counts = {"n_examples": 100, "n_rows": 100, "n_truncated": 0, "n_dropped": 0}
    assert facts["trainset"] == {"name": "sums", **counts, "template": "plain", "layout": "steps", "notes": []}
    assert facts["model_id"] == "tiny" and set(facts["sha256"]) == {"model", "tokenizer", "trainset"}
    assert facts["config_sha256"] == run.config.hash and facts["dtype"] == "float32"


@pytest.mark.parametrize("broken_off_at", [3, 8])
def test_a_resumed_run_ends_in_the_same_bits(
    start: Callable, library: ProgramLibrary, forever: Deadline, broken_off_at: int
) -> None:
    whole = finish(start("whole"), forever)
    part = start("part")
    part.advance(broken_off_at, forever)
    part.save()
    part.advance(10, forever)  # done, logged, and lost: the process ended before the next checkpoint
    del part
    resumed = start("part")
    assert resumed.restore() == broken_off_at
    finish(resumed, forever)
    for a, b in zip(final_parameters(whole, library), final_parameters(resumed, library), strict=True):
        np.testing.assert_array_equal(a, b)
    assert lines(resumed) == lines(whole)


def test_a_bucketed_run_has_a_step_a_length_and_resumes_to_the_same_bits(
    start: Callable, library: ProgramLibrary, forever: Deadline
) -> None:
    bucketed = {"data__length_buckets": [20], "train__max_steps": 6, "train__log_every_steps": 1}
    whole = finish(start("whole", **bucketed), forever)
    part = start("part", **bucketed)
    part.advance(3, forever)
    part.save()
    part.close()
    resumed = start("part", **bucketed)
    assert resumed.restore() == 3
    assert lines(finish(resumed, forever)) == lines(whole)
    shapes = {shapes for key, name, shapes in library.compiles if (key, name) == (whole.config.program_key, "train")}
    assert shapes == {"1x4x20", "1x4x32"}


def test_two_runs_do_not_write_to_one_folder(start: Callable, library: ProgramLibrary, forever: Deadline) -> None:
    first = start()
    first.advance(2, forever)
    first.save()
    second = TrainingRun(first.config, first.out, library)
    assert second.restore() == 2
    with pytest.raises(UsageError, match="is being written by another run; wait for it"):
        second.advance(4, forever)
    assert first.advance(4, forever).step == 4  # nothing of it was touched
    first.close()
    assert second.advance(4, forever).step == 4
    second.close()


def test_the_best_checkpoint_is_remembered_and_kept(start: Callable, forever: Deadline) -> None:
    """A learning rate at which the loss falls and then rises."""
    wild = {"train__learning_rate": 0.3, "train__schedule": "constant", "train__keep_checkpoints": 1}
    run = start(**wild)
    losses = {}
    for step in range(1, 7):
        assert run.advance(step, forever).step == step
        run.save()
        losses[step] = run.counters.smoothed_loss
    best = min(losses, key=losses.get)
    assert (run.counters.best_step, run.counters.best_loss) == (best, losses[best])
    assert 1 <= best < 6
    run.close()
    assert {path.name for path in (run.out / "checkpoints").iterdir()} == {str(best), "6"}
    again = start(**wild)
    again.restore()
    assert (again.counters.best_step, again.counters.best_loss) == (best, losses[best])
    again.close()


def test_the_same_config_and_seed_write_the_same_bytes_but_for_times(start: Callable, forever: Deadline) -> None:
    def untimed(run: TrainingRun) -> str:
        finish(run, forever)
        return re.sub(r'"elapsed_s":\s*[\d.]+', "", (run.out / "metrics.jsonl").read_text())

    one, other = untimed(start("one", train__log_every_steps=1)), untimed(start("other", train__log_every_steps=1))
    assert one == other and one.count("\n") == 12 and "elapsed_s" not in one


def test_pauses_change_nothing(start: Callable, library: ProgramLibrary, forever: Deadline) -> None:
    whole, paused = finish(start("whole"), forever), start("paused")
    for until in (1, 2, 7):
        assert paused.advance(until, forever).step == until
    finish(paused, forever)
    assert lines(paused) == lines(whole)
    for a, b in zip(final_parameters(whole, library), final_parameters(paused, library), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_line_of_an_early_end_is_gone_after_a_resume(start: Callable, forever: Deadline) -> None:
    run = start()
    assert run.advance(12, forever, stop=lambda: run.step >= 5).state is State.STOPPED
    run.save()
    run.close()
    stopped_at = run.step
    assert [line["step"] for line in lines(run)] == [4, stopped_at]
    resumed = start()
    resumed.restore()
    finish(resumed, forever)
    assert [line["step"] for line in lines(resumed)] == [4, 8, 12]


def test_a_complete_run_that_is_resumed_keeps_its_last_line(start: Callable, forever: Deadline) -> None:
    finish(start(train__max_steps=6), forever)
    again = start(train__max_steps=6)
    assert again.restore() == 6
    report = again.advance(6, forever)
    assert (report.state, report.step) == (State.COMPLETE, 6)
    assert "train/loss" in report.metrics and "train/tokens_per_s" not in report.metrics
    again.close()
    assert [line["step"] for line in lines(again)] == [4, 6]


def test_a_deadline_ends_it_between_two_steps(start: Callable) -> None:
    run, clock = start(), FakeClock()
    deadline = Deadline.after(10.0, reserve_s=4.0, clock=clock)

    def work_takes_time() -> bool:
        clock.advance(1.0)
        return False

    report = run.advance(12, deadline, stop=work_takes_time)
    # At 5 s, one step is on the device, and another one would end at 7 s.
    assert (report.state, report.step) == (State.STOPPED, 4)
    assert report.reason == "time budget of 10 s used up"
    assert run.save().name == "4"
    run.close()


def test_nan_ends_it_at_once_and_the_last_good_checkpoint_stays(
    start: Callable, library: ProgramLibrary, forever: Deadline
) -> None:
    run = start(train__learning_rate=1e15, train__schedule="constant", train__warmup_steps=0)
    run.advance(1, forever)
    run.save()
    report = run.advance(12, forever)
    assert report.state is State.DIVERGED
    assert (
        report.reason
        == f"diverged at step {run.step + 1}: loss nan, gradient norm nan; loss and gradient must be finite"
    )
    assert run.advance(12, forever).state is State.DIVERGED  # it stays so
    with pytest.raises(PodiumError, match=r"the run has not started or has failed, so there is nothing to save"):
        run.save()
    run.close()
    assert (run.out / "checkpoints" / "1").is_dir()
    assert all(np.isfinite(leaf).all() for leaf in final_parameters(run, library)), "a NaN was saved"
    text = (run.out / "metrics.jsonl").read_text()
    assert "NaN" not in text and [json.loads(line)["step"] for line in text.splitlines()] == [run.step]


def test_an_update_that_is_not_finite_is_never_applied(start: Callable, forever: Deadline) -> None:
    run = start(train__learning_rate=1e38, train__schedule="constant", train__warmup_steps=0)
    report = run.advance(1, forever)
    run.close()
    assert (report.state, report.step) == (State.DIVERGED, 0)
    assert report.reason.endswith("; the update is not finite; lower train.learning_rate")


def test_overflows_are_no_divergence_and_a_resumed_run_keeps_its_scale(start: Callable, forever: Deadline) -> None:
    half = {"train__dtype": "float16", "train__batch_size": 8}  # batches of 4 differ too much to see that it learns
    whole, part = start("whole", **half), start("part", **half)
    for run in (whole, part):  # far too large a scale: the first steps learn nothing
        run.prepare()
        state, scale = run._opt_state
        run._opt_state = state, replace(scale, factor=jax.device_put(np.float32(2.0**24)))
    part.advance(2, forever)
    part.save()
    part.close()
    assert finish(whole, forever).counters.overflows > 2
    resumed = start("part", **half)
    resumed.restore()
    finish(resumed, forever)
    assert lines(resumed) == lines(whole)
    assert resumed.counters.overflows == whole.counters.overflows
    assert lines(whole)[-1]["loss"] < lines(whole)[0]["loss"]


def test_an_exploding_loss_ends_it_before_it_is_nan(start: Callable, forever: Deadline) -> None:
    run = start(train__learning_rate=3.0, train__schedule="constant")
    report = run.advance(12, forever)
    run.close()
    assert report.state is State.DIVERGED and report.step < 11
    assert report.reason.startswith(f"diverged at step {report.step + 1}: loss ")
    assert "; loss must stay below " in report.reason


def test_restore_goes_on_from_a_checkpoint_elsewhere(start: Callable, forever: Deadline) -> None:
    donor = start("donor")
    donor.advance(5, forever)
    checkpoint = donor.save()
    donor.close()
    run = start("other")
    run.advance(8, forever)
    run.save()
    run.close()
    run = start("other")
    assert run.restore(checkpoint) == 5
    finish(run, forever)
    assert sorted(path.name for path in (run.out / "checkpoints").iterdir()) == ["12"]  # 8 was of another past
    assert [line["step"] for line in lines(run)] == [4, 8, 12]


def test_a_checkpoint_of_another_config_or_other_data_is_refused(
    start: Callable, forever: Deadline, tmp_path: Path, trainset: Path
) -> None:
    data = tmp_path / "data"
    traces = list(iter_examples(trainset))
    facts = {"name": "d", "recipe": "r", "recipe_version": "1", "seed": None}
    write_trainset(data, traces, **facts)
    run = start(data__trainset=str(data))
    run.advance(2, forever)
    run.save()
    run.close()
    with pytest.raises(
        UsageError, match=r"was saved with another config: train.learning_rate \(0.003 there, 0.001 here\)"
    ):
        start(data__trainset=str(data), train__learning_rate=1e-3).restore()
    write_trainset(data, traces[1:], **facts)
    with pytest.raises(UsageError, match=r"was saved with another trainset: the files have changed"):
        start(data__trainset=str(data)).restore()


def test_nothing_is_written_when_something_is_missing(start: Callable, forever: Deadline) -> None:
    run = start(data__trainset="/nowhere/at-all")
    with pytest.raises(UsageError, match=r"trainset '/nowhere/at-all' not found"):
        run.advance(1, forever)
    run.close()
    assert not run.out.exists()


def test_a_run_without_a_checkpoint_starts_at_zero(start: Callable) -> None:
    assert start().restore() == 0


def test_another_seed_is_another_run(start: Callable, forever: Deadline) -> None:
    one, other = finish(start("one"), forever), finish(start("other", train__seed=1), forever)
    assert lines(one)[0]["loss"] != lines(other)[0]["loss"]


def test_hyperparameters_change_at_their_steps_without_another_program(
    start: Callable, library: ProgramLibrary, forever: Deadline
) -> None:
    finish(start("plain", train__schedule="constant"), forever)
    before = dict(library.compiles)
    changes = [
        {"step": 4, "overrides": {"train.learning_rate": 1e-4}},
        {"step": 8, "overrides": {"train.learning_rate": 2e-3, "train.weight_decay": 0.1}},
    ]
    run = start("changing", train__schedule="constant", train__changes=changes, train__log_every_steps=1)
    finish(run, forever)
    rates = {line["step"]: pytest.approx(line["learning_rate"]) for line in lines(run)}
    assert rates == {step: 3e-3 if step <= 4 else 1e-4 if step <= 8 else 2e-3 for step in range(1, 13)}
    assert library.compiles == before


def test_a_run_that_took_over_anothers_checkpoint_is_one_run_with_a_change(
    start: Callable, library: ProgramLibrary, forever: Deadline
) -> None:
    """What a population does: go on from another's checkpoint with other hyperparameters, bit for bit repeatable."""
    donor = start("donor", lora__alpha=8.0)
    donor.advance(5, forever)
    checkpoint = donor.save()
    donor.close()
    changes = [{"step": 5, "overrides": {"train.learning_rate": 1e-3, "train.beta2": 0.99}}]
    copier = start("copier", lora__alpha=8.0, train__changes=changes)
    assert copier.restore(checkpoint) == 5
    finish(copier, forever)
    replayed = finish(start("replayed", lora__alpha=8.0, train__changes=changes), forever)
    for mine, its in zip(final_parameters(copier, library), final_parameters(replayed, library), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert copier.counters.loss == replayed.counters.loss


def test_the_loss_on_samples_is_that_of_training_on_their_answers(
    tmp_path: Path, start: Callable, forever: Deadline, make_samples: Callable
) -> None:
    samples = make_samples(*(f"{n}+0=?" for n in range(4)))
    traces = [ReasoningTrace(prompt=sample.prompt, final_answer=sample.expected_answer) for sample in samples]
    write_trainset(tmp_path / "answers", traces, name="answers", recipe="t", recipe_version="1", seed=None)
    run = start(data__trainset=str(tmp_path / "answers"))
    before = run.loss_on(samples)
    first = run.advance(1, forever)  # one step over all four, whose loss is that before the update
    assert before == pytest.approx(first.metrics["train/loss"], rel=1e-5)
    assert run.loss_on(samples) != before

    # Batches that four samples do not fill up weigh no more; a sample of which nothing fits is left out.
    of_three = start("other", train__batch_size=3)
    assert of_three.loss_on([*samples, *make_samples("far too long " * 20)]) == pytest.approx(before, rel=1e-5)
    assert of_three.loss_on(make_samples("far too long " * 20)) is None
