"""Bring back what a run on Kaggle left: verified against the attempt that was exported, and put in its folder."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from podium.core import run_files
from podium.core.errors import PodiumError, UsageError
from podium.core.files import write_bytes, write_json
from podium.core.hashing import sha256_file
from podium.core.paths import submission_dir
from podium.core.records import Record
from podium.core.run_files import CLAIM
from podium.submission.claim import read_claim, utc_now
from podium.submission.evidence import files_of
from podium.submission.kaggle.exported import EXPORT, Export, read_export
from podium.submission.lock import check_lock
from podium.submission.manifest import RunManifest, read_manifest
from podium.submission.packaging.layout import read_data, read_members
from podium.submission.verification.folder import verify_folder
from podium.submission.verify import SHORT, without_nulls

COLLECT = "collect.json"
CONFLICTING = "conflicting"  # the folder of results that came after the first
MOST_BYTES = 2**30  # of an evidence zip: predictions and logs, no weights


class Given(Record):
    """What only the user can know; nothing checks it."""

    notebook_url: str | None = None
    notebook_version: str | None = None


class Collected(Record):
    """`submission_runs/<name>/collect.json`."""

    attempt_id: str
    evidence_id: str
    collected_at: str  # UTC, ISO 8601
    source: str  # the name of what was collected, and its hash if it was a zip
    source_sha256: str | None = None
    given_by_user: Given


@dataclass(frozen=True)
class Result:
    """The folder that has the evidence now. `conflict`: whether another result was collected before it."""

    folder: Path
    manifest: RunManifest
    conflict: bool = False
    is_new: bool = True


def collect(source: Path, name: str, url: str | None = None, version: str | None = None) -> Result:
    """Collect the evidence in a zip or a folder as that of submission `name`.

    Raises:
        UsageError: the submission was not exported, the zip is damaged, or the evidence is of another lock or attempt.
        PodiumError: the evidence does not verify. Nothing was changed.
    """
    export, out = read_export(name), submission_dir(name)
    with tempfile.TemporaryDirectory(prefix="podium-collect-") as scratch:
        run_dir = _opened(source, export, Path(scratch))
        manifest = _checked(run_dir, export)
        facts = Collected(
            attempt_id=export.attempt_id,
            evidence_id=manifest.evidence_id,
            collected_at=utc_now(),
            source=source.name,
            source_sha256=sha256_file(source) if source.is_file() else None,
            given_by_user=Given(notebook_url=url, notebook_version=version),
        )
        earlier = out / run_files.MANIFEST
        if not earlier.is_file():
            _place(run_dir, out, facts)
            return Result(out, manifest)
        known = read_manifest(earlier)
        if isinstance(known, RunManifest) and known.evidence_id == manifest.evidence_id:
            return Result(out, manifest, is_new=False)
        aside = out / CONFLICTING / manifest.evidence_id[:SHORT]
        aside.mkdir(parents=True, exist_ok=True)
        _place(run_dir, aside, facts)
        return Result(aside, manifest, conflict=True)


def _opened(source: Path, export: Export, scratch: Path) -> Path:
    """The folder of the run: that of the source, or what its zip holds. Raises UsageError."""
    archive = source / f"podium_{export.name}_evidence.zip" if source.is_dir() else source
    if source.is_dir() and not archive.is_file():
        if not (source / run_files.MANIFEST).is_file():
            raise UsageError(
                f"{source} has no {archive.name} and no {run_files.MANIFEST}; give the zip of the evidence"
            )
        return source
    if not archive.is_file():
        raise UsageError(f"{source} does not exist; give the zip that `podium kaggle pull {export.name}` fetched")
    try:
        _extract(archive, scratch)
    except UsageError as error:
        raise UsageError(f"{archive}: {error}; it is damaged, or no evidence zip of Podium: fetch it again") from error
    found = scratch / export.name
    if not (found / run_files.MANIFEST).is_file():
        raise UsageError(f"{archive}: has no {export.name}/{run_files.MANIFEST}; give the zip of this submission")
    return found


def _extract(archive: Path, scratch: Path) -> None:
    size = archive.stat().st_size
    if size > MOST_BYTES:
        raise UsageError(f"{size:,} bytes, must be at most {MOST_BYTES:,}")
    with archive.open("rb") as file:
        for member in read_members(file, size):
            path = scratch / member.name  # read_members has refused names that lead elsewhere
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as target:
                for chunk in read_data(file, member):
                    target.write(chunk)


def _checked(run_dir: Path, export: Export) -> RunManifest:
    """The manifest of the run, verified. Raises UsageError and PodiumError as `collect` does."""
    lock = check_lock(run_dir / run_files.LOCK)
    if lock.lock_id != export.lock_id:
        raise UsageError(
            f"{run_dir.name}: the evidence is of lock {lock.lock_id[:SHORT]}, and {export.name!r} has "
            f"{export.lock_id[:SHORT]}; collect it as the submission that it belongs to"
        )
    manifest = read_manifest(run_dir / run_files.MANIFEST)
    if not isinstance(manifest, RunManifest) or manifest.claim_id != export.attempt_id:
        raise UsageError(
            f"{run_dir.name}: the evidence is of attempt {manifest.claim_id}, and the one that was exported is "
            f"{export.attempt_id}; only its result counts"
        )
    if read_claim(run_dir).claim_id != export.attempt_id:
        raise UsageError(f"{run_dir.name}: {CLAIM} is of another attempt; fetch the evidence again")
    if manifest.has_evidence and (problems := verify_folder(run_dir, export.lock_id).problems):
        raise PodiumError(f"{run_dir.name}: the evidence does not verify ({'; '.join(problems)}); nothing was changed")
    return manifest


def _place(run_dir: Path, out: Path, facts: Collected) -> None:
    """Copy the evidence; the manifest comes last, since it says that all the rest is there."""
    for name in (*files_of(run_dir), CLAIM, EXPORT):
        is_here = name == run_files.LOCK and (out / name).is_file()  # the submission's own, which is the same
        if (run_dir / name).is_file() and not is_here:
            write_bytes(out / name, (run_dir / name).read_bytes())
    write_json(out / COLLECT, without_nulls(facts.model_dump(mode="json")))
    write_bytes(out / run_files.MANIFEST, (run_dir / run_files.MANIFEST).read_bytes())
