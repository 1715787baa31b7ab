"""Loading holds little more in the host's memory than the weights: measured on a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from trainer.model.sources import TINY

pytestmark = pytest.mark.slow
HIDDEN, MLP, LAYERS, VOCAB = 1024, 4096, 6, 16384
CONFIG = {
    "model_type": "llama",
    **{"vocab_size": VOCAB, "hidden_size": HIDDEN, "intermediate_size": MLP, "num_hidden_layers": LAYERS},
    **{"num_attention_heads": 16, "num_key_value_heads": 16, "head_dim": 64, "tie_word_embeddings": True},
}
CHILD = """
import json, sys
import jax, numpy as np
from podium.core.config import RunConfig
from trainer.model.base_model import load_base
from tuning.workers.memory import peak_memory_gb
config = RunConfig().with_overrides(json.loads(sys.argv[1]))
params = jax.block_until_ready(load_base(config).params)
leaves = jax.tree.leaves(params)
print(json.dumps({
    "weights": sum(leaf.nbytes for leaf in leaves),
    "peak": peak_memory_gb() * 1e9,  # not getrusage's, which begins with what the parent held
    "sum": float(sum(np.asarray(leaf[..., :1], np.float32).sum() for leaf in leaves)),
}))
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 235 MB in float16 as one file, so 470 MB in float32."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((TINY / name).read_bytes())
    shapes = {"model.embed_tokens.weight": (VOCAB, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}"
        shapes |= {f"{prefix}.self_attn.{name}_proj.weight": (HIDDEN, HIDDEN) for name in "qkvo"}
        shapes |= {f"{prefix}.mlp.{name}_proj.weight": (MLP, HIDDEN) for name in ("gate", "up")}
        shapes[f"{prefix}.mlp.down_proj.weight"] = (HIDDEN, MLP)
        shapes |= {f"{prefix}.{name}.weight": (HIDDEN,) for name in ("input_layernorm", "post_attention_layernorm")}
    tensors = {name: np.full(shape, 0.5, np.float16) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    "overrides",
    [
        {"train.dtype": "float32"},
        {"train.dtype": "bfloat16", "lora.enabled": True},
        {"train.dtype": "bfloat16", "lora.enabled": True, "model.base_dtype": "int8"},
    ],
    ids=["float32", "bfloat16", "int8"],
)
def test_the_peak_is_little_more_than_the_weights(checkpoint: Path, overrides: dict[str, object]) -> None:
    given = json.dumps({"model.source": str(checkpoint), **overrides})
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, given], capture_output=True, text=True, check=True, env=environment
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"weights {found['weights'] / 1e6:.0f} MB, peak {found['peak'] / 1e6:.0f} MB")  # shown by pytest -s
    assert found["weights"] > 1e8 and found["sum"] > 0
    assert found["peak"] < 1.3 * found["weights"] + 0.5e9
