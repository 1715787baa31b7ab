"""The compiled functions that training calls: the initial state, the training step and the evaluation loss."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from flax import nnx

from podium.core.resolved import ResolvedConfig
from trainer.data.rows import FIELDS
from trainer.device.devices import compute_dtype
from trainer.device.sharding import batch_sharding, parameter_shapes, put, replicated, replicated_shapes, shardings
from trainer.memory.estimate import Memory, estimate, with_compiled
from trainer.model.base_model import BaseModel, build_decoder, init_state
from trainer.programs.compiler import Compile, Compiler, CompileRequest
from trainer.step.loss import chunk_tokens
from trainer.step.loss_scale import initial_scale
from trainer.step.optimizer import build_optimizer, hyperparameters
from trainer.step.train_step import make_summed_loss, make_train_step

Tree = Any
SCALAR = jax.ShapeDtypeStruct((), np.int32)


class TrainingProgram:
    """The training functions of one program key. trainer/step/train_step.py describes the step and the loss.

    `trainable`, `frozen_shapes` and `opt_state` are trees of `jax.ShapeDtypeStruct` with shardings.
    """

    def __init__(self, config: ResolvedConfig, base: BaseModel, compile_: Compile) -> None:
        self.config, self.base, self.mesh = config, base, base.mesh
        self.compiler = Compiler(config.program_key, compile_)
        self.graphdef, self.dtype = build_decoder(base, config), compute_dtype(config.train.dtype)
        self.chunk = chunk_tokens(base.arch.vocab_size, self.mesh.devices.flat[0].device_kind)
        self.hyperparameters = replicated_shapes(self.mesh, hyperparameters(config))
        # Adapters on a model without weight files: the seed also makes the frozen base. Otherwise the frozen base is
        # loaded, and full fine-tuning has none.
        self._seed_makes_base = base.params is None and config.lora.enabled
        self._loaded_base = base.params if config.lora.enabled else nnx.State({})
        shapes = jax.eval_shape(self._initial_state, base.params, SCALAR)
        self.trainable, frozen, self.opt_state = parameter_shapes(self.mesh, shapes)
        self.frozen_shapes = frozen if self._seed_makes_base else self._loaded_base

    def init(self, seed: int) -> tuple[Tree, Tree, Tree]:
        """The initial (trainable, frozen, opt_state) of a run with this seed."""
        trainable, frozen, opt_state = self.initial(self.base.params, np.int32(seed))
        return trainable, frozen if self._seed_makes_base else self._loaded_base, opt_state

    @property
    def initial(self) -> Callable[..., Any]:
        """The function that `init` calls."""
        return self.compiler.once("init", "seed", self._init_request)

    def untrained(self, seed: int) -> tuple[Tree, Tree]:
        """The (trainable, frozen) parameters of `init`, to be read only: in full fine-tuning the base, not a copy."""
        if self.base.params is not None and not self.config.lora.enabled:
            return self.base.params, nnx.State({})
        return self.init(seed)[:2]

    def frozen(self, seed: int) -> Tree:
        """The frozen parameters that `init` returns. Runs `init` only if the seed makes them."""
        return self.init(seed)[1] if self._seed_makes_base else self._loaded_base

    @property
    def step(self) -> Callable[..., Any]:
        """The training step for batches of data.max_seq_len tokens."""
        return self.step_of(self.config.data.max_seq_len)

    def step_of(self, length: int) -> Callable[..., Any]:
        """The training step for batches of `length` tokens: a length bucket, or data.max_seq_len."""
        shape = self._batch_shape(length)
        return self.compiler.once("train", shape, lambda: self._step_request(shape))

    @property
    def loss(self) -> Callable[..., Any]:
        """The loss of train.batch_size rows of data.max_seq_len tokens."""
        shape = (self.config.train.batch_size, self.config.data.max_seq_len)
        return self.compiler.once("loss", shape, lambda: self._loss_request(shape))

    def place(self, tree: Tree) -> Tree:
        """Copy arrays, such as hyperparameters, to every device."""
        return put(tree, replicated(self.mesh))

    def place_batch(self, batch: Mapping[str, np.ndarray]) -> Tree:
        """Divide the rows of a batch for `step_of` over the devices. Each field: (accumulation, batch, seq)."""
        return put(dict(batch), batch_sharding(self.mesh, self.config.train.batch_size, axis=1))

    def memory_of(self, length: int) -> Memory:
        """The device memory that `step_of(length)` needs: an estimate, or the compiler's figures if it is compiled."""
        trees = self.trainable, self.frozen_shapes, self.opt_state
        memory = estimate(self.config, self.base.arch, self.dtype, self.chunk, length, *trees, n_devices=self.mesh.size)
        compiled = self.compiler.find("train", self._batch_shape(length))
        return with_compiled(memory, compiled) if compiled else memory

    def _batch_shape(self, length: int) -> tuple[int, int, int]:
        return self.config.train.gradient_accumulation_steps, self.config.train.batch_size, length

    def _initial_state(self, params: Tree, seed: jax.Array) -> tuple[Tree, Tree, Tree]:
        trainable, frozen = init_state(replace(self.base, params=params), self.config, seed)
        hp = hyperparameters(self.config)
        optimizer = build_optimizer(
            self.config.train.optimizer, hp, hp["train.learning_rate"], self.config.lora.enabled
        )
        opt_state = optimizer.init(trainable), initial_scale(self.dtype)
        # A loaded base is not an output, because an output would be a copy of it.
        return trainable, frozen if self._seed_makes_base else None, opt_state

    def _init_request(self) -> CompileRequest:
        frozen = self.frozen_shapes if self._seed_makes_base else None
        return CompileRequest(
            self._initial_state,
            arguments=(self.base.params, replicated_shapes(self.mesh, SCALAR)),
            out_shardings=shardings((self.trainable, frozen, self.opt_state)),
            mesh=self.mesh,
        )

    def _step_request(self, shape: tuple[int, int, int]) -> CompileRequest:
        rows = batch_sharding(self.mesh, shape[1], axis=1)
        batch = {field: jax.ShapeDtypeStruct(shape, dtype, sharding=rows) for field, dtype in FIELDS.items()}
        step = replicated_shapes(self.mesh, SCALAR)
        return CompileRequest(
            make_train_step(self.graphdef, self.base.arch, self.config, self.dtype, self.chunk),
            arguments=(self.trainable, self.opt_state, self.frozen_shapes, batch, self.hyperparameters, step),
            out_shardings=(*shardings((self.trainable, self.opt_state)), replicated(self.mesh)),
            mesh=self.mesh,
            donate=(0, 1),
        )

    def _loss_request(self, shape: tuple[int, int]) -> CompileRequest:
        rows = {field: jax.ShapeDtypeStruct(shape, dtype) for field, dtype in FIELDS.items()}
        return CompileRequest(
            make_summed_loss(self.graphdef, self.base.arch, self.config, self.dtype, self.chunk),
            arguments=(self.trainable, self.frozen_shapes, replicated_shapes(self.mesh, rows), self.hyperparameters),
            out_shardings=replicated(self.mesh),
            mesh=self.mesh,
        )
