"""The trials in the worker pool: which worker each one has, and how its processes failed so far."""

import asyncio
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from podium.core.config import RunConfig
from podium.core.records import Report
from podium.core.states import State
from tuning.workers.failures import CrashReporter
from tuning.workers.worker_slots import WorkerSlot


@dataclass(frozen=True)
class TrialLimits:
    """How many deaths of its processes a trial survives, and the seconds that it may run on workers."""

    max_failures: int
    trial_timeout_s: float | None


@dataclass
class TrialHistory:
    """What the pool remembers of a trial when its client dies, for the next client."""

    requested_step: int = 0  # the newest step that a client asked for; its report may have been lost with the client
    n_deaths: int = 0  # of the trial's workers and clients
    last_cause: str = ""  # of the newest death
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by the one call that works on the trial

    def final_report(self, limits: TrialLimits) -> Report | None:
        """The report of a failed trial once too many of its processes have died, else None."""
        if self.n_deaths <= limits.max_failures:
            return None
        reason = f"its {self.last_cause}; max_failures={limits.max_failures} retries were used up"
        return Report(step=0, state=State.FAILED, metrics={}, reason=reason)


@dataclass(eq=False)
class Assignment:
    """A trial in the pool, with a worker or waiting for one."""

    trial_id: int
    config: RunConfig
    checkpoint: Path | None
    client_pid: int  # a process on the pool's own node
    history: TrialHistory
    worker: WorkerSlot | None = None
    trial_slot: int | None = None  # what the worker's `attach` returned
    ran_s: float = 0.0  # on workers
    crash_reporter: CrashReporter = field(default_factory=partial(CrashReporter.start, Path(os.devnull)))
    is_released: bool = False  # the trial's client has detached or died

    @property
    def client_is_alive(self) -> bool:
        try:
            os.kill(self.client_pid, 0)
        except ProcessLookupError:
            return False
        return True
