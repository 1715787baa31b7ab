"""`podium train`."""


def train() -> None:
    """Being written."""
