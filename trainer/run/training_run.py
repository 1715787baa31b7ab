"""`TrainingRun`: the state of one run on a device. A worker's slot holds one; `train()` drives one."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np

from podium.core.clock import Clock, Deadline, MonotonicClock
from podium.core.errors import PodiumError, RunFailed
from podium.core.records import Prediction, Prompt, Report, Sample
from podium.core.redaction import one_line
from podium.core.resolved import ResolvedConfig, ResolvedGenerate, resolved
from podium.core.run_files import CHECKPOINTS
from podium.core.states import State
from trainer.data.rows import TokenizedTrainset, answer_rows, in_batches
from trainer.data.template import Template, choose_template
from trainer.data.tokenizer import Tokenizer
from trainer.decoding.generate import AnswerKey, DecodingFunctions, Pace, generate, measure_pace
from trainer.device.processes import any_process, shared
from trainer.memory.estimate import check_fits
from trainer.memory.fixes import decoding_fixes, fixes
from trainer.memory.out_of_memory import out_of_memory_ends_the_run
from trainer.programs.library import ProgramLibrary
from trainer.run.checkpoint import (
    Checkpoints,
    DamagedCheckpoint,
    check_same_inputs,
    check_same_run,
    read_meta,
    restore_tree,
)
from trainer.run.counters import Counters
from trainer.run.provenance import input_hashes, run_provenance
from trainer.run.run_folder import RunFolder
from trainer.step.optimizer import hyperparameters
from trainer.step.schedule import Hyperparameters

RECENT_STEPS = 8  # a step is not begun if the slowest of these would not end before the deadline


class TrainingRun:
    """A run in the folder `out`: optionally `restore`, then `advance` to a final state, with `predict` and `save` in
    between.

    Nothing is written until `prepare` has loaded everything that training needs.
    """

    def __init__(self, config: ResolvedConfig, out: Path, library: ProgramLibrary, clock: Clock | None = None) -> None:
        """Raises UsageError as `trainer.model.base_model.load_base` does, and PodiumError if a caller that is not
        type-checked gives a config that is not resolved."""
        self.config, self.out, self.library = resolved(config), out, library
        self.counters = Counters()
        self.n_prompts_cut = 0  # by the newest `predict`
        self.out_of_time = False  # whether a deadline ended the newest `advance`
        self.damage: str | None = None  # what `restore` found damaged, and what it used instead
        self._clock = clock or shared(MonotonicClock())
        self._compiled_before_s = library.compile_s
        self._base, self._program = library.base(config), library.training_program(config)
        self._decoding = library.decoding_program(config)
        # (first step, hyperparameters from there on)
        starts = (0, *(change.step for change in config.train.changes))
        self._hyperparameters = [(step, self._program.place(hyperparameters(config.at(step)))) for step in starts]
        self._checkpoints = Checkpoints(out / CHECKPOINTS, config.train.keep_checkpoints)
        self._folder = RunFolder(out, config)
        self._trainset: TokenizedTrainset | None = None  # None until `prepare`
        self._weights: tuple[Any, Any] | None = None  # trainable, frozen
        self._opt_state: Any = None
        self._damaged: list[Path] = []  # checkpoints in `out`, which `prepare` sets aside
        self._last_kept_step = -1  # `prepare` deletes the checkpoints in `out` of later steps
        self._since_s: float | None = None  # start of the current `advance`
        self._recent_s: deque[float] = deque(maxlen=RECENT_STEPS)  # how long the newest steps took
        self._failure: RunFailed | None = None  # a failed run stays failed

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.counters.step

    @property
    def elapsed_s(self) -> float:
        """Seconds spent in `advance`, over all sessions."""
        return self.counters.elapsed_s + (0.0 if self._since_s is None else self._clock.now() - self._since_s)

    def restore(self, checkpoint: Path | None = None, *, or_newer: bool = False, for_training: bool = True) -> int:
        """Continue from `checkpoint`, or from the newest whole one in `out`. Returns its step; 0 if there is none.

        With `or_newer`, one in `out` of a later step is preferred to `checkpoint`. `damage` then says which newer ones
        were damaged. If the device has not enough memory for the checkpoint, the run is OOM from then on.

        Raises:
            UsageError: the checkpoint is not complete, or was saved with another config or other inputs, which are
                named.
            DamagedCheckpoint: none is whole. Training would begin at step 0.
        """
        candidates = self._checkpoints.newest_first()
        if checkpoint:
            newer = [path for path in candidates if or_newer and int(path.name) > int(checkpoint.name)]
            candidates = [*newer, checkpoint]
        found: list[str] = []
        for path in candidates:
            try:
                self._restore(path, for_training)
                break
            except DamagedCheckpoint as error:
                found.append(str(error))
                self._damaged += [path] if self._is_own(path) else []
        if len(found) == len(candidates) > 0:
            raise DamagedCheckpoint("; ".join([*found, *([] if checkpoint else ["no other one is whole"])]))
        found += [f"going on from the checkpoint of step {self.step}"] if found else []
        found += [lines] if for_training and (lines := self._folder.damage()) else []
        self.damage = "; ".join(found) or None
        return self.step

    def _restore(self, path: Path, for_training: bool) -> None:
        """Continue from the checkpoint at `path`. Raises as `restore` does; if it is damaged, nothing has changed."""
        config, inputs, counters = _parts(path, read_meta(path))
        check_same_run(path, config, self.config, int(path.name))
        trainset = self.library.trainset(self.config) if for_training else None
        check_same_inputs(path, inputs, input_hashes(self._base, trainset))
        before, self.counters = self.counters, counters
        try:
            with suppress(RunFailed), self._failures("while restoring", for_training):
                trainable = restore_tree(path, "trainable", self._program.trainable)
                self._opt_state = restore_tree(path, "opt_state", self._program.opt_state) if for_training else None
                self._weights = trainable, self._program.frozen(self.config.train.seed)
        except DamagedCheckpoint:
            self.counters = before
            raise
        self._trainset = None  # prepared again, because the files depend on the step
        self._last_kept_step = self.step if self._is_own(path) else self.step - 1
        if not self._is_own(path):  # the best checkpoint so far is in the other folder
            self.counters.best_loss = self.counters.best_step = None

    def _is_own(self, checkpoint: Path) -> bool:
        return checkpoint.resolve().parent == self._checkpoints.folder

    def prepare(self) -> TokenizedTrainset:
        """Load, compile and initialise what training needs, then open the run's files. `advance` calls this."""
        if self._trainset is not None:
            return self._trainset
        trainset = self.library.trainset(self.config)
        for length in trainset.lengths:
            check_fits(self._program.memory_of(length), self.config)  # a step that cannot fit is not compiled
            self._program.step_of(length)  # compiled here, so that no step's time includes a compilation
            check_fits(self._program.memory_of(length), self.config)
        self._initialise()
        self._folder.claim()
        self._checkpoints.set_aside(self._damaged)
        self._checkpoints.drop_after(self._last_kept_step)  # of an earlier session, which is trained again
        self._damaged = []
        facts = run_provenance(self.config, self._base, trainset, self.step)
        self._folder.open(self.step, {**self.library.provenance, **facts})
        self._trainset = trainset
        return trainset

    def advance(self, until_step: int, deadline: Deadline, stop: Callable[[], bool] = lambda: False) -> Report:
        """Train until `until_step` steps are done, or until a deadline, `stop` or a failure ends it between two steps.

        The state is COMPLETE once train.max_steps steps are done, and RUNNING before. DIVERGED, OOM and INFEASIBLE are
        final.

        Raises:
            UsageError: the trainset is missing, no example fits in data.max_seq_len, or another run writes to the
                folder.
            PodiumError: a file cannot be written.
        """
        self._since_s = self._clock.now()
        tokens, training_since_s = self.counters.tokens, self._since_s
        try:
            with self._failures("in training"):
                trainset = self.prepare()
                training_since_s = self._clock.now()
                state, reason = self._train(trainset, min(until_step, self.config.train.max_steps), deadline, stop)
        except RunFailed as failure:
            state, reason = failure.state, str(failure)
        if state.is_final:
            self._folder.log(self.counters, self.elapsed_s)
        trained_s = self._clock.now() - training_since_s
        self.counters.elapsed_s, self._since_s = self.elapsed_s, None
        return Report(
            step=self.step,
            state=state,
            metrics=self._report_metrics(self.counters.tokens - tokens, trained_s),
            reason=reason,
            elapsed_s=self.elapsed_s,
            compile_s=self.library.compile_s - self._compiled_before_s,
        )

    def predict(
        self,
        samples: Sequence[Prompt],
        deadline: Deadline,
        known: Mapping[AnswerKey, Prediction] | None = None,
        on_answers: Callable[[Sequence[Prediction]], None] = lambda _: None,
    ) -> list[Prediction]:
        """Generate an answer to each prompt. Samples that `deadline` leaves no time for have no prediction.

        Answers in `known`, of an earlier session, are not generated again; `on_answers` gets each new one as it ends.

        Raises:
            RunFailed: the device is out of memory, or the run had failed before.
        """
        with self._failures("in prediction", for_training=False):
            predictions, self.n_prompts_cut = generate(*self._for_decoding(samples), deadline, known, on_answers)
        return predictions

    def measure_pace(self, samples: Sequence[Prompt]) -> Pace:
        """Measure how fast `predict` answers `samples`, and compile what it needs. Raises RunFailed as it does."""
        with self._failures("in prediction", for_training=False):
            return measure_pace(*self._for_decoding(samples), self._clock)

    def _for_decoding(
        self, samples: Sequence[Prompt]
    ) -> tuple[Sequence[Prompt], Tokenizer, Template, ResolvedGenerate, DecodingFunctions]:
        weights = self._weights or self._program.untrained(self.config.train.seed)
        hp = self._hyperparameters_at(self.step - 1)  # those of the newest trained step
        tokenizer = self._base.tokenizer
        template = choose_template(tokenizer, self.config.data)
        return samples, tokenizer, template, self.config.generate, self._decoding.bind(*weights, hp)

    def loss_on(self, samples: Sequence[Sample]) -> float | None:
        """Mean loss per token of the expected answers, each written directly after its prompt in the chat template.

        Computed without reasoning steps, label smoothing and dropout. None if no sample fits in data.max_seq_len.
        """
        trained = self._trainset or self.library.trainset(self.config)
        rows = answer_rows(samples, self._base.tokenizer, self.config.data, trained)
        if rows is None:
            return None
        total = n_tokens = 0.0
        with self._failures("in evaluation"):
            weights = self._initialise()
            hp = self._hyperparameters_at(self.step - 1)
            for batch in in_batches(rows, self.config.train.batch_size):
                summed, n_learned = jax.device_get(self._program.loss(*weights, batch, hp))
                total, n_tokens = total + float(summed), n_tokens + float(n_learned)
        return total / n_tokens

    def save(self, wait: bool = True) -> Path:
        """Write a checkpoint of this step and return its folder. Without `wait`, it is written in the background.

        Raises:
            PodiumError: the checkpoint cannot be written, or the run has not started or has failed.
        """
        if self._failure or self._weights is None or self._opt_state is None:
            raise PodiumError(f"{self.out}: the run has not started or has failed, so there is nothing to save")
        trainable, _ = self._weights
        self.counters.note_saved()
        meta = {
            "config": self.config.model_dump(mode="json"),
            "inputs": input_hashes(self._base, self._trainset),
            "counters": asdict(self.counters),
        }
        path = self._checkpoints.save(self.step, trainable, self._opt_state, meta, self.counters.best_step)
        if wait:
            self._checkpoints.wait()
        return path

    def close(self) -> None:
        """Log the newest step, wait for checkpoints that are being written, and free the device's memory."""
        try:
            self._folder.log(self.counters, self.elapsed_s)
        finally:
            self._checkpoints.close()
            self._folder.close()
            self._weights = self._opt_state = self._trainset = None

    def _train(
        self, trainset: TokenizedTrainset, end: int, deadline: Deadline, stop: Callable[[], bool]
    ) -> tuple[State, str | None]:
        """Dispatch steps up to `end`. Each is finished while the next one computes, and the last before returning."""
        dispatched: tuple[int, Mapping[str, jax.Array]] | None = None
        state, reason = State.RUNNING, None
        self.out_of_time = False
        since_s = deadline.clock.now()
        for step in range(self.step, end):
            if any_process(stop()):
                state, reason = State.STOPPED, "stopped on request"
            elif self._would_be_late(deadline, n_steps=2 if dispatched else 1):
                state, reason = State.STOPPED, f"time budget of {deadline.budget_s:g} s used up"
                self.out_of_time = True
            if state is State.STOPPED:
                break
            metrics = self._dispatch(trainset, step)
            if dispatched:
                self._finish(*dispatched)
                self._recent_s.append(deadline.clock.now() - since_s)
            since_s = deadline.clock.now()
            dispatched = step + 1, metrics
        if dispatched:
            self._finish(*dispatched)
        return (State.COMPLETE, None) if self.step >= self.config.train.max_steps else (state, reason)

    def _would_be_late(self, deadline: Deadline, n_steps: int) -> bool:
        """Whether `n_steps` more steps, as slow as the slowest of the newest ones, would end after the deadline."""
        return deadline.expired() or deadline.remaining_s() < n_steps * max(self._recent_s, default=0.0)

    def _dispatch(self, trainset: TokenizedTrainset, step: int) -> Mapping[str, jax.Array]:
        train = self.config.train
        batch = trainset.batch(train.seed, step, train.gradient_accumulation_steps, train.batch_size)
        trainable, frozen = self._initialise()
        step_function = self._program.step_of(batch["tokens"].shape[-1])
        trainable, self._opt_state, metrics = step_function(
            trainable,
            self._opt_state,
            frozen,
            self._program.place_batch(batch),
            self._hyperparameters_at(step),
            np.int32(step),
        )
        self._weights = trainable, frozen
        return metrics

    def _hyperparameters_at(self, step: int) -> Hyperparameters:
        """The hyperparameters of a step (counted from 0): those of the newest change in train.changes."""
        return next((hp for first, hp in reversed(self._hyperparameters) if first <= step), self._hyperparameters[0][1])

    def _finish(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
        """Wait for a step and count it. Raises RunFailed, without counting it, if the run has diverged."""
        values = {name: value.item() for name, value in jax.device_get(metrics).items()}
        if problem := self.counters.add(step, values, math.log(self._base.arch.vocab_size)):
            raise RunFailed(State.DIVERGED, problem)
        if self._folder.is_log_step(step):
            self._folder.log(self.counters, self.elapsed_s)

    @contextmanager
    def _failures(self, activity: str, for_training: bool = True) -> Iterator[None]:
        """Remember a RunFailed raised in the block, and raise it again in later blocks. Out of memory is one, too."""
        if self._failure:
            raise self._failure

        def required() -> str:
            if for_training:
                return f"a training step needs {self._program.memory_of(self.config.data.max_seq_len)}"
            return f"decoding needs {self._decoding.memory}"

        suggest = fixes if for_training else decoding_fixes
        try:
            with out_of_memory_ends_the_run(
                self.config, lambda: f"{activity} after step {self.step}", required, suggest
            ):
                yield
        except RunFailed as failure:
            self._failure = failure
            raise

    def _report_metrics(self, tokens: int, seconds: float) -> dict[str, float]:
        if self.counters.loss is None or self.counters.learning_rate is None:
            return {}
        metrics = {"train/loss": self.counters.loss, "train/learning_rate": self.counters.learning_rate}
        return {**metrics, "train/tokens_per_s": tokens / seconds} if tokens and seconds > 0 else metrics

    def _initialise(self) -> tuple[Any, Any]:
        """The run's (trainable, frozen) parameters: the restored ones, or initial ones from the seed."""
        if self._weights is None:
            trainable, frozen, self._opt_state = self._program.init(self.config.train.seed)
            self._weights = trainable, frozen
        return self._weights


def _parts(path: Path, meta: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], Counters]:
    """The config, the hashes of the inputs and the counters that `save` put into a checkpoint's meta."""
    try:
        return meta["config"], meta["inputs"], Counters(**meta["counters"])
    except (KeyError, TypeError) as error:  # possible in a checkpoint without hashes
        raise DamagedCheckpoint(f"checkpoint {path} cannot be read (its meta lacks {one_line(error)})") from error
