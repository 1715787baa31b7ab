"""Damaged files are kept under another name, so that whoever looks for what was lost still finds it."""

from dataclasses import dataclass, field
from pathlib import Path

from podium.core.errors import PodiumError
from podium.core.files import link_or_copy


class DamagedFile(PodiumError):
    """A file is not what was written, or is missing; the message names it."""


@dataclass
class Findings:
    """What a repair did, and what it could not bring back: one line each."""

    done: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.done or self.lost)


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder to `NAME.damaged-1`, or the first number that is free; returns the new path.

    Raises:
        PodiumError: the disk refused it.
    """
    kept = _free_name(path)
    try:
        return path.rename(kept)
    except OSError as error:
        raise PodiumError(f"cannot rename {path} to {kept.name}: {error.strerror or error}") from error


def keep_copy(path: Path) -> Path:
    """As `set_aside`, but the file also keeps its name until another file takes it, so that it is never missing."""
    kept = _free_name(path)
    try:
        link_or_copy(path, kept)
    except OSError as error:
        raise PodiumError(f"cannot keep {path} as {kept.name}: {error.strerror or error}") from error
    return kept


def _free_name(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return kept
