"""Workers that run a training function of the user's own in place of Podium's trainer.

The function runs in a thread of the worker. Each report hands the turn to the sweep, which decides whether and how far
the function goes on; so the schedulers, the pool and the rest work as they do for the trainer.
"""

import contextlib
import inspect
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podium.core.clock import MonotonicClock
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.files import read_json, write_json, write_text
from podium.core.hashing import sha256_bytes
from podium.core.records import Report
from podium.core.run_files import CONFIG
from podium.core.states import State
from tuning.search.space import SearchSpace
from tuning.study.data import FUNCTION
from tuning.study.files import asked_to_end, trial_dir
from tuning.study.study import load_study_space

PROGRESS = "function.json"  # in a trial's folder: the newest step that it reported


class Ended(BaseException):
    """Raised in the function by its report if the trial ends there: let it pass, and release what you hold."""


class Reporter:
    """What the function is given to report with: `report(step, metrics)`.

    `folder`: the trial's own, for checkpoints of the function's own. `first_step`: 0, or the newest step that an
    earlier attempt of the same trial reported; a function that can continue from its own checkpoint does so from there,
    and one that cannot begins again.
    """

    def __init__(self, folder: Path, first_step: int, hand_over: Callable[[int, Mapping[str, float]], None]) -> None:
        self.folder, self.first_step, self._hand_over = folder, first_step, hand_over

    def __call__(self, step: int, metrics: Mapping[str, float]) -> None:
        """Report the metrics after `step` steps. Returns when the trial may go on.

        Raises:
            UsageError: the step is not above the last one, or a metric is no number.
            Ended: the trial ends here.
        """
        self._hand_over(step, metrics)


Train = Callable[[RunConfig, Reporter], None]


@dataclass(frozen=True)
class FunctionWorkers:
    """Makes the workers of a sweep that runs `function`."""

    function: Train

    def __call__(self, study_folder: Path) -> "FunctionWorker":
        return FunctionWorker(self.function, study_folder)

    def check(self, space: SearchSpace) -> dict[str, str]:  # noqa: ARG002
        """The hash of the function's source, by which a resume notices that it was changed. Raises UsageError."""
        if not callable(self.function):
            raise UsageError(f"train={self.function!r}, must be a function of a config and a report")
        try:
            text = inspect.getsource(self.function)
        except (OSError, TypeError):  # typed at a prompt, or not written in Python
            text = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return {FUNCTION: sha256_bytes(text.encode("utf-8"))}


@dataclass
class _Trial:
    """One call of the function. The thread waits for `may_go`, the worker for `has_reported`."""

    config: RunConfig
    folder: Path
    step: int  # of the newest report
    until_step: int = 0
    report: Report | None = None  # to be handed to the sweep
    error: BaseException | None = None
    is_ended: bool = False  # it was detached
    thread: threading.Thread | None = None
    may_go: threading.Event = field(default_factory=threading.Event)
    has_reported: threading.Event = field(default_factory=threading.Event)
    started_s: float = 0.0


class FunctionWorker:
    """Advances calls of the function, one per slot."""

    def __init__(self, function: Train, study_folder: Path) -> None:
        self._function, self._folder, self._clock = function, study_folder, MonotonicClock()
        self._metric = load_study_space(study_folder).metric
        self._trials: dict[int, _Trial] = {}

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:  # noqa: ARG002
        """Prepare a call; the function begins at its first `advance`. What it can continue from is its own matter."""
        folder = trial_dir(self._folder, trial_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / CONFIG, config.to_yaml())
        known = folder / PROGRESS
        step = int(read_json(known)["step"]) if known.is_file() else 0
        self._trials[trial_id] = _Trial(config, folder, step, started_s=self._clock.now())
        return trial_id

    def advance(self, slot: int, until_step: int) -> Report:
        """Let the function run to its first report at or after `until_step`, or to its end. Raises what it raises."""
        trial = self._trials[slot]
        if asked_to_end(self._folder, slot):
            return Report(step=trial.step, state=State.STOPPED, metrics={})
        trial.until_step = until_step
        trial.has_reported.clear()
        trial.may_go.set()
        if trial.thread is None:
            trial.thread = threading.Thread(target=self._run, args=(slot, trial), name=f"trial-{slot}", daemon=True)
            trial.thread.start()
        trial.has_reported.wait()
        if trial.error is not None:
            raise trial.error
        assert trial.report is not None
        return trial.report.model_copy(update={"elapsed_s": self._clock.now() - trial.started_s})

    def save(self, slot: int, path: Path) -> None:
        trial = self._trials[slot]
        write_json(path, {"checkpoint": str(trial.folder), "step": trial.step})

    def detach(self, slot: int) -> None:
        """End the call: its next report raises Ended."""
        if trial := self._trials.pop(slot, None):
            trial.is_ended = True
            trial.may_go.set()

    def stats(self) -> dict[str, Any]:
        return {"device": "of the function's own", "compiles": [], "compile_s": 0.0}

    # The methods below run in the function's thread.

    def _run(self, slot: int, trial: _Trial) -> None:
        def hand_over(step: int, metrics: Mapping[str, float]) -> None:
            self._hand_over(slot, trial, step, metrics)

        first_step, trial.step = trial.step, 0
        try:
            self._function(trial.config, Reporter(trial.folder, first_step, hand_over))
            self._finish(trial)
        except Ended:
            return
        except BaseException as error:  # noqa: BLE001 raised again in the thread of the worker
            trial.error = error
        trial.has_reported.set()

    def _hand_over(self, slot: int, trial: _Trial, step: int, metrics: Mapping[str, float]) -> None:
        """Note a report; if the sweep asked for one, hand it over and wait for the turn."""
        _check(step, metrics, trial)
        trial.step = step
        write_json(trial.folder / PROGRESS, {"step": step})
        finite = {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
        last = trial.config.steps
        state, reason = (State.COMPLETE if step >= last else State.RUNNING), None
        if self._metric in metrics and self._metric not in finite:
            state, reason = State.DIVERGED, f"{self._metric} is {metrics[self._metric]} at step {step}"
        elif asked_to_end(self._folder, slot):
            state = State.STOPPED
        trial.report = Report(step=step, state=state, metrics=finite, reason=reason)
        if state is State.RUNNING and step < trial.until_step:
            return
        trial.may_go.clear()
        trial.has_reported.set()
        if state is State.COMPLETE:  # nothing is asked for any more, and the function returns when it likes
            return
        trial.may_go.wait()
        if trial.is_ended or state.is_final:
            raise Ended

    def _finish(self, trial: _Trial) -> None:
        """The function returned: its newest report is its last, whatever number of steps the config has."""
        if trial.report is None:
            raise UsageError("the training function returned without a report; call report(step, metrics)")
        if trial.report.state is State.RUNNING:
            trial.report = trial.report.model_copy(update={"state": State.COMPLETE})


def _check(step: int, metrics: Mapping[str, float], trial: _Trial) -> None:
    if not isinstance(step, int) or step <= trial.step:
        raise UsageError(f"report({step!r}, ...): the step must be a whole number above the last one, {trial.step}")
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            with contextlib.suppress(TypeError, ValueError):
                float(value)  # a scalar of NumPy, JAX or PyTorch
                continue
            raise UsageError(f"report: {name}={value!r}, must be a number")
