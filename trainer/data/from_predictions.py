"""Makes a trainset of correct predictions: their prompts and answers (Zelikman et al. 2022, STaR)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podium.core.errors import UsageError
from podium.core.gold import steps_of, worked_answer
from podium.core.records import Conversation, Message, ReasoningTrace, TraceStep, TrainsetManifest
from trainer.data.trainsets import check_name, write_trainset

VERSION = "1"  # of the conversion
ANSWER_TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
REASONING_TAG = re.compile(r"</?reasoning>")


@dataclass(frozen=True)
class RightAnswer:
    """A correct answer: the source in `program`, or else `text`, parsed as `completion` does.

    An answer to `messages` instead of a prompt is kept as it is.
    """

    prompt: str
    text: str
    program: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()


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
    examples = [conversation_of(answer) if answer.messages else trace_of(answer) for answer in answers]
    return write_trainset(
        folder, examples, name=name, recipe=f"from-predictions:{source}", recipe_version=VERSION, seed=None
    )


def trace_of(answer: RightAnswer) -> ReasoningTrace:
    """A program is put in a code fence, so that a scorer finds it in the answers of the trained model."""
    if answer.program is not None:
        return ReasoningTrace(prompt=answer.prompt, final_answer=_fenced(answer.program), meta=answer.meta)
    return ReasoningTrace(prompt=answer.prompt, **completion(answer.text), meta=answer.meta)


def conversation_of(answer: RightAnswer) -> Conversation:
    """The messages and the answer, of which only the answer is learned."""
    asked = (turn.model_copy(update={"weight": 0}) if turn.role == "assistant" else turn for turn in answer.messages)
    text = answer.text if answer.program is None else _fenced(answer.program)
    reply = Message(role="assistant", content=text)
    return Conversation(messages=(*asked, reply), tools=answer.tools, meta=answer.meta)


def _fenced(program: str) -> str:
    return f"```python\n{program.strip()}\n```"


def completion(text: str) -> dict[str, Any]:
    """Steps and final answer of a response.

    The answer is in the last `<answer>` tag, or else in the last line `#### 72`, and the lines before it are the steps.
    Without either, the whole response is the answer.
    """
    tags = list(ANSWER_TAG.finditer(text))
    if tags:
        lines, final = steps_of(REASONING_TAG.sub("", text[: tags[-1].start()])), tags[-1][1].strip()
    else:
        try:
            lines, final = worked_answer(text)
        except ValueError:
            lines, final = [], text.strip()
    if not final:
        raise ValueError("the response's answer is empty")
    steps = [TraceStep(i=i, type="reason", content=line) for i, line in enumerate(lines, start=1)]
    return {"final_answer": final, "steps": steps}
