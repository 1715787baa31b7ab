"""`RunConfig`: one frozen value that says everything about a run.

Every default is written here, once. A search-space key is a dotted path into it. Each field has a role: `PROGRAM`
fields change a shape or the graph and make up the program key; `TRACED` fields enter the compiled step as arrays; the
others do not touch a compiled program at all.
"""

import difflib
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from podium.core.errors import UsageError
from podium.core.files import read_text
from podium.core.hashing import sha256_json


class Role(Enum):
    """How a field reaches the compiled program."""

    PROGRAM = "program"
    TRACED = "traced"


P, T = Role.PROGRAM, Role.TRACED


class Section(BaseModel):
    """Frozen, unknown keys refused, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_silent_bool(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic reads `true` as 1.0 where a number is wanted.
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and field.annotation is not bool:
            raise ValueError("true/false given where another type is wanted")
        return value


class ModelConfig(Section):
    """Which weights to start from."""

    source: Annotated[str, P] = Field("tiny", description="tiny, a Hugging Face folder, a hub id, or kaggle:HANDLE")
    tokenizer: str | None = Field(None, description="folder or hub id, where it is apart from the model")
    revision: str | None = Field(None, description="branch, tag or commit of a hub id")
    base_dtype: Annotated[Literal["auto", "int8"], P] = Field(
        "auto", description="of a frozen base's kernels; auto is that of the computation"
    )


class DataConfig(Section):
    """What to train on."""

    trainset: str = Field("tiny-reasoning", description="a name under trainsets/, or a path")
    max_seq_len: Annotated[int, P] = Field(64, ge=8, description="tokens; longer examples are cut and counted")
    packing: bool = Field(False, description="several examples a row, each seeing itself only")
    length_buckets: tuple[int, ...] = Field(
        (), description="instead of packing: shorter lengths, ascending; a batch is padded to one of them"
    )
    template: Literal["auto", "plain", "chat"] = Field("auto", description="auto: chat where the tokenizer has one")
    layout: Literal["steps", "reasoning"] = Field("steps", description="reasoning puts steps in <reasoning> tags")

    @model_validator(mode="after")
    def _buckets_are_a_choice(self) -> Self:
        wanted, shown = sorted({n for n in self.length_buckets if 8 <= n < self.max_seq_len}), list(self.length_buckets)
        if wanted != shown:
            raise ValueError(
                f"data.length_buckets={shown}, must ascend from 8 or more to less than "
                f"data.max_seq_len={self.max_seq_len}, which is the last bucket itself"
            )
        if self.packing and self.length_buckets:
            raise ValueError(f"data.packing=true with data.length_buckets={shown}: choose one of them")
        return self


class LoraConfig(Section):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685); full fine-tuning when not enabled."""

    enabled: Annotated[bool, P] = False
    rank: Annotated[int, P] = Field(8, ge=1)
    alpha: Annotated[float, T] = Field(16.0, gt=0)
    targets: Annotated[tuple[Literal["q", "k", "v", "o", "gate", "up", "down"], ...], P] = Field(
        ("q", "k", "v", "o", "gate", "up", "down"), min_length=1
    )
    dropout: Annotated[float, T] = Field(0.0, ge=0, lt=1, description="of what adapters see, in training")
    rslora: Annotated[bool, P] = Field(False, description="scale by alpha / sqrt(rank) instead of alpha / rank")
    dora: Annotated[bool, P] = Field(False, description="train the norm of each kernel row as well")


class Change(Section):
    """Hyperparameters that have other values once `step` steps are done."""

    step: int = Field(ge=1)
    overrides: dict[str, Any] = Field(min_length=1, description="dotted key to value, as a trial's overrides are")


