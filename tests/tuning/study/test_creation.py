"""A study is created whole or not at all, whenever its process dies and whoever else creates one."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import optuna
import pytest

from podium.core.clock import Deadline
from podium.core.errors import PodiumError, UsageError
from podium.core.paths import study_dir
from tuning.study import create as creation
from tuning.study import storage as storages
from tuning.study.create import create
from tuning.study.locks import DriverLock, one_creator
from tuning.study.storage import open_storage
from tuning.study.study import load_study

# In the order in which a new study is written.
STAGES = (
    (storages, "write_json"),
    (storages, "_open"),
    (optuna, "create_study"),
    (creation, "_fill"),
    (creation, "enqueue"),
    (creation, "write_text"),
)
N_AT_ONCE = 4


class Killed(BaseException):
    """As a kill would, it passes every handler."""


@pytest.mark.parametrize(
    ("storage", "name", "stages"),
    [
        ("journal", None, STAGES[-1:]),
        ("sqlite:///{home}/all.db", "chosen", STAGES[3:4]),
        *(
            pytest.param(storage, name, STAGES, marks=pytest.mark.slow)
            for storage in ("journal", "sqlite", "sqlite:///{home}/all.db")
            for name in (None, "chosen")
        ),
    ],
)
def test_a_study_whose_creation_was_killed_is_created_by_the_next_sweep(
    home, space, monkeypatch, storage, name, stages
):
    storage, folder = storage.format(home=home), name or "small-001"
    for module, stage in stages:
        for after in (False, True):
            real = getattr(module, stage)

            def die(*arguments, **options):
                if after:  # noqa: B023
                    real(*arguments, **options)  # noqa: B023
                raise Killed

            with monkeypatch.context() as patch, pytest.raises(Killed):
                patch.setattr(module, stage, die)
                create(space, name, {}, storage=storage)
            assert [path.name for path in study_dir("").iterdir()] == [folder]
    if (study_dir(folder) / "space.yaml").exists():  # the last write was made
        assert load_study(folder).trials == []
    else:
        assert create(space, name, {"evalset": "x"}, storage=storage).study_name == folder
        assert open_storage(study_dir(folder)).user_attrs["data"] == {"evalset": "x"}


def test_a_study_of_another_workspace_is_never_replaced(home, space, monkeypatch):
    """Not even if a sweep of this one was killed just before it would have been refused."""
    url = f"sqlite:///{home}/all.db"
    create(space, "mine", {}, storage=url).set_user_attr("limit", 3)
    monkeypatch.setenv("PODIUM_WORKSPACE", str(home / "elsewhere"))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(storages, "_open", lambda *_: (_ for _ in ()).throw(Killed))
        create(space, "mine", {}, storage=url)
    with pytest.raises(UsageError, match=r"study 'mine' already exists in .*, from another workspace"):
        create(space, "mine", {}, storage=url)


def test_studies_that_are_created_at_the_same_moment(home, space):
    """Each gets a number, and their common database is made once."""
    start = Barrier(N_AT_ONCE)

    def make(_: int) -> str:
        start.wait()
        return create(space, None, {}, storage=f"sqlite:///{home}/all.db").study_name

    with ThreadPoolExecutor(N_AT_ONCE) as pool:
        assert sorted(pool.map(make, range(N_AT_ONCE))) == [f"small-00{number}" for number in range(1, N_AT_ONCE + 1)]


def test_a_name_that_another_sweep_is_creating_is_refused(space):
    create(space, "taken", {})
    (study_dir("taken") / "space.yaml").unlink()
    with DriverLock(study_dir("taken")), pytest.raises(UsageError, match="'taken' is already being run by process"):
        create(space, "taken", {})


def test_a_creator_that_never_ends_is_one_line(tmp_path):
    path, expired = tmp_path / "a.db", Deadline.after(0.0)
    line = r"^another process is still creating .*/a\.db after 0 s; end it, then try again"
    with one_creator(path), pytest.raises(PodiumError, match=line), one_creator(path, expired):
        pass
