"""The trials in the worker pool: what each has there, and what befell it."""

import asyncio
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from podium.core.config import RunConfig
from podium.core.records import Report
from podium.core.states import State
from tuning.workers.failures import Watch
from tuning.workers.worker_slots import Place


@dataclass(frozen=True)
class Rules:
    """How long a trial's patience lasts: deaths of its processes that it survives, seconds that it may run."""

    max_failures: int
    trial_timeout_s: float | None


@dataclass
class Past:
    """What a trial keeps when its client dies, and hands on to the next one."""

    asked: int = 0  # the step that a client asked for last, and may not have heard of
    deaths: int = 0  # of its workers and its clients
    cause: str = ""  # of the last
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # one thing at a time is done with a trial

    def end(self, rules: Rules) -> Report | None:
        """The trial's last report, once too many of its processes have died."""
        if self.deaths <= rules.max_failures:
            return None
        reason = f"its {self.cause}; max_failures={rules.max_failures} retries were used up"
        return Report(step=0, state=State.FAILED, metrics={}, reason=reason)


@dataclass(eq=False)
class Seat:
    """A trial in the pool, with a worker or waiting for one."""

    trial_id: int
    config: RunConfig
    checkpoint: Path | None
    client: int  # its process, on the pool's own node
    past: Past
    place: Place | None = None
    slot: int | None = None  # on that worker
    ran_s: float = 0.0
    watch: Watch = field(default_factory=partial(Watch.begin, Path(os.devnull)))  # since it has that worker
    is_left: bool = False  # nobody waits for it any more

    @property
    def client_lives(self) -> bool:
        try:
            os.kill(self.client, 0)
        except ProcessLookupError:
            return False
        return True
