"""Files and folders under a temporary name, to be renamed once they are complete.

A process locks its own, and the system frees the lock however the process ends. One that is not locked was therefore
left by a process that was killed, and the next writer in the folder removes it.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# Of this host, because a network file system may not show the locks of others.
ENDING = f".{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}.tmp"


@contextlib.contextmanager
def temporary_file(path: Path) -> Iterator[BinaryIO]:
    """A new file beside `path`, open for writing; at the end it is removed, unless it was renamed."""
    with _locked(path, folder=False) as temporary, temporary.open("wb") as file:
        yield file


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path`; at the end it is removed, unless it was renamed."""
    with _locked(path, folder=True) as temporary:
        yield temporary


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes of this host left in `folder` under temporary names."""
    with contextlib.suppress(OSError):  # there is no such folder, or it cannot be read
        for path in folder.iterdir():
            if path.name.endswith(ENDING):
                _remove_unlocked(path)


@contextlib.contextmanager
def _locked(path: Path, folder: bool) -> Iterator[Path]:
    """A new, locked file or folder beside `path`, so that the rename stays on one file system."""
    remove_leftovers(path.parent)
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{ENDING}")
        descriptor = _create(temporary, folder)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if temporary.exists():
            break
        os.close(descriptor)  # it was removed as a leftover before it was locked
    try:
        yield temporary
    finally:
        _remove(temporary)
        os.close(descriptor)


def _create(temporary: Path, folder: bool) -> int:
    """Returns the descriptor of the new file or folder."""
    if folder:
        temporary.mkdir()
        return os.open(temporary, os.O_RDONLY)
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def _remove_unlocked(temporary: Path) -> None:
    with contextlib.suppress(OSError):  # it is locked or gone, or the file system has no locks
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            _remove(temporary)
        finally:
            os.close(descriptor)


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            temporary.unlink()
