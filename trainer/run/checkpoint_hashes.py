"""`hashes.json` of a checkpoint: the sha256 of each file that its arrays are read from.

docs/decisions/006-hashes-of-checkpoints.md has the reasons and the cost.
"""

from pathlib import Path

from podium.core.errors import UsageError
from podium.core.files import read_json, write_json
from podium.core.hashing import sha256_file, sha256_json

HASHES = "hashes.json"


def write_hashes(checkpoint: Path) -> None:
    """Hash every file of every item of a checkpoint. Raises PodiumError if the disk refuses the file."""
    files = sorted(path for path in checkpoint.glob("*/**/*") if path.is_file())
    hashes = {path.relative_to(checkpoint).as_posix(): sha256_file(path) for path in files}
    write_json(checkpoint / HASHES, {"files": hashes, "sha256": sha256_json(hashes)})


def has_hashes(checkpoint: Path) -> bool:
    """False for a checkpoint of an older version of Podium."""
    return (checkpoint / HASHES).is_file()


def damage(checkpoint: Path, item: str) -> str | None:
    """What is wrong with the files of an item (`trainable`, `opt_state` or `meta`).

    None if they are whole, or if the checkpoint has no hashes.
    """
    if not has_hashes(checkpoint):
        return None
    hashes = _read_hashes(checkpoint)
    if hashes is None:
        return f"{HASHES} is damaged"
    for name, sha256 in hashes.items():
        file = checkpoint / name
        if not name.startswith(f"{item}/"):
            continue
        if not file.is_file():
            return f"{name} is missing"
        if sha256_file(file) != sha256:
            return f"{name} differs from its hash"
    return None


def _read_hashes(checkpoint: Path) -> dict[str, str] | None:
    """The hashes by name of file; None if they are not those that were written."""
    try:
        record = read_json(checkpoint / HASHES)
        hashes: dict[str, str] = record["files"]
        return hashes if sha256_json(hashes) == record["sha256"] else None
    except (UsageError, KeyError, TypeError):
        return None
