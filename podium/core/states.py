"""The states of a trial or a run. None of them is ever a metric value."""

from enum import StrEnum


class State(StrEnum):
    """What became of a trial or run; `RUNNING` is the only one that is not final."""

    RUNNING = "running"
    COMPLETE = "complete"  # every step was trained and the result was scored
    PRUNED = "pruned"  # the scheduler ended it early
    DIVERGED = "diverged"  # loss became NaN or exploded
    INFEASIBLE = "infeasible"  # refused before the first step, or it broke a constraint of the space
    OOM = "oom"  # the device ran out of memory at run time
    FAILED = "failed"  # it crashed
    STOPPED = "stopped"  # a person, a signal or a deadline ended it

    @property
    def is_final(self) -> bool:
        return self is not State.RUNNING
