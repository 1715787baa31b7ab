"""`podium submit`."""


def submit() -> None:
    """Being written."""
