import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import pytest

from podium.core.config_sections import DeviceConfig
from podium.core.errors import UsageError
from trainer.device import devices as device
from trainer.device.devices import DeviceInfo, compute_dtype, find_devices, select


class FakeDevice:
    def __init__(self, platform: str, compute_capability: str | None = None) -> None:
        self.platform, self.device_kind = platform, f"Some {platform}"
        if compute_capability:
            self.compute_capability = compute_capability


def test_cpu_is_found() -> None:
    assert select(DeviceConfig(kind="cpu")) == select(DeviceConfig()) == find_devices()
    assert find_devices().platform == "cpu" and find_devices().count >= 1


@pytest.mark.parametrize("kind", ["tpu", "gpu"])
def test_an_absent_accelerator_is_an_error_and_never_replaced(kind: str) -> None:
    with pytest.raises(
        UsageError, match=rf"--device {kind}: JAX found no {kind} here, only cpu \(\d+ x cpu\); use --device"
    ):
        select(DeviceConfig(kind=kind))


def test_a_gpu_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax.devices", lambda: [FakeDevice("gpu"), FakeDevice("gpu")])
    assert select(DeviceConfig(kind="gpu")) == DeviceInfo("gpu", "Some gpu", 2)
    with pytest.raises(UsageError, match=r"JAX found no tpu here, only gpu .*; start a new process for it"):
        select(DeviceConfig(kind="tpu"))


@pytest.mark.parametrize(
    ("platform", "capability", "dtype"),
    [
        *[("cpu", None, "float32"), ("gpu", None, "float32"), ("tpu", None, "bfloat16")],
        *[("gpu", "9.0", "bfloat16"), ("gpu", "8.0", "bfloat16"), ("gpu", "7.5", "float16"), ("gpu", "6.0", "float16")],
    ],
)
def test_auto_computes_in_what_is_native(
    monkeypatch: pytest.MonkeyPatch, platform: str, capability: str | None, dtype: str
) -> None:
    monkeypatch.setattr("jax.devices", lambda: [FakeDevice(platform, capability)])
    assert compute_dtype("auto") == jnp.dtype(dtype)


def test_a_named_dtype_is_taken_as_it_is() -> None:
    assert compute_dtype("bfloat16") == jnp.dtype("bfloat16")


def test_programs_of_other_devices_are_kept_apart() -> None:
    assert device._cache_name(FakeDevice("gpu")) == "some-gpu"
    assert device._cache_name(FakeDevice("cpu")).startswith("some-cpu-")


COMPILE = """
import jax
from trainer.device.devices import use_compile_cache

hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
use_compile_cache()
jax.jit(lambda x: x + 1)(1)
print(hits.count("/jax/compilation_cache/cache_hits"))
"""


def test_a_second_process_takes_the_first_ones_programs_from_the_workspace(tmp_path: Path) -> None:
    suites_own = ("PODIUM_COMPILE_CACHE", "JAX_COMPILATION_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in suites_own}
    environment |= {"PODIUM_WORKSPACE": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    first, second = (
        subprocess.run([sys.executable, "-c", COMPILE], env=environment, check=True, capture_output=True, text=True)
        for _ in range(2)
    )
    assert first.stdout == "0\n" and int(second.stdout) > 0
    (folder,) = (tmp_path / "cache" / "jax").iterdir()
    assert any(folder.iterdir())
