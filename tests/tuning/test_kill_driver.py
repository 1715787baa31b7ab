"""A sweep's whole process is killed at a random instant, and resumed. One case runs by default, 20 in make test-all."""

import random
import shutil
from pathlib import Path

import pytest

from tests.tuning import killing
from tuning.study import load_study

LAST = killing.TRIALS * killing.STEPS  # more than there will be: the latest instants come at the sweep's end
BACKENDS = ("inline", "inline", "ray")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, migrated) -> Path:
    """A home with a study that nothing disturbed, whose compiled programs the others use."""
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


@pytest.mark.parametrize("instant", [0.4, *(pytest.param(n / 20, marks=pytest.mark.slow) for n in range(20) if n != 8)])
def test_a_killed_sweep_goes_on_as_if_nothing_had_happened(copied, migrated, undisturbed, monkeypatch, instant):
    """`instant` is where in the sweep, from its start (0) to its end (1); by how much later is random."""
    chance = random.Random(int(instant * 20))
    backend = BACKENDS[int(instant * 20) % len(BACKENDS)]
    shutil.copy(migrated, copied / "workspace" / "mlflow.db")
    process = killing.start_sweep(copied, "space.yaml", "--name", "sums", "--backend", backend)
    target = round(instant * (LAST + 1)) - chance.randrange(2)
    killing.wait_until(lambda: killing.progress(copied, "sums") > target, lambda: process.poll() is None)
    killing.wait_until(lambda: False, lambda: process.poll() is None, within_s=chance.uniform(0, 0.4))
    process.kill()
    process.wait()
    assert killing.wait_until(lambda: not killing.processes_of(copied), within_s=60), killing.processes_of(copied)

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
    assert not killing.processes_of(copied)
