"""The code, libraries and machine of a run, read from the installation."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from podium.core.hashing import sha256_file, sha256_files
from podium.core.paths import shipped

CODE_FOLDERS = ("podium", "tuning", "trainer", "eval")
LIBRARIES = (
    *("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "transformers"),
    *("tokenizers", "numpy", "ray", "optuna", "mlflow"),
)


def code_hash() -> str:
    """One hash of every Python file of the packages."""
    root = shipped()
    return sha256_files(root, (file for folder in CODE_FOLDERS for file in (root / folder).rglob("*.py")))


def code_commit() -> str | None:
    """The commit that is checked out, with `+changes` if tracked files differ; None outside a git checkout."""
    if not (shipped() / ".git").exists():
        return None
    commit = _git("rev-parse", "HEAD")
    return f"{commit}+changes" if commit and _git("status", "--porcelain", "--untracked-files=no") else commit


def changed_since(commit: str) -> list[str] | None:
    """The Python files of the packages that differ from those of `commit`, sorted; None if git cannot tell."""
    patterns = [f"{folder}/*.py" for folder in CODE_FOLDERS]
    listings = (
        _output_of_git("diff", "--name-only", commit, "--", *patterns),
        _output_of_git("ls-files", "--others", "--exclude-standard", "--", *patterns),
    )
    if None in listings:
        return None
    return sorted({name for listing in listings if listing for name in listing.splitlines()})


def requirements_hash() -> str | None:
    """The hash of requirements.txt; None if Podium was installed without it."""
    path = shipped() / "requirements.txt"
    return sha256_file(path) if path.is_file() else None


def library_versions() -> dict[str, str]:
    """The installed versions by library; one that is not installed has no entry."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    return {"python": platform.python_version(), "system": platform.platform(), "cpu_count": os.cpu_count()}


def provenance() -> dict[str, Any]:
    """The content of provenance.json, except the facts about the device, which the trainer adds."""
    facts = {
        "code_sha256": code_hash(),
        "code_commit": code_commit(),
        "requirements_sha256": requirements_hash(),
        "libraries": library_versions(),
        "machine": machine(),
    }
    return {key: value for key, value in facts.items() if value is not None}


def _git(*arguments: str) -> str | None:
    return _output_of_git(*arguments) or None


def _output_of_git(*arguments: str) -> str | None:
    """What git prints, without white space around it; None if it fails."""
    try:
        done = subprocess.run(("git", *arguments), cwd=Path(shipped()), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
