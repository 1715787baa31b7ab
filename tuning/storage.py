"""Optuna's storage of a study: the one truth about its trials."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from podium.core.errors import PodiumError


def create_in_storage(folder: Path, direction: str) -> Any:
    """A new Optuna study for `folder`. Raises PodiumError when its storage cannot be used."""
    import optuna

    with _one_line(folder):
        storage = _storage(folder)
        # Readers do not wait for the writer, and a commit costs one flush instead of several.
        with storage.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        return optuna.create_study(study_name=folder.name, storage=storage, direction=direction)


def open_storage(folder: Path) -> Any:
    """The Optuna study in `folder`. Raises PodiumError when its storage cannot be used."""
    import optuna

    with _one_line(folder):
        return optuna.load_study(study_name=folder.name, storage=_storage(folder))


def _storage(folder: Path) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.storages.RDBStorage(f"sqlite:///{folder / 'study.db'}")


@contextlib.contextmanager
def _one_line(folder: Path) -> Iterator[None]:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.OptunaError, KeyError) as error:
        line = " ".join(str(error).split())
        raise PodiumError(f"cannot use the study's storage {folder / 'study.db'}: {line}") from error
