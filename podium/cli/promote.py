"""`podium promote`."""


def promote() -> None:
    """Being written."""
