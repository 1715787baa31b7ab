"""Optuna and MLflow on PostgreSQL, started here from the system's package.

Needs its server programs (Debian: apt-get install postgresql) and the driver (.venv/bin/pip install -e '.[postgres]').
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.core.errors import PodiumError
from podium.core.states import State
from tests.tuning.conftest import fates
from tuning.study.overview import importance
from tuning.study.study import load_study

pytestmark = pytest.mark.slow
PASSWORD = "hunter22-xyzzy"
SHORT = {"trials": 4, "scheduler": "none", "report_every_steps": 30}


def program(name: str) -> str:
    """Debian keeps them off the PATH, a folder for each version."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    return found or pytest.skip(f"PostgreSQL's {name} is not here; Debian: apt-get install postgresql")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """`user:password@host:port` of a server on 127.0.0.1 alone, which asks for its password."""
    pytest.importorskip("psycopg", reason="needs psycopg: .venv/bin/pip install -e '.[postgres]'")
    initdb, postgres = program("initdb"), program("postgres")
    folder = Path(tempfile.mkdtemp(prefix="podium-postgres-"))
    password = folder / "password"
    password.write_text(PASSWORD)
    port = free_port()
    as_user = unprivileged(folder)
    subprocess.run(
        [initdb, "-D", folder / "data", "-U", "ann", "-A", "scram-sha-256", f"--pwfile={password}", "--no-sync"],
        check=True,
        capture_output=True,
        **as_user,
    )
    settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    log = (folder / "log").open("w")
    with subprocess.Popen([postgres, "-D", folder / "data", *options], stdout=log, stderr=log, **as_user) as process:
        try:
            wait_until_it_answers(port, process)
            yield f"ann:{PASSWORD}@127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)  # its fast shutdown; SIGTERM would wait for every connection to end
            process.wait()
            shutil.rmtree(folder)


def unprivileged(folder: Path) -> dict[str, int]:
    """PostgreSQL refuses to run as root; then it runs as `nobody`, who is given the folder."""
    if os.getuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    for path in (folder, folder / "password"):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def wait_until_it_answers(port: int, process: subprocess.Popen) -> None:
    import psycopg

    while process.poll() is None:
        try:
            address = {"host": "127.0.0.1", "port": port, "user": "ann", "password": PASSWORD}
            with psycopg.connect(dbname="postgres", autocommit=True, **address) as connection:
                for name in ("optuna", "mlflow"):
                    connection.execute(f"CREATE DATABASE {name}")
                return
        except psycopg.OperationalError:
            time.sleep(0.1)
    pytest.fail("PostgreSQL did not start")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_sweep_with_all_of_it_on_postgresql(run_sweep, server, monkeypatch, home):
    optuna_url, mlflow_url = (f"postgresql+psycopg://{server}/{name}" for name in ("optuna", "mlflow"))
    plain = run_sweep(SHORT, name="sqlite")
    study = run_sweep(SHORT, optuna_storage=optuna_url, tracking_uri=mlflow_url, name="pg")
    assert fates(study) == fates(plain)
    assert study.summary["mlflow"]["failures"] == 0
    assert PASSWORD not in everything_written(home)
    with pytest.raises(
        PodiumError, match=r"cannot use the study's storage postgresql\+psycopg://ann@127.*password"
    ) as no:
        load_study("pg")
    assert PASSWORD not in str(no.value) and "\n" not in str(no.value)

    monkeypatch.setenv("PGPASSWORD", PASSWORD)  # as psycopg itself reads it
    assert fates(load_study("pg")) == fates(study)
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("PODIUM_OPTUNA_STORAGE", optuna_url)
    resumed = run_sweep({**SHORT, "trials": 6}, resume="pg", tracking_uri=mlflow_url)
    assert len(resumed.trials) == 6 and all(trial.state is not State.RUNNING for trial in resumed.trials)
    assert [trial.overrides for trial in resumed.trials[:4]] == [trial.overrides for trial in study.trials]
    shares = importance("pg")[study.space.metric]
    assert shares and shares.keys() <= study.space.parameters.keys()
    runs = mlflow_runs(mlflow_url)
    assert len(runs) == 7  # the study's own and six trials, none twice
    assert PASSWORD not in everything_written(home) and PASSWORD not in json.dumps(runs)


def everything_written(folder: Path) -> str:
    files = (path for path in folder.rglob("*") if path.is_file())
    return "".join(path.read_bytes().decode("utf-8", errors="replace") for path in files)


def mlflow_runs(uri: str) -> list[dict]:
    from tuning.tracking.store import open_client

    client = open_client(uri)
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return [run.to_dictionary() for run in client.search_runs(ids)]
