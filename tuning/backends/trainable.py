"""The Trainable that Ray Tune runs for a trial: a client of the worker pool, which owns no device itself."""

import contextlib
import os
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.tune import Trainable

from podium.core.records import Report
from podium.core.states import State
from tuning.protocol import Job
from tuning.study.files import request_stop

POOL, STUDY = "pool", "study"  # keys of the config: name of the pool's actor, folder of the study
POOL_DIED = "the process that holds the workers died"


class TrialClient(Trainable):  # type: ignore[misc]
    """One actor serves many trials, one after the other (`reuse_actors`).

    It has no Tune checkpoint: Tune saves only trials that it pauses or was told to save regularly, and neither happens
    here. When an actor dies, the next one runs `setup` and the pool resumes the trial from its own newest checkpoint.
    """

    _job: Job
    _pool: Any  # the actor's handle; None once the pool has died
    _slot: int | None = None
    _step: int = 0
    _last_report: Report | None = None  # from an earlier sweep that may not have acted on it; returned first

    def setup(self, config: dict[str, Any]) -> None:
        self._study = Path(config[STUDY])
        self._pool = None
        with contextlib.suppress(ValueError, RayActorError):  # the pool died; `step` reports it
            self._pool = ray.get_actor(config[POOL])
            ray.get(self._pool.join.remote())
        self._start_job(config)

    def step(self) -> dict[str, Any]:
        if self._last_report:
            report, self._last_report = self._last_report, None
            return self._job.result(report)
        try:
            return self._job.result(self._advance())
        except RayActorError:
            request_stop(self._study, POOL_DIED, failed=True)
            return self._job.result(Report(step=0, state=State.STOPPED, metrics={}, reason=POOL_DIED))

    def _advance(self) -> Report:
        """The trial's next report. Raises RayActorError when the pool died."""
        if self._pool is None:
            raise RayActorError(error_msg=POOL_DIED)
        until_step = self._job.next_report(self._step)
        if self._slot is None:
            arguments = (self._job.number, self._job.config, self._job.checkpoint, os.getpid())
            self._slot, requested_step = ray.get(self._pool.attach.remote(*arguments))
            until_step = max(until_step, requested_step)
        report: Report = ray.get(self._pool.advance.remote(self._slot, until_step))
        self._step = report.step
        if self._job.pointer and self._job.ends_part(report):
            ray.get(self._pool.save.remote(self._slot, self._job.pointer))
        return report

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._detach()
        self._start_job(new_config)
        return True

    def cleanup(self) -> None:
        self._detach()

    def _start_job(self, config: dict[str, Any]) -> None:
        self._job = Job.from_config(config)
        self._slot, self._last_report = None, self._job.last_report
        self._step = self._job.last_known_step

    def _detach(self) -> None:
        if self._slot is not None:
            self._pool.detach.remote(self._slot)
            self._slot = None
