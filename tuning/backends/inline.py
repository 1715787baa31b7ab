"""The inline backend: one worker in this process, one trial after another, with the same decisions as on Ray."""

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from podium.core.files import write_text
from podium.core.records import Report
from tuning.backends.base import Sweep, Usage
from tuning.protocol import Job, timeout_report
from tuning.search.schedulers.replay import SchedulerTrial
from tuning.study.files import end_file
from tuning.workers.worker_process import WorkerProcess

T = TypeVar("T")
STOP = "STOP"  # as ray.tune spells it


class InlineBackend:
    name = "inline"
    n_workers = 1

    def __init__(self) -> None:
        self._busy_s = 0.0

    def run(self, sweep: Sweep) -> Usage:
        worker = WorkerProcess(sweep.make_worker, sweep.folder)
        started_s = time.monotonic()
        for number in count():
            config = sweep.bridge.suggest(f"inline-{number}")
            if not isinstance(config, dict):
                break
            self._run_trial(sweep, worker, SchedulerTrial(f"inline-{number}", config))
        return Usage(time.monotonic() - started_s, [{**worker.stats(), "busy_s": self._busy_s}])

    def close(self) -> None:
        """Nothing to release."""

    def _run_trial(self, sweep: Sweep, worker: WorkerProcess, trial: SchedulerTrial) -> None:
        """Advance from report to report until the trial ends or the scheduler stops it, as Tune does."""
        job = Job.from_config(trial.config)
        sweep.scheduler.on_trial_add(None, trial)
        with contextlib.closing(self._reports(sweep, worker, job)) as reports:
            for report in reports:
                result = job.result(report)
                if result["done"]:
                    sweep.scheduler.on_trial_complete(None, trial, result)
                    break
                if sweep.scheduler.on_trial_result(None, trial, result) == STOP:
                    break
                sweep.bridge.on_trial_result(trial.trial_id, result)
        sweep.bridge.on_trial_complete(trial.trial_id, result)

    def _reports(self, sweep: Sweep, worker: WorkerProcess, job: Job) -> Generator[Report]:
        """Yield the trial's reports until closed. The first may be one that an earlier sweep did not act on."""
        step, limit_s = job.last_known_step, sweep.space.trial_timeout_s
        if job.last_report:
            yield job.last_report
        with _time_limit(end_file(sweep.folder, job.number), limit_s) as timed_out:
            slot = self._call(worker.attach, job.number, job.config, job.checkpoint)
            try:
                while True:
                    report = self._call(worker.advance, slot, job.next_report(step))
                    step = report.step
                    if job.pointer and job.ends_part(report):
                        self._call(worker.save, slot, job.pointer)
                    yield timeout_report(limit_s) if limit_s and timed_out() else report
            finally:
                self._call(worker.detach, slot)

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        started_s = time.monotonic()
        try:
            return function(*arguments)
        finally:
            self._busy_s += time.monotonic() - started_s


@contextlib.contextmanager
def _time_limit(end: Path, limit_s: float | None) -> Iterator[Callable[[], bool]]:
    """Make the file `end`, which ends the trial at its next step, after `limit_s` seconds. Yields whether it was made.

    A trial that hangs within a step does not end.
    """
    end.unlink(missing_ok=True)
    timer = threading.Timer(limit_s or 0.0, lambda: write_text(end, "its time is up"))
    if limit_s is not None:
        timer.start()
    try:
        yield end.exists
    finally:
        timer.cancel()
