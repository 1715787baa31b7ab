"""Exports a trained model to a Hugging Face folder, for transformers and other programs that read its format."""

import os
import shutil
from pathlib import Path
from typing import Any

import jax
from flax import nnx
from safetensors import SafetensorError

from podium.core.config import RunConfig
from podium.core.config_sections import LoraConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json, write_json
from podium.core.run_files import CHECKPOINTS
from trainer.data.tokenizer import tokenizer_files
from trainer.model.base_model import BaseModel
from trainer.model.lora import merge
from trainer.model.weights import save_weights
from trainer.programs.library import ProgramLibrary
from trainer.run.checkpoint import Checkpoints, check_same_inputs, check_same_run, read_meta, restore_tree
from trainer.run.provenance import input_hashes

GENERATION = "generation_config.json"


def export_run(config: RunConfig, run: Path, folder: Path, library: ProgramLibrary) -> int:
    """Write the newest checkpoint of the folder `run` as `save_hf` does, and return its step.

    Raises:
        UsageError: the folder already exists, the run has no complete checkpoint, or the checkpoint was saved with
            another config or model.
        PodiumError: a file cannot be written.
    """
    check_absent(folder)
    path = Checkpoints(run / CHECKPOINTS, config.train.keep_checkpoints).newest()
    if path is None:
        raise UsageError(f"{run} has no checkpoints; `podium train CONFIG.yaml --out {run}` makes them")
    meta = read_meta(path)
    check_same_run(path, meta["config"], config, int(path.name))
    base, program = library.base(config), library.training_program(config)
    check_same_inputs(path, meta["inputs"], input_hashes(base, None))
    trainable = restore_tree(path, "trainable", program.trainable)
    step = int(path.name)
    save_hf(folder, base, trainable, program.frozen(config.train.seed), config.at(step - 1).lora)
    return step


def save_hf(folder: Path, base: BaseModel, trainable: nnx.State, frozen: nnx.State, lora: LoraConfig) -> None:
    """Write weights (with adapters merged in), config and tokenizer to `folder`, which appears once it is complete.

    `trainable` and `frozen` are as `init_state` returns them; weights keep their dtype.

    Raises:
        UsageError: the folder already exists.
        PodiumError: a file cannot be written.
    """
    check_absent(folder)
    params = merge(frozen, trainable, lora) if jax.tree.leaves(frozen) else trainable
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        save_weights(temporary, base.arch, params)
        write_json(temporary / "config.json", _config(base.folder, str(jax.tree.leaves(params)[0].dtype)))
        beside = [base.folder / GENERATION] if (base.folder / GENERATION).is_file() else []
        for file in (*tokenizer_files(base.tokenizer.folder), *beside):
            shutil.copyfile(file, temporary / file.name)
        temporary.rename(folder)
    except (OSError, SafetensorError) as error:
        raise PodiumError(f"cannot write {folder}: {error}; nothing was left there") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_absent(folder: Path) -> None:
    """Raises UsageError if the folder already exists."""
    if folder.exists():
        raise UsageError(f"{folder} already exists; choose another folder")


def _config(folder: Path, dtype: str) -> dict[str, Any]:
    """The model's own config.json (for a Gemma 3 with vision, its text part), with the dtype of the new weights."""
    config = read_json(folder / "config.json")
    if config["model_type"] == "gemma3":
        config = {"architectures": ["Gemma3ForCausalLM"], **config["text_config"], "model_type": "gemma3_text"}
    config.pop("torch_dtype", None)  # the older name of dtype
    return {**config, "dtype": dtype}
