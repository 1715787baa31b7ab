"""Trains on simulated devices and prints what came of it, as JSON: for child processes of test_sharding.py.

python -m tests.trainer.sharded FOLDER 'JSON list of [name, overrides, resume from or null]'
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.records import Sample
from trainer.device.devices import select
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun

ABOUT = {"expected_answer": "1", "section": "core", "category": "sum", "difficulty": "easy"}
SAMPLES = [Sample(id=f"s{n}", prompt=f"{n}+{n}=?", **ABOUT) for n in range(5)]
STEPS = 3


def config(trainset: Path, overrides: dict[str, Any]) -> RunConfig:
    small = {
        **{"data.trainset": str(trainset), "data.max_seq_len": 32, "train.batch_size": 8},
        **{"train.max_steps": 2 * STEPS, "train.learning_rate": 3e-3, "train.schedule": "constant"},
        **{"generate.batch_size": 8, "generate.max_prompt_tokens": 8, "generate.max_new_tokens": 8},
    }
    return RunConfig().with_overrides({**small, **overrides})


def train(
    library: ProgramLibrary, folder: Path, name: str, overrides: dict[str, Any], resume_from: str | None
) -> dict[str, Any]:
    """Three steps from the start or from the newest checkpoint of another run, then answers, and a checkpoint."""
    run = TrainingRun(config(folder / "trainset", overrides), folder / name, library)
    if resume_from:
        run.restore(folder / resume_from / "checkpoints" / str(STEPS))
    losses, first = [], run.step
    for step in range(first + 1, first + STEPS + 1):
        run.advance(step, Deadline.after(None))
        losses.append(run.counters.loss)
    answers = [prediction.text for prediction in run.predict(SAMPLES, Deadline.after(None))]
    run.save()
    run.close()
    program = library.training_program(run.config)
    compiled = program.step.memory_analysis()
    return {
        "mesh": list(library.base(run.config).mesh.devices.shape),
        "losses": losses,
        "answers": answers,
        "bytes": compiled.argument_size_in_bytes,
        "estimated": program.memory_of(32).weights + program.memory_of(32).optimizer,
        "largest_gathered": largest_gathered(program.step.as_text()),
    }


def largest_gathered(hlo: str) -> int:
    """Elements of the largest array that any all-gather makes."""
    shapes = re.findall(r"= \(?\w+\[([\d,]*)\]\S* all-gather\(", hlo)
    return max((int(np.prod([int(n) for n in shape.split(",") if n])) for shape in shapes), default=0)


if __name__ == "__main__":
    where, wanted = Path(sys.argv[1]), json.loads(sys.argv[2])
    base = config(where / "trainset", wanted[0][1])
    select(base.device)
    library = ProgramLibrary()
    found = {name: train(library, where, name, overrides, resume_from) for name, overrides, resume_from in wanted}
    print(json.dumps({"devices": jax.device_count(), "process": jax.process_index(), "runs": found}))
