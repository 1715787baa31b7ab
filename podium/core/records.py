"""The records that files hold and packages hand to each other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from podium.core.config import first_problem
from podium.core.errors import UsageError
from podium.core.files import read_json, read_jsonl
from podium.core.states import State

R = TypeVar("R", bound="Record")


class Record(BaseModel):
    """Frozen; unknown keys, NaN and infinity refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TraceStep(Record):
    i: int = Field(ge=0)
    type: str = Field(min_length=1)
    content: str = Field(min_length=1)


class ReasoningTrace(Record):
    """One worked example of a trainset."""

    trace_version: Literal["1"] = "1"
    prompt: str = Field(min_length=1)
    final_answer: str = Field(min_length=1)
    steps: tuple[TraceStep, ...] = ()
    meta: dict[str, Any] = {}


class TrainsetManifest(Record):
    """`trainsets/<name>/manifest.json`; `sha256` is of traces.jsonl."""

    name: str
    recipe: str
    recipe_version: str
    seed: int | None
    count: int
    composition: dict[str, int]
    sha256: str


Difficulty = Literal["easy", "medium", "hard"]
DIFFICULTIES: tuple[Difficulty, ...] = get_args(Difficulty)  # from easy to hard

# The fields of a Sample by which scores are grouped, and the plural that scorecards and comparisons use as a key.
GROUPS = {"section": "sections", "category": "categories", "difficulty": "difficulties"}


class Sample(Record):
    """One line of an evalset."""

    id: str = Field(min_length=1)
    prompt: str = Field(min_length=1)
    expected_answer: str = Field(min_length=1)
    section: str = Field(min_length=1)
    category: str = Field(min_length=1)
    difficulty: Difficulty
    accepted: tuple[str, ...] = ()
    meta: dict[str, Any] = {}  # what its scorer needs beyond the answer; docs/evaluation.md names the keys


class Question(Record):
    """An item whose answer is unknown, as in a competition's hidden test set."""

    id: str = Field(min_length=1)
    prompt: str = Field(min_length=1)
    meta: dict[str, Any] = {}


Prompt = Sample | Question  # an item that a model can answer: both have an id, a prompt and meta


# EOS was written, generate.max_new_tokens were, a stop string was, or the answer's own time ran out.
FinishReason = Literal["eos", "length", "stop", "deadline"]
FINISH_REASONS: tuple[FinishReason, ...] = get_args(FinishReason)


class Prediction(Record):
    """One line of predictions.jsonl: what the model wrote after the prompt; several for an item differ in `sample`."""

    id: str = Field(min_length=1)
    sample: int = Field(0, ge=0)  # which of several for this item; (id, sample) is unique
    text: str
    n_output_tokens: int | None = Field(None, ge=0)
    finish_reason: FinishReason | None = None


class Report(Record):
    """What a worker says after advancing a trial: where it stands, and finite metrics only."""

    step: int = Field(ge=0)
    state: State
    metrics: dict[str, float]  # e.g. train/loss, dev/answer_correctness; no key rather than a NaN
    reason: str | None = None  # why, for a state that needs a reason
    elapsed_s: float = Field(0.0, ge=0)
    compile_s: float = Field(0.0, ge=0)


class PromotionRecord(Record):
    """What the gate in tuning/promotion.py hands to podium/submission/lock.py."""

    study: str
    trial: int
    config: dict[str, Any]  # RunConfig, fully resolved
    overrides: dict[str, Any]
    metric: str
    direction: Literal["maximize", "minimize"]
    value: float
    state: State
    mlflow_run_id: str | None = None  # none where tracking was off or unreachable
    contamination: dict[str, Any] | None = None  # evalset prompts that the trainset holds, exactly or nearly


def parse_record(cls: type[R], values: Any, where: str) -> R:
    """Raises UsageError: one line with place, value and rule."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{where}: holds {type(values).__name__}, must be an object")
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{where}: {first_problem(error)}") from error


def read_record(cls: type[R], path: Path) -> R:
    return parse_record(cls, read_json(path), str(path))


def read_records(cls: type[R], path: Path) -> list[R]:
    """Every line of a JSONL file. Raises UsageError naming file, line and reason."""
    return [parse_record(cls, value, f"{path}:{number}") for number, value in read_jsonl(path)]
