"""The places of the worker pool: each with its devices and its log, filled by one Ray actor after another."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorUnschedulableError, NodeDiedError, OutOfMemoryError, RayActorError

from tuning.workers.cluster import on_node
from tuning.workers.resources import DeviceGroup
from tuning.workers.worker import WorkerKind
from tuning.workers.worker_process import Host

# What a call to a dead worker raises, or to one whose node is gone.
DEATHS = (RayActorError, ActorUnschedulableError, NodeDiedError, OutOfMemoryError)
START_TRIES = 3
REFUSED = "error raised in its creation task"  # how Ray says that a constructor raised: it would again


class Place:
    """A worker's place. `fill` starts an actor in it, `bury` gives up the one that is there."""

    def __init__(
        self, make: WorkerKind, study_folder: Path, environment: Mapping[str, str], group: DeviceGroup, index: int
    ) -> None:
        self.group, self.index, self.log = group, index, study_folder / "workers" / f"{index}.log"
        self._actor_class = ray.remote(Host).options(**group.ray_resources, scheduling_strategy=on_node(group.node))
        self._arguments = (make, study_folder, group.cores, environment, self.log)
        self._actor: Any = None
        self.is_lost = False  # it could not be filled again
        self.programs: set[str] = set()
        self.deaths = 0
        self.busy_s = self.last_s = 0.0
        self.first_s: float | None = None

    async def fill(self) -> None:
        """Start a worker and wait until it answers, again where it dies at once.

        Raises:
            DEATHS: its constructor raised, or it died START_TRIES times.
        """
        for tries_left in reversed(range(START_TRIES)):
            self._actor = self._actor_class.remote(*self._arguments)
            try:
                await self._actor.stats.remote()
            except DEATHS as error:
                if REFUSED in str(error) or not tries_left:
                    self.is_lost = True
                    raise
                self.deaths += 1
            else:
                return

    async def call(self, name: str, *arguments: Any) -> Any:
        """Raises one of DEATHS when the worker dies."""
        started_s = time.monotonic()
        self.first_s = self.first_s or started_s
        try:
            return await getattr(self._actor, name).remote(*arguments)
        finally:
            self.last_s = time.monotonic()
            self.busy_s += self.last_s - started_s

    async def answers(self) -> bool:
        try:
            await self._actor.stats.remote()
        except DEATHS:
            return False
        return True

    def kill(self) -> None:
        ray.kill(self._actor)

    def bury(self) -> None:
        self.kill()  # it may only have lost its connection, and would keep the devices
        self.deaths, self.programs = self.deaths + 1, set()

    async def usage(self, timeout_s: float) -> dict[str, Any]:
        """What the worker says of itself, if it does, and how long it was busy."""
        stats: dict[str, Any] = {}
        n_deaths = self.deaths
        try:
            stats = await asyncio.wait_for(self._actor.stats.remote(), timeout_s)
        except TimeoutError:
            pass
        except DEATHS:  # it died with nothing left to do, or is being buried now
            n_deaths += not self.is_lost
        return {**stats, "busy_s": self.busy_s, "deaths": max(self.deaths, n_deaths)}
