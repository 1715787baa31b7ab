"""What others read of an exported model. Needs the bench environment (benchmarks/requirements-bench.txt)."""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from benchmarks import tunix_gemma3
from podium.core.config import RunConfig
from podium.core.files import read_json, write_json
from trainer.export import save_hf
from trainer.model.base_model import BaseModel, build_decoder, init_state, load_base, read_architecture
from trainer.model.decoder import Decoder
from trainer.model.sources import TINY
from trainer.model.weights import save_weights
from trainer.step.loss import logits

pytestmark = pytest.mark.slow
FIXTURES = Path(__file__).parents[1] / "fixtures" / "models"
FAMILIES = ("gemma", "gemma2", "gemma3_text", "llama", "llama_untied", "qwen2", "qwen3")
MISSING = "needs the bench environment: benchmarks/requirements-bench.txt"
TOKENS = np.arange(3, 23)[None]  # longer than the sliding window


def with_adapters(folder: Path, exported: Path, variant: dict[str, bool] | None = None) -> np.ndarray:
    """Export a model whose adapters have moved, and return the logits that it had before: (1, 20, vocab)."""
    config = RunConfig().with_overrides(
        {
            **{"model.source": str(folder), "lora.enabled": True, "lora.rank": 4, "train.dtype": "float32"},
            **(variant or {}),
            **{"data.max_seq_len": 32, "generate.max_prompt_tokens": 16, "generate.max_new_tokens": 16},
        }
    )
    base: BaseModel = load_base(config)
    adapters, frozen = init_state(base, config, 0)
    adapters = jax.tree.map(lambda x: x + 0.05 * jax.random.normal(jax.random.key(x.size), x.shape), adapters)
    save_hf(exported, base, adapters, frozen, config.lora)
    decoder = nnx.merge(build_decoder(base, config), adapters, frozen)
    row = TOKENS, np.arange(20)[None], np.ones_like(TOKENS)
    hidden, _ = decoder(*row, dtype=jnp.float32, lora_alpha=config.lora.alpha)
    return np.asarray(logits(hidden, decoder.head(), base.arch.final_softcap))


def with_tokenizer(folder: Path) -> Path:
    """`folder` with a tokenizer of as few words as there can be."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    Tokenizer(WordLevel({"<eos>": 0, "a": 1}, unk_token="a")).save(str(folder / "tokenizer.json"))
    settings = '{"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<eos>"}'
    (folder / "tokenizer_config.json").write_text(settings)
    return folder


def for_tunix(folder: Path, kv_heads: int) -> None:
    """A Gemma 3 of random weights as google-tunix knows them: every sixth layer global, no scaled RoPE, the usual scale
    of attention. All else is the fixture's."""
    config = read_json(FIXTURES / "gemma3_text" / "config.json")
    kinds = ["sliding_attention"] * 5 + ["full_attention"]
    config |= {"num_hidden_layers": 6, "layer_types": kinds, "query_pre_attn_scalar": config["head_dim"]}
    config["num_key_value_heads"] = kv_heads
    config["rope_parameters"]["full_attention"] = {"rope_type": "default", "rope_theta": 1e6}
    write_json(folder / "config.json", config)
    arch = read_architecture(folder)
    params = nnx.state(Decoder(arch, nnx.Rngs(0), jnp.float32), nnx.Param)
    noise = jax.tree.map(lambda x: 0.1 * jax.random.normal(jax.random.key(x.size), x.shape), params)  # norms differ too
    save_weights(folder, arch, jax.tree.map(jnp.add, params, noise))


@pytest.mark.parametrize("variant", [{}, {"lora.rslora": True}, {"lora.dora": True}], ids=["lora", "rslora", "dora"])
@pytest.mark.parametrize("family", [*FAMILIES, "tiny"])
def test_transformers_on_pytorch_finds_the_same_logits(family: str, variant: dict[str, bool], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason=MISSING)
    from transformers import AutoModelForCausalLM

    folder = TINY if family == "tiny" else with_tokenizer(shutil.copytree(FIXTURES / family, tmp_path / family))
    wanted = with_adapters(folder, tmp_path / "exported", variant)
    model = AutoModelForCausalLM.from_pretrained(
        tmp_path / "exported", dtype=torch.float32, attn_implementation="eager"
    )
    with torch.no_grad():
        found = model(input_ids=torch.tensor(TOKENS)).logits.numpy()
    assert np.abs(found - wanted).max() < 1e-4


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_google_tunix_finds_the_same_logits(kv_heads: int, tmp_path: Path) -> None:
    pytest.importorskip("tunix", reason=MISSING)
    made = tmp_path / "made"
    made.mkdir()
    for_tunix(with_tokenizer(made), kv_heads)
    wanted = with_adapters(made, tmp_path / "exported")
    model = tunix_gemma3.load(tmp_path / "exported", read_architecture(made), "float32")
    seen = np.tril(np.ones((1, 20, 20), bool))
    found, _ = model(jnp.asarray(TOKENS), jnp.arange(20)[None], None, jnp.asarray(seen))
    assert np.abs(np.asarray(found) - wanted).max() < 1e-4
