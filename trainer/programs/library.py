"""What a process keeps between runs: base weights, tokenised trainsets and compiled programs.

Every function is compiled ahead of time, once per program key and shapes, and counted. A run computes nothing else on
the device, so a second run with the same key compiles nothing.
"""

import threading
from collections import Counter
from functools import cache, cached_property, partial
from typing import Any

import jax

from podium.core.clock import Clock, MonotonicClock
from podium.core.config import RunConfig
from podium.core.paths import find_trainset
from podium.core.provenance import provenance
from trainer.data.rows import TokenizedTrainset, load_trainset
from trainer.data.trainsets import read_manifest
from trainer.device.memory import gb
from trainer.memory.fixes import fixes
from trainer.memory.out_of_memory import out_of_memory_ends_the_run
from trainer.model.base_model import BaseModel, base_key, load_base, weights_bytes
from trainer.programs.compiler import CompileKey, CompileRequest
from trainer.programs.decoding import DecodingProgram
from trainer.programs.training import TrainingProgram

CACHE_HIT = "/jax/compilation_cache/cache_hits"


class ProgramLibrary:
    """The models, trainsets and programs of a process. May be shared between threads."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.compiles: Counter[CompileKey] = Counter()
        self.compile_s = 0.0
        self.cache_hits = 0  # compilations that JAX found in its cache on disk
        self._clock = clock or MonotonicClock()
        self._bases: dict[tuple[str, ...], BaseModel] = {}
        self._trainsets: dict[tuple[str, str, str], TokenizedTrainset] = {}
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
                    self._bases[key] = load_base(config)
            return self._bases[key]

    def trainset(self, config: RunConfig) -> TokenizedTrainset:
        """The tokenised trainset, cached by trainset, tokenizer and section `data`. Raises as `load_trainset` does."""
        with self._lock:
            folder, tokenizer = find_trainset(config.data.trainset), self.base(config).tokenizer
            key = (read_manifest(folder).sha256, tokenizer.sha256, config.data.model_dump_json())
            if key not in self._trainsets:
                self._trainsets[key] = load_trainset(folder, tokenizer, config.data)
            return self._trainsets[key]

    def training_program(self, config: RunConfig) -> TrainingProgram:
        """The training program of this config's program key. Each function is compiled when it is first used."""
        return self._programs_of(config)[0]

    def decoding_program(self, config: RunConfig) -> DecodingProgram:
        """The decoding program of this config's program key. Each function is compiled when it is first used."""
        return self._programs_of(config)[1]

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Code, libraries and machine, which do not change while a process runs."""
        return provenance()

    def _programs_of(self, config: RunConfig) -> tuple[TrainingProgram, DecodingProgram]:
        with self._lock:
            key = (config.program_key, "".join(base_key(config)))
            if key not in self._programs:
                training = TrainingProgram(config, self.base(config), self._compile)
                self._programs[key] = training, DecodingProgram(training)
            return self._programs[key]

    def _compile(self, key: CompileKey, request: CompileRequest) -> jax.stages.Compiled:
        with self._lock:
            started_s, hits = self._clock.now(), _jax_events()[CACHE_HIT]
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
