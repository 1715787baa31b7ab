"""Where runs write: the workspace, its disk, the sockets of Ray, and the encoding of file names."""

import locale
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from podium.core.paths import workspace
from podium.doctor.finding import Finding

GB = 1e9
FULL_GB, LITTLE_GB = 0.5, 5.0
SOCKET_BYTES = 107  # of the path of a Unix socket on Linux
# What Ray puts below its temporary folder: the session's name with date, time and process id, and the longest socket.
RAY_SOCKET = "ray/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store"


def workspace_folder() -> Iterator[Finding]:
    folder = workspace()
    if refusal := _refusal(folder):
        yield Finding.broken("workspace", refusal, "set PODIUM_WORKSPACE to a folder that can be written")
    else:
        absent = "" if folder.is_dir() else ", made by the first command that needs it"
        yield Finding.ok("workspace", f"{folder}{absent}")


def disk(free_bytes: int | None = None) -> Iterator[Finding]:
    free = shutil.disk_usage(_nearest(workspace())).free if free_bytes is None else free_bytes
    line = f"{free / GB:.1f} GB free in the workspace"
    fix = "free some, or set PODIUM_WORKSPACE to a larger disk"
    if free < FULL_GB * GB:
        yield Finding.broken("disk", line, fix)
    elif free < LITTLE_GB * GB:
        yield Finding.note("disk", line, fix)
    else:
        yield Finding.ok("disk", line)


def ray_sockets(folder: str | None = None) -> Iterator[Finding]:
    """`folder`: Ray's temporary folder; that of the environment if not given."""
    folder = folder or os.environ.get("RAY_TMPDIR") or "/tmp"
    length = len(os.fsencode(Path(folder) / RAY_SOCKET))
    if length > SOCKET_BYTES:
        line = f"{folder} is too long for Ray's sockets: {length} bytes, must be at most {SOCKET_BYTES}"
        yield Finding.broken("ray sockets", line, "set RAY_TMPDIR to a shorter path, or sweep with --backend inline")
    elif refusal := _refusal(Path(folder)):
        yield Finding.broken("ray sockets", refusal, "set RAY_TMPDIR to a folder that can be written")
    else:
        yield Finding.ok("ray sockets", f"in {Path(folder) / 'ray'}")


def encoding() -> Iterator[Finding]:
    names, text = sys.getfilesystemencoding(), locale.getpreferredencoding()
    if names.lower() == "utf-8":
        yield Finding.ok("encoding", f"file names in {names}, text in {text}")
    else:
        yield Finding.note("encoding", f"file names in {names}, so others cannot be opened", "set PYTHONUTF8=1")


def _nearest(folder: Path) -> Path:
    """The folder, or its nearest parent that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _refusal(folder: Path) -> str | None:
    """Why nothing can be written to the folder, or to its nearest parent that exists; None if something can."""
    nearest = _nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"podium")
            file.flush()
    except OSError as error:
        return f"cannot write to {nearest}: {error.strerror}"
    return None
