"""The text of a trace: what the model reads, and what it learns to write."""

from typing import Literal

from podium.core.errors import UsageError
from podium.core.records import Conversation, Example, Message, ReasoningTrace

Layout = Literal["text", "steps", "reasoning"]


def prompt_text(prompt: str) -> str:
    """What the model reads under the plain template, which the loss does not count."""
    return f"{prompt}\n"


def completion_text(trace: ReasoningTrace, layout: Layout = "steps") -> str:
    """What the model learns to write: one line per step, then the answer, in `<answer>` tags unless the layout is text.

    With `layout="reasoning"` the steps, if there are any, are between `<reasoning>` tags on their own lines.
    """
    steps = [step.content for step in trace.steps]
    if layout == "text":
        return "\n".join([*steps, trace.final_answer])
    if steps and layout == "reasoning":
        steps = ["<reasoning>", *steps, "</reasoning>"]
    return "\n".join([*steps, tagged(trace.final_answer)])


def tagged(answer: str) -> str:
    """The last line of a completion, except in the layout text."""
    return f"<answer>{answer}</answer>"


def layout_of(example: Example, asked: Layout | Literal["auto"]) -> Layout:
    """The layout of an example under data.layout. Raises UsageError: a conversation is text and nothing else."""
    if isinstance(example, Conversation):
        if asked not in ("auto", "text"):
            raise UsageError(f"data.layout={asked!r}: a conversation has no steps; use data.layout=auto or text")
        return "text"
    return "steps" if asked == "auto" else asked


def as_conversation(example: Example) -> Conversation:
    """A conversation as it is; a trace as a turn of the user and one of the assistant, in the layout text."""
    if isinstance(example, Conversation):
        return example
    reply = Message(role="assistant", content=completion_text(example, "text"))
    return Conversation(messages=(*example.turns, reply))
