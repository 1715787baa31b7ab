"""Package the evidence of one complete run as a reproducible (byte-identical) zip."""

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
from podium.core.run_files import MANIFEST
from podium.submission.evidence import files_of
from podium.submission.lock import PACKAGES, read_lock
from podium.submission.manifest import read_complete
from podium.submission.verify import differences

_FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = 0o100644 << 16
_UNIX = 3


@dataclass(frozen=True)
class Package:
    """A zip that was written; `size` is in bytes."""

    path: Path
    sha256: str
    files: tuple[str, ...]
    size: int


def package(name: str) -> Package:
    """Zip the evidence of submission `name` into submission_runs/packages/.

    Raises:
        UsageError: there is no such submission, it is not complete, or a file of it was changed, is a link, or holds
            the value of a secret environment variable; nothing was written.
    """
    manifest = read_complete(read_lock(name), submission_dir(name))
    names = sorted((*files_of(submission_dir(name)), MANIFEST))
    contents = {file: _read(submission_dir(name) / file) for file in names}
    found = {file: sha256_bytes(data) for file, data in contents.items() if file != MANIFEST}
    changed = differences(manifest.files or {}, found)
    if changed:
        raise UsageError(f"submission {name!r}: {', '.join(map(str, changed))}; restore the files that the run wrote")
    data = _zip(name, contents)
    path = home() / "submission_runs" / PACKAGES / f"{name}.zip"
    write_bytes(path, data)
    return Package(path, sha256_bytes(data), tuple(contents), len(data))


def _read(path: Path) -> bytes:
    """The bytes of a file. Raises UsageError if it is missing, is a link or holds a secret."""
    if path.is_symlink():
        raise UsageError(f"{path} is a symbolic link, must be a plain file; replace the link with the file")
    if secrets := secrets_in(read_text(path)):
        raise UsageError(f"{path} holds the value of {', '.join(secrets)}; a package must hold no secret; remove it")
    return path.read_bytes()


def _zip(name: str, contents: Mapping[str, bytes]) -> bytes:
    """A zip with sorted names, fixed dates and no compression, since deflate's output differs between zlib builds."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file, data in sorted(contents.items()):
            entry = zipfile.ZipInfo(f"{name}/{file}", _FIRST_ZIP_DATE)
            entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE
            archive.writestr(entry, data)
    return buffer.getvalue()
