"""Optuna's storage of a study, the one truth about its trials: a journal or sqlite in its folder, or a database's URL.

The journal is the default: each entry is flushed to the disk, and it takes less time for a trial than sqlite does.

The folder says which in storage.json, without the password.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from podium.core.errors import PodiumError, UsageError
from podium.core.files import is_full_disk, read_json, write_json
from podium.core.redaction import one_line, redact
from tuning.study.files import cut_short, no_room

ENVIRONMENT = "PODIUM_OPTUNA_STORAGE"
SQLITE, JOURNAL = "sqlite", "journal"
FILES = {JOURNAL: "journal.log", SQLITE: "study.db"}
SCHEMES = ("sqlite", "postgresql", "mysql")
RECORD = "storage.json"
CONNECT_TIMEOUT_S = 10


def optuna_storage(setting: str | None = None) -> str:
    """`setting`, else PODIUM_OPTUNA_STORAGE, else a journal. Raises UsageError for what cannot be one."""
    chosen = setting or os.environ.get(ENVIRONMENT) or JOURNAL
    if chosen in FILES:
        return chosen
    scheme, _, rest = chosen.partition("://")
    if not rest or scheme.partition("+")[0] not in SCHEMES:
        known = ", ".join([*FILES, *(f"{name}://..." for name in SCHEMES)])
        raise UsageError(f"Optuna storage {redact(chosen)!r}: must be one of {known}")
    if scheme.startswith("sqlite") and not rest.startswith("//"):
        raise UsageError(f"Optuna storage {chosen!r}: the path must be absolute, like sqlite:////data/studies.db")
    return chosen


def create_in_storage(folder: Path, directions: Sequence[str], storage: str) -> Any:
    """A new Optuna study for `folder` in `storage`, as `optuna_storage` gives it.

    Raises:
        PodiumError: the storage cannot be used.
        UsageError: it has a study of that name already, of another workspace.
    """
    import optuna

    with _one_line(folder, storage):
        opened = _open(folder, storage)
        try:
            study = optuna.create_study(study_name=folder.name, storage=opened, directions=list(directions))
        except optuna.exceptions.DuplicatedStudyError:
            raise UsageError(
                f"study {folder.name!r} is in {redact(storage)} already, from another workspace; choose another --name"
            ) from None
    write_json(folder / RECORD, {"optuna": without_password(storage)})
    return study


def open_storage(folder: Path, setting: str | None = None) -> Any:
    """The Optuna study in `folder`. `setting` is asked for its password where the recorded URL has none.

    Raises:
        PodiumError: its storage cannot be used.
        UsageError: `setting` is another storage than the study's.
    """
    import optuna

    storage = _recorded(folder, setting)
    with _one_line(folder, storage):
        return optuna.load_study(study_name=folder.name, storage=_open(folder, storage))


def discard_storage(folder: Path) -> None:
    """Remove what Optuna keeps in `folder`."""
    for name in (RECORD, *FILES.values()):
        for path in folder.glob(f"{name}*"):  # with its journal and locks
            path.unlink()


def has_storage(folder: Path) -> bool:
    return (folder / RECORD).is_file() or (folder / FILES[SQLITE]).is_file()


@contextlib.contextmanager
def storage_in_use(folder: Path) -> Iterator[None]:
    """Raises PodiumError when the study's storage or its disk fails in the middle of a sweep: one line that says how to
    go on."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        why = f"its storage failed ({_line(error.__cause__ or error)}); see to that, or free some space"
        raise cut_short(folder.name, why) from error
    except (OSError, PodiumError) as error:
        if not is_full_disk(error):
            raise
        raise cut_short(folder.name, redact(no_room(error))) from error


def without_password(storage: str) -> str:
    """The URL as it may be written down."""
    from sqlalchemy.engine import URL, make_url

    if storage in FILES:
        return storage
    url = make_url(storage).difference_update_query(["password"])
    return URL.create(
        url.drivername, url.username, None, url.host, url.port, url.database, url.query
    ).render_as_string()


def _recorded(folder: Path, setting: str | None) -> str:
    """The study's storage, with the password of `setting` or the environment where they name the same database."""
    record = folder / RECORD
    known = read_json(record)["optuna"] if record.is_file() else SQLITE
    for candidate in filter(None, (setting, os.environ.get(ENVIRONMENT))):
        if without_password(optuna_storage(candidate)) == known:
            return candidate
    if setting:
        raise UsageError(f"Optuna storage {redact(setting)!r}: study {folder.name!r} is kept in {known}; leave it out")
    return str(known)


def _open(folder: Path, storage: str) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if storage == JOURNAL:
        from tuning.study.journal import Journal

        return optuna.storages.JournalStorage(Journal(folder / FILES[JOURNAL]))
    if storage == SQLITE:
        if not os.access(folder, os.W_OK):
            return optuna.storages.RDBStorage(_for_reading(folder / FILES[SQLITE]))
        storage = f"sqlite:///{folder / FILES[SQLITE]}"
    local = storage.startswith("sqlite")
    connect = {} if local else {"connect_timeout": CONNECT_TIMEOUT_S}
    # A server that was restarted since the last trial is connected to again.
    opened = optuna.storages.RDBStorage(storage, {"connect_args": connect, "pool_pre_ping": not local})
    if local:
        _make_commits_cheap(opened.engine)
    return opened


def _for_reading(path: Path) -> str:
    """The URL of a database that cannot be written. Told that it does not change, sqlite wants no files beside it;
    where there are some, the newest commits are in them."""
    fixed = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    return f"sqlite:///{path.as_uri()}?mode=ro{fixed}&uri=true"


def _make_commits_cheap(engine: Any) -> None:
    """A trial takes some twenty commits. In the write-ahead log readers do not wait for the writer; without a flush for
    each, a commit survives the death of any process, and only the last ones before a power cut are lost, whole.
    """
    from sqlalchemy import event

    engine.dispose()  # connections that were made before
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=NORMAL"))
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")


@contextlib.contextmanager
def _one_line(folder: Path, storage: str) -> Iterator[None]:
    """What a database, its driver or the disk raises, as one line without the password."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    where = str(folder / FILES[storage]) if storage in FILES else without_password(storage)
    try:
        yield
    except UsageError:
        raise
    except ImportError as error:
        raise PodiumError(
            f"cannot use the Optuna storage {where}: its driver is not there ({_line(error)}); "
            "pip install 'podium[postgres]' has the one of postgresql+psycopg://"
        ) from error
    except (SQLAlchemyError, optuna.exceptions.OptunaError, KeyError, ValueError, OSError) as error:
        hint = f"; the password may come from {ENVIRONMENT} or the driver's own settings"
        if storage in FILES or storage.startswith("sqlite"):
            hint = "; its folder must be there, and must let us write"
        raise PodiumError(f"cannot use the study's storage {where}: {_line(error)}{hint}") from error


def _line(error: BaseException) -> str:
    return one_line(getattr(error, "orig", None) or error)
