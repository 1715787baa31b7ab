"""`podium demo`."""


def demo() -> None:
    """Being written."""
