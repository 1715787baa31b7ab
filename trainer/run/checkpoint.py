"""Checkpoints of one run: a thin layer over Orbax's CheckpointManager.

A checkpoint is a folder named after its step, with the items `trainable`, `opt_state` and `meta`. Orbax writes it in
the background under a temporary name and renames it when it is complete, so an incomplete one is never used. It has
the hashes of its files, so a damaged one is never used either.
"""

import errno
import logging
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from podium.core.config import RunConfig, all_keys, parse_config, same_value
from podium.core.damage import DamagedFile, set_aside
from podium.core.errors import PodiumError, UsageError
from podium.core.redaction import one_line
from trainer.device.processes import any_process, is_first, wait_for_all
from trainer.run.checkpoint_hashes import damage, has_hashes, write_hashes

# Orbax also logs the traceback of every error that it raises.
logging.getLogger("absl").setLevel(logging.CRITICAL)

Tree = Any
# What may differ between a checkpoint and the run that continues from it, because it does not affect the parameters.
FREE_SECTIONS = ("generate.", "eval.", "budget.", "device.")
FREE_KEYS = ("train.save_every_steps", "train.keep_checkpoints", "train.log_every_steps")
TEMPORARY = "*.orbax-checkpoint-tmp*"


class DamagedCheckpoint(DamagedFile):
    """The files of a checkpoint are not those that were written."""


class Checkpoints:
    """The checkpoints in one folder: the `keep` newest ones, and the best one.

    A failed write raises PodiumError from the call that detects it; earlier checkpoints stay.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder.resolve()
        self._kept = _NewestAndBest(keep)
        self._open: ocp.CheckpointManager | None = None

    def newest(self) -> Path | None:
        """The newest complete checkpoint."""
        return next(iter(self.newest_first()), None)

    def newest_first(self) -> list[Path]:
        """Every complete checkpoint. A disk may have damaged one since; reading it says so."""
        complete = [path for path in self._folders() if ocp.utils.is_checkpoint_finalized(path)]
        return sorted(complete, key=lambda path: int(path.name), reverse=True)

    def save(
        self, step: int, trainable: Tree, opt_state: Tree, meta: dict[str, Any], best_step: int | None = None
    ) -> Path:
        """Start to write a checkpoint and return its folder; `wait` returns when it is complete.

        The checkpoint of `best_step`, which may be this step, is kept however old it gets. The arrays are copied before
        this returns, so the next step may overwrite them. A checkpoint that already exists is left as it is.
        """
        path = self.folder / str(step)
        items = ocp.args.Composite(
            trainable=ocp.args.StandardSave(_named(trainable)),
            opt_state=ocp.args.StandardSave(_named(opt_state)),
            meta=ocp.args.JsonSave(meta),
        )
        self._kept.best_step = best_step
        try:
            manager = self._manager()
            if step not in manager.all_steps():
                self._check_disk_space(trainable, opt_state)
                manager.save(step, args=items)
        except (OSError, ValueError) as error:
            raise _write_failed(path, error) from error
        return path

    def drop_after(self, step: int) -> None:
        """Delete the checkpoints of later steps, which a run that continues from `step` will write again."""
        later = [path for path in self._folders() if int(path.name) > step]
        for path in later if is_first() else ():
            shutil.rmtree(path)
        wait_for_all("later checkpoints are deleted")

    def set_aside(self, damaged: Sequence[Path]) -> None:
        """Give these checkpoints names that no run uses."""
        for path in damaged if is_first() else ():
            set_aside(path)
        wait_for_all("damaged checkpoints have another name")

    def wait(self) -> None:
        """Wait until every checkpoint is complete on the disk."""
        if self._open is None:
            return
        try:
            self._open.wait_until_finished()
            self._open.check_for_errors()
        except (OSError, ValueError) as error:
            raise _write_failed(self.folder, error) from error

    def close(self) -> None:
        """Wait, then release the folder."""
        if self._open is None:
            return
        try:
            self.wait()
        finally:
            self._open.close()
            self._open = None

    def _check_disk_space(self, *trees: Tree) -> None:
        """Raise OSError if the disk is too full. Orbax would notice, too, but its threads would log further errors."""
        needed = sum(leaf.nbytes for leaf in jax.tree.leaves(trees))
        if needed > shutil.disk_usage(self.folder).free:
            raise OSError(os.strerror(errno.ENOSPC))

    def _folders(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.name.isdigit()] if self.folder.is_dir() else []

    def _manager(self) -> ocp.CheckpointManager:
        if self._open is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            options = ocp.CheckpointManagerOptions(
                preservation_policy=self._kept,
                enable_async_checkpointing=True,
                async_options=ocp.AsyncOptions(post_finalization_callback=self._write_hashes),
                cleanup_tmp_directories=True,  # left by a process that was killed while it saved
            )
            self._open = ocp.CheckpointManager(self.folder, options=options)
        return self._open

    def _write_hashes(self) -> None:
        """Called in the background when all files are written, directly before the checkpoint gets its name."""
        for path in self.folder.glob(TEMPORARY):  # one: a save waits for the one before it
            write_hashes(path)


@dataclass
class _NewestAndBest:
    """Decides which checkpoints Orbax keeps after it has written another one."""

    newest: int
    best_step: int | None = None

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:  # noqa: ARG002
        steps = [checkpoint.step for checkpoint in checkpoints]
        return [step == self.best_step or step in sorted(steps)[-self.newest :] for step in steps]


def read_meta(path: Path) -> dict[str, Any]:
    """The `meta` that `save` was given.

    Raises:
        UsageError: there is no complete checkpoint at `path`.
        DamagedCheckpoint: the meta is not what was written.
    """
    return _restore(path, "meta", ocp.args.JsonRestore())


def whole_meta(path: Path) -> dict[str, Any]:
    """The `meta` of a checkpoint, after all its files were checked. Raises as `read_meta` does."""
    for item in ("trainable", "opt_state"):
        _refuse_damaged(path, item)
    return read_meta(path)


def check_same_run(path: Path, saved: Mapping[str, Any], wanted: RunConfig, step: int) -> None:
    """Raises UsageError, naming keys and values, if the checkpoint's config would have trained other parameters.

    `step` is the step of the checkpoint. Changes (train.changes) at this step or later are not compared, because they
    have not affected its parameters. A member of a population thus continues from another member's checkpoint.
    """
    found, wanted = (_config_until(step, config) for config in (parse_config(saved, str(path)), wanted))
    keys = [key for key in all_keys() if not key.startswith(FREE_SECTIONS) and key not in FREE_KEYS]
    differing = [
        f"{key} ({found.get(key)} there, {wanted.get(key)} here)"
        for key in keys
        if not same_value(key, found.get(key), wanted.get(key))
    ]
    if differing:
        raise UsageError(
            f"checkpoint {path} was saved with another config: {', '.join(differing)}; "
            "continue with the config that it was saved with, or start in another folder"
        )


def _config_until(step: int, config: RunConfig) -> RunConfig:
    """`config` without its changes at `step` and later."""
    earlier = [change.model_dump() for change in config.train.changes if change.step < step]
    return config.with_overrides({"train.changes": earlier})


def check_same_inputs(path: Path, saved: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Raises UsageError, naming them, if model, tokenizer or trainset are not those of the checkpoint."""
    differing = [name for name, sha256 in here.items() if saved.get(name) != sha256]
    if differing:
        raise UsageError(
            f"checkpoint {path} was saved with another {' and '.join(differing)}: the files have changed; "
            "restore them, or start in another folder"
        )


