"""Atomic files: written to a temporary name, flushed, then renamed, so that a file is whole or absent."""

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from podium.core.errors import PodiumError, UsageError


def is_full_disk(error: BaseException) -> bool:
    """Whether the text of an error says that the disk or the quota is full."""
    return any(os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT))


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically: a reader sees the old file or the new one, never a part.

    Raises:
        PodiumError: the disk refused the file; the old file is unchanged.
    """
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise PodiumError(f"cannot write {path}: {error.strerror or error}; nothing was changed") from error


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, to_json(value))


def to_json(value: Any) -> str:
    """JSON text with indentation and sorted keys. Raises ValueError for NaN and infinity, which JSON does not have."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    write_text(path, "".join(to_line(row) for row in rows))


def to_line(row: Any) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def read_text(path: Path) -> str:
    """The text of a file, without a byte order mark. Raises UsageError if it is missing, unreadable or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; check the path") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises UsageError if it is missing, unreadable or not JSON."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}:{error.lineno}: not JSON ({error.msg}); the file is corrupt") from error


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, value) for every line that is not blank.

    Raises:
        UsageError: the file is missing or a line is not JSON; the message has file, line and reason.
    """
    # Not splitlines(): it also splits at U+2028 and similar characters, which JSON strings may hold.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}:{number}: not JSON ({error.msg})") from error


def create_exclusively(path: Path, text: str) -> bool:
    """Create `path` with `text`, and return whether it did: False if `path` already exists. Atomic across processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A hard link to a finished file is atomic and exclusive, so no reader sees a part of the winner's file.
    temporary = _temporary(path)
    write_text(temporary, text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def link_tree(source: Path, target: Path) -> None:
    """Replace the folder of `target` by one that holds only a copy of the file or folder `source`, named `target`.

    Files are hard links if the file system has them: they take no space, and survive the deletion of `source`.

    Raises:
        PodiumError: the disk refused the copy.
    """
    folder, temporary = target.parent, _temporary(target.parent)
    try:
        temporary.mkdir(parents=True)
        if source.is_dir():
            shutil.copytree(source, temporary / target.name, copy_function=_link)
        else:
            _link(source, temporary / target.name)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    except (OSError, shutil.Error) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise PodiumError(f"cannot keep {source} as {target}: {error}") from error


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # `source` is on another file system, or on one without links
        shutil.copy2(source, target)


def _temporary(path: Path) -> Path:
    """A hidden, random name beside `path`, so that the rename stays on one file system and writers do not collide."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
