"""The one run of a lock: verify, claim, train, predict, score, and leave the evidence.

Works where Ray, Optuna and MLflow are not installed, as on a Kaggle image without internet.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from eval.scorecard import floored
from podium.core.clock import Clock, Deadline, MonotonicClock
from podium.core.config import RunConfig
from podium.core.duration import format_duration
from podium.core.errors import PodiumError, RunFailed, UsageError
from podium.core.files import write_json, write_jsonl
from podium.core.paths import portable, submission_dir
from podium.core.records import Prediction, Report
from podium.core.redaction import named_line
from podium.core.states import State
from podium.submission import evidence
from podium.submission.claim import Claim, claim_run, refuse_claimed, utc_now
from podium.submission.evidence import RunManifest
from podium.submission.lock import Lock, read_lock, verify_inputs
from podium.submission.output_log import recorded
from podium.submission.verify import SHORT
from trainer.device.devices import DeviceInfo, select, use_compile_cache
from trainer.loop import train
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun

# Predicting leaves this share of the reserve for scoring and for writing the evidence.
EVIDENCE_SHARE = 0.1


class RunEnded(PodiumError):
    """The run was claimed and is not complete; run_manifest.json says the same."""

    def __init__(self, name: str, state: State, reason: str, exit_code: int = 1) -> None:
        folder = portable(submission_dir(name))
        super().__init__(f"submission {name!r} {state}: {reason}; see {evidence.LOG} in {folder}")
        self.state, self.reason, self.exit_code = state, reason, exit_code


class Terminated(KeyboardInterrupt):
    """SIGTERM: raised where the program stands, so that everything open is closed on the way out."""


def submit(name: str, *, library: ProgramLibrary | None = None, clock: Clock | None = None) -> RunManifest:
    """Run the lock of submission `name`, once.

    Raises:
        UsageError: no lock, a lock or an input that was changed, a run that was claimed before, or no such device here;
            nothing was written.
        RunEnded: the run was claimed and did not complete; exit code 1, or 130 and 143 for Ctrl-C and SIGTERM.
    """
    clock = clock or MonotonicClock()
    started_s = clock.now()  # hashing and start-up come out of the same session as the training
    lock = read_lock(name)
    refuse_claimed(submission_dir(name))
    verify_inputs(lock)
    config = lock.run_config()
    if config.device.distributed:
        raise UsageError("device.distributed=true: a submission is one process; lock a config without it")
    device = select(config.device)
    use_compile_cache()
    library = library or ProgramLibrary()
    # Whatever cannot be read is found out before the claim.
    evidence.submission_samples(config)
    evidence.challenges(config)
    library.base(config)
    library.trainset(config)
    claim = claim_run(submission_dir(name), lock.lock_id)
    deadline = Deadline(clock, started_s, lock.budget.time_budget_s, lock.budget.reserve_s)
    return _Run(lock, config, claim, deadline, device, library).to_its_end()


@dataclass(frozen=True)
class _Run:
    """A claimed run."""

    lock: Lock
    config: RunConfig
    claim: Claim
    deadline: Deadline
    device: DeviceInfo
    library: ProgramLibrary

    @property
    def out(self) -> Path:
        return submission_dir(self.lock.name)

    def to_its_end(self) -> RunManifest:
        with _signals_raise(), self._state_kept():
            self._record(State.RUNNING)
            with recorded(self.out / evidence.LOG):
                self._work()
            steps = evidence.steps_trained(self.out)
            facts = {"steps_trained": steps, "truncated": steps < self.config.train.max_steps}
            return self._record(State.COMPLETE, **facts, files=evidence.hash_files(self.out))  # the log is whole now

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
        """Train the locked steps, or what the deadline allows of them. Raises RunEnded where that is nothing."""
        steps = self.config.train.max_steps

        def log(report: Report) -> None:
            loss = f"  loss {report.metrics['train/loss']:.4f}" if "train/loss" in report.metrics else ""
            print(f"step {report.step}/{steps}{loss}  {format_duration(self.deadline.elapsed_s())}")

        result = train(self.config, self.out, library=self.library, deadline=self.deadline, on_log=log)
        if result.state is not State.COMPLETE and not (result.truncated and result.step):
            raise RunEnded(self.lock.name, result.state, result.reason or f"ended after step {result.step}")
        if result.truncated:
            print(f"truncated: {result.reason} after step {result.step} of {steps}")

    def _predict(self) -> None:
        """Predict from the last checkpoint, as far as the reserve allows; what is left out counts as wrong."""
        deadline = replace(self.deadline, reserve_s=self.deadline.reserve_s * EVIDENCE_SHARE)
        asked, samples = evidence.challenges(self.config), evidence.to_predict(self.config)
        run = TrainingRun(self.config, self.out, self.library, self.deadline.clock)
        try:
            step = run.restore(for_training=False)
            answers = run.predict(asked, deadline)  # first: it is what the competition scores
            n_cut = run.n_prompts_cut
            predictions = run.predict(samples, deadline)
        finally:
            run.close()
        if not (predictions or answers):
            raise RunEnded(self.lock.name, State.STOPPED, "the time budget left no time for a single prediction")
        self._write(evidence.PREDICTIONS, predictions)
        if asked:
            self._write(evidence.CHALLENGE_PREDICTIONS, answers)
            answered = f"{len({found.id for found in answers})} of {len(asked)} test outputs answered"
            print(f"{self.config.eval.challenges}: {answered}{_shown_cut(n_cut)}; without solutions there is no score")
        answered = f"{len(predictions)} of {len(samples)} prompts answered with the weights of step {step}"
        print(f"{answered}{_shown_cut(run.n_prompts_cut)}")

    def _write(self, name: str, predictions: Sequence[Prediction]) -> None:
        write_jsonl(self.out / name, [found.model_dump(mode="json", exclude_none=True) for found in predictions])

    def _score(self) -> None:
        """Score what was written down, not what is in memory, and end the output with the result."""
        cards = evidence.score(self.lock, self.out)
        for split, card in cards.items():
            low, high = map(floored, card.interval)
            points = f"{floored(card.answer_correctness)} (95% interval {low} to {high})"
            print(f"{split}: answer_correctness {points}, {card.n_items} items, {card.n_missing} without a prediction")
        print(f"the trial had {self.lock.metric} {self.lock.value}")
        write_json(self.out / evidence.SCORECARD, cards[self.config.eval.submission_split].model_dump(mode="json"))
        if evidence.write_submission(self.lock, self.out):
            print(f"{evidence.SUBMISSION}: in the competition's shape")
        summary = evidence.summarise(self.lock, self.out, cards)
        evidence.write(self.out / evidence.SUMMARY, summary)
        print(evidence.result_block(summary))

    def _record(self, state: State, **facts: Any) -> RunManifest:
        """Write run_manifest.json: what holds from the start, and `facts`."""
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
        evidence.write(self.out / evidence.MANIFEST, manifest)
        return manifest

    @contextlib.contextmanager
    def _state_kept(self) -> Iterator[None]:
        """However the run ends, its manifest says so before the error goes on as a RunEnded."""
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
    if isinstance(error, Terminated):
        return RunEnded(name, State.STOPPED, "SIGTERM", 143)
    if isinstance(error, KeyboardInterrupt):
        return RunEnded(name, State.STOPPED, "Ctrl-C", 130)
    return RunEnded(name, State.FAILED, named_line(error))


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does. After the first of either, others wait until the state is on the disk."""
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
