"""The model that runs start from, and what of it a run trains."""

import os
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.sharding import Mesh

from podium.core.config import RunConfig
from podium.core.config_sections import LoraConfig
from podium.core.errors import UsageError
from podium.core.files import read_json
from podium.core.hashing import sha256_file_cached, sha256_files
from podium.core.redaction import one_line
from trainer.data.tokenizer import Tokenizer
from trainer.device.devices import compute_dtype
from trainer.device.memory import device_bytes, tree_bytes
from trainer.device.sharding import choose_mesh, mesh_key, mesh_of
from trainer.model.architecture import Architecture, architecture_from_hf, check_family
from trainer.model.decoder import Decoder
from trainer.model.int8 import quantise_state
from trainer.model.lora import LoraParam
from trainer.model.sources import TINY, find_files, model_files
from trainer.model.weights import load_weights


@dataclass(frozen=True)
class BaseModel:
    """What runs start from. Shared between runs and never written to."""

    arch: Architecture
    params: nnx.State | None  # None for tiny: its weights come from a run's seed
    tokenizer: Tokenizer
    model_id: str
    folder: Path
    mesh: Mesh = field(default_factory=lambda: mesh_of(jax.devices()[:1]))  # that the weights lie on

    @cached_property
    def sha256(self) -> str:
        """Over config.json and the weight files; for tiny over config.json, since the seed gives the rest."""
        return sha256_files(self.folder, model_files(self.folder), sha256_file_cached)


def base_key(config: RunConfig) -> tuple[str, ...]:
    """Equal for two configs when `load_base` gives them the same weights in the same dtype in the same places."""
    return (config.model.model_dump_json(), str(param_dtype(config)), mesh_key(config))


def param_dtype(config: RunConfig) -> jnp.dtype:
    """A frozen base is kept in the dtype of the computation; what is trained in full is kept in float32."""
    return compute_dtype(config.train.dtype) if config.lora.enabled else jnp.dtype(jnp.float32)


def load_base(config: RunConfig) -> BaseModel:
    """Find the model's files, and read them.

    Raises:
        UsageError: missing, corrupt or contradictory files, an unknown model type, sequences longer than the model has
            positions, or devices that the config does not fit.
        PodiumError: a download failed.
    """
    folder, tokenizer_folder = find_files(config.model)
    arch = read_architecture(folder)
    _check_lengths(config, arch)  # before minutes are spent on reading weights
    tokenizer = Tokenizer(tokenizer_folder)
    if tokenizer.vocab_size > arch.vocab_size:
        raise UsageError(
            f"{tokenizer_folder}: the tokenizer has {tokenizer.vocab_size} tokens, "
            f"the model in {folder} has only vocab_size={arch.vocab_size}; give the tokenizer of the same model"
        )
    mesh = choose_mesh(config, weights_bytes(config, arch), device_bytes(config))
    params = None if folder == TINY else load_weights(folder, arch, param_dtype(config), mesh, _is_int8(config))
    revision = f"@{config.model.revision}" if config.model.revision else ""
    return BaseModel(arch, params, tokenizer, f"{config.model.source}{revision}", folder, mesh)


def weights_bytes(config: RunConfig, arch: Architecture | None = None) -> int:
    """The size in bytes of the model's parameters, without adapters. Reads config.json unless `arch` is given."""
    arch = arch or read_architecture(find_files(config.model)[0])
    make = partial(_decoder, arch, param_dtype(config), None, _is_int8(config))
    return tree_bytes(nnx.state(nnx.eval_shape(make, jax.random.key(0))))


def build_decoder(base: BaseModel, config: RunConfig) -> nnx.GraphDef:
    """The decoder without its arrays; `nnx.merge(graphdef, trainable, frozen)` makes it whole. Computes nothing.

    Raises:
        UsageError: the config's sequences are longer than the model has positions.
    """
    _check_lengths(config, base.arch)
    make = partial(_decoder, base.arch, param_dtype(config), _adapters(config), _is_int8(config))
    return nnx.graphdef(nnx.eval_shape(make, jax.random.key(0)))


def init_state(base: BaseModel, config: RunConfig, seed: int | Array) -> tuple[nnx.State, nnx.State]:
    """(trainable, frozen), where a run starts.

    With LoRA, trainable holds the adapters only and frozen is the base itself, shared. In full fine-tuning trainable is
    a copy of the run's own and frozen is empty.
    """
    lora, dtype = _adapters(config), param_dtype(config)
    key = jax.random.key(seed)
    if base.params is None:
        trainable, frozen = _initialise(base.arch, dtype, lora, key)
        frozen = quantise_state(frozen) if _is_int8(config) else frozen
        return (trainable, frozen) if lora else (frozen, nnx.State({}))
    if lora is None:
        return jax.tree.map(jnp.copy, base.params), nnx.State({})
    return _initialise_adapters(base.arch, dtype, lora, key), base.params


def read_architecture(folder: Path) -> Architecture:
    """The architecture that config.json in `folder` describes. Raises UsageError."""
    path = folder / "config.json"
    values = read_json(path)
    if not isinstance(values, dict) or "model_type" not in values:
        raise UsageError(f"{path}: has no model_type, so it is not a model's config; check the folder")
    try:
        if values["model_type"] != "gemma3":
            check_family(values["model_type"])  # before transformers, which knows hundreds more
        return architecture_from_hf(_transformers_config(folder))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _transformers_config(folder: Path) -> Any:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it warns that PyTorch is missing, which is on purpose
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    # Validation of a config raises whatever its fields raise.
    except Exception as error:
        raise UsageError(one_line(error, 300)) from error


def _check_lengths(config: RunConfig, arch: Architecture) -> None:
    decoded = config.generate.max_prompt_tokens + config.generate.max_new_tokens
    for name, length in (
        ("data.max_seq_len", config.data.max_seq_len),
        ("generate.max_prompt_tokens + generate.max_new_tokens", decoded),
    ):
        if length > arch.max_positions:
            raise UsageError(
                f"{name}={length}, must be <= {arch.max_positions}, the positions of {config.model.source}"
            )


def _adapters(config: RunConfig) -> LoraConfig | None:
    """What of `lora` shapes the decoder; alpha does not, so it takes no part in what is compiled."""
    lora = config.lora
    shaping = {"rank": lora.rank, "targets": lora.targets, "rslora": lora.rslora, "dora": lora.dora}
    return LoraConfig(enabled=True, **shaping) if lora.enabled else None


def _is_int8(config: RunConfig) -> bool:
    return config.model.base_dtype == "int8"


def _decoder(arch: Architecture, dtype: jnp.dtype, lora: LoraConfig | None, int8: bool, key: Array) -> Decoder:
    # Streams of their own, so that a seed gives the same base weights with adapters and without.
    return Decoder(arch, nnx.Rngs(params=key, lora=jax.random.fold_in(key, 1)), dtype, lora, int8)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _initialise(
    arch: Architecture, dtype: jnp.dtype, lora: LoraConfig | None, key: Array
) -> tuple[nnx.State, nnx.State]:
    adapters, base = nnx.state(_decoder(arch, dtype, lora, False, key), LoraParam, nnx.Param)
    return adapters, base


@partial(jax.jit, static_argnums=(0, 1, 2))
def _initialise_adapters(arch: Architecture, dtype: jnp.dtype, lora: LoraConfig, key: Array) -> nnx.State:
    # The base arrays are never an output, so the compiler leaves them out.
    return nnx.state(_decoder(arch, dtype, lora, False, key), LoraParam)