def restore_tree(path: Path, item: str, like: Tree) -> Tree:
    """`trainable` or `opt_state`, bit for bit, with the structure, dtypes and shardings of `like` (arrays or shapes).

    Raises:
        UsageError: the checkpoint at `path` is not complete, or has other shapes.
        DamagedCheckpoint: its files are not what was written.
    """
    named = _named(like)
    found = _restore(path, item, ocp.args.StandardRestore(named))
    return jax.tree.unflatten(jax.tree.structure(like), [found[name] for name in named])


def _restore(path: Path, item: str, how: Any) -> Any:
    _refuse_damaged(path, item)
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as reader:
            return reader.restore(path.resolve(), args=ocp.args.Composite(**{item: how}))[item]
    except jax.errors.JaxRuntimeError:  # such as out of memory, which says nothing about the files
        raise
    except Exception as error:  # Orbax raises many kinds, among them Exception itself with a page of text
        reason = one_line(error.__cause__ or error, 200)
        if path.is_dir() and not has_hashes(path):
            raise DamagedCheckpoint(f"checkpoint {path} cannot be read ({reason})") from error
        raise UsageError(f"{path}: not a complete checkpoint of this run ({reason}); choose another one") from error


def _refuse_damaged(path: Path, item: str) -> None:
    """Raises DamagedCheckpoint if the files of an item differ from their hashes."""
    found = damage(path, item) if is_first() else None
    if any_process(found is not None):
        raise DamagedCheckpoint(f"checkpoint {path} is damaged ({found or 'a file differs from its hash'})")


def _named(tree: Tree) -> dict[str, Any]:
    """The leaves by path, so that the files do not depend on the classes of the containers."""
    keystr = jax.tree_util.keystr
    return {keystr(path, simple=True, separator="."): leaf for path, leaf in jax.tree.leaves_with_path(tree)}


def _write_failed(path: Path, error: Exception) -> PodiumError:
    code = re.search(r"os_error_code='(\d+)'", str(error))  # TensorStore's way to report the error of the system
    reason = os.strerror(int(code[1])) if code else one_line(error, 200)
    return PodiumError(
        f"cannot write checkpoint {path}: {reason}; free some disk space, then pass --resume to continue"
    )
