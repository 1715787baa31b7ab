"""Opens a trained run to answer prompts with the model of one of its checkpoints. Writes nothing to its folder."""

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
from trainer.device.sharding import describe_mesh
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun


class TrainedRun:
    """A model restored from a checkpoint. Made by `open_trained`."""

    def __init__(self, run: TrainingRun, step: int, library: ProgramLibrary) -> None:
        self._run, self.step = run, step
        base = library.base(run.config)
        self.model_id = base.model_id
        self.placement = describe_mesh(base.mesh)  # how the model is divided over devices; empty on one device

    @property
    def n_prompts_cut(self) -> int:
        """How many prompts of the newest `answer` were too long and lost their beginning."""
        return self._run.n_prompts_cut

    def answer(self, samples: Sequence[Prompt], deadline: Deadline) -> list[Prediction]:
        """Generate answers as the config's section `generate` says. Raises RunFailed: the device is out of memory."""
        return self._run.predict(samples, deadline)

    def about(self) -> dict[str, Any]:
        """What predictions_meta.json says about the model that answered."""
        return {
            "run": portable(self._run.out),
            "step": self.step,
            "model_id": self.model_id,
            "config_sha256": self._run.config.hash,
            "generate": self._run.config.generate.model_dump(mode="json"),
            "n_prompts_cut": self.n_prompts_cut,
        }


@contextlib.contextmanager
def open_trained(config: RunConfig, folder: Path, step: int | None = None) -> Iterator[TrainedRun]:
    """Open the run in `folder` at the checkpoint of `step`, or at its newest one.

    Raises:
        UsageError: the checkpoint does not exist, or was saved with another config or model.
    """
    library = ProgramLibrary()
    run = TrainingRun(config, folder, library)
    try:
        if not (folder / CHECKPOINTS).is_dir():
            raise UsageError(f"{folder} has no checkpoints; `podium train CONFIG.yaml --out {folder}` makes them")
        checkpoint = None if step is None else folder / CHECKPOINTS / str(step)
        yield TrainedRun(run, run.restore(checkpoint, for_training=False), library)
    finally:
        run.close()
