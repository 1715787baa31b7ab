"""Each worker sees its own devices and no others. The devices are simulated: Ray was told of them."""

import json
import os
import subprocess
import sys

import pytest

from tests.console import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("kind", "count", "chips", "seen"),
    [
        ("gpu", 2, 1, [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]),
        ("tpu", 4, 2, [{"TPU_VISIBLE_CHIPS": "0,1"}, {"TPU_VISIBLE_CHIPS": "2,3"}]),
    ],
)
def test_each_worker_sees_its_own_devices(write_space, kind, count, chips, seen):
    space = write_space(trials=4, scheduler="none", report_every_steps=30, overrides={"device.kind": kind})
    done = subprocess.run(
        [sys.executable, "-m", "tests.tuning.simulated_devices", str(space), kind, str(count), str(chips)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    sees, driver_has_jax_backend = map(json.loads, done.stdout.splitlines()[-2:])
    assert sorted(sees, key=str) == seen
    assert not driver_has_jax_backend
