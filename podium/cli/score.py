"""`podium score`."""


def score() -> None:
    """Being written."""
