"""Package a complete run as a reproducible (byte-identical) zip."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from podium.core.errors import UsageError
from podium.core.files import write_parts
from podium.core.hashing import canonical_json, sha256_bytes, sha256_file
from podium.core.paths import home, submission_dir
from podium.submission.lock import PACKAGES, read_lock
from podium.submission.manifest import read_complete
from podium.submission.packaging.code import Content
from podium.submission.packaging.layout import zip_parts
from podium.submission.packaging.leaks import leaks_in
from podium.submission.packaging.members import (
    README,
    ROOT_MANIFEST,
    SIGNATURE,
    MemberFacts,
    PackageManifest,
    chunks_of,
    contents_of,
    is_data,
)
from podium.submission.packaging.opened import verify_package
from podium.submission.packaging.readme import readme
from podium.submission.packaging.signature import sign
from podium.submission.verification.folder import verify_folder


@dataclass(frozen=True)
class Package:
    """A zip that was written; `size` is in bytes, `files` are the paths in its folder."""

    path: Path
    sha256: str
    files: tuple[str, ...]
    size: int


def package(name: str, key: Path | None = None) -> Package:
    """Zip submission `name` with its data and code into submission_runs/packages/, signed if a `key` is given.

    Raises:
        UsageError: there is no such submission, it is not complete, its evidence does not verify, the code or data of
            its lock is not here, a file is a link or holds a token, a key or a home folder, or the key cannot be used;
            nothing was written.
    """
    lock, run_dir = read_lock(name), submission_dir(name)
    manifest = read_complete(lock, run_dir)
    if problems := verify_folder(run_dir).problems:
        raise UsageError(f"submission {name!r}: {'; '.join(problems)}")
    contents = contents_of(lock, run_dir)
    draft = PackageManifest(name=name, date=manifest.claimed_at[:10], lock_id=lock.lock_id, files={})
    contents[README] = readme(lock, manifest, draft.root).encode()
    refuse_leaks(name, contents)
    facts = {file: _facts(content) for file, content in contents.items()}
    signed = canonical_json(draft.model_copy(update={"files": facts}).model_dump(mode="json"))
    contents[ROOT_MANIFEST] = signed
    if key is not None:
        contents[SIGNATURE] = sign(signed, key)
    path = package_path(draft)
    members = sorted((f"{draft.root}/{file}", chunks_of(content)) for file, content in contents.items())
    write_parts(path, zip_parts(members))
    if problems := verify_package(path).problems:  # a file was changed in the meantime
        path.unlink()
        raise UsageError(f"submission {name!r}: its package does not verify ({'; '.join(problems)}); package it again")
    return Package(path, sha256_file(path), tuple(sorted(contents)), path.stat().st_size)


def package_path(manifest: PackageManifest) -> Path:
    """Where the package of a run is, or would be, written."""
    return home() / "submission_runs" / PACKAGES / f"{manifest.root}.zip"


def refuse_leaks(name: str, contents: Mapping[str, Content]) -> None:
    """Raises UsageError, naming every member that must not be handed on."""
    found = {file: leaks_in(chunks_of(content)(), is_data(file)) for file, content in contents.items()}
    lines = [f"{file} holds {', '.join(leaks)}" for file, leaks in found.items() if leaks]
    if lines:
        raise UsageError(
            f"submission {name!r}: {'; '.join(lines)}; a package must hold no secret and no home folder: remove it"
        )


def _facts(content: Content) -> MemberFacts:
    if isinstance(content, bytes):
        return MemberFacts(sha256=sha256_bytes(content), size=len(content))
    return MemberFacts(sha256=sha256_file(content), size=content.stat().st_size)
