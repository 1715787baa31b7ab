"""Exports a trained model to a Hugging Face folder, for transformers and other programs that read its format."""

import shutil
from pathlib import Path
from typing import Any

import jax
from flax import nnx
from safetensors import SafetensorError

from podium.core.config_sections import LoraConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json, write_json, write_text
from podium.core.resolved import ResolvedConfig
from podium.core.run_files import CHECKPOINTS
from podium.core.temporary import temporary_folder
from trainer.data.exported_template import exported_template
from trainer.data.tokenizer import CHAT_TEMPLATE, tokenizer_files
from trainer.model.base_model import BaseModel, param_dtype
from trainer.model.end_tokens import KEY
from trainer.model.lora import merge
from trainer.model.sources import GENERATION
from trainer.model.weights import save_weights, stored_dtype
from trainer.programs.library import ProgramLibrary
from trainer.run.checkpoint import Checkpoints, check_same_inputs, check_same_run, read_meta, restore_tree
from trainer.run.provenance import input_hashes


def export_run(
    config: ResolvedConfig, run: Path, folder: Path, library: ProgramLibrary, dtype: str | None = None
) -> tuple[int, str]:
    """Write the newest checkpoint of the folder `run` as `save_hf` does, and return its step and the weights' dtype.

    Without `dtype`, the weights are written in the dtype of the model's own files (tiny, which has none, in its own).

    Raises:
        UsageError: the folder already exists, the run has no complete checkpoint, the checkpoint was saved with
            another config or model, or a weight is too large for the dtype.
        PodiumError: the checkpoint is damaged, or a file cannot be written.
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
    dtype = dtype or (str(param_dtype(config)) if base.params is None else stored_dtype(base.folder))
    frozen, lora = program.frozen(config.train.seed), config.at(step - 1).lora
    save_hf(folder, base, trainable, frozen, lora, dtype, exported_template(base.tokenizer, config.data))
    return step, dtype


def save_hf(
    folder: Path,
    base: BaseModel,
    trainable: nnx.State,
    frozen: nnx.State,
    lora: LoraConfig,
    dtype: str | None = None,
    template: str | None = None,
) -> None:
    """Write weights (with adapters merged in), configs and tokenizer to `folder`, which appears once it is complete.

    `trainable` and `frozen` are as `init_state` returns them. Weights are rounded to `dtype`, or keep their own.
    `template` takes the place of the tokenizer's chat template.

    Raises:
        UsageError: the folder already exists, or a weight is too large for `dtype`.
        PodiumError: a file cannot be written.
    """
    check_absent(folder)
    params = merge(frozen, trainable, lora) if jax.tree.leaves(frozen) else trainable
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder) as temporary:
            save_weights(temporary, base.arch, params, dtype=dtype)
            write_json(temporary / "config.json", _config(base.folder, dtype or str(jax.tree.leaves(params)[0].dtype)))
            write_json(temporary / GENERATION, _generation_config(base))
            for file in tokenizer_files(base.tokenizer.folder):
                shutil.copyfile(file, temporary / file.name)
            if template is not None:
                write_text(temporary / CHAT_TEMPLATE, template)  # which transformers prefers to tokenizer_config.json
            temporary.rename(folder)
    except (OSError, SafetensorError) as error:
        raise PodiumError(f"cannot write {folder}: {error}; nothing was left there") from error


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


def _generation_config(base: BaseModel) -> dict[str, Any]:
    """The model's own generation_config.json, with every token that ends an answer here."""
    path = base.folder / GENERATION
    ids = list(base.end_ids)
    return {**(read_json(path) if path.is_file() else {}), KEY: ids if len(ids) > 1 else ids[0]}
