"""The in-process twin of the Ray backend: one worker, one trial after the other, the same decisions."""

import time
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

from tuning.backends import Sweep, Usage
from tuning.host import Host
from tuning.messages import Job, to_result
from tuning.schedulers import TrialStandIn

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
        slot = self._call(host.attach, job.number, job.config, None)
        step = max(job.reports, default=0)
        try:
            while True:
                report = self._call(host.advance, slot, job.next_report(step))
                result, step = to_result(report, job.metric), report.step
                if result["done"]:
                    sweep.scheduler.on_trial_complete(None, trial, result)
                    break
                if sweep.scheduler.on_trial_result(None, trial, result) == STOP:
                    break
                sweep.bridge.on_trial_result(trial.trial_id, result)
        finally:
            self._call(host.detach, slot)
        sweep.bridge.on_trial_complete(trial.trial_id, result)

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        started_s = time.monotonic()
        try:
            return function(*arguments)
        finally:
            self._busy_s += time.monotonic() - started_s
