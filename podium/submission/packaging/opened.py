"""Verifies a package: first its layout, without extracting anything, then what is in it."""

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from podium.core.errors import PodiumError, UsageError
from podium.core.hashing import canonical_json, sha256_file
from podium.core.json_text import parse_json
from podium.core.paths import check_name
from podium.core.plain_values import Unreadable
from podium.core.records import parse_record
from podium.core.run_files import LOCK, MANIFEST
from podium.submission.lock import Lock, check_lock
from podium.submission.manifest import read_manifest
from podium.submission.packaging.code import REQUIREMENTS, hash_of_code
from podium.submission.packaging.layout import Member, read_data, read_members
from podium.submission.packaging.members import CODE, ROOT_MANIFEST, RUNS, SIGNATURE, PackageManifest, places_of
from podium.submission.packaging.signature import signer
from podium.submission.verification.folder import verify_folder
from podium.submission.verification.replay import replay
from podium.submission.verification.report import Report
from podium.submission.verify import SHORT, differences

MOST_TEXT_BYTES = 16 * 2**20  # of a member that is read as a whole: JSON, YAML and the log
_READ_WHOLE = (".json", ".yaml", ".txt", ".sig")


def verify_package(
    path: Path, expect: str | None = None, replay_steps: int | None = None, allowed_signers: Path | None = None
) -> Report:
    """Verify the zip at `path`. `expect` is the lock id, or its beginning.

    With `replay_steps`, that many steps are trained again. With `allowed_signers`, one of these must have signed.

    Raises:
        UsageError: there is no such file, or `allowed_signers` cannot be used. What is wrong with the zip is reported.
    """
    report = Report()
    try:
        with path.open("rb") as file, tempfile.TemporaryDirectory(prefix="podium-verify-") as folder:
            opened = _Opened(file, os.fstat(file.fileno()).st_size, Path(folder), report)
            opened.verify(expect, replay_steps, allowed_signers)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    return report


