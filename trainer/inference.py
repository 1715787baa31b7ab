"""Opens a model to answer prompts: that of a run's checkpoint, or one before any training. Writes nothing to a run."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.paths import portable
from podium.core.records import Prediction, Prompt
from podium.core.run_files import CHECKPOINTS
from trainer.data.template import choose_template
from trainer.device.sharding import describe_mesh
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun


class TrainedRun:
    """A model restored from a checkpoint, made by `open_trained`, or an untrained one, made by `open_untrained`."""

    def __init__(self, run: TrainingRun, step: int, library: ProgramLibrary, folder: Path | None) -> None:
        self._run, self.step, self._folder = run, step, folder
        base = library.base(run.config)
        self.model_id = base.model_id
        self.placement = describe_mesh(base.mesh)  # how the model is divided over devices; empty on one device

    @property
    def damage(self) -> str | None:
        """Which newer checkpoints were damaged, if any were."""
        return self._run.damage

    @property
    def n_prompts_cut(self) -> int:
        """How many prompts of the newest `answer` were too long and lost their beginning."""
        return self._run.n_prompts_cut

    def answer(self, samples: Sequence[Prompt], deadline: Deadline) -> list[Prediction]:
        """Generate answers as the config's section `generate` says. Raises RunFailed: the device is out of memory."""
        return self._run.predict(samples, deadline)

    def about(self) -> dict[str, Any]:
        """What predictions_meta.json says about the model that answered."""
        config = self._run.config
        return {
            **({} if self._folder is None else {"run": portable(self._folder)}),
            "step": self.step,
            "model_id": self.model_id,
            "config_sha256": config.hash,
            "generate": config.generate.model_dump(mode="json"),
            **({"date": config.data.date.isoformat()} if config.data.date else {}),
            "n_prompts_cut": self.n_prompts_cut,
        }


@contextlib.contextmanager
def open_trained(
    config: RunConfig, folder: Path, step: int | None = None, prompts: Sequence[Prompt] = ()
) -> Iterator[TrainedRun]:
    """Open the run in `folder` at the checkpoint of `step`, or at its newest whole one. What is `auto` in its config
    fits its trainset and `prompts`.

    Raises:
        UsageError: the checkpoint does not exist, or was saved with another config or model.
        PodiumError: that checkpoint, or every one, is damaged.
    """
    library = ProgramLibrary()
    run = TrainingRun(library.resolve(config, lambda: prompts), folder, library)
    try:
        if not (folder / CHECKPOINTS).is_dir():
            raise UsageError(f"{folder} has no checkpoints; `podium train CONFIG.yaml --out {folder}` makes them")
        checkpoint = None if step is None else folder / CHECKPOINTS / str(step)
        yield TrainedRun(run, run.restore(checkpoint, for_training=False), library, folder)
    finally:
        run.close()


@contextlib.contextmanager
def open_untrained(config: RunConfig, prompts: Sequence[Prompt] = ()) -> Iterator[TrainedRun]:
    """Open the model of `config` as it is before any training. What is `auto` fits its trainset and `prompts`.

    Raises:
        UsageError: as `load_base` and `ProgramLibrary.resolve` do.
    """
    library = ProgramLibrary()
    # A run that only predicts reads and writes no folder.
    run = TrainingRun(library.resolve(config, lambda: prompts), Path(), library)
    try:
        yield TrainedRun(run, 0, library, None)
    finally:
        run.close()


def check_prompts(config: RunConfig, prompts: Sequence[Prompt], library: ProgramLibrary) -> None:
    """Raises UsageError if a prompt cannot be rendered, or has a token that the model lacks."""
    choose_template(library.base(config).tokenizer, config.data).prompts(prompts)
