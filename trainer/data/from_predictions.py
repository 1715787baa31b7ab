"""Makes a trainset of correct predictions: their prompts and answers (Zelikman et al. 2022, STaR)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podium.core.errors import UsageError
from podium.core.records import ReasoningTrace, TrainsetManifest
from trainer.data.importers import completion
from trainer.data.trainsets import check_name, write_trainset

VERSION = "1"  # of the conversion


@dataclass(frozen=True)
class RightAnswer:
    """A correct answer: the source in `program`, or else `text`, parsed as `importers.completion` does."""

    prompt: str
    text: str
    program: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def trainset_from(
    answers: Sequence[RightAnswer], folder: Path, *, name: str, source: str, replace: bool = False
) -> TrainsetManifest:
    """Write a trainset to `folder`; `source` names what judged the answers correct.

    Raises:
        UsageError: there are no answers (nothing is written), the folder already exists, or `name` is a recipe's.
    """
    check_name(name, folder, replace)
    if not answers:
        raise UsageError(
            "none of the predictions is correct, so there is nothing to train on; try more samples or a better run"
        )
    traces = [trace_of(answer) for answer in answers]
    return write_trainset(
        folder, traces, name=name, recipe=f"from-predictions:{source}", recipe_version=VERSION, seed=None
    )


def trace_of(answer: RightAnswer) -> ReasoningTrace:
    """A program is put in a code fence, so that a scorer finds it in the answers of the trained model."""
    if answer.program is not None:
        return ReasoningTrace(
            prompt=answer.prompt, final_answer=f"```python\n{answer.program.strip()}\n```", meta=answer.meta
        )
    return ReasoningTrace(prompt=answer.prompt, **completion(answer.text), meta=answer.meta)