@dataclass
class _Opened:
    """A zip of `size` bytes, and the folder that it is extracted to."""

    file: BinaryIO
    size: int
    folder: Path
    report: Report
    hashes: dict[str, str] = field(default_factory=dict)  # sha256 by member, without the root

    def verify(self, expect: str | None, replay_steps: int | None, allowed_signers: Path | None) -> None:
        first = {
            "layout": self._read_layout,
            "package": self._read_manifest,
            "members": self._extract,
            "inputs": self._check_inputs,
        }
        if not all(self.report.run(name, check) for name, check in first.items()):
            return
        run_dir = self.folder / RUNS / self.manifest.name
        self.report.checks += verify_folder(run_dir, expect, self.places).checks
        if allowed_signers is not None or SIGNATURE in self.members:
            self._check_signature(allowed_signers)
        if replay_steps is not None and self.report.passed:
            self.report.run("replay", lambda: replay(self.lock, run_dir, replay_steps, self.places))

    def _read_layout(self) -> str:
        found = read_members(self.file, self.size)
        roots = {member.name.partition("/")[0] for member in found}
        if len(roots) != 1:
            raise PodiumError(f"its members are in {len(roots)} folders, must be in one")
        self.root = roots.pop()
        self.members = {member.name.removeprefix(f"{self.root}/"): member for member in found}
        for name, member in self.members.items():
            if member.size > MOST_TEXT_BYTES and name.endswith(_READ_WHOLE):
                raise PodiumError(f"{name} has {member.size:,} bytes, must have at most {MOST_TEXT_BYTES:,}")
        return f"{len(found)} members of {self.size:,} bytes are laid out as Podium writes them"

    def _read_manifest(self) -> str:
        member = self.members.get(ROOT_MANIFEST)
        if member is None:
            raise PodiumError(
                f"it has no {ROOT_MANIFEST}: it was made by an earlier version of Podium, or by something else"
            )
        self.signed = b"".join(read_data(self.file, member))
        try:
            self.manifest = parse_record(PackageManifest, parse_json(self.signed.decode("utf-8")), ROOT_MANIFEST)
        except (Unreadable, UnicodeDecodeError) as error:
            raise PodiumError(f"{ROOT_MANIFEST}: {error}") from error
        if canonical_json(self.manifest.model_dump(mode="json")) != self.signed:
            raise PodiumError(f"{ROOT_MANIFEST} is not canonical JSON (sorted keys, no white space)")
        if self.manifest.root != self.root:
            raise PodiumError(f"its folder is {self.root}, must be {self.manifest.root}")
        listed, here = set(self.manifest.files), set(self.members) - {ROOT_MANIFEST, SIGNATURE}
        if wrong := sorted(listed ^ here):
            has, lacks = ("manifest", "zip") if wrong[0] in listed else ("zip", "manifest")
            raise PodiumError(f"{wrong[0]} is in the {has}, but not in the {lacks}")
        return f"{len(listed)} files, run {self.manifest.name} of {self.manifest.date}"

    def _extract(self) -> str:
        """Extract every member, and compare its hash with the manifest."""
        for name, member in self.members.items():
            self._write(self.folder / name, member, name)
        sizes = {name: str(self.members[name].size) for name in self.manifest.files}
        wrong = differences({name: str(facts.size) for name, facts in self.manifest.files.items()}, sizes)
        wrong += differences(
            {name: facts.sha256 for name, facts in self.manifest.files.items()},
            {name: self.hashes[name] for name in self.manifest.files},
        )
        if wrong:
            raise PodiumError(", ".join(map(str, wrong)))
        return "every file has the hash and the size of the manifest"

    def _write(self, path: Path, member: Member, name: str) -> None:
        digest = hashlib.sha256()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in read_data(self.file, member):
                digest.update(chunk)
                file.write(chunk)
        self.hashes[name] = digest.hexdigest()

    def _check_inputs(self) -> str:
        """Compare the data and the code with the hashes of the lock."""
        run_dir = self.folder / RUNS / check_name(self.manifest.name, "submission")
        self.lock: Lock = check_lock(run_dir / LOCK)
        if (self.lock.name, self.lock.lock_id) != (self.manifest.name, self.manifest.lock_id):
            raise PodiumError(f"{ROOT_MANIFEST} names another lock ({self.manifest.lock_id[:SHORT]})")
        claimed_at = read_manifest(run_dir / MANIFEST).claimed_at
        if not claimed_at.startswith(self.manifest.date):
            raise PodiumError(f"{ROOT_MANIFEST}: date={self.manifest.date}, and the run was claimed at {claimed_at}")
        self.places = {key: str(self.folder / place) for key, place in places_of(self.lock).items()}
        expected = {name: value for name, value in self.lock.hashes.items() if not name.startswith(_NOT_PACKAGED)}
        found = self._input_hashes()
        if wrong := differences(expected, found):
            raise PodiumError(f"not as locked: {', '.join(map(str, wrong))}")
        return f"{', '.join(sorted(found))} are as locked"

    def _input_hashes(self) -> dict[str, str]:
        code = {
            name.removeprefix(f"{CODE}/"): self.folder / name for name in self.members if name.startswith(f"{CODE}/")
        }
        inputs = {
            "evalset": Path(self.places["eval.evalset"]),
            "trainset/traces.jsonl": Path(self.places["data.trainset"]) / "traces.jsonl",
            "trainset/manifest.json": Path(self.places["data.trainset"]) / "manifest.json",
            **({"requirements": code[REQUIREMENTS]} if REQUIREMENTS in code else {}),
        }
        here = {name: sha256_file(path) for name, path in inputs.items() if path.is_file()}
        return {"code": hash_of_code(code), **here}

    def _check_signature(self, allowed_signers: Path | None) -> None:
        member = self.members.get(SIGNATURE)
        if member is None:
            self.report.fail("signature", "it is not signed")
        elif allowed_signers is None:
            self.report.note("signature", "it is signed; --allowed-signers FILE checks by whom")
        else:
            signature, allowed = (self.folder / SIGNATURE).read_bytes(), allowed_signers
            self.report.run("signature", lambda: f"signed by {signer(self.signed, signature, allowed)}")


_NOT_PACKAGED = ("config", "model/", "tokenizer/")  # the lock has the config, and weights are left out
