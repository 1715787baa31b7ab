"""The base model that runs start from, and its division into trainable and frozen parameters."""

from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.sharding import Mesh

from podium.core.config import RunConfig
from podium.core.config_sections import LoraConfig
from podium.core.errors import UsageError
from podium.core.hashing import sha256_file_cached, sha256_files
from podium.core.progress import doing
from trainer.data.tokenizer import Tokenizer
from trainer.device.devices import compute_dtype
from trainer.device.machine import devices
from trainer.device.memory import device_bytes, tree_bytes
from trainer.device.sharding import choose_mesh, mesh_key, mesh_of
from trainer.model.architecture import Architecture
from trainer.model.config_file import read_architecture
from trainer.model.decoder import Decoder
from trainer.model.end_tokens import end_tokens
from trainer.model.int8 import quantise_state
from trainer.model.lora import LoraParam
from trainer.model.sources import TINY, find_files, model_files
from trainer.model.weights import load_weights


@dataclass(frozen=True)
class BaseModel:
    """A loaded model, shared between runs and never changed."""

    arch: Architecture
    params: nnx.State | None  # None for tiny, whose weights come from a run's seed
    tokenizer: Tokenizer
    model_id: str
    folder: Path
    mesh: Mesh = field(default_factory=lambda: mesh_of(devices()[:1]))  # of the weights

    @cached_property
    def end_ids(self) -> tuple[int, ...]:
        """The ids that end an answer: `end_tokens`, and what ends a turn in the chat template. Raises UsageError."""
        ends = end_tokens(self.folder, self.tokenizer.eos_id, self.arch.vocab_size)
        turn = self.tokenizer.end_of_turn_id
        return ends if turn is None else tuple(dict.fromkeys((*ends, turn)))

    @cached_property
    def sha256(self) -> str:
        """Hash of config.json and the weight files. tiny has only config.json."""
        return sha256_files(self.folder, model_files(self.folder), sha256_file_cached)


def base_key(config: RunConfig) -> tuple[str, ...]:
    """A key that is equal for two configs if `load_base` gives them the same weights, dtype and sharding."""
    return (config.model.model_dump_json(), str(param_dtype(config)), mesh_key(config))


def param_dtype(config: RunConfig) -> jnp.dtype:
    """The dtype of the parameters: that of the computation for a frozen base, float32 for full fine-tuning."""
    return compute_dtype(config.train.dtype) if config.lora.enabled else jnp.dtype(jnp.float32)


def load_base(config: RunConfig) -> BaseModel:
    """Find the model's files and load them.

    Raises:
        UsageError: missing, corrupt or contradictory files, an unknown model type, sequences longer than the model's
            positions, or devices that do not fit the config.
        PodiumError: a download failed.
    """
    folder, tokenizer_folder = find_files(config.model)
    arch = read_architecture(folder)
    check_lengths(config, arch)  # before reading the weights, which may take minutes
    tokenizer = Tokenizer(tokenizer_folder, arch.vocab_size)
    end_tokens(folder, tokenizer.eos_id, arch.vocab_size)  # malformed files are reported before the weights are read
    mesh = choose_mesh(config, weights_bytes(config, arch), device_bytes(config))
    with doing(f"loading {config.model.id}"):
        params = None if folder == TINY else load_weights(folder, arch, param_dtype(config), mesh, _is_int8(config))
    return BaseModel(arch, params, tokenizer, config.model.id, folder, mesh)


def weights_bytes(config: RunConfig, arch: Architecture | None = None) -> int:
    """The size in bytes of the model's parameters, without adapters. Reads config.json unless `arch` is given."""
    arch = arch or read_architecture(find_files(config.model)[0])
    return tree_bytes(base_shapes(config, arch))


def base_shapes(config: RunConfig, arch: Architecture) -> nnx.State:
    """The shapes of the model's parameters, without adapters."""
    make = partial(_decoder, arch, param_dtype(config), None, _is_int8(config))
    return nnx.state(nnx.eval_shape(make, jax.random.key(0)), nnx.Param)


def build_decoder(base: BaseModel, config: RunConfig) -> nnx.GraphDef:
    """The decoder without its arrays; `nnx.merge(graphdef, trainable, frozen)` adds them. Computes nothing.

    Raises:
        UsageError: the config's sequences are longer than the model's positions.
    """
    check_lengths(config, base.arch)
    make = partial(_decoder, base.arch, param_dtype(config), _adapters(config), _is_int8(config))
    return nnx.graphdef(nnx.eval_shape(make, jax.random.key(0)))


def init_state(base: BaseModel, config: RunConfig, seed: int | Array) -> tuple[nnx.State, nnx.State]:
    """The initial (trainable, frozen) parameters of a run.

    With LoRA, trainable holds only the adapters, and frozen is the shared base itself. In full fine-tuning, trainable
    is the run's own copy of the base, and frozen is empty.
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


def check_lengths(config: RunConfig, arch: Architecture) -> None:
    """Raises UsageError for numbers of tokens that exceed the model's positions. What `auto` stands for never is."""
    names = ("max_prompt_tokens", "max_new_tokens")
    for name, lengths in (
        ("data.max_seq_len", [config.data.max_seq_len]),
        *((f"generate.{name}", [getattr(config.generate, name)]) for name in names),
        ("generate.max_prompt_tokens + generate.max_new_tokens", [getattr(config.generate, name) for name in names]),
    ):
        if "auto" not in lengths and sum(lengths) > arch.max_positions:
            raise UsageError(
                f"{name}={sum(lengths)}, must be <= {arch.max_positions}, the positions of {config.model.source}"
            )


def _adapters(config: RunConfig) -> LoraConfig | None:
    """The fields of `lora` that shape the decoder. alpha does not, so it is an input of the compiled program."""
    lora = config.lora
    shaping = {"rank": lora.rank, "targets": lora.targets, "rslora": lora.rslora, "dora": lora.dora}
    return LoraConfig(enabled=True, **shaping) if lora.enabled else None


def _is_int8(config: RunConfig) -> bool:
    return config.model.base_dtype == "int8"


def _decoder(arch: Architecture, dtype: jnp.dtype, lora: LoraConfig | None, int8: bool, key: Array) -> Decoder:
    # Separate streams, so that a seed gives the same base weights with and without adapters.
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