class TrainConfig(Section):
    """The optimisation itself."""

    max_steps: Annotated[int, T] = Field(100, ge=1, description="optimizer steps; the schedule spans them")
    batch_size: Annotated[int, P] = Field(8, ge=1, description="sequences a micro-batch")
    gradient_accumulation_steps: Annotated[int, P] = Field(1, ge=1, description="micro-batches an optimizer step")
    optimizer: Annotated[Literal["adamw", "adafactor", "lion", "sgd", "muon"], P] = "adamw"
    learning_rate: Annotated[float, T] = Field(3e-4, gt=0, description="peak")
    schedule: Annotated[Literal["constant", "linear", "cosine", "wsd", "inverse_sqrt"], T] = "cosine"
    warmup_steps: Annotated[int, T] = Field(0, ge=0)
    decay_fraction: Annotated[float, T] = Field(
        0.2, gt=0, le=1, description="wsd: the share of the steps after warm-up in which the rate falls"
    )
    final_lr_fraction: Annotated[float, T] = Field(
        0.0, ge=0, le=1, description="of the peak, at the end of linear, cosine and wsd"
    )
    weight_decay: Annotated[float, T] = Field(0.0, ge=0)
    beta1: Annotated[float, T] = Field(0.9, ge=0, lt=1, description="of AdamW, Lion, and Muon where it is Adam")
    beta2: Annotated[float, T] = Field(0.95, ge=0, lt=1, description="of the same")
    momentum: Annotated[float, T] = Field(0.9, ge=0, lt=1, description="of SGD and Muon")
    adafactor_decay: Annotated[float, T] = Field(
        0.8, gt=0, lt=1, description="how fast Adafactor's second moments lengthen their memory"
    )
    epsilon: Annotated[float, T] = Field(1e-8, gt=0)
    clip_norm: Annotated[float, T] = Field(1.0, gt=0, description="global gradient norm")
    label_smoothing: Annotated[float, T] = Field(0.0, ge=0, lt=1)
    dtype: Annotated[Literal["auto", "float32", "bfloat16", "float16"], P] = Field(
        "auto", description="of the computation; auto is the fastest that the device has natively"
    )
    remat: Annotated[Literal["none", "dots", "full"], P] = Field(
        "full", description="of each layer, recompute in the backward pass: nothing, all but products with weights, all"
    )
    seed: Annotated[int, T] = Field(0, ge=0, lt=2**31)
    changes: tuple[Change, ...] = Field((), description="hyperparameters that change on the way; PBT finds them")
    fit_schedule: bool = Field(False, description="podium train lowers max_steps to what its time budget allows")
    save_every_steps: int = Field(50, ge=1)
    keep_checkpoints: int = Field(2, ge=1)
    log_every_steps: int = Field(10, ge=1)


class GenerateConfig(Section):
    """Decoding for predictions; greedy at temperature 0."""

    batch_size: Annotated[int, P] = Field(32, ge=1, description="prompts decoded together")
    max_prompt_tokens: Annotated[int, P] = Field(32, ge=1, description="longer prompts lose their beginning; counted")
    max_new_tokens: Annotated[int, P] = Field(32, ge=1)
    num_samples: int = Field(1, ge=1, description="answers a prompt")
    temperature: Annotated[float, T] = Field(0.0, ge=0)
    top_k: Annotated[int, T] = Field(0, ge=0, description="draw from the k likeliest tokens; 0 for all")
    top_p: Annotated[float, T] = Field(1.0, gt=0, le=1, description="draw from the likeliest that hold this share")
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field((), description="an answer ends before any of these")
    seed: int = Field(0, ge=0, description="what is drawn follows from it and the item, not from the batch")
    item_time_budget_s: float | None = Field(
        None, gt=0, description="an answer that takes longer is ended; what was written is kept"
    )

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.num_samples > 1 and self.temperature == 0:
            raise ValueError(
                f"generate.num_samples={self.num_samples} with generate.temperature=0 gives the same answer "
                f"{self.num_samples} times; raise generate.temperature"
            )
        return self


