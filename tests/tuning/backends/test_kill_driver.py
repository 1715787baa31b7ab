"""A sweep's whole process is killed at 20 random instants, and resumed; test_durability.py has a quick case."""

import random
import shutil
from pathlib import Path

import pytest

from tests.tuning import killing
from tuning.study.study import load_study

LAST = 30  # steps; a few more than the sweep logs, so that the latest instants come at its end
BACKENDS = ("inline", "inline", "ray")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, migrated) -> Path:
    """A home with a study that nothing disturbed."""
    home = tmp_path_factory.mktemp("undisturbed")
    killing.prepare(home, migrated)
    killing.finish_sweep(home, "space.yaml", "--name", "sums", "--backend", "inline")
    return home


@pytest.fixture
def copied(home, undisturbed) -> Path:
    """As `undisturbed`, without its study and its MLflow runs."""
    no_study = shutil.ignore_patterns("studies", "mlflow.db*", "mlartifacts", "sweep.log")
    shutil.copytree(undisturbed, home, dirs_exist_ok=True, ignore=no_study)
    return home


def expected(undisturbed: Path, monkeypatch: pytest.MonkeyPatch) -> list:
    with monkeypatch.context() as patch:
        patch.setenv("PODIUM_HOME", str(undisturbed))
        return killing.proposals(load_study("sums"))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_a_killed_sweep_goes_on_as_if_nothing_had_happened(copied, migrated, undisturbed, monkeypatch, number):
    """The higher the `number`, the later in the sweep: from its start to its end, and a random bit more."""
    chance = random.Random(number)
    backend = BACKENDS[number % len(BACKENDS)]
    shutil.copy(migrated, copied / "workspace" / "mlflow.db")
    process = killing.start_sweep(copied, "space.yaml", "--name", "sums", "--backend", backend)
    target = round(number / 20 * LAST) - chance.randrange(2)
    killing.wait_until(lambda: killing.progress(copied, "sums") > target, process.is_alive)
    killing.wait_until(lambda: False, process.is_alive, within_s=chance.uniform(0, 0.4))
    process.kill()
    process.join()
    # On a busy machine Ray's small agents take a minute to see that they are alone.
    assert killing.wait_until(lambda: not killing.processes_of(copied)), killing.processes_of(copied)

    begun = (copied / "workspace" / "studies" / "sums" / "space.yaml").is_file()
    before = load_study("sums") if begun else None
    finished = killing.trained(before) if before else {}
    kept = killing.checkpointed(before) if before else {}
    again = ("--resume", "sums") if begun else ("space.yaml", "--name", "sums")
    killing.finish_sweep(copied, *again, "--backend", backend)

    study = killing.assert_whole(copied, "sums")
    assert {number: killing.trained(study)[number] for number in finished} == finished  # none ran again
    for number, lines in kept.items():  # on from the checkpoint
        path = study.trial(number).dir / "metrics.jsonl"
        assert path.read_bytes().splitlines()[: len(lines)] == lines
    assert killing.proposals(study) == expected(undisturbed, monkeypatch)
    assert killing.wait_until(lambda: not killing.processes_of(copied)), killing.processes_of(copied)
