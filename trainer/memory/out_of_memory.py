"""A device that runs out of memory: the run's state `oom`, with what was needed and what needs less."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import jax

from podium.core.config import RunConfig
from podium.core.errors import RunFailed
from podium.core.states import State

LAST_RESORT = "--set device.allocator=platform"  # slow: every array is asked of the device's driver by itself


@contextmanager
def out_of_memory_ends_the_run(
    config: RunConfig, doing: Callable[[], str], needs: Callable[[], str], fixes: Callable[[RunConfig], Sequence[str]]
) -> Iterator[None]:
    """What JAX raises where the device has no memory left becomes RunFailed: what was being done, what that `needs`.

    The three are called when it has happened. Every other error goes through.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        tried = config.device.allocator == "platform"
        last = "" if tried else f"; as a last resort {LAST_RESORT}"
        reason = (
            f"out of device memory {doing()}; {needs()}; try {' or '.join(fixes(config))}{last}: "
            f"{str(error).splitlines()[0]}"
        )
        raise RunFailed(State.OOM, reason) from error
