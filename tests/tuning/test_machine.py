import os

import pytest

from podium.core.config import RunConfig
from podium.core.errors import UsageError
from tuning import backends, machine
from tuning.backends import Usage, make_backend
from tuning.machine import DeviceGroup, device_groups


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(machine, "cores_here", lambda: [2, 3, 6, 7])


def config(kind: str = "auto") -> RunConfig:
    return RunConfig().with_overrides({"device.kind": kind})


@pytest.mark.parametrize(
    ("workers", "trials", "cores"),
    [
        ("auto", 100, [(2,), (3,), (6,), (7,)]),  # one a core, of those that this process may use
        (2, 100, [(2, 3), (6, 7)]),
        (3, 100, [(2,), (3,), (6,)]),
        ("auto", 1, [(2, 3, 6, 7)]),
    ],
)
@pytest.mark.usefixtures("four_cores")
def test_cores_are_shared_out(workers, trials, cores):
    assert device_groups(config(), workers, trials, {"CPU": 4.0}) == [DeviceGroup(cores=group) for group in cores]


@pytest.mark.usefixtures("four_cores")
def test_accelerators_come_whole():
    gpus = [DeviceGroup(options={"num_gpus": 1.0})] * 2
    assert device_groups(config(), "auto", 100, {"CPU": 4.0, "GPU": 2.0}) == gpus
    assert device_groups(config("gpu"), 1, 100, {"GPU": 2.0}) == gpus[:1]
    assert device_groups(config(), "auto", 100, {"TPU": 8.0}) == [DeviceGroup(options={"TPU": 1.0})] * 8
    assert device_groups(config("cpu"), "auto", 100, {"GPU": 2.0})[0].cores == (2,)


@pytest.mark.usefixtures("four_cores")
def test_what_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"device\.kind='tpu', but Ray found no TPU here; use auto or cpu"):
        device_groups(config("tpu"), "auto", 100, {"CPU": 4.0})
    with pytest.raises(UsageError, match="workers=5, but there are 4 cores; ask for 4 or fewer"):
        device_groups(config(), 5, 100, {})


@pytest.mark.parametrize(
    ("cores", "accelerators", "workers", "trials", "name"),
    [
        (1, 0, "auto", 100, "inline"),  # one device: Ray would gain nothing
        (2, 0, "auto", 4, "inline"),  # too few trials to win back its start
        (2, 0, "auto", 5, "ray"),
        (8, 1, "auto", 100, "inline"),
        (1, 4, "auto", 100, "ray"),
        (8, 0, 1, 100, "inline"),
    ],
)
def test_auto_takes_ray_where_it_pays(monkeypatch, cores, accelerators, workers, trials, name):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(backends, "cores_here", lambda: list(range(cores)))
    monkeypatch.setattr(backends, "accelerators_here", lambda: accelerators)
    assert backends.choose(workers, trials, ray_runs=False) == name
    assert backends.choose(workers, trials, ray_runs=True) == "ray"


def test_inline_is_one_worker_here():
    backend = make_backend("inline", config(), "auto", 100)
    assert (backend.name, backend.n_workers) == ("inline", 1)


def test_busy_share_is_over_all_workers():
    assert Usage(10.0, [{"busy_s": 10.0}, {"busy_s": 5.0}]).busy_share == 0.75
    assert Usage(0.0, []).busy_share is None


def test_the_cores_are_those_that_this_process_may_use():
    assert machine.cores_here() == sorted(os.sched_getaffinity(0))
