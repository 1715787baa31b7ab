"""The in-process twin of the Ray backend: one worker, one trial after the other, the same decisions."""

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
from tuning.protocol import Job, out_of_time
from tuning.search.schedulers.replay import TrialStandIn
from tuning.study.files import end_file
from tuning.workers.worker_process import Host

T = TypeVar("T")
STOP = "STOP"  # as ray.tune spells it


class InlineBackend:
    name = "inline"
    n_workers = 1

    def __init__(self) -> None:
        self._busy_s = 0.0

    def run(self, sweep: Sweep) -> Usage:
        host = Host(sweep.make_worker, sweep.folder)
        started_s = time.monotonic()
        for number in count():
            config = sweep.bridge.suggest(f"inline-{number}")
            if not isinstance(config, dict):
                break
            self._run_trial(sweep, host, TrialStandIn(f"inline-{number}", config))
        return Usage(time.monotonic() - started_s, [{**host.stats(), "busy_s": self._busy_s}])

    def close(self) -> None:
        """Nothing to give back."""

    def _run_trial(self, sweep: Sweep, host: Host, trial: TrialStandIn) -> None:
        """Advance from report to report until the trial or the scheduler ends it: what Tune does with its clients."""
        job = Job.from_config(trial.config)
        sweep.scheduler.on_trial_add(None, trial)
        with contextlib.closing(self._reports(sweep, host, job)) as reports:
            for report in reports:
                result = job.result(report)
                if result["done"]:
                    sweep.scheduler.on_trial_complete(None, trial, result)
                    break
                if sweep.scheduler.on_trial_result(None, trial, result) == STOP:
                    break
                sweep.bridge.on_trial_result(trial.trial_id, result)
        sweep.bridge.on_trial_complete(trial.trial_id, result)

    def _reports(self, sweep: Sweep, host: Host, job: Job) -> Generator[Report]:
        """What the trial reports, without end; first what an earlier sweep may not have acted upon."""
        step, limit_s = job.first_step, sweep.space.trial_timeout_s
        if job.last_report:
            yield job.last_report
        with _time_limit(end_file(sweep.folder, job.number), limit_s) as is_up:
            slot = self._call(host.attach, job.number, job.config, job.checkpoint)
            try:
                while True:
                    report = self._call(host.advance, slot, job.next_report(step))
                    step = report.step
                    if job.pointer and job.has_come_to_its_end(report):
                        self._call(host.save, slot, job.pointer)
                    yield out_of_time(limit_s) if limit_s and is_up() else report
            finally:
                self._call(host.detach, slot)

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        started_s = time.monotonic()
        try:
            return function(*arguments)
        finally:
            self._busy_s += time.monotonic() - started_s


@contextlib.contextmanager
def _time_limit(end: Path, limit_s: float | None) -> Iterator[Callable[[], bool]]:
    """Ask the trial to `end` at its next step when its time is up. What hangs within a step, nothing ends here."""
    end.unlink(missing_ok=True)
    timer = threading.Timer(limit_s or 0.0, lambda: write_text(end, "its time is up"))
    if limit_s is not None:
        timer.start()
    try:
        yield end.exists
    finally:
        timer.cancel()
