"""The worker pool: Ray actors that hold the devices, behind the four calls of a single worker.

The pool is an actor itself, because its callers, the clients that Tune starts, are processes of their own. It gives
each trial the next free worker, preferring one that has its program compiled, starts a dead worker again and goes on
with its trial from the newest checkpoint.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from podium.core.config import RunConfig
from podium.core.paths import home, workspace
from podium.core.records import Report
from podium.core.states import State
from tuning.host import Host
from tuning.machine import DeviceGroup
from tuning.study import request_stop, stop_file
from tuning.worker import WorkerKind

BARRIER_TIMEOUT_S = 60.0
STATS_TIMEOUT_S = 30.0  # a worker may be just being started again
MAX_FAILURES = 2  # deaths of its worker that a trial survives


@dataclass
class _Worker:
    actor: Any
    programs: set[str] = field(default_factory=set)
    busy_s: float = 0.0
    deaths: int = 0


@dataclass
class _Seat:
    """A trial in the pool, with a worker or waiting for one."""

    trial_id: int
    config: RunConfig
    checkpoint: Path | None
    worker: int | None = None
    slot: int = 0  # on that worker
    failures: int = 0


class Pool:
    """Made into an actor by `start_pool`. Every call may wait; none blocks another."""

    def __init__(
        self,
        make: WorkerKind,
        study_folder: Path,
        groups: Sequence[DeviceGroup],
        clients: int,
        environment: Mapping[str, str],
    ) -> None:
        self._folder = study_folder
        self._workers = [
            _Worker(ray.remote(Host).options(**_options(group)).remote(make, study_folder, group.cores, environment))
            for group in groups
        ]
        self._free: set[int] = set()
        self._changed = asyncio.Condition()
        self._seats: dict[int, _Seat] = {}
        self._slots = count()
        self._missing_clients, self._all_here = clients, asyncio.Event()
        self._first_s: float | None = None
        self._last_s = 0.0
        self._revivals: set[asyncio.Task[None]] = set()  # a task that nobody holds may be collected

    async def ready(self) -> None:
        """Until every worker has started. If one cannot, the sweep is stopped and this raises what kept it."""
        try:
            await asyncio.gather(*(self._start(index) for index in range(len(self._workers))))
        except RayError:
            request_stop(self._folder, "a worker did not start")
            async with self._changed:
                self._changed.notify_all()
            raise

    async def join(self) -> None:
        """A barrier for the clients: Tune would cancel the later ones while the first are taking all the trials."""
        self._missing_clients -= 1
        if self._missing_clients <= 0:
            self._all_here.set()
        try:
            await asyncio.wait_for(self._all_here.wait(), BARRIER_TIMEOUT_S)
        except TimeoutError:  # Tune started fewer; better a sweep with those than none
            self._all_here.set()

    async def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:
        """A slot for the trial. It gets a worker when it is first advanced."""
        for slot, seat in list(self._seats.items()):
            if seat.trial_id == trial_id:  # its client died and came back
                await self.detach(slot)
        slot = next(self._slots)
        self._seats[slot] = _Seat(trial_id, config, checkpoint)
        return slot

    async def advance(self, slot: int, until_step: int) -> Report:
        seat = self._seats[slot]
        while True:
            try:
                if seat.worker is None and not await self._seat(seat):
                    return Report(step=0, state=State.STOPPED, metrics={}, reason="the sweep was stopped")
                report: Report = await self._call(seat, "advance", seat.slot, until_step)
                return report
            except RayActorError as error:
                seat.failures += 1
                self._bury(seat)
                if seat.failures > MAX_FAILURES:
                    reason = f"its worker died {seat.failures} times ({type(error).__name__})"
                    return Report(step=0, state=State.FAILED, metrics={}, reason=reason)

    async def save(self, slot: int, path: Path) -> None:
        seat = self._seats[slot]
        if seat.worker is not None:
            await self._call(seat, "save", seat.slot, path)

    async def detach(self, slot: int) -> None:
        """Free the trial's worker. A slot that is gone already is no error."""
        seat = self._seats.pop(slot, None)
        if seat is None or seat.worker is None:
            return
        index = seat.worker
        try:
            await self._call(seat, "detach", seat.slot)
        except RayActorError:
            self._bury(seat)
        else:
            await self._release(index)

    async def usage(self) -> dict[str, Any]:
        """How busy the workers were, from the first trial's start to the last report, and what each compiled."""
        span_s = self._last_s - self._first_s if self._first_s is not None else 0.0
        workers = []
        for worker in self._workers:
            try:
                stats = await asyncio.wait_for(worker.actor.stats.remote(), timeout=STATS_TIMEOUT_S)
            except (RayActorError, TimeoutError):
                stats = {}
            workers.append({**stats, "busy_s": worker.busy_s, "deaths": worker.deaths})
        return {"span_s": span_s, "workers": workers}

    async def _seat(self, seat: _Seat) -> bool:
        """Wait for a worker and put the trial on it. False when the sweep is to stop."""
        key = seat.config.program_key
        async with self._changed:
            await self._changed.wait_for(lambda: self._free or stop_file(self._folder).exists())
            if stop_file(self._folder).exists():
                self._changed.notify()
                return False
            index = min(self._free, key=lambda i: (key not in self._workers[i].programs, i))
            self._free.remove(index)
        seat.worker = index
        self._workers[index].programs.add(key)
        seat.slot = await self._call(seat, "attach", seat.trial_id, seat.config, seat.checkpoint)
        return True

    async def _call(self, seat: _Seat, name: str, *arguments: Any) -> Any:
        assert seat.worker is not None
        worker = self._workers[seat.worker]
        started_s = time.monotonic()
        self._first_s = self._first_s or started_s
        try:
            return await getattr(worker.actor, name).remote(*arguments)
        finally:
            self._last_s = time.monotonic()
            worker.busy_s += self._last_s - started_s

    async def _release(self, index: int) -> None:
        async with self._changed:
            self._free.add(index)
            self._changed.notify()

    def _bury(self, seat: _Seat) -> None:
        """The seat's worker is dead: Ray starts the actor again, and it is free once it answers."""
        assert seat.worker is not None
        worker = self._workers[seat.worker]
        worker.deaths, worker.programs = worker.deaths + 1, set()
        task = asyncio.ensure_future(self._start(seat.worker))
        self._revivals.add(task)
        task.add_done_callback(self._revivals.discard)
        seat.worker, seat.checkpoint = None, None  # the newest checkpoint in its folder

    async def _start(self, index: int) -> None:
        await self._workers[index].actor.stats.remote()  # answers once it has started
        await self._release(index)


def start_pool(make: WorkerKind, study_folder: Path, groups: Sequence[DeviceGroup], clients: int, name: str) -> Any:
    """Start the pool and its workers. Returns the actor's handle; clients find it by `name`."""
    environment = {"PODIUM_HOME": str(home()), "PODIUM_WORKSPACE": str(workspace())}
    # On the head node, beside the clients: the loss of another node takes neither.
    return (
        ray.remote(Pool)
        .options(name=name, num_cpus=0, resources={"node:__internal_head__": 0.001}, max_concurrency=1000)
        .remote(make, study_folder, groups, clients, environment)
    )


def _options(group: DeviceGroup) -> dict[str, Any]:
    resources = {name: amount for name, amount in group.options.items() if name not in ("num_cpus", "num_gpus")}
    return {
        "num_cpus": len(group.cores) if group.cores else group.options.get("num_cpus", 1),
        "num_gpus": group.options.get("num_gpus", 0),
        "resources": resources,
        "max_restarts": -1,
    }
