"""A lower bound on decoding time on this machine: the time of the matrix products with a model's weights alone.

Per new token, the rows that are decoded together are multiplied with each kernel of the layers and with the head. All
prompt tokens are multiplied with the layers' kernels once, without padding. Attention, norms, sampling and text
processing are left out. The kernels are distinct arrays, so those that do not fit the processor's cache come from
memory, as in a model. The result is the fastest try of JAX or of PyTorch, whichever is faster.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np

TRIES = 12
PROMPT_ROWS = 512  # prompt tokens that are multiplied at once: enough for the processor's full speed


def lower_bound_s(
    config: Mapping[str, Any], prompt_tokens: int, batch: int, batches: int, new: int, dtype: str
) -> float:
    """Seconds to decode `new` tokens after each prompt, in `batches` batches of `batch` rows.

    `prompt_tokens` is the total over all prompts; `config` is a model's config.json. The first new token of a row comes
    from the products of its prompt.
    """
    layers = [shape for _ in range(config["num_hidden_layers"]) for shape in _layer(config)]
    head = (config["hidden_size"], config["vocab_size"])
    of_token = _seconds([*layers, head], batch, dtype)
    of_prompts = _seconds(layers, PROMPT_ROWS, dtype) / PROMPT_ROWS
    return batches * (new - 1) * of_token + prompt_tokens * of_prompts


def _layer(config: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The shape (in, out) of each kernel of a layer."""
    hidden, mlp, head_dim = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * head_dim, config["num_key_value_heads"] * head_dim
    return [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden), *[(hidden, mlp)] * 2, (mlp, hidden)]


def _seconds(shapes: Sequence[tuple[int, int]], rows: int, dtype: str) -> float:
    chance = np.random.default_rng(0)
    kernels = [chance.standard_normal(shape, np.float32) for shape in shapes]
    inputs = [chance.standard_normal((rows, shape[0]), np.float32) for shape in shapes]
    products = [_jax(inputs, kernels, dtype), *([_torch(inputs, kernels, dtype)] if find_spec("torch") else [])]
    return min(_fastest_try_s(product) for product in products)


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


def _fastest_try_s(product: Callable[[], Any]) -> float:
    def once() -> float:
        started_s = time.perf_counter()
        product()
        return time.perf_counter() - started_s

    return min([once() for _ in range(TRIES)][1:])
