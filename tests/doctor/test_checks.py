"""Each check of `podium doctor` against a condition that is really broken, where one can be made."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from podium.core.errors import UsageError
from podium.doctor import credentials, examine, machine, network, places, quota, ray_ports, stores, versions
from podium.doctor.finding import Finding


def only(findings) -> Finding:
    (finding,) = findings
    return finding


def test_versions():
    assert only(versions.python()).status == "ok"
    assert only(versions.python("3.9.1")) == Finding.broken(
        "python", "3.9.1, must be <3.14,>=3.11", "install such a Python, then run `make setup`"
    )
    found = only(versions.libraries(["numpy<1", "no-such-thing>=2", "torch; extra == 'gp'", "rich"]))
    assert found.status == "broken"
    assert found.line.startswith("numpy 2.") and found.line.endswith(", must be <1, no-such-thing is not installed")
    assert "jax 0." in only(versions.libraries()).line


def test_devices(monkeypatch):
    assert only(machine.devices("cpu")).status == "ok"
    found = only(machine.devices("cuda12"))
    assert (found.status, found.fix) == ("note", "unset JAX_PLATFORMS to use the gpu")  # the tests set it
    monkeypatch.setenv("JAX_PLATFORMS", "")
    found = only(machine.devices("tpu"))
    assert found.status == "broken" and "ACCELERATOR=tpu make setup" in found.fix
    monkeypatch.setenv("JAX_PLATFORMS", "no_such")
    found = only(machine.devices("cpu"))
    assert found.status == "broken" and "no_such" in found.line


def test_memory_and_disk(home):
    assert only(machine.memory()).line.endswith(f" GB free on {os.cpu_count()} cores")
    assert only(machine.memory(10**9)).status == "note"
    assert [only(places.disk(size)).status for size in (10**8, 10**9, 10**10)] == ["broken", "note", "ok"]
    assert not (home / "workspace").exists()


def test_the_workspace(home, monkeypatch):
    found = only(places.workspace_folder())
    assert (found.status, found.line) == ("ok", f"{home / 'workspace'}, made by the first command that needs it")
    assert not (home / "workspace").exists()
    monkeypatch.setenv("PODIUM_WORKSPACE", "/proc/podium")
    found = only(places.workspace_folder())
    assert found.status == "broken" and found.line.startswith("cannot write to /proc: ")
    monkeypatch.setenv("PODIUM_WORKSPACE", "x" * 300)
    found = only(examine((places.workspace_folder,)))
    assert found.status == "broken" and found.fix == "choose another" and "255 in each folder's name" in found.line


def test_ray_sockets_and_encoding(tmp_path):
    assert only(places.ray_sockets("/tmp")).status == "ok"
    found = only(places.ray_sockets(str(tmp_path / ("x" * 60))))
    assert found.status == "broken" and "must be at most 107" in found.line
    assert only(places.ray_sockets("/proc/x")).line.startswith("cannot write to /proc: ")
    code = "from podium.doctor.places import encoding; print(next(encoding()).status)"
    plain = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for extra, status in (({}, "note"), ({"PYTHONUTF8": "1"}, "ok")):
        done = subprocess.run([sys.executable, "-c", code], env=plain | extra, capture_output=True, text=True)
        assert done.stdout.strip() == status, done.stderr


def test_mlflow(store, monkeypatch):
    assert only(stores.mlflow()).status == "ok"
    newer = shutil.copy(store, store.with_name("newer.db"))
    with closing(sqlite3.connect(newer)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        database.commit()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{newer}")
    found = only(stores.mlflow())
    assert found.status == "broken" and "a newer MLflow wrote it (schema ffffffffffff" in found.line
    assert found.fix == "install that MLflow, or set MLFLOW_TRACKING_URI to another store"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    store.write_text("not a database")
    with pytest.raises(UsageError, match="the file is not an SQLite database"):
        list(stores.mlflow())
    store.unlink()
    assert only(stores.mlflow()).line.endswith("made by the first sweep")
    assert not store.exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "ftp://user:secret-password@host")
    found = only(examine((stores.mlflow,)))
    assert found.status == "broken" and "must begin with one of" in found.line and "secret" not in str(found)


def test_optuna(home, monkeypatch):
    assert only(stores.optuna()).line.startswith("a journal in each study's folder")
    monkeypatch.setenv("PODIUM_OPTUNA_STORAGE", f"sqlite:////{home}/no/such/folder/x.db")
    found = only(stores.optuna())
    assert found.status == "broken" and "unable to open database file" in found.line
    monkeypatch.setenv("PODIUM_OPTUNA_STORAGE", "postgresql+psycopg://me:secret@127.0.0.1:9/x")
    found = only(stores.optuna())
    assert found.status == "broken" and "secret" not in found.line
    monkeypatch.setenv("PODIUM_OPTUNA_STORAGE", "mongo://x")
    assert only(examine((stores.optuna,))).status == "broken"


def test_a_damaged_study(home):
    from tests.cli.test_made_before import MADE

    shutil.copytree(MADE / "studies", home / "workspace" / "studies")
    assert only(stores.studies()).line == "1 study in the workspace"
    (home / "workspace" / "studies" / "before" / "space.yaml").write_text("{")
    damaged, _ = stores.studies()
    assert (damaged.status, damaged.fix) == ("broken", "podium repair before")


def test_tokens_are_found_and_never_shown(tmp_path, monkeypatch):
    for name in ("HF_TOKEN", *credentials.KAGGLE_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "absent"))
    assert only(credentials.kaggle_token(tmp_path)).status == "note"
    key = tmp_path / "kaggle.json"
    key.write_text(json.dumps({"username": "me", "key": "very-secret"}))
    key.chmod(0o644)
    readable, present = credentials.kaggle_token(tmp_path)
    assert (readable.status, readable.fix) == ("note", f"chmod 600 {key}")
    assert present.status == "ok" and "secret" not in present.line
    key.chmod(0o600)
    key.write_text("{")
    assert only(credentials.kaggle_token(tmp_path)).status == "broken"
    monkeypatch.setenv("KAGGLE_API_TOKEN", "very-secret")
    monkeypatch.setenv("HF_TOKEN", "very-secret")
    assert only(credentials.kaggle_token(tmp_path)).line == "present, in KAGGLE_API_TOKEN"
    assert only(credentials.hub_token()).line == "present, in HF_TOKEN"


def test_the_network(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        found = only(network.hub(address))
        assert found.status == "note" and found.line.startswith(f"{address} cannot be reached (Connection refused)")
        server.listen()
        assert only(network.hub(address)).status == "ok"


def test_the_quota(home):
    assert "left" in only(quota.week()).line
    (home / "workspace").mkdir()
    (home / "workspace" / "quota.jsonl").write_text("{\n")
    problem, _ = quota.week()
    assert (problem.status, problem.fix) == ("broken", "podium repair quota.jsonl")


LISTEN = """
import socket, sys
server = socket.socket(); server.bind((sys.argv[1], 0)); server.listen()
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("host", "is_open"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_a_port_of_ray_is_found(host, is_open):
    command = ["raylet", "-c", LISTEN, host]
    with subprocess.Popen(
        command, executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        number = int(process.stdout.readline())
        found = ray_ports.ray_ports()
        process.stdin.close()
    assert ray_ports.Port("raylet", number, is_open) in found


def test_a_ray_without_tokens_is_broken(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    first, *_ = ray_ports.listening()
    assert (first.status, first.fix) == ("broken", "unset RAY_AUTH_MODE")


def test_a_check_that_fails_hides_no_other():
    def fails():
        raise ValueError("x")
        yield

    first, second = examine((fails, places.encoding))
    assert (first.status, first.line) == ("broken", "the check failed: ValueError: x")
    assert second.status == "ok"
