import json
import shutil

import pytest

from podium.core.errors import PodiumError
from podium.submission.lock import read_lock
from podium.submission.packaging.opened import verify_package
from podium.submission.packaging.target import verify
from podium.submission.verification.replay import replay
from trainer.model.sources import TINY


@pytest.fixture
def run_dir(done_home):
    return done_home / "submission_runs" / "done"


def test_the_same_training_gives_the_same_losses(run_dir):
    assert replay(read_lock("done"), run_dir, 3) == "3 steps; 1 losses agree within 0 (allowed 0.01)"


def test_a_loss_that_was_made_up(run_dir):
    path = run_dir / "metrics.jsonl"
    line = json.loads(path.read_text().splitlines()[-1])
    path.write_text(json.dumps({**line, "loss": line["loss"] * 0.9}) + "\n")
    with pytest.raises(PodiumError, match=r"step 3: the loss is .* here and .* on record, must differ by at most 1%"):
        replay(read_lock("done"), run_dir, 3)


def test_too_few_steps_to_compare(run_dir):
    with pytest.raises(PodiumError, match="not replayed: the first loss on record is that of step 3; give --replay 3"):
        replay(read_lock("done"), run_dir, 2)


@pytest.mark.usefixtures("run_dir")
def test_without_the_weights_nothing_passes(monkeypatch, tmp_path_factory):
    other = shutil.copytree(TINY, tmp_path_factory.mktemp("other") / "tiny")
    (other / "config.json").write_text((other / "config.json").read_text() + "\n")
    monkeypatch.setattr("trainer.model.sources.TINY", other)
    report = verify("done", replay_steps=3)
    assert report.problems[0].startswith("not replayed: model/config.json differs (expected ")


def test_a_package_replays_with_its_own_data(done_home):
    from podium.submission.packaging.package import package

    path = package("done").path
    for folder in ("trainsets", "evalsets"):
        shutil.rmtree(done_home / folder)
    report = verify_package(path, replay_steps=3)
    assert report.problems == []
    assert report.checks[-1].line == "3 steps; 1 losses agree within 0 (allowed 0.01)"
