"""What no decoding engine can beat here: the seconds that products with a model's weights take by themselves.

Each kernel of the layers, and the head, is multiplied once a token with the rows that are decoded together, and the
layers' once with every token of the prompts, without any padding. Attention, norms, sampling and text are left out.
Kernels are distinct arrays, so that what does not fit the processor's cache comes from memory, as it does for a model.
The fastest of JAX and PyTorch counts, and of each its fastest try.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np

TRIES = 12
PROMPT_ROWS = 512  # tokens of prompts that are multiplied at once: enough for the processor's full speed


def fastest_s(config: Mapping[str, Any], prompt_tokens: int, batch: int, batches: int, new: int, dtype: str) -> float:
    """Seconds for prompts of `prompt_tokens` in all and `new` tokens after each, in `batches` of `batch` rows.

    `config` is a model's config.json. The first new token of a row comes from its prompt.
    """
    layers = [shape for _ in range(config["num_hidden_layers"]) for shape in _layer(config)]
    head = (config["hidden_size"], config["vocab_size"])
    of_token = _seconds([*layers, head], batch, dtype)
    of_prompts = _seconds(layers, PROMPT_ROWS, dtype) / PROMPT_ROWS
    return batches * (new - 1) * of_token + prompt_tokens * of_prompts


def _layer(config: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(in, out) of each kernel."""
    hidden, mlp, head_dim = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * head_dim, config["num_key_value_heads"] * head_dim
    return [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden), *[(hidden, mlp)] * 2, (mlp, hidden)]


def _seconds(shapes: Sequence[tuple[int, int]], rows: int, dtype: str) -> float:
    chance = np.random.default_rng(0)
    kernels = [chance.standard_normal(shape, np.float32) for shape in shapes]
    inputs = [chance.standard_normal((rows, shape[0]), np.float32) for shape in shapes]
    ways = [_jax(inputs, kernels, dtype), *([_torch(inputs, kernels, dtype)] if find_spec("torch") else [])]
    return min(_fastest(way) for way in ways)


def _jax(inputs: Sequence[np.ndarray], kernels: Sequence[np.ndarray], dtype: str) -> Callable[[], Any]:
    arrays = jax.tree.map(lambda x: jax.numpy.asarray(x, dtype), (list(inputs), list(kernels)))
    multiply = jax.jit(lambda xs, ws: [x @ w for x, w in zip(xs, ws, strict=True)])
    return lambda: jax.block_until_ready(multiply(*arrays))


def _torch(inputs: Sequence[np.ndarray], kernels: Sequence[np.ndarray], dtype: str) -> Callable[[], Any]:
    import torch

    xs, ws = ([torch.from_numpy(x).to(getattr(torch, dtype)) for x in arrays] for arrays in (inputs, kernels))

    def multiply() -> Any:
        with torch.inference_mode():
            return [x @ w for x, w in zip(xs, ws, strict=True)]

    return multiply


def _fastest(way: Callable[[], Any]) -> float:
    def once() -> float:
        started_s = time.perf_counter()
        way()
        return time.perf_counter() - started_s

    return min([once() for _ in range(TRIES)][1:])
