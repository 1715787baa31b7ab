"""The worker slots of the pool. Each has its devices and its log, and holds one Ray actor (a worker) after another."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorUnschedulableError, NodeDiedError, OutOfMemoryError, RayActorError

from tuning.study.files import WORKERS_DIR
from tuning.workers.cluster import on_node
from tuning.workers.resources import DeviceGroup
from tuning.workers.worker import WorkerKind
from tuning.workers.worker_process import WorkerProcess

# What a call to a worker raises when its process has died or its node is gone.
WORKER_DIED = (RayActorError, ActorUnschedulableError, NodeDiedError, OutOfMemoryError)
MAX_START_TRIES = 3
CONSTRUCTOR_RAISED = "error raised in its creation task"  # in Ray's message; another try would raise again


class WorkerSlot:
    """One worker's devices, log and counters. `start` starts a worker in it, and `discard` gives up its worker.

    Not to be confused with the number that a worker's `attach` returns, which stands for a trial.
    """

    def __init__(
        self, make: WorkerKind, study_folder: Path, environment: Mapping[str, str], group: DeviceGroup, index: int
    ) -> None:
        self.group, self.index, self.log = group, index, study_folder / WORKERS_DIR / f"{index}.log"
        options = {**group.ray_resources, "scheduling_strategy": on_node(group.node)}
        self._actor_class = ray.remote(WorkerProcess).options(**options)
        self._arguments = (make, study_folder, group.cores, environment, self.log)
        self._actor: Any = None
        self.cannot_start = False  # the newest `start` gave up
        self.program_keys: set[str] = set()  # of the programs that the worker has compiled
        self.n_deaths = 0  # of workers in this slot
        self._discarded: Any = None  # the worker whose death was counted last, until another one is started
        self.busy_s = self.last_call_s = 0.0
        self.first_call_s: float | None = None

    async def start(self) -> None:
        """Start a worker and wait until it answers. One that dies at once is started again.

        Raises:
            WORKER_DIED: its constructor raised, or it died MAX_START_TRIES times.
        """
        for tries_left in reversed(range(MAX_START_TRIES)):
            self._actor = self._actor_class.remote(*self._arguments)
            try:
                await self._actor.stats.remote()
            except WORKER_DIED as error:
                if CONSTRUCTOR_RAISED in str(error) or not tries_left:
                    self.cannot_start = True
                    raise
                self.n_deaths += 1
            else:
                return

    async def call(self, name: str, *arguments: Any) -> Any:
        """Call a method of the worker. Raises one of WORKER_DIED."""
        started_s = time.monotonic()
        self.first_call_s = self.first_call_s or started_s
        try:
            return await getattr(self._actor, name).remote(*arguments)
        finally:
            self.last_call_s = time.monotonic()
            self.busy_s += self.last_call_s - started_s

    async def is_alive(self) -> bool:
        try:
            await self._actor.stats.remote()
        except WORKER_DIED:
            return False
        return True

    def kill(self) -> None:
        ray.kill(self._actor)

    def discard(self) -> None:
        """Give up a worker that no longer answers."""
        self.kill()  # it may only have lost its connection, and would keep the devices
        self.n_deaths, self.program_keys = self.n_deaths + 1, set()
        self._discarded = self._actor

    async def usage(self, timeout_s: float) -> dict[str, Any]:
        """The worker's `stats` if it answers in time, how long this slot was busy, and how many workers died in it."""
        stats: dict[str, Any] = {}
        n_deaths, is_counted = self.n_deaths, self._actor is self._discarded
        try:
            stats = await asyncio.wait_for(self._actor.stats.remote(), timeout_s)
        except TimeoutError:
            pass
        except WORKER_DIED:  # it died while idle, or is being replaced now
            n_deaths += not (self.cannot_start or is_counted)
        return {**stats, "busy_s": self.busy_s, "deaths": max(self.n_deaths, n_deaths)}
