"""The states of trials and runs."""

from enum import StrEnum


class State(StrEnum):
    """The state of a trial or run; every state except `RUNNING` is final."""

    RUNNING = "running"
    COMPLETE = "complete"  # every step was trained and the result scored
    PRUNED = "pruned"  # the scheduler ended it early
    DIVERGED = "diverged"  # the loss became NaN or exploded
    INFEASIBLE = "infeasible"  # refused before the first step, or outside a constraint of the search space
    OOM = "oom"  # the device ran out of memory at run time
    FAILED = "failed"  # it crashed
    STOPPED = "stopped"  # ended by a person, a signal or a deadline

    @property
    def is_final(self) -> bool:
        return self is not State.RUNNING
