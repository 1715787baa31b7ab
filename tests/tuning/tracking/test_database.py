"""MLflow's store is whole or absent, whenever the process that makes it dies and whoever else makes it."""

import multiprocessing
import random
import shutil
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from tests.tuning import killing
from tuning.study.study import load_study
from tuning.tracking import database, store

N_AT_ONCE = 4
EARLY = "7f2a7d5fae7d"  # one of MLflow's migrations, after which tables are missing


@pytest.fixture
def made(monkeypatch, migrated) -> list[Path]:
    """The stores that were made from nothing, by copying a migrated one; an existing file is migrated as ever."""
    real, made = database._migrate, []

    def migrate(file: Path) -> None:
        if file.exists():
            real(file)
        else:
            made.append(Path(shutil.copyfile(migrated, file)))

    monkeypatch.setattr(database, "_migrate", migrate)
    return made


def change(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)


def names(folder: Path) -> list[str]:
    """Without the write-ahead log of a store that is open."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm")))


def log_a_run(file: Path) -> str:
    client = store.open_client(f"sqlite:///{file}")
    return str(client.create_run(store.experiment_id(client, "mine", f"sqlite:///{file}")).info.run_id)


# What a process leaves that is killed while MLflow migrates in place, as it did in earlier versions.
FIRST = ("", "CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY)")
HALF = (
    *(FIRST[0], pytest.param(FIRST[1], marks=pytest.mark.slow)),
    f"DELETE FROM experiments; UPDATE alembic_version SET version_num = '{EARLY}';"
    "DROP TABLE trace_info; CREATE TABLE _alembic_tmp_params (x)",
    # Left by two processes that made it at once.
    pytest.param("DELETE FROM experiments; DELETE FROM alembic_version", marks=pytest.mark.slow),
    pytest.param("DELETE FROM experiments; ALTER TABLE runs DROP COLUMN name", marks=pytest.mark.slow),
)


@pytest.mark.parametrize("script", HALF)
def test_a_half_made_store_is_made_again(store, made, script):
    if script in FIRST:
        store.write_bytes(b"")
    change(store, script)
    database.prepare(store)
    assert len(made) == 1
    assert names(store.parent) == [".mlflow.db.lock", "mlflow.db"]
    log_a_run(store)
    assert len(made) == 1


def test_the_journal_of_a_killed_creation_is_not_played_into_the_new_store(store, made):
    store.unlink()
    store.with_name("mlflow.db-journal").write_bytes(b"what SQLite would roll back")
    store.with_name("mlflow.db-wal").write_bytes(b"what SQLite would replay")
    log_a_run(store)
    assert len(made) == 1


def test_a_store_with_experiments_that_cannot_be_mended_is_kept(store, made, caplog):
    log_a_run(store)
    change(store, f"UPDATE alembic_version SET version_num = '{EARLY}'")  # the tables that follow are there already
    before = database._read(store)
    database.prepare(store)
    assert (names(store.parent), len(made)) == ([".mlflow.db.lock", "mlflow.db", "mlflow.old-1.db"], 1)
    assert database._read(store.with_name("mlflow.old-1.db")) == before
    (line,) = caplog.messages
    assert line.startswith(
        f"{store} was damaged, so a new one was made (`podium repair STUDY --mlflow` writes a study to it)"
    )
    log_a_run(store)


def test_a_store_of_an_older_mlflow_is_migrated_as_a_copy(store, made, caplog):
    from alembic import command
    from mlflow.store.db import utils

    run_id = log_a_run(store)
    command.downgrade(utils._get_alembic_config(f"sqlite:///{store}"), "-1")
    older = database._read(store).revisions
    database.prepare(store)
    assert database._read(store.with_name("mlflow.old-1.db")).revisions == older != database._read(store).revisions
    assert made == []
    assert mlflow_run(store, run_id).info.run_id == run_id
    assert f"{store} was migrated to the schema of this MLflow; the old store is mlflow.old-1.db" in caplog.text


def mlflow_run(file: Path, run_id: str):
    return store.open_client(f"sqlite:///{file}").get_run(run_id)


@pytest.mark.parametrize(
    "script",
    ["UPDATE alembic_version SET version_num = 'ffffffffffff'", "DROP TABLE experiments"],
    ids=["newer", "another program's"],
)
def test_what_is_not_ours_to_make_is_left_to_mlflow(store, made, script):
    change(store, script)
    database.prepare(store)
    assert (names(store.parent), made) == (["mlflow.db"], [])


def test_a_whole_store_is_not_touched_behind_a_link(tmp_path, store, made):
    link = tmp_path / "link.db"
    link.symlink_to(store)
    run_id = log_a_run(link)
    assert link.is_symlink()
    assert mlflow_run(store, run_id).info.run_id == run_id
    assert made == []


def test_processes_that_start_at_the_same_moment_make_one_store_and_one_experiment(home, made):
    start, file = Barrier(N_AT_ONCE), home / "workspace" / "mlflow.db"

    def first(_: int) -> str:
        start.wait()
        client = store.open_client(f"sqlite:///{file}")
        start.wait()
        return store.experiment_id(client, "mine", f"sqlite:///{file}")

    with ThreadPoolExecutor(N_AT_ONCE) as pool:
        assert set(pool.map(first, range(N_AT_ONCE))) == {"1"}
    assert len(made) == 1


def begin_making(file: Path) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=database.prepare, args=(file,))  # imports nothing anew
    process.start()
    return process


def size_of_half(file: Path) -> int:
    return sum(map(size_of, file.parent.glob(".mlflow.db.*.tmp/*")))


def size_of(path: Path) -> int:
    """0 if SQLite has just removed the file."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def kill_at(file: Path, size: int) -> bool:
    """Kill a process that makes the store once it has `size` bytes; returns whether it was still being made."""
    process = begin_making(file)
    killing.wait_until(lambda: file.exists() or size_of_half(file) >= size, process.is_alive)
    process.kill()
    process.join()
    return not file.exists()


