"""The sections of a `RunConfig`: the type, the role and the only definition of the default of every key."""

import datetime
import math
from enum import Enum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator


class Role(Enum):
    """How a field enters the compiled program."""

    PROGRAM = "program"
    TRACED = "traced"


P, T = Role.PROGRAM, Role.TRACED
Auto = Literal["auto"]  # a size that follows from the data, or from the device's memory (trainer/data/sizes.py)
Size = Annotated[int, Field(ge=1)]
INT32_MAX = 2**31 - 1  # integers on the device are int32


class Section(BaseModel):
    """A frozen section; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_silent_bool(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic would read `true` as 1.0 in a number field.
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and field.annotation is not bool:
            raise ValueError("must not be true or false")
        return value


class ModelConfig(Section):
    """The model to start from."""

    source: Annotated[str, P] = Field(
        "tiny", description="tiny, a Hugging Face folder, a hub id, kaggle:HANDLE, or local:NAME"
    )
    tokenizer: str | None = Field(None, description="folder or hub id, if the tokenizer is not with the model")
    revision: str | None = Field(None, description="branch, tag or commit of a hub id")
    base_dtype: Annotated[Literal["auto", "int8"], P] = Field(
        "auto", description="dtype of a frozen base's kernels; auto is the dtype of the computation"
    )

    @property
    def id(self) -> str:
        """What evidence calls the model: its source, with the revision if one is given."""
        return f"{self.source}@{self.revision}" if self.revision else self.source


class DataConfig(Section):
    """The training data."""

    trainset: str = Field("tiny-reasoning", description="a name under trainsets/, or a path")
    max_seq_len: Annotated[Annotated[int, Field(ge=8)] | Auto, P] = Field(
        "auto", description="tokens; longer examples are cut and counted; auto fits the longest"
    )
    packing: bool = Field(False, description="several examples per row; each attends to itself only")
    length_buckets: tuple[int, ...] = Field(
        (), description="instead of packing: shorter lengths in ascending order; a batch is padded to one of them"
    )
    template: Literal["auto", "plain", "chat"] = Field("auto", description="auto: chat if the tokenizer has a template")
    layout: Literal["auto", "text", "steps", "reasoning"] = Field(
        "auto",
        description="text: responses as they are; steps, reasoning: traces with <answer> tags, "
        "and <reasoning> tags around steps; auto: text for conversations, steps for traces",
    )
    # Left out at their defaults, so that the hash of a config that needs none of them stays what it was.
    loss_on: Literal["all", "last"] = Field(
        "all", exclude_if=lambda turns: turns == "all", description="the assistant's turns that are learned"
    )
    system: str | None = Field(
        None, min_length=1, exclude_if=lambda text: text is None, description="an instruction before every prompt"
    )
    template_options: dict[str, Any] = Field(
        {},
        exclude_if=lambda options: not options,
        description="variables of the chat template, such as {enable_thinking: false}",
    )
    date: datetime.date | None = Field(
        None,
        exclude_if=lambda day: day is None,  # so that the hash of a config that needs none stays what it was
        description="the day that a chat template reads from the clock; default: when the run, study or lock is made",
    )

    @model_validator(mode="after")
    def _buckets_are_valid(self) -> Self:
        shown = list(self.length_buckets)
        longest = math.inf if self.max_seq_len == "auto" else self.max_seq_len
        if sorted({n for n in shown if 8 <= n < longest}) != shown:
            raise ValueError(
                f"data.length_buckets={shown}, must ascend from 8 or more to less than "
                f"data.max_seq_len={self.max_seq_len}, which is always the last bucket"
            )
        if self.packing and self.length_buckets:
            raise ValueError(f"data.packing=true with data.length_buckets={shown}: choose one of them")
        return self


class LoraConfig(Section):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685); full fine-tuning if not enabled."""

    enabled: Annotated[bool, P] = False
    rank: Annotated[int, P] = Field(8, ge=1)
    alpha: Annotated[float, T] = Field(16.0, gt=0)
    targets: Annotated[tuple[Literal["q", "k", "v", "o", "gate", "up", "down"], ...], P] = Field(
        ("q", "k", "v", "o", "gate", "up", "down"), min_length=1
    )
    dropout: Annotated[float, T] = Field(0.0, ge=0, lt=1, description="dropout rate of the adapters' input in training")
    rslora: Annotated[bool, P] = Field(False, description="scale by alpha / sqrt(rank) instead of alpha / rank")
    dora: Annotated[bool, P] = Field(False, description="train the norm of each kernel row as well")


class Change(Section):
    """New values of hyperparameters after `step` steps."""

    step: int = Field(ge=1)
    overrides: dict[str, Any] = Field(min_length=1, description="dotted key to value, as in a trial's overrides")


