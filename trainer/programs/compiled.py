"""The compiled functions of one program key, and the shapes of what they work on."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from podium.core.config import RunConfig
from trainer.data.rows import FIELDS
from trainer.decoding.generate import Device, n_admitted
from trainer.decoding.slots import Copies, Decoding, Slots
from trainer.device.devices import compute_dtype
from trainer.device.memory import tree_bytes
from trainer.device.sharding import on_every, parameters_on, put, rows_on, shardings
from trainer.memory.decoding import DecodingMemory
from trainer.memory.estimate import Memory, estimate, of_compiled
from trainer.model.base_model import BaseModel, build_decoder, init_state
from trainer.step.loss_scale import initial_scale
from trainer.step.optimizer import build_optimizer, hyperparameters
from trainer.step.train_step import make_summed_loss, make_train_step

Tree = Any
CompileKey = tuple[str, str, str]  # program key, function, shapes


@dataclass(frozen=True)
class Wanted:
    """What to compile: a function, the shapes and places of its arguments, where results go, which arguments end."""

    function: Callable[..., Any]
    shapes: Tree
    places: Tree
    mesh: Mesh
    donate: tuple[int, ...] = ()

    def lower(self) -> jax.stages.Lowered:
        with jax.set_mesh(self.mesh):
            jitted = jax.jit(self.function, out_shardings=self.places, donate_argnums=self.donate)
            return jitted.lower(*self.shapes)


class Program:
    """The compiled functions of one program key, and the shapes of what they work on.

    trainer/step/train_step.py describes `step`; trainer/decoding/slots.py describes `empty`, `admit_of`, `copies` and
    `decode`.
    """

    def __init__(self, config: RunConfig, base: BaseModel, compile_: Callable[..., Any]) -> None:
        self._config, self._base, self._compile = config, base, compile_
        self._key = config.program_key
        self._graphdef, self._dtype = build_decoder(base, config), compute_dtype(config.train.dtype)
        self._lock = threading.RLock()
        self._compiled: dict[CompileKey, Any] = {}
        # Only adapters on a model without weights have a base that the seed makes; elsewhere it is loaded, or nothing.
        self._seed_makes_base = base.params is None and config.lora.enabled
        self._mesh, self._everywhere = base.mesh, on_every(base.mesh)
        self._makes_copies = base.mesh.devices.flat[0].platform == "cpu"
        shapes = jax.eval_shape(self._init, base.params, np.int32(0))
        self.trainable, frozen, self.opt_state = parameters_on(base.mesh, shapes)
        self._frozen = frozen if self._seed_makes_base else self._shared

    def init(self, seed: int) -> tuple[Tree, Tree, Tree]:
        """(trainable, frozen, opt_state) where a run with this seed starts."""
        run = self._once("init", "seed", self._wanted_init)
        trainable, frozen, opt_state = run(self._base.params, np.int32(seed))
        return trainable, frozen if self._seed_makes_base else self._shared, opt_state

    def place(self, tree: Tree) -> Tree:
        """Arrays that every device needs all of, such as hyperparameters."""
        return put(tree, self._everywhere)

    def place_batch(self, batch: Mapping[str, np.ndarray]) -> Tree:
        """For `step_of`: (accumulation, batch, seq), the rows divided over the devices."""
        return put(dict(batch), rows_on(self._mesh, self._config.train.batch_size, axis=1))

    def frozen(self, seed: int) -> Tree:
        """What `init` gives as frozen, without making the rest where that can be helped."""
        return self.init(seed)[1] if self._seed_makes_base else self._shared

    @property
    def step(self) -> Callable[..., Any]:
        return self.step_of(self._config.data.max_seq_len)

    def step_of(self, length: int) -> Callable[..., Any]:
        """The step for batches of `length` tokens: a length bucket's, or data.max_seq_len."""
        shape = self._step_shape(length)
        return self._once("train", _by(shape), lambda: self._wanted_step(shape))

    @property
    def loss(self) -> Callable[..., Any]:
        """The loss of train.batch_size rows of data.max_seq_len tokens, as `make_summed_loss` describes it."""
        shape = (self._config.train.batch_size, self._config.data.max_seq_len)
        return self._once("loss", _by(shape), lambda: self._wanted_loss(shape))

    def memory_of(self, length: int) -> Memory:
        """What `step_of(length)` needs: estimated, and once it is compiled as the compiler says."""
        trees = self.trainable, self._frozen, self.opt_state
        memory = estimate(self._config, self._base.arch, self._dtype, length, *trees, n_devices=self._mesh.size)
        compiled = self._compiled.get((self._key, "train", _by(self._step_shape(length))))
        return of_compiled(memory, compiled) if compiled else memory

    @cached_property
    def decoding_memory(self) -> DecodingMemory:
        """What `decode` works on."""
        logits = self._config.generate.batch_size * self._base.arch.vocab_size * 4
        weights = self.trainable, self._frozen
        return DecodingMemory(tree_bytes(weights), tree_bytes(self._copies), tree_bytes(self._slots), logits)

    def _step_shape(self, length: int) -> tuple[int, int, int]:
        return (self._config.train.gradient_accumulation_steps, self._config.train.batch_size, length)

    @property
    def empty(self) -> Callable[..., Any]:
        return self._once("empty", _by((self._config.generate.batch_size,)), self._wanted_empty)

    def admit_of(self, length: int) -> Callable[..., Any]:
        """For prompts of one bucket's `length`."""
        shape = (n_admitted(self._config.generate.batch_size), length)
        return self._once("admit", _by(shape), lambda: self._wanted_admit(shape))

    def copies(self, trainable: Tree, frozen: Tree) -> Copies | None:
        """What `decode` reads; None on an accelerator, where memory is short: it reads the weights where they lie."""
        if not self._makes_copies:
            return None
        copies: Copies = self._once("copies", "all", self._wanted_copies)(trainable, frozen)
        return copies

    @property
    def decode(self) -> Callable[..., Any]:
        shape = (self._config.generate.batch_size, self._config.generate.max_new_tokens)
        return self._once("decode", _by(shape), self._wanted_decode)

    def device(self, trainable: Tree, frozen: Tree, hp: Tree) -> Device:
        """The functions above for `generate`, with parameters and hyperparameters filled in."""
        decode = self.decode  # compiled before an answer's time begins
        copies = self.copies(trainable, frozen)

        def admit(slots: Slots, tokens: np.ndarray, *others: np.ndarray) -> Slots:
            return self.admit_of(tokens.shape[1])(trainable, frozen, hp, slots, tokens, *others)

        return Device(
            empty=lambda: self.empty(trainable, frozen),
            admit=admit,
            decode=lambda slots, *others: decode(trainable, frozen, copies, hp, slots, *others),
        )

    def _once(self, name: str, shapes: str, wanted: Callable[[], Wanted]) -> Any:
        with self._lock:
            key = (self._key, name, shapes)
            if key not in self._compiled:
                self._compiled[key] = self._compile(key, wanted())
            return self._compiled[key]

    @property
    def _shared(self) -> nnx.State:
        """The frozen weights of loaded models: the base itself under LoRA, else nothing."""
        return self._base.params if self._config.lora.enabled else nnx.State({})

    @cached_property
    def _decoding(self) -> Decoding:
        return Decoding(self._graphdef, self._base.arch, self._config, self._dtype, self._base.tokenizer.eos_id)

    def _init(self, params: Tree, seed: jax.Array) -> tuple[Tree, Tree, Tree]:
        trainable, frozen = init_state(replace(self._base, params=params), self._config, seed)
        hp = hyperparameters(self._config)
        optimizer = build_optimizer(
            self._config.train.optimizer, hp, hp["train.learning_rate"], self._config.lora.enabled
        )
        opt_state = optimizer.init(trainable), initial_scale(self._dtype)
        # What is shared is no output: it would become a copy.
        return trainable, frozen if self._seed_makes_base else None, opt_state

    def _wanted_init(self) -> Wanted:
        frozen = self._frozen if self._seed_makes_base else None
        places = shardings((self.trainable, frozen, self.opt_state))
        return Wanted(self._init, (self._base.params, self._shaped(())), places, self._mesh)

    def _wanted_step(self, shape: tuple[int, ...]) -> Wanted:
        rows = rows_on(self._mesh, shape[1], axis=1)
        batch = {field: jax.ShapeDtypeStruct(shape, dtype, sharding=rows) for field, dtype in FIELDS.items()}
        function = make_train_step(self._graphdef, self._base.arch, self._config, self._dtype)
        shapes = (self.trainable, self.opt_state, self._frozen, batch, self._hp, self._shaped(()))
        places = (*shardings((self.trainable, self.opt_state)), self._everywhere)
        return Wanted(function, shapes, places, self._mesh, donate=(0, 1))

    def _wanted_loss(self, shape: tuple[int, ...]) -> Wanted:
        rows = {field: self._shaped(shape, dtype) for field, dtype in FIELDS.items()}
        function = make_summed_loss(self._graphdef, self._base.arch, self._config, self._dtype)
        return Wanted(function, (self.trainable, self._frozen, rows, self._hp), self._everywhere, self._mesh)

    def _wanted_empty(self) -> Wanted:
        return Wanted(self._decoding.empty, (self.trainable, self._frozen), shardings(self._slots), self._mesh)

    def _wanted_admit(self, shape: tuple[int, int]) -> Wanted:
        prompts, keys, rows = self._shaped(shape), self._shaped((shape[0], 2), np.uint32), self._shaped(shape[:1])
        inputs = (*self._decoder_inputs, prompts, prompts, keys, rows)
        return Wanted(self._decoding.admit, inputs, shardings(self._slots), self._mesh, donate=(3,))

    def _wanted_copies(self) -> Wanted:
        return Wanted(self._decoding.copies, (self.trainable, self._frozen), shardings(self._copies), self._mesh)

    def _wanted_decode(self) -> Wanted:
        weights, others = self._decoder_inputs[:2], self._decoder_inputs[2:]
        idle = self._shaped((self._config.generate.batch_size,), bool)
        inputs = (*weights, self._copies, *others, idle, self._shaped(()), self._shaped(()))
        return Wanted(self._decoding.decode, inputs, shardings(self._slots), self._mesh, donate=(4,))

    @property
    def _decoder_inputs(self) -> tuple[Tree, ...]:
        return self.trainable, self._frozen, self._hp, self._slots

    @cached_property
    def _hp(self) -> Tree:
        return jax.tree.map(lambda x: self._shaped(x.shape, x.dtype), hyperparameters(self._config))

    @cached_property
    def _copies(self) -> Tree:
        """As shapes."""
        if not self._makes_copies:
            return None
        return parameters_on(self._mesh, jax.eval_shape(self._decoding.copies, self.trainable, self._frozen))

    @cached_property
    def _slots(self) -> Slots:
        """As shapes. Keys and values, which are large, are divided by rows; every device knows the rest."""
        rows = rows_on(self._mesh, self._config.generate.batch_size)
        slots = jax.eval_shape(self._decoding.empty, self.trainable, self._frozen)
        slots = jax.tree.map(lambda x: self._shaped(x.shape, x.dtype), slots)
        key, value = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=rows), (slots.cache.key, slots.cache.value)
        )
        return replace(slots, cache=replace(slots.cache, key=key, value=value))

    def _shaped(self, shape: tuple[int, ...], dtype: Any = np.int32) -> jax.ShapeDtypeStruct:
        """An input that every device has all of."""
        return jax.ShapeDtypeStruct(shape, dtype, sharding=self._everywhere)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
