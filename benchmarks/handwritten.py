"""A hand-written LoRA training step for Gemma 3 in JAX and optax, the baseline of `benchmarks.train_step`.

It has no module library, padding, packing or options: one jitted step loops over the layers and computes all logits.
The comparison shows the cost of a general trainer.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from trainer.model.architecture import Architecture

Tree = Any


def make_step(arch: Architecture, optimizer: optax.GradientTransformation, scale: float) -> Callable[..., Any]:
    """The jitted `step(adapters, opt_state, base, tokens) -> (adapters, opt_state, loss)`; tokens are (batch, seq)."""

    def loss_of(adapters: Tree, base: Tree, tokens: jax.Array) -> jax.Array:
        logits = forward(arch, base, adapters, scale, tokens)[:, :-1].astype(jnp.float32)
        return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:]).mean()

    def step(adapters: Tree, opt_state: Tree, base: Tree, tokens: jax.Array) -> tuple[Tree, Tree, jax.Array]:
        loss, gradients = jax.value_and_grad(loss_of)(adapters, base, tokens)
        updates, opt_state = optimizer.update(gradients, opt_state, adapters)
        return optax.apply_updates(adapters, updates), opt_state, loss

    return jax.jit(step, donate_argnums=(0, 1))


def forward(arch: Architecture, base: Tree, adapters: Tree, scale: float, tokens: jax.Array) -> jax.Array:
    """The logits, (batch, seq, vocab)."""
    x = base["embedding"][tokens] * arch.embedding_scale
    positions = jnp.arange(tokens.shape[1])
    back = positions[:, None] - positions[None, :]
    for window, rope, layer, lora in zip(arch.windows, arch.ropes, base["layers"], adapters, strict=True):

        def project(x: jax.Array, name: str, layer: Tree = layer, lora: Tree = lora) -> jax.Array:
            a, b = lora[name]
            return x @ layer[name].T + (x @ a.T * scale) @ b.T

        seen = (back >= 0) & (back < window) if window else back >= 0
        y = attention(arch, project, layer, rms_norm(x, layer["attention_norm"]), seen, angles(rope, arch, positions))
        x = x + rms_norm(project(y, "o"), layer["post_attention_norm"])
        y = rms_norm(x, layer["mlp_norm"])
        y = project(jax.nn.gelu(project(y, "gate")) * project(y, "up"), "down")
        x = x + rms_norm(y, layer["post_mlp_norm"])
    return rms_norm(x, base["final_norm"]) @ base["embedding"].T


def attention(
    arch: Architecture, project: Callable[..., Any], layer: Tree, x: jax.Array, seen: jax.Array, angle: jax.Array
) -> jax.Array:
    """x: (batch, seq, hidden); seen: (seq, seq); angle: (seq, head_dim / 2). Returns (batch, seq, heads * head_dim)."""
    shape = (*x.shape[:2], -1, arch.head_dim)
    q = rotate(rms_norm(project(x, "q").reshape(shape), layer["q_norm"]), angle)
    k = rotate(rms_norm(project(x, "k").reshape(shape), layer["k_norm"]), angle)
    v = project(x, "v").reshape(shape)
    q = q.reshape(*x.shape[:2], arch.kv_heads, -1, arch.head_dim) * arch.attention_scale
    scores = jnp.where(seen, jnp.einsum("bqngd,bknd->bngqk", q, k), -1e30)
    return jnp.einsum("bngqk,bknd->bqngd", jax.nn.softmax(scores), v).reshape(*x.shape[:2], -1)


def rms_norm(x: jax.Array, weight: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6) * (1 + weight)


def angles(rope: Any, arch: Architecture, positions: jax.Array) -> jax.Array:
    return positions[:, None] * jnp.asarray(rope.inverse_frequencies(arch.head_dim))


def rotate(x: jax.Array, angle: jax.Array) -> jax.Array:
    cos, sin = jnp.cos(angle)[:, None], jnp.sin(angle)[:, None]
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate((first * cos - second * sin, second * cos + first * sin), axis=-1)


def unstacked(params: Any, n_layers: int) -> Tree:
    """A decoder's state as plain dictionaries: {embedding, final_norm, layers: [{q: kernel, ..., q_norm: weight}]}."""
    values = params.to_pure_dict()
    leaves = {name: next(iter(module.values())) for name, module in values["layers"].items()}
    layers = [{name: stack[number] for name, stack in leaves.items()} for number in range(n_layers)]
    return {"embedding": values["embedding"], "final_norm": values["final_norm"]["weight"], "layers": layers}


def new_adapters(base: Tree, rank: int, key: jax.Array) -> Tree:
    """New adapters, [{q: (a, b), ...}]: a (rank, in) is random and b (out, rank) is zero."""
    return [
        {
            name: (jax.random.normal(key, (rank, kernel.shape[1])) / rank**0.5, jnp.zeros((kernel.shape[0], rank)))
            for name, kernel in layer.items()
            if kernel.ndim == 2
        }
        for layer in base["layers"]
    ]
