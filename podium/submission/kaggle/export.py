"""Export a lock to Kaggle: claim it, and write the folders that the `kaggle` command uploads."""

import contextlib
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from podium.core.budgets.profiles import Profile, load_profile
from podium.core.errors import PodiumError, UsageError
from podium.core.files import write_json, write_text
from podium.core.hashing import sha256_bytes
from podium.core.paths import submission_dir
from podium.core.temporary import temporary_folder
from podium.submission.claim import claim_path, claim_run, read_claim, refuse_claimed, utc_now
from podium.submission.kaggle.bundle import contents_of, write_bundle
from podium.submission.kaggle.exported import EXPORT, Export, export_path, folder_of, owner_of, read_export, slug
from podium.submission.kaggle.metadata import (
    KERNEL,
    check_accelerator,
    check_source,
    dataset_slug,
    kernel_metadata,
)
from podium.submission.kaggle.notebook import notebook
from podium.submission.kaggle.wheelhouse import requirements, write_wheels
from podium.submission.lock import Lock, broken_rules, read_lock, verify_inputs
from podium.submission.packaging.package import refuse_leaks
from podium.submission.verify import without_nulls

NOTEBOOK, CODE, WHEELS = "notebook", "code", "wheels"  # the folders of an export
REHEARSAL = "rehearsal"  # in place of an attempt id
START_S = 300  # of a session before the budget's clock starts, and after it ends


@dataclass(frozen=True)
class Choices:
    """What the user chose for the session on Kaggle; `accelerator` None takes that of the lock's profile."""

    owner: str | None = None
    accelerator: str | None = None
    offline: bool = False
    python: str = "3.11"
    clone: str | None = None
    test: str | None = None
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    competitions: tuple[str, ...] = ()
    image: str | None = None
    accept: tuple[str, ...] = ()


def export(name: str, choices: Choices) -> Export:
    """Claim submission `name` for one run on Kaggle, and write its folders into `folder_of(name)`.

    If an export was interrupted after its claim, the same attempt is written again, with the choices it was claimed by.

    Raises:
        UsageError: there is no lock, it was already claimed or exported, an input is not as locked, a rule of the
            competition is broken, a file holds a token or a home folder, or a choice is wrong; nothing was claimed.
        PodiumError: a wheel could not be downloaded, or the disk refused a file.
    """
    lock, out = read_lock(name), submission_dir(name)
    if claim_path(out).exists():
        return _again(lock)
    verify_inputs(lock)
    accepted = broken_rules(lock.run_config(), {*choices.accept, *(lock.accepted or {})}, lock.submission_s)
    draft = _draft(lock, choices)
    pinned = requirements(draft.python, None if draft.accelerator is None else _kind(lock))
    with _folder(name) as folder:
        if draft.offline:  # before the claim, because it may fail
            write_wheels(folder / WHEELS, draft, pinned)
        made = _with_notebook(lock, draft.model_copy(update={"attempt_id": uuid.uuid4().hex}))
        refuse_leaks(name, contents_of(lock, made, pinned))
        # Before the claim, under the attempt's own name: whatever ends this process, the claim has its record.
        write_json(_pending(name, made.attempt_id), without_nulls(made.model_dump(mode="json")))
        try:
            claim_run(out, lock.lock_id, exported_to="kaggle", accepted=accepted, claim_id=made.attempt_id)
        except UsageError:  # another process claimed it meanwhile
            _pending(name, made.attempt_id).unlink()
            raise
        _pending(name, made.attempt_id).rename(export_path(name))
        _write(folder, lock, made, pinned)
        _replace(folder, folder_of(name))
    return made


def _pending(name: str, attempt_id: str) -> Path:
    """The record of an attempt that may not be claimed yet."""
    return export_path(name).with_name(f".{EXPORT}.{attempt_id}")


def _again(lock: Lock) -> Export:
    """The export of a claimed lock, whose folders are written if an interruption left none. Raises UsageError."""
    claim = read_claim(submission_dir(lock.name))
    if claim.exported_to is None or folder_of(lock.name).exists():
        refuse_claimed(submission_dir(lock.name))
    if (pending := _pending(lock.name, str(claim.claim_id))).is_file():
        pending.rename(export_path(lock.name))
    made = read_export(lock.name)
    pinned = requirements(made.python, None if made.accelerator is None else _kind(lock))
    with _folder(lock.name) as folder:
        if made.offline:
            write_wheels(folder / WHEELS, made, pinned)
        _write(folder, lock, made, pinned)
        _replace(folder, folder_of(lock.name))
    return made


