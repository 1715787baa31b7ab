"""The kinds of failure a person can meet, each with its exit code."""

from podium.core.states import State


class PodiumError(Exception):
    """A run failed. The message is one line: the value received, the rule it broke, what to do."""

    exit_code = 1


class UsageError(PodiumError):
    """The input was wrong (a key, a value, a file), and nothing was written."""

    exit_code = 2


class RunFailed(PodiumError):
    """A run ended in a state that is no result: `diverged`, `oom` or `infeasible`. The message is its reason."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state = state
