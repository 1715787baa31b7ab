"""A study, a checkpoint, evidence and a package made by the commit before the code moved into wings open as they did.

Made at commit 687b402: `podium sweep space.yaml --backend inline --name before`, then promote, submit and package.
"""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest

from podium.core.states import State
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun
from tuning import load_study

MADE = Path(__file__).parents[1] / "fixtures" / "made_before"


@pytest.fixture
def before(home: Path) -> Path:
    for name in ("evalsets", "trainsets", "submission_runs"):
        shutil.copytree(MADE / name, home / name)
    shutil.copytree(MADE / "studies", home / "workspace" / "studies")
    return home


def test_the_study_opens_with_its_trials_and_can_be_promoted(before, podium):
    study = load_study("before")
    assert [(trial.number, trial.state, trial.value) for trial in study.trials] == [
        (0, State.COMPLETE, 6.100171643634175),
        (1, State.COMPLETE, 4.835980171381041),
    ]
    assert study.best().overrides == {"train.learning_rate": 0.008839874534247043}
    shown = podium("show", "before/1", "--json")
    assert shown.code == 0, shown.err
    assert json.loads(shown.out)["reports"] == {"2": 5.417172720265943, "4": 4.835980171381041}

    promoted = podium("promote", "before", "--quick", "--as", "again")
    assert promoted.code == 0, promoted.err
    lock, again = (
        json.loads((before / "submission_runs" / name / "lock.json").read_text()) for name in ("before", "again")
    )
    assert again["config"] == lock["config"]
    of_data = [name for name in lock["hashes"] if name not in ("code", "requirements")]
    assert of_data
    assert all(again["hashes"][name] == lock["hashes"][name] for name in of_data)


@pytest.mark.usefixtures("before")
def test_the_checkpoint_opens_bit_for_bit():
    trial = load_study("before").trial(1)
    run = TrainingRun(trial.config, trial.dir, ProgramLibrary())
    try:
        assert run.restore() == 4
        trainable, _ = run._weights
        digest = hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(trainable)))
    finally:
        run.close()
    assert digest.hexdigest() == "7232326b4e41fc73c5f917e99440300a453545c486f9fc173bc74a0eebac5454"


def test_the_evidence_is_verified_and_packaged_to_the_same_bytes(before, podium):
    package = before / "submission_runs" / "packages" / "before.zip"
    made = package.read_bytes()
    package.unlink()
    done = podium("package", "before")
    assert done.code == 0, done.err
    assert package.read_bytes() == made
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
    assert podium("submit", "before").code != 0  # it has had its run


def test_its_code_hash_no_longer_holds_so_nothing_runs_by_mistake(before, podium):
    """A lock that has not run is refused by code that differs from the code it was made with."""
    (before / "submission_runs" / "before" / "claim.json").unlink()
    refused = podium("submit", "before")
    assert refused.code != 0
    assert "code" in refused.err
