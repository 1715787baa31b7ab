"""MLflow's SQLite file, which exists whole or not at all.

MLflow makes it in some fifty migrations, which take seconds. A process that is killed among them would leave a file
that none can use, and two processes would make it against each other. So one process makes it under another name.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from podium.core.temporary import temporary_folder
from tuning.study.locks import one_creator
from tuning.tracking.uri import default_artifacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alembic.script import ScriptDirectory

WAIT_S = 20.0  # for another process's lock on the file, as long as MLflow waits
BESIDE = ("-journal", "-wal", "-shm")  # SQLite's own files beside a database; they must not outlive it
COLUMNS = "SELECT t.name, c.name FROM sqlite_master t, pragma_table_xinfo(t.name) c WHERE t.type = 'table'"
SCHEMAS = re.compile(r"found version (\w+), but expected (\w+)")  # in MLflow's refusal of a store
EXPERIMENTS, REVISION = ("experiments", "experiment_id"), ("alembic_version", "version_num")  # two of the columns


def prepare(file: Path) -> None:
    """Make the store unless there is a whole one.

    A store that holds experiments and is not whole comes from an older MLflow, or its migration was killed. A copy of
    it is migrated, and the old file is kept under another name.

    Raises:
        PodiumError: the folder cannot be written, or another process does not finish making the store.
        sqlite3.Error: the file is locked for too long, or is not a database.
    """
    file = file.resolve()
    if not _read(file).is_usable():
        _make(file)
    with closing(sqlite3.connect(file, timeout=WAIT_S)) as database:
        database.execute("PRAGMA journal_mode=WAL")  # stays set in the file: a metric costs 1.5 ms instead of 13.6


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with one_creator(file), temporary_folder(file) as folder:
        found = _read(file)
        if found.is_usable():
            return  # another process has made it in the meantime
        new = folder / file.name
        if found.n_experiments:
            old, kept = folder / "old", _free_name(file)
            done = _migrate_copy(file, old, new)
            old.replace(kept)
            logging.getLogger("podium").warning("%s %s; the old store is %s", file, done, kept.name)
        else:
            _migrate(new)
        for ending in BESIDE:
            file.with_name(f"{file.name}{ending}").unlink(missing_ok=True)
        new.replace(file)


@dataclass(frozen=True)
class _Contents:
    """What a file holds. MLflow adds the first experiment after the last migration, so a store that was never whole has
    none."""

    columns: set[tuple[str, str]]  # (table, column)
    revisions: list[str]
    n_experiments: int

    def is_usable(self) -> bool:
        """Whether every migration and column is there. A file of another program or of a newer MLflow counts as usable:
        MLflow says what is wrong with it."""
        from mlflow.store.db import utils

        if EXPERIMENTS not in self.columns:
            return bool(self.columns)
        if self.revisions == _migrations().get_heads():
            return self.columns >= {
                (table.name, column.name) for table in utils.Base.metadata.sorted_tables for column in table.c
            }
        return not _are_known(self.revisions)


def newer_schema(refusal: str) -> str | None:
    """What a refusal of MLflow says of a store that a newer MLflow wrote; None for any other text.

    MLflow's own words ask for a migration, which cannot help: this MLflow does not know the store's schema.
    """
    found = SCHEMAS.search(refusal)
    return f"schema {found[1]}, and this one has {found[2]}" if found and not _are_known([found[1]]) else None


def _are_known(revisions: Sequence[str]) -> bool:
    """Whether this MLflow has these migrations."""
    from alembic.util import CommandError

    try:
        _migrations().get_revisions(revisions)
    except CommandError:
        return False
    return True


def _migrations() -> ScriptDirectory:
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils

    return ScriptDirectory.from_config(utils._get_alembic_config(""))


def _read(file: Path) -> _Contents:
    if not file.exists():
        return _Contents(set(), [], 0)
    with closing(sqlite3.connect(file, timeout=WAIT_S)) as database:  # settles what a killed process did not commit
        columns = set(database.execute(COLUMNS))
        revisions = database.execute("SELECT version_num FROM alembic_version") if REVISION in columns else ()
        experiments = database.execute("SELECT experiment_id FROM experiments") if EXPERIMENTS in columns else ()
        return _Contents(columns, [revision for (revision,) in revisions], len(list(experiments)))


def _migrate_copy(file: Path, old: Path, new: Path) -> str:
    """Copy `file` to `old`, and make `new` from that, or from nothing if it cannot be migrated. Returns what it did."""
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    with closing(sqlite3.connect(file)) as database, closing(sqlite3.connect(old)) as copy:
        database.backup(copy)  # with what is in its write-ahead log
    shutil.copyfile(old, new)
    try:
        _migrate(new)
    except (CommandError, MlflowException, SQLAlchemyError):
        new.unlink()
        _migrate(new)
        return "was damaged, so a new one was made (`podium repair STUDY --mlflow` writes a study to it)"
    return "was migrated to the schema of this MLflow"


def _migrate(file: Path) -> None:
    """Run the migrations that the file lacks, or all if it does not exist, and flush it to the disk."""
    from mlflow.store.db import utils
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    uri = f"sqlite:///{file}"
    engine = utils.create_sqlalchemy_engine(uri)
    utils._initialize_tables(engine)
    engine.dispose()
    SqlAlchemyStore(uri, default_artifacts().as_uri()).engine.dispose()  # adds the first experiment
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _free_name(file: Path) -> Path:
    """The first name like mlflow.old-1.db that no file has."""
    names = (file.with_name(f"{file.stem}.old-{number}{file.suffix}") for number in count(1))
    return next(path for path in names if not path.exists())
