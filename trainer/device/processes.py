"""Several processes that train one model together, one per host, as on a TPU pod. A single process needs none of this.

All processes run the same program in the same order. They agree on the time, or on a request to stop, through
`from_first` and `any_process`, which every process must call. The first process writes the files, except for
checkpoints: Orbax lets each process write its own parts. All processes must therefore see the run's folder.
"""

import os

import jax
import numpy as np
from jax.experimental import multihost_utils

from podium.core.clock import Clock
from podium.core.errors import UsageError
from podium.core.redaction import one_line


def join() -> None:
    """Connect to the other processes. Call this before JAX starts a device.

    On TPU pods, Slurm and Open MPI, JAX finds them itself; elsewhere JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and
    JAX_PROCESS_ID name them.

    Raises:
        UsageError: the other processes are not known or do not answer.
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
    """Whether this process is the one that writes files and prints."""
    return jax.process_index() == 0


def any_process(flag: bool) -> bool:
    """True in all processes if `flag` is true in one of them."""
    return flag if jax.process_count() == 1 else bool(multihost_utils.process_allgather(np.asarray(flag)).any())


def wait_for_all(why: str) -> None:
    """Wait until every process has called this. `why` names the barrier."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(why)


def from_first(number: float) -> float:
    """The first process's number, in all processes."""
    if jax.process_count() == 1:
        return number
    here = np.frombuffer(np.float64(number).tobytes(), np.uint8)  # as bytes, because JAX would convert it to float32
    found = np.asarray(multihost_utils.broadcast_one_to_all(here), np.uint8)
    return float(np.frombuffer(found.tobytes(), np.float64)[0])


class SharedClock:
    """The first process's clock, read by all processes, so that a deadline expires at the same step in all of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return from_first(self._clock.now())


def shared(clock: Clock) -> Clock:
    """`clock`; in a pod, the first process's clock."""
    return clock if jax.process_count() == 1 else SharedClock(clock)


def _number(name: str) -> int | None:
    text = os.environ.get(name)
    if text is None:
        return None
    if not text.isdigit():
        raise UsageError(f"{name}={text!r}, must be a whole number")
    return int(text)
