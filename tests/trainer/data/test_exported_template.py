"""What a user of transformers gets of a model that was trained with data.system."""

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from podium.core.config_sections import DataConfig
from podium.core.records import Message, Question
from tests.trainer.data.chats import CHATS, FAMILIES, with_template
from trainer.data.exported_template import exported_template
from trainer.data.template import choose_template
from trainer.data.tokenizer import Tokenizer
from trainer.data.turns import template_message
from trainer.tiny import make

SYSTEM = 'Say "ja", \\n or {{ nothing }}.\nBe brief — 短 😀. Answer ALONE, as the SYSTEM says.'
TURNS = [Message(role="user", content="2+2?")]
LONGER = [*TURNS, Message(role="assistant", content="4"), Message(role="user", content="And 3+3?")]
WITH_SYSTEM = [Message(role="system", content="Be kind."), *LONGER]


@pytest.mark.parametrize("turns", [TURNS, LONGER, WITH_SYSTEM], ids=["one", "several", "system"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_prompts_of_transformers_are_those_of_training(family: str, turns: list[Message], tmp_path: Path) -> None:
    tokenizer, data = Tokenizer(CHATS / family), DataConfig(system=SYSTEM)
    text = exported_template(tokenizer, data)
    assert text is not None and text.endswith((CHATS / family / "chat_template.jinja").read_text())
    exported = with_template(tmp_path / "exported", text, family)._hf
    found = exported.apply_chat_template(
        [template_message(turn) for turn in turns], add_generation_prompt=True, return_dict=False
    )
    (wanted,) = choose_template(tokenizer, data).prompts([Question(id="q", messages=tuple(turns))])
    assert found == wanted


@pytest.mark.parametrize("turns", [TURNS, LONGER, WITH_SYSTEM], ids=["one", "several", "system"])
def test_a_model_without_a_chat_template_gets_one(turns: list[Message], tmp_path: Path) -> None:
    tokenizer, data = Tokenizer(Path(make.__file__).parent), DataConfig(system=SYSTEM)
    text = exported_template(tokenizer, data)
    assert text is not None
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tokenizer.folder / name).read_bytes())
    (tmp_path / "chat_template.jinja").write_text(text)
    messages = [template_message(turn) for turn in turns]
    found = AutoTokenizer.from_pretrained(tmp_path).apply_chat_template(messages, return_dict=False)
    (wanted,) = choose_template(tokenizer, data).prompts([Question(id="q", messages=tuple(turns))])
    assert found == wanted


def test_without_data_system_the_template_stays_as_it_is() -> None:
    assert exported_template(Tokenizer(CHATS / "gemma3"), DataConfig()) is None


def test_the_file_comes_before_the_settings(tmp_path: Path) -> None:
    """Older models have their template in tokenizer_config.json, beside which the exported one is written."""
    tokenizer = with_template(tmp_path / "t", "{{ 'new' }}")
    path = tokenizer.folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": "{{ 'old' }}"}))
    assert Tokenizer(tokenizer.folder).chat_template == "{{ 'new' }}"
