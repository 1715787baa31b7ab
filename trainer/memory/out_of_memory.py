"""Turns a device's out-of-memory error into the state `oom`, with the memory needed and settings that need less."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import jax

from podium.core.config import RunConfig
from podium.core.errors import RunFailed
from podium.core.states import State

SIGNS = ("RESOURCE_EXHAUSTED", "Out of memory allocating")  # the second alone when a CPU runs out in a program
LAST_RESORT = "--set device.allocator=platform"  # slow: every array is allocated by the device's driver


@contextmanager
def out_of_memory_ends_the_run(
    config: RunConfig,
    activity: Callable[[], str],
    required: Callable[[], str],
    suggest: Callable[[RunConfig], Sequence[str]],
) -> Iterator[None]:
    """Raise RunFailed, state OOM, if the block runs out of device memory. Every other error passes through.

    The message says what the run was doing (`activity`), the memory that this needs (`required`), and which settings
    need less (`suggest`). The three are called only after the error.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if not any(words in str(error) for words in SIGNS):
            raise
        tried = config.device.allocator == "platform"
        last = "" if tried else f"; as a last resort {LAST_RESORT}"
        reason = (
            f"out of device memory {activity()}; {required()}; try {' or '.join(suggest(config))}{last}: "
            f"{str(error).splitlines()[0]}"
        )
        raise RunFailed(State.OOM, reason) from error