class EvalConfig(Section):
    """What to score on."""

    evalset: str = Field("tiny_v1", description="a name under evalsets/, or a path")
    max_items: int | None = Field(None, ge=1, description="the first N items of the split; all of them when not given")
    submission_split: Literal["holdout", "all"] = Field(
        "holdout", description="what a submission is scored on; a sweep reads dev and nothing else"
    )
    challenges: str | None = Field(
        None, description="ARC challenges without solutions; a submission answers these, too, in submission.json"
    )
    scorer: str | None = Field(None, description="that of the evalset when not given, which is `answer` by default")


class BudgetConfig(Section):
    """Time for one submission run; `profile` gives the limits that are not written here (podium/core/budget.py)."""

    profile: str = "local"
    time_budget_s: float | None = Field(None, gt=0)
    reserve_s: float | None = Field(None, ge=0, description="kept free for scoring and evidence")


class DeviceConfig(Section):
    """Where to run."""

    kind: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    count: Annotated[int | None, P] = Field(
        None, ge=1, description="devices to use; when not given, as many of those here as divide train.batch_size"
    )
    fsdp: Annotated[int | None, P] = Field(
        None, ge=1, description="devices that each parameter is divided over; 1 where not given and one device has room"
    )
    distributed: bool = Field(False, description="this process is one of several, as on a TPU pod")
    memory_gb: float | None = Field(None, gt=0, description="of each device; what the backend says when not given")
    allocator: Literal["default", "platform"] = Field(
        "default", description="platform asks the driver for each array: slow, and the last resort before out of memory"
    )


class RunConfig(Section):
    """Everything about one run. The same value serves the command line, a trial and the submission."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    lora: LoraConfig = LoraConfig()
    train: TrainConfig = TrainConfig()
    generate: GenerateConfig = GenerateConfig()
    eval: EvalConfig = EvalConfig()
    budget: BudgetConfig = BudgetConfig()
    device: DeviceConfig = DeviceConfig()

    @model_validator(mode="after")
    def _only_a_frozen_base_is_int8(self) -> Self:
        if self.model.base_dtype == "int8" and not self.lora.enabled:
            raise ValueError(
                "model.base_dtype='int8' with lora.enabled=false: kernels in int8 cannot be trained; "
                "set lora.enabled=true or model.base_dtype=auto"
            )
        return self

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if self.train.warmup_steps > self.train.max_steps:
            raise ValueError(
                f"train.warmup_steps={self.train.warmup_steps}, must be <= train.max_steps={self.train.max_steps}"
            )
        return self

    @model_validator(mode="after")
    def _changes_are_possible(self) -> Self:
        steps = [change.step for change in self.train.changes]
        if steps != sorted(set(steps)):
            raise ValueError(f"train.changes at steps {steps}, must ascend")
        for change in self.train.changes:
            if fixed := [key for key in change.overrides if key not in changeable_keys()]:
                raise ValueError(
                    f"train.changes at step {change.step} holds {fixed[0]}, which cannot change during a run; "
                    "what can is traced: learning rate, weight decay and their like"
                )
            try:
                self.at(change.step)
            except UsageError as error:
                raise ValueError(f"train.changes at step {change.step}: {error}") from error
        return self

    def at(self, step: int) -> "RunConfig":
        """This config as it is once `step` steps are done, with the changes until then made and no others to come."""
        made = [change.overrides for change in self.train.changes if change.step <= step]
        overrides = {key: value for values in made for key, value in values.items()}
        return self.with_overrides({**overrides, "train.changes": ()}) if self.train.changes else self

    def with_overrides(self, overrides: Mapping[str, Any]) -> "RunConfig":
        """This config with dotted keys replaced: `{"train.learning_rate": 1e-3}`.

        Raises:
            UsageError: unknown key, wrong type or value out of range.
        """
        values = self.model_dump(mode="json")
        for key, value in overrides.items():
            check_key(key)
            section, name = key.split(".")
            values[section][name] = value
        return parse_config(values, "overrides")

    def get(self, key: str) -> Any:
        """The value at a dotted key. Raises UsageError for an unknown one."""
        check_key(key)
        section, name = key.split(".")
        return getattr(getattr(self, section), name)

    def to_yaml(self) -> str:
        """Fully resolved: every field, defaults included."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    @property
    def hash(self) -> str:
        return sha256_json(self.model_dump(mode="json"))

    @property
    def program_key(self) -> str:
        """Twelve hex digits that are equal exactly when two runs can share compiled programs."""
        values = {key: self.get(key) for key in keys_with_role(Role.PROGRAM)}
        if not self.lora.enabled:  # then its fields shape nothing
            values = {key: value for key, value in values.items() if not key.startswith("lora.")}
        elif self.has_dropout:  # how much of it is traced
            values["lora.dropout"] = True
        return sha256_json(values)[:12]

    @property
    def has_dropout(self) -> bool:
        """Whether any step has LoRA dropout; where none has, there is no mask in its program."""
        later = [change.overrides.get("lora.dropout", 0.0) for change in self.train.changes]
        return self.lora.enabled and any(rate > 0 for rate in (self.lora.dropout, *later))

    def traced(self) -> dict[str, Any]:
        """The values that enter the compiled step as arrays, by dotted key."""
        return {key: self.get(key) for key in keys_with_role(Role.TRACED)}


