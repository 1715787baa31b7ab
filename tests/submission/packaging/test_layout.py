"""What is refused before anything is extracted."""

import io
import struct
import zipfile

import pytest

from podium.core.errors import UsageError
from podium.submission.packaging.layout import crc_of, read_data, read_members, zip_parts

FILES = {"run/a.txt": b"alpha", "run/b/c.json": b"{}", "run/empty": b""}


def made(files=FILES):
    return b"".join(zip_parts((name, lambda data=data: (data,)) for name, data in files.items()))


def read(data):
    return read_members(io.BytesIO(data), len(data))


def foreign(*entries, comment=b"", compression=zipfile.ZIP_STORED):
    """A zip by the standard library: entries of (name or ZipInfo, data)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.comment = comment
        for name, data in entries:
            archive.writestr(name, data)
    return buffer.getvalue()


def entry(name, **fields):
    """An entry with the fields that a package has, but for `fields`."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system, info.external_attr = 3, 0o100644 << 16
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def test_the_standard_library_reads_what_is_written():
    with zipfile.ZipFile(io.BytesIO(made())) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


def test_the_standard_library_writes_the_same_bytes():
    """So the layout is no dialect: it is what zipfile makes of plain stored files."""
    assert foreign(*((entry(name), data) for name, data in FILES.items())) == made()


def test_what_was_written_is_read_back():
    data = made()
    members = read(data)
    assert {m.name: b"".join(read_data(io.BytesIO(data), m)) for m in members} == FILES
    assert [(m.size, m.crc) for m in members] == [crc_of([content]) for content in FILES.values()]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/etc/passwd", "must be a relative path"),
        ("../x", "must be a relative path"),
        ("run/../../x", "must be a relative path"),
        ("run//x", "must be a relative path"),
        ("run/./x", "must be a relative path"),
        ("run/x/", "must be a relative path"),
        ("run/x.", "must be a relative path"),
        ("run\\x", "plain ASCII"),
        ("C:x", "plain ASCII"),
        ("run/\u00e4", "plain ASCII"),  # it has two normal forms
        ("run/a\x07", "plain ASCII"),
        ("r" * 301, "plain ASCII|which is too much"),
    ],
)
def test_a_name_that_could_lead_elsewhere(name, message):
    with pytest.raises(UsageError, match=message):
        read(foreign((entry(name), b"x")))
    with pytest.raises(UsageError, match=message):
        made({name: b"x"})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("run/a", "run/a"), "has the place of 'run/a'"),
        (("run/A", "run/a"), "'run/a' has the place of 'run/A'"),
        (("RUN/a", "run/b"), "'run/' has the place of 'RUN/'"),
        (("run/a", "run/a/b"), "'run/a/' has the place of 'run/a'"),
        (("run/b", "run/a"), "not in the order of their names"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_names_for_one_place(names, message):
    with pytest.raises(UsageError, match=message):
        read(foreign(*((entry(name), b"x") for name in names)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"external_attr": 0o120777 << 16}, "is a symbolic link"),
        ({"external_attr": 0o040755 << 16}, "is a folder"),
        ({"external_attr": 0o010644 << 16}, "is a special file"),
        ({"external_attr": 0o100755 << 16}, "mode"),
        ({"create_system": 0}, "made by"),
        ({"date_time": (2026, 11, 27, 0, 0, 0)}, "date"),
        ({"extra": b"\x01\x00\x00\x00"}, "extra fields"),
        ({"comment": b"hello"}, "comment"),
        ({"compress_type": zipfile.ZIP_DEFLATED}, "compression method"),
    ],
)
def test_a_member_with_features_that_a_package_does_not_use(fields, message):
    with pytest.raises(UsageError, match=f"member 'run/a': .*{message}"):
        read(foreign((entry("run/a", **fields), b"x" * 100)))


def test_bytes_around_the_members():
    data = made()
    for changed in (b"x" + data, data + b"x", data + bytes(30), b"", data[:-1], data[:40], b"PK\x05\x06" + bytes(18)):
        with pytest.raises(UsageError):
            read(changed)
    with pytest.raises(UsageError, match="comment"):
        read(foreign((entry("run/a"), b"x"), comment=b"hello"))


def test_bytes_between_members_and_directory():
    data, gap = made(), b"hidden"
    end = len(data) - 22
    (start,) = struct.unpack_from("<L", data, end + 16)
    changed = (
        data[:start] + gap + data[start:end] + data[end : end + 16] + struct.pack("<L", start + len(gap)) + bytes(2)
    )
    with pytest.raises(UsageError, match="6 bytes between the last member and the directory"):
        read(changed)


def test_a_size_that_the_zip_does_not_have():
    """A zip bomb claims it, or stands for it by compression, which is refused."""
    data = bytearray(made())
    (start,) = struct.unpack_from("<L", data, len(data) - 6)
    for offset in (20, 24):  # of both sizes in the first entry of the directory
        struct.pack_into("<L", data, start + offset, 2**32 - 2)
    with pytest.raises(UsageError, match=r"member 'run/a.txt': claims 4,294,967,294 bytes"):
        read(bytes(data))
    with pytest.raises(UsageError, match="compression method"):
        read(foreign(("run/bomb", bytes(10_000_000)), compression=zipfile.ZIP_DEFLATED)[:])


def test_members_that_share_their_bytes():
    data = bytearray(made({"run/a": b"same", "run/b": b"same"}))
    (start,) = struct.unpack_from("<L", data, len(data) - 6)
    struct.pack_into("<L", data, start + 46 + len("run/a") + 42, 0)
    with pytest.raises(UsageError, match="member 'run/b': begins at byte 0"):
        read(bytes(data))


def test_every_flipped_bit_is_found():
    data = made()
    for position in range(len(data)):
        for bit in (1, 128):
            changed = bytearray(data)
            changed[position] ^= bit
            with pytest.raises(UsageError):
                for member in read(bytes(changed)):
                    list(read_data(io.BytesIO(changed), member))
