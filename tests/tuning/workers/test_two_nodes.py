"""A cluster of two nodes: one is lost in the middle of a sweep, and one that comes later is used."""

import json
import os
import secrets
import subprocess
import sys

import pytest

from podium.core.files import read_jsonl
from tests.console import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("disks", ["one", "each"])
def test_a_sweep_survives_the_loss_of_a_node_and_uses_a_new_one(write_space, home, disks):
    (home / "nodes").mkdir()
    url = [f"file://{home}/bucket"] if disks == "each" else []
    (home / "trainsets/facts").mkdir(parents=True)
    (home / "trainsets/facts/traces.jsonl").touch()
    space = write_space(
        trials=10, scheduler="none", report_every_steps=30, overrides={"data.trainset": "facts"}, baseline=False
    )
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = {**os.environ, **token, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.tuning.two_nodes", str(space), str(home / "nodes"), *url],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert set(told["states"]) <= {"complete", "diverged"}, told["reasons"]
    assert len(told["states"]) == 10
    assert not told["driver_has_jax_backend"]
    by_node = {worker["node"]: worker for worker in told["workers"] if "node" in worker}
    assert set(by_node) == {"head", "new"} and len(told["workers"]) == 3
    for worker in by_node.values():
        assert "runtime_resources" in worker["code"]  # it came with Ray's runtime environment
        assert worker["busy_s"] > 0
    written = list(home.rglob("calls.jsonl"))
    assert len(written) == (3 if url else 1)  # one on each disk
    calls = [value for path in written for _, value in read_jsonl(path)]
    again = [call["step"] for call in calls if call["call"] == "attach" and call["step"]]
    assert again == [30]  # the trial of the lost node went on from its checkpoint
    trained = [(call["trial"], call["step"]) for call in calls if call["call"] == "advance"]
    assert len(trained) == len(set(trained))
    assert len(list(home.glob("workspace/studies/*/trials/*/config.yaml"))) == 10  # the driver has what trials left
