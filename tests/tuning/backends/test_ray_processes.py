"""Ray's own processes are killed during a sweep, each alone."""

import json
import os
import random
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from podium.core.states import State
from tests.cli.test_sweep import ANALYTIC, CODE, start
from tests.console import ROOT
from tests.tuning import killing
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.workers.test_worker import write_data
from tuning.study.study import load_study
from tuning.sweep import resume

LIMIT_S = 30.0  # from the kill to the end
RAYLET, CONTROL = "Ray's raylet no longer answers", "Ray's control server (GCS) no longer answers"
BEGIN = ("sweep", "space.yaml", "--backend", "ray", "--trials", "100000", "--name", "sums")

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def nothing_left(home: Path) -> Iterator[None]:
    """Ends the sweep of a test that fails, which would go on for hours."""
    yield
    for pid in killing.processes_of(home):
        with suppress(ProcessLookupError):
            killing.kill(pid)


def pids(home: Path, name: str) -> list[int]:
    """The processes of sweeps in `home` that the system calls by that name. Ray's agents overwrite their environment,
    so they are found as the children of the raylet."""
    mine = set(killing.processes_of(home))
    mine |= {int(pid) for parent in mine for pid in children(parent)}
    return [pid for pid in mine if name_of(pid) == name]


def children(pid: int) -> list[str]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return []


def name_of(pid: int) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):  # it ended since it was found
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def listens(pid: int) -> bool:
    """Whether a process has a TCP port open that others can connect to."""
    sockets = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    return any(row[3] == "0A" and f"socket:[{row[9]}]" in sockets for row in rows)


def wait_for_line(sweep: subprocess.Popen[str], beginning: str) -> None:
    assert any(line.startswith(beginning) for line in sweep.stdout), sweep.stderr.read()


def assert_ended_and_goes_on(home: Path, sweep: subprocess.Popen[str], reason: str, within_s: float = LIMIT_S) -> None:
    _, errors = sweep.communicate(timeout=within_s)
    assert sweep.returncode == 1, errors
    assert killing.wait_until(lambda: not killing.processes_of(home), within_s=within_s), killing.processes_of(home)
    assert errors.startswith(f"error: study 'sums': {reason}"), errors
    assert errors.count("\n") == 1
    assert "; nothing that finished is lost, resume with: podium sweep " in errors
    before = load_study("sums")
    assert [trial.reason for trial in before.trials if trial.state is State.FAILED] == []
    after = resume("sums", worker=AnalyticWorker, backend="inline", trials=len(before.trials) + 1)
    assert len(after.trials) == len(before.trials) + 1
    assert {trial.state for trial in after.trials} <= {State.COMPLETE, State.PRUNED}
    ended = {trial.number: trial.value for trial in before.trials if trial.state is State.COMPLETE}
    assert {number: after.trial(number).value for number in ended} == ended


def test_the_death_of_the_raylet_ends_the_sweep_in_one_line(home):
    write_data(home)
    sweep = start(ANALYTIC + CODE, *BEGIN)
    wait_for_line(sweep, "[2/")
    autoscaler = [pid for pid, command in killing.processes_of(home).items() if "autoscaler" in command]
    assert [listens(pid) for pid in autoscaler] == [False]  # its metrics would need no token
    assert listens(pids(home, "raylet")[0])
    killing.kill(pids(home, "raylet")[0])
    assert_ended_and_goes_on(home, sweep, RAYLET, killing.END_S)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("victim", "reason"),
    [
        ("raylet", RAYLET),
        ("gcs_server", CONTROL),
        ("ray::DashboardA", RAYLET),  # the raylet ends with its agents
        ("ray::RuntimeEnv", RAYLET),
    ],
)
def test_the_death_of_a_process_of_ray_ends_the_sweep_in_half_a_minute(home, victim, reason):
    write_data(home)
    sweep = start(ANALYTIC + CODE, *BEGIN)
    wait_for_line(sweep, "[2/")
    assert killing.wait_until(lambda: pids(home, victim))  # an agent gets its name once it has started
    killing.kill(pids(home, victim)[0])
    assert_ended_and_goes_on(home, sweep, reason)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_ray_is_killed_at_any_instant(home, number):
    """From the first trial's start on. The higher the `number`, the later."""
    write_data(home)
    victim, reason = (("raylet", RAYLET), ("gcs_server", CONTROL))[number % 2]
    sweep = start(ANALYTIC + CODE, *BEGIN)
    calls = home / "workspace/studies/sums/calls.jsonl"
    done = lambda: calls.read_bytes().count(b"\n") if calls.exists() else 0  # noqa: E731
    assert killing.wait_until(lambda: done() >= 1 + number * 3, lambda: sweep.poll() is None)
    killing.wait_until(lambda: False, within_s=random.Random(number).uniform(0, 0.3))
    (raylet,) = pids(home, "raylet")
    started = [int(pid) for pid in children(raylet)]
    killing.kill(pids(home, victim)[0])
    assert_ended_and_goes_on(home, sweep, reason)
    assert killing.wait_until(lambda: not any(map(name_of, started)), within_s=LIMIT_S), started


@pytest.mark.slow
@pytest.mark.parametrize(("victim", "reason"), [("raylet", RAYLET), ("gcs_server", CONTROL)])
def test_the_death_of_a_cluster_s_head_ends_the_sweep_and_leaves_the_rest_of_the_cluster(
    home, monkeypatch, victim, reason
):
    for name, value in {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}.items():
        monkeypatch.setenv(name, value)
    own = {**os.environ, "PYTHONPATH": str(ROOT), "PODIUM_HOME": "/"}
    command = [sys.executable, "-m", "tests.tuning.ray_head"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=own) as head:
        told = json.loads(next(line for line in head.stdout if line.startswith("{")))
        write_data(home)
        sweep = start(ANALYTIC + CODE, *BEGIN, "--address", told["address"])
        wait_for_line(sweep, "[2/")
        killing.kill(told[victim])
        assert_ended_and_goes_on(home, sweep, reason)
        other = {"raylet": "gcs_server", "gcs_server": "raylet"}[victim]
        assert Path(f"/proc/{told[other]}").exists()
        assert not killing.workers_of(home / "workspace/studies/sums")
        head.stdin.close()
