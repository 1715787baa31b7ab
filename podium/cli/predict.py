"""`podium predict`."""


def predict() -> None:
    """Being written."""