def test_a_kill_leaves_no_store_and_the_next_process_makes_one(home, request):
    file = home / "workspace" / "mlflow.db"
    assert kill_at(file, 200_000)
    assert len(names(file.parent)) == 2
    made = request.getfixturevalue("made")
    log_a_run(file)
    assert (names(file.parent), len(made)) == ([".mlflow.db.lock", "mlflow.db"], 1)


@pytest.mark.slow
def test_twenty_kills_leave_no_store_that_is_not_whole(home):
    file, instants = home / "workspace" / "mlflow.db", random.Random(15)
    killed = [kill_at(file, instants.randrange(1, 900_000)) for _ in range(20) if not file.exists()]
    assert sum(killed) >= 5
    run_id = log_a_run(file)
    assert mlflow_run(file, run_id).info.status == "RUNNING"
    assert names(file.parent) == [".mlflow.db.lock", "mlflow.db"]


@pytest.mark.slow
def test_two_signals_while_the_store_is_made(tmp_path, monkeypatch, migrated):
    """The second ends the sweep at once; the next sweep makes the store and writes what the first one did."""
    home = fresh_home(tmp_path, migrated, monkeypatch)
    process, file = killing.start_sweep(home, "space.yaml", "--name", "first", "--backend", "inline"), store_of(home)
    assert killing.wait_until(lambda: size_of_half(file) > 200_000, process.is_alive)
    process.terminate()
    process.terminate()
    process.join(killing.END_S)
    assert process.exitcode not in (0, -signal.SIGKILL)
    resume = ("--resume", "first") if (home / "workspace/studies/first/space.yaml").exists() else ("--name", "first")
    killing.finish_sweep(home, "space.yaml", *resume, "--backend", "inline")
    killing.assert_whole(home, "first")


@pytest.mark.slow
def test_two_sweeps_that_begin_at_the_same_moment_in_a_fresh_workspace(tmp_path, migrated, monkeypatch):
    home = fresh_home(tmp_path, migrated, monkeypatch)
    sweeps = [killing.start_sweep(home, "space.yaml", "--backend", "inline") for _ in range(2)]
    for process in sweeps:
        process.join(killing.END_S)
    log = (home / "sweep.log").read_text()
    assert [process.exitcode for process in sweeps] == [0, 0], log
    assert "warning" not in log
    for name in ("sums-001", "sums-002"):
        killing.assert_whole(home, name)
        assert load_study(name).summary["mlflow"]["failures"] == 0


def fresh_home(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    killing.prepare(tmp_path, migrated)
    shutil.rmtree(tmp_path / "workspace")
    monkeypatch.setenv("PODIUM_HOME", str(tmp_path))
    return tmp_path


def store_of(home: Path) -> Path:
    return home / "workspace" / "mlflow.db"
