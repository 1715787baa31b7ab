"""Where results are kept: MLflow, Optuna's storage, and the studies in it."""

from collections.abc import Iterator

from podium.core.errors import PodiumError
from podium.core.redaction import one_line, redact
from podium.doctor.finding import Finding


def mlflow() -> Iterator[Finding]:
    from tuning.tracking.store import open_client, refusals
    from tuning.tracking.uri import check_tracking_uri, is_server, sqlite_file, tracking_uri

    uri = tracking_uri()
    check_tracking_uri(uri)
    if (file := sqlite_file(uri)) is not None and not file.exists():
        yield Finding.ok("mlflow", f"{redact(uri)}, made by the first sweep")
        return
    try:
        with refusals(f"MLflow cannot use {redact(uri)}"):
            open_client(uri)
    except PodiumError as error:
        line, _, fix = str(error).partition("; ")
        where = "start the server, or set" if is_server(uri) else "set"
        yield Finding.broken("mlflow", line, fix or f"{where} MLFLOW_TRACKING_URI to another store")
        return
    yield Finding.ok("mlflow", redact(uri))


def optuna() -> Iterator[Finding]:
    from podium.core.paths import workspace
    from tuning.study.storage import FILES, optuna_storage

    storage = optuna_storage()
    if storage in FILES:
        yield Finding.ok("optuna", f"a {storage} in each study's folder, in {workspace() / 'studies'}")
        return
    try:
        _connect(storage)
    except Exception as error:  # noqa: BLE001 recorded: whatever a driver raises
        line = f"{redact(storage)} does not answer: {one_line(getattr(error, 'orig', None) or error, 300)}"
        yield Finding.broken("optuna", line, "start the database, or correct optuna_storage (`podium config show`)")
        return
    yield Finding.ok("optuna", redact(storage))


def _connect(storage: str) -> None:
    from sqlalchemy import create_engine

    from tuning.study.storage import CONNECT_TIMEOUT_S

    local = storage.startswith("sqlite")
    engine = create_engine(storage, connect_args={} if local else {"connect_timeout": CONNECT_TIMEOUT_S})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
    finally:
        engine.dispose()


def studies() -> Iterator[Finding]:
    from tuning.study.overview import all_studies

    rows = all_studies()
    for row in rows:
        if "damage" in row:
            yield Finding.broken("studies", f"{row['study']}: {row['damage']}", f"podium repair {row['study']}")
    running = [row["study"] for row in rows if row.get("running")]
    also = f"; running: {', '.join(running)}" if running else ""
    number = "1 study" if len(rows) == 1 else f"{len(rows)} studies"
    yield Finding.ok("studies", f"{number} in the workspace{also}")
