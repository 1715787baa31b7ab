"""`podium sweep`."""


def sweep() -> None:
    """Being written."""
