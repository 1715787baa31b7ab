"""Hashes over canonical JSON, files and sorted file trees."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from podium.core.errors import UsageError


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no white space, UTF-8, no NaN: equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_json(value: Any) -> str:
    return sha256_bytes(canonical_json(value))


def sha256_file(path: Path) -> str:
    """Raises UsageError where there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error


def sha256_files(root: Path, files: Iterable[Path]) -> str:
    """One hash over the names (relative to `root`) and contents of `files`, whatever their order."""
    return sha256_json({file.relative_to(root).as_posix(): sha256_file(file) for file in files})


def sha256_tree(root: Path, pattern: str = "**/*") -> str:
    """One hash over every file below `root` that matches `pattern`; hidden files are left out."""
    return sha256_files(root, (path for path in root.glob(pattern) if path.is_file() and not path.name.startswith(".")))
