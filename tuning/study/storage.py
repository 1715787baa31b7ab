"""Optuna's storage of a study, the source of truth about its trials: a journal or an SQLite file in the study's folder,
or a database that a URL names.

The journal is the default: each entry is flushed to the disk, and a trial costs it less time than SQLite.

storage.json in the study's folder records the choice, without the password.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from podium.core import settings
from podium.core.damage import DamagedFile
from podium.core.errors import PodiumError, UsageError
from podium.core.files import is_full_disk, read_json, write_json
from podium.core.redaction import one_line, redact
from tuning.search.objectives import Direction
from tuning.study.files import JOURNAL_FILE, SQLITE_FILE, STORAGE_FILE, cannot_continue, no_room
from tuning.study.locks import one_creator

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from sqlalchemy import Engine

SQLITE, JOURNAL = "sqlite", "journal"
FILES = {JOURNAL: JOURNAL_FILE, SQLITE: SQLITE_FILE}
SCHEMES = ("sqlite", "postgresql", "mysql")
CONNECT_TIMEOUT_S = 10
POSTGRES_DRIVER = ".venv/bin/pip install -e '.[postgres]'"
LIMIT = "limit"  # Optuna user attribute of a study, from its first sweep on: how many trials the last one was to reach


def optuna_storage(given: str | None = None) -> str:
    """The storage of a new study: `given`, else the setting, else a journal.

    Raises UsageError unless it is journal, sqlite or the URL of a database.
    """
    chosen = given or settings.get("optuna_storage") or JOURNAL
    if chosen in FILES:
        return chosen
    scheme, _, rest = chosen.partition("://")
    if not rest or scheme.partition("+")[0] not in SCHEMES:
        known = ", ".join([*FILES, *(f"{name}://..." for name in SCHEMES)])
        raise UsageError(f"Optuna storage {redact(chosen)!r}: must be one of {known}")
    if scheme.startswith("sqlite") and not rest.startswith("//"):
        raise UsageError(f"Optuna storage {chosen!r}: the path must be absolute, like sqlite:////data/studies.db")
    return chosen


def create_in_storage(folder: Path, directions: Sequence[Direction], storage: str) -> Study:
    """Create the Optuna study of `folder` in `storage`, which `optuna_storage` returned.

    What a sweep left there that was killed before it had created its study is removed.

    Raises:
        PodiumError: the storage cannot be used.
        UsageError: the storage has a study of that name from another workspace.
    """
    import optuna

    record = {"optuna": recorded_url(storage)}
    began_here = (folder / STORAGE_FILE).is_file() and read_json(folder / STORAGE_FILE) == record
    _discard_files(folder)
    write_json(folder / STORAGE_FILE, record)  # first, so that `began_here` is known after a kill
    with _one_line(folder, storage), _one_creator(storage):
        opened = _open(folder, storage)
        if began_here:
            _delete_unused(folder.name, opened)
        try:
            return optuna.create_study(study_name=folder.name, storage=opened, directions=list(directions))
        except optuna.exceptions.DuplicatedStudyError:
            raise UsageError(
                f"study {folder.name!r} already exists in {redact(storage)}, from another workspace; "
                "choose another --name"
            ) from None


def _discard_files(folder: Path) -> None:
    """Remove Optuna's files from `folder`."""
    for name in (STORAGE_FILE, *FILES.values()):
        for path in folder.glob(f"{name}*"):  # with SQLite's own journal and locks
            path.unlink()


def _one_creator(storage: str) -> contextlib.AbstractContextManager[None]:
    """Two processes that create the tables of an SQLite file at once would fail; a server is left to Optuna."""
    return one_creator(Path(storage.partition("///")[2])) if storage.startswith("sqlite:") else contextlib.nullcontext()


def _delete_unused(name: str, storage: BaseStorage) -> None:
    """Delete the study of that name unless a sweep has ever driven it."""
    import optuna

    with contextlib.suppress(KeyError):
        if LIMIT not in optuna.load_study(study_name=name, storage=storage).user_attrs:
            optuna.delete_study(study_name=name, storage=storage)


def open_storage(folder: Path, setting: str | None = None) -> Study:
    """The Optuna study of `folder`. `setting` may name its storage again, with the password that is not recorded.

    Raises:
        PodiumError: the storage cannot be used.
        UsageError: `setting` names another storage than the study's.
    """
    import optuna

    storage = _recorded(folder, setting)
    if storage in FILES and not (folder / FILES[storage]).is_file():
        raise DamagedFile(f"{folder / FILES[storage]} is missing, which held the study's trials; {_repair(folder)}")
    with _one_line(folder, storage):
        return optuna.load_study(study_name=folder.name, storage=_open(folder, storage))


