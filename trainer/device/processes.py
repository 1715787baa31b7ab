"""Several processes that train one model together, one a host, as on a TPU pod. One process alone needs none of this.

All of them run the same program in the same order. What they must agree on, such as the time or a request to stop, goes
through `from_first` and `any_process`, which every one of them has to call. Files are written by the first; checkpoints
are Orbax's affair, in which each writes its own parts, so the folder of a run must be one that all of them see.
"""

import os

import jax
import numpy as np
from jax.experimental import multihost_utils

from podium.core.clock import Clock
from podium.core.errors import UsageError
from podium.core.redaction import one_line


def join() -> None:
    """Find the other processes. Must come before JAX starts a device.

    TPU pods, Slurm and Open MPI say who and where they are; elsewhere JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and
    JAX_PROCESS_ID do.

    Raises:
        UsageError: nothing says it, or the others do not answer.
    """
    if jax.distributed.is_initialized():
        return
    try:
        jax.distributed.initialize(
            num_processes=_number("JAX_NUM_PROCESSES"),
            process_id=_number("JAX_PROCESS_ID"),
        )
    except (ValueError, RuntimeError) as error:
        raise UsageError(
            f"device.distributed=true: {one_line(error, 200)}; on a pod run the same command on every "
            "host, elsewhere set JAX_COORDINATOR_ADDRESS=HOST:PORT, JAX_NUM_PROCESSES and JAX_PROCESS_ID as well"
        ) from error


def is_first() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return jax.process_index() == 0


def any_process(flag: bool) -> bool:
    """True for all of them when it is for one."""
    return flag if jax.process_count() == 1 else bool(multihost_utils.process_allgather(np.asarray(flag)).any())


def wait_for_all(why: str) -> None:
    """Until every process is here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(why)


def from_first(number: float) -> float:
    """The first process's number, for all of them."""
    if jax.process_count() == 1:
        return number
    here = np.frombuffer(np.float64(number).tobytes(), np.uint8)  # JAX would make it a float32
    found = np.asarray(multihost_utils.broadcast_one_to_all(here), np.uint8)
    return float(np.frombuffer(found.tobytes(), np.float64)[0])


class SharedClock:
    """The first process's clock, read by all: they must find a deadline over at the same step."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return from_first(self._clock.now())


def shared(clock: Clock) -> Clock:
    """`clock`, or in a pod the first process's."""
    return clock if jax.process_count() == 1 else SharedClock(clock)


def _number(name: str) -> int | None:
    text = os.environ.get(name)
    if text is None:
        return None
    if not text.isdigit():
        raise UsageError(f"{name}={text!r}, must be a whole number")
    return int(text)
