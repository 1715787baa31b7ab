"""The code that a lock was made with, as files: those that are here, or those of its commit."""

import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from podium.core.errors import UsageError
from podium.core.hashing import sha256_bytes, sha256_file, sha256_json
from podium.core.paths import shipped
from podium.core.provenance import CODE_FOLDERS, code_hash
from podium.submission.lock import Lock

Content = Path | bytes  # of a member: a file, or its bytes

# Beside the packages, what it takes to install them.
BESIDE = ("pyproject.toml", "LICENSE", "README.md")
REQUIREMENTS = "requirements.txt"


def code_of(lock: Lock) -> dict[str, Content]:
    """The files of the packages by their path in a checkout, with requirements.txt if the lock has its hash.

    Raises:
        UsageError: neither the code here nor the commit of the lock is the code that was locked.
    """
    commit = (lock.code_commit or "").removesuffix("+changes")
    if code_hash() == lock.hashes["code"] and _requirements_here(lock):
        files = code_here()
    elif not commit or not (files := _of_commit(commit)) or hash_of_code(files) != lock.hashes["code"]:
        raise UsageError(
            f"submission {lock.name!r}: the code here is not the code of its lock"
            + (f" (commit {lock.code_commit})" if lock.code_commit else "")
            + ", and git does not have that; package it in the checkout that ran it"
        )
    if "requirements" not in lock.hashes:
        files.pop(REQUIREMENTS, None)
    return files


def hash_of_code(files: Mapping[str, Content]) -> str:
    """The hash that `podium.core.provenance.code_hash` gives for the same files."""
    of_python = (name for name in files if name.endswith(".py") and name.split("/")[0] in CODE_FOLDERS)
    return sha256_json({name: _sha256(files[name]) for name in of_python})


def _requirements_here(lock: Lock) -> bool:
    path, expected = shipped() / REQUIREMENTS, lock.hashes.get("requirements")
    return expected is None or (path.is_file() and sha256_file(path) == expected)


def code_here() -> dict[str, Content]:
    """The files that git tracks, and every Python file, because the hash of the code is over those."""
    root = shipped()
    inside = (file for folder in CODE_FOLDERS for file in (root / folder).rglob("*") if file.is_file())
    found = {file.relative_to(root).as_posix(): file for file in inside if "__pycache__" not in file.parts}
    tracked = _git("ls-files", "-z", "--", *CODE_FOLDERS) if (root / ".git").exists() else None
    if tracked:
        known = set(tracked.decode().split("\0"))
        found = {name: file for name, file in found.items() if name in known or name.endswith(".py")}
    beside = {name: root / name for name in (*BESIDE, REQUIREMENTS) if (root / name).is_file()}
    return {**found, **beside}


def _of_commit(commit: str) -> dict[str, Content]:
    """The files of a commit; none if git does not have it."""
    named = {name.split("/")[0] for name in (_git("ls-tree", "--name-only", commit) or b"").decode().splitlines()}
    wanted = [name for name in (*CODE_FOLDERS, *BESIDE, REQUIREMENTS) if name in named]
    data = _git("archive", "--format=tar", commit, "--", *wanted) if wanted else None
    if not data:
        return {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = [(entry.name, archive.extractfile(entry)) for entry in archive if entry.isfile()]
        return {name: file.read() for name, file in files if file}


def _sha256(content: Content) -> str:
    return sha256_bytes(content) if isinstance(content, bytes) else sha256_file(content)


def _git(*arguments: str) -> bytes | None:
    try:
        return subprocess.run(("git", *arguments), cwd=shipped(), capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
