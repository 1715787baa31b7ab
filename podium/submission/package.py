"""The package: the evidence of one finished run in a zip whose bytes anyone can make again."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from podium.core.errors import UsageError
from podium.core.files import read_text, write_bytes
from podium.core.hashing import sha256_bytes
from podium.core.paths import home, submission_dir
from podium.core.redaction import secrets_in
from podium.submission.evidence import MANIFEST, files_of, read_complete
from podium.submission.lock import PACKAGES, read_lock
from podium.submission.verify import differences

_FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = 0o100644 << 16
_UNIX = 3


@dataclass(frozen=True)
class Package:
    """A zip that was written; `size` in bytes."""

    path: Path
    sha256: str
    files: tuple[str, ...]
    size: int


def package(name: str) -> Package:
    """Zip the evidence of submission `name` into submission_runs/packages/.

    Raises:
        UsageError: no such submission, one that is not complete, or a file of it that was changed since, is a link, or
            holds a secret of this environment; nothing was written.
    """
    manifest = read_complete(read_lock(name))
    names = sorted((*files_of(submission_dir(name)), MANIFEST))
    contents = {file: _read(submission_dir(name) / file) for file in names}
    found = {file: sha256_bytes(data) for file, data in contents.items() if file != MANIFEST}
    changed = differences(manifest.files or {}, found)
    if changed:
        raise UsageError(f"submission {name!r}: {', '.join(map(str, changed))}; a package holds what the run wrote")
    data = _zip(name, contents)
    path = home() / "submission_runs" / PACKAGES / f"{name}.zip"
    write_bytes(path, data)
    return Package(path, sha256_bytes(data), tuple(contents), len(data))


def _read(path: Path) -> bytes:
    """Raises UsageError: missing, a link, which may lead anywhere, or with a secret in it."""
    if path.is_symlink():
        raise UsageError(f"{path} is a symbolic link, must be a plain file; put the file itself there")
    if secrets := secrets_in(read_text(path)):
        raise UsageError(f"{path} holds the value of {', '.join(secrets)}; a package must hold no secret, take it out")
    return path.read_bytes()


def _zip(name: str, contents: Mapping[str, bytes]) -> bytes:
    """Sorted, undated and stored: deflate's output differs between builds of zlib."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file, data in sorted(contents.items()):
            entry = zipfile.ZipInfo(f"{name}/{file}", _FIRST_ZIP_DATE)
            entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE
            archive.writestr(entry, data)
    return buffer.getvalue()
