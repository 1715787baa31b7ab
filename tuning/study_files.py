"""The files of a study by which its processes speak to each other: what was reported, and what shall end."""

from pathlib import Path

from podium.core.errors import PodiumError
from podium.core.files import write_text


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


def request_stop(folder: Path, reason: str) -> None:
    """Have the sweep of the study in `folder` end: trials at their next step, with a checkpoint."""
    if not stop_file(folder).exists():
        try:
            write_text(stop_file(folder), reason)
        except PodiumError:  # a full disk has room for an empty file, and is no reason to go on
            stop_file(folder).touch()
