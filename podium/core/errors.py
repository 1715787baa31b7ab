"""The errors that the command line reports, with their exit codes."""

from podium.core.redaction import one_line, shortened
from podium.core.states import State

LONGEST = 500  # characters of a message


class PodiumError(Exception):
    """A run failed. The message is one line: the value received, the rule that it broke, and what to do.

    It is made printable, without secrets and of at most LONGEST characters here, whatever a file put into it.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(shortened(one_line(message), LONGEST))


class UsageError(PodiumError):
    """The input (a key, a value, a file) was wrong; nothing was written."""

    exit_code = 2


class RunFailed(PodiumError):
    """A run ended without a result: its state is `diverged`, `oom` or `infeasible`. The message is the reason."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state = state
