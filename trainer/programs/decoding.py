"""The compiled functions that decoding calls. trainer/decoding/slots.py describes each of them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from trainer.decoding.generate import DecodingFunctions, n_admitted
from trainer.decoding.slots import Copies, Decoding, Slots
from trainer.device.memory import tree_bytes
from trainer.device.sharding import batch_sharding, parameter_shapes, replicated_shapes, shardings
from trainer.memory.decoding import DecodingMemory
from trainer.memory.estimate import layer_bytes
from trainer.programs.compiler import CompileRequest
from trainer.programs.training import SCALAR, TrainingProgram

Tree = Any


class DecodingProgram:
    """The decoding functions of one program key, for the parameters of its training program."""

    def __init__(self, training: TrainingProgram) -> None:
        self._arch, self._generate, self._mesh = training.base.arch, training.config.generate, training.mesh
        self._compiler, self._hyperparameters = training.compiler, training.hyperparameters
        self._weights = training.trainable, training.frozen_shapes
        self._end_ids, self._dtype = training.base.end_ids, training.dtype
        self._decoding = Decoding(training.graphdef, self._arch, training.config, training.dtype, self._end_ids)
        self.makes_copies = self._mesh.devices.flat[0].platform == "cpu"

    @property
    def empty(self) -> Callable[..., Any]:
        return self._compiler.once("empty", (self._generate.batch_size,), self._empty_request)

    def admit_of(self, length: int) -> Callable[..., Any]:
        """`admit` for prompts padded to the bucket `length`."""
        shape = (n_admitted(self._generate.batch_size), length)
        return self._compiler.once("admit", shape, lambda: self._admit_request(shape))

    @property
    def decode(self) -> Callable[..., Any]:
        shape = (self._generate.batch_size, self._generate.max_new_tokens)
        return self._compiler.once("decode", shape, self._decode_request)

    def copies(self, trainable: Tree, frozen: Tree) -> Copies | None:
        """Copies of the weights in the layout that `decode` reads fastest on a CPU. None on an accelerator: its memory
        is too small for copies, so `decode` reads the weights themselves."""
        if not self.makes_copies:
            return None
        copies: Copies = self.make_copies(trainable, frozen)
        return copies

    @property
    def make_copies(self) -> Callable[..., Any]:
        """The function that `copies` calls."""
        return self._compiler.once("copies", "all", self._copies_request)

    def bind(self, trainable: Tree, frozen: Tree, hp: Tree) -> DecodingFunctions:
        """The functions above for `generate`, with parameters and hyperparameters filled in."""
        decode = self.decode  # compiled here, so that no answer's time budget pays for it
        copies = self.copies(trainable, frozen)

        def admit(slots: Slots, tokens: np.ndarray, *others: np.ndarray) -> Slots:
            admitted: Slots = self.admit_of(tokens.shape[1])(trainable, frozen, hp, slots, tokens, *others)
            return admitted

        return DecodingFunctions(
            empty=lambda: self.empty(trainable, frozen),
            admit=admit,
            decode=lambda slots, *others: decode(trainable, frozen, copies, hp, slots, *others),
            end_ids=self._end_ids,
        )

    @cached_property
    def memory(self) -> DecodingMemory:
        """The device memory that `decode` and `admit` need."""
        rows, prompt, itemsize = self._generate.batch_size, self._generate.max_prompt_tokens, self._dtype.itemsize
        return DecodingMemory(
            weights=tree_bytes(self._weights),
            copies=tree_bytes(self._copies),
            cache=tree_bytes(self.slots),
            logits=rows * self._arch.vocab_size * 4,
            prompts=layer_bytes(self._arch, n_admitted(rows), prompt, itemsize, "full")[1],
        )

    def _empty_request(self) -> CompileRequest:
        return CompileRequest(
            self._decoding.empty, arguments=self._weights, out_shardings=shardings(self.slots), mesh=self._mesh
        )

    def _admit_request(self, shape: tuple[int, int]) -> CompileRequest:
        tokens, rows = jax.ShapeDtypeStruct(shape, np.int32), jax.ShapeDtypeStruct(shape[:1], np.int32)
        keys = jax.ShapeDtypeStruct((shape[0], 2), np.uint32)
        prompts = replicated_shapes(self._mesh, (tokens, tokens, keys, rows))
        return CompileRequest(
            self._decoding.admit,
            arguments=(*self._weights, self._hyperparameters, self.slots, *prompts),
            out_shardings=shardings(self.slots),
            mesh=self._mesh,
            donate=(3,),
        )

    def _copies_request(self) -> CompileRequest:
        return CompileRequest(
            self._decoding.copies, arguments=self._weights, out_shardings=shardings(self._copies), mesh=self._mesh
        )

    def _decode_request(self) -> CompileRequest:
        idle = jax.ShapeDtypeStruct((self._generate.batch_size,), bool)
        limits = replicated_shapes(self._mesh, (idle, SCALAR, SCALAR))
        return CompileRequest(
            self._decoding.decode,
            arguments=(*self._weights, self._copies, self._hyperparameters, self.slots, *limits),
            out_shardings=shardings(self.slots),
            mesh=self._mesh,
            donate=(4,),
        )

    @cached_property
    def _copies(self) -> Tree:
        """The shapes of `copies`."""
        if not self.makes_copies:
            return None
        return parameter_shapes(self._mesh, jax.eval_shape(self._decoding.copies, *self._weights))

    @cached_property
    def slots(self) -> Slots:
        """The shapes of the slots. Keys and values are large, so their rows are divided over the devices; the rest is
        on every device."""
        rows = batch_sharding(self._mesh, self._generate.batch_size)
        slots = replicated_shapes(self._mesh, jax.eval_shape(self._decoding.empty, *self._weights))
        key, value = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=rows), (slots.cache.key, slots.cache.value)
        )
        return replace(slots, cache=replace(slots.cache, key=key, value=value))
