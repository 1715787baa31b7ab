"""The address of a cluster, and its runtime environment; test_two_nodes.py has sweeps on two nodes."""

import subprocess
import sys

import pytest

from podium.core.errors import PodiumError, UsageError
from tests.console import ROOT
from tuning.workers.cluster import check_address
from tuning.workers.runtime_env import copy_code_and_data, runtime_env_for


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (
            "ray://10.0.0.2:10001",
            r"--address ray://10\.0\.0\.2:10001: .*use auto or HOST:PORT.*ray job submit",
        ),
        ("http://10.0.0.2:8265", "--address http://"),
        ("10.0.0.2", "must be auto or HOST:PORT, like 10.0.0.2:6379"),
        ("10.0.0.2:99999", "must be auto or HOST:PORT"),
    ],
)
def test_an_invalid_address_is_refused(address, line):
    with pytest.raises(UsageError, match=line):
        check_address(address)


def test_an_unreachable_cluster_is_a_one_line_error(free_port, run_sweep):
    with pytest.raises(PodiumError, match=f"no Ray cluster answers at .*:{free_port} .*refused.*ray start --head"):
        run_sweep({}, backend="auto", address=f"127.0.0.1:{free_port}")


def test_auto_is_passed_to_ray_and_local_means_none():
    assert [check_address(address) for address in ("auto", "local", "", None)] == ["auto", None, None, None]


LOOK = """
import sys
from pathlib import Path
from podium.core.paths import find_evalset, find_trainset, shipped
import tuning.workers.pool, trainer.run.training_run, eval.scorers
assert shipped() == Path.cwd(), shipped()
print(find_evalset("mine").read_text(), find_trainset("facts").name)
"""


def test_a_node_finds_code_and_data_in_its_runtime_environment(space, home, tmp_path):
    """Nothing else of ours is on the path of the process."""
    (home / "evalsets").mkdir()
    (home / "evalsets/mine.jsonl").write_text("items")
    (home / "trainsets/facts").mkdir(parents=True)
    (home / "trainsets/facts/traces.jsonl").write_text("traces")
    config = space.base_config.with_overrides({"eval.evalset": "mine", "data.trainset": "facts"})
    folder = tmp_path / "shipped"
    copy_code_and_data(folder, space.model_copy(update={"base_config": config}))
    assert not list(folder.rglob("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("items facts\n", "")


def test_a_submitted_job_needs_no_runtime_environment(monkeypatch, space):
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    with runtime_env_for(space) as runtime_env:
        assert runtime_env == {}


NO_JAX = """
import sys
from tuning.backends.ray_tune import RayBackend
from tuning import sweep
from tuning.workers import pool
from tuning.backends import trainable
from tuning.bridge import searcher
from tuning.workers import worker
from tuning.search.worker_options import Workers
from tuning.workers.resources import Node, plan
from tuning.search.load import load_space
space = load_space("search_spaces/tiny.yaml")
print(len(plan(space.base_config, Workers(), 100, [Node("a", {"TPU": 8.0})]).groups([Node("a", {"TPU": 8.0})])))
bridge = sys.modules.get("jax._src.xla_bridge")
print(bool(bridge and bridge._backends))
"""


def test_no_import_of_the_driver_initialises_a_device():
    done = subprocess.run([sys.executable, "-c", NO_JAX], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["8", "False"], done.stderr
