"""Checkpoints of one run: a thin layer over Orbax's CheckpointManager.

A checkpoint is a folder named by its step, with the items `trainable`, `opt_state` and `meta`. Orbax writes it in the
background, beside its place, and renames it when whole, so a half-written one is never picked up.
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

from podium.core.config import RunConfig, all_keys, parse_config
from podium.core.errors import PodiumError, UsageError
from podium.core.redaction import one_line
from trainer.device.processes import is_first, wait_for_all

# Orbax logs the traceback of every error that it raises as well.
logging.getLogger("absl").setLevel(logging.CRITICAL)

Tree = Any
# What may differ between a checkpoint and the run that goes on from it: none of it touches the parameters.
FREE_SECTIONS = ("generate.", "eval.", "budget.", "device.")
FREE_KEYS = ("train.save_every_steps", "train.keep_checkpoints", "train.log_every_steps")


class Checkpoints:
    """The checkpoints below one folder: the `keep` newest of them, and the best.

    A failed write raises PodiumError from the call that met it; what was saved before stays.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder.resolve()
        self._kept = _NewestAndBest(keep)
        self._open: ocp.CheckpointManager | None = None

    def newest(self) -> Path | None:
        """The newest whole checkpoint."""
        whole = [path for path in self._folders() if ocp.utils.is_checkpoint_finalized(path)]
        return max(whole, key=lambda path: int(path.name), default=None)

    def save(
        self, step: int, trainable: Tree, opt_state: Tree, meta: dict[str, Any], best_step: int | None = None
    ) -> Path:
        """Start writing a checkpoint and return its folder; `wait` returns once it is whole.

        That of `best_step`, which may be this one, is kept however old it gets.

        The arrays are copied before this returns, so the next step may overwrite them. A step that is saved already is
        left as it is.
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
                self._refuse_full_disk(trainable, opt_state)
                manager.save(step, args=items)
        except (OSError, ValueError) as error:
            raise _write_failed(path, error) from error
        return path

    def drop_after(self, step: int) -> None:
        """Delete the checkpoints of later steps: a run that goes on from `step` will make its own."""
        later = [path for path in self._folders() if int(path.name) > step]
        for path in later if is_first() else ():
            shutil.rmtree(path)
        wait_for_all("checkpoints of another past are gone")

    def wait(self) -> None:
        """Until everything that was saved is whole on the disk."""
        if self._open is None:
            return
        try:
            self._open.wait_until_finished()
            self._open.check_for_errors()
        except (OSError, ValueError) as error:
            raise _write_failed(self.folder, error) from error

    def close(self) -> None:
        if self._open is None:
            return
        try:
            self.wait()
        finally:
            self._open.close()
            self._open = None

    def _refuse_full_disk(self, *trees: Tree) -> None:
        """Before Orbax tries: what it has under way when a write fails goes on failing, loudly, in its threads."""
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
                cleanup_tmp_directories=True,  # of a process that was killed while it saved
            )
            self._open = ocp.CheckpointManager(self.folder, options=options)
        return self._open


@dataclass
class _NewestAndBest:
    """Which checkpoints Orbax keeps when it has written another."""

    newest: int
    best_step: int | None = None

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:  # noqa: ARG002
        steps = [checkpoint.step for checkpoint in checkpoints]
        return [step == self.best_step or step in sorted(steps)[-self.newest :] for step in steps]


def read_meta(path: Path) -> dict[str, Any]:
    """What `save` was given as `meta`. Raises UsageError where there is no whole checkpoint at `path`."""
    return _restore(path, "meta", ocp.args.JsonRestore())


def check_same_run(path: Path, saved: Mapping[str, Any], wanted: RunConfig, step: int) -> None:
    """Raises UsageError, naming keys and values, when a checkpoint's config would have trained other parameters.

    A change (train.changes) that comes at `step`, that of the checkpoint, or later has touched none of them: so a
    member of a population goes on from another's checkpoint, with that one's past and a future of its own.
    """
    found, wanted = (_until(step, config) for config in (parse_config(saved, str(path)), wanted))
    keys = [key for key in all_keys() if not key.startswith(FREE_SECTIONS) and key not in FREE_KEYS]
    differing = [
        f"{key} ({found.get(key)} there, {wanted.get(key)} here)" for key in keys if found.get(key) != wanted.get(key)
    ]
    if differing:
        raise UsageError(
            f"checkpoint {path} was saved with another config: {', '.join(differing)}; "
            "continue with the config that it was saved with, or start in another folder"
        )


def _until(step: int, config: RunConfig) -> RunConfig:
    """`config` without the changes that it has for `step` and later ones."""
    earlier = [change.model_dump() for change in config.train.changes if change.step < step]
    return config.with_overrides({"train.changes": earlier})


def check_same_inputs(path: Path, saved: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Raises UsageError, naming them, when model, tokenizer or trainset files are not those of the checkpoint."""
    differing = [name for name, sha256 in here.items() if saved.get(name) != sha256]
    if differing:
        raise UsageError(
            f"checkpoint {path} was saved with another {' and '.join(differing)}: the files have changed; "
            "restore them, or start in another folder"
        )


def restore_tree(path: Path, item: str, like: Tree) -> Tree:
    """`trainable` or `opt_state`, bit for bit, in the structure, types and placement of `like`: arrays or shapes.

    Raises:
        UsageError: no whole checkpoint at `path`, or one of other shapes.
    """
    named = _named(like)
    found = _restore(path, item, ocp.args.StandardRestore(named))
    return jax.tree.unflatten(jax.tree.structure(like), [found[name] for name in named])


def _restore(path: Path, item: str, how: Any) -> Any:
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as reader:
            return reader.restore(path.resolve(), args=ocp.args.Composite(**{item: how}))[item]
    except (OSError, ValueError, KeyError) as error:
        reason = one_line(error, 200)
        raise UsageError(f"{path}: not a complete checkpoint of this run ({reason}); choose another one") from error


def _named(tree: Tree) -> dict[str, Any]:
    """The leaves by their path: what is on the disk does not depend on the classes of the containers."""
    keystr = jax.tree_util.keystr
    return {keystr(path, simple=True, separator="."): leaf for path, leaf in jax.tree.leaves_with_path(tree)}


def _write_failed(path: Path, error: Exception) -> PodiumError:
    code = re.search(r"os_error_code='(\d+)'", str(error))  # how TensorStore says what the system refused
    reason = os.strerror(int(code[1])) if code else one_line(error, 200)
    return PodiumError(f"cannot write checkpoint {path}: {reason}; free some disk space, then use --resume")