@contextlib.contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Raises PodiumError, which names the storage, for what a damaged one raises while its trials are read."""
    with _one_line(folder, _recorded(folder, None)):
        yield


@contextlib.contextmanager
def storage_in_use(folder: Path) -> Iterator[None]:
    """Raises PodiumError if the study's storage or its disk fails during a sweep: one line that says how to resume."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        why = f"its storage failed ({_line(error.__cause__ or error)}); fix that, or free some disk space"
        raise cannot_continue(folder.name, why) from error
    except (OSError, PodiumError) as error:
        if not is_full_disk(error):
            raise
        raise cannot_continue(folder.name, redact(no_room(error))) from error


def recorded_url(storage: str) -> str:
    """`storage` as storage.json records it: the URL without any password."""
    from sqlalchemy.engine import make_url

    if storage in FILES:
        return storage
    url = make_url(storage).difference_update_query(["password"])
    return url._replace(password=None).render_as_string()  # URL.set() would leave it as it is


def _recorded(folder: Path, setting: str | None) -> str:
    """The study's storage, with the password from `setting` or the environment if they name the same database."""
    known = recorded(folder)
    for candidate in filter(None, (setting, settings.get("optuna_storage"))):
        if recorded_url(optuna_storage(candidate)) == known:
            return candidate
    if setting:
        raise UsageError(f"Optuna storage {redact(setting)!r}: study {folder.name!r} is kept in {known}; leave it out")
    return known


def recorded(folder: Path) -> str:
    """The storage that storage.json records; without that file, the one whose file is there.

    Raises DamagedFile if the record is damaged.
    """
    record = folder / STORAGE_FILE
    if not record.is_file():
        return SQLITE if (folder / SQLITE_FILE).is_file() else JOURNAL
    try:
        return optuna_storage(str(read_json(record)["optuna"]))
    except (UsageError, KeyError, TypeError) as error:
        why = str(error) if isinstance(error, UsageError) else f"{record} names no Optuna storage"
        raise DamagedFile(f"{why}; it is damaged: {_repair(folder)}") from error


def _repair(folder: Path) -> str:
    return f"`podium repair {folder.name}` writes it anew"


def _open(folder: Path, storage: str) -> BaseStorage:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if storage == JOURNAL:
        from tuning.study.journal import open_journal

        return open_journal(folder / JOURNAL_FILE)
    if storage == SQLITE:
        if not os.access(folder, os.W_OK):
            return optuna.storages.RDBStorage(_for_reading(folder / SQLITE_FILE))
        storage = f"sqlite:///{folder / SQLITE_FILE}"
    local = storage.startswith("sqlite")
    connect = {} if local else {"connect_timeout": CONNECT_TIMEOUT_S}
    # With `pool_pre_ping` a server that restarted since the last trial is connected to again.
    opened = optuna.storages.RDBStorage(storage, {"connect_args": connect, "pool_pre_ping": not local})
    if local:
        _make_commits_cheap(opened.engine)
    return opened


def _for_reading(path: Path) -> str:
    """The URL of a database file that cannot be written.

    `immutable` keeps SQLite from creating files beside it; but if a write-ahead log exists, it must be
    read, since it holds the newest commits.
    """
    fixed = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    return f"sqlite:///{path.as_uri()}?mode=ro{fixed}&uri=true"


def _make_commits_cheap(engine: Engine) -> None:
    """Use SQLite's write-ahead log, and do not flush it to the disk at each commit."""
    # A trial takes some twenty commits. With the log, readers do not wait for the writer. Without the flush, a commit
    # survives the end of any process; a power cut can lose the last commits, but never part of one.
    from sqlalchemy import event

    engine.dispose()  # closes the connections that were made before
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=NORMAL"))
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")


@contextlib.contextmanager
def _one_line(folder: Path, storage: str) -> Iterator[None]:
    """Raises PodiumError, one line without the password, for an error of the database, its driver or the disk."""

    where = str(folder / FILES[storage]) if storage in FILES else redact(storage)
    try:
        yield
    except PodiumError:
        raise
    except ImportError as error:
        raise PodiumError(
            f"cannot use the Optuna storage {where}: its driver is not installed ({_line(error)}); "
            f"{POSTGRES_DRIVER} installs the one for postgresql+psycopg://"
        ) from error
    except Exception as error:  # whatever a driver, or Optuna on damaged records, raises
        why = f"cannot use the study's storage {where}: {_line(error)}"
        if storage not in FILES and not storage.startswith("sqlite"):
            hint = "check the server, and the password in PODIUM_OPTUNA_STORAGE or the driver's own settings"
        elif _is_refused(error):
            hint = "its folder must exist and be writable"
        else:
            raise DamagedFile(f"{why}; {_repair(folder)}") from error
        raise PodiumError(f"{why}; {hint}") from error


def _is_refused(error: BaseException) -> bool:
    """Whether the system refused a file, in contrast to what is in it."""
    return isinstance(error, OSError) or any(words in str(error) for words in ("unable to open", "readonly", "locked"))


def _line(error: BaseException) -> str:
    return one_line(getattr(error, "orig", None) or error)
