"""The one byte layout that a package has: a zip of stored members in the order of their names, and nothing else.

Every field of its headers follows from the members' names and contents (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and
4.3.16). So the same members give the same bytes, and a zip can be compared with what its own members give.
Compression would differ between builds of zlib.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from podium.core.errors import UsageError
from podium.core.redaction import shown

CHUNK = 2**20  # bytes
MOST_MEMBERS, MOST_BYTES = 20_000, 2**32 - 2  # without the extensions of zip64
LONGEST_NAME = 300  # characters

_LOCAL, _CENTRAL, _END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
_MADE_BY, _NEEDED = 3 << 8 | 20, 20  # Unix, version 2.0
_DATE = (1980 - 1980) << 9 | 1 << 5 | 1  # the first day that a zip can name
_PLAIN_FILE = 0o100644 << 16


@dataclass(frozen=True)
class Member:
    """A file of a zip; its data begins at `offset` bytes."""

    name: str
    crc: int
    size: int
    offset: int


def zip_parts(members: Iterable[tuple[str, Callable[[], Iterable[bytes]]]]) -> Iterator[bytes]:
    """The bytes of a zip, part by part. A member is its name and a function that gives its data, which is read twice.

    Raises:
        UsageError: a name is not allowed, the names are not in order, or there is more than such a zip holds.
    """
    written, offset = [], 0
    for name, chunks in members:
        _check_name(name)
        size, crc = crc_of(chunks())
        header = _local(name, crc, size)
        if offset + len(header) + size > MOST_BYTES:
            raise UsageError(f"a package holds at most {MOST_BYTES:,} bytes; {name} of {size:,} bytes does not fit")
        written.append(Member(name, crc, size, offset + len(header)))
        yield header
        yield from chunks()
        offset += len(header) + size
    _check_names([member.name for member in written])
    yield _directory(written, offset)


def crc_of(chunks: Iterable[bytes]) -> tuple[int, int]:
    """(size, crc32) of a member's data."""
    size = crc = 0
    for chunk in chunks:
        size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    return size, crc


def read_members(file: BinaryIO, size: int) -> list[Member]:
    """The members of a zip of `size` bytes. All its bytes but the members' data are compared with the layout.

    Raises:
        UsageError: the zip is not, byte for byte, of this layout, or a name is not allowed. Nothing was extracted.
    """
    count, start = _read_end(file, size)
    file.seek(start)
    directory = file.read(size - start)
    members, position, offset = [], 0, 0
    for number in range(1, count + 1):
        fields, name = _central_fields(directory, position, number)
        _refuse_features(fields, name)
        member = Member(name, fields[7], fields[9], offset + _LOCAL.size + len(name))
        if fields[8] != fields[9] or member.offset + member.size > start:
            raise UsageError(
                f"member {shown(name)}: claims {fields[9]:,} bytes ({fields[8]:,} stored), which the zip does not have"
            )
        if fields[16] != offset:
            raise UsageError(f"member {shown(name)}: begins at byte {fields[16]:,}, must begin at {offset:,}: "
                             "there must be no bytes before, between and after the members")  # fmt: skip
        members.append(member)
        position, offset = position + _CENTRAL.size + len(name), member.offset + member.size
    _check_names([member.name for member in members])
    if offset != start:
        raise UsageError(f"{start - offset:,} bytes between the last member and the directory, must be none")
    if _directory(members, start) != directory:
        raise UsageError("the directory differs from what its members give")
    _compare_local(file, members)
    return members


def read_data(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The data of a member. Raises UsageError after the last chunk if its CRC-32 differs, or if it ends early."""
    file.seek(member.offset)
    left, crc = member.size, 0
    while left:
        chunk = file.read(min(CHUNK, left))
        if not chunk:
            raise UsageError(f"member {shown(member.name)}: the zip ends within it")
        left, crc = left - len(chunk), zlib.crc32(chunk, crc)
        yield chunk
    if crc != member.crc:
        raise UsageError(f"member {shown(member.name)}: its CRC-32 is {crc:08x}, the zip says {member.crc:08x}")


def file_chunks(path: Path) -> Iterator[bytes]:
    """The content of a file. Raises UsageError if it cannot be read."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error


def _local(name: str, crc: int, size: int) -> bytes:
    head = _LOCAL.pack(b"PK\x03\x04", _NEEDED, 0, 0, 0, _DATE, crc, size, size, len(name), 0)
    return head + name.encode("ascii")


def _directory(members: Iterable[Member], start: int) -> bytes:
    """The central directory, which begins at byte `start`, and the record at its end."""
    entries = []
    for m in members:
        sizes, at = (m.crc, m.size, m.size), m.offset - _LOCAL.size - len(m.name)
        head = (b"PK\x01\x02", _MADE_BY, _NEEDED, 0, 0, 0, _DATE, *sizes, len(m.name), 0, 0, 0, 0, _PLAIN_FILE, at)
        entries.append(_CENTRAL.pack(*head) + m.name.encode("ascii"))
    data, count = b"".join(entries), len(entries)
    return data + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(data), start, 0)


