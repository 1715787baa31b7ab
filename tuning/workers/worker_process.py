"""What a worker lives in, here or in a Ray actor of its own: binds it to its cores, turns crashes into reports."""

import contextlib
import os
import traceback
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, RunFailed
from podium.core.files import is_full_disk, write_text
from podium.core.paths import study_dir
from podium.core.records import Report
from podium.core.redaction import one_line, redact
from podium.core.states import State
from tuning.study.files import no_room, report_file, request_stop, trial_dir
from tuning.study.locks import WorkersLock
from tuning.workers.failures import keep_output
from tuning.workers.memory import peak_memory_gb, reset_peak
from tuning.workers.resources import cores_here
from tuning.workers.usage import Meter
from tuning.workers.worker import WorkerKind


class Host:
    """The four calls of a worker, none of which raises for what a trial does: that is a report with state failed."""

    def __init__(
        self,
        make: WorkerKind,
        study_folder: Path,
        cores: tuple[int, ...] | None = None,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        """`environment` is the driver's, for a process that was started before the driver was, and in another folder;
        `log` gets what such a process prints."""
        os.environ.update(environment or {})
        if environment:
            with contextlib.suppress(OSError):  # a node without that folder has what was sent to it
                os.chdir(environment["PWD"])  # a relative path in a config means what it means to the driver
        if log:
            study_folder = _folder_here(study_folder)
            keep_output(study_folder / "workers" / log.name)
            self._presence = WorkersLock(study_folder).share()
        if cores:
            bind_to_cores(cores)
        self._folder = study_folder
        self._worker = make(study_folder)
        self._meter = Meter()
        self._numbers = count()
        self._slots: dict[int, tuple[int, int | Report]] = {}  # ours -> (trial, the worker's slot or why there is none)

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:
        held: int | Report
        reset_peak()
        try:
            held = self._worker.attach(trial_id, config, checkpoint)
        except Exception as error:  # noqa: BLE001  recorded as the trial's state
            held = self._failure(trial_id, error)
        slot = next(self._numbers)
        self._slots[slot] = (trial_id, held)
        return slot

    def advance(self, slot: int, until_step: int) -> Report:
        trial_id, held = self._slots[slot]
        if isinstance(held, Report):
            return held
        try:
            report = self._measured(self._worker.advance(held, until_step))
            if report.state not in (State.STOPPED, State.FAILED):  # those say nothing that a resume should hear again
                write_text(report_file(self._folder, trial_id), report.model_dump_json())
        except Exception as error:  # noqa: BLE001  recorded as the trial's state
            return self._failure(trial_id, error)
        return report

    def save(self, slot: int, path: Path) -> None:
        """What keeps it from being saved goes to the trial's folder: `path` is not written then."""
        trial_id, held = self._slots[slot]
        if isinstance(held, int):
            try:
                self._worker.save(held, path)
            except Exception as error:  # noqa: BLE001  the trial goes on; nobody can copy it
                self._failure(trial_id, error)

    def detach(self, slot: int) -> None:
        trial_id, held = self._slots.pop(slot, (0, None))
        if isinstance(held, int):
            try:
                self._worker.detach(held)
            except Exception as error:  # noqa: BLE001  the trial's fate is known; this goes beside it
                self._failure(trial_id, error)

    def stats(self) -> dict[str, Any]:
        return {"pid": os.getpid(), **self._worker.stats()}

    def _measured(self, report: Report) -> Report:
        """The report with what the trial used of the machine, unless the worker knows better."""
        peak = peak_memory_gb()
        used = {**self._meter.read(), **({} if peak is None else {"peak_memory_gb": peak})}
        return report.model_copy(update={"metrics": {**used, **report.metrics}})

    def _failure(self, trial_id: int, error: Exception) -> Report:
        """A report that says why in one line; the traceback goes to the trial's folder. A full disk is not the trial's
        doing: it stops the sweep."""
        if is_full_disk(error):
            request_stop(self._folder, redact(no_room(error)), failed=True)
            return Report(step=0, state=State.STOPPED, metrics={}, reason="the disk is full")
        lines = traceback.format_exception(error)
        with contextlib.suppress(PodiumError):  # a full disk may be what the trial died of
            write_text(trial_dir(self._folder, trial_id) / "traceback.txt", redact("".join(lines)))
        reason = str(error) if isinstance(error, PodiumError) else f"{type(error).__name__}: {error}"
        state = error.state if isinstance(error, RunFailed) else State.FAILED
        return Report(step=0, state=state, metrics={}, reason=one_line(reason))


def _folder_here(study_folder: Path) -> Path:
    """The study's folder on this node: another than the driver's where PODIUM_NODE_WORKSPACE says so, and there it is
    made. A sweep with --storage keeps the two alike."""
    own = os.environ.get("PODIUM_NODE_WORKSPACE")
    if not own:
        return study_folder
    os.environ["PODIUM_WORKSPACE"] = own
    study_dir(study_folder.name).mkdir(parents=True, exist_ok=True)
    return study_dir(study_folder.name)


def bind_to_cores(cores: tuple[int, ...]) -> None:
    """Bind this process, the threads it has and those it will have, and tell XLA to use no more threads than that.

    `cores` are counted from 0 among those that the process may use here. Ray may count more than there are.
    Must come before JAX is imported. One process a core was measured at 1.3 times the tokens/s of one process on both.
    """
    allowed = cores_here()
    chosen = {allowed[core % len(allowed)] for core in cores}
    for thread in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ():  # noqa: PTH112, PTH208
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread), chosen)
    os.environ["OMP_NUM_THREADS"] = os.environ["NPROC"] = str(len(cores))
