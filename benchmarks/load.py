"""Compares time and peak host memory of loading a checkpoint with Podium and with transformers on PyTorch (Linux, CPU).

    bench/bin/python -m benchmarks.load [--layers 6] [--rounds 3] [--quick] [--json]

The benchmark writes the checkpoint: a Llama with random bfloat16 weights in several safetensors files (0.75 GB, less
with `--quick`). Each load runs in its own process. The time is that of the load without the imports; the peak is the
largest resident set of the whole process. Podium and transformers take turns, and all files are in the page cache, so
the disk does not matter. Goal: our peak is under 1.3 times the weights plus 0.5 GB.
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
SIZES = {
    **{"model_type": "llama", "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 5632, "head_dim": 64},
    **{"num_attention_heads": 32, "num_key_value_heads": 32, "tie_word_embeddings": True},
}
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
save_weights(folder, arch, nnx.state(Decoder(arch, nnx.Rngs(0), jnp.bfloat16), nnx.Param), max_shard_bytes=2 * 10**8)
"""
# Each sets `seconds`, `cpu_s` and `size`, the bytes of all loaded weights.
LOADS = {
    "podium": """
sys.modules["torch"] = None  # Podium's environment has no PyTorch; transformers would import it
import jax
from transformers import AutoConfig
from podium.core.config import RunConfig
from trainer.model.base_model import load_base
jax.devices()
config = RunConfig().with_overrides({"model.source": sys.argv[1], "train.dtype": "bfloat16", "lora.enabled": True})
started_s, started_cpu_s = time.perf_counter(), time.process_time()
params = jax.block_until_ready(load_base(config).params)
seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
size = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
""",
    "transformers": """
import torch
from transformers import AutoTokenizer, LlamaForCausalLM
started_s, started_cpu_s = time.perf_counter(), time.process_time()
model = LlamaForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
for weight in model.parameters():  # a page of a mapped file is only loaded when it is read
    weight.view(torch.int16).view(-1)[::2048].sum().item()
seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
size = sum(weight.nbytes for weight in model.parameters())
""",
}
MEASURED = """
import json, re, sys, time
from pathlib import Path
{load}
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps({{"seconds": seconds, "cpu_s": cpu_s, "bytes": size, "peak": peak}}))
"""


def child(code: str, folder: Path) -> str:
    """Run `code` in a new process; returns the last line that it prints."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "TRANSFORMERS_VERBOSITY": "error", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, check=True, env=environment
    )
    return (done.stdout.decode().splitlines() or [""])[-1]


def main() -> None:
    options = arguments(__doc__, layers=6, rounds=3, quick=False)
    report = Report("load")
    layers, rounds = (2, 1) if options.quick else (options.layers, options.rounds)
    names = [name for name in LOADS if name == "podium" or find_spec("torch")]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as folder:
        (Path(folder) / "config.json").write_text(json.dumps({**SIZES, "num_hidden_layers": layers}))
        child(WRITE, Path(folder))
        for _ in range(rounds):
            for name in names:
                found[name].append(json.loads(child(MEASURED.format(load=LOADS[name]), Path(folder))))
    size = found["podium"][0]["bytes"]
    report.figure("weights", size / GB, "GB, bfloat16")
    for name in names:
        report.figure(f"{name}, load", statistics.median(run["seconds"] for run in found[name]), "s")
        report.figure(f"{name}, load", statistics.median(run["cpu_s"] for run in found[name]), "CPU s")
        report.figure(f"{name}, peak memory", max(run["peak"] for run in found[name]) / GB, "GB")
    if "transformers" in found:
        assert found["transformers"][0]["bytes"] == size
        pairs = zip(found["podium"], found["transformers"], strict=True)
        report.figure(
            "podium over transformers, seconds", statistics.median(a["seconds"] / b["seconds"] for a, b in pairs)
        )
    else:
        report.figure("transformers", "PyTorch is not installed (benchmarks/requirements-bench.txt)")
    peak, limit = max(run["peak"] for run in found["podium"]), 1.3 * size + 0.5 * GB
    report.goal("podium, peak memory against 1.3 x weights + 0.5 GB", peak / GB, f"< {limit / GB:.3f}", "GB")
    report.print(options.json)


if __name__ == "__main__":
    main()
