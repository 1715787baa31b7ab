"""What a package holds: the evidence, the data and the code of one run, and how each is named."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from podium.core.errors import UsageError
from podium.core.hashing import sha256_file
from podium.core.paths import find_evalset, find_file, find_trainset, home, is_there, shipped
from podium.core.records import Record
from podium.core.run_files import CHALLENGE_PREDICTIONS, MANIFEST, PREDICTIONS, SUBMISSION, SUBMISSION_CSV
from podium.submission.evidence import files_of
from podium.submission.lock import Lock
from podium.submission.packaging.code import Content, code_of
from podium.submission.packaging.layout import file_chunks
from podium.submission.verify import SHORT

ROOT_MANIFEST, SIGNATURE, README = "package_manifest.json", "package_manifest.json.sig", "README.md"
RUNS, CODE = "submission_runs", "code"
NOTEBOOK = "notebooks/kaggle_submission.ipynb"
_DATA = ("evalsets/", "trainsets/", "challenges/")
_DATA_NAMES = (PREDICTIONS, CHALLENGE_PREDICTIONS, SUBMISSION, SUBMISSION_CSV)


class MemberFacts(Record):
    sha256: str
    size: int = Field(ge=0)  # bytes


class PackageManifest(Record):
    """`package_manifest.json`: every other member but its signature. It is canonical JSON, so it can be signed."""

    package_version: Literal["1"] = "1"
    name: str  # of the run
    date: str  # YYYY-MM-DD, UTC: when the run was claimed
    lock_id: str
    files: dict[str, MemberFacts]

    @property
    def root(self) -> str:
        """The folder that holds all members, and the name of the zip: with the first digits of the lock id."""
        return f"podium_{self.name}_{self.date}_{self.lock_id[:SHORT]}"


def contents_of(lock: Lock, run_dir: Path) -> dict[str, Content]:
    """The members of the package of a complete run by name, without the manifest and the README.

    Raises:
        UsageError: a file is missing, is a link, or is not the one that was locked.
    """
    config, places = lock.run_config(), places_of(lock)
    trainset, evalset = find_trainset(config.data.trainset), find_evalset(config.eval.evalset)
    data = {
        f"{places['data.trainset']}/traces.jsonl": (trainset / "traces.jsonl", "trainset/traces.jsonl"),
        f"{places['data.trainset']}/manifest.json": (trainset / "manifest.json", "trainset/manifest.json"),
        places["eval.evalset"]: (evalset, "evalset"),
    }
    for path, key in data.values():
        if (found := sha256_file(path)) != (expected := lock.hashes[key]):
            raise UsageError(
                f"submission {lock.name!r}: {path} is not what was locked (expected {expected[:SHORT]}, found "
                f"{found[:SHORT]}); restore it"
            )
    contents: dict[str, Content] = {
        **{f"{RUNS}/{lock.name}/{file}": run_dir / file for file in (*files_of(run_dir), MANIFEST)},
        **{name: path for name, (path, _) in data.items()},
        **{f"{CODE}/{name}": content for name, content in code_of(lock).items()},
    }
    if config.eval.challenges:
        contents[places["eval.challenges"]] = find_file(config.eval.challenges)
    if notebook := next((root / NOTEBOOK for root in (home(), shipped()) if is_there(root / NOTEBOOK)), None):
        contents[NOTEBOOK] = notebook
    for content in contents.values():
        if isinstance(content, Path) and content.is_symlink():
            raise UsageError(f"{content} is a symbolic link, must be a plain file; replace the link with the file")
    return contents


def places_of(lock: Lock) -> dict[str, str]:
    """Where a package has the data of a lock, by the keys of the config."""
    config = lock.run_config()
    places = {
        "data.trainset": f"trainsets/{Path(config.data.trainset).name}",
        "eval.evalset": f"evalsets/{Path(config.eval.evalset).name.removesuffix('.jsonl')}.jsonl",
    }
    if config.eval.challenges:
        places["eval.challenges"] = f"challenges/{Path(config.eval.challenges).name}"
    return places


def is_data(name: str) -> bool:
    """Whether a member holds what others wrote: examples, items, and answers of the model."""
    return name.startswith(_DATA) or name.rpartition("/")[2] in _DATA_NAMES


def chunks_of(content: Content) -> Callable[[], Iterable[bytes]]:
    """A function that gives the data of a member, part by part."""
    return (lambda: (content,)) if isinstance(content, bytes) else partial(file_chunks, content)
