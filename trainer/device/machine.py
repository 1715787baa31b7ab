"""The devices that programs are made for: those of this process, or, inside `compiling_for`, a machine that is not
here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import jax


@dataclass(frozen=True)
class Machine:
    """Devices of one kind. `memory_bytes`: what programs may use on each of them; None if it is not known."""

    devices: Sequence[jax.Device]
    memory_bytes: int | None


_elsewhere: Machine | None = None


def devices() -> Sequence[jax.Device]:
    """The devices that programs are made for."""
    return jax.devices() if _elsewhere is None else _elsewhere.devices


def memory_bytes() -> int | None:
    """What programs may use on each device, as the backend says; None if it does not."""
    if _elsewhere is not None:
        return _elsewhere.memory_bytes
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")


@contextmanager
def compiling_for(machine: Machine) -> Iterator[None]:
    """Make programs for `machine`, whose devices are descriptions (`jax.experimental.topologies`): they compile there
    and cannot run. Holds for the whole process."""
    global _elsewhere
    before, _elsewhere = _elsewhere, machine
    try:
        yield
    finally:
        _elsewhere = before
