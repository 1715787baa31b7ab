"""The names of a study folder's files, and the files through which its processes tell each other to stop."""

from dataclasses import dataclass
from pathlib import Path

from podium.core.errors import PodiumError
from podium.core.files import write_text
from podium.core.redaction import one_line

# In the folder of a study; tuning/study/study.py says what each holds.
SPACE_FILE = "space.yaml"
SUMMARY_FILE = "summary.json"
STORAGE_FILE = "storage.json"
JOURNAL_FILE, SQLITE_FILE = "journal.log", "study.db"
DRIVER_LOCK, WORKERS_LOCK = "driver.lock", "workers.lock"
STOP_FILE = "stop"
TRIALS_DIR = "trials"
CONFIRMATION_DIR = "confirmation"  # the runs of a promotion; has a space.yaml, locks, a stop file and trials of its own
CONFIRMATION_RUNS_FILE = "runs.jsonl"  # in it: number, label, seed and config_sha256 of each run
WORKERS_DIR = "workers"  # the log of each worker process
# In the folder of a trial, beside those of every run (podium/core/run_files.py).
REPORT_FILE, POINTER_FILE = "report.json", "pointer.json"
UNTRAINED_FILE = "untrained.json"  # of the base config: the scores of its model before the first step
END_FILE = "end"
ACTIVITY_FILE = "activity.json"  # what its worker is doing; not there between two calls of a worker
EVENTS_FILE = "events.jsonl"  # written by the tracker, one line per event
MLFLOW_RUN_FILE = "mlflow_run_id"  # written by the tracker
TRACEBACK_FILE = "traceback.txt"  # of the exception that a trial raised
LOG_TAIL_FILE = "log_tail.txt"  # the last lines that a worker printed before its process died
DONATED_DIR = "donated"  # the checkpoint that a member of a population copied last

FAILED = "failed: "  # the stop file begins with it if the sweep could not continue


def trial_dir(folder: Path, number: int) -> Path:
    return folder / TRIALS_DIR / f"{number:03d}"


def pointer_file(folder: Path, number: int) -> Path:
    """The file that says where the trial's checkpoint is: {"checkpoint": path, "step": step}."""
    return trial_dir(folder, number) / POINTER_FILE


def report_file(folder: Path, number: int) -> Path:
    """The last report of the trial's worker."""
    return trial_dir(folder, number) / REPORT_FILE


def stop_file(folder: Path) -> Path:
    """While this file exists, workers end their trials at the next step and no new trial starts."""
    return folder / STOP_FILE


def end_file(folder: Path, number: int) -> Path:
    """While this file exists, the worker ends this one trial at its next step: its time is up."""
    return trial_dir(folder, number) / END_FILE


def asked_to_end(folder: Path, number: int) -> bool:
    """Whether the worker that runs this trial must end it at the next step."""
    return stop_file(folder).exists() or end_file(folder, number).exists()


def no_room(error: BaseException) -> str:
    """One line for an error that a full disk raised: what could not be written, and what to do."""
    return f"{one_line(error).partition('; ')[0]}; free some space"


@dataclass(frozen=True)
class Stop:
    """Why a sweep was asked to stop. `failed` means that it could not continue."""

    reason: str
    failed: bool


def request_stop(folder: Path, reason: str, failed: bool = False) -> None:
    """Ask the sweep of the study in `folder` to stop: its trials end at their next step, with a checkpoint.

    The first request counts; later ones change nothing.
    """
    if not stop_file(folder).exists():
        try:
            write_text(stop_file(folder), FAILED * failed + reason)
        except PodiumError:  # a full disk still has room for an empty file, and the sweep must not continue
            stop_file(folder).touch()


def requested_stop(folder: Path) -> Stop | None:
    """The request to stop; None if there is none."""
    if not stop_file(folder).exists():
        return None
    text = stop_file(folder).read_text()
    if not text:
        return Stop(f"{folder} has no room for another file; free some space", failed=True)
    return Stop(text.removeprefix(FAILED), text.startswith(FAILED))


def cannot_continue(study: str, why: str, command: str = "") -> PodiumError:
    """The error of a sweep that could not continue; `command` is the one that resumes it."""
    again = command or f"podium sweep --resume {study}"
    return PodiumError(f"study {study!r}: {why}; nothing that finished is lost, resume with: {again}")
