"""Damaged files of a study are named, and repaired from what is left."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from podium.core.errors import PodiumError, UsageError
from podium.core.paths import study_dir
from podium.core.states import State
from tests.conftest import MakeOnce
from tests.damage import flip_bit
from tests.submission.small import tree
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.conftest import BASE, SPACE, fates
from tuning import sweep
from tuning.repair import repair_study
from tuning.study.locks import DriverLock
from tuning.study.study import load_study

LOCKS = ("driver.lock", "workers.lock")
BEFORE = Path(__file__).parents[2] / "fixtures" / "made_before"


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a study but its locks, and but the damaged ones that were kept."""
    return {name: data for name, data in tree(folder).items() if name not in LOCKS and ".damaged-" not in name}


def view(name: str) -> list:
    """All that a study knows of its trials."""
    names = ("number", "state", "value", "step", "overrides", "reports", "metrics", "reason")
    return [tuple(getattr(trial, name) for name in names) for trial in load_study(name).trials]


@pytest.fixture(scope="session")
def made(make_once: MakeOnce, migrated: Path) -> Path:
    """The studies of a workspace: `swept` has 12 trials, pruned and diverged ones too. Not to be changed."""

    def make(home: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PODIUM_HOME", str(home))
            patch.delenv("PODIUM_WORKSPACE", raising=False)
            (home / "workspace").mkdir()
            shutil.copy(migrated, home / "workspace" / "mlflow.db")
            (home / "base.yaml").write_text(yaml.safe_dump(BASE))
            (home / "space.yaml").write_text(yaml.safe_dump(SPACE))
            sweep(home / "space.yaml", name="swept", backend="inline", worker=AnalyticWorker)

    return make_once("swept", make) / "workspace" / "studies"


@pytest.fixture
def swept(home: Path, made: Path) -> Path:
    shutil.copytree(made, home / "workspace" / "studies")  # no MLflow store
    return study_dir("swept")


def test_nothing_is_changed_where_nothing_is_damaged(swept):
    before = files(swept)
    assert not repair_study("swept")
    assert files(swept) == before


def test_no_study_is_repaired_while_a_sweep_runs_it(swept):
    flip_bit(swept / "journal.log")
    before = files(swept)
    with DriverLock(swept), pytest.raises(UsageError, match="'swept' is already being run by process"):
        repair_study("swept")
    assert files(swept) == before


def test_a_flipped_bit_in_the_journal_is_found_wherever_it_is(swept):
    journal = swept / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    for number in (1, len(lines) // 2, len(lines)):
        damaged = bytearray(lines[number - 1])
        digit = next(place for place in reversed(range(len(damaged) - 31)) if chr(damaged[place]).isdigit())
        damaged[digit] ^= 1  # it is still JSON
        journal.write_bytes(b"".join([*lines[: number - 1], bytes(damaged), *lines[number:]]))
        with pytest.raises(PodiumError) as error:
            load_study("swept")
        assert str(error.value) == (
            f"{journal}:{number}: the line is damaged (it differs from its hash); "
            "`podium repair swept` keeps the file under another name and writes it anew"
        )


@pytest.mark.parametrize("place", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_damaged_journal_is_written_anew_without_a_loss(swept, place):
    """What the line said is in the folder of its trial, too."""
    before, journal = view("swept"), swept / "journal.log"
    flip_bit(journal, int(place * journal.stat().st_size), bit=7)
    damaged = journal.read_bytes()
    found = repair_study("swept")
    assert view("swept") == before
    assert journal.with_name("journal.log.damaged-1").read_bytes() == damaged
    assert found.done[0].startswith(f"{journal}:") and "the line is left out (" in found.done[0]
    after = files(swept)
    assert not repair_study("swept")
    assert files(swept) == after


def test_a_repaired_study_goes_on_as_one_that_never_was_damaged(swept, run_sweep, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(swept, whole)
    expected = fates(run_sweep({"trials": 15}, resume="swept"))
    shutil.rmtree(swept)
    shutil.copytree(whole, swept)
    flip_bit(swept / "journal.log", bit=7)
    repair_study("swept")
    assert fates(run_sweep({"trials": 15}, resume="swept")) == expected


def test_a_lost_journal_is_written_from_the_folders_of_the_trials(home):
    for name in ("evalsets", "trainsets"):
        shutil.copytree(BEFORE / name, home / name)
    shutil.copytree(BEFORE / "studies", home / "workspace" / "studies")
    before, data = view("before"), load_study("before").data
    (study_dir("before") / "journal.log").unlink()
    with pytest.raises(PodiumError, match=r"journal.log is missing, which held the study's trials; `podium repair"):
        load_study("before")
    found = repair_study("before")
    rebuilt = view("before")
    for *_, metrics, _ in rebuilt:
        metrics.pop("compile_s", None)  # the version that made the study did not record it
    assert rebuilt == before and load_study("before").data == data
    assert found.lost == []


def test_a_trial_that_ran_goes_on_after_a_repair(run_sweep):
    tame = {"train.learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2}}
    asked = {"trials": 3, "scheduler": "none", "parameters": tame}
    study = run_sweep(asked, name="stopped", ask=("stop-1",))
    assert [trial.state for trial in study.trials] == [State.COMPLETE, State.STOPPED]
    journal = study.dir / "journal.log"
    journal.write_bytes(b"\x00" * journal.stat().st_size)
    found = repair_study("stopped")
    assert found.lost == [
        "the hashes of the study's data: it can be shown, but neither resumed nor promoted"
    ]  # analytic
    assert [(trial.state, trial.reports) for trial in load_study("stopped").trials] == [
        (State.COMPLETE, study.trial(0).reports),
        (State.RUNNING, study.trial(1).reports),
    ]


@pytest.mark.parametrize("name", ["space.yaml", "storage.json", "summary.json"])
@pytest.mark.parametrize("damage", ["flipped", "empty", "missing"])
def test_a_small_file_of_a_study_is_named_and_written_anew(swept, name, damage):
    whole, before = (swept / name).read_bytes(), view("swept")
    if damage == "missing":
        (swept / name).unlink()
    else:
        (swept / name).write_bytes(b"" if damage == "empty" else b"\xff" + whole)
    derived = name == "summary.json" or (name, damage) == ("storage.json", "missing")
    if derived:
        assert view("swept") == before
    else:
        with pytest.raises(PodiumError, match=rf"{name}.*`podium repair swept`"):
            load_study("swept")
    found = repair_study("swept")
    assert view("swept") == before and load_study("swept").damage is None
    if damage == "missing":
        assert bool(found) is not derived
        return
    (kept,) = swept.glob(f"{name}.damaged-1")
    assert kept.read_bytes() in (b"", b"\xff" + whole)
    if name != "summary.json":
        assert (swept / name).read_bytes() == whole
    else:
        left = {key: value for key, value in json.loads(whole).items() if key in json.loads((swept / name).read_text())}
        assert json.loads((swept / name).read_text()) == left and left["steps_run"] > 0
    assert not repair_study("swept")


def test_a_url_that_is_damaged_is_the_users_to_restore(swept):
    (swept / "journal.log").unlink()
    (swept / "storage.json").write_text('{"optuna": "postgresqj://db/x"}')
    with pytest.raises(PodiumError, match=r"storage.json is damaged, and no file beside it holds the trials; write"):
        repair_study("swept")


def test_the_files_of_a_trial_are_repaired(swept):
    trial = swept / "trials" / "000"
    report = (trial / "report.json").read_bytes()
    events = (trial / "events.jsonl").read_bytes().splitlines(keepends=True)
    (trial / "report.json").write_bytes(report[:-9])
    (trial / "events.jsonl").write_bytes(b"".join([events[0], b"\xff" + events[1], *events[2:]]))
    (trial / "pointer.json").write_bytes(b"{")
    (trial / "mlflow_run_id").write_bytes(b"\xff\xfe")
    assert load_study("swept").trial(0).mlflow_run_id is None
    found = repair_study("swept")
    assert {path.name for path in trial.glob("*.damaged-1")} == {
        f"{name}.damaged-1" for name in ("report.json", "events.jsonl", "pointer.json", "mlflow_run_id")
    }
    assert json.loads((trial / "report.json").read_text()) == json.loads(report)
    assert (trial / "events.jsonl").read_bytes() == b"".join([events[0], *events[2:]])
    assert len(found.done) == 4 and len(found.lost) == 2
    assert not repair_study("swept")


@pytest.mark.slow
def test_a_damaged_sqlite_study_becomes_a_journal(run_sweep):
    study = run_sweep({"trials": 4}, name="sql", optuna_storage="sqlite")
    before = view("sql")
    database = study.dir / "study.db"
    data = bytearray(database.read_bytes())
    data[200:8000] = os.urandom(7800)
    database.write_bytes(bytes(data))
    for log in study.dir.glob("study.db-*"):
        log.unlink()
    with pytest.raises(PodiumError, match=r"study.db: .*`podium repair sql` writes it anew") as error:
        load_study("sql")
    assert "\n" not in str(error.value)
    repair_study("sql")
    assert [row[:6] for row in view("sql")] == [row[:6] for row in before]
    assert json.loads((study.dir / "storage.json").read_text()) == {"optuna": "journal"}
    assert (study.dir / "study.db.damaged-1").read_bytes() == bytes(data)
    assert not repair_study("sql")
