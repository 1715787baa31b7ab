"""Logits agree with transformers on PyTorch (fixtures by benchmarks/make_parity_fixtures.py), for every family."""

import shutil
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file

from podium.core.config import RunConfig
from trainer.data.tokenizer import Tokenizer
from trainer.device.sharding import mesh_of
from trainer.export import save_hf
from trainer.model.architecture import Architecture, Rope
from trainer.model.attention import KVCache
from trainer.model.base_model import BaseModel, read_architecture
from trainer.model.decoder import Decoder
from trainer.model.sources import TINY
from trainer.model.weights import load_weights
from trainer.step.loss import logits

FIXTURES = Path(__file__).parents[2] / "fixtures" / "models"
FAMILIES = ("gemma", "gemma2", "gemma3_text", "llama", "llama_untied", "qwen2", "qwen3")
TOLERANCE = 1e-4
# A mistake that must show, so that agreement means something: the family, and what is read wrongly.
MISTAKES = [
    ("gemma2", {"attention_softcap": None}),
    ("gemma3_text", {"windows": (7, 6, 0)}),
    ("gemma3_text", {"global_rope": Rope(1e6)}),
    ("llama", {"global_rope": Rope(5e5)}),
]


@cache
def weights(folder: Path) -> nnx.State:
    return load_weights(folder, read_architecture(folder), jnp.float32, mesh_of(jax.devices()[:1]))


def decoder_of(arch: Architecture) -> nnx.GraphDef:
    return nnx.graphdef(nnx.eval_shape(lambda: Decoder(arch, nnx.Rngs(0), jnp.float32)))


@partial(jax.jit, static_argnums=0)
def forward(
    graph: nnx.GraphDef, state: nnx.State, tokens: Any, positions: Any, segment_ids: Any, cache: KVCache | None = None
) -> tuple[jax.Array, KVCache | None]:
    """(logits (batch, seq, vocab), cache)"""
    decoder = nnx.merge(graph, state)
    hidden, cache = decoder(tokens, positions, segment_ids, cache, dtype=jnp.float32)
    return logits(hidden, decoder.head(), decoder.arch.final_softcap), cache


def gap(found: Any, wanted: np.ndarray, mask: np.ndarray) -> float:
    """The largest difference, padding left out."""
    assert found.shape == wanted.shape
    return float(np.abs(found - wanted)[mask == 1].max())


def positions_of(mask: np.ndarray) -> np.ndarray:
    return np.maximum(np.cumsum(mask, axis=-1) - 1, 0).astype(np.int32)


def full_gap(folder: Path, arch: Architecture, side: str) -> float:
    parity = load_file(folder / "parity.safetensors")
    tokens, mask, wanted = (parity[f"{side}_{name}"] for name in ("tokens", "mask", "logits"))
    assert tokens.shape[1] > 2 * max(arch.windows)
    found, _ = forward(decoder_of(arch), weights(folder), tokens, positions_of(mask), mask)
    return gap(found, wanted, mask)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_agree_with_pytorch(family: str, side: str) -> None:
    folder = FIXTURES / family
    found = full_gap(folder, read_architecture(folder), side)
    print(f"{family}, {side} padding: {found:.1e}")  # shown by pytest -s
    assert found < TOLERANCE


@pytest.mark.parametrize(("family", "mistake"), MISTAKES)
def test_a_config_read_wrongly_would_show(family: str, mistake: dict[str, Any]) -> None:
    folder = FIXTURES / family
    assert full_gap(folder, replace(read_architecture(folder), **mistake), "right") > 10 * TOLERANCE


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", FAMILIES)
def test_decoding_with_the_cache_equals_the_full_forward(family: str, side: str) -> None:
    """A prefill of 4 tokens, then one token at a time, in a cache with slots to spare."""
    folder = FIXTURES / family
    parity = load_file(folder / "parity.safetensors")
    tokens, mask, wanted = (parity[f"{side}_{name}"] for name in ("tokens", "mask", "logits"))
    graph, state, positions = decoder_of(read_architecture(folder)), weights(folder), positions_of(mask)
    seq = tokens.shape[1]
    slots = nnx.merge(graph, state).init_cache(len(tokens), seq + 3, jnp.float32)
    found = []
    for start, stop in ((0, 4), *((at, at + 1) for at in range(4, seq))):
        part = np.s_[:, start:stop]
        scores, slots = forward(graph, state, tokens[part], positions[part], mask[part], slots)
        found.append(scores)
    assert int(slots.index) == seq
    assert gap(np.concatenate(found, axis=1), wanted, mask) < TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_an_exported_model_has_the_same_logits(family: str, tmp_path: Path) -> None:
    folder, exported = FIXTURES / family, tmp_path / "exported"
    base = BaseModel(read_architecture(folder), weights(folder), Tokenizer(TINY), family, folder)
    save_hf(exported, base, weights(folder), nnx.State({}), RunConfig().lora)
    shutil.copyfile(folder / "parity.safetensors", exported / "parity.safetensors")
    assert full_gap(exported, read_architecture(exported), "right") < TOLERANCE


@pytest.mark.realdata
def test_a_real_llama_agrees_with_pytorch(realdata: Path) -> None:
    folder = realdata / "stories15m"
    parity = load_file(FIXTURES / "stories15m.safetensors")
    mask = parity["mask"]
    scores, _ = forward(
        decoder_of(read_architecture(folder)), weights(folder), parity["tokens"], positions_of(mask), mask
    )
    assert gap(scores[..., ::200], parity["some_logits"], mask) < TOLERANCE
    assert gap(jax.nn.logsumexp(scores, axis=-1), parity["logsumexp"], mask) < TOLERANCE
    assert (np.argmax(scores, axis=-1) == parity["likeliest"])[mask == 1].all()