@cache
def all_keys() -> tuple[str, ...]:
    return tuple(f"{section}.{name}" for section, name, _ in _fields())


def keys_with_role(role: Role) -> list[str]:
    return [f"{section}.{name}" for section, name, found in _fields() if found is role]


def changeable_keys() -> list[str]:
    """What may differ from one step to the next: neither the data order nor the length of the schedule."""
    return [key for key in keys_with_role(Role.TRACED) if key not in ("train.seed", "train.max_steps")]


def check_key(key: str) -> None:
    """Raises UsageError, naming the nearest known key, when RunConfig has no such dotted key."""
    if key not in all_keys():
        near = difflib.get_close_matches(key, all_keys(), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(all_keys())}"
        raise UsageError(f"unknown config key {key!r}; {hint}")


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Read a YAML config. Raises UsageError: missing or corrupt file, unknown key, wrong type, value out of range."""
    config = parse_config(load_yaml(path), str(path))
    return config.with_overrides(overrides) if overrides else config


def load_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping. Raises UsageError."""
    try:
        values = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path}: holds {type(values).__name__}, must be a mapping of keys to values")
    return values


def parse_config(values: Mapping[str, Any], where: str) -> RunConfig:
    for section, fields in values.items():
        for name in fields if section in RunConfig.model_fields and isinstance(fields, dict) else ():
            if f"{section}.{name}" not in all_keys():
                _reraise_with_place(f"{section}.{name}", where)
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{where}: {one_line(error)}") from error


def parse_assignment(text: str) -> tuple[str, Any]:
    """`train.max_steps=50` to ("train.max_steps", 50), the value read as YAML. Raises UsageError."""
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text!r}: must be key=value, like train.max_steps=50")
    check_key(key)
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {text!r}: the value is not YAML") from error


def one_line(error: ValidationError) -> str:
    """The first problem of a pydantic error: dotted place, value, rule."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"{place} is missing; add it"
    if first["type"] == "extra_forbidden":
        return f"unknown key {place!r}; remove it or check its spelling"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}={first['input']!r}: {message}{more}" if place else f"{message}{more}"


def _reraise_with_place(key: str, where: str) -> None:
    try:
        check_key(key)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


@cache  # a sweep checks keys some hundred times a trial; reading them from the models each time took 20 ms of it
def _fields() -> tuple[tuple[str, str, Role | None], ...]:
    return tuple(
        (section, name, next((item for item in field.metadata if isinstance(item, Role)), None))
        for section, outer in RunConfig.model_fields.items()
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, Section)
        for name, field in outer.annotation.model_fields.items()
    )