class TrainConfig(Section):
    """The optimisation."""

    max_steps: Annotated[int | None, T] = Field(
        100, ge=1, le=INT32_MAX, description="optimizer steps, and the length of the schedule; null only beside epochs"
    )
    epochs: float | None = Field(
        None,
        gt=0,
        exclude_if=lambda epochs: epochs is None,  # so that a config of earlier versions keeps its hash
        description="passes over the trainset, instead of max_steps",
    )
    batch_size: Annotated[int, P] = Field(8, ge=1, description="sequences per micro-batch")
    gradient_accumulation_steps: Annotated[int, P] = Field(1, ge=1, description="micro-batches per optimizer step")
    optimizer: Annotated[Literal["adamw", "adafactor", "lion", "sgd", "muon"], P] = "adamw"
    learning_rate: Annotated[float, T] = Field(3e-4, gt=0, description="peak")
    schedule: Annotated[Literal["constant", "linear", "cosine", "wsd", "inverse_sqrt"], T] = "cosine"
    warmup_steps: Annotated[int, T] = Field(0, ge=0)
    decay_fraction: Annotated[float, T] = Field(
        0.2, gt=0, le=1, description="wsd: share of the steps after warm-up in which the rate falls"
    )
    final_lr_fraction: Annotated[float, T] = Field(
        0.0, ge=0, le=1, description="share of the peak at the end of linear, cosine and wsd"
    )
    weight_decay: Annotated[float, T] = Field(0.0, ge=0)
    beta1: Annotated[float, T] = Field(0.9, ge=0, lt=1, description="of AdamW, Lion, and the AdamW part of Muon")
    beta2: Annotated[float, T] = Field(0.95, ge=0, lt=1, description="of the same optimizers")
    momentum: Annotated[float, T] = Field(0.9, ge=0, lt=1, description="of SGD and Muon")
    adafactor_decay: Annotated[float, T] = Field(
        0.8, gt=0, lt=1, description="Adafactor: exponent of the decay of its second moments"
    )
    epsilon: Annotated[float, T] = Field(1e-8, gt=0)
    clip_norm: Annotated[float, T] = Field(1.0, gt=0, description="global gradient norm")
    label_smoothing: Annotated[float, T] = Field(0.0, ge=0, lt=1)
    dtype: Annotated[Literal["auto", "float32", "bfloat16", "float16"], P] = Field(
        "auto", description="dtype of the computation; auto is the fastest that the device supports natively"
    )
    remat: Annotated[Literal["none", "dots", "full"], P] = Field(
        "full",
        description="recomputed per layer in the backward pass: scores, all but products with weights, all",
    )
    seed: Annotated[int, T] = Field(0, ge=0, lt=2**31)
    changes: tuple[Change, ...] = Field((), description="changes of hyperparameters during the run; PBT finds them")
    fit_schedule: bool = Field(False, description="podium train lowers max_steps to fit its time budget")
    save_every_steps: int = Field(50, ge=1)
    keep_checkpoints: int = Field(2, ge=1)
    log_every_steps: int = Field(10, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _steps_or_epochs(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        steps, epochs = values.get("max_steps"), values.get("epochs")
        if steps is not None and epochs is not None:
            raise ValueError(
                f"train.epochs={epochs} with train.max_steps={steps}: choose one of them, and set the other to null"
            )
        if epochs is not None:
            return {**values, "max_steps": None}
        if "max_steps" in values and steps is None:
            raise ValueError("train.max_steps=null without train.epochs: give one of them")
        return values


class GenerateConfig(Section):
    """Decoding for predictions; greedy at temperature 0."""

    batch_size: Annotated[Size | Auto, P] = Field(
        "auto", description="prompts decoded together; auto fills the device's memory, and is 32 on a CPU"
    )
    max_prompt_tokens: Annotated[Size | Auto, P] = Field(
        "auto", description="longer prompts lose their beginning; counted; auto fits the longest"
    )
    max_new_tokens: Annotated[Size | Auto, P] = Field(
        "auto", description="auto fits the longest completion of the trainset"
    )
    num_samples: int = Field(1, ge=1, description="answers per prompt")
    temperature: Annotated[float, T] = Field(0.0, ge=0)
    top_k: Annotated[int, T] = Field(0, ge=0, le=INT32_MAX, description="draw from the k most likely tokens; 0 for all")
    top_p: Annotated[float, T] = Field(1.0, gt=0, le=1, description="draw from the most likely tokens with this total")
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field((), description="an answer ends before any of these")
    seed: int = Field(0, ge=0, description="a draw depends on the seed and the item, not on the batch")
    item_time_budget_s: float | None = Field(
        None, gt=0, description="seconds after which an answer is ended; its text so far is kept"
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
    """The evalset and the scorer."""

    evalset: str = Field("tiny_v1", description="a name under evalsets/, or a path")
    max_items: int | None = Field(None, ge=1, description="only the first N items of the split; default: all")
    submission_split: Literal["holdout", "all"] = Field(
        "holdout", description="the split that a submission is scored on; a sweep uses dev only"
    )
    challenges: str | None = Field(
        None, description="file of ARC challenges without solutions, which a submission answers in submission.json"
    )
    scorer: str | None = Field(None, description="default: the scorer of the evalset, usually `answer`")


class BudgetConfig(Section):
    """The time for one submission run; `profile` sets the limits that are not given (podium/core/budget.py)."""

    profile: str = "local"
    time_budget_s: float | None = Field(None, gt=0)
    reserve_s: float | None = Field(None, ge=0, description="seconds kept free for what takes longer than planned")


class DeviceConfig(Section):
    """The devices to run on."""

    kind: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    count: Annotated[int | None, P] = Field(
        None, ge=1, description="devices to use; default: the most here that divide train.batch_size"
    )
    fsdp: Annotated[int | None, P] = Field(
        None, ge=1, description="devices that each parameter is divided over; default: 1 if one device has room"
    )
    distributed: bool = Field(False, description="this process is one of several, as on a TPU pod")
    memory_gb: float | None = Field(None, gt=0, description="memory of each device; default: what the backend reports")
    allocator: Literal["default", "platform"] = Field(
        "default",
        description="platform asks the driver for each array: slow, a last resort if memory runs out",
    )
