"""Descriptions of a target's devices, for which JAX compiles as it does for real ones."""

from dataclasses import dataclass

import jax
from jax.experimental import topologies

from podium.core.errors import UsageError
from trainer.device.devices import GPU_SHARE
from trainer.device.machine import Machine
from trainer.plan.target import Target

KIB = 2**10


@dataclass(frozen=True)
class Gpu:
    """What XLA's code generator asks of a GPU beside its memory; from NVIDIA's data sheets and tuning guides."""

    title: str  # as JAX's device_kind
    capability: tuple[int, int]
    multiprocessors: int
    units: int  # float32 units of a multiprocessor
    threads: int  # that a multiprocessor can hold
    shared_kib: int  # memory of a multiprocessor that its threads share
    block_kib: int  # of it, for one block of threads
    l2_kib: int
    clock_ghz: float


GPUS = {
    "t4": Gpu("Tesla T4", (7, 5), 40, 64, 1024, shared_kib=64, block_kib=64, l2_kib=4096, clock_ghz=1.59),
    "l4": Gpu("NVIDIA L4", (8, 9), 58, 128, 1536, shared_kib=100, block_kib=99, l2_kib=49152, clock_ghz=2.04),
}


def machine_of(target: Target) -> Machine:
    """The target's devices and the memory that a program may use on each.

    Raises:
        UsageError: libtpu does not know the topology, or the GPU is not in GPUS.
    """
    kind, memory = target.accelerator.kind, target.accelerator.memory_bytes
    if kind == "cpu":
        return Machine(jax.devices()[: target.count], None)
    if kind == "tpu":
        return Machine(_tpus(target), memory)
    # JAX leaves this share of the memory to its allocator (trainer/device/devices.py).
    return Machine(_gpus(target), None if memory is None else int(GPU_SHARE * memory))


def _tpus(target: Target) -> list[jax.Device]:
    sides = [int(side) for side in (target.grid or "").split("x")]
    bounds = tuple(sides + [1] * (3 - len(sides)))
    try:
        found = topologies.get_topology_desc(
            platform="tpu", topology_name=target.topology, chips_per_host_bounds=bounds, num_slices=1
        )
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).splitlines()[0][:200]
        raise UsageError(f"--on {target.name}: libtpu has no topology {target.topology} ({reason})") from error
    return list(found.devices)


def _gpus(target: Target) -> list[jax.Device]:
    gpu = GPUS.get(target.accelerator_name)
    if gpu is None:
        raise UsageError(f"--on {target.name}: Podium compiles for the GPUs {', '.join(GPUS)}, choose one of them")
    found = topologies.get_topology_desc(
        gpu.title, "cuda", topology=f"1x1x{target.count}", target_config=_description(gpu, target)
    )
    return list(found.devices)


def _description(gpu: Gpu, target: Target) -> str:
    """XLA's `GpuTargetConfig` as a text proto."""
    major, minor = gpu.capability
    device = {
        "threads_per_block_limit": 1024,
        "threads_per_warp": 32,
        "shared_memory_per_block": 48 * KIB,
        "shared_memory_per_block_optin": gpu.block_kib * KIB,
        "shared_memory_per_core": gpu.shared_kib * KIB,
        "threads_per_core_limit": gpu.threads,
        "core_count": gpu.multiprocessors,
        "fpus_per_core": gpu.units,
        "block_dim_limit_x": 2**31 - 1,
        "block_dim_limit_y": 2**16 - 1,
        "block_dim_limit_z": 2**16 - 1,
        "memory_bandwidth": int(target.accelerator.bandwidth or 0),
        "l2_cache_size": gpu.l2_kib * KIB,
        "clock_rate_ghz": gpu.clock_ghz,
        "device_memory_size": target.accelerator.memory_bytes,
        "registers_per_core_limit": 2**16,
        "registers_per_block_limit": 2**16,
    }
    fields = " ".join(f"{name}: {value}" for name, value in device.items())
    return (
        f"gpu_device_info {{ {fields} cuda_compute_capability {{ major: {major} minor: {minor} }} }} "
        f'platform_name: "CUDA" device_description_str: "{gpu.title}" dnn_version_info {{ major: 9 minor: 12 }}'
    )
