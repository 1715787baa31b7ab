"""The sections of a `RunConfig`: every key, its type, its default, its role. Every default is written here, once."""

from enum import Enum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator


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
        "full", description="of each layer, recompute in the backward pass: scores, all but products with weights, all"
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
