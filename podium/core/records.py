"""The records that are stored in files and passed between packages."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from podium.core.config import first_problem
from podium.core.errors import UsageError
from podium.core.files import read_json, read_jsonl
from podium.core.states import State

R = TypeVar("R", bound="Record")


class Record(BaseModel):
    """A frozen record; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TraceStep(Record):
    i: int = Field(ge=0)
    type: str = Field(min_length=1)
    content: str = Field(min_length=1)


Role = Literal["system", "user", "assistant", "tool"]


class Message(Record):
    """One turn of a conversation. Without tool calls, it has a content."""

    role: Role
    content: str = ""
    weight: Literal[0, 1] = 1  # 0: an assistant turn that is not learned
    tool_calls: tuple[dict[str, Any], ...] = ()  # as in the `messages` of the OpenAI API
    tool_call_id: str | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.tool_calls and self.role != "assistant":
            raise ValueError(f"tool_calls in a turn of role {self.role!r}; only assistant turns call tools")
        if not self.content and not self.tool_calls:
            raise ValueError(f"a turn of role {self.role!r} has no content; give it one or remove the turn")
        return self


class ReasoningTrace(Record):
    """One worked example of a trainset."""

    trace_version: Literal["1"] = "1"
    prompt: str = Field(min_length=1)
    final_answer: str = Field(min_length=1)
    steps: tuple[TraceStep, ...] = ()
    meta: dict[str, Any] = {}

    @property
    def turns(self) -> tuple[Message, ...]:
        """The prompt as a turn of the user."""
        return (Message(role="user", content=self.prompt),)


class Conversation(Record):
    """One conversation of a trainset; the assistant turns of weight 1 are learned."""

    conversation_version: Literal["1"] = "1"
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()  # JSON schemas of the tools, for the chat template
    meta: dict[str, Any] = {}

    @model_validator(mode="after")
    def _teaches_something(self) -> Self:
        if not any(message.role == "assistant" and message.weight for message in self.messages):
            raise ValueError("messages hold no assistant turn with weight 1, so there is nothing to learn from")
        return self

    @property
    def turns(self) -> tuple[Message, ...]:
        return self.messages


Example = ReasoningTrace | Conversation  # one line of a trainset's traces.jsonl


class TrainsetManifest(Record):
    """`trainsets/<name>/manifest.json`; `sha256` is the hash of traces.jsonl."""

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


class _Asked(Record):
    """What a model is asked: a prompt, or the turns before the answer."""

    id: str = Field(min_length=1)
    prompt: str = ""
    messages: tuple[Message, ...] = ()  # instead of the prompt; the last turn is not the assistant's
    tools: tuple[dict[str, Any], ...] = ()  # as in Conversation

    @model_validator(mode="after")
    def _asks_once(self) -> Self:
        if bool(self.prompt) == bool(self.messages):
            given = "are both given" if self.prompt else "are both missing or empty"
            raise ValueError(f"prompt and messages {given}; give one of them")
        if self.messages and self.messages[-1].role == "assistant":
            raise ValueError("messages end with a turn of the assistant; the last turn must be what it answers")
        return self

    @property
    def turns(self) -> tuple[Message, ...]:
        """The messages, or the prompt as a turn of the user."""
        return self.messages or (Message(role="user", content=self.prompt),)


class Sample(_Asked):
    """One line of an evalset."""

    expected_answer: str = Field(min_length=1)
    section: str = Field(min_length=1)
    category: str = Field(min_length=1)
    difficulty: Difficulty
    accepted: tuple[str, ...] = ()
    meta: dict[str, Any] = {}  # further data for the scorer; docs/evaluation.md lists the keys


class Question(_Asked):
    """An item whose answer is unknown, as in a competition's hidden test set."""

    meta: dict[str, Any] = {}


Prompt = Sample | Question  # an item that a model can answer: both have an id, a prompt or messages, and meta


def user_turns(item: Example | Prompt) -> tuple[str, ...]:
    """What the user says; of a trace, its prompt."""
    return tuple(turn.content for turn in item.turns if turn.role == "user")


def as_text(item: Prompt) -> str:
    """What an item asks, to show it: its prompt, or a line per turn."""
    return item.prompt or "\n".join(f"{turn.role}: {turn.content}" for turn in item.messages)


# Why an answer ended: the EOS token, generate.max_new_tokens, a stop string, or the time limit of the item.
FinishReason = Literal["eos", "length", "stop", "deadline"]
FINISH_REASONS: tuple[FinishReason, ...] = get_args(FinishReason)


class Prediction(Record):
    """One line of predictions.jsonl: the model's text after a prompt."""

    id: str = Field(min_length=1)
    sample: int = Field(0, ge=0)  # the index among the predictions of an item; (id, sample) is unique
    text: str
    n_output_tokens: int | None = Field(None, ge=0)
    finish_reason: FinishReason | None = None


class Report(Record):
    """A worker's report after it advanced a trial; all metrics are finite."""

    step: int = Field(ge=0)
    state: State
    metrics: dict[str, float]  # such as train/loss and dev/answer_correctness; a metric that would be NaN has no key
    reason: str | None = None  # for a state that needs one
    elapsed_s: float = Field(0.0, ge=0)
    compile_s: float = Field(0.0, ge=0)


def parse_record(cls: type[R], values: Any, where: str) -> R:
    """A record from its values. Raises UsageError: one line with place, value and rule."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{where}: holds {type(values).__name__}, must be an object")
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{where}: {first_problem(error)}") from error


def read_record(cls: type[R], path: Path) -> R:
    """A record from a JSON file. Raises UsageError if it is missing or malformed."""
    return parse_record(cls, read_json(path), str(path))


def read_records(cls: type[R], path: Path) -> list[R]:
    """One record per line of a JSONL file. Raises UsageError with file, line and reason."""
    return [parse_record(cls, value, f"{path}:{number}") for number, value in read_jsonl(path)]


def iter_examples(path: Path) -> Iterator[Example]:
    """The examples of a trainset's traces.jsonl, in order. Raises UsageError with file, line and reason."""
    return (parse_example(value, f"{path}:{number}") for number, value in read_jsonl(path))


def parse_example(values: Any, where: str) -> Example:
    """A conversation if the values have messages, else a trace. Raises UsageError as `parse_record` does."""
    if isinstance(values, Mapping) and "messages" in values:
        return parse_record(Conversation, values, where)
    return parse_record(ReasoningTrace, values, where)


def example_row(example: Example) -> dict[str, Any]:
    """The object that a line of traces.jsonl holds; a conversation's has no fields at their default."""
    return example.model_dump(mode="json", exclude_defaults=isinstance(example, Conversation))
