"""Compares time and peak host memory of loading a checkpoint with Podium and with transformers on PyTorch (Linux, CPU).

    bench/bin/python -m benchmarks.load [--rounds 3] [--quick] [--json]

The benchmark writes two checkpoints with random weights in several safetensors files: a Llama in bfloat16 (0.75 GB) and
the shape of Gemma 3 270M in float32 (1.07 GB), of which the embedding is more than half. `--quick` writes fewer layers.
Each load runs in its own process. The time is that of the load without the imports; the peak is how much the resident
set grew above the start of the load. Podium and transformers take turns, and all files are in the page cache, so the
disk does not matter. Goal: our peak is under 1.3 times the weights plus 0.5 GB.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from benchmarks.report import Report, arguments

GB = 1e9
LLAMA = {
    **{"model_type": "llama", "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 5632, "head_dim": 64},
    **{"num_attention_heads": 32, "num_key_value_heads": 32, "num_hidden_layers": 6, "tie_word_embeddings": True},
}
GEMMA3_270M = {
    **{"model_type": "gemma3_text", "vocab_size": 262144, "hidden_size": 640, "intermediate_size": 2048},
    **{"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "num_hidden_layers": 18},
    **{"sliding_window": 512, "tie_word_embeddings": True},
}
# Name, config.json, dtype of the weights.
MODELS = [("llama", LLAMA, "bfloat16"), ("gemma 3 270M", GEMMA3_270M, "float32")]
WRITE = """
import sys
from pathlib import Path
import jax, jax.numpy as jnp
from flax import nnx
from trainer.model.decoder import Decoder
from trainer.model.base_model import read_architecture
from trainer.model.sources import TINY
from trainer.data.tokenizer import tokenizer_files
from trainer.model.weights import save_weights
folder = Path(sys.argv[1])
for file in tokenizer_files(TINY):
    (folder / file.name).write_bytes(file.read_bytes())
arch = read_architecture(folder)
decoder = Decoder(arch, nnx.Rngs(0), jnp.dtype(sys.argv[2]))
save_weights(folder, arch, nnx.state(decoder, nnx.Param), max_shard_bytes=2 * 10**8)
"""
# Arguments: folder, dtype. Each calls `begins` when the load begins, and sets `size`, the bytes of all loaded weights.
LOADS = {
    "podium": """
sys.modules["torch"] = None  # Podium's environment has no PyTorch; transformers would import it
import jax
from transformers import AutoConfig
from podium.core.config import RunConfig
from trainer.model.base_model import load_base
jax.devices()
config = RunConfig().with_overrides({"model.source": sys.argv[1], "train.dtype": sys.argv[2], "lora.enabled": True})
begins()
params = jax.block_until_ready(load_base(config).params)
size = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
""",
    "transformers": """
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
begins()
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=getattr(torch, sys.argv[2]))
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
for weight in model.parameters():  # a page of a mapped file is only loaded when it is read
    weight.view(torch.int16).view(-1)[::2048].sum().item()
size = sum(weight.nbytes for weight in model.parameters())
""",
}
MEASURED = """
import json, re, sys, time
from pathlib import Path
def memory(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
def begins():
    global started
    started = time.perf_counter(), time.process_time(), memory("VmRSS")
{load}
seconds, cpu_s = time.perf_counter() - started[0], time.process_time() - started[1]
print(json.dumps({{"seconds": seconds, "cpu_s": cpu_s, "bytes": size, "peak": memory("VmHWM") - started[2]}}))
"""


def child(code: str, *arguments: str) -> str:
    """Run `code` in a new process; returns the last line that it prints."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "TRANSFORMERS_VERBOSITY": "error", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, check=True, env=environment)
    return (done.stdout.decode().splitlines() or [""])[-1]


def main() -> None:
    options = arguments(__doc__, rounds=3, quick=False)
    report = Report("load")
    if not find_spec("torch"):
        report.figure("transformers", "PyTorch is not installed (benchmarks/requirements-bench.txt)")
    for model, config, dtype in MODELS:
        layers = {"num_hidden_layers": 2} if options.quick else {}
        compare(report, model, {**config, **layers}, dtype, 1 if options.quick else options.rounds)
    report.print(options.json)


def compare(report: Report, model: str, config: dict[str, object], dtype: str, rounds: int) -> None:
    """Add the figures of one checkpoint to the report."""
    names = [name for name in LOADS if name == "podium" or find_spec("torch")]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        child(WRITE, folder, dtype)
        for _ in range(rounds):
            for name in names:
                found[name].append(json.loads(child(MEASURED.format(load=LOADS[name]), folder, dtype)))
    size = found["podium"][0]["bytes"]
    report.figure(f"{model}, weights", size / GB, f"GB, {dtype}")
    for name in names:
        report.figure(f"{model}, {name}, load", statistics.median(run["seconds"] for run in found[name]), "s")
        report.figure(f"{model}, {name}, load", statistics.median(run["cpu_s"] for run in found[name]), "CPU s")
        report.figure(f"{model}, {name}, peak memory", max(run["peak"] for run in found[name]) / GB, "GB")
    if "transformers" in found:
        assert found["transformers"][0]["bytes"] == size
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(found["podium"], found["transformers"], strict=True)]
        report.figure(f"{model}, podium over transformers, seconds", statistics.median(ratios))
    peak, limit = max(run["peak"] for run in found["podium"]), 1.3 * size + 0.5 * GB
    report.goal(f"{model}, podium, peak memory against 1.3 x weights + 0.5 GB", peak / GB, f"< {limit / GB:.3f}", "GB")


if __name__ == "__main__":
    main()
