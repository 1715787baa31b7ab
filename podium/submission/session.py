"""One session of an attempt: it goes through the phases that are left, and leaves the evidence, or why it ended."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax

from eval.scorecard import floored, score_text
from eval.sets.predictions import shown_reasons
from podium.core import run_files
from podium.core.budgets.allowance import place_of_run
from podium.core.budgets.ledger import Meter
from podium.core.damage import set_aside
from podium.core.duration import format_duration
from podium.core.errors import PodiumError
from podium.core.files import write_json, write_jsonl
from podium.core.paths import submission_dir
from podium.core.records import Prediction, Prompt, Report
from podium.core.states import State
from podium.submission import evidence
from podium.submission.answer_log import AnswerLog
from podium.submission.attempt import Attempt
from podium.submission.ending import FINAL, RunEnded, as_ended, signals_raise
from podium.submission.journal import Phase
from podium.submission.lock import Lock
from podium.submission.manifest import UNSCORED, RunManifest, make_manifest, write
from podium.submission.output_log import recorded
from podium.submission.preflight import Preflight
from podium.submission.summary import describe_predictions, result_block, summarise, summarise_unlabelled
from podium.submission.time_plan import TimePlan
from podium.submission.unlabelled import write_answers
from podium.submission.verify import SHORT
from trainer.loop import TrainResult, train
from trainer.run.checkpoint import DamagedCheckpoint
from trainer.run.training_run import TrainingRun


@dataclass
class Session:
    """One session of a claimed attempt. `notes` says what resuming it found."""

    lock: Lock
    checks: Preflight
    attempt: Attempt
    notes: Sequence[str] = ()
    opened_s: float | None = None  # when the command began, on the attempt's clock

    def __post_init__(self) -> None:
        self.config, self.library = self.checks.config, self.checks.library
        self.out = submission_dir(self.lock.name)
        self.plan = TimePlan(self.lock.budget.time_budget_s, self.lock.budget.reserve_s)
        self.test = self.attempt.claim.test
        # A ledger that cannot be written is no reason to end the one attempt.
        place = place_of_run(self.lock.budget.profile)
        self.meter = Meter("submission", self.lock.name, place, self.attempt.clock, self.opened_s, _warn)

    def run_to_end(self) -> RunManifest:
        """Run what is left. Raises RunEnded if the attempt does not complete in this session."""
        with self.opened():
            if self.attempt.phase is not Phase.FINISHED:
                with self.logged():
                    self.train()
                    self.predict()
                    self.score()
            return self.complete()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Work on the attempt: signals, quota, and why it ended if it fails, are taken care of in this block."""
        with signals_raise(), self.meter, self._recorded_if_it_fails():
            yield

    @contextlib.contextmanager
    def logged(self, goes_on: bool = False) -> Iterator[None]:
        """Record that the attempt is running, and what is printed in this block, which `goes_on` from another one."""
        self._record(State.RUNNING)
        with recorded(self.out / run_files.OUTPUT_LOG, resumed=goes_on or self.attempt.session > 1):
            if not goes_on:
                self._announce()
            yield

    def train(self) -> None:
        """Train, if that is left to do."""
        if self.attempt.phase in (Phase.CLAIMED, Phase.PREPARING, Phase.TRAINING):
            self._prepare()
            self._train()

    def predict(self) -> None:
        """Answer every item, if that is left to do."""
        if self.attempt.phase is Phase.GENERATING:
            self._generate()

    def score(self) -> None:
        """Score the answers, or write the competition's file if there is nothing to score against."""
        if self.test is None:
            self._score()
        else:
            self._hand_in()

    def _announce(self) -> None:
        lock, left_s = self.lock, self.plan.generating_ends_s - self.attempt.elapsed_s()
        print(f"submission {lock.name}: trial {lock.trial} of study {lock.study}, lock {lock.lock_id[:SHORT]}")
        for note in self.notes:
            print(note)
        print(f"every hash is as locked; claimed at {self.attempt.claim.claimed_at}")
        print(f"device: asked for {self.config.device.kind}, found {self.checks.device}")
        print(f"JAX {jax.__version__}, devices: {', '.join(map(str, jax.devices()))}")
        print(f"budget: {lock.budget.profile}, {format_duration(max(0.0, left_s))} left before scoring and the reserve")

    def _prepare(self) -> None:
        """Compile what answering needs, and plan when training has to end so that every answer can be generated."""
        self.attempt.enter(Phase.PREPARING)
        prompts = [prompt for chosen in self.checks.targets.values() for prompt in chosen]
        run = self._open_run()
        try:
            pace = run.measure_pace(prompts)
        finally:
            run.close()
        n_answers = len(prompts) * self.config.generate.num_samples
        longest_s = pace.longest_s(n_answers, self.config.generate)
        self.plan = TimePlan(self.plan.budget_s, self.plan.reserve_s, longest_s, self.attempt.elapsed_s())
        print(f"answers: {n_answers}, at most {format_duration(longest_s)}; ", end="")
        print(f"training may take until {format_duration(self.plan.training_ends_s)} after the start")
        if self.plan.may_miss_answers:
            print("note: half of the time is kept for answers, and the longest ones would take more than that")

    def _train(self) -> None:
        """Train the locked steps, or as many as the deadline allows. Raises RunEnded if no step could be trained."""
        steps, trainset = self.config.train.max_steps, self.library.trainset(self.config)
        kept = f"{trainset.n_examples} examples of up to {self.config.data.max_seq_len} tokens"
        print(f"trainset: {trainset.name}, {kept}; {trainset.n_truncated} cut, {trainset.n_dropped} left out")
        for note in trainset.notes:
            print(f"note: {note}")
        self.attempt.enter(Phase.TRAINING, training_ends_s=round(self.plan.training_ends_s, 3))

        result = self._train_to_deadline()
        if result.state is not State.COMPLETE and not (result.truncated and result.step):
            reason = result.reason or f"ended after step {result.step}"
            is_over = result.state in FINAL or result.truncated
            raise RunEnded(self.lock.name, result.state, reason, is_over=is_over)
        if result.truncated:
            print(f"truncated: {result.reason} after step {result.step} of {steps}")
        if self.attempt.fact("step") not in (None, result.step):  # trained again; the answers are of other weights
            for file in self.checks.targets:
                AnswerLog(self.out / file).delete()
        late_s = max(0.0, self.attempt.elapsed_s() - self.plan.training_ends_s)
        self.attempt.enter(Phase.GENERATING, step=result.step, truncated=result.truncated, late_s=round(late_s, 3))

    def _train_to_deadline(self) -> TrainResult:
        """Train from the newest whole checkpoint, or from the first step if none is whole."""
        steps = self.config.train.max_steps

        def log(report: Report) -> None:
            if report.reason and report.state is State.RUNNING:  # a damaged file of the run
                print(f"warning: {report.reason}")
            loss = f"  loss {report.metrics['train/loss']:.4f}" if "train/loss" in report.metrics else ""
            print(f"step {report.step}/{steps}{loss}  {format_duration(self.attempt.elapsed_s())}")
            self._mark()

        deadline = self.attempt.deadline(self.plan, self.plan.training_ends_s)
        run = partial(train, self.config, self.out, library=self.library, deadline=deadline, on_log=log)
        try:
            return run(resume=self.attempt.session > 1 or self.attempt.fact("step") is not None)
        except DamagedCheckpoint:
            aside = set_aside(self.out / run_files.CHECKPOINTS)
            print(f"warning: no checkpoint is whole; they are kept in {aside.name}, and training begins again")
            return run(resume=True)

    def _generate(self) -> None:
        """Answer with the weights of the last step until the deadline; an item without an answer is missing."""
        step, run, took_s = self._trained()
        late_s = self.attempt.fact("late_s") + self.attempt.down_s(Phase.GENERATING) + took_s
        deadline = self.attempt.deadline(self.plan, self.plan.generating_ends_after(late_s))
        logs = {file: AnswerLog(self.out / file) for file in self.checks.targets}
        found: dict[str, list[Prediction]] = {}
        try:
            for file, prompts in self.checks.targets.items():
                found[file] = run.predict(prompts, deadline, logs[file].read(), self._keep(logs[file]))
                print(_shown_answers(file, found[file], prompts, step, run.n_prompts_cut))
        finally:
            run.close()
        if not any(found.values()):
            reason = "the time budget left no time for a single prediction"
            raise RunEnded(self.lock.name, State.STOPPED, reason, is_over=True)
        for file, predictions in found.items():
            rows = [prediction.model_dump(mode="json", exclude_none=True) for prediction in predictions]
            write_jsonl(self.out / file, rows)
        self.attempt.enter(Phase.SCORING)
        for log in logs.values():
            log.delete()

    def _trained(self) -> tuple[int, TrainingRun, float]:
        """The last step, the run with its weights, and the seconds that reading them took. If its checkpoint is lost,
        the steps since the one before it are trained again, which gives the same weights."""
        try:
            return self._restored()
        except PodiumError as error:
            print(f"warning: {error}; training again from the checkpoint before it")
        self._prepare()
        self._train()
        return self._restored()

    def _restored(self) -> tuple[int, TrainingRun, float]:
        began_s, step, run = self.attempt.elapsed_s(), self.attempt.fact("step"), self._open_run()
        run.restore(self.out / run_files.CHECKPOINTS / str(step), for_training=False)
        return step, run, self.attempt.elapsed_s() - began_s

    def _mark(self) -> None:
        self.attempt.mark()
        self.meter.tick()

    def _open_run(self) -> TrainingRun:
        return TrainingRun(self.config, self.out, self.library, self.attempt.clock)

    def _keep(self, log: AnswerLog) -> Callable[[Sequence[Prediction]], None]:
        def keep(predictions: Sequence[Prediction]) -> None:
            log.append(predictions)
            self._mark()

        return keep

    def _score(self) -> None:
        """Score the predictions file, not what is in memory, and print the result block last."""
        cards = evidence.score(self.lock, self.out)
        for split, card in cards.items():
            low, high = map(floored, card.interval)
            points = f"{floored(card.answer_correctness)} (95% interval {low} to {high})"
            print(f"{split}: answer_correctness {points}, {card.n_items} items, {card.n_missing} without a prediction")
            if card.finish_reasons:
                print(f"{split}: answers ended by {shown_reasons(card.finish_reasons)}")
        print(f"the trial had {self.lock.metric} {score_text(self.lock.value)}")
        write_json(self.out / run_files.SCORECARD, cards[self.config.eval.submission_split].model_dump(mode="json"))
        if evidence.write_submission(self.lock, self.out):
            print(f"{run_files.SUBMISSION}: in the competition's format")
        write(self.out / run_files.PREDICTIONS_META, describe_predictions(self.lock, self.out))
        summary = summarise(self.lock, self.out, cards)
        write(self.out / run_files.SUMMARY, summary)
        print(result_block(summary))

    def _hand_in(self) -> None:
        """Write the competition's file from the predictions file; there is nothing to score against."""
        assert self.test is not None
        prompts, scorer = self.checks.targets[run_files.PREDICTIONS], evidence.chosen_scorer(self.config)
        predictions = evidence.read_predictions(self.out)
        print(f"{write_answers(self.out, prompts, predictions, scorer)}: in the competition's format; no score")
        write(self.out / run_files.PREDICTIONS_META, describe_predictions(self.lock, self.out, self.test))
        summary = summarise_unlabelled(self.lock, self.out, self.test, len(prompts))
        write(self.out / run_files.SUMMARY, summary)
        print(f"{summary.n_answered} of {summary.n_items} items answered, {summary.n_missing} missing")

    def complete(self) -> RunManifest:
        """End the attempt: write its manifest. Call it outside of `logged`, so that the log is closed."""
        if self.attempt.phase is not Phase.FINISHED:
            self.attempt.enter(Phase.FINISHED)
        state: State | Literal["unscored"] = State.COMPLETE if self.test is None else UNSCORED
        facts = {"steps_trained": self.attempt.fact("step"), "truncated": self.attempt.fact("truncated")}
        return self._record(state, **facts, files=evidence.hash_files(self.out))  # log and journal are closed

    def _record(self, state: State | Literal["unscored"], **facts: Any) -> RunManifest:
        """Write run_manifest.json with `state` and `facts`."""
        manifest = make_manifest(self.lock, self.attempt.claim, self.out, state=state, **facts)
        write(self.out / run_files.MANIFEST, manifest)
        return manifest

    @contextlib.contextmanager
    def _recorded_if_it_fails(self) -> Iterator[None]:
        """Record in journal and manifest why a run did not complete, then raise the error as a RunEnded."""
        try:
            yield
        except BaseException as error:
            ended = as_ended(self.lock.name, error)
            if self.attempt.phase is not Phase.FINISHED:  # then only the manifest is left to be written
                phase = Phase.FAILED if ended.is_over else self.attempt.phase
                with contextlib.suppress(PodiumError):  # a full disk; the journal has the phase in which it ended
                    self.attempt.enter(phase, state=ended.state, reason=ended.reason)
                    self._record(ended.state, reason=ended.reason, resumable=not ended.is_over)
            if ended is error:
                raise
            raise ended from error


def _warn(reason: str) -> None:
    print(f"warning: {reason}")


def _shown_answers(file: str, found: Sequence[Prediction], prompts: Sequence[Prompt], step: int, n_cut: int) -> str:
    n_answered = len({prediction.id for prediction in found})
    what = "test outputs" if file == run_files.CHALLENGE_PREDICTIONS else "prompts"
    cut = f"; {n_cut} prompts lost their beginning" if n_cut else ""
    return f"{n_answered} of {len(prompts)} {what} answered with the weights of step {step}{cut}"
