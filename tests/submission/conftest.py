"""Homes with small data, and with a submission that has run."""

import shutil
from pathlib import Path

import pytest

from tests.submission import small


@pytest.fixture
def data_home(home: Path) -> Path:
    """The small data and no submission."""
    small.write_data(home)
    return home


@pytest.fixture
def done_home(home: Path, finished: Path) -> Path:
    """A copy of `finished`, less its checkpoints."""
    ignored = shutil.ignore_patterns("checkpoints", "workspace")
    shutil.copytree(finished, home, dirs_exist_ok=True, ignore=ignored)
    return home
