"""Rows of data files: JSONL, a JSON array, CSV, Parquet, Arrow; the text formats may be compressed with gzip.

`podium/core/sources.py` finds the files of a folder or of a set on the Hugging Face hub.
"""

import codecs
import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from podium.core.errors import UsageError
from podium.core.files import open_text, read_json, read_jsonl
from podium.core.plain_values import Unreadable
from podium.core.redaction import one_line

Values = Mapping[str, Any]
BATCH = 1000  # rows of a Parquet file that are in memory at once


@dataclass(frozen=True)
class Row:
    """A row of a table. `number` counts from 1, over all files of a source: for one JSONL file, it is the line."""

    where: str  # file and line, for messages
    number: int
    values: Values


def read_tables(paths: Iterable[Path]) -> Iterator[Row]:
    """The rows of all files, one after another; blank lines are left out.

    Raises:
        UsageError: a file is missing or malformed, or a row is no object; the message has file, line and reason.
    """
    before = number = 0
    for path in paths:
        for number, where, values in _rows_of(path):
            if not isinstance(values, dict):
                raise UsageError(f"{where}: holds {type(values).__name__}, must be an object")
            yield Row(where, before + number, values)
        before, number = before + number, 0


def kind_of(path: Path) -> str:
    """The suffix that says how `path` is read, without `.gz`: `.jsonl` for a.jsonl.gz."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def _rows_of(path: Path) -> Iterator[tuple[int, str, Any]]:
    """(number from 1, place, value) of each row."""
    kind = kind_of(path)
    if kind in COLUMNAR:
        for number, row in enumerate(COLUMNAR[kind](path), start=1):
            yield number, f"{path}: row {number}", _plain(row, f"{path}: row {number}")
        return
    _refuse_binary(path)
    if kind in (".csv", ".tsv"):
        yield from _csv(path)
    elif _starts_with_bracket(path):
        yield from ((number, f"{path}: row {number}", row) for number, row in enumerate(read_json(path), start=1))
    else:
        yield from _json_lines(path)


def _refuse_binary(path: Path) -> None:
    """Raises UsageError for a spreadsheet, an archive and the like, which have zero bytes near their beginning."""
    with open_text(path) as file:
        start = file.buffer.read(1024)
    if b"\0" in start and not start.startswith(UTF16):
        raise UsageError(f"{path}: is not a text file; {KINDS}: save it as one of them")


def _json_lines(path: Path) -> Iterator[tuple[int, str, Any]]:
    number = 0
    try:
        for number, value in read_jsonl(path):
            yield number, f"{path}:{number}", value
    except UsageError as error:
        if not number:
            _refuse_one_object(path)
        if isinstance(error.__cause__, Unreadable):
            raise UsageError(f"{error}; each line must be one JSON object; mend it, or remove it") from error
        raise


def _refuse_one_object(path: Path) -> None:
    """Raises UsageError if the whole file is one JSON object, written over several lines."""
    values = None
    with suppress(UsageError):
        values = read_json(path)
    if isinstance(values, dict):
        key = key_of_rows(values)
        hint = f"; save the list in its key {key!r} as a file" if key else ""
        raise UsageError(f"{path}: is one JSON object, must be an array of objects or one object a line{hint}")


def key_of_rows(values: Values) -> str | None:
    """The first key that holds a list of objects, as `data` of {"data": [{...}, ...]}."""
    lists = (key for key, value in values.items() if isinstance(value, list) and value)
    return next((key for key in lists if all(isinstance(row, dict) for row in values[key])), None)


def _starts_with_bracket(path: Path) -> bool:
    with open_text(path) as file:
        for line in file:
            if line.strip():
                return line.lstrip().startswith("[")
    return False


def _csv(path: Path) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Rows of a file with a heading line, separated by what the heading has most of: comma, semicolon or tab."""
    csv.field_size_limit(sys.maxsize)  # the default is 128 KB for one cell
    with open_text(path) as file:
        heading = file.readline()
        if not heading.strip():
            raise UsageError(f"{path}:1: is blank; the first line of a CSV file must name the columns")
        separator = max(",;\t", key=heading.count)
        file.seek(0)
        lines = csv.reader(file, delimiter=separator, strict=True)
        try:
            names = [name.strip() for name in next(lines)]
            # A spreadsheet may add columns without a name, which hold nothing.
            repeated = next((name for name in names if name and names.count(name) > 1), None)
            if repeated:
                raise UsageError(f"{path}:1: has {names.count(repeated)} columns {repeated!r}; give each its own name")
            for number, cells in enumerate((cells for cells in lines if cells), start=1):
                where = f"{path}:{lines.line_num}"
                if len(cells) != len(names):
                    raise UsageError(f"{where}: has {len(cells)} cells, and the heading has {len(names)}")
                yield number, where, dict(zip(names, cells, strict=True))
        except csv.Error as error:
            raise UsageError(f"{path}:{lines.line_num}: not CSV ({one_line(error)})") from error


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    with _columnar(path, "Parquet"):
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH):
                batch.validate(full=True)
                yield from batch.to_pylist()


def _arrow(path: Path) -> Iterator[dict[str, Any]]:
    """A stream, as the library `datasets` writes it, or a file in Arrow's own format, which begins with ARROW1."""
    with _columnar(path, "Arrow"):
        import pyarrow

        with pyarrow.memory_map(str(path)) as file:
            magic = file.read(6)
            file.seek(0)
            if magic == b"ARROW1":
                reader = pyarrow.ipc.open_file(file)
                batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
            else:
                batches = iter(pyarrow.ipc.open_stream(file))
            for batch in batches:
                # Arrow trusts the offsets in a file; wrong ones read memory that is not there, which kills the process.
                batch.validate(full=True)
                yield from batch.to_pylist()


COLUMNAR: dict[str, Callable[[Path], Iterator[dict[str, Any]]]] = {".parquet": _parquet, ".arrow": _arrow}
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", *COLUMNAR)  # of the files that a folder is searched for
KINDS = f"Podium reads {', '.join(SUFFIXES)}, and .gz of the first five"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # text, though not in UTF-8


@contextmanager
def _columnar(path: Path, kind: str) -> Iterator[None]:
    import pyarrow

    try:
        yield
    # A damaged file can make Arrow raise almost anything, SystemError from Python's own strings included.
    except (OSError, ValueError, ArithmeticError, LookupError, SystemError, pyarrow.ArrowException) as error:
        raise UsageError(f"{path}: cannot be read as {kind} ({one_line(error, 200)})") from error


def _plain(value: Any, where: str) -> Any:
    """`value` as JSON has it. Columns have a value in every row, so an empty one is the same as none."""
    if isinstance(value, dict):
        return {key: _plain(part, where) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_plain(part, where) for part in value]
    if isinstance(value, date | time | Decimal | UUID):
        return str(value)
    if isinstance(value, float) and value != value:  # NaN, which pandas writes for an empty cell
        return None
    if isinstance(value, bytes):
        raise UsageError(f"{where}: a column holds bytes, such as an image; Podium reads text: remove the column")
    return value
