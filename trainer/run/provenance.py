"""The trainer's part of provenance.json, and the hashes of a run's inputs."""

from dataclasses import asdict
from typing import Any

from podium.core.resolved import ResolvedConfig
from trainer.data.rows import TokenizedTrainset
from trainer.device.devices import compute_dtype, find_devices
from trainer.model.base_model import BaseModel


def input_hashes(base: BaseModel, trainset: TokenizedTrainset | None) -> dict[str, str]:
    """sha256 of the files that the parameters depend on. A run that only predicts has no trainset."""
    hashes = {"model": base.sha256, "tokenizer": base.tokenizer.sha256}
    return hashes if trainset is None else {**hashes, "trainset": trainset.sha256}


def run_provenance(config: ResolvedConfig, base: BaseModel, trainset: TokenizedTrainset, step: int) -> dict[str, Any]:
    """The facts that only the trainer knows; `podium.core.provenance` adds the rest. This session starts at `step`."""
    return {
        "config_sha256": config.hash,
        "program_key": config.program_key,
        "device": {"asked": config.device.kind, **asdict(find_devices())},
        "dtype": str(compute_dtype(config.train.dtype)),
        "model_id": base.model_id,
        "sha256": input_hashes(base, trainset),
        "trainset": {
            "name": trainset.name,
            "n_examples": trainset.n_examples,
            "n_truncated": trainset.n_truncated,
            "n_dropped": trainset.n_dropped,
            "n_rows": trainset.n_rows,
            "template": trainset.template,
            "layout": trainset.layout,
            "notes": list(trainset.notes),
        },
        "from_step": step,
    }
