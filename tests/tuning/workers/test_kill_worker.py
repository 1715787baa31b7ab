"""A worker's process is killed at 20 random instants of a sweep; test_ray.py has a quick case."""

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ray import cloudpickle

from podium.core.files import read_jsonl, to_line
from podium.core.paths import study_dir
from podium.core.states import State
from tests.tuning import killing
from tuning.study.study import load_study
from tuning.sweep import sweep
from tuning.workers.worker import Worker

# Ray's processes cannot import test modules by name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
pytestmark = pytest.mark.usefixtures("ray_here")

BACK_AT_WORK_S = 15.0


class Noting(Worker):
    """The real worker; it notes when it begins to advance a trial, and in which process."""

    def advance(self, slot, until_step):
        with (self._folder / "advances.jsonl").open("a") as file:
            file.write(to_line({"pid": os.getpid(), "at_s": time.monotonic(), "trial": slot}))
        return super().advance(slot, until_step)


class Killer(threading.Thread):
    """Kills one worker of the study once it has come so far, and a little later than that."""

    def __init__(self, home: Path, target: int, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.home, self.target, self.chance = home, target, chance
        self.sweep_runs = True
        self.pid: int | None = None
        self.at_s = 0.0
        self.kept: dict[int, list[bytes]] = {}

    def run(self) -> None:
        folder = study_dir("sums")
        alive = lambda: self.sweep_runs  # noqa: E731
        killing.wait_until(lambda: killing.progress(self.home, "sums") > self.target, alive)
        if not killing.wait_until(lambda: bool(killing.workers_of(folder)), alive):
            return
        killing.wait_until(lambda: False, within_s=self.chance.uniform(0, 0.3))
        self.pid = self.chance.choice(sorted(killing.workers_of(folder)))
        self.at_s = time.monotonic()
        killing.kill(self.pid)
        self.kept = killing.checkpointed(load_study("sums"))


@pytest.fixture
def prepared(home, migrated) -> Callable[..., Path]:
    """`prepared(trials=40)`: a home with a space of two workers and these changes."""

    def prepare(**changes: Any) -> Path:
        killing.prepare(home, migrated, workers=2, scheduler="none", **changes)
        return home

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_a_killed_worker_is_replaced_and_its_trial_goes_on(prepared, number):
    """The higher the `number`, the later in the sweep: from its start to near its end, and a random bit more."""
    home = prepared()
    killer = Killer(home, number * killing.TRIALS * killing.STEPS // 22, random.Random(number))
    killer.start()
    sweep("space.yaml", name="sums", backend="ray", worker=Noting)
    killer.sweep_runs = False
    killer.join()

    study = killing.assert_whole(home, "sums")
    assert {trial.state for trial in study.trials} == {State.COMPLETE}
    assert sum(worker["deaths"] for worker in study.summary["workers"]) == 1
    for number, lines in killer.kept.items():
        path = study.trial(number).dir / "metrics.jsonl"
        assert path.read_bytes().splitlines()[: len(lines)] == lines
    assert killing.wait_until(lambda: not killing.workers_of(study.dir), within_s=10)


@pytest.mark.slow
@pytest.mark.alone
def test_both_workers_are_at_work_again_soon_and_to_the_end(prepared):
    """Issue 5: within 15 s of the kill. They are at work when each has begun to advance a trial."""
    killer = Killer(prepared(trials=40), 4 * killing.STEPS, random.Random(0))
    killer.start()
    study = sweep("space.yaml", name="sums", backend="ray", worker=Noting)
    killer.sweep_runs = False
    killer.join()
    after = [line for _, line in read_jsonl(study.dir / "advances.jsonl") if line["at_s"] > killer.at_s]
    pids = {line["pid"] for line in after}
    assert len(pids) == 2 and killer.pid not in pids
    first = {pid: min(line["at_s"] for line in after if line["pid"] == pid) for pid in pids}
    assert max(first.values()) - killer.at_s < BACK_AT_WORK_S
    shares = [sum(line["pid"] == pid for line in after) / len(after) for pid in pids]
    assert min(shares) > 0.25, shares
    last = {pid: max(line["at_s"] for line in after if line["pid"] == pid) for pid in pids}
    assert len({line["pid"] for line in after[-6:]}) == 2, last
    assert {trial.state for trial in study.trials} == {State.COMPLETE}
