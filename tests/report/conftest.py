"""The home with a submission that has run, as the tests of submission have it."""

from tests.submission.conftest import done_home

__all__ = ["done_home"]
