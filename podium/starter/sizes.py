"""The sizes of a run that fit: from the model's config.json, the data, and the memory of the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.records import Prompt
from podium.core.resolved import SIZES_IN_TOKENS, ResolvedConfig
from trainer.data.sizes import size_for
from trainer.device.memory import gb
from trainer.memory.estimate import Memory
from trainer.plan.target import Target

BATCHES = (16, 8, 4, 2, 1)  # the first that fits
FROM_SCRATCH = "tiny"  # the one model whose weights are drawn at random
ROOM = 0.8  # of the memory, since the estimate leaves out what the compiler adds
PASSES, PASSES_FROM_SCRATCH = 3, 15  # over the examples; random weights have everything to learn
FEWEST_STEPS, MOST_STEPS = 40, 400
LORA_FROM = 50e6  # parameters; a smaller model is trained as a whole
UNKNOWN_BATCH = 8
CHARACTERS_PER_TOKEN, LONGEST_GUESS = 3, 1024


@dataclass(frozen=True)
class Sizes:
    """What was found. `n_parameters` is None if the model's config.json is not on this machine; `note` then says so."""

    n_parameters: int | None
    lora: bool
    batch_size: int
    passes: int  # over the examples, before the limits of max_steps
    max_steps: int
    tokens: str | None  # the sizes in tokens that follow from the data, as text
    memory: str | None  # of a training step
    note: str | None = None


def find_sizes(model: str, trainset: Path, n_examples: int, prompts: Sequence[Prompt], target: Target | None) -> Sizes:
    """The sizes for a model, a trainset and the prompts that it is scored on; for this machine without a target.

    Reads config.json and the tokenizer, no weights, and computes nothing. Sizes that cannot be found are guesses, and
    the note says so.

    Raises:
        UsageError: there is no such folder, it lacks a file, or the model is of a family that Podium does not have.
    """
    config = _config(model, trainset, target)
    try:
        _fetch(model)
    except UsageError:
        raise
    except PodiumError as error:
        batch = min(UNKNOWN_BATCH, n_examples)
        note = f"the batch size is a guess, since the model cannot be read here: {error}"
        return Sizes(None, True, batch, PASSES, steps_for(PASSES, n_examples, batch), None, None, note)
    n_parameters = count_parameters(config)
    lora = n_parameters >= LORA_FROM
    config, guess = _with_guessed_lengths(config.with_overrides({"lora.enabled": lora}), trainset)
    batch, numbers, memory, misfit = _largest_that_fits(config, prompts, _limit(config, target))
    batch = min(batch, n_examples)
    tokens = f"{numbers.data.max_seq_len} tokens an example, {numbers.generate.max_new_tokens} an answer"
    passes = PASSES_FROM_SCRATCH if model == FROM_SCRATCH else PASSES
    steps = steps_for(passes, n_examples, batch)
    return Sizes(n_parameters, lora, batch, passes, steps, None if guess else tokens, gb(memory.total), misfit or guess)


def _with_guessed_lengths(config: RunConfig, trainset: Path) -> tuple[RunConfig, str | None]:
    """The config with guesses of its lengths, and a note about them, if the model's tokenizer is not here."""
    from trainer.plan.base import NoTokenizer, load_shapes

    if not isinstance(load_shapes(config).tokenizer, NoTokenizer):
        return config, None
    with (trainset / "traces.jsonl").open("rb") as lines:
        longest = max(len(line) for line in lines) // CHARACTERS_PER_TOKEN
    length = min(LONGEST_GUESS, size_for(longest))
    note = f"the model's tokenizer is not here, so its memory is for a guess of {length} tokens an example"
    return config.with_overrides(dict.fromkeys(SIZES_IN_TOKENS, length)), note


def steps_for(passes: int, n_examples: int, batch_size: int) -> int:
    """Steps for so many passes over the examples, within what a first sweep should take."""
    return min(MOST_STEPS, max(FEWEST_STEPS, ceil(passes * n_examples / batch_size)))


def count_parameters(config: RunConfig) -> int:
    """The parameters of the model, from its config.json."""
    import jax

    from trainer.model.base_model import base_shapes
    from trainer.model.config_file import read_architecture
    from trainer.plan.base import find_config

    shapes = base_shapes(config, read_architecture(find_config(config.model)))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def _fetch(model: str) -> None:
    """Raises PodiumError, not a UsageError, if nothing can be known of the model before it is downloaded."""
    from trainer.model.sources import KAGGLE, fetch_description
    from trainer.plan.base import TABLE

    if model.startswith(KAGGLE):
        raise PodiumError("the first run downloads it from Kaggle")
    try:
        fetch_description(model)
    except UsageError:
        raise
    except PodiumError:
        if not (TABLE / model.partition("/")[2] / "config.json").is_file():
            raise


def _config(model: str, trainset: Path, target: Target | None) -> RunConfig:
    values: dict[str, Any] = {"model.source": model, "data.trainset": str(trainset)}
    if target is not None and target.accelerator.memory_bytes:
        values["train.dtype"] = target.accelerator.dtype
    return RunConfig().with_overrides(values)


def _largest_that_fits(
    config: RunConfig, prompts: Sequence[Prompt], limit: int | None
) -> tuple[int, ResolvedConfig, Memory, str | None]:
    """(batch size, the config with its numbers, the memory of a step, what is wrong if none fits)"""
    from trainer.plan.base import load_shapes
    from trainer.programs.library import ProgramLibrary

    library = ProgramLibrary(load=load_shapes)
    for batch in BATCHES:
        numbers = library.resolve(config.with_overrides({"train.batch_size": batch}), lambda: prompts)
        memory = library.training_program(numbers).memory_of(numbers.data.max_seq_len)
        if limit is None or memory.total <= ROOM * limit:
            return batch, numbers, memory, None
    return batch, numbers, memory, f"a step with batch 1 needs {gb(memory.total)}, and there are {gb(limit or 0)}"


def _limit(config: RunConfig, target: Target | None) -> int | None:
    """The bytes that a step may use on one device: the target's, or this machine's for each worker of a sweep."""
    from trainer.device.memory import available_bytes, device_bytes
    from trainer.plan.plan import limit_of
    from tuning.workers.resources import cores_here

    if target is not None and target.accelerator.memory_bytes:
        return limit_of(config, target)
    if (known := device_bytes(config)) is not None:
        return known
    free = available_bytes()
    return None if free is None else free // len(cores_here())
