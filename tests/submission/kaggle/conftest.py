"""A lock that was exported, and its run as the notebook makes it."""

import zipfile
from pathlib import Path

import pytest

from podium.submission.kaggle import steps
from podium.submission.kaggle.export import Choices, export
from podium.submission.kaggle.exported import Export, folder_of
from podium.submission.lock import write_lock
from tests.submission import small

CHOICES = Choices(owner="ann", accelerator="none")


@pytest.fixture
def locked(data_home: Path) -> Path:
    """A home with the lock `one`, which nothing has claimed."""
    write_lock(small.promotion(), "one")
    return data_home


@pytest.fixture
def exported(locked: Path) -> Export:  # noqa: ARG001 (the home with the lock)
    return export("one", CHOICES)


class Session:
    """The steps of the notebook, called here; the working folder and the inputs are below `folder`."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.working, self.inputs, self._patch = folder / "working", folder / "input", patch
        self.working.mkdir(parents=True)
        with zipfile.ZipFile(folder_of("one") / "code/bundle.zip") as bundle:
            bundle.extractall(self.inputs)
        self._home = Path.cwd()

    def run(self) -> Path:
        """Every step, to the zip with the evidence."""
        self._patch.setenv("PODIUM_KAGGLE_INPUT", str(self.inputs))
        self._patch.setenv("PODIUM_KAGGLE_WORKING", str(self.working))
        self._patch.setenv("PODIUM_HOME", str(self.working))
        small.write_data(self.working)  # where the notebook takes the folder of the bundle for Podium's own
        try:
            run = steps.opened(self.inputs / "bundle", 0.0)
            run.library = small.library()
            for step in (run.show_config, run.read_secrets, run.locate_inputs, run.check_machine, run.build_trainset):
                step()
            run.smoke()
            run.train()
            run.predict()
            run.score()
            return run.pack()
        finally:
            self._patch.setenv("PODIUM_HOME", str(self._home))


@pytest.fixture
def session(exported: Export, tmp_path_factory, monkeypatch) -> Session:  # noqa: ARG001
    return Session(tmp_path_factory.mktemp("kaggle"), monkeypatch)
