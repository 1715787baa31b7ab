"""A trained run, opened to answer prompts: its model as a checkpoint left it. Nothing in its folder is written."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.paths import portable
from podium.core.records import Prediction, Prompt
from trainer.device.sharding import describe_mesh
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun


class TrainedRun:
    """`open_trained` makes it."""

    def __init__(self, run: TrainingRun, step: int, library: ProgramLibrary) -> None:
        self._run, self.step = run, step
        base = library.base(run.config)
        self.model_id = base.model_id
        self.placement = describe_mesh(base.mesh)  # how the model is divided over devices; empty where it is not

    @property
    def n_prompts_cut(self) -> int:
        """Prompts of those answered so far that were too long and lost their beginning."""
        return self._run.n_prompts_cut

    def answer(self, samples: Sequence[Prompt], deadline: Deadline) -> list[Prediction]:
        """What the model writes after each prompt, as `generate` of the config says. Raises RunFailed: no memory."""
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
    """The run in `folder` at the checkpoint of `step`, or at its newest.

    Raises:
        UsageError: there is no such checkpoint, or it is of another config or model.
    """
    library = ProgramLibrary()
    run = TrainingRun(config, folder, library)
    try:
        if not (folder / "checkpoints").is_dir():
            raise UsageError(f"{folder} has no checkpoints; `podium train CONFIG.yaml --out {folder}` makes them")
        checkpoint = None if step is None else folder / "checkpoints" / str(step)
        yield TrainedRun(run, run.restore(checkpoint, for_training=False), library)
    finally:
        run.close()
