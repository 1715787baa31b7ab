"""A population of real models, and its winner's lock, which trains the winner's parameters again in one run."""

import jax
import numpy as np
import pytest
import yaml

from podium.core.files import read_json, read_jsonl
from podium.core.states import State
from podium.submission.lock import write_lock
from podium.submission.run_once import submit
from tests.tuning.workers.test_worker import write_data
from trainer.programs.library import ProgramLibrary
from trainer.run.checkpoint import restore_tree
from tuning.promotion import promote_unconfirmed
from tuning.search.load import load_space
from tuning.sweep import sweep
from tuning.workers.worker import Worker

SPACE = {
    "name": "herd",
    "base": "base.yaml",
    "metric": "train/loss",
    "trials": 3,
    "report_every_steps": 2,
    "baseline": False,
    "sampler": "random",
    "scheduler": {"name": "pbt", "quantile": 0.5},
    "parameters": {
        "train.learning_rate": {"type": "float", "low": 1e-6, "high": 1e-2, "log": True},
        "train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1},
    },
    "start_with": [{"train.learning_rate": 1e-2}, {"train.learning_rate": 1e-6}],
}


@pytest.fixture
def space(home, store):  # noqa: ARG001
    write_data(home)
    (home / "space.yaml").write_text(yaml.safe_dump(SPACE))
    return load_space(home / "space.yaml")


def parameters(run_dir, config):
    like = ProgramLibrary().training_program(config).trainable
    path = run_dir / "checkpoints" / str(config.train.max_steps)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(restore_tree(path, "trainable", like))]


def losses(run_dir):
    return {line["step"]: line["loss"] for _, line in read_jsonl(run_dir / "metrics.jsonl")}


def test_a_bad_member_copies_a_good_one_and_the_lock_replays_it(space, home):
    study = sweep(space, backend="inline")
    assert [(trial.state, trial.step) for trial in study.trials] == [(State.COMPLETE, 6)] * 3
    copier = study.trial(1)
    first = copier.lineage.mutations[0]
    assert (first.step, copier.overrides["train.learning_rate"]) == (2, 1e-6)
    assert first.donor_score < first.score and first.overrides["train.learning_rate"] > 1e-5
    compiles = [times for _, function, _, times in study.summary["workers"][0]["compiles"] if function == "train"]
    assert compiles == [1]  # whatever changed on the way

    lock = write_lock(promote_unconfirmed(study.name, copier.number), "replay")
    changes = read_json(home / "submission_runs/replay/lock.json")["config"]["train"]["changes"]
    assert changes == [change.model_dump() for change in copier.lineage.changes] != []
    assert lock.overrides == copier.lineage.root
    submit("replay")
    replayed = home / "submission_runs/replay"
    assert losses(replayed)[6] == losses(copier.dir)[6]
    for its, mine in zip(parameters(replayed, copier.config), parameters(copier.dir, copier.config), strict=True):
        np.testing.assert_array_equal(its, mine)
    assert Worker.check(space) == study.data
