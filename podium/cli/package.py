"""`podium package`."""


def package() -> None:
    """Being written."""
