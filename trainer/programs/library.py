"""What a process keeps between runs: base weights, tokenised trainsets and compiled programs.

Every function is compiled ahead of time, once per program key and shapes, and counted. A run computes nothing else on
the device, so a second run with the same key compiles nothing.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from typing import Any

import jax

from podium.core.clock import Clock, MonotonicClock
from podium.core.config import RunConfig
from podium.core.paths import find_trainset
from podium.core.progress import doing
from podium.core.provenance import provenance
from podium.core.records import Prompt
from podium.core.resolved import SIZES_IN_TOKENS, ResolvedConfig, ResolvedData, open_keys, resolved, with_numbers
from trainer.data.rows import EncodedTrainset, TokenizedTrainset, in_rows, load_trainset
from trainer.data.sizes import Lengths, largest_size, lengths_of, resolve_lengths, resolve_steps, size_for
from trainer.data.template import choose_template
from trainer.data.trainsets import read_manifest
from trainer.device.memory import device_bytes, gb, tree_bytes
from trainer.memory.decoding import UNKNOWN_BATCH
from trainer.memory.fixes import fixes
from trainer.memory.out_of_memory import out_of_memory_ends_the_run
from trainer.model.base_model import BaseModel, base_key, load_base, weights_bytes
from trainer.programs.compiler import CompileKey, CompileRequest
from trainer.programs.decoding import DecodingProgram
from trainer.programs.training import TrainingProgram

DataKey = tuple[str, str, str]  # hash of the trainset, hash of the tokenizer, section `data`
OF_ROWS = {"max_seq_len", "packing", "length_buckets"}  # the keys of `data` that an example's tokens do not depend on
CACHE_HIT = "/jax/compilation_cache/cache_hits"


class ProgramLibrary:
    """The models, trainsets and programs of a process. May be shared between threads."""

    def __init__(self, clock: Clock | None = None, load: Callable[[RunConfig], BaseModel] | None = None) -> None:
        """`load` takes the place of `load_base`, for a model without its weights."""
        self.compiles: Counter[CompileKey] = Counter()
        self.compile_s = 0.0
        self.cache_hits = 0  # compilations that JAX found in its cache on disk
        self._clock = clock or MonotonicClock()
        self._load = load
        self._bases: dict[tuple[str, ...], BaseModel] = {}
        self._trainsets: dict[DataKey, TokenizedTrainset] = {}
        self._encoded: dict[DataKey, EncodedTrainset] = {}  # until `trainset` has made rows of it
        self._lengths: dict[DataKey, Lengths] = {}
        self._programs: dict[tuple[str, str], tuple[TrainingProgram, DecodingProgram]] = {}
        self._lock = threading.RLock()

    def base(self, config: RunConfig) -> BaseModel:
        """The base model, loaded once per source, revision, tokenizer, dtype and mesh.

        Raises:
            UsageError, PodiumError: as `load_base` does.
            RunFailed: the device has not enough memory for the weights.
        """
        with self._lock:
            key = base_key(config)
            if key not in self._bases:
                required = partial(_required_memory, config)
                with out_of_memory_ends_the_run(config, lambda: "while loading the model", required, fixes):
                    self._bases[key] = (self._load or load_base)(config)
            return self._bases[key]

    def resolve(
        self, config: RunConfig, prompts: Callable[[], Sequence[Prompt]], most_tokens: int | None = None
    ) -> ResolvedConfig:
        """`config` with a number for every `auto` and for train.epochs. `prompts` are those that it will answer.

        No number of tokens exceeds the model's positions or `most_tokens`. A config that has its numbers is unchanged.

        Raises:
            UsageError: as `trainset` does; an evalset's prompt cannot be written; or the steps of the warm-up are more
                than those of train.epochs.
        """
        with self._lock:
            left = open_keys(config)
            if set(left) & set(SIZES_IN_TOKENS):
                base, lengths = self.base(config), self._lengths_of(config)
                if "generate.max_prompt_tokens" in left:
                    lengths = lengths.with_prompts(choose_template(base.tokenizer, config.data).prompts(prompts()))
                positions = min(base.arch.max_positions, most_tokens or base.arch.max_positions)
                config = resolve_lengths(config, lengths, positions)
            if "train.epochs" in left:
                data = ResolvedData.model_validate(config.data.model_dump(mode="json"))
                config = resolve_steps(config, self._trainset(config, data).n_rows)
            if "generate.batch_size" in left:
                config = with_numbers(config, {"generate.batch_size": self._decoding_batch(config, prompts)})
            return resolved(config)

    def trainset(self, config: ResolvedConfig) -> TokenizedTrainset:
        """The trainset in rows, cached by trainset, tokenizer and section `data`. Raises as `load_trainset` and
        `in_rows` do."""
        return self._trainset(config, resolved(config).data)

    def training_program(self, config: ResolvedConfig) -> TrainingProgram:
        """The training program of this config's program key. Each function is compiled when it is first used."""
        return self._programs_of(config)[0]

    def decoding_program(self, config: ResolvedConfig) -> DecodingProgram:
        """The decoding program of this config's program key. Each function is compiled when it is first used."""
        return self._programs_of(config)[1]

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Code, libraries and machine, which do not change while a process runs."""
        return provenance()

    def _trainset(self, config: RunConfig, data: ResolvedData) -> TokenizedTrainset:
        with self._lock:
            key = self._data_key(config, set())
            if key not in self._trainsets:
                encoded = self._encode(config)
                self._encoded.clear()  # the rows hold the same arrays, unless examples are left out
                self._trainsets[key] = in_rows(encoded, data)
            return self._trainsets[key]

    def _lengths_of(self, config: RunConfig) -> Lengths:
        key = self._data_key(config, OF_ROWS)
        if key not in self._lengths:
            self._lengths[key] = lengths_of(self._encode(config))
        return self._lengths[key]

    def _encode(self, config: RunConfig) -> EncodedTrainset:
        """The trainset as tokens, kept until `_trainset` has made rows of it."""
        key = self._data_key(config, OF_ROWS)
        if key not in self._encoded:
            folder = find_trainset(config.data.trainset)
            base = self.base(config)
            with doing(f"tokenizing {config.data.trainset}"):
                self._encoded = {key: load_trainset(folder, base.tokenizer, config.data)}
        return self._encoded[key]

    def _data_key(self, config: RunConfig, without: set[str]) -> DataKey:
        manifest, tokenizer = read_manifest(find_trainset(config.data.trainset)), self.base(config).tokenizer
        return manifest.sha256, tokenizer.sha256, config.data.model_dump_json(exclude=without)

    def _decoding_batch(self, config: RunConfig, prompts: Callable[[], Sequence[Prompt]]) -> int:
        """The prompts to decode together: as many as fit in the device's memory, but no more than there are answers."""
        available = device_bytes(config)
        if available is None or self.base(config).mesh.devices.flat[0].platform == "cpu":
            return UNKNOWN_BATCH
        most = size_for(len(prompts()) * config.generate.num_samples)
        return largest_size(min(self.rows_that_fit(config, available), most))

    def rows_that_fit(self, config: RunConfig, available: int) -> float:
        """How many prompts a device of `available` bytes can decode together, by the estimate; compiles nothing."""
        known = resolved(with_numbers(config, {"generate.batch_size": UNKNOWN_BATCH}))
        training = TrainingProgram(known, self.base(config), self._compile)
        memory = DecodingProgram(training).memory
        return memory.rows_that_fit(known.generate.batch_size, available, tree_bytes(training.opt_state))

    def _programs_of(self, config: ResolvedConfig) -> tuple[TrainingProgram, DecodingProgram]:
        with self._lock:
            config = resolved(config)
            key = (config.program_key, "".join(base_key(config)))
            if key not in self._programs:
                training = TrainingProgram(config, self.base(config), self._compile)
                self._programs[key] = training, DecodingProgram(training)
            return self._programs[key]

    def _compile(self, key: CompileKey, request: CompileRequest) -> jax.stages.Compiled:
        with self._lock:
            started_s, hits = self._clock.now(), _jax_events()[CACHE_HIT]
            with doing(f"compiling {key[1]} ({key[2]})"):
                compiled = request.lower().compile()
            self.compiles[key] += 1
            self.compile_s += self._clock.now() - started_s
            self.cache_hits += _jax_events()[CACHE_HIT] - hits
            return compiled


def _required_memory(config: RunConfig) -> str:
    return f"the weights of {config.model.source} need {gb(weights_bytes(config))}"


@cache
def _jax_events() -> Counter[str]:
    """How often JAX has reported each event since the first call of this function."""
    counted: Counter[str] = Counter()
    jax.monitoring.register_event_listener(lambda event, **_: counted.update([event]))
    return counted