def _draft(lock: Lock, choices: Choices) -> Export:
    """The record without what only the claim knows. Raises UsageError for a wrong choice."""
    profile = load_profile(lock.budget.profile)
    shape = _shape(lock, profile, choices.accelerator)
    internet = not choices.offline
    models = tuple(check_source("--model", each) for each in choices.models)
    datasets = tuple(check_source("--dataset", each) for each in choices.datasets)
    if wrong := _wrong_choice(lock, choices, profile.internet or shape is None):
        raise UsageError(f"submission {lock.name!r}: {wrong}")
    return Export(
        attempt_id="follows from the claim",
        name=lock.name,
        lock_id=lock.lock_id,
        exported_at=utc_now(),
        owner=owner_of(choices.owner),
        profile=profile.name,
        machine_shape=shape,
        accelerator=None if shape is None else profile.accelerator_name,
        devices=None if shape is None else profile.count,
        internet=internet,
        offline=choices.offline,
        python=choices.python,
        clone=choices.clone,
        commit=lock.code_commit if choices.clone else None,
        test=choices.test,
        accept=choices.accept,
        dataset_sources=datasets,
        model_sources=models,
        competition_sources=tuple(check_source("--competition", each) for each in choices.competitions),
        docker_image=choices.image,
        timeout_s=int(min(lock.budget.time_budget_s + START_S, profile.session_s)),
        slug=slug(f"podium {lock.name}"),
        code=dataset_slug(lock.name, CODE),
        wheels=dataset_slug(lock.name, WHEELS) if choices.offline else None,
        notebook_sha256="follows from the notebook",
    )


def _shape(lock: Lock, profile: Profile, chosen: str | None) -> str | None:
    """The machine of the session; None for one without an accelerator. Raises UsageError."""
    if chosen is None and profile.kaggle_id is None:
        raise UsageError(
            f"submission {lock.name!r}: budget.profile={profile.name} is no machine of Kaggle's; give --accelerator "
            "none for a session on a CPU, or promote with a config for Kaggle"
        )
    shape = profile.kaggle_id if chosen is None else check_accelerator(chosen)
    if shape not in (None, profile.kaggle_id):
        planned = profile.kaggle_id or "no accelerator"
        raise UsageError(f"--accelerator {shape}: the lock was planned for {profile.name} ({planned}); leave it out")
    return shape


def _wrong_choice(lock: Lock, choices: Choices, may_have_internet: bool) -> str | None:
    """Why a session could not work as chosen; None if it could."""
    source, commit = lock.run_config().model.source, lock.code_commit or ""
    if choices.offline and source != "tiny" and not (choices.models or choices.datasets):
        return (
            f"without internet, model.source={source!r} must be attached; give --model "
            "OWNER/MODEL/FRAMEWORK/VARIATION/VERSION, or --dataset OWNER/DATASET with its folder"
        )
    if not choices.offline and not may_have_internet:
        return f"a session of {lock.budget.profile} has no internet, so the packages must be attached; give --offline"
    if choices.clone and choices.offline:
        return f"--clone {choices.clone} needs the internet, and --offline has none; leave one out"
    if choices.clone and (not commit or commit.endswith("+changes")):
        return f"--clone: the lock was made with changes that no commit has ({commit or 'no commit'}); leave it out"
    return None


def write_rehearsal(folder: Path, lock: Lock, choices: Choices) -> Export:
    """Write the folders of an export without a claim, for a rehearsal, whose evidence `collect` refuses.

    Choices that were exported count in place of `choices`. Raises UsageError as `export` does.
    """
    path = export_path(lock.name)
    draft = read_export(lock.name) if path.is_file() else _draft(lock, choices)
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    facts = {"attempt_id": REHEARSAL, "offline": False, "wheels": None, "python": here}
    made = _with_notebook(lock, draft.model_copy(update=facts))
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, lock, made, requirements(here, None))  # what is installed here, whatever the accelerator
    return made


def _kind(lock: Lock) -> str | None:
    accelerator = load_profile(lock.budget.profile).accelerator
    return None if accelerator is None else accelerator.kind


def _with_notebook(lock: Lock, draft: Export) -> Export:
    return draft.model_copy(update={"notebook_sha256": sha256_bytes(notebook(lock, draft).encode())})


def notebook_file(export: Export) -> Path:
    return folder_of(export.name) / NOTEBOOK / f"{export.slug}.ipynb"


def _write(folder: Path, lock: Lock, export: Export, pinned: str) -> None:
    write_bundle(folder / CODE, lock, export, pinned)
    (folder / NOTEBOOK).mkdir()
    file = f"{export.slug}.ipynb"
    write_text(folder / NOTEBOOK / file, notebook(lock, export))
    datasets = [name for name in (export.code, export.wheels) if name]
    metadata = kernel_metadata(export, file, tuple(f"{export.owner}/{name}" for name in datasets))
    write_json(folder / NOTEBOOK / KERNEL, metadata)


@contextlib.contextmanager
def _folder(name: str) -> Iterator[Path]:
    """A temporary folder beside that of the export."""
    target = folder_of(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PodiumError(f"cannot write {target.parent}: {error.strerror or error}; free some space") from error
    with temporary_folder(target) as folder:
        yield folder


def _replace(folder: Path, target: Path) -> None:
    try:
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
    except OSError as error:
        raise PodiumError(f"cannot write {target}: {error.strerror or error}; free some space") from error
