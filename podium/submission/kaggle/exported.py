"""What was exported to Kaggle: the record that the notebook brings along and `podium kaggle collect` compares with."""

import os
import re
from pathlib import Path

from podium.core.errors import UsageError
from podium.core.paths import submission_dir, workspace
from podium.core.records import Record, read_record

EXPORT = "kaggle_export.json"  # in the folder of the submission, and in the bundle
# A slug of Kaggle's has 6 to 50 characters: lower-case letters, digits and dashes.
SLUG_LONGEST, SLUG_SHORTEST = 50, 6


class Export(Record):
    """`submission_runs/<name>/kaggle_export.json`."""

    attempt_id: str  # the claim_id of the run's evidence
    name: str
    lock_id: str
    exported_at: str  # UTC, ISO 8601
    owner: str  # of the notebook and its datasets on Kaggle
    profile: str
    machine_shape: str | None = None  # what `--accelerator` of the kaggle command takes; absent for a CPU session
    accelerator: str | None = None  # by its name in accelerators.yaml, and how many the session must have
    devices: int | None = None
    internet: bool
    offline: bool  # installed from the attached wheels alone
    python: str  # the minor version that the wheels are for, such as 3.11
    clone: str | None = None  # the repository that the code is cloned from, at `commit`
    commit: str | None = None
    wheels: str | None = None  # the dataset of the wheels, without its owner
    test: str | None = None  # the file of unlabelled items, as the session sees it
    accept: tuple[str, ...] = ()  # rules of the competition that the user chose to break
    dataset_sources: tuple[str, ...] = ()
    model_sources: tuple[str, ...] = ()
    competition_sources: tuple[str, ...] = ()
    docker_image: str | None = None
    timeout_s: int  # of the whole session
    slug: str  # of the notebook
    code: str  # the dataset of code and data, without its owner
    notebook_sha256: str

    @property
    def kernel_id(self) -> str:
        """OWNER/NOTEBOOK, as the kaggle command names it."""
        return f"{self.owner}/{self.slug}"

    @property
    def url(self) -> str:
        return f"https://www.kaggle.com/code/{self.kernel_id}"


def slug(title: str) -> str:
    """The slug that Kaggle makes of a title: lower case, with dashes for everything else."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:SLUG_LONGEST].strip("-")


def export_path(name: str) -> Path:
    return submission_dir(name) / EXPORT


def read_export(name: str) -> Export:
    """The record of an exported submission. Raises UsageError if it was not exported, or the record is malformed."""
    path = export_path(name)
    if not path.is_file():
        raise UsageError(f"submission {name!r} was not exported; `podium kaggle export {name}` does it")
    return read_record(Export, path)


def folder_of(name: str) -> Path:
    """The folder that an export writes: notebook/, code/ and, for an offline session, wheels/."""
    return workspace() / "kaggle" / name


def owner_of(given: str | None) -> str:
    """The user of Kaggle who owns what is uploaded: `given`, else KAGGLE_USERNAME. Raises UsageError."""
    owner = given or os.environ.get("KAGGLE_USERNAME")
    if not owner:
        raise UsageError("who owns the notebook is not known; give --owner with your name on Kaggle")
    if slug(owner) != owner.lower():
        raise UsageError(f"--owner {owner!r}, must be a name on Kaggle: letters, digits and dashes")
    return owner
