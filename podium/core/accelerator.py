"""Which build of JAX this machine needs: `cpu`, `cuda12`, `cuda13` or `tpu`.

`make setup` runs this file by its path before anything is installed, so it imports the standard library only.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BUILDS = ("cpu", "cuda12", "cuda13", "tpu")
# The minimum for CUDA 13: a Turing card (a T4, but not a V100 or P100), and a driver of release 580.
CUDA13_CAPABILITY, CUDA13_DRIVER = 7.5, 580
GOOGLE = "0x1ae0"  # PCI vendor; Google's virtual network cards have it too
TPU_DEVICES = ("0x0027", "0x0056", "0x005e", "0x0062", "0x0063", "0x006f", "0x0076")  # v2/v3 to v7x, as JAX lists them
QUERY = ("nvidia-smi", "--query-gpu=compute_cap,driver_version", "--format=csv,noheader")


def accelerator() -> str:
    """The build for the devices of this machine; `cpu` if there are none, or they have no JAX (Apple, AMD)."""
    if sys.platform != "linux":
        return "cpu"
    if has_tpu():
        return "tpu"
    gpus = nvidia_gpus()
    return cuda_build(gpus) if gpus is not None else "cpu"


def has_tpu(devices: Path = Path("/sys/bus/pci/devices")) -> bool:
    """Whether a TPU chip is on the PCI bus."""
    return any(
        _read(folder / "vendor") == GOOGLE and _read(folder / "device") in TPU_DEVICES for folder in _in(devices)
    )


def nvidia_gpus(query: Sequence[str] = QUERY, driver: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """A line `compute capability, driver version` per NVIDIA GPU; empty if the driver is loaded but does not answer;
    None without a GPU."""
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return "" if driver.exists() else None
    return answer if re.search(r"\d", answer) else None


def cuda_build(gpus: str) -> str:
    """`cuda13` if every GPU and the driver can run it, else `cuda12`, which runs on all cards that JAX supports.

    `gpus` is as `nvidia_gpus` returns it.
    """
    found = re.findall(r"(?m)^\s*(\d+\.\d+)\s*,\s*(\d+)", gpus)
    runs_cuda13 = [
        float(capability) >= CUDA13_CAPABILITY and int(driver) >= CUDA13_DRIVER for capability, driver in found
    ]
    return "cuda13" if runs_cuda13 and all(runs_cuda13) else "cuda12"


def _in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


if __name__ == "__main__":
    print(accelerator())
