"""Files that are either whole or absent: temporary name, flush, rename."""

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
    """Whether an error says, itself or in its text, that there was no room for a file."""
    return any(os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT))


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, never a part.

    Raises:
        PodiumError: the disk refused it; the old file is as it was.
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
    """Indented, sorted, and without NaN or infinity, which JSON does not have."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    write_text(path, "".join(to_line(row) for row in rows))


def to_line(row: Any) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def read_text(path: Path) -> str:
    """Raises UsageError when the file is missing, unreadable or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; check the path") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error


def read_json(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}:{error.lineno}: not JSON ({error.msg}); the file is corrupt") from error


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, value) for every line that is not blank.

    Raises:
        UsageError: naming file, line and reason.
    """
    # Not splitlines(): it also splits at U+2028 and its like, which JSON strings may hold.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}:{number}: not JSON ({error.msg})") from error


def create_exclusively(path: Path, text: str) -> bool:
    """Create `path` with `text`; False if it was there already. Two callers at once: one True, one False."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A hard link of a finished file is atomic and exclusive, so the winner's content is whole from the first instant.
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
    """Have the folder of `target` hold a copy of the file or folder `source` under that name, and nothing else.

    Files are hard links where the file system has them: they take no room, and stay when `source` is deleted.

    Raises:
        PodiumError: the disk refused it.
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
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _temporary(path: Path) -> Path:
    """Beside `path`, so that the rename stays on one file system; hidden, and unlike any other writer's."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
