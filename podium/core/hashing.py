"""Hashes of canonical JSON, files and sets of files."""

import hashlib
import json
from collections.abc import Iterable
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


def sha256_files(root: Path, files: Iterable[Path]) -> str:
    """One hash of the names (relative to `root`) and contents of `files`; their order does not matter."""
    return sha256_json({file.relative_to(root).as_posix(): sha256_file(file) for file in files})
