"""A package of the finished submission."""

import shutil
from pathlib import Path

import pytest

from podium.submission.packaging.package import package


@pytest.fixture(scope="session")
def packaged(make_once, finished: Path) -> Path:
    """The package of `done`. Not to be changed."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PODIUM_HOME", str(finished))
            patch.delenv("PODIUM_WORKSPACE", raising=False)
            shutil.copy(package("done").path, folder)
        shutil.rmtree(finished / "submission_runs/packages")

    (path,) = make_once("packaged", make).iterdir()
    return path
