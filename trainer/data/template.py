"""Turns prompts and traces into text and token ids, in training and in decoding alike."""

from typing import Protocol

from podium.core.config_sections import DataConfig
from podium.core.errors import UsageError
from podium.core.records import ReasoningTrace
from trainer.data.tokenizer import Tokenizer

REPLY = "the reply"  # a placeholder, to find out what a chat template writes after a completion


def prompt_text(prompt: str) -> str:
    """The text that the model reads, which the loss does not count."""
    return f"{prompt}\n"


def completion_text(trace: ReasoningTrace, layout: str = "steps") -> str:
    """The text that the model learns to write: one line per step, then the answer in `<answer>` tags.

    With `layout="reasoning"` the steps, if there are any, are between `<reasoning>` tags on their own lines.
    """
    steps = [step.content for step in trace.steps]
    if steps and layout == "reasoning":
        steps = ["<reasoning>", *steps, "</reasoning>"]
    return "\n".join([*steps, f"<answer>{trace.final_answer}</answer>"])


class Encoder(Protocol):
    """The part of a tokenizer that the plain template needs."""

    def encode_prompt(self, text: str) -> list[int]: ...
    def encode_completion(self, text: str) -> list[int]: ...


class PlainTemplate:
    """Prompt, line break, completion."""

    name = "plain"

    def __init__(self, encoder: Encoder, layout: str = "steps") -> None:
        self._encoder, self._layout = encoder, layout

    def prompt(self, prompt: str) -> list[int]:
        return self._encoder.encode_prompt(prompt_text(prompt))

    def completion(self, trace: ReasoningTrace) -> list[int]:
        """The token ids of a completion, with EOS at the end."""
        return self._encoder.encode_completion(completion_text(trace, self._layout))


class ChatTemplate:
    """The tokenizer's own chat template: the prompt is the user's turn, the completion is the model's turn.

    The completion ends as the template ends a turn, followed by EOS if that is another token.
    """

    name = "chat"

    def __init__(self, tokenizer: Tokenizer, layout: str = "steps") -> None:
        """Raises UsageError: the tokenizer has no chat template, or one that cannot render a user's turn."""
        self._tokenizer, self._layout = tokenizer, layout
        if not tokenizer.has_chat_template:
            raise UsageError(
                f"data.template='chat': the tokenizer in {tokenizer.folder} has no chat template; use auto or plain"
            )
        before, _, after = self._render("the prompt", reply=REPLY).rpartition(REPLY)
        if not before:
            raise UsageError(
                f"{tokenizer.folder}: the chat template does not render the model's turn; use data.template=plain"
            )
        self._end = after.rstrip().removesuffix(tokenizer.eos_token)

    def prompt(self, prompt: str) -> list[int]:
        text = self._render(prompt)
        return self._tokenizer.encode_completion(text)[:-1]  # without EOS; the text already contains BOS

    def completion(self, trace: ReasoningTrace) -> list[int]:
        """The token ids of a completion, with EOS at the end."""
        return self._tokenizer.encode_completion(completion_text(trace, self._layout) + self._end)

    def _render(self, prompt: str, reply: str | None = None) -> str:
        turns = [{"role": "user", "content": prompt}]
        turns += [] if reply is None else [{"role": "assistant", "content": reply}]
        return self._tokenizer.chat_text(turns, asks=reply is None)


Template = PlainTemplate | ChatTemplate


def choose_template(tokenizer: Tokenizer, data: DataConfig) -> Template:
    """The template of `data.template`; auto is chat if the tokenizer has a chat template. Raises UsageError."""
    chat = data.template == "chat" or (data.template == "auto" and tokenizer.has_chat_template)
    return (ChatTemplate if chat else PlainTemplate)(tokenizer, data.layout)
