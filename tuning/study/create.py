"""Make a study, or open one again to go on with it."""

import contextlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from podium.core.errors import PodiumError, UsageError
from podium.core.files import write_text
from podium.core.paths import check_name, study_dir, workspace
from tuning.search.space import SearchSpace
from tuning.study.locks import DriverLock
from tuning.study.storage import JOURNAL, create_in_storage, discard_storage, open_storage
from tuning.study.study import ENQUEUED, StudyView, existing, load_study_space
from tuning.study.trial import BASELINE


def create(
    space: SearchSpace,
    name: str | None,
    data: Mapping[str, str],
    warm_start: StudyView | None = None,
    storage: str = JOURNAL,
) -> Any:
    """Make the folder and its Optuna study; `data` are the hashes that a resume is checked against, `warm_start` is an
    older study to begin with, `storage` is where Optuna keeps it.

    Raises:
        UsageError: there is a study of that name already.
        PodiumError: the folder or the storage cannot be written.
    """
    folder = _claim(space, name)
    with DriverLock(folder):
        refuse_taken(folder.name)  # by one that was made in the meantime
        discard_storage(folder)  # of a sweep that was killed before it had made its study
        try:
            study = create_in_storage(folder, [direction for _, direction in space.aims], storage)
        except PodiumError:
            shutil.rmtree(folder)
            with contextlib.suppress(OSError):  # where it is the only one, the folders that were made for it
                folder.parent.rmdir()
                workspace().rmdir()
            raise
        _fill(study, space, data, warm_start)
        write_text(folder / "space.yaml", space.to_yaml())  # last: a folder without it is not a study
    return study


def _fill(study: Any, space: SearchSpace, data: Mapping[str, str], warm_start: StudyView | None) -> None:
    """What a study knows before its first trial."""
    from tuning.study import transfer

    study.set_user_attr("data", dict(data))
    study.set_user_attr("created", datetime.now(UTC).isoformat(timespec="seconds"))
    if warm_start is not None:
        transfer.feed(study, space, warm_start, data)
    enqueue(study, space)
    if warm_start is not None:
        transfer.enqueue_best(study, space, warm_start)


def enqueue(study: Any, space: SearchSpace) -> None:
    """Have an Optuna study begin with the base config, and go on with what the space starts with."""
    if space.baseline:
        study.enqueue_trial(space.baseline_params() or {}, user_attrs={BASELINE: True})
    for values in space.start_with:
        study.enqueue_trial(space.params(values))
    study.set_user_attr(ENQUEUED, int(space.baseline) + len(space.start_with))


def draw(trial: Any, space: SearchSpace) -> dict[str, Any]:
    """The overrides of an Optuna trial; none for the base config where it lies outside the space."""
    outside = trial.user_attrs.get(BASELINE) and space.baseline_params() is None
    return {} if outside else space.suggest(trial)


def limit_for(space: SearchSpace, earlier: StudyView | None) -> int:
    """How many trials a study of `space` shall have where nobody says: what it was last told, unless the space has
    another number than when the study began."""
    is_as_told = earlier is not None and earlier.space.trials == space.trials
    return (earlier.limit if earlier and is_as_told else None) or space.trials


def refuse_taken(name: str) -> None:
    """Raises UsageError if `name` cannot be that of a new study."""
    if (study_dir(check_name(name, "study")) / "space.yaml").exists():
        raise UsageError(f"study {name!r} exists; choose another name, or go on with --resume {name}")


def reopen(name: str, space: SearchSpace, data: Mapping[str, str], storage: str | None = None) -> Any:
    """The Optuna study of that name, for going on with it. `storage` may name its storage again, for the password.

    Raises:
        UsageError: unknown study, another storage, or its space, base config or data are not what they were; the
            differences are named.
    """
    folder = existing(name)
    study = open_storage(folder, storage)
    known = study.user_attrs.get("data", {})
    differences = load_study_space(folder).differences(space)
    differences += [f"{key}: {known.get(key)} -> {value}" for key, value in data.items() if known.get(key) != value]
    if differences:
        raise UsageError(
            f"study {name!r} was made with another space or data ({'; '.join(differences)}), "
            "so its trials would not compare; change it back, or start a new study"
        )
    return study


def _claim(space: SearchSpace, name: str | None) -> Path:
    """A folder of our own: of that name, or the space's with the first free number."""
    try:
        if name is not None:
            refuse_taken(name)
            study_dir(name).mkdir(parents=True, exist_ok=True)
            return study_dir(name)
        for number in count(1):
            folder = study_dir(f"{space.name}-{number:03d}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir(parents=True)
                break
    except OSError as error:
        why = f"cannot make a study in {study_dir('')}: {error.strerror}"
        raise PodiumError(f"{why}; PODIUM_WORKSPACE names another place") from error
    return folder
