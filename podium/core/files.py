"""Atomic files: written to a temporary name, flushed, then renamed, so that a file is whole or absent."""

import contextlib
import errno
import gzip
import io
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from podium.core.errors import PodiumError, UsageError
from podium.core.json_text import parse_json
from podium.core.plain_values import Unreadable
from podium.core.temporary import temporary_file, temporary_folder

GZIP = b"\x1f\x8b"  # the first bytes of every gzip file
LONGEST_LINE = 32 * 2**20  # characters
MOST_TIMES = 100  # the size of a gzip file that it may unpack to; text has 3 to 10 times


def is_full_disk(error: BaseException) -> bool:
    """Whether the text of an error says that the disk or the quota is full."""
    return any(os.strerror(code) in str(error) for code in (errno.ENOSPC, errno.EDQUOT))


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically: a reader sees the old file or the new one, never a part.

    Raises:
        PodiumError: the disk refused the file; the old file is unchanged.
    """
    write_parts(path, [data])


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Like `write_bytes`, one part at a time. If `parts` raises, the old file is unchanged."""
    with _written(path, parts) as temporary:
        temporary.replace(path)


@contextlib.contextmanager
def _written(path: Path, parts: Iterable[bytes]) -> Iterator[Path]:
    """A temporary file beside `path` that holds `parts`, flushed to the disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(path) as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
            yield Path(file.name)
    except OSError as error:
        raise PodiumError(f"cannot write {path}: {error.strerror or error}; nothing was changed") from error


def append_whole(file: RawIOBase, line: bytes) -> None:
    """Write `line` to the end of a file that was opened to append, without a buffer, and return when it is on the disk.

    Raises:
        OSError: the disk refuses it; the file is as it was, so that the next line does not follow a part of this one.
    """
    size = file.seek(0, os.SEEK_END)
    if file.write(line) != len(line):
        file.truncate(size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, to_json(value))


def to_json(value: Any) -> str:
    """JSON text with indentation and sorted keys. Raises ValueError for NaN and infinity, which JSON does not have."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    write_parts(path, (to_line(row).encode("utf-8") for row in rows))


def to_line(row: Any) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def read_text(path: Path) -> str:
    """The text of a file. Raises UsageError as `open_text` does."""
    with open_text(path) as file:
        return file.read()


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """The text of a file, decompressed if it is gzip, without byte order mark; lines end in `\\n` and nothing else.

    Raises:
        UsageError: the file is missing, unreadable, not UTF-8 or damaged.
    """
    try:
        # Lines end at \n only: JSON strings and cells of CSV may hold other separators, such as U+2028.
        with _decompressed(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n") as text:
            yield text
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; check the path") from error
    except UnicodeDecodeError as error:
        line = _first_bad_line(path)
        raise UsageError(f"{path}{f':{line}' if line else ''}: is not UTF-8 text; save the file as UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


@contextlib.contextmanager
def _decompressed(path: Path) -> Iterator[BinaryIO]:
    if "\0" in str(path):
        raise FileNotFoundError
    with path.open("rb") as file:
        if file.peek(2).startswith(GZIP):
            with _Unpacked(file, os.fstat(file.fileno()).st_size) as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            yield file


class _Unpacked(gzip.GzipFile):
    """A gzip file that raises OSError in place of filling the memory, if a few bytes stand for very many."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._most = max(LONGEST_LINE, MOST_TIMES * size)

    def read(self, size: int | None = -1) -> bytes:
        return self._within(super().read(self._most + 1 if size is None or size < 0 else size))

    def read1(self, size: int = -1) -> bytes:
        return self._within(super().read1(size))

    def _within(self, data: bytes) -> bytes:
        if self.tell() > self._most:
            raise OSError(f"it unpacks to more than {MOST_TIMES} times its size; unpack it yourself if it is meant to")
        return data


def _first_bad_line(path: Path) -> int:
    """The number of the first line that is not UTF-8; 0 if the file is damaged before its end, too."""
    with contextlib.suppress(OSError, EOFError, zlib.error), _decompressed(path) as file:
        lines = iter(partial(file.readline, LONGEST_LINE), b"")
        return next((number for number, line in enumerate(lines, start=1) if not _is_utf8(line)), 0)
    return 0


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises UsageError if it is missing, unreadable or not JSON."""
    try:
        return parse_json(read_text(path))
    except Unreadable as error:
        raise UsageError(f"{path}{f':{error.line}' if error.line else ''}: {error}") from error


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, value) for every line that is not blank.

    Raises:
        UsageError: the file is missing or a line is not JSON; the message has file, line and reason.
    """
    with open_text(path) as file:
        for number, line in enumerate(lines_of(file), start=1):
            if line.strip():
                try:
                    value = parse_json(line)
                except Unreadable as error:
                    raise UsageError(f"{path}:{number}: {error}") from error
                yield number, value


def lines_of(file: TextIO) -> Iterator[str]:
    """The lines of a file; one of more than LONGEST_LINE characters is given in parts, none of which is JSON."""
    return iter(partial(file.readline, LONGEST_LINE), "")


def create_exclusively(path: Path, text: str) -> bool:
    """Create `path` with `text`, and return whether it did: False if `path` already exists. Atomic across processes.

    Raises:
        PodiumError: the disk refused the file.
    """
    # A hard link to a finished file is atomic and exclusive, so no reader sees a part of the winner's file.
    with _written(path, [text.encode("utf-8")]) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
    return True


def link_tree(source: Path, target: Path) -> None:
    """Replace the folder of `target` by one that holds only a copy of the file or folder `source`, named `target`.

    Files are hard links if the file system has them: they take no space, and survive the deletion of `source`.

    Raises:
        PodiumError: the disk refused the copy.
    """
    folder = target.parent
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder) as temporary:
            if source.is_dir():
                shutil.copytree(source, temporary / target.name, copy_function=link_or_copy)
            else:
                link_or_copy(source, temporary / target.name)
            shutil.rmtree(folder, ignore_errors=True)
            temporary.replace(folder)
    except (OSError, shutil.Error) as error:
        raise PodiumError(f"cannot keep {source} as {target}: {error}") from error


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Give a file a second name; copy it where the file system has no links. Raises OSError."""
    try:
        os.link(source, target)
    except OSError:  # `source` is on another file system, or on one without links
        shutil.copy2(source, target)
