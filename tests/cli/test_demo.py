import shutil

import yaml

from podium.cli import demo
from podium.core.paths import shipped


def test_demo_goes_the_whole_way(podium, home, monkeypatch):
    shutil.copytree(shipped() / "search_spaces" / "base", home / "base")
    space = yaml.safe_load((shipped() / demo.SPACE).read_text())
    few = {"train.max_steps": 6, "train.warmup_steps": 1, "eval.max_items": 8, "generate.batch_size": 8}
    few = {"overrides": few, "report_every_steps": 3}
    few |= {"scheduler": {"name": "asha", "grace_period": 3, "reduction_factor": 3}}
    few |= {"parameters": {"train.learning_rate": space["parameters"]["train.learning_rate"]}}
    (home / "few.yaml").write_text(yaml.safe_dump(space | few))
    monkeypatch.setattr(demo, "SPACE", "few.yaml")

    done = podium("demo", "--trials", "2")

    assert done.code == 0, done.err
    commands = [line.split()[2] for line in done.out.splitlines() if line.startswith("$ podium")]
    assert commands == ["trainset", "sweep", "promote", "submit", "package"]
    assert "after 6 steps: trial " in done.out
    assert len(list((home / "submission_runs" / "packages").glob("podium_demo-001_*.zip"))) == 1
    assert podium("submit", "demo-001").code == 2
