"""The two kinds of failure a person can meet, each with its exit code."""


class PodiumError(Exception):
    """A run failed. The message is one line: the value received, the rule it broke, what to do."""

    exit_code = 1


class UsageError(PodiumError):
    """The input was wrong (a key, a value, a file), and nothing was written."""

    exit_code = 2
