"""The same run on one device and on several simulated ones, in child processes: the number is fixed when JAX starts."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jax.sharding import PartitionSpec

from podium.core.config import RunConfig
from podium.core.errors import UsageError
from trainer.device import sharding
from trainer.device.sharding import choose_mesh, n_devices, parameter_spec

DEVICES = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count="
ROOT = Path(__file__).parents[3]
LORA = {"lora.enabled": True, "lora.rank": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, trainset: Path) -> Path:
    path = tmp_path_factory.mktemp("sharded")
    (path / "trainset").symlink_to(trainset)
    return path


def child(folder: Path, runs: list[tuple], **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.trainer.sharded", str(folder), json.dumps(runs)]
    variables = {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
    return subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate()
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])


def trained(folder: Path, *runs: tuple[str, dict[str, Any], str | None], n_devices: int = 8) -> dict[str, Any]:
    return result(child(folder, list(runs), XLA_FLAGS=f"{DEVICES}{n_devices}"))["runs"]


def assert_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert other["losses"] == pytest.approx(one["losses"], rel=1e-5, abs=1e-5)
    assert other["answers"] == one["answers"] and len(one["answers"]) == 5


def test_one_device_and_four_train_alike_and_exchange_checkpoints(folder: Path) -> None:
    """Packed, accumulated, data=2 and fsdp=2; each goes on from the other's checkpoint."""
    hard = {"data.packing": True, "train.gradient_accumulation_steps": 2, "train.remat": "none"}
    alone, divided = {**hard, "device.count": 1}, {**hard, "device.fsdp": 2}
    found = trained(
        folder,
        ("alone", alone, None),
        ("divided", divided, None),
        ("alone-on", alone, "divided"),
        ("divided-on", divided, "alone"),
        n_devices=4,
    )
    assert (found["alone"]["mesh"], found["divided"]["mesh"]) == ([1, 1], [2, 2])
    assert_alike(found["alone"], found["divided"])
    assert_alike(found["alone-on"], found["divided-on"])
    assert found["alone"]["losses"][0] > found["alone-on"]["losses"][-1] + 0.5, "nothing was learned"
    for run in (found["alone"], found["divided"]):
        batch = run["bytes"] - run["estimated"]
        assert 0 < batch < 0.02 * run["bytes"], "what a device holds is not what the memory report says"
    assert found["divided"]["estimated"] == pytest.approx(found["alone"]["estimated"] / 2, rel=0.01)
    assert 0 < found["divided"]["largest_gathered"] <= 128 * 384, "more than a layer's kernel was gathered"


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, LORA, {"train.optimizer": "adafactor"}, {"train.optimizer": "muon"}])
def test_every_mesh_trains_alike(folder: Path, how: dict[str, Any]) -> None:
    name = "-".join(map(str, how.values())) or "full"
    meshes = {
        "1x1": {"device.count": 1},
        "8x1": {"device.fsdp": 1},
        "1x8": {"device.fsdp": 8},
        "2x4": {"device.fsdp": 4},
    }
    runs = [(f"{name}-{mesh}", {**how, **device}, None) for mesh, device in meshes.items()]
    found = list(trained(folder, *runs).values())
    assert ["x".join(map(str, run["mesh"])) for run in found] == list(meshes)
    for other in found[1:]:
        assert_alike(found[0], other)
    if how != LORA:
        assert found[2]["bytes"] == pytest.approx(found[0]["bytes"] / 8, rel=0.03)


@pytest.mark.slow
def test_two_processes_train_as_one(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    alone = trained(folder, ("one-process", {"device.fsdp": 2}, None), n_devices=4)["one-process"]
    shared = {"JAX_COORDINATOR_ADDRESS": address, "JAX_COORDINATOR_BIND_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    together = {"device.fsdp": 2, "device.distributed": True}
    runs = [("two-processes", together, None), ("two-processes-on", together, "two-processes")]
    processes = [child(folder, runs, XLA_FLAGS=f"{DEVICES}2", JAX_PROCESS_ID=str(n), **shared) for n in range(2)]
    try:
        first, second = map(result, processes)
    finally:
        for process in processes:
            process.kill()
    assert (first["devices"], second["devices"], second["process"]) == (4, 4, 1)
    assert first["runs"] == second["runs"]
    assert_alike(alone, first["runs"]["two-processes"])
    lines = (folder / "two-processes" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 1, "both processes wrote"
    onwards = trained(folder, ("one-process-on", {"device.fsdp": 2}, "two-processes"), n_devices=4)
    assert_alike(onwards["one-process-on"], first["runs"]["two-processes-on"])


@pytest.mark.parametrize(
    ("shape", "stacked", "spec"),
    [
        ((4, 64, 16), True, (None, "fsdp")),
        ((8, 16, 64), True, (None, None, "fsdp")),
        ((64, 64), False, ("fsdp",)),
        ((8, 3), True, ()),  # never along the layers
        ((12, 6), False, ()),
        ((), False, ()),
    ],
)
def test_a_parameter_is_divided_along_its_largest_axis(shape: tuple, stacked: bool, spec: tuple) -> None:
    assert parameter_spec(shape, 8, stacked) == PartitionSpec(*spec)
    assert parameter_spec(shape, 1, stacked) == PartitionSpec()


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight devices, as far as choosing goes."""
    monkeypatch.setattr("jax.device_count", lambda: 8)
    monkeypatch.setattr("jax.devices", lambda: list(range(8)))
    monkeypatch.setattr(sharding, "mesh_of", lambda devices, fsdp: (len(devices) // fsdp, fsdp))


def chosen(weights: int = 1, device_bytes: int | None = 100, **changed: object) -> tuple[int, int]:
    config = RunConfig().with_overrides({key.replace("__", "."): value for key, value in changed.items()})
    return choose_mesh(config, weights, device_bytes)


@pytest.mark.usefixtures("eight")
def test_a_mesh_follows_from_devices_batch_and_model() -> None:
    assert chosen() == (8, 1)
    assert chosen(weights=13) == (1, 8), "with gradients and moments more than half a device"
    assert chosen(weights=13, lora__enabled=True) == (8, 1)
    assert chosen(weights=51, lora__enabled=True) == (1, 8)
    assert chosen(weights=51, device_bytes=None) == (8, 1)
    assert chosen(weights=51, device__fsdp=2) == (4, 2)
    assert chosen(train__batch_size=6) == (6, 1) and chosen(train__batch_size=7) == (7, 1)
    assert chosen(train__batch_size=12, device__fsdp=4) == (1, 4)
    assert chosen(device__count=2) == (2, 1)


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"device.count": 8, "train.batch_size": 6},
            r"train.batch_size=6, must be a multiple of the 8 devices .*; set train.batch_size=8 or device.count=6",
        ),
        (
            {"device.fsdp": 4, "train.batch_size": 6},
            r"train.batch_size=6, must be .* the 4 devices .* train.batch_size=8$",
        ),
        (
            {"device.count": 9, "train.batch_size": 9},
            r"device.count=9, must be <= 8, the number of devices here; lower it",
        ),
        ({"device.fsdp": 16, "train.batch_size": 16}, r"device.fsdp=16, must divide the number of devices, which is 8"),
        ({"device.fsdp": 3, "device.count": 4}, r"device.fsdp=3, must divide the number of devices, which is 4"),
    ],
)
def test_devices_that_do_not_fit_are_one_line(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        n_devices(RunConfig().with_overrides(changed))
