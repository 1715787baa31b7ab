"""Turns prompts and examples into token ids, in training and in decoding alike."""

from collections.abc import Sequence
from typing import Protocol

from podium.core.config_sections import DataConfig
from podium.core.errors import UsageError
from podium.core.records import Example, Message, Prompt, ReasoningTrace
from trainer.data.chat_template import ChatTemplate
from trainer.data.layouts import completion_text, layout_of, prompt_text
from trainer.data.sequences import BadExample, TokenSequence, joined
from trainer.data.tokenizer import Tokenizer
from trainer.data.turns import BETWEEN, learned_turns, with_system

Segment = tuple[str, bool, bool]  # text, whether it is an assistant's turn, which EOS follows, whether it is learned


class Encoder(Protocol):
    """The part of a tokenizer that the plain template needs."""

    bos_id: int | None
    eos_id: int

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...


class PlainTemplate:
    """BOS; a system text and an empty line; a user's text and a line break; an assistant's text and EOS; and so on.

    The assistant's turns are encoded apart from the rest, so that they have the same ids after any prompt.
    """

    name = "plain"
    notes: tuple[str, ...] = ()

    def __init__(self, encoder: Encoder, data: DataConfig) -> None:
        self._encoder, self._data = encoder, data

    def prompts(self, items: Sequence[Prompt]) -> list[list[int]]:
        """The ids of what each item asks. Raises UsageError, naming the item: it has tools."""
        try:
            segments = [self._segments(number, item.turns, item.tools) for number, item in enumerate(items)]
        except BadExample as error:
            raise UsageError(f"item {items[error.index].id!r}: {error}") from error
        return [sequence.ids.tolist() for sequence in self._encoded(segments)]

    def sequences(self, examples: Sequence[Example]) -> list[TokenSequence]:
        """The tokens of each example. Raises BadExample: it has tools, or no steps to lay out."""
        return self._encoded([self._of_example(number, example) for number, example in enumerate(examples)])

    def _of_example(self, number: int, example: Example) -> list[Segment]:
        try:
            layout = layout_of(example, self._data.layout)
        except UsageError as error:
            raise BadExample(number, str(error)) from error
        if isinstance(example, ReasoningTrace):
            return [*self._segments(number, example.turns), (completion_text(example, layout), True, True)]
        return self._segments(number, example.messages, example.tools)

    def _segments(self, number: int, turns: Sequence[Message], tools: Sequence[object] = ()) -> list[Segment]:
        if tools or any(turn.role == "tool" or turn.tool_calls for turn in turns):
            raise BadExample(number, "the plain template has no form for tools; use a tokenizer with a chat template")
        turns = with_system(turns, self._data.system)
        learned = learned_turns(turns, self._data.loss_on)
        segments: list[Segment] = [("", False, False)]
        for place, turn in enumerate(turns):
            if turn.role == "assistant":
                segments += [(turn.content, True, place in learned), ("", False, False)]
            else:
                text = turn.content + BETWEEN if turn.role == "system" else prompt_text(turn.content)
                segments[-1] = (segments[-1][0] + text, False, False)
        return segments

    def _encoded(self, examples: Sequence[Sequence[Segment]]) -> list[TokenSequence]:
        """One sequence per example, which begins with BOS if the tokenizer uses one."""
        ids = iter(self._encoder.encode([text for segments in examples for text, _, _ in segments]))
        bos = [] if self._encoder.bos_id is None else [self._encoder.bos_id]
        eos = [self._encoder.eos_id]
        return [
            joined([(bos, False), *((next(ids) + eos * ends, learned) for _, ends, learned in segments)])
            for segments in examples
        ]


Template = PlainTemplate | ChatTemplate


def choose_template(tokenizer: Tokenizer, data: DataConfig) -> Template:
    """The template of `data.template`; auto is chat if the tokenizer has a chat template.

    Raises:
        UsageError: `chat` without a chat template, one that cannot be used, or options without one.
    """
    chat = data.template == "chat" or (data.template == "auto" and tokenizer.has_chat_template)
    if data.template_options and not chat:
        raise UsageError(
            f"data.template_options={data.template_options} has no effect on the plain template; leave it out, or use "
            "a tokenizer with a chat template"
        )
    return (ChatTemplate if chat else PlainTemplate)(tokenizer.at_date(data.date), data)
