"""Where Optuna keeps a study: by setting, on record without the password, refused in one line."""

import json
import os
import signal
import subprocess
import sys

import pytest
from optuna.exceptions import StorageInternalError

from podium.core.errors import PodiumError, UsageError
from podium.core.paths import study_dir
from tests.tuning.conftest import fates
from tuning.study.storage import open_storage, optuna_storage, recorded_url
from tuning.study.study import load_study

SHORT = {"trials": 3, "scheduler": "none", "report_every_steps": 30}


@pytest.mark.parametrize("kind", ["sqlite", "sqlite:///{home}/all.db"])
def test_a_study_lives_where_the_setting_says(run_sweep, home, kind, monkeypatch):
    monkeypatch.setenv("PODIUM_OPTUNA_STORAGE", kind.format(home=home))
    study = run_sweep(SHORT)
    assert not (study.dir / "journal.log").exists()
    monkeypatch.delenv("PODIUM_OPTUNA_STORAGE")  # the folder knows
    assert fates(load_study(study.name)) == fates(study)
    resumed = run_sweep({**SHORT, "trials": 4}, resume=study.name)
    assert len(resumed.trials) == 4
    assert [trial.overrides for trial in resumed.trials[:3]] == [trial.overrides for trial in study.trials]


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_a_study_that_cannot_be_written_can_be_read(run_sweep, monkeypatch, kind):
    study = run_sweep(SHORT, optuna_storage=kind)
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
    before = sorted(study.dir.iterdir())
    assert fates(load_study(study.name)) == fates(study)
    assert sorted(study.dir.iterdir()) == before
    if kind == "sqlite":
        with pytest.raises(StorageInternalError):
            open_storage(study.dir).ask()


def test_a_study_in_a_folder_that_refuses_us_is_one_line(run_sweep):
    study = run_sweep(SHORT)
    (study.dir / "driver.lock").unlink()
    (study.dir / "driver.lock").mkdir()  # whatever the system says against it
    with pytest.raises(PodiumError, match=f"^cannot run a study in {study.dir}: Is a directory; copy it to a writable"):
        run_sweep({**SHORT, "trials": 4}, resume=study.name)


def test_all_kinds_decide_alike(run_sweep, home):
    kinds = ("journal", "sqlite", f"sqlite:///{home}/all.db")
    journal, *others = [run_sweep(SHORT, optuna_storage=kind) for kind in kinds]
    assert [fates(other) for other in others] == [fates(journal)] * 2


def test_one_database_holds_many_studies_and_a_name_once(run_sweep, home, monkeypatch):
    url = f"sqlite:///{home}/all.db"
    run_sweep(SHORT, optuna_storage=url, name="first")
    run_sweep(SHORT, optuna_storage=url, name="second")
    monkeypatch.setenv("PODIUM_WORKSPACE", str(home / "elsewhere"))
    with pytest.raises(UsageError, match=r"study 'first' already exists in sqlite:.*all\.db, .*choose another --name"):
        run_sweep(SHORT, optuna_storage=url, name="first", tracking_uri=f"sqlite:///{home}/workspace/mlflow.db")
    assert not study_dir("first").exists()


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("redis://localhost", r"'redis://localhost': must be one of journal, sqlite, sqlite://"),
        ("studies.db", r"'studies\.db': must be one of"),
        ("sqlite:///studies.db", "must be absolute, like sqlite:////data/studies.db"),
        ("http://me:hunter22@db/x", r"'http://me:\*\*\*@db/x': must be one of"),
    ],
)
def test_what_is_no_storage_is_refused(value, line):
    with pytest.raises(UsageError, match=line):
        optuna_storage(value)


def test_another_storage_than_the_studys_is_refused(run_sweep, home):
    study = run_sweep(SHORT)
    with pytest.raises(UsageError, match="study 'small-001' is kept in journal; leave it out"):
        run_sweep(SHORT, resume=study.name, optuna_storage=f"sqlite:///{home}/other.db")


def test_a_storage_that_cannot_be_used_is_one_line_without_the_password(run_sweep, home, free_port):
    with pytest.raises(PodiumError) as refused:
        run_sweep(SHORT, optuna_storage=f"postgresql+psycopg://ann:hunter22@127.0.0.1:{free_port}/optuna")
    assert "cannot use the" in str(refused.value) and "\n" not in str(refused.value)
    assert "hunter22" not in str(refused.value)
    with pytest.raises(PodiumError, match=r"^cannot create .*/absent/all\.db: No such file or dir.*; its folder must"):
        run_sweep(SHORT, optuna_storage=f"sqlite:///{home}/absent/all.db")
    assert not study_dir("small-001").exists()


def test_a_workspace_that_cannot_be_written_is_one_line(run_sweep, home, monkeypatch):
    (home / "file").write_text("")
    monkeypatch.setenv("PODIUM_WORKSPACE", str(home / "file"))
    with pytest.raises(PodiumError, match=r"cannot create a study in .*/file/studies: Not a directory; set PODIUM"):
        run_sweep(SHORT, tracking_uri=f"sqlite:///{home}/workspace/mlflow.db")


def test_the_record_has_no_password():
    url = "postgresql+psycopg://ann:hunter22@db:5432/optuna?password=hunter22&sslmode=require"
    assert recorded_url(url) == "postgresql+psycopg://ann@db:5432/optuna?sslmode=require"


HOLDER = """
import sys, signal
from pathlib import Path
from tuning.study.journal import JournalLock
JournalLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
signal.pause()
"""


def test_a_killed_writer_leaves_no_lock_and_no_torn_line(run_sweep):
    study = run_sweep(SHORT)
    journal = study.dir / "journal.log"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(journal)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGKILL)
    with journal.open("a") as file:
        file.write(json.dumps({"op_code": 6})[:-3])
    assert sorted(path.name for path in study.dir.glob("journal*")) == ["journal.log"]  # Optuna's own lock is a file
    resumed = run_sweep({**SHORT, "trials": 4}, resume=study.name)
    assert len(resumed.trials) == 4
    for line in journal.read_text().splitlines():
        json.loads(line)
