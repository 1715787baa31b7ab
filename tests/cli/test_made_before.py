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


@pytest.mark.usefixtures("before")
def test_its_evidence_verifies_and_its_age_is_said(podium):
    checked = podium("verify", "before")
    assert (checked.code, checked.err) == (0, "")
    lines = checked.out.splitlines()
    found = [line.split()[1] for line in lines[:-1]]
    assert found == ["lock:", "manifest:", "files:", "schemas:", "score:", "log:"]
    assert "made by an earlier version of Podium, which had no command, commit_sha, " in lines[3]
    assert lines[-1] == "before verifies: 6 checks"
    assert podium("submit", "before").code != 0  # it has had its run


def test_its_package_is_told_from_those_of_today(before, podium):
    path = before / "submission_runs" / "packages" / "before.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    checked = podium("verify", str(path))
    assert checked.code == 1
    assert "FAILED  package: it has no package_manifest.json" in checked.out


def test_its_code_hash_no_longer_holds_so_nothing_runs_by_mistake(before, podium):
    """A lock that has not run is refused by code that differs from the code it was made with."""
    (before / "submission_runs" / "before" / "claim.json").unlink()
    refused = podium("submit", "before")
    assert refused.code != 0
    assert "code" in refused.err
