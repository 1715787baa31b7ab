"""Creates a study, or opens one to resume it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.core.errors import PodiumError, UsageError
from podium.core.files import write_text
from podium.core.paths import check_name, study_dir, workspace
from tuning.search.space import SearchSpace
from tuning.study.code import CODE, code_hashes
from tuning.study.files import SPACE_FILE
from tuning.study.locks import DriverLock
from tuning.study.storage import JOURNAL, create_in_storage, open_storage
from tuning.study.study import DATA, N_ENQUEUED, SPACE, StudyView, find_study, is_study, load_study_space
from tuning.study.trial import BASELINE

if TYPE_CHECKING:
    from optuna import Study, Trial


def create(
    space: SearchSpace,
    name: str | None,
    data: Mapping[str, str],
    warm_start: StudyView | None = None,
    storage: str = JOURNAL,
) -> Study:
    """Create the study's folder and its Optuna study.

    `data` are the hashes that a resume is checked against, `warm_start` is an older study to take over from, and
    `storage` is the Optuna storage to create it in.

    Raises:
        UsageError: a study of that name exists.
        PodiumError: the folder or the storage cannot be written.
    """
    with contextlib.ExitStack() as held:
        folder = _claim(space, name, held)
        try:
            study = create_in_storage(folder, [direction for _, direction in space.aims], storage)
        except PodiumError:
            shutil.rmtree(folder)
            with contextlib.suppress(OSError):  # remove the parents too, if they were created for this study alone
                folder.parent.rmdir()
                workspace().rmdir()
            raise
        _fill(study, space, data, warm_start)
        write_text(folder / SPACE_FILE, space.to_yaml())  # last: a folder without it is not a study
    return study


def _fill(study: Study, space: SearchSpace, data: Mapping[str, str], warm_start: StudyView | None) -> None:
    """Write what a study holds before its first trial."""
    from tuning.study import transfer

    study.set_user_attr(DATA, dict(data))
    if code := code_hashes(space):
        study.set_user_attr(CODE, code)
    study.set_user_attr(SPACE, space.to_yaml())
    study.set_user_attr("created", datetime.now(UTC).isoformat(timespec="seconds"))
    if warm_start is not None:
        transfer.transfer_trials(study, space, warm_start, data)
    enqueue(study, space)
    if warm_start is not None:
        transfer.enqueue_best(study, space, warm_start)


def enqueue(study: Study, space: SearchSpace) -> None:
    """Enqueue the first trials of an Optuna study: the base config, then the space's `start_with`."""
    if space.baseline:
        study.enqueue_trial(space.baseline_params() or {}, user_attrs={BASELINE: True})
    for values in space.start_with:
        study.enqueue_trial(space.params(values))
    study.set_user_attr(N_ENQUEUED, int(space.baseline) + len(space.start_with))


def draw(trial: Trial, space: SearchSpace) -> dict[str, Any]:
    """The overrides of an Optuna trial. The base config has none if it lies outside the space."""
    outside = trial.user_attrs.get(BASELINE) and space.baseline_params() is None
    return {} if outside else space.suggest(trial)


def limit_for(space: SearchSpace, earlier: StudyView | None) -> int:
    """How many trials a study of `space` should have if the caller does not say.

    A resumed study keeps the limit of its last sweep, unless the number in its space was changed since.
    """
    same_number = earlier is not None and earlier.space.trials == space.trials
    return (earlier.limit if earlier and same_number else None) or space.trials


def refuse_taken(name: str) -> None:
    """Raises UsageError if a new study cannot have the name."""
    if is_study(study_dir(check_name(name, "study"))):
        raise UsageError(f"study {name!r} already exists; choose another name, or resume it with --resume {name}")


def reopen(name: str, space: SearchSpace, data: Mapping[str, str], storage: str | None = None) -> Study:
    """The Optuna study of that name, to be resumed. `storage` may name its storage again, for the password.

    Raises:
        UsageError: unknown study or another storage; or its space, base config or data have changed (the message names
            the differences).
    """
    folder = find_study(name)
    study = open_storage(folder, storage)
    known = study.user_attrs.get(DATA, {})
    differences = load_study_space(folder).differences(space)
    differences += [f"{key}: {known.get(key)} -> {value}" for key, value in data.items() if known.get(key) != value]
    if differences:
        raise UsageError(
            f"study {name!r} was created with another space or data ({'; '.join(differences)}), "
            "so its trials would not be comparable; change it back, or start a new study"
        )
    return study


def _claim(space: SearchSpace, name: str | None, held: contextlib.ExitStack) -> Path:
    """Create and lock a study's folder: NAME, or the space's name with the first free number."""
    if name is not None:
        refuse_taken(name)
        held.enter_context(_locked(study_dir(name)))
        refuse_taken(name)  # another process may have created it in the meantime
        return study_dir(name)
    for number in count(1):
        folder = study_dir(f"{space.name}-{number:03d}")
        if is_study(folder):
            continue
        with contextlib.suppress(UsageError), contextlib.ExitStack() as lock:  # another sweep is creating it
            lock.enter_context(_locked(folder))
            if not is_study(folder):
                held.enter_context(lock.pop_all())
                break
    return folder


def _locked(folder: Path) -> DriverLock:
    """The lock of a study's folder, which is created unless a killed sweep left it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"cannot create a study in {study_dir('')}: {error.strerror}"
        raise PodiumError(f"{why}; set PODIUM_WORKSPACE to another folder") from error
    return DriverLock(folder)
