"""The files of a study by which its processes speak to each other: what was reported, and what shall end."""

from dataclasses import dataclass
from pathlib import Path

from podium.core.errors import PodiumError
from podium.core.files import write_text
from podium.core.redaction import one_line

FAILED = "failed: "  # what the stop file begins with where nobody wanted the stop


def trial_dir(folder: Path, number: int) -> Path:
    return folder / "trials" / f"{number:03d}"


def pointer_file(folder: Path, number: int) -> Path:
    """Where a member of a population left its checkpoint at the last meeting: {"checkpoint": path, "step": step}."""
    return trial_dir(folder, number) / "pointer.json"


def report_file(folder: Path, number: int) -> Path:
    """What the trial's worker reported last."""
    return trial_dir(folder, number) / "report.json"


def stop_file(folder: Path) -> Path:
    """While it is there, workers end their trials at the next step and no new trial starts."""
    return folder / "stop"


def end_file(folder: Path, number: int) -> Path:
    """As `stop_file`, for one trial: its time is up."""
    return trial_dir(folder, number) / "end"


def asked_to_end(folder: Path, number: int) -> bool:
    """Whether the worker that runs this trial shall end it at the next step."""
    return stop_file(folder).exists() or end_file(folder, number).exists()


def no_room(error: BaseException) -> str:
    """What could not be written, of an error that a full disk raised, and what to do."""
    return f"{one_line(error).partition('; ')[0]}; free some space"


@dataclass(frozen=True)
class Stop:
    """Why a sweep was to end; `failed` where nobody wanted it to: it could not go on."""

    reason: str
    failed: bool


def request_stop(folder: Path, reason: str, failed: bool = False) -> None:
    """Have the sweep of the study in `folder` end: trials at their next step, with a checkpoint."""
    if not stop_file(folder).exists():
        try:
            write_text(stop_file(folder), FAILED * failed + reason)
        except PodiumError:  # a full disk has room for an empty file, and is no reason to go on
            stop_file(folder).touch()


def requested_stop(folder: Path) -> Stop | None:
    """None where the sweep is not to end."""
    if not stop_file(folder).exists():
        return None
    text = stop_file(folder).read_text()
    if not text:
        return Stop(f"{folder} has no room for another file; free some space", failed=True)
    return Stop(text.removeprefix(FAILED), text.startswith(FAILED))


def cut_short(study: str, why: str, command: str = "") -> PodiumError:
    """Of a sweep that could not go on."""
    again = command or f"podium sweep --resume {study}"
    return PodiumError(f"study {study!r}: {why}; nothing that finished is lost, go on with: {again}")
