"""Compares tokens/s of greedy decoding with google-tunix's Sampler and with transformers on PyTorch.

    bench/bin/python -m benchmarks.generate [--prompts 100] [--new 64] [--batches 8,50] [--rounds 3] [--dtype float32]

All engines read the same checkpoint, a Gemma 3 with random weights and without adapters. It has one of two shapes:
`tiny`, the shape of the built-in model (1M parameters; most time is spent outside the matrix products with weights),
and `small` (40M; the products dominate). The embeddings of EOS and padding are zero. The head is tied, so these two
tokens have a logit of 0, which is never the largest; so every answer has its full length. Prompts have 8 to 120
characters, one token per character. Each engine is timed from text to text. The peers get batches of as many prompts as
we have rows, padded on the left. Runs are interleaved, and a ratio is the median over the rounds. The report also
counts the prompts for which two engines wrote the same text; in float32 they should agree. A peer that is not installed
(benchmarks/requirements-bench.txt) is reported as such.

Each ratio is followed by its upper bound on this machine: the peer's time over the time of the products with the
weights alone (benchmarks/products.py).
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benchmarks.products import lower_bound_s
from benchmarks.report import Report, arguments
from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.files import read_json, write_json
from podium.core.records import Sample
from trainer.data.layouts import prompt_text
from trainer.data.tokenizer import Tokenizer, tokenizer_files
from trainer.model.base_model import read_architecture
from trainer.model.decoder import Decoder
from trainer.model.sources import TINY
from trainer.model.weights import save_weights

SMALL = {
    "vocab_size": 32768,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 128,
    "query_pre_attn_scalar": 128,
    "sliding_window": 512,
    "max_position_embeddings": 2048,
    "num_hidden_layers": 6,
    "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
}
# google-tunix makes every sixth layer global, so all four layers of `tiny` are sliding-window layers here.
TINY_SHAPE = {"layer_types": ["sliding_attention"] * 4}
SHAPES: dict[str, dict[str, Any]] = {"tiny": TINY_SHAPE, "small": SMALL}
LONGEST = 128  # the most tokens of a prompt, and what prompts are padded to at most
Engine = Callable[[Sequence[str]], list[str]]


def make_model(folder: Path, shape: str) -> None:
    """Write the checkpoint, with the tokenizer of the built-in model."""
    values = {**read_json(TINY / "config.json"), **SHAPES[shape]}
    folder.mkdir()
    write_json(folder / "config.json", values)
    for file in tokenizer_files(TINY):
        (folder / file.name).write_bytes(file.read_bytes())
    arch, tokenizer = read_architecture(folder), Tokenizer(folder)
    decoder = Decoder(arch, nnx.Rngs(0), jnp.float32)
    decoder.embedding[...] = decoder.embedding[...].at[np.array([tokenizer.eos_id, tokenizer.pad_id])].set(0.0)
    save_weights(folder, arch, nnx.state(decoder, nnx.Param))


def make_prompts(n: int) -> list[str]:
    chance = random.Random(0)
    return ["".join(chance.choices("0123456789+-*", k=chance.randint(8, LONGEST - 8))) for _ in range(n)]


def ours(model: Path, dtype: str, batch: int, new: int) -> Engine:
    """Decode as `podium predict` does, without adapters."""
    from trainer.programs.library import ProgramLibrary
    from trainer.run.training_run import TrainingRun

    config = RunConfig().with_overrides(
        {
            **{"model.source": str(model), "lora.enabled": False},
            **{"train.dtype": dtype, "generate.batch_size": batch, "data.max_seq_len": LONGEST},
            **{"generate.max_prompt_tokens": LONGEST, "generate.max_new_tokens": new},
        }
    )
    run = TrainingRun(config, model / "run", ProgramLibrary())

    def answer(prompts: Sequence[str]) -> list[str]:
        about = {"expected_answer": "0", "section": "core", "category": "bench", "difficulty": "easy"}
        samples = [Sample(id=str(i), prompt=prompt, **about) for i, prompt in enumerate(prompts)]
        found = run.predict(samples, Deadline.after(None))
        assert all(prediction.n_output_tokens == new for prediction in found)
        return [prediction.text for prediction in found]

    return answer


def tunix(model: Path, dtype: str, batch: int, new: int) -> Engine:
    from transformers import AutoTokenizer
    from tunix.generate.sampler import CacheConfig, Sampler
    from tunix.models.gemma3.model import ModelConfig
    from tunix.models.gemma3.params_safetensors import create_model_from_safe_tensors

    shape = read_json(model / "config.json")
    ropes = shape["rope_parameters"]
    config = ModelConfig(
        num_layers=shape["num_hidden_layers"],
        num_embed=shape["vocab_size"],
        embed_dim=shape["hidden_size"],
        hidden_dim=shape["intermediate_size"],
        num_heads=shape["num_attention_heads"],
        head_dim=shape["head_dim"],
        num_kv_heads=shape["num_key_value_heads"],
        sliding_window_size=shape["sliding_window"],
        local_base_frequency=int(ropes["sliding_attention"]["rope_theta"]),
        global_base_frequency=int(ropes["full_attention"]["rope_theta"]),
        param_dtype=jnp.dtype(dtype),
    )
    mesh = jax.make_mesh((1, 1), ("fsdp", "tp"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    loaded = create_model_from_safe_tensors(str(model), config, mesh, dtype=jnp.dtype(dtype))
    cache = CacheConfig(LONGEST + new, config.num_layers, config.num_kv_heads, config.head_dim)
    sampler = Sampler(loaded, AutoTokenizer.from_pretrained(model), cache)

    def answer(prompts: Sequence[str]) -> list[str]:
        texts: list[str] = []
        for start in range(0, len(prompts), batch):
            asked = [prompt_text(prompt) for prompt in prompts[start : start + batch]]
            found = sampler(asked, max_generation_steps=new, max_prompt_length=LONGEST)
            assert all(len(tokens) == new for tokens in found.tokens)
            texts += found.text
        return texts

    return answer


def pytorch(model: Path, dtype: str, batch: int, new: int) -> Engine:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()

    def answer(prompts: Sequence[str]) -> list[str]:
        texts: list[str] = []
        for start in range(0, len(prompts), batch):
            asked = [prompt_text(prompt) for prompt in prompts[start : start + batch]]
            inputs = tokenizer(asked, return_tensors="pt", padding=True, return_token_type_ids=False)
            with torch.inference_mode():
                rows = loaded.generate(**inputs, max_new_tokens=new, do_sample=False)
            written = rows[:, inputs["input_ids"].shape[1] :]
            assert written.shape[1] == new
            texts += tokenizer.batch_decode(written, skip_special_tokens=True)
        return texts

    return answer


def measure(engines: dict[str, Engine], prompts: Sequence[str], rounds: int) -> tuple[dict[str, list[float]], Any]:
    """Seconds per engine and round, after one round that compiles, and the texts that each engine wrote."""
    written = {name: engine(prompts) for name, engine in engines.items()}
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, engine in engines.items():
            started_s = time.perf_counter()
            engine(prompts)
            seconds[name].append(time.perf_counter() - started_s)
    return seconds, written


def compare(report: Report, shape: str, batch: int, options: Any) -> None:
    prompts, case = make_prompts(options.prompts), f"{shape}, batches of {batch}"
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as folder:
        model = Path(folder) / shape
        make_model(model, shape)
        engines = {"podium": ours(model, options.dtype, batch, options.new)}
        for name, (package, make, _) in PEERS.items():
            if find_spec(package):
                engines[name] = make(model, options.dtype, batch, options.new)
        seconds, written = measure(engines, prompts, options.rounds)
        batches, config = -(-len(prompts) // batch), read_json(model / "config.json")
        n_tokens = sum(len(prompt_text(prompt)) for prompt in prompts)  # one token per character
        floor_s = lower_bound_s(config, n_tokens, batch, batches, options.new, options.dtype)
    for name, found in seconds.items():
        speed = options.prompts * options.new / statistics.median(found)
        report.figure(f"{case}: {name}", speed, f"tokens/s, {options.dtype}")
    for name, (package, _, goal) in PEERS.items():
        if name not in engines:
            report.figure(f"{case}: {name}", f"not installed ({package})")
            report.goal(f"{case}: podium over {name}", None, goal, "times")
            continue
        same = sum(a == b for a, b in zip(written["podium"], written[name], strict=True))
        report.figure(f"{case}: {name} wrote the same text for", f"{same} of {options.prompts} prompts")
        ratios = [theirs / our for our, theirs in zip(seconds["podium"], seconds[name], strict=True)]
        report.goal(f"{case}: podium over {name}", statistics.median(ratios), goal, "times")
        most = statistics.median(seconds[name]) / floor_s
        report.figure(f"{case}: podium over {name}, upper bound from the products with weights", most, "times")


PEERS: dict[str, tuple[str, Callable[..., Engine], str]] = {
    "google-tunix": ("tunix", tunix, ">= 1.3"),
    "transformers": ("torch", pytorch, ">= 3"),
}


def main() -> None:
    options = arguments(__doc__, prompts=100, new=64, batches="8,50", rounds=3, dtype="float32")
    report = Report("generate")
    report.figure("prompts", f"{options.prompts} of 8 to {LONGEST - 8} tokens, {options.new} new ones each")
    for shape in SHAPES:
        for batch in map(int, options.batches.split(",")):
            compare(report, shape, batch, options)
    report.print(options.json)


if __name__ == "__main__":
    main()
