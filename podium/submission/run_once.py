"""Run a lock once: verify, claim, train, predict, score, and write the evidence.

Works without Ray, Optuna and MLflow, as on a Kaggle image without internet access.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from eval.scorecard import floored
from eval.sets.predictions import shown_reasons
from podium.core import run_files
from podium.core.clock import Clock, Deadline, MonotonicClock
from podium.core.duration import format_duration
from podium.core.errors import PodiumError, RunFailed, UsageError
from podium.core.files import write_json, write_jsonl
from podium.core.paths import portable, submission_dir
from podium.core.records import Prediction, Prompt, Report
from podium.core.redaction import named_line
from podium.core.resolved import ResolvedConfig
from podium.core.states import State
from podium.submission import evidence
from podium.submission.claim import Claim, claim_run, refuse_claimed, utc_now
from podium.submission.evidence import RunManifest
from podium.submission.lock import Lock, read_lock, verify_inputs
from podium.submission.output_log import recorded
from podium.submission.verify import SHORT
from trainer.device.devices import DeviceInfo, select, use_compile_cache
from trainer.inference import check_prompts
from trainer.loop import train
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun

# The share of the reserve that prediction leaves for scoring and for writing the evidence.
EVIDENCE_SHARE = 0.1


class RunEnded(PodiumError):
    """The run was claimed and did not complete; run_manifest.json has the same state and reason."""

    def __init__(self, name: str, state: State, reason: str, exit_code: int = 1) -> None:
        folder = portable(submission_dir(name))
        super().__init__(f"submission {name!r} {state}: {reason}; see {run_files.OUTPUT_LOG} in {folder}")
        self.state, self.reason, self.exit_code = state, reason, exit_code


class Interrupted(KeyboardInterrupt):
    """Raised in the main thread on a signal, so that open files are closed as the stack unwinds."""

    def __init__(self, number: int) -> None:
        super().__init__("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)
        self.number = number


def submit(name: str, *, library: ProgramLibrary | None = None, clock: Clock | None = None) -> RunManifest:
    """Run the lock of submission `name`, once.

    Raises:
        UsageError: there is no lock, the lock or an input was changed, the run was already claimed, or the device is
            not available; nothing was written.
        RunEnded: the run was claimed and did not complete; exit code 1, or 130 after Ctrl-C, 143 after
            SIGTERM and 129 after SIGHUP.
    """
    clock = clock or MonotonicClock()
    started_s = clock.now()  # hashing and start-up count against the time budget
    lock = read_lock(name)
    refuse_claimed(submission_dir(name))
    verify_inputs(lock)
    config = lock.run_config()
    if config.device.distributed:
        raise UsageError("device.distributed=true: a submission runs in one process; lock a config without it")
    device = select(config.device)
    use_compile_cache()
    library = library or ProgramLibrary()
    # Read every input before the claim, so that an input that cannot be read does not use up the one run.
    prompts: list[Prompt] = [*evidence.to_predict(config), *evidence.challenges(config)]
    library.trainset(config)
    check_prompts(config, prompts, library)
    claim = claim_run(submission_dir(name), lock.lock_id)
    deadline = Deadline(clock, started_s, lock.budget.time_budget_s, lock.budget.reserve_s)
    return _Run(lock, config, claim, deadline, device, library).run_to_end()


@dataclass(frozen=True)
class _Run:
    """A claimed run."""

    lock: Lock
    config: ResolvedConfig
    claim: Claim
    deadline: Deadline
    device: DeviceInfo
    library: ProgramLibrary

    @property
    def out(self) -> Path:
        return submission_dir(self.lock.name)

    def run_to_end(self) -> RunManifest:
        with _signals_raise(), self._recorded_if_it_fails():
            self._record(State.RUNNING)
            with recorded(self.out / run_files.OUTPUT_LOG):
                self._work()
            steps = evidence.steps_trained(self.out)
            facts = {"steps_trained": steps, "truncated": steps < self.config.train.max_steps}
            return self._record(State.COMPLETE, **facts, files=evidence.hash_files(self.out))  # the log is closed

    def _work(self) -> None:
        lock = self.lock
        print(f"submission {lock.name}: trial {lock.trial} of study {lock.study}, lock {lock.lock_id[:SHORT]}")
        print(f"every hash is as locked; claimed at {self.claim.claimed_at}")
        print(f"device: asked for {self.config.device.kind}, found {self.device}")
        print(f"budget: {lock.budget.profile}, {format_duration(self.deadline.remaining_s())} left for training")
        self._train()
        self._predict()
        self._score()

    def _train(self) -> None:
        """Train the locked steps, or as many as the deadline allows. Raises RunEnded if no step could be trained."""
        steps, trainset = self.config.train.max_steps, self.library.trainset(self.config)
        kept = f"{trainset.n_examples} examples of up to {self.config.data.max_seq_len} tokens"
        print(f"trainset: {trainset.name}, {kept}; {trainset.n_truncated} cut, {trainset.n_dropped} left out")

        def log(report: Report) -> None:
            loss = f"  loss {report.metrics['train/loss']:.4f}" if "train/loss" in report.metrics else ""
            print(f"step {report.step}/{steps}{loss}  {format_duration(self.deadline.elapsed_s())}")

        result = train(self.config, self.out, library=self.library, deadline=self.deadline, on_log=log)
        if result.state is not State.COMPLETE and not (result.truncated and result.step):
            raise RunEnded(self.lock.name, result.state, result.reason or f"ended after step {result.step}")
        if result.truncated:
            print(f"truncated: {result.reason} after step {result.step} of {steps}")

    def _predict(self) -> None:
        """Predict from the last checkpoint until the deadline; an item without a prediction counts as wrong."""
        deadline = replace(self.deadline, reserve_s=self.deadline.reserve_s * EVIDENCE_SHARE)
        questions, samples = evidence.challenges(self.config), evidence.to_predict(self.config)
        run = TrainingRun(self.config, self.out, self.library, self.deadline.clock)
        try:
            step = run.restore(for_training=False)
            if run.damage:
                print(f"warning: {run.damage}")
            answers = run.predict(questions, deadline)  # first, because the competition scores these
            n_cut = run.n_prompts_cut
            predictions = run.predict(samples, deadline)
        finally:
            run.close()
        if not (predictions or answers):
            raise RunEnded(self.lock.name, State.STOPPED, "the time budget left no time for a single prediction")
        self._write(run_files.PREDICTIONS, predictions)
        if questions:
            self._write(run_files.CHALLENGE_PREDICTIONS, answers)
            answered = f"{len({found.id for found in answers})} of {len(questions)} test outputs answered"
            print(f"{self.config.eval.challenges}: {answered}{_shown_cut(n_cut)}; without solutions there is no score")
        answered = f"{len(predictions)} of {len(samples)} prompts answered with the weights of step {step}"
        print(f"{answered}{_shown_cut(run.n_prompts_cut)}")

    def _write(self, name: str, predictions: Sequence[Prediction]) -> None:
        write_jsonl(self.out / name, [found.model_dump(mode="json", exclude_none=True) for found in predictions])

    def _score(self) -> None:
        """Score the predictions file, not what is in memory, and print the result block last."""
        cards = evidence.score(self.lock, self.out)
        for split, card in cards.items():
            low, high = map(floored, card.interval)
            points = f"{floored(card.answer_correctness)} (95% interval {low} to {high})"
            print(f"{split}: answer_correctness {points}, {card.n_items} items, {card.n_missing} without a prediction")
            if card.finish_reasons:
                print(f"{split}: answers ended by {shown_reasons(card.finish_reasons)}")
        print(f"the trial had {self.lock.metric} {self.lock.value}")
        write_json(self.out / run_files.SCORECARD, cards[self.config.eval.submission_split].model_dump(mode="json"))
        if evidence.write_submission(self.lock, self.out):
            print(f"{run_files.SUBMISSION}: in the competition's format")
        summary = evidence.summarise(self.lock, self.out, cards)
        evidence.write(self.out / run_files.SUMMARY, summary)
        print(evidence.result_block(summary))

    def _record(self, state: State, **facts: Any) -> RunManifest:
        """Write run_manifest.json with `state` and `facts`."""
        if state.is_final:
            facts |= {"ended_at": utc_now(), "elapsed_s": round(self.deadline.elapsed_s(), 3)}
        manifest = RunManifest(
            name=self.lock.name,
            lock_id=self.lock.lock_id,
            state=state,
            claimed_at=self.claim.claimed_at,
            time_budget_s=self.lock.budget.time_budget_s,
            steps_locked=self.config.train.max_steps,
            **facts,
        )
        evidence.write(self.out / run_files.MANIFEST, manifest)
        return manifest

    @contextlib.contextmanager
    def _recorded_if_it_fails(self) -> Iterator[None]:
        """Record in the manifest why a run did not complete, then raise the error as a RunEnded."""
        try:
            yield
        except BaseException as error:
            ended = _as_ended(self.lock.name, error)
            self._record(ended.state, reason=ended.reason)
            if ended is error:
                raise
            raise ended from error


def _shown_cut(n_prompts: int) -> str:
    return f"; {n_prompts} prompts lost their beginning" if n_prompts else ""


def _as_ended(name: str, error: BaseException) -> RunEnded:
    if isinstance(error, RunEnded):
        return error
    if isinstance(error, RunFailed):
        return RunEnded(name, error.state, str(error))
    if isinstance(error, Interrupted):
        return RunEnded(name, State.STOPPED, str(error), 128 + error.number)
    if isinstance(error, KeyboardInterrupt):
        return RunEnded(name, State.STOPPED, "Ctrl-C", 130)
    return RunEnded(name, State.FAILED, named_line(error))


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGTERM and SIGHUP end the run as Ctrl-C does. Later signals are ignored, so that the state is still written."""
    if threading.current_thread() is not threading.main_thread():  # Python installs handlers in the main thread only
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: old for number in numbers if (old := signal.getsignal(number)) is not signal.SIG_IGN}
    report_unraisable = sys.unraisablehook

    def handle(handler: Any) -> None:
        for number in before:
            signal.signal(number, handler)

    def end(number: int, _frame: FrameType | None) -> None:
        handle(signal.SIG_IGN)
        raise Interrupted(number)

    def raise_again(unraisable: Any) -> None:
        """Python drops what is raised in a finalizer or in JAX's callback of the garbage collector."""
        if isinstance(unraisable.exc_value, Interrupted):
            handle(end)
            threading.Timer(0.1, os.kill, (os.getpid(), unraisable.exc_value.number)).start()
        else:
            report_unraisable(unraisable)

    handle(end)
    sys.unraisablehook = raise_again
    try:
        yield
    finally:
        sys.unraisablehook = report_unraisable
        for number, handler in before.items():
            signal.signal(number, handler)
