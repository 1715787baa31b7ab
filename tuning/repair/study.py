"""Repairs the files of a study one after another: space, storage, trials, summary, and its runs in MLflow."""

from pathlib import Path

import optuna

from podium.core.damage import DamagedFile, Findings, keep_copy, set_aside
from podium.core.errors import PodiumError, UsageError
from podium.core.files import write_json, write_text
from podium.core.yaml_text import parse_yaml
from tuning.backends.base import NoBackend, Usage
from tuning.repair.journal import salvage
from tuning.repair.records import rebuild
from tuning.repair.tracking import repair_mlflow
from tuning.repair.trial import repair_trial
from tuning.search.load import parse_space
from tuning.search.space import SearchSpace
from tuning.study.files import JOURNAL_FILE, SPACE_FILE, STORAGE_FILE, SUMMARY_FILE
from tuning.study.journal import open_journal
from tuning.study.locks import DriverLock, WorkersLock
from tuning.study.storage import FILES, JOURNAL, SQLITE, open_storage, recorded
from tuning.study.study import SPACE, StudyView, find_study, load_study, load_study_space
from tuning.sweep import summarise

DERIVED = ("states", "steps_run", "steps_saved", "cuts", "stopped", "failed")  # of summary.json


def repair_study(name: str, mlflow: bool = False) -> Findings:
    """Repair a study. Nothing is changed where nothing is damaged.

    With `mlflow`, the study is also written to an MLflow store that does not know it.

    Raises:
        UsageError: unknown study, or a sweep runs it.
        PodiumError: something that cannot be rebuilt is damaged; the message says what to do.
    """
    folder, found = find_study(name), Findings()
    with DriverLock(folder):
        WorkersLock(folder).wait_for_none()
        space = _repair_space(folder, found)
        _repair_storage_record(folder, found)
        _repair_records(folder, space, found)
        study = load_study(name)
        for trial in study.trials:
            repair_trial(trial, found)
        _repair_summary(study, found)
        repair_mlflow(load_study(name), mlflow, found)
    return found


def _repair_space(folder: Path, found: Findings) -> SearchSpace:
    try:
        return load_study_space(folder)
    except UsageError as error:
        path, text = folder / SPACE_FILE, _saved_space(folder)
        if text is None:
            raise PodiumError(
                f"{path} is damaged, and the study has no copy of it; restore it from a backup"
            ) from error
        space = parse_space(parse_yaml(text), str(path))
        kept = f"; the damaged one is kept as {keep_copy(path).name}" if path.exists() else ""
        write_text(path, text)
        found.done.append(f"{path}: written anew from the copy in the study's storage{kept}")
        return space


def _saved_space(folder: Path) -> str | None:
    """The text of space.yaml that the study's storage has; None in a study of an older version of Podium."""
    try:
        saved = open_storage(folder).user_attrs.get(SPACE)
    except DamagedFile:
        saved = salvage(folder / JOURNAL_FILE, ["minimize"])[0].user_attrs.get(SPACE)
    return None if saved is None else str(saved)


def _repair_storage_record(folder: Path, found: Findings) -> None:
    path = folder / STORAGE_FILE
    try:
        recorded(folder)
    except DamagedFile as error:
        here = [storage for storage, file in FILES.items() if (folder / file).is_file()]
        if not here and b"://" in path.read_bytes():
            raise PodiumError(
                f"{path} is damaged, and no file beside it holds the trials; "
                'write {"optuna": "URL"} with the URL of the database into it'
            ) from error
        kept = keep_copy(path)
        write_json(path, {"optuna": here[0] if here else JOURNAL})
        found.done.append(f"{path}: written anew ({here[0] if here else JOURNAL}); kept as {kept.name}")


def _repair_records(folder: Path, space: SearchSpace, found: Findings) -> None:
    """Write the journal anew if Optuna's storage cannot be read."""
    try:
        load_study(folder.name)
    except DamagedFile as error:
        storage = recorded(folder)
        if storage not in FILES:
            raise PodiumError(f"{error}; Podium cannot repair a database: restore it from its backup") from error
        directions = [direction for _, direction in space.aims]
        known, left_out = salvage(folder / JOURNAL_FILE, directions)
        new = folder / f".{JOURNAL_FILE}.tmp"
        new.unlink(missing_ok=True)
        study = optuna.create_study(study_name=folder.name, storage=open_journal(new), directions=directions)
        rebuild(known, space, folder, study, found)
        n_trials = len(study.get_trials(deepcopy=False))
        damaged = folder / FILES[storage]
        kept = f"; the damaged one is kept as {keep_copy(damaged).name}" if damaged.is_file() else ""
        new.replace(folder / JOURNAL_FILE)
        if storage == SQLITE:
            write_json(folder / STORAGE_FILE, {"optuna": JOURNAL})
            _remove_database(damaged)
        found.done += [f"{damaged}:{number}: the line is left out ({why})" for number, why in left_out.items()]
        found.done.append(f"{folder / JOURNAL_FILE}: written anew with {n_trials} trials{kept}")


def _remove_database(path: Path) -> None:
    """Remove the old name of a database that is kept under another one."""
    path.unlink(missing_ok=True)
    for log in path.parent.glob(f"{path.name}-*"):  # a write-ahead log belongs to its database
        set_aside(log)


def _repair_summary(study: StudyView, found: Findings) -> None:
    if study.damage is None:
        return
    path = study.dir / SUMMARY_FILE
    kept, summary = keep_copy(path).name, summarise(study, NoBackend(), Usage(0.0, []), 0.0)
    write_json(path, {name: summary[name] for name in DERIVED})
    found.done.append(f"{path}: written anew from the trials; the damaged one is kept as {kept}")
    found.lost.append(f"{path}: how long the last sweep took, on which workers, and how MLflow did")
