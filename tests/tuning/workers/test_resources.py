import os
from collections import Counter

import pytest

from podium.core.config import RunConfig
from podium.core.errors import UsageError
from tuning import backends
from tuning.backends import make_backend
from tuning.backends.base import Usage
from tuning.search.worker_options import parse_workers
from tuning.workers import resources as machine
from tuning.workers.resources import DeviceGroup, Node, plan

FOUR_CORES = [Node("here", {"CPU": 4.0})]


def config(kind: str = "auto") -> RunConfig:
    return RunConfig().with_overrides({"device.kind": kind})


def groups(workers, trials, nodes, kind="auto", taken=()) -> list[DeviceGroup]:
    return plan(config(kind), parse_workers(workers), trials, nodes).groups(nodes, taken)


def per_node(found: list[DeviceGroup]) -> dict[str, int]:
    return dict(Counter(group.node for group in found))


@pytest.mark.parametrize(
    ("workers", "trials", "cores"),
    [
        ("auto", 100, [(0,), (1,), (2,), (3,)]),  # one a core, of those that a process may use there
        (2, 100, [(0, 1), (2, 3)]),
        (3, 100, [(0,), (1,), (2,)]),
        ("auto", 1, [(0, 1, 2, 3)]),
        ({"cores": 2}, 100, [(0, 1), (2, 3)]),
        ({"count": 1, "cores": 2}, 100, [(0, 1)]),
    ],
)
def test_cores_are_shared_out(workers, trials, cores):
    assert [group.cores for group in groups(workers, trials, FOUR_CORES)] == cores


@pytest.mark.parametrize(
    ("workers", "kind", "resources", "n", "each"),
    [
        ("auto", "auto", {"CPU": 4.0, "GPU": 2.0}, 2, {"num_cpus": 0, "num_gpus": 1, "resources": {}}),
        (1, "gpu", {"GPU": 2.0}, 1, {"num_cpus": 0, "num_gpus": 1, "resources": {}}),
        ("auto", "auto", {"CPU": 200.0, "TPU": 8.0}, 8, {"num_cpus": 0, "num_gpus": 0, "resources": {"TPU": 1}}),
        ({"chips": 4}, "tpu", {"TPU": 8.0}, 2, {"num_cpus": 0, "num_gpus": 0, "resources": {"TPU": 4}}),
        ("auto", "cpu", {"CPU": 2.0, "GPU": 2.0}, 2, {"num_cpus": 1, "num_gpus": 0, "resources": {}}),
    ],
)
def test_accelerators_come_whole(workers, kind, resources, n, each):
    found = groups(workers, 100, [Node("here", resources)], kind)
    assert [group.ray_resources for group in found] == [each] * n
    assert [group.index for group in found] == list(range(n))


def test_workers_are_spread_over_the_nodes():
    nodes = [Node("head", {"CPU": 2.0}), Node("big", {"CPU": 6.0}), Node("last", {"CPU": 2.0})]
    assert per_node(groups("auto", 100, nodes)) == {"head": 2, "big": 6, "last": 2}
    assert [group.size for group in groups(3, 100, nodes)] == [2, 2, 2]  # of 3 cores each there would be only two
    pod = [Node(f"host-{i}", {"TPU": 4.0}) for i in range(4)]
    assert per_node(groups({"count": 4, "chips": 2}, 100, pod)) == {f"host-{i}": 1 for i in range(4)}


def test_a_new_node_is_used_and_a_lost_one_is_not():
    first, second = Node("first", {"GPU": 2.0}), Node("second", {"GPU": 2.0})
    everything = plan(config(), parse_workers("auto"), 100, [first])
    at_start = everything.groups([first])
    assert per_node(everything.groups([first, second], at_start)) == {"second": 2}
    assert everything.groups([first, second], [*at_start, *everything.groups([second])]) == []
    three = plan(config(), parse_workers(3), 100, [first, second])
    left = [group for group in three.groups([first, second]) if group.node == "first"]
    assert per_node(three.groups([first], left)) == {}  # its devices are all in use
    assert per_node(three.groups([first, Node("third", {"GPU": 8.0})], left)) == {"third": 1}  # no more than asked for


@pytest.mark.parametrize(
    ("workers", "kind", "resources", "line"),
    [
        ("auto", "tpu", {"CPU": 4.0}, r"device\.kind='tpu', but Ray found no TPU here; use auto or cpu"),
        (5, "auto", {"CPU": 4.0}, r"workers=5, but there are 4 cores; ask for 4 or fewer"),
        (
            {"count": 3, "chips": 4},
            "tpu",
            {"TPU": 8.0},
            r"workers=3 of 4 TPU chips each, but there are 8 TPU chips; .* 2",
        ),
        ({"chips": 8}, "tpu", {"TPU": 4.0}, r"workers=1 of 8 TPU chips each, but there are 4 TPU chips; give each"),
        (
            {"chips": 2},
            "auto",
            {"CPU": 4.0},
            r"workers\.chips=2, but the workers get cores; leave it out, it is for TPU chips",
        ),
        (
            {"cores": 2},
            "auto",
            {"GPU": 4.0},
            r"workers\.cores=2, but the workers get GPUs; leave it out, it is for the CPU",
        ),
        ({"chips": 3}, "auto", {}, r"workers: .*chips=3, must be 1, 2, 4 or 8"),
        (0, "auto", {}, r"workers: .*workers=0, must be auto or >= 1"),
        ("many", "auto", {}, r"workers: "),
    ],
)
def test_what_cannot_be_is_refused(workers, kind, resources, line):
    with pytest.raises(UsageError, match=line):
        groups(workers, 100, [Node("here", resources)], kind)


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


def test_inline_is_one_worker_here(space):
    backend = make_backend("inline", space, 100)
    assert (backend.name, backend.n_workers) == ("inline", 1)
    with pytest.raises(UsageError, match="--address auto and --backend inline are both given"):
        make_backend("inline", space, 100, address="auto")


def test_busy_share_is_over_all_workers():
    assert Usage(10.0, [{"busy_s": 10.0}, {"busy_s": 5.0}]).busy_share == 0.75
    assert Usage(0.0, []).busy_share is None


def test_the_cores_are_those_that_this_process_may_use():
    assert machine.cores_here() == sorted(os.sched_getaffinity(0))
