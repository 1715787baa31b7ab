"""A trainset of right predictions: the prompts they answered, and what they wrote (Zelikman et al. 2022, STaR)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podium.core.errors import UsageError
from podium.core.records import ReasoningTrace, TrainsetManifest
from trainer.data.importers import completion
from trainer.data.trainsets import refuse_taken, write_trainset

VERSION = "1"  # of what a prediction becomes


@dataclass(frozen=True)
class RightAnswer:
    """`program` is the answer where it is one; else steps and answer are read from `text` as an import reads them."""

    prompt: str
    text: str
    program: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def trainset_from(
    answers: Sequence[RightAnswer], folder: Path, *, name: str, source: str, replace: bool = False
) -> TrainsetManifest:
    """Fill `folder`; `source` says what the answers were told to be right by.

    Raises:
        UsageError: no answers (nothing is written), a folder that is there already, or the name of a recipe.
    """
    refuse_taken(name, folder, replace)
    if not answers:
        raise UsageError(
            "none of the predictions is correct, so there is nothing to train on; try more samples or a better run"
        )
    traces = [trace_of(answer) for answer in answers]
    return write_trainset(
        folder, traces, name=name, recipe=f"from-predictions:{source}", recipe_version=VERSION, seed=None
    )


def trace_of(answer: RightAnswer) -> ReasoningTrace:
    """A program is an answer in a fence, so that it is found again in what is learned from it."""
    if answer.program is not None:
        return ReasoningTrace(
            prompt=answer.prompt, final_answer=f"```python\n{answer.program.strip()}\n```", meta=answer.meta
        )
    return ReasoningTrace(prompt=answer.prompt, **completion(answer.text), meta=answer.meta)
