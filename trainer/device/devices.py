"""Selects the device that a run computes on, before JAX starts. Never falls back to another device silently."""

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from podium.core import settings
from podium.core.config_sections import DeviceConfig
from podium.core.errors import UsageError
from podium.core.paths import workspace
from podium.core.redaction import one_line

if TYPE_CHECKING:
    import jax
    import numpy as np

# Of a GPU's memory, for JAX's allocator, which takes 0.75 by default; the rest is for the driver and the libraries.
GPU_SHARE = 0.9


@dataclass(frozen=True)
class DeviceInfo:
    """The devices that JAX found: `platform` is cpu, gpu or tpu; `kind` is the vendor's name for them."""

    platform: str
    kind: str
    count: int

    def __str__(self) -> str:
        return f"{self.platform} ({self.count} x {self.kind})"


def select(config: DeviceConfig, preallocate: bool = True) -> DeviceInfo:
    """Select `config.kind` for this process and return the devices found. Call this before JAX starts a device.

    Without `preallocate`, a GPU's memory is allocated as needed instead of most of it at once.

    Raises:
        UsageError: this machine has no such device, or the other processes of `config.distributed` do not answer.
    """
    if not preallocate:
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", str(GPU_SHARE))
    if config.allocator == "platform":
        os.environ["XLA_PYTHON_CLIENT_ALLOCATOR"] = "platform"
    kind = config.kind
    if kind == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
        if "jax" in sys.modules:  # it has already read the environment
            import jax

            jax.config.update("jax_platforms", "cpu")
    if config.distributed:
        from trainer.device.processes import join

        join()
    # gpu and tpu need no setting: JAX prefers an accelerator if it finds one.
    info = find_devices()
    if kind not in ("auto", info.platform):
        hint = "use --device auto or cpu" if info.platform == "cpu" else "start a new process for it"
        raise UsageError(f"--device {kind}: JAX found no {kind} here, only {info}; {hint}")
    return info


def find_devices() -> DeviceInfo:
    """The devices that JAX computes on. Raises UsageError if JAX cannot start any."""
    import jax

    try:
        devices = jax.devices()
    except RuntimeError as error:
        raise UsageError(f"JAX cannot start a device: {one_line(error)}") from error
    return DeviceInfo(devices[0].platform, devices[0].device_kind, len(devices))


def compute_dtype(name: str) -> "np.dtype[Any]":
    """The numpy dtype of `train.dtype`; auto is the fastest one that the device supports natively."""
    import jax.numpy as jnp

    from trainer.device.machine import devices

    return jnp.dtype(_native_dtype(devices()[0]) if name == "auto" else name)


def use_compile_cache() -> None:
    """Keep compiled programs in the workspace, so that a second process does not compile them again.

    The setting `compile_cache` turns this off. A program for a CPU runs only on CPUs with the same instruction set, so
    the folder's name depends on it.
    """
    if settings.get("compile_cache") == "off":
        return
    import jax
    import jaxlib.version

    folder = workspace() / "cache" / "jax" / f"{jaxlib.version.__version__}-{_cache_name(jax.devices()[0])}"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # Otherwise the folder's path becomes part of every key.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")


def _native_dtype(device: "jax.Device") -> str:
    if device.platform == "tpu":
        return "bfloat16"
    if device.platform == "gpu":
        capability = float(getattr(device, "compute_capability", "0") or 0)
        # Ampere (8.0) was the first with bfloat16; a T4 (7.5) and a P100 (6.0) emulate it, which is slow.
        return "bfloat16" if capability >= 8.0 else "float16" if capability >= 6.0 else "float32"
    return "float32"


def _cache_name(device: "jax.Device") -> str:
    name = device.device_kind.replace(" ", "-").lower()
    if device.platform != "cpu":
        return name
    from pathlib import Path

    from podium.core.hashing import sha256_bytes

    # Linux only. Elsewhere, machines are not expected to share a workspace.
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{name}-{sha256_bytes(flags.encode())[:8]}"
