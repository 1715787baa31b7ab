"""The process of a worker: this process, or a Ray actor. It binds itself to cores and reports errors of trials."""

import contextlib
import os
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

from podium.core import settings
from podium.core.config import RunConfig
from podium.core.errors import PodiumError, RunFailed
from podium.core.files import is_full_disk, write_text
from podium.core.paths import study_dir
from podium.core.records import Report
from podium.core.redaction import one_line, redact
from podium.core.states import State
from tuning.study.activity import told_in
from tuning.study.files import TRACEBACK_FILE, WORKERS_DIR, no_room, report_file, request_stop, trial_dir
from tuning.study.locks import WorkersLock
from tuning.workers.failures import keep_output
from tuning.workers.memory import peak_memory_gb, reset_peak
from tuning.workers.resources import cores_here
from tuning.workers.usage import UsageMeter
from tuning.workers.worker import WorkerKind


class WorkerProcess:
    """The four calls of a worker. They do not raise errors of a trial: `advance` reports them as the trial's state."""

    def __init__(
        self,
        make: WorkerKind,
        study_folder: Path,
        cores: tuple[int, ...] | None = None,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        """`environment` and `log` are for a Ray actor: the driver's environment variables and current folder, and the
        file that gets what the process prints."""
        os.environ.update(environment or {})
        if environment:
            with contextlib.suppress(OSError):  # on a node without that folder, Ray's runtime environment has the files
                os.chdir(environment["PWD"])  # so that relative paths in a config mean the same as in the driver
        self._is_actor = log is not None
        if log:
            study_folder = _local_study_folder(study_folder)
            keep_output(study_folder / WORKERS_DIR / log.name)
            self._workers_lock = WorkersLock(study_folder).share()
        if cores:
            bind_to_cores(cores)
        self._folder = study_folder
        self._worker = make(study_folder)
        self._meter = UsageMeter()
        self._next_slot = count()
        # Slot -> (trial, the slot in the worker, or the report of why `attach` failed)
        self._slots: dict[int, tuple[int, int | Report]] = {}

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:
        attached: int | Report
        reset_peak()
        try:
            with self._telling(trial_id):
                attached = self._worker.attach(trial_id, config, checkpoint)
        except Exception as error:  # noqa: BLE001  recorded as the trial's state
            attached = self._failure_report(trial_id, error)
        slot = next(self._next_slot)
        self._slots[slot] = (trial_id, attached)
        return slot

    def advance(self, slot: int, until_step: int) -> Report:
        trial_id, attached = self._slots[slot]
        if isinstance(attached, Report):
            return attached
        try:
            with self._telling(trial_id):
                report = self._with_usage(self._worker.advance(attached, until_step))
            if report.state not in (State.STOPPED, State.FAILED):  # a resume must not act on these again
                write_text(report_file(self._folder, trial_id), report.model_dump_json())
        except Exception as error:  # noqa: BLE001  recorded as the trial's state
            return self._failure_report(trial_id, error)
        return report

    def save(self, slot: int, path: Path) -> None:
        """Save the trial. If that fails, the reason goes to the trial's folder and `path` is not written."""
        trial_id, attached = self._slots[slot]
        if isinstance(attached, int):
            try:
                self._worker.save(attached, path)
            except Exception as error:  # noqa: BLE001  the trial continues; no other trial can copy it
                self._failure_report(trial_id, error)

    def detach(self, slot: int) -> None:
        trial_id, attached = self._slots.pop(slot, (0, None))
        if isinstance(attached, int):
            try:
                self._worker.detach(attached)
            except Exception as error:  # noqa: BLE001  the trial has ended already; the error is recorded beside it
                self._failure_report(trial_id, error)

    def stats(self) -> dict[str, Any]:
        return {"pid": os.getpid(), **self._worker.stats()}

    def _telling(self, trial_id: int) -> AbstractContextManager[None]:
        """An actor tells what it does in a file; this process tells whoever listens in it."""
        return told_in(trial_dir(self._folder, trial_id)) if self._is_actor else nullcontext()

    def _with_usage(self, report: Report) -> Report:
        """Add what the trial used of the machine to the report. Metrics of the worker with the same name win."""
        peak = peak_memory_gb()
        used = {**self._meter.read(), **({} if peak is None else {"peak_memory_gb": peak})}
        return report.model_copy(update={"metrics": {**used, **report.metrics}})

    def _failure_report(self, trial_id: int, error: Exception) -> Report:
        """A report with the reason in one line; the traceback goes to the trial's folder. A full disk, which is not the
        trial's fault, stops the sweep instead."""
        if is_full_disk(error):
            request_stop(self._folder, redact(no_room(error)), failed=True)
            return Report(step=0, state=State.STOPPED, metrics={}, reason="the disk is full")
        lines = traceback.format_exception(error)
        with contextlib.suppress(PodiumError):  # a full disk may be why the trial failed
            write_text(trial_dir(self._folder, trial_id) / TRACEBACK_FILE, redact("".join(lines)))
        reason = str(error) if isinstance(error, PodiumError) else f"{type(error).__name__}: {error}"
        state = error.state if isinstance(error, RunFailed) else State.FAILED
        return Report(step=0, state=state, metrics={}, reason=one_line(reason))


def _local_study_folder(study_folder: Path) -> Path:
    """The study's folder on this node. If PODIUM_NODE_WORKSPACE is set, it is created there; a sweep with --storage
    then keeps it in sync with the driver's."""
    own = settings.variable("PODIUM_NODE_WORKSPACE")
    if not own:
        return study_folder
    os.environ["PODIUM_WORKSPACE"] = own
    study_dir(study_folder.name).mkdir(parents=True, exist_ok=True)
    return study_dir(study_folder.name)


def bind_to_cores(cores: tuple[int, ...]) -> None:
    """Bind this process, with its present and future threads, to `cores`, and limit XLA to as many threads.

    `cores` are indices into the cores that the process may use here, modulo their number: Ray may count more cores than
    there are. Call it before JAX is imported.
    """
    # Measured on 2 cores: two processes with a core each train 1.3 times the tokens/s of one process on both.
    allowed = cores_here()
    chosen = {allowed[core % len(allowed)] for core in cores}
    for thread in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ():  # noqa: PTH112, PTH208
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread), chosen)
    os.environ["OMP_NUM_THREADS"] = os.environ["NPROC"] = str(len(cores))