def _read_end(file: BinaryIO, size: int) -> tuple[int, int]:
    """(number of members, where the directory begins)."""
    file.seek(max(0, size - _END.size))
    tail = file.read(_END.size)
    if len(tail) < _END.size or not tail.startswith(b"PK\x05\x06"):
        raise UsageError("it does not end as a zip without comment does; it is truncated, or has bytes after its end")
    _, disk, first_disk, here, count, length, start, comment = _END.unpack(tail)
    if (disk, first_disk, here, comment) != (0, 0, count, 0):
        raise UsageError("its last record names other disks, other members or a comment, must be one plain zip")
    if not 0 < count <= MOST_MEMBERS or start + length + _END.size != size:
        raise UsageError(
            f"its directory of {count:,} members and {length:,} bytes at byte {start:,} does not end at its last record"
        )
    if length > count * (_CENTRAL.size + LONGEST_NAME):
        raise UsageError(f"its directory has {length:,} bytes for {count:,} members, which is too much")
    return count, start


def _central_fields(directory: bytes, position: int, number: int) -> tuple[tuple[Any, ...], str]:
    """The fields of an entry of the directory, of which the first is its signature, and its name."""
    head = directory[position : position + _CENTRAL.size]
    if len(head) < _CENTRAL.size or not head.startswith(b"PK\x01\x02"):
        raise UsageError(f"member {number}: its entry of the directory is not one")
    fields = _CENTRAL.unpack(head)
    encoded = directory[position + _CENTRAL.size : position + _CENTRAL.size + fields[10]]
    name = encoded.decode("utf-8", errors="backslashreplace")
    _check_name(name)
    return fields, name


def _refuse_features(fields: tuple[Any, ...], name: str) -> None:
    """Raises UsageError for an entry that uses what a package has no use for."""
    kind = fields[15] >> 16 & 0o170000
    if kind not in (0, 0o100000):
        what = {0o120000: "a symbolic link", 0o040000: "a folder"}.get(kind, "a special file")
        raise UsageError(f"member {shown(name)}: is {what}, must be a plain file")
    expected = (
        ("made by", 1, _MADE_BY), ("version", 2, _NEEDED), ("flags", 3, 0), ("compression method", 4, 0),
        ("time", 5, 0), ("date", 6, _DATE), ("extra fields", 11, 0), ("comment", 12, 0), ("disk", 13, 0),
        ("internal attributes", 14, 0), ("mode", 15, _PLAIN_FILE),
    )  # fmt: skip
    for what, index, value in expected:
        if fields[index] != value:
            raise UsageError(f"member {shown(name)}: {what} {fields[index]:#x}, must be {value:#x}")


def _check_name(name: str) -> None:
    """Raises UsageError unless `name` is a relative path that every file system takes as it is."""
    if not name.isascii() or not name.isprintable() or len(name) > LONGEST_NAME or set(name) & set('\\:*?"<>|'):
        raise UsageError(f"member {shown(name)}: its name must be plain ASCII of up to {LONGEST_NAME} characters")
    if any(part in ("", ".", "..") or part != part.strip() or part.endswith(".") for part in name.split("/")):
        raise UsageError(f"member {shown(name)}: its name must be a relative path without . and ..")


def _check_names(names: list[str]) -> None:
    """Raises UsageError unless every file system gives each name a place of its own below the folder of extraction."""
    places: dict[str, str] = {}  # every file and folder, as a file system without upper case sees it
    for name in names:
        _check_name(name)
        parts = name.split("/")
        folders = ["/".join(parts[:end]) + "/" for end in range(1, len(parts))]
        for place in (*folders, name):
            earlier = places.get(place.rstrip("/").casefold())
            if earlier is not None and (earlier != place or place == name):
                raise UsageError(f"member {shown(name)}: {shown(place)} has the place of {shown(earlier)}")
            places[place.rstrip("/").casefold()] = place
    if names != sorted(names):
        raise UsageError("its members are not in the order of their names")


def _compare_local(file: BinaryIO, members: Iterable[Member]) -> None:
    for member in members:
        expected = _local(member.name, member.crc, member.size)
        file.seek(member.offset - len(expected))
        if file.read(len(expected)) != expected:
            raise UsageError(f"member {shown(member.name)}: its header differs from its entry of the directory")
