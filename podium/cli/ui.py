"""`podium ui`."""


def ui() -> None:
    """Being written."""
