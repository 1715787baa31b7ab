"""What others read of an exported model. Needs the bench environment (benchmarks/requirements-bench.txt)."""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from podium.core.config import RunConfig
from trainer.export import save_hf
from trainer.loss import logits
from trainer.models import BaseModel, build_decoder, init_state, load_base
from trainer.sources import TINY

pytestmark = pytest.mark.slow
FIXTURES = Path(__file__).parents[1] / "fixtures" / "models"
FAMILIES = ("gemma", "gemma2", "gemma3_text", "llama", "llama_untied", "qwen2", "qwen3")
TOKENS = np.arange(3, 23)[None]  # longer than the sliding window


def with_adapters(folder: Path, exported: Path) -> np.ndarray:
    """Export a model whose adapters have moved, and return the logits that it had before: (1, 20, vocab)."""
    config = RunConfig().with_overrides(
        {
            **{"model.source": str(folder), "lora.enabled": True, "lora.rank": 4, "train.dtype": "float32"},
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


def with_tokenizer(family: str, tmp_path: Path) -> Path:
    """The family's fixture beside a tokenizer of as few words as it has."""
    folder = shutil.copytree(FIXTURES / family, tmp_path / family)
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    Tokenizer(WordLevel({"<eos>": 0, "a": 1}, unk_token="a")).save(str(folder / "tokenizer.json"))
    settings = '{"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<eos>"}'
    (folder / "tokenizer_config.json").write_text(settings)
    return folder


@pytest.mark.parametrize("family", [*FAMILIES, "tiny"])
def test_transformers_on_pytorch_finds_the_same_logits(family: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    folder = TINY if family == "tiny" else with_tokenizer(family, tmp_path)
    wanted = with_adapters(folder, tmp_path / "exported")
    model = AutoModelForCausalLM.from_pretrained(
        tmp_path / "exported", dtype=torch.float32, attn_implementation="eager"
    )
    with torch.no_grad():
        found = model(input_ids=torch.tensor(TOKENS)).logits.numpy()
    assert np.abs(found - wanted).max() < 1e-4
