"""The tokenizers of tests/fixtures/chat, and conversations for them."""

import shutil
from pathlib import Path
from typing import Any

from podium.core.config_sections import DataConfig
from podium.core.records import Conversation, Message
from trainer.data.chat_template import ChatTemplate
from trainer.data.sequences import TokenSequence
from trainer.data.template import choose_template
from trainer.data.tokenizer import Tokenizer

CHATS = Path(__file__).parents[2] / "fixtures" / "chat"
FAMILIES = ("gemma2", "gemma3", "llama3", "qwen2.5", "qwen3", "chatml")
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 2}}}


def chat(family: str, **data: Any) -> ChatTemplate:
    template = choose_template(Tokenizer(CHATS / family), DataConfig(**data))
    assert isinstance(template, ChatTemplate)
    return template


def with_template(folder: Path, text: str, family: str = "gemma3") -> Tokenizer:
    """The tokenizer of a family with another chat template."""
    folder.mkdir(exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(CHATS / family / name, folder / name)
    (folder / "chat_template.jinja").write_text(text)
    return Tokenizer(folder)


def conversation(*turns: tuple[str, Any], tools: tuple[dict[str, Any], ...] = (), unlearned: int = -1) -> Conversation:
    """Turns (role, content) or (role, tool call); `unlearned` is the number of a turn of weight 0."""
    messages = [
        {"role": role, "weight": int(number != unlearned)}
        | ({"content": said} if isinstance(said, str) else {"tool_calls": [said]})
        for number, (role, said) in enumerate(turns)
    ]
    return Conversation(messages=tuple(map(Message.model_validate, messages)), tools=tools)


def shown(tokenizer: Tokenizer, sequence: TokenSequence) -> str:
    """The text of a sequence, with what is learned in brackets."""
    hf = tokenizer._hf
    tokens = [(hf.decode([token]), learned) for token, learned in zip(sequence.ids, sequence.learned, strict=True)]
    return "".join(f"⟦{text}⟧" if learned else text for text, learned in tokens).replace("⟧⟦", "")
