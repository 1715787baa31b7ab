"""The training step as a pure function, compiled once for all runs that share a program key.

Parameters and optimizer state are plain pytrees: Flax modules are split before the step and merged inside it. Every
hyperparameter that changes no shape is an input array.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from podium.core.resolved import ResolvedConfig
from trainer.model.architecture import Architecture
from trainer.model.lora import Dropout
from trainer.step.loss import chunked_cross_entropy
from trainer.step.loss_scale import SMALLEST
from trainer.step.optimizer import build_optimizer
from trainer.step.schedule import Hyperparameters, learning_rate

Tree = Any
Batch = dict[str, jax.Array]  # trainer.data.rows.FIELDS, each (accumulation, batch, seq)


def make_train_step(
    graphdef: nnx.GraphDef, arch: Architecture, config: ResolvedConfig, dtype: Any, chunk: int
) -> Callable[..., Any]:
    """`step(trainable, opt_state, frozen, batch, hp, step) -> (trainable, opt_state, metrics)`, to be compiled.

    Reads only the program-key fields of `config`. `chunk`: tokens per device whose logits exist at once. The loss is
    the mean over all learned tokens of the accumulated batch, so 4 x 2 examples weigh the same as 1 x 8. Metrics are
    scalars: loss and grad_norm before the update, learning_rate, n_tokens (without padding), `finite` and `overflow`.
    If `finite` is False or `overflow` is True, the update was not applied, so a NaN never enters the parameters. Only
    float16 gradients overflow, until the loss scale in `opt_state` has been halved often enough.
    """

    summed_loss = make_summed_loss(graphdef, arch, config, dtype, chunk)

    def micro_loss(
        trainable: Tree, frozen: Tree, micro: Batch, hp: Hyperparameters, key: jax.Array, factor: jax.Array | float
    ) -> jax.Array:
        dropout = Dropout(hp["lora.dropout"], key) if config.has_dropout else None
        # Scaling the weights scales the loss: chunked_cross_entropy computes the gradients together with the loss.
        scaled = {**micro, "weights": micro["weights"] * factor}
        return summed_loss(trainable, frozen, scaled, hp, dropout, hp["train.label_smoothing"])[0]

    def loss_and_gradients(
        trainable: Tree, frozen: Tree, batch: Batch, hp: Hyperparameters, key: jax.Array, factor: jax.Array | float
    ) -> tuple[jax.Array, Tree]:
        def accumulate(sums: Tree, inputs: tuple[Batch, jax.Array]) -> tuple[Tree, None]:
            new = jax.value_and_grad(micro_loss)(trainable, frozen, inputs[0], hp, inputs[1], factor)
            return jax.tree.map(jnp.add, sums, new), None

        zeros = (jnp.zeros((), jnp.float32), jax.tree.map(jnp.zeros_like, trainable))
        keys = jax.random.split(key, len(batch["tokens"]))
        sums, _ = jax.lax.scan(accumulate, zeros, (batch, keys))
        n_learned = jnp.maximum(batch["weights"].sum(), 1.0)
        return jax.tree.map(lambda x: x / (n_learned * factor), sums)

    def train_step(
        trainable: Tree, opt_state: Tree, frozen: Tree, batch: Batch, hp: Hyperparameters, step: jax.Array
    ) -> tuple[Tree, Tree, dict[str, jax.Array]]:
        key = jax.random.fold_in(jax.random.key(hp["train.seed"]), step)
        optimizer_state, scale = opt_state
        loss, gradients = loss_and_gradients(trainable, frozen, batch, hp, key, 1.0 if scale is None else scale.factor)
        rate = learning_rate(hp, step)
        optimizer = build_optimizer(config.train.optimizer, hp, rate, config.lora.enabled)
        updates, updated_state = optimizer.update(gradients, optimizer_state, trainable)
        grad_norm = optax.tree.norm(gradients)
        finite = jnp.isfinite(loss) & jnp.isfinite(grad_norm) & jnp.isfinite(optax.tree.norm(updates))
        new = (optax.apply_updates(trainable, updates), updated_state)
        trainable, optimizer_state = jax.tree.map(
            lambda a, b: jnp.where(finite, a, b), new, (trainable, optimizer_state)
        )
        overflow = jnp.zeros((), bool)
        if scale is not None:
            overflow = jnp.isfinite(loss) & ~jnp.isfinite(grad_norm) & (scale.factor > SMALLEST)
            scale = scale.after(finite)
        metrics = {
            "loss": loss,
            "grad_norm": grad_norm,
            "learning_rate": rate,
            "n_tokens": (batch["segment_ids"] > 0).sum(),
            "finite": finite | overflow,
            "overflow": overflow,
        }
        return trainable, (optimizer_state, scale), metrics

    return train_step


def make_summed_loss(
    graphdef: nnx.GraphDef, arch: Architecture, config: ResolvedConfig, dtype: Any, chunk: int
) -> Callable[..., Any]:
    """`loss(trainable, frozen, rows, hp, dropout=None, label_smoothing=0.0) -> (summed loss, learned tokens)`.

    Each field of `rows` is (batch, seq). `chunk`: tokens per device whose logits exist at once.
    """

    def summed_loss(
        trainable: Tree,
        frozen: Tree,
        rows: Batch,
        hp: Hyperparameters,
        dropout: Dropout | None = None,
        label_smoothing: jax.Array | float = 0.0,
    ) -> tuple[jax.Array, jax.Array]:
        decoder = nnx.merge(graphdef, trainable, frozen)
        hidden, _ = decoder(  # (batch, seq, hidden)
            rows["tokens"],
            rows["positions"],
            rows["segment_ids"],
            dtype=dtype,
            remat=config.train.remat,
            lora_alpha=hp["lora.alpha"],
            lora_dropout=dropout,
        )
        return chunked_cross_entropy(
            hidden,
            decoder.head(),
            rows["targets"],
            rows["weights"],
            softcap=arch.final_softcap,
            label_smoothing=label_smoothing,
            chunk=chunk,
        )

    return summed_loss
