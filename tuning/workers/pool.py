"""The worker pool: Ray actors that hold the devices, behind the four calls of a single worker.

The pool is an actor itself, because its callers, the clients that Tune starts, are processes of their own. It gives
each trial the next free worker, preferring one that has its program compiled, fills the place of one that died and
goes on with its trial from the newest checkpoint, as it does for the next client of a trial whose client died, makes
places of the devices that a new node brings, and ends a trial whose time is up.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import ray

from podium.core.config import RunConfig
from podium.core.errors import PodiumError
from podium.core.files import write_text
from podium.core.paths import home, workspace
from podium.core.records import Report
from podium.core.states import State
from tuning.protocol import out_of_time
from tuning.study.files import end_file, request_stop, stop_file, trial_dir
from tuning.workers.assignments import Past, Rules, Seat
from tuning.workers.cluster import nodes, on_node
from tuning.workers.failures import Watch
from tuning.workers.resources import Plan
from tuning.workers.worker import WorkerKind
from tuning.workers.worker_slots import DEATHS, Place

BARRIER_TIMEOUT_S = 60.0
STATS_TIMEOUT_S = 30.0  # a worker may be just being started again
LOOK_EVERY_S = 2.0  # for new nodes, and for clients that died
END_GRACE_S = 5.0  # what a trial whose time is up has to end at a step


class Pool:
    """Made into an actor by `start_pool`. Every call may wait; none blocks another."""

    def __init__(
        self,
        make: WorkerKind,
        study_folder: Path,
        plan: Plan,
        clients: int,
        environment: Mapping[str, str],
        rules: Rules,
    ) -> None:
        self._folder, self._plan, self._rules = study_folder, plan, rules
        self._place = partial(Place, make, study_folder, environment)
        self._places = [self._place(group, index) for index, group in enumerate(plan.groups(nodes()))]
        self._free: set[Place] = set()
        self._changed = asyncio.Condition()
        self._seats: dict[int, Seat] = {}
        self._pasts: defaultdict[int, Past] = defaultdict(Past)  # by trial
        self._slots = count()
        self._missing_clients, self._all_here = clients, asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()  # a task that nobody holds may be collected

    async def ready(self) -> None:
        """Until every worker has started. If one cannot, the sweep is stopped and this raises what kept it."""
        try:
            await asyncio.gather(*(self._fill(place) for place in self._places))
        except DEATHS:
            await self._stop("a worker did not start")
            raise
        self._do(self._look_around())

    async def join(self) -> None:
        """A barrier for the clients: Tune would cancel the later ones while the first are taking all the trials."""
        self._missing_clients -= 1
        if self._missing_clients <= 0:
            self._all_here.set()
        try:
            await asyncio.wait_for(self._all_here.wait(), BARRIER_TIMEOUT_S)
        except TimeoutError:  # Tune started fewer; better a sweep with those than none
            self._all_here.set()

    async def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None, client: int) -> tuple[int, int]:
        """A slot for the trial, which gets a worker when it is first advanced, and the step to advance it to where an
        earlier client of its asked for that and died, else 0. `client` is the process that asks."""
        for slot, seat in list(self._seats.items()):
            if seat.trial_id == trial_id:
                await self._bury_client(slot)
        slot, past = next(self._slots), self._pasts[trial_id]
        self._seats[slot] = Seat(trial_id, config, checkpoint, client, past)
        end_file(self._folder, trial_id).unlink(missing_ok=True)
        return slot, past.asked

    async def advance(self, slot: int, until_step: int) -> Report:
        seat = self._seats[slot]
        seat.past.asked = until_step
        async with seat.past.turn:
            return await self._advance(seat, until_step)

    async def save(self, slot: int, path: Path) -> None:
        """Save the trial and write to `path` where its checkpoint is; `path` is unchanged if the save fails."""
        seat = self._seats[slot]
        if seat.place is None or seat.slot is None:
            return
        try:
            await seat.place.call("save", seat.slot, path)
        except DEATHS as error:  # the trial resumes from an older checkpoint
            self._bury(seat, seat.watch.cause(str(error)))

    async def detach(self, slot: int) -> None:
        """Free the trial's worker. A slot that is gone already is no error."""
        if seat := self._seats.get(slot):
            self._pasts.pop(seat.trial_id, None)
            await self._leave(slot)

    async def usage(self) -> dict[str, Any]:
        """How busy the workers were, from the first trial's start to the last report, and what each compiled."""
        started = [place.first_s for place in self._places if place.first_s is not None]
        span_s = max(place.last_s for place in self._places) - min(started) if started else 0.0
        workers = await asyncio.gather(*(place.usage(STATS_TIMEOUT_S) for place in self._places))
        return {"span_s": span_s, "workers": workers}

    async def _advance(self, seat: Seat, until_step: int) -> Report:
        while (end := seat.past.end(self._rules)) is None:
            if seat.place is None and not await self._seat(seat):
                return Report(step=0, state=State.STOPPED, metrics={}, reason="the sweep was stopped")
            try:
                if seat.slot is None:
                    seat.slot = await self._in_time(seat, "attach", seat.trial_id, seat.config, seat.checkpoint)
                report: Report = await self._in_time(seat, "advance", seat.slot, until_step)
                return report
            except TimeoutError:
                assert self._rules.trial_timeout_s is not None
                return out_of_time(self._rules.trial_timeout_s, killed=seat.place is None)
            except DEATHS as error:
                self._bury(seat, seat.watch.cause(str(error)))
        return end

    async def _seat(self, seat: Seat) -> bool:
        """Wait for a worker that lives and give it to the trial. False when the sweep is to stop, or nobody waits."""
        key = seat.config.program_key
        while seat.place is None:
            async with self._changed:
                await self._changed.wait_for(lambda: seat.is_left or self._free or stop_file(self._folder).exists())
                if seat.is_left or stop_file(self._folder).exists():
                    self._changed.notify()
                    return False
                place = min(self._free, key=lambda place: (key not in place.programs, place.index))
                self._free.remove(place)
            if await place.answers():
                seat.place, seat.slot = place, None
                seat.watch = Watch.begin(place.log)
                place.programs.add(key)
            else:  # it died while it had nothing to do
                self._refill(place)
        return True

    async def _in_time(self, seat: Seat, name: str, *arguments: Any) -> Any:
        """A worker's answer. Where the trial's time is up, it is asked to end; a worker that does not, is killed.

        Raises:
            TimeoutError: the trial's time was up.
        """
        assert seat.place is not None
        limit_s, started_s = self._rules.trial_timeout_s, time.monotonic()
        call = asyncio.ensure_future(seat.place.call(name, *arguments))
        try:
            left_s = None if limit_s is None else max(0.0, limit_s - seat.ran_s)
            if call in (await asyncio.wait({call}, timeout=left_s))[0]:
                return call.result()
            write_text(end_file(self._folder, seat.trial_id), "its time is up")
            if call not in (await asyncio.wait({call}, timeout=END_GRACE_S))[0]:
                seat.place.kill()
                await asyncio.wait({call})
                self._bury(seat, "did not end when it was asked to, and was killed")
            raise TimeoutError
        finally:
            seat.ran_s += time.monotonic() - started_s

    async def _release(self, place: Place) -> None:
        async with self._changed:
            self._free.add(place)
            self._changed.notify()

    def _bury(self, seat: Seat, cause: str) -> None:
        """The seat's worker is dead: keep what it said last, and fill its place."""
        assert seat.place is not None
        self._mourn(seat, f"worker {cause}")
        self._refill(seat.place)
        seat.place = None  # it goes on from the newest checkpoint

    async def _bury_client(self, slot: int) -> None:
        """The client that held this slot is dead, and has left its worker to the next one, or to other trials."""
        if seat := self._seats.get(slot):
            self._mourn(seat, f"client {seat.watch.cause(f'pid: {seat.client}')}")
            await self._leave(slot)

    def _mourn(self, seat: Seat, cause: str) -> None:
        seat.past.deaths, seat.past.cause = seat.past.deaths + 1, cause
        lines = [f"its {cause}", *seat.watch.tail()]
        with contextlib.suppress(PodiumError):  # a full disk may be what it died of
            write_text(trial_dir(self._folder, seat.trial_id) / "log_tail.txt", "\n".join(lines) + "\n")

    async def _leave(self, slot: int) -> None:
        """Give up a seat, once what was asked for it is done: nobody else may work on the trial meanwhile."""
        seat = self._seats.pop(slot)
        seat.is_left = True
        async with self._changed:
            self._changed.notify_all()
        async with seat.past.turn:
            if (place := seat.place) is None:
                return
            try:
                if seat.slot is not None:
                    await place.call("detach", seat.slot)
            except DEATHS:
                self._refill(place)
            else:
                await self._release(place)

    def _refill(self, place: Place) -> None:
        place.bury()
        self._do(self._fill_or_stop(place))

    async def _look_around(self) -> None:
        """From time to time: are there new nodes, and do all clients live?"""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for slot in [slot for slot, seat in self._seats.items() if not seat.client_lives]:
                self._do(self._bury_client(slot))
            await self._grow()

    async def _grow(self) -> None:
        """Make a place of every device that a new node brings, as far as the plan goes."""
        alive = await asyncio.to_thread(nodes)
        names = {node.id for node in alive}
        taken = [place.group for place in self._places if place.group.node in names]
        for group in self._plan.groups(alive, taken):
            self._places.append(self._place(group, len(self._places)))
            self._do(self._fill_or_stop(self._places[-1]))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fill(self, place: Place) -> None:
        await place.fill()
        await self._release(place)

    async def _fill_or_stop(self, place: Place) -> None:
        """A sweep goes on with the workers that it has; with none it ends."""
        try:
            await self._fill(place)
        except DEATHS as error:
            if all(other.is_lost for other in self._places):
                await self._stop(f"no worker is left; the last one {Watch(place.log).cause(str(error))}")

    async def _stop(self, reason: str) -> None:
        request_stop(self._folder, reason, failed=True)
        async with self._changed:
            self._changed.notify_all()


def start_pool(make: WorkerKind, study_folder: Path, plan: Plan, clients: int, name: str, rules: Rules) -> Any:
    """Start the pool and its workers. Returns the actor's handle; clients find it by `name`."""
    environment = {"PODIUM_HOME": str(home()), "PODIUM_WORKSPACE": str(workspace()), "PWD": str(Path.cwd())}
    # With the driver and the clients: the loss of another node takes none of them.
    options = {"num_cpus": 0, "scheduling_strategy": on_node(ray.get_runtime_context().get_node_id())}
    return (
        ray.remote(Pool)
        .options(name=name, max_concurrency=1000, **options)
        .remote(make, study_folder, plan, clients, environment, rules)
    )
