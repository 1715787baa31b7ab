import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
import pytest

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from trainer.run.checkpoint import Checkpoints, check_same_run, read_meta, restore_tree

TREE = {"a": {"b": np.arange(6, dtype=np.float32).reshape(2, 3)}, "c": np.float32(1.5) * np.ones(3, np.float32)}


def state(scale: float) -> dict:
    return jax.device_put(jax.tree.map(lambda x: x * np.float32(scale), TREE))


def shapes() -> dict:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), TREE)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Iterator[Callable[[], Checkpoints]]:
    opened = []

    def open_again() -> Checkpoints:
        opened.append(Checkpoints(tmp_path / "checkpoints", keep=2))
        return opened[-1]

    yield open_again
    for each in opened:
        each.close()


def test_what_was_saved_comes_back_bit_for_bit(checkpoints: Callable[[], Checkpoints]) -> None:
    saved = checkpoints()
    path = saved.save(3, state(0.1), state(7), {"step": 3, "note": "x"})
    saved.wait()
    assert checkpoints().newest() == path
    assert read_meta(path) == {"step": 3, "note": "x"}
    for item, scale in (("trainable", 0.1), ("opt_state", 7)):
        found = restore_tree(path, item, shapes())
        jax.tree.map(np.testing.assert_array_equal, jax.device_get(found), jax.device_get(state(scale)))


def test_the_newest_are_kept_and_a_saved_step_stays_as_it_is(checkpoints: Callable[[], Checkpoints]) -> None:
    saved = checkpoints()
    for step in (1, 2, 3):
        saved.save(step, state(step), state(1), {})
    saved.save(3, state(99), state(99), {})
    saved.wait()
    assert sorted(path.name for path in saved.folder.iterdir()) == ["2", "3"]
    assert restore_tree(saved.folder / "3", "trainable", shapes())["c"].tolist() == [4.5] * 3


def test_the_best_is_kept_however_old_it_is(checkpoints: Callable[[], Checkpoints]) -> None:
    def names(saved: Checkpoints) -> list[int]:
        saved.wait()
        return sorted(int(path.name) for path in saved.folder.iterdir())

    saved = checkpoints()
    for step, best in ((1, 1), (2, 2), (3, 2), (4, 2), (5, 2)):
        saved.save(step, state(1), state(1), {}, best_step=best)
    assert names(saved) == [2, 4, 5]
    saved.close()
    again = checkpoints()  # a resumed run says itself which one is the best
    again.save(6, state(1), state(1), {}, best_step=2)
    assert names(again) == [2, 5, 6]
    again.save(7, state(1), state(1), {}, best_step=7)
    assert names(again) == [6, 7]


def test_the_next_step_may_overwrite_what_is_being_saved(checkpoints: Callable[[], Checkpoints]) -> None:
    saved, tree = checkpoints(), state(1)
    double = jax.jit(lambda tree: jax.tree.map(lambda x: x * 2, tree), donate_argnums=0)
    path = saved.save(1, tree, state(1), {})
    double(tree)
    saved.wait()
    assert restore_tree(path, "trainable", shapes())["c"].tolist() == [1.5] * 3


def test_a_half_written_checkpoint_is_never_picked_up(checkpoints: Callable[[], Checkpoints]) -> None:
    saved = checkpoints()
    path = saved.save(1, state(1), state(1), {})
    saved.wait()
    half = saved.folder / "2.orbax-checkpoint-tmp"  # what a kill leaves behind
    half.mkdir()
    (half / "junk").write_text("half")
    again = checkpoints()
    assert again.newest() == path
    again.save(3, state(1), state(1), {})
    again.wait()
    assert not half.exists()


def test_steps_ahead_are_dropped(checkpoints: Callable[[], Checkpoints]) -> None:
    saved = checkpoints()
    for step in (1, 2):
        saved.save(step, state(step), state(1), {})
    saved.close()
    again = checkpoints()
    again.drop_after(1)
    assert again.newest() == saved.folder / "1"


@contextmanager
def disk_full() -> Iterator[None]:
    """No file can grow beyond 4 KiB: the kernel refuses the write as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_clear_line_and_the_last_good_checkpoint_stays(
    checkpoints: Callable[[], Checkpoints], tmp_path: Path
) -> None:
    saved = checkpoints()
    good = saved.save(1, state(1), state(1), {})
    saved.wait()
    big = jax.device_put({"w": np.random.default_rng(0).normal(size=100_000).astype(np.float32)})
    with (
        disk_full(),
        pytest.raises(
            PodiumError,
            match=r"cannot write checkpoint .*File too large.*; free some disk space, then pass --resume to continue",
        ) as e,
    ):
        saved.save(2, big, state(1), {})
        saved.wait()
    assert "\n" not in str(e.value)
    assert Checkpoints(tmp_path / "checkpoints", keep=2).newest() == good
    assert restore_tree(good, "trainable", shapes())["c"].tolist() == [1.5] * 3


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not a complete checkpoint of this run"):
        read_meta(tmp_path / "7")


def test_a_checkpoint_of_another_config_is_refused_with_the_keys(tmp_path: Path) -> None:
    wanted = RunConfig()
    saved = wanted.with_overrides({"train.learning_rate": 0.1, "data.trainset": "other"}).model_dump(mode="json")
    rule = (
        r"was saved with another config: data.trainset \(other there, tiny-reasoning here\), "
        r"train.learning_rate \(0.1 there, 0.0003 here\); continue with the config that it was saved with"
    )
    with pytest.raises(UsageError, match=rule):
        check_same_run(tmp_path, saved, wanted, step=5)


def test_what_does_not_touch_the_parameters_may_differ(tmp_path: Path) -> None:
    saved = RunConfig().with_overrides(
        {
            **{"train.log_every_steps": 1, "train.save_every_steps": 7, "train.keep_checkpoints": 9},
            **{"eval.evalset": "x", "generate.batch_size": 2, "budget.time_budget_s": 60, "device.kind": "cpu"},
        }
    )
    check_same_run(tmp_path, saved.model_dump(mode="json"), RunConfig(), step=5)


def test_only_changes_that_the_checkpoint_has_seen_must_be_the_same(tmp_path: Path) -> None:
    def changing(*changes: tuple[int, float]) -> RunConfig:
        return RunConfig().with_overrides(
            {"train.changes": [{"step": step, "overrides": {"train.learning_rate": rate}} for step, rate in changes]}
        )

    saved = changing((3, 1e-3), (8, 1e-2)).model_dump(mode="json")
    for wanted in (changing((3, 1e-3)), changing((3, 1e-3), (5, 1e-1)), changing((3, 1e-3), (9, 1e-1))):
        check_same_run(tmp_path, saved, wanted, step=5)
    for wanted in (RunConfig(), changing((3, 2e-3)), changing((4, 1e-3)), changing((2, 1e-3), (3, 1e-3))):
        with pytest.raises(
            UsageError, match=r"was saved with another config: train\.changes \(.*step=3.* there, .* here\)"
        ):
            check_same_run(tmp_path, saved, wanted, step=5)
    with pytest.raises(UsageError, match=r"train\.batch_size \(8 there, 4 here\)"):
        check_same_run(tmp_path, saved, changing((3, 1e-3)).with_overrides({"train.batch_size": 4}), step=5)
