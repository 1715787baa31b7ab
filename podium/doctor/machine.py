"""The devices that JAX computes on, against those that the machine has, and the memory that is free."""

import os
import subprocess
import sys
from collections.abc import Iterator

from podium.core.accelerator import accelerator
from podium.core.redaction import one_line
from podium.doctor.finding import Finding

LITTLE_GB = 2.0  # a sweep of the tiny model on two workers takes about this
TIMEOUT_S = 120.0
# A process of its own: a device of a sweep that runs stays with that sweep, and a driver that hangs is left behind.
LIST = "from trainer.device.devices import find_devices as f; i = f(); print(i.platform, i, sep='\\t')"


def devices(build: str | None = None) -> Iterator[Finding]:
    """`build`: the build of JAX that the machine needs; looked up if not given."""
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", LIST], capture_output=True, text=True, env=environment, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        yield Finding.broken("devices", f"JAX found no device within {TIMEOUT_S:g} s", "restart the machine's driver")
        return
    if done.returncode:
        said = one_line((done.stderr.strip().splitlines() or ["no message"])[-1], 300)
        yield Finding.broken("devices", said, "end what else uses the device, or set JAX_PLATFORMS=cpu")
        return
    platform, found = done.stdout.strip().splitlines()[-1].split("\t")
    yield _against(build or accelerator(), platform, found)


def _against(build: str, platform: str, found: str) -> Finding:
    here = {"cuda12": "gpu", "cuda13": "gpu"}.get(build, build)
    if here in ("cpu", platform):
        return Finding.ok("devices", found)
    if os.environ.get("JAX_PLATFORMS") == "cpu":
        return Finding.note("devices", f"{found}, by JAX_PLATFORMS=cpu", f"unset JAX_PLATFORMS to use the {here}")
    fix = f"run `ACCELERATOR={build} make setup`, which installs JAX for it"
    return Finding.broken("devices", f"this machine has a {here}, and JAX computes on {found}", fix)


def memory(free_bytes: int | None = None) -> Iterator[Finding]:
    from trainer.device.memory import GB, available_bytes

    free = available_bytes() if free_bytes is None else free_bytes
    if free is None:
        yield Finding.note("memory", "how much is free is not known on this system")
    elif free < LITTLE_GB * GB:
        fix = f"end other programs: two workers with the tiny model need about {LITTLE_GB:g} GB"
        yield Finding.note("memory", f"{free / GB:.1f} GB free on {os.cpu_count()} cores", fix)
    else:
        yield Finding.ok("memory", f"{free / GB:.1f} GB free on {os.cpu_count()} cores")
