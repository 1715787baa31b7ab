"""Hashes of canonical JSON, files and sets of files."""

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from podium.core.errors import UsageError


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no white space, as UTF-8, so that equal values give equal bytes. NaN is refused."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_json(value: Any) -> str:
    return sha256_bytes(canonical_json(value))


def sha256_file(path: Path) -> str:
    """The sha256 of a file. Raises UsageError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error


def sha256_file_cached(path: Path) -> str:
    """`sha256_file`, computed once per process for as long as the file does not change. For weights and trainsets.

    A file counts as unchanged if its inode, size, mtime and ctime are the same.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    return _sha256_of_version(path, (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))


def sha256_files(root: Path, files: Iterable[Path], sha256: Callable[[Path], str] = sha256_file) -> str:
    """One hash over the names (relative to `root`) and contents of `files`, in any order."""
    return sha256_json({file.relative_to(root).as_posix(): sha256(file) for file in files})


@cache
def _sha256_of_version(path: Path, version: tuple[int, ...]) -> str:  # noqa: ARG001 (part of the cache's key)
    return sha256_file(path)
