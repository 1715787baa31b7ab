"""The worker pool: Ray actors that hold the devices, behind the four calls of a single worker.

The pool is an actor itself, because its callers, the clients that Tune starts, are processes of their own. The pool

- gives each trial the next idle worker, if possible one that has compiled the trial's program;
- replaces a worker that died, and resumes its trial from the newest checkpoint;
- lets the next client of a trial continue when the trial's client died;
- adds workers for the devices of a new node;
- ends a trial that has run for longer than `trial_timeout_s`.
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

from podium.core import settings
from podium.core.config import RunConfig
from podium.core.errors import PodiumError
from podium.core.files import write_text
from podium.core.paths import home, workspace
from podium.core.records import Report
from podium.core.states import State
from tuning.protocol import timeout_report
from tuning.study.files import LOG_TAIL_FILE, end_file, request_stop, stop_file, trial_dir
from tuning.workers.assignments import Assignment, TrialHistory, TrialLimits
from tuning.workers.cluster import nodes, on_node
from tuning.workers.failures import CrashReporter
from tuning.workers.resources import Plan
from tuning.workers.worker import WorkerKind
from tuning.workers.worker_slots import WORKER_DIED, WorkerSlot

BARRIER_TIMEOUT_S = 60.0
STATS_TIMEOUT_S = 30.0  # a worker may be restarting
MONITOR_EVERY_S = 2.0  # for new nodes, and for clients that died
END_GRACE_S = 5.0  # how long a trial that has timed out may take to end at a step


class Pool:
    """The worker pool, which `start_pool` runs as an actor. Every call may wait; none blocks another.

    `slot` is the number that stands for a trial in the calls of its client; `worker` is a WorkerSlot.
    """

    def __init__(
        self,
        make: WorkerKind,
        study_folder: Path,
        plan: Plan,
        n_clients: int,
        environment: Mapping[str, str],
        limits: TrialLimits,
    ) -> None:
        self._folder, self._plan, self._limits = study_folder, plan, limits
        self._new_worker = partial(WorkerSlot, make, study_folder, environment)
        self._workers = [self._new_worker(group, index) for index, group in enumerate(plan.groups(nodes()))]
        self._idle: set[WorkerSlot] = set()
        self._idle_or_stop = asyncio.Condition()  # notified when a worker becomes idle, or waiting may be pointless
        self._assignments: dict[int, Assignment] = {}  # by slot
        self._histories: defaultdict[int, TrialHistory] = defaultdict(TrialHistory)  # by trial
        self._next_slot = count()
        self._n_clients_missing, self._all_joined = n_clients, asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio itself keeps weak references only

    async def ready(self) -> None:
        """Wait until every worker has started. If one cannot start, stop the sweep and raise its error."""
        try:
            await asyncio.gather(*(self._start(worker) for worker in self._workers))
        except WORKER_DIED:
            await self._stop_sweep("a worker did not start")
            raise
        self._run_task(self._monitor())

    async def join(self) -> None:
        """A barrier for the clients. Without it the first ones take all trials, and Tune cancels the later ones."""
        self._n_clients_missing -= 1
        if self._n_clients_missing <= 0:
            self._all_joined.set()
        try:
            await asyncio.wait_for(self._all_joined.wait(), BARRIER_TIMEOUT_S)
        except TimeoutError:  # Tune started fewer clients: run with those
            self._all_joined.set()

    async def attach(
        self, trial_id: int, config: RunConfig, checkpoint: Path | None, client_pid: int
    ) -> tuple[int, int]:
        """Returns a slot for the trial, and the step to which an earlier client that died had advanced it, else 0.

        The trial gets a worker when it is first advanced. `client_pid` is the process that calls.
        """
        for slot, assignment in list(self._assignments.items()):
            if assignment.trial_id == trial_id:
                await self._release_after_client_death(slot)
        slot, history = next(self._next_slot), self._histories[trial_id]
        self._assignments[slot] = Assignment(trial_id, config, checkpoint, client_pid, history)
        end_file(self._folder, trial_id).unlink(missing_ok=True)
        return slot, history.requested_step

    async def advance(self, slot: int, until_step: int) -> Report:
        assignment = self._assignments[slot]
        assignment.history.requested_step = until_step
        async with assignment.history.lock:
            return await self._advance(assignment, until_step)

    async def save(self, slot: int, path: Path) -> None:
        """Save the trial and write to `path` where its checkpoint is; `path` is unchanged if the save fails."""
        assignment = self._assignments[slot]
        if assignment.worker is None or assignment.trial_slot is None:
            return
        try:
            await assignment.worker.call("save", assignment.trial_slot, path)
        except WORKER_DIED as error:  # the trial resumes from an older checkpoint
            self._replace_worker_of(assignment, assignment.crash_reporter.cause(str(error)))

    async def detach(self, slot: int) -> None:
        """Release the trial's worker. Does nothing for a slot that was released before."""
        if assignment := self._assignments.get(slot):
            self._histories.pop(assignment.trial_id, None)
            await self._release(slot)

    async def usage(self) -> dict[str, Any]:
        """How busy the workers were, from the first trial's start to the last report, and what each compiled."""
        started = [worker.first_call_s for worker in self._workers if worker.first_call_s is not None]
        span_s = max(worker.last_call_s for worker in self._workers) - min(started) if started else 0.0
        workers = await asyncio.gather(*(worker.usage(STATS_TIMEOUT_S) for worker in self._workers))
        return {"span_s": span_s, "workers": workers}

    async def _advance(self, assignment: Assignment, until_step: int) -> Report:
        while (final_report := assignment.history.final_report(self._limits)) is None:
            if assignment.worker is None and not await self._assign_worker(assignment):
                return Report(step=0, state=State.STOPPED, metrics={}, reason="the sweep was stopped")
            try:
                if assignment.trial_slot is None:
                    arguments = (assignment.trial_id, assignment.config, assignment.checkpoint)
                    assignment.trial_slot = await self._call_in_time(assignment, "attach", *arguments)
                report: Report = await self._call_in_time(assignment, "advance", assignment.trial_slot, until_step)
                return report
            except TimeoutError:
                assert self._limits.trial_timeout_s is not None
                return timeout_report(self._limits.trial_timeout_s, killed=assignment.worker is None)
            except WORKER_DIED as error:
                self._replace_worker_of(assignment, assignment.crash_reporter.cause(str(error)))
        return final_report

    async def _assign_worker(self, assignment: Assignment) -> bool:
        """Wait for an idle worker that is alive and give it to the trial. False if the sweep stops or the trial was
        released meanwhile."""
        key = assignment.config.program_key

        def must_give_up() -> bool:
            return assignment.is_released or stop_file(self._folder).exists()

        while assignment.worker is None:
            async with self._idle_or_stop:
                await self._idle_or_stop.wait_for(lambda: self._idle or must_give_up())
                if must_give_up():
                    self._idle_or_stop.notify()  # pass it on: another trial may wait for the idle worker
                    return False
                worker = min(self._idle, key=lambda worker: (key not in worker.program_keys, worker.index))
                self._idle.remove(worker)
            if await worker.is_alive():
                assignment.worker, assignment.trial_slot = worker, None
                assignment.crash_reporter = CrashReporter.start(worker.log)
                worker.program_keys.add(key)
            else:  # it died while idle
                self._replace(worker)
        return True

    async def _call_in_time(self, assignment: Assignment, name: str, *arguments: Any) -> Any:
        """Call the trial's worker. When the trial times out, ask it to end, and kill the worker if it does not.

        Raises:
            TimeoutError: the trial has timed out.
        """
        assert assignment.worker is not None
        limit_s, started_s = self._limits.trial_timeout_s, time.monotonic()
        call = asyncio.ensure_future(assignment.worker.call(name, *arguments))
        try:
            left_s = None if limit_s is None else max(0.0, limit_s - assignment.ran_s)
            if call in (await asyncio.wait({call}, timeout=left_s))[0]:
                return call.result()
            write_text(end_file(self._folder, assignment.trial_id), "its time is up")
            if call not in (await asyncio.wait({call}, timeout=END_GRACE_S))[0]:
                assignment.worker.kill()
                await asyncio.wait({call})
                self._replace_worker_of(assignment, "did not end when it was asked to, and was killed")
            raise TimeoutError
        finally:
            assignment.ran_s += time.monotonic() - started_s

    def _replace_worker_of(self, assignment: Assignment, cause: str) -> None:
        """Record that the trial's worker died, and start another in its slot. The trial waits for an idle worker."""
        assert assignment.worker is not None
        self._record_death(assignment, f"worker {cause}")
        self._replace(assignment.worker)
        assignment.worker = None

    async def _release_after_client_death(self, slot: int) -> None:
        """Release the worker of a trial whose client died: the trial's next client attaches again."""
        if assignment := self._assignments.get(slot):
            cause = assignment.crash_reporter.cause(f"pid: {assignment.client_pid}")
            self._record_death(assignment, f"client {cause}")
            await self._release(slot)

    def _record_death(self, assignment: Assignment, cause: str) -> None:
        assignment.history.n_deaths += 1
        assignment.history.last_cause = cause
        lines = [f"its {cause}", *assignment.crash_reporter.log_tail()]
        with contextlib.suppress(PodiumError):  # a full disk may be why it died
            write_text(trial_dir(self._folder, assignment.trial_id) / LOG_TAIL_FILE, "\n".join(lines) + "\n")

    async def _release(self, slot: int) -> None:
        """Take the worker from a trial, once the call that works on the trial has returned."""
        assignment = self._assignments.pop(slot)
        assignment.is_released = True
        async with self._idle_or_stop:
            self._idle_or_stop.notify_all()
        async with assignment.history.lock:
            if (worker := assignment.worker) is None:
                return
            try:
                if assignment.trial_slot is not None:
                    await worker.call("detach", assignment.trial_slot)
            except WORKER_DIED:
                self._replace(worker)
            else:
                await self._mark_idle(worker)

    async def _mark_idle(self, worker: WorkerSlot) -> None:
        async with self._idle_or_stop:
            self._idle.add(worker)
            self._idle_or_stop.notify()

    async def _start(self, worker: WorkerSlot) -> None:
        await worker.start()
        await self._mark_idle(worker)

    async def _start_or_stop_sweep(self, worker: WorkerSlot) -> None:
        """If the worker cannot start, the sweep continues with the others; without any it stops."""
        try:
            await self._start(worker)
        except WORKER_DIED as error:
            if all(other.cannot_start for other in self._workers):
                cause = CrashReporter(worker.log).cause(str(error))
                await self._stop_sweep(f"no worker is left; the last one {cause}")

    def _replace(self, worker: WorkerSlot) -> None:
        worker.discard()
        self._run_task(self._start_or_stop_sweep(worker))

    async def _monitor(self) -> None:
        """Look for clients that died and for new nodes, for as long as the pool lives."""
        while True:
            await asyncio.sleep(MONITOR_EVERY_S)
            for slot in [slot for slot, one in self._assignments.items() if not one.client_is_alive]:
                self._run_task(self._release_after_client_death(slot))
            await self._add_workers()

    async def _add_workers(self) -> None:
        """Start workers on the devices of new nodes, up to the plan's limit."""
        alive = await asyncio.to_thread(nodes)
        names = {node.id for node in alive}
        taken = [worker.group for worker in self._workers if worker.group.node in names]
        for group in self._plan.groups(alive, taken):
            self._workers.append(self._new_worker(group, len(self._workers)))
            self._run_task(self._start_or_stop_sweep(self._workers[-1]))

    def _run_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop_sweep(self, reason: str) -> None:
        request_stop(self._folder, reason, failed=True)
        async with self._idle_or_stop:
            self._idle_or_stop.notify_all()


def start_pool(make: WorkerKind, study_folder: Path, plan: Plan, n_clients: int, name: str, limits: TrialLimits) -> Any:
    """Start the pool and its workers. Returns the actor's handle; clients find it by `name`."""
    environment = {
        "PODIUM_HOME": str(home()),
        "PODIUM_WORKSPACE": str(workspace()),
        "PODIUM_COMPILE_CACHE": settings.get("compile_cache") or "on",
        "PWD": str(Path.cwd()),
    }
    # On the node of the driver and the clients, so that the loss of another node takes none of them.
    options = {"num_cpus": 0, "scheduling_strategy": on_node(ray.get_runtime_context().get_node_id())}
    return (
        ray.remote(Pool)
        .options(name=name, max_concurrency=1000, **options)
        .remote(make, study_folder, plan, n_clients, environment, limits)
    )
