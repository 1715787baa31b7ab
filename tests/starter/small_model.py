"""A small Llama with weights and the tiny tokenizer, in a folder as the hub has them."""

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from trainer.model.sources import TINY

LLAMA = Path(__file__).parents[1] / "fixtures" / "models" / "llama"
VOCABULARY = 384  # of the tiny tokenizer


def write_small_model(folder: Path) -> Path:
    """Write the model to `folder`: that of the fixtures, with rows of its embedding repeated to fill the vocabulary."""
    folder.mkdir()
    tensors = load_file(LLAMA / "model.safetensors")
    embedding = tensors["model.embed_tokens.weight"]
    tensors["model.embed_tokens.weight"] = np.resize(embedding, (VOCABULARY, embedding.shape[1]))
    save_file(tensors, folder / "model.safetensors")
    config = json.loads((LLAMA / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": VOCABULARY}))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(TINY / name, folder / name)
    return folder


def write_sums(path: Path, n: int = 120) -> Path:
    """Sums as prompts and responses."""
    rows = ({"prompt": f"{i // 10}+{i % 10}=?", "response": str(i // 10 + i % 10)} for i in range(n))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
