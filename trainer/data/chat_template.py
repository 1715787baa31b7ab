"""`ChatTemplate`: examples and prompts as the tokenizer's own chat template writes them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from podium.core.config_sections import DataConfig
from podium.core.errors import UsageError
from podium.core.records import Conversation, Example, Message, Prompt, ReasoningTrace
from trainer.data.layouts import as_conversation, completion_text, layout_of
from trainer.data.sequences import BadExample, TokenSequence, joined, of_spans
from trainer.data.spans import Frame, Turnover, blank, frame, marked, positions, spans
from trainer.data.tokenizer import Tokenizer
from trainer.data.turns import folded, learned_turns, template_message, with_system

# Placeholders, to find out what a chat template writes around a reply.
ASKED = {"role": "user", "content": "the prompt"}
NEXT = {"role": "user", "content": "the next prompt"}
SYSTEM = {"role": "system", "content": "the instruction"}
SET_HERE = ("messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token", "strftime_now")
REPLY, THOUGHT = "the reply", "<think>\na thought\n</think>\n\n"

FOLDED = "the chat template takes no system turn; its text is put before the first user turn"
REWRITTEN = (
    "the chat template writes a reply in another way once turns follow it, such as without its reasoning; replies "
    "before the last are learned as they then read; data.loss_on=last learns the last one only"
)
OPENED = (
    "the chat template opens some replies in another way than it opens a reply in prediction; data.loss_on=last learns "
    "the last one of each conversation only"
)
Turns = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]
T = TypeVar("T")


class ChatTemplate:
    """Conversations have the ids that `apply_chat_template(tokenize=True)` of transformers gives them.

    In the layouts steps and reasoning, the prompt of a trace and its completion are encoded separately. The completion
    ends as the template ends a turn, followed by EOS if that is another token.
    """

    name = "chat"

    def __init__(self, tokenizer: Tokenizer, data: DataConfig) -> None:
        """Raises UsageError: the tokenizer has no chat template, or one that cannot render a user's turn or lacks a
        variable of `data.template_options`.
        """
        self._tokenizer, self._data = tokenizer, data
        if not tokenizer.has_chat_template:
            raise UsageError(
                f"data.template='chat': the tokenizer in {tokenizer.folder} has no chat template; use auto or plain"
            )
        self._check_options()
        self._turnover = self._find_turnover()
        self.folds = not self._writes_system()  # a system turn's text is put before the first user turn
        self._rewrites = {thought for thought in ("", THOUGHT) if self._rewrites_reply(thought)}
        self._frames: dict[tuple[str, ...], Frame | None] = {}  # by the roles of a conversation
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the examples and prompts so far were written."""
        return tuple(self._notes)

    def prompts(self, items: Sequence[Prompt]) -> list[list[int]]:
        """The ids of what each item asks, with the opening of the model's turn. Raises UsageError, naming an item."""
        turns = [list(map(template_message, self._turns(item.turns))) for item in items]
        try:
            texts = self._render(turns, [item.tools for item in items], asks=True)
        except BadExample as error:
            raise UsageError(f"item {items[error.index].id!r}: {error}") from error
        return self._tokenizer.encode(texts)

    def sequences(self, examples: Sequence[Example]) -> list[TokenSequence]:
        """The tokens of each example. Raises BadExample: the template cannot write one of them."""
        layouts = _each(lambda example: layout_of(example, self._data.layout), examples)
        of_traces = [number for number, layout in enumerate(layouts) if layout != "text"]
        of_texts = [number for number, layout in enumerate(layouts) if layout == "text"]
        traces = [example for example in examples if isinstance(example, ReasoningTrace)]
        completions = self._completions(traces) if of_traces else []
        try:
            texts = self._conversations([as_conversation(examples[number]) for number in of_texts])
        except BadExample as error:
            raise BadExample(of_texts[error.index], str(error)) from error
        found = dict(zip([*of_traces, *of_texts], [*completions, *texts], strict=True))
        return [found[number] for number in range(len(examples))]

    def _completions(self, traces: Sequence[ReasoningTrace]) -> list[TokenSequence]:
        turns = [list(map(template_message, self._turns(trace.turns))) for trace in traces]
        prompts = self._render(turns, [()] * len(traces), asks=True)
        end = self._turnover.end.rstrip().removesuffix(self._tokenizer.eos_token)
        texts = [completion_text(trace, layout_of(trace, self._data.layout)) + end for trace in traces]
        ids = self._tokenizer.encode([*prompts, *texts])
        return [
            joined([(prompt, False), ([*completion, self._tokenizer.eos_id], True)])
            for prompt, completion in zip(ids[: len(traces)], ids[len(traces) :], strict=True)
        ]

    def _conversations(self, examples: Sequence[Conversation]) -> list[TokenSequence]:
        records = [self._turns(example.messages) for example in examples]
        tools = [example.tools for example in examples]
        turns = [list(map(template_message, record)) for record in records]
        texts = self._render(turns, tools)
        learned = [learned_turns(record, self._data.loss_on) for record in records]
        found = _each(self._spans, texts, turns, tools, learned)
        encodings = self._tokenizer.encodings(
            [text + self._closing(one) for text, one in zip(texts, turns, strict=True)]
        )
        return [of_spans(*encoding, one) for encoding, one in zip(encodings, found, strict=True)]

    def _spans(self, text: str, turns: Turns, tools: Tools, learned: Sequence[int]) -> list[tuple[int, int]]:
        """(start, end) of what is learned of a conversation's text. Raises UsageError: it cannot be told."""
        around = None if tools else self._frame(tuple("calls" if "tool_calls" in t else t["role"] for t in turns))
        whole = text + self._closing(turns)
        found = around.spans(whole, turns, learned) if around else None
        if around and found is not None:
            as_decoded = all(around.as_decoded[number] for number in learned)
        else:
            found, as_decoded = spans(whole, self._places(text, turns, tools), turns, learned, self._turnover)
        if not as_decoded:
            self._notes[OPENED] = None
        earlier = [turns[number]["content"] for number in learned[:-1]] if self._rewrites else []
        if any((THOUGHT if "</think>" in content else "") in self._rewrites for content in earlier):
            self._notes[REWRITTEN] = None
        return found

    def _places(self, text: str, turns: Turns, tools: Tools) -> dict[int, int]:
        """The end of each turn in the text. Raises UsageError: a turn is left out, or its end cannot be told."""
        for only in (None, "assistant"):  # if the template reads what other roles say, a mark there may change the text
            found = positions(text, self._text(*marked(turns, only), tools=tools), turns, only)
            if found is not None:
                return found
        raise UsageError("the chat template reads the ends of replies, so what is learned cannot be told")

    def _frame(self, roles: tuple[str, ...]) -> Frame | None:
        if roles not in self._frames:
            turns = blank(roles)
            try:
                found = None if "calls" in roles else self._text(*turns)
            except UsageError:
                found = None
            self._frames[roles] = None if found is None else frame(found + self._closing(turns), roles, self._turnover)
        return self._frames[roles]

    def _closing(self, turns: Turns) -> str:
        return self._turnover.closing if turns[-1]["role"] == "assistant" else ""

    def _turns(self, turns: Sequence[Message]) -> tuple[Message, ...]:
        turns = with_system(turns, self._data.system)
        if turns[0].role == "system" and self.folds:
            self._notes[FOLDED] = None
            turns = folded(turns)
        return tuple(turns)

    def _render(self, conversations: Sequence[Turns], tools: Sequence[Tools], asks: bool = False) -> list[str]:
        """The text of each conversation. Raises BadExample: the template cannot render one of them."""
        if not any(tools):
            try:
                return self._tokenizer_texts(conversations, asks=asks)
            except UsageError:  # of one of them, which is found below
                pass
        return _each(lambda turns, known: self._text(*turns, tools=known, asks=asks), conversations, tools)

    def _tokenizer_texts(self, conversations: Sequence[Turns], tools: Tools = (), asks: bool = False) -> list[str]:
        options = self._data.template_options
        return self._tokenizer.chat_texts(conversations, asks=asks, tools=tools, options=options)

    def _text(self, *turns: Mapping[str, Any], tools: Tools = (), asks: bool = False) -> str:
        (text,) = self._tokenizer_texts([turns], tools, asks=asks)
        names = [tool.get("function", tool).get("name", "") for tool in tools]
        if missing := [name for name in names if name not in text]:
            raise UsageError(f"the chat template does not write the tool {missing[0]!r}; leave the tools out")
        return text

    def _check_options(self) -> None:
        text = self._tokenizer.chat_template
        for name, value in self._data.template_options.items():
            if name in SET_HERE:
                raise UsageError(f"data.template_options: {name!r} is set by Podium; leave it out")
            if not re.search(rf"\b{re.escape(name)}\b", text):
                raise UsageError(
                    f"data.template_options={{{name!r}: {value!r}}}: the chat template of {self._tokenizer.folder} "
                    f"has no variable {name!r}; correct it or leave it out"
                )

    def _find_turnover(self) -> Turnover:
        before, _, after = self._text(ASKED, _reply()).rpartition(REPLY)
        asked, alone = self._text(ASKED, asks=True), self._text(ASKED)
        if not before or ASKED["content"] not in asked:
            raise UsageError(
                f"{self._tokenizer.folder}: the chat template does not render the model's turn; use data.template=plain"
            )
        opening = asked.rpartition(ASKED["content"])[2]
        asks = asked.removeprefix(alone) if asked.startswith(alone) else opening
        try:
            earlier, _, _ = self._text(ASKED, _reply(), NEXT, _reply()).partition(REPLY)
        except UsageError:  # a template of one question and one answer
            earlier = before
        openings = dict.fromkeys([opening, earlier.rpartition(ASKED["content"])[2], asks])
        end = after.rstrip()
        return Turnover(
            openings=tuple(filter(None, openings)),
            asks=asks or opening,
            end=end or after,
            closing="" if end else self._tokenizer.eos_token,
        )

    def _writes_system(self) -> bool:
        try:
            return SYSTEM["content"] in self._text(SYSTEM, ASKED)
        except UsageError:
            return False

    def _rewrites_reply(self, thought: str) -> bool:
        """Whether the template writes a reply, after a thought or without, in another way when turns follow it."""
        try:
            first = self._text(ASKED, _reply(thought))
            return not self._text(ASKED, _reply(thought), NEXT, _reply()).startswith(first.rstrip())
        except UsageError:  # a template of one question and one answer
            return False


def _reply(thought: str = "") -> Mapping[str, Any]:
    return {"role": "assistant", "content": f"{thought}{REPLY}"}


def _each(make: Callable[..., T], *columns: Sequence[Any]) -> list[T]:
    """`make` of each row of the columns. Raises BadExample, with the row's number, where it raises UsageError."""
    made = []
    for number, row in enumerate(zip(*columns, strict=True)):
        try:
            made.append(make(*row))
        except UsageError as error:
            raise BadExample(number, str(error)) from error
    return made
